//! `field_text`, `field_number`, `field_is`, `field_trouble`, `group_key` and `fields_json`: what records say in fields
//! that are named by data.

mod value;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, StringViewBuilder, new_null_array};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::arguments::{Arguments, Kind, MONEY, failed};
use super::scalar::Scalar;
use crate::decimal::DecimalError;
use crate::name::{nearest, normal_name};
use value::{Fields, Wanted, json_names};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Text,
    Number,
    Is,
    Trouble,
    Key,
    Json,
}

pub(super) const FIELD_TEXT: Scalar = Scalar {
    name: "field_text",
    meaning: "What a field of a record says; a number as its shortest decimal. Null where it is empty, null or not \
        there.",
    parameters: &[
        ("fields", Kind::Fields, "`usage_record.fields`, all columns of a record, or one JSON object"),
        (
            "name",
            Kind::Text,
            "of a column or an attribute; case, `_`, `-` and blanks do not count where none has that very name",
        ),
    ],
    result: || DataType::Utf8View,
    example: "select field_text('{\"region\": \"eu\", \"size\": 4.0}', 'size')\n-- 4",
    compute: |arguments| of_fields(arguments, What::Text),
};

pub(super) const FIELD_NUMBER: Scalar = Scalar {
    name: "field_number",
    meaning: "The number in a field, or in its text, with all its digits; null where there is none that fits.",
    parameters: &[
        ("fields", Kind::Fields, "`usage_record.fields`, all columns of a record, or one JSON object"),
        (
            "name",
            Kind::Text,
            "of a column or an attribute; case, `_`, `-` and blanks do not count where none has that very name",
        ),
    ],
    result: || MONEY,
    example: "select field_number('{\"region\": \"eu\", \"size\": 4.0}', 'Size')\n-- 4",
    compute: |arguments| of_fields(arguments, What::Number),
};

pub(super) const FIELD_IS: Scalar = Scalar {
    name: "field_is",
    meaning: "Whether a field says this: the same text, or a number that is equal. Null where the field is not \
        there.",
    parameters: &[
        ("fields", Kind::Fields, "`usage_record.fields`, all columns of a record, or one JSON object"),
        (
            "name",
            Kind::Text,
            "of a column or an attribute; case, `_`, `-` and blanks do not count where none has that very name",
        ),
        ("value", Kind::Text, "what it may say"),
    ],
    result: || DataType::Boolean,
    example: "select field_is('{\"region\": \"eu\", \"size\": 4.0}', 'size', '4.00')\n-- true",
    compute: |arguments| of_fields(arguments, What::Is),
};

pub(super) const FIELD_TROUBLE: Scalar = Scalar {
    name: "field_trouble",
    meaning: "Why `field_number` is null, in words.",
    parameters: &[
        ("fields", Kind::Fields, "`usage_record.fields`, all columns of a record, or one JSON object"),
        (
            "name",
            Kind::Text,
            "of a column or an attribute; case, `_`, `-` and blanks do not count where none has that very name",
        ),
    ],
    result: || DataType::Utf8View,
    example: "select field_trouble('{\"region\": \"eu\", \"size\": 4.0}', 'region')\n-- no number in region",
    compute: |arguments| of_fields(arguments, What::Trouble),
};

pub(super) const GROUP_KEY: Scalar = Scalar {
    name: "group_key",
    meaning: "Some fields as one JSON object of texts. It has exactly the names that are asked for, in their order \
        and without blanks, and each as `field_text` gives it. So records that agree in the fields give \
        equal keys, and so does a key that a person wrote. Null names give null.",
    parameters: &[
        ("fields", Kind::Fields, "`usage_record.fields`, all columns of a record, or one JSON object"),
        ("names", Kind::Text, "a comma between them, and blanks around them"),
    ],
    result: || DataType::Utf8View,
    example: "select group_key('{\"region\": \"eu\", \"size\": 4.0}', 'region, city')\n-- {\"region\":\"eu\",\"city\":null}",
    compute: |arguments| of_fields(arguments, What::Key),
};

pub(super) const FIELDS_JSON: Scalar = Scalar {
    name: "fields_json",
    meaning: "All that a record says as one JSON object.",
    parameters: &[(
        "fields",
        Kind::Fields,
        "`usage_record.fields`, all columns of a record, or one JSON object",
    )],
    result: || DataType::Utf8View,
    example: "select fields_json('{\"region\": \"eu\", \"size\": 4.0}')\n-- {\"region\": \"eu\", \"size\": 4.0}",
    compute: |arguments| of_fields(arguments, What::Json),
};

pub(super) const FIELD_NAMES: Scalar = Scalar {
    name: "field_names",
    meaning: "The names in a JSON object, or in a list with commas, as they are compared: small letters without \
        `_`, in order, a comma between them. Null where a text that begins with `{` is not a JSON object.",
    parameters: &[("text", Kind::Text, "the object, or the list")],
    result: || DataType::Utf8View,
    example: "select field_names('User_Id, region')\n-- region,userid",
    compute: names,
};

/// A text for each row.
fn texts(rows: usize, text: impl Fn(usize) -> Result<Option<String>>) -> Result<ArrayRef> {
    let mut texts = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        texts.append_option(text(row)?);
    }
    Ok(Arc::new(texts.finish()))
}

/// The names asked for, each looked up once; mostly a name is that of the row before.
struct Names<'a> {
    fields: &'a Fields,
    known: HashMap<&'a str, usize>,
    wanted: Vec<Wanted>,
    last: Option<(&'a str, usize)>,
}

impl<'a> Names<'a> {
    fn new(fields: &'a Fields) -> Self {
        Self { fields, known: HashMap::new(), wanted: Vec::new(), last: None }
    }

    fn get(&mut self, name: &'a str) -> &Wanted {
        let place = match self.last {
            Some((last, place)) if last == name => place,
            _ => *self.known.entry(name).or_insert_with(|| {
                self.wanted.push(self.fields.wanted(name));
                self.wanted.len() - 1
            }),
        };
        self.last = Some((name, place));
        &self.wanted[place]
    }
}

/// Why there is no number in a field.
fn trouble(fields: &Fields, row: usize, wanted: &Wanted, name: &str) -> String {
    let Some(value) = fields.get(row, wanted) else {
        let names = fields.names(row);
        return match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("no number in {name}; the record has {near}"),
            None => format!("no number in {name}"),
        };
    };
    match value.number() {
        Err(DecimalError::SurplusDecimals) => format!("{name} has more than 12 decimals"),
        Err(DecimalError::TooLarge) => format!("{name} has more than 26 digits before the point"),
        _ => format!("no number in {name}"),
    }
}

fn key_of(fields: &Fields, row: usize, wanted: &[(String, Wanted)]) -> serde_json::Result<String> {
    let mut key = String::from("{");
    for (position, (name, wanted)) in wanted.iter().enumerate() {
        if position > 0 {
            key.push(',');
        }
        key.push_str(name);
        key.push(':');
        key.push_str(&serde_json::to_string(&fields.get(row, wanted).and_then(|value| value.text()))?);
    }
    key.push('}');
    Ok(key)
}

fn names_of(text: &str) -> Option<String> {
    let names = if text.trim_start().starts_with('{') {
        json_names(text)?
    } else {
        text.split(',').map(String::from).collect()
    };
    let mut names: Vec<String> = names.iter().map(|name| normal_name(name)).collect();
    names.sort();
    Some(names.join(","))
}

fn names(arguments: &Arguments) -> Result<ArrayRef> {
    let found = arguments.texts(0)?;
    texts(arguments.rows(), |row| Ok(found.get(row).and_then(names_of)))
}

fn of_fields(arguments: &Arguments, what: What) -> Result<ArrayRef> {
    let rows = arguments.rows();
    if what != What::Json && arguments.texts(1)?.is_all_null() {
        let result = match what {
            What::Number => MONEY,
            What::Is => DataType::Boolean,
            _ => DataType::Utf8View,
        };
        return Ok(new_null_array(&result, rows));
    }
    let records = arguments.values(0)?;
    let fields = Fields::new(records.whole())
        .ok_or_else(|| failed(arguments.function(), "`fields` is neither a record nor a JSON object"))?;
    if what == What::Json {
        return texts(rows, |row| {
            fields.object(records.position(row)).map_err(|error| failed(arguments.function(), error))
        });
    }
    let asked = arguments.texts(1)?;
    let mut names = Names::new(&fields);
    let values: ArrayRef = match what {
        What::Number => {
            let number = |row| {
                let wanted = names.get(asked.get(row)?);
                fields.get(records.position(row), wanted)?.number().ok()
            };
            let numbers: Decimal128Array = (0..rows).map(number).collect();
            Arc::new(numbers.with_data_type(MONEY))
        }
        What::Is => {
            let values = arguments.texts(2)?;
            let is = |row| {
                let (wanted, wanted_value) = (names.get(asked.get(row)?), values.get(row)?);
                let value = fields.get(records.position(row), wanted)?;
                let is_equal = value.is_number()
                    && value
                        .number()
                        .is_ok_and(|number| value::Value::Text(wanted_value.into()).number() == Ok(number));
                Some(is_equal || value.text()? == wanted_value)
            };
            Arc::new((0..rows).map(is).collect::<BooleanArray>())
        }
        What::Key => {
            let mut known: HashMap<&str, Vec<(String, Wanted)>> = HashMap::new();
            let mut keys = StringViewBuilder::with_capacity(rows);
            for row in 0..rows {
                let Some(list) = asked.get(row) else {
                    keys.append_null();
                    continue;
                };
                if !known.contains_key(list) {
                    let names = list.split(',').map(str::trim);
                    let names = names.map(|name| Ok((serde_json::to_string(name)?, fields.wanted(name))));
                    let names: serde_json::Result<_> = names.collect();
                    known.insert(list, names.map_err(|error| failed(arguments.function(), error))?);
                }
                let key = key_of(&fields, records.position(row), &known[list]);
                keys.append_value(key.map_err(|error| failed(arguments.function(), error))?);
            }
            Arc::new(keys.finish())
        }
        _ => {
            let mut texts = StringViewBuilder::with_capacity(rows);
            for row in 0..rows {
                let Some(name) = asked.get(row) else {
                    texts.append_null();
                    continue;
                };
                let wanted = names.get(name);
                let row = records.position(row);
                if what == What::Trouble {
                    texts.append_value(trouble(&fields, row, wanted, name));
                } else {
                    texts.append_option(fields.get(row, wanted).and_then(|value| value.text()));
                }
            }
            Arc::new(texts.finish())
        }
    };
    Ok(values)
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    /// One record: columns and attributes.
    const RECORD: &str = "named_struct('vin', arrow_cast('V1', 'Utf8View'), 'quantity', cast(10 as decimal(38, 12)), \
        'unit', arrow_cast(null, 'Utf8View'), 'usage_start', timestamp '2026-06-02T08:00:00Z', 'seats', 7, \
        'attributes', arrow_cast('{\"promptTokens\": 5.50, \"unit\": \"GB\", \"empty\": \"\", \"size\": \"4.0\"}', 'Utf8View'))";

    fn asked(function: &str) -> String {
        value(&function.replace("fields", RECORD)).unwrap()
    }

    #[test]
    fn a_column_or_an_attribute() {
        for (name, text, number) in [
            ("vin", "V1", "null"),
            ("VIN", "V1", "null"),
            ("quantity", "10", "10.000000000000"),
            ("seats", "7", "7.000000000000"),
            ("unit", "GB", "null"),
            ("prompt_tokens", "5.5", "5.500000000000"),
            ("promptTokens", "5.5", "5.500000000000"),
            ("size", "4.0", "4.000000000000"),
            ("empty", "null", "null"),
            ("usage_start", "2026-06-02T08:00:00", "null"),
            ("nothing", "null", "null"),
        ] {
            assert_eq!(asked(&format!("field_text(fields, '{name}')")), text, "{name}");
            assert_eq!(asked(&format!("field_number(fields, '{name}')")), number, "{name}");
        }
    }

    #[test]
    fn equal_values() {
        for (name, wanted, is) in [
            ("vin", "V1", "true"),
            ("vin", "v1", "false"),
            ("quantity", "10", "true"),
            ("quantity", "10.0", "true"),
            ("prompt_tokens", "5.50", "true"),
            ("size", "4.0", "true"),
            ("size", "4", "false"), // a text
            ("nothing", "4", "null"),
        ] {
            assert_eq!(asked(&format!("field_is(fields, '{name}', '{wanted}')")), is, "{name} {wanted}");
        }
    }

    #[test]
    fn keys() {
        assert_eq!(
            asked("group_key(fields, 'unit, vin,prompt_tokens,none')"),
            r#"{"unit":"GB","vin":"V1","prompt_tokens":"5.5","none":null}"#
        );
        for written in [
            r#"{"vcpu": 4, "region":"eu"}"#,
            r#"{"region":"eu","vcpu":"4"}"#,
            r#"{ "region" : "eu", "vCpu" : 4.0 }"#,
        ] {
            let key = value(&format!("group_key('{written}', 'region,vcpu')")).unwrap();
            assert_eq!(key, r#"{"region":"eu","vcpu":"4"}"#, "{written}");
        }
        assert_eq!(value("group_key('{}', null) is null").unwrap(), "true");
        assert_eq!(value("group_key(null, 'a')").unwrap(), r#"{"a":null}"#);
        assert_eq!(value(r#"field_names('{"vCpu": 4, "region": "eu"}')"#).unwrap(), "region,vcpu");
        assert_eq!(value("field_names('vcpu, region')").unwrap(), "region,vcpu");
        assert_eq!(value(r#"field_names('{"a": }')"#).unwrap(), "null");
    }

    #[test]
    fn why_there_is_no_number() {
        for (name, reason) in [
            ("vin", "no number in vin"),
            ("nothing", "no number in nothing"),
            ("prompt_token", "no number in prompt_token; the record has promptTokens"),
        ] {
            assert_eq!(asked(&format!("field_trouble(fields, '{name}')")), reason);
        }
        for (number, reason) in [
            ("0.0476350000000000004", "cost has more than 12 decimals"),
            ("1e26", "cost has more than 26 digits before the point"),
        ] {
            let trouble = value(&format!("field_trouble('{{\"cost\": {number}}}', 'cost')")).unwrap();
            assert_eq!(trouble, reason);
        }
    }

    #[test]
    fn a_record_as_json() {
        assert_eq!(
            value(&format!("fields_json({RECORD})")).unwrap(),
            r#"{"vin":"V1","quantity":10,"usage_start":"2026-06-02T08:00:00","seats":7,"promptTokens": 5.50, "unit": "GB", "empty": "", "size": "4.0"}"#
        );
        let sql = r#"select field_text(j, f) from (values ('{"a": 1.0}', 'a'), (null, 'a'), ('{"a": 1}', null)) as t(j, f)"#;
        assert_eq!(rows(sql).unwrap(), ["1", "null", "null"]);
    }
}
