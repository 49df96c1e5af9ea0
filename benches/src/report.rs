//! The table people read and the JSON that programs do.

use serde_json::{Value, json};

use crate::{
    figures::PEAK_MEMORY,
    format::three_digits,
    suite::{EngineOutcome, Outcome, ScenarioOutcome},
    work::{Budget, Engine, Row},
};

/// One row of the table with its figures.
struct Line<'a> {
    row: &'a Row,
    ours: Option<f64>,
    /// `None` for a rival that was left out.
    rivals: Vec<(Engine, Option<f64>)>,
}

impl<'a> Line<'a> {
    fn new(scenario: &ScenarioOutcome, row: &'a Row) -> Self {
        let median = |outcome: &EngineOutcome| (outcome.engine, outcome.median(row.figure));
        let (ours, rivals): (Vec<_>, Vec<_>) =
            scenario.engines.iter().map(median).partition(|(engine, _)| *engine == Engine::Ours);
        Self { row, ours: ours.first().and_then(|(_, value)| *value), rivals }
    }

    /// Our figure in terms of the best rival's: below 1 we are ahead.
    fn ratio(&self) -> Option<f64> {
        let best = self.rivals.iter().filter_map(|(_, value)| *value).min_by(f64::total_cmp)?;
        Some(self.ours? / best)
    }

    /// What the figure may be at most; `None` without a budget, and when the rival it is held against was left out.
    fn limit(&self) -> Option<f64> {
        match self.row.budget {
            Budget::AtMost(limit) => Some(limit),
            Budget::TimesRival(rival, times) => {
                let (_, value) = self.rivals.iter().find(|(engine, _)| *engine == rival)?;
                Some((*value)? * times)
            }
            Budget::None => None,
        }
    }

    fn is_within_budget(&self) -> Option<bool> {
        Some(self.ours? <= self.limit()?)
    }

    fn show_budget(&self) -> String {
        match self.row.budget {
            Budget::AtMost(limit) => format!("≤ {}", self.row.unit.show(limit)),
            Budget::TimesRival(rival, times) => format!("≤ {times}× {}", rival.id()),
            Budget::None => String::new(),
        }
    }

    fn cells(&self, judges: bool) -> Vec<String> {
        let shown = |value: Option<f64>| {
            value.map_or_else(|| "not measured here".to_owned(), |value| self.row.unit.show(value))
        };
        let rivals: Vec<String> =
            self.rivals.iter().map(|(engine, value)| format!("{} {}", engine.id(), shown(*value))).collect();
        let met = match self.is_within_budget() {
            Some(met) if judges => {
                if met {
                    "yes"
                } else {
                    "no"
                }
            }
            _ => "",
        };
        vec![
            self.row.title.to_owned(),
            shown(self.ours),
            rivals.join(" · "),
            self.ratio().map_or_else(String::new, three_digits),
            self.show_budget(),
            met.to_owned(),
        ]
    }
}

/// Whether figures can be held against the budgets: those are for the full number of keys.
fn judges(outcome: &Outcome, scenario: &ScenarioOutcome) -> bool {
    !outcome.ci && scenario.keys == scenario.scenario.keys
}

/// Lays the figures out as a Markdown table.
pub(crate) fn table(outcome: &Outcome) -> String {
    let header = ["work", "ours", "rivals, same run", "ours / best rival", "design for", "met"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for scenario in &outcome.scenarios {
        for row in scenario.scenario.rows {
            rows.push(Line::new(scenario, row).cells(judges(outcome, scenario)));
        }
    }
    let widths: Vec<usize> = (0..header.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += &format!("| {} |\n", cells.join(" | "));
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text += &format!("| {} |\n", rule.join(" | "));
        }
    }
    text
}

/// All figures of all rounds.
pub(crate) fn json(outcome: &Outcome) -> Value {
    let rows: Vec<Value> = outcome
        .scenarios
        .iter()
        .flat_map(|scenario| scenario.scenario.rows.iter().map(move |row| json_row(outcome, scenario, row)))
        .collect();
    json!({ "short_form": outcome.ci, "machine": machine(), "rows": rows })
}

fn json_row(outcome: &Outcome, scenario: &ScenarioOutcome, row: &Row) -> Value {
    let line = Line::new(scenario, row);
    let engines: serde_json::Map<String, Value> = scenario
        .engines
        .iter()
        .filter(|engine| !engine.values(row.figure).is_empty())
        .map(|engine| (engine.engine.id().to_owned(), json_engine(engine, row)))
        .collect();
    json!({
        "work": scenario.scenario.work.id(),
        "what": scenario.scenario.what,
        "figure": row.figure,
        "title": row.title,
        "unit": row.unit.name(),
        "keys": scenario.keys,
        "engines": engines,
        "ours_to_best_rival": line.ratio(),
        "design_for_at_most": line.limit(),
        "met": line.is_within_budget().filter(|_| judges(outcome, scenario)),
    })
}

fn json_engine(engine: &EngineOutcome, row: &Row) -> Value {
    let rounds = engine.values(row.figure);
    json!({
        "median": engine.median(row.figure),
        "min": rounds.iter().copied().min_by(f64::total_cmp),
        "max": rounds.iter().copied().max_by(f64::total_cmp),
        "rounds": rounds,
        "peak_memory_bytes": engine.median(PEAK_MEMORY),
    })
}

fn machine() -> Value {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let cores = std::thread::available_parallelism().map(usize::from).ok();
    json!({ "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "cpu": cpu, "cores": cores })
}
