//! What can be asked for, and who may: one list, from which the router is made.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};

use super::who::Rule;
use super::{Service, feed, health, metrics, read, receipt, sql, usage, void};
use crate::access::key::Scope;

const GET: (&str, MethodFilter) = ("GET", MethodFilter::GET);
const POST: (&str, MethodFilter) = ("POST", MethodFilter::POST);
const DELETE: (&str, MethodFilter) = ("DELETE", MethodFilter::DELETE);

const ANYBODY: &[Scope] = &[];
const LAND: &[Scope] = &[Scope::Land];
const READ: &[Scope] = &[Scope::Read];
const OPERATE: &[Scope] = &[Scope::Operate];
/// How the service itself does.
const SERVICE: &[Scope] = &[Scope::Read, Scope::Operate];

/// A route, and what answers it.
struct Route {
    rule: Rule,
    answer: MethodRouter<Arc<Service>>,
}

/// All there is.
fn routes() -> Vec<Route> {
    vec![
        route(POST, "/subscriptions/v1/usage", LAND, usage::post),
        route(POST, "/api/v1/events", LAND, usage::post_events),
        route(DELETE, "/subscriptions/v1/usage/{transaction_id}", LAND, void::void),
        route(POST, "/periods/{period}/customers/{customer_id}/receipts", OPERATE, receipt::post)
            .by_customer(),
        route(GET, "/subscriptions/v1/contracts/{contract_id}/entitlements", READ, read::of_contract)
            .by_customer(),
        route(GET, "/subscriptions/v1/contracts/{contract_id}/access", READ, read::access).by_customer(),
        route(GET, "/subscriptions/v1/contracts/{contract_id}/usage", READ, read::usage).by_customer(),
        route(GET, "/subscriptions/v1/customers/{customer_id}/entitlements", READ, read::of_customer)
            .by_customer(),
        route(GET, "/periods", READ, read::periods),
        route(GET, "/periods/{period}/{name}", READ, read::of_period),
        route(GET, "/periods/{period}/customers/{customer_id}/{name}", READ, read::of_period_and_customer)
            .by_customer(),
        route(GET, "/events", READ, feed::get).by_customer(),
        route(POST, "/sql", READ, sql::answer).at_most(sql::TEXT_BYTES),
        route(GET, "/healthz", ANYBODY, health::alive),
        route(GET, "/readyz", SERVICE, health::ready),
        route(GET, "/metrics", SERVICE, metrics::show),
    ]
}

/// A route that is not there for a key which is bound to customers.
fn route<T: 'static>(
    (method, filter): (&'static str, MethodFilter),
    path: &'static str,
    scopes: &'static [Scope],
    answer: impl Handler<T, Arc<Service>>,
) -> Route {
    Route { rule: Rule { method, path, scopes, is_by_customer: false }, answer: on(filter, answer) }
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

/// The router of all of them.
pub(super) fn router() -> Router<Arc<Service>> {
    routes().into_iter().fold(Router::new(), |router, route| router.route(route.rule.path, route.answer))
}
