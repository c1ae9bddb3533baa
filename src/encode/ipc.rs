//! Rows as a stream of Arrow IPC.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::ipc::writer::StreamWriter;

use super::plain::Plain;
use super::working;
use crate::error::{Result, While};

/// The encoder of a stream.
pub struct Ipc {
    rows: Plain,
    /// Writes to memory, which is emptied after each piece.
    writer: StreamWriter<Vec<u8>>,
}

impl Ipc {
    pub fn new(schema: &Schema) -> Result<Self> {
        let rows = Plain::new(schema);
        let writer = StreamWriter::try_new(Vec::new(), rows.schema()).during(working)?;
        Ok(Self { rows, writer })
    }

    pub fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        self.rows.push(batch)?;
        self.write_chunks()?;
        Ok(std::mem::take(self.writer.get_mut()))
    }

    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.rows.finish()?;
        self.write_chunks()?;
        self.writer.into_inner().during(working)
    }

    fn write_chunks(&mut self) -> Result<()> {
        while let Some(chunk) = self.rows.next_chunk() {
            self.writer.write(&chunk).during(working)?;
        }
        Ok(())
    }
}
