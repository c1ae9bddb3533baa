//! Which names mean one field of a record.

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
