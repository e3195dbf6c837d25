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
                    self.push(kind::HEX, at, end, 0)
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
        } else if c.is_ascii_uppercase() && follow(3) == b' ' && follow(9) == b':' {
            return self.bsd(raw, at);
        }
        if c.is_ascii_hexdigit() {
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
        if value == 0 || !ends(raw, end) {
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
        if raw.len() < at + 19 || !matches!(raw[at + 10], b'T' | b' ') {
            return None;
        }
        let mut value =
            clock::date_us(&raw[at..at + 10])? + clock::clock_us(&raw[at + 11..at + 19])?;
        let mut end = at + 19;
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
        if raw.get(end).is_some_and(u8::is_ascii_digit) {
            return None;
        }
        self.push(kind::STAMP, at, end, value)
    }

    fn bsd(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let end = at + 15;
        if raw.len() <= end
            || raw[at + 6] != b' '
            || matches!(raw[end], b'.' | b',')
            || is_word(raw, end)
        {
            return None;
        }
        let month = clock::month_named(&raw[at..at + 3]);
        let day = match raw[at + 4] {
            b' ' => clock::number(&raw[at + 5..at + 6])?,
            _ => clock::number(&raw[at + 4..at + 6])?,
        };
        // A leap day needs a year of its own; the slow path knows.
        let is_day = month > 0 && day > 0 && day <= clock::days_in(2001, month);
        // A year may follow ("Jan  2 03:04:05 2026"), which makes it another form.
        let has_year = raw.get(end + 1..end + 6).is_some_and(|rest| {
            raw[end] == b' ' && rest[..4].iter().all(u8::is_ascii_digit) && !is_word(rest, 4)
        });
        if !is_day || has_year {
            return None;
        }
        let of_day = clock::clock_us(&raw[at + 7..end])?;
        self.push(
            kind::BSD,
            at,
            end,
            (month * 32 + day) * clock::DAY_US + of_day,
        )
    }
}

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
