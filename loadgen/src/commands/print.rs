//! Printing for whom it may concern: what nobody reads any more (`| head`) ends nothing.
//! It never panics, as `println!` does.

/// A text on standard output.
macro_rules! out {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stdout(), $($part)*);
    }};
}

/// A line on standard output.
macro_rules! outln {
    () => { out!("\n") };
    ($format:literal $($part:tt)*) => { out!("{}\n", format_args!($format $($part)*)) };
}

/// A text on standard error.
macro_rules! err {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        let _ = write!(std::io::stderr(), $($part)*);
    }};
}

/// A line on standard error.
macro_rules! errln {
    ($format:literal $($part:tt)*) => { err!("{}\n", format_args!($format $($part)*)) };
}
