//! `ringboot top`: the farm in a terminal, as a running server tells it.
//! It never talks to a shard, and never prints what a client called a file without cleaning it.

mod board;
mod draw;
mod stream;
mod words;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use crate::cli::TopArgs;
use crate::observe::log;
use board::Board;
use stream::{Server, TopError, Update};

/// How long a key may wait, and a look.
const PAUSE: Duration = Duration::from_millis(200);

/// Shows the farm until somebody presses q.
#[must_use]
pub fn run(args: &TopArgs) -> ExitCode {
    let server = Server::new(args.admin.0, args.admin_token_file.as_deref());
    let result = server.and_then(|server| {
        if args.once || !io::stdout().is_terminal() {
            once(&server)
        } else {
            watch(server)
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::last_words(&format!("ringboot: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// What there is, as text.
fn once(server: &Server) -> Result<(), TopError> {
    let mut board = Board::default();
    for look in server.looks(3)? {
        board.learn(look);
    }
    // Nobody may read it to the end.
    let _ = io::stdout().write_all(words::page(&board).as_bytes());
    Ok(())
}

fn watch(server: Server) -> Result<(), TopError> {
    // Before the screen is ours, so that a wrong address is told in the ordinary way.
    let mut board = Board::default();
    for look in server.looks(1)? {
        board.learn(look);
    }
    let mut terminal = ratatui::init();
    let result = show(&mut terminal, &mut board, server);
    ratatui::restore();
    result
}

fn show(terminal: &mut DefaultTerminal, board: &mut Board, server: Server) -> Result<(), TopError> {
    let updates = server.clone().follow()?;
    loop {
        while let Ok(update) = updates.try_recv() {
            match update {
                Update::Look(look) => board.learn(*look),
                Update::Lost(why) => board.lost(why),
            }
        }
        let drawn = terminal.draw(|frame| draw::draw(frame, board));
        drawn.map_err(TopError::Terminal)?;
        if event::poll(PAUSE).map_err(TopError::Terminal)?
            && let Event::Key(key) = event::read().map_err(TopError::Terminal)?
            && key.kind == KeyEventKind::Press
        {
            let ends =
                key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c');
            if ends || !board.press(key.code) {
                return Ok(());
            }
        }
        board.refresh(|id| server.detail(id));
    }
}

#[cfg(test)]
mod tests;
