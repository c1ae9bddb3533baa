//! What the invoicing system has booked: said by it, and compared with what was billed.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use datafusion::logical_expr::{col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use meterhouse_sql::decimal::parse_decimal;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use super::Service;
use super::problem::{Problem, Whole, Within, object};
use super::who::Who;
use crate::catalog;
use crate::encode::{Encoder, Format};
use crate::engine::plan::execution_error;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::land::receipt::{self, AMOUNT, Receipt};
use crate::project::{RECEIPT, RECEIPT_STATUS};

/// What a document has booked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Receipt)]
pub(super) struct Sent<'a> {
    /// The document's own number.
    #[schema(min_length = 1)]
    document_number: String,
    /// As a text or a number; its digits count.
    #[serde(borrow)]
    #[schema(schema_with = amount)]
    amount: &'a RawValue,
    /// ISO 4217 code.
    currency: String,
    /// Who says so.
    by: Option<String>,
}

/// What an amount is.
fn amount() -> Object {
    let kinds = SchemaType::from_iter([Type::String, Type::Number]);
    let means = "As a text or a number; its digits count.";
    ObjectBuilder::new().schema_type(kinds).description(Some(means)).build()
}

/// Takes a receipt, and answers what is billed and booked of the customer's period now: 201, or 200 where the same was
/// said before.
pub(super) async fn post(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within((period, customer_id)): Within<(String, String)>,
    Whole(body): Whole,
) -> std::result::Result<Response, Problem> {
    let bad = |title: String| Problem::new(StatusCode::BAD_REQUEST, title, "");
    let hint = r#"{"document_number": "R-1", "amount": "12.50", "currency": "EUR"}"#;
    let sent: Sent<'_> = object(&body).map_err(|error| bad(error.to_string()).hint(hint))?;
    let (digits, decimals) = AMOUNT;
    let text = sent.amount.get().trim_matches('"');
    let amount = parse_decimal(text, digits, decimals)
        .map_err(|error| bad(format!("the amount `{text}` {error}")).hint(hint))?;
    if sent.document_number.trim().is_empty() {
        return Err(bad("the document has no number".into()).hint(hint));
    }
    let receipt = Receipt {
        billing_period: period,
        customer_id,
        document_number: sent.document_number,
        amount,
        currency: sent.currency,
        received_by: who.author(sent.by),
        received_at: (service.clock)(),
    };
    taken(&service, &who, &receipt).await.map_err(|error| Problem::of(&error))?
}

async fn taken(
    service: &Service,
    who: &Who,
    receipt: &Receipt,
) -> Result<std::result::Result<Response, Problem>> {
    let (project, warehouse) = (&service.project, &service.warehouse);
    let context = session(&project.settings, Some(warehouse))?;
    let head = catalog::open(project, warehouse, &context, receipt.received_at).await?;
    let Receipt { billing_period, customer_id, currency, .. } = receipt;
    if head.is_none_or(|head| !head.is_closed(billing_period)) {
        let title = format!("{billing_period} is not closed, and was not handed over");
        let problem = Problem::new(StatusCode::CONFLICT, title, "");
        return Ok(Err(problem.hint(format!("meterhouse close --period {billing_period}"))));
    }
    // Of one who may not be seen, nothing is told but this.
    if !who.may_see(customer_id) || !has_rows(of_customer(&context, receipt).await?).await? {
        let title = format!("nothing was billed to {customer_id} in {billing_period}");
        return Ok(Err(Problem::new(StatusCode::NOT_FOUND, title, "")));
    }
    let said = last_said(&context, receipt).await?;
    let is_new = said != Some((receipt.amount, currency.clone()));
    if is_new {
        receipt::record(project, warehouse, &context, receipt).await?;
        // With the receipt that was just written.
        catalog::open(project, warehouse, &context, receipt.received_at).await?;
    }
    let rows = of_customer(&context, receipt).await?;
    let failed = |error| execution_error(&error, RECEIPT_STATUS);
    let mut encoder = Encoder::new(Format::Json, &Arc::new(rows.schema().as_arrow().clone()))?;
    let mut document = Vec::new();
    for batch in rows.collect().await.map_err(failed)? {
        document.extend(encoder.rows(&batch)?);
    }
    document.extend(encoder.finish()?);
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Ok((status, [(CONTENT_TYPE, "application/json")], document).into_response()))
}

/// What is billed and booked of a customer in a period.
async fn of_customer(context: &SessionContext, receipt: &Receipt) -> Result<DataFrame> {
    let reading = || format!("reading {RECEIPT_STATUS}");
    let is_meant = col("billing_period")
        .eq(lit(receipt.billing_period.as_str()))
        .and(col("customer_id").eq(lit(receipt.customer_id.as_str())));
    let rows = context.table(RECEIPT_STATUS).await.during(reading)?.filter(is_meant).during(reading)?;
    rows.sort(vec![col("currency").sort(true, false)]).during(reading)
}

async fn has_rows(rows: DataFrame) -> Result<bool> {
    let failed = |error| execution_error(&error, RECEIPT_STATUS);
    Ok(rows.limit(0, Some(1)).map_err(failed)?.count().await.map_err(failed)? > 0)
}

/// What was said of the same document last: amount and currency.
async fn last_said(context: &SessionContext, receipt: &Receipt) -> Result<Option<(i128, String)>> {
    use arrow::array::AsArray;
    use arrow::datatypes::{DataType, Decimal128Type};
    let reading = || format!("reading {RECEIPT}");
    let is_same = col("billing_period")
        .eq(lit(receipt.billing_period.as_str()))
        .and(col("customer_id").eq(lit(receipt.customer_id.as_str())))
        .and(col("document_number").eq(lit(receipt.document_number.as_str())));
    let rows = context.table(RECEIPT).await.during(reading)?.filter(is_same).during(reading)?;
    let rows = rows.sort(vec![col("receipt_number").sort(false, false)]).during(reading)?;
    let rows = rows.limit(0, Some(1)).and_then(|rows| rows.select_columns(&["amount", "currency"]));
    for batch in rows.during(reading)?.collect().await.during(reading)? {
        let currencies = arrow::compute::cast(batch.column(1), &DataType::Utf8).during(reading)?;
        let amount = batch.column(0).as_primitive_opt::<Decimal128Type>();
        let amount = amount.ok_or_else(|| Error::data("receipt.amount is no decimal", ""))?;
        if batch.num_rows() > 0 {
            return Ok(Some((amount.value(0), currencies.as_string::<i32>().value(0).into())));
        }
    }
    Ok(None)
}
