//! Families of samples in the exposition's shape.
//! It never knows what they mean.

use core::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder,
    NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use crate::observe::stats::Sums;

/// A page under way. Names are without `_total`: the format adds it.
pub struct Page<'a>(pub DescriptorEncoder<'a>);

impl Page<'_> {
    pub fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, f64>(&value, None)
    }

    pub fn counters<L: EncodeLabelSet, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        rows: &[(L, V)],
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, rows, |mut row, value| {
            row.encode_counter::<NoLabelSet, _, f64>(value, None)
        })
    }

    pub fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    pub fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        rows: &[(L, V)],
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, rows, |mut row, value| {
            row.encode_gauge(value)
        })
    }

    pub fn histogram(&mut self, name: &str, help: &str, sums: &Sums) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(sums.seconds, sums.count, &sums.classes, None)
    }

    pub fn histograms<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        rows: &[(L, Sums)],
    ) -> fmt::Result {
        self.family(name, help, MetricType::Histogram, rows, |mut row, sums| {
            row.encode_histogram::<NoLabelSet>(sums.seconds, sums.count, &sums.classes, None)
        })
    }

    /// A row for each set of labels.
    fn family<L: EncodeLabelSet, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        rows: &[(L, V)],
        encode: impl Fn(MetricEncoder<'_>, &V) -> fmt::Result,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in rows {
            encode(family.encode_family(labels)?, value)?;
        }
        Ok(())
    }
}
