//! Checksums made right again after a mutation, so that inputs get past them to the code behind.

/// The input as it is, and once more with its checksum repaired, where `repair` could.
pub fn both(input: &[u8], repair: impl FnOnce(&mut [u8]) -> Option<()>, mut check: impl FnMut(&[u8])) {
    check(input);
    let mut repaired = input.to_vec();
    if repair(&mut repaired).is_some() && repaired != input {
        check(&repaired);
    }
}

/// Writes the CRC-32C of `covered` to `place`. `None` if the input is too short.
pub fn put_crc(input: &mut [u8], covered: std::ops::Range<usize>, place: usize) -> Option<()> {
    let crc = crc_fast::crc32_iscsi(input.get(covered)?);
    input.get_mut(place..place + 4)?.copy_from_slice(&crc.to_le_bytes());
    Some(())
}
