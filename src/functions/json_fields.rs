//! `json_fields`: some fields of a JSON object, as an object of texts that can be grouped by.

use std::sync::Arc;

use arrow::array::StringViewBuilder;
use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::arguments::{Arguments, Kind, coerce, failed};
use super::json_decimal::json_field;
use super::json_text::text_of;

const NAME: &str = "json_fields";

/// `json_fields(json varchar, fields varchar)`: the named top-level fields of a JSON object, as a JSON object.
///
/// `fields` are names with a comma between them, and blanks around them. The result has exactly these, in this order,
/// without blanks; values are texts as `json_text` gives them, or null: `{"region":"eu","size":null}`. So objects that
/// agree in the fields give equal texts. A null `json` has no fields; null `fields` give null.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct JsonFields {
    signature: Signature,
}

impl JsonFields {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

fn fields_of(json: Option<&str>, fields: &str) -> serde_json::Result<String> {
    let mut object = String::from("{");
    for (position, field) in fields.split(',').map(str::trim).enumerate() {
        if position > 0 {
            object.push(',');
        }
        let text = json.and_then(|json| json_field(json, field)).and_then(text_of);
        object.push_str(&serde_json::to_string(field)?);
        object.push(':');
        object.push_str(&serde_json::to_string(&text)?);
    }
    object.push('}');
    Ok(object)
}

impl ScalarUDFImpl for JsonFields {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &[("json", Kind::Text), ("fields", Kind::Text)], found)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(NAME, &args)?;
        let (jsons, fields) = (arguments.texts(0)?, arguments.texts(1)?);
        let mut texts = StringViewBuilder::with_capacity(arguments.rows());
        for row in 0..arguments.rows() {
            let object = fields.get(row).map(|fields| fields_of(jsons.get(row), fields)).transpose();
            texts.append_option(object.map_err(|error| failed(NAME, error))?);
        }
        arguments.finish(Arc::new(texts.finish()))
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::value;

    #[test]
    fn fields() {
        for (json, fields, object) in [
            (r#"{"a": "x y", "b": 1.50}"#, "a", r#"{"a":"x y"}"#),
            (r#"{"b": "q\"", "a": 1.50}"#, "a, b,c", r#"{"a":"1.50","b":"q\"","c":null}"#),
            ("no object", "a", r#"{"a":null}"#),
        ] {
            assert_eq!(value(&format!("json_fields('{json}', '{fields}')")).unwrap(), object);
        }
        assert_eq!(value("json_fields(null, 'a')").unwrap(), r#"{"a":null}"#);
        assert_eq!(value("json_fields('{}', null) is null").unwrap(), "true");
    }
}
