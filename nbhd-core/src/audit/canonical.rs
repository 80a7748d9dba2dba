//! One text for one value, whatever language and order it was written in, and its hash.
//!
//! The form is that of RFC 8785 (JSON Canonicalization Scheme): names sorted by their UTF-16 units, the least escapes, numbers
//! as ECMAScript prints them. One deviation, so that two large integers never share a hash: an integer is written with all its
//! digits, where the scheme would round it to a double.

use std::fmt::Write;

use ring::digest;
use serde_json::{Number, Value};

/// How many hexadecimal digits of the hash name an actor: 64 bits, so that no two of a program's actors meet.
const ACTOR_DIGITS: usize = 16;

/// The canonical text of `value`.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

/// SHA-256 of the canonical text of `parameters`, as 64 hexadecimal digits. Every nested value counts; the order of names does not.
pub fn parameters_hash(parameters: &Value) -> String {
    hexadecimal(digest::digest(&digest::SHA256, canonical_json(parameters).as_bytes()).as_ref())
}

/// How an actor (a user, a token, an agent) is named in an audit event: `actor_` and the beginning of a hash. The same actor has
/// the same name always; who does not know the actors cannot read who it is.
pub fn actor_fingerprint(actor: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(b"nbhd audit actor\0");
    hash.update(actor.as_bytes());
    let digits = hexadecimal(hash.finish().as_ref());
    format!("actor_{}", &digits[..ACTOR_DIGITS])
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => write_text(out, text),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            out.push('{');
            for (at, (name, field)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(out, name);
                out.push(':');
                write_value(out, field);
            }
            out.push('}');
        }
    }
}

/// The escapes of `JSON.stringify`: those with a letter of their own, `\u00xx` for other controls, nothing else.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            letter if letter < ' ' => {
                let _ = write!(out, "\\u{:04x}", letter as u32);
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
}

fn write_number(out: &mut String, number: &Number) {
    match number.as_f64() {
        Some(float) if number.is_f64() => write_float(out, float),
        // An integer, and its own text already.
        _ => out.push_str(&number.to_string()),
    }
}

/// `Number::toString` of ECMA-262 (section 6.1.6.1.20). Rust finds as few digits; of two that are as near the even one is meant, and
/// the arrangement differs.
fn write_float(out: &mut String, float: f64) {
    if float == 0.0 {
        out.push('0');
        return;
    }
    if float < 0.0 {
        out.push('-');
    }
    let float = float.abs();
    let mut text = format!("{float:e}");
    let digits = text
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit)
        .count();
    let nearest = format!("{float:.*e}", digits.saturating_sub(1));
    if nearest.parse() == Ok(float) {
        text = nearest;
    }
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.replace('.', "");
    let count = digits.len() as i32;
    // The decimal point stands after this many digits.
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let _ = match point {
        _ if count <= point && point <= 21 => write!(out, "{digits}{}", zeros(point - count)),
        1..=21 => {
            let (whole, rest) = digits.split_at(point as usize);
            write!(out, "{whole}.{rest}")
        }
        -5..=0 => write!(out, "0.{}{digits}", zeros(-point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let mark = if rest.is_empty() { "" } else { "." };
            write!(out, "{first}{mark}{rest}e{:+}", point - 1)
        }
    };
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{actor_fingerprint, canonical_json, parameters_hash};

    /// The sample numbers of RFC 8785, appendix B: the bits of a double and its text.
    #[test]
    fn numbers_are_those_of_the_scheme() {
        let table = [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ];
        for (bits, text) in table {
            assert_eq!(canonical_json(&json!(f64::from_bits(bits))), text);
        }
        assert_eq!(canonical_json(&json!(u64::MAX)), "18446744073709551615");
        assert_eq!(canonical_json(&json!([1, 1.0, 4.50, 2e-3])), "[1,1,4.5,0.002]");
    }

    /// The samples of RFC 8785, sections 3.2.2 and 3.2.3.
    #[test]
    fn texts_and_orders_are_those_of_the_scheme() {
        let numbers = [
            333_333_333.333_333_3,
            1E30,
            4.50,
            2e-3,
            0.000_000_000_000_000_000_000_000_001,
        ];
        let value =
            json!({"numbers": numbers, "string": "€$\u{f}\nA'B\"\\\\\"/", "literals": [null, true, false]});
        assert_eq!(
            canonical_json(&value),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
        let text = "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\
                    \"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\
                    \"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}";
        let value: Value = serde_json::from_str(text).expect("JSON");
        let canonical = canonical_json(&value);
        let at = |name: &str| {
            canonical
                .find(name)
                .unwrap_or_else(|| panic!("{name}: {canonical}"))
        };
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"].map(at);
        assert!(order.is_sorted(), "{canonical}");
    }

    #[test]
    fn nested_parameters_change_the_hash_and_their_order_does_not() {
        let one = json!({"to": "a", "body": {"text": "x", "parts": [1, 2, {"deep": true}]}});
        let same = json!({"body": {"parts": [1, 2, {"deep": true}], "text": "x"}, "to": "a"});
        let other = json!({"to": "a", "body": {"text": "x", "parts": [1, 2, {"deep": false}]}});
        assert_eq!(parameters_hash(&one), parameters_hash(&same));
        assert_ne!(parameters_hash(&one), parameters_hash(&other));
        // `printf '{}' | sha256sum`
        assert_eq!(
            parameters_hash(&json!({})),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
        assert!(actor_fingerprint("user:42").starts_with("actor_"));
        assert_eq!(actor_fingerprint("user:42").len(), 22);
        assert_ne!(actor_fingerprint("user:42"), actor_fingerprint("user:43"));
    }
}
