//! Comparing ranges: the same step on both sides, and nothing to remember between two steps.
//!
//! Each range of a frame is answered by the next frame: equal prints by silence, others by prints of its parts, by a list
//! of what is there, or by the difference to the list that came. Few messages are listed, and so are many where the
//! other side has hardly any of them; where it has far more, it is the one to list. What does not fit into a frame is
//! covered by one print of all the rest, so that a frame always speaks of everything and the next one goes on there.

use super::page::Page;
use super::sorted::Sorted;
use super::view::{Items, View};
use crate::wire::bounds::{SYNC_FRAME_BYTES_MIN, SYNC_TAG_BYTES, SYNC_TAGS_MAX};
use crate::wire::sync::error::NoRoom;
use crate::wire::sync::frame::Span;
use crate::wire::sync::item::{Item, Print, Tag, Tags};
use crate::wire::sync::range::{Body, Ranges, RangesWriter};
use alloc::vec::Vec;
use core::ops::Range;

/// Messages that are listed rather than split, at most: a list costs 6 bytes each, a further print some 13. Measured: see
/// `benches/sync`.
const LIST_COUNT_MAX: usize = 24;
/// Parts that a range is split into, at most. Measured likewise.
const PARTS_COUNT_MAX: usize = 16;
/// Messages in a part, about: so many are listed if they differ.
const PART_COUNT: usize = 7;
/// Messages in the first range of all: the newest, of which some are most often new.
const NEWEST_COUNT: usize = 16;
/// How many times as many the next range has as the one before.
const GROWTH: usize = 4;

/// Why a comparison is over before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// A difference to a list that was never sent, or anything else that does not answer.
    #[error("the ranges are no answer")]
    NoAnswer,
    /// The frame has no room for even the shortest answer.
    #[error("{0}")]
    NoRoom(#[from] NoRoom),
}

/// How a comparison begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// By one print of everything: the fewest bytes where nothing is new.
    Digest,
    /// By prints of the newest messages and of ever larger parts of the older ones: the fewest rounds where something is.
    Newest,
}

/// What is told of a range stops here, for want of room: this many messages are spoken of.
struct Stop(usize);

/// Writes the first ranges of all. Bytes of the frame.
pub fn open<I: Items + ?Sized>(
    view: &View<'_, I>,
    opening: Opening,
    mut writer: RangesWriter<'_>,
) -> Result<usize, NoRoom> {
    let mut from = 0;
    if opening == Opening::Newest {
        for to in newest_first(view.count()) {
            writer.print(view.bound(to), view.print(from..to))?;
            from = to;
        }
    }
    writer.finish(Some(view.print(from..view.count())))
}

/// Where the parts of so many messages end, all but the last: few of the newest, ever more of the older ones.
fn newest_first(count: usize) -> impl Iterator<Item = usize> {
    let sizes = core::iter::successors(Some(NEWEST_COUNT), |size| size.checked_mul(GROWTH));
    sizes
        .scan(0, |to: &mut usize, size| {
            *to = to.saturating_add(size);
            Some(*to)
        })
        .take_while(move |to| *to < count)
}

/// Answers ranges as the side that keeps nothing. Bytes of the frame.
pub fn answer<I: Items + ?Sized>(
    view: &View<'_, I>,
    ranges: Ranges<'_>,
    mut writer: RangesWriter<'_>,
) -> Result<usize, CompareError> {
    let mut lower = 0;
    for range in ranges {
        let upper = range.end.map_or(view.count(), |end| view.place(&end)).max(lower);
        let told = match range.body {
            Body::Same => {
                writer.same(range.end);
                Ok(())
            }
            Body::Print(print) => answer_print(view, lower..upper, range.end, print, &mut writer).map(|_| ()),
            Body::List(tags) => difference(view, lower..upper, range.end, tags, &mut writer),
            Body::Difference { .. } => return Err(CompareError::NoAnswer),
        };
        if let Err(Stop(at)) = told {
            return Ok(writer.finish(Some(view.print(at..view.count())))?);
        }
        lower = upper;
    }
    Ok(writer.finish(None)?)
}

/// Takes what the other side answered: the differences into `page`, what is still open into the next frame. Bytes of
/// that; `None` if nothing is open any more.
pub fn advance<I: Items + ?Sized>(
    view: &View<'_, I>,
    ranges: Ranges<'_>,
    page: &mut Page,
    mut writer: RangesWriter<'_>,
) -> Result<Option<usize>, CompareError> {
    let (mut lower, mut above, mut open) = (0, None, false);
    for range in ranges {
        let upper = range.end.map_or(view.count(), |end| view.place(&end)).max(lower);
        let span = Span { upper: above, lower: range.end };
        let theirs = match range.body {
            Body::Same => None,
            Body::Print(print) => {
                match answer_print(view, lower..upper, range.end, print, &mut writer) {
                    Ok(told) => open |= told,
                    Err(Stop(at)) => return Ok(Some(writer.finish(Some(view.print(at..view.count())))?)),
                }
                (lower, above) = (upper, range.end);
                continue;
            }
            Body::List(tags) => Some(Theirs { of_mine: tags, lists: true, only: tags }),
            Body::Difference { lacks, extra } => Some(Theirs { of_mine: lacks, lists: false, only: extra }),
        };
        if let Some(theirs) = theirs
            && let Err(Stop(at)) = take(view, lower..upper, span, page, &theirs)
        {
            if at > lower {
                writer.same(view.bound(at));
            }
            return Ok(Some(writer.finish(Some(view.print(at..view.count())))?));
        }
        writer.same(range.end);
        (lower, above) = (upper, range.end);
    }
    let used = writer.finish(None)?;
    Ok(open.then_some(used))
}

/// What the other side says of a range.
struct Theirs<'a> {
    /// Messages of ours that it has (where it lists its own), or that it lacks.
    of_mine: Tags<'a>,
    lists: bool,
    /// Messages that it has; of a list, some of them ours too.
    only: Tags<'a>,
}

/// Tags of which some are met.
struct Met {
    sorted: Sorted,
    met: Vec<bool>,
}

impl Met {
    fn new(tags: Tags<'_>) -> Self {
        Self { sorted: Sorted::new(tags), met: alloc::vec![false; tags.len()] }
    }

    /// Takes note of a tag; whether it is one of these.
    fn meet(&mut self, tag: Tag) -> bool {
        let place = self.sorted.find(tag).and_then(|at| self.met.get_mut(at));
        place.map(|met| *met = true).is_some()
    }

    fn was_met(&self, tag: Tag) -> bool {
        self.sorted.find(tag).and_then(|at| self.met.get(at)).is_some_and(|met| *met)
    }
}

/// Puts the differences of a range on the page.
fn take<I: Items + ?Sized>(
    view: &View<'_, I>,
    places: Range<usize>,
    span: Span,
    page: &mut Page,
    theirs: &Theirs<'_>,
) -> Result<(), Stop> {
    let have_most = if theirs.lists { places.len() } else { theirs.of_mine.len().min(places.len()) };
    // What does not fit for sure begins the next page, rather than half of it end this one.
    if !page.is_empty() && !page.fits(theirs.only.len(), have_most) {
        return Err(Stop(places.start));
    }
    let (mut of_mine, mut only) = (Met::new(theirs.of_mine), Met::new(theirs.only));
    let mut told = Ok(());
    for (at, tag) in places.clone().zip(view.tags(places)) {
        only.meet(tag);
        // Beyond a full page only what they have is looked at, so that nothing is asked for that is here.
        if of_mine.meet(tag) != theirs.lists && view.holds(at) && told.is_ok() {
            if page.fits(0, 1) {
                page.have.extend(view.item(at));
            } else {
                told = Err(Stop(at));
            }
        }
    }
    for tag in theirs.only.iter().filter(|tag| !only.was_met(*tag)) {
        page.need(tag, span);
    }
    told
}

/// Says of a range what there is to say once the other side's print is known; whether that is anything.
fn answer_print<I: Items + ?Sized>(
    view: &View<'_, I>,
    places: Range<usize>,
    end: Option<Item>,
    theirs: Print,
    writer: &mut RangesWriter<'_>,
) -> Result<bool, Stop> {
    let mine = view.print(places.clone());
    if mine == theirs {
        writer.same(end);
        return Ok(false);
    }
    let (count, their_count) = (places.len(), theirs.count as usize);
    if count <= LIST_COUNT_MAX || their_count <= count / 2 {
        return list(view, places, end, writer).map(|()| true);
    }
    let parts = if count <= their_count / 2 { 1 } else { (count / PART_COUNT).clamp(2, PARTS_COUNT_MAX) };
    // Everything from the newest on is not cut evenly: most often only the newest ones differ.
    let whole = if places.start == 0 && parts == PARTS_COUNT_MAX { count } else { 0 };
    let evenly = (1..parts).map(|part| count * part / parts).filter(|_| whole == 0);
    let mut from = places.start;
    for to in evenly.chain(newest_first(whole)).map(|to| places.start + to) {
        writer.print(view.bound(to), view.print(from..to)).map_err(|NoRoom| Stop(from))?;
        from = to;
    }
    writer.print(end, view.print(from..places.end)).map_err(|NoRoom| Stop(from))?;
    Ok(true)
}

/// Lists a range, or as much of it as there is room for.
fn list<I: Items + ?Sized>(
    view: &View<'_, I>,
    places: Range<usize>,
    end: Option<Item>,
    writer: &mut RangesWriter<'_>,
) -> Result<(), Stop> {
    let fits = writer.tags_max().min(SYNC_TAGS_MAX);
    let (to, bound) = if places.len() <= fits {
        (places.end, end)
    } else {
        let to = places.start + fits;
        (to, view.bound(to))
    };
    if to == places.start && !places.is_empty() {
        return Err(Stop(to));
    }
    let tags: Vec<Tag> = view.tags(places.start..to).collect();
    writer.list(bound, tags.into_iter()).map_err(|NoRoom| Stop(places.start))?;
    if to == places.end { Ok(()) } else { Err(Stop(to)) }
}

/// Says how a range differs from the other side's list of it, as far as there is room.
fn difference<I: Items + ?Sized>(
    view: &View<'_, I>,
    places: Range<usize>,
    end: Option<Item>,
    theirs: Tags<'_>,
    writer: &mut RangesWriter<'_>,
) -> Result<(), Stop> {
    // The longest list leaves room for some more in the smallest frame, so that the next frame gets on.
    const { assert!((SYNC_FRAME_BYTES_MIN - 512) / SYNC_TAG_BYTES > SYNC_TAGS_MAX) };
    let fits = writer.tags_max().checked_sub(theirs.len()).ok_or(Stop(places.start))?.min(SYNC_TAGS_MAX);
    let mut met = Met::new(theirs);
    let (mut extra, mut to) = (Vec::new(), places.end);
    for (at, tag) in places.clone().zip(view.tags(places.clone())) {
        if met.meet(tag) {
            continue;
        }
        if extra.len() == fits {
            to = at;
            break;
        }
        extra.push(tag);
    }
    if to == places.start && !places.is_empty() {
        return Err(Stop(to));
    }
    let lacks: Vec<Tag> = theirs.iter().filter(|tag| !met.was_met(*tag)).collect();
    let bound = if to == places.end { end } else { view.bound(to) };
    if lacks.is_empty() && extra.is_empty() {
        writer.same(bound);
    } else {
        writer.difference(bound, lacks.into_iter(), extra.into_iter()).map_err(|NoRoom| Stop(places.start))?;
    }
    if to == places.end { Ok(()) } else { Err(Stop(to)) }
}
