//! Hints where objects are kept save time. Without them, or with wrong ones, everything comes out the same.

use std::sync::Arc;

use prolly_core::{Locator, Node, NodeReader, SortedEdits, Tree, TreeConfig};
use prolly_version::{
    CommitGraph,
    git::{GitGraph, GitOptions},
};

use crate::support::*;

/// A reader that tampers with the hints it passes on.
struct Tampering<F> {
    inner: Arc<dyn NodeReader>,
    tamper: F,
}

impl<F: Fn(Locator) -> Locator + Send + Sync> NodeReader for Tampering<F> {
    fn read_node(&self, link: &prolly_core::Link) -> prolly_core::Result<Arc<Node>> {
        let link = prolly_core::Link { locator: (self.tamper)(link.locator), ..*link };
        let node = self.inner.read_node(&link)?;
        // A copy, so that the honest reader's own nodes keep their hints.
        let copy = Node::decode(node.hash(), node.bytes())?;
        let links = (0..node.link_count()).map(|index| (self.tamper)(node.link_locator(index))).collect();
        copy.set_locators((self.tamper)(node.locator()), links);
        Ok(Arc::new(copy))
    }

    fn read_record(&self, link: &prolly_core::Link) -> prolly_core::Result<Arc<[u8]>> {
        self.inner.read_record(&prolly_core::Link { locator: (self.tamper)(link.locator), ..*link })
    }
}

fn small_cache(path: &std::path::Path) -> GitGraph {
    let mut options = GitOptions::default();
    options.cache_bytes = 0;
    GitGraph::open_or_init(path, &options).unwrap()
}

/// Reads everything and commits a change, through a reader that tampers with hints.
fn works_with(tamper: impl Fn(Locator) -> Locator + Send + Sync + Copy + 'static) {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    commit(&graph, entries(3_000));
    commit(&graph, vec![put("blob", noise(3, 50_000)), put("long blob", noise(4, 2_000_000))]);
    for cached in [true, false] {
        let graph = if cached { open(dir.path()) } else { small_cache(dir.path()) };
        let tip = graph.read_ref(MAIN).unwrap().unwrap();
        let expected = contents(&open(dir.path()), &tip);
        let reader = Arc::new(Tampering { inner: graph.objects(), tamper });
        let buffer = Arc::new(prolly_core::NodeBuffer::over(reader));
        let root = graph.read_commit(&tip).unwrap().unwrap().root;
        let tree = Tree::open(buffer.clone(), TreeConfig::default(), &root).unwrap();
        let mut range = tree.range::<&[u8]>(..).unwrap();
        let mut read = Contents::new();
        while let Some((key, value)) = range.next_pair().unwrap() {
            read.insert(key, value);
        }
        assert!(read == expected, "contents differ");

        let key = format!("cached {cached}");
        let edited = tree.apply(&*buffer, &mut SortedEdits::new([put(&*key, "x")])).unwrap();
        let (_, mut commit) = draft(&graph, Some(tip), vec![], "tampered");
        commit.root = edited.root().clone();
        let id = graph.publish(&Pending(buffer), &commit, Some(&edit_of(MAIN, Some(tip)))).unwrap();
        let read = contents(&open(dir.path()), &id);
        assert_eq!(read.len(), expected.len() + 1);
        fsck(dir.path());
    }
    // What was written leads to the right objects, for Git as for us.
    let before = history(&open(dir.path()), MAIN);
    let clone = dir.path().join("clone.git");
    git(dir.path(), &["clone", "-q", "--bare", "--no-local", ".", "clone.git"]);
    assert!(history(&open(&clone), MAIN) == before, "the clone differs");
}

#[test]
fn hints_may_be_absent() {
    works_with(|_| Locator::NONE);
}

#[test]
fn hints_may_lead_nowhere() {
    works_with(|locator| match locator.get() {
        Some(_) => Locator::new([0x5a; 20]),
        None => locator,
    });
}

#[test]
fn hints_may_lead_to_other_objects() {
    // The last hint given out is passed on in place of the next.
    static LAST: std::sync::Mutex<Locator> = std::sync::Mutex::new(Locator::NONE);
    works_with(|locator| std::mem::replace(&mut *LAST.lock().unwrap(), locator));
}

#[test]
fn objects_are_found_by_their_address_alone() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let old = commit(&graph, entries(2_000));
    commit(&graph, vec![put("a", "1")]);
    let root = graph.read_commit(&old).unwrap().unwrap().root;
    let fresh = open(dir.path());
    let node = fresh.objects().read_node(&root.hash.into()).unwrap();
    assert_eq!(node.len(), 2_000);
    for child in node.links() {
        assert_eq!(*open(dir.path()).objects().read_node(&child.into()).unwrap().hash(), child);
    }
    // New objects are found too, whatever was looked up before.
    let new = commit(&graph, vec![put("b", "2")]);
    let root = graph.read_commit(&new).unwrap().unwrap().root;
    assert_eq!(fresh.objects().read_node(&root.hash.into()).unwrap().len(), 2_002);
}

#[test]
fn a_root_that_is_stored_already_is_linked_and_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let graph = open(dir.path());
    let first = commit(&graph, entries(2_000));
    commit(&graph, vec![put("a", "1")]);
    // A revert: nothing is pending.
    let (tree, _) = tree_at(&graph, Some(&first));
    let tip = graph.read_ref(MAIN).unwrap();
    let (_, mut commit) = draft(&graph, tip, vec![], "revert");
    commit.root = tree.root().clone();
    let before = git(dir.path(), &["count-objects", "-v"]);
    let id = graph.publish(&none_pending(), &commit, Some(&edit_of(MAIN, tip))).unwrap();
    assert_eq!(contents(&open(dir.path()), &id).len(), 2_000);
    let count = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("in-pack")).unwrap();
        line.split_once(' ').unwrap().1.parse::<u32>().unwrap()
    };
    assert_eq!(count(&git(dir.path(), &["count-objects", "-v"])), count(&before) + 3);
    fsck(dir.path());
}
