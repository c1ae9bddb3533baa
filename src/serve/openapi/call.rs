//! How a call is described: what it is for, what it takes, and every answer that it can give.
//!
//! What holds for every call, or for all that need a key, is said here once and not for each.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use utoipa::openapi::header::Header;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, KnownFormat, Ref, RefOr, Required, Schema, SchemaFormat};
use utoipa::{IntoParams, ToSchema};

use super::SECURITY;
use crate::access::key::Scope;
use crate::serve::problem::Document;
use crate::serve::rows::FORMATS;
use crate::serve::who::Rule;

/// The kind of content of a refusal.
const PROBLEM: &str = "application/problem+json";
/// What stands in braces in paths: its name, what it means, and one of them.
const PLACES: [(&str, &str, &str); 7] = [
    ("contract_id", "A contract.", "CON123"),
    ("customer_id", "A customer.", "ALPEN"),
    ("due", "When it was due or asked for.", "20261130T060000Z"),
    ("job", "A job of the settings, `http.run` or `http.close`.", "nightly"),
    ("name", "A query of `queries/export/`.", "invoice_line"),
    ("period", "A billing period, year and month.", "2026-10"),
    ("transaction_id", "The id that the record has within its source.", "S-1"),
];

/// Schemas that others refer to by name.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// The description of a call.
pub(in crate::serve) struct Call {
    operation: Operation,
    schemas: Schemas,
    /// A body to try it with, and what kind that is.
    sample: Option<(&'static str, String)>,
}

/// A call with all that holds for it.
pub(super) struct Described {
    pub(super) operation: Operation,
    pub(super) schemas: Schemas,
    pub(super) sample: Option<(&'static str, String)>,
    /// The statuses that say more of this call than of every other.
    pub(super) own: BTreeSet<String>,
}

/// What every call may be refused with, for reasons that are not its own.
pub(super) const REFUSALS: [(u16, &str); 2] =
    [(408, "the request takes too long"), (500, "the service could not do it")];
/// What a call may be refused with besides that needs a key.
pub(super) const REFUSALS_WITH_KEYS: [(u16, &str); 3] = [
    (401, "no key was sent, or one that is not in force"),
    (403, "the key is for something else, or a page of another site asks"),
    (503, "not now: nothing was done"),
];

impl Call {
    /// A call among others, with a name of its own.
    pub(super) fn new(among: &str, id: &str, summary: &str) -> Self {
        let mut operation = Operation::new();
        operation.tags = Some(vec![among.into()]);
        operation.operation_id = Some(id.into());
        operation.summary = Some(summary.into());
        Self { operation, schemas: Vec::new(), sample: None }
    }

    /// The same, told at length.
    pub(super) fn says(mut self, description: &str) -> Self {
        self.operation.description = Some(description.into());
        self
    }

    /// The same with what may stand behind the `?`.
    pub(super) fn asks<T: IntoParams>(mut self) -> Self {
        let asked = T::into_params(|| Some(ParameterIn::Query)).into_iter().map(RefOr::T);
        self.operation.parameters.get_or_insert_default().extend(asked);
        self.refuses(400, "what stands behind the `?` is not known, or not of its form")
    }

    /// The same with a header that may be sent.
    pub(super) fn hears(mut self, header: &str, means: &str, schema: RefOr<Schema>) -> Self {
        let header = ParameterBuilder::new()
            .name(header)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(means))
            .schema(Some(schema));
        self.operation.parameters.get_or_insert_default().push(RefOr::T(header.build()));
        self
    }

    /// The same with a body, of one of these kinds; the first is shown with this text.
    pub(super) fn takes(self, kinds: Vec<(&'static str, RefOr<Schema>)>, text: &str) -> Self {
        self.with_body(kinds, text, Required::True)
    }

    /// The same with a body that may be left out.
    pub(super) fn may_take(self, kinds: Vec<(&'static str, RefOr<Schema>)>, text: &str) -> Self {
        self.with_body(kinds, text, Required::False)
    }

    fn with_body(
        mut self,
        kinds: Vec<(&'static str, RefOr<Schema>)>,
        text: &str,
        is_required: Required,
    ) -> Self {
        self.sample = kinds.first().map(|(kind, _)| (*kind, text.to_string()));
        let mut body = RequestBodyBuilder::new().required(Some(is_required));
        for (kind, schema) in kinds {
            let is_shown = self.sample.as_ref().is_some_and(|(shown, _)| *shown == kind);
            let example = is_shown.then(|| serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
            body = body.content(kind, ContentBuilder::new().schema(Some(schema)).example(example).build());
        }
        self.operation.request_body = Some(RefOr::T(body.build()));
        self.refuses(413, "the body is larger than it may be")
            .refuses(415, "the body is packed in a way that is not known")
    }

    /// A schema by its name, which is known from then on.
    pub(super) fn knows<T: ToSchema>(&mut self) -> RefOr<Schema> {
        self.schemas.push((T::name().into(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name()).into()
    }

    /// The same with a JSON document as answer.
    pub(super) fn answers<T: ToSchema>(mut self, status: u16, means: &str) -> Self {
        let schema = self.knows::<T>();
        self.put(status, means, vec![("application/json", schema)])
    }

    /// The same with a text as answer.
    pub(super) fn tells(self, means: &str, kind: &'static str) -> Self {
        self.put(200, means, vec![(kind, text())])
    }

    /// The same with an answer without a body.
    pub(super) fn without_body(self, status: u16, means: &str) -> Self {
        self.put(status, means, Vec::new())
    }

    /// The same with rows as answer, in the formats that rows come in; what they are about stands before them in JSON.
    pub(super) fn rows(self, means: &str, about: Vec<(&'static str, RefOr<Schema>)>) -> Self {
        let mut about = about;
        about.extend([("schema_version", version()), ("rows", ArrayBuilder::new().items(row()).into())]);
        let mut document = Some(object(about));
        let mut contents = Vec::new();
        for kind in FORMATS.iter().filter_map(|(_, kinds)| kinds.first().copied()) {
            let schema = match kind {
                "application/json" => document.take(),
                kind if kind.starts_with("application/vnd.") => Some(binary()),
                _ => Some(text()),
            };
            contents.extend(schema.map(|schema| (kind, schema)));
        }
        self.put(200, means, contents)
            .with_header(200, "meterhouse-run", "The number of the run that the rows are of.")
            .with_header(200, "meterhouse-as-of", "As of when that was.")
            .refuses(406, "rows cannot be written so")
    }

    /// The same page by page, where that is asked for.
    pub(super) fn pages(mut self) -> Self {
        let place = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        if let Some(RefOr::T(response)) = self.operation.responses.responses.get_mut("200")
            && let Some(RefOr::T(content)) = response.content.get_mut("application/json")
            && let Some(RefOr::T(Schema::Object(document))) = &mut content.schema
        {
            let means = "Of a page: the place behind it, where rows follow.";
            document.properties.insert("next".into(), place.description(Some(means)).into());
        }
        self.with_header(
            200,
            "meterhouse-next",
            "Of a page: `after` of the one behind it, where rows follow.",
        )
        .refuses(410, "the rows are others since the page before: begin anew")
    }

    /// The same with a refusal; of one status there may be several reasons.
    pub(super) fn refuses(mut self, status: u16, why: &str) -> Self {
        match self.operation.responses.responses.get_mut(&status.to_string()) {
            Some(RefOr::T(known)) if known.content.contains_key(PROBLEM) => {
                known.description = format!("{}; {why}", known.description);
                self
            }
            Some(_) => self,
            None => {
                let schema = self.knows::<Document>();
                self.put(status, why, vec![(PROBLEM, schema)])
            }
        }
    }

    /// The same with an answer of these kinds; none: without a body.
    pub(super) fn put(
        mut self,
        status: u16,
        means: &str,
        contents: Vec<(&'static str, RefOr<Schema>)>,
    ) -> Self {
        let mut response = ResponseBuilder::new().description(means);
        for (kind, schema) in contents {
            response = response.content(kind, ContentBuilder::new().schema(Some(schema)).build());
        }
        let id = Header::builder().schema(Some(text())).description(Some("The id of this request."));
        response = response.header("x-request-id", id.build());
        if [429, 503].contains(&status) {
            let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
            let after = Header::builder()
                .schema(Some(seconds))
                .description(Some("Seconds until it may be sent again."));
            response = response.header("retry-after", after.build());
        }
        self.operation.responses.responses.insert(status.to_string(), RefOr::T(response.build()));
        self
    }

    /// The same with a header in the answer of a status.
    pub(super) fn with_header(mut self, status: u16, name: &str, means: &str) -> Self {
        let response = self.operation.responses.responses.get_mut(&status.to_string());
        if let Some(RefOr::T(Response { headers, .. })) = response {
            let header = Header::builder().schema(Some(text())).description(Some(means));
            headers.insert(name.into(), RefOr::T(header.build()));
        }
        self
    }

    /// All that holds for a call of this rule.
    pub(super) fn of(mut self, rule: &Rule) -> Described {
        let places: Vec<Parameter> = places(rule.path).collect();
        if !places.is_empty() {
            self = self.refuses(400, "the path is no text");
        }
        if rule.scopes.contains(&Scope::Read) && !rule.is_by_customer {
            self = self.refuses(404, "there is nothing here for a key that is bound to customers");
        }
        let own = self.operation.responses.responses.keys().cloned().collect();
        let of_keys = REFUSALS_WITH_KEYS.iter().filter(|_| !rule.scopes.is_empty());
        for (status, why) in REFUSALS.iter().chain(of_keys) {
            self = self.refuses(*status, why);
        }
        self = self.with_header(401, "www-authenticate", "How a key is sent.");
        let Self { mut operation, schemas, sample } = self;
        let asked = operation.parameters.take().unwrap_or_default();
        operation.parameters = Some(places.into_iter().map(RefOr::T).chain(asked).collect());
        let one_of = rule.scopes.iter().map(|scope| SecurityRequirement::new(SECURITY, [scope.word()]));
        operation.security = Some(one_of.collect());
        Described { operation, schemas, sample, own }
    }
}

/// What stands in braces in a path.
fn places(path: &str) -> impl Iterator<Item = Parameter> {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    names.map(|name| {
        let known = PLACES.iter().find(|(known, ..)| *known == name);
        let (_, means, example) = known.copied().unwrap_or((name, "", name));
        let schema = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(means))
            .schema(Some(schema))
            .example(Some(Value::from(example)))
            .build()
    })
}

/// A text.
pub(in crate::serve) fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).into()
}

/// A text, or null.
pub(super) fn text_or_none() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null])).into()
}

/// One of some words.
pub(in crate::serve) fn one_of(words: impl IntoIterator<Item = &'static str>) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}

/// Bytes.
pub(super) fn binary() -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::Binary);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
}

/// Yes or no.
pub(super) fn truth() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Boolean).into()
}

/// An object that has all of these.
pub(super) fn object(properties: Vec<(&'static str, RefOr<Schema>)>) -> RefOr<Schema> {
    let object = properties
        .into_iter()
        .fold(ObjectBuilder::new(), |object, (name, schema)| object.property(name, schema).required(name));
    object.into()
}

/// A row of a query of the project.
pub(super) fn row() -> RefOr<Schema> {
    let cell = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    let row = ObjectBuilder::new().additional_properties(Some(AdditionalProperties::from(RefOr::from(cell))));
    row.description(Some("A column each. Amounts and quantities are texts, which keep their digits.")).into()
}

/// A document of rows.
pub(super) fn rows_of(row: RefOr<Schema>) -> RefOr<Schema> {
    object(vec![("schema_version", version()), ("rows", ArrayBuilder::new().items(row).into())])
}

/// The version of a document of rows.
fn version() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([1])).into()
}

/// An instant of UTC.
pub(super) fn instant() -> RefOr<Schema> {
    let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
    ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
}

/// A whole number that is not negative.
pub(super) fn number() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).into()
}

/// A whole number.
pub(super) fn whole_number() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::Integer).into()
}

/// A whole number that is not negative, or null.
pub(super) fn number_or_none() -> RefOr<Schema> {
    let kinds = SchemaType::from_iter([Type::Integer, Type::Null]);
    ObjectBuilder::new().schema_type(kinds).minimum(Some(0)).into()
}
