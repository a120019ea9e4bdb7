//! Interval logs in HdrHistogram's V2 format, for its tools.
//! It never ends a run: what cannot be written is left out.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer, V2Serializer};

use crate::measure::{Sample, clock};
use crate::result::Interval;

pub(super) struct IntervalLog {
    file: BufWriter<File>,
}

impl IntervalLog {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "#[Histogram log format version 1.3]")?;
        writeln!(
            file,
            "#[StartTime: {:.3} (seconds since epoch)]",
            clock::unix()
        )?;
        writeln!(
            file,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        Ok(Self { file })
    }

    /// One line for each kind of latency. The largest value is in milliseconds.
    pub(super) fn write(&mut self, interval: &Interval, sample: &Sample) {
        let kinds = [
            ("first_byte", &sample.first_byte),
            ("block", &sample.block),
            ("transfer", &sample.transfer),
            ("boot", &sample.boot),
            ("lateness", &sample.lateness),
        ];
        for (tag, histogram) in kinds {
            if !histogram.is_empty() {
                let _ = self.line(tag, interval, histogram);
            }
        }
        let _ = self.file.flush();
    }

    fn line(&mut self, tag: &str, interval: &Interval, values: &Histogram<u64>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let encoded = V2Serializer::new().serialize(values, &mut bytes);
        encoded.map_err(io::Error::other)?;
        writeln!(
            self.file,
            "Tag={tag},{:.3},{:.3},{:.3},{}",
            interval.start,
            interval.seconds,
            values.max() as f64 / 1e6,
            STANDARD.encode(bytes)
        )
    }
}
