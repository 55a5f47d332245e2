#!/usr/bin/env bash
# Deploy this folder as a private Cloud Function (2nd gen): ./deploy.sh --project PROJECT
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    cat <<'HELP'
./deploy.sh --project PROJECT [options]

Deploys this folder as a private Cloud Function (2nd gen) that scales to zero.
Each option can be set as the environment variable in brackets instead.

  --project P       the Google Cloud project [PROJECT]
  --region R        where it runs; europe-west1 [REGION]
  --name N          the function's name; silhouette [NAME]
  --memory M        of an instance; 1Gi [MEMORY]
  --cpu C           of an instance; 1 [CPU]
  --concurrency C   requests that one instance takes at once; 8 [CONCURRENCY]
  --max-instances M 10 [MAX_INSTANCES]
  --dry-run         print the command and do nothing
  --help            this text
HELP
}

fail() {
    echo "deploy.sh: $1" >&2
    exit 1
}

project=${PROJECT:-} region=${REGION:-europe-west1} name=${NAME:-silhouette}
memory=${MEMORY:-1Gi} cpu=${CPU:-1} concurrency=${CONCURRENCY:-8} max_instances=${MAX_INSTANCES:-10}
run=()

while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) usage && exit 0 ;;
        --dry-run) run=(echo) && shift && continue ;;
        --project | --region | --name | --memory | --cpu | --concurrency | --max-instances)
            [ $# -ge 2 ] || fail "$1 needs a value" ;;
        *) fail "there is no option $1; see ./deploy.sh --help" ;;
    esac
    case $1 in
        --project) project=$2 ;;
        --region) region=$2 ;;
        --name) name=$2 ;;
        --memory) memory=$2 ;;
        --cpu) cpu=$2 ;;
        --concurrency) concurrency=$2 ;;
        --max-instances) max_instances=$2 ;;
    esac
    shift 2
done

[ -n "$project" ] || fail "which project? ./deploy.sh --project PROJECT"
[ ${#run[@]} -gt 0 ] || command -v gcloud >/dev/null || fail "gcloud is not installed: https://cloud.google.com/sdk/docs/install"

flags=(
    --gen2 --project "$project" --region "$region" --runtime python311 --source . --entry-point run
    --trigger-http --no-allow-unauthenticated
    --memory "$memory" --cpu "$cpu" --concurrency "$concurrency" --max-instances "$max_instances"
    --set-env-vars "THREADS=$concurrency"
)
"${run[@]}" gcloud functions deploy "$name" "${flags[@]}"
