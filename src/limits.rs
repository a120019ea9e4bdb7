//! Every bound, with its reason. A number that limits something stands here or nowhere.

use crate::transfer::Nanos;

// --- Retransmission ---

/// Wait for the answer to the first packet, before any round trip was measured. Longer than a
/// crowded server's first answer takes, shorter than the patience of any firmware (PXELINUX
/// repeats its request after 110 ms, the others after 250 ms and more).
pub const RETRY_INITIAL: Nanos = Nanos::from_millis(250);

/// Never resend sooner, however short the round trip: a client's own scheduling takes milliseconds.
pub const RETRY_FLOOR: Nanos = Nanos::from_millis(8);

/// The floor doubles up to this for a client whose answer to a first sending came after the
/// resend: emulated and busy machines pause for tens of milliseconds.
pub const RETRY_FLOOR_MAX: Nanos = Nanos::from_millis(128);

/// Never wait longer between resends, unless the client negotiated a longer `timeout`. Firmware
/// gives up after 4 s to 25 s of silence, so a client that comes back must be met within that.
pub const RETRY_CEILING: Nanos = Nanos::from_secs(2);

/// After so many resends of a block in a row, a quarter of a second or more, comes a pause. atftp
/// answers the first repeat of a block and ignores the others; each of them puts off its own timer,
/// which would repeat the ACK that was lost. Without a pause it would hang until [`GIVE_UP`]; as that
/// ACK may be lost as well, there is one after as many further resends.
pub const RESENDS_BEFORE_PAUSE: u8 = 5;

/// atftp's timer where no `timeout` was negotiated, and what the pause is longer than it. Where a
/// longer one was negotiated there is no pause: other clients would wait for nothing.
pub const PAUSE_TIMER: Nanos = Nanos::from_secs(5);
pub const PAUSE_MARGIN: Nanos = Nanos::from_millis(300);

/// However short the `timeout` or `utimeout` that the client negotiated, resends to a silent client
/// spread to this: with 10 ms a client that vanished in a window of 64 would be sent 192,000 blocks
/// before it is given up. The measured round trip still decides when the first resends go out.
pub const RETRY_CEILING_MIN: Nanos = RETRY_INITIAL;

/// Resends of an OACK to a peer that has proved nothing: its address may be forged.
pub const UNPROVEN_OACKS: u8 = 3;

/// Resends of DATA 1 to a peer that has proved nothing. Fewer, because DATA amplifies.
pub const UNPROVEN_DATA: u8 = 2;

/// A peer that has proved nothing within this time is forgotten.
pub const UNPROVEN_LIFETIME: Nanos = Nanos::from_secs(10);

/// A transfer without progress for this long is given up: longer than any firmware waits (EDK2
/// 24 s, U-Boot 25 s).
pub const GIVE_UP: Nanos = Nanos::from_secs(30);

/// A client whose port is closed after all was sent may have acknowledged it just before: that ACK waits
/// in our socket, if anywhere, and a busy shard comes to it in some turns.
pub const LAST_ACK: Nanos = Nanos::from_millis(20);

/// With a negotiated `timeout`, at least this many of it pass before giving up.
pub const GIVE_UP_TIMEOUTS: u64 = 5;

/// A transfer may take this long whatever its size, and then [`SLOWEST_BLOCK`] for each block:
/// a client that acknowledges now and then cannot hold a slot for ever.
pub const PROGRESS_GRACE: Nanos = Nanos::from_secs(120);

/// The slowest acceptable average, about 100 bytes a second with the default block size.
pub const SLOWEST_BLOCK: Nanos = Nanos::from_secs(5);

/// A repeated request means that the client started over once its transfer has stood still for
/// this long; sooner it is a duplicate that the network delayed.
pub const RESTART_AFTER: Nanos = Nanos::from_secs(1);

/// How long the last ACK of an upload may be asked for again: clients repeat their last block after
/// 1 s to 6 s, and the second answer may get lost as well.
pub const DALLY: Nanos = Nanos::from_secs(15);

// --- Bursts of a window ---

/// However much a path loses, so many blocks leave at once: the queue of every switch takes them.
pub const BURST_MIN: u16 = 4;

/// Bursts of one window are at least so far apart. A tick of the timers is twice as long, so this
/// means the next tick, or the one after it where that is near.
pub const PACE_GAP: Nanos = Nanos::from_micros(500);

/// Where a round trip, and the time that a burst takes on the path, are shorter than this, a timer
/// would wait longer than a resend takes: a window leaves at once.
pub const PACE_WORTH: Nanos = Nanos::from_millis(1);

/// The slowest link that silence alone makes us guess, in time for each block: below 10 Mb/s. On one
/// that is slower still, some block passes and tells of a gap, and then the time is measured.
pub const BLOCK_TIME_GUESS: Nanos = Nanos::from_millis(2);

// --- Admission ---

/// Transfers of one shard: 100,000 machines and those that start over.
pub const MAX_TRANSFERS: usize = 131_072;

/// Strangers (address and port) remembered for the rate of ERROR 5. A collision only means that
/// one of two strangers is answered less often.
pub const STRANGERS: usize = 1_024;

/// One ERROR 5 for each stranger in this time: enough to tell a confused client, useless to an
/// attacker who wants an echo.
pub const STRANGER_INTERVAL: Nanos = Nanos::from_secs(1);

/// A transfer whose blocks are being read from a disk asks for them again after this long, in case
/// the queue to the disk was full.
pub const DISK_ASK_AGAIN: Nanos = Nanos::from_millis(200);

/// Letters of other threads (files that were opened or loaded) read in one turn. Each has a first
/// answer or a window follow: a crowd whose file was just opened leaves the transfers under way
/// their share of every turn, as port 69 does with its batches.
pub const LETTERS_PER_TURN: usize = 2 * 64;

/// Blocks of windows that go out in a turn for each block that goes to a client in lock-step. On
/// loopback, where both are dearest, a block of a train costs a seventh of one that is sent alone: so
/// windows take less than half of the time, and a block of a client in lock-step at most doubles.
pub const BLOCKS_FOR_A_SINGLE: u32 = 4;

/// For so many turns after the last single block, windows go out one in a turn. A turn of one window
/// lasts 30 us, so these are 2 ms: longer than clients in lock-step on the same network are silent.
pub const MIXED_TURNS: u32 = 64;

/// Windows that may wait for the next turns; beyond that they go out at once.
pub const WINDOWS_PUT_OFF: usize = 4096;

/// Timers handled in one turn; the rest follow in the next, so that datagrams are not starved.
pub const TIMERS_PER_TURN: usize = 512;

/// How long timers may be held back while datagrams are left unread: the ACK that one waits for
/// may be among them, and a resend would only add to the load. Long enough to read a few thousand
/// datagrams after a stall of the host, and about as long as the shortest resend takes anyway.
pub const TIMERS_HELD_BACK: Nanos = Nanos::from_millis(10);

/// Token buckets for networks, for each of requests and ERRORs: 32 KiB. Networks that meet in one share
/// its rate; a farm has a few dozen of them.
pub const PREFIX_BUCKETS: usize = 4096;

/// Requests of one network that have not proved themselves by an ACK, in a second and at once, unless
/// the operator says otherwise. A forger of one network's addresses can take this many places in
/// ten seconds ([`UNPROVEN_LIFETIME`]), which leaves most of them to others; clients that answer get
/// theirs back, so that a farm in one network is not held up.
pub const REQUESTS_PER_SECOND: u32 = 5_000;
pub const REQUESTS_BURST: u32 = 20_000;

/// ERROR packets to one network, likewise. A farm of 2,000 machines with ten misses each is within the
/// burst; for a victim of forged requests they are some hundred kilobytes a second.
pub const ERRORS_PER_SECOND: u32 = 2_000;
pub const ERRORS_BURST: u32 = 20_000;

/// Counts of transfers by client, where there is a cap: 256 KiB. Clients that meet in one place share
/// the cap, and so one may wait a little for the other.
pub const CLIENT_COUNTS: usize = 65_536;

/// Requests of one shard that wait for their turn.
pub const WAITING_MAX: usize = 16_384;

/// A client that has not repeated its request for so long has given up waiting for its turn: firmware
/// repeats every few seconds.
pub const WAITING_PATIENCE: Nanos = Nanos::from_secs(15);

/// Waiting requests looked at in one turn.
pub const WAITING_PER_TURN: usize = 256;

/// Waiting requests are looked at again after this long: a place may have become free on another
/// shard, which does not tell.
pub const WAITING_PAUSE: Nanos = Nanos::from_millis(20);

// --- Multicast (RFC 2090) ---

/// How often a new master is told again in one election. It may have left since it joined, and hundreds
/// may wait behind it; its address may even be forged.
pub const MASTER_OACKS: u8 = 1;

/// Elections that a member may miss: a busy machine takes longer than a round trip to wake up. Each
/// comes after those of all others and waits four times as long.
pub const MASTER_CHANCES: u8 = 4;

/// A master that asks for nothing new in this time makes room for the next: long enough for its resends
/// and for the pause after them.
pub const MASTER_PATIENCE: Nanos = Nanos::from_secs(9);

/// After this time a master that took longer than [`MASTER_BLOCK`] for each block lets the others
/// have their turn, and comes back at the end of the line.
pub const MASTER_TERM: Nanos = Nanos::from_secs(10);
pub const MASTER_BLOCK: Nanos = Nanos::from_millis(20);

/// A member that is not the master does not answer its OACK (RFC 2090), so it is told this often. If
/// all were lost it would hear nothing and ask again seconds later, when most of the file has passed.
pub const MEMBER_OACKS: u8 = 2;
pub const MEMBER_OACK_PAUSE: Nanos = Nanos::from_millis(60);

/// How long a stream waits for members, in seconds, unless the operator says otherwise: longer than
/// the 5 s after which a client repeats a request that was lost. Without it that client would need a
/// second copy of whatever the others have had by then.
pub const GATHER_SECS: u64 = 6;

/// The port at which members of a group listen, as RFC 2090's examples and atftpd have it.
pub const MULTICAST_PORT: u16 = 1758;

/// A client that is alone after this long is not kept waiting.
pub const GATHER_ALONE: Nanos = Nanos::from_secs(1);

/// Letters in a shard's mailbox beyond which other shards pass no requests on.
pub const FORWARDED_MAX: usize = 8192;

/// Groups of one shard at a time. A farm boots from a dozen files.
pub const MULTICAST_GROUPS: usize = 64;

/// Members of one group; who comes later is served alone.
pub const MULTICAST_MEMBERS: usize = 16_384;

// --- Requests ---

/// The default cap for RFC 7440 windows. RFC 7440's own figures gain little beyond it, and
/// receive rings of firmware are small.
pub const DEFAULT_MAX_WINDOWSIZE: u16 = 64;

// --- The log ---

/// Lines of finished transfers that may wait for the log. A pipe whose reader is slow must not
/// stop a shard; what does not fit is counted and said later.
pub const LOG_QUEUE: usize = 16_384;

/// Lines are written this long after one another's batch: nobody reads a log faster.
pub const LOG_PAUSE: Nanos = Nanos::from_millis(10);

/// Requests that came to nothing, of one reason and second, that have a line each. A flood of them is
/// told by its number; ten show who it is.
pub const REFUSALS_SHOWN: u64 = 10;

/// The second of [`REFUSALS_SHOWN`].
pub const REFUSALS_WINDOW: Nanos = Nanos::from_secs(1);

/// Reasons that are told apart in it: more than there are rules in most configurations.
pub const REFUSALS_REASONS: usize = 64;

/// The server's end waits this long for the reader of the log: nobody who has not read by then will.
pub const LOG_LAST_WORDS: Nanos = Nanos::from_secs(1);

/// Seconds that running transfers may take after SIGTERM, unless the operator says otherwise: a
/// boot file's transfer takes a fraction of it, and service managers wait for 90.
pub const DRAIN_SECS: u64 = 30;

// --- The operator's view ---

/// A shard's loop turns at least this often, so that one that stands still differs from an idle one.
pub const HEARTBEAT: Nanos = Nanos::from_secs(1);

/// Totals are shown at most this often: a turn that has packets to send does not pay for it.
pub const PUBLISH_PAUSE: Nanos = Nanos::from_millis(100);

/// `/livez` fails when a shard's loop has not turned for so long: five heartbeats, which a busy host
/// does not keep a thread from running.
pub const LIVE_WITHIN: Nanos = Nanos::from_secs(5);

/// Transfers of a shard that one turn shows to those who watch the farm: some 10 us, so that a picture
/// of 10,000 transfers is no pause for any of them.
pub const SURVEY_PER_TURN: u32 = 128;

/// Parts of a shard's picture that may wait to be read: as many as its places make.
pub const SURVEY_PIECES: usize = MAX_TRANSFERS / SURVEY_PER_TURN as usize;

/// Bytes of a file's name that the farm shows, from its end.
pub const NAME_SHOWN: usize = 80;

/// The farm is looked at this often while somebody watches; rarer where a look is dear: it takes at
/// most a hundredth of a core.
pub const FARM_PAUSE: Nanos = Nanos::from_millis(400);
pub const FARM_PAUSE_MAX: Nanos = Nanos::from_secs(5);
pub const FARM_SHARE: u64 = 100;

/// Machines that the farm remembers, 20 MiB at the worst. Beyond that those go first that never
/// acknowledged anything, which forged requests can make many of.
pub const FARM_MACHINES: usize = 8192;

/// Bytes of a look that `ringboot top` takes: all machines with long names are a tenth of it.
pub const LOOK_MAX: u64 = 64 << 20;

/// Files of one boot that are remembered.
pub const FARM_FILES: usize = 32;

/// Transfers of one machine at a time that are followed: boot loaders have up to 8.
pub const FARM_LIVE: usize = 8;

/// Ended requests that wait to be told to the farm; more in one pause are left out.
pub const FARM_QUEUE: usize = 16_384;

/// Failures that are shown.
pub const FARM_FAILURES: usize = 64;

/// Points of the completion curve.
pub const FARM_POINTS: usize = 96;

/// Addresses and names of machines looked up in one look at the farm, and how long an answer holds.
pub const FARM_LOOKUPS: usize = 512;
pub const FARM_LOOKUP_FRESH: Nanos = Nanos::from_secs(30);

/// A transfer that has not got on for so long is stuck: longer than a resend ever waits.
pub const STUCK_AFTER: Nanos = Nanos::from_secs(3);

/// A machine that asks for something after so long a silence boots anew: firmware and loaders pause
/// for seconds, people at a prompt for longer.
pub const BOOT_GAP: Nanos = Nanos::from_secs(120);

/// A machine that has its files and asked for nothing more in this time is done.
pub const DONE_AFTER: Nanos = Nanos::from_secs(3);

/// One that began to boot and did not ask for a kernel in this time is silent.
pub const SILENT_AFTER: Nanos = Nanos::from_secs(30);

/// A storm begins with the first request after so long a silence of the whole farm.
pub const STORM_GAP: Nanos = Nanos::from_secs(300);

/// Connections to the admin port at a time: a few people, a scraper, probes. Others wait.
pub const ADMIN_CONNECTIONS: usize = 64;

/// Those of them that may watch the farm, so that health and metrics always find a place.
pub const ADMIN_STREAMS: usize = 16;

/// A request's head must be here within this time, so that a silent connection takes no place.
pub const ADMIN_PATIENCE: Nanos = Nanos::from_secs(10);

/// Bytes of a connection's read buffer, and so of a request's head. Browsers send some hundred.
pub const ADMIN_HEAD: usize = 16 << 10;

/// A client that takes nothing of what was sent to it for so long is cut off.
pub const ADMIN_STALL: Nanos = Nanos::from_secs(20);

/// Bytes of an admin token: at least 80 bits in base64, and no file that was meant for something else.
pub const TOKEN_MIN: usize = 14;
pub const TOKEN_MAX: usize = 4096;

// --- The kernel ---

/// Receive buffer of each socket, in bytes. The kernel doubles it and counts 768 bytes and more for a
/// small datagram, 2,304 from many cards: 20,000 requests at once take 15 to 46 MB of port 69's
/// buffer, and the ACKs of 100,000 clients 77 MB of all data sockets' together. Empty, it takes none.
pub const RECEIVE_BUFFER: usize = 32 << 20;

/// Send buffer of each socket, in bytes: the windows of some thousand clients on their way to a card.
pub const SEND_BUFFER: usize = 8 << 20;

/// Data sockets of each shard for each address it listens on. More of them make a transfer's port
/// harder to guess and split batches into more calls.
pub const DATA_SOCKETS: usize = 2;

/// A predecessor's port is waited for this many times this long: a second in all.
pub const BIND_TRIES: u32 = 50;
pub const BIND_TRY_MILLIS: u64 = 20;

/// The interface MTU is asked again after this many seconds: it changes rarely, but it does.
pub const MTU_FRESH_SECS: u64 = 5;

/// Sends that wait for room in a socket's buffer. What does not fit is left to retransmission.
pub const BACKLOG: usize = 4096;

/// The largest request taken whole. RFC 1350 knows 512 bytes; long names and options need more.
pub const REQUEST_BUFFER: usize = 2048;

/// Batches of 64 datagrams taken from one socket before the others have their turn.
pub const BATCHES_PER_TURN: usize = 2;

/// A socket that gave this many datagrams in each of this many turns is read without asking epoll
/// first, until it gives none. With fewer of them the calls saved are not worth the changes.
pub const BUSY_DATAGRAMS: usize = 4;
pub const BUSY_TURNS: u8 = 8;
/// The largest datagram taken whole on a data socket: ACKs have 4 bytes, ERRORs a short text.
pub const ACK_BUFFER: usize = 128;

/// Receive buffers of each data socket where clients send blocks. With the largest blocks these are
/// 16 MiB of addresses, of which only what was once filled is memory; more blocks wait in the socket.
pub const DATA_BUFFERS: u16 = 256;

/// Entries of a shard's ring and of its receive buffers.
#[derive(Debug, Clone, Copy)]
pub struct RingSize {
    pub submissions: u32,
    pub completions: u32,
    /// For each listening socket; a burst beyond it waits in the socket.
    pub request_buffers: u16,
    /// For each data socket.
    pub ack_buffers: u16,
}

/// A turn of 1,024 sends is one system call.
pub const RING_LARGE: RingSize = RingSize {
    submissions: 1024,
    completions: 4096,
    request_buffers: 512,
    ack_buffers: 1024,
};

/// Fits the 64 KiB of memory that a process may lock on an old or careful host.
pub const RING_SMALL: RingSize = RingSize {
    submissions: 256,
    completions: 512,
    request_buffers: 128,
    ack_buffers: 256,
};

/// How long a shard that is to drain still reads its listening sockets when no further request can
/// come to them: a datagram that was on its way into one is there long before.
pub const LEAVE_PAUSE: Nanos = Nanos::from_millis(50);

/// At most this long, where there is so much to read.
pub const LEAVE_MAX: Nanos = Nanos::from_secs(1);

/// Attempts to get completions that must come. Each one is a system call that makes progress.
pub const RING_TRIES: u32 = 1000;

/// Datagrams that try a new ring out, and the wait for each. Loopback loses some where a firewall
/// drops at random or a receive buffer is full; one that comes proves the ring.
pub const PROBE_TRIES: u32 = 5;
pub const PROBE_WAIT: Nanos = Nanos::from_millis(200);

/// Receives that may fail in a row without an ICMP error as the reason.
pub const RECEIVE_FAILURES: u32 = 10_000;

// --- Zero-copy ---

/// Bytes of a train from which on it may be worth not to copy it: eight blocks of 1,428. Below,
/// the copy costs no more than the notification.
pub const ZERO_COPY_MIN: usize = 11 * 1024;

/// Trains tried on a network of which nothing is known. One may be an exception; more would cost
/// where the kernel copies anyway, a fifth more for each.
pub const ZERO_COPY_TRIALS: u32 = 4;

/// Reports after which a network that is on is judged anew: soon enough when somebody begins to
/// listen in on the device, not at once for a client that lives on this host.
pub const ZERO_COPY_REVIEW: u32 = 16;

/// Large trains to a network that is off before one is tried again; doubled each time up to the
/// second figure. One in a thousand at a fifth more cost is 0.02 %.
pub const ZERO_COPY_AGAIN: u32 = 1_024;
pub const ZERO_COPY_AGAIN_MAX: u32 = 65_536;

/// Networks remembered. A farm has a few dozen at most.
pub const ZERO_COPY_PATHS: usize = 1_024;

/// Lines that a shard may write about all that: a network may come and go.
pub const ZERO_COPY_NEWS: usize = 8;

/// At its end a shard waits so long for devices to let go of its memory. They take microseconds; a
/// device that is stuck must not hold up a restart.
pub const ZERO_COPY_LAST_WAIT: Nanos = Nanos::from_millis(100);

/// Bytes of frames that are registered with a ring together: 2 microseconds in huge pages, 53 without.
pub const LEASE_LEN: usize = 4 << 20;

/// The longest train: what fits one datagram.
pub const TRAIN_MAX: usize = 65_536;

/// Pieces registered at a time, 2 GiB of frames. The rest goes without.
pub const LEASES: u16 = 512;

/// Frames that nothing was sent from for this long are no longer kept registered. Shorter than
/// [`KEPT_IDLE`], so that the last hold on an image is not a shard's.
pub const LEASE_IDLE: Nanos = Nanos::from_secs(5);

// --- Files ---

/// Bytes in a client's name. Firmware asks for names of a few dozen bytes and RFC 1350 requests
/// fitted 512; longer ones are noise that should not cost a system call.
pub const NAME_MAX: usize = 1024;

/// Bytes in one component of a name: what every Linux file system takes.
pub const COMPONENT_MAX: usize = 255;

/// Entries of one directory that are looked at for a name in another case. A boot directory has
/// some hundreds; a larger one must not keep a file thread busy for a client's typing mistake.
pub const FOLD_ENTRIES: usize = 65_536;

/// Bytes of a leases file that are read: a hundred thousand leases of the wordiest format.
pub const LEASES_MAX: u64 = 32 << 20;

/// A leases file is looked at again after this long: a machine that has just got its address asks
/// for its boot file a moment later, and may have asked for another before.
pub const LEASES_FRESH: Nanos = Nanos::from_millis(500);

/// The neighbour table is taken anew after this long: an address may have gone to another machine.
pub const NEIGHBOURS_KEPT: Nanos = Nanos::from_secs(5);

/// And for machines that are not in our copy this often at most, with so many at once. A dump of a
/// large table takes a millisecond or two.
pub const NEIGHBOURS_INTERVAL: Nanos = Nanos::from_millis(5);
pub const NEIGHBOURS_BURST: u64 = 50;

/// Datagrams of 64 KiB that the kernel may need for its table: a million neighbours.
pub const NEIGHBOUR_ANSWERS: usize = 2048;

/// Bytes of a hostname (RFC 1123, section 2.1).
pub const HOSTNAME_MAX: usize = 255;

/// Rewrites of one name by all rules together. Rules that rewrite one another's names for ever end
/// here; nobody writes sixty that follow each other.
pub const NAME_STEPS: usize = 64;

/// Mistakes of one configuration that are named: a screenful.
pub const MISTAKES_MAX: usize = 40;

/// Bytes of the configuration file.
pub const CONFIG_MAX: u64 = 4 << 20;

/// Rules of the naming policy. Each request is compared with all of them.
pub const RULES_MAX: usize = 1024;

/// Bytes of a rule's regular expression.
pub const PATTERN_MAX: usize = 4096;

/// Memory of one compiled expression, and again of its lazily built automaton on each file thread.
pub const PATTERN_MEMORY: usize = 1 << 20;

/// Bytes of a virtual file. Boot configurations have a few hundred; each waiting client has its own.
pub const TEMPLATE_MAX: usize = 64 * 1024;

/// Characters of a refusal's text: an ERROR packet should not be larger than the request.
pub const DENIAL_TEXT_MAX: usize = 120;

/// Symbolic links followed for one name: the kernel's own MAXSYMLINKS, so that both ways of
/// resolving a name give the same answers.
pub const LINKS_MAX: usize = 40;

/// How often one name is resolved anew when a rename raced with it. The kernel says EAGAIN only
/// while renames go on, so a handful always did in tests with a thread that does nothing else.
pub const RESOLVE_TRIES: usize = 16;

/// How often a file is read anew when it changed under the reading. More would only help a file
/// that is written all the time, and that one has no content to serve.
pub const COPY_TRIES: usize = 3;

/// Bytes read from a file at a time while it is copied.
pub const COPY_CHUNK: usize = 64 * 1024;

/// Bytes of one private copy (netascii, or a file that cannot be mapped). Netascii is for the
/// configuration of switches; 64 MiB is far above any of them.
pub const COPY_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of all private copies together: the memory that hostile netascii requests can claim.
pub const COPIES_TOTAL_MAX: u64 = 256 * 1024 * 1024;

/// Memory for files laid out in frames, unless the operator says otherwise: a kernel and an initrd
/// in two block sizes. Files that do not fit any more are served from their mapping.
pub const FRAME_MEMORY_MIB: u64 = 256;

/// The transfer of a file, with the same block size as others, at which it is laid out in frames.
/// A file that one client fetches is not worth a second copy in memory.
pub const FRAME_AFTER: u32 = 2;

/// Threads that lay files out in frames, one for each storage.
pub const FRAMER_THREADS: usize = 4;

/// Files waiting to be framed; beyond that they are served from their mapping.
pub const FRAMER_QUEUE: usize = 64;

/// Block sizes of one file that are framed: a farm has one to three kinds of clients.
pub const FRAMED_BLKSIZES: usize = 4;

/// Smaller blocks are too much header and too little gain.
pub const FRAMED_BLKSIZE_MIN: u16 = 256;

/// Bytes of a file whose presence in memory is kept track of together: one request to a disk of any
/// kind, well below 1 ms from the page cache.
pub const CHUNK_LEN: u64 = 256 * 1024;

/// Chunks of one file; those of files beyond 16 GiB are larger. 256 KiB of memory at most.
pub const CHUNKS_MAX: u64 = 65_536;

/// Chunks brought in before a transfer comes to them: 1 MiB, which a client on a fast network takes
/// longer to receive than a disk to deliver.
pub const READ_AHEAD_CHUNKS: usize = 4;

/// Seconds after its last use for which a chunk is believed to be in memory. The kernel evicts pages
/// by age, too, and those of a file that is being served are young.
pub const RESIDENT_SECS: u32 = 30;

/// Threads that wait for disks, started on demand, and how many of them one storage may hold up.
/// Different files on a slow disk need one each; a storage that hangs leaves the others theirs.
pub const READER_THREADS: usize = 16;
pub const READERS_EACH: usize = 4;

/// Requests waiting for those threads. When it is full, transfers ask again a little later.
pub const READER_QUEUE: usize = 8192;

/// Images kept although no transfer uses them, so that machines that come one by one share a
/// mapping. A farm boots from a dozen files; more would pin file descriptors for nothing.
pub const KEPT_IMAGES: usize = 64;

/// How long such an image is kept unused. A deleted file holds its disk space for so long.
pub const KEPT_IDLE: crate::transfer::Nanos = crate::transfer::Nanos::from_secs(10);

/// Bytes of a private copy that may be kept so; larger ones go with their last transfer.
pub const KEPT_COPY_MAX: u64 = 1024 * 1024;

/// Entries of the catalog before the first sweep for dead ones.
pub const CATALOG_SWEEP_MIN: usize = 128;

/// Threads that open files which the kernel has to ask a storage for, started on demand, and how many
/// of them one directory below the root may hold up: three that hang leave the others theirs.
pub const OPENER_THREADS: usize = 16;
pub const OPENERS_EACH: usize = 4;

/// A thread that was started on demand ends after so long without work.
pub const IDLE_THREAD: Nanos = Nanos::from_secs(10);

/// The server's end waits this long for threads that a storage holds up.
pub const LANES_LAST_WORDS: Nanos = Nanos::from_secs(1);

/// Groups of jobs for each storage or directory that keep their memory when they are empty.
pub const LANES_KEPT: usize = 64;

/// Mounted file systems that are remembered as local.
pub const KNOWN_STORAGES: usize = 64;

/// Requests waiting for those threads: all of a shard's, so that a burst of any size that is let in
/// keeps its order. About 13 MiB with usual names when it is full.
pub const LOADER_QUEUE: usize = MAX_TRANSFERS;

/// Requests taken at once by a thread. Those for one file share one open, so a burst of 2,000 costs
/// eight opens.
pub const LOADER_BATCH: usize = 256;

/// Different files among them: so few that the other thread finds work while this one waits for
/// a disk, enough to share opens when machines ask for different files.
pub const LOADER_BATCH_FILES: usize = 16;

// --- Map files of tftp-hpa ---

/// A map file; the largest that are known have some hundred lines.
pub const MAP_FILE_MAX: u64 = 1 << 20;

/// A line of it. in.tftpd breaks longer ones.
pub const MAP_LINE_MAX: usize = 16 << 10;

/// Parentheses and repetitions within one another: matching goes as deep, on a thread's stack.
pub const MAP_ERE_DEPTH: usize = 200;

/// `RE_DUP_MAX` of glibc.
pub const MAP_ERE_REPEAT: u32 = 32_767;

/// Rules run for one request, as in.tftpd 5.2 has it (`rs` rules may go round for ever)...
pub const MAP_STEPS: u32 = 1_024;

/// ...and as later versions have it.
pub const MAP_STEPS_LATER: u32 = 4_096;

/// Replacements by `g` rules for one request. in.tftpd 5.2 goes on for ever with some rules.
pub const MAP_REPLACEMENTS: u32 = 4_096;

/// A name on its way through the rules; no file can be opened by a longer one.
pub const MAP_NAME_MAX: usize = 4_096;

/// Steps of the matcher for one request, about 20 ms. Ordinary rules take some thousand; an
/// expression of many nested repetitions on a long name could take minutes.
pub const MAP_FUEL: usize = 16 << 20;

// --- Uploads ---

/// Bytes of an upload that are written together, and the most that a window may have: one block of
/// the largest size fits, and forty-five of the usual one cost a single write.
pub const UPLOAD_CHUNK: usize = 64 * 1024;

/// Memory for the bytes of uploads that are not written yet, all shards together. Beyond two thousand
/// uploads at a time, or where the disk is slower than the network, clients wait for their ACKs.
pub const UPLOAD_MEMORY: usize = 128 * 1024 * 1024;

/// Chunks of one upload that may wait for the disk, so that one fast client leaves some to others.
pub const UPLOAD_AHEAD: u8 = 4;

/// Uploads at a time. Each has two file descriptors and a temporary file.
pub const MAX_UPLOADS: usize = 4096;

/// Jobs that can wait for an upload thread: every chunk, and for each upload its beginning and end,
/// twice, because ends of former uploads may still wait. So no chunk is ever turned away.
pub const UPLOAD_QUEUE: usize = UPLOAD_MEMORY / UPLOAD_CHUNK + 4 * MAX_UPLOADS;

/// Threads for uploads where io_uring is refused: an fsync holds one up.
pub const UPLOAD_THREADS: usize = 4;

/// Entries of the upload thread's ring, small enough for 64 KiB of locked memory. More requests than
/// that simply wait.
pub const UPLOAD_RING: u32 = 256;

/// Files remembered with the client that uploaded them, for its quota. Later ones count only while
/// they are being uploaded.
pub const UPLOADED_FILES: usize = 65_536;

/// A full quota is counted anew on the disk this often: somebody may have deleted files.
pub const RECOUNT_PAUSE: Nanos = Nanos::from_secs(1);
