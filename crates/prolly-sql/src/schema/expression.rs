//! Expressions as SQL: how defaults and the expressions of indexes are stored.
//!
//! **Invariant:** what is stored reads back as the expression it was written for, or as one of the same constant value, and is
//! written for that in the same way. An expression for which this does not hold is refused when the table is made.

use gluesql_core::{
    ast::{BinaryOperator, DataType, Expr, Function, Literal, ToSql, UnaryOperator},
    data::Value,
    error::Error as GlueError,
    executor::evaluate_stateless,
    parse_sql::parse_expr,
    plan::plan_scalar_expr,
    translate::translate_expr,
};

use crate::{Error, Result, row::encode_value};

/// The SQL of an expression.
///
/// # Errors
/// [`Error::Statement`] that says whose expression it is when it cannot be stored.
pub(crate) fn checked_sql(expr: &Expr, whose: impl FnOnce() -> String) -> Result<String> {
    let sql = sql(expr);
    match parse(&sql) {
        Ok(read) if read == *expr || is_same_constant(&read, expr) => Ok(sql),
        _ => Err(Error::Statement(GlueError::StorageMsg(format!("{} cannot be stored: {sql}", whose())))),
    }
}

/// Reads what [`checked_sql`] wrote.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> std::result::Result<Expr, String> {
    let parsed = parse_expr(text).map_err(|error| error.to_string())?;
    let expr = translate_expr(&parsed, &[]).map_err(|error| error.to_string())?;
    // The parser stops where an expression ends.
    if sql(&expr) == text { Ok(expr) } else { Err(format!("{text:?} is no expression that is stored")) }
}

fn is_same_constant(left: &Expr, right: &Expr) -> bool {
    let encoded = |expr: &Expr| {
        let plan = plan_scalar_expr(expr.clone());
        let value = Value::try_from(evaluate_stateless(None, &plan).ok()?).ok()?;
        let mut out = Vec::new();
        encode_value(&mut out, &value).ok()?;
        Some(out)
    };
    matches!((encoded(left), encoded(right)), (Some(left), Some(right)) if left == right)
}

/// Writes an expression. GlueSQL's own text is used where it needs no escapes that it does not have.
fn sql(expr: &Expr) -> String {
    let not = |negated: &bool| if *negated { "NOT " } else { "" };
    match expr {
        Expr::Identifier(name) => quoted('"', name),
        Expr::CompoundIdentifier { alias, ident } => format!("{}.{}", quoted('"', alias), quoted('"', ident)),
        Expr::IsNull(expr) => format!("{} IS NULL", sql(expr)),
        Expr::IsNotNull(expr) => format!("{} IS NOT NULL", sql(expr)),
        Expr::InList { expr, list, negated } => {
            format!("{} {}IN ({})", sql(expr), not(negated), listed(list))
        }
        Expr::Between { expr, negated, low, high } => {
            format!("{} {}BETWEEN {} AND {}", sql(expr), not(negated), sql(low), sql(high))
        }
        Expr::Like { expr, negated, pattern } => {
            format!("{} {}LIKE {}", sql(expr), not(negated), sql(pattern))
        }
        Expr::ILike { expr, negated, pattern } => {
            format!("{} {}ILIKE {}", sql(expr), not(negated), sql(pattern))
        }
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            format!("{} || {}", sql(left), sql(right))
        }
        Expr::BinaryOp { left, op, right } => format!("{} {} {}", sql(left), op.to_sql(), sql(right)),
        Expr::UnaryOp { op: UnaryOperator::Factorial, expr } => format!("{}!", sql(expr)),
        // A space, since two signs begin a comment.
        Expr::UnaryOp { op, expr } => format!("{} {}", op.to_sql().trim_end(), sql(expr)),
        Expr::Nested(expr) => format!("({})", sql(expr)),
        Expr::Literal(Literal::Number(number)) => number.to_string(),
        Expr::Literal(Literal::QuotedString(text)) => quoted('\'', text),
        Expr::Value(value) => constant(value),
        Expr::TypedString { data_type, value } => format!("{data_type} {}", quoted('\'', value)),
        Expr::Array { elem } => format!("[{}]", listed(elem)),
        Expr::Function(function) => match &**function {
            Function::Cast { expr, data_type } => cast(&sql(expr), data_type),
            function => function.to_sql(),
        },
        expr => expr.to_sql(),
    }
}

fn listed(list: &[Expr]) -> String {
    list.iter().map(sql).collect::<Vec<_>>().join(", ")
}

fn quoted(quote: char, text: &str) -> String {
    let doubled = String::from_iter([quote, quote]);
    format!("{quote}{}{quote}", text.replace(quote, &doubled))
}

fn cast(sql: &str, data_type: &DataType) -> String {
    format!("CAST({sql} AS {data_type})")
}

/// A constant of exactly its type, which a number alone has only if it is an INT.
fn constant(value: &Value) -> String {
    let text = |text: &str| quoted('\'', text);
    match value {
        Value::Null | Value::Bool(_) | Value::Bytea(_) => value.to_sql(),
        Value::Str(v) => text(v),
        Value::Date(v) => format!("DATE {}", text(&v.to_string())),
        Value::Timestamp(v) => format!("TIMESTAMP {}", text(&v.to_string())),
        Value::Time(v) => format!("TIME {}", text(&v.to_string())),
        Value::Interval(_) => value.to_sql(),
        value => {
            let sql = value.to_sql();
            let data_type = value.get_type().unwrap_or(DataType::Text);
            cast(&if sql.starts_with('\'') { sql } else { text(&sql) }, &data_type)
        }
    }
}

#[cfg(test)]
mod tests {
    use gluesql_core::data::Interval;

    use super::*;

    fn checked(expr: &Expr) -> Result<String> {
        checked_sql(expr, || "it".to_owned())
    }

    #[test]
    fn expressions_come_back_from_their_sql() {
        for text in [
            "1",
            "-1",
            "- -1",
            "1.50",
            "1e30",
            "'it''s'",
            "''",
            "'a\\b'",
            "TRUE",
            "NULL",
            "X'00ff'",
            "DATE '2024-02-29'",
            "TIMESTAMP '2024-02-29 01:02:03.000004'",
            "TIME '01:02:03'",
            "INTERVAL '3' MONTH",
            "1 + 2 * 3",
            "(1 + 2) * 3",
            "'a' || 'b'",
            "\"a\"\"b\" + 1",
            "t.\"x y\"",
            "CAST(a AS INT8)",
            "CAST('1.50' AS DECIMAL)",
            "NOT a",
            "a IS NULL",
            "a NOT IN (1, 'it''s')",
            "a BETWEEN 1 AND 2",
            "a LIKE 'x%'",
            "NOW()",
            "GENERATE_UUID()",
            "UPPER('it''s')",
            "CASE WHEN a THEN 1 ELSE 2 END",
            "a = 1 AND b <> 2 OR c >= 3",
            "CONCAT('a', 'b')",
            "5!",
            "~ 5",
            "[1, 2]",
            "POINT(1, 2)",
            "CURRENT_TIMESTAMP()",
        ] {
            let expr = translate_expr(&parse_expr(text).expect(text), &[]).expect(text);
            let stored = checked(&expr).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(parse(&stored).expect(text), expr, "{text} is stored as {stored}");
        }
    }

    #[test]
    fn constants_keep_their_type() {
        let date = gluesql_core::chrono::NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
        for value in [
            Value::I8(-5),
            Value::I64(-5),
            Value::I64(i64::MIN),
            Value::U128(u128::MAX),
            Value::F32(1.5),
            Value::F64(-2.5e300),
            Value::Decimal("1.50".parse().unwrap()),
            Value::Str("it's".to_owned()),
            Value::Bytea(vec![0, 255]),
            Value::Inet([127, 0, 0, 1].into()),
            Value::Date(date),
            Value::Timestamp(date.and_hms_nano_opt(1, 2, 3, 4).unwrap()),
            Value::Time(date.and_hms_milli_opt(1, 2, 3, 4).unwrap().time()),
            Value::Interval(Interval::Month(-14)),
            Value::Interval(Interval::Microsecond(1_500_000)),
            Value::Uuid(7),
            Value::List(vec![Value::I64(1), Value::Str("it's".to_owned())]),
            Value::Map([("a".to_owned(), Value::I64(1))].into()),
        ] {
            let expr = Expr::Value(value.clone());
            let stored = checked(&expr).unwrap_or_else(|error| panic!("{value:?}: {error}"));
            assert!(is_same_constant(&parse(&stored).unwrap(), &expr), "{value:?}");
        }
    }

    #[test]
    fn what_does_not_come_back_is_refused() {
        // Built, not parsed: the product of a sum, which as text is a sum.
        let number = |number: i64| Box::new(Expr::Literal(Literal::Number(number.into())));
        let sum = Expr::BinaryOp { left: number(1), op: BinaryOperator::Plus, right: number(2) };
        let product = Expr::BinaryOp { left: Box::new(sum), op: BinaryOperator::Multiply, right: number(3) };
        let error = checked(&product).unwrap_err().to_string();
        assert_eq!(error, "storage: it cannot be stored: 1 + 2 * 3");
        for text in ["1; 2", "1 2", "1 -- 2", " 1", "", "(", "SELECT 1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
