//! One pass over a raw line: what varies from line to line is cut out as holes, the rest is the line's skeleton.
//!
//! A hole is text of a kind whose value only travels through (an address, a port, a count, a time), so that all lines
//! of one skeleton become events by one template. Kinds are recognized by their form alone (addresses, times), or
//! where the adapter's table says that such a value stands behind a certain word. What is not surely of a kind's plain
//! form stays in the skeleton: zero, leading zeros, ports below 1024, days that do not exist.
//! Whether two holes are equal is part of the skeleton too, since normalization lists equal addresses once.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::clock;

/// The byte that announces a hole in a skeleton. It stands in no UTF-8 text; lines that hold it are not served.
pub const MARK: u8 = 0xff;
/// More holes than that and the line is not served.
pub const MAX_HOLES: usize = 120;
const MAX_TEXT: usize = 1024;
/// Times that a line is read until no name stands in its skeleton.
const MAX_PASSES: usize = 4;
const MAX_COUNT_DIGITS: usize = 18;
const MAX_DIGITS: usize = 20;
/// The greatest number of 64 bits with sign.
const LONGEST: &[u8] = b"9223372036854775807";

/// Kinds of holes, as they stand in skeletons and tables.
pub mod kind {
    pub const IP4: u8 = b'4';
    pub const IP6: u8 = b'6';
    pub const MAC: u8 = b'M';
    pub const PORT: u8 = b'P';
    pub const COUNT: u8 = b'N';
    pub const DIGITS: u8 = b'G';
    pub const LONG: u8 = b'I';
    pub const EPOCH: u8 = b'E';
    pub const STAMP: u8 = b'S';
    pub const BSD: u8 = b'B';
    pub const DATE: u8 = b'D';
    pub const CLOCK: u8 = b'C';
    pub const SPAN: u8 = b'H';
    pub const HEX: u8 = b'X';
    pub const DECIMAL: u8 = b'F';
    pub const NAME: u8 = b'W';
    pub const TEXT: u8 = b'T';
    pub const URL: u8 = b'U';
}

/// One hole: where it stands, and what its text states as a number (see `Hole::value`).
#[derive(Clone, Copy)]
pub struct Hole {
    pub kind: u8,
    pub start: usize,
    pub end: usize,
    /// Port, count: the number. Times: microseconds (BSD: month, day and microsecond of the day packed, see `bsd`). Span: seconds.
    pub value: i64,
}

/// A span of local time, and how far it is ahead of UTC; all in microseconds.
pub struct Offset {
    pub from_us: i64,
    pub until_us: i64,
    pub ahead_us: i64,
}

impl Offset {
    fn parse(text: &[u8]) -> Option<Offset> {
        let mut numbers = std::str::from_utf8(text).ok()?.split(' ').map(|number| number.parse::<i64>().ok());
        let (from_us, until_us, ahead_us) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(Offset { from_us, until_us, ahead_us })
    }
}

/// What the adapter's table says of a product's lines.
pub struct Spec {
    contexts: HashMap<Vec<u8>, u8>,
    columns: HashMap<Vec<u8>, Vec<u8>>,
    has_words: bool,
    process: bool,
    /// Of the source's zone: spans of local time in which one offset holds, in order.
    pub offsets: Vec<Offset>,
    type_column: usize,
}

impl Spec {
    /// Read a table: `kind context` each ended by NUL; `kind ,TYPE,n` is column n of comma-separated
    /// lines of a type, `z from until ahead` a span of local time.
    pub fn parse(text: &[u8]) -> Option<Spec> {
        let mut spec = Spec {
            contexts: HashMap::new(),
            columns: HashMap::new(),
            has_words: false,
            process: false,
            offsets: Vec::new(),
            type_column: 3,
        };
        for entry in text
            .split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty())
        {
            let (kind, context) = (*entry.first()?, entry.get(2..)?);
            if kind == b'z' {
                spec.offsets.push(Offset::parse(context)?);
                continue;
            }
            if context.first() == Some(&b',') {
                let mut parts = context[1..].split(|byte| *byte == b',');
                let (name, column) = (parts.next()?, clock::number(parts.next()?)?);
                let column = usize::try_from(column)
                    .ok()
                    .filter(|column| *column < 1024)?;
                let kinds = spec.columns.entry(name.to_vec()).or_default();
                if kinds.len() <= column {
                    kinds.resize(column + 1, 0);
                }
                kinds[column] = kind;
            } else {
                spec.has_words |= context.last() == Some(&b' ');
                spec.process |= context == b"[";
                spec.contexts.insert(context.to_vec(), kind);
            }
        }
        Some(spec)
    }
}

/// The skeleton and the holes of the last line; kept to be used again.
#[derive(Default)]
pub struct Scan {
    pub skeleton: Vec<u8>,
    pub holes: Vec<Hole>,
    left_in: Vec<(usize, usize)>,
}

fn is_name(kind: u8) -> bool {
    matches!(kind, kind::NAME | kind::TEXT)
}

const WORD: u8 = 1;
static CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut at = 0;
    while at < 256 {
        let c = at as u8;
        if c.is_ascii_alphanumeric() || c == b'_' || c == b'.' || c == b'-' || c >= 0x80 {
            table[at] = WORD;
        }
        at += 1;
    }
    table
};

fn is_word(raw: &[u8], at: usize) -> bool {
    at < raw.len() && CLASS[raw[at] as usize] == WORD
}

/// Whether a token may end here: no word goes on, save by the full stop of a sentence or an arrow.
fn ends(raw: &[u8], at: usize) -> bool {
    !is_word(raw, at)
        || (matches!(raw[at], b'.' | b'-')
            && !raw.get(at + 1).is_some_and(u8::is_ascii_alphanumeric))
}

impl Scan {
    /// Read a line; false where it cannot be served.
    ///
    /// A name that also stands in the skeleton might mean something by being equal: then it is left in.
    pub fn read(&mut self, raw: &[u8], spec: &Spec) -> bool {
        self.left_in.clear();
        for _ in 0..MAX_PASSES {
            if !self.cut_holes(raw, spec) {
                return false;
            }
            let found = self.left_in.len();
            for hole in self.holes.iter().filter(|hole| is_name(hole.kind)) {
                if contains(&self.skeleton, &raw[hole.start..hole.end]) {
                    self.left_in.push((hole.start, hole.end));
                }
            }
            if self.left_in.len() == found {
                self.relate(raw);
                return true;
            }
        }
        false
    }

    fn cut_holes(&mut self, raw: &[u8], spec: &Spec) -> bool {
        self.skeleton.clear();
        self.holes.clear();
        let length = raw.len();
        let (mut at, mut literal) = (0, 0);
        let (mut word, mut word_end) = (0, usize::MAX);
        let (mut column, mut column_start, mut in_quotes) = (0usize, 0usize, false);
        let mut columns: Option<&Vec<u8>> = None;
        while at < length {
            let c = raw[at];
            if CLASS[c as usize] == WORD {
                if c == MARK {
                    return false;
                }
                let first = self.holes.len();
                if let Some(end) = self.lexical(raw, at) {
                    if !self.cut(raw, &mut literal, first) {
                        return false;
                    }
                    at = end;
                    word_end = usize::MAX;
                    // Behind an address may stand its port; behind the time of a header, the sender.
                    let follower = match (self.holes[first].kind, raw.get(at)) {
                        (kind::IP4 | kind::IP6, Some(b'/' | b':')) => kind::PORT,
                        (kind::BSD, Some(b' ')) => kind::NAME,
                        _ => continue,
                    };
                    let first = self.holes.len();
                    if let Some(end) = self.hole_of(raw, at + 1, follower, false) {
                        if !self.cut(raw, &mut literal, first) {
                            return false;
                        }
                        at = end;
                    }
                    continue;
                }
                word = at;
                at += 1;
                while at < length && CLASS[raw[at] as usize] == WORD {
                    if raw[at] == MARK {
                        return false;
                    }
                    at += 1;
                }
                word_end = at;
                continue;
            }
            let mut sought = 0u8;
            let mut begin = at + 1;
            let mut quoted = false;
            match c {
                b'=' if word_end == at => {
                    sought = spec.contexts.get(&raw[word..=at]).copied().unwrap_or(0);
                    if raw.get(begin) == Some(&b'"') {
                        quoted = true;
                        begin += 1;
                    }
                }
                b':' if at > 0 && raw[at - 1] == b'"' && word_end == at - 1 => {
                    sought = spec.contexts.get(&raw[word..=at]).copied().unwrap_or(0);
                    while raw.get(begin) == Some(&b' ') {
                        begin += 1;
                    }
                    if raw.get(begin) == Some(&b'"') {
                        quoted = true;
                        begin += 1;
                    }
                }
                b':' if word_end == at && raw.get(begin) == Some(&b'"') => {
                    sought = spec.contexts.get(&raw[word..=at]).copied().unwrap_or(0);
                    quoted = true;
                    begin += 1;
                }
                b' ' if spec.has_words && word_end == at => {
                    sought = spec.contexts.get(&raw[word..=at]).copied().unwrap_or(0);
                }
                b'[' => {
                    sought = kind::DECIMAL;
                    let first = self.holes.len();
                    if let Some(end) = spec.process.then(|| self.process(raw, begin)).flatten() {
                        if !self.cut(raw, &mut literal, first) {
                            return false;
                        }
                        at = end;
                        word_end = usize::MAX;
                        continue;
                    }
                }
                b'"' if !spec.columns.is_empty() => {
                    if !in_quotes {
                        in_quotes = at > 0 && raw[at - 1] == b',';
                    } else if matches!(raw.get(at + 1), None | Some(b',')) {
                        in_quotes = false;
                    }
                }
                b',' if !spec.columns.is_empty() && !in_quotes => {
                    if column == spec.type_column {
                        columns = spec.columns.get(&raw[column_start..at]);
                    }
                    column += 1;
                    column_start = begin;
                    sought = columns
                        .and_then(|kinds| kinds.get(column))
                        .copied()
                        .unwrap_or(0);
                }
                _ => {}
            }
            if sought != 0 {
                while sought == kind::DECIMAL && raw.get(begin) == Some(&b' ') {
                    begin += 1;
                }
                let first = self.holes.len();
                if let Some(end) = self.hole_of(raw, begin, sought, quoted) {
                    if !self.cut(raw, &mut literal, first) {
                        return false;
                    }
                    at = end;
                    word_end = usize::MAX;
                    continue;
                }
            }
            at += 1;
        }
        self.skeleton.extend_from_slice(&raw[literal..]);
        true
    }

    /// Move what stands before the new holes, and their marks, to the skeleton; false: too many.
    fn cut(&mut self, raw: &[u8], literal: &mut usize, first: usize) -> bool {
        for number in first..self.holes.len() {
            let hole = self.holes[number];
            self.skeleton.extend_from_slice(&raw[*literal..hole.start]);
            self.skeleton.extend_from_slice(&[MARK, hole.kind]);
            match hole.kind {
                // Same separators and decimals, same reading.
                kind::STAMP => {
                    let text = &raw[hole.start..hole.end];
                    self.skeleton.extend_from_slice(&[
                        text[4],
                        text[7],
                        text[10],
                        text.len() as u8,
                    ]);
                }
                kind::EPOCH => self.skeleton.push((hole.end - hole.start) as u8),
                kind::IP6 | kind::DIGITS => self.skeleton.push(u8::from(hole.value != 0)),
                _ => {}
            }
            *literal = hole.end;
        }
        self.holes.len() <= MAX_HOLES
    }

    /// Append which holes are equal, in which order times stand, and which of the first two ports is the greater.
    fn relate(&mut self, raw: &[u8]) {
        self.skeleton.extend_from_slice(&[MARK, b'=']);
        for (number, hole) in self.holes.iter().enumerate() {
            if !matches!(
                hole.kind,
                kind::IP4 | kind::IP6 | kind::PORT | kind::NAME | kind::TEXT
            ) {
                continue;
            }
            let text = &raw[hole.start..hole.end];
            let same = self.holes[..number].iter().position(|other| {
                let said = &raw[other.start..other.end];
                other.kind == hole.kind && (said == text || (hole.kind == kind::IP6 && is_same(said, text)))
            });
            self.skeleton.push(same.map_or(0, |at| at as u8 + 1));
        }
        // Spans between times hang on their order.
        let times = |hole: &&Hole| hole.kind == kind::STAMP;
        for (first, second) in self
            .holes
            .iter()
            .filter(times)
            .zip(self.holes.iter().filter(times).skip(1))
        {
            self.skeleton
                .push(1 + u8::from(first.value <= second.value));
        }
        let mut ports = self.holes.iter().filter(|hole| hole.kind == kind::PORT);
        if let (Some(first), Some(second)) = (ports.next(), ports.next()) {
            self.skeleton.push(1 + u8::from(first.value < second.value));
        }
    }

    fn push(&mut self, kind: u8, start: usize, end: usize, value: i64) -> Option<usize> {
        self.holes.push(Hole {
            kind,
            start,
            end,
            value,
        });
        Some(end)
    }

    /// Recognize what its form alone tells, where a word begins.
    fn lexical(&mut self, raw: &[u8], at: usize) -> Option<usize> {
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
        // The middle of a longer row of octets is none.
        if !is_mac(raw, at) || (at > 1 && raw[at - 1] == b':' && raw[at - 2].is_ascii_hexdigit()) {
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

    /// Read the number of a process, `[1234]`.
    fn process(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let end = digits_end(raw, at);
        let is_plain = end > at && end - at <= 9 && raw[at] != b'0' && raw.get(end) == Some(&b']');
        if is_plain {
            self.push(kind::COUNT, at, end, clock::number(&raw[at..end])?)
        } else {
            None
        }
    }

    /// Read a value of a stated kind that begins here; None where it is not of the kind's plain form.
    fn hole_of(&mut self, raw: &[u8], at: usize, sought: u8, quoted: bool) -> Option<usize> {
        match sought {
            kind::PORT | kind::COUNT | kind::EPOCH | kind::DIGITS | kind::LONG => {
                let end = digits_end(raw, at);
                let length = end - at;
                if length == 0
                    || raw[at] == b'0'
                    || !(if quoted {
                        raw.get(end) == Some(&b'"')
                    } else {
                        ends(raw, end)
                    })
                {
                    return None;
                }
                let is_beyond = length > LONGEST.len() || length == LONGEST.len() && &raw[at..end] > LONGEST;
                if sought == kind::LONG && is_beyond && length <= MAX_DIGITS {
                    // No longer a number to most readers, and so of another kind.
                    return self.push(kind::DIGITS, at, end, 1);
                }
                let fits = match sought {
                    kind::PORT => length <= 5,
                    kind::COUNT => length <= MAX_COUNT_DIGITS,
                    kind::DIGITS => length <= MAX_DIGITS,
                    kind::LONG => !is_beyond,
                    _ => (10..=18).contains(&length) || length == 19 && raw[at] < b'9',
                };
                if !fits {
                    return None;
                }
                let value = if matches!(sought, kind::DIGITS | kind::LONG) {
                    0
                } else {
                    clock::number(&raw[at..end])?
                };
                if sought == kind::PORT && !(1024..=65_535).contains(&value) {
                    return None;
                }
                self.push(sought, at, end, value)
            }
            kind::DATE => {
                let value = clock::date_us(raw.get(at..at + 10)?)?;
                let is_plain = raw[at + 4] == b'-' && raw[at + 7] == b'-' && ends(raw, at + 10);
                if is_plain {
                    self.push(kind::DATE, at, at + 10, value)
                } else {
                    None
                }
            }
            kind::CLOCK => {
                let value = clock::clock_us(raw.get(at..at + 8)?)?;
                let is_plain = ends(raw, at + 8) && raw.get(at + 8) != Some(&b':');
                if is_plain {
                    self.push(kind::CLOCK, at, at + 8, value)
                } else {
                    None
                }
            }
            kind::SPAN => {
                let hours = digits_end(raw, at);
                let minutes = clock::clock_us(raw.get(hours.checked_sub(2)?..hours + 6)?);
                if hours == at || hours - at > 6 {
                    return None;
                }
                // One digit of hours borrows the byte before them; only minutes and seconds are taken from there.
                let of_hour = match minutes {
                    Some(us) if hours - at > 1 => us / clock::SECOND_US % 3600,
                    _ => {
                        let mut padded = *b"00:00:00";
                        padded[2..].copy_from_slice(&raw[hours..hours + 6]);
                        clock::clock_us(&padded)? / clock::SECOND_US
                    }
                };
                let end = hours + 6;
                if !ends(raw, end) || raw.get(end) == Some(&b':') {
                    return None;
                }
                let value = clock::number(&raw[at..hours])? * 3600 + of_hour;
                self.push(kind::SPAN, at, end, value)
            }
            kind::DECIMAL => {
                let end = digits_end(raw, at);
                if end == at
                    || end - at > 15
                    || raw.get(end) != Some(&b'.')
                    || raw.get(end + 7) != Some(&b']')
                {
                    return None;
                }
                if digits_end(raw, end + 1) != end + 7 {
                    return None;
                }
                self.push(kind::DECIMAL, at, end + 7, 0)
            }
            kind::NAME | kind::TEXT => {
                let end = match sought {
                    kind::NAME => self.name_end(raw, at, quoted)?,
                    _ => text_end(raw, at, quoted)?,
                };
                if self.left_in.iter().any(|left| raw[left.0..left.1] == raw[at..end]) {
                    return None;
                }
                self.push(sought, at, end, 0)
            }
            kind::URL => self.url(raw, at, quoted),
            _ => None,
        }
    }

    /// A host or account name of plain characters, told from addresses and numbers by a letter beyond hexadecimal ones.
    fn name_end(&self, raw: &[u8], at: usize, quoted: bool) -> Option<usize> {
        let mut end = at;
        let mut has_letter = false;
        while end < raw.len()
            && (raw[end].is_ascii_alphanumeric() || matches!(raw[end], b'.' | b'-' | b'_'))
        {
            has_letter |= matches!(raw[end], b'g'..=b'w' | b'y' | b'z' | b'G'..=b'W' | b'Y' | b'Z');
            end += 1;
        }
        let is_whole = if quoted {
            raw.get(end) == Some(&b'"')
        } else {
            end == raw.len() || matches!(raw[end], b' ' | b',')
        };
        (has_letter
            && is_whole
            && end - at <= MAX_TEXT
            && raw[at] != b'.'
            && raw[end - 1] != b'.'
            && raw[at] != b'-')
            .then_some(end)
    }

    /// A path with an optional query, cut where its parts are told from one another.
    fn url(&mut self, raw: &[u8], at: usize, quoted: bool) -> Option<usize> {
        let end = text_end(raw, at, quoted)?;
        let text = &raw[at..end];
        if text[0] != b'/' || text.iter().any(|c| matches!(c, b' ' | b'#' | b'\'')) {
            return None;
        }
        let path_end = text.iter().position(|c| *c == b'?').unwrap_or(text.len());
        let path = &text[..path_end];
        let slash = path.iter().rposition(|c| *c == b'/').unwrap_or(0);
        let name = &path[slash + 1..];
        let dot = name.iter().rposition(|c| *c == b'.');
        if let Some(dot) = dot {
            let extension = &name[dot + 1..];
            let is_plain = (1..=10).contains(&extension.len())
                && extension.iter().all(u8::is_ascii_alphanumeric);
            if dot == 0 || !is_plain {
                return None;
            }
        }
        if slash > 0 {
            self.push(kind::URL, at, at + slash, 0);
        }
        let begin = at + slash + 1;
        match dot {
            Some(dot) => {
                self.push(kind::URL, begin, begin + dot, 0);
                self.push(kind::URL, begin + dot + 1, at + path_end, 0);
            }
            None if !name.is_empty() => {
                self.push(kind::URL, begin, at + path_end, 0);
            }
            None => {}
        }
        if path_end + 1 < text.len() {
            self.push(kind::URL, at + path_end + 1, end, 0);
        }
        Some(end)
    }
}

/// Whether two texts are one IPv6 address.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let read = |text| std::str::from_utf8(text).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
    read(one) == read(other)
}

/// Whether a text stands somewhere in another.
fn contains(text: &[u8], sought: &[u8]) -> bool {
    let Some((first, rest)) = sought.split_first() else {
        return true;
    };
    let mut from = text;
    while let Some(at) = from.iter().position(|c| c == first) {
        from = &from[at + 1..];
        if from.starts_with(rest) {
            return true;
        }
    }
    false
}

fn digits_end(raw: &[u8], at: usize) -> usize {
    let mut end = at;
    while end < raw.len() && raw[end].is_ascii_digit() {
        end += 1;
    }
    end
}

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

/// The end of a text of plain printable characters, up to its quote or to a blank.
fn text_end(raw: &[u8], at: usize, quoted: bool) -> Option<usize> {
    let mut end = at;
    while end < raw.len() {
        match raw[end] {
            b'"' if quoted => break,
            b' ' if !quoted => break,
            b'"' | b'\\' | 0..=0x1f | 0x7f..=0xff => return None,
            _ => end += 1,
        }
    }
    let is_closed = !quoted || raw.get(end) == Some(&b'"');
    // A blank at an end may be cut by the reader.
    let is_plain = end > at && raw[at] != b' ' && raw[end - 1] != b' ' && end - at <= MAX_TEXT;
    (is_closed && is_plain).then_some(end)
}
