//! A mistake of ours becomes a notice with a report. The hook is the whole process's, so this test is alone here.

use futures::StreamExt as _;
use serde_json::Value;
use wherry_app::{App, Code, Event, Inputs};
use wherry_machine::Home;

#[tokio::test]
async fn a_panic_is_told_with_a_report() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let app = App::new(Home::at(folder.path()), folder.path().join("no-program")).expect("an app");
    wherry_app::report_panics(&app);
    let mut events = app
        .open("app.events", Value::Null, Inputs::none())
        .await
        .expect("events");
    let panicked = tokio::spawn(async { panic!("the mast broke") }).await;
    assert!(panicked.is_err());
    let problem = loop {
        let event = events.next().await.expect("an event").expect("no problem");
        if let Event::Notice { problem } = serde_json::from_str(&event).expect("an event") {
            break problem;
        }
    };
    assert_eq!(problem.code, Code::Panic);
    let report = problem.causes.concat();
    for part in [
        "the mast broke",
        "tests/panics.rs",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
    ] {
        assert!(report.contains(part), "{part}: {report}");
    }
}
