//! CSV cut into records, before the csv crate takes them apart.
//!
//! The csv crate reads on until a quote is closed, so one that never is would swallow what follows. Here records are
//! cut first: a quoted field may run over at most [`QUOTED_LINES`] lines, nothing but a separator may follow a closing
//! quote, and a record over several lines must have as many fields as the header. Where one of these is broken, only
//! the line with the opening quote is rejected, and reading goes on with the line after it.

use csv::{ByteRecord, ReaderBuilder, StringRecord, Terminator};

use super::format::Damage;
use super::json::Cell;
use super::record::{Sink, raw_text};
use super::text::{Ends, LONGEST_RECORD, Lines, Source, Text};
use crate::error::{Error, Result, While};

/// The most lines over which a quoted field may run.
const QUOTED_LINES: usize = 100;
/// How many bytes are cut at most before they are taken apart.
const RUN: usize = 4 << 20;

/// A CSV file whose header was read.
pub(super) struct Delimited {
    lines: Lines,
    delimiter: u8,
    /// The names in the header, in order.
    pub(super) header: Vec<String>,
    /// The header as it is written.
    pub(super) header_text: String,
    columns: Vec<Option<usize>>,
    damage: Damage,
    text: Text,
    // The records of a run one after the other, each ended by LF, and what each of them is.
    run: Vec<u8>,
    pieces: Vec<Piece>,
}

/// One record of a run.
enum Piece {
    Record { line: u64, from: usize, to: usize },
    Broken { line: u64, raw: String, reason: &'static str },
}

impl Delimited {
    /// Reads the header; a file without one has no records.
    ///
    /// # Errors
    /// A header that cannot be read as names.
    pub(super) fn new(source: Source, damage: Damage) -> Result<Self> {
        let mut table = Self {
            // One file may have lines that end in different ways; a CR in a value has quotes around it.
            lines: Lines::new(source, Ends::Returns),
            delimiter: b',',
            header: Vec::new(),
            header_text: String::new(),
            columns: Vec::new(),
            damage,
            text: Text::default(),
            run: Vec::new(),
            pieces: Vec::new(),
        };
        let mut first = Text::default();
        if table.lines.next(&mut first).map_err(|error| table.damage.error(error))? {
            table.delimiter = delimiter_of(&first.bytes);
            table.lines.put_back(vec![first]);
            table.cut(1)?;
            let name = &table.damage.name;
            let unreadable = || {
                let hint = "CSV needs the names in line 1, as UTF-8, and lines that end with LF, CRLF or CR";
                Error::data(format!("{name} has no readable header"), hint)
            };
            let [Piece::Record { .. }] = table.pieces[..] else { return Err(unreadable()) };
            let mut record = ByteRecord::new();
            table
                .parser()
                .read_byte_record(&mut record)
                .during(|| format!("reading the header of {name}"))?;
            table.header_text = raw_text(table.run.trim_ascii_end());
            for field in &record {
                let name = std::str::from_utf8(field).map_err(|_| unreadable())?.trim();
                // Where something else ends the lines, the whole file would be a header.
                if name.chars().any(is_strange) {
                    return Err(unreadable());
                }
                table.header.push(name.to_owned());
            }
        }
        Ok(table)
    }

    /// Where in a record's text a field starts, in characters from 1: behind the text where it has no such field, and
    /// none if it is not on the first line.
    pub(super) fn start_of(&self, record: &str, field: usize) -> Option<u64> {
        let mut quotes = Quotes::new(self.delimiter);
        let mut column = 1;
        let mut buffer = [0; 4];
        for character in record.chars() {
            if quotes.fields > field {
                return Some(column + u64::from(character == '"'));
            }
            if character == '\n' {
                return None;
            }
            quotes.read(character.encode_utf8(&mut buffer).as_bytes());
            column += 1;
        }
        Some(column)
    }

    /// Says which column each name of the header stands for.
    pub(super) fn resolve(&mut self, column_of: impl Fn(&str) -> Option<usize>) {
        self.columns = self.header.iter().map(|name| column_of(name)).collect();
    }

    /// Feeds up to so many records; none only at the end of the file.
    pub(super) fn feed(&mut self, sink: &mut impl Sink, records: usize) -> Result<()> {
        self.cut(records)?;
        let mut parser = self.parser();
        let mut record = ByteRecord::new();
        for piece in &self.pieces {
            match piece {
                Piece::Broken { line, raw, reason } => {
                    sink.begin();
                    sink.abandon(*line, raw.clone(), (*reason).to_owned());
                }
                Piece::Record { line, from, to } => {
                    let mut raw = || raw_text(&self.run[*from..*to]);
                    sink.begin();
                    let read = parser
                        .read_byte_record(&mut record)
                        .during(|| format!("reading {}", self.damage.name))?;
                    // The cut above and the csv crate must agree where a record begins.
                    let same = record.position().is_some_and(|position| position.byte() == *from as u64);
                    if !read || !same {
                        sink.abandon(*line, raw(), "the quotes cannot be read".into());
                    } else if record.len() != self.header.len() {
                        let reason =
                            format!("has {} fields, the header has {}", record.len(), self.header.len());
                        sink.abandon(*line, raw(), reason);
                    } else {
                        let names = self.header.iter().zip(&self.columns);
                        record = match StringRecord::from_byte_record(record) {
                            Ok(texts) => {
                                for ((name, column), text) in names.zip(&texts) {
                                    if !text.is_empty() {
                                        sink.field(name, *column, Cell::Text(text));
                                    }
                                }
                                texts.into_byte_record()
                            }
                            Err(error) => {
                                let record = error.into_byte_record();
                                for ((name, column), field) in names.zip(&record) {
                                    match std::str::from_utf8(field) {
                                        Ok("") => {}
                                        Ok(text) => sink.field(name, *column, Cell::Text(text)),
                                        Err(_) => sink.field(name, *column, Cell::Unreadable),
                                    }
                                }
                                record
                            }
                        };
                        sink.finish(*line, &mut raw);
                    }
                }
            }
        }
        Ok(())
    }

    fn parser(&self) -> csv::Reader<&[u8]> {
        ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(&self.run[..])
    }

    /// Cuts the next records, as many as asked for or as fit into a run.
    fn cut(&mut self, records: usize) -> Result<()> {
        self.run.clear();
        self.pieces.clear();
        while self.pieces.len() < records && self.run.len() < RUN {
            let mut text = std::mem::take(&mut self.text);
            let more = self.lines.next(&mut text).map_err(|error| self.damage.error(error))?;
            if more {
                self.cut_one(&text)?;
            }
            self.text = text;
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn cut_one(&mut self, text: &Text) -> Result<()> {
        let broken = |reason| Piece::Broken { line: text.line, raw: raw_text(&text.bytes), reason };
        if let Some(fault) = text.fault {
            self.pieces.push(broken(fault));
            return Ok(());
        }
        let from = self.run.len();
        let line = text.bytes.as_slice();
        self.run.extend_from_slice(line);
        if line.contains(&b'"') {
            let mut quotes = Quotes::new(self.delimiter);
            quotes.read(line);
            let reason = match quotes.at {
                At::Stray => Some("text follows a closing quote"),
                At::Quoted if !self.join(text, quotes)? => Some("a quote is opened and not closed"),
                _ => None,
            };
            if let Some(reason) = reason {
                self.run.truncate(from);
                self.pieces.push(broken(reason));
                return Ok(());
            }
        }
        let to = self.run.len();
        self.run.push(b'\n');
        self.pieces.push(Piece::Record { line: text.line, from, to });
        Ok(())
    }

    /// Joins the lines over which a quoted field runs; false, with these lines put back, where it does not end well.
    fn join(&mut self, first: &Text, mut quotes: Quotes) -> Result<bool> {
        let from = self.run.len();
        let mut joined = Vec::new();
        let mut end_before = first.end;
        let mut closed = false;
        while joined.len() < QUOTED_LINES && self.run.len() - from < LONGEST_RECORD {
            let mut text = Text::default();
            if !self.lines.next_or_blank(&mut text).map_err(|error| self.damage.error(error))? {
                break;
            }
            let line = text.bytes.as_slice();
            self.run.extend_from_slice(end_before.as_bytes());
            self.run.extend_from_slice(line);
            end_before = text.end;
            quotes.read(line);
            let open = matches!(quotes.at, At::Quoted) && text.fault.is_none();
            closed = matches!(quotes.at, At::FieldStart | At::Bare | At::Closed);
            joined.push(text);
            if !open {
                break;
            }
        }
        let fits = self.header.is_empty() || quotes.fields == self.header.len();
        if closed && fits {
            return Ok(true);
        }
        self.lines.put_back(joined);
        Ok(false)
    }
}

/// Whether a character is in no name: control characters, but for those in a name over several lines, and the line and
/// paragraph separators of Unicode.
fn is_strange(character: char) -> bool {
    let is_blank = matches!(character, '\t' | '\n' | '\r');
    (character.is_control() && !is_blank) || matches!(character, '\u{2028}' | '\u{2029}')
}

/// The separator that the header has most of; a comma where it has none.
fn delimiter_of(header: &[u8]) -> u8 {
    let count = |delimiter: u8| header.iter().filter(|byte| **byte == delimiter).count();
    let others = *b";\t|";
    others.into_iter().fold(b',', |most, other| if count(other) > count(most) { other } else { most })
}

/// Where in a record the next byte stands.
#[derive(Clone, Copy)]
enum At {
    FieldStart,
    Bare,
    Quoted,
    /// Behind a quote that ends the field, unless one more follows.
    Closed,
    /// Behind something that cannot follow a closing quote.
    Stray,
}

/// Follows quotes through a record, by the csv crate's rules but for text behind a closing quote, which that lets pass.
struct Quotes {
    delimiter: u8,
    at: At,
    fields: usize,
}

impl Quotes {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, at: At::FieldStart, fields: 1 }
    }

    fn read(&mut self, line: &[u8]) {
        for byte in line {
            self.at = match (self.at, *byte) {
                (At::Stray, _) => return,
                (At::Quoted, b'"') => At::Closed,
                (At::Quoted, _) => At::Quoted,
                (At::FieldStart | At::Closed, b'"') => At::Quoted,
                (_, byte) if byte == self.delimiter => {
                    self.fields += 1;
                    At::FieldStart
                }
                (At::Closed, _) => At::Stray,
                _ => At::Bare,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Notes records as `line: a|b` and rejections as `line! reason`.
    #[derive(Default)]
    struct Notes {
        all: Vec<String>,
        now: Vec<String>,
    }

    impl Sink for Notes {
        fn begin(&mut self) {
            self.now.clear();
        }

        fn field(&mut self, _: &str, _: Option<usize>, cell: Cell<'_>) {
            let Cell::Text(text) = cell else { panic!("{cell:?}") };
            self.now.push(text.to_owned());
        }

        fn finish(&mut self, line: u64, _: &mut dyn FnMut() -> String) {
            self.all.push(format!("{line}: {}", self.now.join("|")));
        }

        fn abandon(&mut self, line: u64, _: String, reason: String) {
            self.all.push(format!("{line}! {reason}"));
        }
    }

    fn notes(file: &str) -> Vec<String> {
        let mut table =
            Delimited::new(Box::new(Cursor::new(file.as_bytes().to_vec())), Damage::default()).unwrap();
        table.resolve(|_| None);
        let mut notes = Notes::default();
        loop {
            let before = notes.all.len();
            table.feed(&mut notes, 2).unwrap();
            if notes.all.len() == before {
                return notes.all;
            }
        }
    }

    #[test]
    fn records_are_cut() {
        let unclosed = "1! a quote is opened and not closed";
        for (body, expected) in [
            ("1,2\r\n\r\n3,4", vec!["1: 1|2", "3: 3|4"]),
            ("1,\n,2\n", vec!["1: 1", "2: 2"]),
            (
                "1\n1,2,3\n1,2\n",
                vec!["1! has 1 fields, the header has 2", "2! has 3 fields, the header has 2", "3: 1|2"],
            ),
            ("\"x, \"\"y\"\"\",2\r\n", vec!["1: x, \"y\"|2"]),
            ("\"x\r\n\ny\",2\n3,4", vec!["1: x\r\n\ny|2", "4: 3|4"]),
            ("1,5\" pipe\n3,4", vec!["1: 1|5\" pipe", "2: 3|4"]),
            ("1,\"2\n3,4\n5,6", vec![unclosed, "2: 3|4", "3: 5|6"]),
            ("1,\"2\n\"3\",4\n5,6", vec![unclosed, "2: 3|4", "3: 5|6"]),
            // The quotes would close, but not with the header's number of fields.
            ("1,\"2\n3,4\",5\n6,7", vec![unclosed, "2! has 3 fields, the header has 2", "3: 6|7"]),
            ("\"1\"x,2\n3,4", vec!["1! text follows a closing quote", "2: 3|4"]),
        ] {
            // Lines are counted without the header here, to read more easily.
            let expected: Vec<_> = expected
                .into_iter()
                .map(|note| {
                    let end = note.find([':', '!']).unwrap();
                    format!("{}{}", note[..end].parse::<u64>().unwrap() + 1, &note[end..])
                })
                .collect();
            assert_eq!(notes(&format!("a,b\n{body}")), expected, "{body}");
        }
    }

    #[test]
    fn a_return_ends_a_line_where_it_ends_the_header() {
        assert_eq!(notes("a,b\r1,2\r\"x\ry\",3\r"), ["2: 1|2", "3: x\ry|3"]);
        assert_eq!(notes("a,b\r1,2\n3,4\r\n5,6"), ["2: 1|2", "3: 3|4", "4: 5|6"]);
        for header in ["a,b\u{b}1,2", "a,b\u{2028}1,2", "a,b\u{85}1,2"] {
            let source = Box::new(Cursor::new(header.as_bytes().to_vec()));
            assert!(Delimited::new(source, Damage::default()).is_err(), "{header:?}");
        }
    }

    #[test]
    fn fields_are_found_in_a_record() {
        let source = Box::new(Cursor::new(b"a;b;c".to_vec()));
        let table = Delimited::new(source, Damage::default()).unwrap();
        for (record, field, start) in [
            ("1;2;3", 0, Some(1)),
            ("1;2;3", 2, Some(5)),
            ("\u{e4};\"x;y\";3", 1, Some(4)),
            ("\u{e4};\"x;y\";3", 2, Some(9)),
            ("1;2", 2, Some(4)),
            ("1;2;", 2, Some(5)),
            ("1;\"2\n\";3", 2, None),
        ] {
            assert_eq!(table.start_of(record, field), start, "{record} {field}");
        }
    }

    #[test]
    fn other_separators() {
        assert_eq!(notes("a;b\n1,5;2"), ["2: 1,5|2"]);
        assert_eq!(notes("a\tb\n1\t\"2\"\n"), ["2: 1|2"]);
        assert!(notes("").is_empty());
    }
}
