//! See the library: this is system.

use rival_alloc::Switch;
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Switch<System> = Switch::new(System, System);

fn main() {
    rival_alloc::main();
}
