//! `wherry doctor`: what is well, what is not, why, and what to type.

use std::path::Path;
use std::process::ExitCode;

use wherry_app::{App, Check, CheckGroup, DiagnoseRequest, DoctorRequest, Examination, Verdict};

use crate::{Ended, output};

pub(crate) async fn doctor(app: &App, registry: Option<String>, json: bool) -> Result<ExitCode, Ended> {
    let examination = app.examine(DoctorRequest { registry }).await?;
    if json {
        output::json(&examination)?;
    } else {
        output::lines(words(&examination))?;
    }
    let broken = examination.checks.iter().any(|check| check.verdict == Verdict::Fail);
    Ok(if broken { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

pub(crate) async fn diagnose(app: &App, to: &Path, registry: Option<String>) -> Result<ExitCode, Ended> {
    // The file is made by this process, so a path from here is one from the folder that the person is in.
    let path = std::path::absolute(to)?.display().to_string();
    let bundle = app
        .diagnose(DiagnoseRequest {
            path: Some(path),
            registry,
        })
        .await?;
    let files = bundle.files.iter().map(|file| {
        let hidden = match file.hidden {
            0 => String::new(),
            count => format!(", {count} hidden"),
        };
        format!("  {:<28} {} kB{hidden}", file.name, file.bytes.div_ceil(1000))
    });
    output::lines(files)?;
    output::line(&format!(
        "Wrote {}, {} kB. Read it before you hand it on; it was sent nowhere.",
        bundle.path,
        bundle.bytes.div_ceil(1000)
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn words(examination: &Examination) -> Vec<String> {
    let mut lines = Vec::new();
    for (group, title) in [
        (CheckGroup::Engine, "Engine"),
        (CheckGroup::Network, "Network"),
        (CheckGroup::Computer, "This computer"),
    ] {
        lines.push(title.to_owned());
        for check in examination.checks.iter().filter(|check| check.group == group) {
            told(check, &mut lines);
        }
    }
    let count = |verdict| {
        examination
            .checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    };
    lines.push(format!(
        "{} well, {} to look at, {} broken, {} not looked at; took {}.{} s",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::Fail),
        count(Verdict::Skip),
        examination.millis / 1000,
        examination.millis % 1000 / 100
    ));
    lines
}

fn told(check: &Check, lines: &mut Vec<String>) {
    let mark = match check.verdict {
        Verdict::Pass => "ok",
        Verdict::Warn => "look",
        Verdict::Fail => "bad",
        Verdict::Skip => "-",
    };
    let line = format!(
        "  {mark:<5} {:<12} {:<44} {}",
        check.name,
        check.title,
        check.detail.as_deref().unwrap_or_default()
    );
    lines.push(line.trim_end().to_owned());
    let mut more = |what: &str, text: &str| lines.push(format!("        {what} {text}"));
    if let Some(why) = &check.why {
        more("Why:", why);
    }
    if let Some(advice) = &check.advice {
        more("Do: ", advice);
    } else if let Some(fix) = &check.fix {
        more("Do: ", &fix.command);
    }
}
