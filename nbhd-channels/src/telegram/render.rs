//! Span tree → text with entities, or the HTML subset. <https://core.telegram.org/bots/api#formatting-options>
//!
//! Entities count UTF-16 code units. Code may not overlap emphasis, so emphasis is cut around it; quotations do not nest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::{Limits, Span, Style, Text, Unit, split};

/// The most that one message may hold, in UTF-16 code units after the entities were parsed.
pub(super) const TEXT_LIMIT: usize = 4096;

/// The most entities of one message; what is beyond is silently ignored by the server.
pub(super) const ENTITY_LIMIT: usize = 100;

/// A styled range in UTF-16 code units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entity {
    /// What it means, such as `bold`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its first unit.
    pub offset: usize,
    /// Its length in units.
    pub length: usize,
    /// Where a `text_link` leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The language of a `pre`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// The parts of a text that each fit into one message.
pub(super) fn parts(text: Text) -> Vec<Text> {
    let limits = Limits::new(Unit::Utf16, TEXT_LIMIT).with_spans(ENTITY_LIMIT);
    split(&expressible(text), limits)
}

/// The same text with only those spans that the platform has.
fn expressible(text: Text) -> Text {
    let text = text.with_code_apart();
    let mut heading_end = 0;
    let spans = text
        .spans
        .into_iter()
        .filter_map(|span| match span.style {
            Style::Heading { .. } => {
                heading_end = span.end;
                Some(Span {
                    style: Style::Bold,
                    ..span
                })
            }
            // A heading is bold already.
            Style::Bold if span.start < heading_end => None,
            _ => Some(span),
        })
        .collect();
    Text { spans, ..text }
}

/// The entities of a text.
pub fn entities(text: &Text) -> Vec<Entity> {
    let text = expressible(text.clone());
    let mut places: Vec<usize> = text
        .spans
        .iter()
        .flat_map(|span| [span.start, span.end])
        .collect();
    places.sort_unstable();
    places.dedup();
    let mut units = Vec::with_capacity(places.len());
    let (mut unit, mut from) = (0, 0);
    for place in &places {
        unit += Unit::Utf16.size(&text.content[from..*place]);
        from = *place;
        units.push(unit);
    }
    let unit_at = |byte: usize| places.binary_search(&byte).map_or(0, |index| units[index]);
    text.spans
        .iter()
        .map(|span| {
            let offset = unit_at(span.start);
            let (kind, url, language) = match &span.style {
                Style::Bold | Style::Heading { .. } => ("bold", None, None),
                Style::Italic => ("italic", None, None),
                Style::Strikethrough => ("strikethrough", None, None),
                Style::Spoiler => ("spoiler", None, None),
                Style::Code => ("code", None, None),
                Style::CodeBlock { language } => ("pre", None, language.clone()),
                Style::Link { url } => ("text_link", Some(url.clone()), None),
                Style::Quote => ("blockquote", None, None),
            };
            Entity {
                kind: kind.to_owned(),
                offset,
                length: unit_at(span.end) - offset,
                url,
                language,
            }
        })
        .collect()
}

/// The text as the platform's HTML, for places that take no entities.
pub fn html(text: &Text) -> String {
    let text = expressible(text.clone());
    let mut out = String::with_capacity(text.content.len() + 16 * text.spans.len());
    let mut open: Vec<(usize, &'static str)> = Vec::new();
    let mut at = 0;
    for span in &text.spans {
        close(&mut out, &mut open, &text.content, &mut at, span.start);
        escape(&mut out, &text.content[at..span.start], false);
        at = span.start;
        open.push((span.end, tag(&mut out, &span.style)));
    }
    close(&mut out, &mut open, &text.content, &mut at, usize::MAX);
    escape(&mut out, &text.content[at..], false);
    out
}

/// Writes what ends before or at `until`, innermost first.
fn close(
    out: &mut String,
    open: &mut Vec<(usize, &'static str)>,
    content: &str,
    at: &mut usize,
    until: usize,
) {
    while let Some((end, _)) = open.last()
        && *end <= until
    {
        escape(out, &content[*at..*end], false);
        *at = *end;
        if let Some((_, tag)) = open.pop() {
            out.push_str(tag);
        }
    }
}

/// Writes the opening tag and returns the closing one.
fn tag(out: &mut String, style: &Style) -> &'static str {
    let (begin, end) = match style {
        Style::Bold | Style::Heading { .. } => ("<b>", "</b>"),
        Style::Italic => ("<i>", "</i>"),
        Style::Strikethrough => ("<s>", "</s>"),
        Style::Spoiler => ("<tg-spoiler>", "</tg-spoiler>"),
        Style::Code => ("<code>", "</code>"),
        Style::Quote => ("<blockquote>", "</blockquote>"),
        Style::CodeBlock { language: None } => ("<pre><code>", "</code></pre>"),
        Style::CodeBlock {
            language: Some(language),
        } => {
            out.push_str("<pre><code class=\"language-");
            escape(out, language, true);
            ("\">", "</code></pre>")
        }
        Style::Link { url } => {
            out.push_str("<a href=\"");
            escape(out, url, true);
            ("\">", "</a>")
        }
    };
    out.push_str(begin);
    end
}

fn escape(out: &mut String, text: &str, attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
}
