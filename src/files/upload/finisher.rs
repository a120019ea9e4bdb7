//! Who fills files in place: another process, so that a server that is killed leaves whole files.
//! It never opens a file: it is handed open ones, and fills one at a time.

use core::mem::MaybeUninit;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, send, sendmsg,
};

use super::in_place::fill;

/// The server's side. Dropping it ends the other one.
#[derive(Debug)]
pub struct Finisher {
    /// A pair of sockets that keeps messages apart.
    orders: Mutex<OwnedFd>,
}

impl Finisher {
    #[must_use]
    pub const fn new(orders: OwnedFd) -> Self {
        Self {
            orders: Mutex::new(orders),
        }
    }

    /// Has `file` filled with what `spool` holds. Returns once that is on the disk. Who is killed
    /// meanwhile does not keep it from happening.
    ///
    /// # Errors
    /// As [`fill`]; or a broken pipe if there is nobody to do it.
    pub(super) fn fill(&self, spool: &File, file: &File) -> io::Result<()> {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let files = [spool.as_fd(), file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        control.push(SendAncillaryMessage::ScmRights(&files));
        let sent = sendmsg(
            &*orders,
            &[IoSlice::new(&[0])],
            &mut control,
            SendFlags::NOSIGNAL,
        );
        sent.map_err(|_| io::ErrorKind::BrokenPipe)?;
        let mut answer = [0; size_of::<i32>()];
        match recv(&*orders, &mut answer, RecvFlags::empty()) {
            Ok((_, len)) if len == answer.len() => match i32::from_ne_bytes(answer) {
                0 => Ok(()),
                errno => Err(io::Error::from_raw_os_error(errno)),
            },
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The spool and the file.
const FILES: usize = 2;

/// The other side: does what is asked until the server has gone.
pub fn finish(orders: impl AsFd) {
    while let Ok(files) = receive(orders.as_fd()) {
        let [Some(spool), Some(file)] = files else {
            return;
        };
        let result = fill(&mut File::from(spool), &mut File::from(file));
        let errno = result.err().map_or(0, |error| {
            let errno = error.raw_os_error();
            errno.unwrap_or_else(|| Errno::IO.raw_os_error())
        });
        // Nobody waits for the answer if the server is gone; then the next turn ends this.
        let _ = send(orders.as_fd(), &errno.to_ne_bytes(), SendFlags::NOSIGNAL);
    }
}

/// Nothing, where the server has gone.
fn receive(orders: impl AsFd) -> Result<[Option<OwnedFd>; FILES], Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    loop {
        match recvmsg(
            orders.as_fd(),
            &mut [IoSliceMut::new(&mut byte)],
            &mut control,
            flags,
        ) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    let mut files = files.by_ref().flatten();
    Ok([files.next(), files.next()])
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::thread;

    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn files_are_filled_and_faults_come_back() {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).expect("sockets");
        let other = thread::spawn(move || finish(theirs));
        let finisher = Finisher::new(ours);
        let mut spool = tempfile::tempfile().expect("a file");
        spool.write_all(b"new").expect("written");
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, "much longer than the new one").expect("written");
        let file = File::options().write(true).open(&path).expect("a file");
        for _ in 0..2 {
            finisher.fill(&spool, &file).expect("filled");
            assert_eq!(std::fs::read(&path).expect("read"), b"new");
        }
        let closed = File::open(&path).expect("a file");
        let refused = finisher.fill(&spool, &closed).unwrap_err();
        assert!(refused.raw_os_error().is_some(), "{refused}");
        drop(finisher);
        other.join().expect("it ends with the server");
    }

    #[test]
    fn nobody_to_do_it_is_a_broken_pipe() {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).expect("sockets");
        drop(theirs);
        let file = tempfile::tempfile().expect("a file");
        let refused = Finisher::new(ours).fill(&file, &file).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::BrokenPipe);
    }
}
