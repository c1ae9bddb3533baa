//! Which closed periods would be rated differently by the contracts, prices, quotas and queries of today.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::ledger::closing::{kept_project, project_hash};
use crate::ledger::{self, Entry, TableEntry};
use crate::project::{INVOICE_LINE, Project};
use crate::store::warehouse::Warehouse;

/// The closed periods whose lines are made from other reference data, or by other queries, than in this run.
///
/// What differs need not change an amount: a price that begins in the future does not concern them. Only rating them
/// again tells, and that takes time.
pub async fn reached_back(project: &Project, warehouse: &Warehouse, head: &Entry) -> Result<Vec<String>> {
    // Closed under the texts of today, no other queries count: they need not be read.
    let mut texts: BTreeMap<String, bool> = BTreeMap::from([(project_hash(project)?, false)]);
    let mut reached = Vec::new();
    for closing in &head.closings {
        let rules = closing.rules(&head.rules);
        let has_other_queries = match texts.get(&rules.project) {
            Some(known) => *known,
            None => {
                let pinned = kept_project(warehouse, &rules.project).await?;
                let is_other = rating(&pinned) != rating(project);
                texts.insert(rules.project.clone(), is_other);
                is_other
            }
        };
        if has_other_queries || !has_same_references(project, warehouse, head, rules.run).await? {
            reached.push(closing.billing_period.clone());
        }
    }
    reached.sort();
    Ok(reached)
}

/// Whether a closed period was rated again already, by the same contracts, prices, quotas and queries as today's, and
/// nothing has closed since: rating it once more would change nothing.
pub async fn is_rerated(project: &Project, warehouse: &Warehouse, period: &str) -> Result<bool> {
    let Some(head) = ledger::head(warehouse).await? else { return Ok(false) };
    let Some(rules) = head.rules.get(period) else { return Ok(false) };
    let pinned = kept_project(warehouse, &rules.project).await?;
    Ok(ledger::entry(warehouse, rules.run).await?.closings.len() == head.closings.len()
        && rating(&pinned) == rating(project)
        && has_same_references(project, warehouse, &head, rules.run).await?)
}

/// The queries by which closed usage is guided and rated again.
fn rating(project: &Project) -> BTreeMap<&str, &str> {
    let queries = project.queries.values().filter(|query| project.is_made_from(INVOICE_LINE, &query.name));
    queries.map(|query| (query.name.as_str(), query.text.as_str())).collect()
}

async fn has_same_references(
    project: &Project,
    warehouse: &Warehouse,
    head: &Entry,
    run: u64,
) -> Result<bool> {
    let references: Vec<&str> = project
        .reference()
        .map(|schema| schema.name.as_str())
        .filter(|name| project.is_made_from(INVOICE_LINE, name))
        .collect();
    // Whatever was closed long ago, its entry need not be read where nothing has changed since.
    if references.iter().all(|name| head.tables.get(*name).is_some_and(|table| table.changed_in <= run)) {
        return Ok(true);
    }
    let pinned = ledger::entry(warehouse, run).await?;
    // A table that the project did not have then was as good as empty.
    let content = |entry: &Entry, name: &str| match entry.tables.get(name) {
        Some(table) => table.content(),
        None => TableEntry::default().content(),
    };
    Ok(references.iter().all(|name| content(&pinned, name) == content(head, name)))
}
