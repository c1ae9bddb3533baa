//! The warehouse and the inbox in object storage: the same rows as on a local directory, and nothing is lost.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use meterhouse::engine::session::session;
use meterhouse::store::warehouse::Warehouse;
use meterhouse::{land, ledger};
use object_store::local::LocalFileSystem;
use tokio::runtime::Runtime;
use url::Url;

use crate::aws_bill::Bill;
use crate::fault_store::FaultStore;
use crate::sample::{Sample, ok, project, repository};
use crate::seaweed::{BUCKET, Seaweed};
use crate::serve::{LANDED, each_once, pour};
use crate::served::Served;

const LINES: &str = "select line_id, record_count, quantity, amount_exact, amount, currency from invoice_line \
                     order by line_id";

/// The rows and the hash of every table as the last run left them.
fn tables(warehouse: &Warehouse) -> BTreeMap<String, String> {
    let head = Runtime::new().unwrap().block_on(ledger::head(warehouse)).unwrap().unwrap();
    head.tables.iter().map(|(name, table)| (name.clone(), table.content())).collect()
}

fn local(folder: &Path) -> Warehouse {
    let url = Url::from_directory_path(folder.canonicalize().unwrap()).unwrap();
    Warehouse::over(Arc::new(LocalFileSystem::new()), url).unwrap()
}

/// The rows of a query as CSV, without the header.
fn rows(mut command: Command) -> Vec<String> {
    ok(&command.output().unwrap()).lines().skip(1).map(String::from).collect()
}

/// The records that a query counts.
fn count(server: &Seaweed, sample: &Sample, folder: &str, query: &str) -> Vec<String> {
    rows(server.meterhouse(sample.path(), folder, &["sql", query]))
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_sample_makes_the_same_rows_in_a_bucket_with_its_inbox_in_a_bucket() {
    let Some(server) = Seaweed::start() else { return };
    let sample = Sample::whole();
    sample.ok(&["run"]);
    let expected = tables(&local(&sample.path().join("warehouse")));
    assert!(expected.len() > 20, "{expected:?}");
    for file in glob::glob(&sample.path().join("data/**/usage/*").to_string_lossy()).unwrap() {
        let file = file.unwrap();
        let key = file.strip_prefix(sample.path()).unwrap().to_string_lossy().into_owned();
        server.put(&key, std::fs::read(&file).unwrap());
    }
    server.put("data/usage/notes/none.txt", b"no usage".to_vec());
    sample.replace(
        "meterhouse.toml",
        r#"files = ["data/usage/*", "data/generated/usage/*"]"#,
        r#"files = ["s3://test/data/usage/*", "s3://test/data/generated/"]"#,
    );
    let began = Instant::now();
    let run = || server.meterhouse(sample.path(), "billing/warehouse", &["run"]).output().unwrap();
    let first = run();
    ok(&first);
    eprintln!("the sample in a bucket: {:.1} s", began.elapsed().as_secs_f64());
    assert!(told(&first).contains("s3://test/data/usage/car_rent_2026-10.ndjson: 46 received, 2 rejected"));
    assert!(!told(&first).contains("none.txt"), "{}", told(&first));
    assert_eq!(tables(&server.warehouse("billing/warehouse")), expected);
    let again = run();
    ok(&again);
    assert!(told(&again).starts_with("nothing to do: "), "{}", told(&again));

    let said = |arguments: &[&str]| {
        ok(&server.meterhouse(sample.path(), "billing/warehouse", arguments).output().unwrap())
    };
    said(&["close", "--period", "2026-08", "--confirm", "2026-08"]);
    said(&["verify"]);
    let lines = |table: &str| {
        let query = format!("select count(*), sum(amount) from {table} where billing_period = '2026-08'");
        count(&server, &sample, "billing/warehouse", &query)
    };
    assert_eq!(lines("billed_line"), lines("invoice_line"));
}

#[test]
fn the_aws_bill_is_the_same_in_a_bucket() {
    let Some(server) = Seaweed::start() else { return };
    let Some(bill) = Bill::new() else { return };
    let began = Instant::now();
    let example = repository().join("examples/aws_bill");
    let run = ["--as-of", "2018-12-01T00:00:00Z", "run"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
    for (name, value) in server.meterhouse(&example, "aws", &[]).get_envs() {
        command.env(name, value.unwrap());
    }
    let output = command
        .current_dir(&example)
        .args(["--set", &format!("warehouse.url=s3://{BUCKET}/aws")])
        .args(run)
        .env("METERHOUSE_DATA", bill.data())
        .output()
        .unwrap();
    ok(&output);
    eprintln!("the AWS bill in a bucket: {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(tables(&server.warehouse("aws")), tables(&local(bill.warehouse())));
}

#[test]
fn eight_landers_and_a_runner_at_once_lose_nothing() {
    const LANDERS: usize = 8;
    const FILES: usize = 2;
    const RECORDS: usize = 100;
    let Some(server) = Seaweed::start() else { return };
    let sample = Sample::empty();
    let mut names = Vec::new();
    for lander in 0..LANDERS {
        for file in 0..FILES {
            let record = |number: usize| {
                format!(
                    "{{\"transaction_id\":\"{lander}-{file}-{number}\",\"usage_type\":\"api_call\",\
                     \"usage_start\":\"2026-10-{:02}T00:00:00Z\",\"account_id\":\"byte-prod\",\"quantity\":1}}",
                    1 + number % 3
                )
            };
            let mut lines: Vec<String> = (0..RECORDS).map(record).collect();
            lines.push("no record".into());
            let name = format!("{lander}-{file}.ndjson");
            match lander {
                0 => server.put(&format!("landed/{name}"), lines.join("\n").into()),
                _ => sample.write(&name, &lines.join("\n")),
            }
            names.push(if lander == 0 { format!("s3://{BUCKET}/landed/{name}") } else { name });
        }
    }
    let landers = names.chunks(FILES).map(|files| {
        let mut arguments = vec!["land"];
        arguments.extend(files.iter().map(String::as_str));
        server.meterhouse(sample.path(), "w", &arguments).stdout(Stdio::null()).spawn().unwrap()
    });
    let mut landers: Vec<_> = landers.collect();
    let mut runs = 0;
    while landers.iter_mut().any(|lander| lander.try_wait().unwrap().is_none()) {
        ok(&server.meterhouse(sample.path(), "w", &["run"]).output().unwrap());
        runs += 1;
    }
    for lander in landers {
        let output = lander.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", told(&output));
        assert_eq!(told(&output).matches(": 101 received, 1 rejected").count(), FILES, "{}", told(&output));
    }
    eprintln!("{runs} runs beside {LANDERS} landers");
    ok(&server.meterhouse(sample.path(), "w", &["run"]).output().unwrap());
    let (good, bad) = (LANDERS * FILES * RECORDS, LANDERS * FILES);
    let count = |query| count(&server, &sample, "w", query);
    assert_eq!(
        count("select count(*), count(distinct transaction_id), sum(quantity) from usage_record"),
        [format!("{good},{good},{good}")]
    );
    assert_eq!(count("select count(*) from usage_rejected"), [bad.to_string()]);
    assert_eq!(
        count("select sum(record_count), count(distinct landing_id) from landing"),
        [format!("{},{}", good + bad, LANDERS * FILES)]
    );
    assert_eq!(
        count("select place, sum(record_count) from control_total group by place order by place"),
        [format!("guided,{good}"), format!("received,{}", good + bad), format!("rejected,{bad}")]
    );
}

#[test]
fn a_server_that_is_killed_costs_a_retry() {
    let Some(mut server) = Seaweed::start() else { return };
    let sample = Sample::new();
    sample.ok(&["run"]);
    let expected = tables(&local(&sample.path().join("warehouse")));
    let began = Instant::now();
    ok(&server.meterhouse(sample.path(), "whole", &["run"]).output().unwrap());
    let whole = began.elapsed();
    for (round, part) in [0.15, 0.4, 0.65, 0.9].into_iter().enumerate() {
        let folder = format!("w{round}");
        let child = server.meterhouse(sample.path(), &folder, &["run"]).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(part));
        server.kill();
        std::thread::sleep(Duration::from_millis(500));
        server.restart();
        let output = child.wait_with_output().unwrap();
        eprintln!("killed after {part} of a run: {:?}", output.status.code());
        if !output.status.success() {
            // A server that was just started may say for a while of one object that it is there and that it is not.
            assert!(matches!(output.status.code(), Some(2 | 75)), "{}", told(&output));
            ok(&server.meterhouse(sample.path(), &folder, &["run"]).output().unwrap());
        }
        assert_eq!(tables(&server.warehouse(&folder)), expected, "killed after {part} of a run");
        assert_eq!(
            rows(server.meterhouse(sample.path(), &folder, &["sql", LINES])),
            sample.rows(LINES),
            "killed after {part} of a run"
        );
    }
}

#[test]
fn what_a_store_refuses_is_told() {
    let Some(server) = Seaweed::start() else { return };
    let sample = Sample::empty();
    let says = |set: &[&str], variable: (&str, &str)| {
        let mut command = server.meterhouse(sample.path(), "w", &["status"]);
        let output = command.args(set).env(variable.0, variable.1).output().unwrap();
        format!("exit {}\n{}", output.status.code().unwrap(), told(&output))
    };
    let nothing = ("METERHOUSE_TEST", "");
    assert_snapshot!(says(&[], nothing), @r"
    exit 0
    nothing was published yet
    next: meterhouse run
    ");
    assert_snapshot!(says(&["--set", "warehouse.url=s3://nowhere/w"], nothing), @r"
    exit 2
    error: s3://nowhere/w: there is no bucket `nowhere`
    hint: make it, or mend the URL; its address and region count too
    ");
    assert_snapshot!(says(&[], ("AWS_SECRET_ACCESS_KEY", "wrong")), @r"
    exit 2
    error: s3://test/w refuses these keys: SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided. Check your key and signing method.
    hint: look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and at what they may do
    ");
    assert_snapshot!(says(&[], ("AWS_ALLOW_HTTP", "false")), @r"
    exit 2
    error: s3://test/w: its address is http, so everything could be read on its way
    hint: write https, or allow it with AWS_ALLOW_HTTP=true (AZURE_ALLOW_HTTP, GOOGLE_ALLOW_HTTP)
    ");
    let land = |file: &str| {
        let output = server.meterhouse(sample.path(), "w", &["land", file]).output().unwrap();
        format!("exit {}\n{}", output.status.code().unwrap(), told(&output))
    };
    assert_snapshot!(land("s3://test/no/such.ndjson"), @r"
    exit 2
    error: s3://test/no/such.ndjson: there is no such object
    hint: a folder ends with /
    ");
}

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// What `status` says of a warehouse whose server is away, for each cloud.
#[test]
fn a_store_that_is_away_is_told_in_seconds_whatever_its_cloud() {
    let sample = Sample::empty();
    let account = "{\"gcs_base_url\": \"http://127.0.0.1:1\", \"disable_oauth\": true, \"client_email\": \"\", \
                   \"private_key\": \"\", \"private_key_id\": \"\"}";
    let says = |url: &str| {
        let began = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .current_dir(sample.path())
            .args(["--set", &format!("warehouse.url={url}"), "status"])
            .envs([("AWS_ACCESS_KEY_ID", "testkey"), ("AWS_SECRET_ACCESS_KEY", "testsecret")])
            .envs([("AWS_ENDPOINT_URL", NOWHERE), ("AWS_ALLOW_HTTP", "true")])
            .envs([("GOOGLE_SERVICE_ACCOUNT_KEY", account), ("GOOGLE_ALLOW_HTTP", "true")])
            .envs([("AZURE_STORAGE_ACCOUNT_NAME", "testkey"), ("AZURE_STORAGE_ACCOUNT_KEY", "dGVzdA==")])
            .envs([("AZURE_ENDPOINT", NOWHERE), ("AZURE_ALLOW_HTTP", "true"), ("NO_PROXY", "127.0.0.1")])
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        assert!(began.elapsed() < Duration::from_secs(30), "{url} took {:?}", began.elapsed());
        format!("exit {}\n{}", output.status.code().unwrap(), told(&output))
    };
    assert_snapshot!(says("s3://bucket/w"), @r"
    exit 2
    error: s3://bucket/w cannot be reached: Connection refused
    hint: look at AWS_ENDPOINT_URL and AWS_REGION; or the server is away, then try again
    ");
    assert_snapshot!(says("gs://bucket/w"), @r"
    exit 2
    error: gs://bucket/w cannot be reached: Connection refused
    hint: look at the network; or the server is away, then try again
    ");
    assert_snapshot!(says("az://container/w"), @r"
    exit 2
    error: az://container/w cannot be reached: Connection refused
    hint: look at AZURE_STORAGE_ACCOUNT_NAME and AZURE_ENDPOINT; or the server is away, then try again
    ");
    assert_snapshot!(says("ftp://bucket/w"), @r"
    exit 2
    error: in --set or METERHOUSE_*: `ftp://` is not a known kind of store
    hint: write a directory, or a URL that begins with s3://, gs:// or az://
    ");
}

#[test]
fn a_store_that_ignores_conditional_puts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let url = Url::from_directory_path(folder.path().canonicalize().unwrap()).unwrap();
    let store = Arc::new(FaultStore::forgetful(Arc::new(LocalFileSystem::new())));
    let forgetful = Warehouse::over(store, url).unwrap();
    let runtime = Runtime::new().unwrap();
    let error = runtime.block_on(forgetful.probe()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the warehouse's object store does not honour conditional puts (If-None-Match)"
    );
    assert_eq!(error.exit_status(), 2);
    runtime.block_on(local(folder.path()).probe()).unwrap();
}

/// What a SeaweedFS that had just started did: two creates of one object come together, and both are told that they won.
#[test]
fn two_landers_that_are_given_one_number_land_both_files() {
    let sample = Sample::empty();
    let folder = sample.path().canonicalize().unwrap();
    let project = project(&folder);
    for name in ["one", "two"] {
        sample.write(&format!("{name}.ndjson"), &format!("{name} is no record"));
    }
    let url = Url::from_directory_path(folder.join("warehouse")).unwrap();
    let store = Arc::new(FaultStore::of_two_winners(Arc::new(LocalFileSystem::new()), "/registry/landing/"));
    let warehouse = Warehouse::over(store, url).unwrap();
    let land = async |name: &str| {
        let context = session(&project.settings, Some(&warehouse)).unwrap();
        let source = land::Source::named(&folder.join(name)).await.unwrap().remove(0);
        land::land(&project, &warehouse, &context, &source, land::How::default()).await.unwrap()
    };
    let (one, two) =
        Runtime::new().unwrap().block_on(async { tokio::join!(land("one.ndjson"), land("two.ndjson")) });
    assert_eq!((one.received, two.received), (1, 1));
    assert_ne!(one.landing_id, two.landing_id);
    let rejected = sample.ok(&["sql", "select raw_text from usage_rejected order by raw_text"]);
    assert_eq!(rejected, "raw_text\none is no record\ntwo is no record\n");
}

/// A create that is refused because another is under way, which then comes to nothing, as after a power cut.
#[test]
fn a_store_that_refuses_for_a_while_is_asked_again() {
    let sample = Sample::empty();
    let url = Url::from_directory_path(sample.path().canonicalize().unwrap()).unwrap();
    let store = FaultStore::busy(Arc::new(LocalFileSystem::new()), Duration::from_secs(1));
    let busy = Warehouse::over(Arc::new(store), url).unwrap();
    let project = project(sample.path());
    Runtime::new().unwrap().block_on(async {
        let path = "ledger/0000000/0000000001.json".into();
        assert_eq!(busy.settle(&path, b"mine".to_vec()).await.unwrap(), b"mine");
        assert_eq!(busy.settle(&path, b"yours".to_vec()).await.unwrap(), b"mine");
        busy.commit(&project.schemas["usage_filter"], "test", 1, &[], &[]).await.unwrap();
        assert_eq!(busy.delta_files("usage_filter").await.unwrap(), (1, Vec::new()));
    });
}

#[test]
fn two_services_and_a_runner_on_one_bucket_lose_nothing() {
    let Some(server) = Seaweed::start() else { return };
    let sample = Sample::empty();
    let serve = || {
        let settings = ["--set", "serve.land_seconds=1"];
        Arc::new(Served::of(server.meterhouse(sample.path(), "billing", &settings)))
    };
    let services = [serve(), serve()];
    let next = Arc::new(AtomicUsize::new(0));
    let senders = (0..4).map(|sender| {
        let (served, next) = (services[sender % 2].clone(), next.clone());
        std::thread::spawn(move || pour(&served, sender, &next))
    });
    let senders: Vec<_> = senders.collect();
    for _ in 0..2 {
        let run = server.meterhouse(sample.path(), "billing", &["run"]).output().unwrap();
        // Somebody else may have published, or merged, in between.
        assert!([Some(0), Some(75)].contains(&run.status.code()), "{}", told(&run));
    }
    services[0].signal("KILL");
    std::thread::sleep(Duration::from_secs(2));
    services[1].signal("KILL");
    let acknowledged: Vec<String> = senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect();
    ok(&server.meterhouse(sample.path(), "billing", &["run"]).output().unwrap());
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    let landed = rows(server.meterhouse(sample.path(), "billing", &["sql", LANDED]));
    each_once(&landed, &acknowledged, 4 * 5);
    eprintln!("two services and a runner: {} records acknowledged, each there once", acknowledged.len());
}
