//! Merging the descriptions of a table, three-way, by what they are made of.
//!
//! **Invariant:** exchanging the sides changes nothing in the result. What both sides changed differently is a contradiction,
//! said in words; nothing is guessed.

use std::collections::{BTreeMap, BTreeSet};

use gluesql_core::ast::{ColumnDef, Expr, ForeignKey};
use gluesql_core::data::SchemaIndexOrd;

use crate::{
    row::{encode_value, identical},
    table::{Column, Index, IndexKind, PrimaryKey, Table, each_column},
};

/// Why two descriptions do not merge.
pub(super) type Contradiction = String;

type Outcome<T> = std::result::Result<T, Contradiction>;

/// Merges two descriptions of a table that were made from `base`; `None` when both sides made the table.
///
/// # Errors
/// What the sides contradict each other in.
pub(super) fn merge_tables(base: Option<&Table>, ours: &Table, theirs: &Table) -> Outcome<Table> {
    let columns = merge_columns(base, ours, theirs)?;
    let key = |table: &Table| key_ids(table);
    let key = pick(base.map(key).as_ref(), &key(ours), &key(theirs))
        .ok_or("its primary key is not the same on both sides")?
        .clone();
    let place = |id: &u64| columns.iter().flatten().position(|column| column.id == *id);
    let key = match &key {
        None => PrimaryKey::RowId,
        Some(ids) => PrimaryKey::Columns(
            ids.iter()
                .map(place)
                .collect::<Option<_>>()
                .ok_or("one side dropped a column that is part of the other's primary key")?,
        ),
    };
    let attribute = |of: &dyn Fn(&Table) -> Option<String>, what: &str| {
        pick(base.map(of).as_ref(), &of(ours), &of(theirs))
            .cloned()
            .ok_or_else(|| format!("both sides changed its {what}"))
    };
    let engine = attribute(&|table| table.engine.clone(), "engine")?;
    let comment = attribute(&|table| table.comment.clone(), "comment")?;
    let mut merged = Table {
        name: ours.name.clone(),
        columns,
        key,
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        engine,
        comment,
    };
    merged.foreign_keys = merge_foreign_keys(base, ours, theirs, &merged)?;
    let named = merge_indexes(base, ours, theirs, &merged)?;
    merged.indexes = merged.implied_indexes();
    merged.indexes.extend(named);
    Ok(merged)
}

/// Says why rows of `side` cannot be read as rows of `merged`, if they cannot.
pub(super) fn incompatibility(side: &Table, merged: &Table) -> Option<Contradiction> {
    if key_ids(side) != key_ids(merged) {
        return Some("its primary key changed on one side, and rows on the other".to_owned());
    }
    for column in side.columns.iter().flatten() {
        let Some(new) = merged.columns.iter().flatten().find(|new| new.id == column.id) else { continue };
        let name = &column.def.name;
        if new.def.data_type != column.def.data_type {
            return Some(format!("the type of column {name:?} changed on one side, and rows on the other"));
        }
        if column.def.nullable && !new.def.nullable {
            return Some(format!(
                "column {name:?} became NOT NULL on one side, and rows changed on the other"
            ));
        }
        if column.def.unique.is_none() && new.def.unique.is_some() {
            return Some(format!("column {name:?} became UNIQUE on one side, and rows changed on the other"));
        }
    }
    None
}

/// The expression of an index of `side`, in the names that its columns have in `merged`.
pub(super) fn renamed(expr: &Expr, side: &Table, merged: &Table) -> Expr {
    let mut expr = expr.clone();
    each_column(&mut expr, &mut |name| {
        if let Some(new) = new_name(name, side, merged) {
            *name = new;
        }
    });
    expr
}

/// The value that one of two sides changed, or both alike; `None` when they changed it differently.
fn pick<'a, T: PartialEq>(base: Option<&T>, ours: &'a T, theirs: &'a T) -> Option<&'a T> {
    if ours == theirs || base == Some(theirs) {
        Some(ours)
    } else if base == Some(ours) {
        Some(theirs)
    } else {
        None
    }
}

/// The columns of the primary key by their ids; `None` where rows have ids.
fn key_ids(table: &Table) -> Option<Vec<u64>> {
    match &table.key {
        PrimaryKey::RowId => None,
        PrimaryKey::Columns(places) => {
            let columns = table.columns.as_deref().unwrap_or(&[]);
            Some(places.iter().filter_map(|place| columns.get(*place)).map(|column| column.id).collect())
        }
    }
}

fn merge_columns(base: Option<&Table>, ours: &Table, theirs: &Table) -> Outcome<Option<Vec<Column>>> {
    let (ours, theirs) = match (&ours.columns, &theirs.columns) {
        (None, None) => return Ok(None),
        (Some(ours), Some(theirs)) => (ours, theirs),
        _ => return Err("it has columns on one side and none on the other".to_owned()),
    };
    let base = base.and_then(|base| base.columns.as_deref()).unwrap_or(&[]);
    let find = |columns: &'_ [Column], id: u64| columns.iter().position(|column| column.id == id);
    let mut merged = BTreeMap::new();
    for id in ours.iter().chain(theirs).map(|column| column.id).collect::<BTreeSet<_>>() {
        let [base, ours, theirs] = [base, ours, theirs].map(|side| find(side, id).map(|place| &side[place]));
        let column = match (base, ours, theirs) {
            (base, Some(ours), Some(theirs)) => Some(merge_column(base, ours, theirs)?),
            (None, one, other) => one.or(other).cloned(),
            (Some(base), one, other) => {
                let left = one.or(other).filter(|left| !same_column(left, base));
                if let Some(left) = left {
                    return Err(format!(
                        "column {:?} was changed on one side and dropped on the other",
                        left.def.name
                    ));
                }
                None
            }
        };
        if let Some(column) = column {
            merged.insert(id, column);
        }
    }
    let ids = |columns: &[Column]| columns.iter().map(|column| column.id).collect::<Vec<_>>();
    let order = merge_order(&ids(base), &ids(ours), &ids(theirs), |id| {
        (merged.get(id).map(|column| column.def.name.clone()), *id)
    });
    let columns: Vec<Column> = order.iter().filter_map(|id| merged.remove(id)).collect();
    let mut names = BTreeSet::new();
    match columns.iter().find(|column| !names.insert(&column.def.name)) {
        Some(twice) => Err(format!("two columns would be called {:?}", twice.def.name)),
        None => Ok(Some(columns)),
    }
}

/// The order of what is merged: that of the side that changed it; where both did, first what both have, then what either
/// added, by its sort key.
fn merge_order<T: PartialEq + Clone, K: Ord>(
    base: &[T],
    ours: &[T],
    theirs: &[T],
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    if let Some(order) = pick(Some(&base), &ours, &theirs) {
        return order.to_vec();
    }
    let shared =
        |one: &[T], other: &[T]| one.iter().filter(|item| other.contains(item)).cloned().collect::<Vec<_>>();
    let mut order = shared(ours, theirs);
    if order != shared(theirs, ours) {
        order.sort_by_key(|item| {
            (base.iter().position(|other| other == item).unwrap_or(base.len()), key(item))
        });
    }
    let mut added: Vec<T> = ours.iter().chain(theirs).filter(|item| !order.contains(item)).cloned().collect();
    added.sort_by_key(&key);
    order.extend(added);
    order
}

fn same_column(one: &Column, other: &Column) -> bool {
    one.id == other.id && one.def == other.def && identical(&one.fill, &other.fill)
}

fn merge_column(base: Option<&Column>, ours: &Column, theirs: &Column) -> Outcome<Column> {
    fn attribute<T: PartialEq + Clone>(
        base: Option<&Column>,
        ours: &Column,
        theirs: &Column,
        of: impl Fn(&ColumnDef) -> &T,
        what: &str,
    ) -> Outcome<T> {
        let merged = pick(base.map(|base| of(&base.def)), of(&ours.def), of(&theirs.def));
        merged.cloned().ok_or_else(|| match base {
            Some(base) => format!("both sides changed the {what} of column {:?}", base.def.name),
            None => format!("column {:?} was added on both sides, with another {what}", ours.def.name),
        })
    }
    let def = ColumnDef {
        name: attribute(base, ours, theirs, |def| &def.name, "name")?,
        data_type: attribute(base, ours, theirs, |def| &def.data_type, "type")?,
        nullable: attribute(base, ours, theirs, |def| &def.nullable, "NOT NULL")?,
        default: attribute(base, ours, theirs, |def| &def.default, "default")?,
        unique: attribute(base, ours, theirs, |def| &def.unique, "UNIQUE or PRIMARY KEY")?,
        comment: attribute(base, ours, theirs, |def| &def.comment, "comment")?,
    };
    let changed = |side: &Column| base.is_none_or(|base| !identical(&base.fill, &side.fill));
    // A default such as NOW() fills differently on both sides; either will do, as long as it is the same one.
    let fill = match (changed(ours), changed(theirs)) {
        (true, true) => std::cmp::min_by_key(ours, theirs, |column| encoded_fill(column)),
        (false, true) => theirs,
        (true | false, false) => ours,
    };
    Ok(Column { id: ours.id, def, fill: fill.fill.clone() })
}

fn encoded_fill(column: &Column) -> Vec<u8> {
    let mut out = Vec::new();
    encode_value(&mut out, &column.fill)
        .expect("it was encoded or decoded with its table, at the same depth");
    out
}

type Definition = (Expr, SchemaIndexOrd);

fn merge_indexes(base: Option<&Table>, ours: &Table, theirs: &Table, merged: &Table) -> Outcome<Vec<Index>> {
    let named = |table: &Table| -> Vec<(String, Definition)> {
        let named = table.indexes.iter().filter_map(|index| match &index.kind {
            IndexKind::Named { name, order } => {
                Some((name.clone(), (renamed(&index.expr, table, merged), *order)))
            }
            IndexKind::Unique { .. } | IndexKind::Referencing { .. } => None,
        });
        named.collect()
    };
    let base = base.map(named).unwrap_or_default();
    let merged_list = merge_named(&base, &named(ours), &named(theirs), "index")?;
    let index = |(name, (expr, order)): (String, Definition)| {
        let unknown = unknown_column(&expr, merged);
        match unknown {
            Some(column) => Err(format!(
                "index {name:?} is on column {column:?}, which the other side dropped or renamed"
            )),
            None => Ok(Index { kind: IndexKind::Named { name, order }, expr }),
        }
    };
    merged_list.into_iter().map(index).collect()
}

fn merge_foreign_keys(
    base: Option<&Table>,
    ours: &Table,
    theirs: &Table,
    merged: &Table,
) -> Outcome<Vec<ForeignKey>> {
    let named = |table: &Table| -> Vec<(String, ForeignKey)> {
        let key = |key: &ForeignKey| {
            let column = new_name(&key.referencing_column_name, table, merged);
            let column = column.unwrap_or_else(|| key.referencing_column_name.clone());
            (key.name.clone(), ForeignKey { referencing_column_name: column, ..key.clone() })
        };
        table.foreign_keys.iter().map(key).collect()
    };
    let base = base.map(named).unwrap_or_default();
    let keys = merge_named(&base, &named(ours), &named(theirs), "foreign key")?;
    for (name, key) in &keys {
        let column = &key.referencing_column_name;
        if !merged.columns.iter().flatten().any(|known| known.def.name == *column) {
            return Err(format!(
                "foreign key {name:?} is of column {column:?}, which the other side dropped"
            ));
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// Merges lists of definitions by name.
fn merge_named<T: PartialEq + Clone>(
    base: &[(String, T)],
    ours: &[(String, T)],
    theirs: &[(String, T)],
    what: &str,
) -> Outcome<Vec<(String, T)>> {
    let find = |side: &[(String, T)], wanted: &str| {
        side.iter().find(|(name, _)| name == wanted).map(|(_, definition)| definition.clone())
    };
    let names = |side: &[(String, T)]| side.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let (ours_names, theirs_names) = (names(ours), names(theirs));
    let mut merged = BTreeMap::new();
    for name in ours_names.iter().chain(&theirs_names) {
        let (base, ours, theirs) = (find(base, name), find(ours, name), find(theirs, name));
        let definition = pick(Some(&base), &ours, &theirs).ok_or_else(|| match (&ours, &theirs) {
            (Some(_), Some(_)) => format!("{what} {name:?} is not the same on both sides"),
            _ => format!("{what} {name:?} was changed on one side and dropped on the other"),
        })?;
        if let Some(definition) = definition {
            merged.insert(name.clone(), definition.clone());
        }
    }
    let order = merge_order(&names(base), &ours_names, &theirs_names, String::clone);
    Ok(order.into_iter().filter_map(|name| merged.remove_entry(&name)).collect())
}

/// What a column of `side` is called in `merged`; `None` when it is not there.
fn new_name(name: &str, side: &Table, merged: &Table) -> Option<String> {
    let id = side.columns.iter().flatten().find(|column| column.def.name == name)?.id;
    merged.columns.iter().flatten().find(|column| column.id == id).map(|column| column.def.name.clone())
}

/// A column that the expression of an index names and the table does not have.
fn unknown_column(expr: &Expr, table: &Table) -> Option<String> {
    let mut unknown = None;
    each_column(&mut expr.clone(), &mut |name| {
        if unknown.is_none() && table.columns.iter().flatten().all(|column| column.def.name != *name) {
            unknown = Some(name.clone());
        }
    });
    unknown
}
