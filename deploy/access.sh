# shellcheck shell=bash
# Who can call the function: callers with a role or everyone (--public), and from where (--ingress).

# Complete and check --ingress, which also accepts Cloud Run's names of the values.
complete_ingress() {
    ingress=$(function_ingress "${ingress:-${deployed_ingress:-all}}")
    [[ $ingress =~ ^(all|internal-only|internal-and-gclb)$ ]] ||
        problem "--ingress $ingress does not exist" "use --ingress all, internal-only or internal-and-gclb"
}

# function_ingress VALUE: print Cloud Functions' name of a value of --ingress. run_ingress prints Cloud Run's.
function_ingress() { sed 's/^internal$/internal-only/; s/-cloud-load-balancing/-gclb/' <<<"$1"; }

run_ingress() { sed 's/-only$//; s/-gclb$/-cloud-load-balancing/' <<<"$ingress"; }

# Succeed if requests from this machine reach the function.
is_reachable() { [ "${ingress:-${deployed_ingress:-all}}" = all ]; }

# Let everyone call the function where the organization forbids granting everyone a role, which is the last step of
# `gcloud functions deploy`: the service no longer checks the role. Fail if the deployment failed for another reason.
disable_role_check() {
    [ -n "$public" ] && grep -qE 'permitted customer|allowedPolicyMember' "$log" || return 1
    info "The organization forbids granting a role to everyone. Instead, the check of the role is disabled."
    change gcloud run services update "$name" "${location[@]}" --no-invoker-iam-check --quiet || return 1
    gcloud functions describe "$name" --gen2 "${location[@]}" \
        --format 'value(serviceConfig.uri,serviceConfig.revision)' >"$scratch/deployed" 2>"$log"
}

# Check the role of callers again if an earlier deployment with --public disabled the check.
enable_role_check() {
    local disabled
    disabled=$(gcloud run services describe "$name" "${location[@]}" \
        --format 'value(metadata.annotations."run.googleapis.com/invoker-iam-disabled")' 2>"$log") ||
        grep -qi 'cannot find service' "$log" || # The function has never been deployed successfully.
        fail "cannot check whether everyone can call $name: $(reason)" "$(next_step)"
    [[ $disabled = [Tt]rue ]] || return 0
    change gcloud run services update "$name" "${location[@]}" --invoker-iam-check --quiet ||
        fail "$name is deployed, but everyone can still call it: $(reason)" "$(next_step)"
}
