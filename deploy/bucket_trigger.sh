# shellcheck shell=bash
# The trigger for a bucket of photos (--photos and --masks): an Eventarc trigger, whose Pub/Sub subscription retries
# failed events and moves them to a dead-letter topic in the end.

FINALIZED=google.cloud.storage.object.v1.finalized
BUCKET_APIS="eventarc pubsub"
BUCKET_PERMISSIONS="eventarc.triggers.create=roles/eventarc.admin
pubsub.topics.create=roles/pubsub.admin
pubsub.topics.setIamPolicy=roles/pubsub.admin
resourcemanager.projects.setIamPolicy=roles/resourcemanager.projectIamAdmin"
# The maximum of Pub/Sub. Retries pause for up to ten minutes, so that they last for most of a day.
MAX_DELIVERY_ATTEMPTS=100
# An event that waits longer than this is lost. A week suffices for a backlog of millions.
RETENTION=7d

check_bucket_options() {
    local bucket
    [ -n "$photos$masks" ] || return 0
    [[ -n $photos && -n $masks ]] ||
        fail "--photos and --masks must be used together" "add --photos gs://IN --masks gs://OUT"
    photos=${photos%/} masks=${masks%/}
    for bucket in "$photos" "$masks"; do
        [[ $bucket =~ ^gs://[a-z0-9][a-z0-9._-]+$ ]] || fail "$bucket is not a bucket" "use gs://BUCKET"
    done
    [ "$photos" != "$masks" ] ||
        fail "--photos and --masks name the same bucket, where masks would be processed as photos" \
            "use --masks with another bucket"
    APIS+=" $BUCKET_APIS"
}

query_trigger() {
    trigger_location='' subscription=''
    local destination="destination.cloudRun.region=$region AND destination.cloudRun.service=$name"
    local fields="name.segment(3),name.basename(),eventFilters.value,serviceAccount.basename()"
    query trigger gcloud eventarc triggers list --location - --project "$project" --flatten 'eventFilters[]' \
        --filter "name~\"/triggers/($name|$trigger_name)$\" AND eventFilters.attribute=bucket AND $destination" \
        --format "value[separator='|']($fields,transport.pubsub.subscription.basename())"
    query subscriptions gcloud pubsub subscriptions list --project "$project" --format \
        "value[separator='|'](name.basename(),deadLetterPolicy.deadLetterTopic.basename(),ackDeadlineSeconds)"
}

# Read the trigger and the subscriptions; the trigger's variables are empty if there is none.
read_trigger() {
    local fields deployed_name trigger_account topic
    fields=$(result trigger) || grep -qiE 'not found|has not been used' "$log" ||
        fail "cannot check whether $name has a trigger: $(reason)" "$(next_step)"
    IFS='|' read -r trigger_location deployed_name trigger_bucket trigger_account subscription <<<"$fields"
    subscriptions=$(result subscriptions) || subscriptions=''
    [ -n "$trigger_location" ] || return 0
    topic=$(grep "^$subscription|" <<<"$subscriptions" | cut -d '|' -f 2) || true
    keep_name trigger_name "$deployed_name" "$name"
    keep_name events_account "$trigger_account" "$(legacy_account events)"
    keep_name dead_letters "$topic" "$name-dead-letters"
}

check_bucket_prerequisites() {
    [ -n "$photos" ] || return 0
    local bucket_fields="value[separator='|'](location,projectNumber)"
    query photos gcloud storage buckets describe "$photos" --raw --format "$bucket_fields"
    query masks gcloud storage buckets describe "$masks" --raw --format "$bucket_fields"
    query_trigger
    wait
    read_trigger
    check_masks_bucket
    check_photos_bucket
    events_account_exists=yes
    find_account "$events_account" || events_account_exists=''
}

check_masks_bucket() { result masks >/dev/null || missing_bucket "$masks"; }

check_photos_bucket() {
    local fields owner
    fields=$(result photos) || { missing_bucket "$photos" && return; }
    IFS='|' read -r photos_location owner <<<"$fields"
    photos_location=$(tr '[:upper:]' '[:lower:]' <<<"$photos_location")
    [ "$owner" = "$project_number" ] ||
        problem "$photos belongs to another project, and a trigger accepts only buckets of its own project" \
            "use --photos with a bucket of $project"
    region_is_within "$photos_location" ||
        problem "$photos is in $photos_location, but the function is in $region: each photo would cross regions" \
            "use --region with a region in $photos_location, or --photos with a bucket in $region"
    [[ -z $trigger_bucket || gs://$trigger_bucket = "$photos" ]] ||
        problem "the trigger $trigger_name is for gs://$trigger_bucket, and a trigger cannot change its bucket" \
            "gcloud eventarc triggers delete $trigger_name --location $trigger_location --project $project" \
            "then run this again"
}

# missing_bucket BUCKET: report a bucket that cannot be accessed.
missing_bucket() {
    problem "cannot access the bucket $1: $(reason)" \
        "gcloud storage buckets create $1 --location $region --project $project"
}

# region_is_within LOCATION: succeed if the region is in a bucket's location, a region or a multi-region.
region_is_within() {
    case $1 in
        "$region") ;;
        eu | eur[0-9]*) [[ $region = europe-* ]] ;;
        us | nam[0-9]*) [[ $region = us-* ]] ;;
        asia | asia[0-9]*) [[ $region = asia-* ]] ;;
        *) false ;;
    esac
}

# Create what the trigger needs before the function is deployed: the deployment takes the minutes in which new accounts
# and roles propagate.
create_trigger_resources() {
    [ -n "$photos" ] || return 0
    local steps=(create_events_account)
    [ "$photos $masks $service_account $account_exists" = \
        "gs://$deployed_photos gs://$deployed_masks $deployed_account yes" ] ||
        steps+=(grant_photos grant_masks)
    grep -q "^$dead_letters|" <<<"$subscriptions" || steps+=(create_dead_letters)
    run_in_parallel "${steps[@]}"
}

grant_photos() { grant "$service_account" storage.objectViewer storage buckets add-iam-policy-binding "$photos"; }

# Masks are read, written, overwritten and deleted.
grant_masks() { grant "$service_account" storage.objectUser storage buckets add-iam-policy-binding "$masks"; }

# Create the account that calls the function, and let Cloud Storage publish events.
create_events_account() {
    local publisher=service-$project_number@gs-project-accounts.iam.gserviceaccount.com
    [ -n "$events_account_exists" ] || change_or_fail "create the trigger's service account" \
        gcloud iam service-accounts create "${events_account%@*}" --project "$project"
    grant_in_project "$events_account" eventarc.eventReceiver
    # Google creates Cloud Storage's service account when it is first requested.
    grep -qF "members=serviceAccount:$publisher;" "$scratch/members" ||
        change_or_fail "create Cloud Storage's service account" gcloud storage service-agent --project "$project"
    grant_in_project "$publisher" pubsub.publisher
}

# grant_in_project ACCOUNT ROLE: grant a role that is not available on a smaller resource, unless it is granted already.
grant_in_project() {
    grep -qxF "members=serviceAccount:$1;role=roles/$2" "$scratch/members" ||
        grant "$1" "$2" projects add-iam-policy-binding "$project" --condition None --format none
}

# Create the topic of permanently failed events, and its subscription: a topic alone keeps no messages.
create_dead_letters() {
    change_or_fail "create the topic $dead_letters" gcloud pubsub topics create "$dead_letters" --project "$project"
    grant "$(pubsub_account)" pubsub.publisher pubsub topics add-iam-policy-binding "$dead_letters" --project "$project"
    change_or_fail "create the subscription $dead_letters" gcloud pubsub subscriptions create "$dead_letters" \
        --topic "$dead_letters" --expiration-period never --message-retention-duration "$RETENTION" --project "$project"
}

pubsub_account() { echo "service-$project_number@gcp-sa-pubsub.iam.gserviceaccount.com"; }

# Create the trigger, after the function has passed its test. The subscription is updated last: its settings show the
# next deployment that everything before is complete.
connect_trigger() {
    [ -n "$photos" ] || return 0
    local ack_deadline=${timeout%s} # Pub/Sub accepts 10 to 600 seconds; check_settings refuses more.
    [ "$ack_deadline" -ge 10 ] || ack_deadline=10
    [[ -n $subscription && -n $deployed_photos && -n $events_account_exists ]] ||
        grant "$events_account" run.invoker run services add-iam-policy-binding "$name" "${location[@]}"
    [ -n "$subscription" ] || create_trigger
    grep -qxF "$subscription|$dead_letters|$ack_deadline" <<<"$subscriptions" && return
    grant "$(pubsub_account)" pubsub.subscriber \
        pubsub subscriptions add-iam-policy-binding "$subscription" --project "$project"
    change_or_fail "set the retries of the trigger" \
        gcloud pubsub subscriptions update "$subscription" --project "$project" \
        --dead-letter-topic "$dead_letters" --max-delivery-attempts "$MAX_DELIVERY_ATTEMPTS" \
        --ack-deadline "$ack_deadline" --message-retention-duration "$RETENTION"
}

create_trigger() {
    change_or_fail "create the trigger $trigger_name" \
        gcloud eventarc triggers create "$trigger_name" --location "$photos_location" --project "$project" \
        --event-filters "type=$FINALIZED" --event-filters "bucket=${photos#gs://}" \
        --destination-run-service "$name" --destination-run-region "$region" --service-account "$events_account" \
        --format 'value(transport.pubsub.subscription.basename())'
    if [ -n "$dry_run" ]; then
        subscription=SUBSCRIPTION-OF-THE-TRIGGER
    else
        subscription=$(cat "$log.out")
    fi
    [ -n "$subscription" ] || fail "a trigger $trigger_name already exists for something else" \
        "gcloud eventarc triggers describe $trigger_name --location $photos_location --project $project"
}

print_bucket_report() {
    [ -n "$photos" ] || return 0
    info "  photos     each new photo in $photos gets a mask in $masks, starting in about two minutes," \
        "             with at most $max_instances instances (--max-instances)" \
        "  failed     gcloud pubsub subscriptions pull $dead_letters --project $project"
}

print_bucket_status() {
    [ -n "$deployed_photos" ] || return 0
    query_trigger
    wait
    read_trigger
    local trigger="none, so no photo is processed; deploy again to create it"
    [ -z "$trigger_location" ] ||
        trigger="$trigger_name in $trigger_location, which calls the function as $events_account"
    info "Photos in gs://$deployed_photos get masks in gs://$deployed_masks:" \
        "  trigger     $trigger" \
        "  failed      gcloud pubsub subscriptions pull $dead_letters --project $project"
}

delete_trigger_resources() {
    [ -n "$deployed_photos" ] || return 0
    [ -z "$trigger_location" ] ||
        change gcloud eventarc triggers delete "$trigger_name" --location "$trigger_location" --project "$project" \
            --quiet ||
        fail "cannot delete the trigger $trigger_name, so nothing was deleted: $(reason)" "$(next_step)"
    run_in_parallel delete_dead_letters delete_events_account
    info "Not deleted: both buckets, and roles/pubsub.publisher of Cloud Storage's account, which may have other uses."
}

delete_dead_letters() {
    is_used "$dead_letters" && return
    delete_resource "the subscription $dead_letters" gcloud pubsub subscriptions delete "$dead_letters"
    delete_resource "the topic $dead_letters" gcloud pubsub topics delete "$dead_letters"
}

delete_events_account() {
    is_used "$events_account" && return
    delete_resource "the role of $events_account" gcloud projects remove-iam-policy-binding "$project" --format none \
        --member "serviceAccount:$events_account" --role roles/eventarc.eventReceiver --condition None
    delete_resource "$events_account" gcloud iam service-accounts delete "$events_account"
}
