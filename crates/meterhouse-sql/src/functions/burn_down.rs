//! `burn_down`: balances that are opened, used in order, capped and lost, one step after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int32Array, ListArray, StringViewArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;

use super::arguments::{Arguments, Column, Kind, MONEY, Rows, failed};
use super::scalar::Scalar;

const NAME: &str = "burn_down";

/// The order is that of OpenMeter's grant burn-down (`openmeter/credit/engine`).
pub(super) const BURN_DOWN: Scalar = Scalar {
    name: NAME,
    meaning: "The balances that are left at each `read` of a list of steps, which are done in the order of the \
        list. What a step takes depends on the step before it, which SQL cannot say. A balance has a place, \
        and a use takes from the balances in the order of their places; what none covers is overage, a \
        debt.\n\n\
        | kind | does |\n|---|---|\n\
        | `set` | the balance at `place` is `amount`, and open |\n\
        | `roll` | the balance at `place` is min(`most`, max(`least`, balance)) |\n\
        | `lose` | the balance at `place` is gone, and closed |\n\
        | `use` | takes `amount` from the balances in order; the rest becomes overage |\n\
        | `give` | lessens overage by `amount`; what is more goes to the first open balance, or below zero \
        where none is |\n\
        | `owe` | overage is `amount` |\n\
        | `pay` | overage takes from the balances in order |\n\
        | `read` | gives a row for each balance that was ever set; then overage is `amount`, where that is \
        not null |\n\n\
        `read_number` counts from 1; `used` is what was taken from this balance since the read before. Null \
        steps give an empty list; a step that is of no kind, lacks what it needs or takes less than nothing, \
        and a number that does not fit, are errors.",
    parameters: &[(
        "steps",
        Kind::Rows(&STEP),
        "such as `array_agg({...} order by ...)`; what a kind does not need may be null",
    )],
    result: || DataType::new_list(DataType::Struct(fields()), true),
    example: "select read['place'], read['balance'], read['used'], read['overage']\n\
from (\n\
select unnest(burn_down([\n\
{'kind': 'set', 'place': 1, 'amount': 50, 'least': null, 'most': null},\n\
{'kind': 'use', 'place': null, 'amount': 80, 'least': null, 'most': null},\n\
{'kind': 'read', 'place': null, 'amount': null, 'least': null, 'most': null}\n\
])) as read\n\
) as reads\n\
-- 1 0 50 30",
    compute,
};

/// One balance: what is left, what was taken since the last read, and whether it may be given back to.
#[derive(Default)]
struct Balance {
    left: i128,
    used: i128,
    open: bool,
}

/// All balances by place, and what none of them covers; unscaled `decimal(38, 12)`.
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

    /// Does a step that is no `read`; `None` where it cannot be done.
    fn step(&mut self, step: &Step) -> Option<()> {
        match step.kind {
            "set" => {
                let balance = self.balances.entry(step.place?).or_default();
                (balance.left, balance.open) = (step.amount?, true);
            }
            "roll" => {
                let balance = self.balances.entry(step.place?).or_default();
                balance.left = balance.left.max(step.least?).min(step.most?);
            }
            "lose" => {
                let balance = self.balances.entry(step.place?).or_default();
                (balance.left, balance.open) = (0, false);
            }
            "use" => {
                let rest = self.take(step.amount.filter(|amount| *amount >= 0)?);
                self.overage = self.overage.checked_add(rest)?;
            }
            "give" => {
                let amount = step.amount.filter(|amount| *amount >= 0)?;
                let paid = amount.min(self.overage);
                self.overage -= paid;
                let rest = amount.checked_sub(paid)?;
                match self.balances.values_mut().find(|balance| balance.open) {
                    Some(balance) => {
                        balance.left = balance.left.checked_add(rest)?;
                        balance.used = balance.used.checked_sub(rest)?;
                    }
                    None => self.overage = self.overage.checked_sub(rest)?,
                }
            }
            "owe" => self.overage = step.amount?,
            "pay" if self.overage > 0 => self.overage = self.take(self.overage),
            "pay" => {}
            _ => return None,
        }
        Some(())
    }
}

const STEP: [(&str, Kind); 5] = [
    ("kind", Kind::Text),
    ("place", Kind::WholeNumber),
    ("amount", Kind::Money),
    ("least", Kind::Money),
    ("most", Kind::Money),
];

/// One step; amounts are unscaled `decimal(38, 12)`.
struct Step<'a> {
    kind: &'a str,
    place: Option<i32>,
    amount: Option<i128>,
    least: Option<i128>,
    most: Option<i128>,
}

impl std::fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.kind)?;
        self.place.map_or(Ok(()), |place| write!(f, " of place {place}"))
    }
}

/// The steps of all rows, column by column.
struct Steps {
    lists: Rows,
    kinds: Column<StringViewArray>,
    places: Column<Int32Array>,
    amounts: Column<Decimal128Array>,
    least: Column<Decimal128Array>,
    most: Column<Decimal128Array>,
}

impl Steps {
    fn new(lists: Rows) -> Result<Self> {
        Ok(Self {
            kinds: lists.texts("kind")?,
            places: lists.numbers("place")?,
            amounts: lists.numbers("amount")?,
            least: lists.numbers("least")?,
            most: lists.numbers("most")?,
            lists,
        })
    }

    fn of(&self, row: usize) -> impl Iterator<Item = Step<'_>> {
        self.lists.range(row).unwrap_or_default().map(|index| Step {
            kind: self.kinds.get(index).unwrap_or_default(),
            place: self.places.get(index),
            amount: self.amounts.get(index),
            least: self.least.get(index),
            most: self.most.get(index),
        })
    }
}

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("read_number", DataType::Int32, false),
        Field::new("place", DataType::Int32, false),
        Field::new("balance", MONEY, false),
        Field::new("used", MONEY, false),
        Field::new("overage", MONEY, false),
    ])
}

fn compute(arguments: &Arguments) -> Result<ArrayRef> {
    let steps = Steps::new(arguments.lists_of_structs(0)?)?;
    let (mut reads, mut places) = (Vec::new(), Vec::new());
    let mut amounts: [Vec<i128>; 3] = Default::default();
    let mut lengths = Vec::with_capacity(arguments.rows());
    for row in 0..arguments.rows() {
        let before = reads.len();
        let mut balances = Balances::default();
        let mut read_number = 0;
        for step in steps.of(row) {
            if step.kind != "read" {
                let wrong = || failed(NAME, format_args!("the step {step} cannot be done"));
                balances.step(&step).ok_or_else(wrong)?;
                continue;
            }
            read_number += 1;
            for (place, balance) in &mut balances.balances {
                reads.push(read_number);
                places.push(*place);
                amounts[0].push(balance.left);
                amounts[1].push(std::mem::take(&mut balance.used));
                amounts[2].push(balances.overage);
            }
            balances.overage = step.amount.unwrap_or(balances.overage);
        }
        lengths.push(reads.len() - before);
    }
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(reads)), Arc::new(Int32Array::from(places))];
    for amounts in amounts {
        columns.push(Arc::new(Decimal128Array::from(amounts).with_data_type(MONEY)));
    }
    let rows = StructArray::try_new(fields(), columns, None)?;
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields()), true));
    let lists = ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), Arc::new(rows), None)?;
    Ok(Arc::new(lists))
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{rows, value};

    /// The reads of steps written as `kind:place:amount` or `roll:place:least:most`, with a blank between them.
    fn read(steps: &str) -> Result<Vec<String>, String> {
        let steps: Vec<String> = steps
            .split(' ')
            .map(|step| {
                let parts: Vec<&str> = step.split(':').collect();
                let part = |index: usize| parts.get(index).filter(|part| !part.is_empty()).map_or("null", |part| part);
                let (amount, least) = if part(0) == "roll" { ("null", part(2)) } else { (part(2), "null") };
                format!(
                    "{{'kind': '{}', 'place': {}, 'amount': cast({amount} as decimal(38, 12)), 'least': {least}, 'most': {}}}",
                    part(0), part(1), part(3),
                )
            })
            .collect();
        let rows = rows(&format!(
            "select row['read_number'], row['place'], row['balance'], row['used'], row['overage']
             from (select unnest(burn_down([{}])) as row) as reads
             order by row['read_number'], row['place']",
            steps.join(", ")
        ))?;
        Ok(rows.into_iter().map(|row| row.replace(".000000000000", "")).collect())
    }

    fn numbers(rows: &[&str]) -> Result<Vec<String>, String> {
        Ok(rows.iter().map(|row| row.to_string()).collect())
    }

    /// EXAMPLES.md, section 12: A is 1, D 2, B 3, C 4.
    #[test]
    fn worked_by_hand() {
        assert_eq!(
            read("set:1:50 set:3:100 set:4:80 use::120 read lose:3 use::100 read set:2:40 pay read"),
            numbers(&[
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
            ])
        );
    }

    #[test]
    fn steps() {
        assert_eq!(read("set:1:50 use::20 roll:1:0:10 read"), numbers(&["1 1 10 20 0"]));
        assert_eq!(read("set:1:50 use::80 roll:1:25:100 read"), numbers(&["1 1 25 50 30"]));
        assert_eq!(read("set:1:50 use::80 owe::0 set:1:50 pay read"), numbers(&["1 1 50 50 0"]));
        assert_eq!(read("set:1:50 use::80 read::0 read"), numbers(&["1 1 0 50 30", "2 1 0 0 0"]));
        assert_eq!(read("set:1:50 use::80 give::40 read"), numbers(&["1 1 10 40 0"]));
        assert_eq!(read("set:1:50 lose:1 give::40 read"), numbers(&["1 1 0 0 -40"]));
        assert_eq!(value("burn_down(null)"), Ok("[]".into()));
    }

    #[test]
    fn refused() {
        for (steps, message) in [
            ("set:1", "burn_down: the step `set` of place 1 cannot be done"),
            ("roll:1:0", "the step `roll` of place 1 cannot be done"),
            ("use::-1", "the step `use` cannot be done"),
            ("eat:1:1", "the step `eat` of place 1 cannot be done"),
        ] {
            assert!(read(steps).unwrap_err().contains(message), "{steps}");
        }
        let error = value("burn_down([{'kind': 'read', 'place': 1.5, 'amount': 0, 'least': 0, 'most': 0}])")
            .unwrap_err();
        assert!(
            error.contains("`steps` must be a list of structs of `kind`, text; `place`, a whole number;"),
            "{error}"
        );
    }
}
