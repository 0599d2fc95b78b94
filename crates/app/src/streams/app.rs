use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::broadcast::error::RecvError;

use crate::tasks::Tasks;
use crate::{App, Event, Problem, Topic};

/// First what is so now, then what changes. Listening begins before looking, so that nothing falls between.
pub(crate) async fn events(app: &App) -> Result<BoxStream<'static, Result<Event, Problem>>, Problem> {
    let receiver = app.parts.events.subscribe();
    let machine = app.parts.machine_status.clone();
    let tasks = app.parts.tasks.clone();
    let mut first = now(&machine.borrow(), &tasks);
    first.extend(
        app.parts
            .events
            .take_unseen()
            .into_iter()
            .map(|problem| Event::Notice { problem }),
    );
    let later = stream::unfold(
        (receiver, machine, tasks),
        |(mut receiver, machine, tasks)| async move {
            let events = match receiver.recv().await {
                Ok(event) => vec![event],
                // This window was too slow. What it missed is told again as it is now.
                Err(RecvError::Lagged(_)) => now(&machine.borrow(), &tasks),
                Err(RecvError::Closed) => return None,
            };
            Some((events, (receiver, machine, tasks)))
        },
    );
    Ok(stream::iter(first).chain(later.flat_map(stream::iter)).map(Ok).boxed())
}

fn now(machine: &wherry_machine::Status, tasks: &Tasks) -> Vec<Event> {
    let mut events = vec![Event::Machine {
        status: machine.clone(),
    }];
    events.extend(tasks.list().into_iter().rev().map(|task| Event::Task { task }));
    events.extend(Topic::ALL.map(|topic| Event::Changed { topic }));
    events
}
