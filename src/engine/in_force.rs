//! A join that looks up what is in force: rows of the same key whose range of time holds a time.
//!
//! DataFusion's hash join pairs each row with all of its key and then drops those whose range does not hold the time:
//! a usage record meets every cycle that its contract ever had. Here the ranges of a key are kept in order, and a row
//! meets what is in force for it. The SQL says nothing of it: a rule finds such joins by their conditions; where most
//! keys turn out to have one row, they are joined as ever.
//!
//! What always holds: the join yields the rows of the hash join that it stands for, with the same columns, partitions
//! and order, and rows come out in the order in which they look others up.

mod index;
mod join;
mod look_up;
mod range;
mod rule;
mod terms;

pub use rule::InForce;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use arrow::row::{OwnedRow, RowConverter, SortField};
    use datafusion::datasource::MemTable;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use proptest::option::weighted;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// A row of either side: two keys, two times and a quantity.
    type Row = (Option<String>, Option<i64>, Option<i64>, Option<i64>, i64);

    fn row() -> impl Strategy<Value = Row> {
        let name = select(vec!["", "a", "b", "a name of more than twelve bytes"]).prop_map(String::from);
        // The last times that there are have no time after them.
        let time = || weighted(0.9, prop_oneof![20 => 0..20_i64, 1 => select(vec![i64::MIN, i64::MAX])]);
        (weighted(0.9, name), weighted(0.9, 0..3_i64), time(), time(), 0..9_i64)
    }

    /// Rows numbered from `first` on, as a batch.
    fn batch(rows: &[Row], first: usize) -> RecordBatch {
        let numbers = |value: fn(&Row) -> Option<i64>| rows.iter().map(value).collect::<Vec<_>>();
        let times = |value| Arc::new(TimestampMicrosecondArray::from(numbers(value)).with_timezone("UTC"));
        let ids = (first..first + rows.len()).map(|id| id as i64);
        let columns: [(&str, ArrayRef, bool); 6] = [
            ("id", Arc::new(Int64Array::from_iter_values(ids)), false),
            ("name", Arc::new(rows.iter().map(|row| row.0.as_deref()).collect::<StringArray>()), true),
            ("number", Arc::new(Int64Array::from(numbers(|row| row.1))), true),
            ("valid_from", times(|row| row.2), true),
            ("valid_to", times(|row| row.3), true),
            ("quantity", Arc::new(Int64Array::from(numbers(|row| Some(row.4)))), false),
        ];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    /// A table of rows that come in batches and partitions.
    fn table(rows: &[Row], batch_rows: usize, partitions: usize) -> MemTable {
        let batches = rows.chunks(batch_rows).enumerate().map(|(n, rows)| batch(rows, n * batch_rows));
        let mut divided = vec![Vec::new(); partitions];
        batches.enumerate().for_each(|(number, batch)| divided[number % partitions].push(batch));
        MemTable::try_new(batch(&[], 0).schema(), divided).unwrap()
    }

    /// The engine as it is, and without the rule; both know the same tables.
    fn engines(batch_rows: usize, threads: usize, small_side: usize) -> [SessionContext; 2] {
        let config = SessionConfig::new()
            .with_batch_size(batch_rows)
            .with_target_partitions(threads)
            .set_usize("datafusion.optimizer.hash_join_single_partition_threshold", small_side)
            .set_usize("datafusion.optimizer.hash_join_single_partition_threshold_rows", small_side);
        let own = crate::engine::microseconds::context(config, Default::default());
        let plain = SessionStateBuilder::new_from_existing(own.state())
            .with_physical_optimizer_rules(PhysicalOptimizer::new().rules);
        [own, SessionContext::new_with_state(plain.build())]
    }

    async fn plan(context: &SessionContext, sql: &str) -> String {
        let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        displayable(plan.as_ref()).indent(true).to_string()
    }

    /// The rows of a query, in an order of their own, and how many came at most in a batch.
    async fn rows(context: &SessionContext, sql: &str) -> (Vec<OwnedRow>, usize) {
        let frame = context.sql(sql).await.unwrap();
        let fields = frame.schema().fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect()).unwrap();
        let batches = frame.collect().await.unwrap();
        let most = batches.iter().map(RecordBatch::num_rows).max().unwrap_or_default();
        let mut rows = Vec::new();
        for batch in batches {
            let converted = converter.convert_columns(batch.columns()).unwrap();
            rows.extend(converted.iter().map(|row| row.owned()));
        }
        rows.sort();
        (rows, most)
    }

    fn keys() -> impl Strategy<Value = &'static str> {
        select(vec![
            "used.name = kept.name",
            "used.number = kept.number",
            "used.number = kept.number and used.name = kept.name",
            "(used.name is not distinct from kept.name)",
            "concat(used.name, 'x') = concat(kept.name, 'x') and used.number = kept.number",
        ])
    }

    fn from() -> impl Strategy<Value = &'static str> {
        select(vec![
            "used.valid_from >= kept.valid_from",
            "kept.valid_from < used.valid_from",
            "(kept.valid_from is null or used.valid_from >= kept.valid_from)",
        ])
    }

    fn to() -> impl Strategy<Value = &'static str> {
        select(vec![
            "used.valid_from < kept.valid_to",
            "kept.valid_to >= used.valid_from",
            "(kept.valid_to is null or used.valid_from < kept.valid_to)",
            "(used.valid_from <= kept.valid_to or kept.valid_to is null)",
        ])
    }

    fn rest() -> impl Strategy<Value = &'static str> {
        select(vec![
            "",
            "and used.quantity < kept.quantity",
            "and (kept.quantity is null or strpos(used.name, kept.name) > 0) and used.id <> kept.id",
            "and used.valid_to > kept.valid_from and used.valid_to <= kept.valid_to",
        ])
    }

    fn query() -> impl Strategy<Value = String> {
        let shape = select(vec![
            "select used.id, kept.id as kept_id from used inner join kept on",
            "select * from used left join kept on",
            "select used.name, kept.valid_to from used left join kept on",
            "select count(*) as count from used inner join kept on",
            "select * from used where exists (select 1 from kept where",
            "select * from used where not exists (select 1 from kept where",
        ]);
        (shape, keys(), from(), to(), rest()).prop_map(|(shape, keys, from, to, rest)| {
            let end = if shape.contains('(') && shape.ends_with("where") { ")" } else { "" };
            format!("{shape} {keys} and {from} and {to} {rest} {end}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_rows_are_those_of_a_hash_join(
            kept in prop::collection::vec(row(), 0..30),
            // So many that the other side is the one that is kept.
            used in prop::collection::vec(row(), 120..200),
            queries in prop::collection::vec(query(), 8),
            batch_rows in select(vec![1, 17, 8192]),
            threads in select(vec![1, 2, 7]),
            // Where no side is small, both are divided by key.
            small_side in select(vec![0, 1 << 20]),
        ) {
            let [own, plain] = engines(batch_rows, threads, small_side);
            let runtime = tokio::runtime::Runtime::new().unwrap();
            own.register_table("kept", Arc::new(table(&kept, 10, 1))).unwrap();
            own.register_table("used", Arc::new(table(&used, 20, threads))).unwrap();
            for query in queries {
                let plan = runtime.block_on(plan(&own, &query));
                // A time that is null is within a range without bounds, and looked up by none.
                let may_lack = query.contains("from is null") && query.contains("to is null");
                let is_looked_up = !may_lack || query.contains("used.valid_to");
                prop_assert_eq!(plan.contains("InForceExec"), is_looked_up, "{}\n{}", query, plan);
                let (wanted, most_of_plain) = runtime.block_on(rows(&plain, &query));
                let (found, most) = runtime.block_on(rows(&own, &query));
                prop_assert_eq!(found, wanted, "{}", query);
                let at_most = batch_rows.max(most_of_plain);
                prop_assert!(!is_looked_up || most <= at_most, "{query}\n{most} rows in a batch");
            }
        }
    }
}
