//! Deadlines in a sentence, relative to the day it was written: "by Friday", "bis morgen 17 Uhr", "before 2026-02-03".
//! What is ambiguous (`03/04/2026`) is not guessed.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Weekday};

/// A day, and a time of day where one is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) day: NaiveDate,
    pub(super) time: Option<NaiveTime>,
    /// Whether a word such as "by" or "until" stands before it.
    pub(super) marked: bool,
}

impl Due {
    pub(super) fn moment(&self) -> Option<NaiveDateTime> {
        self.time.map(|time| self.day.and_time(time))
    }
}

/// Words that make a date a deadline. Lower case.
const MARKERS: &[&str] = &[
    "by",
    "before",
    "until",
    "till",
    "due",
    "deadline",
    "than",
    "bis",
    "vor",
    "spätestens",
    "frist",
    "avant",
    "d'ici",
    "jusqu'à",
    "antes",
    "hasta",
    "entro",
    "até",
];
const WEEKDAYS: &[(&[&str], Weekday)] = &[
    (&["monday", "montag", "lundi", "lunes"], Weekday::Mon),
    (&["tuesday", "dienstag", "mardi", "martes"], Weekday::Tue),
    (&["wednesday", "mittwoch", "mercredi", "miércoles"], Weekday::Wed),
    (&["thursday", "donnerstag", "jeudi", "jueves"], Weekday::Thu),
    (&["friday", "freitag", "vendredi", "viernes"], Weekday::Fri),
    (&["saturday", "samstag", "samedi", "sábado"], Weekday::Sat),
    (&["sunday", "sonntag", "dimanche", "domingo"], Weekday::Sun),
];
const MONTHS: &[&[&str]] = &[
    &["january", "jan", "januar", "janvier", "enero"],
    &["february", "feb", "februar", "février", "febrero"],
    &["march", "mar", "märz", "mars", "marzo"],
    &["april", "apr", "avril", "abril"],
    &["may", "mai", "mayo"],
    &["june", "jun", "juni", "juin", "junio"],
    &["july", "jul", "juli", "juillet", "julio"],
    &["august", "aug", "août", "agosto"],
    &["september", "sep", "sept", "septembre", "septiembre"],
    &["october", "oct", "oktober", "okt", "octobre", "octubre"],
    &["november", "nov", "novembre", "noviembre"],
    &["december", "dec", "dezember", "dez", "décembre", "diciembre"],
];

/// The first day that the sentence names, read on the day that it was written.
pub(super) fn find(sentence: &str, written: NaiveDate) -> Option<Due> {
    let lower = sentence.to_lowercase();
    let words: Vec<&str> = lower
        .split_whitespace()
        .map(|word| {
            word.trim_matches(|c: char| !c.is_alphanumeric() && c != '.')
                .trim_end_matches('.')
        })
        .take(200)
        .collect();
    for at in 0..words.len() {
        if let Some(day) = day_at(&words, at, written) {
            let marked = words[at.saturating_sub(3)..at]
                .iter()
                .any(|word| MARKERS.contains(word));
            let time = words[at.saturating_sub(4)..words.len().min(at + 5)]
                .windows(2)
                .find_map(time_of)
                .or_else(|| words.last().and_then(|last| clock(last)));
            return Some(Due { day, time, marked });
        }
    }
    None
}

fn day_at(words: &[&str], at: usize, written: NaiveDate) -> Option<NaiveDate> {
    let word = words[at];
    let next = words.get(at + 1).copied().unwrap_or("");
    match word {
        "today" | "tonight" | "eod" | "cob" | "heute" | "aujourd'hui" | "hoy" => return Some(written),
        "tomorrow" | "demain" | "mañana" => return written.checked_add_days(Days::new(1)),
        // "morgen" is also "morning", which German writes with a capital or after "am".
        "morgen" if at == 0 || !matches!(words[at - 1], "am" | "guten" | "jeden") => {
            return written.checked_add_days(Days::new(1));
        }
        "eow" => return following(written, Weekday::Fri),
        "week" if at >= 2 && words[at - 2..at] == ["end", "of"] => return following(written, Weekday::Fri),
        _ => {}
    }
    if let Some((_, weekday)) = WEEKDAYS.iter().find(|(names, _)| names.contains(&word)) {
        return following(written, *weekday);
    }
    if let Ok(day) = NaiveDate::parse_from_str(word, "%Y-%m-%d") {
        return Some(day);
    }
    if word.matches('.').count() >= 1 {
        let mut numbers = word
            .split('.')
            .filter(|number| !number.is_empty())
            .map(str::parse::<u32>);
        if let (Some(Ok(day)), Some(Ok(month))) = (numbers.next(), numbers.next()) {
            return match numbers.next() {
                Some(Ok(year)) if year > 1_000 => {
                    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
                }
                None if word.matches('.').count() == 1 && month >= 1 && day >= 1 && !next.contains("uhr") => {
                    coming(written, month, day)
                }
                _ => None,
            };
        }
    }
    if let Some(month) = MONTHS
        .iter()
        .position(|names| names.contains(&word))
        .map(|place| place as u32 + 1)
    {
        let number = |text: &str| -> Option<u32> {
            let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
            digits.parse().ok().filter(|number| (1..=31).contains(number))
        };
        let before = at.checked_sub(1).and_then(|before| number(words[before]));
        let day = before.or_else(|| number(next))?;
        let year = words[at + 1..].iter().take(2).find_map(|word| {
            word.parse::<i32>()
                .ok()
                .filter(|year| (2000..2200).contains(year))
        });
        return match year {
            Some(year) => NaiveDate::from_ymd_opt(year, month, day),
            None => coming(written, month, day),
        };
    }
    None
}

/// The next such weekday after the day of writing.
fn following(written: NaiveDate, weekday: Weekday) -> Option<NaiveDate> {
    let ahead = (7 + weekday.num_days_from_monday() - written.weekday().num_days_from_monday()) % 7;
    written.checked_add_days(Days::new(u64::from(if ahead == 0 { 7 } else { ahead })))
}

/// That day of this year, or of the next when it lies more than a month back.
fn coming(written: NaiveDate, month: u32, day: u32) -> Option<NaiveDate> {
    let this = NaiveDate::from_ymd_opt(written.year(), month, day);
    match this {
        Some(this) if this.checked_add_days(Days::new(31))? >= written => Some(this),
        _ => NaiveDate::from_ymd_opt(written.year() + 1, month, day),
    }
}

fn time_of(pair: &[&str]) -> Option<NaiveTime> {
    let [first, second] = pair else { return None };
    if matches!(*second, "uhr" | "am" | "pm" | "a.m" | "p.m") {
        let (hour, minute) = first.split_once([':', '.']).unwrap_or((first, "0"));
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        return match *second {
            "uhr" => NaiveTime::from_hms_opt(hour, minute, 0),
            half => twelve(hour, minute, half.starts_with('p')),
        };
    }
    clock(first).or_else(|| clock(second))
}

/// `17:00`, `5pm`, `noon`.
fn clock(word: &str) -> Option<NaiveTime> {
    if matches!(word, "noon" | "midday") {
        return NaiveTime::from_hms_opt(12, 0, 0);
    }
    if let Some((hour, minute)) = word.split_once(':')
        && minute.len() == 2
        && let (Ok(hour), Ok(minute)) = (hour.parse(), minute.parse())
    {
        return NaiveTime::from_hms_opt(hour, minute, 0);
    }
    for (end, afternoon) in [("am", false), ("pm", true)] {
        if let Some(digits) = word.strip_suffix(end)
            && !digits.is_empty()
        {
            let (hour, minute) = digits.split_once(':').unwrap_or((digits, "0"));
            return twelve(hour.parse().ok()?, minute.parse().ok()?, afternoon);
        }
    }
    None
}

fn twelve(hour: u32, minute: u32, afternoon: bool) -> Option<NaiveTime> {
    if !(1..=12).contains(&hour) {
        return None;
    }
    NaiveTime::from_hms_opt(hour % 12 + if afternoon { 12 } else { 0 }, minute, 0)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn days_and_times_of_day() {
        // 2026-01-05 is a Monday.
        let written = "2026-01-05".parse().expect("a day");
        for (sentence, day, time) in [
            ("Please send it by Friday.", "2026-01-09", None),
            ("due Monday", "2026-01-12", None),
            ("by tomorrow at 5 pm please", "2026-01-06", Some("17:00:00")),
            ("bis morgen 17 Uhr", "2026-01-06", Some("17:00:00")),
            ("before 2026-02-03, 09:30", "2026-02-03", Some("09:30:00")),
            ("no later than March 3rd", "2026-03-03", None),
            ("spätestens am 3. März 2027", "2027-03-03", None),
            ("bis 15.01.", "2026-01-15", None),
            ("bis 15.01.2027", "2027-01-15", None),
            ("avant vendredi", "2026-01-09", None),
            ("by EOD", "2026-01-05", None),
            ("by end of week", "2026-01-09", None),
            ("by 2pm on Tuesday", "2026-01-06", Some("14:00:00")),
            ("by November 20", "2026-11-20", None),
        ] {
            let due = find(sentence, written).unwrap_or_else(|| panic!("{sentence}"));
            assert_eq!(
                (
                    due.day.to_string().as_str(),
                    due.time.map(|time| time.to_string()).as_deref()
                ),
                (day, time),
                "{sentence}"
            );
        }
        let late = "2026-12-30".parse().expect("a day");
        assert_eq!(
            find("by January 10", late)
                .map(|due| due.day.to_string())
                .as_deref(),
            Some("2027-01-10")
        );
        for sentence in [
            "03/04/2026 works",
            "version 1.2.3",
            "guten Morgen",
            "no date here",
            "you may go",
            "31.02.",
        ] {
            assert_eq!(find(sentence, written), None, "{sentence}");
        }
    }
}
