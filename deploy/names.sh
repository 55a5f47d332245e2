# shellcheck shell=bash
# The names of what is created for a function. They contain a checksum of project, region and name, because accounts and
# topics belong to the whole project, and an account's ID has at most 30 characters. Functions that version 0.1.0
# deployed keep its names, which functions in several regions or with long names may share.

set_names() {
    local checksum
    location=(--project "$project" --region "$region")
    this_command="./deploy.sh --project $project --region $region --name $name"
    [ "$SERVICE" = function ] || this_command+=" --service $SERVICE"
    logs_command="gcloud $LOGS $name ${location[*]}"
    read -r checksum _ < <(printf %s "$project/$region/$name" | cksum)
    printf -v checksum %08x "$checksum"
    own_account=$(unique_name 22)-runtime@$project.iam.gserviceaccount.com
    events_account=$(unique_name 22)-events@$project.iam.gserviceaccount.com
    trigger_name=$(unique_name 63)
    dead_letters=$(unique_name 72)-dead-letters
}

# unique_name LENGTH: print the function's name, shortened to fit, with the checksum.
unique_name() {
    local prefix=${name:0:$1-9}
    echo "${prefix%-}-$checksum"
}

# legacy_account SUFFIX: print the e-mail address that version 0.1.0 gave an account.
legacy_account() {
    local prefix=${name:0:29-${#1}}
    echo "${prefix%-}-$1@$project.iam.gserviceaccount.com"
}

# keep_name VARIABLE DEPLOYED LEGACY: keep the deployed name of a resource if it is the one that version 0.1.0 gave it.
keep_name() { [ "$2" != "$3" ] || printf -v "$1" %s "$2"; }

# Start the queries that show which accounts and topics others use.
query_neighbours() {
    query functions gcloud functions list --v2 --project "$project" --format \
        "value[separator='|'](name.segment(3),name.basename(),serviceConfig.serviceAccountEmail)"
    query services gcloud run services list --project "$project" --format \
        "value[separator='|'](region,metadata.name,spec.template.spec.serviceAccountName)"
    query triggers gcloud eventarc triggers list --location - --project "$project" --format \
        "value[separator='|'](name.segment(3),name.basename(),serviceAccount.basename())"
}

# Set $neighbours to a line "TYPE|LOCATION|NAME|USED" for each function, service, trigger and subscription but those of
# this function, and $unchecked to the reason if one of the lists is incomplete.
read_neighbours() {
    local type list own="(function|service)[|]$region[|]$name|trigger[|]$trigger_location[|]$trigger_name"
    own+="|subscription[|][|]$subscription"
    neighbours='' unchecked=''
    for type in function service trigger; do
        list=$(result "${type}s") && ! grep -q unreachable "$log" || grep -qi 'has not been used' "$log" ||
            unchecked=$(reason)
        neighbours+=$(sed "s/^/$type|/" <<<"$list")$'\n'
    done
    list=$(result subscriptions) || grep -qi 'has not been used' "$log" || unchecked=$(reason)
    neighbours+=$(sed 's/^/subscription||/' <<<"$list")
    neighbours=$(grep -vE "^($own)[|]" <<<"$neighbours") || true
}

# is_used RESOURCE: succeed, and print why it is not deleted, if another function, service, trigger or subscription uses
# an account or a topic, or if that cannot be checked.
is_used() {
    local user
    [ -z "$unchecked" ] || { info "Not deleted: $1, because its other uses cannot be listed: $unchecked" && return; }
    user=$(awk -F '|' -v used="$1" '$4 == used { print $1, $3 ($2 ? " in " $2 : ""); exit }' <<<"$neighbours")
    [ -n "$user" ] && info "Not deleted: $1, which the $user uses."
}
