//! `json_text`: a field of a JSON object, as text.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::arguments::{Arguments, Kind};
use super::json_decimal::{json_field, json_string};
use super::scalar::Scalar;
use crate::name::normal_name;

const NAME: &str = "json_text";

pub(super) const JSON_TEXT: Scalar = Scalar {
    name: NAME,
    meaning: "A field of a JSON object, as text: a string without its quotes and escapes, any other value as it is \
        written. Null where the text is null or no JSON object, or the field is absent or null. Names match \
        as for `json_decimal`.",
    parameters: &[("json", Kind::Text, "an object"), ("field", Kind::Text, "the name of a field at its top")],
    result: || DataType::Utf8View,
    example: "select json_text('{\"Unit\": \"km\", \"size\": 4.0}', 'unit')\n-- km",
    compute,
};

/// What a JSON value says, as text; `None` for null and for a broken string.
fn text_of(value: &str) -> Option<Cow<'_, str>> {
    match value.as_bytes() {
        b"null" => None,
        [b'"', ..] => json_string(value),
        _ => Some(Cow::Borrowed(value)),
    }
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let (jsons, fields) = (arguments.texts(0)?, arguments.texts(1)?);
    let mut texts = StringViewBuilder::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let value = jsons.get(row).zip(fields.get(row));
        let value = value.and_then(|(json, field)| json_field(json, field, &normal_name(field)));
        texts.append_option(value.and_then(text_of));
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::value;

    #[test]
    fn texts() {
        for (json, text) in [
            (r#"{"a": "x y"}"#, "x y"),
            (r#"{"a": "q\"\n\u00e9"}"#, "q\"\né"),
            (r#"{"a": ""}"#, ""),
            (r#"{"a": 1.50}"#, "1.50"),
            (r#"{"a": true}"#, "true"),
            (r#"{"a": {"b": [1, 2]}}"#, r#"{"b": [1, 2]}"#),
            (r#"{"a": null}"#, "null"),
            (r#"{"b": 1}"#, "null"),
            (r#"["a"]"#, "null"),
            (r#"{"a": "\ud800"}"#, "null"),
        ] {
            assert_eq!(value(&format!("json_text('{json}', 'a')")).unwrap(), text, "{json}");
        }
        assert_eq!(value("json_text(null, 'a') is null").unwrap(), "true");
        assert_eq!(value(r#"json_text('{"a": ""}', 'a') is null"#).unwrap(), "false");
    }
}
