//! What a staging journal says: the edits, in the order they were made.
//!
//! ```text
//! first frame   = version u8 (1) | head: 0 | length, full ref name   or   1 | length, commit id
//!                 | base: length, commit id (empty on a branch without commits)
//! other frames  = 13? op*                              13: what belongs together goes on in the next frame
//! op            = 1 | kind u8 | length, name               the tree that the next ops are about
//!               | 2 | length, key | length, value          put
//!               | 3 | length, key                          delete
//!               | 4 | configuration | length, metadata    make the tree, empty, in place of one of its name
//!               | 5                                        drop the tree
//!               | 6 | length, metadata                     set its metadata
//!               | 7 | length, name                         give it another name
//!               | 8 | length, name                         copy it to another name, as it is now
//!               | 9 | configuration                        keep the same entries under another configuration
//!               | 10 | length, record                      an object of a blob that an edit after it puts
//!               | 11 | length, key | length of the blob | hash    put a blob
//!               | 12 | kind u8 | length, name | length, commit id    set the whole tree to one of a commit
//! length        = LEB128
//! ```

use prolly_core::{Hash, TreeConfig};

use crate::{CommitId, Head, TreeKey, TreeKind};

pub(super) const VERSION: u8 = 1;
const HEAD_BRANCH: u8 = 0;
const HEAD_DETACHED: u8 = 1;
const OP_TREE: u8 = 1;
const OP_PUT: u8 = 2;
const OP_DELETE: u8 = 3;
const OP_CREATE: u8 = 4;
const OP_DROP: u8 = 5;
const OP_METADATA: u8 = 6;
const OP_RENAME: u8 = 7;
const OP_COPY: u8 = 8;
const OP_CONFIG: u8 = 9;
const OP_RECORD: u8 = 10;
const OP_PUT_BLOB: u8 = 11;
const OP_COPY_FROM: u8 = 12;
pub(super) const OP_GOES_ON: u8 = 13;

/// What the edits were made on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) head: Head,
    pub(crate) base: Option<CommitId>,
}

/// An edit, borrowed from the journal or from who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    Put { key: &'a [u8], value: &'a [u8] },
    Delete { key: &'a [u8] },
    Create { config: TreeConfig, metadata: &'a [u8] },
    Drop,
    Metadata(&'a [u8]),
    Rename { to: &'a [u8] },
    Copy { to: &'a [u8] },
    Config(TreeConfig),
    Record(&'a [u8]),
    PutBlob { key: &'a [u8], len: u64, hash: Hash },
    CopyFrom { kind: TreeKind, name: &'a [u8], commit: CommitId },
}

impl Begin {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match &self.head {
            Head::Branch(name) => {
                out.push(HEAD_BRANCH);
                write_bytes(out, name.as_bytes());
            }
            Head::Detached(id) => {
                out.push(HEAD_DETACHED);
                write_bytes(out, id.as_slice());
            }
        }
        write_bytes(out, self.base.as_ref().map_or(&[], CommitId::as_slice));
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self, String> {
        let mut bytes = payload;
        let version = read_byte(&mut bytes)?;
        if version != VERSION {
            return Err(format!("it has format version {version}, this build reads {VERSION}"));
        }
        let kind = read_byte(&mut bytes)?;
        let head = read_bytes(&mut bytes)?;
        let head = match kind {
            HEAD_BRANCH => Head::Branch(
                String::from_utf8(head.to_vec()).map_err(|_| "its branch is not UTF-8".to_owned())?,
            ),
            HEAD_DETACHED => Head::Detached(CommitId::from_slice(head).ok_or("its head is no commit id")?),
            other => return Err(format!("unknown head {other}")),
        };
        let base = match read_bytes(&mut bytes)? {
            [] => None,
            id => Some(CommitId::from_slice(id).ok_or("its base is no commit id")?),
        };
        if !bytes.is_empty() {
            return Err("bytes follow the first record".to_owned());
        }
        Ok(Self { head, base })
    }
}

/// Says which tree the next edits are about.
pub(super) fn write_tree(out: &mut Vec<u8>, tree: &TreeKey) {
    out.extend_from_slice(&[OP_TREE, tree.kind().0]);
    write_bytes(out, tree.name());
}

pub(super) fn write_op(out: &mut Vec<u8>, op: &Op<'_>) {
    match *op {
        Op::Put { key, value } => {
            out.push(OP_PUT);
            write_bytes(out, key);
            write_bytes(out, value);
        }
        Op::Delete { key } => {
            out.push(OP_DELETE);
            write_bytes(out, key);
        }
        Op::Create { config, metadata } => {
            out.push(OP_CREATE);
            write_config(out, &config);
            write_bytes(out, metadata);
        }
        Op::Drop => out.push(OP_DROP),
        Op::Metadata(metadata) => {
            out.push(OP_METADATA);
            write_bytes(out, metadata);
        }
        Op::Rename { to } => {
            out.push(OP_RENAME);
            write_bytes(out, to);
        }
        Op::Copy { to } => {
            out.push(OP_COPY);
            write_bytes(out, to);
        }
        Op::Config(config) => {
            out.push(OP_CONFIG);
            write_config(out, &config);
        }
        Op::Record(encoded) => {
            out.push(OP_RECORD);
            write_bytes(out, encoded);
        }
        Op::CopyFrom { kind, name, commit } => {
            out.extend_from_slice(&[OP_COPY_FROM, kind.0]);
            write_bytes(out, name);
            write_bytes(out, commit.as_slice());
        }
        Op::PutBlob { key, len, hash } => {
            out.push(OP_PUT_BLOB);
            write_bytes(out, key);
            write_len(out, len);
            out.extend_from_slice(hash.as_bytes());
        }
    }
}

fn write_config(out: &mut Vec<u8>, config: &TreeConfig) {
    let &TreeConfig { base, modulus, min_chunk_size, max_chunk_size, pattern, externalize_threshold } =
        config;
    for number in [base, modulus, min_chunk_size, max_chunk_size] {
        write_len(out, number.into());
    }
    write_len(out, pattern);
    write_len(out, externalize_threshold.map_or(0, |bytes| u64::from(bytes) + 1));
}

/// Hands the edits of a frame's payload to `apply`, with the tree that each is about. `tree` is the one that the frame
/// before ended with, and becomes that of this one.
pub(super) fn read_ops<E: From<String>>(
    payload: &[u8],
    tree: &mut Option<TreeKey>,
    apply: &mut dyn FnMut(&TreeKey, Op<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = payload.strip_prefix(&[OP_GOES_ON]).unwrap_or(payload);
    while !bytes.is_empty() {
        let op = match read_byte(&mut bytes)? {
            OP_TREE => {
                let kind = TreeKind(read_byte(&mut bytes)?);
                *tree = Some(TreeKey::new(kind, read_bytes(&mut bytes)?));
                continue;
            }
            OP_PUT => {
                let key = read_bytes(&mut bytes)?;
                Op::Put { key, value: read_bytes(&mut bytes)? }
            }
            OP_DELETE => Op::Delete { key: read_bytes(&mut bytes)? },
            OP_CREATE => {
                let config = read_config(&mut bytes)?;
                Op::Create { config, metadata: read_bytes(&mut bytes)? }
            }
            OP_DROP => Op::Drop,
            OP_METADATA => Op::Metadata(read_bytes(&mut bytes)?),
            OP_RENAME => Op::Rename { to: read_bytes(&mut bytes)? },
            OP_COPY => Op::Copy { to: read_bytes(&mut bytes)? },
            OP_CONFIG => Op::Config(read_config(&mut bytes)?),
            OP_RECORD => Op::Record(read_bytes(&mut bytes)?),
            OP_COPY_FROM => {
                let kind = TreeKind(read_byte(&mut bytes)?);
                let name = read_bytes(&mut bytes)?;
                let commit = CommitId::from_slice(read_bytes(&mut bytes)?);
                let commit = commit.ok_or_else(|| "a copy is of no commit id".to_owned())?;
                Op::CopyFrom { kind, name, commit }
            }
            OP_PUT_BLOB => {
                let key = read_bytes(&mut bytes)?;
                Op::PutBlob { key, len: read_len(&mut bytes)?, hash: read_hash(&mut bytes)? }
            }
            other => return Err(format!("unknown edit {other}").into()),
        };
        let tree = tree.as_ref().ok_or_else(|| "an edit names no tree".to_owned())?;
        apply(tree, op)?;
    }
    Ok(())
}

fn read_config(bytes: &mut &[u8]) -> Result<TreeConfig, String> {
    let mut small = || -> Result<u32, String> {
        u32::try_from(read_len(bytes)?).map_err(|_| "a configuration is out of bounds".to_owned())
    };
    let (base, modulus, min_chunk_size, max_chunk_size) = (small()?, small()?, small()?, small()?);
    let pattern = read_len(bytes)?;
    let externalize_threshold = match read_len(bytes)? {
        0 => None,
        more => Some(u32::try_from(more - 1).map_err(|_| "a configuration is out of bounds".to_owned())?),
    };
    Ok(TreeConfig { base, modulus, min_chunk_size, max_chunk_size, pattern, externalize_threshold })
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_len(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_len(out: &mut Vec<u8>, mut len: u64) {
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
}

fn read_byte(bytes: &mut &[u8]) -> Result<u8, String> {
    let (first, rest) = bytes.split_first().ok_or("an edit is cut short")?;
    *bytes = rest;
    Ok(*first)
}

fn read_len(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut len = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = read_byte(bytes)?;
        let part = u64::from(byte & 0x7f);
        len |= part
            .checked_shl(shift)
            .filter(|value| value >> shift == part)
            .ok_or("a length is out of bounds")?;
        if byte & 0x80 == 0 {
            return Ok(len);
        }
    }
    Err("a length is out of bounds".to_owned())
}

fn read_hash(bytes: &mut &[u8]) -> Result<Hash, String> {
    let (hash, rest) = bytes.split_at_checked(Hash::LEN).ok_or("an edit is cut short")?;
    *bytes = rest;
    Hash::from_slice(hash).ok_or_else(|| "an address is no hash".to_owned())
}

fn read_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], String> {
    let len = usize::try_from(read_len(bytes)?).map_err(|_| "a length is out of bounds".to_owned())?;
    let (taken, rest) = bytes.split_at_checked(len).ok_or("an edit is cut short")?;
    *bytes = rest;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_round_trip() {
        let id = CommitId::from_slice(&[7; 20]).unwrap();
        for begin in [
            Begin { head: Head::Branch("refs/heads/main".to_owned()), base: None },
            Begin { head: Head::Branch("refs/heads/ü".to_owned()), base: Some(id) },
            Begin { head: Head::Detached(id), base: Some(id) },
        ] {
            let mut bytes = Vec::new();
            begin.write(&mut bytes);
            assert_eq!(Begin::read(&bytes).unwrap(), begin);
            for len in 0..bytes.len() {
                assert!(Begin::read(&bytes[..len]).is_err(), "{len} bytes must be refused");
            }
        }
    }

    #[test]
    fn edits_round_trip() {
        let long = vec![9; 70_000];
        let ops = [
            Op::Put { key: b"", value: b"" },
            Op::Put { key: b"k", value: &long },
            Op::Delete { key: &long },
            Op::Create { config: TreeConfig::default(), metadata: b"m" },
            Op::Create {
                config: TreeConfig {
                    externalize_threshold: None,
                    pattern: u64::MAX,
                    ..TreeConfig::default()
                },
                metadata: b"",
            },
            Op::Drop,
            Op::Metadata(b"meta"),
            Op::Rename { to: b"other" },
            Op::Copy { to: b"" },
            Op::Record(&long),
            Op::CopyFrom {
                kind: TreeKind::TABLE,
                name: b"n",
                commit: CommitId::from_slice(&[1; 20]).unwrap(),
            },
            Op::PutBlob { key: b"k", len: u64::MAX, hash: Hash::new([4; 32]) },
            Op::Config(TreeConfig { externalize_threshold: Some(0), ..TreeConfig::default() }),
        ];
        let mut bytes = Vec::new();
        let tree = TreeKey::new(TreeKind::TABLE, "t");
        write_tree(&mut bytes, &tree);
        for op in &ops {
            write_op(&mut bytes, op);
        }
        let mut seen = 0;
        let mut at = None;
        read_ops::<String>(&bytes, &mut at, &mut |key, op| {
            assert_eq!((key, &op), (&tree, &ops[seen]));
            seen += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ops.len());
        let no_tree = read_ops::<String>(&[OP_DROP], &mut None, &mut |_, _| Ok(()));
        assert!(no_tree.is_err());
        assert!(read_ops::<String>(&[OP_PUT, 0xff], &mut at, &mut |_, _| Ok(())).is_err());
        assert!(read_ops::<String>(&[99], &mut at, &mut |_, _| Ok(())).is_err());
    }
}
