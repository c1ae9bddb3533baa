//! What can be asked for, told to programs as OpenAPI 3.1 and to people as a page: both are made from the list of
//! routes when the service begins, so that nothing is there which they do not tell.

mod call;
pub(super) mod calls;
mod page;

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{HttpMethod, PathItem, PathsBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, License, OpenApiBuilder, Server};

pub(super) use self::call::Call;

use super::Service;
use super::who::Rule;
use crate::error::{Result, While};

/// What the way to send a key is called.
const SECURITY: &str = "key";
/// A page may load its style from here, and nothing else from anywhere.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("page.css");
const ABOUT: &str = "Usage records in, invoice-ready lines out. What is wrong is told as a problem document (RFC 9457), with what to do \
     about it. Amounts and quantities are texts, because a number would lose digits. As long as there is no key, a \
     service asks nobody for one, and is reached from its own machine only.";

/// The calls, described.
pub(super) struct Description {
    document: String,
    page: String,
}

impl Description {
    /// Describes the calls of a list, in its order.
    pub(super) fn new(calls: impl Iterator<Item = (Rule, Call)>) -> Result<Self> {
        let mut components = ComponentsBuilder::new();
        let mut paths = PathsBuilder::new();
        let mut described = Vec::new();
        for (rule, call) in calls {
            let call = call.of(&rule);
            let method = match rule.method {
                "POST" => HttpMethod::Post,
                "DELETE" => HttpMethod::Delete,
                _ => HttpMethod::Get,
            };
            // Of one path there may be several methods: they are put together.
            paths = paths.path(rule.path, PathItem::new(method, call.operation.clone()));
            components = components.schemas_from_iter(call.schemas.clone());
            described.push((rule, call));
        }
        let bearer = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("mh_<id>_<secret>")
            .description(Some("`meterhouse key add NAME --scope land, read, book or operate` makes a key."));
        let components = components.security_scheme(SECURITY, SecurityScheme::Http(bearer.build())).build();
        let mut license = License::new(env!("CARGO_PKG_LICENSE"));
        license.identifier = Some(env!("CARGO_PKG_LICENSE").into());
        let info = InfoBuilder::new()
            .title("meterhouse")
            .version(env!("CARGO_PKG_VERSION"))
            .description(Some(ABOUT))
            .license(Some(license));
        let page = page::page(&described, &components)?;
        let document = OpenApiBuilder::new()
            .info(info.build())
            .servers(Some([Server::new("/")]))
            .paths(paths.build())
            .components(Some(components))
            .build();
        let document = document.to_pretty_json().during(|| "describing what can be asked for".into())?;
        Ok(Self { document, page })
    }
}

/// The description for programs.
pub(super) async fn document(State(service): State<Arc<Service>>) -> Response {
    ([(CONTENT_TYPE, "application/json")], service.description.document.clone()).into_response()
}

/// The description for people.
pub(super) async fn page(State(service): State<Arc<Service>>) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, service.description.page.clone()).into_response()
}

/// How the page looks.
pub(super) async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}
