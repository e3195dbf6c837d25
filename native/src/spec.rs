//! What an adapter's table, and its source's zone, say to the scanner.

use std::collections::HashMap;

use crate::clock;

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
    pub contexts: HashMap<Vec<u8>, u8>,
    pub columns: HashMap<Vec<u8>, Vec<u8>>,
    /// What may stand behind a key of `key=` that is in none of the contexts.
    pub others: u8,
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
            contexts: HashMap::new(),
            columns: HashMap::new(),
            others: 0,
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
            if context == b"*=" {
                spec.others = kind;
                continue;
            }
            if kind == b't' {
                spec.type_column = usize::try_from(clock::number(context)?).ok()?;
                continue;
            }
            if context.first() == Some(&b',') {
                let mut parts = context[1..].split(|byte| *byte == b',');
                let (name, column) = (parts.next()?, clock::number(parts.next()?)?);
                let column = usize::try_from(column)
                    .ok()
                    .filter(|column| *column < 1024)?;
                let kinds = spec.columns.entry(name.to_vec()).or_default();
                if kinds.len() <= column {
                    kinds.resize(column + 1, 0);
                }
                kinds[column] = kind;
            } else {
                spec.has_labels |= context.ends_with(b": ");
                spec.has_words |= context.ends_with(b" ") && !context.ends_with(b": ");
                spec.process |= context == b"[";
                spec.sequence |= context == b">";
                spec.contexts.insert(context.to_vec(), kind);
            }
        }
        Some(spec)
    }
}
