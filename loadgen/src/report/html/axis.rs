//! Axes: where a value stands, and which values are written beside it. They never draw.

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    Linear,
    /// Decades of equal length.
    Log,
    /// Percentiles by their nines: 90 %, 99 % and 99.9 % at equal distances. Values are 0 to 1.
    Nines,
}

/// One axis with its marks.
#[derive(Debug, Clone)]
pub struct Axis {
    pub title: &'static str,
    scale: Scale,
    from: f64,
    to: f64,
    /// Values with their texts.
    pub marks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to a round number at or above `most`.
    pub fn linear(title: &'static str, most: f64, text: fn(f64) -> String) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = round_step(most / 5.0);
        let steps = (most / step).ceil().max(1.0);
        Self {
            title,
            scale: Scale::Linear,
            from: 0.0,
            to: steps * step,
            marks: count_up(steps)
                .map(|number| (number * step, text(number * step)))
                .collect(),
        }
    }

    /// Whole decades around all values.
    pub fn log(title: &'static str, least: f64, most: f64, text: fn(f64) -> String) -> Self {
        let least = least.max(1e-9);
        let from = least.log10().floor();
        let to = most.max(least).log10().ceil().max(from + 1.0);
        // A short axis would have too few marks with decades alone.
        let within: &[f64] = if to - from < 2.5 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        Self {
            title,
            scale: Scale::Log,
            from,
            to,
            marks: count_up(to - from)
                .flat_map(|decade| {
                    within
                        .iter()
                        .map(move |times| times * 10_f64.powf(from + decade))
                })
                .filter(|value| value.log10() <= to + 1e-9)
                .map(|value| (value, text(value)))
                .collect(),
        }
    }

    /// Up to so many nines. Where there is little room, only every second one is named.
    pub fn nines(title: &'static str, most: f64, narrow: bool) -> Self {
        let to = most.ceil().clamp(2.0, 6.0);
        let texts = ["90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];
        let every = if narrow && to > 4.0 { 2 } else { 1 };
        let mut marks = vec![(0.5, "50 %".to_owned())];
        for (nines, text) in count_up(to - 1.0).zip(texts).step_by(every) {
            marks.push((1.0 - 10_f64.powf(-nines - 1.0), text.to_owned()));
        }
        Self {
            title,
            scale: Scale::Nines,
            from: 0.0,
            to,
            marks,
        }
    }

    /// 0 at the axis' beginning, 1 at its end; what lies outside is brought to the border.
    pub fn place(&self, value: f64) -> f64 {
        let value = match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(1e-12).log10(),
            Scale::Nines => -(1.0 - value).max(1e-9).log10(),
        };
        ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0)
    }
}

/// 0, 1, 2 … up to `last`.
fn count_up(last: f64) -> impl Iterator<Item = f64> {
    std::iter::successors(Some(0.0), |number| Some(number + 1.0))
        .take_while(move |number| *number <= last + 1e-9)
}

/// 1, 2 or 5 times a power of ten, at or above `least`.
fn round_step(least: f64) -> f64 {
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * decade)
        .find(|step| *step >= least * 0.999_999)
        .unwrap_or(decade * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_axes_end_at_round_numbers() {
        let axis = Axis::linear("s", 71.0, |value| format!("{value}"));
        let marks: Vec<&str> = axis.marks.iter().map(|mark| mark.1.as_str()).collect();
        assert_eq!(marks, ["0", "20", "40", "60", "80"]);
        assert_eq!(axis.place(40.0), 0.5);
        assert_eq!(axis.place(500.0), 1.0);
        assert!(Axis::linear("s", 0.0, |v| v.to_string()).marks.len() > 1);
    }

    #[test]
    fn log_axes_have_whole_decades() {
        let axis = Axis::log("t", 0.002, 3.0, |value| format!("{value}"));
        assert_eq!(axis.marks.len(), 5);
        assert!((axis.place(1.0) - 0.75).abs() < 1e-9);
        assert_eq!(Axis::log("t", 0.0, 0.0, |v| v.to_string()).marks.len(), 4);
    }

    #[test]
    fn nines_are_equally_far_apart() {
        let axis = Axis::nines("p", 3.2, true);
        let place = |quantile| (axis.place(quantile) * 4.0 * 1000.0_f64).round() / 1000.0;
        assert_eq!(
            [0.0, 0.9, 0.99, 0.999, 1.0].map(place),
            [0.0, 1.0, 2.0, 3.0, 4.0]
        );
        assert_eq!(axis.marks.last().unwrap().1, "99.99 %");
        let texts = |narrow| Axis::nines("p", 5.5, narrow).marks.len();
        assert_eq!((texts(false), texts(true)), (7, 4));
    }
}
