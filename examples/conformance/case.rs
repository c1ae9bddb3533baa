//! What a case says: its texts, its lists, and the keys that are known.

use serde_json::{Map, Value};

use crate::project::Row;

/// Why a case is not expressible.
pub type Refused = String;

/// The text of a string or a number.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The text of a key.
pub fn key(value: &Value, name: &str) -> Option<String> {
    text(&value[name])
}

/// The texts of a list.
pub fn list(value: &Value) -> Vec<String> {
    value.as_array().map(|values| values.iter().filter_map(text).collect()).unwrap_or_default()
}

/// Nothing but known keys; anything else would be rated wrongly without a word.
pub fn known(value: &Value, names: &[&str], what: &str) -> Result<(), Refused> {
    let keys = value.as_object().into_iter().flat_map(Map::keys);
    match keys.into_iter().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(format!("the {what} has `{key}`, which has no column")),
        None => Ok(()),
    }
}

/// Sets a column that the case has a value for.
pub fn set(row: &mut Row, column: &'static str, value: Option<String>) {
    if let Some(value) = value {
        row.push((column, value));
    }
}

/// A property of an event, named so that it is no column of usage_record.
pub fn field(name: &str) -> String {
    format!("p_{name}")
}

/// `half_up` for `round` and so on; the modes of the cases and ours have the same names otherwise.
pub fn mode(text: Option<String>) -> String {
    match text.as_deref() {
        Some("round") | None => "half_up".into(),
        Some(mode) => mode.into(),
    }
}
