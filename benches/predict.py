"""Times onnxruntime on the models of benches/predict.rs: one row, and a batch of 100,000, on one thread.

usage: predict.py FOLDER MODEL        FOLDER as `predict write FOLDER` makes it

Prints `FORM one_us SECONDS batch_ms SECONDS cut_ms SECONDS` for each graph:
  exported   what `fadecast export --format onnx` writes, one packed input
  folded     the same answers by the fewest nodes: missing values by Where, scaling within the first Gemm
  bare       Gemm and Relu alone: inputs are scaled and none is missing, outputs are scaled
Inputs and outputs are bound once, as 32-bit numbers. `batch` is one call with all rows, `cut` the least time of the same
rows in calls of 256 to 10,000 rows.
"""
import json, pathlib, statistics, sys, time
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

ROWS = 100_000
CUTS = [256, 1000, 4000, 10_000]
# Graphs of many networks hold all values of all rows at once: gigabytes.
MOST_NUMBERS = 3e8


def graph(parts, scaled):
    """Returns the graph of the mean over all networks of all parts, with or without the scaling of its inputs."""
    nodes, constants, labels = [], {}, []
    d = len(parts[0]["scaler"]["mean"])

    def node(kind, inputs, name, **attributes):
        nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(name, value):
        constants[name] = np.asarray(value, dtype=np.float32)
        return name

    missing = None if scaled else node("IsNaN", ["inputs"], "missing")
    for p, part in enumerate(parts):
        mean, sd = (np.array(part["scaler"][key]) for key in ["mean", "sd"])
        x = "inputs"
        if not scaled:
            x = node("Where", [missing, constant(f"median{p}", [part["scaler"]["median"]]), "inputs"], f"known{p}")
        for m, slices in enumerate(part["members"]):
            arrays = [np.array(s["numbers"], dtype=np.float64).reshape(s["shape"]) for s in slices]
            layers = list(zip(arrays[0::2], arrays[1::2]))
            if not scaled:
                weight, bias = layers[0]
                layers[0] = (weight / sd[:, None], bias - (mean / sd) @ weight)
                weight, bias = layers[-1]
                layers[-1] = (weight * part["label"][1], bias * part["label"][1] + part["label"][0])
            value = x
            for i, (weight, bias) in enumerate(layers):
                at = f"{p}_{m}_{i}"
                value = node("Gemm", [value, constant(f"weight{at}", weight), constant(f"bias{at}", bias)], f"sum{at}")
                if i + 1 < len(layers):
                    value = node("Relu", [value], f"value{at}")
            labels.append(value)
    if len(labels) > 1:
        node("Mean", labels, "label")
    else:
        nodes[-1].output[0] = "label"
    rows = helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", d])
    label = helper.make_tensor_value_info("label", TensorProto.FLOAT, ["n", 1])
    made = helper.make_graph(nodes, "predict", [rows], [label], [numpy_helper.from_array(v, k) for k, v in constants.items()])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Session:
    def __init__(self, model):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.options = onnxruntime.RunOptions()

    def bound(self, rows, label):
        """Returns the call for some rows, whose answers are written into `label`."""
        binding = self.session.io_binding()
        binding.bind_input("inputs", "cpu", 0, np.float32, rows.shape, rows.ctypes.data)
        outputs = self.session.get_outputs()
        binding.bind_output(outputs[0].name, "cpu", 0, np.float32, label.shape, label.ctypes.data)
        for other in outputs[1:]:
            binding.bind_output(other.name, "cpu")
        run, inner = self.session._sess.run_with_iobinding, binding._iobinding
        return lambda: run(inner, self.options)

    def one(self, rows):
        call = self.bound(rows[:1], np.zeros((1, 1), np.float32))
        times = []
        for _ in range(4000):
            begin = time.perf_counter_ns()
            call()
            times.append(time.perf_counter_ns() - begin)
        return statistics.median(times) / 1e3

    def batch(self, rows, size, label, runs=5):
        pairs = [(rows[i:i + size], label[i:i + size]) for i in range(0, len(rows), size)]
        calls = [self.bound(*pair) for pair in pairs]
        best = float("inf")
        for _ in range(runs):
            begin = time.perf_counter()
            for call in calls:
                call()
            best = min(best, time.perf_counter() - begin)
        return best * 1e3


def main(folder, name):
    path = pathlib.Path(folder) / name
    parts = json.loads(path.with_suffix(".json").read_text())
    expected = np.fromfile(path.with_suffix(".labels"))
    rows = np.fromfile(path.with_suffix(".rows"), dtype=np.float32).reshape(len(expected), -1)
    models = {"exported": path.with_suffix(".onnx").read_bytes()}
    n_networks, n_units = 16, 80
    if parts:
        models |= {"folded": graph(parts, False), "bare": graph(parts, True)}
        n_networks = sum(len(part["members"]) for part in parts)
        n_units = sum(s["shape"][0] for s in parts[0]["members"][0][1::2])
    for form, model in models.items():
        session, label = Session(model), np.zeros((len(rows), 1), np.float32)
        own = np.nan_to_num(rows) if form == "bare" else rows
        cut = min(session.batch(own, size, label, 3) for size in CUTS)
        if form != "bare":
            error = np.abs(label[:, 0] - expected).max()
            assert error < 1e-5, f"{name} {form}: differs by {error}"
        whole = "too_large"
        if form != "exported" or ROWS * n_networks * n_units < MOST_NUMBERS:
            whole = f"{session.batch(own, ROWS, label):.3f}"
        print(f"{form} one_us {session.one(own):.3f} batch_ms {whole} cut_ms {cut:.3f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
