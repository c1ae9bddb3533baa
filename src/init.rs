//! `init`: the sample project, written from the program alone.
//!
//! The files come from `main.rs`, which embeds the repository's own. Nothing that is there already is overwritten, and
//! meterhouse.toml is written last, so that an `init` cut short can be typed again.

use std::path::{Path, PathBuf};

use crate::config;
use crate::error::{Error, Result, While};

/// A project's files by their path in it.
pub type Sample = Vec<(PathBuf, &'static [u8])>;

const IGNORE: &str = ".gitignore";
/// What a project makes and does not keep in git.
const IGNORED: [&str; 2] = ["warehouse/", "export/"];

/// Writes the project's files into a folder, which is made where it is not there, and returns how many.
pub fn init(folder: &Path, mut sample: Sample) -> Result<usize> {
    if folder.join(config::FILE).exists() {
        return Err(Error::usage(
            format!("{} has a {} already", folder.display(), config::FILE),
            "give init another folder, or run the project that is there",
        ));
    }
    for (path, content) in &sample {
        let path = folder.join(path);
        if path.exists() && std::fs::read(&path).ok().as_deref() != Some(content) {
            return Err(Error::usage(
                format!("{} is there already, and is not the sample's", path.display()),
                "nothing was written; give init another folder",
            ));
        }
    }
    sample.sort_by_key(|(path, _)| (path == Path::new(config::FILE), path.clone()));
    ignore(folder)?;
    for (path, content) in &sample {
        write(&folder.join(path), content)?;
    }
    Ok(sample.len() + 1)
}

/// What to type next to bill the sample.
pub fn next_command(folder: &Path) -> String {
    if folder == Path::new(".") {
        return "meterhouse run".into();
    }
    let name = folder.display().to_string();
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@%".contains(letter);
    let name = if name.chars().all(is_plain) { name } else { format!("'{}'", name.replace('\'', r"'\''")) };
    format!("cd {name} && meterhouse run")
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
        let sample = || -> Sample { vec![("meterhouse.toml".into(), b""), ("data/price.csv".into(), b"a")] };
        std::fs::write(folder.path().join(IGNORE), "notes/\nwarehouse/").unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/price.csv"), "mine").unwrap();
        let refused = init(folder.path(), sample()).unwrap_err().to_string();
        assert!(refused.ends_with("data/price.csv is there already, and is not the sample's"), "{refused}");
        assert!(!folder.path().join("meterhouse.toml").exists());

        std::fs::write(folder.path().join("data/price.csv"), "a").unwrap();
        assert_eq!(init(folder.path(), sample()).unwrap(), 3);
        let ignored = std::fs::read_to_string(folder.path().join(IGNORE)).unwrap();
        assert_eq!(ignored, "notes/\nwarehouse/\nexport/\n");
        assert!(init(folder.path(), sample()).unwrap_err().to_string().ends_with("meterhouse.toml already"));
    }

    #[test]
    fn the_next_command_can_be_typed() {
        assert_eq!(next_command(Path::new(".")), "meterhouse run");
        assert_eq!(next_command(Path::new("my bill's")), r"cd 'my bill'\''s' && meterhouse run");
    }
}
