//! Every suite, in stages. A stage that fails does not keep the others from showing what they have to show; a stage
//! whose inputs cannot be built has failed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::deps::Need;
use crate::process::Background;
use crate::programs::TestProgram;
use crate::report::{Row, Tally};
use crate::{Error, check, cross, deps, output, process, programs, report, workspace};

struct Stage {
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    inputs: &'static [Input],
    run: fn(&Inputs, &Path) -> Result<Tally, Error>,
}

/// What stages share, made once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// `ui/dist`
    Interface,
    /// Every program and every test program.
    Programs,
    /// The machine's image.
    Image,
}

/// Cheap ones first, so that what is likely to be wrong is known soon.
const STAGES: &[Stage] = &[
    Stage {
        name: "check",
        about: "format, lints, types, the generated file",
        needs: &[Need::Interface, Need::Window],
        inputs: &[Input::Interface],
        run: |_, log| Ok(check::all(log)),
    },
    Stage {
        name: "unit",
        about: "tests of every crate, some of them on a real engine",
        needs: &[Need::Interface, Need::Window, Need::Engine, Need::Package],
        inputs: &[Input::Interface, Input::Programs],
        run: unit,
    },
    Stage {
        name: "ui",
        about: "unit tests of the interface",
        needs: &[Need::Interface],
        inputs: &[],
        run: vitest,
    },
    Stage {
        name: "windows",
        about: "type check for Windows",
        needs: &[Need::Interface, Need::OtherSystems],
        inputs: &[Input::Interface],
        run: |_, log| cross::check(cross::System::Windows, log),
    },
    Stage {
        name: "macos",
        about: "type check for macOS",
        needs: &[Need::Interface, Need::OtherSystems],
        inputs: &[Input::Interface],
        run: |_, log| cross::check(cross::System::MacOs, log),
    },
    Stage {
        name: "e2e",
        about: "the interface in a browser, on a real engine",
        needs: &[Need::Interface, Need::Window, Need::Engine, Need::Browser],
        inputs: &[Input::Interface, Input::Programs],
        run: playwright,
    },
    Stage {
        name: "window",
        about: "the real window on a display that nobody sees",
        needs: &[
            Need::Interface,
            Need::Window,
            Need::Engine,
            Need::Display,
            Need::Machine,
            Need::Image,
        ],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("window", inputs, log),
    },
    Stage {
        name: "guest",
        about: "real machines, booted",
        needs: &[Need::Interface, Need::Window, Need::Machine, Need::Image, Need::Engine],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("guest", inputs, log),
    },
    Stage {
        name: "clients",
        about: "docker's own clients against the machine's socket",
        needs: &[Need::Interface, Need::Window, Need::Machine, Need::Image, Need::Engine],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("clients", inputs, log),
    },
    Stage {
        name: "files",
        about: "shared folders as file systems: suites in full and 100,000 races by name, a part among all",
        needs: &[Need::Interface, Need::Window, Need::Machine, Need::Image, Need::Engine],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("files", inputs, log),
    },
    Stage {
        name: "faults",
        about: "everything killed at random moments: 200 times by name, a few times among all",
        needs: &[Need::Interface, Need::Window, Need::Machine, Need::Image, Need::Engine],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("faults", inputs, log),
    },
    Stage {
        name: "why",
        about: "containers that die or are not reached, with servers that weigh hundreds of megabytes; by name only",
        needs: &[Need::Interface, Need::Window, Need::Engine],
        inputs: &[Input::Interface, Input::Programs],
        run: |inputs, log| {
            let programs = inputs.programs().iter();
            let mut why =
                programs.filter(|program| program.suite && program.package == "engine" && program.name == "why");
            match why.next() {
                Some(program) => Ok(run_program(program, true, log)?.confirmed("why", true)),
                None => Ok(Tally::fail("the package engine has no suite why")),
            }
        },
    },
    Stage {
        name: "docker-py",
        about: "docker-py's own tests, all of them, on the engine and through the machine's socket; by name only",
        needs: &[Need::Interface, Need::Window, Need::Machine, Need::Image, Need::Engine],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("docker-py", inputs, log),
    },
    Stage {
        name: "reach",
        about: "every port of the host's loopback tried from inside of containers; by name only",
        needs: &[Need::Interface, Need::Window, Need::Machine, Need::Image, Need::Engine],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("reach", inputs, log),
    },
    Stage {
        name: "soak",
        about: "connections, commands and containers for an hour, and nothing that grows; by name only",
        needs: &[Need::Interface, Need::Window, Need::Machine, Need::Image, Need::Engine],
        inputs: &[Input::Interface, Input::Programs, Input::Image],
        run: |inputs, log| suite("soak", inputs, log),
    },
];

/// Stages that take too long to be among all. A short form of each is part of another one.
const BY_NAME_ONLY: &[&str] = &["why", "docker-py", "reach", "soak"];

/// Test programs of the package `tests` that are stages of their own; everything else is a unit test.
const SUITES: &[&str] = &[
    "guest",
    "window",
    "clients",
    "files",
    "faults",
    "docker-py",
    "reach",
    "soak",
];

/// The names of all stages and what each is about.
pub(crate) fn list() {
    for stage in STAGES {
        output::line(format!("{:9} {}", stage.name, stage.about));
    }
}

/// Runs the stages of these names, or all of them.
pub(crate) fn run(names: &[String]) -> Result<(), Error> {
    let stages = chosen(names)?;
    let logs = workspace::scratch().join("logs");
    let mut rows = Vec::new();

    let mut needs: Vec<Need> = stages.iter().flat_map(|stage| stage.needs).copied().collect();
    needs.dedup();
    let begun = Instant::now();
    if let Err(error) = deps::install(&needs) {
        // Some of the stages may still have what they need.
        output::error(&error);
        rows.push(Row {
            stage: "install",
            tally: Tally::fail("system packages"),
            took: begun.elapsed(),
        });
    }

    let wanted = |input: Input| stages.iter().any(|stage| stage.inputs.contains(&input));
    // A kernel takes minutes, and so does the rest.
    let image = wanted(Input::Image).then(|| start_image(&logs));
    let mut inputs = Inputs {
        long: !names.is_empty(),
        image: image.map(Image::Building),
        ..Inputs::default()
    };

    for stage in stages {
        let log = logs.join(format!("{}.log", stage.name));
        let _ = fs_err::remove_file(&log);
        let mut missing = None;
        for input in stage.inputs {
            let begun = Instant::now();
            let made = inputs.make(*input);
            let took = begun.elapsed();
            if took > Duration::from_secs(1) {
                let tally = Tally::default();
                rows.push(Row {
                    stage: input.row(),
                    tally,
                    took,
                });
            }
            if let Err(name) = made {
                missing = Some(name);
                break;
            }
        }
        let begun = Instant::now();
        let tally = if let Some(name) = missing {
            Tally::fail(format!("not run: {name} could not be built"))
        } else {
            output::doing(format!("{}: {}", stage.name, stage.about));
            (stage.run)(&inputs, &log).unwrap_or_else(|error| {
                output::error(&error);
                Tally::fail(format!("not run to its end: {error}"))
            })
        };
        rows.push(Row {
            stage: stage.name,
            tally,
            took: begun.elapsed(),
        });
    }
    if report::close(&rows) {
        Ok(())
    } else {
        Err(Error::NotAllPassed)
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static Stage>, Error> {
    if let Some(name) = names
        .iter()
        .find(|name| STAGES.iter().all(|stage| stage.name != **name))
    {
        let known: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
        return Err(Error::Unknown {
            what: "test stage",
            name: name.clone(),
            known: known.join(", "),
        });
    }
    Ok(STAGES
        .iter()
        .filter(|stage| {
            let asked_for = names.iter().any(|name| name == stage.name);
            asked_for || (names.is_empty() && !BY_NAME_ONLY.contains(&stage.name))
        })
        .collect())
}

fn start_image(logs: &Path) -> Result<Background, Error> {
    // Our own program may be replaced by the build that goes on meanwhile; what has started stays what it is.
    let xtask = std::env::current_exe()?;
    let log = logs.join("image.log");
    output::doing(format!(
        "Building the machine's image meanwhile; its log is {}",
        log.display()
    ));
    Background::start(&mut process::command(xtask, ["guest", "--another"]), log)
}

impl Input {
    fn row(self) -> &'static str {
        match self {
            Self::Interface => "· interface",
            Self::Programs => "· programs",
            Self::Image => "· image",
        }
    }
}

#[derive(Default)]
struct Inputs {
    /// The stages were asked for by name: those that have a long form take it.
    long: bool,
    interface: Option<bool>,
    programs: Option<Result<Vec<TestProgram>, ()>>,
    image: Option<Image>,
}

enum Image {
    Building(Result<Background, Error>),
    Built(bool),
}

impl Inputs {
    /// Makes it, unless that was done or tried before. The error is the name of what could not be made; why has been
    /// said then.
    fn make(&mut self, input: Input) -> Result<(), &'static str> {
        let there = match input {
            Input::Interface => *self.interface.get_or_insert_with(|| made(&programs::interface())),
            Input::Programs => self
                .programs
                .get_or_insert_with(|| {
                    output::doing("Building every program");
                    programs::everything().map_err(|error| output::error(&error))
                })
                .is_ok(),
            Input::Image => {
                let built = match self.image.take() {
                    Some(Image::Building(started)) => made(&started.and_then(Background::finish)),
                    Some(Image::Built(built)) => built,
                    None => false,
                };
                self.image = Some(Image::Built(built));
                built
            }
        };
        let name = match input {
            Input::Interface => "the interface",
            Input::Programs => "the programs",
            Input::Image => "the machine's image",
        };
        if there { Ok(()) } else { Err(name) }
    }

    fn programs(&self) -> &[TestProgram] {
        match &self.programs {
            Some(Ok(programs)) => programs,
            Some(Err(())) | None => &[],
        }
    }
}

/// Says why, when it was not.
fn made<T>(outcome: &Result<T, Error>) -> bool {
    if let Err(error) = outcome {
        output::error(error);
    }
    outcome.is_ok()
}

fn unit(inputs: &Inputs, log: &Path) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for program in inputs.programs().iter().filter(|program| !is_stage(program)) {
        tally.add(run_program(program, inputs.long, log)?);
    }
    Ok(tally.confirmed("the unit tests", true))
}

fn suite(name: &str, inputs: &Inputs, log: &Path) -> Result<Tally, Error> {
    let Some(program) = inputs
        .programs()
        .iter()
        .find(|program| is_stage(program) && program.name == name)
    else {
        return Ok(Tally::fail(format!("the package tests has no suite {name}")));
    };
    Ok(run_program(program, inputs.long, log)?.confirmed(name, true))
}

fn is_stage(program: &TestProgram) -> bool {
    program.suite && program.package == "tests" && SUITES.contains(&program.name.as_str())
}

/// Runs a test program as cargo would, without asking cargo, which would choose features for its package alone and
/// build once more.
fn run_program(program: &TestProgram, in_full: bool, log: &Path) -> Result<Tally, Error> {
    let label = if program.suite {
        format!("{} {}", program.package, program.name)
    } else {
        program.package.clone()
    };
    output::line(format!("\n{label}:"));
    let mut command = process::command(&program.path, [] as [&str; 0]);
    command
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder);
    let ended = if in_full {
        process::watch_long(command.env("WHERRY_LONG", "1"), log)?
    } else {
        process::watch(&mut command, log)?
    };
    let tally = Tally::from_libtest(&ended.text);
    if ended.success {
        Ok(tally)
    } else {
        Ok(tally.confirmed(&label, false))
    }
}

fn vitest(_: &Inputs, log: &Path) -> Result<Tally, Error> {
    deps::npm("ui")?;
    let json = fresh_report("vitest.json")?;
    let output = format!("--outputFile.json={}", json.display());
    let arguments = ["vitest", "run", "--reporter=default", "--reporter=json", &output];
    let mut npx = process::command("npx", arguments);
    let ended = process::watch(npx.current_dir(workspace::root().join("ui")), log)?;
    Ok(read_report(&json, Tally::from_vitest)?.confirmed("vitest", ended.success))
}

fn playwright(_: &Inputs, log: &Path) -> Result<Tally, Error> {
    deps::npm("tests/e2e")?;
    let json = fresh_report("playwright.json")?;
    let mut npx = process::command("npx", ["playwright", "test", "--reporter=line,json"]);
    npx.current_dir(workspace::root().join("tests/e2e"))
        .env("PLAYWRIGHT_JSON_OUTPUT_FILE", &json)
        .env("WHERRY_TESTBED", workspace::debug_program("testbed"));
    let ended = process::watch(&mut npx, log)?;
    Ok(read_report(&json, Tally::from_playwright)?.confirmed("Playwright", ended.success))
}

/// Where a test runner is to write its report; what an earlier run left there is gone.
fn fresh_report(name: &str) -> Result<PathBuf, Error> {
    let path = workspace::scratch().join(name);
    fs_err::create_dir_all(workspace::scratch())?;
    if path.exists() {
        fs_err::remove_file(&path)?;
    }
    Ok(path)
}

/// A runner that died wrote none; then nothing has passed, and its exit code says the rest.
fn read_report(path: &Path, read: fn(&Value) -> Tally) -> Result<Tally, Error> {
    if !path.exists() {
        return Ok(Tally::default());
    }
    let report = serde_json::from_slice(&fs_err::read(path)?).map_err(|source| Error::Garbled {
        what: path.display().to_string(),
        source,
    })?;
    Ok(read(&report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_run_in_their_own_order() {
        let names: Vec<&str> = ["unit".to_owned(), "check".to_owned()]
            .chunks(2)
            .flat_map(|names| chosen(names).expect("both are known"))
            .map(|stage| stage.name)
            .collect();
        assert_eq!(names, ["check", "unit"]);
    }

    #[test]
    fn a_stage_that_takes_long_runs_only_by_its_name() {
        let names = |asked: &[String]| -> Vec<&str> {
            let stages = chosen(asked).expect("they are known");
            stages.iter().map(|stage| stage.name).collect()
        };
        assert_eq!(names(&["docker-py".to_owned()]), ["docker-py"]);
        assert!(!names(&[]).contains(&"docker-py"));
    }

    #[test]
    fn an_unknown_stage_is_named_with_those_that_exist() {
        let error = chosen(&["units".to_owned()]).err().expect("there is no such stage");
        assert_eq!(error.to_string(), "There is no test stage named units");
        assert!(error.hint().is_some_and(|hint| hint.contains("unit, ui")));
    }

    #[test]
    fn what_needs_programs_has_the_interface_first() {
        for stage in STAGES.iter().filter(|stage| stage.inputs.contains(&Input::Programs)) {
            assert_eq!(
                stage.inputs.first(),
                Some(&Input::Interface),
                "{} embeds it",
                stage.name
            );
        }
    }

    #[test]
    fn an_image_that_was_never_begun_is_missing() {
        assert_eq!(Inputs::default().make(Input::Image), Err("the machine's image"));
    }
}
