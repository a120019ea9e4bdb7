//! The board on the screen.
//! It never changes the board.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Sparkline, Table, TableState, Wrap};

use super::board::Board;
use super::words::{bytes, clean, count, headline, name, percent, span, trip};
use crate::observe::farm::view::{FileEvent, State};

const HELP: &str = " ↑↓ choose  Enter files  s sort  / filter  q end ";

pub fn draw(frame: &mut Frame<'_>, board: &Board) {
    let narrow = frame.area().height < 20;
    let lead = if narrow { 2 } else { 8 };
    let areas = Layout::vertical([
        Constraint::Length(lead),
        Constraint::Min(3),
        Constraint::Length(1),
    ]);
    let [top, middle, bottom] = areas.areas(frame.area());
    draw_lead(frame, board, top, narrow);
    draw_machines(frame, board, middle);
    draw_foot(frame, board, bottom);
    if board.open.is_some() {
        draw_detail(frame, board, middle);
    }
}

fn draw_lead(frame: &mut Frame<'_>, board: &Board, area: Rect, narrow: bool) {
    let mut states = vec![Span::raw(" ")];
    for state in State::ALL {
        let number = count(board, state);
        let style = if number > 0 {
            colour(state)
        } else {
            Style::new().dim()
        };
        states.push(Span::styled(
            format!("● {} {number}   ", state.as_str()),
            style,
        ));
    }
    let headline = Line::from(format!(" {}", headline(board))).bold();
    let text = vec![headline, Line::from(states)];
    let [words, rest] = Layout::vertical([Constraint::Length(2), Constraint::Min(0)]).areas(area);
    frame.render_widget(Paragraph::new(text), words);
    if narrow {
        return;
    }
    let halves = Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)]);
    let [left, right] = halves.areas(rest);
    draw_curve(frame, board, left);
    draw_failures(frame, board, right);
}

fn draw_curve(frame: &mut Frame<'_>, board: &Board, area: Rect) {
    let curve = &board.curve;
    let width = u64::from(area.width.saturating_sub(2)).max(1);
    let last = curve.points.last().map_or(0, |(at, _)| *at);
    let all_done = curve
        .points
        .last()
        .is_some_and(|(_, done)| *done >= curve.machines);
    let length = if all_done {
        last
    } else {
        board.now.saturating_sub(curve.from)
    }
    .max(1);
    let heights = (0..width).map(|column| {
        let until = length * (column + 1) / width;
        let before = curve.points.iter().rev().find(|(at, _)| *at <= until);
        before.map_or(0, |(_, done)| u64::from(*done))
    });
    let heights: Vec<u64> = heights.collect();
    let title = format!(" done over {} ", span(length));
    let picture = Sparkline::default()
        .block(
            Block::bordered()
                .title(title)
                .border_style(Style::new().dim()),
        )
        .data(&heights)
        .max(u64::from(curve.machines.max(1)))
        .style(colour(State::Done));
    frame.render_widget(picture, area);
}

fn draw_failures(frame: &mut Frame<'_>, board: &Board, area: Rect) {
    let lines = board.failures.iter().map(|failed| {
        let who = if failed.host.is_empty() {
            &failed.ip
        } else {
            &failed.host
        };
        Line::from(vec![
            Span::styled(format!("{} ", clean(who)), Style::new().bold()),
            Span::raw(format!("{}: ", clean(last(&failed.file)))),
            Span::styled(clean(&failed.plain), colour(State::Failing)),
        ])
    });
    let block = Block::bordered()
        .title(" recent failures ")
        .border_style(Style::new().dim());
    let text: Vec<Line<'_>> = lines.collect();
    frame.render_widget(Paragraph::new(text).block(block), area);
}

fn draw_machines(frame: &mut Frame<'_>, board: &Board, area: Rect) {
    let wide = area.width >= 100;
    // Only what the window can show: there may be thousands.
    let shown = usize::from(area.height.saturating_sub(3)).max(1);
    let first = board.selected.saturating_sub(shown - 1);
    let rows = board.rows().skip(first).take(shown).flatten().map(|row| {
        let file = if row.why.is_empty() {
            clean(&row.file)
        } else {
            format!("{}: {}", clean(last(&row.file)), clean(&row.why))
        };
        let state = format!(
            "{} {}",
            row.state.as_str(),
            span(board.now.saturating_sub(row.since))
        );
        let rate = if row.rate > 0 {
            format!("{}/s", bytes(row.rate))
        } else {
            "-".into()
        };
        let mut cells = vec![
            Cell::from(name(row)),
            Cell::from(state).style(colour(row.state)),
            Cell::from(file),
            Cell::from(percent(row)),
        ];
        if wide {
            cells.extend([rate, row.resends.to_string(), trip(row.round_trip)].map(Cell::from));
        }
        Row::new(cells)
    });
    let mut head = vec!["machine", "state", "file", "done"];
    let mut widths = vec![
        Constraint::Length(if wide { 32 } else { 18 }),
        Constraint::Length(17),
        Constraint::Min(16),
        Constraint::Length(6),
    ];
    if wide {
        head.extend(["rate", "resends", "round trip"]);
        widths.extend([11, 8, 11].map(Constraint::Length));
    }
    let title = format!(
        " {} machines by {} ",
        board.rows().len(),
        board.sort.as_str()
    );
    let table = Table::new(rows, widths)
        .header(Row::new(head).style(Style::new().dim()))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(
            Block::bordered()
                .title(title)
                .border_style(Style::new().dim()),
        );
    let mut state =
        TableState::new().with_selected(Some(board.selected - first.min(board.selected)));
    frame.render_stateful_widget(table, area, &mut state);
}

fn draw_detail(frame: &mut Frame<'_>, board: &Board, area: Rect) {
    let width = area.width.min(90);
    let area = Rect {
        x: area.right().saturating_sub(width),
        width,
        ..area
    };
    let block = Block::bordered().border_style(colour(State::Fetching));
    let Some(detail) = &board.detail else {
        frame.render_widget(Clear, area);
        frame.render_widget(Paragraph::new("looking it up").block(block), area);
        return;
    };
    let row = &detail.row;
    let mut lines = vec![Line::from(vec![
        Span::styled(row.state.as_str(), colour(row.state).bold()),
        Span::raw(format!(
            " for {}",
            span(detail.now.saturating_sub(row.since))
        )),
        Span::raw(if row.why.is_empty() {
            String::new()
        } else {
            format!(": {}", clean(&row.why))
        }),
    ])];
    lines.extend(
        detail
            .files
            .iter()
            .flat_map(|file| event(file, detail.boot, detail.now)),
    );
    let title = format!(" {} {} ", name(row), row.mac);
    let text = Paragraph::new(lines)
        .block(block.title(title))
        .wrap(Wrap { trim: false });
    frame.render_widget(Clear, area);
    frame.render_widget(text, area);
}

fn event(file: &FileEvent, boot: u64, now: u64) -> Vec<Line<'static>> {
    let took = file.ended.unwrap_or(now).saturating_sub(file.began);
    let style = match file.outcome.as_str() {
        "completed" => colour(State::Done),
        _ if file.ended.is_none() => colour(State::Fetching),
        "missing" => Style::new().dim(),
        _ if file.advice.is_empty() => Style::new().dim(),
        _ => colour(State::Failing),
    };
    let times = if file.times > 1 {
        format!(" x{}", file.times)
    } else {
        String::new()
    };
    let line = Line::from(vec![
        Span::raw(format!("+{:<8}", span(file.began.saturating_sub(boot)))),
        Span::styled(format!("{:<10}", file.outcome), style),
        Span::raw(format!("{}{times}  ", clean(&file.name))),
        Span::styled(
            format!("{}, {}", span(took), bytes(file.bytes)),
            Style::new().dim(),
        ),
    ]);
    let mut lines = vec![line];
    if !file.advice.is_empty() && file.outcome != "missing" {
        let advice = format!("          {}. {}", clean(&file.plain), file.advice);
        lines.push(Line::styled(advice, Style::new().dim()));
    }
    lines
}

fn draw_foot(frame: &mut Frame<'_>, board: &Board, area: Rect) {
    let line = if let Some(why) = &board.trouble {
        Line::styled(format!(" {}", clean(why)), colour(State::Stuck))
    } else if board.typing || !board.filter.is_empty() {
        let cursor = if board.typing { "_" } else { "" };
        Line::from(format!(" filter: {}{cursor}", clean(&board.filter)))
    } else {
        Line::styled(HELP, Style::new().dim())
    };
    frame.render_widget(Paragraph::new(line), area);
}

const fn colour(state: State) -> Style {
    let colour = match state {
        State::Stuck => Color::Red,
        State::Failing => Color::LightRed,
        State::Silent => Color::Yellow,
        State::Waiting => Color::Magenta,
        State::Fetching => Color::Blue,
        State::Booting => Color::Cyan,
        State::Done => Color::Green,
    };
    Style::new().fg(colour)
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
