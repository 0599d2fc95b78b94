use wherry_engine::{DockerCommand, Greeting, KnownRegistry, Login, Secret};

use crate::registries::{address, entry};
use crate::{
    App, Code, Problem, RegistryEntry, RegistryInsecure, RegistryList, RegistryLogin, RegistryLook, RegistryRef, Topic,
};

pub(crate) async fn list(app: &App) -> Result<RegistryList, Problem> {
    let known = app.parts.logins.known().await?;
    let settings = app.registry_settings().await;
    Ok(RegistryList {
        registries: known.into_iter().map(|known| entry(known, settings.as_ref())).collect(),
        engine: settings,
        own_engine: app.uses_own_engine().await,
    })
}

pub(crate) async fn look(app: &App, registry: RegistryRef) -> Result<RegistryLook, Problem> {
    let address = address(&registry)?;
    let places = app.parts.logins.places(&address).await?;
    let greeting = match app.registry(&address, None).await {
        Ok(client) => client.greet().await.map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    let (greeting, problem) = match greeting {
        Ok(greeting) => (Some(greeting), None),
        Err(problem) => (None, Some(problem)),
    };
    Ok(RegistryLook {
        address,
        places,
        config: DockerCommand::of_this_user()?.config_file().display().to_string(),
        greeting,
        problem,
    })
}

pub(crate) async fn check(app: &App, registry: RegistryRef) -> Result<Greeting, Problem> {
    let address = address(&registry)?;
    let client = app.registry_as_person(&address).await?;
    // Nobody in particular may be refused, and the registry is well all the same.
    let asked = if client.has_login() {
        client.sign_in().await
    } else {
        client.greet().await
    };
    Ok(asked?)
}

pub(crate) async fn login(app: &App, login: RegistryLogin) -> Result<Greeting, Problem> {
    let address = address(&RegistryRef {
        registry: login.registry,
    })?;
    if login.user.trim().is_empty() || login.secret.is_empty() {
        return Err(Problem::plain(Code::Invalid, "A user or a secret is missing"));
    }
    let person = Login {
        user: login.user.trim().to_owned(),
        secret: Secret(login.secret),
        is_token: false,
    };
    let failed = |problem: Problem| problem.during(format!("Could not sign in to {address}"));
    let client = app.registry(&address, Some(person.clone())).await.map_err(failed)?;
    let greeting = client.sign_in().await.map_err(|error| failed(Problem::from(error)))?;
    let kept = app.parts.logins.keep(&address, person, &login.place).await;
    kept.map_err(|error| failed(Problem::from(error)))?;
    app.parts.events.changed(Topic::Registries);
    Ok(greeting)
}

pub(crate) async fn logout(app: &App, registry: RegistryRef) -> Result<(), Problem> {
    let address = address(&registry)?;
    let failed = |problem: Problem| problem.during(format!("Could not sign out of {address}"));
    let forgotten = app.parts.logins.forget(&address).await;
    app.parts.events.changed(Topic::Registries);
    forgotten.map_err(|error| failed(Problem::from(error)))
}

pub(crate) async fn add(app: &App, registry: RegistryRef) -> Result<RegistryEntry, Problem> {
    let address = address(&registry)?;
    app.parts.logins.set_added(&address, true).await?;
    app.parts.events.changed(Topic::Registries);
    let known = KnownRegistry {
        address,
        added: true,
        login: None,
    };
    Ok(entry(known, app.registry_settings().await.as_ref()))
}

pub(crate) async fn insecure(app: &App, insecure: RegistryInsecure) -> Result<(), Problem> {
    let address = address(&RegistryRef {
        registry: insecure.registry,
    })?;
    app.set_insecure(&address, insecure.allowed).await
}

/// Signs out, too: a login that is listed nowhere would be one that nobody takes back.
pub(crate) async fn remove(app: &App, registry: RegistryRef) -> Result<(), Problem> {
    let address = address(&registry)?;
    app.parts.logins.set_added(&address, false).await?;
    logout(app, registry).await
}
