#!/bin/sh
# ONNX, there and back: models of every kind through onnx.checker, onnxruntime and rten, against the reference.
#
#     tests/round_trip/onnx.sh PYTHON [RUN]...      a Python with numpy, onnx and onnxruntime; run folders models/NAME/RUN
set -eu
cd "$(dirname "$0")/../.."
python=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cargo build --release --locked --quiet
fadecast=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/fadecast

"$fadecast" --root "$folder" --quiet train >"$folder/train.log"
runs="$folder/models/quickstart/latest"
for run in "$@"; do
    runs="$runs:$(cd "$run" && pwd)"
done
"$fadecast" --root "$folder" export quickstart --format onnx --out "$folder/model.onnx"

FADECAST_ROUND_TRIP="$folder/graphs" FADECAST_ROUND_TRIP_RUNS="$runs" \
    cargo test --release --locked --quiet --lib export::onnx >"$folder/test.log" 2>&1 || {
    cat "$folder/test.log"
    exit 1
}
cmp "$folder/model.onnx" "$folder/graphs/run_quickstart_real_rows.onnx"

echo "rten: largest difference by model"
cat "$folder/graphs/rten.txt"
echo "onnxruntime: largest difference by model"
"$python" tests/round_trip/onnx_check.py "$folder/graphs"
