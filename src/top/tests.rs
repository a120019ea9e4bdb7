//! The screen without a terminal.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;

use super::board::Board;
use super::draw::draw;
use crate::observe::farm::Stage;
use crate::observe::farm::view::{Detail, Failure, FileEvent, Look, Row, State, Summary};

fn row(id: u32, state: State, file: &str, why: &str) -> Row {
    Row {
        id,
        ip: format!("10.0.0.{id}"),
        mac: "52:54:00:12:34:56".into(),
        host: String::new(),
        state,
        why: why.into(),
        since: 1_000,
        file: file.into(),
        stage: Stage::Kernel,
        bytes: 500,
        size: 1_000,
        rate: u64::from(id) * 1_000,
        resends: 3,
        round_trip: 1_500,
        files: 1,
        misses: 0,
    }
}

fn board() -> Board {
    let mut board = Board::default();
    board.learn(Look {
        now: 13_000,
        full: true,
        rows: vec![
            row(1, State::Done, "initrd.img", ""),
            row(2, State::Stuck, "vmlinuz\u{1b}[31m", "no ACK since"),
            row(3, State::Fetching, "initrd.img", ""),
        ],
        farm: Summary {
            machines: 3,
            states: [1, 0, 0, 0, 1, 0, 1],
            transfers: 2,
            rate: 12_300_000,
            ..Summary::default()
        },
        failures: Some(vec![Failure {
            at: 0,
            id: 2,
            ip: "10.0.0.2".into(),
            host: String::new(),
            file: "pxelinux.0".into(),
            outcome: "timed_out".into(),
            plain: "The client fell silent".into(),
            advice: String::new(),
            times: 1,
        }]),
        ..Look::default()
    });
    board
}

fn screen(board: &Board, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a backend");
    terminal.draw(|frame| draw(frame, board)).expect("a frame");
    terminal.backend().to_string()
}

#[test]
fn trouble_comes_first_and_says_why() {
    let screen = screen(&board(), 120, 30);
    assert!(
        screen.contains("1 of 3 machines done, 2 transfers, 12.3 MB/s"),
        "{screen}"
    );
    assert!(screen.contains("● stuck 1"), "{screen}");
    assert!(screen.contains("The client fell silent"), "{screen}");
    let place = |text: &str| {
        screen
            .find(text)
            .unwrap_or_else(|| panic!("no {text} in\n{screen}"))
    };
    assert!(place("stuck 12 s") < place("fetching 12 s"));
    assert!(place("fetching 12 s") < place("done 12 s"));
    assert!(screen.contains("no ACK since"), "{screen}");
    assert!(!screen.contains('\u{1b}'));
}

#[test]
fn keys_sort_filter_and_open() {
    let mut board = board();
    let ids = |board: &Board| board.rows().flatten().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(&board), [2, 3, 1]);
    assert!(board.press(KeyCode::Char('s')));
    assert_eq!(ids(&board), [1, 2, 3], "by name");
    board.press(KeyCode::Char('s'));
    assert_eq!(ids(&board), [3, 2, 1], "by rate");
    for letter in "/stuck".chars() {
        board.press(KeyCode::Char(letter));
    }
    assert_eq!(ids(&board), [2]);
    board.press(KeyCode::Enter);
    board.press(KeyCode::Enter);
    assert_eq!(board.open, Some(2));
    board.refresh(|id| {
        Some(Detail {
            now: 13_000,
            row: row(id, State::Stuck, "vmlinuz", "no ACK since"),
            boot: 0,
            boots: 1,
            left_out: 0,
            files: vec![FileEvent {
                name: "pxelinux.0".into(),
                stage: Stage::Loader,
                write: false,
                began: 500,
                ended: Some(700),
                outcome: "completed".into(),
                plain: "Complete".into(),
                advice: String::new(),
                bytes: 42_000,
                size: 42_000,
                resends: 0,
                times: 1,
            }],
        })
    });
    let text = screen(&board, 100, 24);
    assert!(text.contains("completed pxelinux.0"), "{text}");
    assert!(text.contains("42.0 kB"), "{text}");
    assert!(board.press(KeyCode::Esc), "closes the files");
    assert!(board.press(KeyCode::Esc), "clears the filter");
    assert_eq!(ids(&board).len(), 3);
    assert!(!board.press(KeyCode::Esc));
    assert!(!board.press(KeyCode::Char('q')));
}

#[test]
fn every_size_of_a_terminal_will_do() {
    let mut board = board();
    board.press(KeyCode::Enter);
    for (width, height) in [(1, 1), (10, 3), (40, 10), (80, 24), (300, 100)] {
        screen(&board, width, height);
    }
    screen(&Board::default(), 80, 24);
    board.press(KeyCode::End);
    assert_eq!(board.selected, 2);
}
