//! What can be asked for, and who may: one list, from which the router and the description of all of it are made.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::openapi::{self, Call, Description, calls};
use super::who::Rule;
use super::{Service, feed, health, jobs, metrics, read, receipt, sql, usage, void};
use crate::access::key::Scope;
use crate::error::Result;

const GET: (&str, MethodFilter) = ("GET", MethodFilter::GET);
const POST: (&str, MethodFilter) = ("POST", MethodFilter::POST);
const DELETE: (&str, MethodFilter) = ("DELETE", MethodFilter::DELETE);

const ANYBODY: &[Scope] = &[];
const LAND: &[Scope] = &[Scope::Land];
const READ: &[Scope] = &[Scope::Read];
const BOOK: &[Scope] = &[Scope::Book];
const OPERATE: &[Scope] = &[Scope::Operate];
/// How the service itself does.
const SERVICE: &[Scope] = &[Scope::Read, Scope::Operate];

/// A route, what answers it, and how it is described.
struct Route {
    rule: Rule,
    answer: MethodRouter<Arc<Service>>,
    call: Call,
}

/// All there is.
fn routes() -> Vec<Route> {
    vec![
        route(POST, "/subscriptions/v1/usage", LAND, usage::post, calls::send_usage),
        route(POST, "/api/v1/events", LAND, usage::post_events, calls::send_events),
        route(DELETE, "/subscriptions/v1/usage/{transaction_id}", LAND, void::void, calls::void_usage),
        route(
            POST,
            "/periods/{period}/customers/{customer_id}/receipts",
            BOOK,
            receipt::post,
            calls::say_booked,
        )
        .by_customer(),
        route(
            GET,
            "/subscriptions/v1/contracts/{contract_id}/entitlements",
            READ,
            read::of_contract,
            calls::of_contract,
        )
        .by_customer(),
        route(GET, "/subscriptions/v1/contracts/{contract_id}/access", READ, read::access, calls::access)
            .by_customer(),
        route(GET, "/subscriptions/v1/contracts/{contract_id}/usage", READ, read::usage, calls::used)
            .by_customer(),
        route(
            GET,
            "/subscriptions/v1/customers/{customer_id}/entitlements",
            READ,
            read::of_customer,
            calls::of_customer,
        )
        .by_customer(),
        route(GET, "/periods", READ, read::periods, calls::periods),
        route(GET, "/periods/{period}/{name}", READ, read::of_period, calls::of_period),
        route(
            GET,
            "/periods/{period}/customers/{customer_id}/{name}",
            READ,
            read::of_period_and_customer,
            calls::of_period_and_customer,
        )
        .by_customer(),
        route(GET, "/events", READ, feed::get, calls::events).by_customer(),
        route(POST, "/sql", READ, sql::answer, calls::ask_sql).at_most(sql::TEXT_BYTES).by_customer(),
        route(POST, "/v1/runs", OPERATE, jobs::run, calls::run),
        route(POST, "/v1/periods/{period}/close", OPERATE, jobs::close, calls::close),
        route(POST, "/v1/jobs/{job}/runs", OPERATE, jobs::start, calls::start),
        route(GET, "/v1/jobs", OPERATE, jobs::list, calls::jobs),
        route(GET, "/v1/jobs/{job}/runs/{due}", OPERATE, jobs::get, calls::job),
        route(GET, "/healthz", ANYBODY, health::alive, calls::alive),
        route(GET, "/readyz", ANYBODY, health::ready, calls::ready),
        route(GET, "/metrics", SERVICE, metrics::show, calls::metrics),
        route(GET, "/openapi.json", ANYBODY, openapi::document, calls::openapi),
        route(GET, "/docs", ANYBODY, openapi::page, calls::docs),
        route(GET, "/docs/style.css", ANYBODY, openapi::style, calls::style),
    ]
}

/// A route that is not there for a key which is bound to customers.
fn route<T: 'static>(
    (method, filter): (&'static str, MethodFilter),
    path: &'static str,
    scopes: &'static [Scope],
    answer: impl Handler<T, Arc<Service>>,
    call: fn() -> Call,
) -> Route {
    let rule = Rule { method, path, scopes, is_by_customer: false };
    Route { rule, answer: on(filter, answer), call: call() }
}

impl Route {
    /// The same for a key that is bound to customers too: what answers asks which ones it may see.
    fn by_customer(mut self) -> Self {
        self.rule.is_by_customer = true;
        self
    }

    /// The same with bodies of so many bytes at most.
    fn at_most(mut self, bytes: usize) -> Self {
        self.answer = self.answer.layer(DefaultBodyLimit::max(bytes));
        self
    }
}

/// Who may ask for what.
pub fn rules() -> Vec<Rule> {
    routes().into_iter().map(|route| route.rule).collect()
}

/// All of them, described.
pub(super) fn described() -> Result<Description> {
    Description::new(routes().into_iter().map(|route| (route.rule, route.call)))
}

/// The router of all of them.
pub(super) fn router() -> Router<Arc<Service>> {
    routes().into_iter().fold(Router::new(), |router, route| router.route(route.rule.path, route.answer))
}
