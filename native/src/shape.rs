//! What decides the class of an event: the values of some fields; of which, its shape tells.
//!
//! Python names them (see `correlate/sigma/sieve.py`) and makes sure that they decide: two events with one key are of one class.

use std::collections::HashSet;

use crate::clock::push_iso;
use crate::flat::{Flat, Kind};

/// How much of a field counts.
enum Part {
    Value,
    Presence,
    /// Of a text whether it is one of these, and which.
    OneOf(HashSet<Box<[u8]>>),
    /// There must be none.
    Nothing,
}

/// Events that have a text in one field, the gate; or any events.
struct Shape {
    gate: Option<u32>,
    parts: Vec<(u32, Part)>,
}

/// The shapes, of which the first that fits is taken; and what an event needs to have one at all.
#[derive(Default)]
pub struct Shapes {
    shapes: Vec<Shape>,
    /// Events with one of these are read otherwise.
    foreign: Vec<u32>,
    /// Must be a text.
    id: Option<u32>,
    /// Must be the time that the caller knows, as we write it.
    time: Option<u32>,
}

impl Shapes {
    /// Take one item of the description; false: it is none.
    pub fn take(&mut self, tag: u8, text: &[u8], flat: &mut Flat) -> bool {
        match tag {
            b'X' => self.foreign.push(flat.know(text)),
            b'I' => self.id = Some(flat.know(text)),
            b'W' => self.time = Some(flat.know(text)),
            b'G' => self.shapes.push(Shape {
                gate: (!text.is_empty()).then(|| flat.know(text)),
                parts: Vec::new(),
            }),
            _ => return self.part(tag, text, flat),
        }
        true
    }

    fn part(&mut self, tag: u8, text: &[u8], flat: &mut Flat) -> bool {
        let Some(shape) = self.shapes.last_mut() else {
            return false;
        };
        let part = match tag {
            b'V' => Part::Value,
            b'H' => Part::Presence,
            b'T' => Part::OneOf(HashSet::new()),
            b'N' => Part::Nothing,
            b'A' => {
                return match shape.parts.last_mut() {
                    Some((_, Part::OneOf(texts))) => texts.insert(text.into()),
                    _ => false,
                }
            }
            _ => return false,
        };
        shape.parts.push((flat.know(text), part));
        true
    }

    /// Whether the line last read has the id and the time that it must have.
    pub fn vouch(&self, flat: &Flat, line: &[u8], time_us: i64, scratch: &mut Vec<u8>) -> bool {
        if self
            .id
            .is_some_and(|name| flat.value(name).kind != Kind::Text)
        {
            return false;
        }
        let Some(value) = self.time.map(|name| flat.value(name)) else {
            return true;
        };
        scratch.clear();
        value.kind == Kind::Text
            && push_iso(scratch, time_us)
            && line[value.start as usize..value.end as usize] == scratch[..]
    }

    /// Write what decides the class of the line last read; false: it is to be looked at as a whole.
    pub fn key(&self, flat: &Flat, line: &[u8], key: &mut Vec<u8>) -> bool {
        key.clear();
        let kind = |name: u32| flat.value(name).kind;
        let raw = |name: u32| {
            let value = flat.value(name);
            &line[value.start as usize..value.end as usize]
        };
        if self.foreign.iter().any(|&name| kind(name) != Kind::Absent) {
            return false;
        }
        let is_open = |shape: &&Shape| shape.gate.map_or(true, |name| kind(name) != Kind::Absent);
        let Some((number, shape)) = self
            .shapes
            .iter()
            .enumerate()
            .find(|(_, shape)| is_open(shape))
        else {
            return false;
        };
        if let Some(gate) = shape.gate {
            if !matches!(kind(gate), Kind::Text | Kind::Escaped) || raw(gate).is_empty() {
                return false;
            }
        }
        key.push(number as u8);
        for (name, part) in &shape.parts {
            let kind = kind(*name);
            let counts = match part {
                Part::Value => true,
                Part::Presence => false,
                Part::OneOf(texts) => match kind {
                    Kind::Text if !texts.contains(raw(*name)) => {
                        key.push(Kind::Absent as u8);
                        continue;
                    }
                    // Another way to write one of the texts.
                    Kind::Escaped => return false,
                    _ => true,
                },
                Part::Nothing if matches!(kind, Kind::Absent | Kind::Null) => continue,
                Part::Nothing => return false,
            };
            if !counts {
                key.push(u8::from(kind != Kind::Absent));
                continue;
            }
            key.push(kind as u8);
            key.extend_from_slice(&(raw(*name).len() as u32).to_le_bytes());
            key.extend_from_slice(raw(*name));
        }
        true
    }
}
