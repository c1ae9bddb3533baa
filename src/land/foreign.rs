//! Files that landing does not read: told by their first bytes, with what to do about them.

use crate::error::{Error, Result};

/// What begins such a file, what it is, and what to do.
const SIGNATURES: [(&[u8], &str, &str); 21] = [
    (b"\x1f\x8b", "compressed twice", UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed twice", UNPACK),
    (b"BZh", "compressed with bzip2", "unpack it first (bunzip2); gzip and zstd are read as they are"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it first (unxz); gzip and zstd are read as they are"),
    (
        b"\x04\x22\x4d\x18",
        "compressed with lz4",
        "unpack it first (unlz4); gzip and zstd are read as they are",
    ),
    (b"\xff\x06\0\0sNaPpY", "compressed with Snappy", UNPACK),
    (b"\x1f\x9d", "compressed with compress", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it, and land the files in it"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it, and land the files in it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook (xls)", SPREADSHEET),
    (b"%PDF-", "a PDF document", "ask its source for CSV, JSON or Parquet"),
    (b"ORC", "an ORC file", COLUMNAR),
    (b"Obj\x01", "an Avro file", COLUMNAR),
    (b"ARROW1", "an Arrow file", COLUMNAR),
    (b"FEA1", "a Feather file", COLUMNAR),
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"SQLite format 3\0", "an SQLite database", "export its table as CSV"),
    (b"{\\rtf", "a text document (RTF)", "save it as plain text"),
    (b"<?xml", "XML", "write it as CSV, JSON or Parquet"),
    (b"<!DOCTYPE", "a web page", "it may be an error page in place of the file: get the file again"),
    (b"<html", "a web page", "it may be an error page in place of the file: get the file again"),
];

const UNPACK: &str = "unpack it first; gzip and zstd are read as they are";
const SPREADSHEET: &str = "save the sheet as CSV (UTF-8), and land that";
const COLUMNAR: &str = "write it as Parquet, CSV or JSON";
/// Where a tar archive says what it is.
const TAR: usize = 257;

/// Refuses a file of another kind by its head.
///
/// # Errors
/// The kind by name, and what to do.
pub(super) fn refuse(name: &str, head: &[u8]) -> Result<()> {
    let is = |what: &str, hint: &str| Err(Error::data(format!("{name} is {what}"), hint));
    let encoding = match *head {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        // Without a mark: each second byte of plain letters is zero.
        [0, letter, 0, other, ..] | [letter, 0, other, 0, ..] if letter > 0 && other > 0 => Some("UTF-16"),
        _ => None,
    };
    if let Some(encoding) = encoding {
        let hint = format!("write it as UTF-8: iconv -f {encoding} -t UTF-8 FILE > NEW");
        return is(encoding, &hint);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        let has = |part: &[u8]| head.windows(part.len()).any(|bytes| bytes == part);
        let lower = name.to_ascii_lowercase();
        return if has(b"xl/") || lower.ends_with(".xlsx") || lower.ends_with(".xlsm") {
            is("an Excel workbook", SPREADSHEET)
        } else if has(b"opendocument.spreadsheet") {
            is("an OpenDocument spreadsheet", SPREADSHEET)
        } else {
            is("a ZIP file", "unpack it, and land the files in it")
        };
    }
    if head.get(TAR..TAR + 5) == Some(b"ustar") {
        return is("a tar archive", "unpack it (tar -xf), and land the files in it");
    }
    // Letters may as well begin a header.
    let is_binary = head.iter().take(512).any(|byte| matches!(byte, 0..=8 | 14..=31));
    let begins = |signature: &[u8]| {
        let Some(start) = head.get(..signature.len()) else { return false };
        match signature[0] {
            b'<' => start.eq_ignore_ascii_case(signature),
            letter => start == signature && (is_binary || !letter.is_ascii_alphabetic()),
        }
    };
    match SIGNATURES.iter().find(|(signature, ..)| begins(signature)) {
        Some((_, what, hint)) => is(what, hint),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_told_by_name() {
        let mut tar = vec![b'a'; TAR];
        tar.extend_from_slice(b"ustar\0");
        for (head, what) in [
            (b"\xff\xfeu\0s\0".as_slice(), "f is UTF-16"),
            (b"\xfe\xff\0u\0s", "f is UTF-16"),
            (b"u\0s\0", "f is UTF-16"),
            (b"\xff\xfe\0\0u\0\0\0", "f is UTF-32"),
            (b"PK\x03\x04..xl/workbook.xml", "f is an Excel workbook"),
            (b"PK\x03\x04..a.csv", "f is a ZIP file"),
            (b"BZh91AY\x01", "f is compressed with bzip2"),
            (b"\xfd7zXZ\0", "f is compressed with xz"),
            (b"<!doctype html>", "f is a web page"),
            (&tar, "f is a tar archive"),
        ] {
            assert_eq!(refuse("f", head).unwrap_err().to_string(), what);
        }
        for head in [b"".as_slice(), b"a,b\n", b"{}", b"\xef\xbb\xbfa", b"ORCID,b", b"PARENT,b", b"a\0"] {
            assert!(refuse("f", head).is_ok(), "{head:?}");
        }
    }
}
