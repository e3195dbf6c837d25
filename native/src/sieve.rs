//! Tells of a line, from its bytes, that no rule can hold: what a class's rules wait for is in none of its values.
//!
//! It may only err to one side: whatever it is not sure of, Python looks at. Python says which classes there are and what
//! their rules wait for (see `correlate/sigma/sieve.py`), and which values it found clean that seemed not to be.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};

use crate::flat::{unescape, Flat, Kind};
use crate::literals::{Literal, Literals, Place};
use crate::quick_hash::Seeded;

/// What is answered of a line.
pub mod answer {
    pub const NOTHING: i64 = 0;
    pub const LOOK: i64 = 1;
    /// Look, and take the event into the sample of its class.
    pub const SAMPLE: i64 = 2;
    /// The line or its class is none that is served here.
    pub const UNKNOWN: i64 = 3;
}

/// Of all remembered values of one sieve, overhead counted; then all are forgotten.
const MEMO_BYTES: usize = 24 << 20;
const OVERHEAD: usize = 48;
/// Longer values are looked through each time: they hardly repeat.
const MEMO_VALUE: usize = 2048;
/// Combinations of channel and code; when there are more, all are forgotten.
const MAX_ROUTES: usize = 65_536;

/// What rules wait for in one field.
#[derive(Default)]
struct Field {
    name: u32,
    exact: HashSet<Box<[u8]>>,
    longest: usize,
    literals: Literals,
    /// Something is waited for that cannot be looked for here.
    has_others: bool,
    /// Of each rule that waits for any text: what must not stand in it.
    vetoes: Vec<Literals>,
    /// Rules wait for the field to be absent.
    of_absence: bool,
    /// Rules wait for numbers.
    of_numbers: bool,
    clean: HashSet<Box<[u8]>, Seeded>,
}

type Filed = Vec<Literal>;

#[derive(Default)]
struct Class {
    fields: Vec<Field>,
    /// Objects that dotted names look into.
    parents: Vec<u32>,
    keywords: Option<Literals>,
    /// Zero: no sample is taken.
    stride: u32,
    skipped: u32,
}

/// See the module.
pub struct Sieve {
    flat: Flat,
    head: [u32; 5],
    guard: HashSet<char>,
    classes: Vec<Option<Class>>,
    routes: HashMap<Box<[u8]>, u32>,
    used: usize,
    seed: Seeded,
    key: Vec<u8>,
    text: Vec<u8>,
    folded: Vec<u8>,
}

const HEAD: [&[u8]; 5] = [
    b"Channel",
    b"EventID",
    b"SourceName",
    b"Provider_Name",
    b"EventData",
];

impl Sieve {
    /// `guard`: characters that fold to something with a letter of ASCII in it.
    pub fn new(guard: &str) -> Sieve {
        let mut flat = Flat::default();
        Sieve {
            head: HEAD.map(|name| flat.know(name)),
            flat,
            guard: guard.chars().collect(),
            classes: Vec::new(),
            routes: HashMap::new(),
            used: 0,
            seed: Seeded::new(&RandomState::new()),
            key: Vec::new(),
            text: Vec::new(),
            folded: Vec::new(),
        }
    }

    pub fn ask(&mut self, line: &[u8]) -> i64 {
        if self.used > MEMO_BYTES {
            self.forget_values();
        }
        match self.class_of(line) {
            Some(class) => self.sift(class as usize, line),
            None => answer::UNKNOWN,
        }
    }

    fn class_of(&mut self, line: &[u8]) -> Option<u32> {
        if !self.flat.read(line) {
            return None;
        }
        let [channel, code, source, provider, data] = self.head.map(|name| self.flat.value(name));
        let code_kind = match code.kind {
            Kind::Integer => b'i',
            Kind::Text => b's',
            _ => return None,
        };
        if data.kind != Kind::Absent {
            return None;
        }
        let raw = &line[channel.start as usize..channel.end as usize];
        self.key.clear();
        match channel.kind {
            Kind::Text if !raw.is_empty() => self.key.extend_from_slice(raw),
            Kind::Escaped if unescape(raw, &mut self.key) => (),
            _ => return None,
        }
        let is_nxlog = source.kind != Kind::Absent && provider.kind == Kind::Absent;
        self.key
            .extend_from_slice(&[0, code_kind, u8::from(is_nxlog)]);
        self.key
            .extend_from_slice(&line[code.start as usize..code.end as usize]);
        self.routes.get(&self.key[..]).copied()
    }

    fn sift(&mut self, number: usize, line: &[u8]) -> i64 {
        let Some(class) = self.classes.get_mut(number).and_then(Option::as_mut) else {
            return answer::UNKNOWN;
        };
        if class.stride != 0 {
            class.skipped += 1;
            if class.skipped >= class.stride {
                class.skipped = 0;
                return answer::SAMPLE;
            }
        }
        let flat = &self.flat;
        if class
            .parents
            .iter()
            .any(|&name| flat.value(name).kind != Kind::Absent)
        {
            return answer::LOOK;
        }
        for field in &mut class.fields {
            let value = flat.value(field.name);
            let raw = &line[value.start as usize..value.end as usize];
            let is_clean = match value.kind {
                Kind::Absent | Kind::Null => !field.of_absence,
                Kind::Text => clean(field, raw, &mut self.folded, &mut self.used),
                Kind::Escaped => {
                    unescape(raw, &mut self.text)
                        && clean(field, &self.text, &mut self.folded, &mut self.used)
                }
                Kind::Integer | Kind::Truth => {
                    !field.of_numbers && !field.has_others && !waits(field, raw, &mut self.folded)
                }
                Kind::Other => false,
            };
            if !is_clean {
                return answer::LOOK;
            }
        }
        if let Some(keywords) = &class.keywords {
            if flat.has_code || keywords.occur(line) || guarded(&self.guard, line) {
                return answer::LOOK;
            }
        }
        answer::NOTHING
    }

    /// Take a class's description; false: it is none. See `correlate/sigma/sieve.py` for the form.
    pub fn define(&mut self, number: usize, mut spec: &[u8]) -> bool {
        let mut class = Class::default();
        // Of each field: what is waited for, then each veto.
        let mut literals: Vec<Vec<Filed>> = Vec::new();
        let mut keywords: Option<Filed> = None;
        while !spec.is_empty() {
            let Some((tag, text, rest)) = item(spec) else {
                return false;
            };
            spec = rest;
            if tag == b'F' {
                class.fields.push(Field {
                    name: self.flat.know(text),
                    clean: HashSet::with_hasher(self.seed.clone()),
                    ..Field::default()
                });
                literals.push(vec![Vec::new()]);
                continue;
            }
            let known = match (tag, class.fields.last_mut(), literals.last_mut()) {
                (b'P', _, _) => {
                    class.parents.push(self.flat.know(text));
                    true
                }
                (b'K', _, _) => {
                    let keywords = keywords.get_or_insert_with(Vec::new);
                    if !text.is_empty() {
                        keywords.push(literal(Place::Anywhere, text));
                    }
                    true
                }
                (_, Some(field), Some(literals)) => field.take(tag, text, literals),
                _ => false,
            };
            if !known {
                return false;
            }
        }
        for (field, literals) in class.fields.iter_mut().zip(literals) {
            let mut made = literals.into_iter().map(Literals::new);
            field.literals = made.next().unwrap_or_default();
            field.vetoes = made.collect();
        }
        class.keywords = keywords.map(Literals::new);
        self.drop_class(number);
        if self.classes.len() <= number {
            self.classes.resize_with(number + 1, || None);
        }
        self.classes[number] = Some(class);
        true
    }

    /// A class is not served any more.
    pub fn drop_class(&mut self, number: usize) {
        if let Some(class) = self.classes.get_mut(number).and_then(Option::take) {
            let values = class.fields.iter().flat_map(|field| field.clean.iter());
            self.used -= values.map(|value| value.len() + OVERHEAD).sum::<usize>();
        }
    }

    /// Lines with this key are of this class.
    pub fn route(&mut self, key: &[u8], number: u32) {
        if self.routes.len() >= MAX_ROUTES {
            self.routes.clear();
        }
        self.routes.insert(key.into(), number);
    }

    /// Take one event in so many into the sample of a class; zero: none.
    pub fn sample(&mut self, number: usize, stride: u32) {
        if let Some(class) = self.classes.get_mut(number).and_then(Option::as_mut) {
            class.stride = stride;
            class.skipped = 0;
        }
    }

    /// A text of a field makes no rule a candidate.
    pub fn clean(&mut self, number: usize, field: usize, text: &[u8]) {
        let class = self.classes.get_mut(number).and_then(Option::as_mut);
        if let Some(field) = class.and_then(|class| class.fields.get_mut(field)) {
            remember(field, text, &mut self.used);
        }
    }

    pub fn forget_values(&mut self) {
        for class in self.classes.iter_mut().flatten() {
            for field in &mut class.fields {
                field.clean = HashSet::with_hasher(self.seed.clone());
            }
        }
        self.used = 0;
    }

    /// Forget classes and routes too.
    pub fn forget(&mut self) {
        self.classes.clear();
        self.routes.clear();
        self.used = 0;
    }
}

impl Field {
    fn take(&mut self, tag: u8, text: &[u8], literals: &mut Vec<Filed>) -> bool {
        let place = match tag {
            b'O' => {
                self.has_others |= text.contains(&b'o');
                self.of_absence = text.contains(&b'a');
                self.of_numbers = text.contains(&b'n');
                return true;
            }
            b'E' => {
                self.longest = self.longest.max(text.len());
                self.exact.insert(text.into());
                return true;
            }
            b'V' => {
                literals.push(Vec::new());
                return true;
            }
            b'A' => {
                let last = literals.last_mut().and_then(|last| last.last_mut());
                return last.map(|last| last.also.push(text.into())).is_some();
            }
            b'I' => Place::Anywhere,
            b'B' => Place::Start,
            b'Z' => Place::End,
            _ => return false,
        };
        match literals.last_mut() {
            Some(last) if !text.is_empty() => last.push(literal(place, text)),
            _ => self.has_others = true,
        }
        true
    }
}

fn literal(place: Place, text: &[u8]) -> Literal {
    Literal {
        bytes: text.into(),
        place,
        also: Vec::new(),
    }
}

/// A tag, a length of four bytes, and a text of that length.
fn item(spec: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let length = u32::from_le_bytes(spec.get(1..5)?.try_into().ok()?) as usize;
    let end = length.checked_add(5)?;
    Some((spec[0], spec.get(5..end)?, &spec[end..]))
}

/// Whether an ASCII text has what rules wait for, or lacks what keeps one of them from waiting.
fn waits(field: &Field, text: &[u8], folded: &mut Vec<u8>) -> bool {
    if text.len() <= field.longest || (text.is_empty() && !field.exact.is_empty()) {
        folded.clear();
        folded.extend(text.iter().map(u8::to_ascii_lowercase));
        if field.exact.contains(&folded[..]) {
            return true;
        }
    }
    field.literals.occur(text) || field.vetoes.iter().any(|veto| !veto.occur(text))
}

fn clean(field: &mut Field, text: &[u8], folded: &mut Vec<u8>, used: &mut usize) -> bool {
    let is_short = text.len() <= MEMO_VALUE;
    if is_short && field.clean.contains(text) {
        return true;
    }
    if field.has_others || !text.is_ascii() || waits(field, text, folded) {
        return false;
    }
    if is_short {
        remember(field, text, used);
    }
    true
}

fn remember(field: &mut Field, text: &[u8], used: &mut usize) {
    if text.len() <= MEMO_VALUE && field.clean.insert(text.into()) {
        *used += text.len() + OVERHEAD;
    }
}

/// Whether a line has a character that may be a letter of ASCII in another form.
fn guarded(guard: &HashSet<char>, line: &[u8]) -> bool {
    if line.is_ascii() {
        return false;
    }
    match std::str::from_utf8(line) {
        Ok(text) => text
            .chars()
            .any(|one| !one.is_ascii() && guard.contains(&one)),
        Err(_) => true,
    }
}
