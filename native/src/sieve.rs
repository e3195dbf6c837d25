//! Tells of a line, from its bytes, that no rule can hold: what a class's rules wait for is in none of its values.
//!
//! It may only err to one side: whatever it is not sure of, Python looks at. Python says which classes there are and what
//! their rules wait for (see `correlate/sigma/sieve.py`), and which values it found clean that seemed not to be.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};

use crate::flat::{each, unescape, Flat, Kind, Value};
use crate::literals::{Literal, Literals, Place};
use crate::quick_hash::Seeded;
use crate::shape::Shapes;

/// What is answered of a line.
pub mod answer {
    pub const NOTHING: i64 = 0;
    pub const LOOK: i64 = 1;
    /// Look, and take the event into the sample of its class.
    pub const SAMPLE: i64 = 2;
    /// The line's class is to be told.
    pub const UNKNOWN: i64 = 3;
    /// The line or its class is none that is served here.
    pub const UNSERVED: i64 = 4;
}

/// Of all remembered values of one sieve, overhead counted; then all are forgotten.
const MEMO_BYTES: usize = 24 << 20;
const OVERHEAD: usize = 48;
/// Longer values are looked through each time: they hardly repeat.
const MEMO_VALUE: usize = 2048;
/// Combinations of what decides a class; when there are more, all are forgotten.
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
    /// What else makes a line worth a look: all fields of one of these.
    watched: Vec<Vec<Field>>,
    keywords: Option<Literals>,
    /// Zero: no sample is taken.
    stride: u32,
    skipped: u32,
}

/// See the module.
pub struct Sieve {
    flat: Flat,
    shapes: Shapes,
    guard: HashSet<char>,
    classes: Vec<Option<Class>>,
    routes: HashMap<Box<[u8]>, u32, Seeded>,
    used: usize,
    seed: Seeded,
    key: Vec<u8>,
    text: Vec<u8>,
    folded: Vec<u8>,
}

impl Sieve {
    /// `guard`: characters that fold to something with a letter of ASCII in it; `shapes`: see `Shapes`. None: malformed.
    pub fn new(guard: &str, mut shapes: &[u8]) -> Option<Sieve> {
        let seed = Seeded::new(&RandomState::new());
        let mut made = Sieve {
            flat: Flat::new(),
            shapes: Shapes::default(),
            guard: guard.chars().collect(),
            classes: Vec::new(),
            routes: HashMap::with_hasher(seed.clone()),
            used: 0,
            seed,
            key: Vec::new(),
            text: Vec::new(),
            folded: Vec::new(),
        };
        while !shapes.is_empty() {
            let (tag, text, rest) = item(shapes)?;
            if !made.shapes.take(tag, text, &mut made.flat) {
                return None;
            }
            shapes = rest;
        }
        Some(made)
    }

    /// What is to be done with a line; `time_us`: of the event, where the shapes ask for it.
    pub fn ask(&mut self, line: &[u8], time_us: i64) -> i64 {
        if self.used > MEMO_BYTES {
            self.forget_values();
        }
        if !self.read(line) || !self.shapes.vouch(&self.flat, line, time_us, &mut self.text) {
            return answer::UNSERVED;
        }
        match self.routes.get(&self.key[..]) {
            Some(&class) => self.sift(class as usize, line),
            None => answer::UNKNOWN,
        }
    }

    /// Read a line and what decides its class; false: it is none that is served.
    fn read(&mut self, line: &[u8]) -> bool {
        self.flat.read(line)
            && !self.flat.seen.nesting
            && self.shapes.key(&self.flat, line, &mut self.key)
    }

    fn sift(&mut self, number: usize, line: &[u8]) -> i64 {
        let Some(class) = self.classes.get_mut(number).and_then(Option::as_mut) else {
            return answer::UNSERVED;
        };
        if class.stride != 0 {
            class.skipped += 1;
            if class.skipped >= class.stride {
                class.skipped = 0;
                return answer::SAMPLE;
            }
        }
        let mut scratch = Scratch {
            text: &mut self.text,
            folded: &mut self.folded,
            used: &mut self.used,
        };
        let mut is_clean =
            |field: &mut Field| scratch.is_clean(field, line, self.flat.value(field.name));
        if !class.fields.iter_mut().all(&mut is_clean) {
            return answer::LOOK;
        }
        for fields in &mut class.watched {
            if !fields.iter_mut().any(&mut is_clean) {
                return answer::LOOK;
            }
        }
        if let Some(keywords) = &class.keywords {
            if self.flat.seen.code || keywords.occur(line) || guarded(&self.guard, line) {
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
        let mut watched: Vec<usize> = Vec::new();
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
            if tag == b'D' {
                watched.push(class.fields.len());
                continue;
            }
            let known = match (tag, class.fields.last_mut(), literals.last_mut()) {
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
        while let Some(start) = watched.pop() {
            class.watched.push(class.fields.split_off(start));
        }
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
            let watched = class.watched.iter().flatten();
            let values = class
                .fields
                .iter()
                .chain(watched)
                .flat_map(|field| &field.clean);
            self.used -= values.map(|value| value.len() + OVERHEAD).sum::<usize>();
        }
    }

    /// Lines like this one are of this class.
    pub fn route(&mut self, line: &[u8], number: u32) {
        if !self.read(line) {
            return;
        }
        if self.routes.len() >= MAX_ROUTES {
            self.routes.clear();
        }
        self.routes.insert(self.key[..].into(), number);
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
            let watched = class.watched.iter_mut().flatten();
            for field in class.fields.iter_mut().chain(watched) {
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

/// Buffers that serve again, and the bytes that remembered values take.
struct Scratch<'a> {
    text: &'a mut Vec<u8>,
    folded: &'a mut Vec<u8>,
    used: &'a mut usize,
}

impl Scratch<'_> {
    /// Whether what a line has in a field makes no rule a candidate.
    fn is_clean(&mut self, field: &mut Field, line: &[u8], value: Value) -> bool {
        if value.kind != Kind::List {
            let raw = &line[value.start as usize..value.end as usize];
            return self.clean(field, value.kind, raw);
        }
        // What rules a rule out must stand in no element, so none alone can tell.
        !field.of_absence
            && field.vetoes.is_empty()
            && each(line, value, |kind, raw| self.clean(field, kind, raw))
    }

    /// Whether a value, or an element of a list, makes no rule a candidate.
    fn clean(&mut self, field: &mut Field, kind: Kind, raw: &[u8]) -> bool {
        match kind {
            Kind::Absent | Kind::Null => !field.of_absence,
            Kind::Text => clean(field, raw, self.folded, self.used),
            Kind::Escaped => {
                unescape(raw, self.text) && clean(field, self.text, self.folded, self.used)
            }
            Kind::Integer | Kind::Truth => {
                !field.of_numbers && !field.has_others && !waits(field, raw, self.folded)
            }
            Kind::List | Kind::Other => false,
        }
    }
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
