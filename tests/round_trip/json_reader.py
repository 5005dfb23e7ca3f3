"""Computes a pipeline that `fadecast export --format json` wrote: numpy and the standard library only."""

import json
import sys

import numpy as np

FUNCTIONS = {"exp": np.exp, "log": np.log, "sqrt": np.sqrt, "tanh": np.tanh, "__builtins__": {}}


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "gelu": lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "silu": lambda x: x * sigmoid(x),
    "sigmoid": sigmoid,
    "softplus": lambda x: np.logaddexp(x, 0),
}


def network(body, member, x):
    x = np.pad(x, ((0, 0), (0, body["d_input"] - x.shape[1])))
    *hidden, last = member["layers"]
    for layer in hidden:
        s = x @ np.array(layer["weight"]) + layer["bias"]
        if body["normalisation"] != "none":
            batch = body["normalisation"] == "batch"
            mean = layer["mean"] if batch else s.mean(axis=1, keepdims=True)
            variance = layer["variance"] if batch else s.var(axis=1, keepdims=True)
            s = (s - mean) / np.sqrt(np.array(variance) + body["epsilon"]) * layer["norm_scale"] + layer["norm_shift"]
        h = ACTIVATIONS[body["activation"]](s)
        x = h + x if body["skip"] and h.shape == x.shape else h
    return x @ np.array(last["weight"]) + last["bias"]


def forest(trees, rows):
    """Margins of trees as XGBoost stores them, in 32-bit numbers."""
    learner = trees["learner"]
    start = np.array(json.loads(learner["learner_model_param"]["base_score"]), np.float32).ravel()
    model = learner["gradient_booster"]["model"]
    margins = np.tile(start, (len(rows), max(1, int(learner["learner_model_param"]["num_class"])) // len(start)))
    weights = learner["gradient_booster"].get("weight_drop") or model.get("weight_drop") or [1] * len(model["trees"])
    for tree, output, weight in zip(model["trees"], model["tree_info"], weights):
        values = np.array(tree["split_conditions"], np.float32)
        for r, row in enumerate(rows.astype(np.float32)):
            at = 0
            while tree["left_children"][at] >= 0:
                x = row[tree["split_indices"][at]]
                left = tree["default_left"][at] if np.isnan(x) else x < values[at]
                at = (tree["left_children"] if left else tree["right_children"])[at]
            margins[r, output] += np.float32(weight) * values[at]
    return margins.astype(float)


def part_label(part, rows):
    body, scaler, label = part["body"], part["scaler"], part["label"]
    raw = rows[:, part["columns"]]
    x = (np.where(np.isfinite(raw), raw, scaler["median"]) - scaler["mean"]) / scaler["sd"]
    stress = rows[:, part["stress"]]
    stress = np.where(np.isfinite(stress), stress, part["stress_median"])
    named = dict(zip(part["stress_names"], stress.T))
    law = lambda parameters: eval(body["law"]["formula"], FUNCTIONS, named | parameters)[:, None]
    scale = lambda o: label["mean"] + label["sd"] * o
    mean = lambda lists: np.mean(list(lists), axis=0)
    if body["kind"] == "law":
        y = law(body["law"]["parameters"])
    elif body["kind"] == "linear":
        y = scale(x @ np.array(body["weights"]) + body["intercept"])[:, None]
    elif body["kind"] == "logistic":
        z = x @ np.array(body["coefficients"]).T + body["intercepts"]
        y = softmax(z if z.shape[1] > 1 else np.pad(z, ((0, 0), (1, 0))))
    elif body["kind"] == "networks":
        outputs = [(member, network(body, member, x)) for member in body["members"]]
        if body["classes"]:
            y = mean(softmax(o) for _, o in outputs)
        elif body["law"]:
            share = label["sd"] * body["law"]["residual_scale"]
            y = mean(law(member["parameters"]) + share * o[:, :1] for member, o in outputs)
        else:
            y = mean(scale(o[:, :1]) for _, o in outputs)
    else:
        margins = [forest(trees, np.where(np.isfinite(raw), raw, np.nan)) for trees in body["trees"]]
        y = mean(softmax(m) if m.shape[1] > 1 else m for m in margins)
        y = y + law(body["law"]["parameters"]) if body["law"] else y
    return calibrated(part["calibration"], y)


def calibrated(calibration, p):
    kind = (calibration or {"kind": "none"})["kind"]
    if kind == "temperature":
        return softmax(np.log(np.maximum(p, 2.220446049250313e-16)) / calibration["temperature"])
    if kind == "isotonic":
        steps = [np.interp(p[:, k], f["x"], f["y"]) for k, f in enumerate(calibration["classes"])]
        p = np.clip(np.stack(steps, axis=1), calibration["floor"], 1 - calibration["floor"])
        return p / p.sum(axis=1, keepdims=True)
    return p


def answers(document, rows):
    """Answers [row, answer] in physical units for rows [row, input], NaN where an input is missing."""
    label = np.mean([part_label(part, rows) for part in document["parts"]], axis=0)
    return 10**label if document["output"].get("log") else label


if __name__ == "__main__":
    document = json.load(open(sys.argv[1]))
    rows = np.array(json.load(open(sys.argv[2])), float)
    print(json.dumps(answers(document, rows).tolist()))
