//! One text for one value: JSON in the canonical form of RFC 8785, and its hash.
//!
//! Two programs that hash the same value in two languages must come to the same hash, whatever order their maps have and
//! however they print numbers. <https://www.rfc-editor.org/rfc/rfc8785>
//!
//! One deviation, on purpose: whole numbers that fit 64 bits keep all their digits, where the RFC rounds those above 2^53;
//! otherwise two ids of a platform that counts that far would be one.

use ring::digest;
use serde_json::Value;

/// The canonical text of `value`.
///
/// ```
/// let value = serde_json::json!({"b": 1.0, "a": [true, 1e30]});
/// assert_eq!(nbhd_core::canonical::json(&value), r#"{"a":[true,1e+30],"b":1}"#);
/// ```
pub fn json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The SHA-256 of the canonical text, as 64 hexadecimal digits.
pub fn hash(value: &Value) -> String {
    hex(digest::digest(&digest::SHA256, json(value).as_bytes()).as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(whole), _, _) => out.push_str(&whole.to_string()),
            (None, Some(whole), _) => out.push_str(&whole.to_string()),
            (None, None, float) => out.push_str(&float_text(float.unwrap_or_default())),
        },
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (place, (name, field)) in sorted.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                text(name, out);
                out.push(':');
                write(field, out);
            }
            out.push('}');
        }
        Value::String(string) => text(string, out),
        plain => out.push_str(&plain.to_string()),
    }
}

/// Escapes as `JSON.stringify` does.
fn text(string: &str, out: &mut String) {
    out.push_str(&Value::from(string).to_string());
}

/// A number as ECMAScript prints it. <https://tc39.es/ecma262/#sec-numeric-types-number-tostring>
fn float_text(float: f64) -> String {
    if float == 0.0 {
        return "0".to_owned();
    }
    // The shortest digits that read back as the same number, and of two the nearer or else the even, as ECMAScript wants;
    // where the point stands is its own.
    let shortest = Value::from(float.abs()).to_string();
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{fraction}");
    let digits = all.trim_start_matches('0');
    let point =
        whole.len() as i32 + exponent.parse::<i32>().unwrap_or_default() - (all.len() - digits.len()) as i32;
    let digits = digits.trim_end_matches('0');
    let length = digits.len() as i32;
    let plain = if point > 21 || point <= -6 {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}{dot}{rest}e{:+}", point - 1)
    } else if point >= length {
        format!("{digits}{}", "0".repeat((point - length).unsigned_abs() as usize))
    } else if point > 0 {
        let (whole, rest) = digits.split_at(point.unsigned_abs() as usize);
        format!("{whole}.{rest}")
    } else {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    };
    if float < 0.0 { format!("-{plain}") } else { plain }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_printed_as_appendix_b_of_the_rfc_says() {
        for (bits, expected) in [
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
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(float_text(f64::from_bits(bits)), expected, "{bits:016x}");
        }
    }

    #[test]
    fn names_are_sorted_as_section_3_2_3_of_the_rfc_says() {
        let value = json!({
            "\u{20ac}": "Euro Sign",
            "\r": "Carriage Return",
            "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
            "1": "One",
            "\u{1f600}": "Emoji: Grinning Face",
            "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis",
        });
        let text = super::json(&value);
        let at = |name: &str| text.find(name).expect("it is there");
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        assert!(order.map(at).is_sorted(), "{text}");
    }

    #[test]
    fn the_same_value_has_one_hash_however_deep_and_in_whatever_order() {
        let one = json!({"event": "RUN_FAIL", "checks": {"b": [1, 2.0], "a": null}});
        let same =
            serde_json::from_str(r#"{"checks":{"a":null,"b":[1.0,2]},"event":"RUN_FAIL"}"#).expect("JSON");
        assert_eq!(hash(&one), hash(&same));
        let nested = json!({"event": "RUN_FAIL", "checks": {"b": [1, 3], "a": null}});
        assert_ne!(hash(&one), hash(&nested));
        // sha256sum of the two bytes {}
        assert_eq!(
            hash(&json!({})),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }
}
