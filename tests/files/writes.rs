//! The traversal corpus as write requests, under every kind of naming policy: whatever is written is
//! inside a root.
//! It never trusts an answer: the whole tree around the roots is compared.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ringboot::endpoint::Ticket;
use ringboot::files::upload::{News, Policy, Replace, Uploads, Wanted, What};
use ringboot::files::{Deliver, Finder, Opened, Resolver};
use ringboot::wire::{Mode, Options};

use super::confinement::{INSIDE, Place};
use super::policies::{POLICIES, add_second_root, names, open_all, plan};

#[test]
fn no_policy_lets_an_upload_out() {
    let mut written = 0;
    for (kind, policy) in POLICIES {
        for resolver in [Resolver::Openat2, Resolver::Walk] {
            let place = Place::new();
            add_second_root(&place);
            let mut plan = plan(&place, policy);
            for root in &mut plan.roots {
                root.policy.uploads = true;
            }
            let roots: Vec<PathBuf> = plan.roots.iter().map(|root| root.path.clone()).collect();
            let above = place.base().join("..");
            let before = around(&above, &roots);
            let uploads = Shard::start(open_all(&plan, resolver));
            for name in names(&place) {
                for client in ["192.0.2.7", "2001:db8::7"] {
                    written += usize::from(uploads.put(&name, client));
                }
            }
            drop(uploads);
            assert_eq!(around(&above, &roots), before, "{kind}, {resolver:?}");
        }
    }
    println!("{written} written, all inside");
    assert!(
        written > 500,
        "{written}: the policies should let most ordinary names through"
    );
}

/// Everything that is not below a root, with its content, and what links say.
fn around(dir: &Path, roots: &[PathBuf]) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        let real = dir.canonicalize().expect("a directory");
        if roots
            .iter()
            .any(|root| root.canonicalize().expect("a root") == real)
        {
            continue;
        }
        for entry in fs::read_dir(&dir).expect("readable").flatten() {
            let (path, kind) = (entry.path(), entry.file_type().expect("a type"));
            let shown = if kind.is_dir() {
                pending.push(path.clone());
                "directory".into()
            } else if kind.is_file() {
                fs::read_to_string(&path).expect("text")
            } else {
                format!("{kind:?}")
            };
            found.insert(path, shown);
        }
    }
    found
}

/// The upload threads and the shard that they tell.
struct Shard {
    uploads: Uploads,
    policy: Arc<Policy>,
    finder: Arc<Finder>,
    news: Receiver<News>,
}

struct Letters(Sender<News>);

impl Deliver for Letters {
    fn deliver(&self, _: Opened) {}

    fn loaded(&self, _: Ticket, _: Option<bool>) {}

    fn upload(&self, news: News) {
        let _ = self.0.send(news);
    }

    fn wake(&self) {}
}

const TICKET: Ticket = Ticket {
    slot: 0,
    generation: 0,
};

impl Shard {
    fn start(finder: Finder) -> Self {
        let finder = Arc::new(finder);
        let (sender, news) = channel();
        let policy = Policy {
            replace: Replace::Allowed,
            ..Policy::default()
        };
        let shards: Vec<Arc<dyn Deliver>> = vec![Arc::new(Letters(sender))];
        let uploads = Uploads::start(&policy, &finder, shards, false, None).expect("threads");
        Self {
            uploads,
            policy: Arc::new(policy),
            finder,
            news,
        }
    }

    fn next(&self) -> What {
        let news = self.news.recv_timeout(Duration::from_secs(20));
        news.expect("news").what
    }

    /// Uploads what every file of the roots contains. Says whether it was taken.
    fn put(&self, name: &[u8], client: &str) -> bool {
        let client: IpAddr = client.parse().expect("an address");
        let wanted = Wanted {
            client,
            local: None,
            name,
            mode: Mode::Octet,
            finder: &self.finder,
            policy: &self.policy,
            options: Options::new(&[]),
            size: None,
        };
        assert!(self.uploads.create(0, TICKET, &wanted), "room for one");
        match self.next() {
            What::Created(Ok(())) => {}
            What::Created(Err(_)) => return false,
            other => panic!("{other:?}"),
        }
        self.uploads.write(0, TICKET, INSIDE.into());
        assert!(matches!(self.next(), What::Written(_)));
        self.uploads.commit(0, TICKET);
        match self.next() {
            What::Stored(result) => result.is_ok(),
            other => panic!("{other:?}"),
        }
    }
}
