//! Several handles, several processes, Git at work at the same time, and owners that are killed.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use prolly_version::{CommitGraph, CommitId, Error};

use crate::support::*;

#[test]
fn of_two_who_publish_to_one_ref_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let graphs = [open(dir.path()), open(dir.path())];
    let mut tip = None;
    for round in 0..40 {
        let outcomes = std::thread::scope(|scope| {
            let threads = [0, 1].map(|who| {
                let graph = &graphs[who];
                let (pending, draft) = draft(graph, tip, vec![put(format!("{round} {who}"), "x")], "race");
                scope.spawn(move || graph.publish(&pending, &draft, Some(&edit_of(MAIN, tip))))
            });
            threads.map(|thread| thread.join().unwrap())
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        let (won, lost) =
            (won.into_iter().next().unwrap().unwrap(), lost.into_iter().next().unwrap().unwrap_err());
        assert!(
            matches!(&lost, Error::RefMoved { name, expected, found } if name == MAIN && *expected == tip && *found == Some(won)),
            "{lost}"
        );
        assert_eq!(graphs[0].read_ref(MAIN).unwrap(), Some(won));
        tip = Some(won);
    }
    assert_eq!(history(&graphs[1], MAIN).len(), 40);
    fsck(dir.path());
}

#[test]
fn processes_never_lose_each_others_commits() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let children: Vec<_> = (0..3)
        .map(|_| child("commit_against_others", dir.path()).stdout(Stdio::piped()).spawn().unwrap())
        .collect();
    let mut acknowledged = HashSet::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = answers(&String::from_utf8_lossy(&output.stdout));
        acknowledged.extend(text.lines().filter_map(|line| line.parse::<CommitId>().ok()));
    }
    assert_eq!(acknowledged.len(), 60);
    let graph = open(dir.path());
    let history = history(&graph, MAIN);
    assert_eq!(history.iter().map(|(id, ..)| *id).collect::<HashSet<_>>(), acknowledged);
    assert_eq!(history[0].2.len(), 60);
    fsck(dir.path());
}

#[test]
fn a_gc_that_runs_all_the_time_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    commit(&graph, entries(500));
    let done = AtomicBool::new(false);
    let gcs = std::thread::scope(|scope| {
        let gc = scope.spawn(|| {
            let mut runs = 0;
            while !done.load(Ordering::Relaxed) {
                // Packs that are merged away under its eyes may make it give up; it must not break anything.
                try_git(dir.path(), &["gc", "-q", "--prune=now"]);
                runs += 1;
            }
            runs
        });
        for round in 0..150u64 {
            let branch = format!("refs/heads/b{}", round % 3);
            commit_on(&graph, &branch, vec![put(noise(round, 16), noise(round, 500))], "under gc").unwrap();
            if round % 50 == 49 {
                graph.collect_garbage().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        gc.join().unwrap()
    });
    assert!(gcs > 3, "{gcs} runs are no test");
    assert!(graph.take_maintenance_failure().is_none());
    for branch in 0..3 {
        let name = format!("refs/heads/b{branch}");
        let read = history(&graph, &name);
        assert_eq!(read.len(), 50);
        assert_eq!(history(&open(dir.path()), &name), read);
    }
    fsck(dir.path());
    git(dir.path(), &["gc", "-q", "--prune=now"]);
    assert_eq!(history(&open(dir.path()), "refs/heads/b0").len(), 50);
}

#[test]
fn a_pack_is_kept_until_its_ref_has_moved() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    commit(&graph, entries(50));
    let pack_dir = dir.path().join(".git/objects/pack");
    let lock = dir.path().join(".git/refs/heads/x.lock");
    for attempt in 0u64.. {
        // Somebody keeps the ref locked, so the pack is there for a while before the ref is.
        std::fs::write(&lock, "").unwrap();
        let packs = files_ending(&pack_dir, ".idx").len();
        let published = std::thread::scope(|scope| {
            let edits = vec![put(noise(attempt, 16), noise(attempt, 1_000))];
            let publishing = scope.spawn(|| commit_on(&graph, "refs/heads/x", edits, "waits for its ref"));
            while files_ending(&pack_dir, ".idx").len() == packs {
                std::thread::sleep(Duration::from_millis(1));
            }
            git(dir.path(), &["repack", "-q", "-a", "-d"]);
            std::fs::remove_file(&lock).unwrap();
            publishing.join().unwrap()
        });
        match published {
            Ok(_) => break,
            // The machine was so busy that its patience was over before Git was done.
            Err(Error::Locked { .. }) if attempt < 10 => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(history(&open(dir.path()), "refs/heads/x").len(), 1);
    fsck(dir.path());
}

#[test]
fn readers_see_whole_commits_while_others_write_and_sweep() {
    let dir = tempfile::tempdir().unwrap();
    let writer = open(dir.path());
    commit(&writer, entries(1_000));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = open(dir.path());
        let done = &done;
        let reads = scope.spawn(move || {
            let mut reads = 0;
            while !done.load(Ordering::Relaxed) {
                let tip = reader.read_ref(MAIN).unwrap().unwrap();
                let len = contents(&reader, &tip).len();
                assert!(len >= 1_000);
                reads += 1;
            }
            reads
        });
        for round in 0..60u64 {
            commit(
                &writer,
                vec![put(noise(round, 16), noise(round + 50, 100)), put(format!("{round}"), "x")],
            );
            if round % 20 == 19 {
                writer.collect_garbage().unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        assert!(reads.join().unwrap() > 3);
    });
}

#[test]
fn a_killed_owner_leaves_a_whole_store() {
    let dir = tempfile::tempdir().unwrap();
    let first = commit(&open(dir.path()), entries(200));
    let mut commits = 1;
    for round in 0..12u64 {
        let mut child = child("commit_forever", dir.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed at a moment of its own each time, but not before it has committed something.
        let mut acknowledged: Vec<CommitId> = Vec::new();
        while acknowledged.is_empty() {
            let line = lines.next().expect("the child goes on").unwrap();
            acknowledged.extend(answers(&line).trim().parse::<CommitId>());
        }
        std::thread::sleep(Duration::from_micros(
            noise(round, 2).iter().fold(0, |a, b| a * 256 + u64::from(*b)) / 2,
        ));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(
            lines.map_while(Result::ok).filter_map(|line| answers(&line).trim().parse::<CommitId>().ok()),
        );

        let graph = open(dir.path());
        let mut ids = Vec::new();
        let mut tip = graph.read_ref(MAIN).unwrap();
        while let Some(id) = tip {
            ids.push(id);
            tip = graph.read_commit(&id).unwrap().unwrap().parents.first().copied();
        }
        assert_eq!(ids.last(), Some(&first));
        for id in &acknowledged {
            assert!(ids.contains(id), "round {round}: {id} was acknowledged and is lost");
        }
        assert!(ids.len() >= commits + acknowledged.len());
        assert!(ids.len() <= commits + acknowledged.len() + 1, "more than what was in flight");
        commits = ids.len();
        contents(&graph, &ids[0]);
        // The next owner is not kept from its work.
        commit(&graph, vec![put(format!("after {round}"), "x")]);
        commits += 1;
        assert!(files_ending(&dir.path().join(".git/objects/pack"), ".keep").is_empty());
        fsck(dir.path());
    }
    git(dir.path(), &["gc", "-q", "--prune=now"]);
    assert_eq!(history(&open(dir.path()), MAIN).len(), commits);
}
