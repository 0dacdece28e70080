//! The list and the injector: their order, their lengths, and many pushers on real threads.
#![cfg(not(loom))]

use std::iter;
use std::ptr::{NonNull, null_mut};
use std::thread;

use lisle_core::{AtomicPtr, CAPACITY, Injector, Linked, List, Ring};

struct Item {
    link: AtomicPtr<Item>,
    number: usize,
}

// SAFETY: always the same field; only lists use it; items belong to no thread.
unsafe impl Linked for Item {
    unsafe fn link(item: NonNull<Self>) -> NonNull<AtomicPtr<Self>> {
        // SAFETY: `item` is alive.
        unsafe { NonNull::from(&(*item.as_ptr()).link) }
    }
}

fn items(count: usize) -> Vec<Item> {
    (0..count).map(|number| Item { link: AtomicPtr::new(null_mut()), number }).collect()
}

fn number(item: NonNull<Item>) -> usize {
    // SAFETY: every test keeps its items to its end.
    unsafe { item.as_ref().number }
}

fn push(queue: &Injector<Item>, item: &Item) {
    // SAFETY: the tests push each item once and keep it to their end.
    unsafe { queue.push(NonNull::from(item)) };
}

fn list_of(items: &[Item]) -> List<Item> {
    let mut list = List::new();
    // SAFETY: as in `push`.
    items.iter().for_each(|item| unsafe { list.push(NonNull::from(item)) });
    list
}

fn pop_all(queue: &Injector<Item>) -> Vec<usize> {
    iter::from_fn(|| queue.pop()).map(number).collect()
}

fn ring_all(ring: &Ring<Item>) -> Vec<usize> {
    // SAFETY: the calling test owns the ring.
    iter::from_fn(|| unsafe { ring.pop() }).map(number).collect()
}

#[test]
fn list_is_first_in_first_out() {
    let items = items(3);
    let mut list = list_of(&items);
    assert_eq!(list.len(), 3);
    let got: Vec<_> = iter::from_fn(|| list.pop()).map(number).collect();
    assert_eq!(got, [0, 1, 2]);
    assert!(list.is_empty());
    assert_eq!((list.len(), list.pop()), (0, None));
}

#[test]
fn list_appends_in_order() {
    let items = items(4);
    let (front, back) = items.split_at(2);
    let (mut list, mut more) = (List::new(), list_of(front));
    list.append(&mut more);
    list.append(&mut more);
    list.append(&mut list_of(back));
    assert_eq!((list.len(), more.len()), (4, 0));
    assert!(iter::from_fn(|| list.pop()).map(number).eq(0..4));
}

/// Appends what is left of one list after some were taken to what is left of another.
fn append_what_is_left(popped: usize, left: usize, moved_popped: usize, moved: usize) {
    let all = items(popped + left + moved_popped + moved + 1);
    let (front, rest) = all.split_at(popped + left);
    let (back, last) = rest.split_at(moved_popped + moved);
    let (mut list, mut other) = (list_of(front), list_of(back));
    (0..popped).for_each(|_| _ = list.pop());
    (0..moved_popped).for_each(|_| _ = other.pop());
    list.append(&mut other);
    assert!(other.is_empty() && other.pop().is_none());
    // SAFETY: as in `push`: the last one is in no list yet.
    unsafe { list.push(NonNull::from(&last[0])) };
    assert_eq!(list.len(), left + moved + 1);
    let wanted = (popped..popped + left).chain(popped + left + moved_popped..all.len());
    assert!(iter::from_fn(|| list.pop()).map(number).eq(wanted));
    assert!(list.is_empty());
}

/// The oldest item may be in any strand, and strands may be empty again.
#[test]
fn lists_that_were_used_append_in_order() {
    for popped in 0..5 {
        for left in 0..10 {
            for moved_popped in 0..5 {
                (0..10).for_each(|moved| append_what_is_left(popped, left, moved_popped, moved));
            }
        }
    }
}

#[test]
fn pushes_and_batches_keep_their_order() {
    let items = items(5);
    let queue = Injector::new();
    push(&queue, &items[0]);
    let mut batch = list_of(&items[1..4]);
    queue.push_list(&mut batch);
    assert!(batch.is_empty());
    queue.push_list(&mut batch);
    push(&queue, &items[4]);
    assert_eq!(queue.len(), 5);
    assert_eq!(pop_all(&queue), [0, 1, 2, 3, 4]);
    assert!(queue.is_empty());
}

#[test]
fn pop_into_takes_up_to_its_limit() {
    let items = items(10);
    let (queue, ring) = (Injector::new(), Ring::new());
    queue.push_list(&mut list_of(&items));
    // SAFETY: this test owns the ring.
    let pop_into = |max| unsafe { queue.pop_into(max, &ring) }.map(number);
    assert_eq!(pop_into(0), None);
    assert_eq!(pop_into(1), Some(0));
    assert_eq!(pop_into(4), Some(1));
    assert_eq!((ring_all(&ring), queue.len()), (vec![2, 3, 4], 5));
    assert_eq!(pop_into(100), Some(5));
    assert_eq!((ring_all(&ring), queue.len()), (vec![6, 7, 8, 9], 0));
    assert_eq!(pop_into(100), None);
}

#[test]
fn pop_into_takes_no_more_than_the_ring_holds() {
    let items = items(2 * CAPACITY);
    let (queue, ring) = (Injector::new(), Ring::new());
    queue.push_list(&mut list_of(&items));
    // SAFETY: this test owns the ring.
    let pop_into = |max| unsafe { queue.pop_into(max, &ring) }.map(number);
    assert_eq!(pop_into(usize::MAX), Some(0));
    assert_eq!((ring.len(), queue.len()), (CAPACITY, CAPACITY - 1));
    assert_eq!(pop_into(10), Some(CAPACITY + 1));
    assert!(ring_all(&ring).into_iter().eq(1..=CAPACITY));
}

#[test]
fn pushers_and_poppers_meet() {
    let each = if cfg!(miri) { 40 } else { 20_000 };
    let items = items(3 * each);
    let queue = Injector::new();
    let mut got: Vec<usize> = thread::scope(|scope| {
        for part in items.chunks(each) {
            let queue = &queue;
            scope.spawn(move || part.iter().for_each(|item| push(queue, item)));
        }
        let popper = || {
            let mut got = Vec::new();
            for _ in 0..each {
                got.extend(queue.pop().map(number));
            }
            got
        };
        let poppers = [scope.spawn(popper), scope.spawn(popper)];
        poppers.into_iter().flat_map(|popper| popper.join().unwrap()).collect()
    });
    got.extend(pop_all(&queue));
    got.sort_unstable();
    assert!(got.into_iter().eq(0..3 * each));
}
