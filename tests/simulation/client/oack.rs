//! What an OACK grants, and whether it may be believed: only what was asked, in the same order,
//! never more (RFC 2347, 2348, 2349, 7440). As strict as the strictest firmware.
//! It never sees the server's code: values are judged from the RFCs.

use ringboot::wire::Options;

use super::habits::Ask;

/// What the client works with from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    pub blksize: u16,
    pub windowsize: u16,
    pub to_one: bool,
    /// The client chooses each window.
    pub variable: bool,
    pub tsize: Option<u64>,
}

impl Default for Grant {
    fn default() -> Self {
        Self {
            blksize: 512,
            windowsize: 1,
            to_one: false,
            variable: false,
            tsize: None,
        }
    }
}

impl Ask {
    pub fn pair(&self) -> (&'static str, String) {
        match self {
            Self::Tsize(value) => ("tsize", value.to_string()),
            Self::Blksize(value) => ("blksize", value.to_string()),
            Self::Blksize2(value) => ("blksize2", value.to_string()),
            Self::Windowsize(value) => ("windowsize", value.to_string()),
            Self::Timeout(value) => ("timeout", value.to_string()),
            Self::Utimeout(value) => ("utimeout", value.to_string()),
            Self::Rollover(value) => ("rollover", value.to_string()),
            Self::Msftwindow => ("msftwindow", "31416".to_owned()),
            Self::Ignored(name, value) => (name, (*value).to_owned()),
        }
    }
}

/// Reads an OACK. `Err` says what is wrong with it.
pub fn judge(asked: &[Ask], options: &Options<'_>) -> Result<Grant, String> {
    let mut grant = Grant::default();
    let mut remaining = asked.iter();
    for (name, value) in options.iter() {
        let ask = remaining
            .find(|ask| ask.pair().0.as_bytes() == name)
            .ok_or_else(|| format!("{} was not asked, or not there", name.escape_ascii()))?;
        accept(ask, value, &mut grant)
            .ok_or_else(|| format!("{ask:?} got {}", value.escape_ascii()))?;
    }
    Ok(grant)
}

fn accept(ask: &Ask, value: &[u8], grant: &mut Grant) -> Option<()> {
    let text = std::str::from_utf8(value).ok()?;
    let number: u64 = text.parse().ok()?;
    let small = u16::try_from(number).unwrap_or(u16::MAX);
    let holds = match ask {
        Ask::Tsize(_) => {
            grant.tsize = Some(number);
            // curl gives up on 0.
            number > 0
        }
        Ask::Blksize(most) => {
            grant.blksize = small;
            (8..=*most).contains(&small)
        }
        Ask::Blksize2(most) => {
            grant.blksize = small;
            (8..=*most).contains(&small) && small.is_power_of_two()
        }
        Ask::Windowsize(most) => {
            grant.windowsize = small;
            (1..=*most).contains(&small)
        }
        Ask::Rollover(first) => {
            grant.to_one = *first == 1;
            text == ask.pair().1
        }
        Ask::Timeout(_) | Ask::Utimeout(_) => text == ask.pair().1,
        Ask::Msftwindow => {
            grant.variable = true;
            text == "27182"
        }
        Ask::Ignored(..) => false,
    };
    holds.then_some(())
}
