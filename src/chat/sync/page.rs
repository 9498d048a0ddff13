//! What one response brought to light, bounded.

use crate::wire::bounds::SYNC_TAGS_MAX;
use crate::wire::sync::frame::Span;
use crate::wire::sync::item::{Item, Tag};
use alloc::vec::Vec;

/// What each side lacks, newest first as far as is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Messages that we lack, by their tags; at most [`SYNC_TAGS_MAX`].
    pub need: Vec<Tag>,
    /// Where all those stand.
    pub span: Option<Span>,
    /// Messages of ours that the other side lacks; at most [`SYNC_TAGS_MAX`].
    pub have: Vec<Item>,
}

impl Page {
    /// Whether nobody lacks anything.
    pub fn is_empty(&self) -> bool {
        self.need.is_empty() && self.have.is_empty()
    }

    /// Whether so many more fit.
    pub fn fits(&self, need: usize, have: usize) -> bool {
        self.need.len() + need <= SYNC_TAGS_MAX && self.have.len() + have <= SYNC_TAGS_MAX
    }

    /// One more that we lack, between these bounds.
    pub(super) fn need(&mut self, tag: Tag, span: Span) {
        self.need.push(tag);
        self.span = Some(match self.span {
            // From the first on, down to the last.
            Some(before) => Span { upper: before.upper, lower: span.lower },
            None => span,
        });
    }
}
