//! The calls as a page that people read.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Value as Shown};
use serde_json::{Value, json};
use utoipa::openapi::Components;

use super::call::{Described, REFUSALS, REFUSALS_WITH_KEYS};
use crate::error::{Result, While};
use crate::serve::who::Rule;

const TEMPLATE: &str = include_str!("page.html");
/// Where the examples ask.
const HERE: &str = "127.0.0.1:8473";

/// The page of calls, in their order, and of the schemas that they refer to.
pub(super) fn page(calls: &[(Rule, Described)], components: &Components) -> Result<String> {
    let working = || "writing the page of what can be asked for".to_string();
    let mut groups: Vec<(String, Vec<Value>)> = Vec::new();
    for (rule, described) in calls {
        let tag = described.operation.tags.iter().flatten().next().cloned().unwrap_or_default();
        let scopes: Vec<&str> = rule.scopes.iter().map(|scope| scope.word()).collect();
        let call = json!({
            "method": rule.method,
            "path": rule.path,
            "scopes": scopes.join(" or "),
            "operation": described.operation,
            "own": described.own,
            "curl": curl(rule, described),
        });
        match groups.iter_mut().find(|(name, _)| *name == tag) {
            Some((_, calls)) => calls.push(call),
            None => groups.push((tag, vec![call])),
        }
    }
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.during(working)?);
    environment.add_filter("words", words);
    environment.add_template("page", TEMPLATE).during(working)?;
    let template = environment.get_template("page").during(working)?;
    let shown = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "about": super::ABOUT,
        "refusals": REFUSALS.iter().chain(&REFUSALS_WITH_KEYS).collect::<Vec<_>>(),
        "groups": groups,
        "schemas": components.schemas,
    });
    template.render(shown_as(&shown)).during(working)
}

/// The same for the template; each schema says in `is` what it lets be.
fn shown_as(value: &Value) -> Shown {
    match value {
        Value::Null => Shown::from(()),
        Value::Bool(is) => (*is).into(),
        Value::Number(number) => number.to_string().into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => values.iter().map(shown_as).collect::<Vec<_>>().into(),
        Value::Object(fields) => Shown::from_pairs(fields.iter().map(|(name, value)| {
            let shown = match (name.as_str(), value) {
                ("schema", schema) => schema_as(schema),
                ("properties", Value::Object(schemas)) => {
                    Shown::from_pairs(schemas.iter().map(|(name, schema)| (name.clone(), schema_as(schema))))
                }
                _ => shown_as(value),
            };
            (name.clone(), shown)
        })),
    }
}

fn schema_as(schema: &Value) -> Shown {
    let fields = schema.as_object().into_iter().flatten();
    let fields = fields.map(|(name, value)| (name.clone(), shown_as(value)));
    Shown::from_pairs(fields.chain([("is".to_string(), kind(schema).into())]))
}

/// A text in which `code` stands between backticks, as HTML.
fn words(text: &str) -> Shown {
    let mut html = String::new();
    for (number, part) in text.split('`').enumerate() {
        let part = part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        html += &if number % 2 == 1 { format!("<code>{part}</code>") } else { part };
    }
    Shown::from_safe_string(html)
}

/// What a schema lets be, in few words.
fn kind(schema: &Value) -> String {
    let of = |name: &str| schema.get(name);
    if let Some(name) = of("$ref").and_then(Value::as_str) {
        return name.rsplit('/').next().unwrap_or_default().into();
    }
    let alternatives = of("oneOf").or_else(|| of("anyOf")).or_else(|| of("allOf")).and_then(Value::as_array);
    if let Some(alternatives) = alternatives {
        return alternatives.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = of("enum").and_then(Value::as_array) {
        let words = words.iter().map(|word| word.as_str().map_or_else(|| word.to_string(), String::from));
        return words.collect::<Vec<_>>().join(", ");
    }
    let types: Vec<&str> = match of("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    let words = types.into_iter().map(|name| match name {
        "string" if of("format").is_some_and(|format| format == "date-time") => "instant".into(),
        "string" if of("format").is_some_and(|format| format == "binary") => "bytes".into(),
        "string" => "text".into(),
        "array" => format!("list of {}", of("items").map_or_else(|| "anything".into(), kind)),
        "null" => "null".into(),
        other => other.to_string(),
    });
    words.collect::<Vec<_>>().join(" or ")
}

/// A command that asks for it.
fn curl(rule: &Rule, described: &Described) -> String {
    let mut path = rule.path.to_string();
    let mut asked = Vec::new();
    let parameters = json!(described.operation.parameters);
    for parameter in parameters.as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap_or_default();
        let example = parameter["example"].as_str().unwrap_or_default();
        match parameter["in"].as_str() {
            Some("path") => path = path.replace(&format!("{{{name}}}"), example),
            Some("query") if parameter["required"] == true => asked.push(format!("{name}={example}")),
            _ => {}
        }
    }
    let question = if asked.is_empty() { String::new() } else { format!("?{}", asked.join("&")) };
    let mut command = String::from("curl");
    if rule.method == "DELETE" {
        command += " -X DELETE";
    }
    if !rule.scopes.is_empty() {
        command += " -H \"Authorization: Bearer $KEY\"";
    }
    match &described.sample {
        Some((kind, text)) => {
            let text = text.replace('\'', r"'\''");
            command += &format!(
                " -H \"content-type: {kind}\" \\\n    -d '{text}' \\\n    \"{HERE}{path}{question}\""
            );
        }
        None if rule.method == "POST" => command += &format!(" -X POST \"{HERE}{path}{question}\""),
        None => command += &format!(" \"{HERE}{path}{question}\""),
    }
    command
}
