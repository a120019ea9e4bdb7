//! Our POSIX expressions against glibc's `regcomp` and `regexec`, which in.tftpd uses.
//! They never see the same code: ours is safe Rust with bounded work.

use std::ffi::CString;
use std::mem::MaybeUninit;

use ringboot::hpa::map::Fuel;
use ringboot::hpa::map::ere::Ere;

use crate::support::Rng;

type Groups = Vec<Option<(usize, usize)>>;

/// Pieces that random expressions are made of.
const PIECES: &[&str] = &[
    "a",
    "b",
    "ab",
    "c",
    ".",
    "a*",
    "b+",
    "c?",
    "(a|ab)",
    "(ab|a)",
    "(a*)",
    "(b|c)*",
    "(.*)",
    "(.+)",
    "[ab]",
    "[^a]",
    "[a-c]+",
    "[[:alpha:]]",
    "[[:upper:]]*",
    "(a)",
    "(b?)",
    "(c|)",
    "|",
    "(",
    ")",
    "*",
    "{2}",
    "{1,2}",
    "{0,1}",
    "{,2}",
    "{2",
    "{",
    "{a}",
    "{2,a}",
    "{,}",
    "{3,1}",
    "{2,",
    "^",
    "$",
    "/",
    r"\.",
    r"\w",
    r"\W",
    r"\b",
    r"\<",
    r"\>",
    r"\B",
    "[]a]",
    "[a-]",
    "[b-a]",
    "[[:x:]]",
    "[[.a.]]",
    "[[=b=]]",
    "A",
    "[A-Z]",
    "[z-a]",
    "(a|b|ab)+",
    "(a*)(ab)*(b*)",
    "((a)|(b))",
    "-",
    "_",
    r"\s",
    r"\/",
    "[[:digit:]-z]",
    "[--/]",
    "é",
];

/// Pieces that random names are made of.
const LETTERS: &[&str] = &["a", "b", "c", "A", "B", "/", ".", "_", "-", "1", "ab"];

/// How many of the random pairs may catch other groups than glibc. Where a match begins and ends,
/// and what is an expression at all, is always the same. Groups differ where glibc departs from
/// POSIX (`(a|b|ab)+` prefers short rounds, `(.+){,2}` splits what one round would take).
const OTHER_GROUPS_PER_MILLE: usize = 8;

#[test]
fn expressions_match_as_in_glibc() {
    let mut rng = Rng::seeded(0x1350);
    let (mut pairs, mut otherwise, mut other_groups) = (0, Vec::new(), Vec::new());
    for _ in 0..60_000 {
        let mut source = pick(&mut rng, PIECES, 5);
        // Before a letter it would find a fault of glibc: `\c` with REG_ICASE matches nothing.
        if rng.below(100) == 0 {
            source.push('\\');
        }
        let fold = rng.below(4) == 0;
        let (ours, theirs) = match (Ere::new(source.as_bytes(), fold), Glibc::new(&source, fold)) {
            (Ok(ours), Ok(theirs)) => (ours, theirs),
            (ours, theirs) => {
                let (ours, theirs) = (ours.err().map(|error| error.to_string()), theirs.err());
                if ours != theirs {
                    otherwise.push(format!(
                        "{source:?} fold={fold}: {ours:?}, glibc {theirs:?}"
                    ));
                }
                continue;
            }
        };
        for _ in 0..4 {
            let name = pick(&mut rng, LETTERS, 8);
            let (ours, theirs) = (find(&ours, &name), theirs.find(&name));
            let difference =
                format!("{source:?} fold={fold} in {name:?}: {ours:?}, glibc {theirs:?}");
            let span = |groups: &Option<Groups>| groups.as_ref().map(|groups| groups[0]);
            if span(&ours) != span(&theirs) {
                otherwise.push(difference);
            } else if ours != theirs {
                other_groups.push(difference);
            }
            pairs += 1;
        }
    }
    println!(
        "{pairs} pairs; other groups in {}: {:#?}",
        other_groups.len(),
        some(&other_groups)
    );
    assert!(pairs > 50_000, "{pairs} pairs");
    assert!(
        otherwise.is_empty(),
        "{}: {:#?}",
        otherwise.len(),
        some(&otherwise)
    );
    assert!(other_groups.len() * 1_000 <= pairs * OTHER_GROUPS_PER_MILLE);
}

fn find(ere: &Ere, name: &str) -> Option<Groups> {
    let caught = ere.find(name.as_bytes(), 0, &mut Fuel::default());
    let caught = caught.expect("fuel")?;
    let range = |group| caught.group(group).map(|range| (range.start, range.end));
    Some((0..10).map(range).collect())
}

fn some(differences: &[String]) -> &[String] {
    &differences[..differences.len().min(40)]
}

fn pick(rng: &mut Rng, pieces: &[&str], most: u64) -> String {
    (0..=rng.below(most)).map(|_| *rng.pick(pieces)).collect()
}

/// A compiled `regex_t`.
struct Glibc(libc::regex_t);

impl Glibc {
    fn new(source: &str, fold: bool) -> Result<Self, String> {
        let source = CString::new(source).expect("no NUL");
        let flags = libc::REG_EXTENDED | if fold { libc::REG_ICASE } else { 0 };
        let mut compiled = MaybeUninit::uninit();
        // SAFETY: the text ends in NUL; regcomp fills in the structure, which is read only by its
        // own functions.
        let code = unsafe { libc::regcomp(compiled.as_mut_ptr(), source.as_ptr(), flags) };
        if code == 0 {
            // SAFETY: regcomp succeeded.
            return Ok(Self(unsafe { compiled.assume_init() }));
        }
        let mut text = [0_u8; 128];
        // SAFETY: regerror writes at most the buffer's length and ends it with NUL.
        unsafe {
            libc::regerror(
                code,
                compiled.as_ptr(),
                text.as_mut_ptr().cast(),
                text.len(),
            )
        };
        let end = text.iter().position(|&byte| byte == 0).expect("a NUL");
        Err(String::from_utf8_lossy(&text[..end]).into_owned())
    }

    fn find(&self, name: &str) -> Option<Groups> {
        let name = CString::new(name).expect("no NUL");
        let mut groups = [libc::regmatch_t {
            rm_so: -1,
            rm_eo: -1,
        }; 10];
        // SAFETY: the expression is compiled, the text ends in NUL, the array has as many places.
        let code = unsafe {
            libc::regexec(
                &raw const self.0,
                name.as_ptr(),
                groups.len(),
                groups.as_mut_ptr(),
                0,
            )
        };
        let place = |at| usize::try_from(at).ok();
        (code == 0).then(|| {
            groups
                .iter()
                .map(|group| Some((place(group.rm_so)?, place(group.rm_eo)?)))
                .collect()
        })
    }
}

impl Drop for Glibc {
    fn drop(&mut self) {
        // SAFETY: compiled by regcomp and freed once.
        unsafe { libc::regfree(&raw mut self.0) };
    }
}
