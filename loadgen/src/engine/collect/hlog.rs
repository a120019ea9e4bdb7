//! Interval logs in HdrHistogram's V2 format, for its tools.
//! It never ends a run: what cannot be written is left out.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use hdrhistogram::Histogram;

use crate::measure::Sample;
use crate::result::{Interval, encoded};

pub(super) struct IntervalLog {
    file: BufWriter<File>,
}

impl IntervalLog {
    /// Times in the log count from `start`, a Unix time.
    pub(super) fn create(path: &Path, start: f64) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "#[Histogram log format version 1.3]")?;
        writeln!(file, "#[StartTime: {start:.3} (seconds since epoch)]")?;
        // The intervals' times count from here.
        writeln!(file, "#[BaseTime: {start:.3} (seconds since epoch)]")?;
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
        writeln!(
            self.file,
            "Tag={tag},{:.3},{:.3},{:.3},{}",
            interval.start,
            interval.seconds,
            values.max() as f64 / 1e6,
            encoded(values)
        )
    }
}
