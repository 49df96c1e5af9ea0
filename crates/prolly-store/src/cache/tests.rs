use super::*;
use crate::testing::{internal_bytes, leaf};

#[test]
fn the_capacity_bounds_what_is_held() {
    let cache = NodeCache::new(1 << 20);
    for seed in 0..1_000 {
        cache.insert(leaf(seed, 60, 100));
        let stats = cache.stats();
        assert!(stats.bytes <= 1 << 20, "{stats:?}");
    }
    let stats = cache.stats();
    assert!(stats.bytes > 1 << 19, "a full cache is used: {stats:?}");
    cache.clear();
    assert_eq!(cache.stats().nodes, 0);
}

#[test]
fn a_flood_of_leaves_leaves_internal_nodes_alone() {
    let cache = NodeCache::new(1 << 20);
    let child = *leaf(0, 1, 1).hash();
    let internal = |seed: u64| {
        let children: Vec<_> =
            (0..50).map(|index| (format!("{seed:04}/{index:03}").into_bytes(), child, 1)).collect();
        Arc::new(Node::decode_any(internal_bytes(1, &children)).unwrap())
    };
    let internals: Vec<_> = (0..40).map(internal).collect();
    internals.iter().for_each(|node| cache.insert(node.clone()));
    (0..1_000).for_each(|seed| cache.insert(leaf(seed, 60, 100)));
    assert!(internals.iter().all(|node| cache.get(node.hash()).is_some()));
}

#[test]
fn a_cache_of_nothing_reads_every_time() {
    let cache = NodeCache::new(0);
    let node = leaf(1, 5, 5);
    for _ in 0..2 {
        let mut read = false;
        let got = cache.get_or_read::<()>(node.hash(), || {
            read = true;
            Ok(node.clone())
        });
        assert!(read && Arc::ptr_eq(&got.unwrap(), &node));
    }
    assert_eq!(cache.stats(), CacheStats::default());
}

#[test]
fn a_hit_does_not_read_and_a_failure_is_not_kept() {
    let cache = NodeCache::default();
    let node = leaf(1, 5, 5);
    assert_eq!(cache.get_or_read(node.hash(), || Err("broken")).unwrap_err(), "broken");
    assert!(cache.get(node.hash()).is_none());
    cache.get_or_read::<()>(node.hash(), || Ok(node.clone())).unwrap();
    let hit = cache.get_or_read::<()>(node.hash(), || panic!("a hit must not read"));
    assert!(Arc::ptr_eq(&hit.unwrap(), &node));
    cache.remove(node.hash());
    assert!(cache.get(node.hash()).is_none());
}
