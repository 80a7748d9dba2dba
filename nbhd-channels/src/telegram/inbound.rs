//! Updates → events. Pure: bytes in, events out.

use bytes::Bytes;
use nbhd_core::{Code, Error, Result};

use super::wire::{
    CallbackQuery, Chat as WireChat, File, InEntity, MemberUpdate, Message, MessageReaction, ReactionKind,
    Update, User,
};
use crate::message::{
    AccountId, Attachment, AttachmentKind, Callback, Chat, ChatKind, Command, Conversation, EventKind,
    InboundEvent, Membership, Mention, Reaction, Reference, Sender,
};
use crate::text::{Span, Style};

/// The bot whose updates are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bot<'a> {
    pub(super) channel: &'a str,
    pub(super) account: &'a AccountId,
    pub(super) username: Option<&'a str>,
}

/// Reads one update. Kinds that this suite has no word for give no event.
pub(super) fn parse(bot: Bot<'_>, body: &Bytes) -> Result<Vec<InboundEvent>> {
    let update: Update = serde_json::from_slice(body).map_err(|error| {
        // Where it broke, never what stood there.
        Error::new(
            Code::InvalidInput,
            format!(
                "the body is no update: it breaks at line {}, column {}",
                error.line(),
                error.column()
            ),
        )
    })?;
    let id = update.update_id;
    let event = if let Some(message) = update.message.or(update.channel_post) {
        Some(said(bot, id, message, false))
    } else if let Some(message) = update.edited_message.or(update.edited_channel_post) {
        Some(said(bot, id, message, true))
    } else if let Some(query) = update.callback_query {
        pressed(bot, id, query)
    } else if let Some(reaction) = update.message_reaction {
        Some(reacted(bot, id, reaction))
    } else {
        update
            .my_chat_member
            .or(update.chat_member)
            .map(|member| moved(bot, id, member))
    };
    Ok(event
        .into_iter()
        .map(|event| event.with_raw(body.clone()))
        .collect())
}

fn said(bot: Bot<'_>, update: i64, message: Message, edited: bool) -> InboundEvent {
    let mut event = begin(bot, update, EventKind::Message, &message);
    let alias = if edited {
        event.kind = EventKind::Edit;
        format!(
            "edit:{}:{}:{}",
            message.chat.id,
            message.message_id,
            message.edit_date.unwrap_or_default()
        )
    } else {
        format!("message:{}:{}", message.chat.id, message.message_id)
    };
    event.dedupe.push(alias);
    event.sent_at = moment(message.edit_date.filter(|_| edited).unwrap_or(message.date));
    event.sender = sender(message.from.as_ref(), message.sender_chat.as_ref());
    event.reply_to = message
        .reply_to_message
        .map(|original| reference(bot, *original, message.quote.map(|quote| quote.text)));
    event.attachments = attachments(message.photo)
        .into_iter()
        .chain(
            [
                (AttachmentKind::Video, message.animation.as_ref()),
                // An animation comes a second time as a document, for old programs.
                (
                    AttachmentKind::File,
                    message.document.as_ref().filter(|_| message.animation.is_none()),
                ),
                (AttachmentKind::Audio, message.audio.as_ref()),
                (AttachmentKind::Voice, message.voice.as_ref()),
                (AttachmentKind::Video, message.video.as_ref()),
                (AttachmentKind::Video, message.video_note.as_ref()),
                (AttachmentKind::Sticker, message.sticker.as_ref()),
            ]
            .into_iter()
            .filter_map(|(kind, file)| file.map(|file| attachment(kind, file))),
        )
        .collect();
    event.album = message.media_group_id;
    let (text, ranges) = match message.text {
        Some(text) => (Some(text), message.entities),
        None => (message.caption, message.caption_entities),
    };
    if let Some(text) = text {
        mark(bot, &mut event, &text, ranges);
        if event.command.is_some() && !edited {
            event.kind = EventKind::Command;
        }
        event.text = Some(text);
    }
    event
}

fn pressed(bot: Bot<'_>, update: i64, query: CallbackQuery) -> Option<InboundEvent> {
    // A button under an inline result belongs to no chat that the bot is in.
    let message = query.message?;
    let mut event = begin(bot, update, EventKind::Callback, &message);
    event.dedupe.push(format!("callback:{}", query.id));
    event.sender = sender(Some(&query.from), None);
    event.callback = Some(Callback {
        id: query.id,
        data: query.data,
    });
    Some(event)
}

fn reacted(bot: Bot<'_>, update: i64, reaction: MessageReaction) -> InboundEvent {
    let mut event = begin_in(bot, update, EventKind::Reaction, &reaction.chat, None);
    event.message_id = Some(reaction.message_id.into());
    event.sent_at = moment(reaction.date);
    event.sender = sender(reaction.user.as_ref(), reaction.actor_chat.as_ref());
    let names = |kinds: Vec<ReactionKind>| -> Vec<String> {
        kinds
            .into_iter()
            .map(|kind| kind.emoji.or(kind.custom_emoji_id).unwrap_or(kind.kind))
            .collect()
    };
    let (before, after) = (names(reaction.old_reaction), names(reaction.new_reaction));
    event.reaction = Some(Reaction {
        added: after
            .iter()
            .filter(|name| !before.contains(name))
            .cloned()
            .collect(),
        removed: before
            .iter()
            .filter(|name| !after.contains(name))
            .cloned()
            .collect(),
    });
    event
}

fn moved(bot: Bot<'_>, update: i64, member: MemberUpdate) -> InboundEvent {
    let mut event = begin_in(bot, update, EventKind::Membership, &member.chat, None);
    event.sent_at = moment(member.date);
    event.sender = sender(Some(&member.from), None);
    let who = member.new_chat_member.user.id;
    event.membership = Some(Membership {
        member_id: who.into(),
        us: is_us(bot, who),
        before: member.old_chat_member.status,
        after: member.new_chat_member.status,
    });
    event
}

fn begin(bot: Bot<'_>, update: i64, kind: EventKind, message: &Message) -> InboundEvent {
    // Replies in plain groups carry a thread id too; only topics are threads.
    let thread = message.message_thread_id.filter(|_| message.is_topic_message);
    let mut event = begin_in(bot, update, kind, &message.chat, thread);
    event.message_id = Some(message.message_id.into());
    event
}

fn begin_in(
    bot: Bot<'_>,
    update: i64,
    kind: EventKind,
    chat: &WireChat,
    thread: Option<i64>,
) -> InboundEvent {
    let mut place = Chat::new(
        chat.id.into(),
        match chat.kind.as_str() {
            "private" => ChatKind::Direct,
            "channel" => ChatKind::Broadcast,
            _ => ChatKind::Group,
        },
    );
    place.title = chat
        .title
        .clone()
        .or_else(|| full_name(chat.first_name.as_deref(), chat.last_name.as_deref()));
    let mut conversation = Conversation::new(bot.channel, bot.account.clone(), chat.id.into());
    if let Some(thread) = thread {
        conversation = conversation.with_thread(thread.into());
    }
    InboundEvent::new(
        kind,
        conversation,
        place,
        update.to_string(),
        format!("update:{update}"),
    )
}

fn sender(user: Option<&User>, chat: Option<&WireChat>) -> Option<Sender> {
    // Anonymous administrators and channels speak as a chat; `from` is then a stand-in account.
    if let Some(chat) = chat {
        let mut sender = Sender::new(chat.id.into());
        sender.name.clone_from(&chat.title);
        sender.username.clone_from(&chat.username);
        return Some(sender);
    }
    let user = user?;
    let mut sender = Sender::new(user.id.into());
    sender.name = full_name(Some(&user.first_name), user.last_name.as_deref());
    sender.username.clone_from(&user.username);
    sender.language.clone_from(&user.language_code);
    sender.bot = user.is_bot;
    Some(sender)
}

fn full_name(first: Option<&str>, last: Option<&str>) -> Option<String> {
    let name = [first, last].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn reference(bot: Bot<'_>, message: Message, quote: Option<String>) -> Reference {
    let mut reference = Reference::new(message.message_id.into());
    reference.ours = message.from.as_ref().is_some_and(|user| is_us(bot, user.id));
    reference.sender_id = sender(message.from.as_ref(), message.sender_chat.as_ref()).map(|sender| sender.id);
    reference.text = quote.or(message.text).or(message.caption);
    reference
}

/// The largest of the sizes in which a photo comes.
fn attachments(photo: Vec<File>) -> Option<Attachment> {
    let largest = photo
        .iter()
        .max_by_key(|size| size.width.saturating_mul(size.height))?;
    Some(attachment(AttachmentKind::Image, largest))
}

fn attachment(kind: AttachmentKind, file: &File) -> Attachment {
    let mut attachment = Attachment::new(kind, file.file_id.clone());
    attachment.name.clone_from(&file.file_name);
    attachment.media_type.clone_from(&file.mime_type);
    attachment.size = file.file_size;
    attachment
}

/// Reads the ranges of a text: styles, mentions, the command at its beginning.
fn mark(bot: Bot<'_>, event: &mut InboundEvent, text: &str, ranges: Vec<InEntity>) {
    let places = Places::new(text, &ranges);
    let mut mention = Mention::default();
    for range in ranges {
        let Some((start, end)) = places.bytes(&range) else {
            continue;
        };
        let piece = &text[start..end];
        let style = match range.kind.as_str() {
            "bold" => Style::Bold,
            "italic" => Style::Italic,
            "strikethrough" => Style::Strikethrough,
            "spoiler" => Style::Spoiler,
            "code" => Style::Code,
            "pre" => Style::CodeBlock {
                language: range.language,
            },
            "blockquote" | "expandable_blockquote" => Style::Quote,
            "text_link" => match range.url {
                Some(url) => Style::Link { url },
                None => continue,
            },
            "mention" => {
                let name = piece.trim_start_matches('@');
                mention.us |= bot.username.is_some_and(|us| us.eq_ignore_ascii_case(name));
                mention.names.push(name.to_owned());
                continue;
            }
            "text_mention" => {
                if let Some(user) = range.user {
                    mention.us |= is_us(bot, user.id);
                    mention.names.push(user.id.to_string());
                }
                continue;
            }
            "bot_command" if start == 0 => {
                event.command = Some(command(piece, &text[end..]));
                continue;
            }
            _ => continue,
        };
        event.spans.push(Span { start, end, style });
    }
    event
        .spans
        .sort_by(|a, b| a.start.cmp(&b.start).then(b.end.cmp(&a.end)));
    event.mention = mention;
}

fn command(piece: &str, rest: &str) -> Command {
    let name = piece.trim_start_matches('/');
    let (name, target) = match name.split_once('@') {
        Some((name, target)) => (name, Some(target.to_owned())),
        None => (name, None),
    };
    Command {
        name: name.to_owned(),
        target,
        arguments: rest.trim().to_owned(),
    }
}

/// UTF-16 places of a text and the bytes that they are: one walk for all ranges.
struct Places(Vec<(i64, usize)>);

impl Places {
    fn new(text: &str, ranges: &[InEntity]) -> Self {
        let mut wanted: Vec<i64> = ranges
            .iter()
            .flat_map(|range| [range.offset, range.offset.saturating_add(range.length)])
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut found = Vec::with_capacity(wanted.len());
        let mut wanted = wanted.into_iter().peekable();
        let mut unit = 0_i64;
        let ends = std::iter::once((text.len(), '\0'));
        for (byte, c) in text.char_indices().chain(ends) {
            // A place within a pair is no place.
            while wanted.next_if(|place| *place < unit).is_some() {}
            if wanted.next_if(|place| *place == unit).is_some() {
                found.push((unit, byte));
            }
            unit += c.len_utf16() as i64;
        }
        Self(found)
    }

    fn bytes(&self, range: &InEntity) -> Option<(usize, usize)> {
        let find = |unit: i64| {
            let index = self.0.binary_search_by_key(&unit, |(unit, _)| *unit).ok()?;
            Some(self.0[index].1)
        };
        let (start, end) = (
            find(range.offset)?,
            find(range.offset.checked_add(range.length)?)?,
        );
        (start < end).then_some((start, end))
    }
}

fn is_us(bot: Bot<'_>, user: i64) -> bool {
    bot.account.as_str() == user.to_string()
}

fn moment(seconds: i64) -> Option<String> {
    let moment = chrono::DateTime::from_timestamp(seconds, 0).filter(|_| seconds > 0)?;
    Some(nbhd_core::clock::rfc3339(moment))
}

/// The same form for times that a delivery names.
pub(super) fn sent_at(seconds: i64) -> Option<String> {
    moment(seconds)
}
