//! The guest's first program: mounts, network, clock, disk and engine; answers the link.
//!
//! The kernel starts it as process 1. dockerd starts it too, once for each published port, in the place of its
//! own userland proxy.

#[cfg(target_os = "linux")]
mod guest;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    guest::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    use std::io::Write;

    let _ = writeln!(std::io::stderr(), "wherry-agent runs only in the machine.");
    std::process::ExitCode::FAILURE
}
