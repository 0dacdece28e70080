//! Queues of waiters: their order, and that each wait is ended by one.

use std::thread;
use std::time::{Duration, Instant};

use lisle_rt::{Ended, ShortLock, Waiting};

use super::*;

fn slot_of(queue: &mut Queue) -> Option<usize> {
    queue.claim(None).map(|claimed| claimed.slot.addr())
}

fn slot(number: usize) -> *mut () {
    ptr::without_provenance_mut(number)
}

#[test]
fn first_come_first_served() {
    let mut queue = Queue::new();
    let waits = [const { Wait::single() }; 4];
    let records = [const { Record::new() }; 4];
    for (number, (record, wait)) in records.iter().zip(&waits).enumerate() {
        // SAFETY: all of them outlive the queue's use.
        unsafe { queue.push(record, wait, 0, slot(number)) };
    }
    // SAFETY: they are in this queue or in none.
    unsafe {
        assert!(queue.remove(&records[1]));
        assert!(!queue.remove(&records[1]));
        assert!(queue.remove(&records[3]));
        queue.push(&records[1], &waits[1], 0, slot(9));
    }
    assert_eq!([(); 4].map(|()| slot_of(&mut queue)), [Some(0), Some(2), Some(9), None]);
}

#[test]
fn a_wait_in_two_queues_is_claimed_once_and_dropped_from_the_other() {
    let mut queues = [Queue::new(), Queue::new()];
    let wait = Wait::several();
    let records = [const { Record::new() }; 2];
    for (case, queue) in queues.iter_mut().enumerate() {
        // SAFETY: all of them outlive the queues' use.
        unsafe { queue.push(&records[case], &wait, case, slot(case)) };
    }
    assert!(queues[0].has_waiter(None));
    assert_eq!(slot_of(&mut queues[1]), Some(1));
    assert_eq!(wait.abort(), Err(1));
    assert!(!queues[0].has_waiter(None));
    // SAFETY: it was in this queue.
    assert!(!unsafe { queues[0].remove(&records[0]) });
}

#[test]
fn nobody_claims_its_own_wait_nor_one_that_was_given_up() {
    let mut queue = Queue::new();
    let (own, other) = (Wait::several(), Wait::several());
    let records = [const { Record::new() }; 2];
    // SAFETY: all of them outlive the queue's use.
    unsafe { queue.push(&records[0], &own, 0, slot(0)) };
    assert!(queue.claim(Some(&own)).is_none() && !queue.has_waiter(Some(&own)));
    // SAFETY: as above.
    unsafe { queue.push(&records[1], &other, 0, slot(1)) };
    assert!(queue.has_waiter(Some(&own)));
    assert_eq!(queue.claim(Some(&own)).map(|claimed| claimed.slot.addr()), Some(1));
    assert_eq!(own.abort(), Ok(()));
    assert!(queue.claim(None).is_none());
}

/// A wait in each of two queues, with time-outs that race with those who claim it: what was
/// handed out and what was got is the same.
#[test]
fn what_is_handed_over_arrives_and_nothing_else_does() {
    const WAITERS: usize = 4;
    const ROUNDS: usize = 300;
    let queues = [const { ShortLock::new(Queue::new()) }; 2];
    let done = AtomicUsize::new(0);
    let (done, queues) = (&done, &queues);
    let waiter = || {
        let mut got = 0;
        for round in 0..ROUNDS {
            got += usize::from(wait_in(queues, Duration::from_micros(round as u64 % 50)));
        }
        done.fetch_add(1, Ordering::Relaxed);
        got
    };
    let partner = move |queue: &ShortLock<Queue>| {
        let mut given = 0;
        while done.load(Ordering::Relaxed) < WAITERS {
            let claimed = queue.lock().claim(None);
            match claimed {
                Some(claimed) => {
                    given += 1;
                    claimed.whom.wake();
                }
                None => thread::yield_now(),
            }
        }
        given
    };
    let (got, given) = thread::scope(|s| {
        let waiters = [(); WAITERS].map(|()| s.spawn(waiter));
        let partners = queues.each_ref().map(|queue| s.spawn(move || partner(queue)));
        let got = waiters.map(|thread| thread.join().unwrap());
        (got, partners.map(|thread| thread.join().unwrap()))
    });
    assert_eq!(got.iter().sum::<usize>(), given.iter().sum::<usize>());
}

/// Waits in both queues; whether it was claimed.
fn wait_in(queues: &[ShortLock<Queue>; 2], at_most: Duration) -> bool {
    let wait = Wait::several();
    let records = [const { Record::new() }; 2];
    let waiting = Waiting::begin();
    // SAFETY: it is in no queue.
    drop(unsafe { wait.set_whom(Whom::Waiting(waiting.waker())) });
    for (case, queue) in queues.iter().enumerate() {
        // SAFETY: all of them stay here until they are taken out below.
        unsafe { queue.lock().push(&records[case], &wait, case, ptr::null_mut()) };
    }
    let ended = waiting.wait(Some(Instant::now() + at_most));
    let claimed = wait.abort().is_err();
    assert!(claimed || ended != Ended::Woken);
    for (queue, record) in queues.iter().zip(&records) {
        // SAFETY: it is in this queue or in none.
        unsafe { queue.lock().remove(record) };
    }
    claimed
}
