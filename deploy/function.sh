# shellcheck shell=bash
# The deployed function: how it is described, deployed, tested, rolled back and deleted.

# The fields of a function that are read, in the order of the variables in read_function.
FIELDS=state,buildConfig.runtime,serviceConfig.availableMemory,serviceConfig.availableCpu
FIELDS+=,serviceConfig.maxInstanceRequestConcurrency,serviceConfig.minInstanceCount,serviceConfig.maxInstanceCount
FIELDS+=,serviceConfig.timeoutSeconds,serviceConfig.allTrafficOnLatestRevision,serviceConfig.serviceAccountEmail
FIELDS+=,serviceConfig.environmentVariables.MODEL_URI,serviceConfig.environmentVariables.PHOTO_BUCKETS
FIELDS+=,serviceConfig.environmentVariables.MASK_BUCKET,serviceConfig.uri,serviceConfig.revision

query_function() {
    query function gcloud functions describe "$name" --gen2 "${location[@]}" --format "value[separator='|']($FIELDS)"
}

# Read the deployed function; all variables are empty if there is none.
read_function() {
    local fields
    fields=$(result function) || grep -qiE 'not found|has not been used' "$log" ||
        fail "cannot check whether $name is deployed: $(reason)" "$(next_step)"
    IFS='|' read -r deployed_state deployed_runtime deployed_memory deployed_cpu deployed_concurrency \
        deployed_min_instances deployed_max_instances deployed_timeout serves_latest deployed_account deployed_model \
        deployed_photos deployed_masks url revision <<<"$fields"
    [ -z "$photos$deployed_photos" ] || PERMISSIONS+=$'\n'$BUCKET_PERMISSIONS
}

# Read which revision serves: the latest one, except after a rollback.
read_serving() {
    serving=$revision
    [ "$serves_latest" = False ] || return 0
    serving=$(gcloud run services describe "$name" "${location[@]}" \
        --format 'value(status.traffic[0].revisionName)' 2>"$log") ||
        fail "cannot check which revision of $name is serving: $(reason)" "$(next_step)"
}

describe_function() {
    query_function
    wait
    read_function
    read_serving
}

# Print the revisions that are ready, newest first.
list_revisions() {
    gcloud run revisions list --service "$name" "${location[@]}" --format 'value(metadata.name)' \
        --filter 'status.conditions[0].status=True' --sort-by '~metadata.creationTimestamp'
}

# Create the function's own account, and let it read the model's bucket.
create_account() {
    [ -n "$account_exists" ] ||
        change gcloud iam service-accounts create "${own_account%@*}" --project "$project" ||
        fail "cannot create the service account: $(reason)" "ask an owner for roles/iam.serviceAccountCreator"
    [[ -n $model_bucket && $model != "$deployed_model" ]] || return 0
    change gcloud storage buckets add-iam-policy-binding "$model_bucket" \
        --member "serviceAccount:$service_account" --role roles/storage.objectViewer ||
        fail "cannot grant $service_account access to $model_bucket: $(reason)" \
            "ask the bucket's owner for roles/storage.admin on it"
}

deploy_function() {
    local access=--no-allow-unauthenticated
    [ -z "$public" ] || access=--allow-unauthenticated
    local command=(
        gcloud functions deploy "$name" --gen2 "${location[@]}" --quiet --runtime "python$python" --source "$source"
        --entry-point run --trigger-http "$access" --memory "$memory" --cpu "$cpu" --concurrency "$concurrency"
        --timeout "$timeout" --min-instances "$min_instances" --max-instances "$max_instances"
        --service-account "$service_account" --update-env-vars "^|^$(environment_variables)"
        --format 'value(serviceConfig.uri,serviceConfig.revision)'
        --serve-all-traffic-latest-revision # Otherwise no request reaches a deployment after a rollback.
    )
    if [ -n "$dry_run" ]; then change "${command[@]}" && return; fi
    read_serving
    info "Deploying $name to $project in $region. This takes two to three minutes."
    run_deployment "${command[@]}" || fail_deployment
    read -r url revision <"$scratch/deployed"
}

# Print the function's environment variables, separated by |.
environment_variables() {
    local interpreters=${cpu%%.*}
    [ "${interpreters:-0}" -ge 1 ] || interpreters=1
    printf 'THREADS=%s|INTERPRETERS=%s|GOOGLE_CLOUD_PROJECT=%s' "$concurrency" "$interpreters" "$project"
    [ -z "$model" ] || printf '|MODEL_URI=%s' "$model"
    [ -z "$photos" ] || printf '|PHOTO_BUCKETS=%s|MASK_BUCKET=%s' "${photos#gs://}" "${masks#gs://}"
}

run_deployment() {
    "$@" 2>&1 >"$scratch/deployed" | tee "$log" >&2 && return
    [ -z "$account_exists" ] && grep -q "$service_account.*not exist" "$log" || return 1
    wait_for_propagation "The new service account"
    account_exists=yes && run_deployment "$@"
}

# Print why the deployment failed and what serves now, and exit.
fail_deployment() {
    local old_revision=$revision old_serving=$serving message next
    message="the deployment failed: $(reason)" next=$(next_step)
    describe_function
    if [ -z "$url" ]; then
        info "No revision is serving." >&2
    elif [ "$revision" = "$old_revision" ]; then
        info "$old_serving is still serving." >&2
    else
        info "The new revision $revision is serving, but who may call it could not be changed." >&2
    fi
    fail "$message" "$next"
}

smoke_test() {
    info "Testing $url with client/web/sample.jpg."
    "$python_here" -m client client/web/sample.jpg --url "$url" --auth gcloud --out "$scratch/mask.png" --quiet
}

# After a failed test, send traffic back to the revision that served before, and exit.
undo_deployment() {
    [ -n "$serving" ] ||
        fail "$name is deployed, but returns no mask" "$logs_command" "to delete it: $this_command --delete"
    send_traffic_to "$serving"
    fail "the new revision $revision returns no mask; $serving is serving again" "$logs_command"
}

send_traffic_to() {
    change gcloud run services update-traffic "$name" "${location[@]}" --to-revisions "$1=100" --quiet ||
        fail "cannot send traffic to $1: $(reason)" "$(next_step)"
}

print_status() {
    describe_function
    [ -n "$deployed_state" ] ||
        fail "$name is not deployed to $project in $region" "./deploy.sh --project $project"
    info "$name in $project, $region: $deployed_state" "  address     ${url:-none}"
    [ -z "$url" ] ||
        info "  serving     $serving" "  revisions   $(list_revisions | xargs)" "Latest revision, $revision:"
    info "  model       ${deployed_model:-the bundled model}" \
        "  runtime     $deployed_runtime" \
        "  account     $deployed_account" \
        "  instances   ${deployed_min_instances:-0} to ${deployed_max_instances:-100}" \
        "  each        $deployed_cpu CPU, $deployed_memory, at most $deployed_concurrency concurrent requests"
    print_bucket_status
}

roll_back() {
    local previous
    describe_function
    previous=$(list_revisions | grep -A1 -x "$serving" | sed -n 2p) || true
    [ -n "$previous" ] || fail "there is no revision before ${serving:-the first}" "$this_command --status"
    send_traffic_to "$previous"
    [ -z "$dry_run" ] || return 0
    smoke_test || fail "$previous is serving again, but returns no mask" \
        "to go back one more revision: $this_command --rollback" "$logs_command"
    info "$previous is serving again. The next deployment replaces it."
}

delete_function() {
    confirm "Delete $name in $project, $region, and its service account?" || fail "nothing was deleted" "add --yes"
    delete_trigger_resources
    change gcloud functions delete "$name" --gen2 "${location[@]}" --quiet ||
        fail "cannot delete $name: $(reason)" "$(next_step)"
    delete_resource "$own_account" gcloud iam service-accounts delete "$own_account"
    [ -n "$dry_run" ] ||
        info "$name is deleted. What remains costs a few cents a month: buckets gcf-v2-*, repository gcf-artifacts."
}
