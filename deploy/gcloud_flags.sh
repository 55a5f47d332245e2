# shellcheck shell=bash
# Flags of gcloud after --, which the deployment gets too, unless they contradict what deploy.sh itself sets.

# own_option FLAG: print what to use instead of a flag of gcloud that deploy.sh sets; print nothing for any other flag.
own_option() {
    case $1 in
        --project | --region | --memory | --cpu | --concurrency | --timeout | --min-instances | --max-instances | \
            --service-account) info "use $1 before --" ;;
        --min | --max) info "use $1-instances before --" ;;
        --clear-min-instances | --clear-max-instances) info "use --${1#--clear-} before --" ;;
        --run-service-account) info "use --service-account before --" ;;
        --ingress | --ingress-settings) info "use --ingress before --" ;;
        --build-service-account) info "use $1 before --" ;;
        --runtime | --base-image) info "use --python before --" ;;
        --tag | --no-traffic) info "use --candidate before --" ;;
        --allow-unauthenticated | --no-allow-unauthenticated | --invoker-iam-check | --no-invoker-iam-check)
            info "use --public before --, or leave it out"
            ;;
        --trigger-* | --retry | --no-retry) info "use --photos and --masks before --" ;;
        --set-env-vars | --env-vars-file | --clear-env-vars) info "use --update-env-vars NAME=VALUE after --" ;;
        --source | --image) info "use --model before --; deploy.sh deploys its own directory" ;;
        --entry-point | --function | --async | --gen2 | --no-gen2 | --v2 | --ignore-file | --flags-file | --format | \
            --quiet | -q | --serve-all-traffic-latest-revision | --no-serve-all-traffic-latest-revision)
            info "leave out $1"
            ;;
    esac
}

# own_variable_option NAME: print the option for an environment variable that deploy.sh sets; nothing for any other.
own_variable_option() {
    case $1 in
        THREADS) echo --concurrency ;;
        INTERPRETERS) echo --cpu ;;
        GOOGLE_CLOUD_PROJECT) echo --project ;;
        MODEL_URI) echo --model ;;
        PHOTO_BUCKETS) echo --photos ;;
        MASK_BUCKET) echo --masks ;;
    esac
}

# read_gcloud_flags FLAG...: check the flags, and set $gcloud_flags to them, and $variables to the environment variables
# of --update-env-vars, separated by |: gcloud accepts that flag once, and deploy.sh passes variables itself.
read_gcloud_flags() {
    local flag value option
    gcloud_flags=() variables=''
    while [ $# -gt 0 ]; do
        flag=${1%%=*} value=''
        [[ $flag = -* ]] || fail "after --, $flag is not a flag of gcloud" "gcloud functions deploy --help" \
            "with --service run: gcloud run deploy --help"
        option=$(own_option "$flag")
        [ -z "$option" ] || fail "$flag after -- contradicts what deploy.sh sets" "$option"
        if [[ $1 = *=* ]]; then
            value=${1#*=}
        elif [[ $# -gt 1 && $2 != -* ]]; then
            value=$2 && shift
        fi
        shift
        case $flag in --update-env-vars | --remove-env-vars) check_variables "$flag" "$value" ;; esac
        if [ "$flag" = --update-env-vars ]; then
            variables+="|$value"
        else
            gcloud_flags+=("$flag${value:+=$value}")
        fi
    done
}

# check_variables FLAG LIST: check the environment variables of a flag, NAME=VALUE,... or ^DELIMITER^NAME=VALUE... or
# names alone; set $value to them, separated by |, if deploy.sh passes them on with its own.
check_variables() {
    local list=$2 delimiter=, variable option
    if [[ $list = ^*^* ]]; then
        list=${list#^} && delimiter=${list%%^*} && list=${list#*^}
    fi
    [[ $delimiter = '|' || $list != *'|'* ]] || fail "$1 after -- has a value with |" "leave | out of the values"
    list=${list//"$delimiter"/|}
    [ "$1" != --update-env-vars ] || value=$list
    while IFS= read -r -d '|' variable; do
        option=$(own_variable_option "${variable%%=*}")
        [ -z "$option" ] || fail "${variable%%=*} in $1 contradicts what deploy.sh sets" "use $option before --"
    done <<<"$list|"
}
