//! A URL that is safe to print.

use std::fmt;

use url::Url;

use super::redact;

/// Prints scheme, host, port and path of a URL. Segments that look like credentials, the query, the fragment and user info never
/// appear.
#[derive(Clone, Copy)]
pub struct SafeUrl<'a>(pub &'a Url);

impl fmt::Display for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or(""))?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        if self.0.cannot_be_a_base() {
            return f.write_str("***");
        }
        // The whole path first: some tokens have slashes within.
        f.write_str(&redact(self.0.path()).replace("%7Bsecret%7D", "{secret}"))?;
        if self.0.query().is_some() {
            f.write_str("?***")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::{SafeUrl, Url};

    #[test]
    fn only_what_is_safe_is_printed() {
        let table = [
            (
                "https://u:canary@a.test:8443/v1/x?q=canary#canary",
                "https://a.test:8443/v1/x?***",
            ),
            (
                "https://a.test/bot123456789:AAEhBP0av28FrlPaGkYnfd6Zy5W2Vq3kLmN/getMe",
                "https://a.test/***/getMe",
            ),
            (
                "https://a.test/bot{secret}/getMe",
                "https://a.test/bot{secret}/getMe",
            ),
            (
                "https://a.test/hook/sk-proj-0123456789",
                "https://a.test/hook/***",
            ),
            ("data:text/plain,canary", "data://***"),
            ("http://127.0.0.1/", "http://127.0.0.1/"),
        ];
        for (url, expected) in table {
            let url: Url = url.parse().expect("a URL");
            assert_eq!(SafeUrl(&url).to_string(), expected);
        }
    }
}
