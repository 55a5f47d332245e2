# shellcheck shell=bash
# Organization policies that forbid a deployment. Those that the user may read are checked before anything is changed;
# the others are named when a command fails.

POLICIES="iam.disableServiceAccountCreation cloudfunctions.allowedIngressSettings run.allowedIngress"
POLICIES+=" gcp.resourceLocations"

query_policies() {
    local constraint
    for constraint in $POLICIES; do
        query "$constraint" post cloudresourcemanager "v1/projects/$project:getEffectiveOrgPolicy" \
            "{\"constraint\": \"constraints/$constraint\"}"
    done
}

check_policies() {
    ! creates_accounts || check_policy iam.disableServiceAccountCreation account "creating service accounts" \
        "or use an account that exists: --service-account A"
    check_policy run.allowedIngress "$(run_ingress)" "--ingress $ingress"
    [ "$SERVICE" = run ] ||
        check_policy cloudfunctions.allowedIngressSettings "ALLOW_$(tr '[:lower:]-' '[:upper:]_' <<<"$ingress")" \
        "--ingress $ingress"
    check_policy gcp.resourceLocations "$region" "resources in $region"
}

# check_policy CONSTRAINT VALUE DESCRIPTION NEXT_STEP...: report a policy that certainly forbids a value.
check_policy() {
    forbids "$1" "$2" || return 0
    echo "constraints/$1" >"$log"
    problem "the organization policy $1 forbids $3" "$(policy_step)" "${@:4}"
}

# forbids CONSTRAINT VALUE: succeed if a policy can be read and forbids a value, or is enforced. Groups of locations,
# such as in:eu-locations, may contain any region.
forbids() {
    local policy allowed denied
    policy=$(result "$1" | tr -d ' \n"' | sed 's/-locations//g') || return 1
    [[ $policy != *allValues:DENY* && $policy != *enforced:true* ]] || return 0
    allowed=$(sed -nE 's/.*allowedValues:\[([^]]*)\].*/\1/p' <<<"$policy")
    denied=$(sed -nE 's/.*deniedValues:\[([^]]*)\].*/\1/p' <<<"$policy")
    [[ ,$denied, != *[,:]"$2",* ]] || return 0
    [[ -n $allowed && ,$allowed, != *[,:]"$2",* ]] || return 1
    [ "$1" != gcp.resourceLocations ] || ! tr , '\n' <<<"$allowed" | grep -qvE '[0-9](-[a-z])?$'
}

# Print the next step if an organization policy forbids what the last command attempted. Fail if none does.
policy_step() {
    local constraint policies="gcloud resource-manager org-policies"
    constraint=$(grep -oEm1 'constraints/[A-Za-z.]+[A-Za-z]' "$log") || constraint=''
    local exempt="ask an organization policy administrator to exempt $project from ${constraint:-the policy}"
    case $constraint$(reason) in
        *isableServiceAccountCreation* | *"ervice account creation is not allowed"*) info "$exempt" ;;
        *allowedIngress*) info "use --ingress internal-only or internal-and-gclb, or $exempt" ;;
        *resourceLocations*)
            info "use --region with an allowed region: $policies describe ${constraint#*/} --effective --project $project"
            ;;
        *equireVPCConnector* | *llowedV[pP][cC]*)
            info "connect the function to a network: -- --vpc-connector CONNECTOR --egress-settings all"
            ;;
        *requireInvokerIam* | *allowedPolicyMember* | *"permitted customer"*)
            info "deploy without --public, and grant roles/run.invoker to those who call it; or $exempt"
            ;;
        constraints/*) info "$exempt" ;;
        *) return 1 ;;
    esac
}
