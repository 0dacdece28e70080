#!/usr/bin/env bash
# Clippy over everything that is compiled, and the linters of the scripts.
set -euo pipefail
cd "$(dirname "$0")/.."

# --all-targets: tests, examples and benches too. --locked: a stale Cargo.lock fails here, before
# the commands below that would bring it up to date unasked.
cargo clippy --workspace --all-targets --locked -- -D warnings

scripts=(.ci/run ci/*.sh)
for script in "${scripts[@]}"; do
    bash -n "$script"
done
if command -v shellcheck >/dev/null; then
    shellcheck "${scripts[@]}"
else
    echo "skipped: shellcheck of ${scripts[*]} (shellcheck is not installed)"
fi
