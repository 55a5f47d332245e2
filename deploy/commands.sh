# shellcheck shell=bash
# How gcloud is run: changes, which --dry-run only prints, and queries, which run in parallel.

# Errors about accounts and roles that were created a moment ago.
NOT_PROPAGATED='does not exist|Eventarc Service Agent|receiveEvent|unable to publish'

# change COMMAND: run a command that changes something, or print it under --dry-run. Its output goes to $log.out and
# its errors to $log.
change() {
    if [ -z "$dry_run" ]; then
        "$@" >"$log.out" 2>"$log"
    else
        printf 'would run:' && printf ' %q' "$@" && echo
    fi
}

# change_or_fail DESCRIPTION COMMAND: change something, or fail with "cannot DESCRIPTION". A resource that already
# exists, after an interrupted deployment, is accepted.
change_or_fail() {
    local attempt
    for attempt in 1 2 3 4; do
        change "${@:2}" && return
        ! grep -qi 'already exists' "$log" || return 0
        [ "$attempt" -lt 4 ] && grep -qE "$NOT_PROPAGATED" "$log" || break
        wait_for_propagation "A resource created a moment ago"
    done
    fail "cannot $1: $(reason)" "$(next_step)"
}

# grant ACCOUNT ROLE COMMAND: grant a role with one of gcloud's add-iam-policy-binding commands.
grant() {
    change_or_fail "grant $1 roles/$2" gcloud "${@:3}" --member "serviceAccount:$1" --role "roles/$2"
}

# delete_resource DESCRIPTION COMMAND: delete a resource of the project, or print that it remains.
delete_resource() {
    change "${@:2}" --project "$project" --quiet || info "Could not delete $1: $(reason)"
}

wait_for_propagation() {
    info "$1 has not propagated yet. Retrying in ${PROPAGATION_WAIT_S:=30} seconds."
    sleep "$PROPAGATION_WAIT_S"
}

# query NAME COMMAND: start a command in the background. Each gcloud command takes a second, and there are many.
query() {
    { ("${@:2}") >"$scratch/$1" 2>"$scratch/$1.err" && echo 0 || echo 1; } >"$scratch/$1.code" &
}

# result NAME: print the output of a finished query. Fail if the command failed, with its errors in $log.
result() {
    cp "$scratch/$1.err" "$log"
    cat "$scratch/$1"
    return "$(cat "$scratch/$1.code")"
}

# run_in_parallel FUNCTION...: run functions at the same time, then print their output in order.
run_in_parallel() {
    local function failed=''
    for function in "$@"; do query "$function" with_own_log "$function"; done
    wait
    for function in "$@"; do
        cat "$scratch/$function" && cat "$scratch/$function.err" >&2
        [ "$(cat "$scratch/$function.code")" = 0 ] || failed=yes
    done
    [ -z "$failed" ] || exit 1
}

with_own_log() {
    local log=$scratch/$1.log
    "$1"
}
