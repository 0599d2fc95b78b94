//! One file as the archive that engines give and take.

use std::io;

use bytes::Bytes;

use super::{FileContent, FileOwner, NewFile, file_name};
use crate::Error;

/// What is shown and edited as text.
const LONGEST_TEXT: u64 = 1 << 20;

pub(super) fn read_content(reader: impl io::Read) -> io::Result<Option<FileContent>> {
    let mut archive = tar::Archive::new(reader);
    let Some(entry) = archive.entries()?.next() else {
        return Ok(None);
    };
    let entry = entry?;
    let header = entry.header();
    if !header.entry_type().is_file() {
        return Ok(None);
    }
    let mut content = FileContent {
        path: String::new(),
        size: entry.size(),
        modified: i64::try_from(header.mtime()?).unwrap_or_default(),
        mode: header.mode()? & 0o7777,
        owner: FileOwner {
            user: u32::try_from(header.uid()?).unwrap_or_default(),
            group: u32::try_from(header.gid()?).unwrap_or_default(),
        },
        text: None,
    };
    if content.size <= LONGEST_TEXT {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(entry, LONGEST_TEXT), &mut bytes)?;
        content.text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    }
    Ok(Some(content))
}

pub(super) fn header(file: &NewFile, kind: tar::EntryType, size: u64) -> Result<tar::Header, Error> {
    file_name(&file.name)?;
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(file.mode & 0o7777);
    header.set_uid(file.owner.user.into());
    header.set_gid(file.owner.group.into());
    header.set_mtime(u64::try_from(file.modified).unwrap_or_default());
    Ok(header)
}

/// The header as bytes, with another one before it when the name is long.
pub(super) fn pack_header(header: &mut tar::Header, name: &str) -> Result<Bytes, Error> {
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_data(header, name, io::empty())
        .map_err(|source| Error::Garbled { source: source.into() })?;
    Ok(Bytes::from(builder.get_ref().clone()))
}
