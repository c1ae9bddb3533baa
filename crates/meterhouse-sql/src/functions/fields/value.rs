//! What a record says in a field: in the column or the attribute of that name, whichever holds it.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, StringViewArray};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type};
use arrow::util::display::array_value_to_string;

use crate::decimal::{DecimalError, POWERS_OF_TEN, parse_decimal};
use crate::functions::arguments::{MONEY_PRECISION, MONEY_SCALE};
use crate::functions::json_decimal::{json_field, json_string};
use crate::name::normal_name;

/// The column whose JSON object has all fields that have no column of their own.
const ATTRIBUTES: &str = "attributes";
/// A number is written out up to so many zeros; beyond, it stays as it is written.
const MOST_ZEROS: i64 = 60;

/// Records, each as its fields: a struct of columns, one of which may be `attributes`; or one JSON object a record.
pub(super) struct Fields {
    records: ArrayRef,
    columns: Vec<Column>,
    attributes: Option<StringViewArray>,
}

struct Column {
    name: String,
    normal: String,
    values: Values,
}

enum Values {
    Text(StringViewArray),
    Decimal(Decimal128Array, i8),
    Other(ArrayRef),
}

/// A field that is asked for.
pub(super) struct Wanted {
    name: String,
    normal: String,
    column: Option<usize>,
}

/// What a field holds; a JSON value is as it is written.
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Json(&'a str),
    Decimal(i128, i8),
}

impl Fields {
    /// `None` where the array is neither a struct nor a text.
    pub(super) fn new(records: &ArrayRef) -> Option<Self> {
        let mut columns = Vec::new();
        let mut attributes = None;
        if let Some(fields) = records.as_struct_opt() {
            for (field, values) in fields.fields().iter().zip(fields.columns()) {
                if field.name() == ATTRIBUTES {
                    attributes = Some(values.as_string_view_opt()?.clone());
                    continue;
                }
                let values = match values.data_type() {
                    DataType::Utf8View => Values::Text(values.as_string_view().clone()),
                    DataType::Decimal128(_, scale) => Values::Decimal(values.as_primitive().clone(), *scale),
                    _ => Values::Other(values.clone()),
                };
                let name = field.name().clone();
                columns.push(Column { normal: normal_name(&name), name, values });
            }
        } else {
            attributes = Some(records.as_string_view_opt()?.clone());
        }
        Some(Self { records: records.clone(), columns, attributes })
    }

    pub(super) fn wanted(&self, name: &str) -> Wanted {
        let normal = normal_name(name);
        let column = self.columns.iter().position(|column| column.normal == normal);
        Wanted { name: name.into(), normal, column }
    }

    /// What a record holds in a field; an empty text is nothing.
    pub(super) fn get(&self, row: usize, wanted: &Wanted) -> Option<Value<'_>> {
        if self.records.is_null(row) {
            return None;
        }
        let of_column = wanted.column.and_then(|column| self.columns[column].values.get(row));
        of_column.or_else(|| {
            let written = json_field(self.json(row)?, &wanted.name, &wanted.normal)?;
            (!matches!(written, "null" | "\"\"")).then_some(Value::Json(written))
        })
    }

    fn json(&self, row: usize) -> Option<&str> {
        self.attributes.as_ref().filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row))
    }

    /// The names of all fields that a record has.
    pub(super) fn names(&self, row: usize) -> Vec<String> {
        let columns = self.columns.iter().filter(|column| column.values.get(row).is_some());
        let mut names: Vec<String> = columns.map(|column| column.name.clone()).collect();
        names.extend(self.json(row).and_then(json_names).unwrap_or_default());
        names
    }

    /// All that a record says, as one JSON object.
    pub(super) fn object(&self, row: usize) -> serde_json::Result<Option<String>> {
        if self.records.is_null(row) {
            return Ok(None);
        }
        let mut entries = Vec::with_capacity(self.columns.len() + 1);
        for column in &self.columns {
            if let Some(value) = column.values.get(row) {
                entries.push(format!("{}:{}", serde_json::to_string(&column.name)?, value.json()?));
            }
        }
        let attributes = self.json(row).map(str::trim);
        let inner = attributes.and_then(|json| json.strip_prefix('{')?.strip_suffix('}')).map(str::trim);
        entries.extend(inner.filter(|inner| !inner.is_empty()).map(String::from));
        Ok(Some(format!("{{{}}}", entries.join(","))))
    }
}

impl Values {
    fn get(&self, row: usize) -> Option<Value<'_>> {
        match self {
            Values::Text(texts) => {
                let text = texts.is_valid(row).then(|| texts.value(row)).filter(|text| !text.is_empty());
                text.map(|text| Value::Text(text.into()))
            }
            Values::Decimal(numbers, scale) => {
                numbers.is_valid(row).then(|| Value::Decimal(numbers.value(row), *scale))
            }
            Values::Other(values) if values.is_null(row) => None,
            Values::Other(values) => {
                if let Some(numbers) = values.as_primitive_opt::<Int64Type>() {
                    return Some(Value::Decimal(numbers.value(row).into(), 0));
                }
                if let Some(numbers) = values.as_primitive_opt::<Int32Type>() {
                    return Some(Value::Decimal(numbers.value(row).into(), 0));
                }
                if let Some(numbers) = values.as_primitive_opt::<Decimal128Type>() {
                    return Some(Value::Decimal(numbers.value(row), numbers.scale()));
                }
                array_value_to_string(values, row).ok().map(|text| Value::Text(text.into()))
            }
        }
    }
}

impl<'a> Value<'a> {
    /// As it is compared: a number as its shortest decimal, a text as it is.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Value::Text(text) => Some(text),
            Value::Decimal(number, scale) => Some(decimal_text(number, scale).into()),
            Value::Json(written) => match written.as_bytes().first()? {
                b'"' => json_string(written),
                b'-' | b'0'..=b'9' => Some(plain_number(written)),
                _ => Some(written.into()),
            },
        }
    }

    /// The number that it is, or that stands in its text; unscaled `decimal(38, 12)`.
    pub(super) fn number(&self) -> Result<i128, DecimalError> {
        let parse = |text: &str| parse_decimal(text, MONEY_PRECISION, MONEY_SCALE);
        match self {
            Value::Text(text) => parse(text),
            Value::Json(written) => json_string(written).map_or_else(|| parse(written), |text| parse(&text)),
            Value::Decimal(number, MONEY_SCALE) => Ok(*number),
            Value::Decimal(number, scale) => parse(&decimal_text(*number, *scale)),
        }
    }

    /// Whether it is a number and not a text.
    pub(super) fn is_number(&self) -> bool {
        match self {
            Value::Text(_) => false,
            Value::Decimal(..) => true,
            Value::Json(written) => written.starts_with(|c: char| c == '-' || c.is_ascii_digit()),
        }
    }

    fn json(self) -> serde_json::Result<Cow<'a, str>> {
        match self {
            Value::Text(text) => serde_json::to_string(&text).map(Cow::Owned),
            Value::Decimal(number, scale) => Ok(decimal_text(number, scale).into()),
            Value::Json(written) => Ok(written.into()),
        }
    }
}

/// The names of the fields of a JSON object in their order; `None` where it is none.
pub(super) fn json_names(json: &str) -> Option<Vec<String>> {
    let fields: HashMap<String, serde::de::IgnoredAny> = serde_json::from_str(json).ok()?;
    let mut names: Vec<String> = fields.into_keys().collect();
    names.sort();
    Some(names)
}

/// A decimal without zeros at its end: `4`, `-0.5`.
fn decimal_text(number: i128, scale: i8) -> String {
    let Ok(scale) = u8::try_from(scale).map(usize::from) else {
        return format!("{number}{}", "0".repeat(scale.unsigned_abs().into()));
    };
    let sign = if number < 0 { "-" } else { "" };
    let Some(unit) = POWERS_OF_TEN.get(scale) else { return format!("{number}e-{scale}") };
    let (whole, fraction) =
        (number.unsigned_abs() / unit.unsigned_abs(), number.unsigned_abs() % unit.unsigned_abs());
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = format!("{fraction:0scale$}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}

/// A JSON number as its shortest decimal: `4` for `4.0` and for `40e-1`.
fn plain_number(written: &str) -> Cow<'_, str> {
    let unsigned = written.strip_prefix('-').unwrap_or(written);
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) && unsigned != "0" {
        return written.into();
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_matches('0');
    if digits.is_empty() {
        return "0".into();
    }
    // Where the point stands, counted from the first digit that is not zero.
    let point = exponent.parse::<i64>().ok().filter(|exponent| exponent.abs() <= MOST_ZEROS);
    let point = point.and_then(|exponent| i64::try_from(whole.len()).ok()?.checked_add(exponent));
    let point = point.zip(i64::try_from(leading).ok()).map(|(point, leading)| point - leading);
    let Some(point) = point else { return written.into() };
    let sign = if written.starts_with('-') { "-" } else { "" };
    match usize::try_from(point) {
        Err(_) | Ok(0) => {
            let zeros = usize::try_from(-point).unwrap_or(0);
            format!("{sign}0.{}{digits}", "0".repeat(zeros)).into()
        }
        Ok(point) if point >= digits.len() => {
            format!("{sign}{digits}{}", "0".repeat(point - digits.len())).into()
        }
        Ok(point) => format!("{sign}{}.{}", &digits[..point], &digits[point..]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{decimal_text, plain_number};

    #[test]
    fn a_number_is_its_shortest_decimal() {
        for (written, plain) in [
            ("4", "4"),
            ("4.0", "4"),
            ("40e-1", "4"),
            ("0.4E1", "4"),
            ("-0", "0"),
            ("0.00", "0"),
            ("-1.50", "-1.5"),
            ("100", "100"),
            ("1e3", "1000"),
            ("12.5e1", "125"),
            ("0.05", "0.05"),
            ("5e-3", "0.005"),
            ("1e99999", "1e99999"),
        ] {
            assert_eq!(plain_number(written), plain, "{written}");
        }
        assert_eq!(decimal_text(4_000_000_000_000, 12), "4");
        assert_eq!(decimal_text(-500_000_000_000, 12), "-0.5");
        assert_eq!(decimal_text(7, 0), "7");
        assert_eq!(decimal_text(5, 3), "0.005");
    }
}
