#!/usr/bin/env bash
# Imports one NASA .mat file with fadecast and with scipy + pyarrow, in turns, and prints seconds, memory and ratios.
#
# usage: benches/import.sh PYTHON PEER.py FILE.mat [RUNS]
#   PYTHON   an interpreter with numpy, scipy and pyarrow
#   PEER.py  a script `PEER.py FILE.mat OUT_DIR` that prints "loadmat S s, whole import S s"
#   RUNS     repetitions of each, 7 by default; the fastest counts
# FADECAST  the program, by default that of the release build. Its time is that of the whole process: start, read,
#           inflate, SHA-256, Parquet and fsync. The peer has no SHA-256 and no fsync, and is shown as it times
#           itself, without the start of Python and its imports, and as a whole process.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,12p' "$0"; exit 2; }
python=$1 peer=$2 file=$3 runs=${4:-7}
target="${CARGO_TARGET_DIR:-$(dirname "$0")/../target}"
program="${FADECAST:-$target/release/fadecast}"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for ((i = 0; i < runs; i++)); do
  "$python" - "$program" "$file" "$scratch/root" >>"$scratch/ours" <<'PYTHON'
import resource, subprocess, sys, time
program, file, root = sys.argv[1:]
words = [program, "--root", root, "--quiet", "datasets", "import", "nasa", file, "--name", "bench", "--replace"]
start = time.perf_counter()
subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
  "$python" - "$python" "$peer" "$file" "$scratch/peer" >>"$scratch/theirs" <<'PYTHON'
import subprocess, sys, time
start = time.perf_counter()
text = subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True).stdout
print(text.strip(), f"process {time.perf_counter() - start:.3f} s")
PYTHON
done

"$python" - "$scratch/ours" "$scratch/theirs" "$file" <<'PYTHON'
import pathlib, re, struct, sys, zlib
ours, theirs, file = (pathlib.Path(p) for p in sys.argv[1:])
runs = [tuple(map(float, line.split())) for line in ours.read_text().splitlines()]
seconds, peak = min(s for s, _ in runs), max(m for _, m in runs) * 1024
found = re.findall(r"loadmat ([\d.]+) s, whole import ([\d.]+) s", theirs.read_text())
loadmat, whole = min(float(a) for a, _ in found), min(float(b) for _, b in found)
process = min(map(float, re.findall(r"process ([\d.]+) s", theirs.read_text())))
raw, offset, inflated = file.read_bytes(), 128, 0
while offset < len(raw):  # Elements of a MATLAB 5 file: type, length, data; 15 is a zlib stream.
    kind, length = struct.unpack_from("<II", raw, offset)
    inflated += len(zlib.decompress(raw[offset + 8:offset + 8 + length])) if kind == 15 else length
    offset += 8 + length
print(f"fadecast, whole process    {seconds:.3f} s")
print(f"peer, whole process        {process:.3f} s   {process / seconds:.2f} times fadecast")
print(f"peer, whole import         {whole:.3f} s   {whole / seconds:.2f} times fadecast")
print(f"peer, loadmat alone        {loadmat:.3f} s   {loadmat / seconds:.2f} times fadecast")
print(f"fadecast, peak memory      {peak / 1e6:.0f} MB   {peak / inflated:.2f} times the inflated {inflated / 1e6:.1f} MB")
PYTHON
