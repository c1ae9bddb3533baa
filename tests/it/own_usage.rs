//! Pages that begin in an empty folder are typed from their first line to their last: files are written as shown, commands
//! say what the page says.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::reference::stale;
use crate::sample::{repository, without_seconds};

/// The page with what its commands say now, typed in a folder. A fence with a path writes that file; `cd` stays.
fn typed(page: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_meterhouse")).parent().unwrap();
    let mut folder = folder.to_path_buf();
    let mut out = String::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        out += &format!("{line}\n");
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some((_, file)) = kind.split_once(' ') {
            std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.join(file), block.join("\n") + "\n").unwrap();
        }
        if kind != "console" {
            block.iter().for_each(|line| out += &format!("{line}\n"));
        }
        for line in block.iter().filter(|_| kind == "console") {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            out += &format!("{line}\n");
            if let Some(to) = command.strip_prefix("cd ") {
                folder = folder.join(to);
                continue;
            }
            let output = Command::new("sh")
                .arg("-c")
                .arg(format!("{command} 2>&1"))
                .current_dir(&folder)
                .env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()))
                .env("NO_COLOR", "1")
                .env("USER", "anna")
                .stdin(Stdio::null())
                .output()
                .unwrap();
            for line in without_seconds(&String::from_utf8(output.stdout).unwrap()).lines() {
                out += &format!("{}\n", line.trim_end());
            }
        }
        out += "```\n";
    }
    out
}

fn says_what_happens(name: &str) {
    let page = std::fs::read_to_string(repository().join(name)).unwrap();
    let folder = TempDir::new().unwrap();
    let typed = typed(&page, folder.path());
    assert_eq!(stale(name, &typed), None);
}

#[test]
fn from_an_empty_folder_to_the_first_line() {
    says_what_happens("docs/your-own-usage.md");
}

#[test]
fn a_customer_is_added() {
    says_what_happens("docs/add-a-customer.md");
}

#[test]
fn a_charge_model_is_added() {
    says_what_happens("docs/add-a-charge-model.md");
}

#[test]
fn a_foreign_shape_lands() {
    says_what_happens("docs/landing.md");
}

#[test]
fn suspense_is_mended() {
    says_what_happens("docs/suspense.md");
}

#[test]
fn a_day_of_operation() {
    says_what_happens("docs/daily-operation.md");
}
