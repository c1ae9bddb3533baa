//! What a file is: its compression and format, by its first bytes and by its name.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::PathBuf;

use serde::de::IgnoredAny;

use super::foreign;
use super::gzip::{Members, Trailing};
use super::text::Source;
use crate::error::{Error, Result, While};

/// Where a file's bytes come from.
pub enum Input {
    /// A local file; Parquet needs one.
    File(PathBuf),
    /// A local copy of what comes from elsewhere, with the name that messages use; the name's extension counts.
    Copy(PathBuf, String),
    /// Anything else, with the name that messages use; the name's extension counts.
    Stream(String, Box<dyn Read + Send>),
}

/// How a file holds records. Compression is found by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// An array of objects, one object, or objects after one another, over any lines.
    Json,
    /// Comma-separated (or `;`, tab, `|`, whichever the header has most of) with a header.
    Csv,
    /// Parquet; rows are matched by column name.
    Parquet,
}

/// A file that is ready to be read.
pub(super) enum Opened {
    Text(Format, Source, Damage),
    Parquet(File, String),
}

/// Tells a failing disk from a file that was cut short or damaged before it came here.
#[derive(Debug, Clone, Default)]
pub(super) struct Damage {
    pub(super) name: String,
    compressed: bool,
}

impl Damage {
    /// The error for a read that failed.
    pub(super) fn error(&self, source: io::Error) -> Error {
        if let Some(trailing) = source.get_ref().and_then(|inner| inner.downcast_ref::<Trailing>()) {
            let hint = format!(
                "the records before it are whole: `head -c {} FILE > NEW`, and land that",
                trailing.at
            );
            return Error::data(format!("{}: {trailing}", self.name), hint);
        }
        // Decoders report damage in kinds of their own choice, disks never in these.
        let by_decoder = matches!(
            source.kind(),
            io::ErrorKind::UnexpectedEof
                | io::ErrorKind::InvalidData
                | io::ErrorKind::InvalidInput
                | io::ErrorKind::Other
        );
        if self.compressed && by_decoder {
            return Error::data(
                format!("{} is cut short or damaged: {source}", self.name),
                "get the file again, then land it",
            );
        }
        Error::Machine { what: format!("reading {}", self.name), source: source.into() }
    }
}

const BUFFER: usize = 256 << 10;
/// How much of a file is looked at to tell what it is.
const HEAD: u64 = 64 << 10;

/// Opens a file, undoes its compression and tells its format where it is not given.
pub(super) fn open(input: Input, format: Option<Format>) -> Result<Opened> {
    let (name, mut raw): (String, Box<dyn Read + Send>) = match input {
        Input::File(path) => return open(Input::Copy(path.clone(), path.display().to_string()), format),
        Input::Copy(path, name) => {
            let mut file = File::open(&path).during(|| format!("opening {name}"))?;
            let head = read_head(&mut file, 4).during(|| format!("reading {name}"))?;
            if head == b"PAR1" || format == Some(Format::Parquet) {
                return Ok(Opened::Parquet(file, name));
            }
            (name, Box::new(Cursor::new(head).chain(file)))
        }
        Input::Stream(name, stream) => (name, stream),
    };
    let magic = read_head(&mut raw, 4).during(|| format!("reading {name}"))?;
    let compressed = matches!(*magic, [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd]);
    let mut damage = Damage { name, compressed };
    let raw = BufReader::with_capacity(BUFFER, Cursor::new(magic.clone()).chain(raw));
    let mut plain: Box<dyn Read + Send> = match *magic {
        [0x1f, 0x8b, ..] => Box::new(Members::new(raw)),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            Box::new(zstd::stream::read::Decoder::with_buffer(raw).map_err(|error| damage.error(error))?)
        }
        _ => Box::new(raw),
    };
    let mut head = read_head(&mut plain, HEAD).map_err(|error| damage.error(error))?;
    if head.starts_with(b"PAR1") || format == Some(Format::Parquet) {
        let what = format!("{} is Parquet from a pipe or in a compressed file", damage.name);
        return Err(Error::usage(what, "Parquet is read from its end, so give a plain local file"));
    }
    foreign::refuse(&damage.name, &head)?;
    if head.starts_with(b"\xEF\xBB\xBF") {
        head.drain(..3);
    }
    let format = format.unwrap_or_else(|| tell(&damage.name, &head));
    if damage.name == "-" {
        damage.name = "standard input".into();
    }
    let source = BufReader::with_capacity(BUFFER, Cursor::new(head).chain(plain));
    Ok(Opened::Text(format, Box::new(source), damage))
}

fn read_head(source: &mut impl Read, bytes: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    source.take(bytes).read_to_end(&mut head)?;
    Ok(head)
}

/// The format by the name's extension, else by the first bytes.
fn tell(name: &str, head: &[u8]) -> Format {
    let lower = name.to_ascii_lowercase();
    let plain =
        [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|end| lower.strip_suffix(end)).unwrap_or(&lower);
    let extension = plain.rsplit_once('.').map(|(_, extension)| extension);
    let is_lines = matches!(extension, Some("ndjson" | "jsonl"));
    match (extension, head.trim_ascii_start()) {
        (Some("csv" | "tsv"), _) => Format::Csv,
        (_, [b'[', ..]) => Format::Json,
        (_, [b'{', ..]) => match objects_in_first_line(head) {
            // What is broken ends with its line.
            Some(0) if is_lines => Format::Ndjson,
            Some(1) => Format::Ndjson,
            _ => Format::Json,
        },
        _ if is_lines => Format::Ndjson,
        (Some("json"), _) => Format::Json,
        _ => Format::Csv,
    }
}

/// How many objects the first line has, one behind another; none if the line does not end in the head.
fn objects_in_first_line(head: &[u8]) -> Option<usize> {
    let text = head.trim_ascii_start();
    let line = &text[..text.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?];
    let mut objects = serde_json::Deserializer::from_slice(line).into_iter::<IgnoredAny>();
    let whole = objects.by_ref().take_while(Result::is_ok).count();
    Some(if whole == 1 && !line[objects.byte_offset()..].trim_ascii().is_empty() { 2 } else { whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told() {
        for (name, head, format) in [
            ("a.ndjson", "[", Format::Json),
            ("a.ndjson", "{\"a\": 1}\n", Format::Ndjson),
            ("a.ndjson", "{\"a\": \n", Format::Ndjson),
            ("a.ndjson", "{\"a\": 1}{\"a\": 2}\n", Format::Json),
            ("a.ndjson", "{\"a\": 1}\r{\"a\": 2}", Format::Ndjson),
            ("a", "{\"a\": 1}{\"a\": 2}", Format::Json),
            ("a.JSONL.gz", "", Format::Ndjson),
            ("a.csv.zst", "{", Format::Csv),
            ("a.json", "[{}]", Format::Json),
            ("a.json", "{\"a\": 1}\n{\"a\": 2}", Format::Ndjson),
            ("a.json", "{\n\"a\": 1}", Format::Json),
            ("-", "\n {\"a\": 1}", Format::Json),
            ("-", "a,b\n1,2", Format::Csv),
            ("a.json", "nonsense", Format::Json),
        ] {
            assert_eq!(tell(name, head.as_bytes()), format, "{name} {head}");
        }
    }
}
