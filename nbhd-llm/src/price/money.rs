//! Money as an integer: nano-USD, a billionth of a dollar. A float never holds an amount.

use std::fmt;
use std::str::FromStr;

use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Nano-USD in one dollar.
pub const NANO: i64 = 1_000_000_000;

/// The largest amount that a configuration may name: a billion dollars. Sums of such amounts cannot overflow.
const LARGEST: i64 = 1_000_000_000 * NANO;

/// An amount in nano-USD (1 USD = 10⁹). As JSON it is that integer; in a configuration `"2.00 USD"` is read as well.
///
/// ```
/// use nbhd_llm::price::NanoUsd;
///
/// let cap: NanoUsd = "2.00 USD".parse()?;
/// assert_eq!(cap, NanoUsd(2_000_000_000));
/// assert_eq!(cap.to_string(), "2.00 USD");
/// assert_eq!(NanoUsd(123_450).to_string(), "0.00012345 USD");
/// # Ok::<(), nbhd_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The dollars as a decimal number without rounding, at least two places: `0.00012345`.
    pub fn decimal(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let (dollars, nano) = (amount / NANO as u64, amount % NANO as u64);
        let places = format!("{nano:09}");
        let places = match places.trim_end_matches('0') {
            short if short.len() < 2 => &places[..2],
            long => long,
        };
        format!("{sign}{dollars}.{places}")
    }
}

impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.decimal())
    }
}

impl FromStr for NanoUsd {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Error::new(
                Code::InvalidInput,
                format!("{text:?} is not an amount: write it like \"2.00 USD\", up to nine decimal places"),
            )
        };
        let number = text.trim().strip_suffix("USD").ok_or_else(refuse)?.trim_end();
        let (whole, places) = number.split_once('.').unwrap_or((number, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let shape = !whole.is_empty() && digits(whole) && digits(places) && places.len() <= 9;
        if !shape || (number.contains('.') && places.is_empty()) {
            return Err(refuse());
        }
        let dollars: i64 = whole.parse().map_err(|_| refuse())?;
        let nano: i64 = format!("{places:0<9}").parse().map_err(|_| refuse())?;
        let amount = dollars
            .checked_mul(NANO)
            .and_then(|amount| amount.checked_add(nano))
            .ok_or_else(refuse)?;
        if amount > LARGEST {
            return Err(refuse());
        }
        Ok(Self(amount))
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "an amount like \"2.00 USD\", or nano-USD as an integer"
        )]
        enum Form {
            Nano(i64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Nano(nano) => Ok(Self(nano)),
            Form::Text(text) => text
                .parse()
                .map_err(|error: Error| serde::de::Error::custom(error.message())),
        }
    }
}

impl JsonSchema for NanoUsd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NanoUsd".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        if generator.contract().is_serialize() {
            return schemars::json_schema!({"description": "An amount in nano-USD.", "type": "integer"});
        }
        schemars::json_schema!({
            "description": "An amount: nano-USD as an integer, or text like \"2.00 USD\".",
            "anyOf": [
                {"type": "integer"},
                {"type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,9})? *USD$"},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::NanoUsd;

    #[test]
    fn amounts_are_read_exactly_or_not_at_all() {
        for (text, nano) in [
            ("2.00 USD", 2_000_000_000),
            ("500 USD", 500_000_000_000),
            ("0.20USD", 200_000_000),
            ("0.000000001 USD", 1),
            (" 0 USD ", 0),
        ] {
            assert_eq!(text.parse::<NanoUsd>().unwrap(), NanoUsd(nano), "{text}");
        }
        for text in [
            "2",
            "2.00",
            "$2",
            "2 EUR",
            "-1 USD",
            "+1 USD",
            "1. USD",
            ".5 USD",
            "1,000 USD",
            "1e3 USD",
            "0.0000000001 USD",
            "99999999999 USD",
            "99999999999999999999999 USD",
            "USD",
            "",
        ] {
            assert!(text.parse::<NanoUsd>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_shown_form_is_read_back() {
        for nano in [0, 1, 10, 999_999_999, 1_000_000_000, 12_340_000_000] {
            assert_eq!(
                NanoUsd(nano).to_string().parse::<NanoUsd>().unwrap(),
                NanoUsd(nano)
            );
        }
        assert_eq!(NanoUsd(-1_500_000_000).decimal(), "-1.50");
    }

    #[test]
    fn json_is_an_integer_and_takes_both_forms() {
        assert_eq!(serde_json::to_string(&NanoUsd(7)).unwrap(), "7");
        assert_eq!(serde_json::from_str::<NanoUsd>("7").unwrap(), NanoUsd(7));
        assert_eq!(
            serde_json::from_str::<NanoUsd>("\"0.20 USD\"").unwrap(),
            NanoUsd(200_000_000)
        );
        assert!(serde_json::from_str::<NanoUsd>("0.2").is_err());
    }
}
