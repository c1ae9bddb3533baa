//! Bytes of a file cut into the text of one record after the other: lines, or the elements of a JSON document.
//!
//! Nothing here knows a field. Always holds: memory is bounded by [`LONGEST_RECORD`], whatever the file; every byte
//! that is not blank or a separator is in exactly one text; and a broken record takes as little as possible of the next
//! with it.

use std::collections::VecDeque;
use std::io::{BufRead, Read, Result};

/// The longest text of one record, in bytes. A longer one is rejected without being kept in memory.
pub(super) const LONGEST_RECORD: usize = 16 << 20;

/// Where bytes come from.
pub(super) type Source = Box<dyn BufRead + Send>;

/// What ends the lines of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// LF and CRLF.
    LineFeeds,
    /// These and a CR by itself.
    Returns,
}

impl Ends {
    /// By the first end of a line: a CR that no LF follows is one.
    pub(super) fn of(head: &[u8]) -> Self {
        match head.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(at) if head[at] == b'\r' && head.get(at + 1) != Some(&b'\n') => Self::Returns,
            _ => Self::LineFeeds,
        }
    }
}

/// The text of one record.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    /// Its bytes, without the end of line.
    pub(super) bytes: Vec<u8>,
    /// What ended the line; empty at the end of the file.
    pub(super) end: &'static str,
    /// Why it cannot be a record.
    pub(super) fault: Option<&'static str>,
}

const TOO_LONG: &str = "the record is longer than 16 MiB";

/// A file line by line; the end of the file ends a line as well.
pub(super) struct Lines {
    source: Source,
    ends: Ends,
    line: u64,
    ahead: VecDeque<Text>,
}

impl Lines {
    pub(super) fn new(source: Source, ends: Ends) -> Self {
        Self { source, ends, line: 0, ahead: VecDeque::new() }
    }

    /// Reads the next line that is not blank; false at the end.
    pub(super) fn next(&mut self, text: &mut Text) -> Result<bool> {
        loop {
            if !self.next_or_blank(text)? {
                return Ok(false);
            }
            if text.fault.is_some() || !text.bytes.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// Reads the next line, blank or not; false at the end.
    pub(super) fn next_or_blank(&mut self, text: &mut Text) -> Result<bool> {
        if let Some(line) = self.ahead.pop_front() {
            *text = line;
            return Ok(true);
        }
        text.bytes.clear();
        text.fault = None;
        text.end = "";
        let read = match self.ends {
            Ends::LineFeeds => self.until_line_feed(text)?,
            Ends::Returns => self.until_return(text)?,
        };
        if !read {
            return Ok(false);
        }
        self.line += 1;
        text.line = self.line;
        Ok(true)
    }

    fn until_line_feed(&mut self, text: &mut Text) -> Result<bool> {
        let limit = LONGEST_RECORD as u64 + 2;
        if (&mut self.source).take(limit).read_until(b'\n', &mut text.bytes)? == 0 {
            return Ok(false);
        }
        if text.bytes.last() == Some(&b'\n') {
            text.bytes.pop();
            text.end = "\n";
            if text.bytes.last() == Some(&b'\r') {
                text.bytes.pop();
                text.end = "\r\n";
            }
        } else if text.bytes.len() > LONGEST_RECORD {
            text.fault = Some(TOO_LONG);
            self.source.skip_until(b'\n')?;
        } else if text.bytes.last() == Some(&b'\r') {
            text.bytes.pop();
        }
        Ok(true)
    }

    fn until_return(&mut self, text: &mut Text) -> Result<bool> {
        let mut any = false;
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = memchr::memchr2(b'\n', b'\r', buffer);
            let line = &buffer[..end.unwrap_or(buffer.len())];
            if text.bytes.len() + line.len() > LONGEST_RECORD {
                text.fault = Some(TOO_LONG);
            } else {
                text.bytes.extend_from_slice(line);
            }
            let Some(end) = end else {
                let used = buffer.len();
                self.source.consume(used);
                continue;
            };
            text.end = if buffer[end] == b'\n' { "\n" } else { "\r" };
            self.source.consume(end + 1);
            if text.end == "\r" && self.source.fill_buf()?.first() == Some(&b'\n') {
                self.source.consume(1);
                text.end = "\r\n";
            }
            return Ok(true);
        }
    }

    /// Puts lines back, to be read again in their order.
    pub(super) fn put_back(&mut self, lines: Vec<Text>) {
        for line in lines.into_iter().rev() {
            self.ahead.push_front(line);
        }
    }
}

/// A JSON document element by element: the elements of an array, one object, or several objects after one another.
///
/// JSON has no place from which to start again after a mistake, so three are made. A string cannot run over the end of
/// a line: one that does makes its element broken, and reading goes on at the next line that begins with `{` or `]`. An
/// object inside an object must follow a colon: one that does not begins the next element. And `]` ends the array where
/// only one object is open.
pub(super) struct Elements {
    source: Source,
    line: u64,
    in_array: bool,
    /// Whether the byte before was a CR, which ended a line.
    returned: bool,
}

/// Where in an element the next byte stands.
#[derive(Clone, Copy)]
enum Inside {
    /// Between two elements.
    Nothing,
    /// In an object or list, outside of strings.
    Container,
    /// In a string; the flag says that the next byte is escaped.
    String(bool),
    /// In something that begins like neither of them.
    Bare,
    /// In a broken element; the flag says that the line was blank so far.
    Broken(bool),
}

/// What is done with one byte.
enum Step {
    Keep(Inside),
    Skip,
    KeepAndEnd,
    EndBefore,
    FaultBefore(&'static str),
    Fault(&'static str, bool),
}

const NOT_CLOSED: &str = "is not valid JSON: the object is not closed";

impl Elements {
    pub(super) fn new(source: Source) -> Self {
        Self { source, line: 1, in_array: false, returned: false }
    }

    /// Reads the next element; false at the end.
    pub(super) fn next(&mut self, text: &mut Text) -> Result<bool> {
        text.bytes.clear();
        text.fault = None;
        let mut open = Vec::new();
        let mut last = 0;
        let mut inside = Inside::Nothing;
        loop {
            let buffer = self.source.fill_buf()?;
            if buffer.is_empty() {
                return Ok(self.end(inside, text));
            }
            let mut used = 0;
            let mut kept_from = 0;
            let mut ended = false;
            while let Some(&byte) = buffer.get(used) {
                if matches!(inside, Inside::Nothing) {
                    text.line = self.line;
                }
                match step(byte, inside, &mut open, &mut last, &mut self.in_array) {
                    Step::Keep(next) => inside = next,
                    Step::Skip => kept_from = used + 1,
                    Step::KeepAndEnd => ended = true,
                    Step::EndBefore => {
                        ended = true;
                        break;
                    }
                    Step::FaultBefore(fault) => {
                        text.fault = Some(fault);
                        ended = true;
                        break;
                    }
                    Step::Fault(fault, blank) => {
                        text.fault = Some(fault);
                        inside = Inside::Broken(blank);
                    }
                }
                self.line += u64::from(byte == b'\r' || (byte == b'\n' && !self.returned));
                self.returned = byte == b'\r';
                used += 1;
                if ended {
                    break;
                }
            }
            if text.bytes.len() <= LONGEST_RECORD {
                text.bytes.extend_from_slice(&buffer[kept_from..used]);
            } else {
                text.fault = Some(TOO_LONG);
                if !matches!(inside, Inside::Broken(_)) {
                    inside = Inside::Broken(false);
                }
            }
            self.source.consume(used);
            if ended {
                return Ok(true);
            }
        }
    }

    /// Ends the file; true where it ends with one more element.
    fn end(&mut self, inside: Inside, text: &mut Text) -> bool {
        match inside {
            Inside::Nothing if self.in_array => {
                self.in_array = false;
                text.line = self.line;
                text.fault = Some("the JSON list is not closed, so the file may have been cut short");
                true
            }
            Inside::Nothing => false,
            Inside::Bare | Inside::Broken(_) => true,
            Inside::Container | Inside::String(_) => {
                text.fault = Some(NOT_CLOSED);
                true
            }
        }
    }
}

/// Takes one byte; `open` holds the brackets that are open, `last` the last byte outside of strings that is not blank.
fn step(byte: u8, inside: Inside, open: &mut Vec<u8>, last: &mut u8, in_array: &mut bool) -> Step {
    let blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    match inside {
        Inside::Nothing => match byte {
            b',' => Step::Skip,
            _ if blank => Step::Skip,
            b'[' if !*in_array => {
                *in_array = true;
                Step::Skip
            }
            b']' if *in_array => {
                *in_array = false;
                Step::Skip
            }
            b'{' | b'[' => {
                open.push(byte);
                *last = byte;
                Step::Keep(Inside::Container)
            }
            b'"' => Step::Keep(Inside::String(false)),
            _ => Step::Keep(Inside::Bare),
        },
        Inside::String(true) if byte != b'\n' && byte != b'\r' => Step::Keep(Inside::String(false)),
        Inside::String(_) => match byte {
            b'\\' => Step::Keep(Inside::String(true)),
            b'"' if open.is_empty() => Step::KeepAndEnd,
            b'"' => {
                *last = byte;
                Step::Keep(Inside::Container)
            }
            b'\n' | b'\r' => Step::Fault("is not valid JSON: a string is not closed", true),
            _ => Step::Keep(inside),
        },
        Inside::Bare => match byte {
            b'\n' | b'\r' | b',' | b'{' | b'[' | b'"' => Step::EndBefore,
            b']' if *in_array => Step::EndBefore,
            _ => Step::Keep(inside),
        },
        Inside::Broken(line_was_blank) => match byte {
            b'{' | b']' if line_was_blank => Step::EndBefore,
            b'\n' | b'\r' => Step::Keep(Inside::Broken(true)),
            _ => Step::Keep(Inside::Broken(line_was_blank && blank)),
        },
        Inside::Container if blank => Step::Keep(inside),
        Inside::Container => {
            let top = open.last().copied();
            let before = std::mem::replace(last, byte);
            match (byte, top) {
                (b'"', _) => return Step::Keep(Inside::String(false)),
                (b'{', Some(b'{')) if before != b':' => return Step::FaultBefore(NOT_CLOSED),
                (b'{' | b'[', _) => open.push(byte),
                (b'}', Some(b'{')) | (b']', Some(b'[')) => {
                    open.pop();
                    if open.is_empty() {
                        return Step::KeepAndEnd;
                    }
                }
                (b']', _) if open.len() == 1 && *in_array => return Step::FaultBefore(NOT_CLOSED),
                (b'}' | b']', _) => {
                    return Step::Fault("is not valid JSON: the brackets do not match", false);
                }
                _ => {}
            }
            Step::Keep(inside)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Cursor};

    use super::*;

    fn elements(document: &str) -> Vec<String> {
        let mut all = Vec::new();
        // A buffer of three bytes puts a seam nearly everywhere.
        let source = BufReader::with_capacity(3, Cursor::new(document.as_bytes().to_vec()));
        let mut elements = Elements::new(Box::new(source));
        let mut text = Text::default();
        while elements.next(&mut text).unwrap() {
            let mark = if text.fault.is_some() { "!" } else { "" };
            let bytes = String::from_utf8_lossy(&text.bytes);
            all.push(format!("{}{mark}{}", text.line, bytes.trim_end()));
        }
        all
    }

    #[test]
    fn elements_are_cut_and_found_again() {
        for (document, expected) in [
            ("", vec![]),
            ("[]", vec![]),
            (r#"[{"a":1},{"b":{"c":[{}]}}]"#, vec![r#"1{"a":1}"#, r#"1{"b":{"c":[{}]}}"#]),
            ("{\n \"a\": 1\n}\n{\"b\": \"}{\\\"\"}", vec!["1{\n \"a\": 1\n}", "4{\"b\": \"}{\\\"\"}"]),
            ("[1, \"x\", [2], {}]", vec!["11", "1\"x\"", "1[2]", "1{}"]),
            ("[{\"a\": \"x},\n{\"a\": 1}]", vec!["1!{\"a\": \"x},", "2{\"a\": 1}"]),
            ("[{\"a\": 1,\n{\"a\": 2}]", vec!["1!{\"a\": 1,", "2{\"a\": 2}"]),
            ("[{\"a\": 1, ]", vec!["1!{\"a\": 1,"]),
            ("[{\"a\": 1]}\n]\n", vec!["1!{\"a\": 1", "1}", "2]"]),
            ("[{\"a\": [1}\n{\"b\":1}]", vec!["1!{\"a\": [1}", "2{\"b\":1}"]),
            ("[{\"a\": 1}", vec!["1{\"a\": 1}", "1!"]),
        ] {
            assert_eq!(elements(document), expected, "{document}");
        }
    }

    #[test]
    fn lines_end_as_they_like() {
        for (file, expected) in [
            ("a\r\n\n \r\nb", vec![(1, "a"), (4, "b")]),
            ("a\r\rb\r", vec![(1, "a"), (3, "b")]),
            ("a\rb\r\nc\n\nd", vec![(1, "a"), (2, "b"), (3, "c"), (5, "d")]),
            ("a\nb\rc\n", vec![(1, "a"), (2, "b\rc")]),
        ] {
            // A buffer of two bytes puts a seam into each pair.
            let source = BufReader::with_capacity(2, Cursor::new(file.as_bytes().to_vec()));
            let mut lines = Lines::new(Box::new(source), Ends::of(file.as_bytes()));
            let mut text = Text::default();
            let mut all = Vec::new();
            while lines.next(&mut text).unwrap() {
                all.push((text.line, String::from_utf8(text.bytes.clone()).unwrap()));
            }
            let expected: Vec<_> = expected.into_iter().map(|(line, text)| (line, text.to_owned())).collect();
            assert_eq!(all, expected, "{file:?}");
        }
    }

    #[test]
    fn a_record_without_end_is_not_kept() {
        let mut long = vec![b'x'; LONGEST_RECORD * 2];
        long.extend_from_slice(b"\nshort\n");
        for ends in [Ends::LineFeeds, Ends::Returns] {
            let mut lines = Lines::new(Box::new(Cursor::new(long.clone())), ends);
            let mut text = Text::default();
            assert!(lines.next(&mut text).unwrap() && text.fault.is_some());
            assert!(lines.next(&mut text).unwrap() && text.bytes == b"short");
        }
    }
}
