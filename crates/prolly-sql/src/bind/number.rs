//! Numbers that are compared.
//!
//! GlueSQL compares a DECIMAL with a number that is written in a statement as unequal to it, always, and looks rows up by the
//! type of their key alone. **Invariant:** a number that is compared with a column is of a type for which that is right: what is
//! written, for a column of any type but DECIMAL; a DECIMAL for a column of that type.

use std::sync::Arc;

use bigdecimal::BigDecimal;
use gluesql_core::{
    ast::{BinaryOperator as Op, DataType, Expr, Literal, UnaryOperator},
    data::Value,
};
use rust_decimal::Decimal;

use crate::table::Table;

/// What a statement reads from, as far as it matters: which columns are DECIMAL.
#[derive(Default)]
pub(super) struct Decimals {
    /// By alias.
    tables: Vec<(String, Arc<Table>)>,
}

impl Decimals {
    /// Adds what can be read by a name.
    pub(super) fn add(&mut self, alias: String, table: Arc<Table>) {
        self.tables.push((alias, table));
    }

    /// Whether there are such columns.
    pub(super) fn any(&self) -> bool {
        let mut columns = self.tables.iter().flat_map(|(_, table)| table.columns.iter().flatten());
        columns.any(|column| column.def.data_type == DataType::Decimal)
    }

    /// Whether every column that an expression can mean is one.
    fn contain(&self, expr: &Expr) -> bool {
        let (of, name) = match expr {
            Expr::Identifier(name) => (None, name),
            Expr::CompoundIdentifier { alias, ident } => (Some(alias), ident),
            Expr::Nested(expr) => return self.contain(expr),
            _ => return false,
        };
        let tables = self.tables.iter().filter(|(alias, _)| of.is_none_or(|of| of == alias));
        let columns = tables.flat_map(|(_, table)| table.columns.iter().flatten());
        let mut kinds =
            columns.filter(|column| column.def.name == *name).map(|column| &column.def.data_type).peekable();
        kinds.peek().is_some() && kinds.all(|kind| *kind == DataType::Decimal)
    }

    /// Makes DECIMALs of the numbers that a comparison compares with a DECIMAL column.
    pub(super) fn convert(&self, expr: &mut Expr) {
        let operands = compared(expr);
        if operands.iter().any(|operand| self.contain(operand)) {
            for operand in operands {
                if let Some(value) = written(operand).and_then(|number| decimal(&number)) {
                    *operand = Expr::Value(Value::Decimal(value));
                }
            }
        }
    }
}

/// The operands of a comparison; none of anything else.
pub(super) fn compared(expr: &mut Expr) -> Vec<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, op: Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq, right } => {
            vec![left, right]
        }
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::InList { expr, list, .. } => std::iter::once(&mut **expr).chain(list).collect(),
        _ => Vec::new(),
    }
}

/// The number that is written as an expression.
fn written(expr: &Expr) -> Option<BigDecimal> {
    match expr {
        Expr::Literal(Literal::Number(number)) => Some(number.clone()),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => written(expr).map(|number| -number),
        Expr::Nested(expr) => written(expr),
        _ => None,
    }
}

fn decimal(number: &BigDecimal) -> Option<Decimal> {
    Decimal::from_str_exact(&number.to_plain_string()).ok()
}

/// A value as a number that is written; `None` for what is none.
pub(super) fn number(value: &Value) -> Option<BigDecimal> {
    Some(match value {
        Value::I8(value) => (*value).into(),
        Value::I16(value) => (*value).into(),
        Value::I32(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::I128(value) => (*value).into(),
        Value::U8(value) => (*value).into(),
        Value::U16(value) => (*value).into(),
        Value::U32(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::U128(value) => (*value).into(),
        Value::F32(value) => value.to_string().parse().ok()?,
        Value::F64(value) => value.to_string().parse().ok()?,
        Value::Decimal(value) => value.to_string().parse().ok()?,
        _ => return None,
    })
}
