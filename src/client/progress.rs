//! The progress bar on standard error, when a person looks at it.
//! It never writes to a file or a pipe.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub fn new(wanted: bool) -> Self {
        let bar = ProgressBar::no_length();
        if !wanted || !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { bar }
    }

    /// The transfer begins, of so many bytes if the server said so.
    pub fn start(&self, total: Option<u64>) {
        let template = match total {
            Some(total) => {
                self.bar.set_length(total);
                "{bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left"
            }
            None => "{spinner} {bytes}  {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style);
        }
        self.bar.reset();
    }

    pub fn advance(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Makes room for the last line.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
