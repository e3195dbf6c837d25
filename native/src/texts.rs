//! Whole texts as values: strings of JSON and text of XML's elements, and the messages, paths, accounts and hosts that they are.

use crate::scan::{contains, ends, kind, Scan};
use crate::spec::Spec;
use crate::strings::{markup_end, string_end};

/// Of a hole's value: it stands in XML; it is a folder; its parts are parted by slashes; `=` stands in it; it is
/// written back otherwise than it came; it ends where the next `key=` begins.
const MARKUP: i64 = 1;
const FOLDER: i64 = 2;
const SLASHES: i64 = 4;
const EQUALS: i64 = 8;
const ESCAPED: i64 = 16;
const UNQUOTED: i64 = 32;

/// Readers look so far for a phrase.
const MAX_PHRASE_AT: usize = 4096;
const QUOTE: &[u8] = b"\\\"";
/// Bytes of the escape that ends a line.
const LINE_END: usize = 2;
const MAX_SHORT_DIGITS: usize = 10;
const MAX_SHORT_HEX: usize = 8;
const MAX_EXTENSION: usize = 64;
const MAX_HOST: usize = 255;
const MAX_SEGMENTS: usize = 4;
/// Shorter texts behind `key=` are numbers and words of a few, which stay in the skeleton.
const MIN_TRAILING: usize = 5;
/// What the kernel's own paths of a registry begin with: in XML, and in JSON.
const MACHINE_ROOT: [&[u8]; 2] = [b"\\REGISTRY\\", b"\\\\REGISTRY\\\\"];

/// Whether values of a kind are read here.
pub fn is_text(sought: u8) -> bool {
    matches!(
        sought,
        kind::VALUE
            | kind::MESSAGE
            | kind::ACCOUNT
            | kind::PATH
            | kind::ROOTED
            | kind::KEY
            | kind::NUMBER
            | kind::HOST
            | kind::TRAILING
    )
}

impl Scan {
    /// Read a value of a kind that the table states, in quotes or between tags; None where it is not of the kind's plain form.
    pub fn text_of(
        &mut self,
        raw: &[u8],
        at: usize,
        sought: u8,
        (quoted, is_markup): (bool, bool),
        spec: &Spec,
    ) -> Option<usize> {
        if sought == kind::NUMBER {
            return self.number(raw, at, quoted);
        }
        if !quoted && !is_markup {
            return match sought {
                kind::TRAILING => self.trailing(raw, at, spec),
                kind::VALUE => self.hole_of(raw, at, kind::LONG, false),
                _ => None,
            };
        }
        let (end, is_escaped) = if quoted {
            string_end(raw, at)?
        } else {
            (markup_end(raw, at)?, false)
        };
        let text = &raw[at..end];
        if text.is_empty() || is_never(text, spec) {
            return None;
        }
        let form = match (quoted, is_escaped) {
            (true, false) => 0,
            (true, true) => ESCAPED,
            (false, _) => MARKUP,
        };
        match sought {
            kind::VALUE => self.push(kind::VALUE, at, end, form),
            kind::MESSAGE => self.message(raw, at, end, form, spec),
            _ if is_escaped => None,
            kind::ACCOUNT => self.account(raw, at, end, form, spec),
            kind::HOST => self.host(raw, at, end),
            kind::TRAILING => None,
            _ => self.path(raw, at, end, form, sought),
        }
    }

    /// A text without quotes: up to the blank before the next `key=`, or to the end. One of letters alone may be of a few
    /// (`true`, `NOT_EVALUATED`); one whose ends a reader might cut, or with escapes, is none.
    fn trailing(&mut self, raw: &[u8], at: usize, spec: &Spec) -> Option<usize> {
        let rest = &raw[at..];
        let text = match rest.iter().position(|c| *c == b'=') {
            Some(next) => {
                let blank = rest[..next].iter().rposition(|c| *c == b' ')?;
                is_key(&rest[blank + 1..next]).then(|| &rest[..blank])?
            }
            None => rest.strip_suffix(b" ").unwrap_or(rest),
        };
        let (first, last) = (*text.first()?, *text.last()?);
        let is_plain = text.len() >= MIN_TRAILING
            && first.is_ascii_graphic()
            && last.is_ascii_graphic()
            && !text
                .iter()
                .any(|c| matches!(c, b'"' | b'\\' | b'|' | 0..=0x1f | 0x7f))
            && text.iter().any(|c| c.is_ascii_digit() || *c == b' ')
            && std::str::from_utf8(text).is_ok()
            && !is_never(text, spec);
        is_plain
            .then(|| self.push(kind::VALUE, at, at + text.len(), UNQUOTED))
            .flatten()
    }

    /// A count, or a hexadecimal number.
    fn number(&mut self, raw: &[u8], at: usize, quoted: bool) -> Option<usize> {
        if raw.get(at) != Some(&b'0') {
            return self.hole_of(raw, at, kind::COUNT, quoted);
        }
        let end = hex_end(raw, at)?;
        let is_whole = if quoted {
            raw.get(end) == Some(&b'"')
        } else {
            ends(raw, end)
        };
        is_whole.then(|| self.hexadecimal(raw, at, end)).flatten()
    }

    /// A rendered message. In JSON, lines in which a phrase stands are read for its number only; what stands between is taken whole.
    fn message(
        &mut self,
        raw: &[u8],
        at: usize,
        end: usize,
        form: i64,
        spec: &Spec,
    ) -> Option<usize> {
        const EVENTS: [&[u8]; 3] = [b"<Event", b"\\u003cEvent", b"\\u003CEvent"];
        if EVENTS.iter().any(|tag| contains(&raw[at..end], tag)) {
            return None; // an event within an event
        }
        if form & MARKUP != 0 {
            return self.part(raw, at, end, form);
        }
        // Some write a message in quotes of its own, which readers cut.
        let (mut begin, mut end) = (at, end);
        while raw[begin..end].starts_with(QUOTE) {
            begin += QUOTE.len();
        }
        while raw[begin..end].ends_with(QUOTE) {
            end -= QUOTE.len();
        }
        let first = self.holes.len();
        let (mut line, mut here) = (begin, begin);
        while here < end {
            match raw[here] {
                b'\\' => {
                    here += 1;
                    if raw[here] == b'n' {
                        line = here + 1;
                    }
                }
                b':' if ends_phrase(&raw[at..=here], spec) => {
                    if here >= at + MAX_PHRASE_AT {
                        self.holes.truncate(first);
                        return None;
                    }
                    // The end of the line before stays in the skeleton: the phrase begins its line, or does not.
                    self.part(raw, begin, line.saturating_sub(LINE_END), form);
                    here = self.phrase(raw, here + 1, end);
                    (begin, line) = (here, here);
                    continue;
                }
                _ => {}
            }
            here += 1;
        }
        self.part(raw, begin, end, form);
        Some(end)
    }

    /// A part of a message, unless there is nothing in it.
    fn part(&mut self, raw: &[u8], at: usize, end: usize, form: i64) -> Option<usize> {
        if at >= end {
            return None;
        }
        let text = &raw[at..end];
        let mut style = form;
        if text.contains(&b'=') || contains(text, b"\\u003d") || contains(text, b"\\u003D") {
            style |= EQUALS;
        }
        self.push(kind::MESSAGE, at, end, style)
    }

    /// Read the number behind a phrase, and return where the next line begins.
    fn phrase(&mut self, raw: &[u8], mut at: usize, end: usize) -> usize {
        loop {
            match &raw[at..end] {
                [b' ', ..] => at += 1,
                [b'\\', b't', ..] => at += 2,
                _ => break,
            }
        }
        let digits = hex_end(raw, at).map_or(0, |end| end - at - 2);
        let is_short = raw[at..end]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
            <= MAX_SHORT_DIGITS
            && digits <= MAX_SHORT_HEX;
        if is_short {
            at = self.number(raw, at, false).unwrap_or(at);
        }
        while at < end {
            if raw[at] == b'\\' {
                at += 2;
                if raw[at - 1] == b'n' {
                    break;
                }
            } else {
                at += 1;
            }
        }
        at
    }

    /// `user`, `domain\user`, `user@domain`, each part a hole; from the first part on that is none, the rest stays.
    fn account(
        &mut self,
        raw: &[u8],
        at: usize,
        end: usize,
        form: i64,
        spec: &Spec,
    ) -> Option<usize> {
        let mut begin = at;
        let mut found = None;
        for _ in 0..MAX_SEGMENTS {
            let is_part = |c: &u8| {
                matches!(c, b' '..=b'~') && !matches!(c, b'"' | b'\\' | b'@' | b'<' | b'>' | b'&')
            };
            let part_end = begin + raw[begin..end].iter().take_while(|c| is_part(c)).count();
            let part = &raw[begin..part_end];
            let is_plain = !part.is_empty()
                && part[0] != b' '
                && part[part.len() - 1] != b' '
                && !is_never(part, spec);
            let rest = &raw[part_end..end];
            let parting = match rest {
                [] => 0,
                [b'@', ..] => 1,
                [b'\\', b'\\', ..] if form == 0 => 2,
                [b'\\', ..] if form != 0 => 1,
                _ => return found,
            };
            if !is_plain {
                return found;
            }
            found = self.push(kind::ACCOUNT, begin, part_end, form);
            if rest.is_empty() {
                break;
            }
            begin = part_end + parting;
        }
        found
    }

    /// A host's name whose first label is no number.
    fn host(&mut self, raw: &[u8], at: usize, end: usize) -> Option<usize> {
        let text = &raw[at..end];
        let is_part = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
        let mut label = text.iter().take_while(|c| **c != b'.');
        let is_plain = text.len() <= MAX_HOST
            && text.iter().all(is_part)
            && label.any(u8::is_ascii_alphabetic)
            && text[text.len() - 1] != b'.';
        if is_plain {
            self.push(kind::HOST, at, end, 0)
        } else {
            None
        }
    }

    /// A path, cut into folder, name and extension. Of rooted ones and keys the first part, which may name a hive, stays in the
    /// skeleton; keys have no extensions.
    fn path(&mut self, raw: &[u8], at: usize, end: usize, form: i64, sought: u8) -> Option<usize> {
        let width = if form == 0 { 2 } else { 1 };
        let text = &raw[at..end];
        if text.iter().any(|c| matches!(c, b'"' | b'&' | 0..=0x1f))
            || (form == 0 && !has_pairs_only(text))
        {
            return None;
        }
        let is_key = sought == kind::KEY;
        let begin = if is_key || sought == kind::ROOTED {
            at + root_end(text, width)?
        } else {
            at
        };
        let is_parting = |c: &u8| matches!(c, b'\\' | b'/');
        let last = raw[begin..end].iter().rposition(is_parting);
        let name = last.map_or(begin, |last| begin + last + 1);
        let is_slash = name > begin && raw[name - 1] == b'/';
        let folder = match last {
            None => begin,
            Some(_) if is_slash => name - 1,
            Some(_) => name - width,
        };
        let mut dot = raw[name..end].iter().rposition(|c| *c == b'.');
        dot = dot.filter(|_| !is_key);
        let is_plain = dot.map_or(true, |dot| {
            let extension = &raw[name + dot + 1..end];
            dot > 0
                && (1..=MAX_EXTENSION).contains(&extension.len())
                && (extension.iter()).all(|c| matches!(c, b' '..=b'~') && *c != b':')
        });
        let is_mixed = is_slash && !is_key && raw[at..folder].contains(&b'\\');
        if !is_plain || is_mixed || name == end {
            return None;
        }
        if folder > begin {
            // Of a key's the folder may hold either.
            let style = if is_slash && !is_key { SLASHES } else { 0 };
            self.push(kind::PATH, begin, folder, form | style | FOLDER);
        }
        match dot.map(|dot| name + dot) {
            None => self.push(kind::PATH, name, end, form),
            Some(dot) => {
                self.push(kind::PATH, name, dot, form);
                self.push(kind::EXTENSION, dot + 1, end, 0)
            }
        }
    }
}

/// The bytes of a rooted path's first part with what parts it from the rest: `HKLM\`, or `\REGISTRY\MACHINE\`.
fn root_end(text: &[u8], width: usize) -> Option<usize> {
    let root = MACHINE_ROOT[width - 1];
    let head = &text[..text.len().min(root.len())];
    if !head.is_ascii() {
        return None; // letters that are others in capitals
    }
    let from = if head.eq_ignore_ascii_case(root) {
        root.len()
    } else {
        0
    };
    let parting = text[from..].iter().position(|c| *c == b'\\')?;
    let end = from + parting + width;
    (end < text.len()).then_some(end)
}

/// Whether backslashes of a string of JSON are all escaped ones.
fn has_pairs_only(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'\\' {
            if text.get(at + 1) != Some(&b'\\') {
                return false;
            }
            at += 1;
        }
        at += 1;
    }
    true
}

/// Whether a text is a key of `key=` that every reader takes for one.
fn is_key(text: &[u8]) -> bool {
    let is_inner = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
    text.iter().all(is_inner) && !matches!(text.first(), None | Some(b'.' | b'-'))
}

fn ends_phrase(text: &[u8], spec: &Spec) -> bool {
    spec.phrases.iter().any(|phrase| text.ends_with(phrase))
}

fn is_never(text: &[u8], spec: &Spec) -> bool {
    spec.never.iter().any(|word| match word.strip_suffix(b"*") {
        Some(head) => text.starts_with(head),
        None => text.eq_ignore_ascii_case(word),
    })
}

/// The end of `0x` with digits behind it.
fn hex_end(raw: &[u8], at: usize) -> Option<usize> {
    if !raw[at..].starts_with(b"0x") {
        return None;
    }
    let digits = raw[at + 2..].iter().take_while(|c| c.is_ascii_hexdigit());
    Some(at + 2 + digits.count())
}
