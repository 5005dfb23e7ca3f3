"""Compares what other programs make of exported pipelines with our own answers: formats.py FORMAT FOLDER."""

import json
import pathlib
import sys

import numpy as np

LIMIT = 1e-5


def of_json(folder, told):
    import json_reader

    rows, expected = told["gaps"]
    yield "numpy", expected, json_reader.answers(json.loads((folder / "json.json").read_text()), rows)


def of_safetensors(folder, told):
    import safetensors_reader as reader

    rows, expected = told["gaps"]
    path = folder / "safetensors.safetensors"
    yield "numpy", expected, reader.answers(path, rows)
    try:
        import torch

        torch.set_num_threads(1)
    except ImportError:
        return
    yield "PyTorch", expected, reader.answers(path, rows, reader.outputs_torch)


def of_keras(folder, told):
    import keras_reader

    rows, expected = told["complete"]
    yield "Keras", expected, keras_reader.answers(folder / "keras.json", folder / "keras.weights.h5", rows)


def main(form, folder):
    ways = {"json": of_json, "safetensors": of_safetensors, "keras": of_keras}
    worst, n = {}, 0
    for one in sorted(pathlib.Path(folder).iterdir()):
        if not any(path.name.startswith(f"{form}.") for path in one.iterdir()):
            continue
        told = json.loads((one / "answers.json").read_text())
        told = {kind: tuple(np.array(told[kind][key], float) for key in ("rows", "answers")) for kind in told}
        for program, expected, found in ways[form](one, told):
            difference = np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected)))
            worst[program] = max(worst.get(program, 0.0), difference)
            n += 1
            if one.name.startswith("run-") or not difference <= LIMIT:
                print(f"{form}: {program}: {one.name}: {len(expected)} rows, largest difference {difference:.1e}")
    for program, difference in worst.items():
        print(f"{form}: {program}: all models: largest difference {difference:.1e} of max(1, |y|)")
    return 0 if n > 0 and all(difference <= LIMIT for difference in worst.values()) else 1


sys.exit(main(*sys.argv[1:]))
