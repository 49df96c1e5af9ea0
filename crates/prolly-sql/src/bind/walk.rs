//! Everything in a statement: expressions, and what gives their names a meaning.
//!
//! **Invariant:** no match has a wildcard for variants with expressions in them, so the compiler finds what is forgotten.

use gluesql_core::ast::{
    Aggregate, AggregateFunction, AlterTableOperation, ColumnDef, CountArgExpr, Expr, Function, Join,
    JoinConstraint, JoinOperator, Projection, Query, Select, SelectItem, SetExpr, Statement, TableFactor,
    Values,
};

/// What is done with what there is in a statement.
pub(super) trait Visitor {
    /// Visits an expression, before those in it.
    fn expr(&mut self, expr: &mut Expr);

    /// Enters a query that reads from these, or a statement that writes to one.
    fn enter(&mut self, from: &mut dyn Iterator<Item = &TableFactor>);

    /// Leaves the query, or the statement, that was entered last.
    fn leave(&mut self) {}

    /// Visits a column of a result, before its expression.
    fn column(&mut self, _expr: &mut Expr, _label: &mut String) {}
}

type Visit<'a> = dyn Visitor + 'a;

/// Visits everything in a statement.
pub(super) fn statement(statement: &mut Statement, visit: &mut Visit<'_>) {
    match statement {
        Statement::Query(query) | Statement::Insert { source: query, .. } => self::query(query, visit),
        Statement::Update { table_name, assignments, selection } => {
            enter(table_name, visit);
            for assignment in assignments {
                expr(&mut assignment.value, visit);
            }
            optional(selection, visit);
            visit.leave();
        }
        Statement::Delete { table_name, selection } => {
            enter(table_name, visit);
            optional(selection, visit);
            visit.leave();
        }
        Statement::CreateTable { columns, source, .. } => {
            columns.iter_mut().flatten().for_each(|column| column_def(column, visit));
            if let Some(query) = source {
                self::query(query, visit);
            }
        }
        Statement::CreateFunction { args, return_, .. } => {
            args.iter_mut().for_each(|arg| optional(&mut arg.default, visit));
            expr(return_, visit);
        }
        Statement::AlterTable { operation, .. } => match operation {
            AlterTableOperation::AddColumn { column_def } => self::column_def(column_def, visit),
            AlterTableOperation::DropColumn { .. }
            | AlterTableOperation::RenameColumn { .. }
            | AlterTableOperation::RenameTable { .. } => {}
        },
        Statement::CreateIndex { column, .. } => expr(&mut column.expr, visit),
        Statement::ShowColumns { .. }
        | Statement::DropTable { .. }
        | Statement::DropFunction { .. }
        | Statement::DropIndex { .. }
        | Statement::StartTransaction
        | Statement::Commit
        | Statement::Rollback
        | Statement::ShowVariable(_)
        | Statement::ShowIndexes(_) => {}
    }
}

fn enter(table: &str, visit: &mut Visit<'_>) {
    let factor = TableFactor::Table { name: table.to_owned(), alias: None };
    visit.enter(&mut std::iter::once(&factor));
}

/// What a query reads from.
pub(super) fn sources(select: &Select) -> impl Iterator<Item = &TableFactor> {
    std::iter::once(&select.from.relation).chain(select.from.joins.iter().map(|join| &join.relation))
}

fn column_def(column: &mut ColumnDef, visit: &mut Visit<'_>) {
    optional(&mut column.default, visit);
}

fn query(query: &mut Query, visit: &mut Visit<'_>) {
    let Query { body, order_by, limit, offset } = query;
    match body {
        SetExpr::Select(select) => {
            visit.enter(&mut sources(select));
            self::select(select, visit);
        }
        SetExpr::Values(Values(rows)) => {
            visit.enter(&mut std::iter::empty());
            rows.iter_mut().for_each(|row| all(row, visit));
        }
    }
    order_by.iter_mut().for_each(|order| expr(&mut order.expr, visit));
    visit.leave();
    optional(limit, visit);
    optional(offset, visit);
}

fn select(select: &mut Select, visit: &mut Visit<'_>) {
    let Select { distinct: _, projection: Projection::SelectItems(items), from, selection, group_by, having } =
        select;
    table(&mut from.relation, visit);
    for Join { relation, join_operator } in &mut from.joins {
        table(relation, visit);
        let (JoinOperator::Inner(constraint) | JoinOperator::LeftOuter(constraint)) = join_operator;
        match constraint {
            JoinConstraint::On(on) => expr(on, visit),
            JoinConstraint::None => {}
        }
    }
    for item in items {
        match item {
            SelectItem::Expr { expr, label } => {
                visit.column(expr, label);
                self::expr(expr, visit);
            }
            SelectItem::QualifiedWildcard(_) | SelectItem::Wildcard => {}
        }
    }
    optional(selection, visit);
    all(group_by, visit);
    optional(having, visit);
}

fn table(table: &mut TableFactor, visit: &mut Visit<'_>) {
    match table {
        TableFactor::Derived { subquery, .. } => query(subquery, visit),
        TableFactor::Series { size, .. } => expr(size, visit),
        TableFactor::Table { .. } | TableFactor::Dictionary { .. } => {}
    }
}

fn all(exprs: &mut [Expr], visit: &mut Visit<'_>) {
    exprs.iter_mut().for_each(|one| expr(one, visit));
}

fn optional(one: &mut Option<Expr>, visit: &mut Visit<'_>) {
    one.iter_mut().for_each(|one| expr(one, visit));
}

/// Visits an expression and everything in it.
pub(super) fn expr(one: &mut Expr, visit: &mut Visit<'_>) {
    visit.expr(one);
    match one {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier { .. }
        | Expr::Literal(_)
        | Expr::Value(_)
        | Expr::TypedString { .. } => {}
        Expr::IsNull(one)
        | Expr::IsNotNull(one)
        | Expr::Nested(one)
        | Expr::UnaryOp { expr: one, op: _ }
        | Expr::Interval { expr: one, leading_field: _, last_field: _ } => expr(one, visit),
        Expr::InList { expr: one, list, negated: _ } => {
            expr(one, visit);
            all(list, visit);
        }
        Expr::InSubquery { expr: one, subquery, negated: _ } => {
            expr(one, visit);
            query(subquery, visit);
        }
        Expr::Between { expr: one, low, high, negated: _ } => {
            expr(one, visit);
            expr(low, visit);
            expr(high, visit);
        }
        Expr::Like { expr: left, pattern: right, negated: _ }
        | Expr::ILike { expr: left, pattern: right, negated: _ }
        | Expr::Regex { expr: left, pattern: right, negated: _, case_sensitive: _ }
        | Expr::BinaryOp { left, right, op: _ } => {
            expr(left, visit);
            expr(right, visit);
        }
        Expr::Function(function) => self::function(function, visit),
        Expr::Aggregate(aggregate) => self::aggregate(aggregate, visit),
        Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => query(subquery, visit),
        Expr::Case { operand, when_then, else_result } => {
            operand.iter_mut().for_each(|one| expr(one, visit));
            for (when, then) in when_then {
                expr(when, visit);
                expr(then, visit);
            }
            else_result.iter_mut().for_each(|one| expr(one, visit));
        }
        Expr::ArrayIndex { obj, indexes } => {
            expr(obj, visit);
            all(indexes, visit);
        }
        Expr::Array { elem } => all(elem, visit),
    }
}

fn aggregate(aggregate: &mut Aggregate, visit: &mut Visit<'_>) {
    match &mut aggregate.func {
        AggregateFunction::Count(CountArgExpr::Wildcard) => {}
        AggregateFunction::Count(CountArgExpr::Expr(one))
        | AggregateFunction::Sum(one)
        | AggregateFunction::Max(one)
        | AggregateFunction::Min(one)
        | AggregateFunction::Avg(one)
        | AggregateFunction::Variance(one)
        | AggregateFunction::Stdev(one) => expr(one, visit),
    }
}

fn function(function: &mut Function, visit: &mut Visit<'_>) {
    use Function as F;
    match function {
        F::Now()
        | F::CurrentDate()
        | F::CurrentTime()
        | F::CurrentTimestamp()
        | F::Pi()
        | F::GenerateUuid() => {}
        F::Abs(one)
        | F::Lower(one)
        | F::Initcap(one)
        | F::Upper(one)
        | F::Asin(one)
        | F::Acos(one)
        | F::Atan(one)
        | F::Cast { expr: one, data_type: _ }
        | F::Ceil(one)
        | F::Round(one)
        | F::Trunc(one)
        | F::Floor(one)
        | F::Exp(one)
        | F::Extract { expr: one, field: _ }
        | F::Ln(one)
        | F::Log2(one)
        | F::Log10(one)
        | F::Sin(one)
        | F::Cos(one)
        | F::Tan(one)
        | F::Sqrt(one)
        | F::Radians(one)
        | F::Degrees(one)
        | F::LastDay(one)
        | F::Reverse(one)
        | F::Sign(one)
        | F::Ascii(one)
        | F::Chr(one)
        | F::Md5(one)
        | F::Hex(one)
        | F::GetX(one)
        | F::GetY(one)
        | F::IsEmpty(one)
        | F::Length(one)
        | F::Entries(one)
        | F::Keys(one)
        | F::Values(one)
        | F::Dedup(one) => expr(one, visit),
        F::AddMonth { expr: first, size: second }
        | F::Left { expr: first, size: second }
        | F::Right { expr: first, size: second }
        | F::IfNull { expr: first, then: second }
        | F::NullIf { expr1: first, expr2: second }
        | F::Log { antilog: first, base: second }
        | F::Div { dividend: first, divisor: second }
        | F::Mod { dividend: first, divisor: second }
        | F::Gcd { left: first, right: second }
        | F::Lcm { left: first, right: second }
        | F::Power { expr: first, power: second }
        | F::Repeat { expr: first, num: second }
        | F::Unwrap { expr: first, selector: second }
        | F::Format { expr: first, format: second }
        | F::ToDate { expr: first, format: second }
        | F::ToTimestamp { expr: first, format: second }
        | F::ToTime { expr: first, format: second }
        | F::Position { from_expr: first, sub_expr: second }
        | F::Append { expr: first, value: second }
        | F::Prepend { expr: first, value: second }
        | F::Skip { expr: first, size: second }
        | F::Take { expr: first, size: second }
        | F::Point { x: first, y: second }
        | F::CalcDistance { geometry1: first, geometry2: second } => {
            expr(first, visit);
            expr(second, visit);
        }
        F::Trim { expr: first, filter_chars: second, trim_where_field: _ }
        | F::Ltrim { expr: first, chars: second }
        | F::Rtrim { expr: first, chars: second }
        | F::Sort { expr: first, order: second } => {
            expr(first, visit);
            optional(second, visit);
        }
        F::Replace { expr: first, old: second, new: third }
        | F::Slice { expr: first, start: second, length: third } => {
            expr(first, visit);
            expr(second, visit);
            expr(third, visit);
        }
        F::Lpad { expr: first, size: second, fill: third }
        | F::Rpad { expr: first, size: second, fill: third }
        | F::Substr { expr: first, start: second, count: third }
        | F::FindIdx { from_expr: first, sub_expr: second, start: third } => {
            expr(first, visit);
            expr(second, visit);
            optional(third, visit);
        }
        F::Splice { list_data, begin_index, end_index, values } => {
            expr(list_data, visit);
            expr(begin_index, visit);
            expr(end_index, visit);
            optional(values, visit);
        }
        F::Rand(seed) => optional(seed, visit),
        F::Coalesce(exprs) | F::Concat(exprs) | F::Greatest(exprs) | F::Custom { exprs, name: _ } => {
            all(exprs, visit)
        }
        F::ConcatWs { separator, exprs } => {
            expr(separator, visit);
            all(exprs, visit);
        }
    }
}
