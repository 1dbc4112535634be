//! Relations between the events of an execution, as rows of bits.

/// A set of events.
pub type Set = u128;

/// How many events an execution may have.
pub const MOST: usize = Set::BITS as usize;

/// The events of a set, in order.
pub fn members(mut set: Set) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let first = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(first)
    })
}

/// The set of those that `is_in` accepts, of `count`.
pub fn set_of(count: usize, is_in: impl Fn(usize) -> bool) -> Set {
    (0..count)
        .filter(|&one| is_in(one))
        .fold(0, |set, one| set | 1 << one)
}

/// Which event is related to which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relation {
    rows: Vec<Set>,
}

impl Relation {
    /// Relates nothing, among `count` events.
    pub fn empty(count: usize) -> Relation {
        Relation { rows: vec![0; count] }
    }

    /// Relates those of which `is_related` says so.
    pub fn of(count: usize, is_related: impl Fn(usize, usize) -> bool) -> Relation {
        let row = |from| set_of(count, |to| is_related(from, to));
        Relation {
            rows: (0..count).map(row).collect(),
        }
    }

    /// Relates one more pair.
    pub fn add(&mut self, from: usize, to: usize) {
        self.rows[from] |= 1 << to;
    }

    /// Relates one to all of a set.
    pub fn add_all(&mut self, from: usize, to: Set) {
        self.rows[from] |= to;
    }

    /// Whether the pair is related.
    pub fn has(&self, from: usize, to: usize) -> bool {
        self.rows[from] >> to & 1 != 0
    }

    /// What `from` is related to.
    pub fn row(&self, from: usize) -> Set {
        self.rows[from]
    }

    /// All pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let rows = self.rows.iter().enumerate();
        rows.flat_map(|(from, &row)| members(row).map(move |to| (from, to)))
    }

    /// Takes the pairs of another one in.
    pub fn join(&mut self, other: &Relation) -> &mut Relation {
        for (row, more) in self.rows.iter_mut().zip(&other.rows) {
            *row |= more;
        }
        self
    }

    /// First this one, then the other.
    pub fn then(&self, other: &Relation) -> Relation {
        let step = |&row: &Set| members(row).fold(0, |reached, one| reached | other.rows[one]);
        Relation {
            rows: self.rows.iter().map(step).collect(),
        }
    }

    /// The other way round.
    pub fn inverse(&self) -> Relation {
        let mut inverse = Relation::empty(self.rows.len());
        for (from, to) in self.pairs() {
            inverse.add(to, from);
        }
        inverse
    }

    /// Those that begin and end in the sets.
    pub fn between(&self, from: Set, to: Set) -> Relation {
        let row = |(one, &row): (usize, &Set)| if from >> one & 1 != 0 { row & to } else { 0 };
        Relation {
            rows: self.rows.iter().enumerate().map(row).collect(),
        }
    }

    /// Those that both relate.
    pub fn and(&self, other: &Relation) -> Relation {
        let rows = self.rows.iter().zip(&other.rows);
        Relation {
            rows: rows.map(|(one, other)| one & other).collect(),
        }
    }

    /// Those that the other one does not relate.
    pub fn without(&self, other: &Relation) -> Relation {
        let rows = self.rows.iter().zip(&other.rows);
        Relation {
            rows: rows.map(|(one, other)| one & !other).collect(),
        }
    }

    /// Whatever is reached by any number of steps, at least one.
    pub fn close(&mut self) {
        for middle in 0..self.rows.len() {
            let reached = self.rows[middle];
            for row in &mut self.rows {
                if *row >> middle & 1 != 0 {
                    *row |= reached;
                }
            }
        }
    }

    /// Whether one that is closed leads from an event to itself.
    pub fn is_reflexive(&self) -> bool {
        (0..self.rows.len()).any(|one| self.has(one, one))
    }

    /// Whether it leads back nowhere.
    pub fn is_acyclic(&self) -> bool {
        let mut left = set_of(self.rows.len(), |_| true);
        loop {
            // Who leads to nobody that is left cannot be in a circle.
            let ends = members(left)
                .filter(|&one| self.rows[one] & left == 0)
                .fold(0, |set, one| set | 1 << one);
            if ends == 0 {
                return left == 0;
            }
            left &= !ends;
        }
    }

    /// Moves it to later events of a larger execution.
    pub fn shifted_into(&self, larger: &mut Relation, by: usize) {
        for (from, row) in self.rows.iter().enumerate() {
            larger.rows[from + by] |= row << by;
        }
    }
}
