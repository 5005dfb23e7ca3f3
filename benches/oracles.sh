#!/usr/bin/env bash
# The oracles beside Optuna's samplers on functions with known minima: median regret over seeds at parts of the budget.
#
# usage: benches/oracles.sh [PYTHON_WITH_OPTUNA] [PYTHON_WITH_TORCH_AND_OPTUNA] [SEEDS]    ("" leaves a peer out)
#   the first runs Optuna's TPE sampler, the second its Gaussian process; SEEDS is 20 by default
# LINES_FILE  file that keeps the JSON lines, one a function, sampler and seed; by default they are not kept
# The last line is the time of the 1000th Bayesian proposal in 10 dimensions.
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
tpe="${1:-}" gp="${2:-}" seeds="${3:-20}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
lines="${LINES_FILE:-$scratch/lines}"
: >"$lines"

for run in "branin 50" "noisy_quadratic 60" "hartmann6 80"; do
  read -r function budget <<<"$run"
  for oracle in random bayesian; do
    cargo bench --locked --bench oracles -- "$function" "$oracle" "$budget" "$seeds" 2>/dev/null >>"$lines"
  done
  [ -z "$tpe" ] || "$tpe" benches/oracles.py "$function" tpe "$budget" "$seeds" >>"$lines"
  [ -z "$gp" ] || "$gp" benches/oracles.py "$function" gp "$budget" "$seeds" >>"$lines"
done

# A line is {"function": "branin", "sampler": "tpe", "seed": 0, "regret": [19.3, ...]}.
sed -E 's/.*"function": "([^"]*)", "sampler": "([^"]*)".*\[(.*)\].*/\1 \2 \3/; s/,//g' "$lines" | awk '
  { name = $1 " " $2; if (!(name in n)) order[++names] = name
    n[name]++; budget = NF - 2
    for (q = 1; q <= 4; q++) regret[name, q, n[name]] = $(2 + int(budget * q / 4)) }
  function median(name, q,    i, j, t, v, m) {
    m = n[name]
    for (i = 1; i <= m; i++) v[i] = regret[name, q, i] + 0
    for (i = 2; i <= m; i++) for (j = i; j > 1 && v[j] < v[j - 1]; j--) { t = v[j]; v[j] = v[j - 1]; v[j - 1] = t }
    return m % 2 ? v[(m + 1) / 2] : (v[m / 2] + v[m / 2 + 1]) / 2
  }
  END {
    printf "%-16s %-14s %5s  %s\n", "function", "sampler", "seeds", "median regret after 1/4, 1/2, 3/4 and all of the budget"
    for (i = 1; i <= names; i++) {
      split(order[i], part, " ")
      printf "%-16s %-14s %5d ", part[1], part[2], n[order[i]]
      for (q = 1; q <= 4; q++) printf " %9.3g", median(order[i], q)
      printf "\n"
    }
  }'
cargo bench --locked --bench oracles -- overhead 1000 2>/dev/null
