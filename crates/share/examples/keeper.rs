//! The processes that serve the person's folders, as `wherry keep-files` and `wherry serve-files` are, for whom a minute
//! is five seconds: `tests/keeper.rs` runs them.

#[cfg(target_os = "linux")]
fn main() -> Result<(), wherry_share::Error> {
    use std::path::PathBuf;
    use std::time::Duration;

    use wherry_share::{Begins, keep, serve, stand_by};

    const MINUTE: Duration = Duration::from_secs(5);

    let words: Vec<String> = std::env::args().skip(1).collect();
    let is = |word: &str| words.iter().any(|said| said == word);
    let path = |option: &str| {
        let mut after = words.iter().skip_while(|word| *word != option).skip(1);
        PathBuf::from(after.next().map_or("", String::as_str))
    };
    let (device, control) = (path("--device"), path("--control"));
    if is("keep-files") {
        let keep = if is("--spare") { stand_by } else { keep };
        return keep(&device, &control, MINUTE);
    }
    let begins = match (is("--refuses"), is("--follows")) {
        (true, _) => Begins::Refuses { lasts: MINUTE },
        (false, true) => Begins::Follows,
        (false, false) => Begins::First,
    };
    serve(&device, &control, begins)
}

#[cfg(not(target_os = "linux"))]
fn main() {}
