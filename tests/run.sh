#!/usr/bin/env bash
# Runs all tests, doc tests and examples with all features; installs redis-server if it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source .ci/stage.sh

has_server() {
    [[ -x ${REDIS_SERVER:-} || -x /usr/bin/redis-check-rdb ]] || command -v redis-server >/dev/null
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        return 1
    fi
}

# Debian starts what it installs unless a policy forbids it, and enables it for the next boot.
install_on_debian() {
    local policy=/usr/sbin/policy-rc.d ours=
    if [[ ! -e $policy ]] && printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null; then
        as_root chmod 755 "$policy"
        ours=1
    fi
    as_root apt-get update || true
    local status=0
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends redis-server || status=$?
    [[ -z $ours ]] || as_root rm -f "$policy"
    if [[ -d /run/systemd/system ]]; then
        as_root systemctl disable --now redis-server >/dev/null 2>&1 || true
    fi
    return "$status"
}

install_server() {
    if command -v apt-get >/dev/null; then
        install_on_debian
    elif command -v dnf >/dev/null; then
        as_root dnf install -y redis || as_root dnf install -y valkey-compat-redis
    elif command -v apk >/dev/null; then
        as_root apk add redis
    elif command -v brew >/dev/null; then
        brew install redis
    else
        return 1
    fi
}

ensure_server() {
    has_server || install_server || true
    has_server || {
        echo "The tests need a redis-server on the PATH (6.2 or newer): install the package that" \
            "your system calls redis-server, redis or valkey-compat-redis, then run this again." >&2
        return 1
    }
}

run_examples() {
    local file
    for file in examples/*.rs; do
        [[ -e $file ]] || continue
        file=${file##*/}
        printf '\n--> example %s\n' "${file%.rs}"
        ${limit:+"$limit" -k 10 120} cargo run --quiet --all-features --example "${file%.rs}"
    done
}

export limit
export -f has_server as_root install_on_debian install_server ensure_server run_examples

command -v cargo >/dev/null || {
    echo "The tests need Rust: install it from https://rustup.rs, then run this again." >&2
    exit 1
}
unset REDIS_URL
# A stage cannot ask for a password: `timeout` keeps it away from the terminal.
if ! has_server && ((EUID)) && command -v sudo >/dev/null && ! command -v brew >/dev/null; then
    sudo -v || true
fi
stage 300 server bash -euo pipefail -c ensure_server
stage 600 build cargo test --all-features --no-run
# The soak is run at full length by `.ci/run`.
SOAK_REQUESTS=${SOAK_REQUESTS:-20000} stage 600 tests cargo test --all-features --tests
stage 300 'doc tests' cargo test --all-features --doc
stage 300 examples bash -euo pipefail -c run_examples
summary
