# shellcheck shell=bash
# Photos that land in a bucket (--photos) and their masks (--masks): what deploy.sh looks at, makes, shows and removes
# for them. Eventarc brings the events, Pub/Sub beneath it tries them again, and what fails for good is kept.

FINALIZED=google.cloud.storage.object.v1.finalized
EVENT_APIS="eventarc pubsub"
EVENT_PERMISSIONS="eventarc.triggers.create=roles/eventarc.admin
pubsub.topics.create=roles/pubsub.admin
pubsub.topics.setIamPolicy=roles/pubsub.admin
resourcemanager.projects.setIamPolicy=roles/resourcemanager.projectIamAdmin"
# The most tries that Pub/Sub counts: with pauses that grow to ten minutes, most of a day. Whoever waits longer than an
# event is kept loses it: a week is enough for a backlog of millions.
ATTEMPTS=100
KEPT=7d
# What the cloud says of accounts and roles that were made a moment ago.
TOO_NEW='does not exist|Eventarc Service Agent|receiveEvent|unable to publish'

# Check what needs no look at the cloud.
check_bucket_options() {
    local bucket
    [ -n "$photos$masks" ] || return 0
    [[ -n $photos && -n $masks ]] || fail "--photos and --masks go together" "--photos gs://IN --masks gs://OUT"
    photos=${photos%/} masks=${masks%/}
    for bucket in "$photos" "$masks"; do
        [[ $bucket =~ ^gs://[a-z0-9][a-z0-9._-]+$ ]] || fail "$bucket is not a whole bucket" "gs://BUCKET"
    done
    [ "$photos" != "$masks" ] || fail "masks in $photos would be taken for photos" "--masks with another bucket"
    APIS+=" $EVENT_APIS"
}

# Name what this function has for its events.
name_events() {
    events_account=${name:0:23} && events_account=${events_account%-}-events@$project.iam.gserviceaccount.com
    dead_letters=$name-dead-letters
}

ask_trigger() {
    ask trigger gcloud eventarc triggers list --location - --project "$project" --flatten 'eventFilters[]' \
        --filter "name~/triggers/$name$ AND eventFilters.attribute=bucket AND destination.cloudRun.region=$region" \
        --format "value[separator='|'](name.segment(3),eventFilters.value,transport.pubsub.subscription.basename())"
}

# Read the trigger; all is empty where there is none.
read_trigger() {
    local found
    found=$(answer trigger) || grep -qiE 'not found|has not been used' "$log" ||
        fail "cannot see whether $name has a trigger: $(why)" "$(next_step)"
    IFS='|' read -r trigger_place trigger_bucket subscription <<<"$found"
}

look_at_events() {
    [ -n "$photos" ] || return 0
    local bucket="value[separator='|'](location,projectNumber)"
    ask photos gcloud storage buckets describe "$photos" --raw --format "$bucket"
    ask masks gcloud storage buckets describe "$masks" --raw --format "$bucket"
    ask events_account gcloud iam service-accounts describe "$events_account" --project "$project"
    ask subscriptions gcloud pubsub subscriptions list --project "$project" --format \
        "value[separator='|'](name.basename(),deadLetterPolicy.deadLetterTopic.basename(),ackDeadlineSeconds)"
    ask_trigger
    wait
    read_trigger
    check_masks
    check_photos
    events_account_exists=yes
    answer events_account >/dev/null || events_account_exists=''
    subscriptions=$(answer subscriptions) || subscriptions=''
}

check_masks() {
    answer masks >/dev/null || problem "cannot see the bucket $masks: $(why)" \
        "gcloud storage buckets create $masks --location $region --project $project"
}

check_photos() {
    local found owner
    if ! found=$(answer photos); then
        problem "cannot see the bucket $photos: $(why)" \
            "gcloud storage buckets create $photos --location $region --project $project"
        return
    fi
    IFS='|' read -r place owner <<<"$found"
    place=$(tr '[:upper:]' '[:lower:]' <<<"$place")
    [ "$owner" = "$number" ] ||
        problem "$photos is another project's, and a trigger sees only its own" "--photos with a bucket of $project"
    holds_region "$place" || problem "$photos is in $place, and the function in $region: a trigger is where its bucket \
is, and each photo would cross regions" "--region with one in $place, or --photos with a bucket in $region"
    [[ -z $trigger_bucket || gs://$trigger_bucket = "$photos" ]] ||
        problem "the trigger $name takes photos from gs://$trigger_bucket, and cannot change" \
            "gcloud eventarc triggers delete $name --location $trigger_place --project $project, then this again"
}

# Tell whether the region is in a bucket's location, which may be a whole continent.
holds_region() {
    case $1 in
        "$region") ;;
        eu | eur[0-9]*) [[ $region = europe-* ]] ;;
        us | nam[0-9]*) [[ $region = us-* ]] ;;
        asia | asia[0-9]*) [[ $region = asia-* ]] ;;
        *) false ;;
    esac
}

# must WHAT COMMAND: change something or end. What was made a moment ago may not be known everywhere yet, and what is
# there already, after a deploy that broke off, need not be made.
must() {
    local tries
    for tries in 1 2 3 4; do
        if change "${@:2}" 2>"$log" >"$log.said"; then
            [ -z "$dry_run" ] || cat "$log.said"
            return
        fi
        ! grep -qi 'already exists' "$log" || return 0
        [ "$tries" -lt 4 ] && grep -qE "$TOO_NEW" "$log" || break
        say "What was just made is not known everywhere yet; once more in ${ACCOUNT_WAIT_S:=30} seconds."
        sleep "$ACCOUNT_WAIT_S"
    done
    fail "cannot $1: $(why)" "$(next_step)"
}

# together FUNCTION...: do at once what does not wait for each other, and say afterwards what each has said.
together() {
    local each broken=''
    for each in "$@"; do ask "$each" apart "$each"; done
    wait
    for each in "$@"; do
        cat "$scratch/$each" && cat "$scratch/$each.err" >&2
        [ "$(cat "$scratch/$each.code")" = 0 ] || broken=yes
    done
    [ -z "$broken" ] || exit 1
}

apart() {
    local log=$scratch/$1.log
    "$1"
}

# give ACCOUNT ROLE COMMAND: let an account do something with what the command names.
give() {
    must "give $1 the role $2" gcloud "${@:3}" --member "serviceAccount:$1" --role "roles/$2"
}

# give_in_project ACCOUNT ROLE: where no smaller place has this role.
give_in_project() {
    grep -qxF "members=serviceAccount:$1;role=roles/$2" "$scratch/members" ||
        give "$1" "$2" projects add-iam-policy-binding "$project" --condition None --format none
}

# Make what an event needs, but for the trigger. It is made before the function, whose deploy takes the minutes that
# the cloud needs to know new accounts and roles everywhere.
prepare_events() {
    [ -n "$photos" ] || return 0
    local parts=(prepare_events_account)
    [ "$photos $masks $service_account" = "gs://$was_photos gs://$was_masks $was_account" ] ||
        parts+=(open_photos open_masks)
    grep -q "^$dead_letters|" <<<"$subscriptions" || parts+=(make_dead_letters)
    together "${parts[@]}"
}

open_photos() { give "$service_account" storage.objectViewer storage buckets add-iam-policy-binding "$photos"; }

# A mask is read, written, written anew and deleted; to write anew is also to delete.
open_masks() { give "$service_account" storage.objectUser storage buckets add-iam-policy-binding "$masks"; }

# Make the account that calls the function, and let Cloud Storage send events.
prepare_events_account() {
    local publisher=service-$number@gs-project-accounts.iam.gserviceaccount.com
    [ -n "$events_account_exists" ] || must "make the trigger's service account" \
        gcloud iam service-accounts create "${events_account%@*}" --project "$project"
    give_in_project "$events_account" eventarc.eventReceiver
    # Cloud Storage's own account is made when it is first asked for.
    grep -qF "members=serviceAccount:$publisher;" "$scratch/members" ||
        must "make Cloud Storage's account" gcloud storage service-agent --project "$project"
    give_in_project "$publisher" pubsub.publisher
}

# Make the topic of events that failed for good. A topic keeps nothing that has no subscription.
make_dead_letters() {
    must "make the topic $dead_letters" gcloud pubsub topics create "$dead_letters" --project "$project"
    give "$(pubsub_account)" pubsub.publisher pubsub topics add-iam-policy-binding "$dead_letters" --project "$project"
    must "make the subscription $dead_letters" gcloud pubsub subscriptions create "$dead_letters" \
        --topic "$dead_letters" --expiration-period never --message-retention-duration "$KEPT" --project "$project"
}

pubsub_account() { say "service-$number@gcp-sa-pubsub.iam.gserviceaccount.com"; }

# Let the events come, once the function has shown that it works.
connect_events() {
    [ -n "$photos" ] || return 0
    local ack=${timeout%s}
    [ "$ack" -ge 10 ] || ack=10
    [ "$ack" -le 600 ] || ack=600
    [[ -n $subscription && -n $was_photos ]] ||
        give "$events_account" run.invoker run services add-iam-policy-binding "$name" "${where[@]}"
    [ -n "$subscription" ] || make_trigger
    grep -qxF "$subscription|$dead_letters|$ack" <<<"$subscriptions" && return
    give "$(pubsub_account)" pubsub.subscriber \
        pubsub subscriptions add-iam-policy-binding "$subscription" --project "$project"
    must "set how often the events are tried" gcloud pubsub subscriptions update "$subscription" --project "$project" \
        --dead-letter-topic "$dead_letters" --max-delivery-attempts "$ATTEMPTS" \
        --ack-deadline "$ack" --message-retention-duration "$KEPT"
}

make_trigger() {
    must "make the trigger $name" gcloud eventarc triggers create "$name" --location "$place" --project "$project" \
        --event-filters "type=$FINALIZED" --event-filters "bucket=${photos#gs://}" \
        --destination-run-service "$name" --destination-run-region "$region" --service-account "$events_account" \
        --format 'value(transport.pubsub.subscription.basename())'
    subscription=$(cat "$log.said")
    [ -z "$dry_run" ] || subscription=SUBSCRIPTION-OF-THE-TRIGGER
    [ -n "$subscription" ] || fail "there is a trigger $name already, and it is for something else" \
        "gcloud eventarc triggers describe $name --location $place --project $project"
}

report_events() {
    [ -n "$photos" ] || return 0
    say "  photos   what lands in $photos becomes a mask in $masks, from two minutes on," \
        "           with at most $max_instances instances at work (--max-instances)" \
        "  failed   gcloud pubsub subscriptions pull $dead_letters --project $project"
}

show_events() {
    [ -n "$was_photos" ] || return 0
    ask_trigger
    wait
    read_trigger
    local trigger="none, and so no photos come: deploy again"
    [ -z "$trigger_place" ] || trigger="$name in $trigger_place, which calls as $events_account"
    say "Photos from gs://$was_photos become masks in gs://$was_masks:" "  trigger     $trigger" \
        "  failed      gcloud pubsub subscriptions pull $dead_letters --project $project"
}

# remove WHAT COMMAND: remove a thing, or say that it stays.
remove() {
    change "${@:2}" --project "$project" --quiet 2>"$log" >"$log.said" || say "$1 stays: $(why)"
    [ -z "$dry_run" ] || cat "$log.said"
}

delete_events() {
    ask_function
    ask_trigger
    wait
    read_function
    [ -n "$was_photos" ] || return 0
    read_trigger
    [ -z "$trigger_place" ] ||
        change gcloud eventarc triggers delete "$name" --location "$trigger_place" --project "$project" --quiet \
            2>"$log" || fail "the trigger $name is not deleted, and nothing else is: $(why)" "$(next_step)"
    together remove_dead_letters remove_events_account
    say "Left: both buckets, and roles/pubsub.publisher of Cloud Storage's account, for other triggers of $project."
}

remove_dead_letters() {
    remove "the subscription $dead_letters" gcloud pubsub subscriptions delete "$dead_letters"
    remove "the topic $dead_letters" gcloud pubsub topics delete "$dead_letters"
}

remove_events_account() {
    remove "the role of $events_account" gcloud projects remove-iam-policy-binding "$project" --format none \
        --member "serviceAccount:$events_account" --role roles/eventarc.eventReceiver --condition None
    remove "$events_account" gcloud iam service-accounts delete "$events_account"
}
