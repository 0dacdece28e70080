#!/usr/bin/env bash
# The lock-free words and queues under loom, which runs every interleaving of a small model.
set -euo pipefail
cd "$(dirname "$0")/.."

# --cfg loom swaps the atomics; it changes every crate's fingerprint, so it has a folder of its own.
export RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
# Three preemptions find nearly every bug; without a bound the larger models never end.
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}"
# --release: the search is all computation. The pattern fails if no model matches it.
cargo test -p lisle-core --release --test 'loom_*'
