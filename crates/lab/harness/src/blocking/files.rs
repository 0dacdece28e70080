//! Tasks that read random blocks of a file, and one beside them that only sleeps.

use std::sync::Arc;
use std::time::Instant;

use super::{Blocking, join_all, spawn_all};
use crate::files::{Block, NAP, Reading};
use crate::{Outcome, Params};

/// Reads for the time that was asked for.
pub(super) fn read<S: Blocking>(params: &Params) -> Outcome<()> {
    let reading = Arc::new(Reading::start(params)?);
    let bystander = spawn_all::<S, _>(1, |_| {
        let reading = Arc::clone(&reading);
        move || watch::<S>(&reading)
    })?;
    let readers = spawn_all::<S, _>(params.get("tasks")?, |index| {
        let reading = Arc::clone(&reading);
        move || read_blocks(&reading, index)
    })?;
    join_all::<S>(readers);
    join_all::<S>(bystander);
    reading.report();
    Ok(())
}

fn read_blocks(reading: &Reading, index: usize) {
    let (mut block, mut reader) = (Block::boxed(), reading.reader(index));
    loop {
        let number = reader.next_block();
        block.read(&reading.file, number).expect("the file has all its blocks");
        if !reader.has_read() {
            break;
        }
    }
    reading.finish(reader);
}

fn watch<S: Blocking>(reading: &Reading) {
    loop {
        let start = Instant::now();
        S::sleep(NAP);
        if !reading.slept(start) {
            break;
        }
    }
}
