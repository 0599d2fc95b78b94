use crate::clicked::{Clicked, ClickedScript, Script};
use crate::saved::Saving;
use crate::{App, ClickedForget, ClickedSave, Code, Problem, Saved};

pub(crate) async fn list(app: &App) -> Result<Vec<Clicked>, Problem> {
    Ok(app.parts.clicked.list())
}

pub(crate) async fn script(app: &App, wanted: ClickedScript) -> Result<Script, Problem> {
    Ok(app.parts.clicked.script(&wanted))
}

pub(crate) async fn save(app: &App, wanted: ClickedSave) -> Result<Saved, Problem> {
    let script = app.parts.clicked.script(&wanted.script);
    let mut saving = Saving::begin(&script.name, wanted.to.as_deref())?;
    saving.write(script.text.as_bytes())?;
    saving.done()
}

pub(crate) async fn forget(app: &App, forget: ClickedForget) -> Result<(), Problem> {
    app.parts.clicked.forget(&forget.ids).map_err(|error| Problem {
        causes: vec![error.to_string()],
        ..Problem::plain(Code::Other, "Could not forget it")
    })
}
