//! Runners that meet: exactly one publishes, and the other says who was first.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Barrier;

use meterhouse::engine::session::session;
use meterhouse::error::Error;
use meterhouse::ledger;
use meterhouse::proof::verify;
use meterhouse::run::event::Report;
use meterhouse::run::{self, Request};

use crate::laws::{assert_delta_follows, local};
use crate::sample::{AS_OF, Sample, project};

/// How often two runners race.
const ROUNDS: u64 = 200;

/// A project of one reference table and one query, beside what every project has.
fn tiny() -> Sample {
    let sample = Sample::bare();
    sample.write(
        "schemas/rate.sql",
        "-- What one costs.\ncreate table rate (\n    rate_id varchar not null comment 'which',\n    \
         amount decimal(38, 12) not null comment 'what it costs [EUR]',\n    primary key (rate_id)\n);\n",
    );
    sample.write(
        "schemas/total.sql",
        "-- What all cost.\ncreate table total (\n    rates bigint not null comment 'how many',\n    \
         amount decimal(38, 12) comment 'what they cost [EUR]'\n);\n",
    );
    sample.write(
        "queries/1_total.sql",
        "select\n    count(*) as rates,\n    cast(sum(rate.amount) as decimal(38, 12)) as amount\nfrom rate\n",
    );
    sample
}

#[test]
fn in_200_races_one_publishes_and_the_other_says_who_was_first() {
    let sample = tiny();
    let folder = sample.path().canonicalize().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_stack_size(64 << 20)
        .build()
        .unwrap();
    let request = |by: &str| Request {
        as_of: 1_793_534_400_000_000,
        as_of_text: AS_OF.into(),
        now: i64::MAX,
        accepted: None,
        by: by.into(),
        period: None,
        before_closing: None,
        close: None,
        rerate: Vec::new(),
    };
    let names = ["one", "two"];
    let mut won = [0, 0];
    for round in 1..=ROUNDS {
        sample.write("data/rate.csv", &format!("rate_id,amount\na,{round}.25\n"));
        let project = project(sample.path());
        let warehouses = [local(&folder), local(&folder)];
        let contexts = warehouses.each_ref().map(|one| session(&project.settings, Some(one)).unwrap());
        let requests = names.map(request);
        let mut prepared = Vec::new();
        for number in 0..2 {
            let (warehouse, context) = (&warehouses[number], &contexts[number]);
            let made = run::prepare(&project, warehouse, context, &requests[number], &|_| {});
            prepared.push(runtime.block_on(made).unwrap());
        }
        let start = Barrier::new(2);
        let outcomes: Vec<Result<Report, Error>> = std::thread::scope(|scope| {
            let racing: Vec<_> = prepared
                .into_iter()
                .map(|one| {
                    scope.spawn(|| {
                        start.wait();
                        runtime.block_on(one.publish())
                    })
                })
                .collect();
            racing.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let winner = outcomes.iter().position(Result::is_ok).expect("one publishes");
        won[winner] += 1;
        assert_eq!(outcomes[winner].as_ref().unwrap().published, Some(round));
        let error = outcomes[1 - winner].as_ref().expect_err("the other does not");
        let first =
            format!("nothing was published: `{}` was first, and published run {round}", names[winner]);
        assert_eq!((error.exit_status(), error.to_string()), (75, first));
    }
    runtime.block_on(async {
        let warehouse = local(&folder);
        let head = ledger::head(&warehouse).await.unwrap().unwrap();
        assert_eq!(head.run, ROUNDS);
        assert_eq!(won.iter().sum::<u64>(), ROUNDS);
        assert_delta_follows(&warehouse).await;
        verify::verify(&project(sample.path()), &warehouse, None).await.unwrap();
    });
    assert_eq!(sample.rows("select rates, amount from total"), [format!("1,{ROUNDS}.25")]);
}

fn start(sample: &Sample, by: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_meterhouse"))
        .arg("--project")
        .arg(sample.path())
        .args(["--as-of", AS_OF, "run", "--by", by])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "kill {name}");
}

/// A runner that stands still for so long that another takes its place, as a machine does that was put to sleep.
#[test]
fn a_runner_that_wakes_up_late_publishes_nothing() {
    let sample = Sample::new();
    let mut sleeper = start(&sample, "sleeper");
    let mut said = BufReader::new(sleeper.stderr.take().unwrap());
    let mut line = String::new();
    // Most tables are still to be made when it stops.
    while !line.starts_with("rebuild ") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended before it could be stopped");
    }
    signal(&sleeper, "-STOP");
    assert!(sample.ok(&["status"]).is_empty(), "it has not published yet");
    let other: Output = start(&sample, "other").wait_with_output().unwrap();
    assert_eq!(other.status.code(), Some(0), "{}", String::from_utf8_lossy(&other.stderr));
    let lines = "select line_id, amount, billing_period from invoice_line order by line_id";
    let published = sample.rows(lines);
    assert!(published.len() > 20);
    signal(&sleeper, "-CONT");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(sleeper.wait().unwrap().code(), Some(75), "{rest}");
    let error = "error: nothing was published: `other` was first, and published run 1\n\
                 hint: type the same command again; it goes on from what was published\n";
    assert!(rest.ends_with(error), "{rest}");
    assert_eq!(sample.rows(lines), published);
    let again = String::from_utf8(start(&sample, "sleeper").wait_with_output().unwrap().stderr).unwrap();
    assert!(again.contains("nothing to do"), "{again}");
    sample.ok(&["verify"]);
}
