//! Names as people write them: which mean one field of a record, and which known one was meant.

/// A name as it is compared: `transactionID`, `transaction_id` and `Transaction-Id` are one.
pub fn normal_name(name: &str) -> String {
    letters(name).collect()
}

/// Whether a name is compared as `normal`, which is one already.
pub fn is_named(name: &str, normal: &str) -> bool {
    letters(name).eq(normal.chars())
}

/// Case, `_`, `-` and blanks do not count.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase)
}

/// How alike a given and a known name have to be before one is taken for the other; Jaro, 0 to 1.
const ALIKE: f64 = 0.8;

/// The known name that was probably meant; none where no name is near.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|name| (strsim::jaro(given, name), name));
    let near = near.filter(|(likeness, _)| *likeness >= ALIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    near.map(|(_, name)| name)
}

/// ``did you mean `usage_record`?``, or nothing where no known name is near.
pub fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["usage_record", "invoice_line", "time_zone"];
        for (given, near) in [
            ("usage_recrod", Some("usage_record")),
            ("timezone", Some("time_zone")),
            ("invoiceline", Some("invoice_line")),
            ("nowhere", None),
            ("zzz", None),
        ] {
            assert_eq!(nearest(given, known), near, "{given}");
        }
        assert_eq!(did_you_mean("timezone", known), "did you mean `time_zone`?");
        assert_eq!(did_you_mean("zzz", known), "");
    }
}
