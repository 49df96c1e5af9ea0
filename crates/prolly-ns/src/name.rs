//! Which names a namespace may have, and which tree it is.
//!
//! **Invariant:** a namespace is the map of its name in the catalog, and nothing else is stored about it.

use prolly_version::{TreeKey, TreeKind};

use crate::{Error, Result};

/// The namespace that every store has.
pub const DEFAULT: &str = TreeKey::DEFAULT_NAME;

/// The longest name of a namespace, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 1024;

/// The tree of a namespace.
pub(crate) fn tree_of(name: &str) -> Result<TreeKey> {
    check(name.as_bytes(), name.to_owned())?;
    Ok(TreeKey::map(name))
}

/// The namespace that a tree is; `None` for a tree of another kind, or a map whose name no namespace can have.
pub fn namespace_of(tree: &TreeKey) -> Option<&str> {
    let name = std::str::from_utf8(tree.name()).ok()?;
    let fits = tree.kind() == TreeKind::MAP && !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    fits.then_some(name)
}

/// The namespace that a map is.
pub(crate) fn name_of(tree: &TreeKey) -> Result<&str> {
    let shown = || tree.name().escape_ascii().to_string();
    let name = std::str::from_utf8(tree.name())
        .map_err(|_| Error::InvalidName { name: shown(), reason: "it is not UTF-8" })?;
    check(tree.name(), name.to_owned())?;
    Ok(name)
}

fn check(bytes: &[u8], name: String) -> Result<()> {
    if bytes.is_empty() {
        return Err(Error::InvalidName { name, reason: "it is empty" });
    }
    if bytes.len() > NAME_BYTES_MAX {
        return Err(Error::InvalidName { name, reason: "it is too long" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_of_some_length_is_a_name() {
        for good in ["a", "default", " ", "ü/\u{0}\n", &"x".repeat(NAME_BYTES_MAX)] {
            let tree = tree_of(good).unwrap();
            assert_eq!(namespace_of(&tree), Some(good));
            assert_eq!(name_of(&tree).unwrap(), good);
        }
        for bad in ["", &"x".repeat(NAME_BYTES_MAX + 1)] {
            let error = tree_of(bad).unwrap_err();
            assert!(matches!(&error, Error::InvalidName { name, .. } if name == bad), "{error}");
            assert_eq!(namespace_of(&TreeKey::map(bad)), None);
        }
        let error = name_of(&TreeKey::map(vec![0xff])).unwrap_err();
        assert!(error.to_string().contains("\\\\xff"), "{error}");
        assert_eq!(namespace_of(&TreeKey::new(TreeKind::TABLE, "t")), None);
    }
}
