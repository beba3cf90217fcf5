//! Where is it, in one stretch of the past: reading a run file.
//!
//! A run covers a contiguous range of positions and never changes. Its dictionary is cut into shards, each an `fst::Map` of at most 4 096 keys
//! (a byte for the kind, then the text), so that a look-up checks and touches one shard, and writing one needs bounded memory.
//! In memory are only the first key of every shard, and the filters. See `docs/formats/index.md`.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use crc_fast::crc32_iscsi as crc32c;
use fst::{IntoStreamer as _, Streamer as _};
use uuid::Uuid;

use super::{
    filter::{Filter, PARAMETERS_BYTES},
    pages::{Body, PAGE},
    postings::List,
    term::{Key, Kind},
};
use crate::{
    disk::{Disk, OpenMode},
    error::{Error, Result},
};

/// What every run file begins with.
pub(super) const MAGIC: [u8; 8] = *b"GESTARUN";
/// What the trailer of every run file begins with.
pub(super) const TRAILER_MAGIC: [u8; 8] = *b"GESTATRL";
/// The format of run files and of the manifest.
pub(super) const FORMAT: u16 = 1;
/// Bytes of the trailer.
pub(super) const TRAILER_BYTES: usize = 96;

/// Which positions a run covers. Names the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first position.
    pub first: u64,
    /// The position after the last one.
    pub end: u64,
}

impl Extent {
    /// The name of the run's file.
    #[must_use]
    pub fn file_name(self) -> String {
        format!("{:020}-{:020}.run", self.first, self.end)
    }

    pub(super) fn path(self) -> PathBuf {
        PathBuf::from(super::DIRECTORY).join(self.file_name())
    }
}

/// The fixed end of a run file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// The store it belongs to.
    pub store_id: Uuid,
    /// What it covers.
    pub extent: Extent,
    /// How often its postings were merged.
    pub level: u16,
    /// Bytes of the body, which begins the file.
    pub body_length: u64,
    /// Offset and length of the directory in the body.
    pub directory: (u64, u64),
    /// How many terms it has.
    pub terms: u64,
    /// How many postings they have.
    pub postings: u64,
    /// The checksum of the page sums, which stand between body and trailer.
    pub page_sums_crc: u32,
}

impl Trailer {
    /// The trailer as it is written.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn encode(&self) -> [u8; TRAILER_BYTES] {
        let mut bytes = Vec::with_capacity(TRAILER_BYTES);
        bytes.extend_from_slice(&TRAILER_MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&self.level.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(self.store_id.as_bytes());
        let numbers = [
            self.extent.first,
            self.extent.end,
            self.body_length,
            self.directory.0,
            self.directory.1,
            self.terms,
            self.postings,
        ];
        numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        bytes.extend_from_slice(&self.page_sums_crc.to_le_bytes());
        let crc = crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.try_into().expect("the fields above are 96 bytes")
    }

    /// Reads a trailer.
    ///
    /// # Errors
    /// Why the bytes are not a trailer of this format, as the end of a sentence about the run.
    pub fn decode(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader(bytes);
        if reader.take(8) != Some(&TRAILER_MAGIC[..]) {
            return Err("is not an index run, or is cut short");
        }
        if bytes.len() != TRAILER_BYTES {
            return Err("is cut short");
        }
        let (content, crc) = bytes.split_at(bytes.len() - 4);
        if crc32c(content).to_le_bytes() != crc {
            return Err("has a bad trailer checksum");
        }
        let mut parse = || {
            let format = reader.u16()?;
            let level = reader.u16()?;
            reader.take(4)?;
            let store_id = Uuid::from_slice(reader.take(16)?).ok()?;
            let extent = Extent { first: reader.u64()?, end: reader.u64()? };
            let trailer = Self {
                store_id,
                extent,
                level,
                body_length: reader.u64()?,
                directory: (reader.u64()?, reader.u64()?),
                terms: reader.u64()?,
                postings: reader.u64()?,
                page_sums_crc: reader.u32()?,
            };
            Some((format, trailer))
        };
        match parse() {
            Some((FORMAT, trailer)) => Ok(trailer),
            Some(_) => Err("has another format"),
            None => Err("is cut short"),
        }
    }
}

/// Reads little-endian numbers from the front of a slice.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (now, later) = self.0.split_at_checked(length)?;
        self.0 = later;
        Some(now)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

/// A stretch of the dictionary.
#[derive(Debug)]
struct Shard {
    first_key: Box<[u8]>,
    offset: u64,
    length: usize,
    /// Its own checksum was checked and is good: what walks through a map relies on it.
    good: AtomicBool,
}

/// A filter over the shards from `first_shard` to the next filter.
#[derive(Debug)]
struct FilterGroup {
    first_shard: usize,
    filter: Option<Filter>,
}

/// An open run file.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) trailer: Trailer,
    pub(super) file_bytes: u64,
    body: Body,
    shards: Vec<Shard>,
    filters: Vec<FilterGroup>,
}

impl Run {
    /// Opens the run of `extent`, checking everything that is kept in memory.
    pub(super) fn open(disk: &dyn Disk, extent: Extent, store_id: Uuid) -> Result<Self> {
        let path = extent.path();
        let doing = || format!("cannot open an index run, file={}", path.display());
        let file = disk.open(&path, OpenMode::Read).map_err(|error| Error::io(doing(), error))?;
        let bytes = file.map().map_err(|error| Error::io(doing(), error))?;
        Self::parse(bytes, extent, store_id)
    }

    fn parse(bytes: Bytes, extent: Extent, store_id: Uuid) -> Result<Self> {
        let file = extent.file_name();
        let bad = |why: &str, offset: usize| Error::corrupted(format!("index run {why}"), &file, offset as u64);
        let Some(trailer_at) = bytes.len().checked_sub(TRAILER_BYTES) else {
            return Err(bad("is cut short", bytes.len()));
        };
        let trailer = Trailer::decode(&bytes[trailer_at..]).map_err(|why| bad(why, trailer_at))?;
        if trailer.store_id != store_id || trailer.extent != extent {
            return Err(bad("belongs to another store or range", trailer_at));
        }
        let pages = trailer_at.saturating_sub(trailer_at.min(trailer.body_length as usize)) / 4;
        let body_length = trailer_at - 4 * pages;
        if body_length as u64 != trailer.body_length || pages != body_length.div_ceil(PAGE) {
            return Err(bad("has a length other than its trailer says", trailer_at));
        }
        let sums = bytes.slice(body_length..trailer_at);
        if crc32c(&sums) != trailer.page_sums_crc {
            return Err(bad("has bad page checksums", body_length));
        }
        let file_bytes = bytes.len() as u64;
        let body = Body::new(extent, bytes.slice(..body_length), sums);
        let (shards, filters) = Self::parse_directory(&body, &trailer)?;
        Ok(Self { trailer, file_bytes, body, shards, filters })
    }

    fn parse_directory(body: &Body, trailer: &Trailer) -> Result<(Vec<Shard>, Vec<FilterGroup>)> {
        let (start, length) = trailer.directory;
        let bad = || body.damage("index run has a bad directory", start);
        let mut reader = Reader(body.bytes(start, usize::try_from(length).map_err(|_| bad())?)?);
        let mut shards = Vec::new();
        for _ in 0..reader.u32().ok_or_else(bad)? {
            let mut shard = || {
                let (offset, length, key_length) = (reader.u64()?, reader.u32()? as usize, reader.u16()?);
                let first_key = reader.take(usize::from(key_length))?.into();
                Some(Shard { first_key, offset, length, good: AtomicBool::new(false) })
            };
            shards.push(shard().ok_or_else(bad)?);
        }
        let mut filters = Vec::new();
        // Filters are copied into memory; overlapping ones would take more of it than the file justifies.
        let mut filter_bytes = 0;
        for _ in 0..reader.u32().ok_or_else(bad)? {
            let mut head = || {
                let (first_shard, offset, length) = (reader.u32()? as usize, reader.u64()?, reader.u32()? as usize);
                Some((first_shard, offset, length, reader.array::<PARAMETERS_BYTES>()?))
            };
            let (first_shard, offset, length, parameters) = head().ok_or_else(bad)?;
            filter_bytes += length as u64;
            if filter_bytes > body.len() {
                return Err(bad());
            }
            let filter = match length {
                0 => None,
                _ => Some(Filter::load(parameters, body.bytes(offset, length)?).ok_or_else(bad)?),
            };
            filters.push(FilterGroup { first_shard, filter });
        }
        Ok((shards, filters))
    }

    pub(super) fn body(&self) -> &Body {
        &self.body
    }

    /// The list of a term, if events of this run carry it.
    pub(super) fn find(&self, key: Key<'_>) -> Result<Option<List>> {
        // With one filter, as all but the largest runs have, the place in the dictionary is not needed to ask it.
        if let [FilterGroup { filter: Some(filter), .. }] = &self.filters[..]
            && !filter.may_contain(key.hash)
        {
            return Ok(None);
        }
        let bytes = dictionary_key(key.kind, key.text);
        let Some(shard) = self.shard_of(&bytes) else { return Ok(None) };
        let group = self.filters.partition_point(|group| group.first_shard <= shard).checked_sub(1);
        let filter = group.filter(|_| self.filters.len() > 1).and_then(|group| self.filters[group].filter.as_ref());
        if filter.is_some_and(|filter| !filter.may_contain(key.hash)) {
            return Ok(None);
        }
        match self.map(shard)?.get(&bytes) {
            Some(value) => List::read(&self.body, value).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the term may be here, without reading the file; `true` where only the file can tell.
    pub(super) fn may_contain(&self, key: Key<'_>) -> bool {
        match &self.filters[..] {
            [FilterGroup { filter: Some(filter), .. }] => filter.may_contain(key.hash),
            _ => true,
        }
    }

    /// The shard in which a key is, if it is anywhere.
    fn shard_of(&self, key: &[u8]) -> Option<usize> {
        self.shards.partition_point(|shard| &*shard.first_key <= key).checked_sub(1)
    }

    fn map(&self, shard: usize) -> Result<fst::Map<&[u8]>> {
        let Shard { offset, length, ref good, .. } = self.shards[shard];
        let bad = |_| self.body.damage("index run has a bad dictionary", offset);
        let map = fst::Map::new(self.body.bytes(offset, length)?).map_err(bad)?;
        if !good.load(Ordering::Relaxed) {
            map.as_fst().verify().map_err(bad)?;
            good.store(true, Ordering::Relaxed);
        }
        Ok(map)
    }

    /// The term a dictionary key stands for.
    pub(super) fn term<'k>(&self, key: &'k [u8]) -> Result<(Kind, &'k str)> {
        let term = key.split_first().and_then(|(&kind, text)| Some((Kind::of_byte(kind)?, text)));
        let (kind, text) = term.ok_or_else(|| self.body.damage("index run has a key of no kind", 0))?;
        Ok((kind, self.text(text)?))
    }

    /// The terms of the dictionary from `start` on, in order.
    pub(super) fn terms_from(&self, start: &[u8]) -> Terms<'_> {
        let shard = self.shard_of(start).unwrap_or(0);
        Terms { run: self, shard, after: start.to_vec(), inclusive: true, keys: Vec::new(), found: Vec::new(), next: 0 }
    }
}

/// The key of a term in the dictionary.
pub(super) fn dictionary_key(kind: Kind, text: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + text.len());
    key.push(kind.byte());
    key.extend_from_slice(text.as_bytes());
    key
}

/// Terms read from the dictionary at a time.
const TERMS_AT_ONCE: usize = 512;

/// A walk through a dictionary.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    run: &'a Run,
    shard: usize,
    after: Vec<u8>,
    inclusive: bool,
    keys: Vec<u8>,
    /// For each term read ahead: where its key ends in `keys`, and its value.
    found: Vec<(usize, u64)>,
    next: usize,
}

impl Terms<'_> {
    /// The next key and its list.
    pub(super) fn next(&mut self) -> Result<Option<(&[u8], List)>> {
        if self.next == self.found.len() {
            self.read_ahead()?;
        }
        let Some(&(end, value)) = self.found.get(self.next) else { return Ok(None) };
        let start = self.next.checked_sub(1).map_or(0, |before| self.found[before].0);
        self.next += 1;
        Ok(Some((&self.keys[start..end], List::read(&self.run.body, value)?)))
    }

    fn read_ahead(&mut self) -> Result<()> {
        self.keys.clear();
        self.found.clear();
        self.next = 0;
        while self.found.is_empty() && self.shard < self.run.shards.len() {
            let map = self.run.map(self.shard)?;
            let range = map.range();
            let mut stream = if self.inclusive { range.ge(&self.after) } else { range.gt(&self.after) }.into_stream();
            while self.found.len() < TERMS_AT_ONCE
                && let Some((key, value)) = stream.next()
            {
                self.keys.extend_from_slice(key);
                self.found.push((self.keys.len(), value));
            }
            if self.found.len() < TERMS_AT_ONCE {
                self.shard += 1;
            }
        }
        if let [.., _] = self.found[..] {
            let start = self.found.len().checked_sub(2).map_or(0, |before| self.found[before].0);
            self.after.clear();
            self.after.extend_from_slice(&self.keys[start..]);
            self.inclusive = false;
        }
        Ok(())
    }
}
