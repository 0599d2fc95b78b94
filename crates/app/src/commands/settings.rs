use crate::{App, Code, EngineChoice, Problem, Settings, Topic};

pub(crate) async fn get(app: &App) -> Result<Settings, Problem> {
    Ok(app.parts.settings.get())
}

pub(crate) async fn set(app: &App, wanted: Settings) -> Result<Settings, Problem> {
    if let EngineChoice::Address { address } = &wanted.engine {
        wherry_engine::Address::parse(address)?;
    }
    if wanted.trash.days == 0 {
        return Err(Problem::plain(
            Code::Invalid,
            "The trash keeps things for one day at the least",
        ));
    }
    let before = app.parts.settings.get();
    let settings = app.parts.settings.change(|settings| *settings = wanted)?;
    app.parts.events.changed(Topic::Settings);
    if settings.trash != before.trash {
        app.trash_changed();
    }
    if settings.engine != before.engine {
        app.parts.engines.choose(settings.engine.clone()).await;
    }
    Ok(settings)
}

pub(crate) async fn reset(app: &App) -> Result<Settings, Problem> {
    app.parts.machine.reset().await?;
    // The welcome was seen, and is not a setting to the person.
    let wanted = Settings {
        welcomed: app.parts.settings.get().welcomed,
        ..Settings::default()
    };
    set(app, wanted).await
}
