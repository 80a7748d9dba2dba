//! Who pays: `tenant:42`, `session:abc`, `global`.

use std::fmt;
use std::str::FromStr;

use nbhd_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest name of a scope, in bytes: it stands in keys of the store.
const LONGEST: usize = 200;

/// One payer: a kind, which has a budget, and a name, which tells payers of that kind apart. As text `kind:name`, or
/// the kind alone (`global`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Scope(String);

impl Scope {
    /// The scope that every call belongs to.
    pub fn global() -> Self {
        Self("global".to_owned())
    }

    /// The kind: what a budget is configured for.
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(kind, _)| kind)
    }

    /// The name, where the kind has any.
    pub fn name(&self) -> Option<&str> {
        self.0.split_once(':').map(|(_, name)| name)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `kind` can be one.
    pub fn is_kind(kind: &str) -> bool {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
        !kind.is_empty() && kind.len() <= 40 && kind.bytes().all(fits)
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, name) = text
            .split_once(':')
            .map_or((text, None), |(kind, name)| (kind, Some(name)));
        let name_fits = name.is_none_or(|name| {
            !name.is_empty() && name.len() <= LONGEST && !name.chars().any(char::is_control)
        });
        if !Scope::is_kind(kind) || !name_fits {
            return Err(Error::new(
                Code::InvalidInput,
                format!(
                    "{text:?} is not a scope: write kind:name, such as tenant:42, at most {LONGEST} bytes"
                ),
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Scope {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn a_scope_has_a_kind_and_perhaps_a_name() {
        let scope: Scope = "tenant:a:b".parse().unwrap();
        assert_eq!((scope.kind(), scope.name()), ("tenant", Some("a:b")));
        assert_eq!(Scope::global().name(), None);
        for text in ["", ":", "tenant:", "Tenant:1", "ten ant:1", "tenant:a\nb"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
    }
}
