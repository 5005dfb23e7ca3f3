#!/usr/bin/env bash
# The reference sweep: Keras Tuner, then the same configurations here, then our own random oracle; one run, one machine.
#
# usage: benches/reference_sweep.sh PYTHON [TRIALS] [EPOCHS] [REPEATS]
#
# PYTHON has the packages of ../shared/peers/requirements.txt. Keras Tuner's wall time is its own clock around the
# search; ours is that of the whole process, reading the data included. Losses are the least over the epochs of the
# mean squared error of the SoH on the judged cells. Medians of REPEATS (3).
set -euo pipefail
python="${1:?usage: benches/reference_sweep.sh PYTHON [TRIALS] [EPOCHS] [REPEATS]}"
trials="${2:-12}" epochs="${3:-10}" repeats="${4:-3}"
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
shared="$(cd ../shared && pwd)"
data="${FADECAST_DATA:-$shared/data}"
peers="${FADECAST_PEERS:-$shared/peers}"
[ -n "${FADECAST:-}" ] || cargo build --release --locked --quiet
fadecast="${FADECAST:-$CARGO_TARGET_DIR/release/fadecast}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
workers="$(nproc)"

"$fadecast" --root "$scratch" --quiet datasets import xjtu "$data/partial-charge-features/xjtu-mit.tar.zst" --name xjtu >"$scratch/import.log"

# One search; prints `<wall seconds> <least loss> <sum of parameters>`.
ours() {
  local name="$1" begin end
  shift
  cp experiments/reference_sweep.toml "$scratch/$name.toml"
  begin="$(date +%s.%N)"
  "$fadecast" --root "$scratch" --quiet tune "$scratch/$name.toml" --workers "$workers" --set "tuner.trials=$trials" \
    --set "train.epochs=$epochs" "$@" >"$scratch/$name.log"
  end="$(date +%s.%N)"
  "$fadecast" --root "$scratch" tune show "$name" --json >"$scratch/$name.json"
  "$python" - "$scratch/$name.json" "$begin" "$end" <<'PYTHON'
import json, sys
trials = [t for t in json.load(open(sys.argv[1]))[0]["trials"] if t["status"] == "completed"]
metric = lambda t, name: t["evaluation"]["metrics"][name]["mean"]
print(f"{float(sys.argv[3]) - float(sys.argv[2]):.3f}", min(metric(t, "mse") for t in trials),
      int(sum(metric(t, "parameters") for t in trials)))
PYTHON
}

# Sum of the parameters of the configurations that Keras Tuner tried.
parameters() {
  "$python" - "$1" <<'PYTHON'
import glob, json, sys
total = 0
for path in glob.glob(f"{sys.argv[1]}/reference/trial_*/trial.json"):
    values = json.load(open(path))["hyperparameters"]["values"]
    widths = [16] + [values[f"units_{i}"] for i in range(values["layers"])] + [1]
    total += sum(a * b + b for a, b in zip(widths, widths[1:]))
print(total)
PYTHON
}

names='{ layers = "model.layers", units = "model.units", activation = "model.activation", dropout = "model.dropout", learning_rate = "train.learning_rate" }'
for repeat in $(seq "$repeats"); do
  keras="$("$python" "$peers/keras_tuner_sweep.py" "$trials" "$epochs" "$scratch/keras$repeat" 2>"$scratch/keras.log" | tail -1)"
  read -r keras_wall keras_loss < <("$python" -c 'import json,sys; r=json.loads(sys.argv[1]); print(r["wall_s"], r["best_val_loss"])' "$keras")
  keras_parameters="$(parameters "$scratch/keras$repeat")"
  import="{ project = \"$scratch/keras$repeat/reference\", rerun = true, metric = { val_loss = \"mse\" }, names = $names }"
  read -r wall loss sum < <(ours "same$repeat" --seed "$repeat" --set "tuner.import=$import")
  read -r own_wall own_loss own_sum < <(ours "own$repeat" --seed "$repeat")
  echo "repeat $repeat  keras tuner: $keras_wall s, loss $keras_loss, $keras_parameters parameters"
  echo "          the same configurations: $wall s, loss $loss, $sum parameters"
  echo "          our random oracle: $own_wall s, loss $own_loss, $own_sum parameters"
  echo "$wall $keras_wall $loss $keras_loss" >>"$scratch/figures"
done
"$python" - "$scratch/figures" <<'PYTHON'
import statistics, sys
rows = [[float(v) for v in line.split()] for line in open(sys.argv[1])]
wall, keras, loss, keras_loss = (statistics.median(r[i] for r in rows) for i in range(4))
ratio = statistics.median(r[0] / r[1] for r in rows)
print(f"medians   ours {wall:.2f} s, keras tuner {keras:.2f} s, {keras / wall:.1f} times as fast")
print(f"reference_sweep ratio={ratio:.4f} loss={loss:.3e} keras_loss={keras_loss:.3e}")
PYTHON
