"""Random rows of a run through an exported model and through `fadecast predict`: the largest difference.

usage: c_check.py FADECAST ROOT RUN FOLDER, where FOLDER holds `driver`, `model.o` and the export's `log`
"""

import csv
import json
import math
import random
import re
import subprocess
import sys
from pathlib import Path

N_ROWS = 2000
TOLERANCE = 1e-5


def rows(inputs):
    """Draws rows of the trained ranges, a tenth of it beyond, one number in ten missing."""
    draw = random.Random(5)

    def value(low, high):
        margin = 0.1 * (high - low)
        drawn = draw.uniform(low - margin, high + margin)
        return math.nan if draw.random() < 0.1 else drawn

    return [[value(*i["range"]) for i in inputs] for _ in range(N_ROWS)]


def predicted(fadecast, root, run, inputs, given, folder):
    table, out = folder / "rows.csv", folder / "answers.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([i["name"] for i in inputs])
        writer.writerows([["" if math.isnan(v) else repr(v) for v in row] for row in given])
    command = [fadecast, "--root", root, "--quiet", "predict", run, str(table), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with out.open(newline="") as file:
        return list(csv.DictReader(file))


def constants(folder):
    """Returns the bytes of constant tables in the object; those without a name are numbers of the code."""
    symbols = subprocess.run(["nm", "-S", folder / "model.o"], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in symbols.splitlines()]
    return sum(int(w[1], 16) for w in words if len(w) == 4 and w[2] == "r" and not w[3].startswith("."))


def main():
    fadecast, root, run, folder = sys.argv[1:4] + [Path(sys.argv[4])]
    manifest = json.loads((Path(run) / "artifact.json").read_text())
    given = rows(manifest["inputs"])
    text = "\n".join(" ".join(map(repr, row)) for row in given)
    answers = subprocess.run([folder / "driver"], input=text, capture_output=True, text=True, check=True).stdout
    found = [[float(word) for word in line.split()] for line in answers.splitlines()]
    expected = predicted(fadecast, root, run, manifest["inputs"], given, folder)
    assert len(found) == len(expected) == N_ROWS, (len(found), len(expected))
    kind = manifest["output"]["kind"]
    if kind == "tier":
        names = [f"probability_{name.lower()}" for name in manifest["output"]["names"]]
    else:
        answer = {"soh": "soh", "life": "cycle_life"}[kind]
        names = [answer, f"{answer}_lower", f"{answer}_upper"]
    largest = 0.0
    for one, row in zip(found, expected):
        for number, name in zip(one[1:], names):
            reference = float(row[name])
            largest = max(largest, abs(number - reference) / max(1.0, abs(reference)))
    log = (folder / "log").read_text()
    reported = int(re.search(r"Flash: (\d+) bytes of constants", log)[1])
    # A compiler may put a table of a few numbers into the code: it holds as much as is stated, or a little less.
    assert reported - 64 <= constants(folder) <= reported, (constants(folder), reported)
    loss = re.search(r"change the label by ([0-9.e-]+) at most", log)
    print(f"largest difference {largest:.2e} on {N_ROWS} random rows")
    # What 8 bits lose is measured on rows within the ranges; these lie a little beyond, and a life is no logarithm.
    limit = 6 * float(loss[1]) if loss else TOLERANCE
    sys.exit(0 if largest <= limit else f"above {limit:.2e}")


main()
