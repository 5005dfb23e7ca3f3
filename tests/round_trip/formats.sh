#!/bin/sh
# One format of safetensors, keras or json, there and back: every kind of model through a reader of another program.
#
#     tests/round_trip/formats.sh FORMAT PYTHON [RUN]...     run folders models/NAME/RUN, beside those trained here
#
# Prints the largest difference from our own answers, on random rows and on those of the data; fails above 1e-5.
set -eu
cd "$(dirname "$0")/../.."
format=$1
python=$2
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

if [ -z "${FADECAST:-}" ]; then
    cargo build --release --locked --quiet
    FADECAST=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/fadecast
fi
runs=
for kind in dense hybrid linear physics trees hybrid_trees; do
    "$FADECAST" --root "$folder/$kind" --quiet train --set model.kind=$kind --set train.epochs=60 >"$folder/train.log" 2>&1 || {
        cat "$folder/train.log"
        exit 1
    }
    runs="$runs:$folder/$kind/models/quickstart/latest"
done
for run in "$@"; do
    runs="$runs:$(cd "$run" && pwd)"
done
"$FADECAST" --root "$folder/dense" export quickstart --format "$format" --out "$folder/exported/model.$format" >/dev/null

FADECAST_EXPORTS="$folder/exports" FADECAST_EXPORT_RUNS="$runs" ${CARGO:-cargo} test --release --quiet --lib \
    export::sample_files >"$folder/test.log" 2>&1 || {
    cat "$folder/test.log"
    exit 1
}
"$python" tests/round_trip/formats.py "$format" "$folder/exports"
