//! Where the bytes go: a temporary file that gets its name at the end, or a stream.
//! It never touches an existing file before the new content is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::wire::netascii::Decoder;

const BUFFER: usize = 256 * 1024;

pub struct Output {
    writer: BufWriter<Box<dyn Write>>,
    shown: String,
    staged: Option<Staged>,
    netascii: Option<Decoder>,
    scratch: Vec<u8>,
}

impl Output {
    /// Opens `path`; `-` is standard output, and what is no regular file is written as it is.
    pub fn open(path: &Path, netascii: bool) -> Result<Self, String> {
        let shown = path.display().to_string();
        let cannot = |error: io::Error| format!("cannot write {shown}: {error}");
        let (sink, staged): (Box<dyn Write>, _) = if path == Path::new("-") {
            (Box::new(io::stdout()), None)
        } else if path.metadata().is_ok_and(|meta| !meta.is_file()) {
            let device = OpenOptions::new().write(true).open(path);
            (Box::new(device.map_err(cannot)?), None)
        } else {
            let (file, staged) = Staged::create(path).map_err(cannot)?;
            (Box::new(file), Some(staged))
        };
        Ok(Self {
            writer: BufWriter::with_capacity(BUFFER, sink),
            shown,
            staged,
            netascii: netascii.then(Decoder::default),
            scratch: Vec::new(),
        })
    }

    /// Appends a block.
    pub fn write(&mut self, payload: &[u8]) -> Result<(), String> {
        let result = match &mut self.netascii {
            None => self.writer.write_all(payload),
            Some(decoder) => {
                self.scratch.clear();
                decoder.decode(payload, &mut self.scratch);
                self.writer.write_all(&self.scratch)
            }
        };
        result.map_err(|error| self.cannot(&error))
    }

    /// Writes what is still buffered: after this, only the name is missing.
    pub fn flush(&mut self) -> Result<(), String> {
        let mut rest = Vec::new();
        if let Some(decoder) = self.netascii.take() {
            decoder.finish(&mut rest);
        }
        let result = self.writer.write_all(&rest);
        let result = result.and_then(|()| self.writer.flush());
        result.map_err(|error| self.cannot(&error))
    }

    /// Gives the complete file its name.
    pub fn publish(&mut self) -> Result<(), String> {
        let result = self.staged.as_mut().map_or(Ok(()), Staged::publish);
        result.map_err(|error| self.cannot(&error))
    }

    fn cannot(&self, error: &io::Error) -> String {
        format!("cannot write {}: {error}", self.shown)
    }
}

/// A temporary file beside its future place, hence on the same file system.
struct Staged {
    temporary: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Staged {
    fn create(path: &Path) -> io::Result<(File, Self)> {
        // What a symbolic link points to is replaced, not the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        for attempt in 0_u32.. {
            let name = format!(".ringboot-{}-{attempt}.part", std::process::id());
            let temporary = target.with_file_name(name);
            match File::create_new(&temporary) {
                Ok(file) => {
                    let staged = Self {
                        temporary,
                        target,
                        published: false,
                    };
                    staged.keep_permissions(&file)?;
                    return Ok((file, staged));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// A file that nobody else may read stays so when it is replaced.
    fn keep_permissions(&self, file: &File) -> io::Result<()> {
        match self.target.metadata() {
            Ok(meta) => file.set_permissions(meta.permissions()),
            Err(_) => Ok(()),
        }
    }

    fn publish(&mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.target)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // The failure that led here is what the caller reports.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
