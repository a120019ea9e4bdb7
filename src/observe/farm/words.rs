//! Why a transfer failed, in plain words, and what to try.
//! It never guesses more than outcome and reason say.

use super::stage::Stage;
use crate::endpoint::Outcome;

/// What an operator reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub plain: String,
    pub advice: &'static str,
}

/// Whether this end is something to look after. Loaders try configurations that do not exist, ask for
/// sizes and close files by an ERROR; that is how they work.
#[must_use]
pub fn is_failure(outcome: Outcome, reason: &str, stage: Stage) -> bool {
    match outcome {
        Outcome::Completed | Outcome::Probe => false,
        Outcome::Missing => stage != Stage::Config,
        Outcome::PeerError => !is_close(reason),
        _ => true,
    }
}

/// Whether the machine has what it wanted of a file. PXELINUX says "No error, file close" by an ERROR
/// when its last ACK was lost, or when it needs no more of a file.
#[must_use]
pub fn is_served(outcome: Outcome, reason: &str) -> bool {
    outcome == Outcome::Completed || outcome == Outcome::PeerError && is_close(reason)
}

fn is_close(reason: &str) -> bool {
    reason.contains("ERROR 0") && reason.contains("No error")
}

/// `reason` is the log's.
#[must_use]
pub fn explain(outcome: Outcome, reason: &str, write: bool) -> Words {
    let said = |plain: &str, advice| Words {
        plain: plain.to_owned(),
        advice,
    };
    match outcome {
        Outcome::Completed => said("Complete", ""),
        Outcome::Probe => said("It only asked for the size", ""),
        Outcome::Missing => said(
            "There is no file of this name",
            "Put the file under the root, or write a rule that leads to it. `ringboot explain NAME \
             --from IP` shows where the server looks.",
        ),
        Outcome::Refused => refused(reason, write),
        Outcome::TimedOut => timed_out(reason),
        Outcome::PeerGone => said(
            "It closed its port in the middle of the file",
            "Its loader gave up or began anew: look at its console. If it asks again and again, try \
             a smaller --max-blksize or --max-windowsize.",
        ),
        Outcome::PeerError if is_close(reason) => said("It closed the file", ""),
        Outcome::PeerError => Words {
            plain: capital(reason),
            advice: "The machine itself stopped the transfer: its console says more. Too little \
                     memory for the file and a full flash are common.",
        },
        Outcome::Aborted => aborted(reason),
        Outcome::Shed => Words {
            plain: format!("Turned away: {}", nonempty(reason, "no room")),
            advice: "More asked at once than the limits allow: see [limits] in the configuration, \
                     and whether these addresses are yours.",
        },
    }
}

fn refused(reason: &str, write: bool) -> Words {
    let advice = if reason.contains("address is not to be served") {
        "Its address is not in `allow`, or is in `deny`: see [access] and --allow."
    } else if reason.contains("uploads are not allowed") {
        "Uploads are off: --upload DIR takes them."
    } else if reason.contains("mode") {
        "Set the machine to octet (binary) mode."
    } else if write {
        "See --upload-policy, --upload-allow and the quotas."
    } else {
        "`ringboot explain NAME --from IP` tells which rule refuses it; else look at the file's \
         permissions."
    };
    Words {
        plain: format!("Refused: {}", nonempty(reason, "not allowed")),
        advice,
    }
}

fn timed_out(reason: &str) -> Words {
    let advice = if reason.contains("never") && reason.contains("end of the file") {
        "Many loaders start what they fetched without the last acknowledgement: harmless if the \
         machine went on."
    } else if reason.contains("never") {
        "Our answers do not reach it, or its own do not reach us: look at firewalls and NAT between \
         (--data-ports, --single-port), and whether blocks fit the path (--max-blksize)."
    } else if reason.contains("disk") {
        "The storage under the root does not deliver: look at the disk or the file server."
    } else if reason.contains("slowly") {
        "It gets on by a few bytes a second: look at its link and at the switch's error counters."
    } else {
        "It lost power, crashed, or the path broke. If many did at once, look at their switch."
    };
    Words {
        plain: capital(nonempty(reason, "nothing more was heard of it")),
        advice,
    }
}

fn aborted(reason: &str) -> Words {
    let advice = if reason.contains("changed") {
        "Replace files by renaming a new one over the old; overwriting in place breaks transfers."
    } else if reason.contains("another request") {
        "The machine began anew; look at whether it goes on from there."
    } else if reason.contains("shutting down") {
        "The server was ended while it served; machines ask again by themselves."
    } else {
        "The log has the line of this transfer."
    };
    Words {
        plain: capital(nonempty(reason, "the server stopped the transfer")),
        advice,
    }
}

const fn nonempty<'a>(text: &'a str, instead: &'a str) -> &'a str {
    if text.is_empty() { instead } else { text }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::stats::OUTCOMES;

    #[test]
    fn every_failure_has_words_and_something_to_try() {
        for outcome in OUTCOMES {
            for (reason, write) in [("", false), ("the client fell silent", true)] {
                let words = explain(outcome, reason, write);
                let fails = is_failure(outcome, reason, Stage::Kernel);
                assert_eq!(words.advice.is_empty(), !fails, "{outcome:?}");
                assert!(!fails || !words.plain.is_empty() || outcome == Outcome::PeerError);
            }
        }
    }

    #[test]
    fn misses_of_configurations_are_no_failures() {
        assert!(!is_failure(Outcome::Missing, "", Stage::Config));
        assert!(is_failure(Outcome::Missing, "", Stage::Kernel));
    }

    #[test]
    fn a_loader_that_closes_its_file_has_it() {
        let reason = "the client sent ERROR 0: No error, file close";
        assert!(!is_failure(Outcome::PeerError, reason, Stage::Kernel));
        assert!(is_served(Outcome::PeerError, reason));
        let reason = "the client sent ERROR 0: out of memory";
        assert!(is_failure(Outcome::PeerError, reason, Stage::Kernel));
        assert!(!is_served(Outcome::PeerError, reason));
    }

    #[test]
    fn reasons_lead_to_their_advice() {
        let advice = |outcome, reason| explain(outcome, reason, false).advice;
        assert!(advice(Outcome::TimedOut, "the client never answered").contains("firewalls"));
        let end = "the end of the file was sent but never acknowledged";
        assert!(advice(Outcome::TimedOut, end).contains("harmless"));
        assert!(
            advice(Outcome::Aborted, "the file changed during the transfer").contains("renaming")
        );
        let deny = "this address is not to be served";
        assert!(advice(Outcome::Refused, deny).contains("allow"));
    }
}
