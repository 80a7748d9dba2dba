//! Where a local day begins and ends.

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::{GapInfo, Tz};

use crate::{Code, Error, Result};

/// The release of the IANA time zone database that is compiled in, such as `2025b`. Rules that were made later are not known here:
/// where another party gave an offset with a time, that offset is right.
pub const TIME_ZONE_VERSION: &str = chrono_tz::IANA_TZDB_VERSION;

/// The IANA zone of this name. Unknown names are `invalid_input`.
pub fn zone(name: &str) -> Result<Tz> {
    name.parse().map_err(|_| {
        Error::new(
            Code::InvalidInput,
            format!("{name:?} is not the name of a time zone, such as Europe/Berlin"),
        )
    })
}

/// The first instant of a local day: midnight, the earlier one where it is there twice, or where the clocks skip it the instant after
/// the gap. For a day that was skipped as a whole, that is the first instant of the next.
pub fn first_instant(day: NaiveDate, zone: Tz) -> Result<DateTime<FixedOffset>> {
    let midnight = day.and_time(NaiveTime::MIN);
    let instant = match zone.from_local_datetime(&midnight) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => instant,
        LocalResult::None => after_gap(midnight, zone)?,
    };
    Ok(fixed(&instant))
}

const LAST_SECOND: NaiveTime = NaiveTime::from_hms_opt(23, 59, 59).expect("it is a time of day");

/// The last second of a local day: 23:59:59, the later one where it is there twice, or where the clocks skip it the second before
/// the gap. For a day that was skipped as a whole, that is the last second of the one before.
pub fn last_second(day: NaiveDate, zone: Tz) -> Result<DateTime<FixedOffset>> {
    let local = day.and_time(LAST_SECOND);
    let instant = match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(_, instant) => instant,
        LocalResult::None => after_gap(local, zone)? - chrono::Duration::seconds(1),
    };
    Ok(fixed(&instant))
}

/// Whether the zone had the day at all.
pub(super) fn exists(day: NaiveDate, zone: Tz) -> Result<bool> {
    Ok(first_instant(day, zone)? <= last_second(day, zone)?)
}

/// The first instant after the gap that `local` lies in.
fn after_gap(local: NaiveDateTime, zone: Tz) -> Result<DateTime<Tz>> {
    GapInfo::new(&local, &zone)
        .and_then(|gap| gap.end)
        .ok_or_else(|| Error::new(Code::InvalidInput, format!("{local} does not exist in {zone}")))
}

/// The instant with its offset. RFC 3339 has offsets of whole minutes only: the instant of an older one with seconds (Monrovia until
/// 1972) is told with the whole minute below.
fn fixed(instant: &DateTime<Tz>) -> DateTime<FixedOffset> {
    let offset = instant.offset().fix();
    let seconds = offset.local_minus_utc();
    if seconds % 60 == 0 {
        return instant.fixed_offset();
    }
    let whole = FixedOffset::east_opt(seconds.div_euclid(60) * 60).unwrap_or(offset);
    instant.with_timezone(&whole)
}
