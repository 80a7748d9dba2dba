//! The one splitter: parts of a rendered text that the platform takes, cut where a reader would pause.
//!
//! Sizes are those of what is read, in the platform's own unit, so nothing is measured before it is rendered. Code is closed and
//! opened again by its spans; links and inline code are cut only when they alone are longer than a part; no
//! grapheme is cut unless it alone is. Work is linear: a part is never shorter than a quarter of the window that was searched for
//! it, unless what follows is one piece that fills the next part.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::{Span, Text, is_visible};

/// What a platform counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// UTF-16 code units.
    Utf16,
    /// Unicode scalar values.
    Characters,
    /// UTF-8 bytes.
    Bytes,
}

impl Unit {
    /// The size of a text.
    pub fn size(self, text: &str) -> usize {
        match self {
            Unit::Utf16 => text.chars().map(char::len_utf16).sum(),
            Unit::Characters => text.chars().count(),
            Unit::Bytes => text.len(),
        }
    }
}

/// What one part may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    unit: Unit,
    size: usize,
    spans: usize,
}

impl Limits {
    /// Parts of at most `size` units. A size below 8 is taken as 8: no character of any text is larger.
    pub fn new(unit: Unit, size: usize) -> Self {
        Self {
            unit,
            size: size.max(8),
            spans: usize::MAX,
        }
    }

    /// Parts with at most `spans` spans, where the platform counts these too. Fewer than 16 are taken as 16, more than can nest.
    pub fn with_spans(mut self, spans: usize) -> Self {
        self.spans = spans.max(16);
        self
    }
}

/// Splits a text into parts. Every visible character is in one of them, in order; blank parts are left out.
pub fn split(text: &Text, limits: Limits) -> Vec<Text> {
    let mut splitter = Splitter {
        text,
        limits,
        next_span: 0,
        next_block: 0,
        open: Vec::new(),
        steps: 0,
    };
    splitter.run()
}

/// How good a place is to cut, best first.
const PARAGRAPH: usize = 0;
const BLOCK: usize = 1;
const LINE: usize = 2;
const SENTENCE: usize = 3;
const WORD: usize = 4;
const CLUSTER: usize = 5;
const LEVELS: usize = 6;

struct Splitter<'a> {
    text: &'a Text,
    limits: Limits,
    /// The first span that begins at or behind the current part.
    next_span: usize,
    next_block: usize,
    /// Spans that began before the current part and reach into it.
    open: Vec<usize>,
    /// Clusters looked at, over all parts: what the tests hold to be linear.
    steps: usize,
}

impl Splitter<'_> {
    fn run(&mut self) -> Vec<Text> {
        let mut parts = Vec::new();
        let mut start = self.skip(0);
        self.advance(start);
        while start < self.text.content.len() {
            let end = self.cut(start);
            let part = self.slice(start, end);
            if !part.is_blank() {
                parts.push(part);
            }
            start = self.skip(end);
            self.advance(start);
        }
        parts
    }

    /// Where the next part begins: behind white space, but a line's indent within code stays.
    fn skip(&self, from: usize) -> usize {
        let rest = &self.text.content[from..];
        let line_start = |at: usize| rest[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let first = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
        if first < rest.len() && self.in_code_block(from + first) {
            return from + line_start(first);
        }
        from + first
    }

    fn in_code_block(&self, at: usize) -> bool {
        let holds = |span: &Span| {
            matches!(span.style, super::Style::CodeBlock { .. }) && span.start <= at && at < span.end
        };
        self.open.iter().any(|index| holds(&self.text.spans[*index]))
            || self.text.spans[self.next_span..]
                .iter()
                .take_while(|span| span.start <= at)
                .any(holds)
    }

    /// Where the part that begins at `start` ends.
    fn cut(&mut self, start: usize) -> usize {
        if self.rest_fits(start) {
            return self.text.content.len();
        }
        // No unit is more than 4 bytes: what fits, and the cluster that does not, begin within this window.
        let reach = start
            .saturating_add(self.limits.size.saturating_mul(4))
            .saturating_add(4);
        let content = &self.text.content[start..self.text.content.floor_char_boundary(reach)];
        let mut candidates = [None::<usize>; LEVELS];
        let mut size = 0;
        let mut span = self.next_span;
        let mut block = self.next_block;
        let mut spans = self.open.len();
        let mut atomic_end = self
            .open
            .iter()
            .map(|index| &self.text.spans[*index])
            .filter(|span| span.style.is_atomic())
            .map(|span| span.end)
            .max()
            .unwrap_or(0);
        let mut previous = Previous::default();
        for (offset, cluster) in content.grapheme_indices(true) {
            self.steps += 1;
            let at = start + offset;
            if at > start && at >= atomic_end {
                while self.text.blocks.get(block).is_some_and(|begin| *begin < at) {
                    block += 1;
                }
                let begins = self.text.blocks.get(block) == Some(&at);
                candidates[CLUSTER] = Some(at);
                if let Some(level) = previous.level(cluster, begins) {
                    candidates[level] = Some(at);
                }
            }
            let mut opened = 0;
            while let Some(next) = self
                .text
                .spans
                .get(span)
                .filter(|next| next.start < at + cluster.len())
            {
                opened += 1;
                if next.style.is_atomic() {
                    atomic_end = atomic_end.max(next.end);
                }
                span += 1;
            }
            let wide = self.limits.unit.size(cluster);
            if size + wide > self.limits.size || spans + opened > self.limits.spans {
                return self.choose(start, at, &candidates, cluster, size);
            }
            size += wide;
            spans += opened;
            previous.note(cluster);
        }
        self.text.content.len()
    }

    /// Whether all that is left goes into one part: the common case, and cheaper to see than to search.
    fn rest_fits(&self, start: usize) -> bool {
        let rest = &self.text.content[start..];
        let spans = self.open.len() + self.text.spans.len() - self.next_span;
        // No unit is more than 4 bytes.
        rest.len() <= self.limits.size.saturating_mul(4)
            && spans <= self.limits.spans
            && self.limits.unit.size(rest) <= self.limits.size
    }

    /// The best candidate that leaves no part needlessly short.
    fn choose(
        &self,
        start: usize,
        end: usize,
        candidates: &[Option<usize>; LEVELS],
        cluster: &str,
        size: usize,
    ) -> usize {
        let enough = start + (end - start) / 4;
        let best = candidates[..CLUSTER].iter().flatten().find(|at| **at > enough);
        if let Some(at) = best.or(candidates[CLUSTER].as_ref()) {
            return *at;
        }
        if end > start {
            // One piece longer than a part: cut at its last word if that is not too short, else at a cluster.
            let piece = &self.text.content[start..end];
            let word = piece
                .rfind(char::is_whitespace)
                .map(|at| start + at)
                .filter(|at| *at > enough);
            return word.unwrap_or(end);
        }
        // One cluster longer than a part: between its characters.
        let mut room = self.limits.size - size;
        let mut at = end;
        for c in cluster.chars() {
            let wide = self.limits.unit.size(c.encode_utf8(&mut [0; 4]));
            if wide > room {
                break;
            }
            room -= wide;
            at += c.len_utf8();
        }
        at
    }

    /// Moves the cursors to the part that begins at `start`.
    fn advance(&mut self, start: usize) {
        let spans = &self.text.spans;
        self.open.retain(|index| spans[*index].end > start);
        while let Some(span) = spans.get(self.next_span).filter(|span| span.start < start) {
            if span.end > start {
                self.open.push(self.next_span);
            }
            self.next_span += 1;
        }
        while self
            .text
            .blocks
            .get(self.next_block)
            .is_some_and(|block| *block < start)
        {
            self.next_block += 1;
        }
    }

    /// The part between two places, without the white space at its end.
    fn slice(&self, start: usize, end: usize) -> Text {
        let content = self.text.content[start..end].trim_end();
        let end = start + content.len();
        let carried = self.open.iter().map(|index| &self.text.spans[*index]);
        let begun = self.text.spans[self.next_span..]
            .iter()
            .take_while(|span| span.start < end);
        let spans = carried
            .chain(begun)
            .map(|span| Span {
                start: span.start.max(start) - start,
                end: span.end.min(end).saturating_sub(start),
                style: span.style.clone(),
            })
            .filter(|span| span.start < span.end)
            .collect();
        let blocks = self.text.blocks[self.next_block..]
            .iter()
            .take_while(|block| **block < end)
            .map(|block| block - start)
            .collect();
        Text {
            content: content.to_owned(),
            spans,
            blocks,
        }
    }
}

/// What stood before the place that is looked at.
#[derive(Default)]
struct Previous {
    newlines: usize,
    line_end: bool,
    space: bool,
    sentence: bool,
}

impl Previous {
    fn level(&self, cluster: &str, begins: bool) -> Option<usize> {
        if !begins && cluster.chars().all(char::is_whitespace) {
            // A line's indent belongs to the line; other white space is the end of what went before.
            let indent = self.line_end && !cluster.ends_with('\n');
            return indent.then_some(LINE);
        }
        Some(match () {
            () if begins && self.newlines >= 2 => PARAGRAPH,
            () if begins && self.newlines == 1 => BLOCK,
            () if self.newlines > 0 => LINE,
            () if self.space && self.sentence => SENTENCE,
            () if self.space => WORD,
            () => return None,
        })
    }

    fn note(&mut self, cluster: &str) {
        self.line_end = cluster.ends_with('\n');
        match cluster {
            "\n" | "\r\n" => {
                self.newlines += 1;
                self.space = true;
            }
            _ if cluster.chars().all(char::is_whitespace) => self.space = true,
            _ => {
                self.newlines = 0;
                self.space = false;
                // Full stops of Latin, Arabic, Devanagari and East Asian scripts; closing marks keep what went before.
                let closing = matches!(cluster, ")" | "\"" | "'" | "”" | "’" | "»" | "]");
                self.sentence = matches!(cluster, "." | "!" | "?" | "…" | "۔" | "।" | "。" | "！" | "？")
                    || (closing && self.sentence);
            }
        }
    }
}

/// Whether both texts show the same characters in the same order, white space and joiners aside.
pub fn shows_the_same<'a>(
    one: impl IntoIterator<Item = &'a str>,
    other: impl IntoIterator<Item = &'a str>,
) -> bool {
    let visible = |c: &char| is_visible(*c);
    let one = one.into_iter().flat_map(str::chars).filter(visible);
    one.eq(other.into_iter().flat_map(str::chars).filter(visible))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Limits, Splitter, Unit, shows_the_same, split};
    use crate::text::{Style, Text};

    fn contents(text: &str, size: usize) -> Vec<String> {
        split(&Text::plain(text), Limits::new(Unit::Utf16, size))
            .into_iter()
            .map(|part| part.content)
            .collect()
    }

    fn steps(text: &Text, limits: Limits) -> usize {
        let mut splitter = Splitter {
            text,
            limits,
            next_span: 0,
            next_block: 0,
            open: Vec::new(),
            steps: 0,
        };
        splitter.run();
        splitter.steps
    }

    #[test]
    fn cuts_where_a_reader_would_pause() {
        assert_eq!(
            contents(
                "This is a message that should break nicely near a word boundary.",
                30
            ),
            [
                "This is a message that should",
                "break nicely near a word",
                "boundary."
            ]
        );
        assert_eq!(
            contents("First sentence here. Second one goes on and on", 30),
            ["First sentence here.", "Second one goes on and on"]
        );
        let markdown =
            Text::from_markdown("A paragraph.\n\nAnother one that is longer.\n\n- item one\n- item two");
        let parts = split(&markdown, Limits::new(Unit::Utf16, 50));
        let parts: Vec<&str> = parts.iter().map(|part| &*part.content).collect();
        assert_eq!(
            parts,
            [
                "A paragraph.\n\nAnother one that is longer.",
                "• item one\n• item two"
            ]
        );
    }

    #[test]
    fn code_is_closed_and_opened_again_with_its_indent() {
        let text = Text::from_markdown("```rust\nfn a() {\n    one();\n    two();\n}\n```");
        let parts = split(&text, Limits::new(Unit::Utf16, 20));
        assert_eq!(parts[0].content, "fn a() {\n    one();");
        assert_eq!(parts[1].content, "    two();\n}");
        for part in &parts {
            assert_eq!(part.spans.len(), 1);
            assert_eq!((part.spans[0].start, part.spans[0].end), (0, part.content.len()));
            assert_eq!(
                part.spans[0].style,
                Style::CodeBlock {
                    language: Some("rust".to_owned())
                }
            );
        }
    }

    #[test]
    fn a_link_moves_whole_to_the_next_part() {
        let text = Text::from_markdown("some words [a label of words](https://example.org)");
        let parts = split(&text, Limits::new(Unit::Utf16, 20));
        let parts: Vec<&str> = parts.iter().map(|part| &*part.content).collect();
        assert_eq!(parts, ["some words", "a label of words"]);
    }

    #[test]
    fn no_pair_and_no_cluster_is_cut() {
        assert_eq!(contents("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 9), ["👩‍👩‍👧", "👩‍👩‍👧", "👩‍👩‍👧"]);
        // One cluster longer than a part: between characters, never within a pair.
        let zalgo = format!("a{}", "\u{301}".repeat(40));
        assert_eq!(contents(&zalgo, 16).concat(), zalgo);
    }

    #[test]
    fn nothing_visible_is_nothing_to_send() {
        assert!(contents(" \n\n \u{200b} ", 20).is_empty());
    }

    /// Hostile text of about so many bytes.
    type Shape = fn(usize) -> String;

    #[test]
    fn work_is_linear_on_hostile_text() {
        let shapes: [(&str, Shape); 7] = [
            ("one word", |n| "x".repeat(n)),
            ("one cluster", |n| format!("a{}", "\u{301}".repeat(n))),
            ("links", |n| "[aaaaaaaaaaaaaaaa](https://e.org) ".repeat(n / 34)),
            ("bold letters", |n| "**a** ".repeat(n / 6)),
            ("blank code", |n| format!("```\n{}\n```", "\n ".repeat(n / 2))),
            ("short paragraphs", |n| "a\n\n".repeat(n / 3)),
            ("tiny then huge", |n| {
                format!("a {} ", "[b](https://e.org/)".repeat(8)).repeat(n / 160)
            }),
        ];
        for (name, shape) in shapes {
            let limits = Limits::new(Unit::Utf16, 256).with_spans(100);
            let small = steps(&Text::from_markdown(&shape(4_000)), limits);
            let large = steps(&Text::from_markdown(&shape(40_000)), limits);
            assert!(
                large <= 13 * small.max(100),
                "{name}: {small} steps became {large}"
            );
        }
    }

    fn markdown() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-zäß😀👩‍👧\u{301} ]{0,12}",
            "[*_~`|#>\\[\\]()!<&\\\\\n -]{1,6}",
            Just("**bold *and* more** ".to_owned()),
            Just("\n\n- item\n  - inner\n1. one\n".to_owned()),
            Just("\n\n```js\nlet a = 1;\n\n  b();\n```\n\n".to_owned()),
            Just("[label](https://example.org/a?b=c)".to_owned()),
            Just("\n\n| a | b |\n|---|---|\n| 1 | [x](https://e.org) |\n\n".to_owned()),
            Just("||hidden **deep** text||".to_owned()),
            Just("\n> quoted\n> > twice\n\n".to_owned()),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_visible_character_arrives(markdown in markdown(), size in 8_usize..200, unit in 0..3) {
            let unit = [Unit::Utf16, Unit::Characters, Unit::Bytes][unit as usize];
            let text = Text::from_markdown(&markdown).with_code_apart();
            let parts = split(&text, Limits::new(unit, size).with_spans(20));
            prop_assert!(shows_the_same(parts.iter().map(|part| &*part.content), [&*text.content]));
            for part in &parts {
                prop_assert!(unit.size(&part.content) <= size);
                prop_assert!(!part.is_blank());
                prop_assert!(part.spans.len() <= 20);
                let mut enclosing: Vec<&crate::text::Span> = Vec::new();
                for span in &part.spans {
                    prop_assert!(span.start < span.end && part.content.get(span.start..span.end).is_some());
                    enclosing.retain(|outer| outer.end > span.start);
                    prop_assert!(enclosing.iter().all(|outer| outer.end >= span.end), "{:?} in {:?}", span, enclosing);
                    prop_assert!(enclosing.iter().all(|outer| !outer.style.same_kind(&span.style)));
                    enclosing.push(span);
                }
            }
        }
    }
}
