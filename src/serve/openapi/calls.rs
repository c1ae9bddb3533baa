//! Every call, described: what it is for, what it takes, what it can answer.

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder};
use utoipa::openapi::{RefOr, Schema};

use super::call::{
    Call, binary, instant, number, number_or_none, object, one_of, row, rows_of, text, text_or_none, truth,
    whole_number,
};
use crate::serve::rows::FORMATS;
use crate::serve::{feed, jobs, read, receipt, sql, usage, void};

const USAGE_IN: &str = "Usage in";
const READING: &str = "What can be read";
const BOOKED: &str = "What was booked";
const OPERATING: &str = "To operate it";
const INSIDE: &str = "Seeing inside";

/// One record to try things with.
const RECORD: &str = r#"{"transactionID": "S-1", "usageType": "CarRentUsage", "usageStart": "2026-10-05T12:00:00", "usageEnd": "2026-10-05T12:41:00", "VIN": "SGZCZ43D13S812715", "distance": 21.25}"#;

pub(in crate::serve) fn send_usage() -> Call {
    let record = || ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
    let one_or_more = || {
        RefOr::<Schema>::from(OneOfBuilder::new().item(record()).item(ArrayBuilder::new().items(record())))
    };
    let kinds = vec![
        ("application/json", one_or_more()),
        ("application/x-ndjson", text()),
        ("text/csv", text()),
        ("application/cloudevents+json", record().into()),
        ("application/cloudevents-batch+json", ArrayBuilder::new().items(record()).into()),
        ("application/octet-stream", binary()),
    ];
    let packed = "How the body is packed. Whether it is, is told by its first bytes.";
    Call::new(USAGE_IN, "send_usage", "Send usage")
        .says(
            "One record or many. When it is answered, it is kept: on the disk, or in the bucket. Sending again is \
             always safe: records with one `source` and `transactionID` count once. Names of fields are in camelCase \
             or snake_case; which there are stands in `schemas/usage_record.sql`, and others are kept as attributes. \
             A body of no known kind is told by its first bytes.",
        )
        .asks::<usage::Asked>()
        .hears("content-encoding", packed, one_of(["gzip", "x-gzip", "zstd", "identity"]))
        .takes(kinds, RECORD)
        .answers::<usage::Answer>(200, "each record is accepted, and counts")
        .answers::<usage::Answer>(207, "some are rejected: `records` says which, and why")
        .refuses(400, "the body cannot be taken apart: nothing of it is taken")
        .refuses(415, "this is no kind of usage")
        .refuses(422, "all are rejected; with `atomic`, at least one is, and none is taken")
        .refuses(429, "too much waits to be kept: nothing of it is taken")
}

pub(in crate::serve) fn send_events() -> Call {
    let event = || ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
    let kinds = vec![
        ("application/cloudevents+json", event().into()),
        ("application/cloudevents-batch+json", ArrayBuilder::new().items(event()).into()),
    ];
    let sample = r#"{"specversion": "1.0", "id": "e-1", "source": "gateway", "type": "tokens", "subject": "ACC-1", "data": {"quantity": "12.5"}}"#;
    Call::new(USAGE_IN, "send_events", "Send usage by a client of OpenMeter")
        .says("The same for clients that know this path. What is taken is answered by 204.")
        .asks::<usage::Asked>()
        .takes(kinds, sample)
        .without_body(204, "each event is accepted as usage, and counts")
        .answers::<usage::Answer>(207, "some are rejected: `records` says which, and why")
        .refuses(400, "the body cannot be taken apart: nothing of it is taken")
        .refuses(415, "this is no kind of usage")
        .refuses(422, "all are rejected; with `atomic`, at least one is, and none is taken")
        .refuses(429, "too much waits to be kept: nothing of it is taken")
}

pub(in crate::serve) fn void_usage() -> Call {
    Call::new(USAGE_IN, "void_usage", "Take a record back")
        .says("From the next run on it counts nowhere; in a closed period that makes a correction.")
        .asks::<void::Asked>()
        .answers::<void::Answer>(200, "it is void")
        .refuses(400, "no reason was given, or the record is not the only one of this id")
        .refuses(404, "there is no such record")
        .refuses(422, "it cannot be taken back")
}

pub(in crate::serve) fn say_booked() -> Call {
    let mut call = Call::new(BOOKED, "say_booked", "Say what was booked");
    let sent = call.knows::<receipt::Sent<'_>>();
    let sample = r#"{"document_number": "R-1", "amount": "37.98", "currency": "USD"}"#;
    call.says(
        "The invoicing system says what a document has booked of a customer in a closed period, without tax. The last \
         word on a document counts.",
    )
    .takes(vec![("application/json", sent)], sample)
    .put(200, "the same was said before", vec![("application/json", rows_of(row()))])
    .put(201, "it is noted; this is billed and booked of the customer now", vec![("application/json", rows_of(row()))])
    .refuses(400, "it is no receipt")
    .refuses(404, "nothing was billed to the customer in the period")
    .refuses(409, "the period is not closed")
    .refuses(422, "the receipt breaks a rule")
}

/// What every answer with rows says of itself.
fn of_run() -> Vec<(&'static str, RefOr<Schema>)> {
    vec![("run", number()), ("as_of", instant()), ("last_landing", whole_number())]
}

fn entitlements(id: &str, whose: &str, name: &'static str) -> Call {
    let about = [of_run(), vec![(name, text()), ("at", instant()), ("is_fresh", truth())]].concat();
    Call::new(READING, id, &format!("How far the quotas of {whose} are used"))
        .says("One row for each quota, declared or of grants, in the cycle that holds `at`.")
        .asks::<read::AskedAt>()
        .rows("the quotas", about)
        .refuses(404, "there is none of this id")
        .refuses(409, "with `fresh`: what landed since the run could not be published")
}

pub(in crate::serve) fn of_contract() -> Call {
    entitlements("contract_entitlements", "a contract", "contract_id")
}

pub(in crate::serve) fn of_customer() -> Call {
    entitlements("customer_entitlements", "a customer", "customer_id")
}

pub(in crate::serve) fn access() -> Call {
    let answer = vec![
        ("contract_id", text()),
        ("usage_type", text()),
        ("has_access", truth()),
        ("is_metered", truth()),
        ("quotas", ArrayBuilder::new().items(row()).into()),
        ("run", number()),
        ("as_of", instant()),
        ("age_seconds", whole_number()),
    ];
    Call::new(READING, "access", "Whether a contract may go on")
        .says(
            "For applications that ask before each thing that they do; answered from memory. Usage that is in no run yet \
             is not counted: this is no lock.",
        )
        .asks::<read::AskedAccess>()
        .put(200, "whether it may, and why", vec![("application/json", object(answer))])
        .refuses(404, "there is no such contract")
}

pub(in crate::serve) fn used() -> Call {
    let sums = vec![
        ("contract_id", text()),
        ("from", instant()),
        ("to", instant()),
        ("granularity", one_of(["hour", "day", "month"])),
        ("group_by", one_of(["usage_type", "contract_item"])),
    ];
    Call::new(READING, "contract_usage", "What a contract has used")
        .says("What counts and begins in `[from, to)`, summed. Days and months are those of the contract's time zone.")
        .asks::<read::AskedUsage>()
        .rows("the sums", [of_run(), sums].concat())
        .pages()
        .refuses(404, "there is no such contract")
}

pub(in crate::serve) fn periods() -> Call {
    Call::new(READING, "periods", "The billing periods, with their states and totals")
        .asks::<read::AskedRows>()
        .rows("the periods", of_run())
        .pages()
}

/// A part of an answer with rows.
fn bytes() -> Vec<(&'static str, RefOr<Schema>)> {
    FORMATS.iter().filter_map(|(_, kinds)| kinds.first()).map(|kind| (*kind, binary())).collect()
}

/// Rows of an export, which have a tag.
fn exported(id: &str, summary: &str, about: Vec<(&'static str, RefOr<Schema>)>) -> Call {
    let state = vec![("billing_period", text()), ("state", one_of(["closed", "draft"]))];
    let known = "Tags of answers that are here already.";
    Call::new(READING, id, summary)
        .says(
            "`name` is a query of `queries/export/`: the rows, their order and in CSV the bytes are those of `meterhouse \
             export`. An answer has an `ETag`, which holds until the next run.",
        )
        .asks::<read::AskedRows>()
        .hears("if-none-match", known, text())
        .hears("range", "The bytes that are wanted of the answer.", text())
        .hears("if-range", "The tag of the answer whose bytes these are.", text())
        .rows("the rows", [of_run(), state, about].concat())
        .pages()
        .put(206, "the bytes that were asked for", bytes())
        .with_header(206, "etag", "The tag of the whole.")
        .with_header(206, "content-range", "Which bytes, of how many.")
        .refuses(416, "the answer is not so long")
        .with_header(200, "etag", "Changes with the rows.")
        .with_header(200, "meterhouse-state", "Whether the period is closed or a draft.")
        .without_body(304, "what is there already is right")
        .refuses(404, "there is no such period, query or customer")
}

pub(in crate::serve) fn of_period() -> Call {
    let about = vec![("held_back", ArrayBuilder::new().items(text()).into())];
    exported("period_rows", "Lines, statements and other rows of a period", about)
}

pub(in crate::serve) fn of_period_and_customer() -> Call {
    exported("customer_rows", "The same of one customer", vec![("customer_id", text())])
        .refuses(409, "a check holds the customer back")
}

pub(in crate::serve) fn events() -> Call {
    let feed = vec![("after", whole_number()), ("events", ArrayBuilder::new().items(row()).into())];
    Call::new(READING, "events", "What has happened behind a place in the feed")
        .says("Each event is a CloudEvent. A key that is bound to customers is told of these.")
        .asks::<feed::AskedFeed>()
        .put(
            200,
            "the events, and the place behind the last of them",
            vec![("application/json", object(feed))],
        )
        .refuses(400, "so many are not answered at one time")
}

pub(in crate::serve) fn ask_sql() -> Call {
    let mut call = Call::new("Any question", "sql", "Ask in SQL");
    let question = call.knows::<sql::Question>();
    let about = vec![("run", number_or_none())];
    call.says(
        "One query. It reads the tables and views of the project, and nothing else. A key that is bound to customers sees \
         those with a column `customer_id`, and in them the rows of its customers.",
    )
    .asks::<sql::Asked>()
    .takes(
        vec![("text/plain", text()), ("application/json", question)],
        "select currency, sum(amount) as amount from invoice_line group by currency",
    )
    .rows("the rows", about)
    .refuses(400, "it is no query, or reads what is not there: `line` and `column` say where")
    .refuses(422, "it fails on the data, or has more rows than it may")
    .refuses(429, "as many queries as are allowed are being answered")
}

/// Work that may take longer than a request.
fn work(id: &str, summary: &str, says: &str, sample: &str) -> Call {
    let mut call = Call::new(OPERATING, id, summary);
    let why = call.knows::<jobs::Why>();
    call.says(&format!(
        "{says} It goes on whether somebody waits or not. Where it takes longer than `serve.request_seconds`, or with \
         `Prefer: respond-async`, the answer is 202, and `Location` tells where to look."
    ))
    .hears("prefer", "`respond-async` does not wait.", text())
    .may_take(vec![("application/json", why)], sample)
    .answers::<jobs::Work>(200, "it is done")
    .answers::<jobs::Work>(202, "it is under way")
    .with_header(200, "location", "Where to look.")
    .with_header(202, "location", "Where to look.")
    .refuses(400, "the body does not say why")
    .refuses(409, "it is under way already, or cannot be as things stand")
    .refuses(422, "a guard refuses it, or the project has mistakes; nothing is published")
}

pub(in crate::serve) fn run() -> Call {
    let says =
        "Lands what there is, brings every table up to date, checks, and publishes, as `meterhouse run`.";
    work("run", "Make a run", says, r#"{"by": "anna"}"#)
}

pub(in crate::serve) fn close() -> Call {
    let says = "Runs a last time, and closes a period for good, as `meterhouse close`. What a guard refuses is closed \
                all the same where `accept` says why. To close it again changes nothing.";
    work(
        "close",
        "Close a period",
        says,
        r#"{"accept": "2 records wait for a contract that was cancelled", "by": "anna"}"#,
    )
    .refuses(404, "this is no billing period")
}

pub(in crate::serve) fn start() -> Call {
    let says = "Does a job of the settings at once. One that is due and was not done is done by this.";
    work("start_job", "Do a job now", says, r#"{"by": "anna"}"#).refuses(404, "there is no such job")
}

pub(in crate::serve) fn jobs() -> Call {
    let next = object(vec![("job", text()), ("does", text()), ("next_at", text_or_none())]);
    Call::new(OPERATING, "jobs", "What was done when, and is due next")
        .says("The newest first, as `meterhouse jobs`; what was asked for over HTTP is `http.run` and `http.close`.")
        .asks::<jobs::Listed>()
        .rows("what was done", vec![("jobs", ArrayBuilder::new().items(next).into())])
}

pub(in crate::serve) fn job() -> Call {
    Call::new(OPERATING, "job", "Where work stands")
        .answers::<jobs::Work>(200, "where it stands, and what came of it")
        .refuses(404, "it was not begun")
}

pub(in crate::serve) fn alive() -> Call {
    Call::new(INSIDE, "alive", "Whether the process answers").tells("it does", "text/plain; charset=utf-8")
}

pub(in crate::serve) fn ready() -> Call {
    Call::new(INSIDE, "ready", "Whether the warehouse answers")
        .tells("it does", "text/plain; charset=utf-8")
        .refuses(503, "it does not")
}

pub(in crate::serve) fn metrics() -> Call {
    Call::new(INSIDE, "metrics", "Counters for Prometheus").tells("the counters", crate::serve::metrics::KIND)
}

pub(in crate::serve) fn openapi() -> Call {
    let document = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
    Call::new(INSIDE, "openapi", "This description, as OpenAPI 3.1").put(
        200,
        "the description",
        vec![("application/json", document.into())],
    )
}

pub(in crate::serve) fn docs() -> Call {
    Call::new(INSIDE, "docs", "The same as a page").tells("the page", "text/html; charset=utf-8")
}

pub(in crate::serve) fn style() -> Call {
    Call::new(INSIDE, "style", "How the page looks").tells("the style", "text/css; charset=utf-8")
}
