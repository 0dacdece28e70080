//! Plain pops beside thieves that are let in and out.
#![cfg(loom)]

use std::ptr::NonNull;

use lisle_core::{Ring, Solo};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::thread;

struct Shared {
    ring: Ring<u32>,
    solo: Solo,
    wanted: AtomicUsize,
    items: [u32; 3],
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Shared {
            ring: Ring::new(),
            solo: Solo::new(false),
            wanted: AtomicUsize::new(0),
            items: [1, 2, 4],
        })
    }

    fn push(&self, at: usize) {
        // SAFETY: called by the owner; the items live in the shared structure.
        assert!(unsafe { self.ring.push(NonNull::from(&self.items[at])) }.is_ok());
    }

    fn pop(&self) -> u32 {
        // SAFETY: called by the owner; plainly only where the model says that nobody steals.
        let item = unsafe {
            let plain = self.solo.alone(|| self.ring.pop_unshared());
            plain.unwrap_or_else(|| self.ring.pop())
        };
        // SAFETY: an item of the shared structure.
        item.map_or(0, |item| unsafe { *item.as_ref() })
    }

    fn steal(&self) -> u32 {
        self.wanted.fetch_add(1, Ordering::SeqCst);
        // The barrier on all processors is a fence on both sides here; see `primitive`.
        let mut sum = 0;
        if self.solo.open(|| fence(Ordering::SeqCst)) {
            let own = Ring::new();
            // SAFETY: the ring is this thread's.
            if let Some((item, _)) = unsafe { self.ring.steal_into(&own) } {
                // SAFETY: an item of the shared structure.
                sum = unsafe { *item.as_ref() };
                // SAFETY: the ring is this thread's.
                while let Some(item) = unsafe { own.pop() } {
                    // SAFETY: as above.
                    sum += unsafe { *item.as_ref() };
                }
            }
        }
        self.wanted.fetch_sub(1, Ordering::SeqCst);
        sum
    }
}

#[test]
fn thieves_are_let_in_while_the_owner_pops() {
    loom::model(|| {
        let shared = Shared::new();
        shared.push(0);
        shared.push(1);
        let theirs = Arc::clone(&shared);
        let thief = thread::spawn(move || theirs.steal());
        let mut sum = shared.pop() + shared.pop();
        sum += thief.join().unwrap();
        sum += shared.pop() + shared.pop();
        assert_eq!(sum, 3);
    });
}

#[test]
fn the_owner_shuts_the_door_when_nobody_is_wanted() {
    loom::model(|| {
        let shared = Shared::new();
        shared.push(0);
        assert!(shared.solo.open(|| fence(Ordering::SeqCst)));
        let theirs = Arc::clone(&shared);
        let thief = thread::spawn(move || theirs.steal());
        shared.solo.shut(|| shared.wanted.load(Ordering::SeqCst) != 0);
        let mut sum = shared.pop();
        sum += thief.join().unwrap();
        sum += shared.pop();
        assert_eq!(sum, 1);
    });
}
