//! The traversal corpus under every kind of naming policy: whatever opens is inside a root.
//! It never trusts an opened file's name: what it contains tells where it is.

use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use ringboot::config::{Config, Plan};
use ringboot::files::{Finder, Found, OpenError, Resolver, Root, Wish};
use ringboot::names::{Mac, Operation, Trace};
use ringboot::wire::options::Options;

use super::confinement::{INSIDE, Place, corpus};

/// What virtual files contain here.
const MADE: &str = "made";

/// One policy of each kind.
pub const POLICIES: [(&str, &str); 16] = [
    ("plain", ""),
    (
        "rewrite everything to itself",
        "[[rule]]\nmatch = '^(.*)$'\nrewrite = '{{1}}'",
    ),
    (
        "rewrite with a directory in front",
        "[[rule]]\nmatch = '^'\nrewrite = 'sub/'",
    ),
    (
        "rewrite that builds dot-dot",
        "[[rule]]\nmatch = '(.*)'\nrewrite = '../{{1}}'",
    ),
    (
        "rewrite that makes slashes and dots",
        "[[rule]]\nmatch = '%2e'\nrewrite = '.'\nrepeat = true\n[[rule]]\nmatch = ';|x|;| '\nrewrite = ''\nrepeat = true\n[[rule]]\nmatch = '[.]{3,}'\nrewrite = '..'",
    ),
    (
        "rewrite to an absolute name",
        "[[rule]]\nmatch = '(.*)'\nrewrite = '/etc/passwd'",
    ),
    (
        "rewrite by the client",
        "[[rule]]\nmatch = '(.*)'\nrewrite = '{{ip}}/{{mac-dash}}/{{hostname|or=..}}/{{asked}}'",
    ),
    ("redirect", "[[rule]]\nroot = 'other'"),
    (
        "redirect and rewrite",
        "[[rule]]\nmatch = '(.*)'\nrewrite = '../root/{{asked}}'\nroot = 'other'\nstop = true",
    ),
    (
        "unique-root by address",
        "[roots.default]\nunique-root = 'ip'",
    ),
    (
        "unique-root by hardware address",
        "[roots.default]\nunique-root = 'mac'",
    ),
    ("any case", "[roots.default]\nignore-case = true"),
    (
        "lower case, backslashes are letters",
        "[roots.default]\nlowercase = true\nbackslashes = false",
    ),
    (
        "fallback roots",
        "[roots.default]\nfallback = 'other'\nignore-case = true",
    ),
    (
        "fallback files",
        "[[rule]]\nmatch = '(.*)'\ntry = ['../{{1}}', '{{asked}}', '..\\{{1}}', '{{mac}}/{{name}}', '/../{{1}}', 'sub/{{name}}']",
    ),
    (
        "templates",
        "[templates.t]\ncontent = 'made'\n[[rule]]\nmatch = '(.*)'\ntry = ['{{1}}', 'link-sub/{{1}}']\ntemplate = 't'",
    ),
];

#[test]
fn no_policy_lets_a_name_out() {
    let place = Place::new();
    add_second_root(&place);
    let mut opened = 0;
    for (kind, policy) in POLICIES {
        for resolver in [Resolver::Openat2, Resolver::Walk] {
            let finder = finder(&place, policy, resolver);
            for name in names(&place) {
                for client in ["192.0.2.7", "2001:db8::7"] {
                    opened += usize::from(ask(&finder, &name, client, kind));
                }
            }
        }
    }
    println!("{opened} opened, all inside");
    assert!(
        opened > 500,
        "{opened}: the policies should let most ordinary names through"
    );
}

#[test]
fn policies_still_find_what_they_should() {
    let place = Place::new();
    add_second_root(&place);
    for (kind, name, found) in [
        ("rewrite with a directory in front", "file", true),
        ("rewrite with a directory in front", "sub/file", false),
        ("redirect", "only-other", true),
        ("redirect", "sub/file", false),
        ("unique-root by address", "own", true),
        ("unique-root by address", "file", false),
        ("unique-root by hardware address", "file", true),
        ("any case", r"\SUB\FiLe", true),
        ("any case", "Link-File", true),
        ("any case", "LINK-OUT", false),
        ("lower case, backslashes are letters", "SUB/File", true),
        ("lower case, backslashes are letters", r"sub\file", false),
        ("fallback roots", "only-other", true),
        ("fallback roots", "ONLY-OTHER", false),
        ("templates", "nothing", true),
    ] {
        let (_, policy) = POLICIES
            .iter()
            .find(|(other, _)| *other == kind)
            .expect("a policy");
        let finder = finder(&place, policy, Resolver::Openat2);
        assert_eq!(
            ask(&finder, name.as_bytes(), "192.0.2.7", kind),
            found,
            "{kind}: {name}"
        );
    }
}

/// The corpus, and each of its names in the forms that policies are to see through.
pub fn names(place: &Place) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for (name, _) in corpus(place) {
        names.push(name.to_ascii_uppercase());
        names.push([b"192.0.2.7/", &*name].concat());
        names.push([b"../base/root/", &*name].concat());
        names.push([&*name, b"\xff"].concat());
        names.push([&*name, b"/../../secret"].concat());
        names.push(name);
    }
    names
}

fn ask(finder: &Finder, name: &[u8], client: &str, kind: &str) -> bool {
    let client: IpAddr = client.parse().expect("an address");
    let wish = Wish {
        name,
        operation: Operation::Read,
        client,
        local: None,
        mac: Some(Mac([2, 0, 0, 0, 0, 1])),
        options: Options::new(&[]),
    };
    let shown = name.escape_ascii();
    match finder.find(&wish, &mut Trace::off()) {
        Ok(Found::File { mut file, .. }) => {
            let mut content = String::new();
            file.read_to_string(&mut content).expect("read");
            // "exact" is inside as well; it only should not be found where its end mark counts.
            let inside = content == INSIDE || content == "not this one";
            assert!(inside, "{kind}: {shown} opened {content:?}");
            true
        }
        Ok(Found::Made(content)) => {
            assert_eq!(&*content, MADE.as_bytes(), "{kind}: {shown}");
            true
        }
        Err(OpenError::Io(error)) => panic!("{kind}: {shown}: {error}"),
        Err(_) => false,
    }
}

fn finder(place: &Place, policy: &str, resolver: Resolver) -> Finder {
    let plan = plan(place, policy);
    open_all(&plan, resolver)
}

pub fn open_all(plan: &Plan, resolver: Resolver) -> Finder {
    let roots = plan
        .roots
        .iter()
        .map(|root| open(&root.path, resolver))
        .collect();
    Finder::new(plan.names(), roots).knowing(plan.hosts())
}

pub fn plan(place: &Place, policy: &str) -> Plan {
    let other = place.base().join("other");
    let text = format!(
        "version = 1\nroot = \"root\"\n{policy}\n[roots.other]\npath = \"{}\"\n",
        other.display()
    );
    let path = place.base().join("ringboot.toml");
    let config = Config::parse(&path, text).unwrap_or_else(|error| panic!("{error}"));
    config.plan().unwrap_or_else(|error| panic!("{error}"))
}

fn open(path: &Path, resolver: Resolver) -> Arc<Root> {
    Arc::new(Root::open_with(path, resolver).expect("a root"))
}

/// A root beside the first one, with a file of its own; and a directory for one client.
pub fn add_second_root(place: &Place) {
    let other = place.base().join("other");
    fs::create_dir_all(other.join("sub")).expect("a directory");
    fs::write(other.join("only-other"), INSIDE).expect("a file");
    symlink("../secret", other.join("link-out")).expect("a link");
    let own = place.root().join("192.0.2.7");
    fs::create_dir(&own).expect("a directory");
    fs::write(own.join("own"), INSIDE).expect("a file");
    symlink("../../secret", own.join("link-out")).expect("a link");
    // A client's directory that is a link out of the root is no directory of the root.
    symlink("../..", place.root().join("02-00-00-00-00-01")).expect("a link");
}
