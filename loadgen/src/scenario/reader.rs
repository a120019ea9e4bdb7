//! Reads scenario files and says what is wrong with them, with the line and the nearest right word.
//! It never reads half a scenario: a file is good or it is refused.

mod tables;

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::placeholder::{PLACEHOLDERS, unknown_placeholder};
use super::{Ask, Expect, Farewell, Habits, Patience, Scenario, Step};
use crate::limits;
use crate::nearest::nearest;
pub use tables::parse_duration;
use tables::{ClientTable, ExpectTable, FarewellTable, FileTable, Mode, PatienceTable, StepTable};

/// What is wrong, and where in the text.
struct Wrong {
    at: Range<usize>,
    what: String,
}

type Checked<T> = Result<T, Wrong>;

/// Reads a scenario; `name` stands in messages and reports.
pub fn read(name: &str, text: &str) -> Result<Scenario, String> {
    let file: FileTable = toml::from_str(text).map_err(|error| {
        let what = with_suggestion(error.message());
        place(name, text, error.span().unwrap_or(0..0), &what)
    })?;
    scenario(name, &file).map_err(|wrong| place(name, text, wrong.at, &wrong.what))
}

fn scenario(name: &str, file: &FileTable) -> Checked<Scenario> {
    let mut steps = Vec::new();
    for table in &file.steps {
        let habits = habits(&file.clients, &table.client, 0)?;
        steps.extend(requests(table, &habits)?);
    }
    if steps.is_empty() || steps.len() > limits::STEPS {
        return Err(Wrong {
            at: 0..0,
            what: format!("a scenario has 1 to {} requests", limits::STEPS),
        });
    }
    Ok(Scenario {
        name: name.to_owned(),
        title: file.title.clone(),
        steps,
    })
}

/// The requests of a step: one for each name.
fn requests(table: &StepTable, habits: &Habits) -> Checked<Vec<Step>> {
    let names: &[Spanned<String>] = match (&table.file, &table.files) {
        (Some(file), None) => std::slice::from_ref(file),
        (None, Some(files)) if !files.is_empty() => files,
        _ => {
            return Err(Wrong {
                at: table.client.span(),
                what: format!("step \"{}\" needs either `file` or `files`", table.label),
            });
        }
    };
    names
        .iter()
        .map(|name| {
            if let Some(unknown) = unknown_placeholder(name.get_ref()) {
                return Err(Wrong {
                    at: name.span(),
                    what: unknown_word("placeholder", unknown, PLACEHOLDERS),
                });
            }
            Ok(Step {
                label: table.label.clone(),
                file: name.get_ref().clone(),
                habits: habits.clone(),
                expect: match table.expect {
                    ExpectTable::File => Expect::File,
                    ExpectTable::Optional => Expect::Optional,
                    ExpectTable::Chain => Expect::Chain,
                },
                pause: table.pause,
                restarts: table.restarts,
            })
        })
        .collect()
}

/// A client's habits: its own on those that it inherits, on RFC 1350.
fn habits(
    clients: &BTreeMap<String, ClientTable>,
    name: &Spanned<String>,
    depth: usize,
) -> Checked<Habits> {
    let Some(table) = clients.get(name.get_ref()) else {
        return Err(Wrong {
            at: name.span(),
            what: unknown_word("client", name.get_ref(), clients.keys().map(String::as_str)),
        });
    };
    let mut habits = match &table.inherits {
        None => Habits::default(),
        Some(parent) if depth >= clients.len() => {
            return Err(Wrong {
                at: parent.span(),
                what: format!("client \"{}\" inherits from itself", parent.get_ref()),
            });
        }
        Some(parent) => self::habits(clients, parent, depth + 1)?,
    };
    apply(table, &mut habits)?;
    Ok(habits)
}

fn apply(table: &ClientTable, habits: &mut Habits) -> Checked<()> {
    if let Some(options) = &table.options {
        habits.options = options.iter().map(option).collect::<Checked<_>>()?;
    }
    if let Some(junk) = &table.trailing_junk {
        habits.trailing_junk = hex(junk)?;
    }
    if let Some(mode) = table.mode {
        habits.netascii = matches!(mode, Mode::Netascii);
    }
    set(&mut habits.broadcast, table.broadcast);
    set(&mut habits.same_port, table.same_port);
    set(&mut habits.acks, table.acks.map(Into::into));
    set(&mut habits.stop, table.stop.clone().map(Into::into));
    set(&mut habits.request, table.request.map(patience));
    set(&mut habits.data, table.data.map(patience));
    set(&mut habits.block_time, table.block_time);
    set(&mut habits.queue, table.queue.map(|blocks| blocks.max(1)));
    if let Some(FarewellTable { code, text }) = table.farewell.clone() {
        habits.farewell = Some(Farewell { code, text });
    }
    set(&mut habits.numbers, table.numbers.map(Into::into));
    habits.limit = table.limit.or(habits.limit);
    habits.strict_oack = table.strict_oack.or(habits.strict_oack);
    Ok(())
}

fn set<T>(habit: &mut T, said: Option<T>) {
    if let Some(value) = said {
        *habit = value;
    }
}

fn option(text: &Spanned<String>) -> Checked<Ask> {
    match text.get_ref().split_once(' ') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Ask {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err(Wrong {
            at: text.span(),
            what: "an option is a name, a space and a value: \"blksize 1432\"".into(),
        }),
    }
}

fn hex(text: &Spanned<String>) -> Checked<Vec<u8>> {
    text.get_ref()
        .split_whitespace()
        .map(|byte| {
            u8::from_str_radix(byte, 16).map_err(|_| Wrong {
                at: text.span(),
                what: format!("\"{byte}\" is no byte such as \"ff\""),
            })
        })
        .collect()
}

fn patience(table: PatienceTable) -> Patience {
    let growing = table.grow > 100 || !table.add.is_zero();
    let most = table.most.unwrap_or(if growing {
        limits::LONGEST_WAIT
    } else {
        table.first
    });
    Patience {
        first: table.first,
        grow_percent: table.grow,
        add: table.add,
        most,
        tries: table.tries,
    }
}

fn place(name: &str, text: &str, at: Range<usize>, what: &str) -> String {
    let before = text.get(..at.start).unwrap_or("");
    format!("{name}, line {}: {what}", before.matches('\n').count() + 1)
}

fn unknown_word<'a>(
    kind: &str,
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match nearest(word, known.clone()) {
        Some(meant) => format!("unknown {kind} \"{word}\"; did you mean \"{meant}\"?"),
        None => {
            let known: Vec<&str> = known.into_iter().collect();
            format!("unknown {kind} \"{word}\"; known: {}", known.join(", "))
        }
    }
}

/// Serde says "unknown field `x`, expected one of `a`, `b`": the nearest of them is what a person needs.
fn with_suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let kind = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "word"
    } else {
        return message.to_owned();
    };
    match quoted.next() {
        Some(word) => unknown_word(kind, word, quoted.collect::<Vec<_>>()),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
