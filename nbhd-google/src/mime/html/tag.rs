//! The elements that the renderer knows; all others are transparent.

/// What an element does to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Anchor,
    /// A block with a blank line around it.
    Paragraph,
    /// A block on lines of its own.
    Block,
    Heading,
    Break,
    Rule,
    Image,
    List,
    Ordered,
    Item,
    Quote,
    Pre,
    Table,
    Row,
    Cell,
    Inline,
    /// Its content is never shown.
    Skip,
}

/// How many different names are counted.
pub(super) const NAMES: usize = 64;

/// The element and a small number of its own for each name; `None` for names that do not matter.
pub(super) fn of(name: &[u8]) -> Option<(Tag, u8)> {
    Some(match name {
        b"a" => (Tag::Anchor, 0),
        b"p" => (Tag::Paragraph, 1),
        b"div" => (Tag::Block, 2),
        b"span" => (Tag::Inline, 3),
        b"font" => (Tag::Inline, 4),
        b"br" => (Tag::Break, 5),
        b"hr" => (Tag::Rule, 6),
        b"img" => (Tag::Image, 7),
        b"table" => (Tag::Table, 8),
        b"tr" => (Tag::Row, 9),
        b"td" => (Tag::Cell, 10),
        b"th" => (Tag::Cell, 11),
        b"ul" => (Tag::List, 12),
        b"ol" => (Tag::Ordered, 13),
        b"li" => (Tag::Item, 14),
        b"blockquote" => (Tag::Quote, 15),
        b"pre" => (Tag::Pre, 16),
        b"h1" => (Tag::Heading, 17),
        b"h2" => (Tag::Heading, 18),
        b"h3" => (Tag::Heading, 19),
        b"h4" => (Tag::Heading, 20),
        b"h5" => (Tag::Heading, 21),
        b"h6" => (Tag::Heading, 22),
        b"style" => (Tag::Skip, 23),
        b"script" => (Tag::Skip, 24),
        b"title" => (Tag::Skip, 25),
        b"template" => (Tag::Skip, 26),
        b"noscript" => (Tag::Skip, 27),
        b"iframe" => (Tag::Skip, 28),
        b"object" => (Tag::Skip, 29),
        b"svg" => (Tag::Skip, 30),
        b"select" => (Tag::Skip, 31),
        b"textarea" => (Tag::Skip, 32),
        b"noembed" => (Tag::Skip, 33),
        b"xml" => (Tag::Skip, 34),
        b"tbody" => (Tag::Inline, 35),
        b"thead" => (Tag::Inline, 36),
        b"tfoot" => (Tag::Inline, 37),
        b"center" => (Tag::Block, 38),
        b"section" => (Tag::Block, 39),
        b"article" => (Tag::Block, 40),
        b"header" => (Tag::Block, 41),
        b"footer" => (Tag::Block, 42),
        b"main" => (Tag::Block, 43),
        b"address" => (Tag::Block, 44),
        b"aside" => (Tag::Block, 45),
        b"nav" => (Tag::Block, 46),
        b"form" => (Tag::Block, 47),
        b"fieldset" => (Tag::Block, 48),
        b"dl" => (Tag::Paragraph, 49),
        b"dt" => (Tag::Block, 50),
        b"dd" => (Tag::Block, 51),
        b"figure" => (Tag::Block, 52),
        b"figcaption" => (Tag::Block, 53),
        b"caption" => (Tag::Block, 54),
        b"body" => (Tag::Inline, 55),
        b"b" => (Tag::Inline, 56),
        b"strong" => (Tag::Inline, 57),
        b"i" => (Tag::Inline, 58),
        b"em" => (Tag::Inline, 59),
        b"u" => (Tag::Inline, 60),
        b"small" => (Tag::Inline, 61),
        b"label" => (Tag::Inline, 62),
        b"button" => (Tag::Inline, 63),
        _ => return None,
    })
}

/// Whether the element has no content and is never closed.
pub(super) fn is_void(tag: Tag) -> bool {
    matches!(tag, Tag::Break | Tag::Rule | Tag::Image)
}

/// Whether opening one ends an open one of the same name that was not closed (`<li>a<li>b`).
pub(super) fn closes_itself(tag: Tag) -> bool {
    matches!(tag, Tag::Paragraph | Tag::Anchor)
}
