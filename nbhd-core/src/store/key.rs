//! Names in the store: parts joined by `/`, so that no part can pretend to be two.

/// The first parts of the suite's own keys, indexes and lanes: everything else is the program's.
pub const ROOMS: [&str; 6] = ["google", "inbox", "limit", "llm", "outbox", "queue"];

/// Joins `parts` with `/`; a `/` or `%` within a part is escaped as in URLs.
///
/// ```
/// assert_eq!(nbhd_core::store::key(["inbox", "event", "a/b"]), "inbox/event/a%2Fb");
/// ```
pub fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut key = String::new();
    for (place, part) in parts.into_iter().enumerate() {
        if place > 0 {
            key.push('/');
        }
        for character in part.chars() {
            match character {
                '/' => key.push_str("%2F"),
                '%' => key.push_str("%25"),
                other => key.push(other),
            }
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn different_parts_never_make_the_same_key() {
        assert_ne!(key(["a/b", "c"]), key(["a", "b/c"]));
        assert_ne!(key(["a%2Fb"]), key(["a/b"]));
        assert_ne!(key(["a", ""]), key(["a"]));
    }
}
