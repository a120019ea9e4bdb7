//! Who may ask and how often, from the file and the flags.
//! It never counts anything: the endpoint's guard does.

use super::File;
use super::file::LimitsTable;
use crate::endpoint::{Access, Rate};
use crate::limits::{ERRORS_BURST, ERRORS_PER_SECOND, REQUESTS_BURST, REQUESTS_PER_SECOND};

impl File {
    /// The limits that the settings describe.
    #[must_use]
    pub fn access(&self) -> Access {
        let allow = self.access.allow.0.clone();
        let LimitsTable {
            requests_per_second,
            requests_burst,
            errors_per_second,
            errors_burst,
            transfers_per_client,
            transfers,
        } = self.limits;
        Access {
            // In single-port mode who forges a request can forge its ACKs as well, except from
            // addresses that do not come from outside, which is what `allow` says.
            proof_counts: !self.server().single_port || !allow.is_empty(),
            allow,
            deny: self.access.deny.0.clone(),
            requests: rate(
                (requests_per_second, REQUESTS_PER_SECOND),
                (requests_burst, REQUESTS_BURST),
            ),
            errors: rate(
                (errors_per_second, ERRORS_PER_SECOND),
                (errors_burst, ERRORS_BURST),
            ),
            per_client: transfers_per_client.unwrap_or(0),
            total: transfers.unwrap_or(0),
        }
    }
}

/// Each pair is what was asked for and the default. A rate without its burst allows a second's worth
/// at once.
fn rate(per_second: (Option<u32>, u32), burst: (Option<u32>, u32)) -> Rate {
    let second = per_second.0.unwrap_or(per_second.1);
    let most = burst.0.or(per_second.0).unwrap_or(burst.1);
    Rate {
        per_second: second,
        burst: most,
        // Whoever wants another limit than the usual one means it for everybody.
        spares_loopback: (second, most) == (per_second.1, burst.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn defaults_spare_this_host_and_chosen_limits_do_not() {
        let file = File::default();
        let access = file.access();
        assert!(access.requests.spares_loopback && access.errors.spares_loopback);
        assert_eq!(access.requests.per_second, REQUESTS_PER_SECOND);
        assert_eq!((access.per_client, access.total), (0, 0));
        let mut file = File::default();
        file.limits.errors_per_second = Some(7);
        let access = file.access();
        let expected = Rate {
            per_second: 7,
            burst: 7,
            spares_loopback: false,
        };
        assert_eq!(access.errors, expected);
        assert!(access.requests.spares_loopback);
    }

    #[test]
    fn in_single_port_mode_an_ack_proves_only_who_is_allowed() {
        let text = |single_port: &str| format!("version = 1\n{single_port}");
        let proof = |text: String| {
            let config = Config::parse("ringboot.toml".as_ref(), text).expect("a configuration");
            config.file.access().proof_counts
        };
        assert!(proof(text("")));
        assert!(!proof(text("single-port = true")));
        assert!(proof(text(
            "single-port = true\naccess.allow = '10.0.0.0/8'"
        )));
    }
}
