//! Figures as people read them: three digits and the unit that suits them.

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds.
    Time,
    /// Bytes.
    Bytes,
    /// How many times something else.
    Times,
}

impl Unit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Time => "ns",
            Self::Bytes => "bytes",
            Self::Times => "times",
        }
    }

    pub(crate) fn show(self, value: f64) -> String {
        let (steps, names): (f64, &[&str]) = match self {
            Self::Time => (1000.0, &["ns", "µs", "ms", "s"]),
            Self::Bytes => (1024.0, &["B", "KiB", "MiB", "GiB"]),
            Self::Times => return format!("{}×", three_digits(value)),
        };
        let mut value = value;
        let mut names = names.iter();
        let mut name = names.next().copied().unwrap_or_default();
        for next in names {
            if value < steps {
                break;
            }
            value /= steps;
            name = next;
        }
        format!("{} {name}", three_digits(value))
    }
}

/// A number with three significant digits, or all that stand before the point.
pub(crate) fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_size() {
        assert_eq!(Unit::Time.show(17.04), "17.0 ns");
        assert_eq!(Unit::Time.show(1_576_000.0), "1.58 ms");
        assert_eq!(Unit::Time.show(19.8e9), "19.8 s");
        assert_eq!(Unit::Time.show(5e12), "5000 s");
        assert_eq!(Unit::Bytes.show(2500.0), "2.44 KiB");
        assert_eq!(Unit::Times.show(1.304), "1.30×");
    }
}
