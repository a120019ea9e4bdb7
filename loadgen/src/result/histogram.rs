//! Distributions between the recorder's form and the document's: nothing is lost, so merged results
//! are as exact as one. It never records.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use super::Histogram;

impl Histogram {
    /// The document's form.
    #[must_use]
    pub fn of(recorded: &Hdr<u64>) -> Self {
        if recorded.is_empty() {
            return Self::default();
        }
        let at = |quantile| recorded.value_at_quantile(quantile);
        Self {
            count: recorded.len(),
            min: recorded.min(),
            mean: recorded.mean(),
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: recorded.max(),
            v2: encoded(recorded),
        }
    }

    /// The whole distribution; none where nothing was recorded.
    pub fn decode(&self) -> Result<Option<Hdr<u64>>, String> {
        if self.v2.is_empty() {
            return match self.count {
                0 => Ok(None),
                count => Err(format!("a histogram of {count} values has lost its values")),
            };
        }
        let bytes = STANDARD
            .decode(&self.v2)
            .map_err(|error| format!("a histogram is no base64: {error}"))?;
        let recorded: Hdr<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| format!("a histogram cannot be read: {error}"))?;
        if recorded.len() != self.count {
            return Err(format!(
                "a histogram says {} values and holds {}",
                self.count,
                recorded.len()
            ));
        }
        Ok(Some(recorded))
    }

    /// The value below which `quantile` (0 to 1) of all values lie; none where nothing was recorded.
    #[must_use]
    pub fn at(&self, quantile: f64) -> Option<u64> {
        let recorded = self.decode().ok()??;
        Some(recorded.value_at_quantile(quantile))
    }

    /// Both together.
    pub fn merged(&self, other: &Self) -> Result<Self, String> {
        match (self.decode()?, other.decode()?) {
            (None, None) => Ok(Self::default()),
            (Some(one), None) | (None, Some(one)) => Ok(Self::of(&one)),
            (Some(one), Some(other)) => Ok(Self::of(&sum(one, &other)?)),
        }
    }
}

/// HdrHistogram V2, compressed, in base64: what its tools read and its interval logs hold.
pub fn encoded(recorded: &Hdr<u64>) -> String {
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = V2DeflateSerializer::new().serialize(recorded, &mut bytes);
    STANDARD.encode(bytes)
}

/// The decoded form has the size that its values needed: the sum grows where it must.
fn sum(mut one: Hdr<u64>, other: &Hdr<u64>) -> Result<Hdr<u64>, String> {
    one.auto(true);
    one.add(other)
        .map_err(|error| format!("two histograms do not fit together: {error:?}"))?;
    Ok(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(values: &[u64]) -> Hdr<u64> {
        let mut hdr = Hdr::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
        for value in values {
            hdr.record(*value).unwrap();
        }
        hdr
    }

    #[test]
    fn what_is_written_is_read_again() {
        let hdr = recorded(&[1, 500, 1_000_000, 90_000_000_000]);
        let document = Histogram::of(&hdr);
        assert_eq!(document.decode().unwrap().unwrap(), hdr);
        assert_eq!(document.count, 4);
        assert!(document.max >= 90_000_000_000);
        assert_eq!(document.at(1.0), Some(document.max));
    }

    #[test]
    fn nothing_recorded_is_nothing() {
        let document = Histogram::of(&recorded(&[]));
        assert_eq!(document, Histogram::default());
        assert_eq!(document.decode(), Ok(None));
        assert_eq!(document.at(0.5), None);
        assert_eq!(document.merged(&document), Ok(Histogram::default()));
    }

    #[test]
    fn damaged_histograms_are_refused() {
        let good = Histogram::of(&recorded(&[5, 6]));
        let bad = |change: fn(&mut Histogram)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.decode().unwrap_err()
        };
        assert!(bad(|h| h.v2.clear()).contains("lost"));
        assert!(bad(|h| h.v2.insert(0, '?')).contains("base64"));
        assert!(bad(|h| h.v2.replace_range(0..4, "AAAA")).contains("cannot be read"));
        assert!(bad(|h| h.count = 3).contains("says 3"));
    }

    #[test]
    fn histograms_of_unlike_ranges_add_up() {
        let mut small = Hdr::new(3).unwrap();
        small.record(7).unwrap();
        let merged = Histogram::of(&small)
            .merged(&Histogram::of(&recorded(&[3_000_000_000])))
            .unwrap();
        assert_eq!((merged.count, merged.min), (2, 7));
    }
}
