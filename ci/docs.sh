#!/usr/bin/env bash
# The documentation: no broken links, no malformed examples.
set -euo pipefail
cd "$(dirname "$0")/.."

# --no-deps: only our pages; warnings in those of others are not ours to mend.
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps
