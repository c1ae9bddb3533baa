//! One JSON object, field by field, without a map and without a double.
//!
//! Owns the syntax only: keys are resolved through a cache, values are handed on as their text. serde_json finds where
//! a value ends; a number keeps its own digits, so that no decimal ever passes through a binary fraction.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// How many field names are kept between records; files with more distinct names are rare and only slower.
const KNOWN_NAMES: usize = 4096;

/// One value of a record, as its file wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell<'a> {
    /// Nothing.
    Null,
    /// A string, unescaped; every cell of a CSV file is one.
    Text(&'a str),
    /// A number by its own digits.
    Number(&'a str),
    /// `true` or `false`.
    Boolean(bool),
    /// An object or a list, as JSON.
    Nested(&'a str),
    /// Bytes that should be text and are none.
    Unreadable,
    /// Bytes of a binary column.
    Binary,
}

impl Cell<'_> {
    /// Appends the value as JSON.
    pub(super) fn write_json(&self, out: &mut String) {
        match self {
            Cell::Null | Cell::Unreadable | Cell::Binary => out.push_str("null"),
            Cell::Text(text) => write_json_string(text, out),
            Cell::Number(text) | Cell::Nested(text) => out.push_str(text),
            Cell::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        }
    }
}

/// Appends a JSON string.
pub(super) fn write_json_string(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// Which column a field of that name feeds.
type Resolve = Box<dyn Fn(&str) -> Option<usize> + Send>;

/// Which column a field name stands for, asked once a name.
pub(super) struct FieldNames {
    resolve: Resolve,
    known: HashMap<Box<str>, usize>,
    fields: Vec<(Box<str>, Option<usize>)>,
    // Records of one file mostly have their fields in one order, so the name at the same place in the record before is
    // compared first, which saves the hash.
    order: Vec<usize>,
}

impl FieldNames {
    /// Names resolved by the function: the column, or none.
    pub(super) fn new(resolve: impl Fn(&str) -> Option<usize> + Send + 'static) -> Self {
        Self { resolve: Box::new(resolve), known: HashMap::new(), fields: Vec::new(), order: Vec::new() }
    }

    fn begin(&mut self) {
        if self.fields.len() > KNOWN_NAMES {
            self.known.clear();
            self.fields.clear();
            self.order.clear();
        }
    }

    fn find(&mut self, name: &str, position: usize) -> usize {
        if let Some(&id) = self.order.get(position)
            && &*self.fields[id].0 == name
        {
            return id;
        }
        let id = self.known.get(name).copied().unwrap_or_else(|| {
            let id = self.fields.len();
            self.fields.push((name.into(), (self.resolve)(name)));
            self.known.insert(name.into(), id);
            id
        });
        match self.order.get_mut(position) {
            Some(expected) => *expected = id,
            None => self.order.push(id),
        }
        id
    }
}

/// Calls `each` with every field of an object, in order, where it has only plain values: strings without escapes, short
/// numbers, true, false and null. Most records are such, and are read much faster so.
///
/// False where the text is anything else, valid or not: [`each_field`] decides, and some fields have been given.
pub(super) fn each_plain_field(
    text: &str,
    names: &mut FieldNames,
    mut each: impl FnMut(&str, Option<usize>, Cell<'_>),
) -> bool {
    names.begin();
    let bytes = text.as_bytes();
    let mut at = behind_blanks(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return false;
    }
    for position in 0.. {
        at = behind_blanks(bytes, at + 1);
        let Some(end) = plain_string_end(bytes, at) else { return false };
        let id = names.find(&text[at + 1..end], position);
        at = behind_blanks(bytes, end + 1);
        if bytes.get(at) != Some(&b':') {
            return false;
        }
        at = behind_blanks(bytes, at + 1);
        let Some((cell, end)) = plain_value(text, at) else { return false };
        let (name, column) = &names.fields[id];
        each(name, *column, cell);
        at = behind_blanks(bytes, end);
        match bytes.get(at) {
            Some(b',') => {}
            Some(b'}') => return behind_blanks(bytes, at + 1) == bytes.len(),
            _ => return false,
        }
    }
    false
}

fn behind_blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\r' | b'\n') = bytes.get(at) {
        at += 1;
    }
    at
}

/// The value that begins here, and where it ends; a number's end may be that of its plain part only.
fn plain_value(text: &str, at: usize) -> Option<(Cell<'_>, usize)> {
    let bytes = text.as_bytes();
    let word = |word: &str, cell| bytes[at..].starts_with(word.as_bytes()).then_some((cell, at + word.len()));
    match bytes.get(at)? {
        b'"' => plain_string_end(bytes, at).map(|end| (Cell::Text(&text[at + 1..end]), end + 1)),
        b't' => word("true", Cell::Boolean(true)),
        b'f' => word("false", Cell::Boolean(false)),
        b'n' => word("null", Cell::Null),
        _ => plain_number_end(bytes, at).map(|end| (Cell::Number(&text[at..end]), end)),
    }
}

/// Where the closing quote of a string stands that begins here and has no escapes.
fn plain_string_end(bytes: &[u8], at: usize) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    // Eight bytes at a time: of the marks below, the lowest is always of a byte that is meant.
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        let word = u64::from_le_bytes(*eight);
        let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let marks = is(b'"') | is(b'\\') | below(word, b' ');
        if marks != 0 {
            at += marks.trailing_zeros() as usize / 8;
            return (bytes[at] == b'"').then_some(at);
        }
        at += 8;
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
    at += bytes.get(at..)?.iter().position(ends)?;
    (bytes[at] == b'"').then_some(at)
}

/// Where a number without an exponent ends that begins here.
fn plain_number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let behind_digits = |at: usize| at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let first = at + usize::from(bytes[at] == b'-');
    let end = behind_digits(first);
    if end == first || (end > first + 1 && bytes[first] == b'0') {
        return None;
    }
    if bytes.get(end) != Some(&b'.') {
        return Some(end);
    }
    let last = behind_digits(end + 1);
    (last > end + 1).then_some(last)
}

/// Calls `each` with the name, the column and the JSON text of every field of the object, in order; the error says why
/// the text is not a JSON object. Fields before a mistake have been given to `each`.
pub(super) fn each_field<'a>(
    text: &'a str,
    names: &mut FieldNames,
    each: impl FnMut(&str, Option<usize>, &'a str),
) -> Result<(), String> {
    names.begin();
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.deserialize_map(Fields { names, each }).and_then(|()| parser.end()).map_err(|error| {
        if error.is_data() {
            return "is not a JSON object".into();
        }
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or_default();
        format!("is not valid JSON: {what} (column {})", error.column())
    })
}

/// Whether a text is one object with another behind it, with or without a comma between.
pub(super) fn is_followed(text: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    if !text.trim_start().starts_with('{') || !matches!(values.next(), Some(Ok(_))) {
        return false;
    }
    let rest = text[values.byte_offset()..].trim_start();
    rest.starts_with('{') || rest.starts_with(',')
}

/// The value behind a JSON text; the error says why a string cannot be read.
pub(super) fn with_cell<T>(json: &str, then: impl FnOnce(Cell<'_>) -> T) -> T {
    match json.as_bytes().first() {
        Some(b'"') => match unescape(json) {
            Some(text) => then(Cell::Text(&text)),
            None => then(Cell::Unreadable),
        },
        Some(b'{' | b'[') => then(Cell::Nested(json)),
        Some(b't') => then(Cell::Boolean(true)),
        Some(b'f') => then(Cell::Boolean(false)),
        Some(b'n') | None => then(Cell::Null),
        Some(_) => then(Cell::Number(json)),
    }
}

/// The text of a JSON string; none if it escapes half a character.
fn unescape(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.get(1..json.len().checked_sub(1)?)?;
    if inner.as_bytes().contains(&b'\\') {
        serde_json::from_str(json).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

struct Fields<'n, F> {
    names: &'n mut FieldNames,
    each: F,
}

impl<'de, F: FnMut(&str, Option<usize>, &'de str)> Visitor<'de> for Fields<'_, F> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut map: M) -> Result<(), M::Error> {
        let mut position = 0;
        while let Some(id) = map.next_key_seed(Key { names: self.names, position })? {
            let value: &'de RawValue = map.next_value()?;
            let (name, column) = &self.names.fields[id];
            (self.each)(name, *column, value.get());
            position += 1;
        }
        Ok(())
    }
}

struct Key<'n> {
    names: &'n mut FieldNames,
    position: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = usize;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<usize, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = usize;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<usize, E> {
        Ok(self.names.find(name, self.position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<Vec<(String, String)>, String> {
        let mut names = FieldNames::new(|_| None);
        let mut found = Vec::new();
        each_field(text, &mut names, |name, _, json| found.push((name.to_owned(), json.to_owned())))?;
        Ok(found)
    }

    #[test]
    fn values_keep_their_text() {
        let pair = |name: &str, json: &str| (name.to_owned(), json.to_owned());
        assert_eq!(
            fields(r#"{"a": 0.10000000000000000000001, "b\u0063": "x\ny" , "d":{"e": [1, 2]}}"#),
            Ok(vec![
                pair("a", "0.10000000000000000000001"),
                pair("bc", r#""x\ny""#),
                pair("d", r#"{"e": [1, 2]}"#)
            ])
        );
        with_cell(r#""x\ny""#, |cell| assert_eq!(cell, Cell::Text("x\ny")));
        with_cell(r#""\ud800""#, |cell| assert_eq!(cell, Cell::Unreadable));
    }

    #[test]
    fn plain_fields_are_those_of_any_parser() {
        let plain = |text: &str| {
            let mut names = FieldNames::new(|_| None);
            let mut found = Vec::new();
            each_plain_field(text, &mut names, |name, _, cell| {
                found.push((name.to_owned(), format!("{cell:?}")))
            })
            .then_some(found)
        };
        let any = |text: &str| {
            let mut names = FieldNames::new(|_| None);
            let mut found = Vec::new();
            let cell = |json: &str| with_cell(json, |cell| format!("{cell:?}"));
            each_field(text, &mut names, |name, _, json| found.push((name.to_owned(), cell(json)))).ok()?;
            Some(found)
        };
        let string = "{\"long name\": \"a string of many bytes, among them ü and \u{7f}\"}";
        let numbers = r#"{"a":0,"b":-0.50,"c":12345678901234567890123,"d":7.0}"#;
        for text in
            [string, numbers, " {\t\"a\" : true\r\n,\"\":false , \"a\":null}\n", r#"{"a":"","b":"12345678"}"#]
        {
            assert!(plain(text).is_some(), "{text}");
            assert_eq!(plain(text), any(text), "{text}");
            // With one byte left out or put in it is never read in another way, and mostly not at all.
            for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
                let mut rest = text[at..].chars();
                rest.next();
                let rest = rest.as_str();
                for put in [
                    "", "\"", "\\", "{", "}", "[", ",", ":", "0", ".", "-", "e", "\n", "\u{1f}", "\u{c}", "é",
                ] {
                    for changed in
                        [[&text[..at], put, rest].concat(), [&text[..at], put, &text[at..]].concat()]
                    {
                        if let Some(found) = plain(&changed) {
                            assert_eq!(Some(found), any(&changed), "{changed}");
                        }
                    }
                }
            }
        }
        for text in ["{}", "[]", r#"{"a":"x\ny"}"#, r#"{"a":{}}"#, r#"{"a":1e3}"#, r#"{"a":01}"#] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn mistakes_are_said() {
        assert_eq!(fields("3"), Err("is not a JSON object".into()));
        assert_eq!(fields("[]"), Err("is not a JSON object".into()));
        let reason = fields(r#"{"a": 1"#).unwrap_err();
        assert_eq!(reason, "is not valid JSON: EOF while parsing an object (column 7)");
        assert!(fields(r#"{"a": 1} x"#).is_err());
        assert!(fields(r#"{"a": 01}"#).is_err());
        assert!(fields("{\"a\": \"\t\"}").is_err());
    }
}
