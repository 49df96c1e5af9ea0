//! From text to statements, and what GlueSQL's translation would refuse or get wrong.
//!
//! **Invariant:** parameters never become text: `?` is numbered among the tokens, and values are bound to the numbers.

use gluesql_core::sqlparser::{
    ast::{ColumnOption, ColumnOptionDef, CreateTable, Ident, Statement, TableConstraint},
    dialect::{Dialect, PostgreSqlDialect},
    parser::{Parser, ParserError},
    tokenizer::{Token, TokenWithLocation, Tokenizer},
};

use crate::{Error, Result, nesting};

/// The character that separates a table's name from a hint in a plan.
pub(crate) const HINT_MARK: char = '\u{1}';

const DIALECT: PostgreSqlDialect = PostgreSqlDialect {};

/// GlueSQL's dialect as far as words go, with `?` for parameters. (In that dialect a question mark is an operator, and the
/// tokenizer loses what follows it.)
#[derive(Debug)]
struct Words;

impl Dialect for Words {
    fn is_identifier_start(&self, ch: char) -> bool {
        DIALECT.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        DIALECT.is_identifier_part(ch)
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        DIALECT.is_delimited_identifier_start(ch)
    }

    fn supports_unicode_string_literal(&self) -> bool {
        DIALECT.supports_unicode_string_literal()
    }

    fn is_custom_operator_part(&self, ch: char) -> bool {
        DIALECT.is_custom_operator_part(ch)
    }
}

/// A statement that can be translated.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) sql: Statement,
    /// For `CREATE TABLE`: the columns of a primary key of several, which the statement itself no longer says.
    pub(crate) composite_key: Option<Vec<String>>,
    /// How deep it nests at most.
    pub(crate) levels: usize,
}

/// Parses statements.
///
/// # Errors
/// [`Error::Syntax`]; [`Error::Statement`] for a key that is declared in a way that means nothing.
pub(crate) fn prepare(text: &str) -> Result<Vec<Prepared>> {
    let (statements, levels) = parse(text, |parser| parser.parse_statements())?;
    statements.into_iter().map(|sql| prepare_one(sql, levels)).collect()
}

/// Parses a text in one way; says how deep it nests at most.
///
/// # Errors
/// [`Error::Syntax`].
pub(crate) fn parse<T>(
    text: &str,
    how: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, ParserError>,
) -> Result<(T, usize)> {
    let syntax = |message: String| Error::Syntax { message };
    let mut tokens = tokens(text)?;
    let levels = nesting::check(&tokens)?;
    number_placeholders(&mut tokens)?;
    let mut parser = Parser::new(&DIALECT).with_tokens_with_locations(tokens);
    match nesting::with_stack(levels, || how(&mut parser)) {
        Ok(parsed) => Ok((parsed, levels)),
        Err(error) => Err(syntax(error.to_string().trim_start_matches("sql parser error: ").to_owned())),
    }
}

/// How deep an expression can nest, from its text.
///
/// # Errors
/// [`Error::Syntax`].
pub(crate) fn levels(text: &str) -> Result<usize> {
    Ok(nesting::longest_part(&tokens(text)?))
}

fn tokens(text: &str) -> Result<Vec<TokenWithLocation>> {
    let tokens = Tokenizer::new(&Words, text).tokenize_with_location();
    tokens.map_err(|error| Error::Syntax { message: error.to_string() })
}

/// Makes `$1`, `$2` … of question marks; refuses names that could be taken for a hint.
fn number_placeholders(tokens: &mut [TokenWithLocation]) -> Result<()> {
    let mut count = 0;
    for TokenWithLocation { token, location } in tokens {
        let syntax = |what: &str| Error::Syntax { message: format!("{what}{location}") };
        match token {
            Token::Placeholder(name) if name == "?" => {
                count += 1;
                *name = format!("${count}");
            }
            Token::Placeholder(_) if count > 0 => {
                return Err(syntax("parameters are either all \"?\" or all numbered"));
            }
            Token::Word(word) if word.value.contains(HINT_MARK) => {
                return Err(syntax("a name may not contain U+0001"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn prepare_one(mut sql: Statement, levels: usize) -> Result<Prepared> {
    let composite_key = match &mut sql {
        Statement::CreateTable(create) => take_constraints(create)?,
        _ => None,
    };
    Ok(Prepared { sql, composite_key, levels })
}

/// Turns constraints of a table into options of its columns; returns the columns of a primary key of several.
fn take_constraints(create: &mut CreateTable) -> Result<Option<Vec<String>>> {
    let table = create.name.to_string();
    let mut keys: Vec<Vec<Ident>> = create
        .columns
        .iter()
        .filter(|column| column.options.iter().any(|option| is_primary(&option.option)))
        .map(|column| vec![column.name.clone()])
        .collect();
    let mut left = Vec::new();
    for constraint in std::mem::take(&mut create.constraints) {
        match constraint {
            TableConstraint::PrimaryKey { columns, .. } => {
                if let [column] = &columns[..] {
                    add_option(
                        create,
                        column,
                        ColumnOption::Unique { is_primary: true, characteristics: None },
                    )?;
                }
                keys.push(columns);
            }
            TableConstraint::Unique { columns, .. } => match &columns[..] {
                [column] => {
                    add_option(
                        create,
                        column,
                        ColumnOption::Unique { is_primary: false, characteristics: None },
                    )?;
                }
                _ => return Err(refused(format!("UNIQUE over several columns of {table} is not supported"))),
            },
            TableConstraint::ForeignKey { ref columns, ref referred_columns, .. }
                if columns.len() != 1 || referred_columns.len() != 1 =>
            {
                return Err(refused(format!("a foreign key of {table} has to name one column on each side")));
            }
            other => left.push(other),
        }
    }
    create.constraints = left;
    match &keys[..] {
        [] => Ok(None),
        [columns] if columns.len() == 1 => Ok(None),
        [columns] => {
            for (position, column) in columns.iter().enumerate() {
                if columns[..position].iter().any(|other| other.value == column.value) {
                    return Err(refused(format!("the primary key of {table} names {column} twice")));
                }
                add_option(create, column, ColumnOption::NotNull)?;
            }
            Ok(Some(columns.iter().map(|column| column.value.clone()).collect()))
        }
        _ => Err(refused(format!(
            "{table} has more than one primary key: name all columns in one PRIMARY KEY (…)"
        ))),
    }
}

fn is_primary(option: &ColumnOption) -> bool {
    matches!(option, ColumnOption::Unique { is_primary: true, .. })
}

fn add_option(create: &mut CreateTable, name: &Ident, option: ColumnOption) -> Result<()> {
    let table = create.name.to_string();
    let column = create
        .columns
        .iter_mut()
        .find(|column| column.name.value == name.value)
        .ok_or_else(|| refused(format!("{table} has no column {name} to constrain")))?;
    if !column.options.iter().any(|known| known.option == option) {
        column.options.push(ColumnOptionDef { name: None, option });
    }
    Ok(())
}

fn refused(text: String) -> Error {
    Error::Refused(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Option<Vec<String>> {
        prepare(text).unwrap().pop().unwrap().composite_key
    }

    fn failure(text: &str) -> String {
        prepare(text).unwrap_err().to_string()
    }

    #[test]
    fn question_marks_are_numbered_over_all_statements() {
        let statements = prepare("SELECT ?, '?'; SELECT ? -- ?").unwrap();
        assert_eq!(statements[0].sql.to_string(), "SELECT $1, '?'");
        assert_eq!(statements[1].sql.to_string(), "SELECT $2");
        assert!(failure("SELECT ?, $1").contains("either all"));
    }

    #[test]
    fn keys_of_several_columns_are_taken_out() {
        assert_eq!(
            key("CREATE TABLE t (a INT, b INT, PRIMARY KEY (b, a))"),
            Some(vec!["b".into(), "a".into()])
        );
        assert_eq!(key("CREATE TABLE t (a INT, b INT, PRIMARY KEY (b))"), None);
        assert_eq!(key("CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE)"), None);
        assert_eq!(key("SELECT 1"), None);
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        assert!(
            failure("CREATE TABLE t (a INT PRIMARY KEY, b INT PRIMARY KEY)")
                .contains("more than one primary key")
        );
        assert!(failure("CREATE TABLE t (a INT, PRIMARY KEY (b))").contains("no column b"));
        assert!(failure("CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, a))").contains("twice"));
        assert!(failure("CREATE TABLE t (a INT, b INT, UNIQUE (a, b))").contains("UNIQUE"));
        assert!(failure("SELECT * FROM \"t\u{1}x\"").contains("U+0001"));
    }

    #[test]
    fn a_syntax_error_says_where() {
        let error = failure("SELECT 1;\nSELEC 2");
        assert!(error.contains("Line: 2, Column: 1"), "{error}");
    }
}
