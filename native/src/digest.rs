//! The two hashes that an event needs: BLAKE2b for its id (RFC 7693), SHA-1 for the Community ID (FIPS 180-4).
//!
//! Both only in the form used: a 12-byte BLAKE2b of two pieces with a personalization, and the SHA-1 of a
//! message that fits one block. Tests compare with published vectors; the Python tests with `hashlib`.

const IV: [u64; 8] = [
    0x6a09e667f3bcc908,
    0xbb67ae8584caa73b,
    0x3c6ef372fe94f82b,
    0xa54ff53a5f1d36f1,
    0x510e527fade682d1,
    0x9b05688c2b3e6c1f,
    0x1f83d9abfb41bd6b,
    0x5be0cd19137e2179,
];

const SIGMA: [[usize; 16]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
    [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
    [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
    [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
    [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
    [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
    [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
    [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

/// Bytes of an id's digest.
pub const ID_BYTES: usize = 12;
const BLOCK: usize = 128;

macro_rules! mix {
    ($v:ident, $a:expr, $b:expr, $c:expr, $d:expr, $x:expr, $y:expr) => {
        $v[$a] = $v[$a].wrapping_add($v[$b]).wrapping_add($x);
        $v[$d] = ($v[$d] ^ $v[$a]).rotate_right(32);
        $v[$c] = $v[$c].wrapping_add($v[$d]);
        $v[$b] = ($v[$b] ^ $v[$c]).rotate_right(24);
        $v[$a] = $v[$a].wrapping_add($v[$b]).wrapping_add($y);
        $v[$d] = ($v[$d] ^ $v[$a]).rotate_right(16);
        $v[$c] = $v[$c].wrapping_add($v[$d]);
        $v[$b] = ($v[$b] ^ $v[$c]).rotate_right(63);
    };
}

fn compress(h: &mut [u64; 8], block: &[u8], count: u128, is_last: bool) {
    let mut m = [0u64; 16];
    for (word, bytes) in m.iter_mut().zip(block.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().unwrap_or([0; 8]));
    }
    let mut v = [0u64; 16];
    v[..8].copy_from_slice(h);
    v[8..].copy_from_slice(&IV);
    v[12] ^= count as u64;
    v[13] ^= (count >> 64) as u64;
    if is_last {
        v[14] = !v[14];
    }
    for round in 0..12 {
        let s = &SIGMA[round % 10];
        mix!(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix!(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix!(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix!(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix!(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix!(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix!(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix!(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (at, word) in h.iter_mut().enumerate() {
        *word ^= v[at] ^ v[at + 8];
    }
}

/// The digest of `first` followed by `second`, personalized; no key, no salt.
pub fn blake2b(person: &[u8; 16], first: &[u8], second: &[u8]) -> [u8; ID_BYTES] {
    let mut h = IV;
    h[0] ^= 0x0101_0000 ^ ID_BYTES as u64;
    h[6] ^= u64::from_le_bytes(person[..8].try_into().unwrap_or([0; 8]));
    h[7] ^= u64::from_le_bytes(person[8..].try_into().unwrap_or([0; 8]));
    let total = first.len() + second.len();
    let mut done = 0;
    while total - done > BLOCK {
        if done + BLOCK <= first.len() {
            compress(
                &mut h,
                &first[done..done + BLOCK],
                (done + BLOCK) as u128,
                false,
            );
        } else {
            compress(
                &mut h,
                &block_at(first, second, done),
                (done + BLOCK) as u128,
                false,
            );
        }
        done += BLOCK;
    }
    compress(&mut h, &block_at(first, second, done), total as u128, true);
    let mut digest = [0; ID_BYTES];
    digest[..8].copy_from_slice(&h[0].to_le_bytes());
    digest[8..].copy_from_slice(&h[1].to_le_bytes()[..4]);
    digest
}

fn block_at(first: &[u8], second: &[u8], at: usize) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let from_first = first.len().saturating_sub(at).min(BLOCK);
    if from_first > 0 {
        block[..from_first].copy_from_slice(&first[at..at + from_first]);
    }
    let skipped = at.saturating_sub(first.len());
    let rest = &second[skipped.min(second.len())..];
    let from_second = rest.len().min(BLOCK - from_first);
    block[from_first..from_first + from_second].copy_from_slice(&rest[..from_second]);
    block
}

/// SHA-1 of at most 55 bytes.
pub fn sha1(message: &[u8]) -> [u8; 20] {
    debug_assert!(message.len() < 56);
    let mut block = [0u8; 64];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] = 0x80;
    block[56..].copy_from_slice(&((message.len() as u64) * 8).to_be_bytes());
    let mut w = [0u32; 80];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes(bytes.try_into().unwrap_or([0; 4]));
    }
    for at in 16..80 {
        w[at] = (w[at - 3] ^ w[at - 8] ^ w[at - 14] ^ w[at - 16]).rotate_left(1);
    }
    let start: [u32; 5] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
    let [mut a, mut b, mut c, mut d, mut e] = start;
    for (at, word) in w.iter().enumerate() {
        let (f, k) = match at {
            0..=19 => ((b & c) | (!b & d), 0x5a827999),
            20..=39 => (b ^ c ^ d, 0x6ed9eba1),
            40..=59 => ((b & c) | (b & d) | (c & d), 0x8f1bbcdc),
            _ => (b ^ c ^ d, 0xca62c1d6u32),
        };
        let next = a
            .rotate_left(5)
            .wrapping_add(f)
            .wrapping_add(e)
            .wrapping_add(k)
            .wrapping_add(*word);
        e = d;
        d = c;
        c = b.rotate_left(30);
        b = a;
        a = next;
    }
    let mut digest = [0; 20];
    for (place, (word, first)) in digest
        .chunks_exact_mut(4)
        .zip([a, b, c, d, e].into_iter().zip(start))
    {
        place.copy_from_slice(&word.wrapping_add(first).to_be_bytes());
    }
    digest
}

/// Append 20 bytes as base64, 28 characters (RFC 4648, 4).
pub fn push_base64(out: &mut Vec<u8>, bytes: &[u8; 20]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let value = (three[0] as usize) << 16
            | (*three.get(1).unwrap_or(&0) as usize) << 8
            | *three.get(2).unwrap_or(&0) as usize;
        out.push(DIGITS[value >> 18]);
        out.push(DIGITS[value >> 12 & 63]);
        out.push(if three.len() > 1 {
            DIGITS[value >> 6 & 63]
        } else {
            b'='
        });
        out.push(if three.len() > 2 {
            DIGITS[value & 63]
        } else {
            b'='
        });
    }
}

/// Append bytes as lower-case hexadecimal.
pub fn push_hex(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[(byte >> 4) as usize]);
        out.push(DIGITS[(byte & 15) as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha1_of_abc_is_the_published_one() {
        let mut hex = Vec::new();
        push_hex(&mut hex, &sha1(b"abc"));
        assert_eq!(hex, b"a9993e364706816aba3e25717850c26c9cd0d89d");
    }

    #[test]
    fn pieces_hash_like_the_whole_wherever_they_part() {
        let data: Vec<u8> = (0..700u32).map(|n| n as u8).collect();
        let whole = blake2b(&[0; 16], &data, b"");
        for at in [0, 1, 127, 128, 129, 255, 256, 257, 512, 699, 700] {
            assert_eq!(blake2b(&[0; 16], &data[..at], &data[at..]), whole);
        }
    }

    #[test]
    fn base64_pads_the_last_of_twenty_bytes() {
        let mut out = Vec::new();
        push_base64(&mut out, &[0; 20]);
        assert_eq!(out, b"AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    }
}
