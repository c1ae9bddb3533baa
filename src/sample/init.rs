//! `init`: the sample project, or one without data, written from the program alone.
//!
//! The files come from `main.rs`, which embeds the repository's own. A folder that holds anything but some of these
//! very files is refused, and meterhouse.toml is written last, so that an `init` cut short can be typed again.

mod empty;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use empty::{Beginning, Currency, init_empty};

use crate::error::{Error, Result, While};
use crate::project::settings;

/// A project's files by their path in it.
pub type Sample = Vec<(PathBuf, Cow<'static, [u8]>)>;

const IGNORE: &str = ".gitignore";
/// What a project makes and does not keep in git.
const IGNORED: [&str; 2] = ["warehouse/", "export/"];

/// Writes the project's files into a folder, which is made where it is not there, and returns how many.
///
/// # Errors
/// A folder that is not empty, or cannot be written.
pub fn init(folder: &Path, mut sample: Sample) -> Result<usize> {
    if folder.join(settings::FILE).exists() {
        return Err(Error::usage(
            format!("{} has a {} already", folder.display(), settings::FILE),
            "give init another folder, or run the project that is there",
        ));
    }
    if let Some(found) = foreign(folder, folder, &sample)? {
        return Err(Error::usage(
            format!("{} is not empty: {} is there", folder.display(), found.display()),
            "nothing was written; give init a new folder, such as meterhouse init bill",
        ));
    }
    sample.sort_by_key(|(path, _)| (path == Path::new(settings::FILE), path.clone()));
    ignore(folder)?;
    for (path, content) in &sample {
        write(&folder.join(path), content)?;
    }
    Ok(sample.len() + 1)
}

/// A file below a folder that is not the sample's; what begins with a dot, such as `.git`, is nobody's business.
fn foreign(root: &Path, folder: &Path, sample: &Sample) -> Result<Option<PathBuf>> {
    let reading = || format!("reading {}", folder.display());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).during(reading),
    };
    for entry in entries {
        let entry = entry.during(reading)?;
        let path = entry.path();
        let name = path.strip_prefix(root).unwrap_or(&path);
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let is_folder = entry.file_type().during(reading)?.is_dir();
        // A folder that the sample has not is foreign as a whole: it may be large, and is not looked through.
        if is_folder && sample.iter().any(|(known, _)| known.starts_with(name)) {
            if let Some(found) = foreign(root, &path, sample)? {
                return Ok(Some(found));
            }
            continue;
        }
        let content = sample.iter().find(|(known, _)| known == name).map(|(_, content)| content.as_ref());
        if is_folder || content.is_none() || std::fs::read(&path).ok().as_deref() != content {
            return Ok(Some(name.to_path_buf()));
        }
    }
    Ok(None)
}

/// What to type next in a folder.
pub fn next_command(folder: &Path, command: &str) -> String {
    if folder == Path::new(".") {
        return format!("meterhouse {command}");
    }
    let name = folder.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@%".contains(letter);
    let name = if name.chars().all(is_plain) { name } else { format!("'{}'", name.replace('\'', r"'\''")) };
    format!("cd {name} && meterhouse {command}")
}

/// Keeps what runs make out of git, besides whatever the folder keeps out of it already.
fn ignore(folder: &Path) -> Result<()> {
    let path = folder.join(IGNORE);
    let mut text = match path.exists() {
        true => std::fs::read_to_string(&path).during(|| format!("reading {}", path.display()))?,
        false => String::new(),
    };
    for entry in IGNORED {
        if text.lines().all(|line| line.trim() != entry) {
            let line_end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
            text += &format!("{line_end}{entry}\n");
        }
    }
    write(&path, text.as_bytes())
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).during(writing)?;
    }
    std::fs::write(path, content).during(writing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let sample = || -> Sample {
            vec![
                ("meterhouse.toml".into(), Cow::Borrowed(b"")),
                ("data/price.csv".into(), Cow::Borrowed(b"a")),
            ]
        };
        std::fs::write(folder.path().join(IGNORE), "notes/\nwarehouse/").unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/price.csv"), "mine").unwrap();
        let refused = init(folder.path(), sample()).unwrap_err().to_string();
        assert!(refused.ends_with(" is not empty: data/price.csv is there"), "{refused}");
        assert!(!folder.path().join("meterhouse.toml").exists());

        // Also what is in nobody's way.
        std::fs::write(folder.path().join("data/price.csv"), "a").unwrap();
        std::fs::create_dir(folder.path().join("photos")).unwrap();
        let refused = init(folder.path(), sample()).unwrap_err().to_string();
        assert!(refused.ends_with(" is not empty: photos is there"), "{refused}");
        std::fs::remove_dir(folder.path().join("photos")).unwrap();

        // What a cut-short init wrote is gone on from.
        assert_eq!(init(folder.path(), sample()).unwrap(), 3);
        let ignored = std::fs::read_to_string(folder.path().join(IGNORE)).unwrap();
        assert_eq!(ignored, "notes/\nwarehouse/\nexport/\n");
        assert!(init(folder.path(), sample()).unwrap_err().to_string().ends_with("meterhouse.toml already"));
    }

    #[test]
    fn the_next_command_can_be_typed() {
        assert_eq!(next_command(Path::new("."), "run"), "meterhouse run");
        assert_eq!(next_command(Path::new("my bill's"), "run"), r"cd 'my bill'\''s' && meterhouse run");
    }
}
