#!/usr/bin/env bash
# The member-step bench beside its peers in one run: microseconds per member-step and ratios (ours / theirs, below 1 is faster).
#
# usage: benches/member_step.sh [PYTHON_WITH_JAX] [PYTHON_WITH_TORCH] [PYTHON_WITH_KERAS]    ("" leaves a peer out)
# PEERS   folder of jax_population.py and eager_step.py; by default ../shared/peers
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
peers="${PEERS:-../shared/peers}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT

cargo bench --locked --bench member_step 2>/dev/null | tee -a "$log"
[ -z "${1:-}" ] || "$1" "$peers/jax_population.py" | tee -a "$log"
[ -z "${2:-}" ] || "$2" "$peers/eager_step.py" torch | tee -a "$log"
[ -z "${3:-}" ] || "$3" "$peers/eager_step.py" keras | tee -a "$log"

awk '/us\/member-step/ { shape = $2 " " $3 " " $4 " " $5; us[$1, shape] = $(NF - 1); seen[$1] = 1; if ($1 == "fused") order[++n] = shape }
     END {
       for (i = 1; i <= n; i++) {
         line = "ratio " order[i]
         for (peer in seen)
           if (peer != "fused" && (peer, order[i]) in us) line = line sprintf(" fused/%s=%.3f", peer, us["fused", order[i]] / us[peer, order[i]])
         print line
       }
     }' "$log"
