# shellcheck shell=bash
# A new version that is compared with the one that serves before it gets requests: --candidate and --promote.

DEFAULT_AGREEMENT=0.98

check_candidate_options() {
    local beside="./deploy.sh --project $project --region $region --name $name-run --service run"
    [[ -z $candidate$promote || $SERVICE = run ]] ||
        fail "a function sends all requests to a new version at once, so it has no --candidate and no --promote" \
            "deploy the same folder as a Cloud Run service beside it: $beside"
    [[ -n $candidate || -z $photos_to_compare$min_agreement ]] ||
        fail "--photos-to-compare and --min-agreement are about a candidate" "add --candidate"
    [[ -n $photos_to_compare || -z $min_agreement ]] ||
        fail "--min-agreement requires photos to compare" "add --photos-to-compare FOLDER"
    [[ $min_agreement =~ ^([01](\.[0-9]*)?|\.[0-9]+)?$ ]] ||
        fail "--min-agreement $min_agreement is not a number from 0 to 1" "use --min-agreement 0.95, for example"
    [[ $promote =~ ^([1-9][0-9]?|100)?$ ]] ||
        fail "--promote $promote is not a percentage" "use --promote, or --promote 10 for a tenth of the requests"
    [[ -z $candidate || -z $public ]] ||
        fail "a candidate does not change who may call the service" "omit --public until the next deployment"
}

# Check what a candidate needs of the deployed service.
check_candidate() {
    [ -n "$candidate" ] || return 0
    [ -n "$serving" ] || problem "no revision of $name is serving, so there is nothing to compare a candidate with" \
        "deploy without --candidate first"
    [ "$photos $masks" = "${deployed_photos:+gs://$deployed_photos} ${deployed_masks:+gs://$deployed_masks}" ] ||
        problem "a candidate cannot change the buckets, whose events go to the revision that serves" \
            "omit --photos and --masks, or deploy without --candidate"
    [ -n "$photos_to_compare" ] || return 0
    [[ $photos_to_compare = /* ]] || photos_to_compare=$caller_dir/$photos_to_compare
    [ -d "$photos_to_compare" ] || problem "there is no folder $photos_to_compare" "use --photos-to-compare FOLDER"
}

# Compare the masks of the candidate with those of the revision that serves. A token's audience is the service's own
# address, also for a tag.
compare_candidate() {
    [ -n "$photos_to_compare" ] || return 0
    local code=0
    sheet=$PWD/build/$name-candidate.png && mkdir -p build
    info "Comparing $revision with $serving on the photos in $photos_to_compare."
    "$python_here" -m client "$photos_to_compare" --url "$test_url" --audience "$url" --against "$url" --auth gcloud \
        --min-agreement "${min_agreement:=$DEFAULT_AGREEMENT}" --contact-sheet "$sheet" || code=$?
    [ "$code" != 0 ] || return 0
    withdraw_revision
    [ "$code" = 3 ] ||
        fail "the masks of $revision could not be compared; $outcome" "fix what the lines above name, and run this again"
    fail "the masks of $revision agree less than $min_agreement with those of $serving; $outcome" \
        "open $sheet" "to accept the difference, run this again with a lower --min-agreement"
}

print_candidate_report() {
    info "" "The candidate is tested, and gets no requests yet:" ""
    [ -z "$photos_to_compare" ] || info "  masks      $sheet shows the photos whose masks agree least"
    info \
        "  serving    $url ($serving)" \
        "  candidate  $test_url ($revision)" \
        "  call it    $python_here -m client PHOTO --url $test_url --audience $url --auth gcloud" \
        "  promote    $this_command --promote 10, and later $this_command --promote" \
        "  status     $this_command --status" "" \
        "The next deployment replaces a candidate that is not promoted."
}

# Send a share of the requests to the candidate, all by default. With all of them it is no candidate any more.
promote_candidate() {
    describe_function
    [ -n "$candidate_revision" ] || fail "$name has no candidate" "$this_command --candidate"
    list_revisions | grep -qxF "$candidate_revision" ||
        fail "the candidate $candidate_revision did not start" "$logs_command" "$this_command --candidate"
    if [ "$promote" = 100 ]; then
        send_traffic_to "$candidate_revision" 100 --remove-tags candidate
    else
        send_traffic_to "$candidate_revision" "$promote"
    fi
    [ -n "$dry_run" ] ||
        info "$candidate_revision gets $promote % of the requests." "  take it back: $this_command --rollback"
}
