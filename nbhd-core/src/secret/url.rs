//! A URL that is safe to print.

use std::fmt;

use url::Url;

/// Prints scheme, host, port and path of a URL; the path's `bot…` segment, the query, the fragment and user info
/// never appear.
#[derive(Clone, Copy)]
pub struct SafeUrl<'a>(pub &'a Url);

impl fmt::Display for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.0.host_str().unwrap_or(""))?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        for segment in self.0.path_segments().into_iter().flatten() {
            let token_like = segment.starts_with("bot") && segment.contains(':') || segment.len() > 64;
            f.write_str("/")?;
            f.write_str(if token_like { "***" } else { segment })?;
        }
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
