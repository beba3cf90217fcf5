//! Every bound of the server, one line each, with the sum that justifies it. Those of the store are in `gesta_store::limits`.

use std::time::Duration;

use gesta_store::limits;

/// Largest message that is decoded, in bytes: the largest commit, and what the wire puts around it.
pub const MESSAGE_BYTES_MAX: usize = limits::COMMIT_BYTES_MAX + (4 << 20);
/// Most events one append may have, in bytes of names and payloads: what a commit holds less its frame's and events' headers, so that the
/// refusal is this protocol's and not the store's.
pub const APPEND_BYTES_MAX: usize = limits::COMMIT_BYTES_MAX - (1 << 20);

/// Fields of one message side by side: twice the events of the largest append, so that there is room for the streams it names.
pub const MESSAGE_FIELDS_MAX: usize = 2 * limits::EVENTS_PER_COMMIT_MAX;
/// Keys, lengths and values of one message together: three dozen for each event of the largest append, which are about what a small one has: many
/// properties or tags make it fewer events. Each is some fifty bytes in memory, and three times that where nothing is in it; and 100 ns.
pub const MESSAGE_READS_MAX: usize = 36 * limits::EVENTS_PER_COMMIT_MAX;

/// Appends between the wire and their verdict, over all connections: what the store's queue takes without making a caller wait.
pub const APPENDS_IN_FLIGHT_MAX: usize = limits::QUEUE_PROPOSALS_MAX;
/// Bytes of them, in KiB: the store's queue again. An append waits here, where waiting costs no thread.
pub const APPEND_KIB_IN_FLIGHT_MAX: usize = limits::QUEUE_BYTES_MAX >> 10;
/// Unanswered requests on one batch append: four times what it takes to keep a group of 128 full while the one before it is synced.
pub const BATCH_REQUESTS_IN_FLIGHT_MAX: usize = 512;
/// Requests on one batch append that have begun and are not final yet.
pub const BATCH_REQUESTS_OPEN_MAX: usize = 64;

/// Events in one batch of a read: some 100 µs of work, so that nobody has a thread of the pool for long.
pub const READ_BATCH_EVENTS: usize = 512;
/// Events all subscriptions together are read ahead, about: what thirty of them have in batches of the size above. More of them get smaller ones: a
/// thousand whose clients do not read held 2.2 GiB otherwise.
pub const READ_AHEAD_EVENTS: u64 = 16 << 10;
/// Events in one batch of a subscription, however many there are: fewer would cost a job of the pool each for next to nothing.
pub const READ_BATCH_EVENTS_MIN: usize = 16;
/// Bytes in one batch of a read (one larger event still makes a batch of its own).
pub const READ_BATCH_BYTES: usize = 1 << 20;
/// Batches that are read ahead of what HTTP/2 took: one to be sent while the next one is read.
pub const READ_BATCHES_AHEAD: usize = 1;
/// Threads that read from disk. A read asks for its next batch when it has sent one, so no more than one job of it waits for a thread.
pub const BLOCKING_THREADS_MAX: usize = 32;

/// Messages in one batch for a consumer of a group; as a batch of a read.
pub const GROUP_BATCH_MESSAGES: usize = READ_BATCH_EVENTS;
/// Largest request about groups: acks of every message a consumer may have, by id, are a fifth of it.
pub const GROUP_REQUEST_BYTES_MAX: usize = 1 << 20;
/// Requests of a consumer that are worked off together: clients acknowledge one message at a time, and handing work to a thread costs some
/// 10 µs.
pub const ANSWERS_PER_JOB_MAX: usize = 256;
/// How long a consumer's request for messages stays without an answer at most: each proves that both sides are there.
pub const NEXT_PATIENCE_MAX: Duration = Duration::from_secs(60);

/// How often figures are told at most on one call: telling them costs some 10 µs.
pub const STATS_EVERY_AT_LEAST: Duration = Duration::from_millis(100);

/// Connections open at once: a thousand processes, and as many again while they are deployed. What one may hold is bounded by the lines below.
pub const CONNECTIONS_MAX: usize = 2048;
/// Calls open at once on one connection: a client with a subscription for each of its thousand processes, four times over.
pub const CALLS_PER_CONNECTION_MAX: u32 = 4096;
/// Bytes a client may send ahead on one call before it is read.
pub const CALL_WINDOW_BYTES: u32 = 1 << 20;
/// Bytes a client may send ahead on one connection.
pub const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Bytes of requests that have begun and not ended, on one connection, beyond the first of each call: eight of the largest appends.
pub const CONNECTION_REQUESTS_BYTES_MAX: usize = 256 << 20;
/// Bytes of a call that are not counted among them: as many as of its answers may wait, and more than most calls have.
pub const CALL_BYTES_UNCOUNTED: usize = 64 << 10;
/// Bytes of one call's answers that wait to be sent, whatever window its client opens: one frame, while the one before it is on its way.
pub const SEND_BUFFER_BYTES: usize = 64 << 10;
/// Largest HTTP/2 frame: fewer of them for large payloads.
pub const FRAME_BYTES_MAX: u32 = 64 << 10;
/// Bytes of the text that says why a call failed, and of each fact beside it: the longest name, twice. It goes in headers, of which some clients take 8 KiB; what
/// clients sent is repeated in it.
pub const STATUS_TEXT_BYTES_MAX: usize = 2048;
/// Bytes of violations told of one append, of names of streams above all: with the text above and as text of headers less than those 8 KiB.
pub const VIOLATIONS_BYTES_MAX: usize = 3072;
/// Bytes of request headers.
pub const HEADER_BYTES_MAX: u32 = 32 << 10;
/// Calls a client may open and reset before they were looked at: beyond, its connection ends (a "rapid reset" costs it one).
pub const RESETS_PENDING_MAX: usize = 64;
/// How long a client may take to say what it speaks, and over HTTP/1.1 each request's headers, and the pause between two requests.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// After what silence a client is asked whether it is there: below the minute or two after which firewalls forget a connection.
pub const PING_INTERVAL: Duration = Duration::from_secs(30);
/// How long it may take to say so: several retransmissions of a lost packet.
pub const PING_TIME: Duration = Duration::from_secs(20);
/// How long a client that was told the end of its connection is listened to until it hangs up: some round trips around the world.
pub const FAREWELL_TIME: Duration = Duration::from_secs(1);
/// How long nobody is accepted after the system had no room for a connection.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Files that connections leave to the store, if the system allows so many: it has some ten open, a merge of the index a few dozen more. A store that
/// cannot open its next segment takes no appends any more.
pub const FILES_KEPT: usize = 128;
/// How often it is looked whether the store still takes appends: an atomic load.
pub const STORE_LOOKED_AFTER_EVERY: Duration = Duration::from_secs(1);
/// How long calls in progress may take to end once the server was asked to stop.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);
/// From when on a call that was not answered is told of in the log.
pub const SLOW_CALL_TIME: Duration = Duration::from_secs(1);

/// Streams listed at once: some 100 KiB of names.
pub const STREAMS_LISTED_MAX: usize = 1000;

/// Parked messages told at once: a screen or two, and as many are held as they are read.
pub const PARKED_TOLD_MAX: usize = 64;
/// How many answers about a verification wait to be sent: one, and what was checked since is told by the next.
pub const VERIFY_ANSWERS_AHEAD: usize = 2;

/// Names of methods with meters of their own: several times those there are, since a client may ask for any name.
pub const METHODS_METERED_MAX: usize = 256;
/// Groups whose standing is told in the metrics: a page of them costs each scrape two look-ups a group, and of one on everything some hundred
/// events.
pub const GROUPS_METERED_MAX: usize = 1000;

/// Passwords that are checked or hashed at once: 19 MiB and a core each, for some 20 ms.
pub const PASSWORD_CHECKS_AT_ONCE: usize = 2;
/// Calls that wait for that: some ten seconds' worth on two cores, after which a client gives up anyway.
pub const PASSWORD_CHECKS_WAITING_MAX: usize = 1024;
/// Wrong passwords of one user from one address that cost no more than their check: what somebody mistypes.
pub const GUESSES_FREE: u32 = 5;
/// How long whoever goes on must wait for the next check, twice as long each time …
pub const GUESS_PAUSE_FIRST: Duration = Duration::from_secs(1);
/// … up to this: some 1 400 guesses a day, and a minute for whoever remembers at last.
pub const GUESS_PAUSE_MAX: Duration = Duration::from_secs(60);
/// After what silence wrong passwords are forgotten.
pub const GUESSES_FORGOTTEN_AFTER: Duration = Duration::from_secs(15 * 60);
/// Addresses and users with wrong passwords that are remembered, some 400 bytes each: what two cores can check in less than a minute.
pub const GUESSERS_REMEMBERED_MAX: usize = 4096;
/// Passwords that were right and are remembered, 200 bytes each: those of a thousand processes, several times over.
pub const PASSWORDS_REMEMBERED_MAX: usize = 16_384;
/// Access control lists that are remembered, some 200 bytes each: 13 MB for streams without a list.
pub const ACLS_REMEMBERED_MAX: usize = 65_536;
/// Longest password, in bytes: a long sentence, and no work for who sends more.
pub const PASSWORD_BYTES_MAX: usize = 1024;
/// Longest name to sign in with, in bytes; with it the stream of a user has a name.
pub const LOGIN_BYTES_MAX: usize = 256;
/// Longest name to be called by, in bytes.
pub const NAME_BYTES_MAX: usize = 1024;
/// Groups one user may be in: each is compared with each role of a list.
pub const GROUPS_PER_USER_MAX: usize = 64;
/// Longest name of a group, in bytes.
pub const GROUP_BYTES_MAX: usize = 256;
