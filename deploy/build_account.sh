# shellcheck shell=bash
# The service account that builds, and the roles that it needs.

# Roles with which an account can build: one of BUILDER_ROLES, or one of each word of BUILD_ROLES.
BUILDER_ROLES='cloudbuild.builds.builder|run.builder|editor|owner'
BUILD_ROLES='logging.logWriter|logging.admin'
BUILD_ROLES+=' artifactregistry.writer|artifactregistry.repoAdmin|artifactregistry.admin'
BUILD_ROLES+=' storage.objectViewer|storage.objectUser|storage.objectAdmin|storage.admin'

# Check that the account that builds has the roles. They can also come from a folder, the organization, a group, a
# bucket or a repository: the deployment is refused only if it is certain that the account has none.
check_build_account() {
    [[ -z $deployed_state || -n $build_service_account ]] || return 0
    local bindings inherited granted lacking certain=''
    read_build_account || { info "Cannot check which account builds: $(reason); continuing." && return; }
    bindings=$(result members) || { info "Cannot check whether $build_account can build; continuing." && return; }
    ! can_build || return 0
    if inherited=$(gcloud projects get-ancestors-iam-policy "$project" --flatten 'policy.bindings[].members' \
        --format 'value(policy.bindings)' 2>"$log"); then
        bindings=$inherited certain=yes
        ! can_build || return 0
    fi
    if [[ -z $certain || -n $granted ]] || group_can_build; then
        info "The build's service account $build_account may lack ${lacking% }; continuing. If the build fails:" \
            "  $(grant_build_role)"
    else
        problem "the build's service account lacks the role to build: $build_account" "$(grant_build_role)"
    fi
}

# Read which account builds. Cloud Build has none before it is enabled: then it becomes that of Compute Engine.
read_build_account() {
    build_account=${build_service_account:-$deployed_build_account} && build_account=${build_account##*/}
    [ -z "$build_account" ] || return 0
    build_account=$(gcloud builds get-default-service-account --region "$region" --project "$project" 2>"$log") ||
        grep -q 'has not been used' "$log" || return 1
    : "${build_account:=$project_number-compute@developer.gserviceaccount.com}"
}

# Succeed if $bindings grant the account the roles to build; otherwise set $granted to those roles of the account that
# may have to do with builds, and $lacking to those that are missing.
can_build() {
    local alternatives roles
    roles=$(grep -F "members=serviceAccount:$build_account;" <<<"$bindings" | sed 's/.*role=//')
    lacking=''
    ! grep -qE "^roles/($BUILDER_ROLES)$" <<<"$roles" || return 0
    for alternatives in $BUILD_ROLES; do
        grep -qE "^roles/($alternatives)$" <<<"$roles" || lacking+="roles/${alternatives%%|*} "
    done
    granted=$(grep -E "^(projects|organizations)/|^roles/(${BUILD_ROLES// /|})$" <<<"$roles") || granted=''
    [ -z "$lacking" ]
}

# Succeed if $bindings grant such roles to a group or another set of accounts.
group_can_build() {
    local roles="roles/($BUILDER_ROLES|${BUILD_ROLES// /|})$|(projects|organizations)/"
    grep -qE "members=(group|domain|principalSet|allAuthenticatedUsers)[^;]*;role=($roles)" <<<"$bindings"
}

# Print the command that lets the account build.
grant_build_role() {
    echo "gcloud projects add-iam-policy-binding $project --member serviceAccount:$build_account" \
        "--role roles/cloudbuild.builds.builder"
}
