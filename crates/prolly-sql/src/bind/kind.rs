//! What types of numbers the expressions of a statement have, before it is planned.
//!
//! **Invariant:** a type that is told is that of all values of the expression but `NULL`. What could have another is not told.

use std::{collections::HashMap, sync::Arc};

use gluesql_core::{
    ast::{
        Aggregate, AggregateFunction, BinaryOperator as Op, DataType, Expr, Function, Literal, Projection,
        Query, SelectItem, SetExpr, TableFactor, UnaryOperator,
    },
    data::Value,
};

use super::walk::sources;
use crate::table::Table;

/// What can be read by the names in a statement.
pub(super) type Tables = HashMap<String, Arc<Table>>;

/// The tables of a query, and of those around it, the innermost last.
pub(super) struct Scopes<'a> {
    tables: &'a Tables,
    sources: Vec<Vec<Source>>,
}

/// What a query reads from.
struct Source {
    alias: String,
    /// The columns by name; `None` when they are not known.
    columns: Option<Vec<Typed>>,
}

/// A column with its type, if that is known.
type Typed = (String, Option<DataType>);

impl<'a> Scopes<'a> {
    pub(super) fn new(tables: &'a Tables) -> Self {
        Self { tables, sources: Vec::new() }
    }

    /// Enters a query that reads from these.
    pub(super) fn enter<'f>(&mut self, from: impl IntoIterator<Item = &'f TableFactor>) {
        let sources = from.into_iter().map(|factor| source(self.tables, factor)).collect();
        self.sources.push(sources);
    }

    /// Leaves the query that was entered last.
    pub(super) fn leave(&mut self) {
        self.sources.pop();
    }

    /// The type of the numbers that an expression gives; `None` when they have none, or when it is not known.
    pub(super) fn number_type(&self, expr: &Expr) -> Option<DataType> {
        self.type_of(expr).filter(is_number)
    }

    fn type_of(&self, expr: &Expr) -> Option<DataType> {
        match expr {
            Expr::Identifier(name) => self.column(None, name),
            Expr::CompoundIdentifier { alias, ident } => self.column(Some(alias), ident),
            Expr::Nested(inner)
            | Expr::UnaryOp { op: UnaryOperator::Plus | UnaryOperator::Minus, expr: inner } => {
                self.type_of(inner)
            }
            Expr::Value(value) => value.get_type(),
            // A result is of the type of the left operand, but for decimals.
            Expr::BinaryOp {
                left,
                op: Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo,
                right,
            } => {
                let (left, right) = (self.operand_type(left)?, self.operand_type(right)?);
                let is_float =
                    |data_type: &DataType| matches!(data_type, DataType::Float | DataType::Float32);
                if !is_number(&left) || !is_number(&right) || is_float(&left) && right != left {
                    return None;
                }
                Some(left)
            }
            Expr::Function(function) => match &**function {
                Function::Cast { data_type, .. } => Some(data_type.clone()),
                Function::Abs(inner) => self.type_of(inner),
                Function::IfNull { expr: first, then: second } => self.type_of_all([first, second]),
                Function::NullIf { expr1, .. } => self.type_of(expr1),
                Function::Coalesce(all) | Function::Greatest(all) => self.type_of_all(all),
                _ => None,
            },
            Expr::Case { when_then, else_result, .. } => {
                let results = when_then.iter().map(|(_, then)| then);
                self.type_of_all(results.chain(else_result.as_deref()))
            }
            Expr::Subquery(query) => only_column(self.tables, query)?.1,
            Expr::Aggregate(aggregate) => self.aggregate_type(aggregate),
            _ => None,
        }
    }

    /// As [`Scopes::type_of`], also of what is written.
    fn operand_type(&self, expr: &Expr) -> Option<DataType> {
        match expr {
            Expr::Literal(Literal::Number(number)) => {
                Some(if number.is_integer() { DataType::Int } else { DataType::Float })
            }
            Expr::Nested(inner) => self.operand_type(inner),
            _ => self.type_of(expr),
        }
    }

    /// The type that all of these have.
    fn type_of_all<'e>(&self, exprs: impl IntoIterator<Item = &'e Expr>) -> Option<DataType> {
        let mut types = exprs
            .into_iter()
            .filter(|expr| !matches!(expr, Expr::Value(Value::Null)))
            .map(|expr| self.operand_type(expr));
        let first = types.next()??;
        types.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    fn aggregate_type(&self, aggregate: &Aggregate) -> Option<DataType> {
        match &aggregate.func {
            AggregateFunction::Count(_) => Some(DataType::Int),
            AggregateFunction::Sum(expr) | AggregateFunction::Min(expr) | AggregateFunction::Max(expr) => {
                self.type_of(expr)
            }
            AggregateFunction::Avg(_) => Some(DataType::Float),
            AggregateFunction::Variance(_) | AggregateFunction::Stdev(_) => None,
        }
    }

    fn column(&self, of: Option<&String>, name: &str) -> Option<DataType> {
        for sources in self.sources.iter().rev() {
            let mut found = Vec::new();
            for source in sources.iter().filter(|source| of.is_none_or(|of| *of == source.alias)) {
                let columns = source.columns.as_ref()?;
                found.extend(columns.iter().filter(|(column, _)| column == name).map(|(_, kind)| kind));
            }
            if let Some((first, others)) = found.split_first() {
                return if others.iter().all(|other| other == first) { (*first).clone() } else { None };
            }
        }
        None
    }
}

/// The one column that a query gives, if it is one.
pub(super) fn only_column(tables: &Tables, query: &Query) -> Option<Typed> {
    let mut columns = columns_of(tables, query)?;
    let only = columns.pop()?;
    columns.is_empty().then_some(only)
}

/// The columns that a query gives; `None` when they are not known.
pub(super) fn columns_of(tables: &Tables, query: &Query) -> Option<Vec<Typed>> {
    let select = match &query.body {
        SetExpr::Select(select) => select,
        SetExpr::Values(values) => {
            let count = values.0.first().map_or(0, Vec::len);
            return Some((1..=count).map(|number| (format!("column{number}"), None)).collect());
        }
    };
    let mut scopes = Scopes::new(tables);
    scopes.enter(sources(select));
    let Projection::SelectItems(items) = &select.projection;
    let mut out = Vec::new();
    for item in items {
        match item {
            SelectItem::Expr { expr, label } => out.push((label.clone(), scopes.type_of(expr))),
            SelectItem::Wildcard => {
                for source in &scopes.sources[0] {
                    out.extend(source.columns.clone()?);
                }
            }
            SelectItem::QualifiedWildcard(alias) => {
                out.extend(scopes.sources[0].iter().find(|source| source.alias == *alias)?.columns.clone()?);
            }
        }
    }
    Some(out)
}

fn source(tables: &Tables, factor: &TableFactor) -> Source {
    let (alias, renamed, columns) = match factor {
        TableFactor::Table { name, alias } => {
            let columns = tables.get(name).and_then(|table| table.columns.as_ref());
            let typed = columns.map(|columns| {
                columns
                    .iter()
                    .map(|column| (column.def.name.clone(), Some(column.def.data_type.clone())))
                    .collect::<Vec<_>>()
            });
            match alias {
                Some(alias) => (&alias.name, &alias.columns[..], typed),
                None => (name, &[][..], typed),
            }
        }
        TableFactor::Derived { subquery, alias } => {
            (&alias.name, &alias.columns[..], columns_of(tables, subquery))
        }
        TableFactor::Series { alias, .. } => {
            (&alias.name, &alias.columns[..], Some(vec![("N".to_owned(), Some(DataType::Int))]))
        }
        TableFactor::Dictionary { alias, .. } => (&alias.name, &alias.columns[..], None),
    };
    let columns = columns.map(|mut columns| {
        columns.iter_mut().zip(renamed).for_each(|((name, _), new)| name.clone_from(new));
        columns
    });
    Source { alias: alias.clone(), columns }
}

fn is_number(data_type: &DataType) -> bool {
    is_integer(data_type) || matches!(data_type, DataType::Float32 | DataType::Float | DataType::Decimal)
}

fn is_integer(data_type: &DataType) -> bool {
    range(data_type).is_some()
}

/// The least and the greatest integer of a type; `None` when it is no type of integers.
pub(super) fn range(data_type: &DataType) -> Option<(i128, u128)> {
    Some(match data_type {
        DataType::Int8 => (i8::MIN.into(), i8::MAX as u128),
        DataType::Int16 => (i16::MIN.into(), i16::MAX as u128),
        DataType::Int32 => (i32::MIN.into(), i32::MAX as u128),
        DataType::Int => (i64::MIN.into(), i64::MAX as u128),
        DataType::Int128 => (i128::MIN, i128::MAX as u128),
        DataType::Uint8 => (0, u8::MAX.into()),
        DataType::Uint16 => (0, u16::MAX.into()),
        DataType::Uint32 => (0, u32::MAX.into()),
        DataType::Uint64 => (0, u64::MAX.into()),
        DataType::Uint128 => (0, u128::MAX),
        _ => return None,
    })
}

/// The type in which numbers of two types compare: one of them where it holds all values of the other, as near as can be.
pub(super) fn common(a: DataType, b: DataType) -> DataType {
    if a == b {
        return a;
    }
    match (range(&a), range(&b)) {
        (Some((a_min, a_max)), Some((b_min, b_max))) => {
            if a_min <= b_min && b_max <= a_max {
                a
            } else if b_min <= a_min && a_max <= b_max {
                b
            } else {
                DataType::Int128
            }
        }
        _ if matches!(a, DataType::Float | DataType::Float32)
            || matches!(b, DataType::Float | DataType::Float32) =>
        {
            DataType::Float
        }
        _ => DataType::Decimal,
    }
}
