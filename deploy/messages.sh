# shellcheck shell=bash
# Messages: information, errors with their next step, and the reason why a command failed.

CONSOLE=https://console.cloud.google.com

# info LINE...: print lines.
info() { printf '%s\n' "$@"; }

# print_error MESSAGE NEXT_STEP...: print what is wrong, and how to fix it.
print_error() {
    printf 'deploy.sh: %s\n' "$1" >&2
    printf '  Next step: %s\n' "${@:2}" >&2
}

# problem MESSAGE NEXT_STEP...: print an error and continue, so that one run reports every problem.
problem() {
    print_error "$@"
    problems=yes
}

# fail MESSAGE NEXT_STEP...: print an error and exit.
fail() {
    print_error "$@"
    exit 1
}

# confirm QUESTION: succeed if the user agrees. Without a terminal, --yes is required.
confirm() {
    local reply
    [ -z "$yes" ] || return 0
    [ -t 0 ] || return 1
    read -r -p "$1 [y/N] " reply
    [[ $reply = [yY]* ]]
}

# Print in one line why the last command failed, from $log.
reason() { { grep -m1 ERROR "$log" || head -1 "$log"; } | sed -E 's/^ERROR: (\([a-z.-]+\) )?//'; }

# Print the next step after the failure that reason prints.
next_step() {
    local quotas="$CONSOLE/iam-admin/quotas?project=$project"
    ! policy_step || return 0
    case $(reason) in
        *"build service account"* | *"Access to bucket"* | *uploadArtifacts*)
            read_build_account || true
            info "let $build_account build: $(grant_build_role)"
            ;;
        *"Build failed"*) info "read the build log at the address above; the usual cause is requirements.txt" ;;
        *"Memory limit"*) info "run this again with more memory: --memory 2Gi" ;;
        *Healthcheck* | *"failed to start"*) info "$logs_command" ;;
        *"has not been used"*) info "run this again with --yes to enable the API; that takes about a minute" ;;
        *429* | *uota*) info "run this again in a minute, or raise the quota: $quotas" ;;
        *409* | *oncurrent*) info "somebody else is changing $name: run this again" ;;
        *403* | *ermission*) info "ask an owner of $project for $(cut -d= -f2 <<<"$PERMISSIONS" | sort -u | xargs)" ;;
        *503* | *navailable*) info "Google Cloud is temporarily unavailable: run this again" ;;
        *) info "fix what the message names, and run this again" ;;
    esac
}
