//! Customers whose names are no file names, and texts that a spreadsheet would run.

use std::collections::{BTreeMap, BTreeSet};

use crate::export::{exported, manifest, rows};
use crate::sample::Sample;

/// A project in which each of these customers has one contract of the same kind and one call.
pub fn odd_customers(customers: &[&str]) -> Sample {
    let sample = Sample::empty();
    let mut tables = BTreeMap::from([
        ("customer", "customer_id,customer_name\n".to_string()),
        (
            "contract",
            "contract_id,customer_id,currency,time_zone,cycle_interval,valid_from,purchase_order\n".into(),
        ),
        (
            "contract_item",
            "contract_item_id,contract_id,product_id,description,usage_type,quantity_field,unit,valid_from\n"
                .into(),
        ),
    ]);
    let mut usage = String::new();
    for (number, customer) in customers.iter().enumerate() {
        let quoted = format!("\"{}\"", customer.replace('"', "\"\""));
        let mut add = |table: &str, row: String| tables.get_mut(table).unwrap().push_str(&row);
        add("customer", format!("{quoted},{quoted}\n"));
        add(
            "contract",
            format!("odd-{number},{quoted},EUR,UTC,month,2026-10-01T00:00:00Z,=cmd|' /C calc'!A0\n"),
        );
        add(
            "contract_item",
            format!(
                "odd-{number}-call,odd-{number},odd_call,<b>Calls</b>,call,quantity,call,2026-10-01T00:00:00Z\n"
            ),
        );
        usage.push_str(&format!(
            "{{\"transactionID\":\"+{number}\",\"usageType\":\"call\",\"usageStart\":\"2026-10-05T08:00:00Z\",\
             \"contractId\":\"odd-{number}\",\"quantity\":-3}}\n"
        ));
    }
    for (table, text) in tables {
        sample.write(&format!("data/odd/{table}.csv"), &text);
    }
    sample.write(
        "data/odd/price.csv",
        "price_id,product_id,charge_model,unit_amount,valid_from\nodd,odd_call,per_unit,0.5,2026-01-01\n",
    );
    sample.write("data/usage/odd.ndjson", &usage);
    sample.ok(&["run"]);
    sample
}

const ODD: [&str; 9] = ["../x", "a/b", "a=2Fb", "CON", "=1+1", "Zoë 客", "   ", ".", "manifest-csv.json"];

#[test]
fn any_customer_has_a_folder_and_no_cell_is_a_formula() {
    let sample = odd_customers(&ODD);
    sample.ok(&["export", "--period", "2026-10"]);
    let files = exported(&sample);
    let manifest = manifest(&sample, "csv");
    for customer in ODD {
        let entry =
            manifest["files"].as_array().unwrap().iter().find(|file| {
                file["content"] == "invoice_line" && file["customer_id"].as_str() == Some(customer)
            });
        let path = entry.unwrap_or_else(|| panic!("{customer} has no lines"))["path"].as_str().unwrap();
        let folder = path.split('/').nth(1).unwrap();
        assert!(
            folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=-_.".contains(&byte)),
            "{folder}"
        );
        let lines = rows(&files[path]);
        assert_eq!(lines[0]["purchase_order"], "'=cmd|' /C calc'!A0");
        assert_eq!(lines[0]["amount"], "-1.50", "a negative amount stays a number");
        let statement = rows(&files[&path.replace("invoice_line", "usage_statement")]);
        assert!(statement[0]["transaction_id"].starts_with("'+"));
    }
    let folders: BTreeSet<&str> = files.keys().filter_map(|file| file.split('/').nth(1)).collect();
    assert!(folders.len() > ODD.len(), "nobody shares a folder, and the manifest stands beside them");
    assert!(!sample.path().join("x").exists());
}
