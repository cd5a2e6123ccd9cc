//! The measurements as a table, as JSON, and as one line for each bar.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::millis;

/// Durations in ms, by side and contender.
#[derive(Debug, Default)]
pub(crate) struct Series {
    durations: BTreeMap<(String, String), Vec<f64>>,
}

/// A limit that this project has set itself.
#[derive(Debug)]
pub(crate) struct Bar {
    name: String,
    value: f64,
    limit: f64,
}

impl Series {
    pub(crate) fn add(&mut self, side: &str, contender: &str, duration: Duration) {
        self.durations.entry((side.to_owned(), contender.to_owned())).or_default().push(millis(duration));
    }

    /// A part of the daemon's own time, in ms.
    pub(crate) fn add_step(&mut self, side: &str, step: &str, duration_ms: f64) {
        self.durations.entry((side.to_owned(), format!("  {step}"))).or_default().push(duration_ms);
    }

    pub(crate) fn median(&self, side: &str, contender: &str) -> f64 {
        let key = (side.to_owned(), contender.to_owned());
        self.durations.get(&key).map_or(f64::NAN, |values| summary(values).0)
    }

    pub(crate) fn print(&self) {
        println!(
            "{:<8} {:<28} {:>9} {:>9} {:>9} {:>8}",
            "server", "contender", "median ms", "min", "max", "× floor"
        );
        for ((side, contender), values) in &self.durations {
            let (median, min, max) = summary(values);
            let ratio = median / self.median(side, "batch");
            println!("{side:<8} {contender:<28} {median:>9.1} {min:>9.1} {max:>9.1} {ratio:>8.2}");
        }
    }
}

/// Median, minimum and maximum.
fn summary(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = match sorted.len() % 2 {
        0 => (sorted[middle - 1] + sorted[middle]) / 2.0,
        _ => sorted[middle],
    };
    (median, sorted[0], sorted[sorted.len() - 1])
}

impl Bar {
    pub(crate) fn at_most(name: &str, value: f64, limit: f64) -> Self {
        Self { name: name.to_owned(), value, limit }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.value <= self.limit
    }

    pub(crate) fn print(&self) {
        let verdict = if self.is_met() { "ok" } else { "short" };
        println!("bar {} {:.2} {:.2} {verdict}", self.name, self.value, self.limit);
    }
}

/// The whole result.
pub(crate) fn json(series: &Series, bars: &[Bar]) -> serde_json::Result<String> {
    let contenders: Vec<_> = series
        .durations
        .iter()
        .map(|((side, contender), values)| {
            let (median, min, max) = summary(values);
            json!({ "server": side, "contender": contender, "unit": "ms", "median": median, "min": min, "max": max,
                    "values": values })
        })
        .collect();
    let bars: Vec<_> = bars
        .iter()
        .map(|bar| json!({ "name": bar.name, "value": bar.value, "limit": bar.limit, "met": bar.is_met() }))
        .collect();
    serde_json::to_string_pretty(&json!({ "contenders": contenders, "bars": bars }))
}
