//! The TypeScript in the repository is that of the table.

#[test]
fn the_generated_file_is_current() -> std::io::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ui/src/lib/api/generated.ts");
    let written = fs_err::read_to_string(path)?;
    assert!(
        written == wherry_app::typescript(),
        "ui/src/lib/api/generated.ts is older than the table: run `cargo xtask types`"
    );
    Ok(())
}
