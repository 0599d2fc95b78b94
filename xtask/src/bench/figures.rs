//! What was measured, and what it proves.

use std::fmt;

use serde_json::{Value, json};

use crate::{Error, output, process};

/// Above this, in parts of the median, a baseline moves so much by itself that a ratio to it proves nothing.
const STEADY: f64 = 0.20;

/// The middle and the ends of some runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) min: f64,
    pub(super) median: f64,
    pub(super) max: f64,
}

impl Summary {
    /// Nothing, of no runs.
    pub(super) fn of(runs: &[f64]) -> Option<Self> {
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            *sorted.get(middle)?
        } else {
            f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, sorted[middle])
        };
        Some(Self {
            min: *sorted.first()?,
            median,
            max: *sorted.last()?,
        })
    }

    /// From one end to the other, in parts of the median.
    pub(super) fn spread(self) -> f64 {
        if self.median == 0.0 {
            0.0
        } else {
            (self.max - self.min) / self.median
        }
    }

    fn to_json(self) -> Value {
        json!({ "min": self.min, "median": self.median, "max": self.max, "spread": self.spread() })
    }
}

pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) runs: Vec<f64>,
    pub(super) baseline: Option<Baseline>,
    /// As it is written down, with its unit.
    pub(super) bar: &'static str,
    /// What has to be known to read the figure.
    pub(super) note: Option<String>,
}

pub(super) struct Baseline {
    pub(super) what: &'static str,
    pub(super) runs: Vec<f64>,
}

impl Figure {
    fn ratio(&self) -> Option<f64> {
        let ours = Summary::of(&self.runs)?;
        let baseline = Summary::of(&self.baseline.as_ref()?.runs)?;
        (baseline.median != 0.0).then(|| ours.median / baseline.median)
    }

    /// Whether the baseline stood still enough for the ratio to mean anything. `None` without a baseline.
    fn steady(&self) -> Option<bool> {
        Some(Summary::of(&self.baseline.as_ref()?.runs)?.spread() <= STEADY)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "unit": self.unit,
            "bar": self.bar,
            "summary": Summary::of(&self.runs).map(Summary::to_json),
            "runs": self.runs,
            "baseline": self.baseline.as_ref().map(|baseline| json!({
                "what": baseline.what,
                "summary": Summary::of(&baseline.runs).map(Summary::to_json),
                "runs": baseline.runs,
            })),
            "ratio": self.ratio(),
            "steady": self.steady(),
            "note": self.note,
        })
    }
}

/// The figures with their baselines below them, and what is to be said about them.
pub(super) fn table(figures: &[Figure]) -> String {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for figure in figures {
        let ratio = figure
            .ratio()
            .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        rows.push(row(
            figure.name.to_owned(),
            figure.unit,
            &figure.runs,
            &ratio,
            figure.bar,
        ));
        match &figure.baseline {
            Some(baseline) => rows.push(row(
                format!("  against: {}", baseline.what),
                figure.unit,
                &baseline.runs,
                "",
                "",
            )),
            None => notes.push(format!("{}: nothing to compare it with.", figure.name)),
        }
        if figure.steady() == Some(false) {
            notes.push(format!(
                "{}: the baseline alone varied by more than {:.0} %, so this run proves nothing.",
                figure.name,
                STEADY * 100.0
            ));
        }
        notes.extend(figure.note.iter().map(|note| format!("{}: {note}", figure.name)));
    }
    let headline = ["figure", "unit", "min", "median", "max", "spread", "ratio", "bar"];
    format!("{}{}", output::table(&headline, &rows), notes.join("\n"))
}

fn row(name: String, unit: &str, runs: &[f64], ratio: &str, bar: &str) -> Vec<String> {
    let mut row = vec![name, unit.to_owned()];
    match Summary::of(runs) {
        Some(summary) => {
            row.extend([summary.min, summary.median, summary.max].map(|value| format!("{value:.2}")));
            row.push(format!("{:.0} %", summary.spread() * 100.0));
        }
        None => row.extend(std::iter::repeat_n("-".to_owned(), 4)),
    }
    row.extend([ratio.to_owned(), bar.to_owned()]);
    row
}

/// One measurement.
pub(super) type Run<'a> = &'a mut dyn FnMut() -> Result<f64, Error>;

/// Measures both in turn, beginning with the other one each time, so that whatever else the computer does meets both
/// alike.
pub(super) fn interleaved(runs: u32, ours: Run, baseline: Run) -> Result<(Vec<f64>, Vec<f64>), Error> {
    let mut times = (Vec::new(), Vec::new());
    for run in 0..runs {
        if run % 2 == 0 {
            times.0.push(ours()?);
            times.1.push(baseline()?);
        } else {
            times.1.push(baseline()?);
            times.0.push(ours()?);
        }
    }
    Ok(times)
}

/// What a figure depends on beside the code.
pub(super) struct Conditions {
    date: String,
    commit: String,
    cores: usize,
    processor: String,
    kernel: String,
    /// The one minute load when the measurement began: what else the computer was doing.
    load: String,
}

impl Conditions {
    pub(super) fn now() -> Self {
        let said = |program: &str, arguments: &[&str]| {
            process::capture(&mut process::command(program, arguments))
                .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
        };
        let read = |path: &str| fs_err::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo")
            .lines()
            .find_map(|line| {
                line.strip_prefix("model name")?
                    .split_once(": ")
                    .map(|(_, name)| name.to_owned())
            })
            .unwrap_or_else(|| "unknown".to_owned());
        Self {
            date: said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            commit: said("git", &["describe", "--always", "--dirty"]),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor,
            kernel: said("uname", &["-sr"]),
            load: read("/proc/loadavg").split(' ').next().unwrap_or_default().to_owned(),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "date": self.date,
            "commit": self.commit,
            "cores": self.cores,
            "processor": self.processor,
            "kernel": self.kernel,
            "load": self.load,
        })
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}, {}, {} cores ({}), {}, load {}",
            self.date, self.commit, self.cores, self.processor, self.kernel, self.load
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(runs: &[f64], baseline: &[f64]) -> Figure {
        Figure {
            name: "boot",
            unit: "s",
            runs: runs.to_vec(),
            baseline: Some(Baseline {
                what: "bare",
                runs: baseline.to_vec(),
            }),
            bar: "<= 1.15 x",
            note: None,
        }
    }

    #[test]
    fn the_median_of_an_even_number_of_runs_lies_between_the_middle_two() {
        let summary = Summary::of(&[4.0, 1.0, 3.0, 2.0]).expect("there are runs");
        assert_eq!(
            summary,
            Summary {
                min: 1.0,
                median: 2.5,
                max: 4.0
            }
        );
        assert!((summary.spread() - 1.2).abs() < 1e-9);
    }

    #[test]
    fn one_slow_run_does_not_move_the_median() {
        assert_eq!(
            Summary::of(&[1.0, 1.0, 9.0, 1.0, 1.0]).map(|summary| summary.median),
            Some(1.0)
        );
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn a_restless_baseline_is_said_to_prove_nothing() {
        let restless = figure(&[1.0, 1.0, 1.0], &[1.0, 1.0, 1.3]);
        assert_eq!(restless.steady(), Some(false));
        assert!(table(&[restless]).contains("this run proves nothing"));
        let still = figure(&[2.2, 2.2, 2.2], &[2.0, 2.0, 2.1]);
        assert_eq!((still.steady(), still.ratio()), (Some(true), Some(1.1)));
        assert!(!table(&[still]).contains("proves nothing"));
    }

    #[test]
    fn without_a_baseline_there_is_no_ratio() {
        let alone = Figure {
            baseline: None,
            ..figure(&[1.0], &[])
        };
        assert_eq!((alone.ratio(), alone.steady()), (None, None));
        assert!(table(&[alone]).contains("nothing to compare it with"));
    }

    #[test]
    fn both_sides_take_turns_in_going_first() {
        let order = std::cell::RefCell::new(String::new());
        let (ours, baseline) = interleaved(
            3,
            &mut || {
                order.borrow_mut().push('o');
                Ok(1.0)
            },
            &mut || {
                order.borrow_mut().push('b');
                Ok(2.0)
            },
        )
        .expect("nothing fails");
        assert_eq!(
            (ours.len(), baseline.len(), order.into_inner().as_str()),
            (3, 3, "obboob")
        );
    }
}
