//! The machine around the program: limits that are too tight, files that are nobody else's business, secrets in its
//! environment.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::sample::Sample;

/// What the program says where a shell has set its limits.
fn under(sample: &Sample, limits: &str, arguments: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_meterhouse");
    let command = format!("{limits}; exec {program} --as-of {} {arguments}", crate::sample::AS_OF);
    let mut child = Command::new("bash")
        .args(["-c", &command])
        .current_dir(sample.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(90) {
            child.kill().unwrap();
            panic!("{limits}: it hangs");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

#[test]
fn too_little_memory_for_threads_is_told() {
    let mut refused = 0;
    for kilobytes in [250_000, 300_000, 400_000, 500_000, 600_000, 700_000, 1_000_000] {
        let output = under(&Sample::new(), &format!("ulimit -v {kilobytes}"), "-q run");
        let said = String::from_utf8(output.stderr).unwrap();
        match output.status.code() {
            Some(0) => {}
            Some(2) => {
                refused += 1;
                assert!(said.starts_with("error: "), "{kilobytes}: {said}");
            }
            // Where the threads just fit, nothing is left for anything else: an allocation that fails ends a program.
            None if said.contains("memory allocation of") => {}
            other => panic!("{kilobytes}: {other:?} {said}"),
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    assert!(refused > 0);
    let output = under(&Sample::new(), "ulimit -v 300000", "-q run");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("error: cannot start a thread: "), "{said}");
    assert!(said.contains("ulimit -u"), "{said}");
}

#[test]
fn what_is_not_printed_is_told() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    // A device that is always full.
    let output = under(&sample, "true", "sql 'select 1' > /dev/full");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("No space left"), "{said}");
}

/// The files and folders below one that others may read, write or open.
fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if std::fs::metadata(&path).unwrap().permissions().mode() & 0o077 != 0 {
            open.push(path.display().to_string());
        }
        if path.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

#[test]
fn files_of_a_warehouse_and_of_exports_are_for_their_owner_alone() {
    let sample = Sample::new();
    let steps = ["run", "export --period 2026-10", "export --period 2026-10 --format html"];
    for step in steps {
        assert!(under(&sample, "umask 022", step).status.success());
    }
    for folder in ["warehouse", "export"] {
        assert_eq!(open_to_others(&sample.path().join(folder)), Vec::<String>::new());
    }
    let shared = Sample::new();
    shared.replace("meterhouse.toml", "url = \"warehouse\"", "url = \"warehouse\"\nprivate = false");
    for step in steps {
        assert!(under(&shared, "umask 022", step).status.success());
    }
    for folder in ["warehouse", "export"] {
        assert!(!open_to_others(&shared.path().join(folder)).is_empty());
    }
}

/// What a command says that has a secret in its environment.
fn with_secret(sample: &Sample, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(arguments)
        .env("SECRET", "hunter2-and-more")
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("hunter2"), "{said}");
    said
}

#[test]
fn a_variable_in_a_setting_is_not_shown() {
    let sample = Sample::empty();
    let settings = sample.read("meterhouse.toml");
    let said = |text: &str, arguments: &[&str]| {
        sample.write("meterhouse.toml", text);
        with_secret(&sample, arguments)
    };
    let extends = said(&format!("extends = \"${{SECRET}}\"\n{settings}"), &["check"]);
    assert!(extends.contains("`extends` names ${SECRET}, which has no meterhouse.toml"), "{extends}");
    for pattern in ["${SECRET}/a**b", "${SECRET}://bucket/x", "s3://${SECRET}//x", "s3://a/${SECRET}//x/*"] {
        let inbox = said(&format!("{settings}\n[inbox.more]\nfiles = [\"{pattern}\"]\n"), &["run"]);
        assert!(inbox.contains("SECRET"), "{inbox}");
    }
    for url in ["ftp://${SECRET}", "s3://x//${SECRET}", "meterhouse.toml/${SECRET}"] {
        let warehouse = settings.replace("url = \"warehouse\"", &format!("url = \"{url}\""));
        said(&warehouse, &["run"]);
    }
    said(&format!("{settings}\n[reference]\nprice = \"${{SECRET}}.csv\"\n"), &["run"]);
}

#[test]
fn nothing_of_a_file_outside_of_the_project_is_shown() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("shadow");
    let sample = Sample::empty();
    let settings = sample.read("meterhouse.toml");
    sample.write("meterhouse.toml", &format!("{settings}\n[reference]\nprice = \"{}\"\n", file.display()));
    let header = sample.read("data/price.csv").lines().next().unwrap().to_string();
    std::fs::remove_file(sample.path().join("data/price.csv")).unwrap();
    for text in [
        "root:hunter2:19000:0\nadmin:hunter2:19000:0\n",
        "price_id,hunter2\na,b\n",
        &format!("{header}\nhunter2,hunter2,hunter2,hunter2,,,,hunter2,\n"),
        &format!("{header}\nhunter2,b,per_unit,-5,,sometimes,none,2026-01-01,\n"),
    ] {
        std::fs::write(&file, text).unwrap();
        for command in ["run", "check"] {
            let said = with_secret(&sample, &[command]);
            assert!(said.contains("a line does not fit table `price`"), "{said}");
            assert!(said.contains("outside of the project"), "{said}");
        }
    }
    // A link is no way in.
    std::fs::write(&file, "root:hunter2:19000:0\nadmin:hunter2:19000:0\n").unwrap();
    std::os::unix::fs::symlink(&file, sample.path().join("data/linked.csv")).unwrap();
    sample.write("meterhouse.toml", &format!("{settings}\n[reference]\nprice = \"data/linked.csv\"\n"));
    with_secret(&sample, &["run"]);
    std::fs::remove_file(sample.path().join("data/linked.csv")).unwrap();
    // In the project all is told.
    sample.write("data/own.csv", "root:hunter2:19000:0\nadmin:hunter2:19000:0\n");
    sample.write("meterhouse.toml", &format!("{settings}\n[reference]\nprice = \"data/own.csv\"\n"));
    let (_, said) = sample.fails(&["run"]);
    assert!(said.contains("hunter2"), "{said}");
}

/// Threads that still work end with the process, whatever they do: the work is done, and the exit status says so.
#[test]
fn three_hundred_commands_end_with_their_own_status() {
    let project = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..75 {
                    let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
                    let output =
                        command.args(["completions", "bash"]).current_dir(project.path()).output().unwrap();
                    assert_eq!(output.status.code(), Some(0), "{:?}", output.status);
                }
            });
        }
    });
}

/// What a run says of too little room, and what the next one makes when there is some.
fn goes_on(sample: &Sample, full: &Output, room: &Output) {
    let said = String::from_utf8_lossy(&full.stderr);
    assert_eq!(full.status.code(), Some(2), "{said}");
    assert!(said.starts_with("error: writing "), "{said}");
    assert!(
        said.contains("hint: make room there, or let files be larger, and type the same command again"),
        "{said}"
    );
    assert!(!said.contains("os error") && !said.contains("Generic") && !said.contains("External"), "{said}");
    assert!(room.status.success(), "{}", String::from_utf8_lossy(&room.stderr));
    let whole = Sample::new();
    whole.ok(&["run"]);
    let lines = "select line_id, amount, billing_period from invoice_line order by line_id, billing_period";
    assert_eq!(sample.rows(lines), whole.rows(lines));
    sample.ok(&["verify"]);
}

#[test]
fn a_file_that_may_not_be_so_large_is_told_and_a_run_goes_on() {
    let sample = Sample::new();
    let full = under(&sample, "ulimit -f 8", "-q run");
    assert!(!sample.path().join("warehouse/ledger").exists(), "nothing is published");
    goes_on(&sample, &full, &under(&sample, "true", "-q run"));
}

/// Needs to mount a disk of its own, which only root may.
#[test]
fn a_full_disk_is_told_and_a_run_goes_on_when_there_is_room() {
    let sample = Sample::new();
    let disk = sample.path().join("warehouse");
    std::fs::create_dir(&disk).unwrap();
    let mount = |options: &str| {
        let command = format!("mount -t tmpfs -o {options} tmpfs {} 2> /dev/null", disk.display());
        Command::new("sh").args(["-c", &command]).status().unwrap().success()
    };
    if !mount("size=450k") {
        eprintln!("skipped: no disk can be mounted here");
        return;
    }
    let full = under(&sample, "true", "-q run");
    let is_published = disk.join("ledger").exists();
    assert!(mount("remount,size=64m"));
    let room = under(&sample, "true", "-q run");
    let outcome = std::panic::catch_unwind(|| {
        assert!(!is_published, "nothing is published");
        goes_on(&sample, &full, &room);
    });
    let unmounted = Command::new("umount").arg(&disk).status().unwrap();
    assert!(unmounted.success() && outcome.is_ok());
}
