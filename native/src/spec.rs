//! What an adapter's table, and its source's zone, say to the scanner.

use std::collections::hash_map::RandomState;
use std::collections::HashMap;

use crate::clock;
use crate::quick_hash::Seeded;
use crate::scan::kind;

/// A span of local time, and how far it is ahead of UTC; all in microseconds.
pub struct Offset {
    pub from_us: i64,
    pub until_us: i64,
    pub ahead_us: i64,
}

impl Offset {
    fn parse(text: &[u8]) -> Option<Offset> {
        let mut numbers = std::str::from_utf8(text)
            .ok()?
            .split(' ')
            .map(|number| number.parse::<i64>().ok());
        let (from_us, until_us, ahead_us) = (numbers.next()??, numbers.next()??, numbers.next()??);
        Some(Offset {
            from_us,
            until_us,
            ahead_us,
        })
    }
}

/// What the adapter's table says of a product's lines.
pub struct Spec {
    pub contexts: HashMap<Vec<u8>, u8, Seeded>,
    pub columns: HashMap<Vec<u8>, Vec<u8>>,
    /// What may stand behind a key of `key=` that is in none of the contexts.
    pub others: u8,
    /// What may be the value of a key of JSON, or the text of an element, that begins with a capital and is in none of the contexts.
    pub keys: u8,
    pub elements: u8,
    pub has_markup: bool,
    /// Behind these, all of which end in a colon, stands a number of a message; the lines they stand in are read as usual.
    pub phrases: Vec<Vec<u8>>,
    /// Texts that are no value of any kind, in any case of letters; or, with `*` at the end, what such texts begin with.
    pub never: Vec<Vec<u8>>,
    pub has_words: bool,
    pub has_labels: bool,
    pub process: bool,
    pub sequence: bool,
    /// Of the source's zone: spans of local time in which one offset holds, in order.
    pub offsets: Vec<Offset>,
    pub type_column: usize,
}

impl Spec {
    /// Read a table: `kind context` each ended by NUL; `kind ,TYPE,n` is column n of comma-separated
    /// lines of a type, which stands in column 3 unless `t n` names another, `z from until ahead` a span of local time.
    pub fn parse(text: &[u8]) -> Option<Spec> {
        let mut spec = Spec {
            contexts: HashMap::with_hasher(Seeded::new(&RandomState::new())),
            columns: HashMap::new(),
            others: 0,
            keys: 0,
            elements: 0,
            has_markup: false,
            phrases: Vec::new(),
            never: Vec::new(),
            has_words: false,
            has_labels: false,
            process: false,
            sequence: false,
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
            match (kind, context) {
                (_, b"*=") => spec.others = kind,
                (_, b"*\":") => spec.keys = kind,
                (_, b"*>") => spec.elements = kind,
                (kind::PHRASE, _) => spec.phrases.push(context.to_vec()),
                (kind::NEVER, _) => spec.never.push(context.to_vec()),
                _ => spec.take(kind, context)?,
            }
        }
        Some(spec)
    }

    /// The kind of value behind a key or tag; `other` where no context is known that is a whole word with a capital.
    pub fn named(&self, context: &[u8], other: u8, is_whole: bool) -> u8 {
        match self.contexts.get(context) {
            Some(kind) => *kind,
            None if is_whole && context[0].is_ascii_uppercase() => other,
            None => 0,
        }
    }

    fn take(&mut self, kind: u8, context: &[u8]) -> Option<()> {
        if kind == b't' {
            self.type_column = usize::try_from(clock::number(context)?).ok()?;
        } else if context.first() == Some(&b',') {
            let mut parts = context[1..].split(|byte| *byte == b',');
            let (name, column) = (parts.next()?, clock::number(parts.next()?)?);
            let column = usize::try_from(column)
                .ok()
                .filter(|column| *column < 1024)?;
            let kinds = self.columns.entry(name.to_vec()).or_default();
            if kinds.len() <= column {
                kinds.resize(column + 1, 0);
            }
            kinds[column] = kind;
        } else {
            self.has_labels |= context.ends_with(b": ");
            self.has_words |= context.ends_with(b" ") && !context.ends_with(b": ");
            self.process |= context == b"[";
            self.sequence |= context == b">";
            self.contexts.insert(context.to_vec(), kind);
            if let Some(name) = context.strip_suffix(b">").filter(|name| !name.is_empty()) {
                self.has_markup = true;
                for quote in [b"\">", b"'>"] {
                    self.contexts.insert([name, quote].concat(), kind);
                }
            }
        }
        Some(())
    }
}
