#!/usr/bin/env bash
# Type-checks the library for the targets where 1:1 mode is what there is. Needs no cross linker.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(
    aarch64-unknown-linux-gnu
    aarch64-unknown-linux-musl
    x86_64-pc-windows-gnu
    aarch64-apple-darwin
)

# Whether the target's std is there, after an attempt to fetch it.
have() {
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1/lib" ] && return
    command -v rustup >/dev/null || return
    # timeout: without network the download is tried again and again.
    timeout 120 rustup target add "$1"
}

for target in "${targets[@]}"; do
    if have "$target"; then
        echo "check for $target"
        cargo check -p lisle --target "$target"
    else
        echo "skipped: check for $target (its standard library cannot be fetched here)"
    fi
done
