//! Numbers for people: times, sizes, rates, counts. It never rounds to something that looks exact.

/// Nanoseconds with three digits: "1.23 ms", "81.2 s".
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn nanos(nanos: u64) -> String {
    seconds(nanos as f64 / 1e9)
}

/// Seconds with three digits, in the unit that fits.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        0.0 => (0.0, "s"),
        small if small < 0.999_5e-6 => (seconds * 1e9, "ns"),
        small if small < 0.999_5e-3 => (seconds * 1e6, "µs"),
        small if small < 0.999_5 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// Bytes: "12.2 MB".
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn bytes(bytes: u64) -> String {
    scaled(bytes as f64, &["B", "kB", "MB", "GB", "TB"])
}

/// Bytes in a second: "512 MB/s".
#[must_use]
pub fn rate(bytes_per_second: f64) -> String {
    scaled(bytes_per_second, &["B/s", "kB/s", "MB/s", "GB/s", "TB/s"])
}

/// "1,234,567".
#[must_use]
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "1 machine", "500 machines".
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A part of a whole: "0.4 %"; what is not nothing is not shown as nothing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "few digits are shown")]
pub fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return "0 %".into();
    }
    let percent = part as f64 / whole as f64 * 100.0;
    if percent < 0.01 {
        "< 0.01 %".into()
    } else if part < whole && percent > 99.99 {
        "> 99.99 %".into()
    } else {
        format!("{} %", three_digits(percent))
    }
}

/// Three digits that mean something: 0.123, 1.23, 12.3, 123.
#[must_use]
pub fn three_digits(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        "0".into()
    } else if magnitude >= 99.95 {
        format!("{value:.0}")
    } else if magnitude >= 9.995 {
        format!("{value:.1}")
    } else if magnitude >= 0.999_5 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

fn scaled(value: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut place = 0;
    while value >= 999.5 && place + 1 < units.len() {
        value /= 1000.0;
        place += 1;
    }
    let unit = units.get(place).copied().unwrap_or_default();
    if place == 0 {
        return format!("{value:.0} {unit}");
    }
    format!("{} {unit}", three_digits(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_the_unit_that_fits() {
        for (ns, text) in [
            (0, "0 s"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (999_999, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (999_999_999, "1.00 s"),
            (81_230_000_000, "81.2 s"),
            (432_000_000_000, "432 s"),
        ] {
            assert_eq!(nanos(ns), text);
        }
    }

    #[test]
    fn sizes_rates_and_counts() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(999_999), "1.00 MB");
        assert_eq!(rate(512_400_000.0), "512 MB/s");
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "machine", "machines"), "1 machine");
    }

    #[test]
    fn a_share_is_never_rounded_to_nothing_or_all() {
        assert_eq!(share(0, 10), "0 %");
        assert_eq!(share(1, 1_000_000), "< 0.01 %");
        assert_eq!(share(999_999, 1_000_000), "> 99.99 %");
        assert_eq!(share(2, 500), "0.400 %");
        assert_eq!(share(10, 10), "100 %");
    }
}
