#!/usr/bin/env bash
# Computes descriptors of whole datasets with fadecast and with numpy, in turns, and prints seconds, memory and ratios.
#
# usage: benches/descriptors.sh PYTHON ROOT DATASET [DATASET...]
#   PYTHON   an interpreter with numpy, scipy and pyarrow
#   ROOT     a working directory with `datasets/`; the speed table's are made by
#              fadecast --root ROOT datasets import severson ... --name severson
#              fadecast --root ROOT datasets simulate fleet1000 --cells 1000 --cycles 100
# FADECAST  the program, by default that of the release build
# RUNS      repetitions of each, 3 by default; the fastest counts, of wall time and of processor time
# CYCLES    window, 1..100 by default
# Both read the same Parquet files and compute the same forty descriptors (benches/descriptors.py); fadecast's time is
# that of the whole process, with the SHA-256 of every table; numpy's is what it states itself, without the start of
# Python and its imports. Beside the wall time stands that of the processor, user and system, all threads together: on a
# machine that others use too it is the one to compare. The full catalogue is timed beside them. Values are compared by name, relative to the larger
# magnitude or, for what may pass through 0, a millionth of the median magnitude over the cells: 1e-6 is agreement, both sum
# the same numbers in another order.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,17p' "$0"; exit 2; }
python=$1 root=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
target="${CARGO_TARGET_DIR:-$here/../target}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

PYTHONPATH="$here" exec "$python" - "${FADECAST:-$target/release/fadecast}" "$here/descriptors.py" "$root" "$scratch" \
  "${RUNS:-3}" "${CYCLES:-1..100}" "$@" <<'PYTHON'
import ast, csv, json, os, pathlib, subprocess, sys
import numpy as np
import pyarrow.parquet as pq
import descriptors

program, script, root, scratch, runs, window, *datasets = sys.argv[1:]
scratch = pathlib.Path(scratch)


# Started by a small process: the peak memory of a child is at least that of the process that starts it.
SMALL = """import os, subprocess, sys, time
begin = time.perf_counter()
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, text=True)
text = child.stdout.read()
_, status, usage = os.wait4(child.pid, 0)
seconds = time.perf_counter() - begin
print(repr((status, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, text)), file=open(sys.argv[1], "w"))
"""


def measured(words):
    """Runs a program; returns its seconds, those of the processor, its peak memory in bytes and what it printed."""
    told = scratch / "told.txt"
    subprocess.run([sys.executable, "-S", "-c", SMALL, str(told), *words], check=True)
    status, *rest = ast.literal_eval(told.read_text())
    if status:
        sys.exit(f"{' '.join(words)}: failed")
    return rest


def ours(dataset, out, names):
    words = [program, "--root", root, "--quiet", "descriptors", "compute", dataset, "--cycles", window, "--out", str(out)]
    return measured(words + (["--descriptors", ",".join(names)] if names else []))


def theirs(dataset, out):
    folder = pathlib.Path(root) / "datasets" / dataset
    _, _, peak, text = measured([sys.executable, script, str(folder), str(out), *window.split("..")])
    stated = json.loads(text.splitlines()[-1])
    return stated["seconds"], stated["cpu"], peak, stated


def differences(ours, theirs):
    """Returns the largest relative difference of each descriptor that both have, and where only one has a value."""
    table = pq.read_table(ours)
    rows = {row["cell"]: row for row in csv.DictReader(open(theirs))}
    cells = [str(cell) for cell in table.column("cell").to_pylist()]
    worst, lacking = {}, {}
    for name in descriptors.NAMES:
        if name not in table.column_names:
            continue
        a = np.array([np.nan if v is None else v for v in table.column(name).to_pylist()], dtype=float)
        b = np.array([float(rows[cell][name] or "nan") for cell in cells])
        both = np.isfinite(a) & np.isfinite(b)
        lacking[name] = int((np.isfinite(a) != np.isfinite(b)).sum())
        if both.any():
            a, b = a[both], b[both]
            scale = np.maximum(np.maximum(abs(a), abs(b)), 1e-6 * np.median(abs(b)))
            worst[name] = float((abs(a - b) / np.where(scale > 0, scale, 1.0)).max())
    return worst, lacking


for dataset in datasets:
    forty, whole, peer = [], [], []
    for _ in range(int(runs)):
        forty.append(ours(dataset, scratch / "forty.parquet", descriptors.NAMES))
        peer.append(theirs(dataset, scratch / "peer.csv"))
        whole.append(ours(dataset, scratch / "whole.parquet", []))
    least = lambda times: (*(min(t[i] for t in times) for i in (0, 1)), max(t[2] for t in times))
    stated = min((times[3] for times in peer), key=lambda s: s["seconds"])
    forty, whole, peer = least(forty), least(whole), least(peer)
    n_whole = len(pq.read_schema(scratch / "whole.parquet").names) - 1
    worst, lacking = differences(scratch / "forty.parquet", scratch / "peer.csv")
    print(f"{dataset}: {stated['cells']} cells, cycles {window}, {os.cpu_count()} cores")
    print("                                  wall s    processor s   peak MB   numpy over it: wall, processor")
    for name, (wall, cpu, peak) in (
        ("numpy, 40 descriptors", peer),
        ("fadecast, the same 40", forty),
        (f"fadecast, all {n_whole}", whole),
    ):
        ratios = "" if name.startswith("numpy") else f"{peer[0] / wall:9.1f} {peer[1] / cpu:9.1f}"
        print(f"  {name:28} {wall:9.3f}    {cpu:9.3f} {peak / 1e6:9.0f}   {ratios}")
    print(f"  numpy reads for {stated['reading']:.3f} s and computes for {stated['computing']:.3f} s")
    if worst:
        name = max(worst, key=worst.get)
        print(f"  {len(worst)} of 40 compared: largest relative difference {worst[name]:.1e} ({name})")
    for name in sorted(worst, key=worst.get, reverse=True):
        if worst[name] > 1e-6 or lacking[name]:
            print(f"    differs: {name} {worst[name]:.1e}, only one has it in {lacking[name]} cells")
    for name, n in lacking.items():
        if n and name not in worst:
            print(f"    differs: {name}, only one has it in {n} cells")
PYTHON
