//! What Rust code must not say, beyond what the compiler's lints already refuse.
//!
//! - `prolly-core` reaches no files, network, clock, environment, threads or processes.
//! - A library prints nothing, not even with the lint switched off.
//! - A lint is switched off with a reason.
//! - Work left over is an issue, not a comment.

use std::path::Path;

use super::Violation;
use super::files::Files;
use super::lengths::is_test_file;
use super::rust::Source;

const CORE: &str = "crates/prolly-core/src";
const NOT_IN_CORE: [&str; 6] = ["env", "fs", "net", "process", "thread", "time"];
const PRINTING: [&str; 5] = ["dbg!", "eprint!", "eprintln!", "print!", "println!"];
const LEFT_OVER: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Reports lines of Rust code that break one of the rules.
pub(super) fn check(files: &Files) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in files.with_extension("rs") {
        violations.extend(left_over(path, text));
        if is_test_file(path) {
            continue;
        }
        let source = Source::parse(text);
        violations.extend(lints_without_reason(path, &source));
        if path.starts_with(CORE) {
            violations.extend(outside_world(path, &source));
        }
        if is_library(path) {
            violations.extend(printing(path, &source));
        }
    }
    violations
}

/// Whether the file is part of a library that others embed.
fn is_library(path: &Path) -> bool {
    let in_source = path.components().any(|part| part.as_os_str() == "src");
    let is_crate = path.starts_with("crates") && !path.starts_with("crates/prolly-cli");
    in_source && (is_crate || path.starts_with("bindings"))
}

fn outside_world(path: &Path, source: &Source) -> Vec<Violation> {
    let used = source.std_modules().into_iter().filter(|(_, module)| NOT_IN_CORE.contains(&module.as_str()));
    used.map(|(line, module)| {
        Violation::at_line(
            path,
            line,
            format!("std::{module}: the core has no files, clock, environment or threads"),
        )
    })
    .collect()
}

fn printing(path: &Path, source: &Source) -> Vec<Violation> {
    let prints = |line: &str| PRINTING.into_iter().find(|name| has_word(line, name));
    source
        .lines()
        .filter_map(|(number, line)| Some((number, prints(line)?)))
        .map(|(number, name)| Violation::at_line(path, number, format!("{name}: a library does not print")))
        .collect()
}

fn lints_without_reason(path: &Path, source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    let lines: Vec<_> = source.lines().collect();
    for (index, (number, line)) in lines.iter().enumerate() {
        if !["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|opening| line.contains(opening))
        {
            continue;
        }
        let attribute = lines[index..].iter().map(|(_, line)| *line);
        let mut up_to_its_end = Vec::new();
        for line in attribute {
            up_to_its_end.push(line);
            if line.contains(")]") {
                break;
            }
        }
        if !up_to_its_end.iter().any(|line| has_word(line, "reason")) {
            violations.push(Violation::at_line(path, *number, "a lint is switched off without a reason"));
        }
    }
    violations
}

fn left_over(path: &Path, text: &str) -> Vec<Violation> {
    let marker = |line: &str| LEFT_OVER.into_iter().find(|marker| has_word(line, marker));
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, marker(line)?)))
        .map(|(number, marker)| Violation::at_line(path, number, format!("{marker}: file an issue instead")))
        .collect()
}

/// Whether `line` has `word` with no identifier character just before or after it.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&Files::of(&[(path, text)])).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_core_reaches_nothing_outside_but_its_tests_may() {
        let path = "crates/prolly-core/src/tree.rs";
        for module in NOT_IN_CORE {
            let found = found(path, &format!("use std::collections::BTreeMap;\nuse std::{module}::thing;\n"));
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].starts_with(&format!("{path}:2: std::{module}")), "{found:?}");
        }
        assert_eq!(found(path, "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n"), Vec::<String>::new());
        assert_eq!(found("crates/prolly-store/src/file.rs", "use std::fs;\n"), Vec::<String>::new());
    }

    #[test]
    fn libraries_do_not_print_and_programs_may() {
        let text = "fn f() {\n    println!();\n}\n// println!\n";
        for library in ["crates/prolly-store/src/a.rs", "bindings/python/src/a.rs"] {
            assert_eq!(found(library, text), [format!("{library}:2: println!: a library does not print")]);
        }
        for program in ["crates/prolly-cli/src/a.rs", "xtask/src/a.rs", "crates/prolly-store/tests/a.rs"] {
            assert_eq!(found(program, text), Vec::<String>::new());
        }
        assert_eq!(found("crates/a/src/a.rs", "my_println!();\n"), Vec::<String>::new());
    }

    #[test]
    fn a_lint_is_switched_off_with_a_reason_only() {
        assert_eq!(found("xtask/src/a.rs", "#[allow(dead_code)]\nfn f() {}\n").len(), 1);
        assert_eq!(found("xtask/src/a.rs", "#![expect(\n    dead_code\n)]\n// reason\n").len(), 1);
        assert_eq!(
            found("xtask/src/a.rs", "#[expect(\n    dead_code,\n    reason = \"x\"\n)]\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn work_left_over_is_not_a_comment() {
        let marker = LEFT_OVER[0];
        let found = found("crates/a/tests/a.rs", &format!("// {marker}: later\n// {marker}S are fine\n"));
        assert_eq!(found, [format!("crates/a/tests/a.rs:1: {marker}: file an issue instead")]);
    }
}
