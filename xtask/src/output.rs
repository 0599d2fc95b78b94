//! What the commands say to the person. Everything printed by xtask itself goes through here, so that it stands in
//! one place how a headline looks, and so that nothing fails when the terminal is gone.

use std::fmt::Write as _;
use std::io::{self, Write as _};

/// A line of the command's result, on standard output.
pub(crate) fn line(text: impl AsRef<str>) {
    let _ = writeln!(io::stdout().lock(), "{}", text.as_ref());
}

/// What is being done now, on standard error, set apart from the output of the programs that do it.
pub(crate) fn doing(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "\n── {}", text.as_ref());
}

/// Something that does not stop the work and that the person should know, on standard error.
pub(crate) fn warning(text: impl AsRef<str>) {
    let _ = writeln!(io::stderr().lock(), "Note: {}", text.as_ref());
}

/// An error with its reasons and what to do about it, on standard error.
pub(crate) fn error(error: &crate::Error) {
    let mut text = format!("xtask: {error}\n");
    let mut cause = std::error::Error::source(error);
    while let Some(reason) = cause {
        let _ = writeln!(text, "  because: {reason}");
        cause = reason.source();
    }
    if let Some(hint) = error.hint() {
        let _ = writeln!(text, "  {hint}");
    }
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Rows under a headline, every column as wide as its widest cell; the first column to the left, the others to the
/// right.
pub(crate) fn table(headline: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headline.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let render = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            if column == 0 {
                let _ = write!(text, "{cell:<width$}");
            } else {
                let _ = write!(text, "  {cell:>width$}");
            }
        }
        text.push('\n');
        text
    };
    let mut text = render(&mut headline.iter().copied());
    for row in rows {
        text.push_str(&render(&mut row.iter().map(String::as_str)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "10".into()], vec!["long".into(), "9".into()]];
        assert_eq!(table(&["name", "n"], &rows), "name   n\na     10\nlong   9\n");
    }
}
