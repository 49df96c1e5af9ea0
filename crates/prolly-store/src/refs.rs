//! The rules that refs of every store follow.

use std::collections::{BTreeMap, HashSet};

use crate::{Error, RefEdit, Result};

/// The longest name of a ref, in bytes.
pub const MAX_REF_NAME_BYTES: usize = 1024;
/// The longest value of a ref, in bytes.
pub const MAX_REF_VALUE_BYTES: usize = 1024;

/// Checks edits before a store looks at its refs.
pub(crate) fn check_edits(edits: &[RefEdit]) -> Result<()> {
    let mut names = HashSet::with_capacity(edits.len());
    for RefEdit { name, new, .. } in edits {
        let value_bytes = new.as_ref().map_or(0, Vec::len);
        let fault = if name.is_empty() {
            "the name is empty".to_owned()
        } else if name.len() > MAX_REF_NAME_BYTES {
            format!("the name has {} bytes, at most {MAX_REF_NAME_BYTES} are allowed", name.len())
        } else if name.chars().any(char::is_control) {
            "the name has a control character".to_owned()
        } else if value_bytes > MAX_REF_VALUE_BYTES {
            format!("the value has {value_bytes} bytes, at most {MAX_REF_VALUE_BYTES} are allowed")
        } else if !names.insert(name) {
            "it is edited twice".to_owned()
        } else {
            continue;
        };
        return Err(Error::InvalidRef { name: name.clone(), reason: fault });
    }
    Ok(())
}

/// The error for an edit whose expectation does not hold.
pub(crate) fn moved(edit: &RefEdit, found: Option<&[u8]>) -> Error {
    Error::RefMoved {
        name: edit.name.clone(),
        expected: edit.expected.clone(),
        found: found.map(<[u8]>::to_vec),
    }
}

/// Makes checked edits: all of them or none.
pub(crate) fn apply_edits(refs: &mut BTreeMap<String, Vec<u8>>, edits: &[RefEdit]) -> Result<()> {
    for edit in edits {
        let found = refs.get(&edit.name).map(Vec::as_slice);
        if !edit.expected.admits(found) {
            return Err(moved(edit, found));
        }
    }
    for RefEdit { name, new, .. } in edits {
        match new {
            Some(value) => refs.insert(name.clone(), value.clone()),
            None => refs.remove(name),
        };
    }
    Ok(())
}

/// The refs whose name begins with `prefix`, ascending.
pub(crate) fn with_prefix(refs: &BTreeMap<String, Vec<u8>>, prefix: &str) -> Vec<(String, Vec<u8>)> {
    refs.range(prefix.to_owned()..)
        .take_while(|(name, _)| name.starts_with(prefix))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
