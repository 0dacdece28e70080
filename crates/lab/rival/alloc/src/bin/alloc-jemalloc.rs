//! See the library: this is jemalloc.

use rival_alloc::Switch;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Switch<Jemalloc> = Switch::new(Jemalloc, Jemalloc);

fn main() {
    rival_alloc::main();
}
