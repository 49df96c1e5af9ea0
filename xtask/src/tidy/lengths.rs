//! How long a file may be: 600 lines, tests aside. A longer one is a sign that two things live in it.

use std::path::Path;

use super::Violation;
use super::files::Files;
use super::rust::Source;

const LINES_MAX: usize = 600;

/// Reports Rust files that are too long.
pub(super) fn check(files: &Files) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in files.with_extension("rs").filter(|(path, _)| !is_test_file(path)) {
        let count = Source::parse(text).line_count;
        if count > LINES_MAX {
            let message = format!("{count} lines without its tests, more than {LINES_MAX}: split it");
            violations.push(Violation::in_file(path, message));
        }
    }
    violations
}

/// Whether the file is a test by its place or its name. The folder `benches` of a crate is; the package is not.
pub(super) fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let named = |folder: &str| path.components().any(|part| part.as_os_str() == folder);
    stem == "tests"
        || stem.ends_with("_tests")
        || named("tests")
        || named("fuzz")
        || (named("benches") && !path.starts_with("benches"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_have_600_lines_and_any_number_of_test_lines() {
        let full = "fn f() {}\n".repeat(LINES_MAX);
        let with_tests = format!("{full}#[cfg(test)]\nmod tests {{\n{full}}}\n");
        let one_more = format!("{full}fn g() {{}}\n");
        let files = Files::of(&[
            ("crates/a/src/full.rs", &full),
            ("crates/a/src/with_tests.rs", &with_tests),
            ("crates/a/tests/long.rs", &one_more),
            ("crates/a/benches/long.rs", &one_more),
            ("crates/a/src/long.rs", &one_more),
            ("benches/src/long.rs", &one_more),
        ]);
        let found: Vec<_> = check(&files).iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "benches/src/long.rs: 601 lines without its tests, more than 600: split it",
                "crates/a/src/long.rs: 601 lines without its tests, more than 600: split it",
            ]
        );
    }
}
