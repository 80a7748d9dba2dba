//! Times as a person reads them: the ISO 8601 times of a brief are in the user's zone already, so their offset says nothing more.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// `Mon 16 Nov 09:12`, or `Mon 16 Nov` for a date. What is neither is given back as it is.
pub(super) fn spoken(text: &str) -> String {
    match time(text) {
        Some(time) => time.format("%a %-d %b %H:%M").to_string(),
        None => day(text),
    }
}

/// The day of a date or time: `Mon 16 Nov`. What is neither is given back as it is.
pub(super) fn day(text: &str) -> String {
    let date = time(text)
        .map(|time| time.date())
        .or_else(|| text.parse::<NaiveDate>().ok());
    date.map_or_else(|| text.to_owned(), |date| date.format("%a %-d %b").to_string())
}

/// A sentence with its dates and times spoken. A model wrote it, or [`build`](super::build).
pub(super) fn spoken_words(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let end = word.trim_end_matches(['.', ',', ';', ':', ')', '!', '?']);
        // A time in UTC is not the user's: it stays what it is.
        if end.len() < 10 || end.ends_with('Z') {
            return word.to_owned();
        }
        format!("{}{}", spoken(end), &word[end.len()..])
    });
    words.collect::<Vec<_>>().join(" ")
}

fn time(text: &str) -> Option<NaiveDateTime> {
    let zoned = DateTime::parse_from_rfc3339(text).map(|time| time.naive_local());
    zoned.or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::{day, spoken, spoken_words};

    #[test]
    fn times_are_read_as_a_person_reads_them() {
        // Days of the week: a calendar of 2026.
        for (text, shown) in [
            ("2026-11-16T09:12:00+01:00", "Mon 16 Nov 09:12"),
            ("2026-11-16T09:12:00", "Mon 16 Nov 09:12"),
            ("2026-01-06", "Tue 6 Jan"),
            ("soon", "soon"),
            ("", ""),
        ] {
            assert_eq!(spoken(text), shown);
        }
        assert_eq!(day("2026-11-16T09:12:00+01:00"), "Mon 16 Nov");
        assert_eq!(
            spoken_words("asks for something by 2026-11-16T09:12:00+01:00, or on 2026-11-17."),
            "asks for something by Mon 16 Nov 09:12, or on Tue 17 Nov."
        );
        assert_eq!(
            spoken_words("written 2026-11-16T09:12:00Z (room 2026-11)"),
            "written 2026-11-16T09:12:00Z (room 2026-11)"
        );
    }
}
