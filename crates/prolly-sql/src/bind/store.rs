//! What is stored: values of parameters as values of their columns' types, and rows of a query in the order of the columns.
//!
//! GlueSQL stores the rows of a query as they come, whatever columns `INSERT` names for them. **Invariant:** what is inserted from a
//! query has all columns of the table in their order.

use std::sync::Arc;

use gluesql_core::{
    ast::{
        ColumnDef, DataType, Expr, Function, Projection, Query, Select, SelectItem, SetExpr, Statement,
        TableAlias, TableFactor, TableWithJoins, Values,
    },
    data::Value,
    executor::InsertError,
};

use super::{
    adapt,
    kind::{Tables, columns_of},
    number::{decimal, is_misread, nearest, written},
};
use crate::{Error, Result, table::Table};

/// The table of the rows of a query, as the query around it names them.
const ROWS: &str = "rows";

/// Puts the rows that a query gives for an `INSERT` in the order of the table's columns, with defaults for those not named.
///
/// # Errors
/// When a column is named that is not there, or twice, or not named that needs a value; when the query gives another number of
/// columns.
pub(super) fn arrange(statement: &mut Statement, tables: &Tables) -> Result<()> {
    let Statement::Insert { table_name, columns, source } = statement else { return Ok(()) };
    if let Some(twice) = columns.iter().enumerate().find(|(i, name)| columns[..*i].contains(name)) {
        return Err(Error::Refused(format!("INSERT INTO {table_name} names the column {} twice", twice.1)));
    }
    let defs = tables.get(table_name).and_then(|table| table.columns.as_deref());
    let (SetExpr::Select(_), Some(defs)) = (&source.body, defs) else { return Ok(()) };
    let wrong = columns.iter().find(|name| !defs.iter().any(|column| column.def.name == **name));
    if let Some(wrong) = wrong {
        return Err(Error::Statement(InsertError::WrongColumnName(wrong.clone()).into()));
    }
    let expected = if columns.is_empty() { defs.len() } else { columns.len() };
    match columns_of(tables, source).map(|given| given.len()) {
        Some(given) if given != expected => {
            let text =
                format!("INSERT INTO {table_name} takes {expected} columns, but the query gives {given}");
            return Err(Error::Refused(text));
        }
        None if !columns.is_empty() => {
            let text =
                format!("INSERT INTO {table_name} with columns from a query: the query has to name its own");
            return Err(Error::Refused(text));
        }
        _ => {}
    }
    if columns.is_empty() {
        return Ok(());
    }
    let items = defs.iter().map(|column| item(&column.def, columns)).collect::<Result<_>>()?;
    let empty =
        Query { body: SetExpr::Values(Values(Vec::new())), order_by: Vec::new(), limit: None, offset: None };
    let subquery = std::mem::replace(source, empty);
    let alias = TableAlias { name: ROWS.to_owned(), columns: std::mem::take(columns) };
    let select = Select {
        distinct: false,
        projection: Projection::SelectItems(items),
        from: TableWithJoins { relation: TableFactor::Derived { subquery, alias }, joins: Vec::new() },
        selection: None,
        group_by: Vec::new(),
        having: None,
    };
    source.body = SetExpr::Select(Box::new(select));
    Ok(())
}

/// What is stored in a column: a column of the rows, or the default.
fn item(def: &ColumnDef, columns: &[String]) -> Result<SelectItem> {
    let expr = if columns.contains(&def.name) {
        Expr::CompoundIdentifier { alias: ROWS.to_owned(), ident: def.name.clone() }
    } else {
        match &def.default {
            Some(default) => {
                let (expr, data_type) = (default.clone(), def.data_type.clone());
                Expr::Function(Box::new(Function::Cast { expr, data_type }))
            }
            None if def.nullable => Expr::Value(Value::Null),
            None => {
                return Err(Error::Statement(InsertError::LackOfRequiredColumn(def.name.clone()).into()));
            }
        }
    };
    Ok(SelectItem::Expr { expr, label: def.name.clone() })
}

/// Makes values that are stored in columns of the columns' types.
pub(super) fn store(
    statement: &mut Statement,
    table_of: impl FnOnce(&str) -> Result<Option<Arc<Table>>>,
) -> Result<()> {
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
