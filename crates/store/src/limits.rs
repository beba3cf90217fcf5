//! Every bound of the store, one line each, with the sum that justifies it. Exceeding one is a typed error (I9).

/// Longest stream name, in bytes. Names live in the index of every segment that has their events: at 1 M streams a
/// kilobyte each is the most a 1 GiB index could carry, and no KurrentDB client library makes longer ones.
pub const STREAM_NAME_BYTES_MAX: usize = 1024;
/// Longest name of a stream that is written, in bytes: `$$` fits in front of it, so that every stream can have metadata and be deleted.
pub const WRITTEN_STREAM_NAME_BYTES_MAX: usize = STREAM_NAME_BYTES_MAX - 2;
/// Longest event type, in bytes: its length is one byte on disk.
pub const EVENT_TYPE_BYTES_MAX: usize = 255;
/// Longest content type, in bytes: its length is one byte on disk; RFC 6838 allows 127 + 1 + 127.
pub const CONTENT_TYPE_BYTES_MAX: usize = 255;
/// Longest tag, in bytes; equals the longest path, since a tag may be one.
pub const TAG_BYTES_MAX: usize = 1024;
/// Most tags on one event: 32 tags of 1 KiB with their lengths stay below the 16-bit size of an event's tag block.
pub const TAGS_PER_EVENT_MAX: usize = 32;
/// Deepest path, in segments (as Firebase bounds its trees).
pub const PATH_DEPTH_MAX: usize = 32;
/// Longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 1024;

/// Most data and metadata in one event, in bytes (KurrentDB's default).
pub const EVENT_BYTES_MAX: usize = 16 << 20;
/// Most encoded bytes in one commit: half a segment, so that a segment is at most half again as long as it should be.
pub const COMMIT_BYTES_MAX: usize = 32 << 20;
/// Most events in one commit: at the smallest event (about 100 bytes) as many as fit into half of `COMMIT_BYTES_MAX`.
pub const EVENTS_PER_COMMIT_MAX: usize = 131_072;
/// Most streams one commit may name; each costs a look-up under the writer's lock (0.2–20 µs).
pub const STREAMS_PER_COMMIT_MAX: usize = 10_000;
/// Most conditions on one commit; what is durable is looked at before, so each costs some microseconds under the writer's lock.
pub const CONDITIONS_PER_COMMIT_MAX: usize = 16;
/// Most items in one query.
pub const QUERY_ITEMS_MAX: usize = 64;
/// Most streams, types and tags together in one query: bounds the cursors open at once.
pub const QUERY_TERMS_MAX: usize = 1024;
/// Largest user metadata document of a stream, in bytes; it is rewritten whole when a deleted stream is revived.
pub const STREAM_METADATA_BYTES_MAX: usize = 64 << 10;

/// Size at which a segment is sealed, in bytes. Deterministic (I3). At 64 MiB a 1 TiB log has 16 384 segments, and the tail
/// to scan at start takes about 0.1 s.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Smallest size at which a segment may be sealed: 16 blocks, so that its header and footer are a small part of it.
pub const SEGMENT_BYTES_MIN: u64 = 64 << 10;
/// Largest size at which a segment may be sealed: half as much again by one last commit, its offsets stay far below 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Events at which a segment is sealed even when it is small: bounds the memory of its index (about 100 B an event and stream).
pub const SEGMENT_EVENTS: u64 = 1 << 17;
/// Most events at which a segment may be sealed: 16 times the usual, some 200 MiB of index in memory for each of three parts.
pub const SEGMENT_EVENTS_MAX: u64 = SEGMENT_EVENTS * 16;
/// Frames begin on multiples of this many bytes.
pub const FRAME_ALIGN: usize = 8;
/// Bytes of encoded commits after which a group takes no more: at 1 GB/s it is written in 8 ms.
pub const GROUP_BYTES: usize = 8 << 20;
/// Most bytes of one group, and so the longest stretch behind a torn frame that may hold unanswered frames.
pub const GROUP_BYTES_MAX: usize = GROUP_BYTES + COMMIT_BYTES_MAX;

/// Proposals waiting for their place in the order. 128 clients with a pipeline of 32 each.
pub const QUEUE_PROPOSALS_MAX: usize = 4096;
/// Bytes of events waiting for their place in the order: two full groups.
pub const QUEUE_BYTES_MAX: usize = 2 * GROUP_BYTES_MAX;

/// How far back, in positions from the head, event ids and proposal ids are remembered for idempotent retries.
/// Deterministic and rebuilt from the log: 65 536 × (16 B id + 56 B entry) ≈ 5 MiB.
pub const REMEMBERED_POSITIONS: u64 = 65_536;
/// Stream heads kept in memory by the commit rules: 65 536 × about 150 B ≈ 10 MiB.
pub const CACHED_HEADS_MAX: usize = 65_536;
/// Recent frames kept in memory for followers, in bytes: a quarter of a segment, since what is not yet sealed cannot be mapped.
pub const TAIL_CACHE_BYTES: usize = 16 << 20;
/// Most recent frames kept in memory, in bytes: the largest segment. What is sealed is mapped, so more would be of no use.
pub const TAIL_CACHE_BYTES_MAX: usize = 1 << 30;

/// Events in one batch of a read, unless asked otherwise.
pub const BATCH_EVENTS: usize = 1024;
/// Bytes in one batch of a read (one larger event still makes a batch of its own).
pub const BATCH_BYTES: usize = 4 << 20;
/// Sealed index parts waiting to be written before appends wait for maintenance: each is at most one segment's index.
pub const INDEX_BACKLOG_MAX: usize = 2;
/// Positions of the log of which a subscription delivers none before it says how far it is, unless asked otherwise: at a million events a second
/// a hundred notices a second; and whoever goes on from one looks at no more than this again, some milliseconds of scanning.
pub const CHECKPOINT_EVENTS: u64 = 10_000;
/// Positions behind the head at which a subscriber who had caught up is told that he has fallen behind: more than the largest commit, which puts even
/// the fastest that far behind at once.
pub const FALLEN_BEHIND_EVENTS: u64 = EVENTS_PER_COMMIT_MAX as u64;

/// Longest regular expression on names, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 4096;
/// Bytes of what an expression becomes: thirty times what honest ones do, tenths of a second to make, and kept for each who reads by one.
pub const EXPRESSION_COMPILED_BYTES_MAX: usize = 1 << 20;
/// Steps back an expression may take on one name before it fails: a name has at most 1 KiB, and honest expressions take a few for each byte.
pub const EXPRESSION_BACKTRACKS_MAX: usize = 100_000;

/// Longest name of a consumer group, in bytes: with its source's name and the longest suffix it must still be a stream name.
pub const GROUP_NAME_BYTES_MAX: usize = 255;
/// Most messages one buffer of a group may keep ready: at a kilobyte each, 64 MiB.
pub const GROUP_BUFFER_MAX: usize = 65_536;
/// Most messages a group reads at a time: eight batches of a read.
pub const GROUP_READ_BATCH_MAX: usize = 8192;
/// Most consumers of one group; each costs about 200 B and a place in every spreading of the pinned strategies.
pub const GROUP_SUBSCRIBERS_MAX: usize = 1024;
/// Most messages one consumer of a group may have in flight: forty batches of a hundred.
pub const GROUP_SLOTS_MAX: usize = 4096;
/// Answers of which a group, and each of its consumers, keeps how long they took, where it keeps that: 16 KiB.
pub const GROUP_LATENCIES_MAX: usize = 4096;
/// Most parked messages of one group that are neither replayed nor discarded: 2^20 × about 40 B ≈ 40 MiB of index.
pub const GROUP_PARKED_MAX: usize = 1 << 20;
/// Most messages parked in one commit: their links, at about 300 B each, are 1.2 MiB.
pub const GROUP_PARKS_PER_WRITE_MAX: usize = 4096;
/// Most intervals of each kind in a group's progress document, at up to 44 B each 360 KiB; what is beyond them may be delivered twice.
pub const GROUP_INTERVALS_MAX: usize = 8192;
/// Most retry counts in a group's progress document, at up to 33 B each 4.2 MiB: those of both buffers at their largest. What is beyond them begins at none
/// when the group is loaded again.
pub const GROUP_RETRIES_MAX: usize = 2 * GROUP_BUFFER_MAX;
/// Largest document of a group's state, in bytes: three lists of intervals and the retry counts are 5.3 MiB.
pub const GROUP_DOCUMENT_BYTES_MAX: usize = 8 << 20;
/// Longest reason kept with a parked message, in bytes; the rest is cut off.
pub const GROUP_REASON_BYTES_MAX: usize = 1024;
/// Most consumers of one handler, each of them a thread.
pub const HANDLER_CONSUMERS_MAX: usize = 64;
/// Most consumer groups of one store: what is known of one that nobody uses is about 500 B.
pub const GROUPS_MAX: usize = 16_384;
