#!/usr/bin/env bash
# Times predictions by fadecast's scorer and by onnxruntime, in turns, on one thread each, and prints their ratios.
#
# usage: benches/predict.sh PYTHON [ROUNDS]
#   PYTHON   an interpreter with numpy, onnx and onnxruntime (measured with 1.31.1)
#   ROUNDS   turns of each, 5 by default; the fastest of each counts, as others may use the machine
# Models: `single` is one network 8-64-64-1, `ensemble` the mean of 32 of them (4 folds of 8), `quickstart` a hybrid as in
# experiments/quickstart.toml (16 networks). A row is answered from its unscaled numbers, some of them missing, but for the
# graph `bare`, which is given scaled ones. The graphs are described in benches/predict.py. onnxruntime is called through
# its Python binding with inputs and outputs bound before; that call is within its time of one row.
# Ends with `predict ok`, or says where fadecast takes longer than a graph that gives the same answers in one call.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,14p' "$0"; exit 2; }
python=$1 rounds=${2:-5}
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
export OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo bench --locked --quiet --no-run --bench predict
bench() { cargo bench --locked --quiet --bench predict -- "$@"; }
bench write "$scratch"

for ((round = 0; round < rounds; round++)); do
  for model in single ensemble quickstart; do
    bench "$model" | sed "s/^$model/$model ours/" >>"$scratch/times"
    "$python" benches/predict.py "$scratch" "$model" | sed "s/^/$model /" >>"$scratch/times"
  done
done

exec "$python" - "$scratch/times" <<'PYTHON'
import sys

best = {}
for line in open(sys.argv[1]):
    model, form, *pairs = line.split()
    for key, value in zip(pairs[0::2], pairs[1::2]):
        if value != "too_large":
            at = (model, form, key)
            best[at] = min(best.get(at, float("inf")), float(value))

print(f"{'':22}{'one row, us':>24}{'100,000 rows, ms':>24}{'the same, cut, ms':>24}")
lost = []
for model, form in dict.fromkeys((model, form) for model, form, _ in best):
    line = f"{model + ' ' + form:22}"
    for key in ["one_us", "batch_ms", "cut_ms"]:
        own = best[model, "ours", "one_us" if key == "one_us" else "batch_ms"]
        time = best.get((model, form, key))
        if form == "ours" or time is None:
            line += f"{f'{time:.3f}' if time else '-':>24}"
            continue
        line += f"{f'{time:.3f}  (ours {own / time:.2f} x)':>24}"
        if key != "cut_ms" and form != "bare" and own > time:
            lost.append(f"{model}, {key}: {own:.3f} over {time:.3f} of {form}")
    print(line)
print("\n".join(lost) or "predict ok")
sys.exit(bool(lost))
PYTHON
