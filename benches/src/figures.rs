//! What one process measured, and how it tells the process that started it.
//!
//! ```text
//! NAME VALUE          a line per figure: nanoseconds, bytes or a plain number
//! ```

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::Result;

/// The name of the figure every process adds: the most memory it had resident, in bytes.
pub(crate) const PEAK_MEMORY: &str = "peak_memory";

/// Figures by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// A single figure.
    pub(crate) fn of(name: &str, value: f64) -> Self {
        Self::default().with(name, value)
    }

    /// Adds a figure.
    pub(crate) fn with(mut self, name: &str, value: f64) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(crate) fn to_lines(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name} {value}\n")).collect()
    }

    /// Reads what [`Figures::to_lines`] wrote.
    pub(crate) fn from_lines(text: &str) -> Result<Self> {
        let mut figures = Self::default();
        for line in text.lines() {
            let (name, value) = line.split_once(' ').ok_or_else(|| format!("not a figure: {line:?}"))?;
            let value: f64 = value.parse().map_err(|_| format!("not a number: {line:?}"))?;
            figures = figures.with(name, value);
        }
        Ok(figures)
    }
}

/// Runs `work` and says how many nanoseconds each of its `count` parts took.
pub(crate) fn nanos_each<T>(count: u64, work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let result = work()?;
    Ok((nanos(start.elapsed()) / count as f64, result))
}

/// Runs `work` several times and returns the median of the nanoseconds it took.
pub(crate) fn median_nanos<T>(times: usize, mut work: impl FnMut() -> Result<T>) -> Result<f64> {
    let mut all = Vec::with_capacity(times);
    for _ in 0..times {
        all.push(nanos_each(1, &mut work)?.0);
    }
    Ok(median(&mut all))
}

/// The median of some figures; NaN of none.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => figures[len / 2],
        len => (figures[len / 2 - 1] + figures[len / 2]) / 2.0,
    }
}

fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// The most memory this process had resident, in bytes; `None` where the system does not say.
pub(crate) fn peak_memory_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_round_trip_and_noise_is_refused() {
        let figures = Figures::of("time", 1234.5).with("bytes", 7.0);
        assert_eq!(Figures::from_lines(&figures.to_lines()).unwrap(), figures);
        assert!(Figures::from_lines("time").is_err());
        assert!(Figures::from_lines("time fast").is_err());
    }

    #[test]
    fn medians() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&mut []).is_nan());
    }
}
