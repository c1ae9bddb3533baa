//! What is read over HTTP of what was published: entitlements, whether a contract may go on, usage, billing periods and
//! the rows that are exported of them.
//!
//! Which rows belong to whom stands in `queries/service/` and `queries/export/`. Every answer says of which run it is,
//! and as of when that was.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use axum::Extension;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use meterhouse_sql::cycle::parse_instant;
use meterhouse_sql::name::did_you_mean;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Service;
use super::page::Page;
use super::part::Part;
use super::problem::{Parameters, Problem, Within, instant_text, parameters};
use super::published::{Published, State as Tables};
use super::quotas::InForce;
use super::rows::{self, Shape};
use super::who::Who;
use crate::engine::plan::{CUSTOMER, OfService, Values, execution_error, rows_of, stream_of};
use crate::error::Error;
use crate::export;
use crate::land::project_zone;
use crate::ledger::Entry;
use crate::project::{LANDED, Query as SqlQuery};
use crate::store::digest::sha256;

/// What may stand behind the path of an entitlement.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedAt {
    /// An instant, or a day, whose cycles are meant; without it now.
    #[param(example = "2026-10-15")]
    at: Option<String>,
    /// Whether what landed since the run counts as well.
    #[serde(default)]
    fresh: bool,
    /// How rows are written; without it by `Accept`.
    #[param(inline, value_type = Option<rows::Names>)]
    format: Option<String>,
}

/// What has to stand behind the path of an access check.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedAccess {
    /// What would be used.
    #[param(example = "api_call")]
    usage_type: String,
}

/// What may stand behind the path of usage.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedUsage {
    /// An instant, or a day; inclusive.
    #[param(example = "2026-10-01")]
    from: String,
    /// Exclusive; without it now.
    #[param(example = "2026-11-01")]
    to: Option<String>,
    /// What is summed over; without it a day.
    #[param(inline)]
    granularity: Option<Granularity>,
    /// What is summed by; without it the usage type.
    #[param(inline)]
    group_by: Option<GroupBy>,
    /// The most rows of a page, up to 10,000; without it and `after` all rows are answered.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How rows are written; without it by `Accept`.
    #[param(inline, value_type = Option<rows::Names>)]
    format: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Granularity {
    Hour,
    #[default]
    Day,
    Month,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum GroupBy {
    #[default]
    UsageType,
    ContractItem,
}

/// What may stand behind the path of other rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedRows {
    /// The most rows of a page, up to 10,000; without it and `after` all rows are answered.
    #[param(minimum = 1, maximum = 10000)]
    limit: Option<usize>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How rows are written; without it by `Accept`.
    #[param(inline, value_type = Option<rows::Names>)]
    format: Option<String>,
}

/// How far the quotas of a contract are used.
pub(super) async fn of_contract(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within(id): Within<String>,
    asked: Parameters<AskedAt>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let of = OfService { contract_id: Some(&id), ..OfService::default() };
    let known = Known { query: KNOWN_CONTRACT, who, unknown: no_contract(&id) };
    entitlements(&service, of, ("contract_id", &id), known, asked, &headers).await
}

/// How far the quotas of a customer are used.
pub(super) async fn of_customer(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within(id): Within<String>,
    asked: Parameters<AskedAt>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let of = OfService { customer_id: Some(&id), ..OfService::default() };
    let known = Known { query: KNOWN_CUSTOMER, who, unknown: no_customer(&id) };
    entitlements(&service, of, ("customer_id", &id), known, asked, &headers).await
}

async fn entitlements(
    service: &Arc<Service>,
    of: OfService<'_>,
    (name, id): (&'static str, &str),
    known: Known,
    asked: Parameters<AskedAt>,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let asked = parameters(asked)?;
    let tables = if asked.fresh { service.fresh().await? } else { published(&service.published).await? };
    let at = service.instant("at", asked.at.as_deref())?;
    let about = vec![(name, json!(id)), ("at", json!(instant_text(at))), ("is_fresh", json!(asked.fresh))];
    let format = rows::format(asked.format.as_deref(), headers)?;
    let values = Values::from(OfService { as_of: at, ..of });
    service.rows(tables, ENTITLEMENT, values, known, shape(format, about)).await
}

/// Whether a contract may go on with a usage type; answered from memory.
pub(super) async fn access(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within(id): Within<String>,
    asked: Parameters<AskedAccess>,
) -> Result<Response, Problem> {
    let usage_type = parameters(asked)?.usage_type;
    let tables = published(&service.published).await?;
    let head = head(&tables)?;
    let Some(access) = &tables.access else { return Err(no_query("access")) };
    let now = (service.clock)();
    let found = match access.at(&id, &usage_type, now) {
        Some(found) if who.may_see(found.customer_id) => found,
        Some(_) => return Err(no_contract(&id)),
        None => {
            let values = Values::from(OfService { contract_id: Some(&id), ..OfService::default() });
            let known = Known { query: KNOWN_CONTRACT, who, unknown: no_contract(&id) };
            service.known(&tables, values, known).await?;
            InForce { customer_id: "", has_access: false, is_metered: false, quotas: Vec::new() }
        }
    };
    let seconds =
        head.as_of.parse::<jiff::Timestamp>().map_or(0, |as_of| now - as_of.as_microsecond()) / 1_000_000;
    let mut body = format!(
        "{{\"contract_id\":{},\"usage_type\":{},\"has_access\":{},\"is_metered\":{},\"quotas\":[",
        json!(id),
        json!(usage_type),
        found.has_access,
        found.is_metered
    )
    .into_bytes();
    for (number, quota) in found.quotas.iter().enumerate() {
        body.extend_from_slice(if number > 0 { b"," } else { b"" });
        body.extend_from_slice(quota);
    }
    let end = format!("],\"run\":{},\"as_of\":{},\"age_seconds\":{seconds}}}\n", head.run, json!(head.as_of));
    body.extend_from_slice(end.as_bytes());
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response())
}

/// What a contract has used.
pub(super) async fn usage(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within(id): Within<String>,
    asked: Parameters<AskedUsage>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = parameters(asked)?;
    let tables = published(&service.published).await?;
    let used_from = service.instant("from", Some(&asked.from))?;
    let used_to = service.instant("to", asked.to.as_deref())?;
    if used_from >= used_to {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`from` is not before `to`", ""));
    }
    let granularity = word(asked.granularity.unwrap_or_default());
    let group_by = word(asked.group_by.unwrap_or_default());
    let values = Values::from(OfService {
        as_of: (service.clock)(),
        used_from,
        used_to,
        contract_id: Some(&id),
        granularity: Some(&granularity),
        group_by: Some(&group_by),
        ..OfService::default()
    });
    let about = vec![
        ("contract_id", json!(id)),
        ("from", json!(instant_text(used_from))),
        ("to", json!(instant_text(used_to))),
        ("granularity", json!(granularity)),
        ("group_by", json!(group_by)),
    ];
    let format = rows::format(asked.format.as_deref(), &headers)?;
    let of = place_of(&tables, tables.project.service.get("usage"))?;
    let page = Page::asked(asked.limit, asked.after.as_deref(), &of)?;
    let known = Known { query: KNOWN_CONTRACT, who, unknown: no_contract(&id) };
    service.rows(tables, "usage", values, known, Shape { page, ..shape(format, about) }).await
}

/// The billing periods with their states and totals.
pub(super) async fn periods(
    State(service): State<Arc<Service>>,
    asked: Parameters<AskedRows>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asked = parameters(asked)?;
    let format = rows::format(asked.format.as_deref(), &headers)?;
    let tables = published(&service.published).await?;
    let about = about_run(head(&tables)?);
    let of = place_of(&tables, tables.project.status.get(PERIOD))?;
    let page = Page::asked(asked.limit, asked.after.as_deref(), &of)?;
    let as_of = (service.clock)();
    let work = async move {
        let query = tables.project.status.get(PERIOD).ok_or_else(|| {
            let title = "the project does not say what its billing periods are";
            Problem::new(StatusCode::NOT_IMPLEMENTED, title, "").hint("write queries/status/period.sql")
        })?;
        stream_of(&tables.context, query, as_of).await.map_err(|error| Problem::of(&error))
    };
    Ok(rows::answer(service.published.start(), Shape { page, ..shape(format, about) }, work).await)
}

/// The rows of an export, of all customers.
pub(super) async fn of_period(
    State(service): State<Arc<Service>>,
    Within((period, name)): Within<(String, String)>,
    asked: Parameters<AskedRows>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    exported(&service, period, None, name, &parameters(asked)?, &headers).await
}

/// The rows of an export, of one customer.
pub(super) async fn of_period_and_customer(
    State(service): State<Arc<Service>>,
    Extension(who): Extension<Who>,
    Within((period, customer, name)): Within<(String, String, String)>,
    asked: Parameters<AskedRows>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    exported(&service, period, Some((customer, who)), name, &parameters(asked)?, &headers).await
}

async fn exported(
    service: &Service,
    period: String,
    customer: Option<(String, Who)>,
    name: String,
    asked: &AskedRows,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let format = rows::format(asked.format.as_deref(), headers)?;
    rows::is_period(&period)?;
    let tables = published(&service.published).await?;
    let head = head(&tables)?;
    let Some(query) = tables.project.export.get(&name) else {
        let known: Vec<&str> = tables.project.export.keys().map(String::as_str).collect();
        let hint = match did_you_mean(&name, known.iter().copied()) {
            none if none.is_empty() => format!("there is {}", known.join(", ")),
            meant => meant,
        };
        let title = format!("there is no queries/export/{name}.sql");
        return Err(Problem::new(StatusCode::NOT_FOUND, title, "").hint(hint));
    };
    let mut held_back: BTreeSet<String> = head.parked.iter().map(|(customer, _)| customer.clone()).collect();
    let (customer, who) = customer.map_or((None, None), |(customer, who)| (Some(customer), Some(who)));
    if let (Some(customer), Some(who)) = (&customer, who) {
        let values = Values::from(OfService { customer_id: Some(customer), ..OfService::default() });
        let known = Known { query: KNOWN_CUSTOMER, who, unknown: no_customer(customer) };
        service.known(&tables, values, known).await?;
        if let Some((_, check)) = head.parked.iter().find(|(parked, _)| parked == customer) {
            let title = format!("{customer} is held back by the check `{check}`");
            let hint = "what it found is mended, and then a run lets the customer go";
            return Err(Problem::new(StatusCode::CONFLICT, title, "").hint(hint));
        }
        held_back.clear();
    }
    let page = Page::asked(asked.limit, asked.after.as_deref(), &place_of(&tables, Some(query))?)?;
    let name_of_page = page.as_ref().map(Page::name).unwrap_or_default();
    let whose = customer.as_deref().unwrap_or("*");
    let tag = tag(&tables, head, query, &[&period, whose, format.extension(), &name_of_page]);
    if let Some(unchanged) = rows::unchanged(&tag, headers) {
        return Ok(unchanged);
    }
    let state = if head.is_closed(&period) { "closed" } else { "draft" };
    let mut about = about_run(head);
    about.extend([("billing_period", json!(period)), ("state", json!(state))]);
    about.extend(customer.iter().map(|customer| ("customer_id", json!(customer))));
    if customer.is_none() {
        about.push(("held_back", json!(held_back)));
    }
    // A page is short.
    let part = Part::asked(headers, &tag).filter(|_| page.is_none());
    let shape = Shape { tag: Some(tag), page, part, is_file: true, ..shape(format, about) };
    let as_of = (service.clock)();
    let work = async move {
        let query = tables.project.export.get(&name).ok_or_else(|| no_query(&name))?;
        let whose = export::Whose { customer: customer.as_deref(), without: &held_back };
        let rows = export::rows(&tables.context, query, &period, whose, as_of).await;
        rows.map_err(|error| Problem::of(&error))
    };
    Ok(rows::answer(service.published.start(), shape, work).await)
}

/// A tag that is the same for the same bytes: of the run and of all that was asked for; where a query reads what lands
/// between runs, of that too, and where it reads the clock, of when these tables were opened.
fn tag(tables: &Tables, head: &Entry, query: &SqlQuery, asked: &[&str]) -> String {
    let project = &tables.project;
    let mut all =
        vec![env!("CARGO_PKG_VERSION").to_string(), head.run.to_string(), project.text_behind(query)];
    all.extend(asked.iter().map(|part| (*part).to_string()));
    if project.tables_behind(query).iter().any(|table| LANDED.contains(&table.as_str())) {
        all.push(tables.landed.clone());
    }
    if project.reads_as_of(query) {
        all.push(uuid::Uuid::new_v4().to_string());
    }
    format!("\"{}-{}\"", head.run, &sha256(all.join("\0"))[..32])
}

/// What the rows of a query are of, as far as they are others when it changes: the run, and what has landed where the
/// query reads that.
fn place_of(tables: &Tables, query: Option<&SqlQuery>) -> Result<String, Problem> {
    let run = head(tables)?.run;
    let reads_landed = |query: &SqlQuery| {
        tables.project.tables_behind(query).iter().any(|table| LANDED.contains(&table.as_str()))
    };
    Ok(match query.is_some_and(reads_landed) {
        true => format!("{run}-{}", &sha256(&tables.landed)[..8]),
        false => run.to_string(),
    })
}

/// The query that says how far quotas are used.
pub(super) const ENTITLEMENT: &str = "entitlement";
/// The query that knows every contract.
pub(super) const KNOWN_CONTRACT: &str = "known_contract";
/// The query that knows every customer.
pub(super) const KNOWN_CUSTOMER: &str = "known_customer";
/// The query of `status` that knows every billing period.
const PERIOD: &str = "period";

impl Service {
    /// The rows of a query of the service, where what it is about is known.
    async fn rows(
        &self,
        tables: Arc<Tables>,
        name: &'static str,
        values: Values,
        known: Known,
        mut shape: Shape,
    ) -> Result<Response, Problem> {
        shape.about.extend(about_run(head(&tables)?));
        let work = async move {
            is_known(&tables, values.clone(), known).await?;
            let query = tables.project.service.get(name).ok_or_else(|| no_query(name))?;
            stream_of(&tables.context, query, values).await.map_err(|error| Problem::of(&error))
        };
        Ok(rows::answer(self.published.start(), shape, work).await)
    }

    /// Makes sure that a contract or customer is known.
    async fn known(&self, tables: &Arc<Tables>, values: Values, known: Known) -> Result<(), Problem> {
        let tables = tables.clone();
        let asked = async move { is_known(&tables, values, known).await };
        self.published.threads().spawn(asked).await.unwrap_or_else(|error| {
            let source = error.into();
            Err(Problem::of(&Error::Machine { what: "reading what was published".into(), source }))
        })
    }

    /// An instant of a request, in microseconds since the epoch; without one, now.
    pub(super) fn instant(&self, name: &str, text: Option<&str>) -> Result<i64, Problem> {
        let Some(text) = text else { return Ok((self.clock)()) };
        let zone = project_zone(&self.project).map_err(|error| Problem::of(&error))?;
        parse_instant(text, &zone).map_err(|error| {
            let hint = "such as 2026-10-01T12:00:00Z; in a URL + is written %2B";
            Problem::new(StatusCode::BAD_REQUEST, format!("`{name}` is no time"), error.to_string())
                .hint(hint)
        })
    }
}

/// A contract or customer that somebody asks for.
struct Known {
    /// The query that has a row with its `customer_id` where it is known.
    query: &'static str,
    /// Who asks.
    who: Who,
    /// What is answered where it is not known, or is not for them to see.
    unknown: Problem,
}

async fn is_known(tables: &Tables, values: Values, known: Known) -> Result<(), Problem> {
    let Known { query, who, unknown } = known;
    let query = tables.project.service.get(query).ok_or_else(|| no_query(query))?;
    let found = rows_of(&tables.context, query, values).await.map_err(|error| Problem::of(&error))?;
    let may_see = |rows: &RecordBatch| {
        let customers =
            rows.column_by_name(CUSTOMER).and_then(|column| cast(column, &DataType::Utf8View).ok());
        match (customers, who.customers()) {
            (_, None) => rows.num_rows() > 0,
            (None, Some(_)) => false,
            (Some(customers), Some(_)) => {
                customers.as_string_view().iter().flatten().any(|one| who.may_see(one))
            }
        }
    };
    if found.iter().any(may_see) { Ok(()) } else { Err(unknown) }
}

/// The tables, where anything was published.
async fn published(published: &Arc<Published>) -> Result<Arc<Tables>, Problem> {
    published.state().await.map_err(|error| Problem::of(&error))
}

fn head(tables: &Tables) -> Result<&Entry, Problem> {
    tables.head.as_ref().ok_or_else(|| {
        let title = "nothing was published yet";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, title, "").hint("meterhouse run").retry_after(1)
    })
}

/// How rows of a query of the project are answered.
fn shape(format: crate::encode::Format, about: Vec<(&'static str, Value)>) -> Shape {
    Shape::of(format, about, |error| execution_error(error, "the answer"))
}

fn about_run(head: &Entry) -> Vec<(&'static str, Value)> {
    vec![("run", json!(head.run)), ("as_of", json!(head.as_of)), ("last_landing", json!(head.last_landing))]
}

/// A choice as it is written in a request.
fn word(choice: impl Serialize) -> String {
    json!(choice).as_str().unwrap_or_default().into()
}

fn no_contract(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no contract {id}"), "")
        .hint("one that was added to data/ is known once a run has published it")
}

fn no_customer(id: &str) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no customer {id}"), "")
        .hint("one that was added to data/ is known once a run has published it")
}

fn no_query(name: &str) -> Problem {
    let title = format!("the project has no queries/service/{name}.sql");
    Problem::new(StatusCode::NOT_IMPLEMENTED, title, "").hint("take it from the sample, or set `extends`")
}
