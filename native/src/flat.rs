//! Reads one line of JSON, a flat object, for the values of known fields. What is in any way odd is left to Python.
//!
//! A line that is accepted here is JSON to any decoder: valid UTF-8, no lone surrogates, no numbers near a bound, little
//! nesting, and no known field stated twice.

use std::collections::hash_map::RandomState;
use std::collections::HashMap;

use crate::quick_hash::Seeded;

/// What stands as a field's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Absent,
    Text,
    /// A text with backslashes in it.
    Escaped,
    /// An integer of up to 18 digits.
    Integer,
    Truth,
    Null,
    /// A list that holds no list and no object.
    List,
    Other,
}

/// The value of a known field in the last line.
#[derive(Clone, Copy)]
pub struct Value {
    pub kind: Kind,
    pub start: u32,
    pub end: u32,
    line: u32,
}

const MAX_DEPTH: u32 = 24;
const MAX_LINE: usize = 1 << 20;
const MAX_DIGITS: usize = 250;
const PLAIN_DIGITS: usize = 18;

/// The known fields and what the last line says of them.
pub struct Flat {
    names: HashMap<Box<[u8]>, u32, Seeded>,
    /// By length of a name and its last byte: whether any known one is like it.
    likely: Vec<u64>,
    values: Vec<Value>,
    line: u32,
    pub seen: Seen,
}

/// What stood somewhere in the last line.
#[derive(Default)]
pub struct Seen {
    /// An escape by number, `\u`.
    pub code: bool,
    /// A value that is an object, or a list with one or with a list in it.
    pub nesting: bool,
}

const ABSENT: Value = Value {
    kind: Kind::Absent,
    start: 0,
    end: 0,
    line: 0,
};

impl Flat {
    pub fn new() -> Flat {
        Flat {
            names: HashMap::with_hasher(Seeded::new(&RandomState::new())),
            likely: vec![0; 256],
            values: Vec::new(),
            line: 0,
            seen: Seen::default(),
        }
    }

    /// The number of a field, which from now on is read.
    pub fn know(&mut self, name: &[u8]) -> u32 {
        let number = self.names.len() as u32;
        let found = *self.names.entry(name.into()).or_insert(number);
        if found == number {
            self.values.push(ABSENT);
            self.likely[name.last().map_or(0, |&byte| byte as usize)] |= 1 << (name.len() & 63);
        }
        found
    }

    pub fn value(&self, field: u32) -> Value {
        let value = self.values[field as usize];
        if value.line == self.line {
            value
        } else {
            ABSENT
        }
    }

    /// Read a line; false: not surely a plain one.
    pub fn read(&mut self, line: &[u8]) -> bool {
        if line.len() > MAX_LINE {
            return false;
        }
        if !line.is_ascii() && std::str::from_utf8(line).is_err() {
            return false;
        }
        self.line = self.line.wrapping_add(1);
        if self.line == 0 {
            self.values.fill(ABSENT);
            self.line = 1;
        }
        self.seen = Seen::default();
        self.object(line).is_some()
    }

    fn object(&mut self, line: &[u8]) -> Option<()> {
        let mut at = blanks(line, 0);
        expect(line, at, b'{')?;
        at = blanks(line, at + 1);
        if byte(line, at)? == b'}' {
            return ends(line, at + 1);
        }
        loop {
            expect(line, at, b'"')?;
            let (name_end, is_escaped) = self.seen.text(line, at + 1)?;
            if is_escaped {
                return None;
            }
            let name = &line[at + 1..name_end];
            at = blanks(line, name_end + 1);
            expect(line, at, b':')?;
            at = blanks(line, at + 1);
            let (kind, start, end, after) = self.seen.any(line, at, 0)?;
            let last = name.last().map_or(0, |&byte| byte as usize);
            if self.likely[last] >> (name.len() & 63) & 1 != 0 {
                if let Some(&field) = self.names.get(name) {
                    let value = &mut self.values[field as usize];
                    if value.line == self.line {
                        return None;
                    }
                    *value = Value {
                        kind,
                        start: start as u32,
                        end: end as u32,
                        line: self.line,
                    };
                }
            }
            at = blanks(line, after);
            match byte(line, at)? {
                b',' => at = blanks(line, at + 1),
                b'}' => return ends(line, at + 1),
                _ => return None,
            }
        }
    }
}

impl Seen {
    /// A value: its kind, where its content begins and ends, where what follows begins.
    fn any(&mut self, line: &[u8], at: usize, depth: u32) -> Option<(Kind, usize, usize, usize)> {
        match byte(line, at)? {
            b'"' => {
                let (end, is_escaped) = self.text(line, at + 1)?;
                let kind = if is_escaped {
                    Kind::Escaped
                } else {
                    Kind::Text
                };
                Some((kind, at + 1, end, end + 1))
            }
            b'-' | b'0'..=b'9' => number(line, at),
            b't' => constant(line, at, b"true", Kind::Truth),
            b'f' => constant(line, at, b"false", Kind::Truth),
            b'n' => constant(line, at, b"null", Kind::Null),
            b'{' | b'[' => {
                let is_object = line[at] == b'{';
                let before = std::mem::replace(&mut self.nesting, is_object || depth > 0);
                let end = self.nested(line, at, depth)?;
                let kind = if self.nesting {
                    Kind::Other
                } else {
                    Kind::List
                };
                self.nesting |= before;
                Some((kind, at, end, end))
            }
            _ => None,
        }
    }

    fn nested(&mut self, line: &[u8], at: usize, depth: u32) -> Option<usize> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let is_object = line[at] == b'{';
        let close = if is_object { b'}' } else { b']' };
        let mut at = blanks(line, at + 1);
        if byte(line, at)? == close {
            return Some(at + 1);
        }
        loop {
            if is_object {
                expect(line, at, b'"')?;
                let (end, _) = self.text(line, at + 1)?;
                at = blanks(line, end + 1);
                expect(line, at, b':')?;
                at = blanks(line, at + 1);
            }
            (_, _, _, at) = self.any(line, at, depth + 1)?;
            at = blanks(line, at);
            match byte(line, at)? {
                b',' => at = blanks(line, at + 1),
                other if other == close => return Some(at + 1),
                _ => return None,
            }
        }
    }

    /// The place of a text's closing quote, and whether it has escapes.
    fn text(&mut self, line: &[u8], mut at: usize) -> Option<(usize, bool)> {
        let mut is_escaped = false;
        loop {
            at = special(line, at);
            match byte(line, at)? {
                b'"' => return Some((at, is_escaped)),
                b'\\' => {
                    is_escaped = true;
                    at += self.escape(line, at)?;
                }
                _ => return None,
            }
        }
    }

    fn escape(&mut self, line: &[u8], at: usize) -> Option<usize> {
        match byte(line, at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
            b'u' => {
                self.code = true;
                let digits = line.get(at + 2..at + 6)?;
                let is_surrogate = matches!(digits[0], b'd' | b'D') && digits[1] >= b'8';
                (digits.iter().all(u8::is_ascii_hexdigit) && !is_surrogate).then_some(6)
            }
            _ => None,
        }
    }
}

/// Whether a condition holds for each element of a list, given with its kind.
pub fn each(line: &[u8], list: Value, mut holds: impl FnMut(Kind, &[u8]) -> bool) -> bool {
    let mut seen = Seen::default();
    let mut at = blanks(line, list.start as usize + 1);
    while byte(line, at).is_some_and(|next| next != b']') {
        let Some((kind, start, end, after)) = seen.any(line, at, 1) else {
            return false;
        };
        if !holds(kind, &line[start..end]) {
            return false;
        }
        at = blanks(line, after);
        if byte(line, at) == Some(b',') {
            at = blanks(line, at + 1);
        }
    }
    true
}

fn byte(line: &[u8], at: usize) -> Option<u8> {
    line.get(at).copied()
}

fn expect(line: &[u8], at: usize, wanted: u8) -> Option<()> {
    (byte(line, at)? == wanted).then_some(())
}

fn blanks(line: &[u8], mut at: usize) -> usize {
    while at < line.len() && matches!(line[at], b' ' | b'\t' | b'\n' | b'\r') {
        at += 1;
    }
    at
}

fn ends(line: &[u8], at: usize) -> Option<()> {
    (blanks(line, at) == line.len()).then_some(())
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// In each byte's high bit whether that byte is zero; exact up to the first that is.
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The next quote, backslash or control character.
pub fn special(line: &[u8], mut at: usize) -> usize {
    while let Some(bytes) = line.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()) {
        let word = u64::from_le_bytes(bytes);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let found = zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5C)) | control;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < line.len() && !matches!(line[at], b'"' | b'\\' | 0..=0x1F) {
        at += 1;
    }
    at
}

fn digits(line: &[u8], mut at: usize) -> usize {
    while at < line.len() && line[at].is_ascii_digit() {
        at += 1;
    }
    at
}

fn number(line: &[u8], start: usize) -> Option<(Kind, usize, usize, usize)> {
    let first = start + usize::from(line[start] == b'-');
    let mut end = digits(line, first);
    if end == first || (line[first] == b'0' && end - first > 1) || end - first > MAX_DIGITS {
        return None;
    }
    let is_plain = end - first <= PLAIN_DIGITS && !(line[first] == b'0' && first > start);
    let mut kind = if is_plain { Kind::Integer } else { Kind::Other };
    if byte(line, end) == Some(b'.') {
        let fraction = end + 1;
        end = digits(line, fraction);
        if end == fraction || end - fraction > MAX_DIGITS {
            return None;
        }
        kind = Kind::Other;
    }
    if matches!(byte(line, end), Some(b'e' | b'E')) {
        return None;
    }
    Some((kind, start, end, end))
}

fn constant(
    line: &[u8],
    at: usize,
    text: &[u8],
    kind: Kind,
) -> Option<(Kind, usize, usize, usize)> {
    let end = at + text.len();
    (line.get(at..end)? == text).then_some((kind, at, end, end))
}

/// Write an escaped text as it is; false: it has an escape by number.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut at = 0;
    while at < raw.len() {
        let next = special(raw, at);
        out.extend_from_slice(&raw[at..next]);
        if next >= raw.len() {
            break;
        }
        out.push(match raw.get(next + 1) {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') | None => return false,
            Some(&other) => other,
        });
        at = next + 2;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> bool {
        let mut flat = Flat::new();
        flat.know(b"a");
        flat.read(line)
    }

    #[test]
    fn only_plain_json_objects_are_read() {
        for good in [
            &b"{}"[..],
            b" {\"a\":1}\n",
            b"{\"a\":[1,{\"b\":null}],\"c\":-1.5}",
            b"{\"a\":\"\\\\\\\"\\u00e9\"}",
        ] {
            assert!(read(good), "{}", String::from_utf8_lossy(good));
        }
        for odd in [
            &b"[]"[..],
            b"{",
            b"{\"a\":1,}",
            b"{\"a\":1}x",
            b"{\"a\":01}",
            b"{\"a\":1e5}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\\x\"}",
            b"{\"a\":\"\x01\"}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":1,\"a\":2}",
            b"{\"\\u0061\":1}",
            b"{\"a\":\"x",
            b"{\"a\" 1}",
            b"{a:1}",
            b"{\"a\":-}",
            b"{\"a\":nul}",
            b"{\"a\":1.}",
            b"",
            b"{\"a\":[1,]}",
            b"{\"a\":[1}",
        ] {
            assert!(!read(odd), "{}", String::from_utf8_lossy(odd));
        }
    }

    #[test]
    fn lists_are_told_from_what_nests() {
        let kinds = |line: &[u8]| {
            let mut flat = Flat::new();
            let name = flat.know(b"a");
            assert!(flat.read(line));
            (flat.value(name).kind, flat.seen.nesting)
        };
        let is = |line: &[u8], kind: Kind, nesting: bool| kinds(line) == (kind, nesting);
        assert!(is(b"{\"a\":[1,\"x\",null],\"b\":1}", Kind::List, false));
        assert!(is(b"{\"a\":[]}", Kind::List, false));
        assert!(is(b"{\"a\":[1],\"b\":{}}", Kind::List, true));
        assert!(is(b"{\"b\":[[]],\"a\":[1]}", Kind::List, true));
        assert!(is(b"{\"a\":[{}]}", Kind::Other, true));
        assert!(is(b"{\"a\":[1,[2]]}", Kind::Other, true));
    }

    #[test]
    fn each_element_of_a_list_is_told() {
        let mut flat = Flat::new();
        let name = flat.know(b"a");
        let line = b"{\"a\": [ 1 , \"x\",null,true] }";
        assert!(flat.read(line));
        let mut texts = Vec::new();
        assert!(each(line, flat.value(name), |_, text| {
            texts.push(text.to_vec());
            true
        }));
        assert_eq!(texts, [&b"1"[..], b"x", b"null", b"true"]);
        assert!(!each(line, flat.value(name), |kind, _| kind != Kind::Null));
    }

    #[test]
    fn the_next_special_byte_is_found_at_any_place() {
        for length in 0..40 {
            for at in 0..length {
                for found in [b'"', b'\\', 0, 0x1F] {
                    let mut line = vec![0xC3u8; length];
                    line[at] = found;
                    assert_eq!(special(&line, 0), at);
                }
            }
            assert_eq!(special(&vec![0x20u8; length], 0), length);
        }
    }
}
