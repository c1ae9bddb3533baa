//! `meterhouse check`: everything that can be said of a project without reading usage.
//!
//! Plans every query against the contracts of what it reads, and reports all mistakes at once.

pub mod reference;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::logical_expr::{LogicalPlan, Volatility};
use datafusion::prelude::SessionContext;

use crate::engine::plan::{OfService, Values, export_misfits, misfits, try_plan};
use crate::error::{Error, Mistake, Result};
use crate::events;
use crate::land;
use crate::project::{LEFT_USAGE, Project, Query, USAGE_RECORD};
use crate::sample::generate;
use crate::table::scan::{FileTable, with_fields};

/// What a project that plans is worth knowing.
#[derive(Debug, Default)]
pub struct Findings {
    /// How many queries were planned.
    pub queries: usize,
    /// What costs time, and how to mend it.
    pub warnings: Vec<String>,
    /// What is as it should be, and easily missed.
    pub notes: Vec<String>,
}

/// Plans all queries; the session must know no tables.
pub async fn check(project: &Project, context: &SessionContext) -> Result<Findings> {
    let mut mistakes = Vec::new();
    let mut findings = Findings { warnings: land::inboxes_nowhere(project), ..Findings::default() };
    land::project_zone(project)?;
    for schema in project.schemas.values() {
        let table: Arc<dyn TableProvider> = Arc::new(FileTable::new(schema, Vec::new()));
        let table = match schema.name.as_str() {
            name @ (USAGE_RECORD | LEFT_USAGE) => with_fields(name, table),
            _ => Ok(table),
        };
        let table = table.and_then(|table| context.register_table(schema.name.as_str(), table));
        if let Err(error) = table {
            mistakes.push(crate::engine::plan::planning_mistake(&error, &schema.file));
        }
        let columns = datafusion::common::ToDFSchema::to_dfschema(schema.arrow());
        for check in &schema.checks {
            let planned = columns.as_ref().map(|columns| {
                crate::table::write::physical_check(context, columns, &check.expression, &check.place)
            });
            if let Ok(Err(error)) = planned {
                let hint = error.hint().to_string();
                mistakes.push(Mistake { place: check.place.clone(), what: error.to_string(), hint });
            }
        }
    }
    // A view that does not plan is one mistake, and no mistake of those who read it.
    // Nor is it theirs where it could not be read at all.
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    let mut costly: BTreeSet<&str> = BTreeSet::new();
    let is_unordered =
        |name: &&String| !project.schemas.contains_key(*name) && !project.order.contains(*name);
    broken.extend(project.queries.keys().filter(is_unordered).map(String::as_str));
    let is_there = |name: &String| project.schemas.contains_key(name) || project.queries.contains_key(name);
    let made = project.order.iter().filter_map(|name| project.queries.get(name));
    let others = [
        &project.checks,
        &project.reports,
        &project.status,
        &project.accrual,
        &project.reach_back,
        &project.export,
        &project.page,
        &project.closing,
        &project.guards,
        &project.rerate,
        &project.verify,
        &project.events,
    ];
    let as_of = |query| (query, Values::from(0));
    let all = made.chain(others.into_iter().flat_map(BTreeMap::values)).map(as_of);
    let all = all.chain(project.explain_line.values().map(|query| (query, Values::of_line(0, ""))));
    let all = all.chain(project.explain_usage.values().map(|query| (query, Values::of_usage(0, "", None))));
    let all = all.chain(project.service.values().map(|query| (query, Values::from(OfService::default()))));
    for (query, values) in all {
        findings.queries += 1;
        mistakes.extend(volatile(query, context));
        if query.reads.keys().any(|name| broken.contains(name.as_str()) || !is_there(name)) {
            broken.insert(&query.name);
            continue;
        }
        match try_plan(context, query, &values).await {
            Err(mistake) => {
                mistakes.push(mistake);
                if !project.is_materialized(&query.name) {
                    broken.insert(&query.name);
                }
            }
            Ok(frame) => {
                // A mistake in types shows only when the plan is analyzed.
                let (state, plan) = frame.into_parts();
                let options = state.config_options();
                let analyzed = state.analyzer().execute_and_check(plan.clone(), options, |_, _| {});
                if let Err(error) = analyzed {
                    mistakes.push(crate::engine::plan::query_mistake(&error, query));
                    broken.insert(&query.name);
                    continue;
                }
                let is_of = |queries: &BTreeMap<String, Query>| {
                    queries.get(&query.name).is_some_and(|other| other.file == query.file)
                };
                if is_of(&project.export) || is_of(&project.page) {
                    mistakes.extend(export_misfits(&plan, query));
                }
                if is_of(&project.events) {
                    mistakes.extend(events::misfit(&plan, query));
                }
                if let Some(schema) = project.schemas.get(&query.name).filter(|_| {
                    project.closing.get(&query.name).is_some_and(|closing| closing.file == query.file)
                }) {
                    mistakes.extend(misfits(&plan, schema, query));
                }
                let is_made = project.queries.get(&query.name).is_some_and(|made| made.file == query.file);
                match project.schemas.get(&query.name).filter(|_| is_made) {
                    Some(schema) => mistakes.extend(misfits(&plan, schema, query)),
                    None if is_made => {
                        if is_costly(&plan) || query.reads.keys().any(|name| costly.contains(name.as_str())) {
                            costly.insert(&query.name);
                            findings.warnings.extend(computed_twice(project, query));
                        }
                        // Its columns are all that its readers are planned by; its plan was looked at here.
                        let view = EmptyTable::new(Arc::clone(plan.schema().inner()));
                        if let Err(error) = context.register_table(query.name.as_str(), Arc::new(view)) {
                            mistakes.push(crate::engine::plan::planning_mistake(&error, &query.file));
                        }
                    }
                    None => {}
                }
            }
        }
    }
    for query in project.landing.values() {
        findings.queries += 1;
        mistakes.extend(volatile(query, context));
        match land::landing_plan(context, query, land::file_schema(query), Vec::new()).await {
            Ok(plan) => {
                let land::Outputs { mistakes: found, attributes } =
                    land::outputs(query, &plan, &land::record_shape(&project.schemas[USAGE_RECORD])?);
                mistakes.extend(found);
                if !attributes.is_empty() {
                    let go = if attributes.len() == 1 { "goes" } else { "go" };
                    let names = attributes.join(", ");
                    findings.notes.push(format!("{}: {names} {go} to `attributes`", query.file));
                }
            }
            Err(Error::Project(found)) => mistakes.extend(found),
            Err(other) => return Err(other),
        }
    }
    if mistakes.is_empty() {
        mistakes.extend(land::inbox_mistakes(project, context).await?);
    }
    findings.queries += project.generate.len();
    mistakes.extend(project.generate.values().flat_map(|query| volatile(query, context)));
    mistakes.extend(generate::check(project).await);
    mistakes.extend(reference::unread_files(project)?);
    mistakes.sort();
    mistakes.dedup();
    if mistakes.is_empty() { Ok(findings) } else { Err(Error::Project(mistakes)) }
}

/// Calls of functions whose result is not a function of their arguments: the same inputs would not give the same rows.
fn volatile(query: &Query, context: &SessionContext) -> Vec<Mistake> {
    let state = context.state_ref();
    let state = state.read();
    let calls = query.calls.iter().filter(|(name, _)| {
        let function = state.scalar_functions().get(name.as_str());
        function.is_some_and(|function| function.signature().volatility != Volatility::Immutable)
    });
    calls
        .map(|(name, place)| Mistake {
            place: place.clone(),
            what: format!("`{name}()` gives another result at another time"),
            hint: "a run is a function of its inputs; the one time it is given is $as_of".into(),
        })
        .collect()
}

/// Whether a plan sorts or aggregates.
fn is_costly(plan: &LogicalPlan) -> bool {
    use datafusion::common::tree_node::TreeNode;
    let is_costly = |node: &LogicalPlan| {
        Ok(matches!(
            node,
            LogicalPlan::Aggregate(_)
                | LogicalPlan::Window(_)
                | LogicalPlan::Sort(_)
                | LogicalPlan::Distinct(_)
        ))
    };
    plan.exists(is_costly).unwrap_or(false)
}

/// A warning where a costly view is read by several of which a run makes tables: it is computed for each.
fn computed_twice(project: &Project, view: &Query) -> Option<String> {
    let is_made = |query: &Query| {
        let mut tables = project.schemas.keys().filter(|table| project.queries.contains_key(*table));
        tables.any(|table| *table == query.name || project.is_made_from(table, &query.name))
    };
    let readers: Vec<&str> = project
        .queries
        .values()
        .filter(|query| query.reads.contains_key(&view.name) && is_made(query))
        .map(|query| query.name.as_str())
        .collect();
    (readers.len() > 1).then(|| {
        format!(
            "{}: `{}` is computed again for each of {}; write schemas/{}.sql to keep it",
            view.file,
            view.name,
            readers.join(", "),
            view.name
        )
    })
}
