//! The bootstorm command. It never does anything by itself: see the library.

fn main() -> std::process::ExitCode {
    bootstorm::commands::main()
}
