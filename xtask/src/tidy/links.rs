//! Links in documents: every relative one leads to a file of this repository, and to a heading that is there.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::Violation;
use super::files::Files;

/// Reports relative links of Markdown files that lead nowhere.
pub(super) fn check(files: &Files) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in files.with_extension("md") {
        for (line, link) in links(text) {
            if let Some(message) = broken(files, path, &link) {
                violations.push(Violation::at_line(path, line, message));
            }
        }
    }
    violations
}

fn broken(files: &Files, from: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() {
        from.to_owned()
    } else {
        match resolve(from.parent().unwrap_or(Path::new("")), file) {
            Some(target) if files.has(&target) => target,
            Some(_) => return Some(format!("'{link}' leads to no file")),
            None => return Some(format!("'{link}' leads out of the repository")),
        }
    };
    let text = if heading.is_empty() { None } else { files.text(&target) };
    match text {
        Some(text) if !slugs(text).iter().any(|slug| slug == heading) => {
            Some(format!("'{link}' leads to no heading of {}", target.display()))
        }
        _ => None,
    }
}

/// Returns `link` from `folder`, without `.` and `..`; nothing if it leaves the root.
fn resolve(folder: &Path, link: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => path.push(name),
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Returns the targets of inline links, images and reference definitions, each with its line.
fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in prose(markdown) {
        let line = without_code_spans(line);
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((number, target.trim_matches(['<', '>']).to_owned()));
        }
        if let Some((label, target)) = line.trim_start().split_once("]: ")
            && label.starts_with('[')
        {
            found.push((number, target.split_whitespace().next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// Returns the lines outside fenced code blocks, with their numbers.
fn prose(markdown: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut found = Vec::new();
    for (index, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            found.push((index + 1, line));
        }
    }
    found
}

fn without_code_spans(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// Returns the anchors of the headings, as GitHub makes them: repeated ones are numbered.
fn slugs(markdown: &str) -> Vec<String> {
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut found = Vec::new();
    for (_, line) in prose(markdown) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title.trim().to_lowercase().replace(' ', "-");
        let slug: String = kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
        let count = seen.entry(slug.clone()).or_default();
        found.push(if *count == 0 { slug } else { format!("{slug}-{count}") });
        *count += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let other = "# The title\n\n## A `b` (c)\n\n## Twice\n\n## Twice\n";
        let files =
            Files::of(&[("docs/this.md", text), ("docs/other.md", other), ("README.md", "# Readme\n")]);
        check(&files).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let text = "# Here\n[a](other.md) [b](./other.md#a-b-c) ![c](../README.md) [d](#here) [e](../docs)\n\
                    [f](https://example.org/x) [g](other.md#twice-1) [h](<other.md>) [i](other.md \"title\")\n\
                    [j]: other.md#the-title\n";
        assert_eq!(found(text), Vec::<String>::new());
    }

    #[test]
    fn links_that_lead_nowhere_are_violations() {
        for link in ["gone.md", "../docs/gone.md", "other.md#gone", "#gone", "../../out.md", "/etc/passwd"] {
            let inline = found(&format!("text\nsee [it]({link})\n"));
            assert_eq!(inline.len(), 1, "{link}: {inline:?}");
            assert!(inline[0].starts_with(&format!("docs/this.md:2: '{link}' leads ")), "{inline:?}");
            assert_eq!(found(&format!("[it]: {link}\n")).len(), 1, "{link}");
        }
    }

    #[test]
    fn code_is_not_a_link() {
        assert_eq!(found("```\n[a](gone.md)\n# Heading\n```\n`[a](gone.md)`\n"), Vec::<String>::new());
    }
}
