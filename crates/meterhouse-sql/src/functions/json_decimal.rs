//! `json_decimal`: a number out of a JSON object, exactly as written. Also the field lookup that `json_text` shares.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};
use datafusion::common::Result;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::arguments::{Arguments, Kind, MONEY, MONEY_PRECISION, MONEY_SCALE};
use super::scalar::Scalar;
use crate::decimal::parse_decimal;
use crate::name::{is_named, normal_name};

const NAME: &str = "json_decimal";

pub(super) const JSON_DECIMAL: Scalar = Scalar {
    name: NAME,
    meaning: "A number out of a JSON object, with all its digits. The field is a JSON number or a string that \
        holds one, `1.5`, `\"1.5\"`, `15e-1`; it never goes through a binary fraction. Null where the text \
        is null or no JSON object, the field is absent, null or no number, or the number does not fit. A \
        name that is the same but for case, `_`, `-` and blanks matches, too, where none matches exactly; of \
        several fields of one name the last counts.",
    parameters: &[("json", Kind::Text, "an object"), ("field", Kind::Text, "the name of a field at its top")],
    result: || MONEY,
    example: "select json_decimal('{\"distance\": \"1.5\"}', 'distance')\n-- 1.50",
    compute,
};

/// The value of a top-level field as it is written in a JSON object; `None` where there is no such field or object.
/// `normal` is the name as it is compared where none is exactly `field`.
pub(super) fn json_field<'a>(json: &'a str, field: &str, normal: &str) -> Option<&'a str> {
    struct Field<'f>(&'f str, &'f str);

    impl<'de> Visitor<'de> for Field<'_> {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let (mut found, mut alike) = (None, None);
            while let Some(Name(name)) = map.next_key()? {
                if name == self.0 {
                    found = Some(map.next_value()?);
                } else if found.is_none() && is_named(&name, self.1) {
                    alike = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found.or(alike))
        }
    }

    /// A field's name; it is copied only where it has escapes.
    #[derive(serde::Deserialize)]
    struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

    let mut reader = serde_json::Deserializer::from_str(json);
    let found = reader.deserialize_map(Field(field, normal)).ok()?;
    reader.end().ok()?;
    found.map(RawValue::get)
}

/// The text that a JSON string stands for; `None` where the JSON value is not a string.
pub(super) fn json_string(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(value).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn decimal_of(value: &str) -> Option<i128> {
    match json_string(value) {
        Some(text) => parse_decimal(&text, MONEY_PRECISION, MONEY_SCALE).ok(),
        None => parse_decimal(value, MONEY_PRECISION, MONEY_SCALE).ok(),
    }
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let (jsons, fields) = (arguments.texts(0)?, arguments.texts(1)?);
    let decimal = |row| {
        let field = fields.get(row)?;
        decimal_of(json_field(jsons.get(row)?, field, &normal_name(field))?)
    };
    let decimals: Decimal128Array = (0..arguments.rows()).map(decimal).collect();
    Ok(Arc::new(decimals.with_data_type(MONEY)))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    fn decimal(json: &str, field: &str) -> String {
        value(&format!("json_decimal('{json}', '{field}')")).unwrap()
    }

    #[test]
    fn numbers() {
        for (json, number) in [
            (r#"{"a": 1.5}"#, "1.500000000000"),
            (r#"{"b": {"a": 2}, "a": -15e-1}"#, "-1.500000000000"),
            (r#"{"a": "0.1"}"#, "0.100000000000"),
            (r#"{"\u0061": 7}"#, "7.000000000000"),
            (r#"{"a": "\u0037"}"#, "7.000000000000"),
            (r#"{"a": 12345678901234567890123456.123456789012}"#, "12345678901234567890123456.123456789012"),
            (r#"{"a": 9007199254740993}"#, "9007199254740993.000000000000"),
            (r#"{"a": 0.1000000000000000}"#, "0.100000000000"),
            (r#"{"a": 1, "a": 2}"#, "2.000000000000"),
            (r#"{"_A": 1}"#, "1.000000000000"),
            (r#"{"a": 2, "A": 1}"#, "2.000000000000"),
        ] {
            assert_eq!(decimal(json, "a"), number, "{json}");
        }
    }

    #[test]
    fn nulls() {
        for json in [
            "",
            "null",
            "[1]",
            "5",
            "{}",
            r#"{"a": null}"#,
            r#"{"a": true}"#,
            r#"{"a": ""}"#,
            r#"{"a": "x"}"#,
            r#"{"a": " 1"}"#,
            r#"{"a": [1]}"#,
            r#"{"a": {"a": 1}}"#,
            r#"{"a": 0.0000000000001}"#,
            r#"{"a": 123456789012345678901234567}"#,
            r#"{"a": 1e99999}"#,
            r#"{"a": NaN}"#,
            r#"{"a": 1"#,
            r#"{"a": 1} x"#,
            r#"{"a": 01}"#,
            r#"{"a.b": 1}"#,
        ] {
            assert_eq!(decimal(json, "a"), "null", "{json}");
        }
        let sql = r#"select json_decimal(j, f) from (values ('{"a": 1}', 'a'), (null, 'a'), ('{"a": 1}', null)) as t(j, f)"#;
        assert_eq!(rows(sql).unwrap(), ["1.000000000000", "null", "null"]);
    }
}
