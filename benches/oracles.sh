#!/usr/bin/env bash
# Our Bayesian oracle, and chance, against Optuna's samplers at equal budget: median best so far over SEEDS seeds, at the budget and half of it.
#
# usage: benches/oracles.sh PYTHON [PYTHON_WITH_TORCH] [SEEDS]
#
# PYTHON has Optuna (measured with 5.0.0); PYTHON_WITH_TORCH has PyTorch too, for Optuna's GP sampler, which takes
# about a second a trial and is left out without it. SEEDS is 20. All sides begin with the same 10 random trials.
# Three functions with known minima count by their regret; the networks of benches/oracles.toml by their RMSE [Ah] on
# NASA's cells, whose .mat files lie in nasa-pcoe/mat of FADECAST_DATA (../shared/data). As many searches run at once as
# there are cores. The last lines are the time of our 1000th suggestion in 10 dimensions, and `oracles ok` or which cell
# of the table at the full budget is lost.
set -euo pipefail
export python="${1:?usage: benches/oracles.sh PYTHON [PYTHON_WITH_TORCH] [SEEDS]}"
export torch="${2:-}" seeds="${3:-20}"
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
jobs="$(nproc)" # Before OMP_NUM_THREADS, which nproc heeds.
export OMP_NUM_THREADS=1 RAYON_NUM_THREADS=1
data="${FADECAST_DATA:-../shared/data}/nasa-pcoe/mat"
scratch="$(mktemp -d)"
export scratch
trap 'rm -rf "$scratch"' EXIT
cargo bench --locked --quiet --no-run --bench oracles

ours() { cargo bench --locked --quiet --bench oracles -- "$@"; }

# One line a seed of one side's searches, in a file that sorts as the table does: search NUMBER FUNCTION BUDGET SIDE.
search() {
  local function="$2" budget="$3" server=() root=()
  if [ "$function" = experiment ]; then
    root=("$scratch") server=(cargo bench --locked --quiet --bench oracles -- serve experiment "$scratch")
  fi
  case "$4" in
    ours) ours "$function" bayesian "$budget" "$seeds" "${root[@]}" ;;
    ours_random) ours "$function" random "$budget" "$seeds" "${root[@]}" ;;
    gp) "$torch" benches/oracles.py "$function" gp "$budget" "$seeds" "${server[@]}" ;;
    *) "$python" benches/oracles.py "$function" "$4" "$budget" "$seeds" "${server[@]}" ;;
  esac >"$scratch/lines.$1"
}
export -f ours search

functions=("branin 50" "hartmann6 80" "noisy_quadratic 60")
if [ -d "$data" ]; then
  fadecast="$CARGO_TARGET_DIR/release/fadecast"
  "$fadecast" --root "$scratch" --quiet datasets import nasa "$data" --name nasa-pcoe >"$scratch/import.log"
  functions+=("experiment 40")
else
  echo "experiment skipped: no data at $data"
fi
sides=(ours ours_random random tpe)
if [ -n "$torch" ]; then sides+=(gp); fi

number=10
for function in "${functions[@]}"; do
  for side in "${sides[@]}"; do
    echo "$((number++)) $function $side"
  done
done | xargs -P "$jobs" -L 1 bash -euo pipefail -c 'search "$@"' search
cat "$scratch"/lines.* >"$scratch/lines"
ours overhead 1000 >"$scratch/overhead.json"

"$python" benches/oracles.py --table "$scratch/lines"
cat "$scratch/overhead.json"
"$python" benches/oracles.py --verdict "$scratch/lines"
