//! What an export consists of: each file with its hash, rows and totals, written last, so that it says the export is
//! complete.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, DecimalType};
use serde::Serialize;

use super::target::{FileWriter, Target};
use crate::encode::cells::short_decimal;
use crate::error::{Error, Result, While};

/// One file of an export.
#[derive(Debug, Clone, Serialize)]
pub struct FileEntry {
    /// Its path below the folder exported to.
    pub path: String,
    /// The query it holds, or the template it was made by.
    pub content: String,
    /// The customer; none if the file holds a whole period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The sums of its decimal columns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub totals: Vec<Total>,
}

/// The sums of the decimal columns, exact, by column; with the value that these rows have in common, where the query
/// says by which column it is added up.
pub type Total = BTreeMap<String, String>;

/// Counts and sums of rows.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// How many.
    pub rows: u64,
    /// The column by whose values rows are added up.
    by: Option<String>,
    /// Sums with their scale, by value and column.
    sums: BTreeMap<Option<String>, BTreeMap<String, (i128, i8)>>,
}

impl Totals {
    /// Nothing yet, to be added up by the values of a column.
    pub fn by(column: Option<String>) -> Self {
        Self { by: column, ..Self::default() }
    }

    /// So many rows, and no sums.
    pub fn rows(rows: u64) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Counts rows in.
    ///
    /// # Errors
    /// A sum of more than 38 digits.
    pub fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let working = || "adding up rows".to_string();
        self.rows += batch.num_rows() as u64;
        let common = match self.by.as_deref().and_then(|by| batch.column_by_name(by)) {
            Some(column) => Some(cast(column, &DataType::Utf8).during(working)?),
            None => None,
        };
        let common = common.as_ref().map(|column| column.as_string::<i32>());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let DataType::Decimal128(_, scale) = field.data_type() else { continue };
            let values = column.as_primitive::<Decimal128Type>();
            for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
                let common = common.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
                self.add_one(common, field.name(), values.value(row), *scale)?;
            }
        }
        Ok(())
    }

    fn add_one(&mut self, common: Option<&str>, column: &str, value: i128, scale: i8) -> Result<()> {
        let sums = self.sums.entry(common.map(String::from)).or_default();
        if !sums.contains_key(column) {
            sums.insert(column.into(), (0, scale));
        }
        if let Some((sum, _)) = sums.get_mut(column) {
            *sum = sum.checked_add(value).ok_or_else(|| {
                Error::data(format!("the sum of `{column}` overflows"), "export fewer rows at once")
            })?;
        }
        Ok(())
    }

    /// Adds other totals to these.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.rows += other.rows;
        self.by.clone_from(&other.by);
        for (common, sums) in &other.sums {
            for (column, (sum, scale)) in sums {
                self.add_one(common.as_deref(), column, *sum, *scale)?;
            }
        }
        Ok(())
    }

    /// The sums as texts.
    pub fn shown(&self) -> Vec<Total> {
        let text = |(sum, scale): &(i128, i8)| {
            short_decimal(&Decimal128Type::format_decimal(*sum, 38, *scale)).into_owned()
        };
        let total = |(common, sums): (&Option<String>, &BTreeMap<String, (i128, i8)>)| -> Total {
            let common = self.by.clone().zip(common.clone());
            common.into_iter().chain(sums.iter().map(|(column, sum)| (column.clone(), text(sum)))).collect()
        };
        self.sums.iter().map(total).collect()
    }
}

/// All files of one content together.
#[derive(Debug, Default)]
struct Content {
    files: u64,
    totals: Totals,
}

/// What an export is about.
#[derive(Debug, Serialize)]
pub struct About<'a> {
    /// The month.
    pub billing_period: &'a str,
    /// What the files end in.
    pub format: &'a str,
    /// `closed`, or `draft`, which may change.
    pub state: &'a str,
    /// The customers who are left out because a check holds them back.
    pub parked: &'a BTreeSet<String>,
}

/// The manifest as it is written, a line for each file.
pub struct Manifest {
    out: FileWriter,
    contents: BTreeMap<String, Content>,
    files: u64,
}

fn working() -> String {
    "writing the manifest".into()
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).during(working)
}

impl Manifest {
    /// Begins the manifest at `path`; it stands there when it is finished, not before.
    pub async fn begin(target: &Target, path: &str, about: &About<'_>) -> Result<Self> {
        let mut out = target.file(path)?;
        let about = json(about)?;
        // The document goes on behind what it is about, a line for each file.
        let head = format!("{{\n\"schema_version\":1,\n\"export\":{about},\n\"files\":[");
        out.write(head.into_bytes()).await?;
        Ok(Self { out, contents: BTreeMap::new(), files: 0 })
    }

    /// Adds a file.
    pub async fn add(&mut self, entry: &FileEntry, totals: &Totals) -> Result<()> {
        let comma = if self.files == 0 { "\n" } else { ",\n" };
        self.files += 1;
        let content = self.contents.entry(entry.content.clone()).or_default();
        content.files += 1;
        content.totals.merge(totals)?;
        self.out.write(format!("{comma}{}", json(entry)?).into_bytes()).await
    }

    /// Ends the manifest with the totals; how many files it lists.
    pub async fn finish(mut self, target: &mut Target) -> Result<u64> {
        #[derive(Serialize)]
        struct Shown<'a> {
            content: &'a str,
            files: u64,
            rows: u64,
            #[serde(skip_serializing_if = "Vec::is_empty")]
            totals: Vec<Total>,
        }
        let mut lines = Vec::new();
        for (name, content) in &self.contents {
            let (files, rows) = (content.files, content.totals.rows);
            lines.push(json(&Shown { content: name, files, rows, totals: content.totals.shown() })?);
        }
        let tail = format!("\n],\n\"totals\":[\n{}\n]\n}}\n", lines.join(",\n"));
        self.out.write(tail.into_bytes()).await?;
        target.settle().await?;
        self.out.finish(target).await?;
        target.settle().await?;
        Ok(self.files)
    }
}
