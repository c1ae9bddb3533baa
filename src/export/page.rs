//! One page for each customer and billing period, from the template `queries/export/html/statement.html`.
//!
//! The template sees `customer_id`, `billing_period`, the rows of each query that it mentions, and in `left_out` how
//! many more there are of a query with very many. Decimals are exact texts; `| places(2)` gives them two places at
//! least, `| short` rounds a quantity to what can be read, `| grouped` puts blanks between thousands,
//! `rows | items_by("key", "value")` finds one column by another.

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{Decimal128Type, DecimalType};
use meterhouse_sql::decimal::parse_decimal;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value};

use super::sorted::Sorted;
use crate::encode::cells::{Cell, Cells, short_decimal};
use crate::error::{Error, Mistake, Place, Result, While};
use crate::project::Project;
use crate::project::settings;

/// The template, and what its pages are called.
pub const TEMPLATE: &str = "statement";
/// The folder of the template.
const FOLDER: &str = "queries/export/html";
/// The template of projects that have none.
const DEFAULT: &str = include_str!("../../queries/export/html/statement.html");
/// The digits of a decimal, and those behind its point.
const DECIMAL_PRECISION: u8 = 38;
const SCALE: i8 = 12;
/// Rows of a query that a page shows: more would be no page, and are in the files of the other formats.
const ROWS_SHOWN: usize = 5000;

/// Renders pages.
pub struct Pages {
    environment: Environment<'static>,
    file: String,
    /// What the template reads.
    names: BTreeSet<String>,
}

/// A page.
pub struct Page {
    /// HTML.
    pub text: String,
    /// The rows it shows.
    pub rows: u64,
}

impl Pages {
    /// Reads the project's template.
    ///
    /// # Errors
    /// A template that cannot be read or has a mistake, with its line.
    pub fn new(project: &Project) -> Result<Self> {
        let file = format!("{FOLDER}/{TEMPLATE}.html");
        let mut roots = vec![project.root.clone()];
        if let Some(base) = &project.settings.extends {
            roots.push(project.root.join(settings::expand(base)?));
        }
        let own = roots.into_iter().map(|root| root.join(&file)).find(|path| path.exists());
        let text = match own {
            Some(path) => std::fs::read_to_string(&path).during(|| format!("reading {}", path.display()))?,
            None => DEFAULT.into(),
        };
        let mut environment = Environment::new();
        // Whatever a customer or a description is called, it is text.
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| mistake(&error, &file))?);
        environment.add_filter("grouped", grouped);
        environment.add_filter("places", places);
        environment.add_filter("short", short);
        environment.add_filter("items_by", items_by);
        environment.add_template_owned(TEMPLATE, text).map_err(|error| mistake(&error, &file))?;
        let template = environment.get_template(TEMPLATE).map_err(|error| mistake(&error, &file))?;
        let names = template.undeclared_variables(false).into_iter().collect();
        Ok(Self { environment, file, names })
    }

    /// Whether the template mentions a query.
    pub fn shows(&self, query: &str) -> bool {
        self.names.contains(query)
    }

    /// The page of a customer, whose rows it takes from the inputs.
    pub async fn render(&self, inputs: &mut [Sorted<'_>], customer: &str, period: &str) -> Result<Page> {
        let mut shown: BTreeMap<String, Value> = BTreeMap::new();
        let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
        let mut rows_shown = 0;
        for input in inputs {
            let mut rows: Vec<Value> = Vec::new();
            let mut more = 0;
            while let Some(batch) = input.of(customer).await? {
                let some = batch.slice(0, batch.num_rows().min(ROWS_SHOWN - rows.len()));
                more += batch.num_rows() - some.num_rows();
                let names: Vec<String> =
                    input.schema().fields().iter().map(|field| field.name().clone()).collect();
                for row in Cells::of(&some)?.rows() {
                    let row = names.iter().cloned().zip(row.map(value));
                    rows.push(Value::from_pairs(row));
                }
            }
            rows_shown += rows.len() as u64;
            if more > 0 {
                left_out.insert(input.name().into(), more);
            }
            shown.insert(input.name().into(), Value::from(rows));
        }
        shown.insert("customer_id".into(), customer.into());
        shown.insert("billing_period".into(), period.into());
        shown.insert("left_out".into(), Value::from_pairs(left_out));
        let template =
            self.environment.get_template(TEMPLATE).map_err(|error| mistake(&error, &self.file))?;
        let text = template.render(Value::from_pairs(shown));
        Ok(Page { text: text.map_err(|error| mistake(&error, &self.file))?, rows: rows_shown })
    }
}

fn value(cell: Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::from(()),
        Cell::Plain(text) => match (&*text, text.parse::<i64>()) {
            (_, Ok(number)) => number.into(),
            ("true" | "false", _) => (text == "true").into(),
            _ => Value::from(&*text),
        },
        Cell::Decimal(text) | Cell::Text(text) => Value::from(&*text),
        Cell::Time(text) => text.into(),
    }
}

/// `12.50` of `12.5` for two places; more places stay, because rounding is not the page's.
fn places(number: &str, places: Option<usize>) -> String {
    let places = places.unwrap_or(0);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    match fraction.trim_end_matches('0') {
        "" if places == 0 => whole.into(),
        digits => format!("{whole}.{digits:0<places$}"),
    }
}

/// `38103.29` of `38103.290322580645`: three places, or as many as it takes to have three digits. What is no number of
/// twelve places stays.
fn short(number: &str) -> String {
    let Ok(value) = parse_decimal(number, DECIMAL_PRECISION, SCALE) else { return number.into() };
    for places in 3..SCALE {
        let unit = 10_i128.pow(u32::from((SCALE - places).unsigned_abs()));
        let rounded = (value + value.signum() * (unit / 2)) / unit;
        if rounded.abs() >= 100 || rounded.checked_mul(unit) == Some(value) {
            let text = Decimal128Type::format_decimal(rounded, DECIMAL_PRECISION, places);
            return short_decimal(&text).into_owned();
        }
    }
    number.into()
}

/// For each row, what stands in one column under what stands in another.
fn items_by(rows: Vec<Value>, key: &str, item: &str) -> std::result::Result<Value, minijinja::Error> {
    let mut items = BTreeMap::new();
    for row in rows {
        items.insert(row.get_attr(key)?, row.get_attr(item)?);
    }
    Ok(Value::from_pairs(items))
}

/// `1 234 567.80` of `1234567.80`, with narrow blanks at which no line breaks.
fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("\u{2212}", digits));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text + fraction
}

fn mistake(error: &minijinja::Error, file: &str) -> Error {
    let line = error.line().unwrap_or(0) as u64;
    let place = Place { file: file.into(), line, column: 0 };
    let what = error.detail().map_or_else(|| error.kind().to_string(), String::from);
    Error::Project(vec![Mistake { place, what, hint: "the template language is that of minijinja".into() }])
}

#[cfg(test)]
mod tests {
    use super::{grouped, places, short};

    #[test]
    fn a_quantity_can_be_read() {
        for (number, shown) in [
            ("38103.290322580645", "38103.29"),
            ("-0.0005", "-0.0005"),
            ("1857.25", "1857.25"),
            ("0.000001234567", "0.00000123"),
            ("0.000000000001", "0.000000000001"),
            ("2.9996", "3"),
            ("8", "8"),
            ("0", "0"),
            ("99999999999999999999999999", "99999999999999999999999999"),
            ("99999999999999999999999999.999999999999", "100000000000000000000000000"),
            ("a", "a"),
        ] {
            assert_eq!(short(number), shown);
        }
    }

    #[test]
    fn a_number_has_places_enough() {
        for (number, count, shown) in [
            ("49", 2, "49.00"),
            ("49.5", 2, "49.50"),
            ("49.50", 0, "49.5"),
            ("20000", 0, "20000"),
            ("-1.234567", 2, "-1.234567"),
        ] {
            assert_eq!(places(number, Some(count)), shown);
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (number, shown) in [
            ("0", "0"),
            ("999.5", "999.5"),
            ("1234.56", "1\u{202f}234.56"),
            ("-1234567", "\u{2212}1\u{202f}234\u{202f}567"),
        ] {
            assert_eq!(grouped(number), shown);
        }
    }
}
