//! What a scalar function says of itself, and the one way in which DataFusion calls it.

use std::hash::{Hash, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::arguments::{Arguments, Kind, MONEY, Parameter, coerce, instant};

/// A function of the values of one row; the same arguments give the same result.
pub(super) struct Scalar {
    pub(super) name: &'static str,
    /// What it gives, for nulls too, and what is an error; Markdown.
    pub(super) meaning: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) result: fn() -> DataType,
    /// A query, and below it each of its rows, behind `-- `.
    pub(super) example: &'static str,
    pub(super) compute: fn(&Arguments) -> Result<ArrayRef>,
}

impl Scalar {
    /// The function as a session takes it.
    pub(super) fn function(&'static self) -> ScalarUDF {
        let parameters: Vec<String> =
            self.parameters.iter().map(|(name, kind, _)| format!("{name} {}", kind.written())).collect();
        let signature = format!("{}({}) -> {}", self.name, parameters.join(", "), written(&(self.result)()));
        let arguments: Vec<_> = self.parameters.iter().map(|(name, _, meaning)| (*name, *meaning)).collect();
        ScalarUDF::from(Function {
            scalar: self,
            signature: Signature::user_defined(Volatility::Immutable),
            documentation: documentation(&signature, self.meaning, &arguments, self.example),
        })
    }
}

/// What DataFusion tells of a function: its signature, meaning, arguments and an example.
pub(super) fn documentation(
    signature: &str,
    meaning: &str,
    arguments: &[(&str, &str)],
    example: &str,
) -> Documentation {
    let section = DocSection { include: true, label: "Metering Functions", description: None };
    let mut builder = Documentation::builder(section, meaning, signature).with_sql_example(example);
    for (name, meaning) in arguments {
        builder = builder.with_argument(*name, *meaning);
    }
    builder.build()
}

/// How a type is written in SQL.
pub(super) fn written(data_type: &DataType) -> String {
    match data_type {
        DataType::Boolean => "boolean".into(),
        DataType::Int32 => "int".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Date32 => "date".into(),
        DataType::Time64(_) => "time".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("decimal({precision}, {scale})")
        }
        DataType::List(item) => format!("{}[]", written(item.data_type())),
        DataType::Struct(fields) => {
            let field = |field: &Field| format!("{} {}", field.name(), written(field.data_type()));
            let fields: Vec<String> = fields.iter().map(|found| field(found)).collect();
            format!("struct({})", fields.join(", "))
        }
        other if *other == instant() => "timestamptz".into(),
        _ => "varchar".into(),
    }
}

impl Kind {
    /// The widest SQL type that is taken without a cast.
    fn written(self) -> String {
        match self {
            Self::Text => "varchar".into(),
            Self::Instant => "timestamptz".into(),
            Self::Date => "date".into(),
            Self::TimeOfDay => "time".into(),
            Self::WholeNumber => "int".into(),
            Self::Sequence => "bigint".into(),
            Self::WholeNumbers => "int[]".into(),
            Self::Decimal => "decimal".into(),
            Self::Decimals => "decimal[]".into(),
            Self::Money => written(&MONEY),
            Self::WideMoney => "decimal(76, 12)".into(),
            Self::Fields => "struct or varchar".into(),
            Self::Rows(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(name, kind)| format!("{name} {}", kind.written())).collect();
                format!("struct({})[]", fields.join(", "))
            }
        }
    }
}

/// A [`Scalar`] as DataFusion knows it.
#[derive(Debug)]
struct Function {
    scalar: &'static Scalar,
    signature: Signature,
    documentation: Documentation,
}

impl std::fmt::Debug for Scalar {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.scalar.name == other.scalar.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.scalar.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.scalar.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        coerce(self.scalar.name, self.scalar.parameters, found)
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok((self.scalar.result)())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arguments = Arguments::new(self.scalar.name, &args)?;
        let values = (self.scalar.compute)(&arguments)?;
        arguments.finish(values)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
