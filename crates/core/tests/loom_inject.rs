//! Models of the injector: nothing is lost or doubled, and items come with what was written to
//! them.
#![cfg(loom)]

use std::ptr::{NonNull, null_mut};

use lisle_core::{AtomicPtr, Injector, Linked, List, Ring};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

struct Item {
    link: AtomicPtr<Item>,
    number: UnsafeCell<u32>,
}

// SAFETY: always the same field; only lists use it; items belong to no thread.
unsafe impl Linked for Item {
    unsafe fn link(item: NonNull<Self>) -> NonNull<AtomicPtr<Self>> {
        // SAFETY: `item` is alive.
        unsafe { NonNull::from(&(*item.as_ptr()).link) }
    }
}

// SAFETY: `number` is reached by the one who has the item.
unsafe impl Sync for Item {}
// SAFETY: it holds nothing that belongs to a thread.
unsafe impl Send for Item {}

fn items(count: u32) -> Arc<Vec<Item>> {
    let item = |_| Item { link: AtomicPtr::new(null_mut()), number: UnsafeCell::new(u32::MAX) };
    Arc::new((0..count).map(item).collect())
}

/// Writes the number of an item that is about to be pushed.
fn number_it(items: &Arc<Vec<Item>>, index: u32) -> NonNull<Item> {
    let item = &items[index as usize];
    // SAFETY: nobody has the item before it is pushed.
    item.number.with_mut(|number| unsafe { *number = index });
    NonNull::from(item)
}

fn push(queue: &Injector<Item>, items: &Arc<Vec<Item>>, index: u32) {
    // SAFETY: each item is pushed once, and items outlive the threads of the model.
    unsafe { queue.push(number_it(items, index)) };
}

fn number(item: NonNull<Item>) -> u32 {
    // SAFETY: items outlive the threads of the model, and the popper alone has this one.
    unsafe { item.as_ref().number.with(|number| *number) }
}

fn assert_each_once(mut got: Vec<u32>, count: u32) {
    got.sort_unstable();
    assert!(got.iter().copied().eq(0..count), "{got:?}");
}

#[test]
fn pushers_and_popper_meet() {
    loom::model(|| {
        let (queue, items) = (Arc::new(Injector::new()), items(2));
        let pusher = {
            let (queue, items) = (queue.clone(), items.clone());
            thread::spawn(move || push(&queue, &items, 0))
        };
        push(&queue, &items, 1);
        let mut got: Vec<_> = queue.pop().map(number).into_iter().collect();
        assert_eq!(got.len(), 1, "its own push is seen");
        pusher.join().unwrap();
        got.extend(queue.pop().map(number));
        assert_each_once(got, 2);
        assert!(queue.is_empty());
    });
}

#[test]
fn batches_are_split_between_poppers() {
    loom::model(|| {
        let (queue, items) = (Arc::new(Injector::new()), items(3));
        let mut batch = List::new();
        for index in 0..3 {
            // SAFETY: each item is pushed once, and items outlive the threads of the model.
            unsafe { batch.push(number_it(&items, index)) };
        }
        let popper = {
            let queue = queue.clone();
            thread::spawn(move || {
                let ring = Ring::new();
                // SAFETY: the ring is this thread's own.
                let first = unsafe { queue.pop_into(2, &ring) };
                // SAFETY: the ring is this thread's own.
                let rest = std::iter::from_fn(|| unsafe { ring.pop() });
                first.into_iter().chain(rest).map(number).collect::<Vec<_>>()
            })
        };
        queue.push_list(&mut batch);
        let mut got: Vec<_> = queue.pop().map(number).into_iter().collect();
        got.extend(popper.join().unwrap());
        got.extend(std::iter::from_fn(|| queue.pop().map(number)));
        assert_each_once(got, 3);
    });
}
