//! Receipts: what the invoicing system says it has booked of a closed period.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use datafusion::prelude::SessionContext;

use crate::error::{Result, While};
use crate::project::{Project, RECEIPT};
use crate::store::warehouse::Warehouse;
use crate::table::write::TableWriter;

/// The register of their numbers.
const NUMBERED: &str = "registry/receipt";
/// Digits of an amount, and those behind the point.
pub const AMOUNT: (u8, i8) = (38, 12);

/// What a document has booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The closed period.
    pub billing_period: String,
    /// Whose lines.
    pub customer_id: String,
    /// The document, by its number there.
    pub document_number: String,
    /// The amount, in units of the twelfth decimal.
    pub amount: i128,
    /// ISO 4217 code.
    pub currency: String,
    /// Who says so.
    pub received_by: String,
    /// When, in microseconds since the epoch.
    pub received_at: i64,
}

/// Writes a receipt; when this returns it is there. Its number.
pub async fn record(
    project: &Project,
    warehouse: &Warehouse,
    context: &SessionContext,
    receipt: &Receipt,
) -> Result<i64> {
    let number = warehouse.take_number(NUMBERED, &uuid::Uuid::new_v4().to_string()).await?;
    let text = |value: &str| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let (digits, decimals) = AMOUNT;
    let amount = Decimal128Array::from(vec![receipt.amount]).with_precision_and_scale(digits, decimals);
    let at = TimestampMicrosecondArray::from(vec![receipt.received_at]).with_timezone("UTC");
    let writing = || "writing a receipt".to_string();
    let row = RecordBatch::try_from_iter([
        ("receipt_number", Arc::new(Int64Array::from(vec![number])) as ArrayRef),
        ("billing_period", text(&receipt.billing_period)),
        ("customer_id", text(&receipt.customer_id)),
        ("document_number", text(&receipt.document_number)),
        ("amount", Arc::new(amount.during(writing)?)),
        ("currency", text(&receipt.currency)),
        ("received_by", text(&receipt.received_by)),
        ("received_at", Arc::new(at)),
    ]);
    let schema = &project.schemas[RECEIPT];
    let stem = format!("receipt-{number:010}");
    let mut writer = TableWriter::new(context, warehouse, schema, stem.clone())?;
    writer.write(&row.during(writing)?).await?;
    let files = writer.finish().await?.files;
    warehouse.commit(schema, &stem, 1, &files, &[]).await?;
    Ok(number)
}
