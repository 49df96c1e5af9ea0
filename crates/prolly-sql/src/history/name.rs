//! The names of generated tables.

use gluesql_core::{
    data::Value, error::Error as GlueError, executor::evaluate_stateless, parse_sql::parse_expr,
    plan::plan_scalar_expr, translate::translate_expr,
};

use crate::{Error, Result};

/// What the name of a generated table asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum GeneratedName {
    Log { revision: Option<String> },
    Branches,
    Conflicts { revision: String },
    Diff { table: String, from: String, to: Option<String> },
    History { table: String, key: Vec<Value> },
}

impl GeneratedName {
    /// Reads a name; `None` when it is none of a generated table.
    ///
    /// # Errors
    /// [`Error::Statement`] when it is one, but its arguments are not.
    pub(crate) fn parse(name: &str) -> Result<Option<Self>> {
        let (function, arguments) = match name.strip_suffix(')').and_then(|name| name.split_once('(')) {
            Some((function, arguments)) => (function.trim(), split(arguments)),
            None => (name, Vec::new()),
        };
        let wrong = |usage: &str| {
            let text = format!("table {name:?}: write {usage:?}");
            Err(Error::Refused(text))
        };
        let text = |argument: &&str| (*argument).to_owned();
        Ok(Some(match (function, &arguments[..]) {
            ("log", []) => Self::Log { revision: None },
            ("log", [revision]) => Self::Log { revision: Some(text(revision)) },
            ("log", _) => return wrong("log(REVISION)"),
            ("branches", []) => Self::Branches,
            ("branches", _) => return wrong("branches"),
            ("conflicts", [revision]) => Self::Conflicts { revision: text(revision) },
            ("conflicts", _) if name.contains('(') => return wrong("conflicts(REVISION)"),
            ("diff", [table, from]) => Self::Diff { table: text(table), from: text(from), to: None },
            ("diff", [table, from, to]) => {
                Self::Diff { table: text(table), from: text(from), to: Some(text(to)) }
            }
            ("diff", _) if name.contains('(') => return wrong("diff(TABLE, FROM) or diff(TABLE, FROM, TO)"),
            ("history", [table, key @ ..]) if !key.is_empty() => {
                let key = key.iter().map(|value| constant(name, value)).collect::<Result<_>>()?;
                Self::History { table: text(table), key }
            }
            ("history", _) if name.contains('(') => return wrong("history(TABLE, KEY)"),
            _ => return Ok(None),
        }))
    }
}

/// The arguments between commas that are not in quotes.
fn split(arguments: &str) -> Vec<&str> {
    let mut in_quotes = false;
    let parts = arguments.split(|c: char| {
        in_quotes ^= c == '\'';
        c == ',' && !in_quotes
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The value of a constant expression.
fn constant(name: &str, text: &str) -> Result<Value> {
    let evaluate = || {
        let expr = translate_expr(&parse_expr(text)?, &[])?;
        evaluate_stateless(None, &plan_scalar_expr(expr))?.try_into()
    };
    evaluate().map_err(|error: GlueError| {
        let text = format!("table {name:?}: {text:?} is no constant: {error}");
        Error::Refused(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_ask_for() {
        let parse = |name: &str| GeneratedName::parse(name).unwrap();
        assert_eq!(parse("log"), Some(GeneratedName::Log { revision: None }));
        assert_eq!(parse("log(HEAD~2)"), Some(GeneratedName::Log { revision: Some("HEAD~2".into()) }));
        let diff = GeneratedName::Diff { table: "t".into(), from: "main".into(), to: Some("v1".into()) };
        assert_eq!(parse("diff(t, main, v1)"), Some(diff));
        let key = vec![Value::I64(5), Value::Str("a,b'c".into())];
        assert_eq!(parse("history(t, 5, 'a,b''c')"), Some(GeneratedName::History { table: "t".into(), key }));
        assert_eq!(parse("users"), None);
        assert_eq!(parse("diff"), None, "an ordinary name");
        assert!(GeneratedName::parse("diff(t)").unwrap_err().to_string().contains("diff(TABLE, FROM)"));
        assert!(GeneratedName::parse("history(t, now)").unwrap_err().to_string().contains("no constant"));
    }
}
