"""Optuna's samplers on the functions of benches/oracles.rs: best so far after every trial, as JSON lines.

    python benches/oracles.py FUNCTION SAMPLER BUDGET SEEDS      FUNCTION branin | hartmann6 | noisy_quadratic
                                                                 SAMPLER  random | tpe | gp (gp needs PyTorch)
    python benches/oracles.py experiment SAMPLER BUDGET SEEDS SERVER...
                                                                 SERVER   a command: `oracles serve experiment ROOT`
    python benches/oracles.py --table LINES | --verdict LINES    from a file of such lines: medians; who lost where

Seeds are 0 .. SEEDS - 1. The first 10 trials and the noise of a trial come from (seed, trial) by the same hash as in
oracles.rs, so that both sides start from the same observations. A line is
{"function", "sampler", "seed", "regret": [...]}: after each trial, the noise-free value of the trial whose observed
value is lowest so far, minus the minimum of the function (0 for the experiment, whose regret is its RMSE [Ah]).
"""

import json
import math
import statistics
import subprocess
import sys
import warnings

STARTUP = 10
MASK = (1 << 64) - 1


def uniform(seed, trial, k):
    """A number in [0, 1) of (seed, trial, k): the finaliser of SplitMix64 over a linear key."""
    z = (seed * 0x9E3779B97F4A7C15 + trial * 0xD1B54A32D192ED03 + k * 0x8CB92BA72F3D8DD7 + 1) & MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = ((z ^ (z >> shift)) * factor) & MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


def normal(seed, trial):
    radius = math.sqrt(-2.0 * math.log(1.0 - uniform(seed, trial, 100)))
    return radius * math.cos(2.0 * math.pi * uniform(seed, trial, 101))


def branin(x, y):
    bow = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return bow * bow + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


HARTMANN_ALPHA = (1.0, 1.2, 3.0, 3.2)
HARTMANN_A = ((10, 3, 17, 3.5, 1.7, 8), (0.05, 10, 17, 0.1, 8, 14), (3, 3.5, 1.7, 10, 17, 8), (17, 8, 0.05, 10, 0.1, 14))
HARTMANN_P = (
    (1312, 1696, 5569, 124, 8283, 5886),
    (2329, 4135, 8307, 3736, 1004, 9991),
    (2348, 1451, 3522, 2883, 3047, 6650),
    (4047, 8828, 8732, 5743, 1091, 381),
)


def hartmann6(*x):
    total = 0.0
    for alpha, a, p in zip(HARTMANN_ALPHA, HARTMANN_A, HARTMANN_P):
        total -= alpha * math.exp(-sum(ai * (xi - pi * 1e-4) ** 2 for ai, xi, pi in zip(a, x, p)))
    return total


def noisy_quadratic(x, y, n, kind, rate):
    """Without its noise; correlated in x and y; 0 at (1.3, -2.1, 13, "b", 10^-2.6), 8.4094 in the worst corner."""
    u, v = (x - 1.3) / 5, (y + 2.1) / 5
    offset = {"a": 0.6, "b": 0.0, "c": 0.3, "d": 1.0}[kind]
    return u * u + v * v + 0.5 * u * v + ((n - 13) / 10) ** 2 + offset + (math.log10(rate) + 2.6) ** 2 / 2


class Real:
    def __init__(self, name, low, high, log=False):
        self.name, self.low, self.high, self.log = name, low, high, log

    def at(self, u):
        if self.log:
            return self.low * (self.high / self.low) ** u
        return self.low + u * (self.high - self.low)

    def suggest(self, trial):
        return trial.suggest_float(self.name, self.low, self.high, log=self.log)


class Integer:
    def __init__(self, name, low, high):
        self.name, self.low, self.high = name, low, high

    def at(self, u):
        return self.low + int(u * (self.high - self.low + 1))

    def suggest(self, trial):
        return trial.suggest_int(self.name, self.low, self.high)


class Choice:
    def __init__(self, name, levels):
        self.name, self.levels = name, levels

    def at(self, u):
        return self.levels[int(u * len(self.levels))]

    def suggest(self, trial):
        return trial.suggest_categorical(self.name, self.levels)


class Synthetic:
    """A function over a space, with the standard deviation of its noise."""

    def __init__(self, function, space, minimum, noise=0.0):
        self.function, self.space, self.minimum, self.noise = function, space, minimum, noise

    def given(self, seed, trial):
        return {p.name: p.at(uniform(seed, trial, k)) for k, p in enumerate(self.space)}

    def value(self, trial):
        return self.function(*(parameter.suggest(trial) for parameter in self.space))


class Experiment:
    """The experiment of benches/oracles.toml: oracles.rs trains, behind a pipe; only the space is said here again."""

    minimum = noise = 0.0

    def __init__(self, server):
        self.process = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def given(self, seed, trial):
        return self.ask([seed, trial])

    def value(self, trial):
        answer = self.ask(self.suggest(trial))
        return math.nan if answer is None else answer

    def suggest(self, trial):
        layers = trial.suggest_int("model/layers", 1, 3)
        units = [f"model/units_{i}" for i in range(layers)]
        return {
            "model/layers": layers,
            **{name: trial.suggest_int(name, 8, 64, step=8) for name in units},
            "model/activation": trial.suggest_categorical("model/activation", ["relu", "tanh", "silu"]),
            "model/dropout": trial.suggest_float("model/dropout", 0.0, 0.4, step=0.1),
            "train/weight_decay": trial.suggest_float("train/weight_decay", 1e-4, 1.0, log=True),
            "train/learning_rate": trial.suggest_float("train/learning_rate", 3e-4, 3e-2, log=True),
            "train/optimizer/kind": trial.suggest_categorical("train/optimizer/kind", ["adam", "adamw", "sgd"]),
        }


def function(name, server):
    if name == "branin":
        return Synthetic(branin, [Real("x", -5, 10), Real("y", 0, 15)], 0.39788735772973816)
    if name == "hartmann6":
        return Synthetic(hartmann6, [Real(f"x{i}", 0, 1) for i in range(6)], -3.322368011415514)
    if name == "noisy_quadratic":
        space = [Real("x", -5, 5), Real("y", -5, 5), Integer("n", 1, 20), Choice("kind", ["a", "b", "c", "d"]),
                 Real("rate", 1e-5, 1e-1, log=True)]
        return Synthetic(noisy_quadratic, space, 0.0, 0.084094)
    if name == "experiment" and server:
        return Experiment(server)
    raise SystemExit(f"unknown function {name}: branin, hartmann6, noisy_quadratic or experiment SERVER...")


def sampler(name, seed):
    import optuna

    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    if name == "tpe":
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=STARTUP)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP)
    raise SystemExit(f"unknown sampler {name}: random, tpe or gp")


def search(function, sampler_name, budget, seed):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    exact = []

    def objective(trial):
        exact.append(function.value(trial))
        return exact[-1] + (function.noise * normal(seed, trial.number) if function.noise else 0.0)

    study = optuna.create_study(sampler=sampler(sampler_name, seed))
    for trial in range(min(STARTUP, budget)):
        study.enqueue_trial(function.given(seed, trial))
    study.optimize(objective, n_trials=budget)
    regret, best, incumbent = [], math.inf, math.nan
    for trial in study.trials:
        # One that failed (NaN) has no value.
        if trial.value is not None and trial.value < best:
            best, incumbent = trial.value, exact[trial.number]
        regret.append(incumbent - function.minimum)
    return regret


def medians(path):
    """{function: {sampler: (median regret at half the budget, at the budget)}} in the order of the file."""
    runs = {}
    with open(path) as lines:
        for run in map(json.loads, filter(str.strip, lines)):
            runs.setdefault(run["function"], {}).setdefault(run["sampler"], []).append(run["regret"])
    at = lambda regrets, n: statistics.median(regret[n - 1] for regret in regrets)
    pair = lambda regrets: (at(regrets, len(regrets[0]) // 2), at(regrets, len(regrets[0])))
    return {f: {s: (len(r[0]), len(r), *pair(r)) for s, r in samplers.items()} for f, samplers in runs.items()}


def table(path):
    print(f"{'median best so far':20}{'sampler':13}{'seeds':>6}{'trials':>8}{'at half':>12}{'at the end':>12}")
    for function, samplers in medians(path).items():
        for name, (budget, seeds, half, end) in samplers.items():
            print(f"{function:20}{name:13}{seeds:6}{budget:8}{half:12.4g}{end:12.4g}")


def verdict(path):
    lost = [
        f"{function} against {name}"
        for function, samplers in medians(path).items()
        for name, figures in samplers.items()
        if samplers["ours"][3] > figures[3]
    ]
    print("oracles lost: " + ", ".join(lost) if lost else "oracles ok")
    return 1 if lost else 0


def main(name, sampler_name, budget, seeds, *server):
    warnings.simplefilter("ignore")
    minimised = function(name, server)
    for seed in range(int(seeds)):
        regret = search(minimised, sampler_name, int(budget), seed)
        print(json.dumps({"function": name, "sampler": sampler_name, "seed": seed, "regret": regret}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--table"]:
        table(sys.argv[2])
    elif sys.argv[1:2] == ["--verdict"]:
        sys.exit(verdict(sys.argv[2]))
    else:
        main(*sys.argv[1:])
