//! The map-file suite: the same rules and names for Debian's in.tftpd and for ringboot.
//! It never knows the right answer: the other server does, except where `differences.txt` says why not.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;

use crate::servers::{Answer, BOTH, Daemon, ask, farm, free_address};

const FILES: &[&str] = &[
    "a",
    "b",
    "c",
    "aa",
    "ab",
    "ba",
    "x",
    "B",
    "ABC",
    "abc",
    "Abc",
    "boot/a",
    "boot/b",
    "boot/pxe/x",
    "tftpboot/a",
    "x86",
    "x86_64/y",
    "secret/x",
    "a b",
    "a#b",
    "127.0.0.1",
    "7F000001",
    "pxelinux.cfg/7F000001",
    "pxelinux.cfg/default",
    "host-127.0.0.1/a",
    "a.pvt",
    "n/d/e",
    "at@sign",
    "bc",
];

const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"c",
    b"aa",
    b"aaa",
    b"ab",
    b"abc",
    b"ABC",
    b"Abc",
    b"x",
    b"/a",
    b"//a",
    b"./a",
    b"/boot/a",
    b"boot/b",
    b"boot/pxe/x",
    b"BOOT/A",
    b"tftpboot/a",
    b"/tftpboot/a",
    b"/tftpboot/boot/a",
    b"C:\\boot\\a",
    b"c:/boot/a",
    b"\\boot\\a",
    b"x86_64/y",
    b"x86/_64/y",
    b"secret/x",
    b"/secret/x",
    b"xsecret",
    b"a b",
    b"a#b",
    b"a.pvt",
    b"ip",
    b"cfg",
    b"missing",
    b"a/../b",
    b"../a",
    b"..",
    b"/",
    b"boot",
    b"boot/",
    b"a\xff",
    b"\xe9",
    b"ok/a",
    b"no/a",
    b"at#sign",
    b"n/d/e",
    b"aXb",
    b"bc",
];

/// Rules, with a name for `differences.txt`.
const MAPS: &[(&str, &str)] = &[
    ("nothing", "# a comment\n\n   \t\n"),
    (
        "sample",
        "ri\t^[a-z]:\t# drive letters\nrg\t\\\\\t/\nrg\t\\#\t@\nrg\t/../\t/..no../\ne\t^ok/\nr\t^[^/]\t/tftpboot/\\0\na\t\\.pvt$\n",
    ),
    ("prefix", "r ^/?tftpboot/ \n"),
    ("prefix-e", "re ^/?tftpboot/ boot/\nr ^boot/ tftpboot/\n"),
    ("add", "r ^[^/] boot/\\0\n"),
    ("twice", "r a b\nr b c\n"),
    ("global", "rg a b\n"),
    ("global-longer", "rg x aa\nr aaaa x\n"),
    ("fold", "ri ^abc$ a\n"),
    ("fold-class", "ri ^[A-C]+$ a\n"),
    ("upper", "r ^.*$ \\U\\0\n"),
    ("lower", "r ^(.)(.*)$ \\L\\1\\E\\2\n"),
    ("case-literal", "r ^ab(.) \\UaB\\1\\LC\\1\\E\n"),
    ("case-escape", "r ^x \\Ua\\b\\\\\n"),
    ("groups", "r ^(.)(.)(.)?$ \\2\\1\\3\n"),
    (
        "groups-nine",
        "r ^(a)?(b)?(c)?(d)?(e)?(f)?(g)?(h)?(i)?(j)?$ \\1\\2\\3\\9\n",
    ),
    ("longest", "r ^(x86|x86_64)(/|_64/)?(.*) \\1/\\3\n"),
    ("alternation", "r ^(a|ab)(c|bcd)?$ boot/\\1\n"),
    ("exit", "e ^boot/\nr ^ secret/\n"),
    ("exit-inverse", "e~ ^(boot|a)\nr ^ boot/\n"),
    ("abort", "a ^/?secret\n"),
    ("abort-text", "a ^/?secret/ Keep\\ out:\\ \n"),
    ("abort-text-group", "a secret/(.) no\\ \\1\\ for\\ \\i\n"),
    ("abort-text-case", "a (secret) \\U\\1\n"),
    ("abort-inverse", "a~ ^[ab]$\n"),
    ("abort-dots", "a (^|/)\\.\\.(/|$)\n"),
    ("abort-before-rewrite", "ra a b\n"),
    ("restart", "r ^q$ a\nrs ^b$ q\n"),
    ("restart-first", "rs ^b$ c\nrs ^a$ b\n"),
    ("restart-only", "rs ^a$ b\nrs ^b$ c\n"),
    ("restart-loop", "r ^q q\nrs ^a a\n"),
    ("restart-exit", "rse ^a b\nr ^b c\n"),
    ("get", "rG ^a$ b\nrP ^a$ c\n"),
    ("get-put", "rGP ^a$ b\n"),
    ("put-get", "rPG ^a$ b\n"),
    ("ipv4", "r4 ^a$ b\nr6 ^b$ c\n"),
    ("ipv4-ipv6", "r46 ^a$ b\n"),
    ("address", "r ^ip$ \\i\n"),
    ("address-hex", "r ^ip$ \\x\nr ^cfg$ pxelinux.cfg/\\x\n"),
    ("address-case", "r ^ip$ \\L\\x\n"),
    ("address-root", "r ^(a)$ host-\\i/\\1\n"),
    ("escapes", "r ^a\\ b$ a\\#b\nr ^a\\#b$ a\\ b\n"),
    ("escape-unknown", "r ^x$ \\a\\q\\\n"),
    ("comment-behind", "r ^x$ a#comment\nr ^a#b c\n"),
    ("empty-result", "r ^.*$\n"),
    ("leading-slashes", "rg ^/ \n"),
    ("collapse", "rg // /\n"),
    ("class", "r [[:digit:]]+ 7F000001\n"),
    ("bracket", "r [^]a]+$ b\n"),
    ("interval", "r a{2,3} b\n"),
    ("word", "r \\<a\\> b\n"),
    ("word-class", "r ^\\w+$ a\n"),
    ("high-bytes", "r [^\\ -~] \n"),
    ("flags-anyhow", "irg A b\n"),
    ("duplicate-flags", "rr ^a$ b\n"),
    ("no-flags-effect", "g ^a$ b\n"),
    ("only-inverse", "~ ^a$\n"),
    ("crlf", "r ^a$ b\r\nr ^c$ x\r\n"),
    ("spaces-before", "   r ^a$ b\n"),
    ("many-fields", "r ^a$ b c d\n"),
    ("no-newline", "r ^a$ b"),
    ("anchors", "r $ /x\n"),
    ("dot-slash", "r ^\\./ \n"),
    ("windows", "ri ^[a-z]:\nrg \\\\ /\nr ^/ \nr ^.*$ \\L\\0\n"),
];

/// Files that in.tftpd refuses to start with.
const FAULTS: &[&str] = &[
    "z ^a b\n",
    "r\n",
    "r~ a b\n",
    "r ( b\n",
    "r [a b\n",
    "r a{2 b\n",
    "r *a b\n",
    "r a\\ b\\\n#\nr [b-a] x\n",
    "r [[:no:]] x\n",
];

#[test]
fn every_rule_and_name_is_answered_as_by_debian() {
    if crate::no_root() {
        return;
    }
    let expected = Differences::read();
    let mut met = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut cases = 0;
    for (map, rules) in MAPS {
        let dir = farm(FILES);
        let file = dir.path().join("map");
        fs::write(&file, rules).expect("a map file");
        let (root, file) = (
            dir.path().join("root"),
            file.to_str().expect("text").to_owned(),
        );
        let root = root.to_str().expect("text");
        let servers = BOTH.map(|which| {
            let at = free_address();
            let address = at.to_string();
            let args = ["-L", "-a", &address, "-s", "-m", &file, root];
            (Daemon::spawn(which, &args, Stdio::null()).ready(at), at)
        });
        for name in NAMES {
            cases += 1;
            let [theirs, ours] = [0, 1].map(|server: usize| ask(servers[server].1, name));
            if theirs == ours {
                continue;
            }
            let case = format!("{map} {}", name.escape_ascii());
            let difference = format!("{theirs} | {ours}");
            match expected.reason(&theirs, &ours, map, name) {
                Some(reason) => *met.entry(reason).or_insert(0) += 1,
                None => wrong.push(format!("{case}: {difference}")),
            }
        }
    }
    println!("{cases} cases; reviewed differences met: {met:#?}");
    assert!(
        wrong.is_empty(),
        "{} of {cases}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let unmet: Vec<_> = expected
        .reasons()
        .filter(|reason| !met.contains_key(*reason))
        .collect();
    assert!(
        unmet.is_empty(),
        "differences.txt says what no case shows: {unmet:?}"
    );
}

#[test]
fn a_faulty_map_file_stops_the_start_as_it_stops_debians() {
    if crate::no_root() {
        return;
    }
    for rules in FAULTS {
        let dir = farm(&["a"]);
        let (file, root) = (dir.path().join("map"), dir.path().join("root"));
        fs::write(&file, rules).expect("a map file");
        let at = free_address().to_string();
        let [file, root] = [&file, &root].map(|path| path.to_str().expect("text"));
        for which in BOTH {
            let args = ["-L", "-a", &at, "-s", "-m", file, root];
            let mut daemon = Daemon::spawn(which, &args, Stdio::null());
            let status = daemon
                .end(crate::support::server::PATIENCE)
                .expect("an end");
            assert_eq!(status.code(), Some(78), "{which:?} with {rules:?}");
        }
    }
}

/// The reviewed file: `theirs | ours | why`, one kind of difference in a line.
struct Differences(Vec<Difference>);

struct Difference {
    /// `*`, or the maps' names.
    maps: String,
    /// `*`, or the names' escaped forms.
    names: String,
    theirs: String,
    ours: String,
    why: String,
}

impl Differences {
    fn read() -> Self {
        let lines = include_str!("differences.txt").lines();
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(
            lines
                .map(|line| {
                    let fields: Vec<_> = line.split(" | ").map(str::trim).collect();
                    let [maps, names, theirs, ours, why] = fields[..] else {
                        panic!("five fields in {line:?}");
                    };
                    let [maps, names, theirs, ours, why] =
                        [maps, names, theirs, ours, why].map(str::to_owned);
                    Difference {
                        maps,
                        names,
                        theirs,
                        ours,
                        why,
                    }
                })
                .collect(),
        )
    }

    fn reason(&self, theirs: &Answer, ours: &Answer, map: &str, name: &[u8]) -> Option<&str> {
        let name = name.escape_ascii().to_string();
        let one_of =
            |list: &str, one: &str| list == "*" || list.split(' ').any(|other| other == one);
        let fits = |pattern: &str, answer: &Answer| pattern == "*" || pattern == answer.to_string();
        let found = self.0.iter().find(|difference| {
            one_of(&difference.maps, map)
                && one_of(&difference.names, &name)
                && fits(&difference.theirs, theirs)
                && fits(&difference.ours, ours)
        });
        found.map(|difference| difference.why.as_str())
    }

    fn reasons(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|difference| difference.why.as_str())
    }
}
