//! The examples for schedulers do what they say: they are run by Airflow and by Dagster themselves, which are too large
//! to be installed for each test. By hand, in a folder of one's own:
//!
//!     python3 -m venv airflow && airflow/bin/pip install apache-airflow
//!     python3 -m venv dagster && dagster/bin/pip install dagster
//!     METERHOUSE_AIRFLOW=$PWD/airflow/bin METERHOUSE_DAGSTER=$PWD/dagster/bin cargo test --release --test it schedulers

use std::path::PathBuf;
use std::process::Command;

use crate::sample::{Sample, repository};

/// The folder of a scheduler's programs; none where it is not said, which is told.
fn programs(variable: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("skipped: {variable} names no folder of programs");
    }
    folder
}

/// Whether a command ends well, and what it says.
fn typed(command: &mut Command, sample: &Sample) -> (bool, String) {
    command.env("METERHOUSE_PROGRAM", env!("CARGO_BIN_EXE_meterhouse"));
    let output = command.env("METERHOUSE_PROJECT", sample.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// A sample whose oldest period can be closed, and what the scheduler did to it.
fn closed(sample: &Sample) -> Vec<String> {
    sample.rows("select billing_period, closed_by from closed_period")
}

/// A query that cannot be: a person has to mend it.
fn broken(sample: &Sample) {
    sample.write("queries/8_invoice/broken.sql", "select nothing from nowhere\n");
}

#[test]
fn airflow_runs_and_closes() {
    let Some(programs) = programs("METERHOUSE_AIRFLOW") else { return };
    let home = tempfile::tempdir().unwrap();
    let dags = home.path().join("dags");
    std::fs::create_dir(&dags).unwrap();
    std::fs::copy(repository().join("docs/schedulers/airflow_dag.py"), dags.join("airflow_dag.py")).unwrap();
    let sample = Sample::whole();
    let airflow = |arguments: &[&str]| {
        let mut command = Command::new(programs.join("airflow"));
        command.args(arguments).env("AIRFLOW_HOME", home.path()).env("AIRFLOW__CORE__LOAD_EXAMPLES", "False");
        typed(&mut command, &sample)
    };
    let (is_done, said) = airflow(&["db", "migrate"]);
    assert!(is_done, "{said}");
    let (is_done, said) = airflow(&["dags", "test", "meterhouse_run", "2026-11-01"]);
    assert!(is_done && said.contains("published as run 1"), "{said}");
    let (is_done, said) = airflow(&["dags", "test", "meterhouse_close", "2026-09-02"]);
    assert!(is_done, "{said}");
    assert_eq!(closed(&sample), ["2026-08,airflow"]);
    broken(&sample);
    let (is_done, said) = airflow(&["dags", "test", "meterhouse_run", "2026-11-01"]);
    assert!(!is_done && said.contains("AirflowFailException: meterhouse needs a person"), "{said}");
}

#[test]
fn dagster_materializes_and_closes() {
    let Some(programs) = programs("METERHOUSE_DAGSTER") else { return };
    let home = tempfile::tempdir().unwrap();
    let sample = Sample::whole();
    let materialize = |arguments: &[&str]| {
        let mut command = Command::new(programs.join("dagster"));
        command
            .args(["asset", "materialize", "-f"])
            .arg(repository().join("docs/schedulers/dagster_asset.py"));
        typed(command.args(arguments).env("DAGSTER_HOME", home.path()).current_dir(home.path()), &sample)
    };
    let (is_done, said) = materialize(&["--select", "invoice_line"]);
    assert!(is_done && said.contains("published as run 1"), "{said}");
    let (is_done, said) = materialize(&["--select", "closed_period", "--partition", "2026-08-01"]);
    assert!(is_done, "{said}");
    assert_eq!(closed(&sample), ["2026-08,dagster"]);
    broken(&sample);
    let (is_done, said) = materialize(&["--select", "invoice_line"]);
    assert!(!is_done && said.contains("meterhouse needs a person"), "{said}");
}
