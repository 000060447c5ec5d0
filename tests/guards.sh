#!/usr/bin/env bash
# Takes out one guard after the other, by the patches in `tests/guards`, and sees that a test of its
# promise fails; or only the patches named as arguments; or, with `sample`, one of each promise,
# another one for another commit.
#
# The first line of a patch says which promise it breaks, and how, after the name of the tests that
# hold to it if those are not the circuit breaker's: `# cached promise_5_: how`. It is applied to a
# copy of the tree. One that does not apply or compile any more ends the run: it has to follow the
# source.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

declare -A promises=([circuit_breaker]=$(seq -s ' ' 13) [cached]='4 5 6 7' [http_cached]='4 5 6 8 9'
    [privacy]='9' [health]='1 2 4' [health_gate]='2 4' [redis_probes]='3 4'
    [failover]='1 2 3 4 5 6' [redis_failover]='1')
declare -A seconds=([circuit_breaker]=20 [cached]=60 [http_cached]=60 [privacy]=180
    [health]=60 [health_gate]=20 [redis_probes]=60 [failover]=60 [redis_failover]=90)
tree=target/guards/tree
output=target/guards/output
export CARGO_TARGET_DIR=$PWD/target/guards/target CARGO_TERM_COLOR=never RUST_BACKTRACE=0
unset RUSTFLAGS
limit=$(command -v timeout || command -v gtimeout) ||
    { echo "some bugs make a test hang: this needs timeout, of the coreutils" >&2; exit 1; }

fail() {
    echo "failed: $1" >&2
    exit 1
}

# `git apply` leaves out without a word what lies outside of the directory it is called in.
patch_tree() {
    git apply --directory="$tree" "$@"
}

in_tree() {
    (cd "$tree" && "$limit" -k 5 "$@" </dev/null >"$OLDPWD/$output" 2>&1)
}

# run TESTS FILTER: builds, then sets `result` to that of the tests whose name has FILTER in it.
run() {
    local status=0
    in_tree 600 cargo test --test "$1" --no-run || { cat "$output"; return 1; }
    in_tree "${seconds[$1]}" cargo test --test "$1" "$2" || status=$?
    if ((status == 0)); then
        result=passed
    elif ((status == 124 || status == 137)); then
        result='does not end'
    elif grep -q '^test result: FAILED' "$output"; then
        result="$(grep -c '^test .* FAILED$' "$output") tests"
    elif grep -q '^running [1-9]' "$output" && grep -q 'signal: ' "$output"; then
        result=aborts
    else
        cat "$output"
        return 1
    fi
}

# The first line of a patch, as `TESTS promise_N_`.
breaks() {
    [[ $(head -n 1 "$1") =~ ^'# '(([a-z_]+)' ')?('promise_'[0-9]+_)': '. ]] ||
        fail "$1 does not say in its first line which promise it breaks"
    echo "${BASH_REMATCH[2]:-circuit_breaker} ${BASH_REMATCH[3]}"
}

sample() {
    local patch promise turn
    local -A of=()
    turn=$(git rev-parse HEAD)
    turn=$((16#${turn:0:7}))
    for patch in tests/guards/*.patch; do
        promise=$(breaks "$patch")
        of[$promise]+="$patch "
    done
    for promise in "${!of[@]}"; do
        read -ra of_promise <<<"${of[$promise]}"
        echo "${of_promise[turn % ${#of_promise[@]}]}"
    done | sort
}

patches=(tests/guards/*.patch)
if [[ ${1:-} == sample ]]; then
    mapfile -t patches < <(sample)
elif (($#)); then
    patches=("$@")
fi

# Without the times of the originals: a file that was restored must not look older than the build.
rm -rf "$tree"
mkdir -p "$tree"
git ls-files -coz --exclude-standard | while IFS= read -r -d '' file; do
    [[ ! -e $file ]] || printf '%s\0' "$file"
done | tar -cf - --null -T - | tar -xmf - -C "$tree"
[[ ! -e Cargo.lock ]] || cp Cargo.lock "$tree"

stale=()
declare -A broken tests_of promise_of
for patch in "${patches[@]}"; do
    patch_tree --check "$patch" || stale+=("$patch")
    read -r tests promise <<<"$(breaks "$patch")"
    [[ -n ${promises[$tests]:-} ]] || fail "$patch: no promises are known of $tests"
    broken[$tests $promise]=1 tests_of[$patch]=$tests promise_of[$patch]=$promise
done
((${#stale[@]} == 0)) || fail "the source has moved under ${stale[*]}"

for tests in $(printf '%s\n' "${tests_of[@]}" | sort -u); do
    run "$tests" promise_
    [[ $result == passed ]] || { cat "$output"; fail "$tests, without any patch: $result"; }
done

caught=0
survivors=()
for patch in "${patches[@]}"; do
    tests=${tests_of[$patch]} promise=${promise_of[$patch]}
    name=$(basename "$patch" .patch)
    patch_tree "$patch"
    run "$tests" "$promise" || fail "$patch: no result"
    patch_tree -R "$patch"
    verdict=caught
    if [[ $result == passed ]]; then
        verdict=SURVIVED
        survivors+=("$name")
    else
        caught=$((caught + 1))
    fi
    printf '%-8s  %-15s  %-11s  %-12s  %s\n' "$verdict" "$tests" "$promise" "$result" "$name"
done

echo "guards=${#patches[@]} caught=$caught survived=${#survivors[@]}"
((${#survivors[@]} == 0)) || fail "no test of its promise fails with ${survivors[*]}"
if (($# == 0)) || [[ $1 == sample ]]; then
    for tests in "${!promises[@]}"; do
        for number in ${promises[$tests]}; do
            [[ -n ${broken[$tests promise_${number}_]:-} ]] || fail "no patch breaks promise $number of $tests"
        done
    done
fi
