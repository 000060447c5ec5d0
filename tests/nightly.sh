#!/usr/bin/env bash
# The long ones, run by hand, or only the stages named as arguments: soak, models, properties,
# mutants, guards, faults.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source .ci/stage.sh

# With loom's bound of 5 preemptions instead of 3 for three threads.
models() {
    export RUSTFLAGS="--cfg tower_failover_loom" CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
    LOOM_MAX_PREEMPTIONS=5 cargo test --lib --release loom
}

properties() {
    PROPTEST_CASES=50000 cargo test --release --lib logic
}

mutants() {
    command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants
    cargo mutants --file 'src/logic/**' --timeout 120 --output target/mutants -- --lib logic
}

soak() {
    export SOAK_REQUESTS=${SOAK_REQUESTS:-100000000}
    cargo test --release --test soak --test redis_soak -- --nocapture
}

guards() {
    tests/guards.sh
}

# A row that fails once in a hundred times is a row that fails.
faults() {
    for _ in $(seq 20); do
        cargo test --release --test stack -- --nocapture
    done
}

export -f models properties mutants guards soak faults
(($#)) || set -- soak models properties mutants guards faults
for name; do
    stage 14400 "$name" bash -euo pipefail -c "$name"
done
summary
