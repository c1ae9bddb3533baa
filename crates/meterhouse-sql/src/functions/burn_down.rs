//! `burn_down`: balances that are opened, used in order, capped and lost, one step after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::arguments::{Arguments, Kind, MONEY, MONEY_PRECISION, MONEY_SCALE, coerce, failed};
use crate::decimal::parse_decimal;

const NAME: &str = "burn_down";

/// `burn_down(steps varchar)`: the balances that are left after each `read` of a series of steps.
///
/// What a step takes depends on the step before it, which SQL cannot say. A balance has a number, and a use takes from
/// the balances in the order of their numbers; what none covers is overage, a debt. Steps have a blank between them and
/// their parts a colon:
///
/// | step | does |
/// |---|---|
/// | `set:N:amount` | balance N is this amount |
/// | `roll:N:least:most` | balance N is kept, but at least and at most so much: min(most, max(least, balance)) |
/// | `lose:N` | balance N is gone |
/// | `use:amount` | takes from the balances in order, the rest becomes overage; a negative amount gives back |
/// | `owe:amount` | overage is this amount |
/// | `pay` | overage takes from the balances in order |
/// | `read` | gives a row for each balance that was ever set |
///
/// What is given back pays overage first, then goes to the first balance that is open.
///
/// One list of structs `read_number int` (from 1), `balance_number int`, `balance`, `used` (taken from this balance
/// since the
/// read before) and `overage decimal(38, 12)`. Null steps give null; a step that cannot be read and a number that does
/// not
/// fit are errors. The order is that of OpenMeter's grant burn-down (`openmeter/credit/engine`).
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct BurnDown {
    signature: Signature,
}

impl BurnDown {
    pub(super) fn new() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

/// One balance: what is left, what was taken since the last read, and whether it may be given back to.
#[derive(Default)]
struct Balance {
    left: i128,
    used: i128,
    open: bool,
}

/// All balances by number, and what none of them covers; unscaled `decimal(38, 12)`.
#[derive(Default)]
struct Balances {
    balances: BTreeMap<i32, Balance>,
    overage: i128,
}

impl Balances {
    /// Takes an amount that is not negative; gives back what no balance covers.
    fn take(&mut self, mut amount: i128) -> i128 {
        for balance in self.balances.values_mut() {
            let taken = amount.min(balance.left.max(0));
            balance.left -= taken;
            balance.used += taken;
            amount -= taken;
        }
        amount
    }

    fn step(&mut self, step: &str) -> Option<()> {
        let mut parts = step.split(':');
        let kind = parts.next()?;
        let number = |parts: &mut std::str::Split<'_, char>| parts.next()?.parse::<i32>().ok();
        let amount = |parts: &mut std::str::Split<'_, char>| {
            parse_decimal(parts.next()?, MONEY_PRECISION, MONEY_SCALE).ok()
        };
        match kind {
            "set" => {
                let balance = self.balances.entry(number(&mut parts)?).or_default();
                balance.left = amount(&mut parts)?;
                balance.open = true;
            }
            "roll" => {
                let balance = self.balances.entry(number(&mut parts)?).or_default();
                let least = amount(&mut parts)?;
                balance.left = balance.left.max(least).min(amount(&mut parts)?);
            }
            "lose" => {
                let balance = self.balances.entry(number(&mut parts)?).or_default();
                (balance.left, balance.open) = (0, false);
            }
            "use" => {
                let amount = amount(&mut parts)?;
                if amount >= 0 {
                    let rest = self.take(amount);
                    self.overage = self.overage.checked_add(rest)?;
                } else {
                    let paid = amount.checked_neg()?.min(self.overage);
                    self.overage -= paid;
                    let rest = amount + paid;
                    match self.balances.values_mut().find(|balance| balance.open) {
                        Some(balance) => {
                            balance.left = balance.left.checked_sub(rest)?;
                            balance.used += rest;
                        }
                        None => self.overage = self.overage.checked_add(rest)?,
                    }
                }
            }
            "owe" => self.overage = amount(&mut parts)?,
            "pay" if self.overage > 0 => self.overage = self.take(self.overage),
            "pay" | "read" => {}
            _ => return None,
        }
        parts.next().is_none().then_some(())
    }
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("read_number", DataType::Int32, false),
        Field::new("balance_number", DataType::Int32, false),
        Field::new("balance", MONEY, false),
        Field::new("used", MONEY, false),
        Field::new("overage", MONEY, false),
    ])
}

impl ScalarUDFImpl for BurnDown {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        coerce(NAME, &[("steps", Kind::Text)], found)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Struct(fields()), true))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(NAME, &args)?;
        let texts = arguments.texts(0)?;
        let (mut reads, mut numbers) = (Vec::new(), Vec::new());
        let mut amounts: [Vec<i128>; 3] = Default::default();
        let mut lengths = Vec::with_capacity(arguments.rows());
        for row in 0..arguments.rows() {
            let before = reads.len();
            let mut balances = Balances::default();
            let mut read_number = 0;
            for step in texts.get(row).unwrap_or_default().split(' ').filter(|step| !step.is_empty()) {
                let wrong = || failed(NAME, format_args!("the step `{step}` cannot be done"));
                balances.step(step).ok_or_else(wrong)?;
                if step != "read" {
                    continue;
                }
                read_number += 1;
                let overage = balances.overage;
                for (number, balance) in &mut balances.balances {
                    reads.push(read_number);
                    numbers.push(*number);
                    amounts[0].push(balance.left);
                    amounts[1].push(std::mem::take(&mut balance.used));
                    amounts[2].push(overage);
                }
            }
            lengths.push(reads.len() - before);
        }
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(Int32Array::from(reads)), Arc::new(Int32Array::from(numbers))];
        for amounts in amounts {
            columns.push(Arc::new(Decimal128Array::from(amounts).with_data_type(MONEY)));
        }
        let rows = StructArray::try_new(fields(), columns, None)?;
        let item = Arc::new(Field::new_list_field(DataType::Struct(fields()), true));
        let lists = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(rows), None)?;
        arguments.finish(Arc::new(lists))
    }
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    fn read(steps: &str) -> Vec<String> {
        rows(&format!(
            "select row['read_number'], row['balance_number'], row['balance'], row['used'], row['overage']
             from (select unnest(burn_down('{steps}')) as row) as reads
             order by row['read_number'], row['balance_number']"
        ))
        .unwrap()
        .into_iter()
        .map(|row| row.replace(".000000000000", ""))
        .collect()
    }

    /// EXAMPLES.md, section 12: A is 1, D 2, B 3, C 4.
    #[test]
    fn worked_by_hand() {
        assert_eq!(
            read("set:1:50 set:3:100 set:4:80 use:120 read lose:3 use:100 read set:2:40 pay read"),
            [
                "1 1 0 50 0",
                "1 3 30 70 0",
                "1 4 80 0 0",
                "2 1 0 0 20",
                "2 3 0 0 20",
                "2 4 0 80 20",
                "3 1 0 0 0",
                "3 2 20 20 0",
                "3 3 0 0 0",
                "3 4 0 0 0",
            ]
        );
    }

    #[test]
    fn steps() {
        assert_eq!(read("set:1:50 use:20 roll:1:0:10 read"), ["1 1 10 20 0"]);
        assert_eq!(read("set:1:50 use:80 roll:1:25:100 read"), ["1 1 25 50 30"]);
        assert_eq!(read("set:1:50 use:80 owe:0 set:1:50 pay read"), ["1 1 50 50 0"]);
        assert_eq!(read("set:1:50 use:80 use:-40 read"), ["1 1 10 40 0"]);
        assert!(value("burn_down('set:1')").unwrap_err().contains("the step `set:1` cannot be done"));
        assert!(value("burn_down('eat:1')").is_err());
    }
}
