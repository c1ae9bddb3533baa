//! Reference files outside of the project: a setting may name any file of the machine, so nothing of what is in one is
//! shown where it does not fit its table.

use std::path::Path;

use crate::error::{Error, Mistake};
use crate::project::Project;
use crate::project::schema::TableSchema;
use crate::project::settings;

const HINT: &str =
    "the file is outside of the project, so nothing of it is shown; a copy in data/ is told in full";

/// What is wrong with the files of a reference table, without their content where they are outside of the project.
pub fn hide(project: &Project, schema: &TableSchema, error: Error) -> Error {
    let Some(setting) = project.settings.reference.get(&schema.name) else { return error };
    let error = settings::hide(setting, error);
    if is_inside(project, setting) {
        return error;
    }
    let what = format!("a line does not fit table `{}`", schema.name);
    match error {
        Error::Project(mistakes) => {
            let mut mistakes: Vec<Mistake> = mistakes
                .into_iter()
                .map(|mut mistake| {
                    mistake.place.column = 0;
                    Mistake { place: mistake.place, what: what.clone(), hint: HINT.into() }
                })
                .collect();
            mistakes.dedup();
            Error::Project(mistakes)
        }
        Error::Data { place, .. } => Error::Data { what, place, hint: HINT.into() },
        other => other,
    }
}

/// The same of what was collected.
pub(super) fn hidden(project: &Project, schema: &TableSchema, mistakes: Vec<Mistake>) -> Vec<Mistake> {
    match hide(project, schema, Error::Project(mistakes)) {
        Error::Project(mistakes) => mistakes,
        _ => Vec::new(),
    }
}

/// Whether the files of a reference table are outside of the project.
pub(super) fn is_outside(project: &Project, schema: &TableSchema) -> bool {
    project.settings.reference.get(&schema.name).is_some_and(|setting| !is_inside(project, setting))
}

/// Whether the files that a setting names are in the project, or in the one that it extends, links followed.
fn is_inside(project: &Project, setting: &str) -> bool {
    let Ok(pattern) = settings::path(&project.root, setting) else { return true };
    let base = project.settings.extends.as_ref().and_then(|base| settings::path(&project.root, base).ok());
    let folders: Vec<_> = [Some(project.root.clone()), base]
        .into_iter()
        .flatten()
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    let is_in_folder = |file: &Path| {
        file.canonicalize().is_ok_and(|file| folders.iter().any(|folder| file.starts_with(folder)))
    };
    let files = glob::glob(&pattern.to_string_lossy());
    files.is_ok_and(|files| files.flatten().all(|file| is_in_folder(&file)))
}
