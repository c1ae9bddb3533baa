//! What the next run would do, as a person reads it: `plan`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde_json::json;

use super::{Opened, Out, check_period};
use crate::encode::Format;
use crate::encode::answer::Tables;
use crate::error::{Result, While};
use crate::land::Awaited;
use crate::run::Request;
use crate::run::event::Way;
use crate::run::plan::{self, Counted, Plan, Planned};

impl Opened {
    pub(super) async fn plan(&self, period: Option<String>, counts: bool, out: Out<'_>) -> Result<()> {
        if let Some(period) = &period {
            check_period(period)?;
        }
        self.format().of_tables(2)?;
        let request = Request { period, ..self.request("meterhouse plan".into())? };
        let hear = |event: &_| self.hear(event);
        let plan = plan::plan(&self.project, &self.warehouse, &request, counts, &hear).await?;
        self.show_plan(&plan, out)?;
        let Plan { awaited, tables, up_to_date, may_rerate, is_counted } = &plan;
        if counts && !is_counted {
            self.say("nothing is counted before the files of the inboxes have landed: meterhouse land");
        }
        if *may_rerate {
            self.say("closed periods whose usage has changed are rated again, and what carries on from them is made whole");
        }
        if tables.is_empty() && awaited.is_empty() {
            self.say(&format!("nothing to do: all {up_to_date} tables are up to date"));
            self.say("next: meterhouse status");
            return Ok(());
        }
        let is = if *up_to_date == 1 { "table is" } else { "tables are" };
        self.say(&format!("{up_to_date} {is} up to date"));
        self.say("next: meterhouse run");
        Ok(())
    }

    fn show_plan(&self, plan: &Plan, out: Out<'_>) -> Result<()> {
        let format = self.format();
        let mut shown = Tables::begin(out, format, 2)?;
        shown.add_rows("inbox", "files of the inboxes that a run lands first", &files(&plan.awaited)?)?;
        let made = match format {
            Format::Table | Format::Markdown => tables_for_people(&plan.tables, plan.is_counted)?,
            _ => tables(&plan.tables)?,
        };
        shown.add_rows("plan", "tables that the run makes then, in this order", &made)?;
        let about = json!({
            "up_to_date": plan.up_to_date, "may_rerate": plan.may_rerate, "is_counted": plan.is_counted,
        });
        shown.end(Some(("plan", about)))
    }
}

fn files(awaited: &[Awaited]) -> Result<RecordBatch> {
    rows([
        ("file", texts(awaited.iter().map(|file| Some(file.file.clone())))),
        ("bytes", numbers(awaited.iter().map(|file| file.bytes))),
    ])
}

/// Each number in a column of its own.
fn tables(planned: &[Planned]) -> Result<RecordBatch> {
    let counted = |number: fn(&Counted) -> Option<u64>| {
        known(planned.iter().map(move |one| one.counted.as_ref().and_then(number)))
    };
    rows([
        ("table", texts(planned.iter().map(|planned| Some(planned.table.clone())))),
        ("way", texts(planned.iter().map(|planned| Some(planned.way.to_string())))),
        ("by", texts(planned.iter().map(|planned| Some(planned.by.join(", "))))),
        ("why", texts(planned.iter().map(why))),
        ("changed", texts(planned.iter().map(|planned| Some(planned.changed.join(", "))))),
        ("rows", numbers(planned.iter().map(|planned| planned.rows))),
        ("rows_to_read", numbers(planned.iter().map(|planned| planned.rows_to_read))),
        ("bytes_to_read", numbers(planned.iter().map(|planned| planned.bytes_to_read))),
        ("rows_to_write", counted(|counted| Some(counted.rows_to_write))),
        ("bytes_to_write", counted(|counted| Some(counted.bytes_to_write))),
        ("changed_rows", counted(|counted| counted.rows)),
        ("periods", counted(|counted| counted.periods)),
        ("customers", counted(|counted| counted.customers)),
    ])
}

/// The same for people, in fewer words; without what was not counted.
fn tables_for_people(planned: &[Planned], is_counted: bool) -> Result<RecordBatch> {
    let way = |planned: &Planned| match planned.by.first() {
        Some(column) => format!("{} by {column}", planned.way),
        None => planned.way.to_string(),
    };
    let told = |planned: &Planned| match (why(planned), changed(planned)) {
        (Some(why), changed) if changed.is_empty() => Some(why),
        (Some(why), changed) => Some(format!("{why}; {changed}")),
        (None, changed) => Some(changed),
    };
    let amount = |rows: u64, bytes: u64| format!("{rows} rows, {:.1} MB", bytes as f64 / 1e6);
    let to_read = |planned: &Planned| amount(planned.rows_to_read, planned.bytes_to_read);
    let mut columns = vec![
        ("table", texts(planned.iter().map(|planned| Some(planned.table.clone())))),
        ("way", texts(planned.iter().map(|planned| Some(way(planned))))),
        ("why", texts(planned.iter().map(told))),
        ("rows", numbers(planned.iter().map(|planned| planned.rows))),
        ("to_read", texts(planned.iter().map(|planned| Some(to_read(planned))))),
    ];
    if is_counted {
        let counted = || planned.iter().map(|planned| planned.counted.unwrap_or_default());
        let to_write = |counted: Counted| Some(amount(counted.rows_to_write, counted.bytes_to_write));
        columns.extend([
            ("to_write", texts(counted().map(to_write))),
            ("changed_rows", known(counted().map(|counted| counted.rows))),
            ("periods", known(counted().map(|counted| counted.periods))),
            ("customers", known(counted().map(|counted| counted.customers))),
        ]);
    }
    rows(columns)
}

/// `changed: price, product and 2 more`.
fn changed(planned: &Planned) -> String {
    match planned.changed.as_slice() {
        [] => String::new(),
        [first, second, more @ ..] if more.len() > 1 => {
            format!("changed: {first}, {second} and {} more", more.len())
        }
        all => format!("changed: {}", all.join(", ")),
    }
}

fn why(planned: &Planned) -> Option<String> {
    match planned.way {
        Way::Snapshot => Some("its files have changed".into()),
        Way::Same => Some("made anew, it has the same rows".into()),
        Way::Rebuild | Way::Update => planned.why.as_ref().map(ToString::to_string),
    }
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.map(|text| text.filter(|text| !text.is_empty())).collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    known(values.map(Some))
}

fn known(values: impl Iterator<Item = Option<u64>>) -> ArrayRef {
    Arc::new(values.map(|number| number.map(|number| number as i64)).collect::<Int64Array>())
}

fn rows<'a>(columns: impl IntoIterator<Item = (&'a str, ArrayRef)>) -> Result<RecordBatch> {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)))
        .during(|| "writing a plan".into())
}
