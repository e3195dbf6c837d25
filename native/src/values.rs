//! Values of a kind that the adapter's table states: ports, counts, dates, names, texts, paths.

use crate::clock;
use crate::scan::{ends, kind, Scan};

const MAX_TEXT: usize = 1024;
/// Of a host or an account; readers look for what follows a header only so far.
const MAX_NAME: usize = 256;
const MAX_COUNT_DIGITS: usize = 18;
const MAX_DIGITS: usize = 20;
/// Shorter numbers behind keys that no table names may say what it is, not which one.
const MIN_OTHER: usize = 5;
/// Words that say "none" to some product or other, in any case of letters.
const NOBODY: [&[u8]; 6] = [b"unknown", b"none", b"null", b"na", b"nil", b"undefined"];
/// The greatest number of 64 bits with sign.
const LONGEST: &[u8] = b"9223372036854775807";

impl Scan {
    /// Read the number of a process, `[1234]`.
    pub fn process(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let end = digits_end(raw, at);
        let is_plain = end > at && end - at <= 9 && raw[at] != b'0' && raw.get(end) == Some(&b']');
        if is_plain {
            self.push(kind::COUNT, at, end, clock::number(&raw[at..end])?)
        } else {
            None
        }
    }

    /// Read the number of a message, `<189>4711: `.
    pub fn sequence(&mut self, raw: &[u8], at: usize) -> Option<usize> {
        let end = digits_end(raw, at);
        let is_plain = end > at
            && end - at <= MAX_COUNT_DIGITS
            && raw[at] != b'0'
            && raw.get(end) == Some(&b':');
        if is_plain {
            self.push(kind::COUNT, at, end, clock::number(&raw[at..end])?)
        } else {
            None
        }
    }

    /// Read a value of a stated kind that begins here; None where it is not of the kind's plain form.
    pub fn hole_of(&mut self, raw: &[u8], at: usize, sought: u8, quoted: bool) -> Option<usize> {
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
                let is_beyond =
                    length > LONGEST.len() || length == LONGEST.len() && &raw[at..end] > LONGEST;
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
            kind::OTHER => {
                if digits_end(raw, at) < at + MIN_OTHER {
                    return None;
                }
                self.hole_of(raw, at, kind::LONG, quoted)
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
                    kind::NAME => name_end(raw, at, quoted)?,
                    _ => text_end(raw, at, quoted)?,
                };
                if self
                    .left_in
                    .iter()
                    .any(|left| raw[left.0..left.1] == raw[at..end])
                {
                    return None;
                }
                self.push(sought, at, end, 0)?;
                // An account behind its domain.
                let rest = raw[end..].iter().take(2).take_while(|c| **c == b'\\');
                match rest.count() {
                    0 => Some(end),
                    width => self
                        .hole_of(raw, end + width, kind::NAME, quoted)
                        .or(Some(end)),
                }
            }
            kind::URL => self.url(raw, at, quoted),
            _ => None,
        }
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

fn digits_end(raw: &[u8], at: usize) -> usize {
    let mut end = at;
    while end < raw.len() && raw[end].is_ascii_digit() {
        end += 1;
    }
    end
}

/// The end of a host or account name of plain characters, told from addresses and numbers by a letter beyond hexadecimal ones.
fn name_end(raw: &[u8], at: usize, quoted: bool) -> Option<usize> {
    let mut end = at;
    let mut has_letter = false;
    while end < raw.len()
        && (raw[end].is_ascii_alphanumeric() || matches!(raw[end], b'.' | b'-' | b'_'))
    {
        has_letter |= matches!(raw[end], b'g'..=b'w' | b'y' | b'z' | b'G'..=b'W' | b'Y' | b'Z');
        end += 1;
    }
    let is_whole = match raw.get(end) {
        // Also of a name that stands in a longer quoted text, such as a certificate's subject.
        Some(b'"' | b'\\') => true,
        Some(c) => !quoted && matches!(c, b' ' | b',' | b'\t' | b'^' | b'|' | b';' | b']'),
        None => !quoted,
    };
    // "unknown" says "none" to many products, and stands in their fixed texts ("check pass; user unknown").
    let says_none = |word: &&[u8]| raw[at..end].eq_ignore_ascii_case(word);
    (has_letter
        && is_whole
        && !NOBODY.iter().any(says_none)
        && end - at <= MAX_NAME
        && raw[at] != b'.'
        && raw[end - 1] != b'.'
        && raw[at] != b'-')
        .then_some(end)
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
