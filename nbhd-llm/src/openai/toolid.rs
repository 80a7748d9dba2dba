//! Ids of tool calls for providers that are particular about them: nine letters and digits.

use std::collections::{HashMap, HashSet};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LENGTH: usize = 9;

/// The ids of one request, each as the provider wants it. The same ids in the same conversation map the same way every
/// time, so that the provider's cache of the conversation stays good.
#[derive(Debug, Default)]
pub(crate) struct NineCharacterIds {
    mapped: HashMap<String, String>,
    taken: HashSet<String>,
}

impl NineCharacterIds {
    /// Maps the ids of a conversation, in its order. Ids that are right already stay as they are.
    pub(crate) fn new<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut map = Self::default();
        for id in ids.clone().filter(|id| is_right(id)) {
            map.taken.insert(id.to_owned());
            map.mapped.insert(id.to_owned(), id.to_owned());
        }
        for id in ids {
            if map.mapped.contains_key(id) {
                continue;
            }
            let mut salt = 0_u64;
            let short = loop {
                let short = short_id(id, salt, LENGTH);
                if map.taken.insert(short.clone()) {
                    break short;
                }
                salt += 1;
            };
            map.mapped.insert(id.to_owned(), short);
        }
        map
    }

    /// What `id` is called in this request.
    pub(crate) fn get<'a>(&'a self, id: &'a str) -> &'a str {
        self.mapped.get(id).map_or(id, String::as_str)
    }
}

fn is_right(id: &str) -> bool {
    id.len() == LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `length` letters and digits made of `text` and `salt`, the same every time.
pub(crate) fn short_id(text: &str, salt: u64, length: usize) -> String {
    // FNV-1a over the salt and the text, then a finaliser so that every character depends on every byte.
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for byte in salt.to_le_bytes().into_iter().chain(text.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    }
    let mut id = String::with_capacity(length);
    for _ in 0..length {
        hash ^= hash >> 33;
        hash = hash.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        hash ^= hash >> 29;
        id.push(char::from(ALPHABET[(hash % 62) as usize]));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::{NineCharacterIds, is_right, short_id};
    use proptest::prelude::*;

    #[test]
    fn right_ids_stay_and_are_not_taken_by_others() {
        let taken = short_id("call_1", 0, 9);
        let ids = ["call_1", taken.as_str()];
        let map = NineCharacterIds::new(ids.into_iter());
        assert_eq!(map.get(&taken), taken);
        assert_ne!(map.get("call_1"), taken);
        assert!(is_right(map.get("call_1")));
    }

    proptest! {
        #[test]
        fn ids_are_right_distinct_and_stable(ids in prop::collection::hash_set("\\PC{0,40}", 0..30)) {
            let ids: Vec<String> = ids.into_iter().collect();
            let map = NineCharacterIds::new(ids.iter().map(String::as_str));
            let again = NineCharacterIds::new(ids.iter().map(String::as_str));
            let mut seen = std::collections::HashSet::new();
            for id in &ids {
                prop_assert!(is_right(map.get(id)));
                prop_assert_eq!(map.get(id), again.get(id));
                prop_assert!(seen.insert(map.get(id).to_owned()));
            }
        }
    }
}
