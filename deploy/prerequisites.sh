# shellcheck shell=bash
# What deploy.sh looks at before it deploys. Each check says what is missing and what to do about it, and goes on to
# the next, so that all of it can be put right at once.

APIS="run cloudfunctions cloudbuild artifactregistry storage"
ALLOWED='^(main\.py|requirements\.txt|model/((gcs|image|serving|tflite)/)?[a-z_]+\.py|model/weights/[^/]+\.tflite|client/web/[^./][^/]*)$'
# What whoever deploys must be allowed to do, and the role that allows it.
PERMISSIONS="cloudfunctions.functions.create=roles/cloudfunctions.developer
cloudfunctions.functions.update=roles/cloudfunctions.developer
cloudfunctions.functions.sourceCodeSet=roles/cloudfunctions.developer
run.services.setIamPolicy=roles/run.admin
run.services.update=roles/run.admin
run.routes.invoke=roles/run.invoker
iam.serviceAccounts.actAs=roles/iam.serviceAccountUser
iam.serviceAccounts.create=roles/iam.serviceAccountCreator"

# problem WHAT NEXT...: say what is wrong and what to do about it, and go on.
problem() {
    printf 'deploy.sh: %s\n' "$1" >&2
    printf '  next: %s\n' "${@:2}" >&2
    problems=yes
}

# ask NAME COMMAND: run in the background what need not be waited for: each gcloud takes a second, and there are many.
ask() {
    { ("${@:2}") >"$scratch/$1" 2>"$scratch/$1.err" && echo 0 || echo 1; } >"$scratch/$1.code" &
}

# answer NAME: print what was asked, once all of it is there; fails where the command failed.
answer() {
    cp "$scratch/$1.err" "$log"
    cat "$scratch/$1"
    return "$(cat "$scratch/$1.code")"
}

ask_function() {
    ask function gcloud functions describe "$name" --gen2 "${where[@]}" --format "value[separator='|']($FIELDS)"
}

look() {
    problems=''
    ask upload gcloud meta list-files-for-upload .
    ask project gcloud projects describe "$project" --format 'value(projectNumber)'
    ask billing gcloud billing projects describe "$project" --format 'value(billingEnabled)'
    ask apis gcloud services list --enabled --project "$project" --format 'value(config.name)'
    ask_function
    ask own_account gcloud iam service-accounts describe "$own_account" --project "$project"
    ask members gcloud projects get-iam-policy "$project" --flatten 'bindings[].members' --format 'value(bindings)'
    wait
    check_upload
    check_requirements
    check_client
    check_project
    check_apis
    read_function
    settle
    look_at_events
    check_account
    check_roles
    [ -n "$was_state" ] || check_builder
    check_model
    [ -z "$problems" ] || exit 1
}

check_upload() {
    local mend="git checkout .gcloudignore" stray
    upload=$(answer upload) || fail "gcloud cannot tell what would travel: $(why)" "$mend"
    stray=$(grep -Ev "$ALLOWED" <<<"$upload" || true)
    [ -z "$stray" ] || problem "these files would travel and should not: ${stray//$'\n'/, }" "$mend"
    grep -qx main.py <<<"$upload" || problem "main.py would not travel" "$mend"
}

check_requirements() {
    local line pinned
    while read -r line; do
        line=${line%%[;#]*} && line=${line// /}
        [ -n "$line" ] || continue
        pinned=$(tr '[:upper:]._' '[:lower:]--' <<<"${line%%==*}")==${line#*==}
        grep -q "^$pinned " requirements.txt ||
            problem "requirements.txt is not made from requirements.in: it has no $pinned" "make lock"
    done <requirements.in
}

check_client() {
    python_here=${VIRTUAL_ENV:-.venv}/bin/python
    [ -x "$python_here" ] || python_here=$(command -v python3) || fail "Python is missing" "https://www.python.org"
    "$python_here" -c 'import client' 2>/dev/null && return
    say "Setting up the client in .venv, to try the function with."
    "$python_here" -m venv .venv && python_here=.venv/bin/python
    "$python_here" -m pip install --quiet --require-hashes -r client/requirements.txt ||
        fail "the client cannot be set up" "make demo"
}

check_project() {
    local billing link="$console/billing/linkedaccount?project=$project"
    number=$(answer project) || fail "there is no project $project that you may see: $(why)" "gcloud projects list"
    billing=$(answer billing) || say "Whether $project has billing cannot be seen from here; going on."
    [ "${billing:-True}" = True ] || problem "$project has no billing account, and a function needs one" "$link"
}

check_apis() {
    local enabled api missing=() role=roles/serviceusage.serviceUsageAdmin
    enabled=$(answer apis) || { problem "cannot see which APIs are enabled: $(why)" "ask for $role" && return; }
    for api in $APIS; do
        grep -qx "$api.googleapis.com" <<<"$enabled" || missing+=("$api.googleapis.com")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    local enable=(gcloud services enable "${missing[@]}" --project "$project")
    if ! agreed "$project lacks these APIs: ${missing[*]}. Enable them?"; then
        problem "$project lacks these APIs: ${missing[*]}" "run this again with --yes, or: ${enable[*]}"
    else
        change "${enable[@]}" 2>"$log" || problem "the APIs cannot be enabled: $(why)" "ask for $role"
    fi
}

# Read what is deployed; all is empty where nothing is.
read_function() {
    local found
    found=$(answer function) || grep -qiE 'not found|has not been used' "$log" ||
        fail "cannot see whether $name is deployed: $(why)" "$(next_step)"
    IFS='|' read -r was_state was_runtime was_memory was_cpu was_concurrency was_min was_max was_timeout \
        was_latest was_account was_model was_photos was_masks url revision <<<"$found"
    [ -z "$photos$was_photos" ] || PERMISSIONS+=$'\n'$EVENT_PERMISSIONS
}

# Settle each setting: what is asked for, or else what is deployed, or else the default.
settle() {
    : "${python:=${was_runtime#python}}" "${python:=311}" "${memory:=${was_memory:-1Gi}}" "${cpu:=${was_cpu:-1}}"
    : "${concurrency:=${was_concurrency:-8}}" "${timeout:=${was_timeout:-60}}" "${model:=$was_model}"
    : "${min_instances:=${was_min:-0}}" "${max_instances:=${was_max:-10}}"
    : "${service_account:=${was_account:-$own_account}}"
    : "${photos:=${was_photos:+gs://$was_photos}}" "${masks:=${was_masks:+gs://$was_masks}}"
    [[ $python = 31[123] ]] || problem "--python $python: there is no such runtime" "--python 311, 312 or 313"
    [[ $cpu =~ ^[0-9]*\.?[0-9]+$ ]] || fail "--cpu $cpu is not a number" "--cpu 1, 2 or 0.5, for example"
    interpreters=${cpu%%.*}
    [ "${interpreters:-0}" -ge 1 ] || interpreters=1
    [[ $cpu != 0* && $cpu != .* || $concurrency = 1 ]] ||
        problem "less than one CPU takes one call at a time" "add --concurrency 1, or --cpu 1"
}

check_account() {
    account_exists=yes
    if [ "$service_account" = "$own_account" ]; then
        answer own_account >/dev/null || account_exists=''
    else
        gcloud iam service-accounts describe "$service_account" --project "$project" >/dev/null 2>"$log" ||
            problem "there is no service account $service_account: $(why)" \
                "gcloud iam service-accounts list --project $project"
    fi
}

check_roles() {
    local api=${CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER:-https://cloudresourcemanager.googleapis.com/}
    local pair asked='' granted lacking='' makes_accounts=yes
    [[ -n $account_exists && (-z $photos || -n $events_account_exists) ]] && makes_accounts=''
    for pair in $PERMISSIONS; do asked+="\"${pair%=*}\","; done
    # gcloud has no command for this question. The token goes through standard input, where no other user sees it.
    granted=$(curl --silent --show-error --fail --header @- --header 'Content-Type: application/json' \
        --data "{\"permissions\": [${asked%,}]}" "${api}v1/projects/$project:testIamPermissions" \
        <<<"Authorization: Bearer $token" 2>"$log") ||
        { say "What you may do in $project cannot be seen from here; going on." && return; }
    for pair in $PERMISSIONS; do
        [[ -z $makes_accounts && $pair = iam.serviceAccounts.create=* ]] && continue
        [[ $granted = *"\"${pair%=*}\""* ]] || lacking+="${pair#*=} "
    done
    [ -z "$lacking" ] || problem "you lack roles in $project: $(tr ' ' '\n' <<<"$lacking" | sort -u | xargs)" \
        "ask an owner, for each: gcloud projects add-iam-policy-binding $project --member user:YOU --role ROLE"
}

check_builder() {
    local builder=serviceAccount:$number-compute@developer.gserviceaccount.com members
    members=$(answer members) || return 0
    grep -F "$builder" <<<"$members" | grep -qE 'roles/(cloudbuild.builds.builder|editor|owner)' ||
        problem "the account that builds may not, as in most new projects" \
            "gcloud projects add-iam-policy-binding $project --member $builder --role roles/cloudbuild.builds.builder"
}

check_model() {
    source=. bucket=''
    case $model in
        '') ;;
        gs://*/*)
            bucket=${model#gs://} && bucket=gs://${bucket%%/*}
            gcloud storage objects describe "$model" >/dev/null 2>"$log" ||
                problem "cannot see the model $model: $(why)" "gcloud storage ls --all-versions ${model%#*}"
            [[ $model = *#* ]] || say "$model names no generation: whatever is there when an instance starts is used."
            ;;
        model/weights/*.tflite)
            grep -qxF "$model" <<<"$upload" || problem "the model $model is not here" "name another with --model"
            ;;
        *.tflite)
            [[ $model = /* ]] || model=$here/$model
            if [ -f "$model" ]; then stage_model; else problem "there is no file $model" "ls $(dirname "$model")"; fi
            ;;
        *) problem "--model $model is no model" "gs://bucket/model.tflite#GENERATION, or the path of a .tflite file" ;;
    esac
}

# Copy what travels to a folder of its own, with the chosen model as the only one.
stage_model() {
    local file
    source=$scratch/source
    while read -r file; do
        mkdir -p "$source/$(dirname "$file")" && cp "$file" "$source/$file"
    done <<<"$upload"
    rm -f "$source"/model/weights/*.tflite
    cp "$model" "$source/model/weights/" && cp .gcloudignore "$source"
    model=model/weights/$(basename "$model")
}
