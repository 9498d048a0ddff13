//! The side that answers. It keeps nothing of a session; what a question costs is bounded by its frame and by the index.

use super::library::Library;
use super::session;
use super::sorted::Sorted;
use super::view::{Items, View};
use crate::wire::bounds::SYNC_MESSAGE_BYTES_MAX;
use crate::wire::sync::error::NoRoom;
use crate::wire::sync::frame::{Question, Refusal, Request, Response, Span, put_message};
use crate::wire::sync::item::{Item, Tags};
use alloc::vec::Vec;

/// A response, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Served {
    /// The frame.
    pub bytes: Vec<u8>,
    /// Messages in it.
    pub messages: u64,
    /// Items that were looked at for it.
    pub looked_at: u64,
    /// Whether it says that both sides have the same.
    pub same: bool,
}

/// A refusal.
pub fn refuse(refusal: Refusal) -> Served {
    let mut bytes = alloc::vec![0; 4];
    let used = Response::refused(&mut bytes, refusal).unwrap_or_default();
    bytes.truncate(used);
    Served { bytes, ..Served::default() }
}

/// The answer to a `Give`.
pub fn taken(looked_at: u16, refused: u16) -> Vec<u8> {
    let mut bytes = alloc::vec![0; 8];
    let used = Response::taken(&mut bytes, looked_at, refused.min(looked_at)).unwrap_or_default();
    bytes.truncate(used);
    bytes
}

/// Answers a comparison; `None` if it makes no sense.
pub fn compare<L: Library>(library: &L, request: &Request<'_>) -> Option<Served> {
    let Request::Compare { question, .. } = request else { return None };
    let Some(items) = library.items(question.topic) else { return Some(refuse(Refusal::UnknownRoom)) };
    let mut bytes = alloc::vec![0; question.limit];
    let (used, same) = session::answer(items, request, &mut bytes).ok()?;
    bytes.truncate(used);
    bytes.shrink_to_fit();
    Some(Served { bytes, messages: 0, looked_at: items.count() as u64, same })
}

/// Hands out what was asked for, at most so many messages and bytes of them: as many as fit, in the order asked for.
pub fn fetch<L: Library>(
    library: &mut L,
    question: &Question<'_>,
    span: Span,
    tags: Tags<'_>,
    messages_max: u64,
    bytes_max: u64,
) -> Result<Served, NoRoom> {
    let Some(items) = library.items(question.topic) else { return Ok(refuse(Refusal::UnknownRoom)) };
    let (wanted, looked_at) = find(items, question, span, tags);
    let mut bytes = alloc::vec![0; question.limit];
    // The number of answers stands in front of them: its place is kept for the largest one.
    let begun = Response::begin_messages(&mut bytes, u16::MAX)?;
    let (mut used, mut answered, mut messages) = (begun, 0, 0);
    let mut message = Vec::with_capacity(SYNC_MESSAGE_BYTES_MAX);
    for item in wanted {
        message.clear();
        let there = item.is_some_and(|item| library.message(question.topic, &item, &mut message));
        if there && !message.is_empty() && message.len() <= SYNC_MESSAGE_BYTES_MAX {
            let spent = (used - begun + message.len()) as u64;
            if messages >= messages_max || spent > bytes_max && messages > 0 {
                break;
            }
            match put_message(&mut bytes, used, &message) {
                Ok(more) => used = more,
                Err(NoRoom) => break,
            }
            messages += 1;
        }
        answered += 1;
    }
    let mut head = [0; 4];
    let length = Response::begin_messages(&mut head, answered)?;
    let mut frame = Vec::with_capacity(length + used - begun);
    frame.extend_from_slice(head.get(..length).unwrap_or_default());
    frame.extend_from_slice(bytes.get(begun..used).unwrap_or_default());
    Ok(Served { bytes: frame, messages, looked_at, same: false })
}

/// The items that have these tags, in their order, and how many were looked at: the index is gone through once, within the
/// span.
fn find<I: Items + ?Sized>(items: &I, question: &Question<'_>, span: Span, tags: Tags<'_>) -> (Vec<Option<Item>>, u64) {
    let view = View::new(items, 0, question.key);
    let from = span.upper.map_or(0, |upper| view.place(&upper));
    let to = span.lower.map_or(view.count(), |lower| view.place(&lower)).max(from);
    let sorted = Sorted::new(tags);
    let mut found = alloc::vec![None; tags.len()];
    for (at, tag) in (from..to).zip(view.tags(from..to)) {
        if let Some(place) = sorted.find(tag).and_then(|asked| found.get_mut(asked)) {
            *place = view.item(at).filter(|_| view.holds(at));
        }
    }
    (found, (to - from) as u64)
}
