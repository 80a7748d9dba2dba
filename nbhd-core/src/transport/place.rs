//! Puts the credential in its place, in the last moment: what stands before this layer never holds it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::http::{Authorization, HeaderMap, HeaderName, HeaderValue, Place, Placed, header};
use crate::{Code, Error, Result};

/// What goes out.
pub(super) struct Parts {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Parts {
    /// The same with the credential in its place.
    pub(super) fn authorized(mut self, authorization: &Authorization) -> Result<Self> {
        match authorization {
            Authorization::None => {}
            Authorization::Bearer(token) => {
                self.header(header::AUTHORIZATION, &format!("Bearer {}", token.expose()))?;
            }
            Authorization::Header(name, value) => self.header(name.clone(), value.expose())?,
            Authorization::PathSegment(secret) => substitute(&mut self.url, secret.expose())?,
            Authorization::Placed(placed) => {
                for placed in placed.iter() {
                    self.place(placed)?;
                }
            }
        }
        Ok(self)
    }

    fn place(&mut self, Placed { place, secret }: &Placed) -> Result<()> {
        let secret = secret.expose();
        match place {
            Place::Header { name, prefix } => self.header(name.clone(), &format!("{prefix}{secret}"))?,
            Place::Basic { user } => {
                let pair = STANDARD.encode(format!("{user}:{secret}"));
                self.header(header::AUTHORIZATION, &format!("Basic {pair}"))?;
            }
            Place::Query { name } => {
                let query = replaced(self.url.query().unwrap_or_default().as_bytes(), name, secret);
                self.url.set_query(Some(&query));
            }
            Place::Form { name } => self.body = replaced(&self.body, name, secret).into(),
            Place::Json { pointer } => {
                let mut body: Value = serde_json::from_slice(&self.body)
                    .map_err(|_| misplaced("the body that the credential belongs into is no JSON"))?;
                *slot(&mut body, pointer)? = Value::from(secret.as_str());
                self.body = body.to_string().into_bytes().into();
            }
        }
        Ok(())
    }

    fn header(&mut self, name: HeaderName, text: &str) -> Result<()> {
        let mut value = HeaderValue::from_str(text).map_err(|_| {
            Error::new(
                Code::Unauthenticated,
                "the credential holds characters that no header may hold",
            )
            .with_user_action("Check the credential for line breaks and other control characters.")
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(())
    }
}

fn misplaced(why: &str) -> Error {
    Error::new(Code::InvalidInput, why)
}

/// The fields as they are written, those of this name replaced by one at the end.
fn replaced(fields: &[u8], name: &str, value: &str) -> String {
    let mut written = String::new();
    for pair in String::from_utf8_lossy(fields).split('&') {
        let other = form_urlencoded::parse(pair.as_bytes()).all(|(field, _)| field != name);
        if other && !pair.is_empty() {
            written.push_str(pair);
            written.push('&');
        }
    }
    let own = form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish();
    written + &own
}

/// Where a JSON Pointer points: at a value that is there, or at a new place in an object or at the end of a list.
fn slot<'a>(body: &'a mut Value, pointer: &str) -> Result<&'a mut Value> {
    let nowhere = || misplaced("the JSON pointer of the credential points at no place of the body");
    let (parent, name) = pointer.rsplit_once('/').ok_or_else(nowhere)?;
    let name = name.replace("~1", "/").replace("~0", "~");
    match body.pointer_mut(parent).ok_or_else(nowhere)? {
        Value::Object(fields) => Ok(fields.entry(name).or_insert(Value::Null)),
        Value::Array(items) => {
            let index = if name == "-" {
                items.push(Value::Null);
                Some(items.len() - 1)
            } else {
                let plain = name == "0" || !name.starts_with(['0', '+']);
                name.parse::<usize>().ok().filter(|_| plain)
            };
            index.and_then(|index| items.get_mut(index)).ok_or_else(nowhere)
        }
        _ => Err(nowhere()),
    }
}

/// Puts `secret` in the place of `{secret}` in the path, which a parsed URL shows percent-encoded. Only the path, and only
/// characters that cannot end the segment.
fn substitute(url: &mut Url, secret: &str) -> Result<()> {
    const PLACE: &str = "%7Bsecret%7D";
    let fits = !secret.is_empty()
        && secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte));
    let path = url.path();
    if !fits || !path.contains(PLACE) {
        return Err(misplaced(if fits {
            "the URL has no place for the credential"
        } else {
            "the credential cannot stand in a URL path"
        }));
    }
    let path = path.replacen(PLACE, secret, 1);
    url.set_path(&path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::Secret;

    const HOSTILE: &str = "a\",\"admin\":true,\"x\":\"\\&b=c#é";

    fn placed(place: Place, url: &str, body: &str) -> Result<Parts> {
        let parts = Parts {
            url: url.parse().expect("a URL"),
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_owned()),
        };
        let secret = Arc::new(Secret::new(HOSTILE));
        parts.authorized(&Authorization::Placed(Arc::new([Placed { place, secret }])))
    }

    #[test]
    fn a_secret_is_a_value_wherever_it_is_put() {
        let query = Place::Query { name: "key".into() };
        let url = placed(query, "https://a.test/?q=a%26b&key=old", "")
            .expect("parts")
            .url;
        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        let expected =
            [("q", "a&b"), ("key", HOSTILE)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);

        let form = Place::Form { name: "key".into() };
        let body = placed(form, "https://a.test/", "a=1&key=2").expect("parts").body;
        let pairs: Vec<_> = form_urlencoded::parse(&body).into_owned().collect();
        let expected =
            [("a", "1"), ("key", HOSTILE)].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs, expected);

        let table = [
            ("/key", json!({"a": 1}), json!({"a": 1, "key": HOSTILE})),
            (
                "/a/key",
                json!({"a": {"key": null}}),
                json!({"a": {"key": HOSTILE}}),
            ),
            ("/a~1b", json!({}), json!({"a/b": HOSTILE})),
            ("/list/-", json!({"list": [1]}), json!({"list": [1, HOSTILE]})),
            ("/list/0", json!({"list": [1]}), json!({"list": [HOSTILE]})),
        ];
        for (pointer, body, expected) in table {
            let place = Place::Json {
                pointer: pointer.into(),
            };
            let body = placed(place, "https://a.test/", &body.to_string())
                .expect("parts")
                .body;
            let read: Value = serde_json::from_slice(&body).expect("JSON");
            assert_eq!(read, expected, "{pointer}");
        }
        for (pointer, body) in [
            ("", "{}"),
            ("/a/b", "{}"),
            ("/list/01", r#"{"list":[1,2]}"#),
            ("/list/7", r#"{"list":[]}"#),
            ("/a", "no"),
        ] {
            let place = Place::Json {
                pointer: pointer.into(),
            };
            let error = placed(place, "https://a.test/", body).err().expect("no place");
            assert_eq!(error.code(), Code::InvalidInput, "{pointer}");
        }
    }

    #[test]
    fn a_secret_that_no_header_may_hold_is_refused_without_being_told() {
        let parts = Parts {
            url: "https://a.test/".parse().expect("a URL"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let secret = Arc::new(Secret::new("canary\r\nx: y"));
        let error = parts
            .authorized(&Authorization::Bearer(secret))
            .err()
            .expect("refused");
        assert_eq!(error.code(), Code::Unauthenticated);
        assert!(!format!("{error:?}").contains("canary"));
    }
}
