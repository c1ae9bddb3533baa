//! The day of `docs/service.md`: typed as it stands there, against a real service, and answered as the page says.

use std::process::Command;

use tempfile::TempDir;

use crate::sample::repository;
use crate::served::Served;

/// Whether a text is what a page shows, where `...` stands for anything.
fn is_as_shown(shown: &str, said: &str) -> bool {
    let mut parts = shown.trim().split("...");
    let Some(mut rest) = said.trim().strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut last = "";
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = part;
    }
    rest.is_empty() || (last.is_empty() && shown.contains("..."))
}

#[test]
fn what_is_left_out_may_be_anything() {
    for (shown, said) in
        [("a...c", "abc"), ("...c", "abc"), ("a...", "abc"), ("a...\nc", "a b\nc"), ("abc", "abc")]
    {
        assert!(is_as_shown(shown, said), "{shown} {said}");
    }
    for (shown, said) in [("a...d", "abc"), ("b...c", "abc"), ("abc", "abcd"), ("a...b", "abc"), ("a", "ab")]
    {
        assert!(!is_as_shown(shown, said), "{shown} {said}");
    }
}

#[test]
fn a_day_goes_as_the_page_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        eprintln!("skipped: there is no curl");
        return;
    }
    let page = std::fs::read_to_string(repository().join("docs/service.md")).unwrap();
    let (_, section) = page.split_once("\n## A day\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let folder = TempDir::new().unwrap();
    let mut here = folder.path().to_path_buf();
    let mut served: Option<Served> = None;
    let mut typed = 0;
    for block in section.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for one in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, shown) = one.split_once('\n').unwrap_or((one, ""));
            typed += 1;
            if let Some(folder) = command.strip_prefix("cd ") {
                here.push(folder);
            } else if command == "meterhouse serve" {
                served = Some(Served::start(&here, &[]));
            } else {
                let program = format!("{} ", env!("CARGO_BIN_EXE_meterhouse"));
                let address =
                    served.as_ref().map_or("", |served| served.address.trim_start_matches("http://"));
                let command = command.replace("127.0.0.1:8473", address);
                let command = match command.strip_prefix("meterhouse ") {
                    Some(rest) => format!("{program}{rest}"),
                    None => command.replacen("curl ", "curl --fail-with-body --silent --show-error ", 1),
                };
                let output = Command::new("sh").args(["-c", &command]).current_dir(&here).output().unwrap();
                let said = String::from_utf8_lossy(&output.stdout).to_string();
                let wrong = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{command}\n{said}{wrong}");
                assert!(is_as_shown(shown, &said), "{command}\n{said}\nshown is\n{shown}");
            }
        }
    }
    assert!(typed > 15, "{typed}");
    let (status, said) = served.unwrap().stop();
    assert_eq!(status, Some(0), "{said}");
}
