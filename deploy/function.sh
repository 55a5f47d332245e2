# shellcheck shell=bash
# The deployed function: how it is described, deployed, tested, rolled back and deleted. What differs between a Cloud
# Function and a Cloud Run service is in service_function.sh and service_run.sh.

candidate_revision='' candidate_url='' candidate_percent=0 rejected_revision='' # A function has no traffic tags.

# Read the deployed function; all variables are empty if there is none.
read_function() {
    local fields
    check_name
    fields=$(result function) || grep -qiE 'not found|cannot find service|has not been used' "$log" ||
        fail "cannot check whether $name is deployed: $(reason)" "$(next_step)"
    parse_function "$fields"
    keep_name own_account "$deployed_account" "$(legacy_account runtime)"
    [ -z "$photos$deployed_photos" ] || PERMISSIONS+=$'\n'$BUCKET_PERMISSIONS
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

# Create the function's own account, and let it read the model's bucket. An account that was deleted and is created
# again has lost its roles.
create_account() {
    [ -n "$account_exists" ] ||
        change gcloud iam service-accounts create "${own_account%@*}" --project "$project" ||
        fail "cannot create the service account: $(reason)" \
            "$(policy_step || echo "ask an owner for roles/iam.serviceAccountCreator")" \
            "or use an account that exists: --service-account A"
    [[ -n $model_bucket && "$model $account_exists" != "$deployed_model yes" ]] || return 0
    change gcloud storage buckets add-iam-policy-binding "$model_bucket" \
        --member "serviceAccount:$service_account" --role roles/storage.objectViewer ||
        fail "cannot grant $service_account access to $model_bucket: $(reason)" \
            "ask the bucket's owner for roles/storage.admin on it"
}

deploy_function() {
    local command
    set_deploy_command
    command+=(${gcloud_flags[@]+"${gcloud_flags[@]}"})
    [[ -z $deployed_model || -n $model ]] || command+=(--remove-env-vars MODEL_URI)
    if [ -n "$dry_run" ]; then
        change "${command[@]}"
    else
        info "Deploying $name to $project in $region. This takes two to three minutes."
        run_deployment "${command[@]}" "${DEPLOYED[@]}" || disable_role_check || fail_deployment
        read_deployment
    fi
    [[ -n $public || -z $deployed_state || $SERVICE = run ]] || enable_role_check
}

# Print the function's environment variables, separated by |.
environment_variables() {
    local interpreters=${cpu%%.*}
    [ "${interpreters:-0}" -ge 1 ] || interpreters=1
    printf 'THREADS=%s|INTERPRETERS=%s|GOOGLE_CLOUD_PROJECT=%s' "$concurrency" "$interpreters" "$project"
    [ -z "$model" ] || printf '|MODEL_URI=%s' "$model"
    [ -z "$photos" ] || printf '|PHOTO_BUCKETS=%s|MASK_BUCKET=%s' "${photos#gs://}" "${masks#gs://}"
    printf %s "$variables"
}

run_deployment() {
    "$@" 2>&1 >"$scratch/deployed" | tee "$log" >&2 && return
    [ -z "$account_exists" ] && grep -q "$service_account.*not exist" "$log" || return 1
    wait_for_propagation "The new service account"
    account_exists=yes && run_deployment "$@"
}

# Print why the deployment failed and what serves now, and exit.
fail_deployment() {
    local old_serving=$serving message next
    message="the deployment failed: $(reason)" next=$(next_step)
    describe_function
    if [ -z "$serving" ]; then
        info "No revision is serving." >&2
    elif [ "$serving" = "$old_serving" ]; then
        info "$serving is still serving." >&2
    else
        info "The new revision $serving is serving, but who may call it could not be changed." >&2
    fi
    fail "$message" "$next"
}

# Print how to delete old images, unless the repository, which all functions of a region share, has a cleanup policy.
print_image_report() {
    [ -z "$(result cleanup)" ] || return 0
    local command="gcloud artifacts repositories set-cleanup-policies $REPOSITORY ${location[*]/--region/--location}"
    info "  images     each deployment adds one; to keep the last 30 days, and 10 of each function in $region:" \
        "             $command --policy deploy/image-cleanup.json"
}

smoke_test() {
    is_reachable || { info "Not tested: only its network reaches $test_url (--ingress)." && return; }
    info "Testing $test_url with client/web/sample.jpg."
    "$python_here" -m client client/web/sample.jpg --url "$test_url" --audience "$url" --auth gcloud \
        --out "$scratch/mask.png" --quiet
}

# After a failed test, see to it that the revision that served before serves, and exit.
undo_deployment() {
    [ -n "$serving" ] ||
        fail "$name is deployed, but returns no mask" "$logs_command" "to delete it: $this_command --delete"
    withdraw_revision
    fail "the new revision $revision returns no mask; $outcome" "$logs_command"
}

# send_traffic_to REVISION PERCENT FLAGS...: send a share of the requests to a revision.
send_traffic_to() {
    change gcloud run services update-traffic "$name" "${location[@]}" --to-revisions "$1=$2" "${@:3}" --quiet ||
        fail "cannot send traffic to $1: $(reason)" "$(next_step)"
}

print_status() {
    describe_function
    [ -n "$deployed_state" ] ||
        fail "$name is not deployed to $project in $region" "./deploy.sh --project $project"
    info "$name in $project, $region: $deployed_state" "  address     ${url:-none}"
    [ -z "$url" ] ||
        info "  serving     $serving" "  revisions   $(list_revisions | xargs)"
    print_candidate_status
    [ -z "$url" ] || info "Latest revision, $revision:"
    info "  model       ${deployed_model:-the bundled model}" \
        "  runtime     $deployed_runtime" \
        "  account     $deployed_account" \
        "  ingress     $deployed_ingress" \
        "  instances   ${deployed_min_instances:-0} to ${deployed_max_instances:-100}" \
        "  each        $deployed_cpu CPU, $deployed_memory, at most $deployed_concurrency concurrent requests"
    print_bucket_status
}

roll_back() {
    local previous
    describe_function
    if [ "$candidate_percent" -gt 0 ] && [ "$serving" != "$candidate_revision" ]; then
        previous=$serving
    else
        previous=$(list_revisions | grep -vxF -e "${candidate_revision:--}" -e "${rejected_revision:--}" |
            grep -A1 -x "$serving" | sed -n 2p) || true
    fi
    [ -n "$previous" ] || fail "there is no revision before ${serving:-the first}" "$this_command --status"
    send_traffic_to "$previous" 100
    [ -z "$dry_run" ] || return 0
    test_url=$url
    smoke_test || fail "$previous is serving again, but returns no mask" \
        "to go back one more revision: $this_command --rollback" "$logs_command"
    info "$previous is serving again. The next deployment replaces it."
}

delete_function() {
    confirm "Delete $name in $project, $region, and its service account?" || fail "nothing was deleted" "add --yes"
    query_function
    query_trigger
    query_neighbours
    wait
    read_function
    [ -z "$deployed_photos" ] || read_trigger
    read_neighbours
    delete_trigger_resources
    delete_service ||
        fail "cannot delete $name: $(reason)" "$(next_step)"
    is_used "$own_account" || delete_resource "$own_account" gcloud iam service-accounts delete "$own_account"
    [ -n "$dry_run" ] ||
        info "$name is deleted. What remains costs a few cents a month: $REMAINS."
}
