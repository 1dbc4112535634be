//! What each processor of an order does, in the finished kernel: the instructions must follow each other there as the order has them.

use crate::accesses::Accesses;
use crate::barriers::Barriers;
use crate::code::Code;
use anyhow::Result;
use litmus::order::Order;
use std::collections::BTreeSet;
use std::path::Path;

/// A kernel in which orders are looked for.
pub struct Paths {
    barriers: Barriers,
    accesses: Accesses,
    code: Code,
}

impl Paths {
    /// Reads a kernel.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of(elf: &Path, orders: &[Order]) -> Result<Paths> {
        Ok(Paths {
            barriers: Barriers::of(elf)?,
            accesses: Accesses::of(elf, orders)?,
            code: Code::of(elf)?,
        })
    }

    /// The kernel's instructions that order something.
    pub fn barriers(&self) -> &Barriers {
        &self.barriers
    }

    /// The instructions themselves.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Where the instruction with that tag stands.
    ///
    /// # Errors
    /// No function has it.
    pub fn sites(&self, order: &Order, tag: &str) -> Result<BTreeSet<u64>> {
        let anchors = order.code.iter().filter(|anchor| anchor.tag == tag);
        let mut sites: BTreeSet<u64> = anchors.flat_map(|anchor| self.barriers.sites(anchor)).collect();
        for access in order.accesses.iter().filter(|access| access.tag == tag) {
            sites.extend(self.accesses.sites(access)?);
        }
        Ok(sites)
    }

    /// Steps of orders that do not follow each other, a line each; and how many were looked at.
    pub fn wrong(&self, orders: &[Order]) -> (Vec<String>, usize) {
        let mut wrong = Vec::new();
        let mut count = 0;
        for order in orders {
            for (first, then) in order.pairs() {
                count += 1;
                let reason = order
                    .apart
                    .iter()
                    .find(|(one, other, _)| one == first && other == then);
                match (self.apart(order, first, then), reason) {
                    (Ok(None), _) | (Ok(Some(Apart { can_follow: true, .. })), Some(_)) => {}
                    (Ok(Some(Apart { can_follow: false, .. })), _) => wrong.push(format!(
                        "order {}: {then} nowhere follows {first}: {}",
                        order.name, order.must
                    )),
                    (Ok(Some(Apart { without, alone, .. })), None) => wrong.push(format!(
                        "order {}: {then} at {without:#x} may run without {first} before it, and {first} at {alone:#x} without \
                         {then} behind it: {}",
                        order.name, order.must
                    )),
                    (Err(error), _) => wrong.push(format!("order {}: {error}", order.name)),
                }
            }
        }
        (wrong, count)
    }

    fn apart(&self, order: &Order, first: &str, then: &str) -> Result<Option<Apart>> {
        let (first, then) = (self.sites(order, first)?, self.sites(order, then)?);
        Ok(self.code.apart(&first, &then).map(|(without, alone)| Apart {
            without,
            alone,
            can_follow: self.code.can_follow(&first, &then),
        }))
    }
}

/// Two steps of which neither needs the other.
struct Apart {
    /// The second one, which can be come to without the first.
    without: u64,
    /// The first one, behind which the second need not come.
    alone: u64,
    /// Whether it can.
    can_follow: bool,
}
