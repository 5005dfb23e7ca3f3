#!/usr/bin/env bash
# Answers of a long table: rows a second and peak memory of `fadecast predict`, which must not grow with the rows.
#
#   FADECAST=target/release/fadecast benches/predict_rows.sh PYTHON FOLDER [ROWS...]
#
# PYTHON has numpy and pyarrow. FOLDER is a working directory; a quickstart run is trained in it where there is none.
# ROWS are numbers of rows, by default a million and ten millions. Tables are drawn from the ranges that the run was
# trained on, a row group of 262144 rows, and stay in FOLDER.
set -euo pipefail
python=$1 folder=$2
shift 2
[ $# -gt 0 ] || set -- 1000000 10000000
fadecast=${FADECAST:-target/release/fadecast}
mkdir -p "$folder"
export FADECAST_ROOT=$folder
[ -d "$folder/models/quickstart" ] || "$fadecast" train --quiet > /dev/null

"$python" - "$fadecast" "$folder" "$@" <<'PYTHON'
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

fadecast, folder, sizes = sys.argv[1], Path(sys.argv[2]), [int(n) for n in sys.argv[3:]]
run = max((folder / "models/quickstart").glob("*/artifact.json"))
inputs = json.loads(run.read_text())["inputs"]
GROUP = 1 << 18


def make(path, n_rows):
    rng = np.random.default_rng(1)
    schema = pa.schema([(i["name"], pa.float64()) for i in inputs] + [("cell", pa.string())])
    with pq.ParquetWriter(path, schema, compression="zstd") as out:
        for start in range(0, n_rows, GROUP):
            n = min(GROUP, n_rows - start)
            columns = [rng.uniform(*i["range"], n) for i in inputs]
            columns.append(np.char.add("C", (np.arange(start, start + n) // 1000).astype(str)))
            out.write_table(pa.table(columns, schema=schema))


# Started by a small process: the peak memory of a child is at least that of the process that starts it.
SMALL = """import os, subprocess, sys, time
begin = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(status != 0)
"""


def measure(words):
    """Wall time [s], time of the processor [s] and largest resident set [MB]."""
    done = subprocess.run([sys.executable, "-S", "-c", SMALL, *words], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


print(f"{len(inputs)} inputs, {run.parent.name}")
print(f"{'rows':>10} {'table':>8} {'out':>8} {'wall s':>8} {'cpu s':>8} {'rows/s':>10} {'peak MB':>8}")
for n_rows in sizes:
    table = folder / f"rows-{n_rows}.parquet"
    if not table.exists():
        make(table, n_rows)
    for end in ["parquet", "csv"]:
        out = folder / f"answers.{end}"
        wall, cpu, peak = measure([fadecast, "predict", str(run.parent), str(table), "--out", str(out), "--quiet"])
        print(f"{n_rows:>10} {table.stat().st_size >> 20:>6} MB {end:>8} {wall:>8.2f} {cpu:>8.2f} {n_rows / wall:>10.0f} {peak:>8.0f}")
        out.unlink()
PYTHON
