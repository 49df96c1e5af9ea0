//! From parsed statements to translated ones: parameters, and what GlueSQL's translation gets wrong.
//!
//! **Invariant:** a parameter is a value from beginning to end: it takes the place of its number in the translated
//! statement, and no text is made of it. Text in a parameter means what a literal of the same text means, everywhere.

mod adapt;
mod kind;
mod number;
mod store;
mod walk;

use std::{collections::BTreeSet, sync::Arc};

use gluesql_core::{
    ast::{DataType, Expr, Function, Literal, Query, SetExpr, Statement, TableFactor},
    data::Value,
    sqlparser::ast as sql,
    translate::{IntoParamLiteral, ParamLiteral, translate_with_params},
};

pub(crate) use self::store::insert;
use self::{
    kind::Tables,
    number::{Numbers, compared, is_misread, nearest, number, written},
    store::{arrange, store},
    walk::Visitor,
};
use crate::{Result, table::Table};

/// The values that the placeholders of some statements stand for.
pub(crate) struct Parameters<'a> {
    values: &'a [Value],
    /// What the translation puts in their places, because it has no literals for all values: the number of each, as a value
    /// that it makes of nothing else.
    marks: Vec<ParamLiteral>,
}

impl<'a> Parameters<'a> {
    pub(crate) fn new(values: &'a [Value]) -> Self {
        let marks = (0..values.len()).map(|index| (index as u128).into_param_literal()).collect();
        Self { values, marks }
    }

    /// Translates a statement and binds its placeholders. A value that is stored in a column becomes one of the column's type,
    /// where that loses nothing.
    ///
    /// `table_of` gives what can be read by a name.
    ///
    /// # Errors
    /// What the translation refuses, a placeholder without a value among it; a value that its column cannot hold.
    pub(crate) fn translate(
        &self,
        statement: &sql::Statement,
        table_of: impl Fn(&str) -> Result<Option<Arc<Table>>>,
    ) -> Result<Statement> {
        let mut statement = translate_with_params(statement, &self.marks)?;
        let mut binding = Binding { parameters: self, tables: Vec::new(), compares: false, misreads: false };
        walk::statement(&mut statement, &mut binding);
        let Binding { tables, compares, misreads, .. } = binding;
        let inserts = matches!(statement, Statement::Insert { .. });
        if compares || inserts {
            let target = match &statement {
                Statement::Insert { table_name, source: Query { body: SetExpr::Select(_), .. }, .. } => {
                    Some(table_name.clone())
                }
                _ => None,
            };
            let mut found = Tables::new();
            for name in tables.into_iter().chain(target) {
                if let Some(table) = table_of(&name)? {
                    found.insert(name, table);
                }
            }
            arrange(&mut statement, &found)?;
            walk::statement(&mut statement, &mut Numbers::new(&found));
        }
        if !self.values.is_empty() || misreads {
            store(&mut statement, table_of)?;
        }
        if misreads {
            walk::statement(&mut statement, &mut Floats);
        }
        Ok(statement)
    }

    /// The value that an expression is the mark of.
    fn value_of(&self, expr: &Expr) -> Option<&'a Value> {
        let Expr::Value(Value::U128(index)) = expr else { return None };
        self.values.get(usize::try_from(*index).ok()?)
    }
}

/// Puts values in the places of their marks, and finds out what there is in a statement.
struct Binding<'a> {
    parameters: &'a Parameters<'a>,
    /// What is read from.
    tables: Vec<String>,
    /// Whether anything is compared.
    compares: bool,
    /// Whether a number is written that GlueSQL would take for another float than the nearest one.
    misreads: bool,
}

impl Visitor for Binding<'_> {
    fn expr(&mut self, expr: &mut Expr) {
        if let Some(value) = self.parameters.value_of(expr) {
            *expr = match value {
                Value::Str(text) => Expr::Literal(Literal::QuotedString(text.clone())),
                value => Expr::Value(value.clone()),
            };
            return;
        }
        for operand in compared(expr) {
            if let Some(number) = self.parameters.value_of(operand).and_then(number) {
                *operand = Expr::Literal(Literal::Number(number));
            }
            self.compares = true;
        }
        self.misreads |=
            matches!(expr, Expr::Literal(_)) && written(expr).is_some_and(|number| is_misread(&number));
    }

    fn enter(&mut self, from: &mut dyn Iterator<Item = &TableFactor>) {
        self.tables.extend(from.filter_map(|factor| match factor {
            TableFactor::Table { name, .. } => Some(name.clone()),
            _ => None,
        }));
    }

    fn column(&mut self, expr: &mut Expr, label: &mut String) {
        // The label of a name in quotes has the quotes.
        if let Expr::Identifier(name) = expr
            && label.starts_with('"')
        {
            label.clone_from(name);
        }
    }
}

/// Makes floats of numbers in results and in calculations that GlueSQL would take for others.
struct Floats;

impl Floats {
    fn read(expr: &mut Expr) {
        if let Expr::Literal(Literal::Number(_)) = expr
            && let Some(number) = written(expr)
            && is_misread(&number)
            && let Some(value) = nearest(&number)
        {
            *expr = Expr::Value(Value::F64(value));
        }
    }
}

impl Visitor for Floats {
    fn expr(&mut self, expr: &mut Expr) {
        match expr {
            Expr::BinaryOp { left, right, .. } => {
                Self::read(left);
                Self::read(right);
            }
            Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => Self::read(expr),
            Expr::Function(function) => {
                if let Function::Cast { expr, data_type: DataType::Float } = &mut **function {
                    Self::read(expr);
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self, _from: &mut dyn Iterator<Item = &TableFactor>) {}

    fn column(&mut self, expr: &mut Expr, _label: &mut String) {
        Self::read(expr);
    }
}

/// The names of the functions that users made which an expression calls, in capitals.
pub(crate) fn calls(expr: &Expr) -> BTreeSet<String> {
    let mut calls = Calls::default();
    walk::expr(&mut expr.clone(), &mut calls);
    calls.0
}

#[derive(Default)]
struct Calls(BTreeSet<String>);

impl Visitor for Calls {
    fn expr(&mut self, expr: &mut Expr) {
        if let Expr::Function(function) = expr
            && let Function::Custom { name, .. } = &**function
        {
            self.0.insert(name.to_uppercase());
        }
    }

    fn enter(&mut self, _from: &mut dyn Iterator<Item = &TableFactor>) {}
}
