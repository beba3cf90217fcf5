//! Writing a run file: one pass over the terms in the order of the dictionary, in bounded memory.
//!
//! Postings, dictionary shards, filters and the directory follow each other; the trailer at the end says where they are. The file has
//! another name until all of it is durable, so a run is either whole or not there.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use crc_fast::crc32_iscsi as crc32c;
use uuid::Uuid;

use super::{
    DIRECTORY,
    filter::{Filter, PARAMETERS_BYTES},
    pages::PageSums,
    postings::ListWriter,
    run::{self, Extent, Trailer, dictionary_key},
    term::{Kind, term_hash},
};
use crate::{
    disk::{Disk, DiskFile, OpenMode},
    error::{Error, Result},
};

/// Keys in a shard of the dictionary: about 32 KiB, so checking one on first use takes microseconds.
const SHARD_KEYS: usize = 4096;
/// Bytes of keys in a shard, for long names.
const SHARD_KEY_BYTES: usize = 256 << 10;
/// Shards under one filter: a million hashes, which building it holds in memory with about 30 bytes each.
const FILTER_SHARDS: usize = 256;
/// Bytes written at a time.
const WRITE_BYTES: usize = 1 << 20;
/// The body of the file, on its way to the disk.
struct Output {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    /// Bytes already given to the file.
    written: u64,
    sums: PageSums,
}

impl Output {
    fn offset(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sums.update(bytes);
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_at(&self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

/// A run that is being written.
pub(super) struct RunWriter<'d> {
    disk: &'d dyn Disk,
    /// The file, as long as it is not finished.
    unfinished: PathBuf,
    output: Output,
    list: ListWriter,
    shard: Option<fst::MapBuilder<Vec<u8>>>,
    shard_keys: usize,
    shard_key_bytes: usize,
    hashes: Vec<u64>,
    /// The directory's entries so far.
    shards: Vec<u8>,
    /// Where in `shards` the last entry begins.
    last_entry: usize,
    shard_count: u32,
    filters: Vec<u8>,
    filter_count: u32,
    filter_first_shard: u32,
    terms: u64,
    postings: u64,
}

impl<'d> RunWriter<'d> {
    /// Begins a run in the file `name`, which nobody else may be writing to.
    pub(super) fn create(disk: &'d dyn Disk, name: &str) -> Result<Self> {
        let path = Path::new(DIRECTORY).join(name);
        let create = || -> io::Result<Output> {
            if disk.exists(&path)? {
                disk.remove(&path)?;
            }
            let file = disk.open(&path, OpenMode::CreateNew)?;
            let mut output = Output { file, buffer: Vec::new(), written: 0, sums: PageSums::default() };
            output.write_all(&run::MAGIC)?;
            Ok(output)
        };
        Ok(Self {
            disk,
            output: create().map_err(cannot_write)?,
            unfinished: path,
            list: ListWriter::default(),
            shard: None,
            shard_keys: 0,
            shard_key_bytes: 0,
            hashes: Vec::new(),
            shards: Vec::new(),
            last_entry: 0,
            shard_count: 0,
            filters: Vec::new(),
            filter_count: 0,
            filter_first_shard: 0,
            terms: 0,
            postings: 0,
        })
    }

    /// Adds a position to the list of the term that [`Self::end_term`] will name.
    pub(super) fn push(&mut self, item: u32) -> Result<()> {
        self.list.push(item, &mut self.output).map_err(cannot_write)
    }

    /// Ends the list of a term, greater than all before it in the order of the dictionary. A term without positions leaves no trace.
    pub(super) fn end_term(&mut self, kind: Kind, text: &str, base: u64) -> Result<()> {
        let finished = self.list.finish(base, &mut self.output, Output::offset).map_err(cannot_write)?;
        let Some((value, count)) = finished else { return Ok(()) };
        let key = dictionary_key(kind, text);
        if self.shard.is_none() {
            self.shard = Some(fst::MapBuilder::memory());
            // The directory's entry is completed when the shard is written.
            self.last_entry = self.shards.len();
            self.shards.extend_from_slice(&[0; 12]);
            let length = u16::try_from(key.len()).expect("terms are shorter than 64 KiB");
            self.shards.extend_from_slice(&length.to_le_bytes());
            self.shards.extend_from_slice(&key);
        }
        if let Some(shard) = &mut self.shard {
            shard.insert(&key, value).expect("terms come in the order of the dictionary");
        }
        self.hashes.push(term_hash(kind, text));
        self.terms += 1;
        self.postings += count;
        self.shard_keys += 1;
        self.shard_key_bytes += key.len();
        if self.shard_keys == SHARD_KEYS || self.shard_key_bytes >= SHARD_KEY_BYTES {
            self.end_shard()?;
        }
        Ok(())
    }

    fn end_shard(&mut self) -> Result<()> {
        let Some(shard) = self.shard.take() else { return Ok(()) };
        let bytes = shard.into_inner().expect("a map in memory can be finished");
        let offset = self.output.offset();
        self.output.write_all(&bytes).map_err(cannot_write)?;
        let length = u32::try_from(bytes.len()).expect("a shard is far below 4 GiB");
        let entry = &mut self.shards[self.last_entry..][..12];
        entry[..8].copy_from_slice(&offset.to_le_bytes());
        entry[8..].copy_from_slice(&length.to_le_bytes());
        self.shard_count += 1;
        (self.shard_keys, self.shard_key_bytes) = (0, 0);
        if (self.shard_count as usize).is_multiple_of(FILTER_SHARDS) {
            self.end_filter()?;
        }
        Ok(())
    }

    fn end_filter(&mut self) -> Result<()> {
        if self.hashes.is_empty() {
            return Ok(());
        }
        let filter = Filter::build(std::mem::take(&mut self.hashes));
        let (parameters, fingerprints) = match &filter {
            Some(filter) => (*filter.parameters(), filter.fingerprints()),
            None => ([0; PARAMETERS_BYTES], &[][..]),
        };
        let length = u32::try_from(fingerprints.len()).expect("a filter of a million terms is about 1 MiB");
        self.filters.extend_from_slice(&self.filter_first_shard.to_le_bytes());
        self.filters.extend_from_slice(&self.output.offset().to_le_bytes());
        self.filters.extend_from_slice(&length.to_le_bytes());
        self.filters.extend_from_slice(&parameters);
        self.output.write_all(fingerprints).map_err(cannot_write)?;
        self.filter_count += 1;
        self.filter_first_shard = self.shard_count;
        Ok(())
    }

    /// Gives the space of what was written back. A file that stays behind is removed at the next open.
    pub(super) fn give_up(self) {
        let _ = self.disk.remove(&self.unfinished);
    }

    /// Writes what is left, makes the file durable and gives it its name.
    pub(super) fn finish(mut self, store_id: Uuid, extent: Extent, level: u16) -> Result<()> {
        self.end_shard()?;
        self.end_filter()?;
        let mut directory = self.shard_count.to_le_bytes().to_vec();
        directory.extend_from_slice(&self.shards);
        directory.extend_from_slice(&self.filter_count.to_le_bytes());
        directory.extend_from_slice(&self.filters);
        let at = self.output.offset();
        self.output.write_all(&directory).map_err(cannot_write)?;
        self.output.flush().map_err(cannot_write)?;
        let Output { file, written, sums, .. } = self.output;
        let mut end = sums.finish();
        let trailer = Trailer {
            store_id,
            extent,
            level,
            body_length: written,
            directory: (at, directory.len() as u64),
            terms: self.terms,
            postings: self.postings,
            page_sums_crc: crc32c(&end),
        };
        end.extend_from_slice(&trailer.encode());
        let publish = || -> io::Result<()> {
            file.write_at(&end, written)?;
            file.sync()?;
            self.disk.rename(&self.unfinished, &extent.path())?;
            self.disk.sync_dir(Path::new(DIRECTORY))
        };
        publish().map_err(cannot_write)
    }
}

fn cannot_write(error: io::Error) -> Error {
    Error::io("cannot write an index run; the log is not affected, and it will be tried again", error)
}
