//! The limits that this project has set itself: a proof ends with one line for each.

/// A value beside its limit.
#[derive(Debug)]
pub struct Bar {
    name: String,
    value: f64,
    limit: f64,
    is_met: bool,
}

impl Bar {
    pub fn at_most(name: impl Into<String>, value: f64, limit: f64) -> Self {
        Self { name: name.into(), value, limit, is_met: value <= limit }
    }

    pub fn at_least(name: impl Into<String>, value: f64, limit: f64) -> Self {
        Self { name: name.into(), value, limit, is_met: value >= limit }
    }
}

/// Prints `bar NAME VALUE LIMIT ok|short`, one line each; returns whether all are met.
pub fn print(bars: &[Bar]) -> bool {
    for Bar { name, value, limit, is_met } in bars {
        let value = (value * 1_000.0).round() / 1_000.0;
        println!("bar {name} {value} {limit} {}", if *is_met { "ok" } else { "short" });
    }
    bars.iter().all(|bar| bar.is_met)
}
