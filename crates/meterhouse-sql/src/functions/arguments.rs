//! The arguments of a scalar function: which types it takes, and their values row by row.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, PrimitiveArray, StringViewArray, StructArray,
};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Field, Fields, Int32Type, TimeUnit, i256};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

/// Decimals of money and quantities.
pub(super) const MONEY_PRECISION: u8 = 38;
/// Digits of what is stored in 256 bits.
const WIDE_PRECISION: u8 = 76;
/// Decimal places of money and quantities.
pub(super) const MONEY_SCALE: i8 = 12;

/// The type of money and quantities: `decimal(38, 12)`.
pub(super) const MONEY: DataType = DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE);

/// The type of every timestamp: microseconds in UTC.
pub fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// An argument: its name, what it has to be, and what it means.
pub(super) type Parameter = (&'static str, Kind, &'static str);

/// What an argument has to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Any text type; read as `Utf8View`.
    Text,
    /// Any timestamp, one without zone being UTC; read as [`instant`].
    Instant,
    /// A date; read as `Date32`.
    Date,
    /// Any integer; read as `Int32`.
    WholeNumber,
    /// Any integer; read as `Int64`.
    Sequence,
    /// Any decimal or integer; read as `Decimal128` or `Decimal256` of its own scale.
    Decimal,
    /// A list of decimals; read as such.
    Decimals,
    /// Any decimal or integer; read as `decimal(38, 12)`.
    Money,
    /// The same, but what is stored in 256 bits is read as `decimal(76, 12)`.
    WideMoney,
    /// The fields of a record as a struct, or any text type, a JSON object; read as such or as `Utf8View`.
    Fields,
    /// A time of day; read in microseconds.
    TimeOfDay,
    /// A list of whole numbers, also where they are written as text; read as a list of `Int32`.
    WholeNumbers,
    /// A list of structs that have these fields, in any order; read by [`Rows`].
    Rows(&'static [(&'static str, Kind)]),
}

impl Kind {
    /// The type that values of type `found` are read as, if it is of this kind.
    fn coerced(self, found: &DataType) -> Option<DataType> {
        use DataType::{
            Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Int32, Null, Timestamp, Utf8View,
        };
        match (self, found) {
            (kind, DataType::Dictionary(_, value)) => kind.coerced(value),
            (Self::Fields, DataType::Struct(_)) => Some(found.clone()),
            (Self::Fields, found) => Self::Text.coerced(found),
            (Self::Text, DataType::Utf8 | DataType::LargeUtf8 | Utf8View | Null) => Some(Utf8View),
            (Self::Instant, Timestamp(..) | Null) => Some(instant()),
            (Self::Date, Date32 | Date64 | Null) => Some(Date32),
            (Self::WholeNumber, found) if found.is_integer() || *found == Null => Some(Int32),
            (Self::Sequence, found) if found.is_integer() || *found == Null => Some(DataType::Int64),
            (Self::Decimal, Decimal32(precision, scale) | Decimal64(precision, scale)) => {
                Some(Decimal128(*precision, *scale))
            }
            (Self::Decimal, Decimal128(..) | Decimal256(..)) => Some(found.clone()),
            (Self::Decimal, found) if found.is_integer() => Some(Decimal128(20, 0)),
            (Self::Decimal, Null) => Some(MONEY),
            (Self::Decimals, DataType::List(item)) => {
                matches!(item.data_type(), Decimal128(..)).then(|| found.clone())
            }
            (Self::Decimals, Null) => Some(DataType::new_list(MONEY, true)),
            (Self::WideMoney, Decimal256(..)) => Some(Decimal256(WIDE_PRECISION, MONEY_SCALE)),
            (Self::WideMoney, found) => Self::Money.coerced(found),
            (Self::Money, found) if Self::Decimal.coerced(found).is_some() => Some(MONEY),
            (Self::TimeOfDay, DataType::Time32(_) | DataType::Time64(_) | Null) => {
                Some(DataType::Time64(TimeUnit::Microsecond))
            }
            (Self::WholeNumbers, DataType::List(item) | DataType::LargeList(item)) => {
                let found = item.data_type();
                let is_number =
                    Self::WholeNumber.coerced(found).or_else(|| Self::Text.coerced(found)).is_some();
                is_number.then(|| DataType::new_list(Int32, true))
            }
            (Self::WholeNumbers, Null) => Some(DataType::new_list(Int32, true)),
            (Self::Rows(wanted), Null) => {
                let fields =
                    wanted.iter().map(|(name, kind)| Some(Field::new(*name, kind.coerced(&Null)?, true)));
                Some(DataType::new_list(DataType::Struct(fields.collect::<Option<_>>()?), true))
            }
            (Self::Rows(wanted), DataType::List(item) | DataType::LargeList(item)) => {
                let DataType::Struct(fields) = item.data_type() else { return None };
                let coerced = fields.iter().map(|field| {
                    let (_, kind) = wanted.iter().find(|(name, _)| name == field.name())?;
                    Some(field.as_ref().clone().with_data_type(kind.coerced(field.data_type())?))
                });
                let coerced =
                    coerced.collect::<Option<Fields>>().filter(|fields| fields.len() == wanted.len())?;
                let item = item.as_ref().clone().with_data_type(DataType::Struct(coerced));
                Some(DataType::List(Arc::new(item)))
            }
            _ => None,
        }
    }

    fn expected(self) -> String {
        let expected = match self {
            Self::Rows(fields) => {
                let fields: Vec<_> =
                    fields.iter().map(|(name, kind)| format!("`{name}`, {}", kind.expected())).collect();
                return format!("a list of structs of {}", fields.join("; "));
            }
            Self::Text => "text",
            Self::Instant => "a timestamp",
            Self::Date => "a date",
            Self::WholeNumber | Self::Sequence => "a whole number",
            Self::Decimal | Self::Money | Self::WideMoney => "a decimal",
            Self::Fields => "the fields of a record, or a JSON object",
            Self::TimeOfDay => "a time of day",
            Self::Decimals => "a list of decimals",
            Self::WholeNumbers => "a list of whole numbers",
        };
        expected.into()
    }
}

/// The types that the arguments are to be cast to before the function sees them.
///
/// # Errors
/// A plan error that names the function and the argument, where the number or a type does not fit.
pub(super) fn coerce(function: &str, wanted: &[Parameter], found: &[DataType]) -> Result<Vec<DataType>> {
    if wanted.len() != found.len() {
        let names: Vec<_> = wanted.iter().map(|(name, _, _)| *name).collect();
        return plan_err!(
            "{function} takes {} arguments, not {}: {}",
            wanted.len(),
            found.len(),
            names.join(", ")
        );
    }
    let coerced = wanted.iter().zip(found).map(|((name, kind, _), found)| match kind.coerced(found) {
        Some(coerced) => Ok(coerced),
        None => plan_err!("{function}: `{name}` must be {}, not {found}; cast it", kind.expected()),
    });
    coerced.collect()
}

/// An argument of [`Kind::WideMoney`], in units of its twelfth decimal place.
pub(super) enum WideColumn {
    Narrow(Column<PrimitiveArray<Decimal128Type>>),
    Wide(Column<PrimitiveArray<Decimal256Type>>),
}

impl WideColumn {
    /// The number in a row.
    pub(super) fn get(&self, row: usize) -> Option<i256> {
        match self {
            Self::Narrow(numbers) => numbers.get(row).map(i256::from_i128),
            Self::Wide(numbers) => numbers.get(row),
        }
    }
}

/// The arguments of one call, over a batch of rows. Where all of them are literals there is one row.
pub(super) struct Arguments {
    function: &'static str,
    columns: Vec<Column<ArrayRef>>,
    rows: usize,
    constant: bool,
}

/// The values of one argument; those of a literal are stored once.
#[derive(Clone)]
pub(super) struct Column<A> {
    values: A,
    constant: bool,
}

impl<A: Array> Column<A> {
    /// Whether it is null in all rows.
    pub(super) fn is_all_null(&self) -> bool {
        self.values.null_count() == self.values.len()
    }

    /// Where the value of a row is stored; `None` for null.
    fn index(&self, row: usize) -> Option<usize> {
        let index = if self.constant { 0 } else { row };
        self.values.is_valid(index).then_some(index)
    }
}

impl Column<ArrayRef> {
    /// All values as they are stored.
    pub(super) fn whole(&self) -> &ArrayRef {
        &self.values
    }

    /// Where the value of a row, or its null, is stored.
    pub(super) fn position(&self, row: usize) -> usize {
        if self.constant { 0 } else { row }
    }
}

impl Column<StringViewArray> {
    /// The text in a row.
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        self.index(row).map(|index| self.values.value(index))
    }
}

impl Column<ListArray> {
    /// The list in a row.
    pub(super) fn get(&self, row: usize) -> Option<ArrayRef> {
        self.index(row).map(|index| self.values.value(index))
    }
}

impl<T: ArrowPrimitiveType> Column<PrimitiveArray<T>> {
    /// The number in a row.
    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        self.index(row).map(|index| self.values.value(index))
    }
}

/// An argument of [`Kind::Rows`].
pub(super) struct Rows {
    lists: Column<ListArray>,
    rows: StructArray,
    function: &'static str,
}

impl Rows {
    /// Where the structs of a row stand in the fields; `None` where the list is null.
    pub(super) fn range(&self, row: usize) -> Option<Range<usize>> {
        let index = self.lists.index(row)?;
        let bounds = self.lists.values.value_offsets().get(index..index + 2)?;
        Some(bounds[0] as usize..bounds[1] as usize)
    }

    /// A field of [`Kind::Text`].
    pub(super) fn texts(&self, name: &str) -> Result<Column<StringViewArray>> {
        self.field(name, |values| values.as_string_view_opt().cloned())
    }

    /// A field stored as this primitive type.
    pub(super) fn numbers<T: ArrowPrimitiveType>(&self, name: &str) -> Result<Column<PrimitiveArray<T>>> {
        self.field(name, |values| values.as_primitive_opt::<T>().cloned())
    }

    /// A field of [`Kind::WholeNumbers`].
    pub(super) fn lists(&self, name: &str) -> Result<Lists> {
        let lists = self.field(name, |values| values.as_list_opt::<i32>().cloned())?;
        match lists.values.values().as_primitive_opt::<Int32Type>().cloned() {
            Some(numbers) => Ok(Lists { lists, numbers }),
            None => exec_err!("{}: field `{name}` has not the type it was planned with", self.function),
        }
    }

    fn field<A>(&self, name: &str, read: impl Fn(&ArrayRef) -> Option<A>) -> Result<Column<A>> {
        match self.rows.column_by_name(name).and_then(read) {
            Some(values) => Ok(Column { values, constant: false }),
            None => exec_err!("{}: field `{name}` has not the type it was planned with", self.function),
        }
    }
}

/// Values of [`Kind::WholeNumbers`].
pub(super) struct Lists {
    lists: Column<ListArray>,
    numbers: PrimitiveArray<Int32Type>,
}

impl Lists {
    /// The numbers in a row, none where the list is null; a number that is null is 0.
    pub(super) fn get(&self, row: usize) -> &[i32] {
        let bounds =
            self.lists.index(row).and_then(|index| self.lists.values.value_offsets().get(index..index + 2));
        let range = bounds.map(|bounds| bounds[0] as usize..bounds[1] as usize);
        range.and_then(|range| self.numbers.values().get(range)).unwrap_or_default()
    }
}

impl Arguments {
    /// The arguments of a call.
    pub(super) fn new(function: &'static str, args: &ScalarFunctionArgs) -> Result<Self> {
        let mut columns = Vec::with_capacity(args.args.len());
        for value in &args.args {
            columns.push(match value {
                ColumnarValue::Array(values) => Column { values: Arc::clone(values), constant: false },
                ColumnarValue::Scalar(value) => Column { values: value.to_array()?, constant: true },
            });
        }
        let constant = columns.iter().all(|column| column.constant);
        let rows = if constant { 1 } else { args.number_rows };
        Ok(Self { function, columns, rows, constant })
    }

    /// The name of the function.
    pub(super) fn function(&self) -> &'static str {
        self.function
    }

    /// How many rows to compute.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The type of an argument.
    pub(super) fn data_type(&self, position: usize) -> Option<&DataType> {
        self.columns.get(position).map(|column| column.values.data_type())
    }

    /// An argument of any type.
    pub(super) fn values(&self, position: usize) -> Result<Column<ArrayRef>> {
        self.column(position, |values| Some(values.clone()))
    }

    /// An argument of [`Kind::Text`].
    pub(super) fn texts(&self, position: usize) -> Result<Column<StringViewArray>> {
        self.column(position, |values| values.as_string_view_opt().cloned())
    }

    /// An argument of [`Kind::WideMoney`].
    pub(super) fn wide_numbers(&self, position: usize) -> Result<WideColumn> {
        match self.data_type(position) {
            Some(DataType::Decimal256(..)) => self.numbers(position).map(WideColumn::Wide),
            _ => self.numbers(position).map(WideColumn::Narrow),
        }
    }

    /// An argument of [`Kind::Decimals`].
    pub(super) fn lists(&self, position: usize) -> Result<Column<ListArray>> {
        self.column(position, |values| values.as_list_opt::<i32>().cloned())
    }

    /// An argument of [`Kind::Rows`].
    pub(super) fn lists_of_structs(&self, position: usize) -> Result<Rows> {
        let lists = self.lists(position)?;
        match lists.values.values().as_struct_opt().cloned() {
            Some(rows) => Ok(Rows { lists, rows, function: self.function }),
            None => {
                exec_err!("{}: argument {} has not the type it was planned with", self.function, position + 1)
            }
        }
    }

    /// An argument stored as this primitive type.
    pub(super) fn numbers<T: ArrowPrimitiveType>(
        &self,
        position: usize,
    ) -> Result<Column<PrimitiveArray<T>>> {
        self.column(position, |values| values.as_primitive_opt::<T>().cloned())
    }

    fn column<A>(&self, position: usize, read: impl Fn(&ArrayRef) -> Option<A>) -> Result<Column<A>> {
        let column = self.columns.get(position);
        match column
            .and_then(|column| Some(Column { values: read(&column.values)?, constant: column.constant }))
        {
            Some(column) => Ok(column),
            None => {
                exec_err!("{}: argument {} has not the type it was planned with", self.function, position + 1)
            }
        }
    }

    /// The result: one value for all rows where all arguments are literals.
    pub(super) fn finish(&self, values: ArrayRef) -> Result<ColumnarValue> {
        if self.constant {
            ScalarValue::try_from_array(&values, 0).map(ColumnarValue::Scalar)
        } else {
            Ok(ColumnarValue::Array(values))
        }
    }
}

/// An error at run time, with the name of the function in front.
pub(super) fn failed(function: &str, what: impl std::fmt::Display) -> DataFusionError {
    DataFusionError::Execution(format!("{function}: {what}"))
}
