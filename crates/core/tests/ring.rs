//! The run queue: its order, its limits, and thieves on real threads.
#![cfg(not(loom))]

use std::iter;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;

use lisle_core::{CAPACITY, Ring};

const ITEMS: usize = if cfg!(miri) { 600 } else { 300_000 };

/// An item that is nothing but its number; the ring never looks behind a pointer.
fn item(number: usize) -> NonNull<u8> {
    NonNull::new(std::ptr::without_provenance_mut(number + 1)).expect("not zero")
}

fn number(item: NonNull<u8>) -> usize {
    item.addr().get() - 1
}

fn push(ring: &Ring<u8>, n: usize) -> bool {
    // SAFETY: each test has one thread that pushes to and pops from `ring`.
    unsafe { ring.push(item(n)) }.map_err(|back| assert_eq!(back, item(n))).is_ok()
}

fn pop(ring: &Ring<u8>) -> Option<usize> {
    // SAFETY: as in `push`.
    unsafe { ring.pop() }.map(number)
}

fn pop_all(ring: &Ring<u8>) -> Vec<usize> {
    iter::from_fn(|| pop(ring)).collect()
}

/// Steals into a ring of the caller's own.
fn steal(from: &Ring<u8>, to: &Ring<u8>) -> Option<(usize, usize)> {
    // SAFETY: `to` belongs to the calling thread and is not `from`.
    unsafe { from.steal_into(to) }.map(|(first, more)| (number(first), more))
}

fn drain_half(ring: &Ring<u8>) -> Vec<usize> {
    let mut got = Vec::new();
    // SAFETY: called by the owner; the closure pushes to a vector.
    unsafe { ring.drain_half(&mut |item| got.push(number(item))) };
    got
}

#[test]
fn first_in_first_out() {
    let ring = Ring::new();
    assert!((0..10).all(|n| push(&ring, n)));
    assert_eq!(ring.len(), 10);
    assert!(pop_all(&ring).into_iter().eq(0..10));
    assert!(ring.is_empty());
}

#[test]
fn full_ring_gives_the_item_back() {
    let ring = Ring::new();
    assert!((0..CAPACITY).all(|n| push(&ring, n)));
    assert!(!push(&ring, CAPACITY));
    assert_eq!(pop(&ring), Some(0));
    assert!(push(&ring, CAPACITY));
    assert!(pop_all(&ring).into_iter().eq(1..=CAPACITY));
}

#[test]
fn thief_takes_the_older_half_rounded_up() {
    for (len, taken) in [(1, 1), (2, 1), (3, 2), (7, 4), (CAPACITY, CAPACITY / 2)] {
        let (ring, mine) = (Ring::new(), Ring::new());
        assert!((0..len).all(|n| push(&ring, n)));
        assert_eq!(steal(&ring, &mine), Some((0, taken - 1)));
        assert!(pop_all(&mine).into_iter().eq(1..taken));
        assert!(pop_all(&ring).into_iter().eq(taken..len));
        assert_eq!(steal(&ring, &mine), None);
    }
}

#[test]
fn thief_takes_no_more_than_it_has_room_for() {
    let (ring, mine) = (Ring::new(), Ring::new());
    assert!((0..100).all(|n| push(&ring, n)));
    assert!((0..CAPACITY - 2).all(|n| push(&mine, 1000 + n)));
    assert_eq!(steal(&ring, &mine), Some((0, 2)));
    assert_eq!(steal(&ring, &mine), Some((3, 0)));
    assert_eq!((ring.len(), mine.len()), (96, CAPACITY));
}

#[test]
fn overflow_hands_out_the_older_half() {
    let ring = Ring::new();
    assert_eq!(drain_half(&ring), []);
    assert!((0..CAPACITY).all(|n| push(&ring, n)));
    assert!(drain_half(&ring).into_iter().eq(0..CAPACITY / 2));
    assert!(pop_all(&ring).into_iter().eq(CAPACITY / 2..CAPACITY));
    push(&ring, 7);
    assert_eq!(drain_half(&ring), [7]);
}

/// One owner that pushes, pops and overflows, and two thieves: each item comes out once.
#[test]
fn owner_and_thieves_share() {
    let ring = Ring::new();
    let seen: Vec<_> = (0..ITEMS).map(|_| AtomicUsize::new(0)).collect();
    let see = |n: usize| {
        seen[n].fetch_add(1, Relaxed);
    };
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mine = Ring::new();
                while !done.load(Relaxed) || !ring.is_empty() {
                    if let Some((first, more)) = steal(&ring, &mine) {
                        see(first);
                        let rest = pop_all(&mine);
                        assert_eq!(rest.len(), more);
                        rest.into_iter().for_each(see);
                    }
                    thread::yield_now();
                }
            });
        }
        for n in 0..ITEMS {
            while !push(&ring, n) {
                drain_half(&ring).into_iter().for_each(see);
            }
            if n % 3 == 0 {
                pop(&ring).into_iter().for_each(see);
            }
        }
        done.store(true, Relaxed);
    });
    assert!(seen.iter().all(|times| times.load(Relaxed) == 1));
}
