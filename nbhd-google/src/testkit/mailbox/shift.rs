//! Moves a mailbox in time, so that a sample that was written once always looks current.

use bytes::Bytes;
use chrono::{DateTime, Duration, FixedOffset, NaiveDate, TimeZone, Utc};
use mail_parser::{HeaderName, MessageParser};

use super::load::Mailbox;

/// Calendar lines of an invitation that carry a date.
const DATED: [&[u8]; 5] = [b"DTSTART", b"DTEND", b"DTSTAMP", b"CREATED", b"LAST-MODIFIED"];

impl Mailbox {
    /// Moves all messages by the same time, so that the newest one came at `now`: their `Date` fields too, and the
    /// dates of invitations by whole days. For samples; a user's own mail stays as it is.
    pub fn with_time_shift(mut self, now: DateTime<Utc>) -> Self {
        let Some(newest) = self.messages.iter().map(|message| message.internal_date_ms).max() else {
            return self;
        };
        let Some(newest) = Utc.timestamp_millis_opt(newest).single() else {
            return self;
        };
        let shift = now - newest;
        let days = (now.date_naive() - newest.date_naive()).num_days();
        for message in &mut self.messages {
            if message.internal_date_ms == 0 {
                continue;
            }
            message.internal_date_ms += shift.num_milliseconds();
            message.raw = shifted(&message.raw, shift, days);
        }
        self
    }
}

fn shifted(raw: &Bytes, shift: Duration, days: i64) -> Bytes {
    let Some(parsed) = MessageParser::default().parse_headers(&raw[..]) else {
        return raw.clone();
    };
    let header = parsed
        .headers()
        .iter()
        .find(|header| header.name == HeaderName::Date);
    let (start, end) = header.map_or((0, 0), |header| {
        (header.offset_start as usize, header.offset_end as usize)
    });
    let date = parsed.date().and_then(|date| {
        let seconds = if date.tz_before_gmt { -1 } else { 1 }
            * (i32::from(date.tz_hour) * 3600 + i32::from(date.tz_minute) * 60);
        let zone = FixedOffset::east_opt(seconds)?;
        Some(zone.timestamp_opt(date.to_timestamp(), 0).single()? + shift)
    });
    let mut moved = Vec::with_capacity(raw.len() + 8);
    match date {
        Some(date) if end > start => {
            moved.extend_from_slice(&raw[..start]);
            moved.extend_from_slice(format!(" {}\r\n", date.to_rfc2822()).as_bytes());
            lines(&raw[end..], days, &mut moved);
        }
        _ => lines(raw, days, &mut moved),
    }
    moved.into()
}

/// Copies lines, and moves the eight-digit dates of calendar lines.
fn lines(text: &[u8], days: i64, out: &mut Vec<u8>) {
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let from = out.len();
        out.extend_from_slice(line);
        let named = DATED
            .iter()
            .any(|name| line.starts_with(name) && matches!(line.get(name.len()), Some(b':' | b';')));
        let Some(colon) = memchr::memrchr(b':', line).filter(|_| named) else {
            continue;
        };
        let digits = line
            .get(colon + 1..colon + 9)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| NaiveDate::parse_from_str(digits, "%Y%m%d").ok())
            .and_then(|date| date.checked_add_signed(Duration::days(days)));
        if let Some(date) = digits {
            let place = from + colon + 1;
            out[place..place + 8].copy_from_slice(date.format("%Y%m%d").to_string().as_bytes());
        }
    }
}
