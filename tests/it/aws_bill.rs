//! The real bill: what `examples/aws_bill` makes of two months of raw usage is what the account was charged.
//!
//! Runs where the data is, and has to where METERHOUSE_REQUIRE_DATA is set. Sums are exact: no double takes part.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::sample::{ok, repository};

/// Digits behind the point of every amount and quantity.
const DECIMALS: usize = 12;
/// The greatest difference from the published bill, 0.000001.
const TOLERANCE: i128 = 1_000_000;
/// Records in the two files.
const RECORDS: usize = 243_647;

/// Each quota's use in a month: quota, month, total, free, paid, and what the paid part costs. Free and paid are as the
/// publisher metered them, the costs as they were charged.
const QUOTA_USE: [[&str; 6]; 10] = [
    ["s3_put", "2018-10", "57897", "2000", "55897", "0.279485"],
    ["s3_put", "2018-11", "76739", "2000", "74739", "0.373695"],
    ["s3_get", "2018-10", "19635", "19635", "0", "0"],
    ["s3_get", "2018-11", "32099", "20000", "12099", "0.00484"],
    ["t2_micro_linux", "2018-10", "4950.467225", "750", "4200.467225", "48.725420"],
    ["t2_micro_linux", "2018-11", "6191.632221", "750", "5441.632221", "63.122934"],
    ["ebs_gp2", "2018-10", "456.791491", "30", "426.791492", "42.679149"],
    ["ebs_gp2", "2018-11", "475.484776", "30", "445.484775", "44.548478"],
    ["budgets", "2018-10", "74", "62", "12", "0.24"],
    ["budgets", "2018-11", "77", "62", "15", "0.30"],
];

/// Whether a test that cannot run has failed.
pub fn is_required() -> bool {
    std::env::var_os("METERHOUSE_REQUIRE_DATA").is_some_and(|value| !value.is_empty())
}

/// The example, run into a warehouse of its own.
pub struct Bill {
    data: PathBuf,
    warehouse: TempDir,
    report: String,
}

impl Bill {
    /// Runs the example; none where its data is not there.
    pub fn new() -> Option<Self> {
        let data = std::env::var_os("METERHOUSE_DATA").filter(|data| !data.is_empty());
        let data = repository().join(data.map_or_else(|| "../shared/data".into(), PathBuf::from));
        if !data.join("aws_cur_2018").is_dir() {
            assert!(!is_required(), "there is no {}", data.join("aws_cur_2018").display());
            eprintln!("skipped: there is no {}", data.join("aws_cur_2018").display());
            return None;
        }
        let data = data.canonicalize().unwrap();
        let mut bill = Self { data, warehouse: TempDir::new().unwrap(), report: String::new() };
        bill.report = bill.meterhouse(&["run"]);
        Some(bill)
    }

    /// Where its data is.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Where its tables are.
    pub fn warehouse(&self) -> &Path {
        self.warehouse.path()
    }

    /// What a query gives, as CSV.
    pub fn csv(&self, query: &str) -> String {
        self.meterhouse(&["sql", query])
    }

    /// The rows of a query as CSV, without the header.
    pub fn rows(&self, query: &str) -> Vec<String> {
        self.meterhouse(&["sql", query]).lines().skip(1).map(String::from).collect()
    }

    fn fields(&self, query: &str) -> Vec<Vec<String>> {
        fields(&self.meterhouse(&["sql", query]))
    }

    fn meterhouse(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_meterhouse"))
            .current_dir(repository().join("examples/aws_bill"))
            .args(["--as-of", "2018-12-01T00:00:00Z", "--format", "csv"])
            .args(["--set", &format!("warehouse.url={}", self.warehouse().display())])
            .args(arguments)
            .env("METERHOUSE_DATA", &self.data)
            .output()
            .unwrap();
        ok(&output)
    }
}

/// The rows of a CSV text, without the header.
fn fields(csv: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
}

/// A decimal in units of its twelfth digit behind the point.
fn decimal(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= DECIMALS, "{text} has more than {DECIMALS} decimals");
    format!("{whole}{fraction:0<DECIMALS$}").parse().unwrap()
}

/// Month, account, product and line type.
type Key = (String, String, String, String);

/// Records and amount of each key.
type Totals = BTreeMap<Key, (u64, i128)>;

fn totals(rows: Vec<Vec<String>>) -> Totals {
    let mut totals = Totals::new();
    for row in rows {
        let [period, account, product, line_type, records, amount] = <[String; 6]>::try_from(row).unwrap();
        let total = totals.entry((period[..7].into(), account, product, line_type)).or_default();
        total.0 += records.parse::<u64>().unwrap();
        total.1 += decimal(&amount);
    }
    totals
}

/// The amounts, summed over what `part` leaves out of the key; keys without a part are left out.
fn sums<K: Ord>(totals: &Totals, part: impl Fn(&Key) -> Option<K>) -> BTreeMap<K, i128> {
    let mut sums = BTreeMap::new();
    for (key, (_, amount)) in totals {
        if let Some(part) = part(key) {
            *sums.entry(part).or_default() += amount;
        }
    }
    sums
}

/// Fails with every sum that differs.
fn assert_close<K: Ord + Debug>(what: &str, ours: &BTreeMap<K, i128>, published: &BTreeMap<K, i128>) {
    let keys: BTreeSet<&K> = ours.keys().chain(published.keys()).collect();
    assert!(!keys.is_empty(), "no {what}");
    let mut differences = String::new();
    for key in keys {
        match (ours.get(key), published.get(key)) {
            (Some(ours), Some(published)) if (ours - published).abs() <= TOLERANCE => {}
            (ours, published) => differences += &format!("{key:?}: {ours:?}, published {published:?}\n"),
        }
    }
    assert!(differences.is_empty(), "{what}, in units of 10^-{DECIMALS}:\n{differences}");
}

#[test]
fn the_aws_bill_is_what_was_charged() {
    let Some(bill) = Bill::new() else { return };
    no_record_is_unaccounted_for(&bill);
    quotas_are_used_as_published(&bill);
    totals_are_as_published(&bill);
}

fn no_record_is_unaccounted_for(bill: &Bill) {
    let balance = format!("place,records\nreceived,{RECORDS}\nguided,{RECORDS}\n");
    assert!(bill.report.contains(&balance), "{}", bill.report);
    let counts = bill.rows(
        "select
            (select count(*) from usage_record) as received,
            (select count(distinct guided_usage.landing_sequence) from guided_usage) as guided,
            (select count(*) from usage_rejected) as rejected,
            (select count(*) from usage_duplicate) as duplicate,
            (select count(*) from usage_filtered) as filtered,
            (select count(*) from suspense) as suspended",
    );
    assert_eq!(counts, [format!("{RECORDS},{RECORDS},0,0,0,0")]);
}

fn quotas_are_used_as_published(bill: &Bill) {
    let used = bill.fields(
        "select
            entitlement_status.quota_id,
            entitlement_status.billing_period,
            entitlement_status.used_quantity,
            entitlement_status.included_quantity - entitlement_status.remaining_quantity,
            entitlement_status.overage_quantity,
            sum(invoice_line.amount)
        from entitlement_status
        inner join contract_item
            on entitlement_status.quota_id = contract_item.quota_id
        inner join invoice_line
            on contract_item.contract_item_id = invoice_line.contract_item_id
            and entitlement_status.cycle_start = invoice_line.cycle_start
        group by
            entitlement_status.quota_id,
            entitlement_status.billing_period,
            entitlement_status.used_quantity,
            entitlement_status.included_quantity - entitlement_status.remaining_quantity,
            entitlement_status.overage_quantity",
    );
    for published in QUOTA_USE {
        let ours: Vec<_> = used.iter().filter(|row| row[..2] == published[..2]).collect();
        assert_eq!(ours.len(), 1, "{published:?}");
        // The publisher's hours of storage are rounded, so that the free part is not 30 to the last digit.
        let tolerance = if published[0] == "ebs_gp2" { 10 * TOLERANCE } else { 0 };
        for column in 2..5 {
            let difference = decimal(&ours[0][column]) - decimal(published[column]);
            assert!(difference.abs() <= tolerance, "{:?}, published {published:?}", ours[0]);
        }
        let difference = decimal(&ours[0][5]) - decimal(published[5]);
        assert!(difference.abs() <= TOLERANCE, "{:?}, published {published:?}", ours[0]);
    }
}

fn totals_are_as_published(bill: &Bill) {
    let ours = totals(bill.fields(
        "select billing_period, contract_id, product_code, line_item_type, record_count, amount
        from product_total",
    ));
    let csv = std::fs::read_to_string(bill.data.join("aws_cur_2018/check_invoice_totals.csv")).unwrap();
    let rows = fields(&csv);
    let invoices: BTreeSet<_> = rows.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    assert_eq!(invoices.len(), 2, "one invoice a month: {invoices:?}");
    let without_invoice =
        |row: &Vec<String>| [0, 2, 3, 4, 5, 6].map(|column: usize| row[column].clone()).to_vec();
    let published = totals(rows.iter().map(without_invoice).collect());

    let records = |totals: &Totals| -> BTreeMap<Key, u64> {
        totals.iter().map(|(key, (records, _))| (key.clone(), *records)).collect()
    };
    assert_eq!(records(&ours), records(&published));

    let by_invoice = |key: &Key| Some(key.0.clone());
    assert_close("invoices", &sums(&ours, by_invoice), &sums(&published, by_invoice));
    let by_product = |key: &Key| Some((key.0.clone(), key.2.clone()));
    assert_close("products", &sums(&ours, by_product), &sums(&published, by_product));

    let pooled = pooled(bill);
    let names: BTreeSet<&str> = pooled.iter().map(|(_, product)| product.as_str()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["AmazonEC2", "AmazonS3"]);
    // A fee or the usage that it includes draws on no quota.
    let split_is_given = |key: &Key| {
        let is_pooled = key.3 == "Usage" && pooled.contains(&(key.0.clone(), key.2.clone()));
        (!is_pooled).then(|| key.clone())
    };
    let published = sums(&published, split_is_given);
    assert_eq!(published.len(), 49, "{published:?}");
    assert_close("accounts and products", &sums(&ours, split_is_given), &published);
}

/// Month and product of each quota of which both accounts used more than there was: how the free part is split between
/// the two is a choice, of ours and of the publisher.
fn pooled(bill: &Bill) -> BTreeSet<(String, String)> {
    let mut users: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    let mut products: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for row in bill.rows(
        "select distinct
            entitlement_status.billing_period,
            entitlement_status.quota_id,
            contract_item.contract_id,
            split_part(contract_item.usage_type, '/', 1)
        from entitlement_status
        inner join contract_item
            on entitlement_status.quota_id = contract_item.quota_id
        inner join metered_usage
            on contract_item.contract_item_id = metered_usage.contract_item_id
            and entitlement_status.cycle_start = metered_usage.cycle_start
        where entitlement_status.overage_quantity > 0
            and metered_usage.quantity > 0",
    ) {
        let row: Vec<String> = row.split(',').map(String::from).collect();
        let quota = (row[0].clone(), row[1].clone());
        users.entry(quota.clone()).or_default().insert(row[2].clone());
        products.entry(quota).or_default().insert(row[3].clone());
    }
    let by_both = users.iter().filter(|(_, users)| users.len() > 1);
    by_both
        .flat_map(|(quota, _)| products[quota].iter().map(|product| (quota.0.clone(), product.clone())))
        .collect()
}
