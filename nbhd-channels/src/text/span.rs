//! The span tree: what a text says, and how its stretches are meant, before any dialect.
//!
//! The tree is stored flat: spans in the order of their beginning, outer before inner. Invariant: of two spans that
//! share a character one contains the other, no span is empty, and no kind of style contains itself, so the
//! depth is bounded by the number of styles whatever the input was.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a stretch of text is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Style {
    /// Strong emphasis.
    Bold,
    /// Emphasis.
    Italic,
    /// Struck through.
    Strikethrough,
    /// Hidden until asked for.
    Spoiler,
    /// Code within a line.
    Code,
    /// A block of code.
    CodeBlock {
        /// Its language, when the author named one.
        language: Option<String>,
    },
    /// A link; only `http` and `https` ones become spans.
    Link {
        /// Where it leads.
        url: String,
    },
    /// A quotation.
    Quote,
    /// A heading.
    Heading {
        /// Its level, 1 to 6.
        level: u8,
    },
}

impl Style {
    /// Whether both are of one kind, whatever their details.
    pub fn same_kind(&self, other: &Style) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Code of either form: what stands in it is literal.
    pub fn is_code(&self) -> bool {
        matches!(self, Style::Code | Style::CodeBlock { .. })
    }

    /// Whether a reader would miss something if the stretch were cut in two.
    pub(crate) fn is_atomic(&self) -> bool {
        matches!(self, Style::Code | Style::Link { .. })
    }
}

/// A styled stretch, in bytes of [`Text::content`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// What it means.
    pub style: Style,
}

/// A text with its span tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    /// What is read.
    pub content: String,
    /// How it is meant: in order of beginning, outer before inner.
    pub spans: Vec<Span>,
    /// Where blocks (paragraphs, list items, headings, code, quotations) begin, in bytes: good places to split.
    pub blocks: Vec<usize>,
}

impl Text {
    /// A text without any style: nothing in it is markup.
    pub fn plain(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            ..Self::default()
        }
    }

    /// Whether a reader would see nothing.
    pub fn is_blank(&self) -> bool {
        !self.content.chars().any(is_visible)
    }

    /// The same text without styles that a dialect cannot carry beside code: emphasis is cut around code, so that the
    /// reader still gets both. Quotations and links keep what is in them; code inside a link becomes plain.
    pub fn with_code_apart(self) -> Self {
        let mut link_end = 0;
        let mut kept = Vec::with_capacity(self.spans.len());
        let mut codes = Vec::new();
        for span in self.spans {
            if matches!(span.style, Style::Link { .. }) {
                link_end = span.end;
            }
            if span.style.is_code() {
                if span.start < link_end {
                    continue;
                }
                codes.push((span.start, span.end));
            }
            kept.push(span);
        }
        let mut spans = Vec::with_capacity(kept.len());
        for span in kept {
            match span.style {
                Style::Link { .. } | Style::Code | Style::CodeBlock { .. } | Style::Quote => spans.push(span),
                _ => cut_around(&span, &codes, &mut spans),
            }
        }
        // Cutting may have moved a later piece behind an inner span: the order is made anew.
        spans.sort_by(|a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
        Self { spans, ..self }
    }
}

/// Pushes what is left of `span` once the code in it is taken out.
fn cut_around(span: &Span, codes: &[(usize, usize)], spans: &mut Vec<Span>) {
    let mut from = span.start;
    let first = codes.partition_point(|(_, end)| *end <= span.start);
    for &(start, end) in codes[first..].iter().take_while(|(start, _)| *start < span.end) {
        if from < start {
            spans.push(Span {
                start: from,
                end: start,
                style: span.style.clone(),
            });
        }
        from = end;
    }
    if from < span.end {
        spans.push(Span {
            start: from,
            end: span.end,
            style: span.style.clone(),
        });
    }
}

/// Whether a character shows: not white space, not a control, not one of the characters that only join or mark.
pub fn is_visible(c: char) -> bool {
    !c.is_whitespace()
        && !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
}
