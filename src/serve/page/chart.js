// Charts as SVG: the course of an answer over cycles, intervals of whole cells, probabilities of tiers.

const SVG = "http://www.w3.org/2000/svg";

/** Returns a number as a person reads it: four digits, no tail of zeros; a dash where there is none. */
export function plain(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return value.toExponential(3).replace("-", "−");
  const digits = size === 0 ? 0 : Math.max(0, 3 - Math.floor(Math.log10(size)));
  return String(Number(value.toFixed(Math.min(digits, 8)))).replace("-", "−");
}

/** Returns numbers with as many decimals as the largest of them needs for four digits. */
export function column(values) {
  const sizes = values.filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
  const largest = sizes.length ? sizes.reduce((a, b) => Math.max(a, b)) : 1;
  if (largest >= 1e7 || largest < 1e-4) return plain;
  const digits = Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(largest))));
  const whole = values.every((v) => !Number.isFinite(v) || Number.isInteger(v));
  return (v) => (Number.isFinite(v) ? v.toFixed(whole ? 0 : digits).replace("-", "−") : "–");
}

/** Returns a name with its unit; a ratio has none. */
export function withUnit(name, unit) {
  return unit === "1" || !unit ? name : `${name} [${unit}]`;
}

/**
 * Draws answer, band and measured points over cycles.
 *
 * `points`: [{x, answer, lower, upper, measured, warnings}] ascending by x, one or more; null where there is no value.
 * `labels`: {title, x, y, unit, band}; `life`: value of the end of life, or null.
 */
export function course(figure, points, labels, life) {
  const known = (key) => points.map((p) => p[key]).filter((v) => Number.isFinite(v));
  const shown = [...known("answer"), ...known("lower"), ...known("upper"), ...known("measured")];
  const [low, high] = extent(shown);
  const near = life !== null && life > low - 1.5 * (high - low || 1) && life < high + (high - low || 1);
  const y = axis(near ? Math.min(low, life) : low, near ? Math.max(high, life) : high, 6);
  const draw = () => drawCourse(figure, points, labels, near ? life : null, y);
  const warned = points.some((p) => p.warnings.length > 0);
  const legend = [
    ["line", "answer", labels.answer],
    known("lower").length && ["area", "band", labels.band],
    known("measured").length && ["dot", "measured", "measured"],
    near && ["line", "life", `end of life (${plain(life)})`],
    warned && ["triangle", "warned", "answer with a warning"],
  ].filter(Boolean);
  responsive(figure, legend, draw);
  return near || life === null ? "" : `The end of life (${plain(life)}) lies outside this chart.`;
}

/** Draws one horizontal interval a row; `rows`: [{label, answer, lower, upper, measured, warnings}]. */
export function intervals(figure, rows, labels) {
  const values = rows.flatMap((r) => [r.answer, r.lower, r.upper, r.measured]).filter((v) => Number.isFinite(v));
  const [low, high] = extent(values);
  const x = axis(low > 0 && low < 0.6 * high ? 0 : low, high, 6);
  const legend = [
    ["dot", "dot", labels.answer],
    rows.some((r) => Number.isFinite(r.lower)) && ["area", "band", labels.band],
    rows.some((r) => Number.isFinite(r.measured)) && ["dot", "measured", "measured"],
  ].filter(Boolean);
  responsive(figure, legend, () => drawIntervals(figure, rows, labels, x));
}

/** Draws one bar of probabilities a row; `rows`: [{label, probabilities, set, warnings}]. */
export function tiers(figure, rows, names, labels) {
  const legend = names.map((name, idx) => ["area", `tier-${idx % 6}`, `tier ${name}`]);
  responsive(figure, legend, () => drawTiers(figure, rows, names, labels));
}

function drawCourse(figure, points, labels, life, y) {
  const width = widthOf(figure);
  const height = Math.round(Math.min(430, Math.max(300, width * 0.5)));
  const narrow = width < 520;
  const frame = { left: 62, right: width - 16, top: 34, bottom: height - 48 };
  const x = axis(points[0].x, points.at(-1).x, narrow ? 5 : 8, true);
  const px = (v) => frame.left + ((v - x.low) / (x.high - x.low)) * (frame.right - frame.left);
  const py = (v) => frame.bottom - ((v - y.low) / (y.high - y.low)) * (frame.bottom - frame.top);
  const svg = canvas(figure, width, height, `${labels.title}: ${labels.y} over ${labels.x}`);
  text(svg, frame.left, 20, labels.title, { class: "head" });
  for (const tick of y.ticks) {
    line(svg, frame.left, py(tick), frame.right, py(tick), "grid");
    text(svg, frame.left - 8, py(tick) + 4, tickText(tick, y.step), { "text-anchor": "end" });
  }
  for (const tick of x.ticks) {
    line(svg, px(tick), frame.bottom, px(tick), frame.bottom + 5, "axis");
    text(svg, px(tick), frame.bottom + 20, tickText(tick, x.step), { "text-anchor": "middle" });
  }
  line(svg, frame.left, frame.bottom, frame.right, frame.bottom, "axis");
  line(svg, frame.left, frame.top, frame.left, frame.bottom, "axis");
  text(svg, (frame.left + frame.right) / 2, height - 8, labels.x, { "text-anchor": "middle", class: "soft" });
  const middle = (frame.top + frame.bottom) / 2;
  text(svg, 16, middle, labels.y, { "text-anchor": "middle", class: "soft", transform: `rotate(-90 16 ${middle})` });
  for (const run of runs(points, (p) => Number.isFinite(p.lower) && Number.isFinite(p.upper))) {
    const there = run.map((p) => `${px(p.x)},${py(p.upper)}`);
    const back = run.toReversed().map((p) => `${px(p.x)},${py(p.lower)}`);
    if (run.length === 1) line(svg, px(run[0].x), py(run[0].lower), px(run[0].x), py(run[0].upper), "band-line");
    add(svg, "path", { d: `M${there.join("L")}L${back.join("L")}Z`, class: "band" });
  }
  if (life !== null) line(svg, frame.left, py(life), frame.right, py(life), "life");
  const radius = points.length > 400 ? 1.6 : 2.6;
  for (const p of points) {
    if (Number.isFinite(p.measured)) add(svg, "circle", { cx: px(p.x), cy: py(p.measured), r: radius, class: "measured" });
  }
  for (const run of runs(points, (p) => Number.isFinite(p.answer))) {
    add(svg, "path", { d: `M${run.map((p) => `${px(p.x)},${py(p.answer)}`).join("L")}`, class: "answer" });
    if (run.length === 1) add(svg, "circle", { cx: px(run[0].x), cy: py(run[0].answer), r: 3, class: "dot" });
  }
  for (const p of points.filter((p) => p.warnings.length)) {
    add(svg, "path", { d: triangle(px(p.x), frame.bottom - 1), class: "warned" });
  }
  hover(svg, points, labels, { frame, px, py, width });
}

function hover(svg, points, labels, { frame, px, py, width }) {
  const cursor = line(svg, 0, frame.top, 0, frame.bottom, "cursor");
  const dot = add(svg, "circle", { r: 4, class: "dot" });
  const tip = add(svg, "g", { class: "tip" });
  const box = add(tip, "rect", { rx: 5 });
  const group = [cursor, dot, tip];
  const hide = () => group.forEach((g) => g.setAttribute("visibility", "hidden"));
  hide();
  let at = -1;
  const show = (idx) => {
    at = Math.max(0, Math.min(points.length - 1, idx));
    const p = points[at];
    const lines = [
      `${labels.x} ${plain(p.x)}`,
      `${labels.short} ${plain(p.answer)}`,
      Number.isFinite(p.lower) && `${labels.band}: ${plain(p.lower)} to ${plain(p.upper)}`,
      Number.isFinite(p.measured) && `measured ${plain(p.measured)}`,
      p.warnings.length > 0 && `${p.warnings.length} ${p.warnings.length === 1 ? "warning" : "warnings"}, see the table`,
    ].filter(Boolean);
    tip.replaceChildren(box);
    lines.forEach((l, i) => text(tip, 10, 20 + 17 * i, l));
    group.forEach((g) => g.setAttribute("visibility", "visible"));
    const w = Math.max(...[...tip.querySelectorAll("text")].map((t) => t.getComputedTextLength())) + 20;
    const h = 17 * lines.length + 14;
    attributes(box, { width: w, height: h });
    const x = px(p.x);
    const left = x + 12 + w < width ? x + 12 : Math.max(4, x - 12 - w);
    tip.setAttribute("transform", `translate(${left} ${frame.top + 4})`);
    attributes(cursor, { x1: x, x2: x });
    const seen = Number.isFinite(p.answer);
    attributes(dot, { cx: x, cy: seen ? py(p.answer) : 0, visibility: seen ? "visible" : "hidden" });
  };
  svg.addEventListener("pointermove", (event) => {
    const x = event.clientX - svg.getBoundingClientRect().left;
    show(nearest(points, (p) => Math.abs(px(p.x) - x)));
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? points.length - 1 : step && at + step;
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
}

function drawIntervals(figure, rows, labels, x) {
  const width = widthOf(figure);
  const step = 26;
  const left = Math.min(width * 0.34, 24 + 7.2 * Math.max(...rows.map((r) => r.label.length), 4));
  const frame = { left, right: width - 24, top: 34, bottom: 44 + step * rows.length };
  const px = (v) => frame.left + ((v - x.low) / (x.high - x.low)) * (frame.right - frame.left);
  const svg = canvas(figure, width, frame.bottom + 48, `${labels.title}: ${labels.y}`);
  text(svg, 12, 20, labels.title, { class: "head" });
  for (const tick of x.ticks) {
    line(svg, px(tick), frame.top, px(tick), frame.bottom, "grid");
    text(svg, px(tick), frame.bottom + 20, tickText(tick, x.step), { "text-anchor": "middle" });
  }
  line(svg, frame.left, frame.bottom, frame.right, frame.bottom, "axis");
  text(svg, (frame.left + frame.right) / 2, frame.bottom + 40, labels.y, { "text-anchor": "middle", class: "soft" });
  rows.forEach((row, idx) => {
    const y = frame.top + 18 + step * idx;
    text(svg, frame.left - 10, y + 4, clip(row.label, left), { "text-anchor": "end" });
    if (Number.isFinite(row.lower)) {
      add(svg, "rect", { x: px(row.lower), y: y - 8, width: Math.max(1, px(row.upper) - px(row.lower)), height: 16, class: "band" });
    }
    if (Number.isFinite(row.answer)) add(svg, "circle", { cx: px(row.answer), cy: y, r: 5, class: "dot" });
    if (Number.isFinite(row.measured)) add(svg, "circle", { cx: px(row.measured), cy: y, r: 3, class: "measured" });
    title(svg.lastChild, `${row.label}: ${plain(row.answer)}`);
  });
}

function drawTiers(figure, rows, names, labels) {
  const width = widthOf(figure);
  const step = 30;
  const left = Math.min(width * 0.34, 24 + 7.2 * Math.max(...rows.map((r) => r.label.length), 4));
  const frame = { left, right: width - 24, top: 34, bottom: 40 + step * rows.length };
  const px = (v) => frame.left + v * (frame.right - frame.left);
  const svg = canvas(figure, width, frame.bottom + 48, `${labels.title}: probability of each tier`);
  text(svg, 12, 20, labels.title, { class: "head" });
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    line(svg, px(tick), frame.top, px(tick), frame.bottom, "grid");
    text(svg, px(tick), frame.bottom + 20, String(tick), { "text-anchor": "middle" });
  }
  text(svg, (frame.left + frame.right) / 2, frame.bottom + 40, "probability", { "text-anchor": "middle", class: "soft" });
  rows.forEach((row, idx) => {
    const y = frame.top + 4 + step * idx;
    text(svg, frame.left - 10, y + 16, clip(row.label, left), { "text-anchor": "end" });
    let from = 0;
    row.probabilities.forEach((p, tier) => {
      const bar = add(svg, "rect", { x: px(from), y, width: Math.max(0, px(from + p) - px(from)), height: 22, class: `tier-${tier % 6}` });
      title(bar, `${row.label}, tier ${names[tier]}: ${plain(p)}`);
      if (px(from + p) - px(from) > 44) text(svg, px(from + p / 2), y + 16, `${names[tier]} ${p.toFixed(2)}`, { "text-anchor": "middle", class: tier % 6 === 0 ? "on-dark" : "on-bar" });
      from += p;
    });
  });
}

/** Returns round ends and ticks for values from `low` to `high`; a tight axis ends with its values and counts. */
function axis(low, high, most, tight = false) {
  if (!(high > low)) [low, high] = [low - (Math.abs(low) * 0.05 || 1), high + (Math.abs(high) * 0.05 || 1)];
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const round = [1, 2, 2.5, 5, 10].find((s) => s * power >= raw * (1 - 1e-9)) * power;
  const step = tight ? Math.max(1, Math.ceil(round)) : round; // Cycles are counted.
  if (!tight) [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i += 1) ticks.push(i * step);
  return { low, high, step, ticks };
}

function tickText(value, step) {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (/^2\.?5/.test((step / 10 ** Math.floor(Math.log10(step) + 1e-9)).toFixed(1)) ? 1 : 0));
  if (Math.abs(value) >= 1e6) return value.toExponential(1).replace("-", "−");
  return (Math.abs(value) < step * 1e-6 ? 0 : value).toFixed(Math.min(digits, 8)).replace("-", "−");
}

function extent(values) {
  return values.length ? [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))] : [0, 1];
}

/** Returns the stretches of points that all pass. */
function runs(points, passes) {
  const found = [];
  let open = false;
  for (const p of points) {
    if (!passes(p)) open = false;
    else if (open) found.at(-1).push(p);
    else open = Boolean(found.push([p]));
  }
  return found;
}

function nearest(points, distance) {
  let best = 0;
  points.forEach((p, idx) => {
    if (distance(p) < distance(points[best])) best = idx;
  });
  return best;
}

function responsive(figure, legend, draw) {
  figure.observer?.disconnect();
  const list = document.createElement("ul");
  list.className = "legend";
  for (const [shape, kind, label] of legend) list.append(legendEntry(shape, kind, label));
  figure.replaceChildren(list);
  let drawn = 0;
  figure.observer = new ResizeObserver(() => {
    if (widthOf(figure) === drawn) return;
    drawn = widthOf(figure);
    figure.querySelector(":scope > svg")?.remove();
    draw();
  });
  figure.observer.observe(figure);
}

function legendEntry(shape, kind, label) {
  const entry = document.createElement("li");
  const svg = add(entry, "svg", { viewBox: "0 0 28 14", "aria-hidden": "true" });
  if (shape === "line") line(svg, 1, 7, 27, 7, kind);
  if (shape === "area") add(svg, "rect", { x: 1, y: 1, width: 26, height: 12, class: kind });
  if (shape === "dot") add(svg, "circle", { cx: 14, cy: 7, r: 3.5, class: kind });
  if (shape === "triangle") add(svg, "path", { d: triangle(14, 12), class: kind });
  entry.append(label);
  return entry;
}

function canvas(figure, width, height, label) {
  const svg = add(figure, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", tabindex: 0, "aria-label": label });
  return svg;
}

function widthOf(figure) {
  return Math.max(280, Math.floor(figure.clientWidth));
}

function clip(label, left) {
  const most = Math.max(4, Math.floor((left - 20) / 7));
  return label.length > most ? `${label.slice(0, most - 1)}…` : label;
}

function triangle(x, y) {
  return `M${x - 4},${y}L${x + 4},${y}L${x},${y - 7}Z`;
}

function line(parent, x1, y1, x2, y2, kind) {
  return add(parent, "line", { x1, y1, x2, y2, class: kind });
}

function text(parent, x, y, words, more = {}) {
  const made = add(parent, "text", { x, y, ...more });
  made.textContent = words;
  return made;
}

function title(element, words) {
  if (element) add(element, "title", {}).textContent = words;
}

function add(parent, name, values) {
  const made = document.createElementNS(SVG, name);
  attributes(made, values);
  parent.append(made);
  return made;
}

function attributes(element, values) {
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
}
