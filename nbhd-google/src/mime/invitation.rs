//! What a `text/calendar` part says, as a hint. RFC 5545 line folding and escapes; the first `VEVENT` counts.

use super::message::Invitation;

/// Lines that are looked at: an invitation's event stands near its top.
const MAX_LINES: usize = 2_000;

/// The hint, when there is an event.
pub(super) fn read(text: &str) -> Option<Invitation> {
    let mut hint = Invitation::default();
    let mut inside = 0_usize; // components open within the event, the event itself included
    let mut seen = false;
    for line in unfold(text) {
        let Some((head, value)) = split_property(&line) else {
            continue;
        };
        let (name, params) = head.split_once(';').unwrap_or((head, ""));
        let value = value.trim();
        if name.eq_ignore_ascii_case("METHOD") && hint.method.is_empty() {
            hint.method = value.to_ascii_uppercase();
        } else if name.eq_ignore_ascii_case("BEGIN") {
            if inside > 0 {
                inside += 1;
            } else if !seen && value.eq_ignore_ascii_case("VEVENT") {
                (inside, seen) = (1, true);
            }
        } else if name.eq_ignore_ascii_case("END") {
            inside = inside.saturating_sub(1);
        } else if inside == 1 {
            match name.to_ascii_uppercase().as_str() {
                "UID" => hint.uid = Some(value.to_owned()),
                "SUMMARY" => hint.summary = Some(unescape(value)),
                "LOCATION" if !value.is_empty() => hint.location = Some(unescape(value)),
                "ORGANIZER" => {
                    let at = value
                        .get(..7)
                        .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
                        .map_or(0, str::len);
                    hint.organizer = Some(value[at..].to_owned());
                }
                "DTSTART" => {
                    hint.start = moment(value);
                    hint.time_zone = params
                        .split(';')
                        .filter_map(|param| param.split_once('='))
                        .find(|(key, _)| key.eq_ignore_ascii_case("TZID"))
                        .map(|(_, zone)| zone.trim_matches('"').to_owned());
                }
                "DTEND" => hint.end = moment(value),
                _ => {}
            }
        }
    }
    seen.then_some(hint)
}

/// Splits at the first colon outside quotes.
fn split_property(line: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let at = line.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b':' && !quoted
    })?;
    Some((&line[..at], &line[at + 1..]))
}

fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .take(MAX_LINES)
    {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(more), Some(last)) => last.push_str(more),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(other) => out.push(other),
                None => {}
            },
            other => out.push(other),
        }
    }
    out
}

/// `20240411T080000Z` to `2024-04-11T08:00:00Z`; `20240411` to `2024-04-11`; anything else to nothing.
fn moment(value: &str) -> Option<String> {
    let (date, time) = value
        .split_once('T')
        .map_or((value, None), |(date, time)| (date, Some(time)));
    let day = chrono::NaiveDate::parse_from_str(date, "%Y%m%d").ok()?;
    let Some(time) = time else {
        return Some(day.to_string());
    };
    let (time, zulu) = time.strip_suffix('Z').map_or((time, ""), |time| (time, "Z"));
    let time = chrono::NaiveTime::parse_from_str(time, "%H%M%S").ok()?;
    Some(format!("{day}T{time}{zulu}"))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_first_event_is_read_and_its_alarm_is_not() {
        let text = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\n\
            END:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:1@x\r\nSUMMARY:Plan\\, then\r\n  lunch\r\nDTSTART;TZID=\"Europe/Berlin\":20240411T110000\r\n\
            DTEND:20240411T100000Z\r\nORGANIZER;CN=\"A: B\":MAILTO:a@x.org\r\nBEGIN:VALARM\r\nSUMMARY:no\r\nEND:VALARM\r\nLOCATION:Room\r\nEND:VEVENT\r\n\
            BEGIN:VEVENT\r\nSUMMARY:second\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
        let hint = read(text).expect("an event");
        assert_eq!(hint.method, "REQUEST");
        assert_eq!(hint.summary.as_deref(), Some("Plan, then lunch"));
        assert_eq!(hint.start.as_deref(), Some("2024-04-11T11:00:00"));
        assert_eq!(hint.time_zone.as_deref(), Some("Europe/Berlin"));
        assert_eq!(hint.end.as_deref(), Some("2024-04-11T10:00:00Z"));
        assert_eq!(hint.organizer.as_deref(), Some("a@x.org"));
        assert_eq!(hint.location.as_deref(), Some("Room"));
        assert_eq!(read("nothing"), None);
    }
}
