//! Journals cut and damaged at every byte.

use std::path::Path;

use super::*;
use crate::Head;

fn begin() -> Begin {
    Begin { head: Head::Branch("refs/heads/main".to_owned()), base: None }
}

fn tree() -> TreeKey {
    TreeKey::default_map()
}

/// A journal of three frames with two edits each.
fn write(dir: &Path) -> Vec<u8> {
    let mut journal = Journal::new(Slot::take(dir).unwrap(), begin());
    journal.last_flush = Some(Instant::now());
    for frame in 0..3_u8 {
        let value = &vec![frame; 40];
        journal.push(&tree(), &Op::Put { key: &[frame, 0], value }).unwrap();
        journal.push(&TreeKey::map("other"), &Op::Delete { key: &[frame, 1] }).unwrap();
        journal.flush().unwrap();
    }
    let path = journal.path.clone();
    drop(journal);
    std::fs::read(path).unwrap()
}

/// Takes the journal over and returns the keys it edits, in order.
fn replayed(dir: &Path) -> Result<Option<(Journal, Vec<Vec<u8>>)>> {
    let Some((slot, found)) = adopt(dir, &mut |_| Ok(true))? else { return Ok(None) };
    assert_eq!(found, begin());
    let mut keys = Vec::new();
    let journal = Journal::replay(slot, found, &mut |edited, op| {
        match op {
            Op::Put { key, .. } if *edited == tree() => keys.push(key.to_vec()),
            Op::Delete { key } if *edited == TreeKey::map("other") => keys.push(key.to_vec()),
            other => panic!("{edited}: {other:?}"),
        }
        Ok(())
    })?;
    Ok(Some((journal, keys)))
}

fn keys(frames: u8) -> Vec<Vec<u8>> {
    (0..frames).flat_map(|frame| [vec![frame, 0], vec![frame, 1]]).collect()
}

#[test]
fn a_journal_cut_anywhere_reads_up_to_its_last_whole_frame_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let whole = write(dir.path());
    let path = dir.path().join("slot-0.journal");
    let mut before = 0;
    for len in 0..=whole.len() {
        for zeros in [0, 1, 4096] {
            let torn = [&whole[..len], &vec![0; zeros][..]].concat();
            std::fs::write(&path, &torn).unwrap();
            let Some((mut journal, found)) = replayed(dir.path()).unwrap() else {
                assert_eq!(before, 0);
                continue;
            };
            let frames = u8::try_from(found.len() / 2).unwrap();
            assert_eq!(found, keys(frames), "{len} bytes and {zeros} zeros");
            assert!(frames >= before && (len < whole.len() || frames == 3), "{len} bytes and {zeros} zeros");
            before = frames;
            journal.push(&tree(), &Op::Put { key: b"more", value: b"" }).unwrap();
            journal.flush().unwrap();
            drop(journal);
            let (_, found) = replayed(dir.path()).unwrap().unwrap();
            assert_eq!(found.last().map(Vec::as_slice), Some(&b"more"[..]));
            assert_eq!(found.len(), usize::from(frames) * 2 + 1);
        }
    }
    assert_eq!(before, 3);
}

#[test]
fn a_flipped_bit_is_an_error_but_in_the_last_frame() {
    let dir = tempfile::tempdir().unwrap();
    let whole = write(dir.path());
    let path = dir.path().join("slot-0.journal");
    let mut reader = FrameReader::open(&path).unwrap();
    let mut last_frame = 0;
    loop {
        let start = reader.offset();
        if reader.next().unwrap().is_none() {
            break;
        }
        last_frame = usize::try_from(start).unwrap();
    }
    for at in 0..whole.len() {
        let mut bad = whole.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        match replayed(dir.path()) {
            Err(Error::DamagedJournal { path: found, offset, .. }) => {
                assert_eq!(found, path);
                assert!(offset as usize <= at, "byte {at}");
            }
            Ok(Some((_, found))) => {
                assert!(at >= last_frame + 8, "byte {at} of a frame that is not the last passed");
                assert_eq!(found, keys(2));
            }
            Ok(None) => panic!("byte {at}: the journal went unnoticed"),
            Err(error) => panic!("byte {at}: {error}"),
        }
    }
}

#[test]
fn a_journal_of_a_newer_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let mut frame = vec![0; HEADER_BYTES];
    frame.push(2);
    frame::seal(&mut frame, 0);
    std::fs::write(dir.path().join("slot-0.journal"), frame).unwrap();
    let error = replayed(dir.path()).map(|_| ()).unwrap_err();
    assert!(matches!(&error, Error::NewerFormat { found: 2, .. }), "{error}");
}

#[test]
fn a_reset_journal_is_empty_and_a_replaced_one_has_the_new_edits() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::new(Slot::take(dir.path()).unwrap(), begin());
    journal.push(&tree(), &Op::Put { key: b"a", value: b"" }).unwrap();
    journal.reset(begin());
    drop(journal);
    assert!(replayed(dir.path()).unwrap().is_none());
    let mut journal = Journal::new(Slot::take(dir.path()).unwrap(), begin());
    journal.push(&tree(), &Op::Put { key: b"b", value: b"" }).unwrap();
    let failed = journal.replace(begin(), |new| {
        new.push(&tree(), &Op::Put { key: b"c", value: b"" })?;
        Err(Error::Merging)
    });
    assert!(failed.is_err());
    journal.push(&tree(), &Op::Put { key: b"d", value: b"" }).unwrap();
    journal.flush().unwrap();
    let new = begin();
    journal.replace(new, |new| new.push(&tree(), &Op::Put { key: b"e", value: b"" })).unwrap();
    journal.push(&tree(), &Op::Put { key: b"f", value: b"" }).unwrap();
    journal.sync().unwrap();
    assert!(replayed(dir.path()).unwrap().is_none(), "the slot is still held");
    drop(journal);
    let (mut journal, found) = replayed(dir.path()).unwrap().unwrap();
    assert_eq!(found, [b"e".to_vec(), b"f".to_vec()]);
    journal.replace(begin(), |_| Ok(())).unwrap();
    drop(journal);
    assert!(replayed(dir.path()).unwrap().is_none());
}

#[test]
fn a_slot_is_free_as_soon_as_it_is_dropped_whatever_children_are_being_started() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let children = scope.spawn(|| {
            for _ in 0..100 {
                std::process::Command::new(std::env::current_exe().unwrap()).arg("--list").output().unwrap();
            }
        });
        while !children.is_finished() {
            let slot = Slot::take(dir.path()).unwrap();
            assert!(slot.journal_path().ends_with("slot-0.journal"));
        }
    });
}

#[test]
fn of_a_group_a_crash_leaves_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slot-0.journal");
    let value = vec![7; GROUP_FLUSH_BYTES / 3];
    let put = |key: &'static [u8]| Op::Put { key, value: &value };
    let mut journal = Journal::new(Slot::take(dir.path()).unwrap(), begin());
    journal.push(&tree(), &put(b"before")).unwrap();
    for key in [b"1", b"2", b"3", b"4", b"5"] {
        journal.push_of_group(&tree(), &put(key));
    }
    let cut = std::fs::read(&path).unwrap();
    assert!(cut.len() > GROUP_FLUSH_BYTES, "a part of it is written before its end");
    journal.end_group().unwrap();
    journal.push_of_group(&tree(), &Op::Put { key: b"after", value: b"" });
    journal.end_group().unwrap();
    journal.flush().unwrap();
    drop(journal);
    let whole = std::fs::read(&path).unwrap();

    let (journal, keys) = replayed(dir.path()).unwrap().unwrap();
    assert_eq!(keys, [&b"before"[..], b"1", b"2", b"3", b"4", b"5", b"after"]);
    drop(journal);
    for len in [cut.len(), cut.len() + 1, whole.len() - value.len()] {
        std::fs::write(&path, &whole[..len]).unwrap();
        let (mut journal, keys) = replayed(dir.path()).unwrap().unwrap();
        assert_eq!(keys, [b"before"], "cut at {len} of {}", whole.len());
        // What comes next takes the place of what was cut.
        journal.push(&tree(), &Op::Put { key: b"next", value: b"" }).unwrap();
        journal.flush().unwrap();
        drop(journal);
        let (_, keys) = replayed(dir.path()).unwrap().unwrap();
        assert_eq!(keys, [&b"before"[..], b"next"]);
    }
}

#[test]
fn a_group_that_cannot_be_written_is_reported_at_its_end_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::new(Slot::take(dir.path()).unwrap(), begin());
    let path = journal.path.clone();
    journal.path = dir.path().join("no-such-folder/slot-0.journal");
    let value = vec![7; GROUP_FLUSH_BYTES];
    for key in [b"1", b"2"] {
        journal.push_of_group(&tree(), &Op::Put { key, value: &value });
    }
    assert!(matches!(journal.end_group(), Err(Error::Io { .. })));
    journal.path = path;
    journal.push(&tree(), &Op::Put { key: b"3", value: b"" }).unwrap();
    drop(journal);
    let (_, keys) = replayed(dir.path()).unwrap().unwrap();
    assert_eq!(keys, [b"1", b"2", b"3"]);
}
