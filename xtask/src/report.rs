//! What came of the tests: counted from what each test runner says, and closed with a table.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::output;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) name: String,
    pub(crate) reason: String,
}

/// The outcome of one stage, or of one program of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    /// By name.
    pub(crate) failed: Vec<String>,
    pub(crate) skipped: Vec<Skip>,
}

impl Tally {
    pub(crate) fn pass() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }

    pub(crate) fn fail(name: impl Into<String>) -> Self {
        Self {
            failed: vec![name.into()],
            ..Self::default()
        }
    }

    pub(crate) fn skip(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            skipped: vec![Skip {
                name: name.into(),
                reason: reason.into(),
            }],
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed.extend(other.failed);
        self.skipped.extend(other.skipped);
    }

    fn is_empty(&self) -> bool {
        self.passed == 0 && self.failed.is_empty() && self.skipped.is_empty()
    }

    /// A runner that fails without naming a test, or that says nothing at all, has failed itself.
    pub(crate) fn confirmed(mut self, runner: &str, success: bool) -> Self {
        if !success && self.failed.is_empty() {
            self.failed.push(format!("{runner}: it failed without naming a test"));
        }
        if success && self.is_empty() {
            self.failed.push(format!("{runner}: it ran no test"));
        }
        self
    }

    /// Reads what Rust's test harness prints. Tests that find something missing print `SKIP name: reason` and return,
    /// which the harness takes for passed; they are counted as skipped.
    pub(crate) fn from_libtest(text: &str) -> Self {
        let mut tally = Self::default();
        let mut passed = 0;
        let mut ended = false;
        let mut seen = BTreeSet::new();
        for line in text.lines() {
            if let Some(summary) = line.strip_prefix("test result: ") {
                passed += count(summary, "passed");
                ended = true;
            } else if let Some((name, reason)) = skip_line(line) {
                if seen.insert(name.to_owned()) {
                    tally.skipped.push(Skip {
                        name: name.to_owned(),
                        reason: reason.to_owned(),
                    });
                }
            } else if let Some((name, outcome)) = line.strip_prefix("test ").and_then(|line| line.split_once(" ... ")) {
                if outcome.starts_with("FAILED") {
                    tally.failed.push(name.to_owned());
                } else if let Some(reason) = outcome.strip_prefix("ignored") {
                    let reason = reason.trim_start_matches([',', ' ']);
                    let reason = if reason.is_empty() { "ignored" } else { reason };
                    tally.skipped.push(Skip {
                        name: name.to_owned(),
                        reason: reason.to_owned(),
                    });
                }
            }
        }
        if !ended && !text.contains("test result: ") && text.contains("running ") {
            tally
                .failed
                .push("the test program ended before its last test".to_owned());
        }
        // With one thread the harness prints the name first and the outcome on a line of its own, if the test printed.
        for failed in failures(text) {
            if !tally.failed.contains(&failed) {
                tally.failed.push(failed);
            }
        }
        tally.passed = usize::saturating_sub(passed, seen.len());
        tally
    }

    /// Reads vitest's JSON report.
    pub(crate) fn from_vitest(report: &Value) -> Self {
        let mut tally = Self::default();
        for file in elements(&report["testResults"]) {
            let tests = elements(&file["assertionResults"]);
            if tests.is_empty() && file["status"] == "failed" {
                tally.failed.push(text(&file["name"]));
            }
            for test in tests {
                let name = text(&test["fullName"]);
                match test["status"].as_str() {
                    Some("passed") => tally.passed += 1,
                    Some("failed") => tally.failed.push(name),
                    _ => tally.skipped.push(Skip {
                        name,
                        reason: "marked to be skipped".to_owned(),
                    }),
                }
            }
        }
        tally
    }

    /// Reads Playwright's JSON report. A test that passed only when repeated has failed.
    pub(crate) fn from_playwright(report: &Value) -> Self {
        let mut tally = Self::default();
        for error in elements(&report["errors"]) {
            tally.failed.push(
                text(&error["message"])
                    .lines()
                    .next()
                    .unwrap_or("an error outside of a test")
                    .to_owned(),
            );
        }
        for suite in elements(&report["suites"]) {
            tally.add_playwright_suite(suite, "");
        }
        tally
    }

    fn add_playwright_suite(&mut self, suite: &Value, above: &str) {
        let title = joined(above, &text(&suite["title"]));
        for spec in elements(&suite["specs"]) {
            let name = joined(&title, &text(&spec["title"]));
            for test in elements(&spec["tests"]) {
                match test["status"].as_str() {
                    Some("expected") => self.passed += 1,
                    Some("skipped") => {
                        let reason = elements(&test["annotations"])
                            .iter()
                            .find_map(|annotation| annotation["description"].as_str())
                            .unwrap_or("marked to be skipped");
                        self.skipped.push(Skip {
                            name: name.clone(),
                            reason: reason.to_owned(),
                        });
                    }
                    Some("flaky") => self.failed.push(format!("{name} (passed only when repeated)")),
                    _ => self.failed.push(name.clone()),
                }
            }
        }
        for inner in elements(&suite["suites"]) {
            self.add_playwright_suite(inner, &title);
        }
    }
}

fn skip_line(line: &str) -> Option<(&str, &str)> {
    // With one thread the line may stand behind the name that the harness has begun a line with.
    let start = if line.starts_with("SKIP ") {
        0
    } else {
        line.find(" ... SKIP ")? + " ... ".len()
    };
    line[start + "SKIP ".len()..].split_once(": ")
}

/// The names below the harness's last headline `failures:`.
fn failures(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if line != "failures:" {
            continue;
        }
        // The first such headline is followed by the tests' output, the second by their names, indented.
        while let Some(name) = lines.next_if(|line| line.starts_with("    ")) {
            names.push(name.trim().to_owned());
        }
    }
    names
}

/// The number before a word, in `ok. 5 passed; 0 failed; 1 ignored`.
fn count(summary: &str, word: &str) -> usize {
    summary
        .split([';', '.'])
        .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
        .unwrap_or(0)
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn joined(above: &str, title: &str) -> String {
    if above.is_empty() {
        title.to_owned()
    } else {
        format!("{above} › {title}")
    }
}

/// One row of the closing table.
pub(crate) struct Row {
    pub(crate) stage: &'static str,
    pub(crate) tally: Tally,
    pub(crate) took: Duration,
}

/// Prints what was skipped and what failed by name, the table, and the one line that says it all. Says whether
/// everything passed.
pub(crate) fn close(rows: &[Row]) -> bool {
    let mut sum = Tally::default();
    for row in rows {
        sum.add(row.tally.clone());
    }
    if !sum.skipped.is_empty() {
        output::line("\nSkipped:");
    }
    for row in rows {
        for skip in &row.tally.skipped {
            output::line(format!("  {}: {}: {}", row.stage, skip.name, skip.reason));
        }
    }
    if !sum.failed.is_empty() {
        output::line("\nFailed:");
    }
    for row in rows {
        for name in &row.tally.failed {
            output::line(format!("  {}: {name}", row.stage));
        }
    }
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                row.stage.to_owned(),
                row.tally.passed.to_string(),
                row.tally.failed.len().to_string(),
                row.tally.skipped.len().to_string(),
                format!("{} s", row.took.as_secs()),
            ]
        })
        .collect();
    output::line(format!(
        "\n{}",
        output::table(&["stage", "passed", "failed", "skipped", "time"], &cells)
    ));
    output::line(last_line(&sum));
    sum.failed.is_empty()
}

fn last_line(sum: &Tally) -> String {
    format!(
        "{} passed, {} failed, {} skipped",
        sum.passed,
        sum.failed.len(),
        sum.skipped.len()
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rust_tests_are_counted_over_all_programs() {
        let text = "running 3 tests\n\
            test a::passes ... ok\n\
            test a::waits ... ignored, needs a printer\n\
            test a::breaks ... FAILED\n\n\
            failures:\n\n---- a::breaks stdout ----\nassertion failed\n\n\
            failures:\n    a::breaks\n\n\
            test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
            running 1 test\ntest b ... ok\n\
            test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        let tally = Tally::from_libtest(text);
        assert_eq!(tally.passed, 2);
        assert_eq!(tally.failed, ["a::breaks"]);
        assert_eq!(
            tally.skipped,
            [Skip {
                name: "a::waits".into(),
                reason: "needs a printer".into()
            }]
        );
    }

    #[test]
    fn a_test_that_skips_itself_has_not_passed() {
        let text = "running 2 tests\nSKIP boots: no QEMU is installed: try apt\ntest boots ... ok\ntest other ... ok\n\
            test result: ok. 2 passed; 0 failed; 0 ignored\n";
        let tally = Tally::from_libtest(text);
        assert_eq!(tally.passed, 1);
        assert_eq!(
            tally.skipped,
            [Skip {
                name: "boots".into(),
                reason: "no QEMU is installed: try apt".into()
            }]
        );
    }

    #[test]
    fn with_one_thread_outcomes_stand_on_lines_of_their_own() {
        let text = "running 2 tests\ntest boots ... SKIP boots: no QEMU\nok\ntest breaks ... said something\nFAILED\n\
            \nfailures:\n\nfailures:\n    breaks\n\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\n";
        let tally = Tally::from_libtest(text);
        assert_eq!((tally.passed, tally.skipped.len()), (0, 1));
        assert_eq!(tally.failed, ["breaks"]);
    }

    #[test]
    fn a_test_program_that_dies_has_failed() {
        let tally = Tally::from_libtest("running 2 tests\ntest a ... ok\n");
        assert_eq!(tally.failed.len(), 1, "nothing says what became of the second test");
    }

    #[test]
    fn a_runner_that_ran_nothing_has_failed() {
        assert_eq!(Tally::default().confirmed("vitest", true).failed.len(), 1);
        assert_eq!(Tally::default().confirmed("vitest", false).failed.len(), 1);
        assert!(Tally::pass().confirmed("vitest", true).failed.is_empty());
    }

    #[test]
    fn vitest_counts_files_that_do_not_load() {
        let report = json!({ "testResults": [
            { "name": "broken.test.ts", "status": "failed", "assertionResults": [] },
            { "name": "rows.test.ts", "status": "passed", "assertionResults": [
                { "fullName": "sorts", "status": "passed" },
                { "fullName": "later", "status": "skipped" },
                { "fullName": "breaks", "status": "failed" },
            ] },
        ] });
        let tally = Tally::from_vitest(&report);
        assert_eq!(tally.passed, 1);
        assert_eq!(tally.failed, ["broken.test.ts", "breaks"]);
        assert_eq!(tally.skipped.len(), 1);
    }

    #[test]
    fn playwright_suites_nest() {
        let report = json!({ "errors": [], "suites": [ { "title": "run.spec.ts", "specs": [], "suites": [
            { "title": "Run", "specs": [
                { "title": "runs", "tests": [ { "status": "expected", "annotations": [] } ] },
                { "title": "tray", "tests": [
                    { "status": "skipped", "annotations": [ { "type": "skip", "description": "no tray here" } ] },
                ] },
                { "title": "stops", "tests": [ { "status": "flaky", "annotations": [] } ] },
                { "title": "pulls", "tests": [ { "status": "unexpected", "annotations": [] } ] },
            ] },
        ] } ] });
        let tally = Tally::from_playwright(&report);
        assert_eq!(tally.passed, 1);
        assert_eq!(
            tally.skipped,
            [Skip {
                name: "run.spec.ts › Run › tray".into(),
                reason: "no tray here".into()
            }]
        );
        assert_eq!(tally.failed.len(), 2, "what passes only when repeated has failed");
    }

    #[test]
    fn the_last_line_is_the_sum() {
        let mut sum = Tally::pass();
        sum.add(Tally::fail("a"));
        sum.add(Tally::skip("b", "why"));
        assert_eq!(last_line(&sum), "1 passed, 1 failed, 1 skipped");
    }
}
