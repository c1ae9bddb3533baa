//! `meterhouse sql` as a person at a terminal sees it.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::sample::{AS_OF, Sample, repository};

const PROMPT: &str = "meterhouse> ";
/// Would take days.
const LONG: &str = "select count(*) from usage_record as a, usage_record as b, usage_record as c, usage_record as d \
                    where a.transaction_id < b.transaction_id and b.transaction_id < c.transaction_id \
                    and c.transaction_id < d.transaction_id and 'x' <> 'as never';\n";

/// Types each text once what is waited for was shown; returns all that was shown, without what only moves the cursor.
fn typed(sample: &Sample, steps: &[(&str, &str)]) -> String {
    let mut session = Command::new("python3")
        .arg(repository().join("tests/prompt/session.py"))
        .args([env!("CARGO_BIN_EXE_meterhouse"), "sql", "--as-of", AS_OF, "--project"])
        .arg(sample.path())
        .env("NO_COLOR", "1")
        .env("TERM", "xterm")
        .env("XDG_STATE_HOME", sample.path().join("state"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let steps = serde_json::to_vec(steps).unwrap();
    session.stdin.take().unwrap().write_all(&steps).unwrap();
    let output = session.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

#[test]
fn a_prompt_answers_until_it_is_left() {
    let sample = Sample::new();
    sample.ok(&["run"]);
    let shown = typed(
        &sample,
        &[
            (PROMPT, "\\d\n"),
            ("customer_total", ""),
            (PROMPT, "\\d invoice_line\n"),
            ("not null", ""),
            // Many lines, with a name completed by the tab.
            (PROMPT, "select count(*) as lines,\nsum(amount) as owed\nfrom invoice_li\t"),
            ("invoice_line", " where customer_id = 'ALPEN';\n"),
            ("1 row,", ""),
            // A mistake is shown, and the prompt goes on.
            (PROMPT, "select amuont from invoice_line;\n"),
            ("hint: ", ""),
            (PROMPT, "drop table invoice_line;\n"),
            ("only reads", ""),
            // Ctrl-C forgets what was typed.
            (PROMPT, "select nonsense from"),
            ("nonsense from", "\u{3}"),
            // And stops what runs.
            (PROMPT, LONG),
            ("as never", "\u{3}"),
            ("stopped", ""),
            (PROMPT, "\\timing\n"),
            ("timing is off", ""),
            (PROMPT, "select 6 * 7 as one; select 'a;b' as two;\n"),
            ("42", ""),
            // Arrow up brings back what was typed last; Ctrl-D leaves.
            (PROMPT, "\u{1b}[A"),
            ("as two;", "\n"),
            ("42", ""),
            (PROMPT, "\u{4}"),
        ],
    );
    assert!(shown.contains("894.03"), "{shown}");
    assert!(shown.contains("error: column 'amuont' not found"), "{shown}");
    assert!(!shown.contains("error: nonsense"), "{shown}");
    let history = sample.read("state/meterhouse/history");
    assert!(history.contains("from invoice_line where customer_id"), "{history}");

    // Another prompt on the same day knows it.
    let shown = typed(&sample, &[(PROMPT, "\u{1b}[A"), ("as two;", "\n"), (PROMPT, "\\q\n")]);
    assert!(shown.contains("42"), "{shown}");
}

#[test]
fn without_a_terminal_a_query_is_missing() {
    let sample = Sample::empty();
    let (status, said) = sample.fails(&["sql"]);
    assert_eq!(status, 2);
    assert!(said.starts_with("error: no query was given\nhint: meterhouse sql "), "{said}");
}
