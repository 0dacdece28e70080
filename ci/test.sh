#!/usr/bin/env bash
# The README's test command, then what it does not reach. The tests of 1:1 mode and of epoll are
# among the first: crates/lisle/tests/other_modes.rs.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace

# Examples are user code: they must also build as a user builds them, outside of the tests.
cargo build --workspace --examples
# Without the hooks no libc symbol is interposed; sanitizers and other interposers need that. Then
# Lisle's own functions must still suspend.
cargo test -p lisle --no-default-features --test own_functions
# What only a feature of the library adds.
cargo test -p lisle --features tracing --test tracing_spans
