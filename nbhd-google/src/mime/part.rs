//! The tree of parts that both inputs become, and the rules that pick the body from it.
//!
//! Plain text wins over HTML within one alternative; the parts of a mixed message are joined in order; what is neither body nor
//! container is an attachment. A nested message stays a message of its own: nothing of it leaks into the outer one.

use std::borrow::Cow;

use super::message::{Attachment, BodyOptions, Forwarded, MessageHeader, MessageText, TextSource};
use super::{charset, flowed, html, invitation, quote, steps, transfer};

/// Nested messages deeper than this are listed as attachments only.
const MAX_FORWARD_DEPTH: usize = 3;
/// Forwarded messages that are read per message; a digest can hold hundreds.
const MAX_FORWARDED: usize = 20;

/// One part, independent of where it came from.
#[derive(Debug, Default)]
pub(super) struct Part<'a> {
    pub(super) id: Cow<'a, str>,
    /// Lower case; never empty (`text/plain` where none is stated).
    pub(super) mime_type: Cow<'a, str>,
    pub(super) filename: Cow<'a, str>,
    pub(super) attachment: bool,
    pub(super) inline: bool,
    pub(super) content_id: bool,
    pub(super) flowed: bool,
    pub(super) delsp: bool,
    pub(super) charset: Option<String>,
    pub(super) size: u64,
    pub(super) content: Content<'a>,
    pub(super) children: Vec<Part<'a>>,
    /// Of a `message/rfc822` part: the header card of the message within.
    pub(super) header: Option<Box<MessageHeader>>,
}

/// Where the bytes of a part are.
#[derive(Debug, Default)]
pub(super) enum Content<'a> {
    /// There are none.
    #[default]
    Empty,
    /// In base64, not decoded yet: most parts are never looked at.
    Base64(&'a str),
    /// Decoded text.
    Text(Cow<'a, str>),
    /// To be fetched as an attachment.
    Remote,
}

/// One piece of the body: the alternatives of the same content.
#[derive(Debug, Default)]
struct Piece<'p, 'a> {
    plain: Option<&'p Part<'a>>,
    html: Option<&'p Part<'a>>,
}

/// What the walk found.
#[derive(Debug, Default)]
struct Found<'p, 'a> {
    pieces: Vec<Piece<'p, 'a>>,
    attachments: Vec<Attachment>,
    messages: Vec<&'p Part<'a>>,
    calendar: Option<&'p Part<'a>>,
    not_inlined: Vec<String>,
}

/// The body before quotes are split off and limits applied.
#[derive(Debug, Default)]
pub(super) struct WholeBody {
    pub(super) text: String,
    pub(super) source: TextSource,
}

/// The body of the message whose root part this is.
pub(super) fn read(root: &Part<'_>, options: BodyOptions) -> MessageText {
    let mut found = Found::default();
    walk(root, &mut found, 0);
    let whole = join(&found);
    let mut body = MessageText {
        source: whole.source,
        ..MessageText::default()
    };
    if options.split {
        let split = quote::split_reply(&whole.text);
        body.text = split.text;
        body.signature = split.signature;
        body.quoted = split.quoted;
    } else {
        body.text = whole.text;
    }
    body.truncated = truncate(&mut body.text, options.max_chars);
    if let Some(quoted) = &mut body.quoted {
        body.quoted_truncated = truncate(quoted, options.max_chars);
    }
    body.invitation = found.calendar.and_then(|part| invitation::read(&part.text()));
    body.forwarded = forwarded(&found.messages, options, 1);
    body.attachments = found.attachments;
    body.not_inlined = found.not_inlined;
    body
}

/// The HTML of the body, as it was sent.
#[cfg(test)]
pub(super) fn html_source(root: &Part<'_>) -> Option<String> {
    let mut found = Found::default();
    walk(root, &mut found, 0);
    let html: Vec<String> = found
        .pieces
        .iter()
        .filter_map(|piece| piece.html)
        .map(Part::text)
        .collect();
    (!html.is_empty()).then(|| html.concat())
}

impl Part<'_> {
    /// The decoded text, with `\n` line ends.
    pub(super) fn text(&self) -> String {
        let text = match &self.content {
            Content::Base64(data) => charset::decode(
                transfer::decode_base64(data),
                self.charset.as_deref(),
                self.mime_type == "text/html",
            ),
            Content::Text(text) => text.clone().into_owned(),
            Content::Empty | Content::Remote => String::new(),
        };
        steps::look(text.len());
        if text.contains('\r') {
            plain_line_ends(&text)
        } else {
            text
        }
    }

    /// Whether it is read as (a piece of) the body.
    pub(super) fn is_text_body(&self) -> bool {
        !self.attachment
            && match &*self.mime_type {
                "text/plain" => {
                    self.filename.is_empty() || (self.inline && !matches!(self.content, Content::Remote))
                }
                "text/html" => self.filename.is_empty(),
                _ => false,
            }
    }

    fn as_attachment(&self, inline: bool) -> Attachment {
        Attachment {
            part_id: self.id.clone().into_owned(),
            filename: self.filename.clone().into_owned(),
            mime_type: self.mime_type.clone().into_owned(),
            size: self.size,
            inline,
        }
    }
}

fn plain_line_ends(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\r') {
        plain.push_str(line);
        plain.push('\n');
        rest = after.strip_prefix('\n').unwrap_or(after);
    }
    plain + rest
}

fn walk<'p, 'a>(part: &'p Part<'a>, found: &mut Found<'p, 'a>, depth: usize) {
    steps::look(part.id.len());
    if depth > 100 {
        return found.attachments.push(part.as_attachment(false));
    }
    match &*part.mime_type {
        "multipart/alternative" => alternative(part, found, depth),
        mime if mime.starts_with("multipart/") => {
            for child in &part.children {
                walk(child, found, depth + 1);
            }
        }
        "message/rfc822" => {
            found.messages.push(part);
            if !part.filename.is_empty() || part.attachment {
                found.attachments.push(part.as_attachment(false));
            } else if let Some(inner) = part.children.first() {
                // What hangs on a message that is shown within this one is reachable from here too.
                let mut within = Found::default();
                walk(inner, &mut within, depth + 1);
                found.attachments.append(&mut within.attachments);
            }
        }
        "text/calendar" => {
            found.calendar.get_or_insert(part);
            found
                .attachments
                .push(part.as_attachment(part.filename.is_empty() && !part.attachment));
        }
        _ if part.is_text_body() => {
            if matches!(part.content, Content::Remote) {
                found.not_inlined.push(part.id.clone().into_owned());
            }
            let html = part.mime_type == "text/html";
            found.pieces.push(Piece {
                plain: (!html).then_some(part),
                html: html.then_some(part),
            });
        }
        _ => found
            .attachments
            .push(part.as_attachment(part.content_id && !part.attachment)),
    }
}

/// Of several forms of one content take the plain and the HTML one; calendar parts and what hangs on either form are kept.
fn alternative<'p, 'a>(part: &'p Part<'a>, found: &mut Found<'p, 'a>, depth: usize) {
    let before = found.pieces.len();
    // The last form of a kind is the sender's best (RFC 2046, 5.1.4).
    let last_of = |mime: &str| {
        part.children
            .iter()
            .rposition(|child| child.is_text_body() && child.mime_type == mime)
    };
    let kept = [last_of("text/plain"), last_of("text/html")];
    for (place, child) in part.children.iter().enumerate() {
        if !child.is_text_body() || kept.contains(&Some(place)) {
            walk(child, found, depth + 1);
        }
    }
    let all: Vec<Piece<'p, 'a>> = found.pieces.drain(before..).collect();
    let readable = |part: &&'p Part<'a>| part.size > 0 || !matches!(part.content, Content::Empty);
    // Several pieces of one form come from a nested mixed part: keep them all, in order, for the form that is chosen.
    let mut plain: Vec<_> = all
        .iter()
        .filter_map(|piece| piece.plain)
        .filter(readable)
        .collect();
    let mut html: Vec<_> = all
        .iter()
        .filter_map(|piece| piece.html)
        .filter(readable)
        .collect();
    if plain.len() == 1 && !html.is_empty() && blank(plain[0]) {
        plain.clear();
    }
    if plain.len() <= 1 && html.len() <= 1 {
        let piece = Piece {
            plain: plain.pop(),
            html: html.pop(),
        };
        if piece.plain.is_some() || piece.html.is_some() {
            found.pieces.push(piece);
        }
        return;
    }
    let longest = plain.len().max(html.len());
    let (mut plain, mut html) = (plain.into_iter(), html.into_iter());
    for _ in 0..longest {
        found.pieces.push(Piece {
            plain: plain.next(),
            html: html.next(),
        });
    }
}

fn blank(part: &Part<'_>) -> bool {
    match &part.content {
        // More than a line of base64 is taken for text without looking.
        Content::Base64(data) if data.len() > 200 => false,
        _ => part.text().trim().is_empty(),
    }
}

fn join(found: &Found<'_, '_>) -> WholeBody {
    let mut whole = WholeBody::default();
    let any_plain = found.pieces.iter().any(|piece| piece.plain.is_some());
    for piece in &found.pieces {
        let text = match (piece.plain, piece.html) {
            (Some(part), _) => {
                let text = part.text();
                if part.flowed {
                    flowed::unflow(&text, part.delsp)
                } else {
                    text
                }
            }
            // An alternative of several pieces: where plain text carries the message, the surplus HTML repeats it.
            (None, Some(part)) => html::html_to_text(&part.text()),
            (None, None) => continue,
        };
        let text = text.trim_end();
        let text = text.trim_start_matches(['\n', '\r']);
        if text.is_empty() {
            continue;
        }
        if whole.text.is_empty() {
            text.clone_into(&mut whole.text);
        } else {
            whole.text.push_str("\n\n");
            whole.text.push_str(text);
        }
        whole.source = if any_plain {
            TextSource::Plain
        } else {
            TextSource::Html
        };
    }
    whole
}

fn forwarded(messages: &[&Part<'_>], options: BodyOptions, depth: usize) -> Vec<Forwarded> {
    let mut out = Vec::new();
    for part in messages.iter().take(MAX_FORWARDED) {
        let Some(inner) = part.children.first() else {
            continue;
        };
        let mut found = Found::default();
        walk(inner, &mut found, 0);
        let mut text = join(&found).text;
        let truncated = truncate(&mut text, options.max_chars);
        out.push(Forwarded {
            part_id: part.id.clone().into_owned(),
            header: part.header.as_deref().cloned().unwrap_or_default(),
            text,
            truncated,
        });
        if depth < MAX_FORWARD_DEPTH && out.len() < MAX_FORWARDED {
            out.extend(forwarded(&found.messages, options, depth + 1));
        }
    }
    out
}

/// Cuts after `max` characters and says how many went.
fn truncate(text: &mut String, max: usize) -> u64 {
    if text.len() <= max {
        return 0;
    }
    let Some((at, _)) = text.char_indices().nth(max) else {
        return 0;
    };
    let cut = text[at..].chars().count() as u64;
    text.truncate(at);
    cut
}
