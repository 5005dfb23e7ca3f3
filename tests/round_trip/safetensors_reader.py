"""Computes a pipeline that `fadecast export --format safetensors` wrote: numpy, or PyTorch where it is installed."""

import json

import numpy as np
from safetensors import safe_open

from json_reader import ACTIVATIONS, FUNCTIONS, calibrated, softmax


def load(path):
    with safe_open(path, "np") as file:
        return json.loads(file.metadata()["pipeline"]), {name: file.get_tensor(name) for name in file.keys()}


def outputs_numpy(body, state, x):
    """The Sequential by hand: linear layers where a weight has two axes, normalisations where it has one."""
    places = sorted({int(key.split(".")[0]) for key in state})
    linear = [p for p in places if state[f"{p}.weight"].ndim == 2]
    for p in linear:
        s = x @ state[f"{p}.weight"].T.astype(float) + state[f"{p}.bias"]
        if p == linear[-1]:
            return s
        if f"{p + 1}.weight" in state:
            batch = f"{p + 1}.running_mean" in state
            mean = state[f"{p + 1}.running_mean"] if batch else s.mean(axis=1, keepdims=True)
            variance = state[f"{p + 1}.running_var"] if batch else s.var(axis=1, keepdims=True)
            s = (s - mean) / np.sqrt(variance + body["epsilon"]) * state[f"{p + 1}.weight"] + state[f"{p + 1}.bias"]
        h = ACTIVATIONS[body["activation"]](s)
        x = h + x if body["skip"] and h.shape == x.shape else h


def outputs_torch(body, state, x):
    import torch
    from torch import nn

    model = eval(body["sequential"], {"nn": nn})
    model.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    model.eval()
    x, linear = torch.from_numpy(x.astype(np.float32)), None
    with torch.no_grad():
        if not body["skip"]:
            return model(x).numpy().astype(float)
        for k, module in enumerate(model):
            before = x if isinstance(module, nn.Linear) else before
            x = module(x)
            ends = k + 1 < len(model) and isinstance(model[k + 1], nn.Linear)
            x = x + before if ends and x.shape == before.shape else x
        return x.numpy().astype(float)


def part_label(meta, tensors, part, rows, outputs):
    name, body = part["name"], part["body"]
    own = lambda key: tensors[f"{name}.{key}"]
    raw = rows[:, part["columns"]]
    x = (np.where(np.isfinite(raw), raw, own("scaler.median")) - own("scaler.mean")) / own("scaler.sd")
    stress = rows[:, part["stress"]]
    stress = np.where(np.isfinite(stress), stress, own("stress_median"))

    def law(theta):
        names = dict(zip(body["law"]["stress"], stress.T)) | dict(zip(body["law"]["parameters"], theta))
        return eval(body["law"]["formula"], FUNCTIONS, names)[:, None]

    if body["kind"] == "law":
        return law(own("theta"))
    if body["kind"] == "linear":
        return own("label.mean") + own("label.sd") * (x @ own("weight").T + own("bias"))
    if body["kind"] == "logistic":
        z = x @ own("weight").T + own("bias")
        return calibrated(part["calibration"], softmax(z if z.shape[1] > 1 else np.pad(z, ((0, 0), (1, 0)))))
    x = np.pad(x, ((0, 0), (0, body["d_input"] - x.shape[1])))
    labels = []
    for member in part["members"]:
        prefix = f"{member}.layers."
        o = outputs(body, {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}, x)
        if body["classes"]:
            labels.append(softmax(o))
        elif body["law"]:
            labels.append(law(tensors[f"{member}.theta"]) + own("label.sd") * body["law"]["residual_scale"] * o[:, :1])
        else:
            labels.append(own("label.mean") + own("label.sd") * o[:, :1])
    return calibrated(part["calibration"], np.mean(labels, axis=0))


def answers(path, rows, outputs=outputs_numpy):
    """Answers [row, answer] in physical units for rows [row, input], NaN where an input is missing."""
    meta, tensors = load(path)
    label = np.mean([part_label(meta, tensors, part, rows, outputs) for part in meta["parts"]], axis=0)
    return 10**label if meta["output"].get("log") else label
