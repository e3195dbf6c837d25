//! Templates: the event that lines of one skeleton become, as text with operations on the line's holes between.
//!
//! Made by `ingest.learn` from what the adapter itself answered; nothing here knows a product.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::clock::{self, DAY_US};
use crate::digest;
use crate::scan::{kind, Hole};
use crate::site::Site;
use crate::spec::Offset;
use crate::strings;

const NONE: u16 = u16::MAX;
/// Of a time's offset: that of the source's zone.
const LOCAL: i64 = i64::MIN;
/// Times without a year are only read where no rule about years can matter.
const MAX_BEFORE_US: i64 = 300 * DAY_US;
const MAX_AFTER_US: i64 = DAY_US / 2;

/// One operation; `a` to `d` are numbers of holes.
struct Op {
    code: u8,
    a: u16,
    b: u16,
    c: u16,
    d: u16,
    x: i64,
    literal: Vec<u8>,
}

/// A template.
pub struct Plan {
    ops: Vec<Op>,
    /// The operation that writes `@timestamp`.
    time: Option<usize>,
    /// The event's time where it does not vary.
    fixed_us: i64,
}

/// What a line gives beside its holes.
pub struct Line<'a> {
    pub raw: &'a [u8],
    pub holes: &'a [Hole],
    pub received_us: i64,
    pub name: &'a [u8],
    pub offsets: &'a [Offset],
    pub site: &'a Site,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        if self.0.len() < count {
            return None;
        }
        let (head, tail) = self.0.split_at(count);
        self.0 = tail;
        Some(head)
    }
    fn short(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }
    fn long(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

impl Plan {
    /// Read a template as `ingest.learn` writes it; None where it is malformed or speaks of holes that are not there.
    pub fn parse(text: &[u8], holes: &[Hole]) -> Option<Plan> {
        let mut reader = Reader(text);
        let time = reader.short()?;
        let fixed_us = reader.long()?;
        let mut ops = Vec::new();
        while !reader.0.is_empty() {
            let code = reader.take(1)?[0];
            let (a, b, c, d) = (
                reader.short()?,
                reader.short()?,
                reader.short()?,
                reader.short()?,
            );
            let x = reader.long()?;
            let length = reader.short()? as usize | (reader.short()? as usize) << 16;
            let literal = reader.take(length)?.to_vec();
            if [a, b, c, d]
                .iter()
                .any(|hole| *hole != NONE && *hole as usize >= holes.len())
            {
                return None;
            }
            ops.push(Op {
                code,
                a,
                b,
                c,
                d,
                x,
                literal,
            });
        }
        let time = if time == NONE {
            None
        } else {
            Some(time as usize)
        };
        if time.is_some_and(|at| at >= ops.len()) {
            return None;
        }
        Some(Plan {
            ops,
            time,
            fixed_us,
        })
    }

    /// Append the event's JSON to `out` and its id, as hexadecimal, to `id`; the event's time, or None where a value is beyond what templates do.
    pub fn fill(
        &self,
        line: &Line,
        out: &mut Vec<u8>,
        id: &mut Vec<u8>,
        missing: &mut Vec<u8>,
    ) -> Option<i64> {
        let mut time_us = self.fixed_us;
        digest::push_hex(
            id,
            &digest::blake2b(b"event\0\0\0\0\0\0\0\0\0\0\0", line.raw, line.name),
        );
        for (number, op) in self.ops.iter().enumerate() {
            let text = |hole: u16| -> Option<&[u8]> {
                let hole = line.holes.get(hole as usize)?;
                Some(&line.raw[hole.start..hole.end])
            };
            let value =
                |hole: u16| -> Option<i64> { line.holes.get(hole as usize).map(|hole| hole.value) };
            match op.code {
                b'L' => out.extend_from_slice(&op.literal),
                b'R' => out.extend_from_slice(text(op.a)?),
                b'l' => out.extend(text(op.a)?.iter().map(u8::to_ascii_lowercase)),
                b'M' => out.extend(text(op.a)?.iter().map(|c| {
                    if *c == b':' {
                        b'-'
                    } else {
                        c.to_ascii_uppercase()
                    }
                })),
                b'6' => {
                    let address: Ipv6Addr = std::str::from_utf8(text(op.a)?).ok()?.parse().ok()?;
                    out.extend_from_slice(address.to_string().as_bytes());
                }
                b'x' => push_number(out, value(op.a)?),
                b'Q' => strings::push_raw(out, text(op.a)?),
                b'U' => strings::push_plainly(out, text(op.a)?),
                b'J' => strings::push_string(out, text(op.a)?),
                b'h' => {
                    let label = text(op.a)?.split(|c| *c == b'.').next();
                    out.extend_from_slice(label?);
                }
                b'+' => push_number(out, value(op.a)?.checked_add(value(op.b)?)?),
                b'*' => {
                    // Readers that multiply as floating point numbers are exact up to here.
                    let factor = value(op.a)?;
                    if factor >= 1 << 32 {
                        return None;
                    }
                    push_number(out, factor.checked_mul(op.x)?);
                }
                b'-' => {
                    // The difference of two times, in nanoseconds; a negative one has another meaning.
                    let spent = value(op.a)? - value(op.b)?;
                    if spent < 0 {
                        return None;
                    }
                    push_number(out, spent.checked_mul(1000)?);
                }
                b't' => {
                    let at = moment(op, line)?;
                    if Some(number) == self.time {
                        time_us = at;
                    }
                    if !clock::push_iso(out, at) {
                        return None;
                    }
                }
                b'r' => {
                    if Some(number) == self.time {
                        time_us = line.received_us;
                    }
                    if !clock::push_iso(out, line.received_us) {
                        return None;
                    }
                }
                b'I' => out.extend_from_slice(id),
                b'c' => community(op, line, out)?,
                b'e' => line.site.add(ends(op, line)?, op.x != 0, out, missing)?,
                _ => return None,
            }
        }
        Some(time_us)
    }
}

/// Source, destination and host, of which the site may know more; empty where the event has none.
fn ends(op: &Op, line: &Line) -> Option<[Vec<u8>; 3]> {
    let mut literal = Reader(&op.literal);
    let mut found = [Vec::new(), Vec::new(), Vec::new()];
    for (end, hole) in found.iter_mut().zip([op.a, op.b, op.c]) {
        let length = literal.short()? as usize;
        let fixed = literal.take(length)?;
        let Some(hole) = line.holes.get(hole as usize) else {
            end.extend_from_slice(fixed);
            continue;
        };
        let text = &line.raw[hole.start..hole.end];
        if hole.kind == kind::IP6 {
            let address: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
            end.extend_from_slice(address.to_string().as_bytes());
        } else {
            end.extend_from_slice(text);
        }
    }
    Some(found)
}

fn push_number(out: &mut Vec<u8>, value: i64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// A time in the source's zone, where its offset is beyond doubt: not in the hours around a change of clocks.
fn of_zone(local_us: i64, line: &Line) -> Option<i64> {
    let at = line
        .offsets
        .partition_point(|span| span.until_us <= local_us);
    let span = line.offsets.get(at)?;
    (local_us >= span.from_us).then_some(local_us - span.ahead_us)
}

/// The time that one hole, or a date and a clock, states; `x` is how far its zone is ahead of UTC, `LOCAL` the source's zone.
fn moment(op: &Op, line: &Line) -> Option<i64> {
    let hole = line.holes.get(op.a as usize)?;
    let utc = |local_us: i64| {
        if op.x == LOCAL {
            of_zone(local_us, line)
        } else {
            Some(local_us - op.x)
        }
    };
    match hole.kind {
        kind::BSD => of_year(hole.value, line.received_us, &utc),
        kind::EPOCH => {
            let digits = hole.end - hole.start;
            Some(match digits {
                10 | 11 => hole.value.checked_mul(1_000_000)?,
                12..=14 => hole.value.checked_mul(1000)?,
                15..=17 => hole.value,
                _ => hole.value / 1000,
            })
        }
        kind::DATE => utc(hole.value + line.holes.get(op.b as usize)?.value),
        _ => utc(hole.value),
    }
}

/// The latest year that does not put the time after the day that follows the arrival.
fn of_year(packed: i64, received_us: i64, utc: &dyn Fn(i64) -> Option<i64>) -> Option<i64> {
    let (day_of_year, of_day) = (packed / DAY_US, packed % DAY_US);
    let (month, day) = (day_of_year / 32, day_of_year % 32);
    let received_day = received_us.div_euclid(DAY_US);
    let (year, _, _) = clock::date_of(received_day);
    for year in [year + 1, year, year - 1] {
        let at = utc(clock::days_of(year, month, day) * DAY_US + of_day)?;
        if at < (received_day + 2) * DAY_US {
            let is_sure = at > received_us - MAX_BEFORE_US && at < received_us + MAX_AFTER_US;
            return is_sure.then_some(at);
        }
    }
    None
}

/// Community ID, version 1, seed 0. `a`, `b` are the addresses, `c`, `d` the ports; what does not vary stands in
/// `x` (protocol, flags 1: has ports, 2: either direction, then both ports) and in the literal (packed addresses, each after its length).
fn community(op: &Op, line: &Line, out: &mut Vec<u8>) -> Option<()> {
    let mut literal = Reader(&op.literal);
    let mut packed = [[0u8; 16]; 2];
    let mut lengths = [0usize; 2];
    for (side, hole) in [op.a, op.b].into_iter().enumerate() {
        let length = literal.take(1)?[0] as usize;
        let fixed = literal.take(length)?;
        if hole == NONE {
            lengths[side] = length;
            packed[side].get_mut(..length)?.copy_from_slice(fixed);
            continue;
        }
        let hole = line.holes.get(hole as usize)?;
        if hole.kind == kind::IP4 {
            lengths[side] = 4;
            packed[side][..4].copy_from_slice(&Ipv4Addr::from(hole.value as u32).octets());
        } else {
            let text = std::str::from_utf8(&line.raw[hole.start..hole.end]).ok()?;
            lengths[side] = 16;
            packed[side] = text.parse::<Ipv6Addr>().ok()?.octets();
        }
    }
    let (protocol, flags) = (op.x as u8, op.x >> 8 & 3);
    let port = |hole: u16, fixed: i64| -> Option<i64> {
        if hole == NONE {
            Some(fixed & 0xffff)
        } else {
            line.holes.get(hole as usize).map(|hole| hole.value)
        }
    };
    let (mut left, mut right) = (port(op.c, op.x >> 16)?, port(op.d, op.x >> 32)?);
    let (mut first, mut second) = (&packed[0][..lengths[0]], &packed[1][..lengths[1]]);
    if flags & 2 != 0 && (first > second || (first == second && left > right)) {
        (first, second, left, right) = (second, first, right, left);
    }
    let mut data = [0u8; 40];
    let mut length = 2;
    for part in [first, second] {
        data[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    data[length] = protocol;
    length += 2;
    if flags & 1 != 0 {
        data[length..length + 2].copy_from_slice(&(left as u16).to_be_bytes());
        data[length + 2..length + 4].copy_from_slice(&(right as u16).to_be_bytes());
        length += 4;
    }
    out.extend_from_slice(b"1:");
    digest::push_base64(out, &digest::sha1(&data[..length]));
    Some(())
}
