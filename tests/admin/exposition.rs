//! A reader of metric pages that is stricter than any scraper. It follows the OpenMetrics
//! specification and Prometheus's older format where the two differ, and shares nothing with the server.

use std::collections::{BTreeMap, BTreeSet};

/// A page that holds together.
#[derive(Debug)]
pub struct Page {
    /// By name with labels, as they stand on the page.
    pub samples: BTreeMap<String, f64>,
    /// By family, as TYPE names it.
    pub types: BTreeMap<String, String>,
}

impl Page {
    /// Panics on anything that a scraper could stumble over.
    pub fn read(text: &str, openmetrics: bool) -> Self {
        let mut page = Self {
            samples: BTreeMap::new(),
            types: BTreeMap::new(),
        };
        let (mut family, mut helped, mut ended) = (String::new(), BTreeSet::new(), false);
        for line in text.lines() {
            assert!(!ended, "something behind # EOF: {line}");
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help text");
                assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(helped.contains(name), "TYPE without HELP: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let twice = page.types.insert(name.into(), kind.into());
                assert_eq!(twice, None, "{line}");
                family = name.into();
            } else if line == "# EOF" {
                ended = true;
            } else {
                page.sample(line, &family, openmetrics);
            }
        }
        assert_eq!(
            ended, openmetrics,
            "# EOF ends an OpenMetrics page, and no other"
        );
        page.check_histograms();
        page
    }

    fn sample(&mut self, line: &str, family: &str, openmetrics: bool) {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("a number: {line}"));
        let name = series.split('{').next().expect("a name");
        assert!(name.starts_with("tftp_"), "{line}");
        let kind = &self.types[family];
        let suffixes: &[&str] = match (kind.as_str(), openmetrics) {
            ("counter", true) => &["_total"],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        let fits = suffixes
            .iter()
            .any(|suffix| format!("{family}{suffix}") == name);
        assert!(fits, "{line} under {family}");
        assert!(
            kind != "counter" || name.ends_with("_total") && value >= 0.0,
            "{line}"
        );
        if let Some((_, labels)) = series.split_once('{') {
            labels_of(labels.strip_suffix('}').expect("closed labels"));
        }
        let twice = self.samples.insert(series.into(), value);
        assert_eq!(twice, None, "twice: {line}");
    }

    /// Classes add up, and the last holds all.
    fn check_histograms(&self) {
        for (family, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            let mut last: BTreeMap<String, (f64, f64)> = BTreeMap::new();
            let mut classes = Vec::new();
            for (series, count) in &self.samples {
                let Some(labels) = series.strip_prefix(&format!("{family}_bucket{{")) else {
                    continue;
                };
                let mut labels = labels_of(labels.trim_end_matches('}'));
                let bound = labels.remove("le").expect("a bound").replace("+Inf", "inf");
                classes.push((
                    format!("{labels:?}"),
                    bound.parse::<f64>().expect("a number"),
                    *count,
                ));
            }
            classes.sort_by(|one, other| one.partial_cmp(other).expect("numbers"));
            for (labels, bound, count) in classes {
                let before = last.insert(labels, (bound, count));
                assert!(before.is_none_or(|(_, fewer)| fewer <= count), "{family}");
            }
            let all: f64 = last
                .values()
                .map(|(bound, count)| {
                    assert!(bound.is_infinite());
                    count
                })
                .sum();
            assert!((all - self.family_sum(&format!("{family}_count"))).abs() < 0.5);
        }
    }

    /// One sample; panics when it is not there.
    pub fn get(&self, series: &str) -> f64 {
        let value = self.samples.get(series);
        *value.unwrap_or_else(|| panic!("no {series} among {:#?}", self.samples.keys()))
    }

    /// The sum of all samples of this name.
    pub fn family_sum(&self, name: &str) -> f64 {
        let of = |series: &&String| series.split('{').next() == Some(name);
        self.samples
            .keys()
            .filter(of)
            .map(|series| self.samples[series])
            .sum()
    }
}

fn labels_of(text: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once("=\"")
            .unwrap_or_else(|| panic!("labels: {text}"));
        let mut value = String::new();
        let mut chars = after.chars();
        loop {
            match chars.next().expect("a closed value") {
                '"' => break,
                '\\' => {
                    let escaped = chars.next().expect("something escaped");
                    assert!(matches!(escaped, 'n' | '"' | '\\'), "{text}");
                    value.push(escaped);
                }
                plain => value.push(plain),
            }
        }
        let twice = labels.insert(name.trim_start_matches(',').to_owned(), value);
        assert_eq!(twice, None, "{text}");
        rest = chars.as_str();
    }
    labels
}
