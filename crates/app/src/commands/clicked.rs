use crate::clicked::{Clicked, ClickedScript, Script};
use crate::{App, ClickedForget, Code, Problem, SavedScript};

pub(crate) async fn list(app: &App) -> Result<Vec<Clicked>, Problem> {
    Ok(app.parts.clicked.list())
}

pub(crate) async fn script(app: &App, wanted: ClickedScript) -> Result<Script, Problem> {
    Ok(app.parts.clicked.script(&wanted))
}

/// Never over a file that is there.
pub(crate) async fn save(app: &App, wanted: ClickedScript) -> Result<SavedScript, Problem> {
    let script = app.parts.clicked.script(&wanted);
    let unsaved = |error: std::io::Error| Problem {
        causes: vec![error.to_string()],
        ..Problem::plain(Code::Other, "Could not save the script")
    };
    let folder = crate::diagnose::downloads();
    let (stem, extension) = script.name.rsplit_once('.').unwrap_or((&script.name, "txt"));
    for nth in 1..1000 {
        let name = if nth == 1 {
            script.name.clone()
        } else {
            format!("{stem}-{nth}.{extension}")
        };
        let path = folder.join(name);
        match fs_err::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                std::io::Write::write_all(&mut file, script.text.as_bytes()).map_err(unsaved)?;
                return Ok(SavedScript {
                    path: path.display().to_string(),
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(unsaved(error)),
        }
    }
    Err(Problem::plain(
        Code::Other,
        "Too many scripts are in the folder already",
    ))
}

pub(crate) async fn forget(app: &App, forget: ClickedForget) -> Result<(), Problem> {
    app.parts.clicked.forget(&forget.ids).map_err(|error| Problem {
        causes: vec![error.to_string()],
        ..Problem::plain(Code::Other, "Could not forget it")
    })
}
