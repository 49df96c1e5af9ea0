//! Parts of statements that come from elsewhere: checked to be one such part, so that they can stand in a statement without
//! becoming more than that.
//!
//! **Invariant:** a text that is accepted has the tokens of exactly one part. In a statement, between line ends and behind
//! them a closing parenthesis or a comma, they can mean nothing else.

use gluesql_core::sqlparser::{
    ast::{Ident, Statement},
    parser::{Parser, ParserError},
    tokenizer::Token,
};

use crate::{
    Error, Result,
    statement::{parse, prepare},
};

/// A name in quotes.
pub fn quoted(name: &str) -> String {
    Ident::with_quote('"', name).to_string()
}

/// Checks that a text is one expression, with placeholders or without.
///
/// # Errors
/// [`Error::Syntax`], with what was found instead.
pub fn check_expression(text: &str) -> Result<()> {
    check(text, |parser| parser.parse_expr())
}

/// Checks that a text is what stands behind a column's name in `CREATE TABLE`: a type, and options such as `NOT NULL`.
///
/// # Errors
/// [`Error::Syntax`], with what was found instead.
pub fn check_column_type(text: &str) -> Result<()> {
    check(&format!("c\n{text}"), |parser| parser.parse_column_def())
}

/// `SELECT` of some columns of a table, or of all, where a condition holds.
///
/// # Errors
/// As [`check_expression`].
pub fn select(table: &str, columns: Option<&[String]>, condition: Option<&str>) -> Result<String> {
    // Without an alias, the label of what was written in quotes has them, too.
    let column = |name: &String| format!("{} AS {}", quoted(name), quoted(name));
    let columns = columns.map_or_else(|| "*".to_owned(), |names| list(names.iter().map(column)));
    let mut text = format!("SELECT {columns} FROM {}", quoted(table));
    if let Some(condition) = condition {
        check_expression(condition)?;
        text.push_str(" WHERE (\n");
        text.push_str(condition);
        text.push_str("\n)");
    }
    Ok(text)
}

/// `CREATE TABLE` with columns of which each has a name, and what stands behind that: its type, and options.
///
/// # Errors
/// As [`check_column_type`].
pub fn create_table(table: &str, columns: &[(String, String)]) -> Result<String> {
    for (_, kind) in columns {
        check_column_type(kind)?;
    }
    let columns = columns.iter().map(|(name, kind)| format!("{}\n{kind}\n", quoted(name)));
    Ok(format!("CREATE TABLE {} ({})", quoted(table), list(columns)))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

fn check<T>(text: &str, part: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>) -> Result<()> {
    parse(text, |parser| {
        part(parser)?;
        parser.expect_token(&Token::EOF)
    })
    .map(|_| ())
}

/// What [`row_statement`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStatement {
    /// `INSERT`.
    Insert,
    /// `UPDATE`.
    Update,
    /// `DELETE`.
    Delete,
}

/// Checks that a text is one statement that inserts, updates or deletes rows.
///
/// # Errors
/// [`Error::Syntax`].
pub fn row_statement(text: &str) -> Result<RowStatement> {
    let mut statements = prepare(text)?;
    let one = if statements.len() == 1 { statements.pop() } else { None };
    match one.map(|statement| statement.sql) {
        Some(Statement::Insert(_)) => Ok(RowStatement::Insert),
        Some(Statement::Update { .. }) => Ok(RowStatement::Update),
        Some(Statement::Delete(_)) => Ok(RowStatement::Delete),
        _ => Err(Error::Syntax { message: "one INSERT, UPDATE or DELETE is expected".to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("a"), "\"a\"");
        assert_eq!(quoted("a\"; DROP TABLE t; --"), "\"a\"\"; DROP TABLE t; --\"");
        assert_eq!(quoted(""), "\"\"");
    }

    #[test]
    fn an_expression_is_one_expression() {
        for text in [
            "id = 1",
            " a = ? AND b IN (SELECT c FROM t WHERE d = ?) ",
            "a = '1; DROP TABLE t' -- a remark",
            "a /* in between */ = 1",
            "NOT (a IS NULL)",
        ] {
            check_expression(text).unwrap();
        }
        for text in [
            "",
            "-- nothing",
            "1=1; DROP TABLE t",
            "1=1) OR (1=1",
            "1=1); DROP TABLE t; --",
            "1=1 /*",
            "1=1 ORDER BY id",
            "1=1 UNION SELECT 1",
            "1=1 LIMIT 1",
            "1=1, 2=2",
            "a = 'x",
            "a =",
        ] {
            assert!(matches!(check_expression(text), Err(Error::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn a_column_type_is_one_column_type() {
        for text in ["INTEGER", "INTEGER PRIMARY KEY", "TEXT NOT NULL DEFAULT 'a, b'", "DECIMAL -- exact"] {
            check_column_type(text).unwrap();
        }
        for text in
            ["", "INT, b INT", "INT); DROP TABLE t; --", "INT) AS SELECT (1", "INT; DROP TABLE t", "INT /*"]
        {
            assert!(matches!(check_column_type(text), Err(Error::Syntax { .. })), "{text}");
        }
    }

    #[test]
    fn statements_are_made_of_names_and_placeholders() {
        let names = ["a".to_owned(), "b\"".to_owned()];
        assert_eq!(select("t", None, None).unwrap(), "SELECT * FROM \"t\"");
        let text = select("t@HEAD~1", Some(&names), Some("a = 1 -- first")).unwrap();
        assert_eq!(
            text,
            "SELECT \"a\" AS \"a\", \"b\"\"\" AS \"b\"\"\" FROM \"t@HEAD~1\" WHERE (\na = 1 -- first\n)"
        );
        prepare(&text).unwrap();
        let columns = [("a".to_owned(), "INT -- number".to_owned()), ("b\"".to_owned(), "TEXT".to_owned())];
        let text = create_table("t", &columns).unwrap();
        assert_eq!(prepare(&text).unwrap().len(), 1);
    }

    #[test]
    fn a_row_statement_is_one_that_changes_rows() {
        assert_eq!(row_statement("INSERT INTO t VALUES (?)").unwrap(), RowStatement::Insert);
        assert_eq!(row_statement("UPDATE t SET a = 1;").unwrap(), RowStatement::Update);
        assert_eq!(row_statement("DELETE FROM t").unwrap(), RowStatement::Delete);
        for text in ["", "SELECT 1", "DELETE FROM t; DELETE FROM u", "BEGIN", "DROP TABLE t"] {
            assert!(row_statement(text).is_err(), "{text}");
        }
    }
}
