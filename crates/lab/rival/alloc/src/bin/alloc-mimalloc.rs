//! See the library: this is mimalloc.

use mimalloc::MiMalloc;
use rival_alloc::Switch;

#[global_allocator]
static ALLOCATOR: Switch<MiMalloc> = Switch::new(MiMalloc, MiMalloc);

fn main() {
    rival_alloc::main();
}
