//! The page for readers that know only Prometheus' older text format (0.0.4).
//! It never changes a sample: only what stands above them differs.

/// Rewrites an OpenMetrics page: families of counters are named with their `_total`.
#[must_use]
pub fn classic(page: &str) -> String {
    let mut text = String::with_capacity(page.len() + 1024);
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" {
            continue;
        }
        // HELP comes before TYPE, which alone tells that this is a counter.
        let counter = match line.strip_prefix("# HELP ") {
            Some(_) => lines.peek().and_then(|line| counter_name(line)),
            None => counter_name(line),
        };
        match counter {
            Some(name) => text.push_str(&line.replacen(name, &format!("{name}_total"), 1)),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn counter_name(line: &str) -> Option<&str> {
    line.strip_prefix("# TYPE ")?.strip_suffix(" counter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_named_in_full() {
        let page = "# HELP a_b What.\n# TYPE a_b counter\na_b_total{x=\"y\"} 1\n\
                    # HELP c Now.\n# TYPE c gauge\nc 2\n# EOF\n";
        let text = "# HELP a_b_total What.\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 1\n\
                    # HELP c Now.\n# TYPE c gauge\nc 2\n";
        assert_eq!(classic(page), text);
    }
}
