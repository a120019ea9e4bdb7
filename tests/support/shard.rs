//! One shard of the server on a thread of the test program, for what no process shows from outside.
//! It never differs from the real one: only the daemon around it is missing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use ringboot::endpoint::{Access, Guard, Policy};
use ringboot::files::{Deliver, Finder, FrameMemory, Loader, Root};
use ringboot::observe::record::{RecordReceiver, RecordSender, record_queue};
use ringboot::shard::{
    Address, Intake, Interleave, IoChoice, Listen, Mailbox, Order, Orders, Outbox, Outside, Plan,
    Settings, Sockets, Worker, ZeroCopy, bind, mailbox, open, secret_hash,
};
use ringboot::transfer::Nanos;

/// For a file or two.
const FRAME_MEMORY: u64 = 16 << 20;

/// What the tests choose.
#[derive(Clone, Copy, Default)]
pub struct How {
    pub io: IoChoice,
    pub single_port: bool,
    pub policy: Policy,
}

pub struct Shard {
    pub addr: SocketAddr,
    pub records: RecordReceiver,
    pub frames: Arc<FrameMemory>,
    orders: Orders,
    address: Address,
    thread: JoinHandle<()>,
}

impl Shard {
    /// `deliver` stands between the file threads and the shard; `begin` runs first on its thread.
    pub fn start(
        root: &Path,
        how: How,
        deliver: impl FnOnce(Address) -> Arc<dyn Deliver>,
        begin: impl FnOnce() + Send + 'static,
    ) -> Self {
        let sockets = bind(&plan(how.single_port)).unwrap().pop().unwrap();
        let addr = sockets.layout().listening().next().unwrap();
        let orders = Orders::default();
        let (address, mailbox) = mailbox(orders.clone()).unwrap();
        let deliveries = vec![deliver(address.clone())];
        let loader = Loader::start(deliveries, FRAME_MEMORY).unwrap();
        let frames = loader.frame_memory();
        let finder = Arc::new(Arc::new(Root::open(root).unwrap()).into());
        let (sender, records) = record_queue();
        let berth = Berth {
            how,
            sockets,
            mailbox,
            shards: vec![address.clone()],
            loader,
            finder,
            records: sender,
        };
        let thread = std::thread::spawn(move || {
            begin();
            berth.serve();
        });
        Self {
            addr,
            records,
            frames,
            orders,
            address,
            thread,
        }
    }

    pub fn stop(self) {
        self.orders.give(Order::Stop);
        self.address.wake();
        self.thread.join().unwrap();
    }
}

/// As in the real server: straight to the shard.
pub fn directly(address: Address) -> Arc<dyn Deliver> {
    Arc::new(address)
}

fn plan(single_port: bool) -> Plan {
    Plan {
        listen: vec![Listen {
            addr: (Ipv4Addr::LOCALHOST, 0).into(),
            optional: false,
        }],
        shards: 1,
        single_port,
        data_ports: None,
    }
}

/// What the thread takes with it. The rest is made there: an outbox never changes its thread.
struct Berth {
    how: How,
    sockets: Sockets,
    mailbox: Mailbox,
    shards: Vec<Address>,
    loader: Loader,
    finder: Arc<Finder>,
    records: RecordSender,
}

impl Berth {
    fn serve(self) {
        let layout = self.sockets.layout().clone();
        let waker = self.mailbox.waker.clone();
        let opened = open(self.how.io, ZeroCopy::Auto, self.sockets, waker);
        let mut backend = opened.unwrap_or_else(|why| panic!("{why}")).backend;
        let worker = Worker {
            mailbox: self.mailbox,
            shards: self.shards,
            outside: Outside {
                bound: layout.bound_to(),
                shard: 0,
                outbox: Outbox::default(),
                loader: Arc::new(self.loader),
                finder: self.finder,
                intake: Intake::closed(),
                records: self.records,
                verdict: None,
                interleave: Interleave::default(),
                stats: Arc::default(),
            },
            sockets: layout,
            lens: Default::default(),
            guard: Arc::new(Guard::new(&Access::default(), secret_hash())),
            settings: Settings {
                policy: self.how.policy,
                max_blksize: None,
                drain_timeout: Nanos::ZERO,
                shard: 0,
                shards: 1,
            },
        };
        worker.run(backend.as_mut()).unwrap();
    }
}
