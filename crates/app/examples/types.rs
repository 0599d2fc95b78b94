//! Prints the TypeScript side of the table, for `cargo xtask types`.

fn main() {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(wherry_app::typescript().as_bytes());
}
