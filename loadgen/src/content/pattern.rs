//! Generated content: each 8-byte word follows from the file's seed and the word's place, so a
//! shifted, repeated or foreign block is noticed. It never holds a file in memory.

const WORD: usize = 8;
const WORD_U64: u64 = 8;
/// Odd, with bits all over (the golden ratio): neighbouring words differ everywhere.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: u64 = 0xbf58_476d_1ce4_e5b9;

/// The seed of one file in a farm; names with equal content do not occur.
#[must_use]
pub fn file_seed(farm: u64, name: &str) -> u64 {
    // FNV-1a over the name, then mixed with the farm's own seed.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    scramble(hash ^ scramble(farm ^ STRIDE))
}

/// Writes the bytes from `offset` on into `out`.
pub fn fill(seed: u64, offset: u64, out: &mut [u8]) {
    let (head, rest) = out.split_at_mut(bytes_to_border(offset, out.len()));
    for (place, byte) in (offset..).zip(head) {
        *byte = byte_at(seed, place);
    }
    let mut index = offset.div_ceil(WORD_U64);
    let (words, tail) = rest.as_chunks_mut::<WORD>();
    for chunk in words {
        *chunk = word(seed, index);
        index = index.wrapping_add(1);
    }
    let last = word(seed, index);
    tail.copy_from_slice(&last[..tail.len()]);
}

/// Whether `bytes` are what stands at `offset`.
#[must_use]
pub fn matches(seed: u64, offset: u64, bytes: &[u8]) -> bool {
    let (head, rest) = bytes.split_at(bytes_to_border(offset, bytes.len()));
    let head_fits = (offset..)
        .zip(head)
        .all(|(place, byte)| *byte == byte_at(seed, place));
    let first = offset.div_ceil(WORD_U64);
    let (words, tail) = rest.as_chunks::<WORD>();
    // Differences are collected and looked at once: a loop without branches is several times faster.
    let difference = (first..).zip(words).fold(0, |seen, (index, chunk)| {
        seen | (u64::from_le_bytes(*chunk) ^ value(seed, index))
    });
    let last = word(seed, first.wrapping_add(words.len() as u64));
    head_fits && difference == 0 && last.starts_with(tail)
}

/// Bytes before the next word begins, at most `available`.
fn bytes_to_border(offset: u64, available: usize) -> usize {
    let past = (offset % WORD_U64) as usize;
    ((WORD - past) % WORD).min(available)
}

fn byte_at(seed: u64, place: u64) -> u8 {
    word(seed, place / WORD_U64)[(place % WORD_U64) as usize]
}

fn word(seed: u64, index: u64) -> [u8; WORD] {
    value(seed, index).to_le_bytes()
}

/// One multiplication where the index is only counted up: the compiler adds `STRIDE` instead.
fn value(seed: u64, index: u64) -> u64 {
    let sum = seed.wrapping_add(index.wrapping_mul(STRIDE));
    let mixed = (sum ^ (sum >> 29)).wrapping_mul(MIX);
    mixed ^ (mixed >> 32)
}

fn scramble(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(MIX);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(seed: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        fill(seed, 0, &mut bytes);
        bytes
    }

    #[test]
    fn any_piece_is_the_same_as_in_the_whole() {
        let whole = whole(7, 200);
        for from in 0..whole.len() {
            for to in from..whole.len() {
                let mut piece = vec![0; to - from];
                fill(7, from as u64, &mut piece);
                assert_eq!(piece, whole[from..to], "{from}..{to}");
                assert!(matches(7, from as u64, &piece), "{from}..{to}");
            }
        }
    }

    #[test]
    fn one_wrong_bit_is_noticed_wherever_it_is() {
        let mut bytes = whole(7, 61);
        for place in 0..bytes.len() {
            for from in 0..=place {
                bytes[place] ^= 0x10;
                assert!(
                    !matches(7, from as u64, &bytes[from..]),
                    "{place} from {from}"
                );
                bytes[place] ^= 0x10;
            }
        }
    }

    #[test]
    fn shifted_repeated_and_foreign_blocks_are_noticed() {
        let bytes = whole(7, 4096);
        for other in [1_u64, 8, 512, 1024] {
            assert!(!matches(7, other, &bytes[..512]), "block 0 at {other}");
        }
        assert!(!matches(8, 0, &bytes[..512]));
        assert_ne!(file_seed(1, "a"), file_seed(1, "b"));
        assert_ne!(file_seed(1, "a"), file_seed(2, "a"));
    }
}
