//! Becomes another user for good: supplementary groups, group, user.
//! It never keeps a way back, and never runs while there are other threads.

use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;

/// A user of this system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    name: CString,
    uid: libc::uid_t,
    gid: libc::gid_t,
}

impl User {
    /// Looks a user up; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the system's databases cannot be asked.
    pub fn named(name: &str) -> io::Result<Option<Self>> {
        let name = CString::new(name)?;
        let mut entry = MaybeUninit::<libc::passwd>::uninit();
        let mut texts = vec![0; 64 << 10];
        let mut found = core::ptr::null_mut();
        // SAFETY: the name ends in NUL; the entry and its texts are as large as is said, and both
        // live until they have been read below.
        let code = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                texts.as_mut_ptr(),
                texts.len(),
                &raw mut found,
            )
        };
        if found.is_null() {
            // Some databases say ENOENT for "none".
            return match code {
                0 | libc::ENOENT | libc::ESRCH => Ok(None),
                code => Err(io::Error::from_raw_os_error(code)),
            };
        }
        // SAFETY: getpwnam_r has filled the entry in.
        let (uid, gid) = unsafe { ((*found).pw_uid, (*found).pw_gid) };
        Ok(Some(Self { name, uid, gid }))
    }

    /// Becomes this user. A process that may not (it is not root) stays what it is: somebody has
    /// restricted it already.
    ///
    /// # Errors
    /// When the kernel refuses for another reason.
    pub fn become_it(&self) -> io::Result<()> {
        self.take_groups().or_else(unless_restricted)?;
        let (uid, gid) = (self.uid, self.gid);
        // SAFETY: numbers only; glibc changes every thread, and there is one.
        check(unsafe { libc::setresgid(gid, gid, gid) }).or_else(unless_restricted)?;
        // SAFETY: as above.
        check(unsafe { libc::setresuid(uid, uid, uid) }).or_else(unless_restricted)
    }

    /// Whether this process is this user.
    #[must_use]
    pub fn is_current(&self) -> bool {
        rustix::process::geteuid().as_raw() == self.uid
    }

    #[must_use]
    pub fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    fn take_groups(&self) -> io::Result<()> {
        let name: &CStr = &self.name;
        // SAFETY: the name ends in NUL and is only read.
        check(unsafe { libc::initgroups(name.as_ptr(), self.gid) })
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn unless_restricted(error: io::Error) -> io::Result<()> {
    if error.raw_os_error() == Some(libc::EPERM) {
        Ok(())
    } else {
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_name() {
        let root = User::named("root").expect("an answer").expect("root");
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(User::named("nobody-of-this-name").expect("an answer"), None);
        assert!(User::named("a\0b").is_err());
    }
}
