//! A customer's folder: a name that every file system and object store takes, whatever the customer is called.

use crate::store::digest::sha256;

/// Longer names are cut and told apart by a hash.
const LONGEST: usize = 100;
/// Names that Windows takes for devices, whatever extension follows.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
/// What an export itself writes beside the folders.
const OURS: [&str; 5] = [".csv", ".json", ".ndjson", ".parquet", ".html"];

/// The folder of a customer. Letters, digits, `-`, `_` and a dot inside stay; all else becomes `=` and two hexadecimal
/// digits for each byte, so that two customers never share a folder.
///
/// ```
/// use meterhouse::export::folder_name;
///
/// assert_eq!(folder_name("fleet-000011"), "fleet-000011");
/// assert_eq!(folder_name("../x"), "=2E.=2Fx");
/// assert_eq!(folder_name("=1+1"), "=3D1=2B1");
/// assert_eq!(folder_name("con.txt"), "=63on.txt");
/// assert_eq!(folder_name("Zoë"), "Zo=C3=AB");
/// assert_eq!(folder_name(""), "=");
/// ```
pub fn folder_name(customer: &str) -> String {
    if customer.is_empty() {
        return "=".into();
    }
    let is_like_ours = OURS.iter().any(|end| customer.to_ascii_lowercase().ends_with(end));
    let last_dot = customer.rfind('.').filter(|_| is_like_ours);
    let mut name = String::new();
    for (index, byte) in customer.bytes().enumerate() {
        let is_edge = index == 0 || index + 1 == customer.len();
        let is_plain = match byte {
            b'.' => !is_edge && last_dot != Some(index),
            _ => byte.is_ascii_alphanumeric() || b"-_".contains(&byte),
        };
        if is_plain && !(index == 0 && is_device(customer)) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("={byte:02X}"));
        }
    }
    if name.len() > LONGEST {
        name.truncate(LONGEST);
        name.push_str("==");
        name.push_str(&sha256(customer)[..32]);
    }
    name
}

/// `CON`, `nul.txt`, `com1`.
fn is_device(customer: &str) -> bool {
    let stem = customer.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let numbered = ["COM", "LPT"].iter().any(|port| {
        stem.strip_prefix(port)
            .is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit())
    });
    numbered || DEVICES.contains(&stem.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_never_shared() {
        let long = "x".repeat(300);
        let longer = "x".repeat(301);
        let ids = [
            "a/b",
            "a=2Fb",
            "a b",
            " ",
            "",
            ".",
            "..",
            "../x",
            "CON",
            "NUL.a",
            "LPT9",
            "COM10",
            "-",
            "=1+1",
            "ünï",
            "客",
            "manifest-csv.json",
            "a.csv",
            "acme.com",
            "a\\b",
            "a\nb",
            "a:b",
            &long,
            &longer,
        ];
        let names: std::collections::BTreeSet<String> = ids.iter().map(|id| folder_name(id)).collect();
        assert_eq!(names.len(), ids.len());
        for name in &names {
            assert!(name.len() <= 140 && !name.is_empty(), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b)), "{name}");
            assert!(!name.starts_with('.') && !name.ends_with('.') && !is_device(name), "{name}");
        }
        assert_eq!(folder_name("acme.com"), "acme.com");
        assert_eq!(folder_name("COM10"), "COM10");
    }
}
