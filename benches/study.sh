#!/usr/bin/env bash
# What a search costs beside its training: memory over 1,000 trials, opening a study of 10,000, and the 1000th suggestion.
#
# usage: benches/study.sh
set -euo pipefail
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
[ -n "${FADECAST:-}" ] || cargo build --release --locked --quiet
fadecast="${FADECAST:-$CARGO_TARGET_DIR/release/fadecast}"
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/tiny.toml" <<'TOML'
cells = ["SIM-NMC-01", "SIM-NMC-02"]
[inputs]
descriptors = ["charge_throughput", "history_cycle_count"]
[model]
kind = "dense"
hidden = [4]
[train]
epochs = 1
batch_size = 1024
[tuner]
oracle = "random"
nested = false
trials = 1000
[tuner.space]
"train.learning_rate" = { float = [1e-4, 1e-1], sampling = "log" }
"train.weight_decay" = { float = [1e-6, 1e-1], sampling = "log" }
TOML
study="$scratch/tuner_results/tiny"
"$fadecast" --root "$scratch" --quiet tune "$scratch/tiny.toml" >"$scratch/log" &
pid=$!
done_by_now() { grep -cs '"finished"' "$study/journal.jsonl" || [ -e "$study/journal.jsonl" ] || echo 0; }
begin="$(date +%s.%N)"
for at in 100 250 500 750 990; do
  while kill -0 "$pid" 2>/dev/null && [ "$(done_by_now)" -lt "$at" ]; do sleep 0.05; done
  echo "memory after $at trials: $(awk '/VmRSS/ { print $2 / 1024 " MB" }' "/proc/$pid/status" 2>/dev/null || echo ended)"
done
wait "$pid"
end="$(date +%s.%N)"
awk -v b="$begin" -v e="$end" 'BEGIN { printf "1000 trials of one epoch: %.1f s, %.1f ms each\n", e - b, e - b }'
du -sm "$study" | awk '{ print "disk of the study: " $1 " MB" }'

python3 - "$study/journal.jsonl" <<'PYTHON'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
head = next(l for l in lines if "study" in l)
begun, finished = next(l for l in lines if "begun" in l), next(l for l in lines if "finished" in l)
with open(sys.argv[1], "w") as out:
    out.write(json.dumps(head) + "\n")
    for n in range(10_000):
        trial = begun["begun"]["proposed"][0] | {"number": n, "id": f"{n:05}"}
        out.write(json.dumps({"begun": begun["begun"] | {"lease": n, "trials": [n], "proposed": [trial]}}) + "\n")
        result = finished["finished"]["results"][0] | {"trial": n}
        out.write(json.dumps({"finished": {"lease": n, "results": [result]}}) + "\n")
PYTHON
du -m "$study/journal.jsonl" | awk '{ print "journal of 10,000 trials: " $1 " MB" }'
begin="$(date +%s.%N)"
"$fadecast" --root "$scratch" tune best tiny --n 1 >/dev/null
end="$(date +%s.%N)"
awk -v b="$begin" -v e="$end" 'BEGIN { printf "opened, ranked and shown in %.2f s (limit 1 s)\n", e - b }'
cargo bench --locked --bench oracles -- overhead 1000 2>/dev/null | tail -1
