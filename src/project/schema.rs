//! A table's contract: one CREATE TABLE in `schemas/`.
//!
//! Owns the column types a table may have and what a query may yield for them. A float is never one of them: money
//! and quantities are decimals, timestamps are microseconds in UTC.

mod reference;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::sql::sqlparser::ast::{
    ColumnOption, CreateTable, DataType as SqlType, ExactNumberInfo, Expr, HiveDistributionStyle, Spanned,
    Statement, TableConstraint, Value,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Location;
use meterhouse_sql::functions::instant;

use crate::error::{Mistake, Place};
pub use reference::{Named, Reference, TIME_ZONE, ZONE_NAME};

/// What a column holds where landing finds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnDefault {
    /// This text.
    Text(String),
    /// What that other column holds.
    Column(String),
}

/// One column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name, in lower case.
    pub name: String,
    /// Its Arrow type.
    pub data_type: DataType,
    /// Whether it is NOT NULL.
    pub required: bool,
    /// What landing puts where a record has nothing.
    pub default: Option<ColumnDefault>,
    /// What it means and in which unit.
    pub comment: String,
    /// Where it is declared.
    pub place: Place,
}

/// One CHECK.
#[derive(Debug, Clone)]
pub struct Check {
    /// The expression as SQL.
    pub expression: String,
    /// Where it is declared.
    pub place: Place,
}

/// The contract of one table.
#[derive(Debug, Clone)]
pub struct TableSchema {
    /// The table.
    pub name: String,
    /// What it is, from the comment above the statement.
    pub comment: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// The columns of the primary key.
    pub primary_key: Vec<String>,
    /// Its CHECKs.
    pub checks: Vec<Check>,
    /// Its columns that name rows elsewhere.
    pub references: Vec<Reference>,
    /// The columns it is partitioned by.
    pub partition_by: Vec<String>,
    /// The file, relative to the project.
    pub file: String,
    /// The file's text.
    pub text: String,
}

impl TableSchema {
    /// Has the columns of another table before its own, as they are there.
    pub fn take_columns(&mut self, other: &Self) {
        self.columns.retain(|column| !other.columns.iter().any(|taken| taken.name == column.name));
        self.columns.splice(..0, other.columns.iter().cloned());
    }

    /// Reads one schema file; `name` is the file's stem.
    pub fn parse(name: &str, file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let at =
            |location: Location| Place { file: file.into(), line: location.line, column: location.column };
        let top = Place { file: file.into(), line: 1, column: 1 };
        let mistake = |place, what: String, hint: &str| vec![Mistake { place, what, hint: hint.into() }];

        let statements = Parser::parse_sql(&GenericDialect {}, text).map_err(|error| {
            let (what, place) = parser_error(&error.to_string(), file, text);
            mistake(place, what, "a schema is one CREATE TABLE statement")
        })?;
        let [Statement::CreateTable(create)] = statements.as_slice() else {
            return Err(mistake(
                top,
                "not one CREATE TABLE statement".into(),
                "a schema file declares one table",
            ));
        };
        let declared = create.name.to_string();
        if declared != name {
            let what = format!("declares table `{declared}` in a file named `{name}`");
            return Err(mistake(at(create.name.span().start), what, "give the table and its file one name"));
        }

        let mut mistakes = Vec::new();
        let mut columns = Vec::new();
        let mut primary_key = Vec::new();
        let mut checks = Vec::new();
        let mut references = Vec::new();
        for column in &create.columns {
            let place = at(column.name.span.start);
            let data_type = arrow_type(&column.data_type).unwrap_or_else(|hint| {
                let what = format!("column `{}` has type {}", column.name.value, column.data_type);
                mistakes.push(Mistake { place: place.clone(), what, hint: hint.into() });
                DataType::Null
            });
            let mut declared = Column {
                name: column.name.value.clone(),
                data_type,
                required: false,
                default: None,
                comment: String::new(),
                place: place.clone(),
            };
            for option in &column.options {
                match &option.option {
                    ColumnOption::NotNull => declared.required = true,
                    ColumnOption::Null => {}
                    ColumnOption::Comment(comment) => declared.comment = comment.clone(),
                    ColumnOption::PrimaryKey(_) => primary_key.push(declared.name.clone()),
                    ColumnOption::Check(check) => {
                        checks.push(Check { expression: check.expr.to_string(), place: place.clone() });
                    }
                    ColumnOption::ForeignKey(clause) => {
                        let columns = vec![declared.name.clone()];
                        mistakes.extend(reference::add(&mut references, columns, clause, file).err());
                    }
                    ColumnOption::Default(Expr::Identifier(other)) => {
                        declared.default = Some(ColumnDefault::Column(other.value.clone()));
                    }
                    ColumnOption::Default(Expr::Value(value)) => {
                        declared.default = match &value.value {
                            Value::SingleQuotedString(text) => Some(ColumnDefault::Text(text.clone())),
                            other => Some(ColumnDefault::Text(other.to_string())),
                        };
                    }
                    other => mistakes.push(Mistake {
                        place: place.clone(),
                        what: format!("column `{}` has `{other}`", declared.name),
                        hint:
                            "a column may say NOT NULL, DEFAULT, CHECK, PRIMARY KEY, REFERENCES and COMMENT"
                                .into(),
                    }),
                }
            }
            columns.push(declared);
        }
        for constraint in &create.constraints {
            match constraint {
                TableConstraint::PrimaryKey(key) => {
                    primary_key.extend(key.columns.iter().map(|column| column.column.expr.to_string()));
                }
                TableConstraint::ForeignKey(clause) => {
                    let columns = clause.columns.iter().map(|column| column.value.clone()).collect();
                    mistakes.extend(reference::add(&mut references, columns, clause, file).err());
                }
                TableConstraint::Check(check) => checks
                    .push(Check { expression: check.expr.to_string(), place: at(check.expr.span().start) }),
                other => mistakes.push(Mistake {
                    place: at(other.span().start),
                    what: format!("constraint `{other}`"),
                    hint: "a table may say PRIMARY KEY, FOREIGN KEY and CHECK".into(),
                }),
            }
        }
        let partition_by = partition_columns(create);
        let naming = references.iter().flat_map(|reference| &reference.columns);
        for name in primary_key.iter().chain(&partition_by).chain(naming) {
            if !columns.iter().any(|column| column.name == *name) {
                let what = format!("`{name}` is not a column of `{declared}`");
                mistakes.push(Mistake { place: top.clone(), what, hint: String::new() });
            }
        }
        // A key column without a value identifies nothing.
        for column in &mut columns {
            column.required |= primary_key.contains(&column.name);
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let comment = header(text).join(" ");
        Ok(Self {
            name: name.into(),
            comment,
            columns,
            primary_key,
            checks,
            references,
            partition_by,
            file: file.into(),
            text: text.into(),
        })
    }

    /// All columns: those of the files, then those of the partitions.
    pub fn arrow(&self) -> SchemaRef {
        let (stored, partitions) = self.fields();
        Arc::new(Schema::new(stored.into_iter().chain(partitions).collect::<Vec<_>>()))
    }

    /// The columns in the data files.
    pub fn stored(&self) -> SchemaRef {
        Arc::new(Schema::new(self.fields().0))
    }

    /// The columns in the paths of the data files.
    pub fn partitions(&self) -> Vec<Field> {
        self.fields().1
    }

    fn fields(&self) -> (Vec<Field>, Vec<Field>) {
        let field = |name: &str| {
            let column = self.columns.iter().find(|column| column.name == name)?;
            Some(Field::new(name, column.data_type.clone(), !column.required))
        };
        let stored = self.columns.iter().filter(|column| !self.partition_by.contains(&column.name));
        (
            stored.filter_map(|column| field(&column.name)).collect(),
            self.partition_by.iter().filter_map(|name| field(name)).collect(),
        )
    }

    /// Whether its files are kept apart by this column and no other.
    pub fn is_partitioned_by(&self, column: &str) -> bool {
        self.partition_by == [column]
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The names of all columns as they are declared, for hints.
    pub fn column_list(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The comment lines that open a file, without their dashes.
pub fn header(text: &str) -> Vec<&str> {
    text.lines().map_while(|line| line.strip_prefix("--")).map(str::trim).collect()
}

fn partition_columns(create: &CreateTable) -> Vec<String> {
    match &create.hive_distribution {
        HiveDistributionStyle::PARTITIONED { columns } => {
            columns.iter().map(|column| column.name.value.clone()).collect()
        }
        _ => Vec::new(),
    }
}

/// The Arrow type of a declared type, or what to write instead.
fn arrow_type(declared: &SqlType) -> Result<DataType, &'static str> {
    match declared {
        SqlType::Varchar(_) | SqlType::Text | SqlType::String(_) => Ok(DataType::Utf8View),
        SqlType::Decimal(ExactNumberInfo::PrecisionAndScale(precision, scale))
        | SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(precision, scale)) => {
            match (u8::try_from(*precision), i8::try_from(*scale)) {
                (Ok(precision @ 1..=38), Ok(scale @ 0..)) if scale as u8 <= precision => {
                    Ok(DataType::Decimal128(precision, scale))
                }
                _ => Err("a decimal has 1 to 38 digits, no more of them behind the point"),
            }
        }
        SqlType::Decimal(_) | SqlType::Numeric(_) => Err("give precision and scale, such as decimal(38, 12)"),
        SqlType::BigInt(_) => Ok(DataType::Int64),
        SqlType::Int(_) | SqlType::Integer(_) => Ok(DataType::Int32),
        SqlType::Boolean | SqlType::Bool => Ok(DataType::Boolean),
        SqlType::Date => Ok(DataType::Date32),
        SqlType::Timestamp(_, _) => Ok(instant()),
        SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float(_) | SqlType::Real => {
            Err("a floating-point number cannot hold money or quantities exactly; use decimal(38, 12)")
        }
        _ => Err("use varchar, decimal(p, s), bigint, integer, boolean, date or timestamp"),
    }
}

/// How a type is written in a schema file.
pub fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8View | DataType::Utf8 | DataType::LargeUtf8 => "varchar".into(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("decimal({precision}, {scale})")
        }
        DataType::Int64 => "bigint".into(),
        DataType::Int32 => "integer".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "timestamp".into(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp without time zone".into(),
        DataType::Float64 | DataType::Float32 | DataType::Float16 => "double".into(),
        other => other.to_string().to_lowercase(),
    }
}

/// Whether a query may yield `given` for a column declared as `declared`: equal, or wider without loss.
pub fn accepts(declared: &DataType, given: &DataType) -> bool {
    match (declared, given) {
        (DataType::Utf8View, DataType::Utf8 | DataType::LargeUtf8 | DataType::Null) => true,
        // Of the same scale; writing refuses a value of more digits than are declared.
        (DataType::Decimal128(_, scale), DataType::Decimal128(_, same)) => same == scale,
        // A literal or a cast has nanoseconds; writing checks that nothing of them is lost.
        (DataType::Timestamp(_, Some(_)), DataType::Timestamp(_, Some(zone))) => {
            matches!(&**zone, "UTC" | "+00:00")
        }
        (DataType::Int64, DataType::Int32 | DataType::Int16 | DataType::Int8 | DataType::UInt32) => true,
        (DataType::Int32, DataType::Int16 | DataType::Int8 | DataType::UInt16) => true,
        (_, DataType::Null) => true,
        _ => declared == given,
    }
}

/// Splits `sql parser error: Expected: ..., found: x at Line: 3, Column: 7` into what and where.
///
/// The parser gives no place where the text ends too early: that is behind its last word.
pub fn parser_error(message: &str, file: &str, text: &str) -> (String, Place) {
    let message = message.trim_start_matches("SQL error: ").trim_start_matches("sql parser error: ");
    let Some((what, place)) = message.rsplit_once(" at Line: ") else {
        let written = text.trim_end();
        let last = written.lines().last().unwrap_or_default();
        let (line, column) = (written.lines().count().max(1), last.chars().count() + 1);
        let place = Place { file: file.into(), line: line as u64, column: column as u64 };
        return (plain(message), place);
    };
    let mut numbers = place.split(", Column: ").map(|number| number.trim().parse().unwrap_or(0));
    let (line, column) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    (plain(what), Place { file: file.into(), line, column })
}

/// ``expected an SQL statement, found `selct` `` of `Expected: an SQL statement, found: selct`.
fn plain(what: &str) -> String {
    let Some((expected, found)) =
        what.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found: "))
    else {
        return what.into();
    };
    match found.trim() {
        "EOF" => format!("expected {expected}, found the end of the text"),
        found => format!("expected {expected}, found `{found}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_says_types_keys_checks_partitions_and_comments() {
        let text = "-- charge: what is owed.\ncreate table charge (\n    contract_id varchar not null comment 'the contract',\n    \
                    amount decimal(38, 12) not null check (amount >= 0) comment 'money [currency]',\n    \
                    billing_period varchar not null,\n    primary key (contract_id)\n) partitioned by (billing_period);";
        let schema = TableSchema::parse("charge", "schemas/charge.sql", text).unwrap();
        assert_eq!(schema.primary_key, ["contract_id"]);
        assert_eq!(schema.partition_by, ["billing_period"]);
        assert_eq!(schema.checks[0].expression, "amount >= 0");
        assert_eq!(schema.columns[1].comment, "money [currency]");
        assert_eq!(schema.stored().fields().len(), 2);
        assert_eq!(schema.comment, "charge: what is owed.");
    }

    #[test]
    fn a_text_that_ends_too_early_is_wrong_at_its_end() {
        let text = "create table t (\n    amount bigint\n\n";
        let mistakes = TableSchema::parse("t", "schemas/t.sql", text).unwrap_err();
        assert_eq!(mistakes[0].place.to_string(), "schemas/t.sql:2:18");
        let mistakes = TableSchema::parse("t", "schemas/t.sql", "").unwrap_err();
        assert_eq!(mistakes[0].place.to_string(), "schemas/t.sql:1:1");
    }

    #[test]
    fn a_double_is_refused_with_its_place() {
        let mistakes =
            TableSchema::parse("t", "schemas/t.sql", "create table t (\n    amount double\n)").unwrap_err();
        assert_eq!(mistakes[0].place.to_string(), "schemas/t.sql:2:5");
        assert!(mistakes[0].hint.contains("decimal(38, 12)"));
    }
}
