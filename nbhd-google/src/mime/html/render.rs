//! The tokens of one document, turned into lines.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::super::steps;
use super::style;
use super::tag::{self, Tag};

/// Quote marks and list indents that are written at most.
const MAX_MARKS: usize = 6;
/// Longer link targets are machine food (tracking data) and are left out.
const MAX_LINK: usize = 2_000;

/// An open element.
#[derive(Debug)]
struct Open {
    tag: Tag,
    name: u8,
    hidden: bool,
    tiny: bool,
    /// Items seen so far, of an ordered list.
    items: u32,
}

/// The attributes of the start tag that is being read.
#[derive(Debug, Default)]
struct Attributes {
    href: String,
    alt: String,
    hidden: bool,
    tiny: Option<bool>,
    pixel: bool,
}

/// A link that is open: its target and where its text begins.
#[derive(Debug)]
struct Link {
    href: String,
    start: usize,
}

/// Which attribute's value comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Href,
    Alt,
    Style,
    Size,
    Other,
}

/// Builds the text.
#[derive(Debug)]
pub(super) struct Renderer {
    out: String,
    stack: Vec<Open>,
    /// How often each name is open, so that a stray end tag costs nothing.
    counts: [u32; tag::NAMES],
    current: Option<(Tag, u8)>,
    attribute: Attribute,
    attributes: Attributes,
    link: Option<Link>,
    links: HashSet<u64>,
    newlines: usize,
    space: bool,
    cell: bool,
    quotes: usize,
    /// Quote depth of the blank line that is pending.
    gap: usize,
    lists: usize,
    pre: usize,
    hidden: usize,
    item: Option<String>,
    last: char,
}

impl Renderer {
    pub(super) fn new(size: usize) -> Self {
        Self {
            out: String::with_capacity(size / 4),
            stack: Vec::with_capacity(32),
            counts: [0; tag::NAMES],
            current: None,
            attribute: Attribute::Other,
            attributes: Attributes::default(),
            link: None,
            links: HashSet::new(),
            newlines: 0,
            space: false,
            cell: false,
            quotes: 0,
            gap: 0,
            lists: 0,
            pre: 0,
            hidden: 0,
            item: None,
            last: '\n',
        }
    }

    /// A start tag begins.
    pub(super) fn open(&mut self, name: &[u8]) {
        steps::look(name.len());
        self.current = tag::of(name);
        self.attributes.href.clear();
        self.attributes.alt.clear();
        self.attributes = Attributes {
            href: std::mem::take(&mut self.attributes.href),
            alt: std::mem::take(&mut self.attributes.alt),
            ..Attributes::default()
        };
        self.attribute = Attribute::Other;
    }

    /// The name of an attribute.
    pub(super) fn attribute(&mut self, name: &[u8]) {
        steps::look(name.len());
        self.attribute = match (name, self.current) {
            (b"href", Some((Tag::Anchor, _))) => Attribute::Href,
            (b"alt", Some((Tag::Image, _))) => Attribute::Alt,
            (b"style", Some(_)) => Attribute::Style,
            (b"width" | b"height", Some((Tag::Image, _))) => Attribute::Size,
            (b"hidden", Some(_)) => {
                self.attributes.hidden = true;
                Attribute::Other
            }
            _ => Attribute::Other,
        };
    }

    /// The value of the attribute that was named last.
    pub(super) fn value(&mut self, value: &[u8]) {
        steps::look(value.len());
        match std::mem::replace(&mut self.attribute, Attribute::Other) {
            Attribute::Href => self
                .attributes
                .href
                .push_str(String::from_utf8_lossy(value).trim()),
            Attribute::Alt => self.attributes.alt.push_str(&String::from_utf8_lossy(value)),
            Attribute::Style => {
                let seen = style::read(&String::from_utf8_lossy(value));
                self.attributes.hidden |= seen.hidden;
                self.attributes.tiny = seen.tiny;
            }
            Attribute::Size => {
                let value = String::from_utf8_lossy(value);
                let pixels = value.trim().trim_end_matches("px");
                self.attributes.pixel |= matches!(pixels, "0" | "1");
            }
            Attribute::Other => {}
        }
    }

    /// The start tag is complete.
    pub(super) fn opened(&mut self) {
        let Some((tag, name)) = self.current.take() else {
            return;
        };
        if tag::closes_itself(tag)
            && self.counts[usize::from(name)] > 0
            && self.stack.last().is_some_and(|top| top.name == name)
        {
            self.pop();
        }
        let hidden = self.attributes.hidden || tag == Tag::Skip;
        if tag::is_void(tag) {
            if !hidden && self.hidden == 0 {
                self.void(tag);
            }
            return;
        }
        if self.hidden == 0 && !hidden {
            self.begin(tag);
        }
        let tiny = self
            .attributes
            .tiny
            .unwrap_or_else(|| self.stack.last().is_some_and(|top| top.tiny));
        self.hidden += usize::from(hidden);
        self.counts[usize::from(name)] += 1;
        self.stack.push(Open {
            tag,
            name,
            hidden,
            tiny,
            items: 0,
        });
    }

    /// An end tag. Elements that were left open within it end too.
    pub(super) fn close(&mut self, name: &[u8]) {
        steps::look(name.len());
        let Some((tag, name)) = tag::of(name) else { return };
        if self.counts[usize::from(name)] == 0 {
            if matches!(tag, Tag::Break) && self.hidden == 0 {
                self.line();
            }
            return;
        }
        while let Some(top) = self.stack.last() {
            steps::look(0);
            let found = top.name == name;
            // A stray `</p>` or `</span>` within a cell must not end the table around it.
            if !found
                && matches!(top.tag, Tag::Cell)
                && !matches!(tag, Tag::Cell | Tag::Row | Tag::Table)
                && tag != Tag::Block
            {
                return;
            }
            self.pop();
            if found {
                return;
            }
        }
    }

    /// Text between tags, entities decoded.
    pub(super) fn text(&mut self, text: &str) {
        steps::look(text.len());
        if self.hidden > 0 || self.stack.last().is_some_and(|top| top.tiny) {
            return;
        }
        if self.pre > 0 {
            return self.preformatted(text);
        }
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c.is_whitespace() || c == '\u{2007}' {
                self.space = true;
            } else if is_invisible(c) {
                // Joiners shape emoji and several scripts; between anything else they pad a preheader.
                let joins = matches!(c, '\u{200c}' | '\u{200d}')
                    && !self.space
                    && !self.last.is_ascii()
                    && chars.peek().is_some_and(|next| {
                        !next.is_ascii() && !next.is_whitespace() && !is_invisible(*next)
                    });
                if joins {
                    self.put(c);
                }
            } else {
                self.put(c);
            }
        }
    }

    /// The finished text.
    pub(super) fn finish(mut self) -> String {
        self.end_link();
        let end = self.out.trim_end().len();
        self.out.truncate(end);
        self.out
    }

    fn begin(&mut self, tag: Tag) {
        match tag {
            Tag::Paragraph | Tag::Heading | Tag::Table => self.blank_line(tag),
            Tag::Block | Tag::Row => self.line(),
            Tag::Pre => {
                self.blank_line(tag);
                self.pre += 1;
            }
            Tag::Quote => {
                self.blank_line(tag);
                self.gap = self.gap.min(self.quotes);
                self.quotes += 1;
            }
            Tag::List | Tag::Ordered => {
                if self.lists == 0 {
                    self.blank_line(tag);
                } else {
                    self.line();
                }
                self.lists += 1;
            }
            Tag::Item => {
                self.line();
                let list = self
                    .stack
                    .iter_mut()
                    .rev()
                    .take(64)
                    .inspect(|_| steps::look(0))
                    .find(|open| matches!(open.tag, Tag::List | Tag::Ordered));
                let indent = "  ".repeat(self.lists.saturating_sub(1).min(MAX_MARKS));
                self.item = Some(match list {
                    Some(open) if open.tag == Tag::Ordered => {
                        open.items += 1;
                        format!("{indent}{}. ", open.items)
                    }
                    _ => format!("{indent}- "),
                });
            }
            Tag::Cell => self.cell = true,
            Tag::Anchor => {
                self.end_link();
                if !self.attributes.href.is_empty() {
                    self.link = Some(Link {
                        href: std::mem::take(&mut self.attributes.href),
                        start: self.out.len(),
                    });
                }
            }
            Tag::Break | Tag::Rule | Tag::Image | Tag::Inline | Tag::Skip => {}
        }
    }

    fn void(&mut self, tag: Tag) {
        match tag {
            Tag::Break => {
                self.newlines = (self.newlines + 1).min(2);
                self.space = false;
            }
            Tag::Rule => {
                self.line();
                for _ in 0..3 {
                    self.put('-');
                }
                self.line();
            }
            Tag::Image if !self.attributes.pixel => {
                let alt = std::mem::take(&mut self.attributes.alt);
                let alt = alt.trim();
                if !alt.is_empty() && alt.len() <= 300 {
                    self.space = true;
                    self.text(&format!("[{alt}]"));
                    self.space = true;
                }
            }
            _ => {}
        }
    }

    fn pop(&mut self) {
        steps::look(0);
        let Some(open) = self.stack.pop() else { return };
        self.counts[usize::from(open.name)] -= 1;
        if open.hidden {
            self.hidden -= 1;
            return;
        }
        if self.hidden > 0 {
            return;
        }
        match open.tag {
            Tag::Anchor => self.end_link(),
            Tag::Paragraph | Tag::Heading | Tag::Table => self.blank_line(open.tag),
            Tag::Block | Tag::Row | Tag::Item => {
                self.line();
                if open.tag == Tag::Item {
                    self.item = None;
                }
            }
            Tag::Pre => {
                self.pre -= 1;
                self.blank_line(open.tag);
            }
            Tag::Quote => {
                self.quotes -= 1;
                self.blank_line(open.tag);
                self.gap = self.gap.min(self.quotes);
            }
            Tag::List | Tag::Ordered => {
                self.lists -= 1;
                if self.lists == 0 {
                    self.blank_line(open.tag);
                } else {
                    self.line();
                }
            }
            Tag::Cell => self.cell = true,
            _ => {}
        }
    }

    fn line(&mut self) {
        self.newlines = self.newlines.max(1);
        self.space = false;
        self.cell = false;
    }

    /// Tables of layout are nested deeply: they and all else get one blank line, and only a line within table cells and items.
    fn blank_line(&mut self, tag: Tag) {
        if tag == Tag::Table || (self.lists > 0 && tag == Tag::Paragraph) {
            return self.line();
        }
        if self.newlines < 2 {
            self.gap = self.quotes;
        }
        self.newlines = 2;
        self.space = false;
        self.cell = false;
    }

    /// One visible character, with whatever breaks, marks and spaces have to come before it.
    fn put(&mut self, c: char) {
        if self.out.is_empty() || self.newlines > 0 {
            self.break_line();
        } else if self.cell {
            self.out.push_str(" | ");
        } else if self.space {
            self.out.push(' ');
        }
        self.space = false;
        self.cell = false;
        self.out.push(c);
        self.last = c;
    }

    fn break_line(&mut self) {
        if !self.out.is_empty() {
            for round in 0..self.newlines {
                self.out.push('\n');
                if round + 1 < self.newlines && self.gap > 0 {
                    self.marks(self.gap);
                    self.out.pop();
                }
            }
        }
        self.newlines = 0;
        self.marks(self.quotes);
        if let Some(item) = self.item.take() {
            self.out.push_str(&item);
        }
        if let Some(link) = &mut self.link {
            let written = &self.out[link.start.min(self.out.len())..];
            let inked = written.trim_start();
            steps::look(written.len() - inked.len());
            if inked.is_empty() {
                link.start = self.out.len();
            }
        }
    }

    fn marks(&mut self, depth: usize) {
        for _ in 0..depth.min(MAX_MARKS) {
            steps::look(0);
            self.out.push_str("> ");
        }
    }

    fn preformatted(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => {
                    if self.newlines >= 1 && !self.out.is_empty() {
                        self.newlines = (self.newlines + 1).min(3);
                    } else {
                        self.newlines = 1;
                    }
                    self.space = false;
                }
                '\r' => {}
                c if is_invisible(c) => {}
                c if c.is_whitespace() && c != '\t' => self.put(' '),
                c => self.put(c),
            }
        }
    }

    /// Writes the target behind the text of the link, once per document and only where it says something new.
    fn end_link(&mut self) {
        let Some(link) = self.link.take() else { return };
        let start = link.start.min(self.out.len());
        steps::look(self.out.len() - start + link.href.len());
        let text = self.out[start..].trim();
        let href = link.href.as_str();
        let scheme = href.split_once(':').map_or("", |(scheme, _)| scheme);
        let useful = ["http", "https", "mailto", "tel"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
        if text.is_empty()
            || !useful
            || href.len() > MAX_LINK
            || same_place(text, href)
            || href.contains(char::is_whitespace)
        {
            return;
        }
        let mut hasher = DefaultHasher::new();
        href.hash(&mut hasher);
        if self.links.insert(hasher.finish()) {
            self.out.push_str(" <");
            self.out.push_str(href);
            self.out.push('>');
            self.last = '>';
        }
    }
}

/// Whether the text of a link is its target already.
fn same_place(text: &str, href: &str) -> bool {
    fn bare(place: &str) -> &str {
        let place = ["https://", "http://", "mailto:", "tel:"]
            .iter()
            .find_map(|scheme| place.strip_prefix(scheme))
            .unwrap_or(place);
        let place = place.strip_prefix("www.").unwrap_or(place);
        place.trim_end_matches('/')
    }
    bare(text).eq_ignore_ascii_case(bare(href))
}

/// Characters without ink that pad preheaders.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{17b4}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
