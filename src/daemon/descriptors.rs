//! How many files may be open at a time: each file that is served is one.
//! It never asks for more than the administrator allows.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to the one that the administrator set. The lower one that processes start with,
/// usually 1,024, is for programs that use `select`; a farm whose machines each read a file of
/// their own needs more.
pub fn use_all() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // What is refused leaves the limit as it was; requests beyond it are answered with an ERROR.
    let _ = setrlimit(Resource::Nofile, raised);
}
