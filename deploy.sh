#!/usr/bin/env bash
# Deploy this folder as a private Cloud Function (2nd gen): ./deploy.sh --project PROJECT
set -euo pipefail
here=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=deploy/prerequisites.sh
source deploy/prerequisites.sh
# shellcheck source=deploy/bucket_trigger.sh
source deploy/bucket_trigger.sh

OPTIONS="project region name model python memory cpu concurrency min_instances max_instances timeout service_account"
OPTIONS+=" photos masks"
SWITCHES="public dry_run yes status rollback delete"
# What is read of a deployed function, in the order of the variables in read_function.
console=https://console.cloud.google.com
FIELDS=state,buildConfig.runtime,serviceConfig.availableMemory,serviceConfig.availableCpu
FIELDS+=,serviceConfig.maxInstanceRequestConcurrency,serviceConfig.minInstanceCount,serviceConfig.maxInstanceCount
FIELDS+=,serviceConfig.timeoutSeconds,serviceConfig.allTrafficOnLatestRevision,serviceConfig.serviceAccountEmail
FIELDS+=,serviceConfig.environmentVariables.MODEL_URI,serviceConfig.environmentVariables.PHOTO_BUCKETS
FIELDS+=,serviceConfig.environmentVariables.MASK_BUCKET,serviceConfig.uri,serviceConfig.revision

say() { printf '%s\n' "$@"; }

# fail WHAT NEXT...: say what went wrong and what to do about it, and end.
fail() {
    printf 'deploy.sh: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  next: %s\n' "${@:2}" >&2
    exit 1
}

# change COMMAND: run what changes something, or print it under --dry-run.
change() {
    if [ -z "$dry_run" ]; then "$@"; else printf 'would run:' && printf ' %q' "$@" && echo; fi
}

agreed() {
    [ -z "$yes" ] || return 0
    [ -t 0 ] || return 1
    read -r -p "$1 [y/N] " reply
    [[ $reply = [yY]* ]]
}

# Say in one line why the last command failed.
why() { { grep -m1 ERROR "$log" || head -1 "$log"; } | sed -E 's/^ERROR: (\([a-z.-]+\) )?//'; }

# Say what to do about why the last command failed.
next_step() {
    case $(why) in
        *"Build failed"*) say "read the build's log, at the address above; most often it is requirements.txt" ;;
        *"Memory limit"*) say "run this again with more memory: --memory 2Gi" ;;
        *Healthcheck*) say "$logs" ;;
        *"has not been used"*) say "run this again with --yes, which enables it; a new API needs a minute" ;;
        *429* | *uota*) say "run this again in a minute, or get more: $console/iam-admin/quotas?project=$project" ;;
        *409* | *oncurrent*) say "somebody else is changing $name: run this again" ;;
        *403* | *ermission*) say "ask an owner of $project for $(cut -d= -f2 <<<"$PERMISSIONS" | sort -u | xargs)" ;;
        *503* | *navailable*) say "Google Cloud has a moment of trouble: run this again" ;;
        *) say "put right what it says, and run this again" ;;
    esac
}

read_options() {
    local option variable
    for option in $OPTIONS $SWITCHES; do
        variable=SILHOUETTE_$(tr '[:lower:]' '[:upper:]' <<<"$option")
        printf -v "$option" %s "${!variable:-}"
    done
    while [ $# -gt 0 ]; do
        case $1 in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
        option=${1#--} && option=${option//-/_}
        if [[ $1 = --help || $1 = -h ]]; then
            cat deploy/help.txt && exit 0
        elif [[ $1 = --* && " $SWITCHES " = *" $option "* ]]; then
            printf -v "$option" yes && shift
        elif [[ $1 = --* && " $OPTIONS " = *" $option "* ]]; then
            [ -n "${2:-}" ] || fail "$1 needs a value" "./deploy.sh --help"
            printf -v "$option" %s "$2" && shift 2
        else
            fail "there is no option $1" "./deploy.sh --help"
        fi
    done
    [ -n "$project" ] || fail "which project?" "./deploy.sh --project PROJECT (gcloud projects list shows yours)"
    : "${region:=europe-west1}" "${name:=silhouette}"
    check_bucket_options
    name_events
    where=(--project "$project" --region "$region")
    again="./deploy.sh --project $project --region $region --name $name"
    logs="gcloud functions logs read $name --gen2 ${where[*]}"
    # An account's name has 6 to 30 characters.
    own_account=${name:0:22} && own_account=${own_account%-}-runtime@$project.iam.gserviceaccount.com
}

check_gcloud() {
    command -v gcloud >/dev/null || fail "gcloud is not installed" "https://cloud.google.com/sdk/docs/install"
    token=$(gcloud auth print-access-token 2>"$log") || fail "gcloud is not logged in: $(why)" "gcloud auth login"
}

look_at_function() {
    ask_function
    wait
    read_function
    read_serving
}

# Read which revision serves: the newest, unless there was a rollback.
read_serving() {
    serving=$revision
    [ "$was_latest" = False ] || return 0
    serving=$(gcloud run services describe "$name" "${where[@]}" --format 'value(status.traffic[0].revisionName)')
}

# Print the revisions that work, newest first.
revisions() {
    gcloud run revisions list --service "$name" "${where[@]}" --format 'value(metadata.name)' \
        --filter 'status.conditions[0].status=True' --sort-by '~metadata.creationTimestamp'
}

prepare_account() {
    local id=${own_account%@*} member=serviceAccount:$service_account role=roles/storage.objectViewer
    [ -n "$account_exists" ] || change gcloud iam service-accounts create "$id" --project "$project" 2>"$log" ||
        fail "the service account cannot be made: $(why)" "ask for roles/iam.serviceAccountCreator"
    [[ -z $bucket || $model = "$was_model" ]] && return
    local bind=(gcloud storage buckets add-iam-policy-binding "$bucket" --member "$member" --role "$role")
    change "${bind[@]}" 2>"$log" >"$scratch/said" ||
        fail "$service_account cannot be let into $bucket: $(why)" "ask its owner for roles/storage.admin on it"
    [ -z "$dry_run" ] || cat "$scratch/said"
}

deploy() {
    local access=--no-allow-unauthenticated env="THREADS=$concurrency|INTERPRETERS=$interpreters|GOOGLE_CLOUD_PROJECT=$project"
    [ -z "$public" ] || access=--allow-unauthenticated
    [ -z "$model" ] || env+="|MODEL_URI=$model"
    [ -z "$photos" ] || env+="|PHOTO_BUCKETS=${photos#gs://}|MASK_BUCKET=${masks#gs://}"
    local flags=(
        --gen2 "${where[@]}" --quiet --runtime "python$python" --source "$source" --entry-point run
        --trigger-http "$access" --memory "$memory" --cpu "$cpu" --concurrency "$concurrency" --timeout "$timeout"
        --min-instances "$min_instances" --max-instances "$max_instances" --service-account "$service_account"
        --update-env-vars "^|^$env" --format 'value(serviceConfig.uri,serviceConfig.revision)'
        --serve-all-traffic-latest-revision # or, after a rollback, no call would ever reach what is deployed
    )
    if [ -n "$dry_run" ]; then change gcloud functions deploy "$name" "${flags[@]}" && return; fi
    read_serving
    say "Deploying $name to $project in $region. This takes two to three minutes."
    gcloud_deploy || deploy_failed
    read -r url revision <"$scratch/deployed"
}

gcloud_deploy() {
    gcloud functions deploy "$name" "${flags[@]}" 2>&1 >"$scratch/deployed" | tee "$log" >&2 && return
    [ -z "$account_exists" ] && grep -q "$service_account.*not exist" "$log" || return 1
    say "The new service account is not known everywhere yet; once more in ${ACCOUNT_WAIT_S:=30} seconds."
    account_exists=yes && sleep "$ACCOUNT_WAIT_S" && gcloud_deploy
}

deploy_failed() {
    local old_revision=$revision old_serving=$serving what next
    what="the deploy failed: $(why)" next=$(next_step)
    look_at_function
    if [ -z "$url" ]; then
        say "Nothing serves yet." >&2
    elif [ "$revision" = "$old_revision" ]; then
        say "$old_serving serves on, as before." >&2
    else
        say "The new revision $revision serves; only who may call it could not be set, and is as before." >&2
    fi
    fail "$what" "$next"
}

smoke_test() {
    say "Trying $url with client/web/sample.jpg."
    "$python_here" -m client client/web/sample.jpg --url "$url" --auth gcloud --out "$scratch/mask.png" --quiet
}

test_failed() {
    [ -n "$serving" ] || fail "$name is deployed, but gives no mask" "$logs" "to remove it: $again --delete"
    send_traffic_to "$serving"
    fail "the new revision $revision gives no mask; $serving serves again" "$logs"
}

send_traffic_to() {
    local send=(gcloud run services update-traffic "$name" "${where[@]}" --to-revisions "$1=100" --quiet)
    change "${send[@]}" 2>"$log" >"$scratch/said" || fail "traffic cannot be sent to $1: $(why)" "$(next_step)"
    [ -z "$dry_run" ] || cat "$scratch/said"
}

report() {
    say "" "It works: $url" "" "  use it   $python_here -m client PHOTO --url $url --auth gcloud"
    say "  look     $again --status"
    [ -z "$serving" ] || say "  undo     $again --rollback"
    say "  remove   $again --delete"
    report_events
    say ""
    awk -v cpu="$cpu" -v memory="$memory" -v ready="$min_instances" -f deploy/cost.awk
}

show_status() {
    look_at_function
    [ -n "$was_state" ] || fail "$name is not deployed to $project in $region" "./deploy.sh --project $project"
    say "$name in $project, $region: $was_state" "  address     ${url:-none}"
    [ -z "$url" ] || say "  serves      $serving" "  revisions   $(revisions | xargs)" "The newest, $revision:"
    say "  model       ${was_model:-the one in model/weights}" "  runtime     $was_runtime" "  runs as     $was_account"
    say "  instances   ${was_min:-0} to ${was_max:-100}, $was_concurrency calls at once in each" \
        "  instance    $was_cpu CPU, $was_memory"
    show_events
}

roll_back() {
    local before
    look_at_function
    before=$(revisions | grep -A1 -x "$serving" | sed -n 2p)
    [ -n "$before" ] || fail "there is no revision before ${serving:-the first}" "$again --status"
    send_traffic_to "$before"
    [ -z "$dry_run" ] || return 0
    smoke_test || fail "$before serves again, but gives no mask" "$again --rollback, one further back" "$logs"
    say "$before serves again. The next deploy takes over from it."
}

delete() {
    agreed "Delete $name in $project, $region, and its service account?" || fail "nothing is deleted" "add --yes"
    delete_events
    change gcloud functions delete "$name" --gen2 "${where[@]}" --quiet 2>"$log" ||
        fail "$name is not deleted: $(why)" "$(next_step)"
    change gcloud iam service-accounts delete "$own_account" --project "$project" --quiet 2>"$log" ||
        say "$own_account stays: $(why)"
    [ -n "$dry_run" ] || say "$name is gone. Left, for some cents a month: buckets gcf-v2-*, repository gcf-artifacts."
}

main() {
    read_options "$@"
    scratch=$(mktemp -d) && log=$scratch/log
    trap 'rm -rf "$scratch"' EXIT
    check_gcloud
    if [ -n "$status" ]; then show_status && exit; fi
    if [ -n "$rollback" ]; then check_client && roll_back && exit; fi
    if [ -n "$delete" ]; then delete && exit; fi
    look
    prepare_account
    prepare_events
    deploy
    [ -n "$dry_run" ] || smoke_test || test_failed
    connect_events
    [ -n "$dry_run" ] || report
}

main "$@"
