//! Splits a message into what was written, what it quotes and who signed it. Nothing is thrown away.
//!
//! Only what stands at the end is split off: answers between quoted lines keep those lines, because they make no sense without.
//! Attributions ("On … wrote:") are known in the languages below; an unknown one simply stays in the text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::steps;

/// A text in its three parts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SplitText {
    /// What the sender wrote.
    pub text: String,
    /// The quoted messages at the end (or, where the answer stands below a single quote, that quote), with their attribution.
    pub quoted: Option<String>,
    /// The signature, without its delimiter line.
    pub signature: Option<String>,
}

/// Words that begin an attribution, and words of which one must end or follow it. Lower case.
const ATTRIBUTIONS: &[(&str, &[&str])] = &[
    ("on ", &["wrote:", "wrote :", "writes:", "said:"]),
    ("am ", &["schrieb", "geschrieben"]),
    ("le ", &["a écrit", "a ecrit"]),
    ("el ", &["escribió", "escribio"]),
    ("em ", &["escreveu"]),
    ("il ", &["ha scritto", "scrive"]),
    ("op ", &["schreef", "geschreven"]),
    ("den ", &["skrev"]),
    ("vào ", &["đã viết"]),
    ("w dniu ", &["napisał"]),
    ("dnia ", &["napisał"]),
    ("dne ", &["napsal"]),
    ("në ", &["shkroi"]),
];

/// Words that end an attribution whatever it begins with (the date comes first, or the name). Lower case.
const ENDINGS: &[&str] = &[
    "wrote:",
    "schrieb:",
    "a écrit :",
    "a écrit\u{a0}:",
    "a écrit:",
    "escribió:",
    "escreveu:",
    "ha scritto:",
    "schreef:",
    "skrev:",
    "kirjoitti:",
    "napisał(a):",
    "napisał:",
    "napisała:",
    "пишет:",
    "написал:",
    "написал(а):",
    "写道：",
    "写道:",
    "寫道：",
    "のメール:",
    "님이 작성:",
    "yazdı:",
    "đã viết:",
    "さんは書きました:",
];

/// Labels of the header block that Outlook and others put over the quoted message: from, then date or recipient or subject.
const FROM_LABELS: &[&str] = &[
    "from:",
    "von:",
    "de :",
    "de:",
    "da:",
    "van:",
    "från:",
    "fra:",
    "od:",
    "от:",
    "发件人:",
    "发件人：",
    "差出人:",
    "lähettäjä:",
    "kimden:",
];
const OTHER_LABELS: &[&str] = &[
    "sent:",
    "date:",
    "to:",
    "subject:",
    "gesendet:",
    "datum:",
    "an:",
    "betreff:",
    "envoyé :",
    "envoyé:",
    "date :",
    "à :",
    "à:",
    "objet :",
    "objet:",
    "enviado:",
    "enviado el:",
    "fecha:",
    "para:",
    "asunto:",
    "assunto:",
    "inviato:",
    "data:",
    "a:",
    "oggetto:",
    "verzonden:",
    "aan:",
    "onderwerp:",
    "skickat:",
    "till:",
    "ämne:",
    "sendt:",
    "til:",
    "emne:",
    "wysłano:",
    "do:",
    "temat:",
    "отправлено:",
    "дата:",
    "кому:",
    "тема:",
    "发送时间:",
    "发送时间：",
    "收件人:",
    "收件人：",
    "主题:",
    "主题：",
    "送信日時:",
    "宛先:",
    "件名:",
];

/// Separator lines, between dashes. Lower case.
const SEPARATORS: &[&str] = &[
    "original message",
    "forwarded message",
    "original appointment",
    "ursprüngliche nachricht",
    "weitergeleitete nachricht",
    "ursprüngl. nachricht",
    "message d'origine",
    "message original",
    "message transféré",
    "mensaje original",
    "mensaje reenviado",
    "mensagem original",
    "mensagem encaminhada",
    "messaggio originale",
    "messaggio inoltrato",
    "oorspronkelijk bericht",
    "doorgestuurd bericht",
    "ursprungligt meddelande",
    "oprindelig meddelelse",
    "opprinnelig melding",
    "wiadomość oryginalna",
    "исходное сообщение",
    "пересылаемое сообщение",
    "原始邮件",
    "转发邮件",
    "元のメッセージ",
];

/// Beginnings of the lines that phones and clients add. Lower case; the line must be short.
const DEVICE_LINES: &[&str] = &[
    "sent from my ",
    "sent from mail for ",
    "get outlook for ",
    "von meinem ",
    "gesendet von ",
    "gesendet mit ",
    "envoyé de mon ",
    "envoyé depuis ",
    "enviado desde ",
    "enviado do ",
    "enviado de mi ",
    "inviato da ",
    "verzonden vanaf ",
    "verstuurd vanaf ",
    "skickat från ",
    "sendt fra ",
    "отправлено с ",
    "发自我的",
    "iphoneから送信",
    "wysłane z ",
];

/// Lines that an attribution may be wrapped over.
const ATTRIBUTION_LINES: usize = 4;
/// Characters that an attribution may have: names and addresses, never a paragraph.
const ATTRIBUTION_CHARS: usize = 400;
/// Lines of a signature behind its delimiter; what is longer is text.
const SIGNATURE_LINES: usize = 25;

/// Splits `text` (with `\n` or `\r\n` line ends).
pub fn split_reply(text: &str) -> SplitText {
    steps::look(text.len());
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    if let Some(split) = answer_below(&lines) {
        return split;
    }
    let end = quote_start(&lines);
    if end == lines.len()
        && let (body, Some(signature)) = split_signature(&lines)
    {
        // Quotes, then the sender's own signature under them.
        let end = quote_start(body);
        return SplitText {
            text: joined(&body[..end]),
            quoted: some(joined(&body[end..])),
            signature: some(joined(signature)),
        };
    }
    let quoted = joined(&lines[end..]);
    let (body, signature) = split_signature(&lines[..end]);
    SplitText {
        text: joined(body),
        quoted: some(quoted),
        signature: signature.and_then(|lines| some(joined(lines))),
    }
}

/// The line where the quotes at the end begin; the number of lines where there are none.
fn quote_start(lines: &[&str]) -> usize {
    // From the end: the first line that is neither quoted nor blank decides how far plain quotes reach up.
    let mut tail = lines.len();
    while tail > 0 && (is_quoted(lines[tail - 1]) || is_blank(lines[tail - 1])) {
        tail -= 1;
    }
    let last_quoted = lines.iter().rposition(|line| is_quoted(line));
    let quoted_tail = last_quoted.is_some_and(|at| at >= tail);
    for (index, line) in lines.iter().enumerate().take(tail) {
        if is_quoted(line) {
            continue;
        }
        if is_separator(line) || is_header_block(lines, index) {
            return above_rule(lines, index);
        }
        if let Some(after) = attribution_end(lines, index) {
            // Everything under it is the quoted message, unless there is `>` quoting with answers in between.
            let marked = last_quoted.is_some_and(|at| at >= after);
            if !marked || after >= tail {
                return index;
            }
        }
    }
    if quoted_tail { tail } else { lines.len() }
}

/// An answer under one quote: the attribution or quote stands first, and what follows holds no more quotes.
fn answer_below(lines: &[&str]) -> Option<SplitText> {
    let first = lines.iter().position(|line| !is_blank(line))?;
    let mut at = attribution_end(lines, first).or_else(|| is_quoted(lines[first]).then_some(first))?;
    while at < lines.len() && is_blank(lines[at]) {
        at += 1;
    }
    let quotes = at;
    while at < lines.len() && (is_quoted(lines[at]) || is_blank(lines[at])) {
        at += 1;
    }
    if at == quotes
        || at == lines.len()
        || lines[at..].iter().any(|line| is_quoted(line))
        || quote_start(&lines[at..]) + at != lines.len()
    {
        return None;
    }
    let (body, signature) = split_signature(&lines[at..]);
    let text = joined(body);
    (!text.is_empty()).then(|| SplitText {
        text,
        quoted: some(joined(&lines[first..at])),
        signature: signature.and_then(|lines| some(joined(lines))),
    })
}

fn is_blank(line: &str) -> bool {
    steps::look(line.len());
    line.trim().is_empty()
}

fn is_quoted(line: &str) -> bool {
    steps::look(line.len());
    line.trim_start().starts_with('>')
}

/// Where the attribution that begins at `index` ends (the line after it).
fn attribution_end(lines: &[&str], index: usize) -> Option<usize> {
    steps::look(lines[index].len());
    let first = lines[index].trim();
    if first.is_empty() || first.len() > ATTRIBUTION_CHARS {
        return None;
    }
    let ends = first.ends_with([':', '：']);
    if !ends && !opens(first) {
        return None;
    }
    let first = first.to_lowercase();
    let openers: Vec<&[&str]> = ATTRIBUTIONS
        .iter()
        .filter(|(opener, _)| first.starts_with(opener))
        .map(|(_, verbs)| *verbs)
        .collect();
    let dated = first.bytes().any(|byte| byte.is_ascii_digit()) || first.contains('@');
    if ends && dated && first.len() > 10 && ENDINGS.iter().any(|ending| first.ends_with(ending)) {
        return Some(index + 1);
    }
    if openers.is_empty() {
        return None;
    }
    let mut whole = String::new();
    for (offset, line) in lines[index..].iter().take(ATTRIBUTION_LINES).enumerate() {
        let line = line.trim();
        if is_blank(line) || is_quoted(line) || whole.len() + line.len() > ATTRIBUTION_CHARS {
            return None;
        }
        steps::look(whole.len());
        whole.push(' ');
        whole.push_str(&line.to_lowercase());
        let ended = whole.ends_with(':') || whole.ends_with('：');
        if ended
            && openers
                .iter()
                .flat_map(|verbs| verbs.iter())
                .any(|verb| whole.contains(verb.trim_end_matches(':')))
        {
            return Some(index + offset + 1);
        }
        // "On Mon, Tim <tim@x.org>:": a date or an address, then the colon, in one line or two.
        if ended && offset < 2 && whole.contains('@') && whole.bytes().any(|byte| byte.is_ascii_digit()) {
            return Some(index + offset + 1);
        }
    }
    None
}

/// Whether a line could begin an attribution: a look at its first word, without lower-casing the line.
fn opens(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(word, _)| {
        word.len() <= 5
            && ATTRIBUTIONS.iter().any(|(opener, _)| {
                opener
                    .split(' ')
                    .next()
                    .is_some_and(|first| first.eq_ignore_ascii_case(word))
            })
    })
}

fn is_separator(line: &str) -> bool {
    steps::look(line.len());
    let line = line.trim();
    if !(line.starts_with("--") || line.starts_with("__") || line.starts_with("**")) || line.len() > 120 {
        return line.eq_ignore_ascii_case("Begin forwarded message:");
    }
    let inner = line
        .trim_matches(|c: char| matches!(c, '-' | '_' | '*' | ' '))
        .to_lowercase();
    SEPARATORS.iter().any(|separator| inner == *separator)
}

/// A sender line followed, within the next lines, by two more header lines.
fn is_header_block(lines: &[&str], index: usize) -> bool {
    let label = |line: &str, labels: &[&str]| {
        steps::look(line.len());
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '*');
        let near = line.as_bytes().get(..24).unwrap_or(line.as_bytes());
        if !near.contains(&b':') && !near.contains(&0xef) {
            return false;
        }
        let head: String = line
            .chars()
            .take(24)
            .filter(|c| *c != '*')
            .collect::<String>()
            .to_lowercase();
        labels.iter().any(|label| head.starts_with(label))
    };
    label(lines[index], FROM_LABELS)
        && lines[index + 1..]
            .iter()
            .take(6)
            .filter(|line| label(line, OTHER_LABELS))
            .take(2)
            .count()
            == 2
}

/// A rule or blank lines right above a header block belong to it.
fn above_rule(lines: &[&str], index: usize) -> usize {
    let mut at = index;
    while at > 0 && is_blank(lines[at - 1]) {
        at -= 1;
    }
    let rule = at > 0 && {
        steps::look(lines[at - 1].len());
        let line = lines[at - 1].trim();
        line.len() >= 5 && line.chars().all(|c| matches!(c, '_' | '-' | '=' | '*'))
    };
    if rule { at - 1 } else { index }
}

fn split_signature<'l, 'a>(lines: &'l [&'a str]) -> (&'l [&'a str], Option<&'l [&'a str]>) {
    let last = lines
        .iter()
        .rposition(|line| !is_blank(line))
        .map_or(0, |at| at + 1);
    let lines = &lines[..last];
    let floor = last.saturating_sub(SIGNATURE_LINES + 1);
    let delimiter = (floor..last)
        .rev()
        .inspect(|at| steps::look(lines[*at].len()))
        .find(|at| matches!(lines[*at].trim_end(), "--" | "—" | "–") && lines[*at].len() <= 4);
    if let Some(at) = delimiter
        && !lines[at..].iter().any(|line| is_quoted(line))
    {
        return (&lines[..at], Some(&lines[at + 1..]));
    }
    if last > 0 && is_device_line(lines[last - 1]) {
        return (&lines[..last - 1], Some(&lines[last - 1..]));
    }
    (lines, None)
}

/// "Sent from my iPhone" is a signature, "Sent from my desk, is much easier" is a sentence: a few words, no punctuation within.
fn is_device_line(line: &str) -> bool {
    steps::look(line.len());
    let line = line.trim().trim_end_matches('.').to_lowercase();
    let Some(rest) = DEVICE_LINES.iter().find_map(|start| line.strip_prefix(start)) else {
        return false;
    };
    rest.split_whitespace().count() <= 6 && !rest.contains([',', ';', '!', '?'])
}

fn joined(lines: &[&str]) -> String {
    let Some(first) = lines.iter().position(|line| !is_blank(line)) else {
        return String::new();
    };
    let last = lines.iter().rposition(|line| !is_blank(line)).unwrap_or(first);
    steps::look(lines[first..=last].iter().map(|line| line.len()).sum());
    lines[first..=last].join("\n").trim_end().to_owned()
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
