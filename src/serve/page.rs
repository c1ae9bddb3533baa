//! Rows page by page: so many at one time, and a place behind which the next ones are.
//!
//! A place holds for the run whose rows it was given for. Once there is a newer one, rows may be others, and whoever
//! goes on is told to begin anew: a page never misses or repeats a row in silence.

use arrow::array::RecordBatch;
use axum::http::StatusCode;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::problem::Problem;

/// The rows of a page where nobody says how many.
const USUAL: usize = 1000;
/// The most rows of a page: it is held in memory.
pub(super) const MOST: usize = 10_000;

/// The rows of an answer that are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// What rows have to be of: the run, and what had landed where they depend on it.
    of: String,
    /// So many rows are before it.
    before: usize,
    /// So many it has at most.
    limit: usize,
}

impl Page {
    /// The page behind a place, of rows that are of this run; none where neither is said, which asks for all rows.
    ///
    /// # Errors
    /// A number of rows that is none, a place that is none, or that is of an earlier run.
    pub(super) fn asked(
        limit: Option<usize>,
        after: Option<&str>,
        of: &str,
    ) -> Result<Option<Self>, Problem> {
        let bad = |title: String, hint: String| Problem::new(StatusCode::BAD_REQUEST, title, "").hint(hint);
        if let Some(limit) = limit.filter(|limit| !(1..=MOST).contains(limit)) {
            return Err(bad(format!("`limit` {limit} is no number of rows"), format!("from 1 to {MOST}")));
        }
        let before = match after {
            None if limit.is_none() => return Ok(None),
            None => 0,
            Some(after) => {
                let place = after.rsplit_once('.').and_then(|(of, before)| Some((of, before.parse().ok()?)));
                let hint = "it is the `next` of the page before, or its header meterhouse-next".to_string();
                let (its, before) = place.ok_or_else(|| bad(format!("`after` {after} is no place"), hint))?;
                if its != of {
                    let title = "the rows are others by now";
                    let hint = "begin anew without `after`: a run was published, or usage landed, since the page before";
                    return Err(Problem::new(StatusCode::GONE, title, "").hint(hint));
                }
                before
            }
        };
        Ok(Some(Self { of: of.into(), before, limit: limit.unwrap_or(USUAL) }))
    }

    /// What tells this page from others of the same rows.
    pub(super) fn name(&self) -> String {
        format!("{}+{}", self.before, self.limit)
    }

    /// The rows of the page, and the place behind it where rows follow.
    pub(super) async fn taken(
        &self,
        mut rows: SendableRecordBatchStream,
    ) -> Result<(Vec<RecordBatch>, Option<String>), DataFusionError> {
        let (mut passed, mut taken, mut batches) = (0, 0, Vec::new());
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let first = self.before.saturating_sub(passed).min(batch.num_rows());
            let count = (batch.num_rows() - first).min(self.limit - taken);
            passed += batch.num_rows();
            taken += count;
            batches.push(batch.slice(first, count));
            if passed > self.before + taken {
                return Ok((batches, Some(format!("{}.{}", self.of, self.before + taken))));
            }
        }
        Ok((batches, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_of_the_rows_that_it_was_given_for() {
        let page = |limit, after| Page::asked(limit, after, "7").map_err(|problem| problem.told());
        assert_eq!(page(None, None).unwrap(), None);
        assert_eq!(page(Some(5), None).unwrap().unwrap().name(), "0+5");
        assert_eq!(page(None, Some("7.20")).unwrap().unwrap().name(), "20+1000");
        for (limit, after) in [
            (Some(0), None),
            (Some(10_001), None),
            (None, Some("7")),
            (None, Some("7.x")),
            (None, Some("6.20")),
        ] {
            assert!(page(limit, after).is_err(), "{limit:?} {after:?}");
        }
    }
}
