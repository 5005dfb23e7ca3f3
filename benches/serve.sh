#!/usr/bin/env bash
# The server under load: start to first answer, 2,000 single rows a second, ten times that, memory; wrk beside it where it is installed.
#
# usage: benches/serve.sh [MINUTES] [ROOT RUN]
#
# MINUTES is how long the fixed rate is held (default 1/3); 10 shows whether memory is flat. Without ROOT and RUN the
# quickstart is trained and served. Client and server share the machine. The last line is `serve ok`.
set -euo pipefail
minutes="${1:-0.3333}" root="${2:-}" run="${3:-models/quickstart/latest}"
cd "$(dirname "$0")/.."
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fadecast/target}"
[ -n "${FADECAST:-}" ] || cargo build --release --locked --quiet
fadecast="${FADECAST:-$CARGO_TARGET_DIR/release/fadecast}"
scratch="$(mktemp -d)"
server=
finish() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$scratch"; }
trap finish EXIT
if [ -z "$root" ]; then
  root="$scratch"
  "$fadecast" --root "$root" --quiet train >"$scratch/train.log"
fi
seconds="$(awk -v m="$minutes" 'BEGIN { print m * 60 }')"

cargo bench --locked --quiet --bench serve -- "$fadecast" "$root" "$run" --seconds "$seconds"
echo "-- one request a batch"
cargo bench --locked --quiet --bench serve -- "$fadecast" "$root" "$run" --overload-seconds 5 -- --batch-rows 1

if command -v wrk >/dev/null; then
  echo "-- wrk, as fast as it can"
  "$fadecast" --root "$root" serve "$run" --listen 127.0.0.1:0 >"$scratch/address" 2>"$scratch/serve.log" &
  server=$!
  until [ -s "$scratch/address" ]; do sleep 0.05; done
  address="$(cat "$scratch/address")"
  curl -s "$address/v1/models" >"$scratch/models.json"
  python3 - "$scratch" <<'PY'
import json, sys
inputs = json.load(open(sys.argv[1] + "/models.json"))["models"][0]["inputs"]
body = json.dumps({"rows": [{i["name"]: sum(i["range"]) / 2 for i in inputs}]})
open(sys.argv[1] + "/row.lua", "w").write(
    f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [[{body}]]\n')
PY
  for connections in 2 64 256; do
    wrk -t1 -c"$connections" -d10s --latency -s "$scratch/row.lua" "$address/v1/predict" | grep -E '99%|50%|Requests/sec|Non-2xx|Socket' | sed "s/^ */$connections connections: /"
  done
fi
echo "serve ok"
