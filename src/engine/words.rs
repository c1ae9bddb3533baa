//! Types and values as they are written in SQL, in messages and names of columns that the planner makes up.

/// What the planner puts around values.
const KINDS: [&str; 17] = [
    "Utf8View",
    "LargeUtf8",
    "Utf8",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float32",
    "Float64",
    "Boolean",
    "Decimal128",
    "Decimal256",
    "Date32",
];

/// A message with the names that types have in SQL.
pub fn with_sql_types(message: &str) -> String {
    const NAMES: [(&str, &str); 14] = [
        ("Utf8View", "varchar"),
        ("LargeUtf8", "varchar"),
        ("Utf8", "varchar"),
        ("Decimal128(", "decimal("),
        ("Decimal256(", "decimal("),
        ("Timestamp(ns, \"UTC\")", "timestamp"),
        ("Timestamp(µs, \"UTC\")", "timestamp"),
        ("Timestamp(ns)", "timestamp without time zone"),
        ("Timestamp(µs)", "timestamp without time zone"),
        ("Int64", "bigint"),
        ("Int32", "integer"),
        ("Date32", "date"),
        ("Boolean", "boolean"),
        ("Float64", "double"),
    ];
    let mut text = with_sql_values(message);
    for (arrow, sql) in NAMES {
        text = text.replace(arrow, sql);
    }
    text
}

/// A text with values as they are written in SQL: `1` for `Int64(1)`, `'x'` for `Utf8("x")`.
fn with_sql_values(text: &str) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let begins = !written.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let inside = KINDS.iter().filter(|_| begins).find_map(|kind| {
            let inside = rest.strip_prefix(kind)?.strip_prefix('(')?;
            value_of(inside, kind.starts_with("Decimal"))
        });
        rest = match inside {
            Some((value, behind)) => {
                written += &value;
                behind
            }
            None => {
                written.push(letter);
                &rest[letter.len_utf8()..]
            }
        };
    }
    written
}

/// The value that begins here, and what follows its bracket; none where this is no value, as behind the name of a type.
fn value_of(inside: &str, is_decimal: bool) -> Option<(String, &str)> {
    if let Some(text) = inside.strip_prefix('"') {
        let end = text.find("\")")?;
        return Some((format!("'{}'", &text[..end]), &text[end + 2..]));
    }
    let (value, behind) = inside.split_once(')')?;
    let parts: Vec<&str> = value.split(',').collect();
    (parts.len() == if is_decimal { 3 } else { 1 }).then(|| (parts[0].to_string(), behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_types_are_written_as_in_sql() {
        for (planned, written) in [
            ("Int64(1) + Decimal128(2.5,2,1)", "1 + 2.5"),
            ("concat(Utf8(\"a)\"),t.Utf8View)", "concat('a)',t.varchar)"),
            ("CAST(Utf8(\"2026-01-01\") AS Date32)", "CAST('2026-01-01' AS date)"),
            ("to Decimal128(38, 12)", "to decimal(38, 12)"),
            ("my_Int64(1)", "my_bigint(1)"),
        ] {
            assert_eq!(with_sql_types(planned), written);
        }
    }
}
