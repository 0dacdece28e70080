//! The wait word step by step; the races are in `loom_wait.rs`.
#![cfg(not(loom))]

use lisle_core::{Cause, WaitWord, Woken};

#[test]
fn parked_wait_has_one_owner() {
    let word = WaitWord::new();
    let ticket = word.arm();
    assert!(word.commit());
    assert_eq!(word.wake(ticket, Cause::TIMEOUT), Woken::Owner);
    assert_eq!(word.wake(ticket, Cause::WAKE), Woken::Lost);
    assert_eq!(word.finish(), Cause::TIMEOUT);
    assert_eq!(word.wake(ticket, Cause::WAKE), Woken::Lost);
}

#[test]
fn early_wake_is_noticed() {
    let word = WaitWord::new();
    let ticket = word.arm();
    assert!(!word.is_woken());
    assert_eq!(word.wake(ticket, Cause::CLOSED), Woken::Early);
    assert!(word.is_woken());
    assert!(!word.commit());
    assert_eq!(word.finish(), Cause::CLOSED);
    assert!(!word.is_woken());
}

#[test]
fn disarm_takes_the_wait_back() {
    let word = WaitWord::new();
    let ticket = word.arm();
    assert_eq!(word.disarm(), Ok(()));
    assert_eq!(word.wake(ticket, Cause::WAKE), Woken::Lost);

    let ticket = word.arm();
    assert_eq!(word.wake(ticket, Cause::CANCEL), Woken::Early);
    assert_eq!(word.disarm(), Err(Cause::CANCEL));
    assert_ne!(word.arm(), ticket);
}

#[test]
fn stale_ticket_loses() {
    let word = WaitWord::new();
    let stale = word.arm();
    word.disarm().unwrap();
    let fresh = word.arm();
    assert_eq!(word.ticket(), fresh);
    assert_eq!(word.wake(stale, Cause::WAKE), Woken::Lost);
    assert!(word.commit());
    assert_eq!(word.wake(stale, Cause::WAKE), Woken::Lost);
    assert_eq!(word.wake(fresh, Cause::WAKE), Woken::Owner);
}

#[test]
fn every_cause_fits() {
    let word = WaitWord::new();
    for code in 0..64 {
        let ticket = word.arm();
        let _ = word.wake(ticket, Cause::new(code));
        assert_eq!(word.finish().code(), code);
    }
}

#[test]
#[should_panic(expected = "six bits")]
fn larger_causes_are_refused() {
    let _ = Cause::new(64);
}
