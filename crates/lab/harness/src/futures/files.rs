//! Tasks that read random blocks of a file, each read where it may block, and one beside them that
//! only sleeps.

use std::sync::Arc;
use std::time::Instant;

use super::{Executor, join_all, spawn_all};
use crate::files::{Block, NAP, Reading};
use crate::{Outcome, Params};

/// Reads for the time that was asked for.
pub(super) async fn read<E: Executor>(params: &Params) -> Outcome<()> {
    let reading = Arc::new(Reading::start(params)?);
    let bystander = spawn_all::<E, _>(1, |_| watch::<E>(Arc::clone(&reading)));
    let readers = spawn_all::<E, _>(params.get("tasks")?, |index| {
        read_blocks::<E>(Arc::clone(&reading), index)
    });
    join_all::<E>(readers).await;
    join_all::<E>(bystander).await;
    reading.report();
    Ok(())
}

async fn read_blocks<E: Executor>(reading: Arc<Reading>, index: usize) {
    let (mut block, mut reader) = (Block::boxed(), reading.reader(index));
    loop {
        let (number, shared) = (reader.next_block(), Arc::clone(&reading));
        block = E::unblock(move || {
            block.read(&shared.file, number).expect("the file has all its blocks");
            block
        })
        .await;
        if !reader.has_read() {
            break;
        }
    }
    reading.finish(reader);
}

async fn watch<E: Executor>(reading: Arc<Reading>) {
    loop {
        let start = Instant::now();
        E::sleep(NAP).await;
        if !reading.slept(start) {
            break;
        }
    }
}
