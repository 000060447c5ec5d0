# Sourced by `.ci/run` and `tests/run.sh`: stages with a limit, a header and a summary.

limit=$(command -v timeout || command -v gtimeout || true)
stages=()
child=

# `timeout` makes a process group of its own: what ends this script would not reach it.
trap '[[ -z $child ]] || kill "$child" 2>/dev/null; exit 143' INT TERM

# stage SECONDS NAME COMMAND...: runs the command, ends the script with the summary if it fails.
stage() {
    local seconds=$1 name=$2 begun=$SECONDS status=0
    shift 2
    printf '\n==> %s (at %d s, limit %d s)\n' "$name" "$SECONDS" "$seconds"
    ${limit:+"$limit" -k 10 "$seconds"} "$@" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    stages+=("$(printf '%5d s  %s' $((SECONDS - begun)) "$name")")
    if ((status)); then
        summary
        if ((status == 124 || status == 137)); then
            echo "failed: $name (not done after $seconds s)" >&2
        else
            echo "failed: $name (status $status)" >&2
        fi
        exit 1
    fi
}

summary() {
    printf '\n'
    printf '%s\n' "${stages[@]}"
    printf '%5d s  in total\n' "$SECONDS"
}
