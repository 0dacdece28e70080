//! Plots about who starts whom, and how they end.

use super::dally;
use crate::util::Random;

pub(crate) fn tree(random: Random) {
    fn grow(mut random: Random, depth: usize) -> (usize, usize) {
        let branches = if depth == 0 { 0 } else { random.below(4) };
        let handles: Vec<_> = (0..branches)
            .map(|_| {
                let theirs = random.fork();
                lisle::spawn(move || grow(theirs, depth - 1))
            })
            .collect();
        dally(&mut random);
        let below = handles.into_iter().map(|handle| handle.join().unwrap());
        below.fold((1, branches), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }
    let (nodes, edges) = grow(random, 4);
    assert_eq!(nodes, edges + 1);
}

pub(crate) fn scope(mut random: Random) {
    let mut numbers: Vec<usize> = (0..random.below(200)).collect();
    let chunk = 1 + random.below(20);
    lisle::scope(|s| {
        for part in numbers.chunks_mut(chunk) {
            let mut random = random.fork();
            s.spawn(move || {
                part.iter_mut().for_each(|number| *number *= 2);
                dally(&mut random);
            });
        }
    });
    assert!(numbers.iter().enumerate().all(|(place, number)| *number == place * 2));
}

pub(crate) fn panics(mut random: Random) {
    let all: Vec<_> = (0..random.below(10))
        .map(|own| {
            let (panics, mut theirs) = (random.below(2) == 0, random.fork());
            let handle = lisle::spawn(move || {
                dally(&mut theirs);
                assert!(!std::thread::panicking());
                if panics {
                    // Without the hook: the message would only be noise.
                    std::panic::resume_unwind(Box::new(own));
                }
            });
            (own, panics, handle)
        })
        .collect();
    for (own, panics, handle) in all {
        let payload = handle.join().err().map(|payload| *payload.downcast::<usize>().unwrap());
        assert_eq!(payload, panics.then_some(own));
    }
}
