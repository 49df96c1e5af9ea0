//! Tables, rows and statements at random, within what GlueSQL and SQLite mean by the same words.
//!
//! Where they differ a statement has no form for SQLite, and is only compared with itself without hints: types that SQLite does not
//! have, comparisons of numbers with texts. What GlueSQL itself gets wrong, mostly about `NULL`, is only compared with SQLite.

use prolly_sql::Value;

/// A statement in the words of each.
pub(super) struct Statement {
    pub(super) ours: String,
    pub(super) params: Vec<Value>,
    pub(super) theirs: Option<String>,
    pub(super) order: Order,
    /// Whether GlueSQL without hints is known to be wrong about it.
    pub(super) is_beyond_plain: bool,
}

/// What a query says about the order of its rows.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Order {
    None,
    Total,
    /// Nor which rows there are: a `LIMIT` without an order.
    SomeRows,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Type {
    Int,
    Text,
    Float,
    /// Types that SQLite does not have.
    Bool,
    Date,
    Decimal,
    /// A type of integers that SQLite takes for its own.
    Small,
}

impl Type {
    fn is_shared(self) -> bool {
        matches!(self, Self::Int | Self::Text | Self::Float | Self::Small)
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float | Self::Small | Self::Decimal)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Int => "INT",
            Self::Text => "TEXT",
            Self::Float => "FLOAT",
            Self::Bool => "BOOLEAN",
            Self::Date => "DATE",
            Self::Decimal => "DECIMAL",
            Self::Small => "INT8",
        }
    }
}

#[derive(Clone)]
struct Column {
    name: &'static str,
    data_type: Type,
    nullable: bool,
    unique: bool,
}

struct Table {
    name: String,
    columns: Vec<Column>,
    /// The first columns, this many, are the primary key.
    key: usize,
    parent: Option<&'static str>,
}

/// A table as a query names it.
#[derive(Clone)]
struct Named {
    alias: String,
    table: usize,
}

pub(super) struct World {
    random: Random,
    tables: Vec<Table>,
    /// Whether the statement at hand has to mean the same to SQLite.
    shared: bool,
    /// As [`Statement::is_beyond_plain`].
    is_beyond_plain: bool,
    /// Whether a condition is a value: GlueSQL's test-suite has `BETWEEN NULL AND …` be `NULL` then.
    is_value: bool,
    params: Vec<Value>,
}

pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

const TEXTS: [&str; 12] = ["", "a", "ab", "abc", "abd", "b", "ba", "z", "A", "é", "a b", "_"];
const PATTERNS: [&str; 9] = ["a%", "ab%", "%b%", "abc", "%", "a_", "z%", "%c", "é%"];

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ 0xABCD);
        let mut tables = Vec::new();
        for i in 0..3 {
            let parent = (i == 1).then_some("t0");
            tables.push(table(&mut random, i, parent));
        }
        Self { random, tables, shared: true, is_beyond_plain: false, is_value: false, params: Vec::new() }
    }

    /// The statements that make the tables and their first rows.
    pub(super) fn schema(&mut self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        for i in 0..self.tables.len() {
            let table = &self.tables[i];
            let mut parts: Vec<_> = table
                .columns
                .iter()
                .map(|column| {
                    let null = if column.nullable { "NULL" } else { "NOT NULL" };
                    let unique = if column.unique { " UNIQUE" } else { "" };
                    format!("{} {} {null}{unique}", column.name, column.data_type.name())
                })
                .collect();
            if table.key > 0 {
                let key: Vec<_> = table.columns[..table.key].iter().map(|column| column.name).collect();
                parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
            }
            if let Some(parent) = table.parent {
                parts.push(format!("FOREIGN KEY (r) REFERENCES {parent} (k)"));
            }
            let create = format!("CREATE TABLE {} ({})", table.name, parts.join(", "));
            out.push((create.clone(), create));
            let name = table.name.clone();
            let columns: Vec<_> = table.columns[table.key..].iter().map(|column| column.name).collect();
            for column in columns {
                if self.random.one_in(3) {
                    let order = *self.random.pick(&["", " ASC", " DESC"]);
                    let create = format!("CREATE INDEX {name}_{column} ON {name} ({column}{order})");
                    out.push((create.clone(), create));
                }
            }
            let count = *self.random.pick(&[0, 5, 30, 120]);
            for _ in 0..count {
                // Rows that some constraint refuses are refused by all.
                if let Some(row) = self.first_row(i) {
                    out.push((row.clone(), row));
                }
            }
        }
        out
    }

    /// A row with a key and unique values of its own, and no parent.
    fn first_row(&mut self, table: usize) -> Option<String> {
        let columns = self.tables[table].columns.clone();
        let key = self.tables[table].key;
        let serial = self.random.next() >> 20;
        let values: Vec<_> = columns
            .iter()
            .enumerate()
            .map(|(i, column)| match (column.name, column.data_type) {
                ("r", _) => "NULL".to_owned(),
                (_, Type::Int) if i < key || column.unique => serial.to_string(),
                (_, Type::Text) if i < key || column.unique => {
                    format!("'{}{serial}'", self.random.pick(&TEXTS))
                }
                _ => self.value(column),
            })
            .collect();
        Some(format!("INSERT INTO {} VALUES ({})", self.tables[table].name, values.join(", ")))
    }

    pub(super) fn statement(&mut self) -> Statement {
        self.shared = !self.random.one_in(4);
        self.is_beyond_plain = false;
        self.params.clear();
        match self.random.below(10) {
            0 if self.random.one_in(3) => self.insert_rows(),
            0 => self.insert(),
            1 => self.update(),
            2 => self.delete(),
            3 | 4 => self.aggregate(),
            _ => self.select(),
        }
    }

    fn done(&mut self, ours: String, theirs: String, order: Order) -> Statement {
        let theirs = self.shared.then_some(theirs);
        let params = std::mem::take(&mut self.params);
        Statement { ours, params, theirs, order, is_beyond_plain: self.is_beyond_plain }
    }

    fn columns(&self, table: usize) -> Vec<Column> {
        let columns = self.tables[table].columns.iter();
        columns.filter(|column| !self.shared || column.data_type.is_shared()).cloned().collect()
    }

    fn insert(&mut self) -> Statement {
        // All of a row is written, so that SQLite has to have it too.
        self.shared = true;
        let table = self.random.below(self.tables.len());
        let columns = self.tables[table].columns.clone();
        let name = self.tables[table].name.clone();
        let rows: Vec<_> = (0..=self.random.below(3))
            .map(|_| {
                let values: Vec<_> = columns.iter().map(|column| self.value(column)).collect();
                format!("({})", values.join(", "))
            })
            .collect();
        let sql = format!("INSERT INTO {name} VALUES {}", rows.join(", "));
        self.done(sql.clone(), sql, Order::None)
    }

    /// Rows of a query, into some columns in some order.
    fn insert_rows(&mut self) -> Statement {
        self.shared = true;
        let table = self.random.below(self.tables.len());
        let from = Named { alias: "x".to_owned(), table: self.random.below(self.tables.len()) };
        let mut columns = Vec::new();
        for column in self.tables[table].columns.clone() {
            let is_left_out = column.nullable
                && (!column.data_type.is_shared() || column.name == "r" || self.random.one_in(2));
            if !is_left_out {
                let at = self.random.below(columns.len() + 1);
                columns.insert(at, column);
            }
        }
        let mut values = Vec::new();
        for column in &columns {
            let mut same = self.columns(from.table);
            same.retain(|other| other.data_type == column.data_type);
            let value = match column.data_type {
                _ if same.is_empty() || self.random.one_in(4) => match column.data_type {
                    Type::Small => format!("CAST({} AS INT8)", self.random.below(100)),
                    _ => self.value(&Column { nullable: false, ..column.clone() }),
                },
                Type::Int => format!("x.{} + {}", self.random.pick(&same).name, self.random.below(5000)),
                _ => format!("x.{}", self.random.pick(&same).name),
            };
            values.push(value);
        }
        let names: Vec<_> = columns.iter().map(|column| column.name).collect();
        let condition = self.condition(std::slice::from_ref(&from), 1);
        let sql = format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} AS x WHERE {condition}",
            self.tables[table].name,
            names.join(", "),
            values.join(", "),
            self.tables[from.table].name,
        );
        self.done(sql.clone(), sql, Order::None)
    }

    fn update(&mut self) -> Statement {
        self.shared = true;
        let table = self.random.below(self.tables.len());
        let Table { name, key, .. } = &self.tables[table];
        let (name, key) = (name.clone(), *key);
        let columns: Vec<_> = self.columns(table).into_iter().skip(key).collect();
        let column = self.random.pick(&columns).clone();
        let here = [Named { alias: name.clone(), table }];
        if column.unique || column.name == "r" {
            // SQLite checks row by row.
            let Some(condition) = self.one_row(table) else { return self.delete() };
            let value = self.value(&column);
            let sql = format!("UPDATE {name} SET {} = {value} WHERE {condition}", column.name);
            // GlueSQL holds a row to be its own duplicate when a UNIQUE column is set to what it was.
            self.is_beyond_plain = column.unique;
            return self.done(sql.clone(), sql, Order::None);
        }
        let value = match column.data_type {
            Type::Int if self.random.one_in(3) => format!("{} + 1", column.name),
            _ => self.value(&column),
        };
        let condition = self.condition(&here, 1);
        let sql = format!("UPDATE {name} SET {} = {value} WHERE {condition}", column.name);
        self.done(sql.clone(), sql, Order::None)
    }

    fn one_row(&mut self, table: usize) -> Option<String> {
        let key: Vec<_> = self.tables[table].columns[..self.tables[table].key].to_vec();
        let terms: Vec<_> =
            key.iter().map(|column| format!("{} = {}", column.name, self.value(column))).collect();
        (!terms.is_empty()).then(|| terms.join(" AND "))
    }

    fn delete(&mut self) -> Statement {
        self.shared = true;
        let table = self.random.below(self.tables.len());
        let name = self.tables[table].name.clone();
        let here = [Named { alias: name.clone(), table }];
        let first = self.condition(&here, 1);
        let second = self.atom(&here[0], false);
        let sql = format!("DELETE FROM {name} WHERE {first} AND {second}");
        self.done(sql.clone(), sql, Order::None)
    }

    /// One table, or several that are joined.
    fn from(&mut self) -> (String, Vec<Named>, bool) {
        let mut named = vec![Named { alias: "x".to_owned(), table: self.random.below(self.tables.len()) }];
        let mut sql = format!("{} AS x", self.tables[named[0].table].name);
        let mut has_outer = false;
        for alias in ["y", "z"] {
            if !self.random.one_in(3) {
                break;
            }
            let new = Named { alias: alias.to_owned(), table: self.random.below(self.tables.len()) };
            let join = *self.random.pick(&["JOIN", "JOIN", "LEFT JOIN"]);
            let left = self.random.pick(&named).clone();
            let mut on = match self.equal(&left, &new) {
                Some(equal) => equal,
                None => self.atom(&new, false),
            };
            if self.random.one_in(3) {
                on = format!("{on} AND {}", self.atom(&new, false));
            }
            has_outer |= join == "LEFT JOIN";
            sql = format!("{sql} {join} {} AS {alias} ON {on}", self.tables[new.table].name);
            named.push(new);
        }
        (sql, named, has_outer)
    }

    /// An equality of columns of two tables, often of the key of the second.
    fn equal(&mut self, left: &Named, right: &Named) -> Option<String> {
        let rights = self.columns(right.table);
        let key = &rights[..self.tables[right.table].key.min(rights.len())];
        let column = if key.is_empty() || self.random.one_in(3) {
            self.random.pick(&rights).clone()
        } else {
            self.random.pick(key).clone()
        };
        let lefts: Vec<_> = self
            .columns(left.table)
            .into_iter()
            .filter(|other| {
                other.data_type == column.data_type
                    || other.data_type.is_number() && column.data_type.is_number()
            })
            .collect();
        if lefts.is_empty() {
            return None;
        }
        let other = self.random.pick(&lefts).name;
        let sides = [format!("{}.{}", right.alias, column.name), format!("{}.{other}", left.alias)];
        let first = self.random.below(2);
        Some(format!("{} = {}", sides[first], sides[1 - first]))
    }

    fn select(&mut self) -> Statement {
        let (from, named, has_outer) = self.from();
        let mut items = Vec::new();
        for table in &named {
            for column in self.columns(table.table) {
                if named.len() == 1 || self.random.one_in(2) {
                    items.push(format!("{}.{}", table.alias, column.name));
                }
            }
        }
        if self.random.one_in(6) {
            let nested = self.scalar(&named[0]);
            items.extend(nested);
        }
        if self.random.one_in(6) {
            self.is_value = true;
            let value = self.logic(&named[0], 2);
            self.is_value = false;
            items.push(format!("({value}) AS v"));
        }
        if items.is_empty() {
            items.push("1".to_owned());
        }
        let mut sql = String::new();
        if !self.random.one_in(5) {
            let condition = self.condition(&named, 2);
            sql = format!(" WHERE {condition}");
        }
        let (mut ours, mut theirs) = (String::new(), String::new());
        let mut is_total = false;
        if self.random.one_in(2) {
            let mut order = Vec::new();
            if self.random.one_in(3) {
                let columns = self.columns(named[0].table);
                order.push((0, self.random.pick(&columns).clone(), self.random.one_in(2)));
            }
            let is_reverse = self.random.one_in(2);
            is_total = true;
            for (i, table) in named.iter().enumerate() {
                let key = self.tables[table.table].key;
                is_total &= key > 0
                    && !self.tables[table.table].columns[..key]
                        .iter()
                        .any(|c| self.shared && !c.data_type.is_shared());
                let columns = self.tables[table.table].columns[..key].to_vec();
                order.extend(columns.into_iter().map(|column| (i, column, is_reverse)));
            }
            let part = |is_ours: bool| -> Vec<String> {
                let column = |(i, column, is_reverse): &(usize, Column, bool)| {
                    let (direction, nulls) =
                        if *is_reverse { (" DESC", " NULLS FIRST") } else { ("", " NULLS LAST") };
                    let nulls = if is_ours { "" } else { nulls };
                    format!("{}.{}{direction}{nulls}", named[*i].alias, column.name)
                };
                order.iter().map(column).collect()
            };
            if !order.is_empty() {
                ours = format!(" ORDER BY {}", part(true).join(", "));
                theirs = format!(" ORDER BY {}", part(false).join(", "));
            }
        }
        // Rows that an outer join has made up, and rows without a key, can be equal.
        is_total &= !has_outer || named.len() == 2;
        let mut limit = String::new();
        if self.random.one_in(3) {
            limit = format!(" LIMIT {}", self.random.below(8));
            if self.random.one_in(2) {
                limit = format!("{limit} OFFSET {}", self.random.below(6));
            }
        }
        let distinct =
            if limit.is_empty() && ours.is_empty() && self.random.one_in(6) { "DISTINCT " } else { "" };
        let order = match (is_total, limit.is_empty()) {
            (true, _) => Order::Total,
            (false, true) => Order::None,
            (false, false) => Order::SomeRows,
        };
        let head = format!("SELECT {distinct}{} FROM {from}{sql}", items.join(", "));
        self.done(format!("{head}{ours}{limit}"), format!("{head}{theirs}{limit}"), order)
    }

    fn aggregate(&mut self) -> Statement {
        let (from, named) = if self.random.one_in(4) {
            let (from, named, _) = self.from();
            (from, named)
        } else {
            let table = self.random.below(self.tables.len());
            (format!("{} AS x", self.tables[table].name), vec![Named { alias: "x".to_owned(), table }])
        };
        let mut items = vec!["COUNT(*)".to_owned()];
        let solid: Vec<_> =
            self.columns(named[0].table).into_iter().filter(|column| !column.nullable).collect();
        for column in &solid {
            if self.random.one_in(2) {
                let function = *self.random.pick(&["MIN", "MAX", "COUNT", "MIN", "MAX"]);
                items.push(format!("{function}(x.{})", column.name));
            }
        }
        if self.random.one_in(4) {
            items.remove(0);
            items.push("COUNT(*) + 1".to_owned());
        }
        let mut sql = format!(" FROM {from}");
        if !self.random.one_in(4) {
            let condition = self.condition(&named, 1);
            sql = format!("{sql} WHERE {condition}");
        }
        if self.random.one_in(4) && !solid.is_empty() {
            let column = self.random.pick(&solid).name;
            items.push(format!("x.{column}"));
            sql = format!("{sql} GROUP BY x.{column}");
        }
        let sql = format!("SELECT {}{sql}", items.join(", "));
        self.done(sql.clone(), sql, Order::None)
    }

    /// A query in the place of a value, that gives one.
    fn scalar(&mut self, outer: &Named) -> Option<String> {
        let inner = Named { alias: "q".to_owned(), table: self.random.below(self.tables.len()) };
        let equal = self.equal(outer, &inner)?;
        let item = *self.random.pick(&["COUNT(*)", "COUNT(*) + 2"]);
        Some(format!("(SELECT {item} FROM {} AS q WHERE {equal}) AS n", self.tables[inner.table].name))
    }

    fn condition(&mut self, named: &[Named], depth: usize) -> String {
        let terms: Vec<_> = (0..=self.random.below(3))
            .map(|_| {
                let at = self.random.pick(named).clone();
                match self.random.below(8) {
                    0 if depth > 0 => self.nested(&at, depth - 1).unwrap_or_else(|| self.atom(&at, false)),
                    1 | 2 if depth > 0 => format!("({})", self.logic(&at, depth)),
                    3 if depth > 0 => {
                        self.is_value = true;
                        let value = self.logic(&at, 1);
                        self.is_value = false;
                        format!("({value}) IS {}NULL", self.random.pick(&["", "NOT "]))
                    }
                    _ => self.atom(&at, false),
                }
            })
            .collect();
        terms.join(" AND ")
    }

    /// Conditions under `AND`, `OR` and `NOT`.
    fn logic(&mut self, at: &Named, depth: usize) -> String {
        // To GlueSQL NULL OR TRUE is NULL, and NULL AND FALSE.
        self.is_beyond_plain = true;
        if depth == 0 {
            return self.atom(at, false);
        }
        let op = *self.random.pick(&[" AND ", " OR ", " OR "]);
        let operands: Vec<_> = (0..=self.random.below(3))
            .map(|_| match self.random.below(4) {
                0 => format!("({})", self.logic(at, depth - 1)),
                1 => format!("NOT ({})", self.logic(at, depth - 1)),
                2 => self.nested(at, 0).unwrap_or_else(|| self.atom(at, false)),
                _ => self.atom(at, false),
            })
            .collect();
        operands.join(op)
    }

    fn nested(&mut self, outer: &Named, depth: usize) -> Option<String> {
        let alias = format!("s{depth}");
        let inner = Named { alias, table: self.random.below(self.tables.len()) };
        let name = self.tables[inner.table].name.clone();
        let also = match self.random.one_in(2) {
            true => format!(" AND {}", self.condition(std::slice::from_ref(&inner), depth)),
            false => String::new(),
        };
        let equal = self.equal(outer, &inner)?;
        if self.random.one_in(2) {
            let not = *self.random.pick(&["", "", "NOT "]);
            return Some(format!(
                "{not}EXISTS (SELECT 1 FROM {name} AS {} WHERE {equal}{also})",
                inner.alias
            ));
        }
        let (left, right) = equal.split_once(" = ")?;
        let (left, right) = if left.starts_with(&outer.alias) { (left, right) } else { (right, left) };
        let mut not = "";
        if self.random.one_in(2) {
            // To GlueSQL nothing is known to be in rows that have NULL.
            self.is_beyond_plain = true;
            not = "NOT ";
        }
        Some(format!("{left} {not}IN (SELECT {right} FROM {name} AS {} WHERE 1 = 1{also})", inner.alias))
    }

    /// A condition on one column.
    fn atom(&mut self, named: &Named, is_solid: bool) -> String {
        let columns: Vec<_> =
            self.columns(named.table).into_iter().filter(|column| !is_solid || !column.nullable).collect();
        let key = self.tables[named.table].key.min(columns.len());
        let column = match key > 0 && self.random.one_in(2) {
            true => self.random.pick(&columns[..key]).clone(),
            false => self.random.pick(&columns).clone(),
        };
        let name = format!("{}.{}", named.alias, column.name);
        match self.random.below(12) {
            0 => {
                let not = *self.random.pick(&["", "", "NOT "]);
                let mut bounds = [self.constant(&column), self.constant(&column)];
                if !self.is_value && self.random.one_in(4) {
                    let at = self.random.below(2);
                    bounds[at] = "NULL".to_owned();
                }
                if self.is_value {
                    bounds = bounds.map(|bound| if bound == "NULL" { "'1'".to_owned() } else { bound });
                }
                self.is_beyond_plain |= not == "NOT ";
                format!("{name} {not}BETWEEN {} AND {}", bounds[0], bounds[1])
            }
            1 | 2 => {
                let mut values: Vec<_> = (0..=self.random.below(4)).map(|_| self.constant(&column)).collect();
                if self.random.one_in(4) {
                    values.push(self.other(named, &column));
                }
                let not = *self.random.pick(&["", "", "NOT "]);
                // To GlueSQL what is not equal to NULL is not in a list with NULL.
                self.is_beyond_plain = true;
                format!("{name} {not}IN ({})", values.join(", "))
            }
            3 => format!("{name} IS {}NULL", self.random.pick(&["", "NOT "])),
            4 if column.data_type == Type::Text => {
                // To GlueSQL NULL LIKE is an error, which an outer join can make of any column.
                self.is_beyond_plain = true;
                let (column, not) = match self.random.below(4) {
                    0 => (format!("({name} || '')"), ""),
                    1 => (name, "NOT "),
                    _ => (name, ""),
                };
                format!("{column} {not}LIKE '{}'", self.random.pick(&PATTERNS))
            }
            5 => format!("{} {} {name}", self.constant(&column), self.random.pick(&["=", "<", ">="])),
            6 if !self.shared => format!("NOT ({name} = {})", self.constant(&column)),
            7 => {
                let op = *self.random.pick(&["=", "<", "<=", ">", ">=", "<>"]);
                format!("{name} {op} {}", self.other(named, &column))
            }
            8 if !self.shared => {
                format!("{name} > {}", self.random.pick(&["1.5", "'b'", "NULL", "3", "300"]))
            }
            _ => format!(
                "{name} {} {}",
                self.random.pick(&["=", "<", "<=", ">", ">=", "<>"]),
                self.constant(&column)
            ),
        }
    }

    /// A column to compare a column with.
    fn other(&mut self, named: &Named, column: &Column) -> String {
        let is_number = column.data_type.is_number();
        let mut others = self.columns(named.table);
        others
            .retain(|other| other.data_type == column.data_type || is_number && other.data_type.is_number());
        format!("{}.{}", named.alias, self.random.pick(&others).name)
    }

    /// A value to compare a column with: at times a parameter, or computed.
    fn constant(&mut self, column: &Column) -> String {
        if !self.shared && self.random.one_in(3) {
            let param = match column.data_type {
                Type::Int | Type::Small => Some(Value::I64(self.random.below(25) as i64)),
                Type::Text => Some(Value::Str((*self.random.pick(&TEXTS)).to_owned())),
                Type::Float => Some(Value::F64(self.random.below(20) as f64 / 4.0)),
                _ => None,
            };
            if let Some(param) = param {
                self.params.push(param);
                return format!("${}", self.params.len());
            }
        }
        match column.data_type {
            Type::Int if self.random.one_in(8) => format!("(2 + {})", self.random.below(20)),
            Type::Decimal if self.random.one_in(6) => format!("(1 + {})", self.random.below(4)),
            Type::Int | Type::Small if self.random.one_in(5) => {
                // Fractions, and what no integer of the type is.
                (*self.random.pick(&["2.5", "2.0", "-0.5", "17.25", "(1 + 4.5)", "300", "-300"])).to_owned()
            }
            _ => {
                let nullable = column.nullable && !self.random.one_in(2);
                self.value(&Column { nullable, ..column.clone() })
            }
        }
    }

    fn value(&mut self, column: &Column) -> String {
        if column.nullable && self.random.one_in(5) {
            return "NULL".to_owned();
        }
        match column.data_type {
            Type::Int if self.random.one_in(20) => "-3".to_owned(),
            Type::Int => self.random.below(25).to_string(),
            Type::Small => self.random.below(120).to_string(),
            Type::Text => format!("'{}'", self.random.pick(&TEXTS)),
            Type::Float => format!("{:?}", self.random.below(20) as f64 / 4.0),
            Type::Bool => (*self.random.pick(&["TRUE", "FALSE"])).to_owned(),
            Type::Date => format!("'2024-0{}-1{}'", 1 + self.random.below(9), self.random.below(9)),
            Type::Decimal => format!("{}.{}", self.random.below(5), self.random.below(99)),
        }
    }
}

fn table(random: &mut Random, number: usize, parent: Option<&'static str>) -> Table {
    let solid = |name, data_type| Column { name, data_type, nullable: false, unique: false };
    let free = |name, data_type| Column { name, data_type, nullable: true, unique: false };
    // The table that others refer to has a key of one number.
    let mut columns = match if number == 0 { 0 } else { random.below(5) } {
        0 | 1 => vec![solid("k", Type::Int)],
        2 => vec![solid("k", Type::Text)],
        3 => vec![solid("k", Type::Int), solid("l", *random.pick(&[Type::Int, Type::Text]))],
        _ => Vec::new(),
    };
    let key = columns.len();
    columns.extend([free("a", Type::Int), solid("b", Type::Int), free("s", Type::Text)]);
    if random.one_in(2) {
        columns.push(Column { unique: true, ..free("u", *random.pick(&[Type::Int, Type::Text])) });
    }
    if parent.is_some() {
        columns.push(free("r", Type::Int));
    }
    if random.one_in(2) {
        columns.push(solid("f", Type::Float));
    }
    for (name, data_type) in [("o", Type::Bool), ("d", Type::Date), ("n", Type::Decimal), ("i", Type::Small)]
    {
        if random.one_in(4) {
            columns.push(free(name, data_type));
        }
    }
    Table { name: format!("t{number}"), columns, key, parent }
}
