//! A commit of the native graph: a record whose links are the root of the catalog and the parents.
//!
//! ```text
//! record 'C', links = root of the catalog, parent 0, parent 1, …
//! payload   = version u8 (1) | postcard { author, committer, message }
//! signature = { name, email, seconds i64, offset_minutes i32 }
//! ```
//!
//! **Invariant:** the id of a commit is the address of its record, so equal commits have equal ids, and a commit cannot
//! change without its id.

use prolly_core::{Hash, Link, Record, RecordKind};
use serde::{Deserialize, Serialize};

use crate::{Commit, CommitDraft, CommitId, Error, Result, Signature};

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Payload {
    author: Signed,
    committer: Signed,
    message: String,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    name: String,
    email: String,
    seconds: i64,
    offset_minutes: i32,
}

impl From<&Signature> for Signed {
    fn from(signature: &Signature) -> Self {
        let Signature { name, email, seconds, offset_minutes } = signature.clone();
        Self { name, email, seconds, offset_minutes }
    }
}

impl From<Signed> for Signature {
    fn from(Signed { name, email, seconds, offset_minutes }: Signed) -> Self {
        Self { name, email, seconds, offset_minutes }
    }
}

/// Encodes a commit: its address and its record.
///
/// # Errors
/// When a parent is no id of the native graph, or there are more parents than a record can link to.
pub(crate) fn encode(draft: &CommitDraft) -> Result<(Hash, Vec<u8>)> {
    let mut links = vec![*draft.root.hash()];
    for parent in &draft.parents {
        links.push(hash_of(parent).ok_or(Error::MissingCommit { id: *parent })?);
    }
    let payload = Payload {
        author: (&draft.author).into(),
        committer: (&draft.committer).into(),
        message: draft.message.clone(),
    };
    let payload = postcard::to_extend(&payload, vec![VERSION]).map_err(|error| {
        prolly_core::Error::Malformed { reason: format!("a commit does not encode: {error}") }
    })?;
    let encoded = Record::encode(RecordKind::Commit, &links, &payload)?;
    Ok((Record::address(&encoded), encoded))
}

/// Decodes the record of commit `id`; the caller has verified that the bytes are those its address names.
///
/// # Errors
/// [`Error::DamagedCommit`] when the bytes do not follow the format or are no commit, [`Error::NewerFormat`].
pub(crate) fn decode(id: CommitId, encoded: &[u8]) -> Result<Commit> {
    let damaged = |reason: String| Error::DamagedCommit { id, reason };
    let record = Record::decode(encoded).map_err(|error| damaged(error.to_string()))?;
    if record.kind != RecordKind::Commit {
        return Err(damaged(format!("it is a {:?}", record.kind)));
    }
    let mut links = record.links();
    let root = links.next().ok_or_else(|| damaged("it has no root".to_owned()))?;
    let (&version, payload) =
        record.payload.split_first().ok_or_else(|| damaged("its payload is empty".to_owned()))?;
    if version != VERSION {
        return Err(Error::NewerFormat { what: format!("commit {id}"), found: version, supported: VERSION });
    }
    let (payload, rest) =
        postcard::take_from_bytes::<Payload>(payload).map_err(|error| damaged(error.to_string()))?;
    if !rest.is_empty() {
        return Err(damaged(format!("{} bytes follow it", rest.len())));
    }
    Ok(Commit {
        id,
        root: Link::from(root),
        parents: links.map(id_of).collect(),
        author: payload.author.into(),
        committer: payload.committer.into(),
        message: payload.message,
    })
}

/// The id of the commit whose record has this address.
pub(crate) fn id_of(hash: Hash) -> CommitId {
    CommitId::from_slice(hash.as_bytes()).expect("a hash has 32 bytes")
}

/// The address of a commit's record; `None` for an id of the Git graph.
pub(crate) fn hash_of(id: &CommitId) -> Option<Hash> {
    Hash::from_slice(id.as_slice())
}

#[cfg(test)]
mod tests {
    use prolly_core::{NodeBuffer, Tree, TreeConfig};
    use std::sync::Arc;

    use super::*;

    fn draft() -> CommitDraft {
        let tree = Tree::empty(Arc::new(NodeBuffer::new()), TreeConfig::default()).unwrap();
        let signature = |name: &str, offset_minutes| Signature {
            name: name.to_owned(),
            email: format!("{name}@example.com"),
            seconds: -5,
            offset_minutes,
        };
        CommitDraft {
            root: tree.root().clone(),
            parents: vec![id_of(Hash::new([1; 32])), id_of(Hash::new([2; 32]))],
            author: signature("Ünï", 90),
            committer: signature("b", -720),
            message: "two\nlines\0".to_owned(),
        }
    }

    #[test]
    fn commits_round_trip() {
        let draft = draft();
        let (hash, encoded) = encode(&draft).unwrap();
        let commit = decode(id_of(hash), &encoded).unwrap();
        assert_eq!(commit.root.hash, *draft.root.hash());
        assert_eq!(commit.parents, draft.parents);
        assert_eq!(commit.author, draft.author);
        assert_eq!(commit.committer, draft.committer);
        assert_eq!(commit.message, draft.message);
        assert_eq!(hash_of(&commit.id), Some(hash));
    }

    #[test]
    fn every_truncation_and_other_kinds_are_refused() {
        let (hash, encoded) = encode(&draft()).unwrap();
        let id = id_of(hash);
        for len in 0..encoded.len() {
            assert!(decode(id, &encoded[..len]).is_err(), "{len} bytes must be refused");
        }
        let longer = [&encoded[..], b"x"].concat();
        assert!(matches!(decode(id, &longer), Err(Error::DamagedCommit { .. })));
        let blob = Record::encode(RecordKind::BlobPart, &[], b"x").unwrap();
        assert!(matches!(decode(id, &blob), Err(Error::DamagedCommit { .. })));
        let newer = Record::encode(RecordKind::Commit, &[hash], &[2]).unwrap();
        assert!(matches!(decode(id, &newer), Err(Error::NewerFormat { found: 2, .. })));
        let foreign = CommitDraft { parents: vec![CommitId::from_slice(&[1; 20]).unwrap()], ..draft() };
        assert!(encode(&foreign).is_err());
    }
}
