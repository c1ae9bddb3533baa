//! A project to which anything happens: usage lands in any way, people decide about it, terms and queries change, cycles
//! begin, periods close and are rated again, and commands are killed.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;

use crate::sample::Sample;
use crate::terms::{CUSTOMERS, Terms, blank};

/// 1 September 2026 [s since the epoch].
const SEPTEMBER: i64 = 1_788_220_800;
/// Much usage [records].
const MUCH: usize = 60_000;

/// A record that is used for a customer.
#[derive(Debug, Clone)]
pub struct Use {
    customer: usize,
    /// Since 1 September 2026 [hours].
    hour: i64,
    quantity: u32,
    /// Says what its fields are.
    kind: usize,
}

/// What may happen between two runs.
#[derive(Debug, Clone)]
pub enum Change {
    Land(Vec<Use>),
    /// What has landed lands again, with another quantity or the same.
    Again(Vec<(Index, bool)>),
    /// The last file lands anew, and what came of it before is discarded.
    Anew,
    /// A file of which one line is no record.
    Broken(Use),
    /// The landing is killed after so many milliseconds, and done again.
    Killed(Use, u64),
    Hold(Use),
    Release,
    Discard,
    /// A record is void, or counts again.
    Void(Index),
    WriteOff(Index),
    /// A customer comes, or goes with all that it signed.
    Customer(Index),
    TakeOut(Index, Index),
    PutBack(Index),
    /// A row of a table says something else in a column.
    Value(Index, Index, Index),
    /// A query or a schema is written otherwise, and says the same.
    Query(Index),
    /// A query makes other rows, or those of before.
    OtherRows,
}

/// By what a step ends.
#[derive(Debug, Clone)]
pub enum End {
    Run,
    /// A run of one period.
    Period(Index),
    /// The oldest open period closes.
    Close,
    Rerate(Index),
    /// A run is killed after this share of the time that the one before took [%], and another follows.
    Killed(u64),
}

/// Some changes, and the run that sees them.
#[derive(Debug, Clone)]
pub struct Step {
    changes: Vec<Change>,
    /// How much later it is [hours].
    later: i64,
    end: End,
    machine: Machine,
    /// With what everything is made again.
    against: Machine,
}

/// Threads, rows of a batch, memory [MiB], and the share of touched rows up to which a table is made by what changed [%].
#[derive(Debug, Clone)]
pub struct Machine(usize, usize, usize, u64);

fn usage() -> impl Strategy<Value = Use> {
    (0..1_usize << 16, -200..2600_i64, 1..4000_u32, 0..64_usize)
        .prop_map(|(customer, hour, quantity, kind)| Use { customer, hour, quantity, kind })
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        6 => prop::collection::vec(usage(), 1..12).prop_map(Change::Land),
        2 => prop::collection::vec((index(), any::<bool>()), 1..4).prop_map(Change::Again),
        1 => Just(Change::Anew),
        1 => usage().prop_map(Change::Broken),
        1 => (usage(), 0..400_u64).prop_map(|(usage, after)| Change::Killed(usage, after)),
        1 => usage().prop_map(Change::Hold),
        1 => Just(Change::Release),
        1 => Just(Change::Discard),
        2 => index().prop_map(Change::Void),
        1 => index().prop_map(Change::WriteOff),
        2 => index().prop_map(Change::Customer),
        2 => (index(), index()).prop_map(|(table, row)| Change::TakeOut(table, row)),
        2 => index().prop_map(Change::PutBack),
        8 => (index(), index(), index()).prop_map(|(table, row, value)| Change::Value(table, row, value)),
        1 => index().prop_map(Change::Query),
        1 => Just(Change::OtherRows),
    ]
}

fn machine() -> impl Strategy<Value = Machine> {
    let threads = prop::sample::select(vec![1, 2, 7]);
    let batch_rows = prop::sample::select(vec![17, 17, 32_768]);
    // For each thread; with less, a query of many steps is refused.
    let memory = prop::sample::select(vec![64, 4096, 1 << 20]);
    let percent = prop::sample::select(vec![25, 100, 100]);
    (threads, batch_rows, memory, percent).prop_map(|(threads, batch_rows, memory, percent)| {
        Machine(threads, batch_rows, threads * memory, percent)
    })
}

/// Some changes, and the run that sees them.
pub fn step() -> impl Strategy<Value = Step> {
    let end = prop_oneof![
        8 => Just(End::Run),
        1 => any::<Index>().prop_map(End::Period),
        1 => Just(End::Close),
        1 => any::<Index>().prop_map(End::Rerate),
        1 => (1..110_u64).prop_map(End::Killed),
    ];
    // Often it is later in the same cycles, seldom in others, and sometimes it is earlier.
    let later = prop_oneof![6 => 0..6_i64, 3 => 6..400_i64, 1 => -100..0_i64];
    (prop::collection::vec(change(), 0..4), later, end, machine(), machine())
        .prop_map(|(changes, later, end, machine, against)| Step { changes, later, end, machine, against })
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    pub histories: usize,
    pub steps: usize,
    /// Runs that published, and whose tables were made again.
    pub published: usize,
    /// Runs that found nothing to do, where all was made again to see whether that is so.
    nothing: usize,
    /// Runs that were refused; the terms were mended then.
    refused: usize,
    closed: usize,
    /// Tables that were made by what changed.
    pub updated: usize,
    /// Reference tables that were changed, and how often.
    changed: BTreeMap<String, usize>,
}

/// A project to which things happen.
pub struct Life<'a> {
    sample: Sample,
    done: &'a mut Done,
    terms: Terms,
    /// Those of the last run that was not refused.
    good: Terms,
    /// In seconds since the epoch.
    now: i64,
    machine: Machine,
    landed: Vec<(String, String)>,
    held: Vec<String>,
    void: Vec<String>,
    closed: Vec<String>,
    /// Whether one query makes other rows than the one that is shipped.
    is_other: bool,
    took: Duration,
    files: usize,
    /// The newest run.
    newest: usize,
}

impl<'a> Life<'a> {
    /// A project with the terms of some customers, after a first run.
    pub fn of(customers: &[Index], done: &'a mut Done) -> Self {
        let mut all: Vec<usize> = customers.iter().map(|index| index.index(CUSTOMERS.len())).collect();
        all.sort_unstable();
        all.dedup();
        let terms = Terms::of(all);
        let sample = blank();
        terms.write(&sample);
        let mut life = Self {
            sample,
            done,
            good: terms.clone(),
            terms,
            now: SEPTEMBER + 15 * 86_400,
            machine: Machine(2, 32_768, 4096, 25),
            landed: Vec::new(),
            held: Vec::new(),
            void: Vec::new(),
            closed: Vec::new(),
            is_other: false,
            took: Duration::from_secs(1),
            files: 0,
            newest: 0,
        };
        life.run(&["run"]);
        life
    }

    fn command(
        &self,
        Machine(threads, batch_rows, memory, percent): &Machine,
        arguments: &[&str],
    ) -> Command {
        // Much usage in small batches takes minutes.
        let batch_rows = if self.landed.len() < MUCH { *batch_rows } else { 32_768 };
        let mut command = Command::new(env!("CARGO_BIN_EXE_meterhouse"));
        command.arg("--project").arg(self.sample.path()).args(["--as-of", &text_of(self.now)]);
        for setting in [
            format!("engine.threads={threads}"),
            format!("engine.batch_rows={batch_rows}"),
            format!("engine.memory_mb={memory}"),
            format!("engine.update_percent={percent}"),
        ] {
            command.args(["--set", &setting]);
        }
        command.args(arguments).env("NO_COLOR", "1");
        command
    }

    /// What a command comes to; it may be refused, and must not crash.
    pub fn tried(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.command(&self.machine, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(matches!(output.status.code(), Some(0..=2)), "{arguments:?}: {:?} {said}", output.status);
        (output.status.success(), said)
    }

    fn decided(&self, arguments: &[&str]) -> bool {
        self.tried(&[arguments, &["--reason", "history"]].concat()).0
    }

    /// A run. Where it is refused, the terms are those of the last that was not, and it is done again.
    fn run(&mut self, arguments: &[&str]) -> bool {
        let started = Instant::now();
        let (is_done, said) = self.tried(arguments);
        self.took = started.elapsed();
        self.done.updated += said.lines().filter(|line| line.starts_with("update ")).count();
        if is_done {
            self.good = self.terms.clone();
            return true;
        }
        self.done.refused += 1;
        if arguments[0] == "run" {
            self.terms = self.good.clone();
            self.terms.write(&self.sample);
            let (is_done, again) = self.tried(&["run", "--accept", "history"]);
            assert!(is_done, "{again}\nafter {said}");
        }
        false
    }

    /// A record of a customer as a source sends it.
    fn record(&mut self, Use { customer, hour, quantity, kind }: &Use) -> (String, String) {
        let present = self.terms.customers();
        // Some is of customers who have not come, or are gone.
        let number = if kind % 8 == 0 || present.is_empty() {
            customer % CUSTOMERS.len()
        } else {
            present[customer % present.len()]
        };
        let (name, _) = CUSTOMERS[number];
        let id = format!("{}-{}", self.files, self.landed.len());
        let start = text_of(SEPTEMBER + hour * 3600);
        let end = text_of(SEPTEMBER + hour * 3600 + i64::from(*quantity) * 60);
        let contract = if kind % 3 == 2 && ["pool", "car"].contains(&name) { "-2" } else { "" };
        let number = format!("{}.{:02}", quantity / 100, quantity % 100);
        let mut fields = vec![
            format!("\"transaction_id\":\"{id}\",\"usage_type\":\"{name}\",\"usage_start\":\"{start}\""),
            format!("\"usage_end\":\"{end}\",\"quantity\":{number},\"distance\":{number},\"cost\":{number}"),
            format!(
                "\"region\":\"{}\",\"member\":\"{}\"",
                ["eu", "us", "asia"][kind % 3],
                ["ann", "bob"][kind / 3 % 2]
            ),
            format!("\"operation\":\"{}\"", ["add", "remove"][kind / 6 % 2]),
        ];
        fields.push(match name {
            "car" => "\"vin\":\"car\"".to_string(),
            _ => format!("\"contract_id\":\"{name}{contract}\""),
        });
        if kind % 4 == 0 {
            fields.push("\"source\":\"meter\"".to_string());
        }
        let text = format!("{{{}}}\n", fields.join(","));
        self.landed.push((id.clone(), text.clone()));
        (id, text)
    }

    /// Writes a file that can be landed.
    fn file(&mut self, text: &str) -> String {
        let name = format!("u{}.ndjson", self.files);
        self.files += 1;
        self.sample.write(&name, text);
        self.sample.path().join(name).to_str().unwrap().to_string()
    }

    /// So much usage that work with little memory goes on in files.
    pub fn land_much(&mut self) {
        let mut text = String::new();
        for number in 0..MUCH {
            let (hour, quantity) = ((number * 31 % 2600) as i64, (number * 7919 % 4000 + 1) as u32);
            text += &self.record(&Use { customer: number, hour, quantity, kind: number % 64 }).1;
        }
        self.land(&text, &[]);
    }

    fn land(&mut self, text: &str, more: &[&str]) {
        let file = self.file(text);
        let (_, said) = self.tried(&[&["land", &file], more].concat());
        assert!(!said.contains("panicked"), "{said}");
    }

    fn happens(&mut self, change: &Change) {
        match change {
            Change::Land(uses) => {
                let text: String = uses.iter().map(|one| self.record(one).1).collect();
                self.land(&text, &[]);
            }
            Change::Again(which) => {
                let mut text = String::new();
                for (index, is_other) in which {
                    if !self.landed.is_empty() {
                        let (_, one) = index.get(&self.landed);
                        text += &if *is_other {
                            one.replace("\"quantity\":", "\"quantity\":1")
                        } else {
                            one.clone()
                        };
                    }
                }
                self.land(&text, &[]);
            }
            Change::Anew => {
                if let Some(last) = self.files.checked_sub(1) {
                    let file = self.sample.path().join(format!("u{last}.ndjson"));
                    self.decided(&["land", file.to_str().unwrap(), "--again"]);
                }
            }
            Change::Broken(one) => {
                let (_, text) = self.record(one);
                self.land(&format!("{{\"transaction_id\":\n{text}"), &[]);
            }
            Change::Killed(one, after) => {
                let (_, text) = self.record(one);
                let file = self.file(&text);
                self.killed(&["land", &file], Duration::from_millis(*after));
                self.tried(&["land", &file]);
            }
            Change::Hold(one) => {
                let (id, text) = self.record(one);
                self.land(&text, &["--hold", &id, "--reason", "history"]);
                self.held.push(id);
            }
            Change::Release | Change::Discard => {
                let word = if matches!(change, Change::Release) { "release" } else { "discard" };
                for name in std::mem::take(&mut self.held) {
                    self.decided(&[word, &name]);
                }
            }
            Change::Void(index) | Change::WriteOff(index) => {
                if self.landed.is_empty() {
                    return;
                }
                let (id, text) = index.get(&self.landed).clone();
                let source = if text.contains("\"meter\"") { "meter" } else { "usage" };
                let known = self.void.iter().position(|void| *void == id);
                let word = match (known, change) {
                    (Some(_), _) => "restore",
                    (None, Change::Void(_)) => "void",
                    (None, _) => "write-off",
                };
                if self.decided(&[word, &id, "--source", source]) {
                    match known {
                        Some(at) => _ = self.void.remove(at),
                        None => self.void.push(id),
                    }
                }
            }
            Change::Customer(index) => self.terms.come_or_go(index.index(CUSTOMERS.len())),
            Change::TakeOut(table, row) => {
                if let Some(table) = self.table(table) {
                    self.terms.take_out(&table, |rows| row.index(rows));
                }
            }
            Change::PutBack(row) => self.terms.put_back(|rows| row.index(rows)),
            Change::Value(table, row, value) => {
                if let Some(table) = self.table(table) {
                    self.terms.change(&table, |rows| row.index(rows), |values| value.index(values));
                }
            }
            Change::Query(index) => {
                let patterns = ["queries/[0-9]*/**/*.sql", "schemas/*.sql"];
                let patterns = patterns.map(|files| format!("{}/{files}", self.sample.path().display()));
                let files = patterns.iter().flat_map(|files| glob::glob(files).unwrap());
                let files: Vec<_> = files.map(Result::unwrap).collect();
                let file = index.get(&files);
                let text = std::fs::read_to_string(file).unwrap();
                std::fs::write(file, format!("{text}-- written otherwise\n")).unwrap();
            }
            Change::OtherRows => {
                let texts =
                    ["contract_item.description,", "upper(contract_item.description) as description,"];
                let [old, new] = if self.is_other { [texts[1], texts[0]] } else { texts };
                self.sample.replace("queries/8_invoice/item_line.sql", old, new);
                self.is_other = !self.is_other;
            }
        }
    }

    /// A reference table that has rows, to be changed.
    fn table(&mut self, index: &Index) -> Option<String> {
        let tables = self.terms.tables();
        let table = tables.get(index.index(tables.len().max(1)))?.to_string();
        *self.done.changed.entry(table.clone()).or_default() += 1;
        Some(table)
    }

    fn killed(&self, arguments: &[&str], after: Duration) {
        let mut command = self.command(&self.machine, arguments);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        let _ = child.kill();
        child.wait().unwrap();
    }

    /// Takes one step, and looks whether all is as it should be.
    pub fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        self.now += step.later * 3600;
        self.machine = step.machine.clone();
        for change in &step.changes {
            self.happens(change);
        }
        self.terms.write(&self.sample);
        let accept = ["--accept", "history"];
        let run = [&["run"], &accept[..]].concat();
        match &step.end {
            End::Run => _ = self.run(&run),
            End::Period(index) => {
                let period = index.get(&["2026-09", "2026-10", "2026-11"]);
                self.run(&[&run[..], &["--period", period]].concat());
            }
            End::Close => {
                let period = format!("2026-{:02}", 9 + self.closed.len());
                let close = ["close", "--period", &period, "--confirm", &period];
                if self.run(&[&close[..], &accept].concat()) {
                    self.closed.push(period);
                    self.done.closed += 1;
                } else {
                    self.run(&run);
                }
            }
            End::Rerate(index) => {
                if !self.closed.is_empty() {
                    let period = index.get(&self.closed).clone();
                    let rerate = ["rerate", "--period", &period, "--confirm", &period, "--reason", "history"];
                    self.run(&[&rerate[..], &accept].concat());
                }
                self.run(&run);
            }
            End::Killed(percent) => {
                self.killed(&run, self.took * *percent as u32 / 100);
                self.run(&run);
            }
        }
        self.done.steps += 1;
        self.is_as_made_whole(&step.against)
    }

    /// Every table has the rows that it has when it is made whole from what it is made of now.
    fn is_as_made_whole(&mut self, machine: &Machine) -> Result<(), TestCaseError> {
        let ledger = self.sample.path().join("warehouse/ledger/0000000");
        let newest = std::fs::read_dir(ledger).unwrap().count();
        // A run that finds nothing to do says that its tables are those of now.
        let file = format!("warehouse/ledger/0000000/{newest:010}.json");
        let published = self.sample.read(&file);
        let then = published.lines().find(|line| line.starts_with("  \"as_of\": ")).unwrap();
        let now = format!("  \"as_of\": \"{}\",", text_of(self.now));
        match newest == self.newest {
            true => self.done.nothing += 1,
            false => self.done.published += 1,
        }
        self.newest = newest;
        self.sample.write(&file, &published.replacen(then, &now, 1));
        let output: Output =
            self.command(machine, &["--quiet", "run", "--replay", &newest.to_string()]).output().unwrap();
        self.sample.write(&file, &published);
        let said = String::from_utf8_lossy(&output.stderr);
        prop_assert!(output.status.success(), "run {} as of {}: {}", newest, text_of(self.now), said);
        Ok(())
    }
}

/// RFC 3339 in UTC.
fn text_of(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}
