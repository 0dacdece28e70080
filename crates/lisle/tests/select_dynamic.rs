//! [`lisle::select::Select`]: a choice among any number of arms.

mod util;

use std::sync::Arc;
use std::time::{Duration, Instant};

use lisle::channel::{Receiver, RecvError, Sender, after, bounded, rendezvous, unbounded};
use lisle::select::Select;
use util::{everywhere, scaled};

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(50);

#[test]
fn it_chooses_what_is_ready_and_can_be_used_again() {
    everywhere(|| {
        let ((one, ones), (two, twos)) = (unbounded(), bounded(1));
        let mut select = Select::new();
        let (first, second) = (select.recv(&ones), select.recv(&twos));
        assert!(select.try_select().is_err());
        let begin = Instant::now();
        assert!(select.select_timeout(SHORT).is_err());
        assert!(select.select_deadline(begin + 2 * SHORT).is_err());
        assert!(begin.elapsed() >= 2 * SHORT);
        for number in 0..10 {
            one.send(number).unwrap();
            let operation = select.select();
            assert_eq!(operation.index(), first);
            assert_eq!(operation.recv(&ones), Ok(number));
            two.send(number).unwrap();
            let operation = select.try_select().unwrap();
            assert_eq!(operation.index(), second);
            assert_eq!(operation.recv(&twos), Ok(number));
        }
        drop(one);
        let operation = select.select_timeout(LONG).unwrap();
        assert_eq!(operation.recv(&ones), Err(RecvError::Disconnected));
    });
}

#[test]
fn a_send_is_done_once() {
    everywhere(|| {
        let value = Arc::new(());
        let (sender, receiver) = bounded(5);
        let mut select = Select::new();
        let arm = select.send(&sender, Arc::clone(&value));
        let operation = select.select();
        assert_eq!((operation.index(), receiver.len()), (arm, 1));
        assert_eq!(operation.send(&sender), Ok(()));
        assert!(select.try_select().is_err());
        let again = select.send(&sender, Arc::clone(&value));
        drop(receiver);
        let operation = select.select();
        assert_eq!(operation.index(), again);
        let back = operation.send(&sender).unwrap_err();
        assert!(back.is_disconnected() && Arc::ptr_eq(&back.into_inner(), &value));
        assert_eq!(Arc::strong_count(&value), 1);
    });
}

#[test]
fn what_is_not_taken_is_given_back() {
    everywhere(|| {
        let (sender, receiver) = bounded(3);
        (0..3).try_for_each(|number| sender.send(number)).unwrap();
        let mut select = Select::new();
        select.recv(&receiver);
        drop(select.select());
        assert_eq!(receiver.iter().take(3).collect::<Vec<_>>(), [0, 1, 2]);
    });
}

#[test]
fn arms_can_be_removed() {
    everywhere(|| {
        let value = Arc::new(());
        let (sender, _receiver) = unbounded();
        let (other, others) = unbounded();
        let mut select = Select::new();
        let arm = select.send(&sender, Arc::clone(&value));
        let stays = select.recv(&others);
        select.remove(arm);
        assert_eq!(Arc::strong_count(&value), 1);
        assert!(select.try_select().is_err());
        other.send(4).unwrap();
        let operation = select.select();
        assert_eq!((operation.index(), operation.recv(&others)), (stays, Ok(4)));
    });
}

#[test]
#[should_panic(expected = "no operation has the index 1")]
fn an_arm_that_is_not_there_cannot_be_removed() {
    let (_sender, receiver) = unbounded::<()>();
    let mut select = Select::new();
    select.recv(&receiver);
    select.remove(1);
}

#[test]
#[should_panic(expected = "not that of the selected operation")]
fn the_end_must_be_that_of_the_arm() {
    let (sender, receiver) = unbounded();
    sender.send(1).unwrap();
    let mut select = Select::new();
    select.recv(&receiver);
    let _ = select.select().recv(&receiver.clone());
}

#[test]
#[should_panic(expected = "no operations have been added")]
fn a_choice_among_nothing() {
    let _ = Select::new().select();
}

#[test]
fn coroutines_and_time_take_part() {
    everywhere(|| {
        let (go, goes) = rendezvous::<()>();
        let handles = [(); 3].map(|()| {
            let goes = goes.clone();
            lisle::spawn(move || goes.recv().is_ok())
        });
        let (late, begin) = (after(SHORT), Instant::now());
        let mut select = Select::new();
        let arms = handles.each_ref().map(|handle| select.join(handle));
        let time = select.recv(&late);
        let operation = select.select();
        assert_eq!(operation.index(), time);
        assert!(operation.recv(&late).unwrap() <= begin + SHORT);
        go.send(()).unwrap();
        let ended = select.select().index();
        assert!(arms.contains(&ended));
        drop(select);
        drop(go);
        let ended = handles.map(|handle| handle.join().unwrap());
        assert_eq!(ended.iter().filter(|went| **went).count(), 1);
    });
}

/// Many channels, one choice for all of them on each side.
#[test]
fn many_arms_on_both_sides() {
    everywhere(|| {
        let (senders, receivers): (Vec<Sender<_>>, Vec<Receiver<_>>) =
            (0..40).map(|number| bounded(number % 3)).unzip();
        let count = scaled(400, 100);
        let sends = lisle::spawn(move || {
            let mut select = Select::new();
            // The channel of each arm, by its number.
            let mut channels = Vec::new();
            for (at, sender) in senders.iter().enumerate() {
                assert_eq!(select.send(sender, at), channels.len());
                channels.push(at);
            }
            let mut sent = vec![0; senders.len()];
            for _ in 0..count {
                let operation = select.select();
                let at = channels[operation.index()];
                operation.send(&senders[at]).unwrap();
                sent[at] += 1;
                assert_eq!(select.send(&senders[at], at), channels.len());
                channels.push(at);
            }
            drop(select);
            // With the senders, so that no channel ends before all is received.
            (sent, senders)
        });
        let mut select = Select::new();
        for receiver in &receivers {
            select.recv(receiver);
        }
        let mut got = vec![0; receivers.len()];
        for _ in 0..count {
            let operation = select.select();
            let at = operation.index();
            assert_eq!(operation.recv(&receivers[at]), Ok(at));
            got[at] += 1;
        }
        assert_eq!(got, sends.join().unwrap().0);
    });
}
