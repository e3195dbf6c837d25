//! Where strings of JSON and texts of XML end, and how the latter are written as the former.
//!
//! What would end a text, or mean something to the reader of the format, is not taken for a value: other escapes than
//! those that are written back as they came, tags, text that is not UTF-8. So a value cannot change what surrounds it.

use crate::flat::special;
use crate::scan::contains;

/// The closing quote of a string of JSON, all of whose escapes are written back as they came.
pub fn string_end(raw: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    loop {
        end = special(raw, end);
        match raw.get(end)? {
            b'"' => break,
            b'\\'
                if matches!(
                    raw.get(end + 1)?,
                    b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f'
                ) =>
            {
                end += 2;
            }
            _ => return None,
        }
    }
    is_unicode(&raw[at..end]).then_some(end)
}

/// The tag that ends a text of XML, which begins with no blank; markup, and references to characters that are not in `named`, are none.
pub fn markup_end(raw: &[u8], at: usize) -> Option<usize> {
    let mut end = at;
    if *raw.get(at)? <= b' ' {
        return None;
    }
    loop {
        end += plain(&raw[end..]);
        match raw.get(end)? {
            b'<' => break,
            b'>' | 0..=8 | 0x0b..=0x1f => return None,
            b'&' => end += 1 + named(&raw[end + 1..])?.1,
            _ => end += 1,
        }
    }
    let text = &raw[at..end];
    // A namespace is looked for in the text of a whole event; and two characters XML does not allow.
    let is_allowed = !text.contains(&b'=') || !contains(text, b" xmlns=");
    let is_character = |c: &[u8]| !contains(text, c);
    let is_valid = text.is_ascii()
        || is_character(b"\xef\xbf\xbe")
            && is_character(b"\xef\xbf\xbf")
            && std::str::from_utf8(text).is_ok();
    (is_allowed && is_valid).then_some(end)
}

/// The bytes up to the first that stands for something else than itself in XML, or in a string of JSON.
fn plain(text: &[u8]) -> usize {
    text.iter()
        .position(|c| !PLAIN[*c as usize])
        .unwrap_or(text.len())
}

static PLAIN: [bool; 256] = {
    let mut table = [true; 256];
    let mut at = 0;
    while at < 0x20 {
        table[at] = false;
        at += 1;
    }
    table[b'<' as usize] = false;
    table[b'>' as usize] = false;
    table[b'&' as usize] = false;
    table[b'"' as usize] = false;
    table[b'\\' as usize] = false;
    table
};

fn is_unicode(text: &[u8]) -> bool {
    text.is_ascii() || std::str::from_utf8(text).is_ok()
}

/// What stands behind `&`: the character that it names, and the bytes of the name with its semicolon.
fn named(text: &[u8]) -> Option<(u8, usize)> {
    const NAMES: [(&[u8], u8); 11] = [
        (b"amp;", b'&'),
        (b"lt;", b'<'),
        (b"gt;", b'>'),
        (b"quot;", b'"'),
        (b"apos;", b'\''),
        (b"#xD;", b'\r'),
        (b"#xA;", b'\n'),
        (b"#x9;", b'\t'),
        (b"#13;", b'\r'),
        (b"#10;", b'\n'),
        (b"#9;", b'\t'),
    ];
    NAMES
        .iter()
        .find(|(name, _)| text.starts_with(name))
        .map(|(name, c)| (*c, name.len()))
}

/// Write a text of XML, as `markup_end` takes it, as the content of a string of JSON.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    let mut at = 0;
    loop {
        let run = plain(&text[at..]);
        out.extend_from_slice(&text[at..at + run]);
        at += run;
        if at >= text.len() {
            return;
        }
        let (c, length) = match text[at] {
            b'&' => named(&text[at + 1..]).map_or((b'&', 1), |(c, length)| (c, length + 1)),
            c => (c, 1),
        };
        match c {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.push(c),
        }
        at += length;
    }
}
