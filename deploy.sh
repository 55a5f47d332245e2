#!/usr/bin/env bash
# Deploy this directory as a private function: ./deploy.sh --project PROJECT
set -euo pipefail
caller_dir=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
source deploy/messages.sh
source deploy/commands.sh
source deploy/names.sh
source deploy/gcloud_flags.sh
source deploy/prerequisites.sh
source deploy/build_account.sh
source deploy/upload.sh
source deploy/function.sh
source deploy/access.sh
source deploy/organization.sh
source deploy/bucket_trigger.sh
source deploy/candidate.sh

# Each name is an option (--min-instances), an environment variable (SILHOUETTE_MIN_INSTANCES) and a variable here.
OPTIONS="project region name model python memory cpu concurrency min_instances max_instances timeout service_account"
OPTIONS+=" build_service_account ingress photos masks service photos_to_compare min_agreement promote"
SWITCHES="public dry_run yes status rollback delete candidate"

read_environment() {
    local option variable
    for option in $OPTIONS $SWITCHES; do
        variable=SILHOUETTE_$(tr '[:lower:]' '[:upper:]' <<<"$option")
        printf -v "$option" %s "${!variable:-}"
    done
}

read_command_line() {
    local option
    while [ $# -gt 0 ]; do
        case $1 in --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;; esac
        option=${1#--} && option=${option//-/_}
        if [ "$1" = -- ]; then
            shift && break
        elif [[ $1 = --help || $1 = -h ]]; then
            cat deploy/help.txt && exit 0
        elif [[ $1 = --promote && ! ${2:-} =~ ^[0-9]+$ ]]; then
            promote=100 && shift
        elif [[ $1 = --* && " $SWITCHES " = *" $option "* ]]; then
            printf -v "$option" yes && shift
        elif [[ $1 = --* && " $OPTIONS " = *" $option "* ]]; then
            [ -n "${2:-}" ] || fail "$1 requires a value" "./deploy.sh --help"
            printf -v "$option" %s "$2" && shift 2
        else
            fail "unknown option $1" "./deploy.sh --help"
        fi
    done
    [ -n "$project" ] || fail "--project is required" \
        "./deploy.sh --project PROJECT (gcloud projects list shows your projects)"
    : "${region:=europe-west1}" "${name:=silhouette}" "${service:=function}"
    [[ $# -eq 0 || -z $status$rollback$delete$promote ]] ||
        fail "--status, --rollback, --promote and --delete accept no flags of gcloud" "leave out -- and what follows it"
    read_gcloud_flags "$@"
}

# Load the functions of --service.
load_service() {
    case $service in
        function) source deploy/service_function.sh ;;
        run) source deploy/service_run.sh ;;
        *) fail "--service $service does not exist" "use --service function, or --service run" ;;
    esac
}

# Complete the settings: an option, or else what is deployed, or else the default.
complete_settings() {
    [[ -n $python || $deployed_runtime != python311 ]] ||
        info "$name stays on Python 3.11, which is deprecated from 2027-10-24; --python 313 updates it."
    : "${python:=${deployed_runtime#python}}" "${python:=313}"
    : "${memory:=${deployed_memory:-1Gi}}" "${cpu:=${deployed_cpu:-1}}" "${timeout:=${deployed_timeout:-60}}"
    : "${concurrency:=${deployed_concurrency:-8}}" "${model:=$deployed_model}"
    # model/weights/pets.tflite is the bundled model of version 0.1.0.
    case $model in bundled | model/weights/pets.tflite) model='' ;; esac
    : "${min_instances:=${deployed_min_instances:-0}}" "${max_instances:=${deployed_max_instances:-10}}"
    : "${service_account:=${deployed_account:-$own_account}}"
    [[ -z $build_service_account || $build_service_account = projects/* ]] ||
        build_service_account=projects/$project/serviceAccounts/$build_service_account
    : "${photos:=${deployed_photos:+gs://$deployed_photos}}" "${masks:=${deployed_masks:+gs://$deployed_masks}}"
}

check_settings() {
    complete_ingress
    [[ $python = 31[1-4] ]] ||
        problem "--python $python is not an available runtime" "use --python 311, 312, 313 or 314"
    [[ $cpu =~ ^[0-9]*\.?[0-9]+$ ]] || fail "--cpu $cpu is not a number" "use --cpu 1, 2 or 0.5, for example"
    [[ $cpu != 0* && $cpu != .* || $concurrency = 1 ]] ||
        problem "with less than one CPU an instance handles one request at a time" "add --concurrency 1, or --cpu 1"
    [[ -z $photos || $timeout =~ ^[0-9]+s?$ ]] ||
        fail "--timeout $timeout is not a number of seconds" "use --timeout 60, for example"
    [[ -z $photos || ${timeout%s} -le 600 ]] ||
        problem "with --timeout $timeout, a photo of $photos may be processed twice at once: Pub/Sub waits at most 600 s \
for an answer, and then delivers the photo again" "use --timeout 600 or less with --photos"
}

print_report() {
    local tested=' and tested'
    is_reachable || tested=', but not tested'
    info "" "Deployed$tested: $url" "" \
        "  call       $python_here -m client PHOTO --url $url --auth gcloud" \
        "  status     $this_command --status"
    [ -z "$serving" ] || info "  roll back  $this_command --rollback"
    info "  delete     $this_command --delete"
    print_bucket_report
    print_image_report
    info ""
    awk -v region="$region" -v cpu="$cpu" -v memory="$memory" -v ready="$min_instances" -f deploy/cost.awk \
        deploy/prices.tsv
}

deploy() {
    check_prerequisites
    create_account
    create_trigger_resources
    deploy_function
    [ -n "$dry_run" ] || smoke_test || undo_deployment
    if [ -n "$candidate" ]; then
        [ -n "$dry_run" ] || { compare_candidate && print_candidate_report; }
        return
    fi
    serve_new_revision
    connect_trigger
    [ -n "$dry_run" ] || print_report
}

main() {
    read_environment
    read_command_line "$@"
    load_service
    check_bucket_options
    set_names
    check_candidate_options
    scratch=$(mktemp -d) && log=$scratch/log
    trap 'rm -rf "$scratch"' EXIT
    check_gcloud
    if [ -n "$status" ]; then
        print_status
    elif [ -n "$rollback" ]; then
        check_client
        roll_back
    elif [ -n "$promote" ]; then
        promote_candidate
    elif [ -n "$delete" ]; then
        delete_function
    else
        deploy
    fi
}

main "$@"
