//! A clean clone has no built UI, and checking the code needs none: an empty folder then stands in for it, and the
//! window says that the UI is missing. `cargo xtask build` and `cargo xtask run` build the UI first.

use std::path::Path;

const UI: &str = "../ui/dist";

fn main() {
    if !Path::new(UI).exists()
        && let Err(error) = std::fs::create_dir_all(UI)
    {
        println!("cargo:warning=could not create {UI}: {error}");
    }
    // The files are named by their content; without this a new build of the UI would not get into the program.
    println!("cargo:rerun-if-changed={UI}");
    tauri_build::build();
}
