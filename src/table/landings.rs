//! Sets of landings, as ranges of their numbers, which follow each other.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Numbers of landings: ranges with both ends inclusive, in order, no two of which touch.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Landings(Vec<(i64, i64)>);

impl FromIterator<(i64, i64)> for Landings {
    /// Of ranges that may stand in any order, and overlap.
    fn from_iter<Ranges: IntoIterator<Item = (i64, i64)>>(ranges: Ranges) -> Self {
        let mut ranges: Vec<(i64, i64)> = ranges.into_iter().collect();
        ranges.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (first, last) in ranges {
            match joined.last_mut() {
                Some((_, before)) if first <= before.saturating_add(1) => *before = last.max(*before),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }
}

impl Landings {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their ranges.
    pub fn ranges(&self) -> &[(i64, i64)] {
        &self.0
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(first, last)| last.abs_diff(*first).saturating_add(1) as usize).sum()
    }

    /// Whether a landing is one of them.
    pub fn has(&self, landing_id: i64) -> bool {
        self.covers((landing_id, landing_id))
    }

    /// Whether all others are among them.
    pub fn has_all(&self, others: &Self) -> bool {
        others.0.iter().all(|range| self.covers(*range))
    }

    /// Whether one of the others is among them.
    pub fn has_any(&self, others: &Self) -> bool {
        others.0.iter().any(|(first, last)| {
            let next = self.0.partition_point(|(_, end)| end < first);
            self.0.get(next).is_some_and(|(begin, _)| begin <= last)
        })
    }

    fn covers(&self, (first, last): (i64, i64)) -> bool {
        let next = self.0.partition_point(|(_, end)| *end < first);
        self.0.get(next).is_some_and(|(begin, end)| *begin <= first && last <= *end)
    }

    /// As they are written: `1-37 40`; none if that is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        text.split(' ').map(range).collect()
    }
}

impl fmt::Display for Landings {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (first, last)) in self.0.iter().enumerate() {
            let space = if number > 0 { " " } else { "" };
            match first == last {
                true => write!(text, "{space}{first}")?,
                false => write!(text, "{space}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_touch_are_one_and_are_read_as_they_are_written() {
        let landings = Landings::from_iter([(40, 40), (3, 9), (1, 2), (5, 7)]);
        assert_eq!(landings.to_string(), "1-9 40");
        assert_eq!(Landings::parse("1-9 40"), Some(landings.clone()));
        assert_eq!((landings.count(), Landings::default().count()), (10, 0));
        assert_eq!(Landings::parse(""), None);
        assert_eq!(Landings::parse("1-x"), None);
        for (landing, is_one) in [(0, false), (1, true), (9, true), (10, false), (40, true), (41, false)] {
            assert_eq!(landings.has(landing), is_one, "{landing}");
        }
        let of = |ranges: &[(i64, i64)]| ranges.iter().copied().collect::<Landings>();
        assert!(landings.has_all(&of(&[(2, 3), (40, 40)])) && !landings.has_all(&of(&[(9, 10)])));
        assert!(landings.has_any(&of(&[(9, 39)])) && !landings.has_any(&of(&[(10, 39), (41, 50)])));
        assert!(!landings.has_any(&Landings::default()) && landings.has_all(&Landings::default()));
    }
}
