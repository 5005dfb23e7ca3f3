"""Checks ONNX files and runs them in onnxruntime: the largest difference from the expected answers, a line a model.

    onnx_check.py FOLDER

FOLDER holds NAME.onnx (and NAME.packed.onnx), NAME.inputs.csv and NAME.answers.csv, as written by the library's tests and
by tests/round_trip/onnx.sh. A difference is relative to the size of an answer above 1. Exit code 1 above 1e-5.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5
BATCHES = (1, 17)


def table(path):
    """Returns names and columns of a CSV file; what is empty is NaN, columns of text are left out."""
    with open(path, newline="") as file:
        names, *rows = csv.reader(file)
    columns = {}
    for name, cells in zip(names, zip(*rows)):
        try:
            columns[name] = np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            continue
    return columns


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed(running, columns, rows):
    """Returns the inputs of some rows: one tensor a name, or all of them in one."""
    single = {name: values[rows].astype(np.float32)[:, None] for name, values in columns.items()}
    names = [given.name for given in running.get_inputs()]
    if names == ["inputs"] and "inputs" not in columns:
        return {"inputs": np.concatenate(list(single.values()), axis=1)}
    return {name: single[name] for name in names}


def difference(path, columns, expected):
    """Returns the largest difference of all outputs that are expected, over batches of 1, 17 and all rows."""
    running = session(path)
    outputs = [output.name for output in running.get_outputs() if output.name in expected]
    if not outputs:
        raise SystemExit(f"{path}: no output among {sorted(expected)}")
    n = len(next(iter(columns.values())))
    largest = 0.0
    for size in (*BATCHES, n):
        for begin in range(0, min(n, 3 * size), size):
            rows = slice(begin, min(begin + size, n))
            for name, found in zip(outputs, running.run(outputs, feed(running, columns, rows))):
                answer = expected[name][rows]
                error = np.abs(found[:, 0].astype(float) - answer) / np.maximum(1.0, np.abs(answer))
                if found.shape != (len(answer), 1) or not np.isfinite(error).all():
                    return np.inf
                largest = max(largest, float(error.max()))
    return largest


def main(folder):
    worst = 0.0
    for path in sorted(Path(folder).glob("*.onnx")):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        name = path.name.removesuffix(".onnx").removesuffix(".packed")
        columns, expected = (table(path.parent / f"{name}.{part}.csv") for part in ("inputs", "answers"))
        largest = difference(path, columns, expected)
        worst = max(worst, largest)
        nodes, size = len(model.graph.node), path.stat().st_size
        print(f"{path.name.removesuffix('.onnx'):<44} {nodes:4} nodes {size:9} bytes  {largest:.1e}")
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}: largest difference {worst:.1e}")
    return 0 if 0.0 < worst < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
