# shellcheck shell=bash
# The files that are uploaded: chosen by .gcloudignore, checked here, with the model that --model names.

# These files may be uploaded, but for model/training/, and nothing else. .gcloudignore states the same rules.
ALLOWED='^(main\.py|requirements\.txt|model/([a-z_]+/)?[a-z_]+\.py|model/weights/[^/]+\.tflite|client/web/[^./][^/]*)$'

check_upload() {
    local next="git checkout .gcloudignore" file extra=''
    upload=$(result upload) || fail "cannot list the files to upload: $(reason)" "$next"
    while read -r file; do
        [[ $file =~ $ALLOWED && $file != model/training/* ]] || extra+=", $file"
    done <<<"$upload"
    [ -z "$extra" ] || problem "these files would be uploaded but must not be: ${extra#, }" "$next"
    grep -qx main.py <<<"$upload" || problem "main.py would not be uploaded" "$next"
}

# Check --model; set $source to the directory to upload, and $model_bucket to the bucket that the function must read.
check_model() {
    source=. model_bucket=''
    case $model in
        '') ;;
        gs://*/*) check_model_in_bucket ;;
        model/weights/*.tflite)
            grep -qxF "$model" <<<"$upload" || problem "the model $model does not exist" "choose another with --model"
            ;;
        *.tflite)
            [[ $model = /* ]] || model=$caller_dir/$model
            if [ -f "$model" ]; then
                stage_model
            else
                problem "the file $model does not exist" "ls $(dirname "$model")"
            fi
            ;;
        *) problem "--model $model is not a model" "use gs://BUCKET/MODEL.tflite#GENERATION, or a .tflite file" ;;
    esac
}

check_model_in_bucket() {
    model_bucket=${model#gs://} && model_bucket=gs://${model_bucket%%/*}
    gcloud storage objects describe "$model" >/dev/null 2>"$log" ||
        problem "cannot read the model $model: $(reason)" "gcloud storage ls --all-versions ${model%#*}"
    [[ $model = *#* ]] ||
        info "$model names no generation: each instance uses the version that is there when it starts."
}

# Copy the upload to a directory of its own, with the chosen model as the only one.
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
