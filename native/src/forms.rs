//! Values that their form alone tells: addresses, MACs, times, hexadecimal words.

use std::net::Ipv6Addr;

use crate::clock;
use crate::scan::{ends, is_word, kind, Hole, Scan};

impl Scan {
    pub fn push(&mut self, kind: u8, start: usize, end: usize, value: i64) -> Option<usize> {
        self.holes.push(Hole {
            kind,
            start,
            end,
            value,
        });
        Some(end)
    }

    /// Recognize what its form alone tells, where a word begins.
    pub fn lexical(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let c = raw[at];
        let follow = |offset: usize| raw.get(at + offset).copied().unwrap_or(0);
        if c.is_ascii_digit() {
            if c == b'0' && follow(1) == b'x' {
                let end = at + 10;
                let is_hex = end <= raw.len()
                    && raw[at + 2..end]
                        .iter()
                        .all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f'));
                return if is_hex && ends(raw, end) {
                    self.hexadecimal(raw, at, end)
                } else {
                    None
                };
            }
            if follow(1) == b'.' || follow(2) == b'.' || follow(3) == b'.' {
                return self.ip4(raw, at);
            }
            if matches!(follow(4), b'-' | b'/') && matches!(follow(7), b'-' | b'/') {
                return self.stamp(raw, at);
            }
            if follow(2) == b'/' && follow(6) == b'/' && follow(11) == b':' {
                return self.named(raw, at, [0, 3, 7, 12]);
            }
            if follow(4) == b':' && follow(7) == b':' && follow(10) == b'-' {
                return self.stamp(raw, at);
            }
            if [4, 8, 11].iter().all(|part| follow(*part) == b' ') {
                return self.named(raw, at, [9, 5, 0, 12]);
            }
            if follow(2) == b'/' && follow(5) == b'/' && follow(10) == b'-' {
                return self.named(raw, at, [3, 0, 6, 11]);
            }
            if follow(2) == b'/' && follow(5) == b'/' && follow(8) == b'-' {
                return self.short_year(raw, at);
            }
            if follow(2) == b'/' && follow(5) == b'-' && (at == 0 || raw[at - 1] != b'/') {
                return self.numbered(raw, at);
            }
        } else if c == b'.' && follow(4) == b' ' {
            return self.bsd(raw, at + 1); // a clock that Cisco's devices do not trust
        } else if c.is_ascii_uppercase() && follow(3) == b' ' {
            if follow(9) == b':' {
                return self.bsd(raw, at);
            }
            if follow(6) == b' ' && follow(11) == b' ' {
                return self.named(raw, at, [4, 0, 7, 12]);
            }
        }
        if c == b'S' && follow(1) == b'-' {
            return self.sid(raw, at);
        }
        if c.is_ascii_hexdigit() {
            if is_word(raw, at + 31) {
                if let Some(end) = self.digest(raw, at) {
                    return Some(end);
                }
            }
            if follow(2) == b':' && follow(5) == b':' && !c.is_ascii_uppercase() {
                return self.mac(raw, at).or_else(|| self.ip6(raw, at));
            }
            if (1..=4).any(|offset| follow(offset) == b':') {
                return self.ip6(raw, at);
            }
        }
        None
    }

    fn ip4(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let mut end = at;
        let mut value = 0i64;
        for part in 0..4 {
            let start = end;
            let mut octet = 0i64;
            while end < raw.len() && raw[end].is_ascii_digit() && end - start < 3 {
                octet = octet * 10 + i64::from(raw[end] - b'0');
                end += 1;
            }
            if end == start || octet > 255 || (raw[start] == b'0' && end - start > 1) {
                return None;
            }
            value = value << 8 | octet;
            if part < 3 {
                if raw.get(end) != Some(&b'.') {
                    return None;
                }
                end += 1;
            }
        }
        // 0.0.0.0 says "none" to many products.
        if value == 0 || !(ends(raw, end) || port_follows(raw, end)) {
            return None;
        }
        self.push(kind::IP4, at, end, value)
    }

    fn ip6(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let mut end = at;
        while end < raw.len() && end - at < 40 && (raw[end].is_ascii_hexdigit() || raw[end] == b':')
        {
            end += 1;
        }
        if raw[end - 1] == b':' && raw.get(end.wrapping_sub(2)) != Some(&b':') {
            end -= 1; // "2001:db8::1: text"
        }
        if !ends(raw, end) || raw.get(end) == Some(&b'%') {
            return None;
        }
        // Certificates' serial numbers and hardware addresses are pairs of digits throughout.
        let is_pairs = raw[at..end]
            .split(|c| *c == b':')
            .all(|part| part.len() == 2);
        if is_pairs || (at > 0 && raw[at - 1] == b':') {
            return None;
        }
        let text = std::str::from_utf8(&raw[at..end]).ok()?;
        let address: Ipv6Addr = text.parse().ok()?;
        let parts = address.segments();
        let zeros = parts.iter().take_while(|part| **part == 0).count();
        if (5..7).contains(&zeros) || zeros == 8 {
            return None; // those that embed IPv4 have forms of their own, and `::` says "none"
        }
        let canonical = address.to_string();
        self.push(kind::IP6, at, end, i64::from(canonical == text))
    }

    fn mac(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        // The middle of a longer row of octets is none; of zeros alone it says "nobody", as `::` does.
        let is_inner = at > 1 && raw[at - 1] == b':' && raw[at - 2].is_ascii_hexdigit();
        if !is_mac(raw, at) || is_inner || raw[at..at + 17] == *NOBODY {
            return None;
        }
        let end = at + 17;
        if raw.get(end) == Some(&b':') && is_mac(raw, end + 1) {
            if raw[end + 1..].starts_with(NOBODY) {
                return None;
            }
            // Linux writes an Ethernet header as destination, source and two octets of type.
            let rest = end + 18;
            let is_header = raw.len() >= rest + 6
                && raw[rest] == b':'
                && raw[rest + 3] == b':'
                && ends(raw, rest + 6);
            if !is_header || raw.get(rest + 6) == Some(&b':') {
                return None;
            }
            self.push(kind::MAC, at, end, 0);
            return self.push(kind::MAC, end + 1, rest, 0);
        }
        if !ends(raw, end) || raw.get(end) == Some(&b':') {
            return None;
        }
        self.push(kind::MAC, at, end, 0)
    }

    fn stamp(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        if raw.len() < at + 19 || !matches!(raw[at + 10], b'T' | b' ' | b'-') {
            return None;
        }
        let value = clock::date_us(&raw[at..at + 10])? + clock::clock_us(&raw[at + 11..at + 19])?;
        self.with_decimals(raw, at, kind::STAMP, at + 19, value)
    }

    /// `Jan 02 2026 03:04:05`, `2026 Jan 02 …`, `02/Jan/2026:…`, `01/02/2026-…`, and C's `Jan  2 03:04:05 2026`; `parts` are where
    /// day, month, year and clock stand.
    fn named(&mut self, raw: &[u8], at: usize, parts: [usize; 4]) -> Option<usize> {
        let [day, month, year, time] = parts.map(|part| at + part);
        let end = (time + 8).max(year + 4);
        if raw.len() < end {
            return None;
        }
        // In the one place in which no digit of the day may stand, a blank may.
        let padded = if raw[day] == b' ' && day > at {
            day + 1
        } else {
            day
        };
        let month = match clock::month_named(&raw[month..month + 3]) {
            0 => [raw[month], raw[month + 1]],
            number => [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8],
        };
        let mut date = *b"0000-00-00";
        date[..4].copy_from_slice(&raw[year..year + 4]);
        date[5..7].copy_from_slice(&month);
        date[8 + padded - day..].copy_from_slice(&raw[padded..day + 2]);
        let value = clock::date_us(&date)? + clock::clock_us(&raw[time..time + 8])?;
        if year > time {
            return self.push(kind::NAMED, at, end, value);
        }
        self.with_decimals(raw, at, kind::NAMED, end, value)
    }

    /// `26/01/02-03:04:05` or `01/02/26-03:04:05`, as Snort writes it: the first is the year where it is no month.
    fn short_year(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        if raw.len() < at + 17 {
            return None;
        }
        let [year, month, day] = if &raw[at..at + 2] > b"12" {
            [0, 3, 6]
        } else {
            [6, 0, 3]
        };
        let mut date = *b"2000-00-00";
        for (to, from) in [(2, year), (5, month), (8, day)] {
            date[to..to + 2].copy_from_slice(&raw[at + from..at + from + 2]);
        }
        let value = clock::date_us(&date)? + clock::clock_us(&raw[at + 9..at + 17])?;
        self.with_decimals(raw, at, kind::NAMED, at + 17, value)
    }

    /// Take the decimals of a second along that may stand behind it.
    fn with_decimals(
        &mut self,
        raw: &[u8],
        at: usize,
        kind: u8,
        end: usize,
        mut value: i64,
    ) -> Option<usize> {
        let mut end = end;
        if raw.get(end) == Some(&b'.') {
            let start = end + 1;
            end = start;
            while end < raw.len() && raw[end].is_ascii_digit() {
                end += 1;
            }
            if end == start || end - start > 9 {
                return None;
            }
            let kept = clock::number(&raw[start..end.min(start + 6)])?;
            value += kept * 10i64.pow(6 - (end - start).min(6) as u32);
        }
        // Half a day hangs on what may follow.
        let half = raw
            .get(end..end + 3)
            .map(|rest| [rest[0], rest[1] | 32, rest[2] | 32]);
        if raw.get(end).is_some_and(u8::is_ascii_digit)
            || matches!(half, Some([b' ', b'a' | b'p', b'm']))
        {
            return None;
        }
        self.push(kind, at, end, value)
    }

    fn bsd(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let end = at + 15;
        if raw.len() <= end || raw[at + 6] != b' ' || raw[end] == b',' {
            return None;
        }
        let month = clock::month_named(&raw[at..at + 3]);
        let day = match raw[at + 4] {
            b' ' => clock::number(&raw[at + 5..at + 6])?,
            _ => clock::number(&raw[at + 4..at + 6])?,
        };
        // A leap day needs a year of its own; the slow path knows.
        let is_day = month > 0 && day > 0 && day <= clock::days_in(2001, month);
        // A year may follow, which makes it another form.
        let digits = raw.get(end + 1..end + 5).unwrap_or(&[]);
        let has_year = raw[end] == b' '
            && digits.len() == 4
            && digits.iter().all(u8::is_ascii_digit)
            && ends(raw, end + 5);
        if has_year {
            return self.named(raw, at, [4, 0, 16, 7]);
        }
        if !is_day {
            return None;
        }
        let of_day = clock::clock_us(&raw[at + 7..end])?;
        self.of_year(raw, at, end, (month * 32 + day) * clock::DAY_US + of_day)
    }

    /// `01/02-03:04:05`, as Snort writes it.
    fn numbered(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let end = at + 14;
        if raw.len() <= end {
            return None;
        }
        let (month, day) = (
            clock::number(&raw[at..at + 2])?,
            clock::number(&raw[at + 3..at + 5])?,
        );
        let is_day = (1..=12).contains(&month) && day > 0 && day <= clock::days_in(2001, month);
        let of_day = clock::clock_us(&raw[at + 6..end])?;
        if !is_day {
            return None;
        }
        self.of_year(raw, at, end, (month * 32 + day) * clock::DAY_US + of_day)
    }

    /// A time without year, which stands as a word of its own.
    fn of_year(&mut self, raw: &[u8], at: usize, end: usize, value: i64) -> Option<usize> {
        let end = self.with_decimals(raw, at, kind::BSD, end, value)?;
        if is_word(raw, end) {
            self.holes.pop();
            return None;
        }
        Some(end)
    }

    /// A hexadecimal number of at most 60 bits behind `0x`; zero says "none".
    pub fn hexadecimal(&mut self, raw: &[u8], at: usize, end: usize) -> Option<usize> {
        let digits = std::str::from_utf8(raw.get(at + 2..end)?).ok()?;
        let value = i64::from_str_radix(digits, 16).ok()?;
        if value > 0 && digits.len() <= MAX_HEX {
            self.push(kind::HEX, at, end, value)
        } else {
            None
        }
    }

    /// A security identifier of an account of some domain; those that Windows knows everywhere mean something.
    fn sid(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let mut end = at + ISSUED.len();
        if !raw[at..].starts_with(ISSUED) {
            return None;
        }
        while end < raw.len() && (raw[end].is_ascii_digit() || raw[end] == b'-') {
            end += 1;
        }
        let is_plain = end - at <= MAX_SID && raw[end - 1] != b'-' && !is_word(raw, end);
        if is_plain {
            self.push(kind::SID, at, end, 0)
        } else {
            None
        }
    }

    /// A digest or UUID, with a digit and letters of one case only; the value tells which.
    fn digest(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let mut end = at;
        let (mut digits, mut lower, mut upper, mut dashes) = (0, 0, 0, 0);
        while is_word(raw, end) && end - at <= MAX_DIGEST {
            match raw[end] {
                b'0'..=b'9' => digits += 1,
                b'a'..=b'f' => lower += 1,
                b'A'..=b'F' => upper += 1,
                b'-' if matches!(end - at, 8 | 13 | 18 | 23) => dashes += 1,
                _ => return None,
            }
            end += 1;
        }
        let is_form = match dashes {
            0 => matches!(end - at, 32 | 40 | 56 | 64 | 96 | 128),
            4 => end - at == 36,
            _ => false,
        };
        // Windows' numbers of processes begin with zeros where there is none.
        let says_none = dashes > 0 && raw[at..].starts_with(b"00000000-");
        if !is_form || says_none || digits == 0 || (lower == 0) == (upper == 0) {
            return None;
        }
        self.push(kind::DIGEST, at, end, i64::from(upper > 0))
    }
}

/// Which of the forms of times with named months, or without year, a text has.
pub fn form_of(text: &[u8]) -> u8 {
    if text[0].is_ascii_digit() && text[2] == b'/' {
        return match (text[3].is_ascii_digit(), text[8] == b'-') {
            (false, _) => b'/',
            (true, false) => b'-',
            (true, true) => b'1' + u8::from(&text[..2] > b"12"),
        };
    }
    let is_year_first = text[0].is_ascii_digit();
    // A blank or a digit may stand before the day.
    let day = text[if is_year_first { 9 } else { 4 }];
    let is_year_last = text.get(15) == Some(&b' ');
    u8::from(is_year_last) << 2 | u8::from(is_year_first) << 1 | u8::from(day == b' ')
}

/// Whether a port stands behind an address like a fifth number.
fn port_follows(raw: &[u8], at: usize) -> bool {
    let digits = raw.get(at + 1..).map_or(0, |rest| {
        rest.iter().take_while(|c| c.is_ascii_digit()).count()
    });
    raw.get(at) == Some(&b'.') && (1..=5).contains(&digits) && ends(raw, at + 1 + digits)
}

/// Hexadecimal digits of a number of 60 bits.
const MAX_HEX: usize = 15;
/// What identifiers begin with that a domain or a machine gave out.
const ISSUED: &[u8] = b"S-1-5-21-";
/// Bytes of the longest of them: fifteen numbers of 32 bits.
const MAX_SID: usize = 184;
/// Digits of the longest digest.
const MAX_DIGEST: usize = 128;
const NOBODY: &[u8; 17] = b"00:00:00:00:00:00";

fn is_mac(raw: &[u8], at: usize) -> bool {
    raw.len() >= at + 17
        && raw[at..at + 17]
            .iter()
            .enumerate()
            .all(|(place, c)| match place % 3 {
                2 => *c == b':',
                _ => matches!(c, b'0'..=b'9' | b'a'..=b'f'),
            })
}
