//! Who asks, and whether they may: each request has a key, or everybody may everything.
//!
//! What always holds: a request that no rule is written for is refused; keys are at most [`FRESH`] old, so that one
//! which was revoked is refused within 5 seconds; where the warehouse does not say whether a key was revoked, none
//! counts longer than [`STALE`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Service;
use super::audit::{Begun, Outcome};
use super::problem::{Problem, nothing_at, pass_over};
use crate::access::audit::Change;
use crate::access::key::{Key, Keys, Scope};
use crate::store::warehouse::Warehouse;

/// How long keys count as they were read last.
const FRESH: Duration = Duration::from_secs(2);
/// How long reading them may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long they count where they cannot be read.
const STALE: Duration = Duration::from_secs(60);
/// The most letters of a request's id that are noted; a client may choose it.
const ID_LETTERS: usize = 64;

/// Who may ask for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Such as `GET`, which allows `HEAD` too.
    pub method: &'static str,
    /// With names of parameters in braces.
    pub path: &'static str,
    /// A key needs one of these; empty: nobody is asked for a key.
    pub scopes: &'static [Scope],
    /// Whether a key that is bound to customers may ask, because the answer asks [`Who::may_see`]. Where not, there is
    /// nothing here for such a key.
    pub is_by_customer: bool,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Who(Option<Arc<Key>>);

impl Who {
    /// The key; none where everybody may everything, or nobody is asked.
    pub(super) fn key(&self) -> Option<&Key> {
        self.0.as_deref()
    }

    /// The sources whose usage may be sent and voided; none: all.
    pub(super) fn sources(&self) -> Option<&BTreeSet<String>> {
        self.key()?.sources.as_ref()
    }

    /// The customers of whom may be read; none: all.
    pub(super) fn customers(&self) -> Option<&BTreeSet<String>> {
        self.key()?.customers.as_ref()
    }

    /// Whether usage of a source may be sent and voided.
    pub(super) fn may_write(&self, source: &str) -> bool {
        self.sources().is_none_or(|sources| sources.contains(source))
    }

    /// Whether a customer may be read. Of one who may not, the answer is that there is no such customer.
    pub(super) fn may_see(&self, customer_id: &str) -> bool {
        self.customers().is_none_or(|customers| customers.contains(customer_id))
    }

    /// Who decides something: a person that the request names, by the key that it has.
    pub(super) fn author(&self, named: Option<String>) -> String {
        match (self.key(), named) {
            (None, Some(named)) => named,
            (None, None) => "over HTTP".into(),
            (Some(key), None) => format!("key {}", key.name),
            (Some(key), Some(named)) => format!("{named}, by key {}", key.name),
        }
    }
}

/// The id of the key that a request had, said beside its answer.
#[derive(Debug, Clone)]
pub(super) struct KeyId(pub(super) String);

/// The keys, as they were read last.
pub(super) struct Gate {
    warehouse: Warehouse,
    /// Whether everybody may everything as long as there is no key.
    is_open: bool,
    known: Mutex<Known>,
    /// One reads them at a time.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    keys: Arc<Keys>,
    /// When they were read, and when that was tried last.
    read: Instant,
    tried: Instant,
}

impl Gate {
    /// Begins with keys that were just read. `is_open`: everybody may everything as long as there never was a key.
    pub(super) fn new(warehouse: Warehouse, keys: Keys, is_open: bool) -> Self {
        let now = Instant::now();
        let known = Mutex::new(Known { keys: Arc::new(keys), read: now, tried: now });
        Self { warehouse, is_open, known, reading: tokio::sync::Mutex::default() }
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys; read again where they are too old.
    async fn keys(&self) -> Result<Arc<Keys>, Problem> {
        if self.known().tried.elapsed() >= FRESH {
            let _alone = self.reading.lock().await;
            let mut known = self.known();
            if known.tried.elapsed() >= FRESH {
                known.tried = Instant::now();
                let read = tokio::time::timeout(PATIENCE, known.keys.read_again(&self.warehouse)).await;
                if let Ok(Ok(keys)) = read {
                    (known.keys, known.read) = (Arc::new(keys), known.tried);
                }
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
            }
        }
        let known = self.known();
        if known.read.elapsed() < STALE {
            return Ok(known.keys);
        }
        let detail = "the warehouse does not say which keys are in force";
        Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not now", detail).retry_after(1))
    }

    /// Who asks, by the headers of a request.
    async fn who(&self, headers: &HeaderMap) -> Result<Who, Problem> {
        let keys = self.keys().await?;
        if self.is_open && keys.is_empty() {
            return match of_another_page(headers) {
                true => Err(Problem::new(StatusCode::FORBIDDEN, "a page of another site asks", "")
                    .hint("make a key, and send it: meterhouse key add")),
                false => Ok(Who(None)),
            };
        }
        let Some(value) = headers.get(AUTHORIZATION) else {
            let hint = "send it as `Authorization: Bearer mh_...`; meterhouse key add makes one";
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "a key is needed", "").hint(hint));
        };
        let text = value.to_str().ok().and_then(|value| value.split_once(' '));
        let text =
            text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, text)| text.trim());
        match text.and_then(|text| keys.of_text(text)) {
            Some(key) => Ok(Who(Some(key.clone()))),
            None => Err(Problem::new(StatusCode::UNAUTHORIZED, "this key is not in force", "")
                .hint("send one that is, as `Authorization: Bearer mh_...`")),
        }
    }
}

/// Whether a browser asks for a page that is not of this service: pages of anybody may ask for what is on this machine.
fn of_another_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_some_and(|site| ![&b"same-origin"[..], b"none"].contains(&site))
}

/// Asks who it is that asks, refuses what they may not, and notes what they change.
pub(super) async fn ask(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_string());
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let is_there = |rule: &&Rule| path.as_deref() == Some(rule.path);
    let rule = service.rules.iter().filter(is_there).find(|rule| rule.method == method.as_str()).copied();
    if rule.is_some_and(|rule| rule.scopes.is_empty()) {
        request.extensions_mut().insert(Who(None));
        return next.run(request).await;
    }
    let who = match service.gate.who(request.headers()).await {
        Ok(who) => who,
        Err(problem) => {
            pass_over(request.into_body()).await;
            return refused(problem);
        }
    };
    if let Some(key) = who.key() {
        service.audit.used(&key.id, &day((service.clock)()));
    }
    let is_known = rule.is_some() || service.rules.iter().any(|rule| is_there(&rule));
    let may = match rule {
        Some(rule) => may(&who, &rule, request.uri()),
        // It is answered that there is nothing, or nothing that can be done so.
        None if is_known || path.is_none() => Ok(()),
        None => Err(Problem::new(StatusCode::FORBIDDEN, "nobody may do this", "no rule is written for it")),
    };
    let key_id = who.key().map(|key| key.id.clone());
    // A query is sent as a body, and changes nothing.
    let is_change = |rule: Rule| !method.is_safe() && rule.scopes != [Scope::Read];
    let begun = rule.is_some_and(is_change).then(|| begun(&service, &who, &request));
    let mut response = match may {
        Ok(()) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
        Err(problem) => {
            pass_over(request.into_body()).await;
            problem.into_response()
        }
    };
    if let Some(begun) = begun {
        let outcome = response.extensions().get::<Outcome>().map(|Outcome(outcome)| outcome.clone());
        begun.end(response.status().as_u16(), outcome.unwrap_or_else(|| "done".into()));
    }
    if let Some(id) = key_id {
        response.extensions_mut().insert(KeyId(id));
    }
    response
}

/// Whether a rule lets somebody.
fn may(who: &Who, rule: &Rule, uri: &Uri) -> Result<(), Problem> {
    let Some(key) = who.key() else { return Ok(()) };
    if rule.scopes.iter().all(|scope| !key.scopes.contains(scope)) {
        let words: Vec<&str> = rule.scopes.iter().map(|scope| scope.word()).collect();
        let title = "the key is not for this";
        let detail = format!("it needs the scope {}", words.join(" or "));
        return Err(Problem::new(StatusCode::FORBIDDEN, title, detail));
    }
    // What another scope of the key allows is not bound.
    let is_bound = key.customers.is_some()
        && rule.scopes.iter().all(|scope| *scope == Scope::Read || !key.scopes.contains(scope));
    if is_bound && !rule.is_by_customer {
        return Err(nothing_at(uri));
    }
    Ok(())
}

/// The id of a request, as far as it is noted.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let id = headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    id.chars().take(ID_LETTERS).collect()
}

fn refused(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"meterhouse\""));
    }
    response
}

fn begun(service: &Arc<Service>, who: &Who, request: &Request) -> Begun {
    let key = who.key();
    let change = Change {
        at: 0,
        key_id: key.map(|key| key.id.clone()),
        key_name: key.map(|key| key.name.clone()),
        method: request.method().to_string(),
        path: request.uri().path().to_string(),
        request_id: request_id(request.headers()),
        status: None,
        outcome: String::new(),
    };
    Begun::new(service.clone(), change)
}

/// The day of an instant in UTC, such as `2026-10-31`.
fn day(at: i64) -> String {
    jiff::Timestamp::from_microsecond(at).map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::key;

    fn who(scopes: &[Scope], customers: Option<&[&str]>) -> Who {
        let key = serde_json::json!({
            "id": "0123456789abcdef", "name": "some", "sha256": "", "scopes": scopes, "sources": null,
            "customers": customers, "by": "anna", "at": 0
        });
        Who(Some(Arc::new(serde_json::from_value(key).unwrap())))
    }

    #[test]
    fn a_bound_key_is_bound_in_what_it_reads() {
        use Scope::{Land, Operate, Read};
        let status = |who: &Who, scopes: &'static [Scope], is_by_customer| {
            let rule = Rule { method: "GET", path: "/x", scopes, is_by_customer };
            may(who, &rule, &Uri::from_static("/x"))
                .err()
                .map(|problem| problem.into_response().status().as_u16())
        };
        let bound = who(&[Read], Some(&["c"]));
        assert_eq!(status(&bound, &[Read], true), None);
        assert_eq!(status(&bound, &[Read], false), Some(404));
        assert_eq!(status(&bound, &[Read, Operate], false), Some(404));
        assert_eq!(status(&bound, &[Land], false), Some(403));
        assert!(bound.may_see("c") && !bound.may_see("d") && bound.may_write("any"));
        let both = who(&[Read, Land, Operate], Some(&["c"]));
        assert_eq!(status(&both, &[Read], false), Some(404));
        assert_eq!(status(&both, &[Read, Operate], false), None);
        assert_eq!(status(&both, &[Land], false), None);
        let free = who(&[Read], None);
        assert_eq!(status(&free, &[Read], false), None);
        assert!(free.may_see("d") && Who(None).may_see("d") && Who(None).may_write("any"));
        assert_eq!(status(&Who(None), &[Operate], false), None);
    }

    #[tokio::test]
    async fn keys_that_cannot_be_read_again_count_for_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        let store = object_store::local::LocalFileSystem::new();
        let url = url::Url::from_directory_path(folder.path()).unwrap();
        let warehouse = Warehouse::over(Arc::new(store), url).unwrap();
        let wanted = key::Wanted {
            name: "some".into(),
            scopes: BTreeSet::from([Scope::Read]),
            sources: None,
            customers: None,
        };
        let (_, text) = key::make(&warehouse, wanted, "anna", 0).await.unwrap();
        let gate = Gate::new(warehouse, Keys::default(), true);
        let before = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds)).unwrap();
        let headers = HeaderMap::from_iter([(AUTHORIZATION, format!("bearer  {text}").parse().unwrap())]);
        let status = async || gate.who(&headers).await.err().map(|problem| problem.into_response().status());
        // It was read before the key was made.
        assert_eq!(status().await, None);
        assert!(gate.who(&HeaderMap::new()).await.is_ok());
        gate.known.lock().unwrap().tried = before(3);
        assert_eq!(status().await, None);
        assert!(gate.who(&HeaderMap::new()).await.is_err());

        std::fs::remove_dir_all(folder.path().join("registry")).unwrap();
        std::fs::write(folder.path().join("registry"), "no folder").unwrap();
        for (read, expected) in [(30, None), (61, Some(StatusCode::SERVICE_UNAVAILABLE))] {
            *gate.known.lock().unwrap() = Known { tried: before(3), read: before(read), ..gate.known() };
            assert_eq!(status().await, expected);
        }
    }

    #[test]
    fn a_day_is_one_of_utc() {
        assert_eq!(day(1_793_491_199_999_999), "2026-10-31");
        assert_eq!(day(1_793_491_200_000_000), "2026-11-01");
    }

    #[test]
    fn pages_of_others_are_told_from_programs() {
        let of = |site: &'static str| {
            HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), site.parse().unwrap())])
        };
        assert!(!of_another_page(&HeaderMap::new()));
        assert!(!of_another_page(&of("none")) && !of_another_page(&of("same-origin")));
        assert!(of_another_page(&of("cross-site")) && of_another_page(&of("same-site")));
    }
}
