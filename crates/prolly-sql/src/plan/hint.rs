//! Hints: which rows of a table an occurrence of its name in a plan needs, carried in the name itself.
//!
//! ```text
//! name    = table [ 01 hint ]
//! hint    = purpose [ '<' ] [ 'n' | 'y' number ] [ 'C' ] [ 'F' ] [ 'L' ] [ '@' ranges | '#' number ':' ranges ]
//! purpose = 'r' read | 'i' insert | 'u' update | 'd' delete
//! ranges  = [ range { ',' range } ]
//! range   = hex | [ hex ] '-' [ hex ]
//! ```
//!
//! So a hint is of one occurrence, not of a table: self-joins and subqueries have their own, and nothing has to be cleared.
//!
//! **Invariant:** what a hint names is a superset of the rows that the statement needs, and conditions are checked again, unless
//! the hint asks for a [`Summary`]. A name that a user typed has no hint: the parser refuses the character.

use std::fmt::Write as _;

use gluesql_core::{
    ast::{ColumnDef, ColumnUniqueOption, DataType},
    data::Schema,
};

use super::{
    order_of,
    ranges::{BEYOND, KeyRange, KeyRanges},
};
use crate::{Error, Result, table::Table};

pub(crate) use crate::statement::HINT_MARK as MARK;

/// A table as an occurrence in a plan names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    /// The name of the table; empty for the table of one row and no columns.
    pub(crate) table: &'a str,
    pub(crate) hint: Hint,
}

/// What an occurrence of a table is there for, and which of its rows it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) purpose: Purpose,
    /// Rows are wanted in descending order of the key, or of the index.
    pub(crate) reverse: bool,
    pub(crate) lookup: Lookup,
    /// Not rows are wanted but one that describes them. The hint names exactly the rows that count.
    pub(crate) summary: Option<Summary>,
    pub(crate) access: Access,
}

/// What a statement does with a table, which says who checks its constraints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// No hint: GlueSQL checks constraints by scanning.
    #[default]
    Unknown,
    /// Rows are read, their keys are not needed.
    Read,
    /// Rows are added: the storage makes their keys and checks that they are new, and `UNIQUE` columns.
    Insert,
    /// Rows are read with their keys and then replaced: the storage checks `UNIQUE` columns.
    Update,
    /// Rows are read with their keys and then deleted: the storage checks that nothing refers to them.
    Delete,
}

/// What a row is fetched by, where the plan says that it is fetched by its primary key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The primary key, which is never `NULL`.
    #[default]
    Key,
    /// The primary key, or `NULL`, which is no row's.
    NullableKey,
    /// The `UNIQUE` column at this position, or `NULL`, which is no row's.
    Unique(usize),
}

/// What to say about rows instead of reading them all: a table of the columns [`Summary::COLUMNS`] with one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many they are.
    pub(crate) count: bool,
    /// The first column of the key in the first of them.
    pub(crate) first: bool,
    /// The first column of the key in the last of them.
    pub(crate) last: bool,
}

impl Summary {
    pub(crate) const COLUMNS: [&'static str; 3] = ["count", "first", "last"];
}

/// Which rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Access {
    /// All.
    #[default]
    All,
    /// Those whose encoded keys are in a set.
    Keys(KeyRanges),
    /// Those whose entries in an index, by its position in the table, are in a set.
    Index(usize, KeyRanges),
}

impl<'a> Source<'a> {
    /// Takes a name apart.
    ///
    /// # Errors
    /// When the hint in it is none that [`Hint::name`] writes.
    pub(crate) fn parse(name: &'a str) -> Result<Self> {
        match name.split_once(MARK) {
            None => Ok(Self { table: name, hint: Hint::default() }),
            Some((table, text)) => {
                let hint = Reader(text.as_bytes()).hint().ok_or_else(|| refused(name))?;
                Ok(Self { table, hint })
            }
        }
    }

    /// Whether it is the table of one row and no columns.
    pub(crate) fn is_one_row(&self) -> bool {
        self.table.is_empty() && self.hint.purpose == Purpose::Read
    }
}

fn refused(name: &str) -> Error {
    Error::Refused(format!("{name:?} is no table's name"))
}

/// The name of the table of one row and no columns.
pub(super) fn one_row() -> String {
    Hint { purpose: Purpose::Read, ..Hint::default() }.name("")
}

impl Hint {
    /// The table of one row and no columns.
    pub(crate) fn one_row_schema() -> Schema {
        Schema {
            table_name: String::new(),
            column_defs: Some(Vec::new()),
            indexes: Vec::new(),
            engine: None,
            foreign_keys: Vec::new(),
            comment: None,
        }
    }

    /// A table as GlueSQL shall see it here: constraints that the storage checks are left out.
    pub(crate) fn schema(&self, table: &Table) -> Schema {
        if self.summary.is_some() {
            return self.summary_schema(table);
        }
        let mut schema = table.to_schema();
        let is_primary = |column: &ColumnDef| column.unique == Some(ColumnUniqueOption { is_primary: true });
        for (position, column) in schema.column_defs.iter_mut().flatten().enumerate() {
            match (self.purpose, self.lookup) {
                // Nor is the key known: the rows are appended, and the storage makes their keys.
                (Purpose::Insert, _) => column.unique = None,
                (Purpose::Update, _) if !is_primary(column) => column.unique = None,
                (_, Lookup::NullableKey) if is_primary(column) => column.nullable = true,
                (_, Lookup::Unique(unique)) => {
                    let is_it = position == unique;
                    column.unique = is_it.then_some(ColumnUniqueOption { is_primary: true });
                    column.nullable |= is_it;
                }
                _ => {}
            }
        }
        schema
    }

    fn summary_schema(&self, table: &Table) -> Schema {
        let end =
            order_of(table, &self.access).first().and_then(|column| table.columns.as_ref()?.get(*column));
        let end = end.map_or(DataType::Int, |column| column.def.data_type.clone());
        let types = [DataType::Int, end.clone(), end];
        let column = |(name, data_type): (&str, DataType)| ColumnDef {
            name: name.to_owned(),
            data_type,
            nullable: true,
            default: None,
            unique: None,
            comment: None,
        };
        let columns = Summary::COLUMNS.into_iter().zip(types).map(column).collect();
        Schema { column_defs: Some(columns), ..Self::one_row_schema() }
    }

    /// The name of a table with this hint in it.
    pub(crate) fn name(&self, table: &str) -> String {
        let mut out = String::with_capacity(table.len() + 8);
        out.push_str(table);
        out.push(MARK);
        match self.purpose {
            Purpose::Unknown => unreachable!("a hint that is written has a purpose"),
            Purpose::Read => out.push('r'),
            Purpose::Insert => out.push('i'),
            Purpose::Update => out.push('u'),
            Purpose::Delete => out.push('d'),
        }
        if self.reverse {
            out.push('<');
        }
        match self.lookup {
            Lookup::Key => {}
            Lookup::NullableKey => out.push('n'),
            Lookup::Unique(column) => write!(out, "y{column}").expect("a string takes all"),
        }
        for (wanted, letter) in
            self.summary.iter().flat_map(|s| [(s.count, 'C'), (s.first, 'F'), (s.last, 'L')])
        {
            if wanted {
                out.push(letter);
            }
        }
        match &self.access {
            Access::All => {}
            Access::Keys(ranges) => {
                out.push('@');
                write_ranges(&mut out, ranges);
            }
            Access::Index(index, ranges) => {
                write!(out, "#{index}:").expect("a string takes all");
                write_ranges(&mut out, ranges);
            }
        }
        out
    }
}

fn write_ranges(out: &mut String, ranges: &KeyRanges) {
    for (i, range) in ranges.ranges().iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_hex(out, &range.start);
        if range.prefix().is_none() {
            out.push('-');
            write_hex(out, range.end.as_deref().unwrap_or_default());
        }
    }
}

fn write_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// `None` when the text is no hint.
    fn hint(mut self) -> Option<Hint> {
        let (purpose, rest) = self.0.split_first()?;
        self.0 = rest;
        let purpose = match purpose {
            b'r' => Purpose::Read,
            b'i' => Purpose::Insert,
            b'u' => Purpose::Update,
            b'd' => Purpose::Delete,
            _ => return None,
        };
        let reverse = self.take(b'<');
        let lookup = if self.take(b'n') {
            Lookup::NullableKey
        } else if self.take(b'y') {
            Lookup::Unique(self.number()?)
        } else {
            Lookup::Key
        };
        let summary = Summary { count: self.take(b'C'), first: self.take(b'F'), last: self.take(b'L') };
        let summary = (summary != Summary::default()).then_some(summary);
        let access = if self.take(b'@') {
            Access::Keys(self.ranges()?)
        } else if self.take(b'#') {
            let index = self.number()?;
            self.take(b':').then_some(())?;
            Access::Index(index, self.ranges()?)
        } else {
            Access::All
        };
        self.0.is_empty().then_some(Hint { purpose, reverse, lookup, summary, access })
    }

    fn take(&mut self, letter: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == letter => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn number(&mut self) -> Option<usize> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn ranges(&mut self) -> Option<KeyRanges> {
        let mut ranges = Vec::new();
        while !self.0.is_empty() {
            if !ranges.is_empty() {
                self.take(b',').then_some(())?;
            }
            let start = self.hex()?;
            let end = if self.take(b'-') {
                Some(self.hex()?).filter(|end| !end.is_empty())
            } else {
                Some([&start[..], &[BEYOND]].concat())
            };
            ranges.push(KeyRange { start, end });
        }
        KeyRanges::checked(ranges)
    }

    fn hex(&mut self) -> Option<Vec<u8>> {
        let len = self.0.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        if len % 2 != 0 {
            return None;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hints() -> impl Strategy<Value = Hint> {
        let purpose =
            prop::sample::select(vec![Purpose::Read, Purpose::Insert, Purpose::Update, Purpose::Delete]);
        let lookup =
            prop_oneof![Just(Lookup::Key), Just(Lookup::NullableKey), (0..300usize).prop_map(Lookup::Unique)];
        let bytes = || prop::collection::vec(any::<u8>(), 0..4);
        let range = prop_oneof![
            (bytes(), prop::option::of(bytes())).prop_map(|(start, end)| KeyRange { start, end }),
            bytes().prop_map(|start| KeyRange { end: Some([&start[..], &[BEYOND]].concat()), start }),
        ];
        let ranges = || prop::collection::vec(range.clone(), 0..5).prop_map(KeyRanges::collect);
        let access = prop_oneof![
            Just(Access::All),
            ranges().prop_map(Access::Keys),
            (0..300usize, ranges()).prop_map(|(index, ranges)| Access::Index(index, ranges)),
        ];
        let summary = any::<[bool; 3]>().prop_map(|[count, first, last]| {
            (count || first || last).then_some(Summary { count, first, last })
        });
        (purpose, any::<bool>(), lookup, summary, access).prop_map(
            |(purpose, reverse, lookup, summary, access)| Hint { purpose, reverse, lookup, summary, access },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(hint in hints(), table in "[a-z@é~0-9]{0,8}") {
            let name = hint.name(&table);
            prop_assert_eq!(Source::parse(&name).unwrap(), Source { table: &table, hint });
        }

        #[test]
        fn what_was_not_written_is_refused(text in "[riud<nyCFL@#:0-9a-f,\\-]{0,10}") {
            let name = format!("t{MARK}{text}");
            if let Ok(source) = Source::parse(&name) {
                let again = source.hint.name("t");
                prop_assert_eq!(Source::parse(&again).unwrap(), source);
            }
        }
    }

    #[test]
    fn hints_are_refused_that_nobody_writes() {
        for text in [
            "", "x", "r@1", "r@01,00", "r@01-01", "r@05-01", "r#:", "r#1", "rn1", "r@zz", "r\u{1}", "ry",
            "r@-,-",
        ] {
            let name = format!("t{MARK}{text}");
            assert!(Source::parse(&name).is_err(), "{text}");
        }
        assert_eq!(Source::parse("t").unwrap().hint, Hint::default());
    }
}
