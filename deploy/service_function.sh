# shellcheck shell=bash
# A Cloud Function (--service function), which is a Cloud Run service that Cloud Functions manages. service_run.sh
# defines the same names for a Cloud Run service without it.

SERVICE=function
APIS="run cloudfunctions cloudbuild artifactregistry storage"
# PERMISSION=ROLE: what the user who deploys needs, and the role that grants it.
PERMISSIONS="cloudfunctions.functions.create=roles/cloudfunctions.developer
cloudfunctions.functions.update=roles/cloudfunctions.developer
cloudfunctions.functions.sourceCodeSet=roles/cloudfunctions.developer
run.services.setIamPolicy=roles/run.admin
run.services.update=roles/run.admin
run.routes.invoke=roles/run.invoker
iam.serviceAccounts.actAs=roles/iam.serviceAccountUser
iam.serviceAccounts.create=roles/iam.serviceAccountCreator"
LOGS="functions logs read --gen2"
REPOSITORY=gcf-artifacts
REMAINS="buckets gcf-v2-*, repository $REPOSITORY"

# How gcloud prints what it has deployed.
DEPLOYED=(--format 'value(serviceConfig.uri,serviceConfig.revision)')
# The fields of a function that are read, in the order of the variables in parse_function.
FIELDS=state,buildConfig.runtime,serviceConfig.availableMemory,serviceConfig.availableCpu
FIELDS+=,serviceConfig.maxInstanceRequestConcurrency,serviceConfig.minInstanceCount,serviceConfig.maxInstanceCount
FIELDS+=,serviceConfig.timeoutSeconds,serviceConfig.allTrafficOnLatestRevision,serviceConfig.serviceAccountEmail
FIELDS+=,serviceConfig.environmentVariables.MODEL_URI,serviceConfig.environmentVariables.PHOTO_BUCKETS
FIELDS+=,serviceConfig.environmentVariables.MASK_BUCKET,serviceConfig.uri,serviceConfig.revision
FIELDS+=,buildConfig.serviceAccount,serviceConfig.ingressSettings

query_function() {
    query function gcloud functions describe "$name" --gen2 "${location[@]}" --format "value[separator='|']($FIELDS)"
    query manager gcloud run services describe "$name" "${location[@]}" \
        --format "value[separator='|'](metadata.name,metadata.labels.goog-managed-by)"
}

# Fail if the name belongs to a Cloud Run service that is no function: deploying or deleting would replace it.
check_name() {
    [ "$(result manager)" != "$name|" ] || fail "$name in $project, $region is a Cloud Run service, not a function" \
        "add --service run, or choose another name with --name"
}

# parse_function FIELDS: set the variables of the deployed function.
parse_function() {
    IFS='|' read -r deployed_state deployed_runtime deployed_memory deployed_cpu deployed_concurrency \
        deployed_min_instances deployed_max_instances deployed_timeout serves_latest deployed_account deployed_model \
        deployed_photos deployed_masks url revision deployed_build_account deployed_ingress <<<"$1"
    deployed_ingress=$(tr '[:upper:]_' '[:lower:]-' <<<"${deployed_ingress#ALLOW_}")
}

# Read which revision serves: the latest one, except after a rollback.
read_serving() {
    serving=$revision
    [ "$serves_latest" = False ] || return 0
    serving=$(gcloud run services describe "$name" "${location[@]}" \
        --format 'value(status.traffic[0].revisionName)' 2>"$log") ||
        fail "cannot check which revision of $name is serving: $(reason)" "$(next_step)"
}

# Set $command to the command that deploys.
set_deploy_command() {
    local access=--no-allow-unauthenticated
    [ -z "$public" ] || access=--allow-unauthenticated
    command=(
        gcloud functions deploy "$name" --gen2 "${location[@]}" --quiet --runtime "python$python" --source "$source"
        --entry-point run --trigger-http "$access" --memory "$memory" --cpu "$cpu" --concurrency "$concurrency"
        --timeout "$timeout" --min-instances "$min_instances" --max-instances "$max_instances"
        --service-account "$service_account" --update-env-vars "^|^$(environment_variables)"
        --ingress-settings "$ingress" ${build_service_account:+--build-service-account="$build_service_account"}
        --serve-all-traffic-latest-revision # Otherwise no request reaches a deployment after a rollback.
    )
}

# Read what the command has printed.
read_deployment() { read -r url revision <"$scratch/deployed" && test_url=$url; }

# The new revision serves since it was deployed.
serve_new_revision() { :; }

# withdraw_revision: send traffic back to the revision that served before, and set $outcome.
withdraw_revision() {
    send_traffic_to "$serving" 100
    outcome="$serving is serving again"
}

print_candidate_status() { :; }

delete_service() { change gcloud functions delete "$name" --gen2 "${location[@]}" --quiet; }
