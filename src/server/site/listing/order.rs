//! The order of a listing: what the query of its address asks for.

use std::cmp::Ordering;

use url::form_urlencoded;

/// By what a listing is sorted, and which way; by name from the first on unless asked otherwise.
/// Directories always come before files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub by: SortBy,
    pub direction: Direction,
}

/// By what a listing is sorted. Among equals the names decide, from the first on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SortBy {
    #[default]
    Name,
    Size,
    Date,
}

/// Which way a listing is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Direction {
    #[default]
    Ascending,
    Descending,
}

impl Order {
    /// Reads `sort=name|size|date` and `order=asc|desc`; anything else is not minded.
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

    /// What a column's heading asks for: the other way if it is sorted by that already,
    /// else names from the first on, the largest and the latest on top.
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

/// As a person sorts names: `file2` before `file10`, `a` beside `A`. Names that differ never compare
/// as equal.
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
    fn the_query_names_the_order() {
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
    fn what_a_heading_asks_for_is_read_back() {
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
    fn names_are_compared_as_a_person_does() {
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
        /// A comparison that is none makes a sort panic.
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
