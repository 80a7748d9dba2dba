//! Conversations, as Gmail makes them: a reply joins when its `References` or `In-Reply-To` name a message and the
//! subject is the same; an export's own thread id stands above that. <https://developers.google.com/workspace/gmail/api/guides/threads>

use std::collections::HashMap;

use super::message::StoredMessage;

/// Gives every message the id of its conversation. `messages` are in the order of time.
pub(super) fn group(messages: &mut [StoredMessage]) {
    let mut parents: Vec<usize> = (0..messages.len()).collect();
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    let mut hints: HashMap<u64, usize> = HashMap::new();
    let mut subjects: HashMap<String, usize> = HashMap::new();
    for (at, message) in messages.iter().enumerate() {
        if let Some(hint) = message.index.thread_hint {
            let first = *hints.entry(hint).or_insert(at);
            join(&mut parents, at, first);
            continue;
        }
        let (subject, reply) = bare_subject(&message.index.subject);
        let own = message.index.message_id.iter();
        for id in own.chain(&message.index.references) {
            let first = *seen.entry((id.clone(), subject.to_owned())).or_insert(at);
            join(&mut parents, at, first);
        }
        // A reply by a program that writes no references joins by its subject alone.
        if reply
            && message.index.references.is_empty()
            && !subject.is_empty()
            && let Some(first) = subjects.get(subject)
        {
            join(&mut parents, at, *first);
        }
        subjects.entry(subject.to_owned()).or_insert(at);
    }
    for at in 0..messages.len() {
        let first = root(&mut parents, at);
        messages[at].thread_id = match messages[at].index.thread_hint {
            Some(hint) => format!("{hint:x}"),
            None => messages[first].id.clone(),
        };
    }
}

/// The subject without reply and forward marks, and whether it had one.
pub(crate) fn bare_subject(subject: &str) -> (&str, bool) {
    let mut bare = subject.trim();
    let mut reply = false;
    while let Some((mark, rest)) = bare.split_once(':') {
        let known = ["re", "fw", "fwd", "aw", "wg", "sv", "antw", "tr", "rv"];
        if !known.contains(&mark.trim().to_ascii_lowercase().as_str()) {
            break;
        }
        reply = true;
        bare = rest.trim();
    }
    (bare, reply)
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

/// Joins two groups under the earlier of their roots.
fn join(parents: &mut [usize], left: usize, right: usize) {
    let (left, right) = (root(parents, left), root(parents, right));
    parents[left.max(right)] = left.min(right);
}
