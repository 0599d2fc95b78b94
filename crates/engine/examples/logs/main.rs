//! What a long log costs, without an engine behind it: one process writes what an engine would, this one takes it in,
//! jumps about in it and searches it. `cargo xtask bench logs` runs it.
//!
//! `logs LINES LENGTH [coloured]` prints the figures of one run as JSON. Ends with an error where a search finds a wrong number.

#[cfg(unix)]
mod reader;
#[cfg(unix)]
mod server;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    match [words.next(), words.next(), words.next()] {
        [Some(serve), Some(socket), None] if serve == "serve" => server::run(socket.as_ref()),
        [Some(lines), Some(length), colours] if colours.as_deref().is_none_or(|word| word == server::COLOURED) => {
            reader::run(lines.parse()?, length.parse()?, colours.is_some())
        }
        _ => Err("logs LINES LENGTH [coloured]".into()),
    }
}

#[cfg(not(unix))]
fn main() {}
