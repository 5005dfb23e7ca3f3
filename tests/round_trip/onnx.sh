#!/bin/sh
# ONNX, there and back: a model of every kind through onnx.checker, onnxruntime and rten, against the reference.
#
#     tests/round_trip/onnx.sh PYTHON        a Python with numpy, onnx and onnxruntime
set -eu
cd "$(dirname "$0")/../.."
python=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

FADECAST_ROUND_TRIP="$folder" cargo test --release --locked --quiet --lib export::onnx >"$folder/log" 2>&1 || {
    cat "$folder/log"
    exit 1
}
echo "rten: largest difference by model"
cat "$folder/rten.txt"
echo "onnxruntime: largest difference by model"
"$python" tests/round_trip/onnx_check.py "$folder"
