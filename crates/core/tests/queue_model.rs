//! Ring, injector and their traffic against plain deques, one thread, any sequence of steps.
#![cfg(not(loom))]

use std::collections::VecDeque;
use std::ptr::{NonNull, null_mut};

use lisle_core::{AtomicPtr, CAPACITY, Injector, Linked, Ring};
use proptest::prelude::*;

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

fn number(item: NonNull<Item>) -> usize {
    // SAFETY: the test keeps its items to its end.
    unsafe { item.as_ref().number }
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Pop(usize),
    Steal,
    Drain,
    PopInto(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..200_usize).prop_map(Step::Push),
        (1..200_usize).prop_map(Step::Pop),
        Just(Step::Steal),
        Just(Step::Drain),
        (0..300_usize).prop_map(Step::PopInto),
    ]
}

proptest! {
    /// Two rings and an injector; the first ring pushes, the second steals.
    #[test]
    fn queues_match_deques(steps in prop::collection::vec(step(), 0..60)) {
        let mut items = Vec::new();
        let mut fresh = || {
            let item = Item { link: AtomicPtr::new(null_mut()), number: items.len() };
            items.push(Box::into_raw(Box::new(item)));
            NonNull::new(items[items.len() - 1]).expect("boxes are not null")
        };
        let (first, second, global) = (Ring::new(), Ring::new(), Injector::new());
        let (mut a, mut b, mut g) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        for step in steps {
            match step {
                Step::Push(count) => for _ in 0..count {
                    let item = fresh();
                    // SAFETY: one thread owns it all, and items live to the end.
                    match unsafe { first.push(item) } {
                        Ok(()) => a.push_back(number(item)),
                        Err(back) => {
                            prop_assert_eq!(a.len(), CAPACITY);
                            // SAFETY: the ring gave it back, so it is in no queue.
                            unsafe { global.push(back) };
                            g.push_back(number(back));
                        }
                    }
                },
                Step::Pop(count) => for _ in 0..count {
                    // SAFETY: one thread owns it all.
                    prop_assert_eq!(unsafe { second.pop() }.map(number), b.pop_front());
                },
                Step::Steal => {
                    let take = a.len().div_ceil(2).min(CAPACITY - b.len() + 1);
                    // SAFETY: one thread owns it all.
                    let stolen = unsafe { first.steal_into(&second) };
                    let mut expected = a.drain(..take);
                    let oldest = expected.next();
                    prop_assert_eq!(stolen.map(|(item, _)| number(item)), oldest);
                    prop_assert_eq!(stolen.map_or(0, |(_, more)| more + 1), take);
                    b.extend(expected);
                }
                Step::Drain => {
                    // SAFETY: one thread owns it all, and items in no other queue go to the
                    // injector.
                    unsafe { first.drain_half(&mut |item| global.push(item)) };
                    g.extend(a.drain(..a.len().div_ceil(2)));
                }
                Step::PopInto(max) => {
                    let take = max.min(g.len()).min(CAPACITY - b.len() + 1);
                    // SAFETY: one thread owns it all.
                    let popped = unsafe { global.pop_into(max, &second) }.map(number);
                    let mut expected = g.drain(..take);
                    prop_assert_eq!(popped, expected.next());
                    b.extend(expected);
                }
            }
            prop_assert_eq!((first.len(), second.len(), global.len()), (a.len(), b.len(), g.len()));
        }
        // SAFETY: made by `Box::into_raw` above, and the queues are not used any more.
        items.into_iter().for_each(|item| drop(unsafe { Box::from_raw(item) }));
    }
}
