//! Where strings of JSON and texts of XML end, and how the latter are written as the former.
//!
//! What would end a text, or mean something to the reader of the format, is not taken for a value: other escapes than
//! those that are written back as they came, tags, text that is not UTF-8. So a value cannot change what surrounds it.

use crate::flat::special;
use crate::scan::contains;

/// The closing quote of a string of JSON, and whether some of its characters are written back otherwise than they came: by
/// number, those beyond ASCII and a few that only careful writers escape; or `/` behind a backslash.
pub fn string_end(raw: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut end = at;
    let mut is_escaped = false;
    loop {
        end = special(raw, end);
        match raw.get(end)? {
            b'"' => break,
            b'\\' => match raw.get(end + 1)? {
                b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f' => end += 2,
                b'/' => {
                    is_escaped = true;
                    end += 2;
                }
                b'u' => {
                    is_escaped = true;
                    numbered(&raw[end + 2..])?;
                    end += 6;
                }
                _ => return None,
            },
            _ => return None,
        }
    }
    let text = &raw[at..end];
    let is_unicode = text.is_ascii() || std::str::from_utf8(text).is_ok();
    is_unicode.then_some((end, is_escaped))
}

/// The character that four hexadecimal digits name, if no reader looks for it and it stands by itself.
fn numbered(digits: &[u8]) -> Option<char> {
    let digits = digits
        .get(..4)
        .filter(|four| four.iter().all(u8::is_ascii_hexdigit))?;
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    char::from_u32(code).filter(|c| !c.is_ascii() || "\"&'+<=>`".contains(*c))
}

/// Write the content of a string of JSON, as `string_end` takes it, in the one way in which it is written here.
pub fn push_plainly(out: &mut Vec<u8>, text: &[u8]) {
    let mut at = 0;
    while at < text.len() {
        let run = text[at..].iter().position(|c| *c == b'\\');
        let end = run.map_or(text.len(), |run| at + run);
        out.extend_from_slice(&text[at..end]);
        at = end + 2;
        match text.get(end + 1) {
            None => {}
            Some(b'/') => out.push(b'/'),
            Some(b'u') => {
                let c = numbered(&text[end + 2..]).unwrap_or('\u{fffd}');
                if c == '"' {
                    out.push(b'\\');
                }
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at = end + 6;
            }
            Some(_) => out.extend_from_slice(&text[end..end + 2]),
        }
    }
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
        at = push_run(out, text, at);
        let (c, length) = match text.get(at) {
            None => return,
            Some(b'&') => named(&text[at + 1..]).map_or((b'&', 1), |(c, length)| (c, length + 1)),
            Some(c) => (*c, 1),
        };
        push_character(out, c);
        at += length;
    }
}

/// Write a text, as it stands in a line, as the content of a string of JSON.
pub fn push_raw(out: &mut Vec<u8>, text: &[u8]) {
    let mut at = 0;
    loop {
        at = push_run(out, text, at);
        match text.get(at) {
            None => return,
            Some(c) => push_character(out, *c),
        }
        at += 1;
    }
}

fn push_run(out: &mut Vec<u8>, text: &[u8], at: usize) -> usize {
    let end = at + plain(&text[at..]);
    out.extend_from_slice(&text[at..end]);
    end
}

fn push_character(out: &mut Vec<u8>, c: u8) {
    match c {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', c]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => out.push(c),
    }
}
