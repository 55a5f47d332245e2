# shellcheck shell=bash
# Prerequisites of a deployment. Each check reports a problem with its next step and continues, so that one run lists
# every missing prerequisite.

check_prerequisites() {
    problems=''
    start_queries
    wait
    check_upload
    check_requirements
    check_client
    check_project
    check_apis
    read_function
    read_serving
    complete_settings
    check_settings
    check_bucket_prerequisites
    check_candidate
    check_account
    check_policies
    check_permissions
    check_build_account
    check_model
    [ -z "$problems" ] || exit 1
}

start_queries() {
    query upload gcloud meta list-files-for-upload .
    query project gcloud projects describe "$project" --format 'value(projectNumber)'
    query billing gcloud billing projects describe "$project" --format 'value(billingEnabled)'
    query apis gcloud services list --enabled --project "$project" --format 'value(config.name)'
    query_function
    query cleanup gcloud artifacts repositories list-cleanup-policies "$REPOSITORY" --location "$region" \
        --project "$project" --format 'value(name)'
    query_policies
    query members gcloud projects get-iam-policy "$project" --flatten 'bindings[].members' --format 'value(bindings)'
}

check_gcloud() {
    command -v gcloud >/dev/null || fail "gcloud is not installed" "https://cloud.google.com/sdk/docs/install"
    token=$(gcloud auth print-access-token 2>"$log") || fail "gcloud is not logged in: $(reason)" "gcloud auth login"
}

# Check that requirements.txt locks every version that requirements.in pins.
check_requirements() {
    local line requirement
    while read -r line; do
        line=${line%%[;#]*} && line=${line// /}
        [ -n "$line" ] || continue
        requirement=$(tr '[:upper:]._' '[:lower:]--' <<<"${line%%==*}")==${line#*==}
        grep -q "^$requirement " requirements.txt ||
            problem "requirements.txt is out of date: it lacks $requirement of requirements.in" "make lock"
    done <requirements.in
}

# Find a Python that can import the client, which tests the deployed function; install the client if there is none.
check_client() {
    python_here=${VIRTUAL_ENV:-.venv}/bin/python
    [ -x "$python_here" ] || python_here=$(command -v python3) ||
        fail "Python is not installed" "https://www.python.org"
    "$python_here" -c 'import client' 2>/dev/null && return
    info "Installing the client in .venv, to test the function with."
    "$python_here" -m venv .venv && python_here=.venv/bin/python
    "$python_here" -m pip install --quiet --require-hashes -r client/requirements.txt ||
        fail "cannot install the client" "make demo"
}

check_project() {
    local billing
    project_number=$(result project) || fail "cannot access the project $project: $(reason)" "gcloud projects list"
    billing=$(result billing) || info "Cannot check whether $project has billing enabled; continuing."
    [ "${billing:-True}" = True ] || problem "$project has no billing account, which a function requires" \
        "$CONSOLE/billing/linkedaccount?project=$project"
}

check_apis() {
    local enabled api missing=() role=roles/serviceusage.serviceUsageAdmin
    enabled=$(result apis) ||
        { problem "cannot list the enabled APIs: $(reason)" "ask an owner of $project for $role" && return; }
    for api in $APIS; do
        grep -qx "$api.googleapis.com" <<<"$enabled" || missing+=("$api.googleapis.com")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local enable=(gcloud services enable "${missing[@]}" --project "$project")
    if ! confirm "These APIs are not enabled in $project: ${missing[*]}. Enable them?"; then
        problem "these APIs are not enabled in $project: ${missing[*]}" "run this again with --yes, or: ${enable[*]}"
    else
        change "${enable[@]}" || problem "cannot enable the APIs: $(reason)" "ask an owner of $project for $role"
    fi
}

# Check that the service accounts exist; the function's own account is created if it does not.
check_account() {
    account_exists=yes
    if [ "$service_account" != "$own_account" ]; then
        check_account_exists "$service_account"
    elif ! find_account "$service_account"; then
        account_exists=''
    fi
    [ -z "$build_service_account" ] || check_account_exists "${build_service_account##*/}"
}

find_account() { gcloud iam service-accounts describe "$1" --project "$project" >/dev/null 2>"$log"; }

check_account_exists() {
    find_account "$1" ||
        problem "cannot find the service account $1: $(reason)" "gcloud iam service-accounts list --project $project"
}

creates_accounts() { [[ -z $account_exists || (-n $photos && -z $events_account_exists) ]]; }

check_permissions() {
    local pair granted lacking='' permissions
    permissions=$(cut -d= -f1 <<<"$PERMISSIONS")
    granted=$(test_permissions cloudresourcemanager "v1/projects/$project" "$permissions") ||
        { info "Cannot check your permissions in $project; continuing." && return; }
    for pair in $PERMISSIONS; do
        [[ $pair = iam.serviceAccounts.create=* ]] && ! creates_accounts && continue
        [[ $granted != *"\"${pair%=*}\""* ]] || continue
        if [[ $pair != iam.serviceAccounts.actAs=* ]] || ! check_act_as; then lacking+="${pair#*=} "; fi
    done
    [ -z "$lacking" ] || problem "you lack these roles in $project: $(tr ' ' '\n' <<<"$lacking" | sort -u | xargs)" \
        "ask an owner, for each role: gcloud projects add-iam-policy-binding $project --member user:YOU --role ROLE"
}

# Check that the user may act as each account, without the role in the project. Fail if one does not exist yet, because
# then only a role in the project helps.
check_act_as() {
    local account granted grant role=roles/iam.serviceAccountUser
    for account in "$service_account" ${photos:+"$events_account"} ${build_service_account##*/}; do
        granted=$(test_permissions iam "v1/projects/-/serviceAccounts/$account" iam.serviceAccounts.actAs) || return 1
        grant="gcloud iam service-accounts add-iam-policy-binding $account --member user:YOU --role $role"
        [[ $granted = *actAs* ]] || problem "you lack $role on the service account $account" "ask an owner: $grant"
    done
}

# test_permissions SERVICE RESOURCE PERMISSIONS: print, as JSON, those of the permissions that the user has on a
# resource.
test_permissions() {
    post "$1" "$2:testIamPermissions" "{\"permissions\": [\"$(xargs <<<"$3" | sed 's/ /", "/g')\"]}" 2>"$log"
}

# post SERVICE PATH JSON: send a request for which gcloud has no command. The token goes through standard input, because
# other users of this machine can read the arguments of a command.
post() {
    local override api
    override=CLOUDSDK_API_ENDPOINT_OVERRIDES_$(tr '[:lower:]' '[:upper:]' <<<"$1")
    api=${!override:-https://$1.googleapis.com/}
    curl --silent --show-error --fail --header @- --header 'Content-Type: application/json' --data "$3" "$api$2" \
        <<<"Authorization: Bearer $token"
}
