//! The order of a listing, which the query of its URL selects.

use std::cmp::Ordering;

use url::form_urlencoded;

/// The key and the direction of sorting; by default by name, ascending. Directories come before files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) by: SortBy,
    pub(super) direction: Direction,
}

/// The key of sorting. Entries with equal keys are sorted by name, ascending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Name,
    Size,
    Date,
}

/// The direction of sorting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Direction {
    #[default]
    Ascending,
    Descending,
}

impl Order {
    /// Reads `sort=name|size|date` and `order=asc|desc`; ignores everything else.
    #[must_use]
    pub(super) fn from_query(query: &[u8]) -> Self {
        let mut order = Self::default();
        for (key, value) in form_urlencoded::parse(query) {
            match (&*key, &*value) {
                ("sort", "name") => order.by = SortBy::Name,
                ("sort", "size") => order.by = SortBy::Size,
                ("sort", "date") => order.by = SortBy::Date,
                ("order", "asc") => order.direction = Direction::Ascending,
                ("order", "desc") => order.direction = Direction::Descending,
                _ => {}
            }
        }
        order
    }

    /// The order that a column's heading selects: reversed if it is the current key, else by name
    /// ascending, by size or date descending.
    pub(super) fn after_choosing(self, column: SortBy) -> Self {
        let direction = match (self.direction, column) {
            (Direction::Ascending, _) if self.by == column => Direction::Descending,
            (Direction::Descending, _) if self.by == column => Direction::Ascending,
            (_, SortBy::Name) => Direction::Ascending,
            (_, SortBy::Size | SortBy::Date) => Direction::Descending,
        };
        Self { by: column, direction }
    }
}

impl SortBy {
    /// The value of `sort` in a query.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Size => "size",
            Self::Date => "date",
        }
    }
}

impl Direction {
    /// The value of `order` in a query.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Ascending => "asc",
            Self::Descending => "desc",
        }
    }
}

/// Compares names in natural order: `file2` before `file10`, `a` beside `A`. Names that differ never
/// compare as equal.
pub(super) fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let (number_a, number_b) = (leading_digits(rest_a), leading_digits(rest_b));
        let (ordering, lengths) = if number_a.is_empty() || number_b.is_empty() {
            match (rest_a.first(), rest_b.first()) {
                (Some(x), Some(y)) => (x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase()), (1, 1)),
                (None, None) => return a.cmp(b),
                (x, y) => return x.is_some().cmp(&y.is_some()),
            }
        } else {
            let (value_a, value_b) = (without_zeros(number_a), without_zeros(number_b));
            let ordering = value_a.len().cmp(&value_b.len()).then_with(|| value_a.cmp(value_b));
            (ordering, (number_a.len(), number_b.len()))
        };
        if ordering.is_ne() {
            return ordering;
        }
        (rest_a, rest_b) = (&rest_a[lengths.0..], &rest_b[lengths.1..]);
    }
}

fn leading_digits(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len());
    &bytes[..end]
}

fn without_zeros(digits: &[u8]) -> &[u8] {
    let start = digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    &digits[start..]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_query_selects_the_order() {
        use Direction::{Ascending, Descending};
        use SortBy::{Date, Name, Size};
        for (query, by, direction) in [
            ("", Name, Ascending),
            ("sort=size", Size, Ascending),
            ("sort=date&order=desc", Date, Descending),
            ("order=desc", Name, Descending),
            ("a=b&sort=size&&order=asc&c", Size, Ascending),
            ("sort=%73ize", Size, Ascending),
            ("sort=colour&order=up", Name, Ascending),
            ("sort=size&sort=date", Date, Ascending),
            ("%ff=%&=", Name, Ascending),
        ] {
            assert_eq!(Order::from_query(query.as_bytes()), Order { by, direction }, "{query:?}");
        }
    }

    #[test]
    fn the_order_of_a_heading_is_parsed_back() {
        let order = Order::default();
        let reversed = order.after_choosing(SortBy::Name);
        assert_eq!(reversed.direction, Direction::Descending);
        assert_eq!(reversed.after_choosing(SortBy::Name), order);
        for column in [SortBy::Name, SortBy::Size, SortBy::Date] {
            let chosen = order.after_choosing(column);
            assert_eq!(chosen.by, column);
            let query = format!("sort={}&order={}", chosen.by.token(), chosen.direction.token());
            assert_eq!(Order::from_query(query.as_bytes()), chosen);
        }
    }

    #[test]
    fn a_heading_reverses_its_own_order_and_no_other() {
        use Direction::{Ascending, Descending};
        use SortBy::{Date, Name, Size};
        for (by, direction, column, expected) in [
            (Name, Ascending, Name, Descending),
            (Name, Descending, Name, Ascending),
            (Size, Ascending, Size, Descending),
            (Size, Descending, Size, Ascending),
            (Name, Ascending, Size, Descending),
            (Name, Descending, Date, Descending),
            (Size, Ascending, Name, Ascending),
            (Date, Descending, Name, Ascending),
            (Date, Descending, Size, Descending),
        ] {
            let chosen = Order { by, direction }.after_choosing(column);
            assert_eq!(chosen, Order { by: column, direction: expected }, "{by:?} {direction:?}");
        }
    }

    #[test]
    fn names_are_compared_in_natural_order() {
        let sorted = [
            "", "1", "1a", "01b", "2", "10", "A", "a", "a b", "a1b", "a01c", "a2", "B", "c",
            "\u{e4}",
        ];
        for (index, a) in sorted.iter().enumerate() {
            for (other, b) in sorted.iter().enumerate() {
                let ordering = compare_names(a.as_bytes(), b.as_bytes());
                assert_eq!(ordering, index.cmp(&other), "{a:?} to {b:?}");
            }
        }
    }

    proptest! {
        /// A sort may panic if its comparison is not a total order.
        #[test]
        fn the_order_of_names_is_total(a in "[aAb019]{0,5}", b in "[aAb019]{0,5}", c in "[aAb019]{0,5}") {
            let compare = |x: &str, y: &str| compare_names(x.as_bytes(), y.as_bytes());
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
            prop_assert_eq!(compare(&a, &b).is_eq(), a == b);
            if compare(&a, &b).is_le() && compare(&b, &c).is_le() {
                prop_assert!(compare(&a, &c).is_le());
            }
        }
    }
}
