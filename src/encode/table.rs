//! Rows as a table for people, whose columns are as wide as what stands in them.
//!
//! The width of a column is not known before its last row, and not all rows can be held. So they are drawn block by
//! block: a row that is wider than all before widens its column from its block on.

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use comfy_table::{CellAlignment, ColumnConstraint, TableComponent, Width, presets};

use super::cells::Cells;
use crate::error::Result;

/// As the engine's own tables are drawn.
const FRAME: &str = "||--+-++|    ++++++";
/// Rows that are drawn at a time.
pub const BLOCK_ROWS: usize = 1024;

/// The lines around the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One below the header.
    Header,
    /// Those of markdown.
    Markdown,
    /// All around, so that a table stands out in an error.
    Frame,
}

/// The encoder of a table.
pub struct Table {
    lines: Lines,
    schema: SchemaRef,
    block: Vec<Vec<String>>,
    /// The width of each column so far; none before the first block.
    widths: Vec<u16>,
}

impl Table {
    pub fn new(lines: Lines, schema: &SchemaRef) -> Self {
        Self { lines, schema: schema.clone(), block: Vec::new(), widths: Vec::new() }
    }

    pub fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        for row in Cells::of(batch)?.rows() {
            self.block.push(row.map(|cell| self.text(cell.screen())).collect());
            if self.block.len() == BLOCK_ROWS {
                self.draw(out);
            }
        }
        Ok(())
    }

    pub fn finish(mut self, out: &mut Vec<u8>) {
        if !self.block.is_empty() || self.widths.is_empty() {
            self.draw(out);
        }
    }

    /// A cell; in markdown a bar would end it, and a new line the table.
    fn text(&self, text: String) -> String {
        match self.lines == Lines::Markdown && text.contains(['|', '\n']) {
            true => text.replace('|', "\\|").replace('\n', "<br>"),
            false => text,
        }
    }

    fn draw(&mut self, out: &mut Vec<u8>) {
        let mut table = comfy_table::Table::new();
        match self.lines {
            Lines::Header => {
                table.load_preset(presets::NOTHING);
                table.set_style(TableComponent::HeaderLines, '─');
            }
            Lines::Markdown => {
                table.load_preset(presets::ASCII_MARKDOWN);
            }
            Lines::Frame => {
                table.load_preset(FRAME);
            }
        }
        let schema: &Schema = &self.schema;
        if self.widths.is_empty() {
            let names = schema.fields().iter().map(|field| self.text(field.name().clone()));
            table.set_header(names);
        }
        table.add_rows(self.block.drain(..));
        let widest = table.column_max_content_widths();
        let known = self.widths.iter().copied().chain(std::iter::repeat(0));
        self.widths = widest.into_iter().zip(known).map(|(width, known)| width.max(known)).collect();
        let columns = table.column_iter_mut().zip(self.schema.fields()).zip(&self.widths);
        for ((column, field), width) in columns {
            let padding = column.padding_width();
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width.saturating_add(padding))));
            if field.data_type().is_numeric() && self.lines != Lines::Frame {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        out.extend_from_slice(table.trim_fmt().as_bytes());
        out.push(b'\n');
    }
}
