//! `number_text`: a number as people write it.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringViewBuilder};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type};
use datafusion::common::Result;

use super::arguments::{Arguments, Kind, MONEY_SCALE};
use super::scalar::Scalar;

const NAME: &str = "number_text";
/// Decimal places of the numbers.
const PLACES: usize = MONEY_SCALE as usize;

pub(super) const NUMBER_TEXT: Scalar = Scalar {
    name: NAME,
    meaning: "A number as people write it: all its digits, a comma between thousands and at least so many \
        decimals. Null where an argument is null.",
    parameters: &[
        ("number", Kind::Money, "any number"),
        ("places", Kind::WholeNumber, "the least number of decimals, 0 to 12"),
    ],
    result: || DataType::Utf8View,
    example: "select number_text(1500, 2), number_text(0.0125, 2)\n-- 1,500.00 0.0125",
    compute,
};

/// A number in units of its twelfth decimal place.
fn text_of(number: i128, places: i32) -> String {
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = PLACES + 1);
    let (whole, fraction) = digits.split_at(digits.len() - PLACES);
    let places = usize::try_from(places).unwrap_or(0).min(PLACES);
    let fraction = &fraction[..fraction.trim_end_matches('0').len().max(places)];
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let (numbers, places) = (arguments.numbers::<Decimal128Type>(0)?, arguments.numbers::<Int32Type>(1)?);
    let mut texts = StringViewBuilder::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let values = numbers.get(row).zip(places.get(row));
        texts.append_option(values.map(|(number, places)| text_of(number, places)));
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::value;

    #[test]
    fn texts() {
        for (number, places, text) in [
            ("0", 0, "0"),
            ("0", 2, "0.00"),
            ("1500", 0, "1,500"),
            ("-1500", 2, "-1,500.00"),
            ("999", 0, "999"),
            ("1234567.891", 2, "1,234,567.891"),
            ("-0.002", 0, "-0.002"),
            ("0.000000000001", 2, "0.000000000001"),
            ("99999999999999999999999999.999999999999", 0, "99,999,999,999,999,999,999,999,999.999999999999"),
            ("1", 99, "1.000000000000"),
            ("1.5", -1, "1.5"),
            ("cast(3 as bigint)", 0, "3"),
        ] {
            assert_eq!(value(&format!("number_text({number}, {places})")).unwrap(), text, "{number}");
        }
        assert_eq!(value("number_text(null, 0) is null").unwrap(), "true");
    }
}
