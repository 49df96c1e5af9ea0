//! Taking plans apart: GlueSQL has a type for each combination of steps, here they are one list of parts.

use gluesql_core::plan::{
    AggregateFunctionPlan, AggregationInputPlan, CountArgExprPlan, DistinctInputPlan, DistinctPlan, ExprPlan,
    FilterInputPlan, FunctionExprPlan, HashJoinInputPlan, HashJoinPlan, InnerJoinInputPlan, InnerJoinPlan,
    JoinConditionInputPlan, LeftOuterJoinInputPlan, LeftOuterJoinPlan, LimitInputPlan,
    NestedLoopJoinInputPlan, NestedLoopJoinPlan, OffsetInputPlan, OrderByExprPlan, ProjectInputPlan,
    ProjectPlan, ProjectionPlan, QueryPlan, SelectItemPlan, SelectOrderByPlan, SourcePlan, ValuesPlan,
};

/// A query taken apart.
pub(super) enum Query<'a> {
    Values(&'a mut ValuesPlan),
    Select { project: &'a mut ProjectPlan, order_by: Option<&'a mut Vec<OrderByExprPlan>> },
}

impl<'a> Query<'a> {
    pub(super) fn of(query: &'a mut QueryPlan) -> Self {
        match query {
            QueryPlan::Project(project) => Self::project(project),
            QueryPlan::Values(values) => Self::Values(values),
            QueryPlan::SelectOrderBy(order_by) => Self::ordered(order_by),
            QueryPlan::ValuesOrderBy(order_by) => Self::Values(&mut order_by.input),
            QueryPlan::Distinct(distinct) => Self::distinct(distinct),
            QueryPlan::Offset(offset) => Self::offset(&mut offset.input),
            QueryPlan::Limit(limit) => match &mut limit.input {
                LimitInputPlan::Project(project) => Self::project(project),
                LimitInputPlan::Values(values) => Self::Values(values),
                LimitInputPlan::SelectOrderBy(order_by) => Self::ordered(order_by),
                LimitInputPlan::ValuesOrderBy(order_by) => Self::Values(&mut order_by.input),
                LimitInputPlan::Distinct(distinct) => Self::distinct(distinct),
                LimitInputPlan::Offset(offset) => Self::offset(&mut offset.input),
            },
        }
    }

    fn project(project: &'a mut ProjectPlan) -> Self {
        Self::Select { project, order_by: None }
    }

    fn ordered(SelectOrderByPlan { input, exprs }: &'a mut SelectOrderByPlan) -> Self {
        Self::Select { project: input, order_by: Some(exprs) }
    }

    fn distinct(DistinctPlan { input }: &'a mut DistinctPlan) -> Self {
        match input {
            DistinctInputPlan::Project(project) => Self::project(project),
            DistinctInputPlan::SelectOrderBy(order_by) => Self::ordered(order_by),
        }
    }

    fn offset(input: &'a mut OffsetInputPlan) -> Self {
        match input {
            OffsetInputPlan::Project(project) => Self::project(project),
            OffsetInputPlan::Values(values) => Self::Values(values),
            OffsetInputPlan::SelectOrderBy(order_by) => Self::ordered(order_by),
            OffsetInputPlan::ValuesOrderBy(order_by) => Self::Values(&mut order_by.input),
            OffsetInputPlan::Distinct(distinct) => Self::distinct(distinct),
        }
    }
}

/// The tables of a query and its conditions.
pub(super) struct Parts<'a> {
    pub(super) base: &'a mut SourcePlan,
    /// The others, in the order in which they are joined.
    pub(super) joined: Vec<Joined<'a>>,
    pub(super) filter: Option<&'a mut ExprPlan>,
    /// `None` unless rows are aggregated.
    pub(super) grouped: Option<Grouped<'a>>,
}

/// A table joined to those before it.
pub(super) struct Joined<'a> {
    /// Whether rows that it has nothing for stay.
    pub(super) outer: bool,
    pub(super) right: &'a mut SourcePlan,
    pub(super) condition: Option<&'a mut ExprPlan>,
    pub(super) hash: Option<HashKeys<'a>>,
}

pub(super) struct HashKeys<'a> {
    pub(super) input_key: &'a mut ExprPlan,
    pub(super) right_key: &'a mut ExprPlan,
    pub(super) right_filter: Option<&'a mut ExprPlan>,
}

pub(super) struct Grouped<'a> {
    pub(super) group_by: &'a mut Vec<ExprPlan>,
    pub(super) having: Option<&'a mut ExprPlan>,
}

enum Input<'a> {
    Source(&'a mut SourcePlan),
    Inner(&'a mut InnerJoinPlan),
    Left(&'a mut LeftOuterJoinPlan),
}

impl<'a> Parts<'a> {
    pub(super) fn of(input: &'a mut ProjectInputPlan) -> Self {
        let (input, filter, grouped) = match input {
            ProjectInputPlan::Source(source) => (Input::Source(source), None, None),
            ProjectInputPlan::InnerJoin(join) => (Input::Inner(join), None, None),
            ProjectInputPlan::LeftOuterJoin(join) => (Input::Left(join), None, None),
            ProjectInputPlan::Filter(filter) => {
                (Input::filter(&mut filter.input), Some(&mut filter.expr), None)
            }
            ProjectInputPlan::Aggregation(aggregation) => {
                let (input, filter) = Input::aggregation(&mut aggregation.input);
                (input, filter, Some(Grouped { group_by: &mut aggregation.group_by, having: None }))
            }
            ProjectInputPlan::Having(having) => {
                let (input, filter) = Input::aggregation(&mut having.input.input);
                let grouped =
                    Grouped { group_by: &mut having.input.group_by, having: Some(&mut having.expr) };
                (input, filter, Some(grouped))
            }
        };
        let (base, joined) = input.open();
        Self { base, joined, filter, grouped }
    }

    pub(super) fn sources(&self) -> impl Iterator<Item = &SourcePlan> {
        std::iter::once(&*self.base).chain(self.joined.iter().map(|joined| &*joined.right))
    }

    pub(super) fn sources_mut(&mut self) -> impl Iterator<Item = &mut SourcePlan> {
        std::iter::once(&mut *self.base).chain(self.joined.iter_mut().map(|joined| &mut *joined.right))
    }

    /// All expressions of the query but those of its projection and its order.
    pub(super) fn exprs_mut(&mut self) -> Vec<&mut ExprPlan> {
        let mut out: Vec<&mut ExprPlan> = self.filter.as_deref_mut().into_iter().collect();
        for joined in &mut self.joined {
            out.extend(joined.condition.as_deref_mut());
            if let Some(hash) = &mut joined.hash {
                out.extend([&mut *hash.input_key, &mut *hash.right_key]);
                out.extend(hash.right_filter.as_deref_mut());
            }
        }
        if let Some(grouped) = &mut self.grouped {
            out.extend(grouped.group_by.iter_mut());
            out.extend(grouped.having.as_deref_mut());
        }
        out
    }
}

impl<'a> Input<'a> {
    fn filter(input: &'a mut FilterInputPlan) -> Self {
        match input {
            FilterInputPlan::Source(source) => Self::Source(source),
            FilterInputPlan::InnerJoin(join) => Self::Inner(join),
            FilterInputPlan::LeftOuterJoin(join) => Self::Left(join),
        }
    }

    fn aggregation(input: &'a mut AggregationInputPlan) -> (Self, Option<&'a mut ExprPlan>) {
        match input {
            AggregationInputPlan::Source(source) => (Self::Source(source), None),
            AggregationInputPlan::InnerJoin(join) => (Self::Inner(join), None),
            AggregationInputPlan::LeftOuterJoin(join) => (Self::Left(join), None),
            AggregationInputPlan::Filter(filter) => (Self::filter(&mut filter.input), Some(&mut filter.expr)),
        }
    }

    fn nested(join: &'a mut NestedLoopJoinPlan, condition: Option<&'a mut ExprPlan>) -> (Self, Joined<'a>) {
        let input = match &mut join.input {
            NestedLoopJoinInputPlan::Source(source) => Self::Source(source),
            NestedLoopJoinInputPlan::InnerJoin(join) => Self::Inner(join),
            NestedLoopJoinInputPlan::LeftOuterJoin(join) => Self::Left(join),
        };
        (input, Joined { outer: false, right: &mut join.right, condition, hash: None })
    }

    fn hash(join: &'a mut HashJoinPlan, condition: Option<&'a mut ExprPlan>) -> (Self, Joined<'a>) {
        let input = match &mut join.input {
            HashJoinInputPlan::Source(source) => Self::Source(source),
            HashJoinInputPlan::InnerJoin(join) => Self::Inner(join),
            HashJoinInputPlan::LeftOuterJoin(join) => Self::Left(join),
        };
        let hash = HashKeys {
            input_key: &mut join.input_key,
            right_key: &mut join.right_key,
            right_filter: join.right_filter.as_mut(),
        };
        (input, Joined { outer: false, right: &mut join.right, condition, hash: Some(hash) })
    }

    fn conditioned(input: &'a mut JoinConditionInputPlan, condition: &'a mut ExprPlan) -> (Self, Joined<'a>) {
        match input {
            JoinConditionInputPlan::NestedLoop(join) => Self::nested(join, Some(condition)),
            JoinConditionInputPlan::Hash(join) => Self::hash(join, Some(condition)),
        }
    }

    fn open(self) -> (&'a mut SourcePlan, Vec<Joined<'a>>) {
        let (input, joined) = match self {
            Self::Source(source) => return (source, Vec::new()),
            Self::Inner(join) => match &mut join.input {
                InnerJoinInputPlan::NestedLoop(join) => Self::nested(join, None),
                InnerJoinInputPlan::Hash(join) => Self::hash(join, None),
                InnerJoinInputPlan::Condition(condition) => {
                    Self::conditioned(&mut condition.input, &mut condition.expr)
                }
            },
            Self::Left(join) => {
                let (input, joined) = match &mut join.input {
                    LeftOuterJoinInputPlan::NestedLoop(join) => Self::nested(join, None),
                    LeftOuterJoinInputPlan::Hash(join) => Self::hash(join, None),
                    LeftOuterJoinInputPlan::Condition(condition) => {
                        Self::conditioned(&mut condition.input, &mut condition.expr)
                    }
                };
                (input, Joined { outer: true, ..joined })
            }
        };
        let (base, mut all) = input.open();
        all.push(joined);
        (base, all)
    }
}

/// The expressions of a projection.
pub(super) fn projected(projection: &mut ProjectionPlan) -> impl Iterator<Item = &mut ExprPlan> {
    let items = match projection {
        ProjectionPlan::SelectItems(items) => &mut items[..],
        ProjectionPlan::SchemalessMap => &mut [],
    };
    items.iter_mut().filter_map(|item| match item {
        SelectItemPlan::Expr { expr, .. } => Some(expr),
        SelectItemPlan::QualifiedWildcard(_) | SelectItemPlan::Wildcard => None,
    })
}

/// The expressions that an expression is made of, without those of its query, if it has one.
pub(super) fn children(expr: &mut ExprPlan) -> Vec<&mut ExprPlan> {
    match expr {
        ExprPlan::Identifier(_)
        | ExprPlan::CompoundIdentifier { .. }
        | ExprPlan::Literal(_)
        | ExprPlan::Value(_)
        | ExprPlan::TypedString { .. }
        | ExprPlan::Exists { .. }
        | ExprPlan::Subquery(_) => Vec::new(),
        ExprPlan::IsNull(inner) | ExprPlan::IsNotNull(inner) | ExprPlan::Nested(inner) => vec![inner],
        ExprPlan::InSubquery { expr, .. }
        | ExprPlan::UnaryOp { expr, .. }
        | ExprPlan::Interval { expr, .. } => {
            vec![expr]
        }
        ExprPlan::InList { expr, list, .. } => std::iter::once(&mut **expr).chain(list).collect(),
        ExprPlan::Between { expr, low, high, .. } => vec![expr, low, high],
        ExprPlan::Like { expr, pattern, .. }
        | ExprPlan::ILike { expr, pattern, .. }
        | ExprPlan::Regex { expr, pattern, .. } => vec![expr, pattern],
        ExprPlan::BinaryOp { left, right, .. } => vec![left, right],
        ExprPlan::Function(function) => arguments(function),
        ExprPlan::Aggregate(aggregate) => match &mut aggregate.func {
            AggregateFunctionPlan::Count(CountArgExprPlan::Wildcard) => Vec::new(),
            AggregateFunctionPlan::Count(CountArgExprPlan::Expr(expr))
            | AggregateFunctionPlan::Sum(expr)
            | AggregateFunctionPlan::Max(expr)
            | AggregateFunctionPlan::Min(expr)
            | AggregateFunctionPlan::Avg(expr)
            | AggregateFunctionPlan::Variance(expr)
            | AggregateFunctionPlan::Stdev(expr) => vec![expr],
        },
        ExprPlan::Case { operand, when_then, else_result } => {
            let operand = operand.as_deref_mut().into_iter();
            let branches = when_then.iter_mut().flat_map(|(when, then)| [when, then]);
            operand.chain(branches).chain(else_result.as_deref_mut()).collect()
        }
        ExprPlan::ArrayIndex { obj, indexes } => std::iter::once(&mut **obj).chain(indexes).collect(),
        ExprPlan::Array { elem } => elem.iter_mut().collect(),
    }
}

fn arguments(function: &mut FunctionExprPlan) -> Vec<&mut ExprPlan> {
    use FunctionExprPlan as F;
    match function {
        F::Now()
        | F::CurrentDate()
        | F::CurrentTime()
        | F::CurrentTimestamp()
        | F::Pi()
        | F::GenerateUuid() => Vec::new(),
        F::Abs(a)
        | F::Lower(a)
        | F::Initcap(a)
        | F::Upper(a)
        | F::Asin(a)
        | F::Acos(a)
        | F::Atan(a)
        | F::Ceil(a)
        | F::Round(a)
        | F::Trunc(a)
        | F::Floor(a)
        | F::Exp(a)
        | F::Ln(a)
        | F::Log2(a)
        | F::Log10(a)
        | F::Sin(a)
        | F::Cos(a)
        | F::Tan(a)
        | F::Sqrt(a)
        | F::Radians(a)
        | F::Degrees(a)
        | F::LastDay(a)
        | F::Reverse(a)
        | F::Sign(a)
        | F::Ascii(a)
        | F::Chr(a)
        | F::Md5(a)
        | F::Hex(a)
        | F::GetX(a)
        | F::GetY(a)
        | F::IsEmpty(a)
        | F::Length(a)
        | F::Entries(a)
        | F::Keys(a)
        | F::Values(a)
        | F::Dedup(a)
        | F::Cast { expr: a, .. }
        | F::Extract { expr: a, .. } => vec![a],
        F::Rand(a) => a.iter_mut().collect(),
        F::AddMonth { expr: a, size: b }
        | F::Left { expr: a, size: b }
        | F::Right { expr: a, size: b }
        | F::IfNull { expr: a, then: b }
        | F::NullIf { expr1: a, expr2: b }
        | F::Log { antilog: a, base: b }
        | F::Div { dividend: a, divisor: b }
        | F::Mod { dividend: a, divisor: b }
        | F::Gcd { left: a, right: b }
        | F::Lcm { left: a, right: b }
        | F::Power { expr: a, power: b }
        | F::Repeat { expr: a, num: b }
        | F::Unwrap { expr: a, selector: b }
        | F::Format { expr: a, format: b }
        | F::ToDate { expr: a, format: b }
        | F::ToTimestamp { expr: a, format: b }
        | F::ToTime { expr: a, format: b }
        | F::Position { from_expr: a, sub_expr: b }
        | F::Append { expr: a, value: b }
        | F::Prepend { expr: a, value: b }
        | F::Skip { expr: a, size: b }
        | F::Take { expr: a, size: b }
        | F::Point { x: a, y: b }
        | F::CalcDistance { geometry1: a, geometry2: b } => vec![a, b],
        F::Replace { expr: a, old: b, new: c } | F::Slice { expr: a, start: b, length: c } => vec![a, b, c],
        F::Trim { expr: a, filter_chars: b, .. }
        | F::Ltrim { expr: a, chars: b }
        | F::Rtrim { expr: a, chars: b }
        | F::Sort { expr: a, order: b } => std::iter::once(a).chain(b).collect(),
        F::Lpad { expr: a, size: b, fill: c }
        | F::Rpad { expr: a, size: b, fill: c }
        | F::Substr { expr: a, start: b, count: c }
        | F::FindIdx { from_expr: a, sub_expr: b, start: c } => [a, b].into_iter().chain(c).collect(),
        F::Splice { list_data: a, begin_index: b, end_index: c, values: d } => {
            [a, b, c].into_iter().chain(d).collect()
        }
        F::Coalesce(all) | F::Concat(all) | F::Greatest(all) | F::Custom { exprs: all, .. } => {
            all.iter_mut().collect()
        }
        F::ConcatWs { separator, exprs } => std::iter::once(separator).chain(exprs).collect(),
    }
}

/// The query in an expression, if it is one with a query.
pub(super) fn subquery(expr: &mut ExprPlan) -> Option<&mut QueryPlan> {
    match expr {
        ExprPlan::Subquery(query)
        | ExprPlan::Exists { subquery: query, .. }
        | ExprPlan::InSubquery { subquery: query, .. } => Some(query),
        _ => None,
    }
}
