//! What the site knows of addresses and hosts, as JSON to be added to events; told by `ingest.enrich`, remembered here.

use std::collections::HashMap;

/// Addresses and hosts remembered; when full, all are forgotten and asked for anew.
const MAX_KNOWN: usize = 131_072;

/// Kinds of what is known, as they stand before a name.
const KINDS: &[u8; 3] = b"SDH";

/// See the module.
#[derive(Default)]
pub struct Site {
    /// By kind and name: whether it lies inside, and what is to be added.
    known: HashMap<Vec<u8>, (bool, Vec<u8>)>,
}

impl Site {
    /// Remember what is known of a name.
    pub fn inform(&mut self, name: &[u8], is_own: bool, json: &[u8]) {
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(name.to_vec(), (is_own, json.to_vec()));
    }

    /// Forget everything, since what is known changed.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// Append what is known of an event's ends and host, and its direction where asked for; None: names that are not
    /// known yet were appended to `missing`, each ended by NUL.
    pub fn add(
        &self,
        ends: [Vec<u8>; 3],
        directs: bool,
        out: &mut Vec<u8>,
        missing: &mut Vec<u8>,
    ) -> Option<()> {
        let mut own = [None; 2];
        for (number, name) in ends.iter().enumerate() {
            if number == 2 {
                if let (true, [Some(source), Some(destination)]) = (directs, own) {
                    out.extend_from_slice(direction(source, destination));
                }
            }
            if name.is_empty() {
                continue;
            }
            let mut key = vec![KINDS[number]];
            key.extend_from_slice(name);
            match self.known.get(&key) {
                Some((is_own, json)) => {
                    if number < 2 {
                        own[number] = Some(*is_own);
                    }
                    out.extend_from_slice(json);
                }
                None => {
                    missing.extend_from_slice(&key);
                    missing.push(0);
                }
            }
        }
        missing.is_empty().then_some(())
    }
}

fn direction(source: bool, destination: bool) -> &'static [u8] {
    match (source, destination) {
        (true, true) => b",\"network.direction\":\"internal\"",
        (true, false) => b",\"network.direction\":\"outbound\"",
        (false, true) => b",\"network.direction\":\"inbound\"",
        (false, false) => b",\"network.direction\":\"external\"",
    }
}
