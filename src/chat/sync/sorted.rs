//! Tags that are looked for among many.

use crate::wire::sync::item::{Tag, Tags};
use alloc::vec::Vec;

/// Tags in their order, each with its place in the frame: 48 and 16 bits of one number, so that the program sorts nothing
/// but numbers.
pub struct Sorted(Vec<u64>);

impl Sorted {
    /// Sorts the tags of a frame.
    pub fn new(tags: Tags<'_>) -> Self {
        let mut sorted: Vec<u64> =
            tags.iter().zip(0_u16..).map(|(tag, at)| (tag.number() << 16) | u64::from(at)).collect();
        sorted.sort_unstable();
        Self(sorted)
    }

    /// The place of a tag in the frame, if it is there; of one that is there twice, the first.
    pub fn find(&self, tag: Tag) -> Option<usize> {
        let at = self.0.partition_point(|known| known >> 16 < tag.number());
        let known = self.0.get(at).filter(|known| *known >> 16 == tag.number())?;
        Some(usize::from(*known as u16))
    }
}

const _: () = assert!(crate::wire::bounds::SYNC_TAGS_MAX <= 1 << 16);
