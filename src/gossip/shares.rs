//! Who holds how much of a bounded place: when it is full, whoever holds most makes room.

use alloc::vec::Vec;

/// How many items each author has in a place.
#[derive(Debug, Default)]
pub(super) struct Shares(Vec<(u32, u32)>);

impl Shares {
    pub(super) fn add(&mut self, author: u32) {
        match self.0.iter_mut().find(|(known, _)| *known == author) {
            Some((_, count)) => *count += 1,
            None => self.0.push((author, 1)),
        }
    }

    pub(super) fn remove(&mut self, author: u32) {
        if let Some(at) = self.0.iter().position(|(known, _)| *known == author) {
            match self.0.get_mut(at) {
                Some((_, count)) if *count > 1 => *count -= 1,
                _ => drop(self.0.swap_remove(at)),
            }
        }
    }

    /// Who has most, if one item more of `author` is to come: of several with as much, `author` itself.
    pub(super) fn heaviest(&self, author: u32) -> u32 {
        let own = self.0.iter().find(|(known, _)| *known == author).map_or(0, |(_, count)| *count) + 1;
        let heaviest = self.0.iter().filter(|(known, _)| *known != author).max_by_key(|(_, count)| *count);
        heaviest.filter(|(_, count)| *count > own).map_or(author, |(other, _)| *other)
    }
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn who_has_most_makes_room_and_nobody_is_forgotten_or_kept() {
        let mut shares = Shares::default();
        [1, 1, 1, 2, 2, 3].into_iter().for_each(|author| shares.add(author));
        assert_eq!((shares.heaviest(1), shares.heaviest(2), shares.heaviest(3), shares.heaviest(4)), (1, 2, 1, 1));
        [1, 1, 1, 2].into_iter().for_each(|author| shares.remove(author));
        assert_eq!((shares.heaviest(4), shares.0.len()), (4, 2));
        [2, 3, 3].into_iter().for_each(|author| shares.remove(author));
        assert!(shares.0.is_empty());
    }
}
