#!/usr/bin/env bash
# Our Bayesian oracle, and chance, against Optuna's samplers at equal budget: median regret over SEEDS seeds, at the budget and half of it.
#
# usage: benches/oracles.sh PYTHON [PYTHON_WITH_TORCH] [SEEDS]
#
# PYTHON has Optuna (measured with 5.0.0); PYTHON_WITH_TORCH has PyTorch too, for Optuna's GP sampler, which takes
# about a second a trial and is left out without it. SEEDS is 20. All sides begin with the same 10 random trials.
# The last lines are the time of our 1000th suggestion in 10 dimensions, and `oracles ok` or which cell of the table
# at the full budget is lost.
set -euo pipefail
python="${1:?usage: benches/oracles.sh PYTHON [PYTHON_WITH_TORCH] [SEEDS]}"
torch="${2:-}" seeds="${3:-20}"
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
export OMP_NUM_THREADS=1
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
cargo bench --locked --quiet --no-run --bench oracles

for search in "branin 50" "hartmann6 80" "noisy_quadratic 60"; do
  read -r function budget <<<"$search"
  cargo bench --locked --quiet --bench oracles -- "$function" bayesian "$budget" "$seeds"
  cargo bench --locked --quiet --bench oracles -- "$function" random "$budget" "$seeds"
  "$python" benches/oracles.py "$function" random "$budget" "$seeds"
  "$python" benches/oracles.py "$function" tpe "$budget" "$seeds"
  if [ -n "$torch" ]; then "$torch" benches/oracles.py "$function" gp "$budget" "$seeds"; fi
done >"$scratch/lines.json"
cargo bench --locked --quiet --bench oracles -- overhead 1000 >"$scratch/overhead.json"

"$python" benches/oracles.py --table "$scratch/lines.json"
cat "$scratch/overhead.json"
"$python" benches/oracles.py --verdict "$scratch/lines.json"
