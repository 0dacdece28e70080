#!/usr/bin/env bash
# Formatting, of every crate.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
