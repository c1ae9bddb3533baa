//! Merging: each landing writes a file of its own, and where small ones become many, few take their place.
//!
//! What always holds: a table has the same rows before and after, so nothing that is made from it is made again; only
//! landings that are acknowledged are merged; the earlier files stay for readers and for repeating older runs, until
//! a vacuum finds that nobody needs them. A merge is one commit of its table, and of two that meet one is made.
//!
//! Landings that closed books have reached are kept apart from those that they have not: the files of the former are
//! not opened by a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};

use super::event::{Event, Hear};
use crate::catalog;
use crate::engine::plan::execution_error;
use crate::engine::session::session;
use crate::error::{Error, Result, While};
use crate::land::COMMITTED;
use crate::ledger::{Entry, content};
use crate::project::schema::TableSchema;
use crate::project::{BOOKED_LANDING, Project};
use crate::store::warehouse::Warehouse;
use crate::table::BATCH_ROWS;
use crate::table::checksum;
use crate::table::file::DataFile;
use crate::table::landings::Landings;
use crate::table::scan::FileTable;
use crate::table::write::TableWriter;

/// Small files of a partition that are left alone.
pub(super) const MANY: usize = 32;
/// A file is small that has fewer bytes.
const SMALL: u64 = 4 << 20;
/// A merged file is made of at most so many bytes.
const MERGED: u64 = 128 << 20;
/// Files that are looked into at a time.
const LOOKED_AT: usize = 16;

/// Merges the small files of landed tables, and of what services write, where they are many.
pub(super) async fn merge(
    project: &Project,
    warehouse: &Warehouse,
    head: &Entry,
    landed: &BTreeMap<String, (u64, Vec<DataFile>)>,
    hear: Hear<'_>,
) -> Result<()> {
    // A decision or a receipt is a file of its own, of no landing, and stays one.
    let journal = catalog::journal(warehouse).await?;
    let tables = landed.iter().filter(|(table, _)| COMMITTED.contains(&table.as_str())).chain(&journal);
    let tables = tables.filter(|(_, (_, files))| files.iter().filter(|file| is_small(file)).count() > MANY);
    let tables: Vec<(&TableSchema, &[DataFile])> = tables
        .filter_map(|(table, (_, files))| Some((project.schemas.get(table)?, files.as_slice())))
        .collect();
    if tables.is_empty() {
        return Ok(());
    }
    let context = session(&project.settings, Some(warehouse))?;
    checksum::demand(&context);
    let booked = booked(project, &context, head).await?;
    for (schema, files) in tables {
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        for small in smalls(files, &booked) {
            // What was written under another contract has another hash under this one.
            let small = of_contract(warehouse, schema, small).await?;
            let parts = if small.len() > MANY { parts(small) } else { Vec::new() };
            for part in parts {
                added.push(merged(warehouse, &context, schema, &part).await?);
                removed.extend(part);
            }
        }
        if !added.is_empty() && warehouse.replace(&schema.name, &added, &removed).await? {
            let (table, files, into) = (schema.name.clone(), removed.len(), added.len());
            hear(&Event::Merged { table, files, into });
        }
    }
    Ok(())
}

pub(super) fn is_small(file: &DataFile) -> bool {
    file.size < SMALL
}

/// The landings that closed books have reached.
async fn booked(project: &Project, context: &SessionContext, head: &Entry) -> Result<Landings> {
    let (schema, entry) = (project.schemas.get(BOOKED_LANDING), head.tables.get(BOOKED_LANDING));
    let Some((schema, entry)) = schema.zip(entry).filter(|(_, entry)| !entry.files.is_empty()) else {
        return Ok(Landings::default());
    };
    let mut booked = Vec::new();
    for batch in rows(context, schema, entry.files.clone()).await? {
        let column = batch.column_by_name("landing_id");
        let numbers = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
        booked.extend(numbers.into_iter().flatten().flatten().map(|number| (number, number)));
    }
    Ok(booked.into_iter().collect())
}

async fn rows(
    context: &SessionContext,
    schema: &TableSchema,
    files: Vec<DataFile>,
) -> Result<Vec<RecordBatch>> {
    let failed = |error| execution_error(&error, &schema.name);
    let table = FileTable::new(schema, files);
    let frame = context.read_table(Arc::new(table)).map_err(failed)?;
    frame.collect().await.map_err(failed)
}

/// The small files of each partition that follow each other, and that closed books have all reached, or none of them.
fn smalls(files: &[DataFile], booked: &Landings) -> Vec<Vec<DataFile>> {
    let mut files: Vec<(Landings, &DataFile)> = files.iter().map(|file| (file.of_landings(), file)).collect();
    files.sort_by_key(|(landings, file)| {
        (&file.partition, file.sequences, landings.ranges().first().copied(), &file.path)
    });
    let mut smalls: Vec<Vec<DataFile>> = Vec::new();
    let mut before = None;
    for (landings, file) in files {
        let side = (&file.partition, booked.has_any(&landings));
        if before != Some(side) {
            smalls.push(Vec::new());
            before = Some(side);
        }
        if let Some(small) = smalls.last_mut().filter(|_| is_small(file)) {
            small.push(file.clone());
        }
    }
    smalls.retain(|small| small.len() > MANY);
    smalls
}

/// The files that were written under the table's present contract.
async fn of_contract(
    warehouse: &Warehouse,
    schema: &TableSchema,
    files: Vec<DataFile>,
) -> Result<Vec<DataFile>> {
    let stored = schema.stored();
    let looked_at = files.into_iter().map(|file| async {
        let path = Path::from(format!("{}/{}", schema.name, file.path));
        // One that is gone or damaged is reported when its rows are read.
        let bytes = warehouse.read(&path).await?.map(Bytes::from);
        let footer =
            bytes.and_then(|bytes| ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::default()).ok());
        let is_current = footer.is_none_or(|footer| footer.schema().fields() == stored.fields());
        Ok::<_, Error>(is_current.then_some(file))
    });
    let current: Vec<Option<DataFile>> =
        futures::stream::iter(looked_at).buffered(LOOKED_AT).try_collect().await?;
    Ok(current.into_iter().flatten().collect())
}

/// Files that follow each other, cut where a merged one would be large; a part of one file stays as it is.
fn parts(files: Vec<DataFile>) -> Vec<Vec<DataFile>> {
    let mut parts: Vec<(u64, Vec<DataFile>)> = Vec::new();
    for file in files {
        match parts.last_mut() {
            Some((bytes, part)) if *bytes + file.size <= MERGED => {
                *bytes += file.size;
                part.push(file);
            }
            _ => parts.push((file.size, vec![file])),
        }
    }
    parts.into_iter().map(|(_, part)| part).filter(|part| part.len() > 1).collect()
}

/// Writes the rows of files of one partition as one file.
async fn merged(
    warehouse: &Warehouse,
    context: &SessionContext,
    schema: &TableSchema,
    files: &[DataFile],
) -> Result<DataFile> {
    let working = || format!("merging files of {}", schema.name);
    let stem = DataFile::merged_stem();
    let mut writer = TableWriter::new(context, warehouse, schema, stem)?.unchecked();
    let mut few: Vec<RecordBatch> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        few.extend(rows(context, schema, vec![file.clone()]).await?);
        let is_last = number + 1 == files.len();
        if is_last || few.iter().map(RecordBatch::num_rows).sum::<usize>() >= BATCH_ROWS {
            writer.write(&concat_batches(&schema.arrow(), &few).during(working)?).await?;
            few.clear();
        }
    }
    let written = writer.finish().await?.files;
    let range = |files: &[DataFile]| {
        let ranges = || files.iter().filter_map(|file| file.sequences);
        (ranges().map(|(least, _)| least).min(), ranges().map(|(_, greatest)| greatest).max())
    };
    match written.as_slice() {
        [one] if content(&written) == content(files) && range(&written) == range(files) => {
            let landings: Vec<Landings> = files.iter().map(DataFile::of_landings).collect();
            let landings = landings.iter().flat_map(Landings::ranges).copied().collect();
            Ok(DataFile { landings, ..one.clone() })
        }
        _ => {
            let what =
                format!("{} files of {} have other rows when they are merged", files.len(), schema.name);
            Err(Error::data(what, "nothing was merged; `meterhouse verify` looks at every file"))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn file(landing: i64, size: u64) -> DataFile {
        let sequences = Some((landing * 1_000_000_000, landing * 1_000_000_000 + 9));
        DataFile { path: format!("landing-{landing}.parquet"), size, sequences, ..DataFile::default() }
    }

    fn found(files: &[DataFile], booked: &[(i64, i64)]) -> Vec<String> {
        let smalls = smalls(files, &booked.iter().copied().collect());
        let ranges = smalls.iter().map(|small| {
            let landings: Vec<Landings> = small.iter().map(DataFile::of_landings).collect();
            landings.iter().flat_map(Landings::ranges).copied().collect::<Landings>().to_string()
        });
        ranges.collect()
    }

    #[test]
    fn many_small_files_are_merged_where_closed_books_have_reached_all_or_none_of_them() {
        let many = MANY as i64 + 1;
        let files: Vec<DataFile> = (1..=2 * many).rev().map(|landing| file(landing, 1)).collect();
        assert_eq!(found(&files, &[]), [format!("1-{}", 2 * many)]);
        assert_eq!(found(&files, &[(1, many)]), [format!("1-{many}"), format!("{}-{}", many + 1, 2 * many)]);
        // Too few on one side stay as they are, and so do all where the sides take turns.
        assert_eq!(found(&files, &[(1, 2)]), [format!("3-{}", 2 * many)]);
        let turns: Vec<(i64, i64)> = (1..=many).map(|pair| (2 * pair, 2 * pair)).collect();
        assert_eq!(found(&files, &turns), Vec::<String>::new());
        assert_eq!(found(&files[..MANY], &[]), Vec::<String>::new());
        // A large file stays, and what is around it is merged all the same.
        let large: Vec<DataFile> = files
            .iter()
            .map(|of| DataFile { size: if of.path == "landing-7.parquet" { SMALL } else { 1 }, ..of.clone() })
            .collect();
        assert_eq!(found(&large, &[]), [format!("1-6 8-{}", 2 * many)]);
        // A partition is merged by itself.
        let days = |of: &DataFile| {
            let day = if of.path.len().is_multiple_of(2) { "2026-10-01" } else { "2026-10-02" };
            DataFile { partition: BTreeMap::from([("usage_date".into(), day.into())]), ..of.clone() }
        };
        assert_eq!(found(&files.iter().map(days).collect::<Vec<_>>(), &[]), [format!("10-{}", 2 * many)]);
    }

    #[test]
    fn a_merged_file_is_not_too_large() {
        let files: Vec<DataFile> = (1..=100).map(|landing| file(landing, SMALL - 1)).collect();
        let parts = parts(files.clone());
        assert!(
            parts.len() > 2
                && parts.iter().all(|part| part.iter().map(|file| file.size).sum::<u64>() <= MERGED)
        );
        assert_eq!(parts.concat(), files);
    }
}
