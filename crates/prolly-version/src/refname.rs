//! Which names a ref, a branch and a tag may have: Git's rules, in every commit graph.
//!
//! **Invariant:** a name that passes [`check_ref_name`] stays below `refs/` as a path on every file system, and Git
//! takes it as it is.

use crate::{Error, Result};

/// Where branches live.
pub const BRANCH_PREFIX: &str = "refs/heads/";
/// Where tags live.
pub const TAG_PREFIX: &str = "refs/tags/";
/// Where the branches of other stores are noted.
pub const REMOTE_PREFIX: &str = "refs/remotes/";

/// The longest part of a name between two slashes, in bytes: a file name, with room for Git's `.lock`.
const COMPONENT_BYTES_MAX: usize = 240;

/// Checks a full ref name, such as `refs/heads/main`.
///
/// # Errors
/// [`Error::InvalidRefName`] with the rule that the name breaks.
pub fn check_ref_name(name: &str) -> Result<()> {
    check_short_name(name.strip_prefix("refs/").ok_or_else(|| invalid(name, "it does not begin with refs/"))?)
        .map_err(|error| match error {
            Error::InvalidRefName { reason, .. } => invalid(name, reason),
            other => other,
        })
}

/// Returns the full ref name of a branch.
///
/// # Errors
/// [`Error::InvalidRefName`] when Git would refuse the name: also for `HEAD`, and a leading `-`.
pub fn branch_ref_name(branch: &str) -> Result<String> {
    full_name(BRANCH_PREFIX, branch)
}

/// Returns the full ref name of a tag.
///
/// # Errors
/// [`Error::InvalidRefName`] when Git would refuse the name: also for `HEAD`, and a leading `-`.
pub fn tag_ref_name(tag: &str) -> Result<String> {
    full_name(TAG_PREFIX, tag)
}

/// The short name of a branch given its full ref name; `None` when it is no branch.
pub fn branch_short_name(full_name: &str) -> Option<&str> {
    full_name.strip_prefix(BRANCH_PREFIX)
}

fn full_name(prefix: &str, short: &str) -> Result<String> {
    if short == "HEAD" {
        return Err(invalid(short, "HEAD names the place where the store stands"));
    }
    if short.starts_with('-') {
        return Err(invalid(short, "it begins with -"));
    }
    check_short_name(short)?;
    Ok(format!("{prefix}{short}"))
}

fn check_short_name(name: &str) -> Result<()> {
    let broken = |reason| Err(invalid(name, reason));
    if name.is_empty() {
        return broken("it is empty");
    }
    if name == "@" {
        return broken("@ stands for HEAD");
    }
    if name.contains("..") {
        return broken("it contains ..");
    }
    if name.contains("@{") {
        return broken("it contains @{");
    }
    if name.ends_with('.') {
        return broken("it ends with a dot");
    }
    if name.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return broken("it contains a control character");
    }
    if name.contains([' ', '~', '^', ':', '?', '*', '[', '\\']) {
        return broken("it contains a space or one of ~ ^ : ? * [ \\");
    }
    for component in name.split('/') {
        if component.is_empty() {
            return broken("it begins or ends with a slash, or has two in a row");
        }
        if component.starts_with('.') {
            return broken("a part of it begins with a dot");
        }
        if component.ends_with(".lock") {
            return broken("a part of it ends with .lock");
        }
        if component.len() > COMPONENT_BYTES_MAX {
            return broken("a part of it is longer than 240 bytes");
        }
    }
    Ok(())
}

fn invalid(name: &str, reason: &'static str) -> Error {
    Error::InvalidRefName { name: name.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for good in
            ["main", "feature/x", "v1.0", "a-b_c", "ünïcode", "a@b", "heads/main", "x.locked", "1234567"]
        {
            assert_eq!(branch_ref_name(good).unwrap(), format!("refs/heads/{good}"));
            check_ref_name(&format!("refs/tags/{good}")).unwrap();
        }
        check_ref_name("refs/remotes/origin/HEAD").unwrap();
        assert_eq!(branch_short_name("refs/heads/a/b"), Some("a/b"));
        assert_eq!(branch_short_name("refs/tags/a"), None);
    }

    #[test]
    fn what_git_forbids_or_leaves_refs_is_refused() {
        let long = "x".repeat(241);
        for bad in [
            "",
            "@",
            "HEAD",
            "-x",
            "..",
            "../x",
            "a/../../x",
            "a..b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "/a",
            "a/",
            "a//b",
            "a b",
            "a~b",
            "a^",
            "a:b",
            "a?",
            "a*",
            "[a",
            "a\\b",
            "a@{1}",
            "a\0b",
            "a\nb",
            "a\x7f",
            &long,
        ] {
            let error = branch_ref_name(bad).unwrap_err();
            assert!(matches!(&error, Error::InvalidRefName { name, .. } if name == bad), "{bad:?}: {error}");
            assert!(tag_ref_name(bad).is_err(), "{bad:?} must be refused");
        }
        for bad in ["main", "heads/main", "refs/", "refs/../x", "HEAD"] {
            assert!(matches!(check_ref_name(bad), Err(Error::InvalidRefName { name, .. }) if name == bad));
        }
    }
}
