#!/bin/sh
# Every export through a program of others, with the largest differences from our own answers.
#
#     tests/round_trip/run.sh PYTHON         a Python with numpy, onnx, onnxruntime, safetensors, keras
set -eu
cd "$(dirname "$0")"
for format in onnx safetensors keras json c; do
    if [ -x "./$format.sh" ]; then
        echo "== $format"
        "./$format.sh" "$1"
    fi
done
