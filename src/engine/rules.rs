//! The rules of the optimizer: those of DataFusion but one, and one of our own.

use std::sync::Arc;

use datafusion::optimizer::{Optimizer, OptimizerRule};

use super::qualified::Qualified;

/// The rule after which our own stands.
const AFTER: &str = "propagate_empty_relation";
/// A rule that puts inner joins in another order. Where a condition compares a table with an expression over two
/// others, and both come after it, the condition is lost, and each row meets every other. What it is for, a list of
/// tables with conditions under `where`, is also done by the rules that push filters down.
const LOSES_CONDITIONS: &str = "eliminate_cross_join";

/// The rules, in their order.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.retain(|rule| rule.name() != LOSES_CONDITIONS);
    let place = rules.iter().position(|rule| rule.name() == AFTER);
    rules.insert(place.map_or(rules.len(), |place| place + 1), Arc::new(Qualified));
    rules
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{SessionConfig, SessionContext};

    fn own() -> SessionContext {
        crate::engine::microseconds::context(SessionConfig::new(), Default::default())
    }

    /// Two tables of four rows with the same `number`, and `c` with one row.
    async fn with_tables(context: SessionContext) -> SessionContext {
        for text in [
            "create table a (number bigint, x varchar) as values (1, '1'), (2, '2'), (3, '3'), (4, '4')",
            "create table b (number bigint, y varchar) as values (1, '1'), (2, '2'), (3, '3'), (4, '4')",
            "create table c (k varchar) as values ('11')",
        ] {
            context.sql(text).await.unwrap().collect().await.unwrap();
        }
        context
    }

    #[tokio::test]
    async fn a_condition_over_two_tables_is_kept() {
        let sql =
            "select * from c inner join (a inner join b on a.number = b.number) on c.k = concat(a.x, b.y)";
        let rows = async |context| {
            let context = with_tables(context).await;
            context.sql(sql).await.unwrap().count().await.unwrap()
        };
        assert_eq!(rows(own()).await, 1);
        assert_eq!(
            rows(SessionContext::new()).await,
            4,
            "DataFusion does so itself now: its rule may come back"
        );
    }

    #[tokio::test]
    async fn tables_with_conditions_under_where_are_joined_by_them() {
        let context = with_tables(own()).await;
        let sql = "select * from a, b, c where c.k = concat(a.x, b.y) and a.number = b.number and b.y = '1'";
        let frame = context.sql(sql).await.unwrap();
        let plan = frame.clone().into_optimized_plan().unwrap().display_indent().to_string();
        assert!(!plan.contains("Cross Join"), "{plan}");
        assert_eq!(frame.count().await.unwrap(), 1);
    }
}
