#!/usr/bin/env python3
"""Forty descriptors of every cell of a fadecast dataset, by numpy: the peer that `benches/descriptors.sh` times.

usage: descriptors.py DATASET_FOLDER OUT.csv [FROM TO]

It is what a careful numpy user writes: it reads the same Parquet files, only the columns that are needed, computes each
intermediate once, over all cycles of a cell at a time (reduceat over records, one Savitzky-Golay pass over the matrix of
dQ/dV curves), and loops over the cycles for `numpy.interp` and `scipy.signal.find_peaks` alone. One process, one cell
at a time. Definitions are those of docs/descriptors.md; what cannot be computed is an empty field.

The last line on stdout is JSON: seconds in all, of reading, of computing and of the processor, and the peak memory in
bytes.
"""

import csv
import json
import pathlib
import resource
import sys
import time
import warnings

import numpy as np
import pyarrow.parquet as pq
from scipy.signal import find_peaks, peak_widths, savgol_filter

NAMES = """
discharge_capacity_first discharge_capacity_last discharge_capacity_slope discharge_capacity_roughness
discharge_capacity_iqr discharge_energy_first discharge_energy_slope cycle_energy_loss_median
cycle_coulombic_efficiency_median cycle_coulombic_efficiency_sd cycle_coulombic_efficiency_slope
cycle_energy_efficiency_median cycle_energy_efficiency_slope discharge_voltage_mean_first
discharge_voltage_mean_slope charge_voltage_mean_first cycle_voltage_hysteresis_median discharge_voltage_mid_slope
discharge_voltage_tenth_first charge_cc_duration_first charge_cc_duration_slope charge_cv_duration_median
charge_cv_capacity_median charge_cv_decay_median discharge_temperature_mean_first discharge_temperature_rise_median
cycle_temperature_max_slope history_rest_charged_median discharge_capacity_difference_log_minimum_100_10
discharge_capacity_difference_log_mean_100_10 discharge_capacity_difference_log_variance_100_10
discharge_capacity_difference_log_skewness_100_10 discharge_capacity_difference_log_kurtosis_100_10
discharge_capacity_difference_log_low_end_100_10 discharge_capacity_difference_log_variance_10_2
discharge_ic_peak1_position discharge_ic_peak1_height discharge_ic_peak1_width discharge_ic_peak1_position_slope
discharge_ic_peak1_height_variance
""".split()

RECORDS = ["record_count", "cycle_count", "step_type", "unix_time_second", "stated_discharging_capacity_ah"]
SAMPLES = ["record_count", "test_time_second", "voltage_volt", "current_ampere", "surface_temperature_celsius"]

FLOW_SHARE = 5e-3  # Current below which a half cycle does not flow, over its largest.
LEAST_CHARGE = 0.2  # A half cycle that moved less than this share of the median says nothing.
LARGEST_EFFICIENCY = 1.05
FEWEST_POINTS = 5  # Of a ready-made curve whose capacity does not fall: below it a half cycle says nothing.
HOLD_VOLT = 0.01  # Below the highest voltage: still held.
STEP_VOLT = 1.5 / 999  # Voltage grid, of Severson's tables.
REACH_SHARE = 0.1  # What a curve may lack of the grid.
REFERENCE = 10  # Cycle that others are compared with.
PROMINENCE = 0.05
JUMP_VOLT = 0.02  # How far a peak moves from one cycle to the next.


def columns(path, names):
    """Reads columns of a Parquet file as numpy arrays."""
    table = pq.read_table(path, columns=names, memory_map=True)
    return [table.column(name).to_numpy() for name in table.column_names if name in names]


def load(folder, stem):
    """Reads what the forty need of a cell: records, samples, matrix of curves."""
    records = columns(folder / f"{stem}.records.parquet", RECORDS)
    samples, curves = folder / f"{stem}.samples.parquet", folder / f"{stem}.curves.parquet"
    matrix = None
    if curves.exists():
        table = pq.read_table(curves, memory_map=True)
        owner = np.array([int(n.split(":")[1]) for n in table.column_names[1:]])
        matrix = table.column(0).to_numpy(), owner, np.array([c.to_numpy() for c in table.columns[1:]])
    return records, columns(samples, SAMPLES) if samples.exists() else None, matrix


class Halves:
    """The charges or the discharges of a cell: samples of all of them in one row, and where each begins and ends."""

    def __init__(self, samples, record, cycle, clock, sign):
        owner, t, v, i, c = samples
        lengths = np.bincount(owner, minlength=record.max() + 1)
        begins = np.concatenate([[0], np.cumsum(lengths)])[:-1]
        has = lengths[record] > 0
        record, self.cycle, self.clock = record[has], cycle[has], clock[has]
        # Rows of the chosen records, one after another.
        n = lengths[record]
        rows = np.repeat(begins[record] - np.concatenate([[0], np.cumsum(n)[:-1]]), n) + np.arange(n.sum())
        t, v, i, c = t[rows], v[rows], sign * i[rows], c[rows]
        half = np.repeat(np.arange(len(n)), n)
        # From the first to the last sample whose current flows.
        first = np.concatenate([[0], np.cumsum(n)[:-1]])
        place = np.arange(len(t))
        flows = i > FLOW_SHARE * np.maximum.reduceat(i, first)[half]
        begin = np.minimum.reduceat(np.where(flows, place, len(t)), first)
        end = np.maximum.reduceat(np.where(flows, place, -1), first)
        inside = (place >= begin[half]) & (place <= end[half])
        self.temperatures = t[inside], c[inside], half[inside]
        usable = inside & np.isfinite(t) & np.isfinite(v) & np.isfinite(i)
        t, v, i, half = t[usable], v[usable], i[usable], half[usable]
        stuck = np.concatenate([[False], (np.diff(t) <= 0) & (np.diff(half) == 0)])
        while stuck.any():
            t, v, i, half = t[~stuck], v[~stuck], i[~stuck], half[~stuck]
            stuck = np.concatenate([[False], (np.diff(t) <= 0) & (np.diff(half) == 0)])
        self.t, self.v, self.i, self.half = t, v, i, half
        self.first = np.flatnonzero(np.diff(half, prepend=-1))
        self.last = np.concatenate([self.first[1:], [len(t)]]) - 1
        same = np.concatenate([[0.0], np.diff(half) == 0])
        step = np.diff(t, prepend=0.0) * same
        before_i, before_v = np.roll(i, 1), np.roll(v, 1)
        ah = np.cumsum(0.5 * (before_i + i) * step) / 3600
        wh = np.cumsum(0.5 * (before_i * before_v + i * v) * step) / 3600
        self.ah, self.wh = ah - ah[self.first][half], wh - wh[self.first][half]
        self.capacity, self.energy = self.ah[self.last], self.wh[self.last]
        # Of several in a cycle the one that moved most.
        order = np.lexsort((self.capacity, self.cycle))
        self.most = np.zeros(len(order), bool)
        self.most[order[np.diff(self.cycle[order], append=-1) != 0]] = True
        moved = self.capacity[self.most]
        self.keep = self.most & (self.capacity >= LEAST_CHARGE * np.partition(moved, len(moved) // 2)[len(moved) // 2])

    def values(self, values):
        return np.where(self.keep, values, np.nan)

    def first_where(self, mask):
        """Returns the place of the first sample of each half cycle that is in the mask; -1 where none is."""
        place = np.where(mask, np.arange(len(mask)), len(mask))
        found = np.minimum.reduceat(place, self.first)
        return np.where(found < len(mask), found, -1)

    def volt_at_share(self, share):
        target = share * self.capacity
        k = self.first_where(self.ah >= target[self.half])
        before = np.maximum(k - 1, self.first)
        part = (target - self.ah[before]) / np.where(k > before, self.ah[k] - self.ah[before], 1.0)
        return self.values(self.v[before] + (self.v[k] - self.v[before]) * part)

    def temperature(self):
        """Returns mean over time, highest less first, and highest temperature."""
        t, c, half = self.temperatures
        usable = np.isfinite(c)
        t, c, half = t[usable], c[usable], half[usable]
        n = len(self.cycle)
        mean, rise, most = np.full((3, n), np.nan)
        if len(t):
            first = np.flatnonzero(np.diff(half, prepend=-1))
            who, last = half[first], np.concatenate([first[1:], [len(t)]]) - 1
            step = np.maximum(np.diff(t, prepend=0.0), 0.0) * np.concatenate([[0.0], np.diff(half) == 0])
            area = np.add.reduceat(0.5 * (np.roll(c, 1) + c) * step, first)
            mean[who] = area / (t[last] - t[first])
            most[who] = np.maximum.reduceat(c, first)
            rise[who] = most[who] - c[first]
        return self.values(mean), self.values(rise), self.values(most)

    def hold(self):
        """Returns time before the hold of the highest voltage, its time, its charge and the decay of its current."""
        highest = np.maximum.reduceat(self.v, self.first)
        begin = self.first_where(self.v >= (highest - HOLD_VOLT)[self.half])
        holds = (self.last - begin + 1 >= 5) & (self.i[self.last] <= 0.8 * self.i[begin]) & self.keep
        cc, cv = self.t[begin] - self.t[self.first], self.t[self.last] - self.t[begin]
        charge = self.ah[self.last] - self.ah[begin]
        x = self.t - self.t[begin][self.half]
        held = (x >= 0) & (self.i > 0)
        weight = held.astype(float)
        y = np.log(np.where(held, self.i, 1.0))
        x = x * weight
        total = lambda values: np.add.reduceat(values, self.first)
        n = total(weight)
        x_mean, y_mean = (total(x) / n)[self.half], (total(y) / n)[self.half]
        xx = total(weight * (x - x_mean) ** 2)
        xy = total(weight * (x - x_mean) * (y - y_mean))
        decay = np.where(xy < 0, -xx / xy, np.nan)
        return [np.where(holds, values, np.nan) for values in (cc, cv, charge, decay)]


def by_cycle(cycles, halves, values):
    """Places values of half cycles at their cycles."""
    placed = np.full(len(cycles), np.nan)
    placed[np.searchsorted(cycles, halves.cycle[halves.most])] = values[halves.most]
    return placed


class Over:
    """Statistics of a quantity over the cycles that have it."""

    def __init__(self, cycles, values):
        finite = np.isfinite(values)
        self.x, self.y = cycles[finite].astype(float), values[finite]

    def first(self):
        return self.y[0] if len(self.y) else np.nan

    def last(self):
        return self.y[-1] if len(self.y) else np.nan

    def median(self):
        return np.median(self.y) if len(self.y) else np.nan

    def sd(self):
        return self.y.std(ddof=1) if len(self.y) > 2 else np.nan

    def iqr(self):
        return np.subtract(*np.percentile(self.y, [75, 25])) if len(self.y) > 3 else np.nan

    def slope(self):
        if len(self.y) < 3:
            return np.nan
        x = self.x - self.x.mean()
        return x @ (self.y - self.y.mean()) / (x @ x)

    def roughness(self):
        if len(self.y) < 4:
            return np.nan
        x, y = self.x - self.x.mean(), self.y - self.y.mean()
        return np.sqrt(((y - (x @ y) / (x @ x) * x) ** 2).sum() / (len(y) - 2))


def of_samples(out, charge, discharge):
    """Fills in what is measured from samples, all but the curves."""
    cycles = np.union1d(charge.cycle, discharge.cycle)
    at = lambda halves, values: by_cycle(cycles, halves, values)
    over = lambda values: Over(cycles, values)
    q_out, q_in = at(discharge, discharge.values(discharge.capacity)), at(charge, charge.values(charge.capacity))
    w_out, w_in = at(discharge, discharge.values(discharge.energy)), at(charge, charge.values(charge.energy))
    coulombic = q_out / q_in
    closed = np.where(coulombic <= LARGEST_EFFICIENCY, 1.0, np.nan)
    capacity(out, over(q_out), over(w_out), over(w_out / q_out))
    out["cycle_energy_loss_median"] = over(closed * (w_in - w_out)).median()
    ce, ee = over(closed * coulombic), over(closed * (w_out / w_in))
    out["cycle_coulombic_efficiency_median"] = ce.median()
    out["cycle_coulombic_efficiency_sd"] = ce.sd()
    out["cycle_coulombic_efficiency_slope"] = ce.slope()
    out["cycle_energy_efficiency_median"] = ee.median()
    out["cycle_energy_efficiency_slope"] = ee.slope()
    out["charge_voltage_mean_first"] = over(w_in / q_in).first()
    out["cycle_voltage_hysteresis_median"] = over(w_in / q_in - w_out / q_out).median()
    out["discharge_voltage_mid_slope"] = over(at(discharge, discharge.volt_at_share(0.5))).slope()
    out["discharge_voltage_tenth_first"] = over(at(discharge, discharge.volt_at_share(0.1))).first()
    cc, cv, held, decay = (over(at(charge, values)) for values in charge.hold())
    out["charge_cc_duration_first"], out["charge_cc_duration_slope"] = cc.first(), cc.slope()
    out["charge_cv_duration_median"] = cv.median()
    out["charge_cv_capacity_median"] = held.median()
    out["charge_cv_decay_median"] = decay.median()
    mean, rise, most = discharge.temperature()
    out["discharge_temperature_mean_first"] = over(at(discharge, mean)).first()
    out["discharge_temperature_rise_median"] = over(at(discharge, rise)).median()
    highest = np.fmax(at(discharge, most), at(charge, charge.temperature()[2]))
    out["cycle_temperature_max_slope"] = over(highest).slope()
    end = at(charge, charge.values(charge.clock + charge.t[charge.last]))
    begin = at(discharge, discharge.values(discharge.clock + discharge.t[discharge.first]))
    rest = begin - end
    out["history_rest_charged_median"] = over(np.where(rest >= 0, rest, np.nan)).median()


def capacity(out, ah, wh, volt):
    out["discharge_capacity_first"], out["discharge_capacity_last"] = ah.first(), ah.last()
    out["discharge_capacity_slope"] = ah.slope()
    out["discharge_capacity_roughness"] = ah.roughness()
    out["discharge_capacity_iqr"] = ah.iqr()
    out["discharge_energy_first"], out["discharge_energy_slope"] = wh.first(), wh.slope()
    out["discharge_voltage_mean_first"], out["discharge_voltage_mean_slope"] = volt.first(), volt.slope()


def possible(q):
    """Returns which curves a cell can have made: those that neither begin nor end far from what is usual."""
    low, high = q.min(axis=1), q.max(axis=1)
    begin, span = np.median(low), np.median(high - low)
    return (low >= begin - 0.05 * span) & (high <= max(begin + 1.3 * span, np.median(high)))


def of_matrix(out, cycles, volt, q, stated):
    """Fills in what is measured from ready-made curves: capacity at each of the voltages, falling, one row a cycle."""
    rising = np.maximum.accumulate(q, axis=1)
    kept = q >= rising
    place = np.maximum.accumulate(np.where(kept, np.arange(q.shape[1]), 0), axis=1)
    v, q = volt[place], rising
    energy = (0.5 * (v[:, 1:] + v[:, :-1]) * np.diff(q, axis=1)).sum(axis=1)
    many = np.where(kept.sum(axis=1) >= FEWEST_POINTS, 1.0, np.nan)
    energy *= many
    total = q[:, -1]
    ah = np.where(np.isfinite(stated), stated, total)
    out_of = lambda share: many * np.array([np.interp(share * b[-1], b, a) for a, b in zip(v, q)])
    capacity(out, Over(cycles, ah), Over(cycles, energy), Over(cycles, energy / total))
    out["discharge_voltage_mid_slope"] = Over(cycles, out_of(0.5)).slope()
    out["discharge_voltage_tenth_first"] = Over(cycles, out_of(0.1)).first()


def paths(halves):
    """Yields voltages and capacities of each discharge: those that reach a voltage first, single outliers gone."""
    for first, last in zip(halves.first[halves.most], halves.last[halves.most] + 1):
        yield path(halves.v[first:last], halves.ah[first:last])


def path(v, q):
    middle = v.copy()
    low, high = np.minimum(v[:-2], v[1:-1]), np.maximum(v[:-2], v[1:-1])
    middle[1:-1] = np.maximum(low, np.minimum(high, v[2:]))
    lowest = np.minimum.accumulate(middle)
    new = np.concatenate([[True], middle[1:] < lowest[:-1]])
    return middle[new][::-1], q[new][::-1]


def on_grid(cycles, ends, curves):
    """Returns the grid, and the cycles and capacities of the discharges that cover it."""
    low, high = np.median(ends[0]), np.median(ends[1])
    steps = int((high - low) / STEP_VOLT + 0.5)
    grid = low + np.arange(steps + 1) * ((high - low) / steps)
    slack = REACH_SHARE * (high - low)
    kept, matrix = [], []
    for cycle, (v, q) in zip(cycles, curves):
        if len(v) < 10 or v[0] > low + slack or v[-1] < high - slack or q[0] <= q[-1]:
            continue
        kept.append(cycle)
        matrix.append(np.interp(grid, v, q))
    return grid, np.array(kept), np.array(matrix)


def of_curves(out, cycles, ends, curves):
    """Fills in capacity differences and dQ/dV."""
    grid, cycles, q = on_grid(cycles, ends, curves)
    if not len(cycles):
        return
    row = {int(cycle): k for k, cycle in enumerate(cycles)}
    if 100 in row and 10 in row:
        delta = q[row[100]] - q[row[10]]
        centred = delta - delta.mean()
        spread = np.sqrt((centred**2).mean())
        stem = "discharge_capacity_difference_log_"
        log = lambda value: np.log10(abs(value))
        out[stem + "minimum_100_10"] = log(delta.min())
        out[stem + "mean_100_10"] = log(delta.mean())
        out[stem + "variance_100_10"] = log(delta.var(ddof=1))
        out[stem + "skewness_100_10"] = log((centred**3).mean() / spread**3)
        out[stem + "kurtosis_100_10"] = log((centred**4).mean() / spread**4)
        out[stem + "low_end_100_10"] = log(delta[0])
    if 10 in row and 2 in row:
        out["discharge_capacity_difference_log_variance_10_2"] = np.log10((q[row[10]] - q[row[2]]).var(ddof=1))
    reference = row.get(REFERENCE, 0)
    step = grid[1] - grid[0]
    dqdv = -savgol_filter(q[reference:], 25, 3, deriv=1, delta=step, axis=1)
    track(out, cycles[reference:], grid, step, dqdv)


def track(out, cycles, grid, step, dqdv):
    """Follows the most prominent dQ/dV peak of the first curve."""
    near, found = None, []
    for cycle, y in zip(cycles, dqdv):
        tops, shape = find_peaks(y, prominence=PROMINENCE * max(y.max(), 0.0))
        if not len(tops):
            if near is None:
                return
            continue
        if near is None:
            k = np.argmax(shape["prominences"])
            out["discharge_ic_peak1_width"] = peak_widths(y, tops[k : k + 1])[0][0] * step
        else:
            k = np.argmin(abs(grid[tops] - near))
            if abs(grid[tops[k]] - near) > JUMP_VOLT:
                continue
        top = tops[k]
        before, here, after = y[top - 1 : top + 2]
        bend = before - 2 * here + after
        near = grid[0] + (top + (0.5 * (before - after) / bend if bend < 0 else 0.0)) * step
        found.append((cycle, near, here))
    cycle, volt, height = np.array(found, dtype=float).T
    out["discharge_ic_peak1_position"], out["discharge_ic_peak1_height"] = volt[0], height[0]
    out["discharge_ic_peak1_position_slope"] = Over(cycle, volt).slope()
    if len(height) > 2:
        out["discharge_ic_peak1_height_variance"] = height.var(ddof=1)


def numbered(cycle, phase):
    """Returns the cycle of each record; where the source does not count, one more with the charge after a discharge."""
    if cycle.dtype.kind != "f":
        return cycle
    discharges = np.concatenate([[0], np.cumsum(phase == "discharge")])[:-1]
    begins = (phase == "charge") & (np.diff(np.maximum.accumulate(np.where(phase == "charge", discharges, 0)), prepend=0) > 0)
    own = 1 + np.cumsum(begins)
    return np.maximum.accumulate(np.where(np.isnan(cycle), own, cycle)).astype(int)


def describe(records, samples, matrix, window):
    """Returns the forty descriptors of a cell by name."""
    out = dict.fromkeys(NAMES, np.nan)
    record, cycle, phase, clock, stated = records
    cycle = numbered(cycle, phase)
    inside = (cycle >= window[0]) & (cycle <= window[1])
    discharges, charges = inside & (phase == "discharge"), inside & (phase == "charge")
    if samples is not None:
        discharge = Halves(samples, record[discharges], cycle[discharges].astype(int), clock[discharges], -1.0)
        charge = Halves(samples, record[charges], cycle[charges].astype(int), clock[charges], 1.0)
        of_samples(out, charge, discharge)
        low = np.minimum.reduceat(discharge.v, discharge.first) + HOLD_VOLT
        high = np.maximum.reduceat(discharge.v, discharge.first)
        ends = low[discharge.most], high[discharge.most]
        of_curves(out, discharge.cycle[discharge.most], ends, paths(discharge))
    elif matrix is not None:
        volt, owner, q = matrix
        who = np.isin(owner, record[discharges])
        position = np.searchsorted(record, owner[who])
        q = q[who]
        believed = possible(q)
        position, q = position[believed], q[believed]
        cycles = cycle[position].astype(int)
        of_matrix(out, cycles, volt, q, stated[position])
        ends = np.full(len(q), volt.min()), np.full(len(q), volt.max())
        of_curves(out, cycles, ends, (path(volt, row) for row in q))
    return out


def main(folder, to, first="1", last="100"):
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    folder, window = pathlib.Path(folder), (int(first), int(last))
    begin, cpu = time.perf_counter(), time.process_time()
    cells = json.loads((folder / "manifest.json").read_text())["cells"]
    reading, rows = 0.0, []
    for cell in cells:
        stem = next(name for name in cell["tables"] if name.endswith(".records.parquet"))[: -len(".records.parquet")]
        at = time.perf_counter()
        tables = load(folder / "cells", stem)
        reading += time.perf_counter() - at
        out = describe(*tables, window)
        rows.append([cell["id"], *("" if np.isnan(out[name]) else repr(float(out[name])) for name in NAMES)])
    with open(to, "w", newline="") as file:
        csv.writer(file).writerows([["cell", *NAMES], *rows])
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"cells": len(cells), "seconds": seconds, "reading": reading,
                      "computing": seconds - reading, "cpu": cpu, "peak_bytes": peak}))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__)
    main(*sys.argv[1:])
