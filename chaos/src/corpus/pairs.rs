//! All-pairs selection: few rows in which every pair of values of two dimensions occurs.
//!
//! A row assigns one value, by index, to each dimension. Rows are grown greedily around pairs that
//! no row has yet (the AETG method), the rest of a row by depth-first search, so that any rule
//! over the dimensions may forbid combinations.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// Values of two dimensions: `(dimension, value), (dimension, value)`, the lower dimension first.
type Pair = ((usize, usize), (usize, usize));

/// What may be combined: the number of values of each dimension, and a rule.
pub struct Space<'a> {
    /// Values of each dimension.
    pub sizes: &'a [usize],
    /// Whether a row, some of whose dimensions may not be chosen yet, breaks no rule so far.
    pub allows: &'a dyn Fn(&[Option<usize>]) -> bool,
}

impl std::fmt::Debug for Space<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Space").field("sizes", &self.sizes).finish()
    }
}

impl Space<'_> {
    /// Rows that hold every possible pair, then random other rows until there are `least`. The
    /// same `seed` gives the same rows.
    pub fn rows(&self, least: usize, seed: u64) -> Vec<Vec<usize>> {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut missing: BTreeSet<Pair> = self.pairs().collect();
        let mut rows = Vec::new();
        while let Some(pair) = pick(&missing, &mut rng) {
            let mut row = vec![None; self.sizes.len()];
            row[pair.0.0] = Some(pair.0.1);
            row[pair.1.0] = Some(pair.1.1);
            match self.complete(row, &missing, &mut rng) {
                Some(row) => {
                    for pair in pairs_of(&row) {
                        missing.remove(&pair);
                    }
                    rows.push(row);
                }
                // No row that keeps the rules has it.
                None => {
                    missing.remove(&pair);
                }
            }
        }
        let mut seen: BTreeSet<Vec<usize>> = rows.iter().cloned().collect();
        let mut tries = 0;
        while rows.len() < least && tries < least * 50 {
            tries += 1;
            let empty = vec![None; self.sizes.len()];
            let row = self.complete(empty, &BTreeSet::new(), &mut rng);
            rows.extend(row.filter(|row| seen.insert(row.clone())));
        }
        rows
    }

    /// Every pair of values, possible or not.
    fn pairs(&self) -> impl Iterator<Item = Pair> {
        let values = |dimension: usize| (0..self.sizes[dimension]).map(move |v| (dimension, v));
        let dimensions = 0..self.sizes.len();
        dimensions.clone().flat_map(move |one| {
            (one + 1..self.sizes.len()).flat_map(move |other| {
                values(one).flat_map(move |a| values(other).map(move |b| (a, b)))
            })
        })
    }

    /// Chooses what is open in `row`: of each dimension first the value that adds most missing
    /// pairs. `None`: no choice keeps the rules.
    fn complete(
        &self,
        row: Vec<Option<usize>>,
        missing: &BTreeSet<Pair>,
        rng: &mut StdRng,
    ) -> Option<Vec<usize>> {
        if !(self.allows)(&row) {
            return None;
        }
        let Some(open) = row.iter().position(Option::is_none) else {
            return row.into_iter().collect();
        };
        let mut values: Vec<usize> = (0..self.sizes[open]).collect();
        values.shuffle(rng);
        values.sort_by_key(|value| {
            let chosen = row.iter().enumerate();
            let chosen = chosen.filter_map(|(dimension, chosen)| Some((dimension, (*chosen)?)));
            let added = chosen.filter(|other| {
                let own = (open, *value);
                missing.contains(&(own.min(*other), own.max(*other)))
            });
            std::cmp::Reverse(added.count())
        });
        values.into_iter().find_map(|value| {
            let mut row = row.clone();
            row[open] = Some(value);
            self.complete(row, missing, rng)
        })
    }
}

fn pick(missing: &BTreeSet<Pair>, rng: &mut StdRng) -> Option<Pair> {
    if missing.is_empty() {
        return None;
    }
    missing
        .iter()
        .nth(rng.random_range(0..missing.len()))
        .copied()
}

fn pairs_of(row: &[usize]) -> impl Iterator<Item = Pair> {
    let own = row.iter().copied().enumerate();
    own.clone().flat_map(move |one| {
        let later = own.clone().filter(move |other| other.0 > one.0);
        later.map(move |other| (one, other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_that_the_rules_allow_occurs_and_no_row_breaks_them() {
        let sizes = [5, 4, 3, 3];
        // The first value of the first dimension goes with the first of the second alone.
        let allows = |row: &[Option<usize>]| match (row[0], row[1]) {
            (Some(0), Some(second)) => second == 0,
            _ => true,
        };
        let space = Space {
            sizes: &sizes,
            allows: &allows,
        };
        let rows = space.rows(0, 1);
        let mut seen = BTreeSet::new();
        for row in &rows {
            let open: Vec<Option<usize>> = row.iter().copied().map(Some).collect();
            assert!(allows(&open));
            seen.extend(pairs_of(row));
        }
        let impossible: Vec<Pair> = space.pairs().filter(|pair| !seen.contains(pair)).collect();
        let expected: Vec<Pair> = (1..4).map(|second| ((0, 0), (1, second))).collect();
        assert_eq!(impossible, expected);
        assert!(rows.len() < 35, "{} rows for 20 pairs at least", rows.len());
        assert_eq!(space.rows(0, 1), rows);
        assert_eq!(space.rows(60, 1).len(), 60);
    }
}
