# shellcheck shell=bash
# A Cloud Run service that is built from source (--service run). service_function.sh defines the same names for a
# Cloud Function. A new revision gets no traffic until it is tested: it has the traffic tag "candidate", and with it an
# address of its own. A revision that fails has the tag "rejected" until the next deployment deletes it, so that no
# rollback chooses a revision that has never served.

SERVICE=run
APIS="run cloudbuild artifactregistry storage"
# PERMISSION=ROLE: what the user who deploys needs, and the role that grants it.
PERMISSIONS="run.services.create=roles/run.admin
run.services.setIamPolicy=roles/run.admin
run.services.update=roles/run.admin
run.routes.invoke=roles/run.invoker
cloudbuild.builds.create=roles/run.sourceDeveloper
storage.objects.create=roles/run.sourceDeveloper
iam.serviceAccounts.actAs=roles/iam.serviceAccountUser
iam.serviceAccounts.create=roles/iam.serviceAccountCreator"
LOGS="run services logs read"
REPOSITORY=cloud-run-source-deploy
REMAINS="buckets run-sources-*, repository $REPOSITORY"

# The fields that are read: those of parse_traffic, which differ in each row, then those of parse_function.
FIELDS=status.traffic.revisionName,status.traffic.percent,status.traffic.tag,status.traffic.url
FIELDS+=,status.url,status.latestCreatedRevisionName,status.conditions[0].status,metadata.labels.goog-managed-by
FIELDS+=",metadata.annotations.'run.googleapis.com/build-base-image'.basename()"
FIELDS+=,spec.template.spec.containers[0].resources.limits.memory,spec.template.spec.containers[0].resources.limits.cpu
FIELDS+=",spec.template.spec.containerConcurrency,metadata.annotations.'run.googleapis.com/minScale'"
FIELDS+=",spec.template.metadata.annotations.'autoscaling.knative.dev/maxScale',spec.template.spec.timeoutSeconds"
FIELDS+=,spec.template.spec.serviceAccountName
FIELDS+=",metadata.annotations.'run.googleapis.com/build-service-account'"
FIELDS+=",metadata.annotations.'run.googleapis.com/ingress'"
FIELDS+=",spec.template.spec.containers[0].env.map().format('{0}={1}',name,value).list(separator='|')"
# How gcloud prints what is deployed: one row for each traffic target.
DEPLOYED=(--flatten 'status.traffic[]' --format "value[separator='|']($FIELDS)")

query_function() { query function gcloud run services describe "$name" "${location[@]}" "${DEPLOYED[@]}"; }

# Fail if the name belongs to a function, whose service would be replaced.
check_name() {
    [ "$(result function | head -1 | cut -d '|' -f 8)" != cloudfunctions ] ||
        fail "$name in $project, $region is a Cloud Function" \
            "omit --service run, or choose another name with --name"
}

# parse_function ROWS: set the variables of the deployed service.
parse_function() {
    local ready environment
    parse_traffic "$1"
    IFS='|' read -r _ _ _ _ _ _ ready _ deployed_runtime deployed_memory deployed_cpu deployed_concurrency \
        deployed_min_instances deployed_max_instances deployed_timeout deployed_account deployed_build_account \
        deployed_ingress environment <<<"$1"
    deployed_ingress=$(function_ingress "$deployed_ingress")
    deployed_state=${ready:+FAILED}
    [ "$ready" != True ] || deployed_state=ACTIVE
    [[ $deployed_cpu != *m ]] || deployed_cpu=$(awk "BEGIN { print ${deployed_cpu%m} / 1000 }")
    deployed_model=$(environment_variable MODEL_URI) deployed_photos=$(environment_variable PHOTO_BUCKETS)
    deployed_masks=$(environment_variable MASK_BUCKET)
}

# environment_variable NAME: print a variable of $environment, NAME=VALUE|NAME=VALUE.
environment_variable() { tr '|' '\n' <<<"$environment" | sed -n "s/^$1=//p"; }

# parse_traffic ROWS: set the address, the latest revision, and which revisions have traffic and tags. $serving is the
# one with most traffic besides the candidate, unless the candidate has all.
parse_traffic() {
    local target percent tag tag_url most=0
    candidate_revision='' candidate_url='' candidate_percent=0 rejected_revision='' serving=''
    IFS='|' read -r _ _ _ _ url revision _ <<<"$1"
    while IFS='|' read -r target percent tag tag_url _; do
        [ "$tag" != candidate ] || candidate_revision=$target candidate_url=$tag_url
        [ "$tag" != rejected ] || rejected_revision=$target
    done <<<"$1"
    while IFS='|' read -r target percent _; do
        if [[ -n $target && $target = "$candidate_revision" ]]; then
            candidate_percent=$((candidate_percent + ${percent:-0}))
        elif [ "${percent:-0}" -gt "$most" ]; then
            serving=$target most=$percent
        fi
    done <<<"$1"
    [ "$candidate_percent" -lt 100 ] || serving=$candidate_revision
}

read_serving() { :; } # parse_function has read it.

# Set $command to the command that deploys.
set_deploy_command() {
    command=(
        gcloud run deploy "$name" "${location[@]}" --quiet --source "$source" --function run
        --base-image "python$python" --memory "$memory" --cpu "$cpu" --cpu-boost --concurrency "$concurrency"
        --timeout "$timeout" --min "$min_instances" --max-instances "$max_instances"
        --ingress "$(run_ingress)" ${build_service_account:+--build-service-account="$build_service_account"}
        --service-account "$service_account" --update-env-vars "^|^$(environment_variables)"
    )
    [ -z "$serving" ] || command+=(--no-traffic --tag candidate)
    # A candidate does not change who may call the revision that serves.
    [ -n "$candidate" ] || command+=(--no-allow-unauthenticated "--${public:+no-}invoker-iam-check")
}

# Read what the command has printed, and delete the revisions that the new one replaces without having served.
read_deployment() {
    local serving=$serving unproven=$rejected_revision
    [ "$candidate_percent" -gt 0 ] || unproven+=" $candidate_revision"
    [ -z "$rejected_revision" ] || set_tags --remove-tags rejected
    parse_traffic "$(cat "$scratch/deployed")"
    test_url=${candidate_url:-$url}
    for unproven in $unproven; do
        change gcloud run revisions delete "$unproven" "${location[@]}" --quiet ||
            info "Could not delete the revision $unproven, which has never served: $(reason)"
    done
}

serve_new_revision() {
    [ -n "$serving" ] || return 0
    [ -z "$dry_run" ] || revision=NEW-REVISION
    send_traffic_to "$revision" 100 --remove-tags candidate
}

# withdraw_revision: mark the new revision as rejected, and set $outcome.
withdraw_revision() {
    set_tags --remove-tags candidate --update-tags "rejected=$revision"
    outcome="$serving is still serving"
}

set_tags() {
    change gcloud run services update-traffic "$name" "${location[@]}" "$@" --quiet ||
        fail "cannot change the traffic tags of $name: $(reason)" "$(next_step)"
}

print_candidate_status() {
    [ -z "$candidate_revision" ] ||
        info "  candidate   $candidate_revision, with $candidate_percent % of the requests, $candidate_url"
    [ -z "$rejected_revision" ] || info "  rejected    $rejected_revision, with no requests"
}

delete_service() { change gcloud run services delete "$name" "${location[@]}" --quiet; }
