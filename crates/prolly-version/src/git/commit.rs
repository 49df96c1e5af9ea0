//! Git commits that hold a catalog.
//!
//! ```text
//! commit   its tree:
//!   prolly   blob: "prollytree 1\nroot <64 hex digits>\n"
//!   root     the catalog's root node, a Git tree or blob (see `object`)
//! ```
//!
//! **Invariant:** what is read back equals what was written, byte for byte: names, zones and message included. What Git
//! could not carry is refused before anything is written.

use std::fmt::Write;

use gix_hash::ObjectId;
use gix_object::CommitRef;
use prolly_core::Hash;

use super::object::{self, Stored, TreeWriter};
use crate::{BatchCommit, CommitDraft, CommitId, Error, Parent, Result, Signature};

/// The version of this layout that this build writes, and the latest it reads.
const FORMAT_VERSION: u8 = 1;
const MARK: &str = "prolly";
const ROOT: &str = "root";
const MARK_WORD: &str = "prollytree";
/// Git writes the offset of a zone in four digits.
const OFFSET_MINUTES_MAX: u32 = 100 * 60 - 1;

/// A commit object, decoded; its tree is still to be read.
pub(super) struct Decoded {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    pub(super) author: Signature,
    pub(super) committer: Signature,
    pub(super) message: String,
}

/// Our id of a Git object.
pub(super) fn commit_id(id: ObjectId) -> CommitId {
    CommitId::from_slice(id.as_slice()).expect("a SHA-1 id has 20 bytes")
}

/// The Git id of a commit; `None` for an id of the native graph, which Git has none of.
pub(super) fn object_id(id: &CommitId) -> Option<ObjectId> {
    ObjectId::try_from(id.as_slice()).ok().filter(|id| id.kind() == gix_hash::Kind::Sha1)
}

/// Checks that Git can carry the commit unchanged. One that comes from Git has been carried already.
pub(super) fn check(commit: &BatchCommit) -> Result<()> {
    if commit.original.is_some() {
        return Ok(());
    }
    let invalid = |reason: String| Err(Error::InvalidCommit { reason });
    for (role, signature) in [("author", &commit.author), ("committer", &commit.committer)] {
        for (part, text) in [("name", &signature.name), ("mail address", &signature.email)] {
            if let Some(bad) = text.chars().find(|c| matches!(c, '<' | '>' | '\n' | '\0')) {
                return invalid(format!("the {part} of the {role}, {text:?}, contains {bad:?}"));
            }
        }
        if signature.seconds < 0 {
            return invalid(format!("the time of the {role}, {} s, is before 1970", signature.seconds));
        }
        if signature.offset_minutes.unsigned_abs() > OFFSET_MINUTES_MAX {
            return invalid(format!(
                "the zone of the {role} is {} minutes from UTC",
                signature.offset_minutes
            ));
        }
    }
    if commit.message.contains('\0') {
        return invalid("the message contains a NUL character".to_owned());
    }
    let mut parents = commit.parents.iter();
    while let Some(parent) = parents.next() {
        if let Parent::Stored(id) = parent
            && object_id(id).is_none()
        {
            return invalid(format!("{id} is not the id of a Git commit"));
        }
        if parents.as_slice().contains(parent) {
            return invalid(format!("its parent {parent} is named twice"));
        }
    }
    Ok(())
}

/// The content of the commit object.
pub(super) fn encode(draft: &CommitDraft, tree: ObjectId) -> Vec<u8> {
    let mut out = format!("tree {tree}\n");
    for parent in &draft.parents {
        out.push_str(&format!("parent {parent}\n"));
    }
    for (role, signature) in [("author", &draft.author), ("committer", &draft.committer)] {
        out.push_str(role);
        out.push(' ');
        write_signature(&mut out, signature);
        out.push('\n');
    }
    out.push('\n');
    out.push_str(&draft.message);
    out.into_bytes()
}

/// Checks that a commit made elsewhere says of its tree and parents what this store is about to write.
///
/// # Errors
/// [`Error::ForeignCommit`] when its tree holds more than a store's does, [`Error::DamagedCommit`].
pub(super) fn check_original(
    id: &CommitId,
    encoded: &[u8],
    tree: &ObjectId,
    parents: &[CommitId],
) -> Result<()> {
    let decoded = decode(id, encoded)?;
    if decoded.tree != *tree {
        let reason =
            format!("its tree is {}, and the one that its contents have here is {tree}", decoded.tree);
        return Err(Error::ForeignCommit { id: *id, reason });
    }
    if !decoded.parents.iter().map(|parent| commit_id(*parent)).eq(parents.iter().copied()) {
        let reason = "its parents are not those that were announced".to_owned();
        return Err(Error::DamagedCommit { id: *id, reason });
    }
    Ok(())
}

/// Appends a signature as Git writes it in commits and in logs of refs.
pub(super) fn write_signature(out: &mut String, signature: &Signature) {
    let Signature { name, email, seconds, offset_minutes } = signature;
    let sign = if *offset_minutes < 0 { '-' } else { '+' };
    let minutes = offset_minutes.unsigned_abs();
    write!(out, "{name} <{email}> {seconds} {sign}{:02}{:02}", minutes / 60, minutes % 60)
        .expect("writing to a string succeeds");
}

/// Reads the content of a commit object.
pub(super) fn decode(id: &CommitId, content: &[u8]) -> Result<Decoded> {
    let damaged = |reason: String| Error::DamagedCommit { id: *id, reason };
    let commit =
        CommitRef::from_bytes(content, gix_hash::Kind::Sha1).map_err(|error| damaged(error.to_string()))?;
    let signature = |role: &str, raw: &[u8]| {
        read_signature(raw)
            .ok_or_else(|| damaged(format!("its {role} is {:?}", String::from_utf8_lossy(raw))))
    };
    Ok(Decoded {
        tree: commit.tree(),
        parents: commit.parents().collect(),
        author: signature("author", commit.author)?,
        committer: signature("committer", commit.committer)?,
        // Only other tools write anything but UTF-8 here.
        message: String::from_utf8_lossy(commit.message).into_owned(),
    })
}

fn read_signature(raw: &[u8]) -> Option<Signature> {
    let raw = String::from_utf8_lossy(raw);
    let (who, when) = raw.rsplit_once('>')?;
    let (name, email) = who.split_once('<')?;
    let (seconds, offset) = when.trim().split_once(' ')?;
    let (sign, digits) = offset.split_at_checked(1)?;
    let offset: i32 = digits.parse().ok().filter(|offset| *offset >= 0)?;
    let minutes = offset / 100 * 60 + offset % 100;
    Some(Signature {
        name: name.strip_suffix(' ').unwrap_or(name).to_owned(),
        email: email.to_owned(),
        seconds: seconds.parse().ok()?,
        offset_minutes: match sign {
            "+" => minutes,
            "-" => -minutes,
            _ => return None,
        },
    })
}

/// The content of the blob that marks a commit as ours.
pub(super) fn encode_mark(root: &Hash) -> Vec<u8> {
    format!("{MARK_WORD} {FORMAT_VERSION}\nroot {root}\n").into_bytes()
}

/// Reads the content of the blob that marks a commit as ours: the address of the catalog's root.
pub(super) fn decode_mark(id: &CommitId, content: &[u8]) -> Result<Hash> {
    let damaged = || Error::DamagedCommit {
        id: *id,
        reason: format!("its entry {MARK:?} is {:?}", String::from_utf8_lossy(content)),
    };
    let text = std::str::from_utf8(content).map_err(|_| damaged())?;
    let (first, rest) = text.split_once('\n').ok_or_else(damaged)?;
    let version =
        first.strip_prefix(MARK_WORD).and_then(|rest| rest.strip_prefix(' ')).ok_or_else(damaged)?;
    let found: u8 = version.parse().map_err(|_| damaged())?;
    if found > FORMAT_VERSION {
        return Err(Error::NewerFormat { what: format!("commit {id}"), found, supported: FORMAT_VERSION });
    }
    let root = rest.strip_prefix("root ").and_then(|rest| rest.strip_suffix('\n')).ok_or_else(damaged)?;
    root.parse().map_err(|_| damaged())
}

/// The content of a commit's tree.
pub(super) fn encode_tree(mark: ObjectId, root: Stored) -> Vec<u8> {
    let mut tree = TreeWriter::default();
    tree.push(MARK, Stored { id: mark, is_tree: false });
    tree.push(ROOT, root);
    tree.encode()
}

/// Reads the content of a commit's tree: the mark, and the catalog's root.
pub(super) fn decode_tree(id: &CommitId, content: &[u8]) -> Result<(ObjectId, Stored)> {
    let entries = object::entries(content).map_err(|reason| Error::DamagedCommit { id: *id, reason })?;
    let entry = |name: &str| {
        let found = entries.iter().find(|(entry, _)| *entry == name.as_bytes());
        let reason = || format!("its tree has no entry {name:?}");
        found.map(|(_, object)| *object).ok_or_else(|| Error::ForeignCommit { id: *id, reason: reason() })
    };
    let mark = entry(MARK)?;
    if mark.is_tree {
        let reason = format!("the entry {MARK:?} of its tree is a directory");
        return Err(Error::ForeignCommit { id: *id, reason });
    }
    Ok((mark.id, entry(ROOT)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1111111111111111111111111111111111111111";

    #[test]
    fn signatures_round_trip() {
        for (name, email, seconds, offset_minutes) in [
            ("A", "a@b", 0, 0),
            ("", "", 1, -90),
            (" x  y ", " e ", i64::from(u32::MAX) + 1, 14 * 60),
            ("Zoë \u{1F600}", "ë@例え", 7, -(99 * 60 + 59)),
        ] {
            let signature = Signature { name: name.into(), email: email.into(), seconds, offset_minutes };
            let mut raw = String::new();
            write_signature(&mut raw, &signature);
            assert_eq!(read_signature(raw.as_bytes()), Some(signature), "{raw:?}");
        }
        for bad in ["", "A <a> 1", "A <a> x +0000", "A <a> 1 0000", "A a 1 +0000", "A <a> 1 +-100"] {
            assert_eq!(read_signature(bad.as_bytes()), None, "{bad:?} must be refused");
        }
    }

    #[test]
    fn marks_round_trip_and_newer_or_damaged_ones_are_refused() {
        let id: CommitId = ID.parse().unwrap();
        let root = Hash::new([0xab; 32]);
        assert_eq!(decode_mark(&id, &encode_mark(&root)).unwrap(), root);
        let newer = String::from_utf8(encode_mark(&root)).unwrap().replace(" 1\n", " 2\nmore ");
        let error = decode_mark(&id, newer.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::NewerFormat { found: 2, supported: 1, .. }), "{error}");
        for bad in [&b""[..], b"prollytree 1\n", b"prollytree x\n", b"prolly 1\nroot ab\n", b"\xff"] {
            let error = decode_mark(&id, bad).unwrap_err();
            assert!(matches!(error, Error::DamagedCommit { .. }), "{error}");
        }
    }
}
