//! The checksums of an HDU (FITS 4.0, section 4.4.2.7 and appendix J).

/// The 32-bit ones' complement sum of `bytes` added to `sum`; a last word that is not whole is filled with
/// zeros.
pub(super) fn sum(sum: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    // 2^32 words fit the carry of a u64: 16 GiB, more than a HDU in memory here.
    let total = words.iter().fold(
        u64::from(sum) + u64::from(u32::from_be_bytes(last)),
        |total, word| total + u64::from(u32::from_be_bytes(*word)),
    );
    fold(total)
}

/// The sum of bytes that come in parts of any length.
#[derive(Debug, Clone, Default)]
pub(super) struct Sum {
    sum: u32,
    /// Bytes of a word that is not whole yet.
    rest: Vec<u8>,
}

impl Sum {
    pub(super) fn add(&mut self, mut bytes: &[u8]) {
        if !self.rest.is_empty() {
            let (next, others) = bytes.split_at(bytes.len().min(4 - self.rest.len()));
            self.rest.extend_from_slice(next);
            bytes = others;
            if self.rest.len() < 4 {
                return;
            }
            self.sum = sum(self.sum, &self.rest);
            self.rest.clear();
        }
        let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
        self.sum = sum(self.sum, words);
        self.rest.extend_from_slice(rest);
    }

    pub(super) fn finish(&self) -> u32 {
        sum(self.sum, &self.rest)
    }
}

fn fold(mut total: u64) -> u32 {
    while total >> 32 != 0 {
        total = (total & 0xffff_ffff) + (total >> 32);
    }
    total as u32
}

/// The 16 letters and digits that add `value` to the sum of the header that they stand in.
pub(super) fn encode(value: u32) -> [u8; 16] {
    let mut text = [0; 16];
    for (at, byte) in value.to_be_bytes().into_iter().enumerate() {
        let mut four = [byte / 4 + b'0'; 4];
        four[0] += byte % 4;
        // Pairs keep their sum while they move away from what is neither a letter nor a digit.
        for pair in four.chunks_exact_mut(2) {
            while !pair.iter().all(u8::is_ascii_alphanumeric) {
                pair[0] += 1;
                pair[1] -= 1;
            }
        }
        for (column, byte) in four.into_iter().enumerate() {
            // One to the right: the text begins in the last byte of a word of the card.
            text[(4 * column + at + 1) % 16] = byte;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FITS 4.0, appendix J.3: the complement of 868229149 is written `hcHjjc9ghcEghc9g`.
    #[test]
    fn the_standards_example_is_reproduced() {
        assert_eq!(&encode(!868_229_149), b"hcHjjc9ghcEghc9g");
    }

    #[test]
    fn parts_of_any_length_have_the_sum_of_the_whole() {
        let bytes: Vec<u8> = (0..10_001_u32).map(|i| (i.wrapping_mul(77) >> 3) as u8).collect();
        for length in [1, 2, 3, 4, 5, 7, 2_880, 20_000] {
            let mut parts = Sum::default();
            bytes.chunks(length).for_each(|part| parts.add(part));
            assert_eq!(parts.finish(), sum(0, &bytes), "{length}");
        }
        assert_eq!(Sum::default().finish(), 0);
    }

    #[test]
    fn a_checksummed_block_sums_to_minus_zero() {
        for seed in [1_u32, 77, 0xffff_fffe, 0x3a40_5b60] {
            let mut block: Vec<u8> = (0..2880_u32).map(|i| (i.wrapping_mul(seed) >> 7) as u8).collect();
            block[91..107].copy_from_slice(b"0000000000000000");
            let total = sum(0, &block);
            block[91..107].copy_from_slice(&encode(!total));
            assert_eq!(sum(0, &block), u32::MAX, "{seed}");
        }
    }
}
