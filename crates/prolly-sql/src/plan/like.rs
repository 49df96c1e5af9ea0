//! `LIKE` without its regular expression, which GlueSQL compiles for each row (some 20 µs): patterns that are a text, a text
//! and `%`, or a text between two `%`, as comparisons.
//!
//! In one way the results differ, to be what SQL says: `%` also stands for line breaks here.

use gluesql_core::{
    ast::{BinaryOperator, DataType, Literal},
    data::Value,
    plan::{ExprPlan, FunctionExprPlan},
};

use super::{constant::text, scope::Scope, walk::children};

/// Rewrites what can be in an expression, but not in the queries in it.
pub(super) fn rewrite(scope: &Scope, expr: &mut ExprPlan) {
    match rewritten(scope, expr) {
        Some(compared) => *expr = compared,
        None => children(expr).into_iter().for_each(|child| rewrite(scope, child)),
    }
}

/// What to say instead of a `LIKE` of a column of text; `None` when that can stay.
fn rewritten(scope: &Scope, like: &ExprPlan) -> Option<ExprPlan> {
    let ExprPlan::Like { expr, negated: false, pattern } = like else { return None };
    let column = scope.definition(scope.resolve(expr)?)?;
    (column.data_type == DataType::Text).then(|| compared(expr, text(pattern)?)).flatten()
}

/// The text that all that matches a pattern begins with.
pub(super) fn prefix(pattern: &str) -> &str {
    &pattern[..pattern.find(['%', '_']).unwrap_or(pattern.len())]
}

/// The first of the texts that do not begin with this one and are greater; `None` when there is none.
pub(super) fn after(prefix: &str) -> Option<String> {
    let mut out = prefix.to_owned();
    while let Some(last) = out.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            out.push(next);
            return Some(out);
        }
    }
    None
}

/// What `expr LIKE pattern` is in comparisons, where `expr` is a text or `NULL`; `None` when it takes more.
fn compared(expr: &ExprPlan, pattern: &str) -> Option<ExprPlan> {
    let compare = |op, text: String| ExprPlan::BinaryOp {
        left: Box::new(expr.clone()),
        op,
        right: Box::new(ExprPlan::Literal(Literal::QuotedString(text))),
    };
    let prefix = prefix(pattern);
    let rest = &pattern[prefix.len()..];
    if rest.is_empty() {
        return Some(compare(BinaryOperator::Eq, pattern.to_owned()));
    }
    if prefix.is_empty() {
        let inner = rest.strip_prefix('%')?.strip_suffix('%')?;
        return (!inner.is_empty() && !inner.contains(['%', '_'])).then(|| contains(expr, inner));
    }
    if rest != "%" {
        return None;
    }
    let from = compare(BinaryOperator::GtEq, prefix.to_owned());
    Some(match after(prefix) {
        None => from,
        Some(end) => ExprPlan::Nested(Box::new(ExprPlan::BinaryOp {
            left: Box::new(from),
            op: BinaryOperator::And,
            right: Box::new(compare(BinaryOperator::Lt, end)),
        })),
    })
}

fn contains(expr: &ExprPlan, text: &str) -> ExprPlan {
    ExprPlan::BinaryOp {
        left: Box::new(ExprPlan::Function(Box::new(FunctionExprPlan::Position {
            from_expr: expr.clone(),
            sub_expr: ExprPlan::Value(Value::Str(text.to_owned())),
        }))),
        op: BinaryOperator::Gt,
        right: Box::new(ExprPlan::Value(Value::I64(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text() {
        assert_eq!(after("ab").as_deref(), Some("ac"));
        assert_eq!(after("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(after("a\u{10FFFF}\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(after("\u{10FFFF}"), None);
        assert_eq!((prefix("a%b"), prefix("_a"), prefix("abc")), ("a", "", "abc"));
    }

    #[test]
    fn other_patterns_stay() {
        let column = ExprPlan::Identifier("c".to_owned());
        for pattern in ["%", "%a", "a%b", "a_", "%a%b%", "%a_%", "_", "%%"] {
            assert_eq!(compared(&column, pattern), None, "{pattern}");
        }
        for pattern in ["", "abc", "abc%", "%abc%"] {
            assert!(compared(&column, pattern).is_some(), "{pattern}");
        }
    }
}
