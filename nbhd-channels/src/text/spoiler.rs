//! `||spoilers||`, which CommonMark does not know: found in the text of one block after its other styles are.
//!
//! Two pipes open before and close after a character that is not white space; both stand within the same
//! other style, so that the tree stays a tree; what has no partner stays as it was written.

use std::collections::HashMap;

use super::{Span, Style, Text};

const PIPES: &str = "||";

/// The pipes of the block that is being written.
#[derive(Default)]
pub(crate) struct Spoilers {
    first_span: usize,
    found: Vec<(usize, Option<usize>)>,
}

impl Spoilers {
    /// A block begins.
    pub(crate) fn begin(&mut self, text: &Text) {
        self.found.clear();
        self.first_span = text.spans.len();
    }

    /// Text was written from `start` on, within the span `parent`.
    pub(crate) fn note(&mut self, content: &str, start: usize, parent: Option<usize>) {
        self.found.extend(
            content[start..]
                .match_indices(PIPES)
                .map(|(at, _)| (start + at, parent)),
        );
    }

    /// The block has ended: partners become spans, and their pipes go.
    pub(crate) fn settle(&mut self, text: &mut Text) {
        if self.found.len() < 2 {
            self.found.clear();
            return;
        }
        let pairs = self.pairs(&text.content);
        self.found.clear();
        if pairs.is_empty() {
            return;
        }
        let mut gone: Vec<usize> = pairs.iter().flat_map(|(open, close)| [*open, *close]).collect();
        gone.sort_unstable();
        let moved = |position: usize| position - PIPES.len() * gone.partition_point(|at| *at < position);
        for span in &mut text.spans[self.first_span..] {
            span.start = moved(span.start);
            span.end = moved(span.end);
        }
        for (open, close) in &pairs {
            text.spans.push(Span {
                start: moved(*open),
                end: moved(*close),
                style: Style::Spoiler,
            });
        }
        let tail = text.content.split_off(gone[0]);
        let mut kept = 0;
        for at in &gone {
            let at = at - gone[0];
            text.content.push_str(&tail[kept..at]);
            kept = at + PIPES.len();
        }
        text.content.push_str(&tail[kept..]);
    }

    fn pairs(&self, content: &str) -> Vec<(usize, usize)> {
        let mut waiting: HashMap<Option<usize>, usize> = HashMap::new();
        let mut pairs = Vec::new();
        for &(at, parent) in &self.found {
            let closes = content[..at]
                .chars()
                .next_back()
                .is_some_and(|c| !c.is_whitespace());
            let opens = content[at + PIPES.len()..]
                .chars()
                .next()
                .is_some_and(|c| !c.is_whitespace());
            match waiting.get(&parent) {
                Some(&open) if closes && open + PIPES.len() < at => {
                    pairs.push((open, at));
                    waiting.remove(&parent);
                }
                _ if opens => {
                    waiting.insert(parent, at);
                }
                _ => {}
            }
        }
        pairs.sort_unstable();
        let mut end = 0;
        pairs.retain(|(open, close)| {
            // A spoiler within a spoiler hides nothing more.
            let outermost = *open >= end;
            if outermost {
                end = *close;
            }
            outermost
        });
        pairs
    }
}
