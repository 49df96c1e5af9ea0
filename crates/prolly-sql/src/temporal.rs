//! Dates and times as integers that order as they do, shared by the encodings of keys and of rows.
//!
//! **Invariant:** each function and its reverse are inverse on everything that chrono can represent, leap seconds included.

use gluesql_core::chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

/// 1970-01-01 as a day of the common era.
const EPOCH_DAY: i32 = 719_163;

/// Ticks of a second: its nanoseconds, and those of a leap second that follows it.
const SECOND_TICKS: u64 = 2_000_000_000;

/// The number of days since 1970-01-01.
pub(crate) fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH_DAY
}

/// The date this number of days after 1970-01-01; `None` when chrono has no such date.
pub(crate) fn date(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH_DAY)?)
}

/// The ticks since midnight; below 2^48.
pub(crate) fn ticks(time: NaiveTime) -> u64 {
    u64::from(time.num_seconds_from_midnight()) * SECOND_TICKS + u64::from(time.nanosecond())
}

/// The time this number of ticks after midnight; `None` when there is no such time.
pub(crate) fn time(ticks: u64) -> Option<NaiveTime> {
    let seconds = u32::try_from(ticks / SECOND_TICKS).ok()?;
    let nanoseconds = u32::try_from(ticks % SECOND_TICKS).ok()?;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanoseconds)?;
    // A leap second only follows the last second of a minute; chrono makes no other.
    (self::ticks(time) == ticks).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_come_back() {
        for day in [i32::MIN, -100_000_000, -1, 0, 1, 20_000, 100_000_000, i32::MAX] {
            if let Some(date) = date(day) {
                assert_eq!(days(date), day);
            }
        }
        assert_eq!(date(0), NaiveDate::from_ymd_opt(1970, 1, 1));
        assert_eq!((date(i32::MAX), date(i32::MIN)), (None, None));
        for end in [NaiveDate::MIN, NaiveDate::MAX] {
            assert_eq!(date(days(end)), Some(end));
        }
        let leap = NaiveTime::from_hms_nano_opt(23, 59, 59, 1_999_999_999).unwrap();
        for time in [NaiveTime::MIN, leap, NaiveTime::from_hms_nano_opt(1, 2, 3, 4).unwrap()] {
            assert_eq!(self::time(ticks(time)), Some(time));
        }
        assert_eq!(time(ticks(leap) + 1), None);
        assert_eq!(time(SECOND_TICKS - 1), None);
    }
}
