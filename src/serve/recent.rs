//! The identities of records that were accepted lately, so that one that comes again is told at once. What is not known
//! here any more is found when it lands.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Identities of one generation; two are kept.
const GENERATION: usize = 500_000;

/// Hashes of identities.
#[derive(Default)]
pub(super) struct Recent(Mutex<(HashSet<i64>, HashSet<i64>)>);

impl Recent {
    /// Whether each of these was there before, or comes twice among them.
    pub(super) fn known(&self, hashes: &[i64]) -> Vec<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut among = HashSet::with_capacity(hashes.len());
        hashes
            .iter()
            .map(|hash| known.0.contains(hash) || known.1.contains(hash) || !among.insert(hash))
            .collect()
    }

    /// Notes that these were accepted.
    pub(super) fn note(&self, hashes: &[i64]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.extend(hashes);
        if known.0.len() > GENERATION {
            known.1 = std::mem::take(&mut known.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_half_million_are_known() {
        let recent = Recent::default();
        assert_eq!(recent.known(&[1, 2, 1]), [false, false, true]);
        recent.note(&[1, 2]);
        assert_eq!(recent.known(&[2, 3]), [true, false]);
        recent.note(&(10..10 + GENERATION as i64).collect::<Vec<_>>());
        assert_eq!(recent.known(&[1]), [true]);
        recent.note(&(-2 * GENERATION as i64..0).collect::<Vec<_>>());
        assert_eq!(recent.known(&[1, -1]), [false, true]);
    }
}
