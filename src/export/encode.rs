//! Rows as the bytes of one file, piece by piece: CSV, JSON, NDJSON or Parquet.
//!
//! What always holds: the bytes depend on the rows and their order, never on how they come in batches.

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::cells::{Cell, Cells, plain, plain_schema};
use crate::error::{Result, While};

/// Rows that Parquet takes at once.
const CHUNK_ROWS: usize = 8192;
/// Rows of a Parquet row group, which is held in memory until it is whole.
const GROUP_ROWS: usize = 64 * 1024;

/// The form of exported rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// With a header; texts that look like formulas are neutralized.
    Csv,
    /// One document, `{"schema_version":1,"rows":[...]}`.
    Json,
    /// One object a line.
    Ndjson,
    /// zstd Parquet.
    Parquet,
}

impl Form {
    /// What files of this form end in.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }
}

/// The encoder of one file.
pub enum Encoder {
    /// CSV; the header, until it is written.
    Csv(Vec<u8>),
    /// JSON or NDJSON.
    Json {
        /// One document, and not one a line.
        is_document: bool,
        /// Whether a row was written.
        has_rows: bool,
        /// The columns, as JSON strings.
        names: Vec<String>,
    },
    /// Parquet.
    Parquet {
        /// Makes chunks of one size, whatever comes in.
        chunks: Box<BatchCoalescer>,
        /// Writes to memory, which is emptied after each piece.
        writer: Box<ArrowWriter<Vec<u8>>>,
        /// The columns as written.
        schema: SchemaRef,
    },
}

fn working() -> String {
    "writing rows".into()
}

impl Encoder {
    /// An encoder for rows of these columns.
    pub fn new(form: Form, schema: &SchemaRef) -> Result<Self> {
        let names = schema.fields().iter().map(|field| field.name().clone());
        Ok(match form {
            Form::Csv => {
                let mut line = csv::Writer::from_writer(Vec::new());
                line.write_record(names.map(|name| Cell::Text(name).csv())).during(working)?;
                Self::Csv(line.into_inner().during(working)?)
            }
            Form::Json | Form::Ndjson => Self::Json {
                is_document: form == Form::Json,
                has_rows: false,
                names: names.map(|name| Cell::Text(name).json()).collect(),
            },
            Form::Parquet => {
                let schema = plain_schema(schema);
                let zstd = Compression::ZSTD(ZstdLevel::try_new(3).during(working)?);
                let properties = WriterProperties::builder()
                    .set_compression(zstd)
                    .set_created_by("meterhouse".into())
                    .set_max_row_group_row_count(Some(GROUP_ROWS))
                    .build();
                let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties));
                Self::Parquet {
                    chunks: Box::new(BatchCoalescer::new(schema.clone(), CHUNK_ROWS)),
                    writer: Box::new(writer.during(working)?),
                    schema,
                }
            }
        })
    }

    /// The next bytes of the file, with these rows.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        match self {
            Self::Csv(header) => {
                let mut lines = csv::Writer::from_writer(std::mem::take(header));
                for row in Cells::of(batch)?.rows() {
                    lines.write_record(row.into_iter().map(Cell::csv)).during(working)?;
                }
                lines.into_inner().during(working)
            }
            Self::Json { is_document, has_rows, names } => {
                let mut text = String::new();
                for row in Cells::of(batch)?.rows() {
                    match (*is_document, *has_rows) {
                        (true, false) => text.push_str("{\"schema_version\":1,\"rows\":[\n"),
                        (true, true) => text.push_str(",\n"),
                        (false, _) => {}
                    }
                    *has_rows = true;
                    let fields = names.iter().zip(row).map(|(name, cell)| format!("{name}:{}", cell.json()));
                    text.push_str(&format!("{{{}}}", fields.collect::<Vec<_>>().join(",")));
                    if !*is_document {
                        text.push('\n');
                    }
                }
                Ok(text.into_bytes())
            }
            Self::Parquet { chunks, writer, schema } => {
                chunks.push_batch(plain(batch, schema)?).during(working)?;
                while let Some(chunk) = chunks.next_completed_batch() {
                    writer.write(&chunk).during(working)?;
                }
                Ok(std::mem::take(writer.inner_mut()))
            }
        }
    }

    /// The last bytes of the file.
    pub fn finish(self) -> Result<Vec<u8>> {
        match self {
            Self::Csv(header) => Ok(header),
            Self::Json { is_document: false, .. } => Ok(Vec::new()),
            Self::Json { has_rows: false, .. } => Ok(b"{\"schema_version\":1,\"rows\":[]}\n".to_vec()),
            Self::Json { .. } => Ok(b"\n]}\n".to_vec()),
            Self::Parquet { mut chunks, mut writer, .. } => {
                chunks.finish_buffered_batch().during(working)?;
                while let Some(chunk) = chunks.next_completed_batch() {
                    writer.write(&chunk).during(working)?;
                }
                writer.into_inner().during(working)
            }
        }
    }
}
