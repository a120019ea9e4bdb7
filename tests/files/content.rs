//! Images of files that are truncated, overwritten, replaced and deleted while they are served.
//! It never reads a mapping itself: the kernel copies it into a socket.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ringboot::files::{Catalog, Image};
use ringboot::transfer::Nanos;
use rustix::fs::{Timespec, Timestamps, futimens};
use tempfile::TempDir;

const PAGE: usize = 4096;

#[test]
fn the_kernel_reads_what_is_in_the_file() {
    let content: Vec<u8> = (0..3 * PAGE + 17).map(|at| (at % 251) as u8).collect();
    let served = Served::new(&content);
    assert_eq!(served.image.size(), content.len() as u64);
    for (offset, count) in [(0, 512), (PAGE - 1, 2), (3 * PAGE, 17), (content.len(), 0)] {
        let sent = send(&served.image, offset, count).expect("sent");
        assert_eq!(sent, content[offset..offset + count]);
    }
}

#[test]
fn empty_files_and_bytes_from_memory_are_images_too() {
    let empty = Served::new(b"");
    assert_eq!((empty.image.size(), empty.image.unchanged()), (0, true));
    assert_eq!(send(&empty.image, 0, 0).expect("sent"), b"");
    assert_eq!(empty.image.address(u64::MAX), empty.image.address(0));

    let bytes = Image::from_bytes(b"abc".to_vec());
    assert_eq!((bytes.size(), bytes.unchanged()), (3, true));
    assert_eq!(send(&bytes, 1, 2).expect("sent"), b"bc");
}

#[test]
fn truncation_is_an_error_code_and_no_signal() {
    let served = Served::new(&[7; 4 * PAGE]);
    served.file().set_len(0).expect("truncated");
    for offset in [0, PAGE, 3 * PAGE + 5] {
        let error = send(&served.image, offset, 100).expect_err("no pages");
        assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
    }
    assert!(!served.image.unchanged());
}

#[test]
fn truncation_within_a_page_sends_zeros_and_is_noticed() {
    let served = Served::new(&[7; PAGE]);
    served.file().set_len(10).expect("truncated");
    let sent = send(&served.image, 0, 20).expect("the page is still there");
    assert_eq!(sent[10..], [0; 10]);
    assert!(!served.image.unchanged());
}

#[test]
fn writing_in_place_is_noticed_even_with_the_time_set_back() {
    let served = Served::new(b"old content");
    assert!(served.image.unchanged());
    // The change time has to be in another tick, too.
    thread::sleep(Duration::from_millis(20));
    served.file().write_all_at(b"new", 0).expect("written");
    assert!(!served.image.unchanged());
    set_modified(&served.file(), Timespec::default());
    assert!(!served.image.unchanged());
}

#[test]
fn deleted_and_replaced_files_keep_their_old_bytes() {
    let served = Served::new(b"old content");
    let next = served.dir.path().join("next");
    fs::write(&next, b"new content").expect("written");
    fs::rename(&next, &served.path).expect("replaced");
    assert!(served.image.unchanged());
    assert_eq!(send(&served.image, 0, 11).expect("sent"), b"old content");

    let served = Served::new(b"old content");
    fs::remove_file(&served.path).expect("deleted");
    assert!(served.image.unchanged());
    assert_eq!(send(&served.image, 0, 11).expect("sent"), b"old content");
}

#[test]
fn another_hard_link_is_no_change_and_a_write_through_it_is() {
    let served = Served::new(b"old content");
    let other = served.dir.path().join("other");
    fs::hard_link(&served.path, &other).expect("linked");
    assert!(served.image.unchanged());
    File::options()
        .write(true)
        .open(&other)
        .and_then(|file| file.write_all_at(b"new", 0))
        .expect("written");
    assert!(!served.image.unchanged());
}

#[test]
fn reading_the_file_is_no_change() {
    let served = Served::new(b"content");
    fs::read(&served.path).expect("read");
    assert!(served.image.unchanged());
}

#[test]
fn netascii_is_a_copy_that_nobody_changes() {
    let served = Served::new(b"one\ntwo\r");
    let image = served.open(true);
    served.file().set_len(0).expect("truncated");
    assert_eq!((image.size(), image.unchanged()), (10, true));
    assert_eq!(send(&image, 0, 10).expect("sent"), b"one\r\ntwo\r\0");
}

#[test]
fn a_huge_file_is_mapped_without_being_read() {
    let served = Served::new(b"");
    // A hole of 8 GiB: populated as a whole it would be 8 GiB of page cache.
    let size = 8 << 30;
    served.file().set_len(size).expect("a hole");
    let image = served.open(false);
    assert_eq!(image.size(), size);
    assert_eq!(
        send(&image, size as usize - 512, 512).expect("sent"),
        [0; 512]
    );
}

struct Served {
    dir: TempDir,
    path: PathBuf,
    catalog: Catalog,
    image: Arc<Image>,
}

impl Served {
    fn new(content: &[u8]) -> Self {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join("file");
        fs::write(&path, content).expect("written");
        let catalog = Catalog::default();
        let file = File::open(&path).expect("opened");
        // Kernels before 6.13 count file times in ticks: a write in the same tick would not show.
        set_modified(&file, Timespec::default());
        let image = catalog.open(file, false, Nanos::ZERO).expect("an image");
        Self {
            dir,
            path,
            catalog,
            image,
        }
    }

    fn open(&self, netascii: bool) -> Arc<Image> {
        let file = File::open(&self.path).expect("opened");
        self.catalog
            .open(file, netascii, Nanos::ZERO)
            .expect("an image")
    }

    fn file(&self) -> File {
        File::options()
            .write(true)
            .open(&self.path)
            .expect("opened")
    }
}

fn set_modified(file: &File, modified: Timespec) {
    let times = Timestamps {
        last_access: modified,
        last_modification: modified,
    };
    futimens(file, &times).expect("times set");
}

/// What arrives when the kernel sends `count` bytes at `offset` behind a header, as shards do.
fn send(image: &Image, offset: usize, count: usize) -> io::Result<Vec<u8>> {
    let (left, mut right) = UnixStream::pair()?;
    let mut header = *b"head";
    let parts = [
        libc::iovec {
            iov_base: header.as_mut_ptr().cast(),
            iov_len: header.len(),
        },
        libc::iovec {
            iov_base: image.address(offset as u64).cast_mut().cast(),
            iov_len: count,
        },
    ];
    let mut message: libc::msghdr = {
        // SAFETY: a message header of zeros is one without address, parts and control data.
        unsafe { core::mem::zeroed() }
    };
    message.msg_iov = parts.as_ptr().cast_mut();
    message.msg_iovlen = parts.len() as _;
    // SAFETY: the header, its parts and the image outlive the call, which only reads them; pages
    // that are gone are the kernel's to find.
    let sent = unsafe { libc::sendmsg(left.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    (&left).flush()?;
    drop(left);
    let mut arrived = Vec::new();
    right.read_to_end(&mut arrived)?;
    Ok(arrived.split_off(header.len()))
}
