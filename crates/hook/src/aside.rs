//! Calls that nobody can end, for callers that are to be stopped all the same.
//!
//! Resolving a name is a dialogue of the C library's, which begins again whatever call of it is
//! interrupted. So where a stop may come, a coroutine of its own resolves the name, with copies of
//! all arguments, and the caller waits for the answer. A caller that is stopped leaves; whoever
//! comes last drops the answer.
//!
//! What the C library keeps for a thread (`_res`) is that of the other coroutine, hence as it is at
//! the beginning. So this is not the way where no stop can come.

use std::mem;
use std::sync::Arc;

use lisle_rt::{Ended, Runtime, ShortLock, Stop, Waiting, Waker};

/// What has become of a call.
enum State<R> {
    /// It goes on; whom to wake at its end.
    Asked(Option<Waker>),
    Answered(R),
    /// The caller has gone, with the answer or without.
    Over,
}

/// Makes the call on a coroutine of its own and waits for its answer, unless the caller is to stop.
/// None, and no call, if there is no coroutine to be had.
pub(crate) fn aside<R: Send + 'static>(
    call: impl FnOnce() -> R + Send + 'static,
) -> Option<Result<R, Stop>> {
    let runtime = Runtime::get_or_start().ok()??;
    let state = Arc::new(ShortLock::new(State::Asked(None)));
    let theirs = Arc::clone(&state);
    let body = move || {
        let answer = State::Answered(call());
        // If nobody waits any more it is dropped with the place.
        let before = mem::replace(&mut *theirs.lock(), answer);
        if let State::Asked(Some(waker)) = before {
            waker.wake();
        }
    };
    // SAFETY: what it has is `Send` and not borrowed; calls of C's do not unwind here, where nobody
    // is cancelled.
    unsafe { runtime.spawn(None, None, body) }.ok()?;
    loop {
        let waiting = Waiting::begin();
        let mut place = state.lock();
        if matches!(*place, State::Answered(_)) {
            drop(place);
            waiting.forgo();
            return answer(&state).map(Ok);
        }
        *place = State::Asked(Some(waiting.waker()));
        drop(place);
        if let Ended::Stopped(stop) = waiting.wait(None) {
            return Some(answer(&state).ok_or(stop));
        }
    }
}

/// The answer, if it has come. The caller does not wait any more.
fn answer<R>(state: &ShortLock<State<R>>) -> Option<R> {
    match mem::replace(&mut *state.lock(), State::Over) {
        State::Answered(answer) => Some(answer),
        State::Asked(_) | State::Over => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Tells when it is dropped.
    struct Answer(u8, mpsc::Sender<()>);

    impl Drop for Answer {
        fn drop(&mut self) {
            self.1.send(()).unwrap();
        }
    }

    #[test]
    fn the_caller_is_stopped_and_the_call_goes_on() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let (sender, dropped) = mpsc::channel();
        let call = move || {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            Answer(byte[0], sender)
        };
        let Some(answer) = lisle_rt::deadline(Duration::from_millis(5), || aside(call)) else {
            return;
        };
        assert_eq!(answer.err(), Some(Stop::TimedOut));
        assert!(dropped.try_recv().is_err());
        writer.write_all(&[7]).unwrap();
        dropped.recv().unwrap();
    }

    #[test]
    fn the_answer_comes() {
        let (sender, dropped) = mpsc::channel();
        let call = move || Answer(7, sender);
        if let Some(answer) = aside(call) {
            assert_eq!(answer.ok().unwrap().0, 7);
            dropped.recv().unwrap();
        }
    }
}
