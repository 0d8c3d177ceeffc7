//! The last lines of the past, of all sources together.

use std::collections::VecDeque;

/// Keeps the last items of many.
#[derive(Debug)]
pub(super) struct Tail<T> {
    kept: VecDeque<T>,
    most: usize,
}

impl<T> Tail<T> {
    /// Keeps so many.
    pub(super) const fn new(most: usize) -> Self {
        Self { kept: VecDeque::new(), most }
    }

    /// Takes the next; the oldest goes when there are too many.
    pub(super) fn push(&mut self, item: T) {
        if self.most == 0 {
            return;
        }
        if self.kept.len() == self.most {
            self.kept.pop_front();
        }
        self.kept.push_back(item);
    }
}

impl<T> IntoIterator for Tail<T> {
    type Item = T;
    type IntoIter = std::collections::vec_deque::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_stay_in_order() {
        for (most, wanted) in [(0, vec![]), (2, vec![4, 5]), (9, vec![1, 2, 3, 4, 5])] {
            let mut tail = Tail::new(most);
            (1..=5).for_each(|item| tail.push(item));
            assert_eq!(tail.into_iter().collect::<Vec<_>>(), wanted);
        }
    }
}
