//! From parsed statements to translated ones: parameters, and what GlueSQL's translation gets wrong.
//!
//! **Invariant:** a parameter is a value from beginning to end: it takes the place of its number in the translated
//! statement, and no text is made of it. Text in a parameter means what a literal of the same text means, everywhere.

mod adapt;
mod kind;
mod number;
mod walk;

use std::sync::Arc;

use gluesql_core::{
    ast::{ColumnDef, DataType, Expr, Function, Literal, Query, SetExpr, Statement, TableFactor, Values},
    data::Value,
    sqlparser::ast as sql,
    translate::{IntoParamLiteral, ParamLiteral, translate_with_params},
};

use self::{
    kind::Tables,
    number::{Numbers, compared, decimal, is_misread, nearest, number, written},
    walk::Visitor,
};
use crate::{Error, Result, table::Table};

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
        if compares {
            let mut found = Tables::new();
            for name in tables {
                if let Some(table) = table_of(&name)? {
                    found.insert(name, table);
                }
            }
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

/// Makes values that are stored in columns of the columns' types.
fn store(statement: &mut Statement, table_of: impl FnOnce(&str) -> Result<Option<Arc<Table>>>) -> Result<()> {
    match statement {
        Statement::Insert {
            table_name,
            columns,
            source: Query { body: SetExpr::Values(Values(rows)), .. },
        } => {
            let Some(table) = table_of(table_name)? else { return Ok(()) };
            let Some(targets) = targets(&table, columns) else { return Ok(()) };
            for row in rows {
                for (expr, def) in row.iter_mut().zip(&targets) {
                    store_one(expr, def)?;
                }
            }
        }
        Statement::Update { table_name, assignments, .. } => {
            let Some(table) = table_of(table_name)? else { return Ok(()) };
            for assignment in assignments {
                if let Some(column) =
                    table.columns.iter().flatten().find(|column| column.def.name == assignment.id)
                {
                    store_one(&mut assignment.value, &column.def)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn store_one(expr: &mut Expr, def: &ColumnDef) -> Result<()> {
    if let Expr::Value(value) = expr {
        *expr = stored(value, def)?;
    } else if let Some(number) = written(expr).filter(is_misread) {
        let value = match def.data_type {
            DataType::Float => nearest(&number).map(Value::F64),
            DataType::Decimal => decimal(&number).map(Value::Decimal),
            _ => None,
        };
        if let Some(value) = value {
            *expr = Expr::Value(value);
        }
    }
    Ok(())
}

/// The statement that inserts rows: into some columns of a table, or into all where none are named.
///
/// # Errors
/// When a row has another number of values than there are columns, or a value that its column cannot hold.
pub(crate) fn insert(
    table: &str,
    columns: &[String],
    rows: &[Vec<Value>],
    table_of: impl FnOnce(&str) -> Result<Option<Arc<Table>>>,
) -> Result<Statement> {
    let found = table_of(table)?;
    let targets = found.as_deref().and_then(|found| targets(found, columns));
    let mut inserted = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let exprs = match &targets {
            Some(targets) if targets.len() != row.len() => {
                let number = index + 1;
                let (given, expected) = (row.len(), targets.len());
                return Err(Error::Refused(format!(
                    "row {number} for {table} has {given} values instead of {expected}"
                )));
            }
            Some(targets) => {
                row.iter().zip(targets).map(|(value, def)| stored(value, def)).collect::<Result<_>>()?
            }
            // What is not there, the table or a column, is reported when the statement is planned.
            None => row.iter().cloned().map(Expr::Value).collect(),
        };
        inserted.push(exprs);
    }
    let body = SetExpr::Values(Values(inserted));
    let source = Query { body, order_by: Vec::new(), limit: None, offset: None };
    Ok(Statement::Insert { table_name: table.to_owned(), columns: columns.to_vec(), source })
}

/// The columns that an `INSERT` names, or all of them; `None` when one of them is not there, or the table has no schema.
fn targets<'a>(table: &'a Table, names: &[String]) -> Option<Vec<&'a ColumnDef>> {
    let columns = table.columns.as_deref()?;
    if names.is_empty() {
        return Some(columns.iter().map(|column| &column.def).collect());
    }
    let find = |name: &String| columns.iter().map(|column| &column.def).find(|def| def.name == *name);
    names.iter().map(find).collect()
}

fn stored(value: &Value, def: &ColumnDef) -> Result<Expr> {
    adapt::adapt(value, &def.data_type).ok_or_else(|| {
        let ColumnDef { name, data_type, .. } = def;
        let kind = value.get_type().map_or_else(|| "NULL".to_owned(), |kind| kind.to_string());
        Error::Refused(format!(
            "the column {name} is {data_type}, which cannot hold {kind} {}",
            String::from(value.clone())
        ))
    })
}
