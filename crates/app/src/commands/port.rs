use std::net::IpAddr;

use crate::port::{self, Published};
use crate::{App, Code, PortAnswer, PortQuestion, Problem};

pub(crate) async fn check(app: &App, question: PortQuestion) -> Result<PortAnswer, Problem> {
    let address = match question
        .address
        .as_deref()
        .map(str::trim)
        .filter(|address| !address.is_empty())
    {
        None => None,
        Some(text) => Some(text.parse::<IpAddr>().map_err(|_| {
            Problem::plain(
                Code::Invalid,
                format!("{text:?} is not an address of this computer, like 127.0.0.1"),
            )
        })?),
    };
    if question.port == 0 {
        return Err(Problem::plain(Code::Invalid, "A port is a number from 1 to 65535"));
    }
    // A form can be filled in while the engine is away.
    let (published, local) = match app.engine().await {
        Ok(engine) => (
            Published::of(&engine.containers(false).await.unwrap_or_default()),
            port::is_local(&engine),
        ),
        Err(_) => (Published::of(&[]), true),
    };
    let PortQuestion { port, protocol, .. } = question;
    tokio::task::spawn_blocking(move || port::look(address, port, protocol, &published, local))
        .await
        .map_err(|error| Problem {
            why: None,
            causes: vec![error.to_string()],
            ..Problem::plain(Code::Other, "Could not look at the port")
        })
}
