//! Finishes or clears away what an owner of the store's lock left behind when it died.
//!
//! **Invariant:** the journal lists moves that were locked and compared, so one that has not been made since is made now,
//! unless somebody else has moved the ref.

use std::path::Path;

use gix_hash::ObjectId;

use super::{
    super::{files, layout::Layout},
    Move, RefFiles,
};
use crate::{Error, Result};

/// Finishes or clears away what an owner of the store's lock left behind when it died. The lock must be held.
pub(in super::super) fn recover(refs: &RefFiles, layout: &Layout) -> Result<()> {
    if layout.token_is_linked()? {
        let mut names = Vec::new();
        find_locks(&refs.git_dir, "refs", &mut names)?;
        names.extend(["HEAD.lock", "packed-refs.lock", "config.lock"].map(str::to_owned));
        for name in names {
            let path = refs.git_dir.join(name);
            if files::same_file(&layout.token(), &path)? {
                files::remove(&path)?;
            }
        }
    }
    let journal = layout.ref_journal();
    let Some(bytes) = files::read(&journal)? else { return Ok(()) };
    let damaged =
        || Error::DamagedFile { path: journal.clone(), reason: "it does not list moves".to_owned() };
    let moves = decode_journal(&bytes).ok_or_else(damaged)?;
    let no_peel = |_| Ok(None);
    let pending: Vec<Move> =
        moves.into_iter().filter(|wanted| refs.expect(wanted, &no_peel).is_ok()).collect();
    // One at a time: a second journal would overwrite this one.
    for wanted in pending {
        refs.make(layout, vec![wanted], &no_peel)?;
    }
    files::remove(&journal)?;
    files::sync_dir(files::parent(&journal))
}

pub(super) fn encode_journal(moves: &[Move]) -> String {
    let text = |id: Option<ObjectId>| id.map_or_else(|| "-".to_owned(), |id| id.to_string());
    moves
        .iter()
        .map(|wanted| {
            format!(
                "{} {} {}\t{}\n",
                text(wanted.expected),
                text(wanted.new),
                wanted.name,
                wanted.log.replace('\n', " ")
            )
        })
        .collect()
}

fn decode_journal(bytes: &[u8]) -> Option<Vec<Move>> {
    let id = |text: &str| match text {
        "-" => Some(None),
        hex => ObjectId::from_hex(hex.as_bytes()).ok().map(Some),
    };
    std::str::from_utf8(bytes)
        .ok()?
        .lines()
        .map(|line| {
            let (edit, log) = line.split_once('\t')?;
            let mut fields = edit.splitn(3, ' ');
            let (expected, new, name) = (fields.next()?, fields.next()?, fields.next()?);
            Some(Move { name: name.to_owned(), expected: id(expected)?, new: id(new)?, log: log.to_owned() })
        })
        .collect()
}

fn find_locks(git_dir: &Path, dir: &str, out: &mut Vec<String>) -> Result<()> {
    for (entry, kind) in files::list(&git_dir.join(dir))? {
        let name = format!("{dir}/{entry}");
        if kind.is_dir() {
            find_locks(git_dir, &name, out)?;
        } else if name.ends_with(".lock") {
            out.push(name);
        }
    }
    Ok(())
}
