//! Lines as systemd's journal takes them from standard error, and as syslog takes them from its socket: `<6>`
//! before each says how grave it is.
//! It never opens the journal's own socket: the stream that systemd has given us works in every
//! sandbox, in a container and after the journal's restart, and asks for no path and no crate.

use core::fmt;
use std::env;
use std::io;
use std::process;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Who reads the lines.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reader {
    /// sd-daemon(3)
    Journal,
    /// A datagram for each line, with the program's name (RFC 3164, section 4.1, as syslog(3) sends it).
    Syslog(&'static str),
}

/// Puts the priority before each line.
pub(super) struct Prefixed<F>(pub(super) F, pub(super) Reader);

impl<S, N, F> FormatEvent<S, N> for Prefixed<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let priority = priority(*event.metadata().level());
        match self.1 {
            Reader::Journal => write!(writer, "<{priority}>")?,
            Reader::Syslog(name) => {
                let (priority, id) = (DAEMON | priority, process::id());
                write!(writer, "<{priority}>{name}[{id}]: ")?;
            }
        }
        self.0.format_event(context, writer, event)
    }
}

/// LOG_DAEMON of syslog(3).
const DAEMON: u8 = 3 << 3;

const fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Whether standard error is the journal's, as systemd says it (systemd.exec(5), `$JOURNAL_STREAM`).
pub(super) fn is_stderr() -> bool {
    let named = env::var("JOURNAL_STREAM").unwrap_or_default();
    let own = fstat(io::stderr()).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
    own.is_ok_and(|own| own == named)
}
