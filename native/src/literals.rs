//! Which of many literals may occur in a text: a few bytes of each are looked for by their hash, then it is compared.
//!
//! Letters of ASCII stand for both cases. Of each literal one run of up to four bytes (its gram) is filed; where literals
//! are few and long, the grams at several offsets are, so that the text need be probed only at every so many places.

/// Where in a text a literal must stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Anywhere,
    Start,
    End,
}

/// A literal that is looked for.
#[derive(Clone)]
pub struct Literal {
    pub bytes: Box<[u8]>,
    pub place: Place,
    /// What else must stand somewhere in the text.
    pub also: Vec<Box<[u8]>>,
}

/// Literals whose grams are equally long.
struct Group {
    gram: usize,
    /// Places of the text from one probe to the next.
    step: usize,
    shift: u32,
    /// One bit a hash: whether any gram is filed there.
    bits: Vec<u64>,
    /// Of so many hashes in a row, the first of their entries; one more at the end. Coarse, so that it stays in the cache.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

/// A gram of a literal.
struct Entry {
    word: u32,
    literal: u32,
    /// Of the gram in the literal.
    offset: u32,
}

/// See the module.
#[derive(Default)]
pub struct Literals {
    literals: Vec<Literal>,
    groups: Vec<Group>,
}

const LONGEST_GRAM: usize = 4;
/// As long as they are not more in all, grams at several offsets of each literal are filed: their bits fit the nearest cache.
const FEW_GRAMS: usize = 4096;
const MOST_OFFSETS: usize = 8;
/// Hashes for each entry, about: most probes of an innocent text end at an empty bit.
const SPREAD: usize = 16;

/// Four bytes with the case of letters taken out; other bytes may coincide, which comparing tells.
fn word(text: &[u8], at: usize, gram: usize) -> u32 {
    let mut bytes = [0u8; LONGEST_GRAM];
    bytes[..gram].copy_from_slice(&text[at..at + gram]);
    u32::from_le_bytes(bytes) | 0x2020_2020
}

impl Group {
    fn hash(&self, word: u32) -> usize {
        (word.wrapping_mul(0x9E37_79B1) >> self.shift) as usize
    }

    fn new(gram: usize, step: usize, grams: &[(u32, u32, u32)]) -> Group {
        let size = (grams.len() * SPREAD)
            .next_power_of_two()
            .clamp(1024, 1 << 22);
        let mut group = Group {
            gram,
            step,
            shift: 32 - size.trailing_zeros(),
            bits: vec![0; size / 64],
            starts: vec![0; size / SPREAD + 1],
            entries: Vec::with_capacity(grams.len()),
        };
        let mut filed: Vec<(usize, u32, u32, u32)> = grams
            .iter()
            .map(|&(word, literal, offset)| (group.hash(word), word, literal, offset))
            .collect();
        filed.sort_unstable();
        for (hash, word, literal, offset) in filed {
            group.bits[hash / 64] |= 1 << (hash % 64);
            group.starts[hash / SPREAD + 1] += 1;
            group.entries.push(Entry {
                word,
                literal,
                offset,
            });
        }
        for at in 0..size / SPREAD {
            group.starts[at + 1] += group.starts[at];
        }
        group
    }

    fn occurs(&self, literals: &[Literal], text: &[u8]) -> bool {
        if text.len() < self.gram {
            return false;
        }
        let last = text.len() - self.gram;
        let mut at = 0;
        if self.gram == LONGEST_GRAM {
            while at <= last {
                let bytes: [u8; LONGEST_GRAM] = match text[at..at + LONGEST_GRAM].try_into() {
                    Ok(bytes) => bytes,
                    Err(_) => return true,
                };
                let word = u32::from_le_bytes(bytes) | 0x2020_2020;
                if self.is_filed(word) && self.compare(literals, text, at, word) {
                    return true;
                }
                at += self.step;
            }
            return false;
        }
        while at <= last {
            let word = word(text, at, self.gram);
            if self.is_filed(word) && self.compare(literals, text, at, word) {
                return true;
            }
            at += self.step;
        }
        false
    }

    /// Whether a gram may be this one.
    fn is_filed(&self, word: u32) -> bool {
        let hash = self.hash(word);
        self.bits[hash / 64] >> (hash % 64) & 1 != 0
    }

    /// Whether a literal with this gram stands so that the gram is at this place.
    #[inline(never)]
    fn compare(&self, literals: &[Literal], text: &[u8], at: usize, word: u32) -> bool {
        let row = self.hash(word) / SPREAD;
        let entries = self.starts[row] as usize..self.starts[row + 1] as usize;
        self.entries[entries].iter().any(|entry| {
            let Some(start) = at.checked_sub(entry.offset as usize) else {
                return false;
            };
            if entry.word != word {
                return false;
            }
            let literal = &literals[entry.literal as usize];
            let end = start + literal.bytes.len();
            end <= text.len()
                && match literal.place {
                    Place::Anywhere => true,
                    Place::Start => start == 0,
                    Place::End => end == text.len(),
                }
                && text[start..end].eq_ignore_ascii_case(&literal.bytes)
                && literal.also.iter().all(|one| holds(text, one))
        })
    }
}

impl Literals {
    /// File literals, none of which is empty.
    pub fn new(literals: Vec<Literal>) -> Literals {
        let mut groups = Vec::new();
        for gram in 1..=LONGEST_GRAM {
            let chosen: Vec<u32> = (0..literals.len() as u32)
                .filter(|&one| literals[one as usize].bytes.len().min(LONGEST_GRAM) == gram)
                .collect();
            if !chosen.is_empty() {
                groups.push(group_of(gram, &chosen, &literals));
            }
        }
        Literals { literals, groups }
    }

    /// Whether one of them stands where it must.
    pub fn occur(&self, text: &[u8]) -> bool {
        self.groups
            .iter()
            .any(|group| group.occurs(&self.literals, text))
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    part.is_empty()
        || text
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
}

fn group_of(gram: usize, chosen: &[u32], literals: &[Literal]) -> Group {
    let shortest = chosen
        .iter()
        .map(|&one| literals[one as usize].bytes.len())
        .min()
        .unwrap_or(gram);
    let most = (FEW_GRAMS / chosen.len()).clamp(1, MOST_OFFSETS);
    let step = (shortest - gram + 1).min(most);
    let mut grams = Vec::new();
    if step > 1 {
        for &one in chosen {
            let bytes = &literals[one as usize].bytes;
            grams.extend((0..step).map(|offset| (word(bytes, offset, gram), one, offset as u32)));
        }
        return Group::new(gram, step, &grams);
    }
    // Of many literals, the gram that the fewest others hold.
    let mut counts = std::collections::HashMap::new();
    for &one in chosen {
        let bytes = &literals[one as usize].bytes;
        for offset in 0..=bytes.len() - gram {
            *counts.entry(word(bytes, offset, gram)).or_insert(0u32) += 1;
        }
    }
    for &one in chosen {
        let bytes = &literals[one as usize].bytes;
        let rarest = (0..=bytes.len() - gram)
            .map(|offset| (counts[&word(bytes, offset, gram)], offset))
            .min();
        if let Some((_, offset)) = rarest {
            grams.push((word(bytes, offset, gram), one, offset as u32));
        }
    }
    Group::new(gram, 1, &grams)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(wanted: &[Literal], text: &[u8]) -> bool {
        let text = text.to_ascii_lowercase();
        wanted.iter().any(|literal| {
            let bytes = literal.bytes.to_ascii_lowercase();
            let also = literal.also.iter().all(|one| holds(&text, one));
            also && match literal.place {
                Place::Start => text.starts_with(&bytes),
                Place::End => text.ends_with(&bytes),
                Place::Anywhere => text.windows(bytes.len()).any(|window| window == &bytes[..]),
            }
        })
    }

    #[test]
    fn literals_occur_as_plain_search_finds_them() {
        let mut seed = 7u64;
        let mut next = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for round in 0..4000 {
            let count = 1 + next(if round % 10 == 0 { 90 } else { 5 });
            let shortest = 1 + next(14);
            let wanted: Vec<Literal> = (0..count)
                .map(|_| {
                    let length = shortest + next(4);
                    let place = [Place::Anywhere, Place::Start, Place::End][next(3) as usize];
                    let bytes: Vec<u8> =
                        (0..length).map(|_| b"abAB\\@`"[next(7) as usize]).collect();
                    let also = (0..next(3)).map(|_| vec![b"aB@"[next(3) as usize]].into());
                    Literal {
                        bytes: bytes.into(),
                        place,
                        also: also.collect(),
                    }
                })
                .collect();
            let literals = Literals::new(wanted.clone());
            for _ in 0..8 {
                let length = next(40);
                let mut text: Vec<u8> =
                    (0..length).map(|_| b"abAB\\@`"[next(7) as usize]).collect();
                if next(2) == 0 {
                    let bytes = &wanted[next(count) as usize].bytes;
                    let at = next(text.len() as u64 + 1) as usize;
                    text.splice(at..at, bytes.iter().copied());
                }
                assert_eq!(literals.occur(&text), naive(&wanted, &text));
            }
        }
    }
}
