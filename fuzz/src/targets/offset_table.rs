//! The table of event offsets in a segment's footer: any bytes give an answer or an error; written offsets come back.

use gesta_store::log::decode::{encode_table, table_offset};

/// Feeds look-ups in a table of arbitrary bytes, and tables made of the input taken as steps between offsets.
pub fn run(input: &[u8]) {
    for ordinal in (0..64).chain([255, 1 << 20, u64::MAX >> 8]) {
        let _ = table_offset(input, ordinal);
    }
    let mut at = 4096_u32;
    let steps = input.chunks_exact(4).map(|step| u32::from_le_bytes([step[0], step[1], step[2], 0]).max(60));
    let offsets: Vec<u32> = steps
        .map_while(|step| {
            at = at.checked_add(step)?;
            Some(at)
        })
        .collect();
    let table = encode_table(&offsets);
    for (ordinal, offset) in offsets.iter().enumerate() {
        assert_eq!(table_offset(&table, ordinal as u64), Ok(u64::from(*offset)), "ordinal={ordinal}");
    }
}
