//! Files in `data/` that nobody reads: no table has their name, or a query makes the table of that name.

use std::path::{Component, Path, PathBuf};

use meterhouse_sql::name::nearest;

use crate::error::{Error, Mistake, Place, Result, While};
use crate::project::settings;
use crate::project::{Project, written};
use crate::refresh::fingerprint::reference_files;

/// The folder of reference data.
const DATA: &str = "data";
/// The name of folders of usage; files are landed from there by inboxes or by hand.
const USAGE: &str = "usage";
/// What a table may have been written as, besides CSV.
const OTHER_FORMATS: [&str; 12] =
    ["tsv", "txt", "json", "ndjson", "jsonl", "parquet", "xls", "xlsx", "ods", "gz", "zst", "zip"];

/// Every file in `data/` that looks like reference data and is read by nothing, and every `[reference]` that is no
/// reference table. What inboxes take, or stands in a folder `usage`, is not reference data.
///
/// # Errors
/// A folder that cannot be read.
pub fn unread_files(project: &Project) -> Result<Vec<Mistake>> {
    let mut read: Vec<PathBuf> = Vec::new();
    let mut tables: Vec<&str> = Vec::new();
    for schema in project.reference() {
        tables.push(&schema.name);
        // A setting that cannot be filled in is told by whoever reads the table.
        let paths = reference_files(project, &schema.name).unwrap_or_default();
        read.extend(paths.iter().map(|path| plain(path)));
    }
    let mut mistakes = Vec::new();
    for name in project.settings.reference.keys().filter(|name| !tables.contains(&name.as_str())) {
        let (what, hint) = unread(project, &tables, name, "", settings::FILE);
        match project.settings.wrong(&format!("reference.{name}"), what, &hint) {
            Error::Project(found) => mistakes.extend(found),
            error => return Err(error),
        }
    }
    let inboxes = Inboxes::of(project);
    let mut folders = vec![project.root.join(DATA)];
    while let Some(folder) = folders.pop() {
        if !folder.is_dir() {
            continue;
        }
        let reading = || format!("reading {}", folder.display());
        for entry in std::fs::read_dir(&folder).during(reading)? {
            let path = entry.during(reading)?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.starts_with('.') || read.contains(&plain(&path)) || inboxes.take(&path) {
                continue;
            }
            if path.is_dir() {
                if name != USAGE {
                    folders.push(path);
                }
                continue;
            }
            let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
            let extension = extension.to_lowercase();
            let is_other = OTHER_FORMATS.contains(&extension.rsplit('.').next().unwrap_or_default());
            if extension != "csv" && !(is_other && tables.contains(&stem)) {
                continue;
            }
            let shown = project.shown(&path);
            let (what, hint) = unread(project, &tables, stem, "the file is read by nothing: ", &shown);
            mistakes.push(Mistake { place: Place { file: shown, line: 0, column: 0 }, what, hint });
        }
    }
    mistakes.sort();
    Ok(mistakes)
}

/// The path without the dots that it may begin with.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

/// Why a name belongs to no reference table, and what to do.
fn unread(project: &Project, tables: &[&str], name: &str, whose: &str, file: &str) -> (String, String) {
    if tables.contains(&name) {
        let what = format!("{whose}reference data is CSV, in {DATA}/ or a folder of it");
        return (
            what,
            format!("write {DATA}/{name}.csv, or name the file under [reference] in {}", settings::FILE),
        );
    }
    if let Some(query) = project.queries.get(name) {
        let what = format!("{whose}`{name}` is made by {}", query.file);
        return (what, format!("keep one of the two: what makes `{name}` is the query or the file"));
    }
    if written().any(|written| written == name) {
        let what = format!("{whose}`{name}` is written by the program");
        return (what, "usage is taken in by `meterhouse land`, or by an [inbox]".into());
    }
    let what = format!("{whose}there is no reference table `{name}`");
    let hint = match nearest(name, tables.iter().copied()) {
        Some(near) if file == settings::FILE => format!("did you mean `{near}`?"),
        Some(near) => format!("did you mean {near}.csv?"),
        None => format!(
            "reference data is named after its table; usage belongs into an [inbox] of {}",
            settings::FILE
        ),
    };
    (what, hint)
}

/// The folders and patterns of the inboxes.
struct Inboxes {
    patterns: Vec<glob::Pattern>,
    folders: Vec<PathBuf>,
}

impl Inboxes {
    fn of(project: &Project) -> Self {
        let mut inboxes = Self { patterns: Vec::new(), folders: Vec::new() };
        let data = plain(&project.root.join(DATA));
        for text in project.settings.inbox.values().flat_map(|inbox| &inbox.files) {
            let Ok(path) = settings::path(&project.root, text) else { continue };
            let path = plain(&path);
            inboxes.patterns.extend(glob::Pattern::new(&path.to_string_lossy()));
            // All below the folder that a pattern looks in is usage, or was.
            let is_plain = |part: &&Path| !part.to_string_lossy().contains(['*', '?', '[']);
            let folder = path.ancestors().filter(is_plain).find(|part| part.is_dir());
            inboxes.folders.extend(folder.filter(|folder| !data.starts_with(folder)).map(PathBuf::from));
        }
        inboxes
    }

    fn take(&self, path: &Path) -> bool {
        let path = &plain(path);
        self.folders.iter().any(|folder| path.starts_with(folder))
            || self.patterns.iter().any(|pattern| pattern.matches_path(path))
    }
}
