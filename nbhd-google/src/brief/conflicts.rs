//! Which timed events overlap: over instants, so that offsets and clock changes do not matter. All-day events and those
//! that leave the time free are no conflict.

use chrono::{DateTime, Utc};

use super::input::{BriefEvent, EventSpan, ResponseStatus};

/// Overlaps that are listed at most; more of them is a calendar that no list helps with.
pub(super) const MAX_OVERLAPS: usize = 100;

/// Two events that overlap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Overlap<'e> {
    /// The one that begins first.
    pub first: &'e BriefEvent,
    /// The other.
    pub second: &'e BriefEvent,
    /// Begin of the overlap.
    pub start: DateTime<Utc>,
    /// Its end.
    pub end: DateTime<Utc>,
}

/// All overlaps in order of time, at most 100.
pub fn overlaps<'e>(events: impl IntoIterator<Item = &'e BriefEvent>) -> Vec<Overlap<'e>> {
    let mut timed: Vec<(DateTime<Utc>, DateTime<Utc>, &BriefEvent)> = events
        .into_iter()
        .filter(|event| blocks(event))
        .filter_map(|event| match event.when {
            EventSpan::Timed { start, end } if start < end => {
                Some((start.with_timezone(&Utc), end.with_timezone(&Utc), event))
            }
            _ => None,
        })
        .collect();
    timed.sort_by(|a, b| (a.0, a.1, &a.2.id).cmp(&(b.0, b.1, &b.2.id)));
    let mut found = Vec::new();
    let mut open: Vec<(DateTime<Utc>, &BriefEvent)> = Vec::new();
    for (start, end, event) in timed {
        open.retain(|(until, _)| *until > start);
        for (until, earlier) in &open {
            if earlier.id == event.id {
                continue;
            }
            if found.len() == MAX_OVERLAPS {
                return found;
            }
            found.push(Overlap {
                first: earlier,
                second: event,
                start,
                end: end.min(*until),
            });
        }
        open.push((end, event));
    }
    found
}

/// Whether an event takes the user's time.
pub(super) fn blocks(event: &BriefEvent) -> bool {
    !event.transparent && !event.cancelled && event.response != ResponseStatus::Declined
}

#[cfg(test)]
mod tests {
    use super::overlaps;
    use crate::brief::{BriefEvent, EventSpan, ResponseStatus};

    fn event(id: &str, start: &str, end: &str) -> BriefEvent {
        BriefEvent::new(
            id,
            id,
            EventSpan::Timed {
                start: start.parse().expect("a time"),
                end: end.parse().expect("a time"),
            },
        )
    }

    #[test]
    fn instants_decide_not_wall_clocks() {
        // On 25 October 2026 Berlin's 02:30 comes twice: an hour apart, so these two do not meet.
        let first = event("a", "2026-10-25T02:15:00+02:00", "2026-10-25T02:45:00+02:00");
        let second = event("b", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00");
        assert!(overlaps([&first, &second]).is_empty());
        // 09:00 in New York is 15:00 in Berlin.
        let third = event("c", "2026-01-05T09:00:00-05:00", "2026-01-05T10:00:00-05:00");
        let fourth = event("d", "2026-01-05T15:30:00+01:00", "2026-01-05T15:45:00+01:00");
        let found = overlaps([&fourth, &third]);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (
                found[0].first.id.as_str(),
                (found[0].end - found[0].start).num_minutes()
            ),
            ("c", 15)
        );
    }

    #[test]
    fn touching_free_declined_and_all_day_do_not_count() {
        let base = event("a", "2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z");
        let after = event("b", "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z");
        let free = event("c", "2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z").with_transparent(true);
        let declined = event("d", "2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z")
            .with_response(ResponseStatus::Declined);
        let day = EventSpan::AllDay {
            start: "2026-01-05".parse().expect("a day"),
            end: "2026-01-06".parse().expect("a day"),
        };
        let day = BriefEvent::new("e", "e", day);
        assert!(overlaps([&base, &after, &free, &declined, &day]).is_empty());
    }

    #[test]
    fn a_hostile_calendar_ends_at_the_limit() {
        let many: Vec<_> = (0..5_000)
            .map(|at| event(&at.to_string(), "2026-01-05T09:00:00Z", "2026-01-05T10:00:00Z"))
            .collect();
        assert_eq!(overlaps(&many).len(), super::MAX_OVERLAPS);
    }
}
