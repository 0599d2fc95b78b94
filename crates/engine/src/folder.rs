//! Folders in which something is kept for the person alone.

use std::fs::DirBuilder;
use std::io;
use std::path::Path;

/// Makes it, and what is missing above it, open to nobody else. One that is there stays as it is.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.recursive(true).create(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_may_enter_what_is_made() -> io::Result<()> {
        let home = tempfile::tempdir()?;
        let (above, folder) = (home.path().join("wherry"), home.path().join("wherry/last-use"));
        make_private(&folder)?;
        make_private(&folder)?;
        for made in [above, folder] {
            assert_eq!(fs_err::metadata(made)?.permissions().mode() & 0o777, 0o700);
        }
        Ok(())
    }
}
