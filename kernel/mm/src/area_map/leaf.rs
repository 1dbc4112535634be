//! What is done with the areas of one leaf, which is the whole tree of most processes.

use super::node::first_area_ending_after;
use crate::addr::VirtAddr;
use crate::area::Area;
use crate::fallible::reserve;
use crate::frames::NoMemory;
use alloc::vec::Vec;

/// Adds an area where there is none, joined with its neighbours where they are the same. The leaf has a place free; `guess` is that
/// where it is likely to belong.
#[inline]
pub(super) fn insert_into_leaf(areas: &mut Vec<Area>, guess: usize, area: Area) -> Result<(), NoMemory> {
    let at = place_for(areas, guess, area.range.start());
    let (before, after) = areas.split_at_mut(at);
    let (before, after) = (before.last_mut(), after.first_mut());
    let joins_after = after.as_ref().is_some_and(|after| area.continues_with(after));
    match (before.filter(|before| before.continues_with(&area)), after) {
        (Some(before), Some(after)) if joins_after => {
            before.range = before.range.joined(after.range);
            areas.remove(at);
        }
        (Some(before), _) => before.range = before.range.joined(area.range),
        (None, Some(after)) if joins_after => {
            after.range = area.range.joined(after.range);
            after.backing = area.backing;
        }
        _ => {
            reserve(areas, 1)?;
            // Said to the compiler: `insert` grows nothing.
            if areas.len() == areas.capacity() {
                return Err(NoMemory);
            }
            areas.insert(at, area);
        }
    }
    Ok(())
}

/// Index of the first area that ends behind `start`: `guess`, if it is that one.
#[inline(always)]
fn place_for(areas: &[Area], guess: usize, start: VirtAddr) -> usize {
    let is_above = |area: Option<&Area>| area.is_none_or(|area| area.range.end() > start);
    let is_below = |last: Option<usize>| last.is_none_or(|last| areas[last].range.end() <= start);
    if guess <= areas.len() && is_above(areas.get(guess)) && is_below(guess.checked_sub(1)) {
        guess
    } else {
        first_area_ending_after(areas, start)
    }
}

/// The area at `guess`, if it holds `address`.
#[inline]
pub(super) fn find_here(areas: &[Area], guess: usize, address: VirtAddr) -> Option<(usize, &Area)> {
    let area = areas.get(guess)?;
    area.range.contains(address).then_some((guess, area))
}

/// The area that holds `address`, and its place; `guess` is a place where it is likely to be.
pub(super) fn find_in_leaf(areas: &[Area], guess: usize, address: VirtAddr) -> Option<(usize, &Area)> {
    find_here(areas, guess, address)
        .or_else(|| find_here(areas, first_area_ending_after(areas, address), address))
}
