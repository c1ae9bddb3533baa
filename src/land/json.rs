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

/// The text of a JSON string; none where it escapes half a character.
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
