//! Completion curves: how many were complete by when. It never invents a point.

/// Points that a curve may have: more than a screen has columns.
const POINTS: usize = 2000;

/// (seconds, complete by then), in order.
pub type Curve = Vec<(f64, u64)>;

/// A curve whose clock started `by` seconds later than ours.
pub fn shifted(curve: &[(f64, u64)], by: f64) -> Curve {
    curve.iter().map(|&(at, count)| (at + by, count)).collect()
}

/// Both together: at each moment of either, what both had by then.
pub fn merged(one: &[(f64, u64)], other: &[(f64, u64)]) -> Curve {
    let mut out = Curve::with_capacity(one.len() + other.len());
    let (mut ours, mut theirs) = (one.iter().peekable(), other.iter().peekable());
    let (mut by_us, mut by_them) = (0, 0);
    loop {
        let next = match (ours.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(point), None) | (None, Some(point)) => point.0,
            (Some(one), Some(other)) => one.0.min(other.0),
        };
        while let Some(&(_, count)) = ours.next_if(|point| point.0 <= next) {
            by_us = count;
        }
        while let Some(&(_, count)) = theirs.next_if(|point| point.0 <= next) {
            by_them = count;
        }
        out.push((next, by_us + by_them));
    }
    thinned(out)
}

/// At most [`POINTS`] of them, the first and the last always.
pub fn thinned(curve: Curve) -> Curve {
    let Some(last) = curve.len().checked_sub(1) else {
        return curve;
    };
    if curve.len() <= POINTS {
        return curve;
    }
    (0..POINTS)
        .filter_map(|point| curve.get(point * last / (POINTS - 1)).copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_curves_add_up_at_each_moment() {
        let one = [(1.0, 1), (2.0, 2), (4.0, 3)];
        let other = [(2.0, 1), (3.0, 5)];
        assert_eq!(
            merged(&one, &other),
            [(1.0, 1), (2.0, 3), (3.0, 7), (4.0, 8)]
        );
        assert_eq!(merged(&one, &[]), one);
        assert_eq!(merged(&[], &other), other);
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let long: Curve = (0..10_000).map(|n| (f64::from(n), n as u64)).collect();
        let short = thinned(long.clone());
        assert_eq!(short.len(), POINTS);
        assert_eq!(short.first(), long.first());
        assert_eq!(short.last(), long.last());
        assert!(short.is_sorted());
    }
}
