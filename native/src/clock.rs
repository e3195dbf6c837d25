//! Civil time: what stands in a log, as microseconds since 1970, and back as ISO text.
//!
//! Source: the proleptic Gregorian calendar of ISO 8601; days are counted from 1 March, so that a leap day is the
//! last of its year.

pub const SECOND_US: i64 = 1_000_000;
pub const DAY_US: i64 = 86_400 * SECOND_US;

/// Days from 1970-01-01 to a date.
pub fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a count of days from 1970-01-01.
pub fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month.
pub fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The number that decimal digits state, or None where one is no digit.
pub fn number(digits: &[u8]) -> Option<i64> {
    let mut value = 0i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(value)
}

/// Microseconds of `YYYY?MM?DD` at midnight; None where there is no such day in the years 1971 to 9998.
pub fn date_us(text: &[u8]) -> Option<i64> {
    let (year, month, day) = (
        number(&text[..4])?,
        number(&text[5..7])?,
        number(&text[8..10])?,
    );
    if !(1971..=9998).contains(&year)
        || !(1..=12).contains(&month)
        || day < 1
        || day > days_in(year, month)
    {
        return None;
    }
    Some(days_of(year, month, day) * DAY_US)
}

/// Microseconds of `hh:mm:ss` within its day; None for anything else, a leap second too.
pub fn clock_us(text: &[u8]) -> Option<i64> {
    if text[2] != b':' || text[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (
        number(&text[..2])?,
        number(&text[3..5])?,
        number(&text[6..8])?,
    );
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((hour * 3600 + minute * 60 + second) * SECOND_US)
}

/// The month that three letters name, or 0.
pub fn month_named(name: &[u8]) -> i64 {
    const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    NAMES
        .chunks_exact(3)
        .position(|known| known == name)
        .map_or(0, |at| at as i64 + 1)
}

fn two(out: &mut Vec<u8>, value: i64) {
    out.push(b'0' + (value / 10) as u8);
    out.push(b'0' + (value % 10) as u8);
}

/// Append e.g. `2026-11-22T06:14:04.325038Z`, as `contract.timestamps.iso`; false outside the years 1971 to 9998.
pub fn push_iso(out: &mut Vec<u8>, time_us: i64) -> bool {
    let (year, month, day) = date_of(time_us.div_euclid(DAY_US));
    if !(1971..=9998).contains(&year) {
        return false;
    }
    let of_day = time_us.rem_euclid(DAY_US);
    two(out, year / 100);
    two(out, year % 100);
    out.push(b'-');
    two(out, month);
    out.push(b'-');
    two(out, day);
    out.push(b'T');
    let seconds = of_day / SECOND_US;
    two(out, seconds / 3600);
    out.push(b':');
    two(out, seconds / 60 % 60);
    out.push(b':');
    two(out, seconds % 60);
    out.push(b'.');
    let micros = of_day % SECOND_US;
    two(out, micros / 10_000);
    two(out, micros / 100 % 100);
    two(out, micros % 100);
    out.push(b'Z');
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for days in -200_000..200_000 {
            let (year, month, day) = date_of(days);
            assert_eq!(days_of(year, month, day), days);
        }
    }

    #[test]
    fn iso_text_is_as_expected() {
        let mut out = Vec::new();
        assert!(push_iso(&mut out, 1_795_328_044_325_038));
        assert_eq!(out, b"2026-11-22T06:14:04.325038Z");
    }

    #[test]
    fn a_day_that_does_not_exist_is_none() {
        assert_eq!(date_us(b"2026-02-29"), None);
        assert!(date_us(b"2028-02-29").is_some());
    }
}
