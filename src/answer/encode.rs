//! Rows as text, in the format that the reader asked for. Decimals keep every digit, except in tables for people,
//! where trailing zeros beyond cents say nothing.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use clap::ValueEnum;
use parquet::arrow::ArrowWriter;

use crate::error::{Error, Result, While};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, with lines around the cells.
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// With a header.
    Csv,
    /// A table that can be pasted into a text.
    Markdown,
    /// Parquet, with types.
    Parquet,
    /// A page for each customer; only `export` writes it.
    #[value(hide = true)]
    Html,
}

impl Format {
    /// What was asked for; else a table on a terminal and CSV in a pipe.
    pub fn or_default(asked: Option<Self>) -> Self {
        asked.unwrap_or(if std::io::stdout().is_terminal() { Self::Table } else { Self::Csv })
    }

    /// Refuses a format that cannot hold so many tables.
    pub fn of_tables(self, tables: usize) -> Result<()> {
        if self != Self::Parquet || tables < 2 {
            return Ok(());
        }
        Err(Error::usage(
            format!("a Parquet file holds one table, and these are {tables}"),
            "--format json has all in one document; one of them: meterhouse sql \"select ...\" --format parquet",
        ))
    }
}

/// Writes rows; without batches, only what the schema says.
pub fn write(
    out: &mut (dyn Write + Send),
    schema: &Schema,
    rows: &[RecordBatch],
    format: Format,
) -> Result<()> {
    let working = || "writing rows".to_string();
    match format {
        Format::Table | Format::Markdown => {
            let mut table = comfy_table::Table::new();
            if format == Format::Markdown {
                table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
            } else {
                table.load_preset(comfy_table::presets::NOTHING);
                table.set_style(comfy_table::TableComponent::HeaderLines, '─');
            }
            table.set_header(schema.fields().iter().map(|field| field.name()));
            for (column, field) in table.column_iter_mut().zip(schema.fields()) {
                if field.data_type().is_numeric() {
                    column.set_cell_alignment(comfy_table::CellAlignment::Right);
                }
            }
            for batch in rows {
                for row in texts(batch)? {
                    table.add_row(row);
                }
            }
            writeln!(out, "{}", table.trim_fmt()).during(working)
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(schema.fields().iter().map(|field| field.name())).during(working)?;
            for batch in rows {
                let batch = with_text_decimals(batch, None)?;
                let columns = formatters(&batch)?;
                for row in 0..batch.num_rows() {
                    csv.write_record(columns.iter().map(|column| column.value(row).to_string()))
                        .during(working)?;
                }
            }
            csv.flush().during(working)
        }
        Format::Ndjson => write_ndjson(out, rows, None),
        Format::Parquet => {
            let mut bytes = Vec::new();
            let mut parquet =
                ArrowWriter::try_new(&mut bytes, Arc::new(schema.clone()), None).during(working)?;
            for batch in rows {
                parquet.write(batch).during(working)?;
            }
            parquet.close().during(working)?;
            out.write_all(&bytes).during(working)
        }
        Format::Html => Err(Error::usage("only `export` writes html", "--format table, csv, json, ...")),
        Format::Json => {
            out.write_all(b"{\"schema_version\":1,\"rows\":").during(working)?;
            write_json_array(out, rows)?;
            out.write_all(b"}\n").during(working)
        }
    }
}

fn write_json_array(out: &mut (dyn Write + Send), rows: &[RecordBatch]) -> Result<()> {
    let working = || "writing rows".to_string();
    let mut bytes = Vec::new();
    let mut json = arrow::json::ArrayWriter::new(&mut bytes);
    for batch in rows {
        json.write(&with_text_decimals(batch, None)?).during(working)?;
    }
    json.finish().during(working)?;
    drop(json);
    out.write_all(if bytes.is_empty() { b"[]" } else { &bytes }).during(working)
}

/// A line for each row, which begins with the name of its table where there are several.
fn write_ndjson(out: &mut (dyn Write + Send), rows: &[RecordBatch], table: Option<&str>) -> Result<()> {
    let working = || "writing rows".to_string();
    let mut json = arrow::json::LineDelimitedWriter::new(out);
    for batch in rows {
        json.write(&with_text_decimals(batch, table)?).during(working)?;
    }
    json.finish().during(working)
}

/// Several tables for one reader, each with its name: one JSON document, lines that say their table, CSV with a line
/// `# name: title` above each header, or tables under their titles for people.
pub struct Tables<'a> {
    out: &'a mut (dyn Write + Send),
    format: Format,
    count: usize,
}

impl<'a> Tables<'a> {
    /// Begins with so many tables.
    ///
    /// # Errors
    /// More than one as Parquet, whose files hold one.
    pub fn begin(out: &'a mut (dyn Write + Send), format: Format, tables: usize) -> Result<Self> {
        format.of_tables(tables)?;
        if format == Format::Json {
            out.write_all(b"{\"schema_version\":1,\"tables\":{").during(|| "writing rows".into())?;
        }
        Ok(Self { out, format, count: 0 })
    }

    /// Writes one; for people only if it has rows.
    pub fn add(&mut self, name: &str, title: &str, schema: &Schema, rows: &[RecordBatch]) -> Result<()> {
        let working = || "writing rows".to_string();
        let is_first = self.count == 0;
        self.count += 1;
        match self.format {
            Format::Json => {
                let name = serde_json::Value::from(name);
                write!(self.out, "{}{name}:", if is_first { "" } else { "," }).during(working)?;
                write_json_array(self.out, rows)
            }
            Format::Ndjson => write_ndjson(self.out, rows, Some(name)),
            Format::Csv => {
                let above = if is_first { "" } else { "\n" };
                writeln!(self.out, "{above}# {name}: {title}").during(working)?;
                write(self.out, schema, rows, self.format)
            }
            Format::Table | Format::Markdown if rows.iter().all(|batch| batch.num_rows() == 0) => Ok(()),
            Format::Table | Format::Markdown => {
                writeln!(self.out, "{title}").during(working)?;
                write(self.out, schema, rows, self.format)?;
                writeln!(self.out).during(working)
            }
            Format::Parquet | Format::Html => write(self.out, schema, rows, self.format),
        }
    }

    /// Ends the document; of JSON, with what it is about besides, under a name.
    pub fn end(self, about: Option<(&str, serde_json::Value)>) -> Result<()> {
        if self.format == Format::Json {
            let about = about.map(|(name, value)| format!(",\"{name}\":{value}")).unwrap_or_default();
            writeln!(self.out, "}}{about}}}").during(|| "writing rows".into())?;
        }
        Ok(())
    }
}

/// Decimals as strings: a JSON number would be read as a double. Before the columns stands the name of the table, where
/// one is given.
fn with_text_decimals(batch: &RecordBatch, table: Option<&str>) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    if let Some(table) = table {
        fields.push(Field::new("table", DataType::Utf8, true));
        columns.push(Arc::new(StringArray::from(vec![table; batch.num_rows()])));
    }
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let data_type = match field.data_type() {
            decimal if decimal.is_decimal() => DataType::Utf8,
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        columns.push(cast(column, &data_type).during(|| "writing decimals".into())?);
        fields.push(Field::new(field.name(), data_type, true));
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
    batch.during(|| "writing decimals".into())
}

fn formatters(batch: &RecordBatch) -> Result<Vec<ArrayFormatter<'_>>> {
    const OPTIONS: FormatOptions = FormatOptions::new();
    batch
        .columns()
        .iter()
        .map(|column| ArrayFormatter::try_new(column, &OPTIONS).during(|| "writing rows".into()))
        .collect()
}

/// The rows as a person reads them.
fn texts(batch: &RecordBatch) -> Result<Vec<Vec<String>>> {
    let mut columns: Vec<StringArray> = Vec::new();
    for column in batch.columns() {
        let text = if column.data_type().is_decimal() {
            let text = cast(column, &DataType::Utf8).during(|| "writing decimals".into())?;
            text.as_string::<i32>().iter().map(|value| value.map(short_decimal)).collect()
        } else {
            // The clocks of a zone say nothing without their offset.
            let of_zone = match column.data_type() {
                DataType::Timestamp(_, Some(zone)) if matches!(&**zone, "UTC" | "+00:00") => {
                    "%Y-%m-%dT%H:%M:%S%.fZ"
                }
                _ => "%Y-%m-%dT%H:%M:%S%.f%:z",
            };
            let options = FormatOptions::new()
                .with_timestamp_tz_format(Some(of_zone))
                .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.f"));
            let format = ArrayFormatter::try_new(column, &options).during(|| "writing rows".into())?;
            (0..column.len()).map(|row| column.is_valid(row).then(|| format.value(row).to_string())).collect()
        };
        columns.push(text);
    }
    let row_text = |row: usize| -> Vec<String> {
        columns
            .iter()
            .map(|column| if column.is_valid(row) { column.value(row).to_string() } else { String::new() })
            .collect()
    };
    Ok((0..batch.num_rows()).map(row_text).collect())
}

/// `1500.5` of `1500.500000000000`, `12.30` of `12.300000000000`, `3` of `3.000000000000`.
pub fn short_decimal(text: &str) -> String {
    let Some((whole, fraction)) = text.split_once('.') else { return text.into() };
    match fraction.trim_end_matches('0') {
        "" => whole.into(),
        digits => format!("{whole}.{digits:0<2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_for_people_drops_zeros_that_say_nothing() {
        for (full, short) in
            [("12.300000000000", "12.30"), ("3.000000000000", "3"), ("0.123456000000", "0.123456")]
        {
            assert_eq!(short_decimal(full), short);
        }
    }
}
