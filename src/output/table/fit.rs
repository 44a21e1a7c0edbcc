//! Which columns a line has room for, and how wide each of them is.

use crate::output::document::Weight;

/// Between two columns.
pub const GAP: usize = 2;

/// A text is not cut shorter than this while a less important column could go instead.
const READABLE: usize = 20;

/// A name is not cut shorter than this while a word of the program could be cut instead.
const RECOGNISABLE: usize = 8;

/// A text is never cut shorter than this.
const SHORTEST: usize = 4;

/// What a column would like.
pub struct Wish {
    /// What its widest cell takes.
    pub natural: usize,
    /// What suffices while there are columns that matter less.
    pub least: usize,
    pub at_worst: AtWorst,
    pub weight: Weight,
}

/// Whether a column can have less than what suffices if there is no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtWorst {
    Never,
    /// When all names are hardly recognisable.
    Late,
    Early,
}

impl Wish {
    /// Of numbers and whatever else makes no sense in part.
    pub fn rigid(natural: usize, weight: Weight) -> Wish {
        Wish {
            natural,
            least: natural,
            at_worst: AtWorst::Never,
            weight,
        }
    }

    fn shortest(&self) -> usize {
        match self.at_worst {
            AtWorst::Never => self.least,
            AtWorst::Early | AtWorst::Late => self.least.min(SHORTEST),
        }
    }

    /// Of texts that can be cut or folded below a heading.
    pub fn of_texts(natural: usize, heading: usize, weight: Weight) -> Wish {
        Wish {
            natural,
            least: natural.min(READABLE.max(heading)),
            at_worst: AtWorst::Early,
            weight,
        }
    }
}

/// The width of each column; `None`: left out. Lines are longer than `room` only if it has no room for one column.
pub fn fit(wishes: &[Wish], room: Option<usize>) -> Vec<Option<usize>> {
    let Some(room) = room else {
        return wishes.iter().map(|wish| Some(wish.natural)).collect();
    };
    let mut by_weight: Vec<usize> = (0..wishes.len()).collect();
    by_weight.sort_by_key(|place| wishes[*place].weight);
    let mut kept = vec![false; wishes.len()];
    let (mut taken, mut shortest) = (0, 0);
    for place in by_weight {
        let wish = &wishes[place];
        let gap = if taken == 0 { 0 } else { GAP };
        let has_room = match wish.weight {
            // Others make room for it.
            Weight::Key => shortest + gap + wish.shortest() <= room,
            Weight::Plain | Weight::Detail => taken + gap + wish.least <= room,
        };
        // Something has to be shown.
        if has_room || taken == 0 {
            taken += gap + wish.least;
            shortest += gap + wish.shortest();
            kept[place] = true;
        }
    }
    let has_room = taken <= room;
    let width = |wish: &Wish, level: Level| match (has_room, wish.at_worst) {
        // Columns share what room there is: none is cut while a longer one is not.
        (true, _) => level.names.clamp(wish.least, wish.natural),
        (false, AtWorst::Early) => wish.least.min(level.names),
        (false, AtWorst::Late) => wish.least.min(level.words),
        (false, AtWorst::Never) => wish.least,
    };
    let stay = || wishes.iter().zip(&kept).filter(|(_, kept)| **kept);
    let gaps = GAP * stay().count().saturating_sub(1);
    let fits = |level: &Level| {
        let widths = stay().map(|(wish, _)| width(wish, *level));
        widths.sum::<usize>() + gaps <= room
    };
    let level = levels(room).find(fits).unwrap_or(Level {
        names: SHORTEST,
        words: SHORTEST,
    });
    wishes
        .iter()
        .zip(&kept)
        .map(|(wish, kept)| kept.then(|| width(wish, level)))
        .collect()
}

/// How wide texts may be: names, and words of the program.
#[derive(Clone, Copy)]
struct Level {
    names: usize,
    words: usize,
}

/// From plenty to next to nothing.
fn levels(room: usize) -> impl Iterator<Item = Level> {
    let down = |from: usize, to: usize| (to..=from).rev();
    let names = down(room, RECOGNISABLE).map(move |names| Level { names, words: room });
    let words = down(room, RECOGNISABLE).map(|words| Level {
        names: RECOGNISABLE,
        words,
    });
    let both = down(RECOGNISABLE, SHORTEST).map(|all| Level {
        names: all,
        words: all,
    });
    names.chain(words).chain(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(wishes: &[Wish], room: usize) -> Vec<Option<usize>> {
        fit(wishes, Some(room))
    }

    /// A name of 30, a number, and two that matter less.
    fn wishes() -> [Wish; 4] {
        [
            Wish::of_texts(30, 7, Weight::Key),
            Wish::rigid(10, Weight::Detail),
            Wish::rigid(10, Weight::Plain),
            Wish::rigid(10, Weight::Key),
        ]
    }

    #[test]
    fn the_least_important_columns_go_first() {
        let all = [Some(30), Some(10), Some(10), Some(10)];
        assert_eq!(fit(&wishes(), None), all);
        assert_eq!(widths(&wishes(), 66), all);
        assert_eq!(
            widths(&wishes(), 65),
            [Some(29), Some(10), Some(10), Some(10)]
        );
        // 20 of the name are 56 in all.
        assert_eq!(
            widths(&wishes(), 56),
            [Some(20), Some(10), Some(10), Some(10)]
        );
        assert_eq!(widths(&wishes(), 55), [Some(30), None, Some(10), Some(10)]);
        assert_eq!(widths(&wishes(), 43), [Some(30), None, None, Some(10)]);
    }

    #[test]
    fn what_stays_is_cut_at_worst() {
        assert_eq!(widths(&wishes(), 31), [Some(19), None, None, Some(10)]);
        assert_eq!(widths(&wishes(), 16), [Some(4), None, None, Some(10)]);
        assert_eq!(widths(&wishes(), 15), [Some(15), None, None, None]);
        assert_eq!(widths(&wishes(), 1), [Some(4), None, None, None]);
        let words = Wish {
            at_worst: AtWorst::Late,
            ..Wish::rigid(33, Weight::Key)
        };
        let both = [Wish::of_texts(30, 7, Weight::Key), words];
        for (room, expected) in [
            (65, [30, 33]),
            (50, [15, 33]),
            (43, [8, 33]),
            (42, [8, 32]),
            (13, [5, 5]),
        ] {
            assert_eq!(widths(&both, room), expected.map(Some));
        }
        let plain = [
            Wish::rigid(10, Weight::Plain),
            Wish::rigid(9, Weight::Plain),
        ];
        assert_eq!(widths(&plain, 5), [Some(10), None]);
        assert_eq!(widths(&[], 80), []);
    }

    #[test]
    fn long_texts_share_the_room() {
        let wishes = [
            Wish::of_texts(25, 7, Weight::Key),
            Wish::of_texts(200, 7, Weight::Key),
            Wish::of_texts(90, 7, Weight::Key),
        ];
        assert_eq!(widths(&wishes, 99), [Some(25), Some(35), Some(35)]);
        assert_eq!(widths(&wishes, 34), [Some(10), Some(10), Some(10)]);
    }
}
