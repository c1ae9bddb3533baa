//! Answers on standard output: rows as they come, one table or several in one document.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::{Encoder, Format, working};
use crate::error::{Error, Result, While};

/// So many bytes are held back: an answer up to this size is whole or not there, whatever fails on the way. A longer
/// one may end in the middle, which the exit status and an error say.
const HELD_BYTES: usize = 1 << 20;

/// What an error of the engine says of a query.
pub type Failed<'a> = &'a (dyn Fn(&DataFusionError) -> Error + Sync);

/// Bytes on their way out.
pub struct Answer<'a> {
    out: &'a mut (dyn Write + Send),
    /// The first bytes; none once they went out.
    held: Option<Vec<u8>>,
}

impl<'a> Answer<'a> {
    /// An answer that goes there.
    pub fn to(out: &'a mut (dyn Write + Send)) -> Self {
        Self { out, held: Some(Vec::new()) }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.held {
            Some(held) if held.len() + bytes.len() <= HELD_BYTES => {
                held.extend_from_slice(bytes);
                Ok(())
            }
            Some(_) => {
                let held = self.held.take().unwrap_or_default();
                self.out.write_all(&held).during(working)?;
                self.out.write_all(bytes).during(working)
            }
            None => self.out.write_all(bytes).during(working),
        }
    }

    /// Writes the rows of a query as they come, and returns how many they are.
    pub async fn rows(
        &mut self,
        mut encoder: Encoder,
        mut rows: SendableRecordBatchStream,
        failed: Failed<'_>,
    ) -> Result<usize> {
        let mut count = 0;
        while let Some(batch) = rows.next().await {
            let batch = batch.map_err(|error| match self.held {
                Some(_) => failed(&error),
                None => failed(&error).after_rows(),
            })?;
            count += batch.num_rows();
            self.put(&encoder.rows(&batch)?)?;
        }
        self.put(&encoder.finish()?)?;
        Ok(count)
    }

    /// Lets the last bytes go, so that they are seen before anything is asked.
    pub fn finish(self) -> Result<()> {
        self.out.write_all(&self.held.unwrap_or_default()).during(working)?;
        self.out.flush().during(working)
    }
}

/// Writes rows that are there already.
pub fn write(out: &mut (dyn Write + Send), batch: &RecordBatch, format: Format) -> Result<()> {
    let mut answer = Answer::to(out);
    let mut encoder = Encoder::new(format, &batch.schema())?;
    answer.put(&encoder.rows(batch)?)?;
    answer.put(&encoder.finish()?)?;
    answer.finish()
}

/// Several tables for one reader, each with its name: one JSON document, lines that say their table, CSV with a line
/// `# name: title` above each header, or tables under their titles for people.
pub struct Tables<'a> {
    answer: Answer<'a>,
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
        let mut answer = Answer::to(out);
        if format == Format::Json {
            answer.put(b"{\"schema_version\":1,\"tables\":{")?;
        }
        Ok(Self { answer, format, count: 0 })
    }

    /// Writes one, for people only if it has rows; returns how many it has.
    pub async fn add(
        &mut self,
        name: &str,
        title: &str,
        rows: SendableRecordBatchStream,
        failed: Failed<'_>,
    ) -> Result<usize> {
        let schema: SchemaRef = Arc::clone(&rows.schema());
        let encoder = Encoder::among(self.format, &schema, name, title, self.count == 0)?;
        self.count += 1;
        self.answer.rows(encoder, rows, failed).await
    }

    /// The same of rows that are there already.
    pub fn add_rows(&mut self, name: &str, title: &str, rows: &RecordBatch) -> Result<()> {
        let mut encoder = Encoder::among(self.format, &rows.schema(), name, title, self.count == 0)?;
        self.count += 1;
        self.answer.put(&encoder.rows(rows)?)?;
        self.answer.put(&encoder.finish()?)
    }

    /// Ends the document; of JSON, with what it is about besides, under a name.
    pub fn end(mut self, about: Option<(&str, serde_json::Value)>) -> Result<()> {
        if self.format == Format::Json {
            let about = about.map(|(name, value)| format!(",\"{name}\":{value}")).unwrap_or_default();
            self.answer.put(format!("}}{about}}}\n").as_bytes())?;
        }
        self.answer.finish()
    }
}
