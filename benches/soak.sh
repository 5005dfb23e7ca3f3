#!/usr/bin/env bash
# A search that is killed at random moments, again and again, and must end with every trial once.
#
# usage: benches/soak.sh [KILLS] [WORKERS] [TRIALS]
#
# Each kill (SIGKILL) hits one of the processes at random: a worker, or the search itself, which is then started again. When
# the kills are used up the search runs to its end; then every trial must be there once and completed, and Keras Tuner's and
# Optuna's files must say the same.
set -euo pipefail
kills="${1:-100}" workers="${2:-2}" trials="${3:-400}"
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
[ -n "${FADECAST:-}" ] || cargo build --release --locked --quiet
fadecast="${FADECAST:-$CARGO_TARGET_DIR/release/fadecast}"
scratch="$(mktemp -d)"
trap 'kill -9 -- $(children) 2>/dev/null || true; rm -rf "$scratch"' EXIT
children() { pgrep -f -- "--root $scratch .*tune" || true; }
cp experiments/quickstart_tune.toml "$scratch/soak.toml"
study="$scratch/tuner_results/soak"
search() {
  "$fadecast" --root "$scratch" --quiet tune "$scratch/soak.toml" --workers "$workers" --set "tuner.trials=$trials" \
    --set tuner.oracle=random --set tuner.executions=1 --set train.epochs=20 "$@"
}
count() { grep -c "$1" "$study/journal.jsonl" 2>/dev/null || true; }

killed=0 searches=0 whole=0
while [ "$killed" -lt "$kills" ]; do
  search >"$scratch/log" 2>&1 &
  pid=$!
  searches=$((searches + 1))
  while kill -0 "$pid" 2>/dev/null && [ "$killed" -lt "$kills" ]; do
    sleep "$((RANDOM % 3)).$((RANDOM % 9 + 1))"
    mapfile -t alive < <(children)
    [ "${#alive[@]}" -gt 0 ] || continue
    if kill -9 "${alive[$((RANDOM % ${#alive[@]}))]}" 2>/dev/null; then killed=$((killed + 1)); fi
  done
  wait "$pid" 2>/dev/null && whole=1 || true
  [ "$whole" = 0 ] || break
done
[ "$whole" = 0 ] || { echo "the search ended after $killed of $kills kills: give it more TRIALS" >&2; exit 1; }
echo "killed $killed times in $searches searches, $(count "\"finished\"") trials done by then"
search >"$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
"$fadecast" --root "$scratch" tune show soak --json >"$scratch/trials.json"
python3 - "$scratch/trials.json" "$study" "$trials" "$killed" <<'PYTHON'
import collections, json, os, sys
study, folder, wanted, killed = json.load(open(sys.argv[1]))[0], sys.argv[2], int(sys.argv[3]), sys.argv[4]
trials = study["trials"]
ends = collections.Counter()
for line in open(f"{folder}/journal.jsonl"):
    event = json.loads(line)
    for result in event.get("finished", {}).get("results", []):
        ends[result["trial"]] += 1
assert len(trials) == wanted and [t["number"] for t in trials] == list(range(wanted)), "trials are missing"
assert all(t["status"] == "completed" for t in trials), "a trial did not complete"
assert len({t["id"] for t in trials}) == wanted == len({json.dumps(t["values"]) for t in trials}), "a trial is there twice"
assert all(ends[n] == 1 for n in range(wanted)), "a trial ended more or less than once"
keras = [json.load(open(f"{folder}/trial_{t['id']}/trial.json")) for t in trials]
assert all(k["status"] == "COMPLETED" for k in keras) and json.load(open(f"{folder}/oracle.json"))["ongoing_trials"] == {}
print(f"soak ok: {wanted} trials, each once, after {killed} kills")
PYTHON
