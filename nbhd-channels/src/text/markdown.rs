//! Markdown → span tree: CommonMark with tables, strikethrough, task lists and `||spoilers||`.
//!
//! Whatever the input, the output is linear in it: nesting is shown up to a bound, padding is capped, a style
//! never contains itself. HTML is shown as it was written; it is never markup.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::spoiler::Spoilers;
use super::{Span, Style, Text, mention, table};

/// Lists are indented up to this depth: 8, deeper ones do not fit a phone's line and would let the input multiply.
const INDENT_LIMIT: usize = 8;

/// A label longer than this, in bytes, is taken as it is: 256, more than any link needs to be recognised.
const LABEL_LIMIT: usize = 256;

/// The line that stands for a thematic break.
const RULE: &str = "————————";

/// Whether `@name` in the text may reach the people it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mentions {
    /// They are shown, and ring nobody's bell: right for all text that quotes mail, the web or a model.
    #[default]
    Disarmed,
    /// They are live.
    Live,
}

impl Text {
    /// Reads Markdown. Mentions are disarmed.
    pub fn from_markdown(markdown: &str) -> Self {
        Self::from_markdown_with(markdown, Mentions::Disarmed)
    }

    /// Reads Markdown and treats mentions as said.
    pub fn from_markdown_with(markdown: &str, mentions: Mentions) -> Self {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
        let mut builder = Builder::new(mentions);
        for event in Parser::new_ext(markdown, options) {
            builder.take(event);
        }
        builder.finish()
    }

    /// Takes text that is no markup at all. Mentions are treated as said.
    pub fn from_plain(content: &str, mentions: Mentions) -> Self {
        match mentions {
            Mentions::Live => Self::plain(content),
            Mentions::Disarmed => {
                let mut out = String::with_capacity(content.len());
                mention::disarm_into(&mut out, None, content);
                Self::plain(out)
            }
        }
    }
}

struct Builder {
    text: Text,
    mentions: Mentions,
    /// For each open style its place among the spans, unless it stands within its own kind.
    open: Vec<Option<usize>>,
    /// How often each kind of style is open.
    depth: [usize; KINDS],
    /// Newlines owed before the next character.
    gap: usize,
    /// Where the innermost block began: what stands first in it owes nothing.
    anchor: usize,
    /// Whether the next character begins a block.
    fresh: bool,
    lists: Vec<Option<u64>>,
    /// The marker of an item that has no text yet.
    marker: Option<String>,
    links: Vec<(String, usize)>,
    spoilers: Spoilers,
    table: Option<Vec<Vec<String>>>,
    code: bool,
}

const KINDS: usize = 9;

impl Builder {
    fn new(mentions: Mentions) -> Self {
        Self {
            text: Text::default(),
            mentions,
            open: Vec::new(),
            depth: [0; KINDS],
            gap: 0,
            anchor: 0,
            fresh: true,
            lists: Vec::new(),
            marker: None,
            links: Vec::new(),
            spoilers: Spoilers::default(),
            table: None,
            code: false,
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.write(&text),
            Event::Code(code) => {
                self.join_mention(&code);
                self.open(Style::Code);
                self.write_raw(&code);
                self.close();
            }
            Event::Html(html) | Event::InlineHtml(html) => self.write(&html),
            Event::SoftBreak | Event::HardBreak => {
                if self.table.is_some() {
                    self.write_raw(" ");
                } else {
                    self.write_raw("\n");
                }
            }
            Event::Rule => {
                self.block(2);
                self.write_raw(RULE);
                self.block(2);
            }
            Event::TaskListMarker(done) => {
                let mark = if done { "☑ " } else { "☐ " };
                match &mut self.marker {
                    Some(marker) if marker.ends_with("• ") => {
                        marker.truncate(marker.len() - "• ".len());
                        marker.push_str(mark);
                    }
                    Some(marker) => marker.push_str(mark),
                    None => self.write_raw(mark),
                }
            }
            // Extensions that are not switched on.
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.write(&text);
            }
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.block(2);
                self.open_block(Style::Heading { level: level as u8 });
            }
            Tag::BlockQuote(_) => {
                self.block(self.paragraph_gap());
                self.open_block(Style::Quote);
            }
            Tag::CodeBlock(kind) => {
                self.block(self.paragraph_gap());
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => language(info),
                    CodeBlockKind::Indented => None,
                };
                self.open_block(Style::CodeBlock { language });
                self.code = true;
            }
            Tag::List(first) => {
                if self.marker.is_some() {
                    self.flush();
                }
                self.block(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push(first);
            }
            Tag::Item => {
                self.block(1);
                self.begin_item();
            }
            Tag::Table(_) => {
                self.block(self.paragraph_gap());
                self.table = Some(Vec::new());
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(rows) = &mut self.table {
                    rows.push(Vec::new());
                }
            }
            Tag::TableCell => {
                if let Some(row) = self.table.as_mut().and_then(|rows| rows.last_mut()) {
                    row.push(String::new());
                }
            }
            Tag::Emphasis => self.open(Style::Italic),
            Tag::Strong => self.open(Style::Bold),
            Tag::Strikethrough => self.open(Style::Strikethrough),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => self.open_link(&dest_url),
            _ => self.block(self.paragraph_gap()),
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.block(2);
                self.close();
            }
            TagEnd::BlockQuote(_) => {
                self.block(self.paragraph_gap());
                self.close();
            }
            TagEnd::CodeBlock => {
                self.code = false;
                // The line break that ends the last line belongs to the fence.
                if self.text.content.ends_with('\n') {
                    self.text.content.pop();
                }
                self.block(self.paragraph_gap());
                self.close();
            }
            TagEnd::List(_) => {
                self.lists.pop();
                self.block(if self.lists.is_empty() { 2 } else { 1 });
            }
            TagEnd::Item => {
                if self.marker.is_some() {
                    self.flush();
                }
                self.block(1);
            }
            TagEnd::Table => self.end_table(),
            TagEnd::TableHead | TagEnd::TableRow | TagEnd::TableCell => {}
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => self.close(),
            TagEnd::Link | TagEnd::Image => self.close_link(),
            _ => self.block(self.paragraph_gap()),
        }
    }

    /// Between paragraphs stands an empty line, within a list none.
    fn paragraph_gap(&self) -> usize {
        if self.lists.is_empty() { 2 } else { 1 }
    }

    /// Ends what went before and owes `gap` newlines to what follows.
    fn block(&mut self, gap: usize) {
        self.spoilers.settle(&mut self.text);
        self.gap = self.gap.max(gap);
        self.fresh = true;
    }

    fn begin_item(&mut self) {
        let depth = self.lists.len().saturating_sub(1);
        let mut marker = indent(depth);
        match self.lists.last_mut() {
            Some(Some(number)) => {
                marker.push_str(&number.to_string());
                marker.push_str(". ");
                *number = number.saturating_add(1);
            }
            _ => marker.push_str("• "),
        }
        self.marker = Some(marker);
    }

    /// Pays what is owed before a character: newlines, the item's marker or indent, the note of a block's begin.
    fn flush(&mut self) {
        if self.table.is_some() {
            return;
        }
        if self.fresh {
            if self.text.content.len() > self.anchor {
                let newlines = self
                    .text
                    .content
                    .bytes()
                    .rev()
                    .take(self.gap)
                    .take_while(|byte| *byte == b'\n')
                    .count();
                self.text
                    .content
                    .extend(std::iter::repeat_n('\n', self.gap - newlines));
            }
            self.gap = 0;
            self.fresh = false;
            if self.text.blocks.last() != Some(&self.text.content.len()) {
                self.text.blocks.push(self.text.content.len());
            }
            if self.marker.is_none()
                && !self.lists.is_empty()
                && !self.code
                && self.depth[kind(&Style::Quote)] == 0
            {
                let indent = indent(self.lists.len());
                self.text.content.push_str(&indent);
            }
            self.spoilers.begin(&self.text);
        }
        if let Some(marker) = self.marker.take() {
            self.text.content.push_str(&marker);
        }
    }

    fn open_block(&mut self, style: Style) {
        let code = matches!(style, Style::CodeBlock { .. });
        let before = self.code;
        self.code |= code;
        self.flush();
        self.code = before;
        self.open(style);
        self.anchor = self.text.content.len();
    }

    fn open(&mut self, style: Style) {
        if self.table.is_some() {
            return;
        }
        self.flush();
        let kind = kind(&style);
        self.depth[kind] += 1;
        if self.depth[kind] > 1 {
            self.open.push(None);
        } else {
            self.open.push(Some(self.text.spans.len()));
            let start = self.text.content.len();
            self.text.spans.push(Span {
                start,
                end: start,
                style,
            });
        }
    }

    fn close(&mut self) {
        if self.table.is_some() {
            return;
        }
        // Styles within their own kind (`None`) only raised the count; the outermost one sets it back.
        if let Some(Some(index)) = self.open.pop() {
            let end = self.text.content.len();
            self.text.spans[index].end = end;
            self.depth[kind(&self.text.spans[index].style)] = 0;
        }
    }

    fn open_link(&mut self, url: &str) {
        if self.table.is_none() {
            self.flush();
            if is_web(url) {
                self.open(Style::Link { url: url.to_owned() });
            } else {
                self.open.push(None);
            }
        }
        self.links.push((url.to_owned(), self.written().len()));
    }

    fn close_link(&mut self) {
        let Some((url, start)) = self.links.pop() else {
            return;
        };
        let label = self.written().get(start..).unwrap_or_default();
        // Long labels are not searched: images nest in labels, and the search must not multiply.
        let short = label.len() <= LABEL_LIMIT;
        let blank = short && label.trim().is_empty();
        let address = address(&url)
            .filter(|address| !(short && label.contains(*address)))
            .map(str::to_owned);
        if is_web(&url) && (blank || (self.table.is_some() && label != url)) {
            let text = if blank { url } else { format!(" ({url})") };
            self.write_raw(&text);
        } else if let Some(address) = address {
            let text = if blank { address } else { format!(" ({address})") };
            self.write(&text);
        }
        self.close();
    }

    /// What was written where the inline text goes now.
    fn written(&self) -> &str {
        match &self.table {
            Some(rows) => rows.last().and_then(|row| row.last()).map_or("", String::as_str),
            None => &self.text.content,
        }
    }

    fn end_table(&mut self) {
        let rows = self.table.take().unwrap_or_default();
        self.open_block(Style::CodeBlock { language: None });
        self.write_raw(&table::render(&rows));
        self.block(self.paragraph_gap());
        self.close();
    }

    /// Writes text in which mentions and spoilers mean something, unless it is code.
    fn write(&mut self, text: &str) {
        if self.code || self.table.is_some() {
            return self.write_raw(text);
        }
        self.flush();
        self.join_mention(text);
        let start = self.text.content.len();
        match self.mentions {
            Mentions::Live => self.text.content.push_str(text),
            Mentions::Disarmed => {
                let before = self.text.content.chars().next_back();
                mention::disarm_into(&mut self.text.content, before, text);
            }
        }
        let parent = self.open.iter().rev().find_map(|index| *index);
        self.spoilers.note(&self.text.content, start, parent);
    }

    fn write_raw(&mut self, text: &str) {
        if let Some(rows) = &mut self.table {
            if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                cell.push_str(text);
            }
            return;
        }
        self.flush();
        self.text.content.push_str(text);
    }

    /// An `@` that ended the last piece of text and a name that begins the next one are a mention too.
    fn join_mention(&mut self, next: &str) {
        if self.mentions == Mentions::Disarmed && self.table.is_none() && self.text.content.ends_with('@') {
            let mut joined = String::new();
            let head = &self.text.content[..self.text.content.len() - 1];
            let name: String = next.chars().take(1).collect();
            mention::disarm_into(&mut joined, head.chars().next_back(), &format!("@{name}"));
            self.text.content.push_str(&joined[1..joined.len() - name.len()]);
        }
    }

    fn finish(mut self) -> Text {
        self.spoilers.settle(&mut self.text);
        let end = self.text.content.trim_end().len();
        self.text.content.truncate(end);
        for span in &mut self.text.spans {
            span.end = span.end.min(end);
        }
        self.text.spans.retain(|span| span.start < span.end);
        // Spoilers were found after what they contain.
        self.text
            .spans
            .sort_by(|a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
        self.text.blocks.retain(|start| *start < end);
        self.text
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth.min(INDENT_LIMIT))
}

fn kind(style: &Style) -> usize {
    match style {
        Style::Bold => 0,
        Style::Italic => 1,
        Style::Strikethrough => 2,
        Style::Spoiler => 3,
        Style::Code => 4,
        Style::CodeBlock { .. } => 5,
        Style::Link { .. } => 6,
        Style::Quote => 7,
        Style::Heading { .. } => 8,
    }
}

/// The first word of a fence's info string.
fn language(info: &str) -> Option<String> {
    let word = info.split([' ', ',', '\t', '{']).next().unwrap_or_default();
    (!word.is_empty()).then(|| word.to_owned())
}

/// Whether the link may be followed from a chat. Others (`javascript:`, an app's own scheme that names people) may not.
fn is_web(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// What a reader needs of a mail or telephone link.
fn address(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once(':')?;
    matches!(scheme.to_ascii_lowercase().as_str(), "mailto" | "tel")
        .then(|| rest.split('?').next().unwrap_or(rest))
}

#[cfg(test)]
mod tests;
