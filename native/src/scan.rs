//! One pass over a raw line: what varies from line to line is cut out as holes, the rest is the line's skeleton.
//!
//! A hole is text of a kind whose value only travels through (an address, a port, a count, a time), so that all lines
//! of one skeleton become events by one template. Kinds are recognized by their form alone (addresses, times), or
//! where the adapter's table says that such a value stands behind a certain word. What is not surely of a kind's plain
//! form stays in the skeleton: zero, leading zeros, ports below 1024, days that do not exist.
//! Whether two holes are equal is part of the skeleton too, since normalization lists equal addresses once.

use std::net::Ipv6Addr;

use crate::forms;
use crate::spec::Spec;
use crate::texts;

/// The byte that announces a hole in a skeleton. It stands in no UTF-8 text; lines that hold it are not served.
pub const MARK: u8 = 0xff;
/// More holes than that and the line is not served.
pub const MAX_HOLES: usize = 120;
/// Bytes of names times bytes of the skeleton in which they are looked for; a common line has some ten thousand. A line of 64 KiB
/// made up of nothing but names and their likes would take a tenth of a second.
const MAX_COMPARED: usize = 4 << 20;
/// Times that a line is read until no name stands in its skeleton.
const MAX_PASSES: usize = 4;

/// Kinds of holes, as they stand in skeletons and tables.
pub mod kind {
    pub const IP4: u8 = b'4';
    pub const IP6: u8 = b'6';
    pub const MAC: u8 = b'M';
    pub const PORT: u8 = b'P';
    pub const COUNT: u8 = b'N';
    pub const DIGITS: u8 = b'G';
    pub const LONG: u8 = b'I';
    /// In tables: a `LONG` of at least five digits behind any key that the table does not name.
    pub const OTHER: u8 = b'O';
    pub const EPOCH: u8 = b'E';
    pub const STAMP: u8 = b'S';
    /// A time whose month is named and whose year stands behind its day.
    pub const NAMED: u8 = b'Y';
    pub const BSD: u8 = b'B';
    pub const DATE: u8 = b'D';
    pub const CLOCK: u8 = b'C';
    pub const SPAN: u8 = b'H';
    pub const HEX: u8 = b'X';
    /// A digest or a UUID; of letters of one case.
    pub const DIGEST: u8 = b'Z';
    /// An identifier of a Windows account.
    pub const SID: u8 = b's';
    pub const DECIMAL: u8 = b'F';
    pub const NAME: u8 = b'W';
    pub const TEXT: u8 = b'T';
    pub const URL: u8 = b'U';
    /// A whole text of JSON or XML, whatever it says; the skeleton says how it is written.
    pub const VALUE: u8 = b'V';
    /// A part of a rendered message: whole lines. The skeleton says whether `=` stands in it.
    pub const MESSAGE: u8 = b'm';
    /// An account, or the domain before or behind it; the skeleton says which are equal.
    pub const ACCOUNT: u8 = b'A';
    /// Of a path the folder, and the name without its extension.
    pub const PATH: u8 = b'L';
    pub const EXTENSION: u8 = b'K';
    /// In tables: a path whose first part stays in the skeleton.
    pub const ROOTED: u8 = b'g';
    /// In tables: a path of a registry, whose first part stays in the skeleton and whose name has no extension.
    pub const KEY: u8 = b'k';
    /// In tables: a `COUNT`, or a `HEX` of any length.
    pub const NUMBER: u8 = b'Q';
    /// The name of a host, whose first label may stand for it.
    pub const HOST: u8 = b'h';
    /// In tables: a `VALUE` without quotes, up to the blank before the next `key=`.
    pub const TRAILING: u8 = b'R';
    /// In tables: a word of a message behind which stands a number; and a text that is no value of any kind.
    pub const PHRASE: u8 = b'p';
    pub const NEVER: u8 = b'n';
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

/// The skeleton and the holes of the last line; kept to be used again.
#[derive(Default)]
pub struct Scan {
    pub skeleton: Vec<u8>,
    pub holes: Vec<Hole>,
    pub left_in: Vec<(usize, usize)>,
}

fn is_time(kind: u8) -> bool {
    matches!(kind, kind::STAMP | kind::NAMED)
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

pub fn is_word(raw: &[u8], at: usize) -> bool {
    at < raw.len() && CLASS[raw[at] as usize] == WORD
}

/// Whether a token may end here: no word goes on, save by the full stop of a sentence or an arrow.
pub fn ends(raw: &[u8], at: usize) -> bool {
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
            let names =
                (self.holes.iter()).filter(|hole| is_name(hole.kind) || hole.kind == kind::IP6);
            let sought: usize = names.map(|hole| hole.end - hole.start).sum();
            if sought * self.skeleton.len() > MAX_COMPARED {
                return false;
            }
            // An address that also stands where none is looked for may be equal to one that is.
            let mut addresses = self.holes.iter().filter(|hole| hole.kind == kind::IP6);
            if addresses.any(|hole| contains(&self.skeleton, &raw[hole.start..hole.end])) {
                return false;
            }
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
                    word_end = usize::MAX;
                    // Behind an address may stand its port; behind the time of a header, the sender.
                    let follower = match (self.holes[first].kind, raw.get(end)) {
                        (kind::IP4 | kind::IP6, Some(b'/' | b':' | b'(')) => kind::PORT,
                        // tcpdump writes the port of an IPv4 address like a fifth number of it.
                        (kind::IP4, Some(b'.')) => kind::PORT,
                        (kind::BSD, Some(b' ')) if end == at + 15 => kind::NAME,
                        _ => 0,
                    };
                    at = end;
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
            let mut is_markup = false;
            match c {
                b'=' if word_end == at => {
                    sought = *spec.contexts.get(&raw[word..=at]).unwrap_or(&spec.others);
                    if raw.get(begin) == Some(&b'"') {
                        quoted = true;
                        begin += 1;
                    } else if spec.has_markup && raw.get(begin) == Some(&b'\'') {
                        begin += 1;
                    }
                }
                b':' if at > 0 && raw[at - 1] == b'"' && word_end == at - 1 => {
                    let is_whole = word > 0 && raw[word - 1] == b'"';
                    sought = spec.named(&raw[word..=at], spec.keys, is_whole);
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
                b':' if spec.has_labels && word_end == at && raw.get(begin) == Some(&b' ') => {
                    sought = spec.contexts.get(&raw[word..=begin]).copied().unwrap_or(0);
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
                b'>' if spec.has_markup && opens(raw, word, word_end, at) => {
                    sought = spec.named(&raw[word..=at], spec.elements, true);
                    is_markup = true;
                }
                b'>' if spec.sequence && word_end == at => {
                    // A number of the message between the priority and a colon.
                    let first = self.holes.len();
                    if let Some(end) = self.sequence(raw, begin) {
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
                let found = if texts::is_text(sought) {
                    self.text_of(raw, begin, sought, (quoted, is_markup), spec)
                } else {
                    self.hole_of(raw, begin, sought, quoted)
                };
                if let Some(end) = found {
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
                // Same form, same decimals.
                kind::NAMED | kind::BSD => {
                    let text = &raw[hole.start..hole.end];
                    let form = forms::form_of(text);
                    self.skeleton.extend_from_slice(&[form, text.len() as u8]);
                }
                kind::DIGEST => {
                    let text = &raw[hole.start..hole.end];
                    self.skeleton
                        .extend_from_slice(&[hole.value as u8, text.len() as u8]);
                }
                kind::EPOCH => self.skeleton.push((hole.end - hole.start) as u8),
                kind::IP6 => {
                    // Some take what stands behind the last colon of a shortened address for a port.
                    let is_short = contains(&raw[hole.start..hole.end], b"::");
                    let is_canonical = hole.value != 0;
                    let text = &raw[hole.start..hole.end];
                    let tail = text.rsplit(|c| *c == b':').next().unwrap_or(&[]);
                    let is_port = tail.iter().all(u8::is_ascii_digit);
                    self.skeleton.push(
                        u8::from(is_canonical) | u8::from(is_short) << 1 | u8::from(is_port) << 2,
                    );
                }
                kind::DIGITS => self.skeleton.push(u8::from(hole.value != 0)),
                kind::VALUE | kind::MESSAGE => self.skeleton.push(hole.value as u8),
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
                kind::IP4
                    | kind::IP6
                    | kind::PORT
                    | kind::NAME
                    | kind::TEXT
                    | kind::DIGEST
                    | kind::ACCOUNT
            ) {
                continue;
            }
            let text = &raw[hole.start..hole.end];
            let same = self.holes[..number].iter().position(|other| {
                let said = &raw[other.start..other.end];
                other.kind == hole.kind
                    && (said == text || (hole.kind == kind::IP6 && is_same(said, text)))
            });
            self.skeleton.push(same.map_or(0, |at| at as u8 + 1));
        }
        // Spans between times hang on their order.
        let times = |hole: &&Hole| is_time(hole.kind);
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
}

/// Whether a `>` ends the tag of an element, `<word>`, or of a named datum, `<Data Name="word">`.
fn opens(raw: &[u8], word: usize, word_end: usize, at: usize) -> bool {
    if word == 0 || word_end > at {
        return false;
    }
    let before = raw[word - 1];
    if word_end == at {
        return before == b'<';
    }
    word_end + 1 == at
        && matches!(before, b'"' | b'\'')
        && raw[word_end] == before
        && raw[..word - 1].ends_with(b"<Data Name=")
}

/// Whether two texts are one IPv6 address.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let read = |text| {
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse::<Ipv6Addr>().ok())
    };
    read(one) == read(other)
}

/// Whether a text stands somewhere in another.
pub fn contains(text: &[u8], sought: &[u8]) -> bool {
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
