//! Just enough Rust to ask questions of source text: which characters are code, and which lines are tests.
//!
//! Invariant: lines keep their numbers. What is not code (comments, literals) becomes spaces, so that searching the
//! result never finds a word in a sentence or a string.

use std::iter::Peekable;
use std::str::Chars;

/// A source file, taken apart.
#[derive(Debug)]
pub(super) struct Source {
    /// The text with comments, literals and test items blanked.
    pub(super) code: String,
    /// How many lines do not belong to a test item.
    pub(super) line_count: usize,
}

impl Source {
    /// Takes `text` apart.
    pub(super) fn parse(text: &str) -> Self {
        let mut code: Vec<char> = blank_non_code(text).chars().collect();
        let tests = test_items(&code);
        let in_tests: usize = tests.iter().map(|&(start, end)| lines_touched(&code[start..end])).sum();
        for (start, end) in tests {
            blank(&mut code[start..end]);
        }
        Self { code: code.into_iter().collect(), line_count: text.lines().count().saturating_sub(in_tests) }
    }

    /// Returns the lines of code with their numbers, from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Returns the identifiers that follow `std::`, each with its line: one for a plain path, one for each branch of
    /// a braced one. `use std::{fs, io::Read}` gives `fs` and `io`.
    pub(super) fn std_modules(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let tokens = tokens(&self.code);
        for (at, window) in tokens.windows(3).enumerate() {
            let [(_, first), (_, colons), (line, next)] = window else { continue };
            if first != "std" || colons != "::" {
                continue;
            }
            if next == "{" {
                found.extend(branches(&tokens[at + 3..]));
            } else {
                found.push((*line, next.clone()));
            }
        }
        found
    }
}

/// Returns the first identifier of each branch of a use tree, up to its closing brace.
fn branches(tokens: &[(usize, String)]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut at_branch = true;
    for (line, token) in tokens {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "," if depth == 0 => at_branch = true,
            _ if at_branch => {
                found.push((*line, token.clone()));
                at_branch = false;
            }
            _ => {}
        }
    }
    found
}

/// Splits code into identifiers, `::` and single characters, each with its line.
fn tokens(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            found.push((index + 1, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
    }
    found
}

/// Returns the spans of the items that are compiled for tests only, attribute included.
fn test_items(code: &[char]) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if is_test_attribute(&code[at..]) {
            let end = item_end(code, at);
            spans.push((at, end));
            at = end;
        } else {
            at += 1;
        }
    }
    spans
}

fn is_test_attribute(code: &[char]) -> bool {
    ["#[cfg(test)]", "#[cfg(all(test,"].iter().any(|attribute| {
        let attribute: Vec<char> = attribute.chars().collect();
        code.starts_with(&attribute)
    })
}

/// Returns where the item that starts at `start` (with its attributes) ends: after its `;` or closing brace.
fn item_end(code: &[char], start: usize) -> usize {
    let mut depth = 0_u32;
    for (at, c) in code.iter().enumerate().skip(start) {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn lines_touched(span: &[char]) -> usize {
    1 + span.iter().filter(|c| **c == '\n').count()
}

fn blank(span: &mut [char]) {
    span.iter_mut().filter(|c| **c != '\n').for_each(|c| *c = ' ');
}

/// Replaces comments and literals by spaces, keeping line ends.
fn blank_non_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    let mut word = String::new(); // the identifier just passed: a raw string's prefix looks like one
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => skip_block_comment(&mut rest, &mut out),
            '"' => skip_string(&mut rest, &mut out),
            'r' if is_raw_string(&word, rest.clone()) => skip_raw_string(&mut rest, &mut out),
            '\'' => skip_char_or_keep_lifetime(&mut rest, &mut out),
            other => out.push(other),
        }
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            word.clear();
        }
    }
    out
}

/// Whether an `r` after the identifier characters in `word` and before `rest` begins a raw string.
fn is_raw_string(word: &str, mut rest: Peekable<Chars<'_>>) -> bool {
    while rest.next_if_eq(&'#').is_some() {}
    matches!(word, "" | "b" | "c") && rest.next() == Some('"')
}

fn skip_raw_string(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut hashes = 0;
    while rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    rest.next(); // the opening quote
    while let Some(c) = rest.next() {
        keep_line_end(c, out);
        if c == '"' {
            let mut closing = 0;
            while closing < hashes && rest.next_if_eq(&'#').is_some() {
                closing += 1;
            }
            if closing == hashes {
                return;
            }
        }
    }
}

fn skip_string(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(c) = rest.next() {
        keep_line_end(c, out);
        match c {
            '\\' => {
                if let Some(escaped) = rest.next() {
                    keep_line_end(escaped, out);
                }
            }
            '"' => return,
            _ => {}
        }
    }
}

fn skip_block_comment(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut depth = 1;
    rest.next(); // the star
    while let Some(c) = rest.next() {
        keep_line_end(c, out);
        if c == '*' && rest.next_if_eq(&'/').is_some() {
            depth -= 1;
            if depth == 0 {
                return;
            }
        } else if c == '/' && rest.next_if_eq(&'*').is_some() {
            depth += 1;
        }
    }
}

fn skip_char_or_keep_lifetime(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    let mut ahead = rest.clone();
    match (ahead.next(), ahead.next()) {
        (Some('\\'), _) => {
            rest.next();
            rest.next(); // what is escaped, a quote perhaps
            while rest.next().is_some_and(|c| c != '\'') {}
        }
        (Some(_), Some('\'')) => {
            rest.next();
            rest.next();
        }
        _ => out.push('\''), // a lifetime
    }
}

fn keep_line_end(c: char, out: &mut String) {
    out.push(if c == '\n' { '\n' } else { ' ' });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        Source::parse(text).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(words("a // std::fs\nb /* x /* y */ z */ c"), "a b c");
        assert_eq!(words(r#"f("std::fs \" still", 'x', '\'', '\u{1F600}', b"q") + 1"#), "f( , , , , b ) + 1");
        assert_eq!(words("r\"a\\\" b r#\"c \" d\"# e br##\"f\"# g\"## h"), "b e b h");
        assert_eq!(words("fn f<'a>(x: &'a str) -> char { 'b' }"), "fn f<'a>(x: &'a str) -> char { }");
        assert_eq!(words("var\"x\" for_r"), "var for_r");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let text = "a\n/* 1\n2 */ b\n\"3\n4\"\nc";
        let source = Source::parse(text);
        let found: Vec<_> = source.lines().filter(|(_, line)| !line.trim().is_empty()).collect();
        assert_eq!(
            found.iter().map(|(number, line)| (*number, line.trim())).collect::<Vec<_>>(),
            [(1, "a"), (3, "b"), (6, "c")]
        );
    }

    #[test]
    fn test_items_are_neither_code_nor_counted() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { \"}\" }\n}\n#[cfg(test)]\nmod more;\nfn c() {}\n";
        let source = Source::parse(text);
        assert_eq!(source.code.split_whitespace().collect::<String>(), "fna(){}fnc(){}");
        assert_eq!(source.line_count, 2);
        let attributes = "#[cfg(test)]\n#[derive(Debug)]\nstruct S([u8; 3]);\nfn kept() {}";
        assert_eq!(words(attributes), "fn kept() {}");
        assert_eq!(words("#[cfg(not(test))] fn kept() {}"), "#[cfg(not(test))] fn kept() {}");
    }

    #[test]
    fn modules_of_std_are_found_however_they_are_named() {
        let text = "use std::fs;\nuse std::{io::{self, Read}, env, collections::BTreeMap};\nfn f() { ::std::thread::spawn(g) }";
        let found = Source::parse(text).std_modules();
        let names: Vec<_> = found.iter().map(|(line, name)| (*line, name.as_str())).collect();
        assert_eq!(names, [(1, "fs"), (2, "io"), (2, "env"), (2, "collections"), (3, "thread")]);
    }
}
