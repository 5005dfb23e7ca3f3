// The page at /: choose a model, ask it about a file or a row, see the answer. No script of others, no other host.

import { column, course, intervals, plain, tiers, withUnit } from "./chart.js";

const $ = (id) => document.getElementById(id);
const MOST_ROWS = 500;
const MOST_POINTS = 4000;
const NAMES = { soh: "SoH", life: "cycle life", tier: "tier" };
const SOURCES = {
  same_record: "the answered record itself", same_record_part: "a part of the answered record", same_cycle: "the same cycle",
  past_record: "records before", past_label: "earlier capacities", future_record: "later records", static: "before the test", time: "the count of cycles",
};
let models = [];
let answered = null;

/** Asks the server; returns what it answers or throws an Error that a person can read. */
async function ask(path, options = {}) {
  const token = sessionStorage.getItem("token");
  const headers = { ...options.headers, ...(token && { authorization: `Bearer ${token}` }) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  const body = await response.json().catch(() => null);
  if (response.status === 401) $("token").hidden = false;
  if (!response.ok) throw new Error(problem(response, body));
  return body;
}

/** Returns what went wrong, as the server says it. */
function problem(response, body) {
  const said = body?.error;
  if (!said) return `The server answered ${response.status} ${response.statusText}.`;
  return said.message;
}

function fail(error) {
  $("failure").textContent = error ? error.message : "";
  $("failure").hidden = !error;
  if (!error) return;
  $("answer").hidden = true;
  $("failure").scrollIntoView({ block: "nearest" });
}

/** Runs what a person asked for; whatever goes wrong is shown. */
async function attempt(button, action) {
  fail(null);
  button.disabled = true;
  try {
    await action();
  } catch (error) {
    fail(error);
  } finally {
    button.disabled = false;
  }
}

async function begin() {
  fail(null);
  try {
    const [{ models: found }, { formats }] = await Promise.all([ask("/v1/models"), ask("/v1/formats")]);
    models = found;
    $("token").hidden = true;
    $("links").hidden = Boolean(sessionStorage.getItem("token")); // A link shows no token.
    fillSelect($("model"), models.map((m) => [m.name, `${m.name} (${m.kind})`]));
    fillSelect($("format"), [["", "found by its begin"], ...formats.map((f) => [f.name, f.summary])]);
    $("models").hidden = $("ask").hidden = models.length === 0;
    if (models.length === 0) throw new Error("This server has no model loaded.");
    chooseModel();
  } catch (error) {
    fail(error);
  }
}

const model = () => models[$("model").selectedIndex];

function chooseModel() {
  const m = model();
  $("synthetic").hidden = !m.metrics?.synthetic;
  $("question").textContent = question(m);
  $("facts").replaceChildren(...facts(m).flatMap(([name, value]) => entry(name, value)));
  showInputs(m);
  fillSelect($("level"), m.levels.map((l) => [l, percent(l)]), usualLevel(m));
  $("level-label").hidden = m.levels.length === 0;
  $("fields").replaceChildren(...m.inputs.map(field));
  chooseFile();
  $("answer").hidden = true;
  fail(null);
}

function question(m) {
  const of = !m.takes_cells ? "for each row of a table" : m.output.kind === "soh" ? "for each discharge" : "for each cell, from its first cycles";
  const what = { soh: "the state of health (capacity over the capacity that counts as 1)", life: "the cycle life", tier: `the tier (${m.output.names?.join(", ")})` };
  return `Answers ${what[m.output.kind]} ${of}.`;
}

/** Returns what a person should know of a model before trusting it. */
function facts(m) {
  const notes = m.metrics?.notes ?? [];
  const tuned = m.metrics?.tuned_on_test ? ["settings were chosen on the figures shown here"] : [];
  const doubts = [...tuned, ...(m.metrics?.leak_allowed ? ["an input gives the answer away and was allowed to"] : []), ...notes];
  const all = [["on cells never seen", scoreText(m)], ["interval", bandText(m)], ["data", m.metrics?.data ?? "not stated"], ["run", m.run]];
  return doubts.length ? [...all, ["to know", doubts.join("; ")]] : all;
}

function bandText(m) {
  const level = usualLevel(m);
  if (level === undefined) return "none: no error was measured on cells left out";
  const seen = m.interval?.coverage?.[m.interval.levels.indexOf(level)];
  if (seen === undefined) return `${percent(level)} band; what it covers was not measured`;
  return `the ${percent(level)} band covered ${percent(seen)} of ${m.interval.n_rows} rows of ${m.interval.n_cells} cells that were left out`;
}

const usualLevel = (m) => (m.levels.includes(0.9) ? 0.9 : m.levels.at(-1));

/** Returns the figure of a model beside that of the best baseline that was allowed. */
function scoreText(m) {
  const name = m.output.kind === "tier" ? "accuracy" : "rmse";
  const own = m.metrics?.metrics?.[name]?.mean;
  if (own === undefined) return "not stated";
  const written = (v) => (name === "accuracy" ? percent(v) : withUnit(plain(v), ""));
  const unit = name === "accuracy" || m.metrics.unit === "1" ? "" : ` ${m.metrics.unit}`;
  const others = Object.entries(m.metrics.baselines ?? {}).filter(([key, s]) => !key.includes("forbidden") && s[name]);
  others.sort((a, b) => (name === "accuracy" ? -1 : 1) * (a[1][name].mean - b[1][name].mean));
  const [best] = others;
  const beside = best ? `; best baseline, ${best[0].replaceAll("_", " ")}: ${written(best[1][name].mean)}${unit}` : "; no baseline";
  return `${name === "rmse" ? "RMSE" : name} ${written(own)}${unit}${beside}`;
}

function showInputs(m) {
  $("inputs").querySelector("summary").textContent = `${m.inputs.length} inputs, with units and the ranges that it was trained on`;
  const rows = m.inputs.map((input) => {
    const [low, high] = input.range;
    const row = document.createElement("tr");
    row.append(cell(input.name), cell(input.unit), cell(plain(low), "number"), cell(plain(high), "number"), cell(SOURCES[input.source] ?? input.source));
    row.append(cell(input.leaks ? `${input.doc} It gives the answer away and was allowed to.` : input.doc, "wide"));
    return row;
  });
  $("inputs").querySelector("tbody").replaceChildren(...rows);
}

/** Returns the field of an input: name, number, unit, range. */
function field(input, idx) {
  const box = element("div", "field");
  const label = element("label", "", input.name);
  label.htmlFor = `input-${idx}`;
  const number = element("input");
  Object.assign(number, { id: `input-${idx}`, name: input.name, type: "text", inputMode: "decimal", autocomplete: "off" });
  number.setAttribute("aria-describedby", `range-${idx}`);
  const [low, high] = input.range;
  const range = element("small", "range", low === high ? `always ${plain(low)} in training` : `trained on ${plain(low)} to ${plain(high)}`);
  range.id = `range-${idx}`;
  number.addEventListener("input", () => {
    const value = typed(number.value);
    box.classList.toggle("beyond", number.value.trim() !== "" && !(value >= low && value <= high));
  });
  const line = element("div", "with-unit");
  line.append(number, element("span", "unit", input.unit === "1" ? "" : input.unit));
  box.append(label, line, range);
  if (input.doc) box.append(element("small", "", input.doc));
  return box;
}

/** Returns the number that was typed, with a point or a comma; NaN for what is none. */
function typed(text) {
  const plainText = text.trim().replace("−", "-").replace(/^([^.,]*),([^.,]*)$/, "$1.$2");
  return plainText === "" ? NaN : Number(plainText);
}

function fillMiddle() {
  model().inputs.forEach((input, idx) => {
    const middle = 0.5 * (input.range[0] + input.range[1]);
    $(`input-${idx}`).value = Number(middle.toPrecision(5));
    $(`input-${idx}`).dispatchEvent(new Event("input"));
  });
}

function chooseFile() {
  const file = $("file").files[0];
  $("file-name").textContent = file ? `${file.name}, ${bytes(file.size)}` : "or drop it here";
  $("forecast").disabled = !file;
  const table = "a table of inputs, one row an answer, with the columns of the list above (CSV, Parquet or Arrow)";
  const raw = !model().takes_cells ? "" : ", or the raw file of a cycler, whose inputs are computed here";
  $("file-hint").textContent = `Takes ${table}${raw}. The file is read by this server and not kept.`;
}

async function forecastFile() {
  const file = $("file").files[0];
  const query = new URLSearchParams({ model: model().name });
  if ($("format").value) query.set("format", $("format").value);
  if (model().levels.length) query.set("level", $("level").value);
  $("busy").textContent = `reading ${file.name} …`;
  try {
    const headers = { "content-type": "application/octet-stream", "x-file-name": encodeURIComponent(file.name) };
    show(await ask(`/v1/forecast?${query}`, { method: "POST", headers, body: file }), file.name);
  } finally {
    $("busy").textContent = "";
  }
}

async function answerRow() {
  const row = {};
  for (const input of $("fields").querySelectorAll("input")) {
    const value = typed(input.value);
    if (input.value.trim() !== "" && !Number.isFinite(value)) {
      input.focus();
      throw new Error(`“${input.value}” in ${input.name} is no number; an empty field is a missing value.`);
    }
    row[input.name] = Number.isFinite(value) ? value : null;
  }
  const body = { model: model().name, rows: [row], ...(model().levels.length && { level: Number($("level").value) }) };
  const headers = { "content-type": "application/json" };
  show(ofRow(await ask("/v1/predict", { method: "POST", headers, body: JSON.stringify(body) })), "row by hand");
}

/** Returns the answer to one row in the form of a forecast. */
function ofRow(said) {
  const { warnings, ...values } = said.answers[0];
  const ending = (end) => Object.entries(values).find(([key]) => key.split("_").at(-1) === end)?.[1] ?? null;
  const probabilities = Object.keys(values).filter((key) => key.startsWith("probability_")).map((key) => values[key]);
  const row = { answer: Object.values(values)[0], lower: ending("lower"), upper: ending("upper"), set: ending("set")?.split("|") ?? null, measured: null, cycle: null, probabilities, warnings };
  const { output, name } = model();
  return { ...said, model: name, output, warnings: [], cells: [{ cell: null, synthetic: false, reference_ah: output.reference_ah ?? null, end_of_life: null, rows: [row] }] };
}

function show(answer, name) {
  answer.warnings.push(...(answer.cells.length > 1 && answer.cells.some((c) => c.rows.length === 0) ? ["cells without an answer are left out"] : []));
  answer.cells = answer.cells.filter((c) => c.rows.length > 0);
  answered = { answer, name, model: model() };
  $("answer").hidden = false;
  fillSelect($("cell"), answer.cells.map((c, idx) => [idx, c.cell ?? "table"]));
  $("cell-label").hidden = answer.cells.length < 2 || answer.output.kind !== "soh";
  const ampere = answer.output.kind === "soh" && answer.cells.every((c) => c.reference_ah);
  fillSelect($("quantity"), [["own", "SoH"], ...(ampere ? [["ah", "capacity [Ah]"]] : [])]);
  $("quantity-label").hidden = !ampere;
  drawAnswer();
  $("answer").scrollIntoView({ block: "start", behavior: "smooth" });
}

function drawAnswer() {
  const { answer, name } = answered;
  const labels = labelsOf(answer, name);
  const one = answer.cells.length === 1 && answer.cells[0].rows.length === 1;
  const notes = notesOf(answer);
  if (answer.output.kind === "soh" && !one) {
    const shown = answer.cells[$("cell").selectedIndex];
    const scale = $("quantity").value === "ah" ? shown.reference_ah : 1;
    const every = Math.ceil(shown.rows.length / MOST_POINTS);
    if (every > 1) notes.push(`The chart shows every ${every}th row; the table and the CSV have all.`);
    const all = shown.rows.map((r, idx) => ({ x: r.cycle ?? idx + 1, warnings: r.warnings, ...scaled(r, scale) }));
    const points = all.filter((_, idx) => idx % every === 0).sort((a, b) => a.x - b.x);
    const title = `${shown.cell ?? name}${shown.synthetic ? " (synthetic cell)" : ""}`;
    const life = shown.end_of_life === null ? null : shown.end_of_life * scale;
    const outside = course($("figure"), points, { ...labels, title, x: shown.rows[0]?.cycle ? "cycle" : "row" }, life);
    if (outside) notes.push(outside);
  } else {
    const rows = answer.cells.flatMap((c) => c.rows.map((r, idx) => ({ ...r, label: c.cell ?? `row ${idx + 1}` })));
    const some = rows.slice(0, 60);
    if (rows.length > some.length) notes.push(`The chart shows the first ${some.length} of ${rows.length} rows; the table and the CSV have all.`);
    if (answer.output.kind === "tier") tiers($("figure"), some, answer.output.names, { ...labels, title: name });
    else intervals($("figure"), some.map((r) => ({ ...r, ...scaled(r, one && $("quantity").value === "ah" ? answer.cells[0].reference_ah : 1) })), { ...labels, title: name });
  }
  $("notes").replaceChildren(...notes.map((n) => element("li", "", n)));
  $("summary").replaceChildren(...summary(answer));
  showRows();
}

function labelsOf(answer, name) {
  const ampere = $("quantity").value === "ah";
  const quantity = NAMES[answer.output.kind];
  const said = ampere ? "capacity [Ah]" : withUnit(quantity, answer.unit);
  const kind = answered.model.metrics?.synthetic ? " (model of synthetic cells)" : "";
  return { title: name, y: said, short: ampere ? "capacity" : quantity, answer: `answer of ${answer.model}${kind}`, band: `${percent(answer.level ?? 0.9)} band` };
}

const scaled = (row, scale) => Object.fromEntries(["answer", "lower", "upper", "measured"].map((k) => [k, typeof row[k] === "number" ? row[k] * scale : null]));

/** Returns each warning once, with how many rows have it. */
function notesOf(answer) {
  const counts = new Map();
  const rows = answer.cells.flatMap((c) => c.rows);
  for (const warning of rows.flatMap((r) => r.warnings)) {
    const kind = warning.replace(/-?\d[\d.e+-]*/g, "#");
    const seen = counts.get(kind) ?? { n: 0, first: warning };
    counts.set(kind, { n: seen.n + 1, first: seen.first });
  }
  const said = [...counts.values()].map(({ n, first }) => (rows.length === 1 ? first : `${n} of ${rows.length} rows${n > 1 ? ", the first" : ""}: ${first}`));
  return [...(answer.warnings ?? []), ...said];
}

/** Returns what the answer says in one line: the number itself, or how it agrees with what was measured. */
function summary(answer) {
  const rows = answer.cells.flatMap((c) => c.rows);
  if (rows.length === 1) return [element("span", "big", single(rows[0], answer))];
  const n = rows.filter((r) => typeof r.measured === "number" && typeof r.answer === "number");
  const count = `${rows.length} ${rows.length === 1 ? "answer" : "answers"} of ${answered.name}.`;
  if (n.length === 0) return [count];
  const rmse = Math.sqrt(n.reduce((sum, r) => sum + (r.answer - r.measured) ** 2, 0) / n.length);
  const banded = n.filter((r) => typeof r.lower === "number");
  const inside = banded.filter((r) => r.measured >= r.lower && r.measured <= r.upper).length;
  const band = banded.length ? `; ${percent(inside / banded.length)} of them lie in the ${percent(answer.level)} band` : "";
  return [`${count} ${n.length} were measured, too: RMSE ${plain(rmse)}${answer.unit === "1" ? "" : ` ${answer.unit}`}${band}.`];
}

function single(row, answer) {
  if (answer.output.kind === "tier") return `tier ${row.answer}, ${percent(Math.max(...row.probabilities))} sure; ${percent(answer.level)} set: ${row.set?.join(", ") || "none"}`;
  const unit = answer.unit === "1" ? "" : ` ${answer.unit}`;
  const name = NAMES[answer.output.kind];
  const band = typeof row.lower === "number" ? `, ${percent(answer.level)} band ${plain(row.lower)} to ${plain(row.upper)}${unit}` : "";
  return `${name} ${plain(row.answer)}${unit}${band}`;
}

/** Returns the head and the rows of the table, values as they came. */
function table() {
  const { answer } = answered;
  const tier = answer.output.kind === "tier";
  const all = answer.cells.flatMap((c) => c.rows.map((r, idx) => ({ ...r, cell: c.cell, cycle: r.cycle ?? null, row: idx + 1, reference: c.reference_ah })));
  const has = (key) => all.some((r) => r[key] !== null && r[key] !== undefined);
  const unit = answer.unit === "1" ? "" : ` [${answer.unit}]`;
  const columns = [
    has("cell") && ["cell", (r) => r.cell],
    has("cycle") ? ["cycle", (r) => r.cycle] : !has("cell") && ["row", (r) => r.row],
    [`${NAMES[answer.output.kind]}${unit}`, (r) => r.answer],
    ...(tier ? answer.output.names.map((n, idx) => [`probability ${n}`, (r) => r.probabilities?.[idx]]) : []),
    tier && has("set") && [`${percent(answer.level)} set`, (r) => r.set?.join(" ")],
    has("lower") && ["lower", (r) => r.lower],
    has("upper") && ["upper", (r) => r.upper],
    answer.output.kind === "soh" && has("reference") && ["capacity [Ah]", (r) => (typeof r.answer === "number" && r.reference ? r.answer * r.reference : null)],
    has("measured") && [`measured${unit}`, (r) => r.measured],
    ["warnings", (r) => r.warnings.join("; ")],
  ].filter(Boolean);
  return { columns, all };
}

function showRows() {
  const { columns, all } = table();
  const made = element("table");
  const head = element("tr");
  head.append(...columns.map(([name]) => element("th", name === "cell" || name === "warnings" ? "" : "number", name)));
  const written = columns.map(([, value]) => column(all.map(value)));
  const body = element("tbody");
  body.append(...all.slice(0, MOST_ROWS).map((r) => {
    const line = element("tr", r.warnings.length ? "warned" : "");
    line.append(...columns.map(([name, value], idx) => {
      const v = value(r);
      return cell(typeof v === "number" ? written[idx](v) : v ?? "–", name === "warnings" ? "wide" : name === "cell" ? "" : "number");
    }));
    return line;
  }));
  const thead = element("thead");
  thead.append(head);
  made.append(thead, body);
  $("rows").replaceChildren(made);
  $("rows-head").textContent = all.length > MOST_ROWS ? `The first ${MOST_ROWS} of ${all.length} rows` : `${all.length} ${all.length === 1 ? "row" : "rows"}`;
  offerCsv(columns, all);
}

function offerCsv(columns, all) {
  const quoted = (v) => (v === null || v === undefined ? "" : /[",\n\r]/.test(String(v)) ? `"${String(v).replaceAll('"', '""')}"` : String(v));
  const lines = [columns.map(([name]) => name), ...all.map((r) => columns.map(([, value]) => value(r)))];
  const text = lines.map((l) => l.map(quoted).join(",")).join("\n");
  URL.revokeObjectURL($("csv").href);
  $("csv").href = URL.createObjectURL(new Blob([`${text}\n`], { type: "text/csv" }));
  $("csv").download = `${answered.answer.model}_${answered.name.replace(/\.[^.]*$/, "")}.csv`.replaceAll(/[^\w.-]+/g, "_");
}

function chooseTab(tab) {
  for (const id of ["file", "row"]) {
    const on = id === tab;
    $(`tab-${id}`).setAttribute("aria-selected", on);
    $(`tab-${id}`).tabIndex = on ? 0 : -1;
    $(`by-${id}`).hidden = !on;
  }
}

function element(name, kind = "", words = "") {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (words) made.textContent = words;
  return made;
}

const cell = (words, kind) => element("td", kind, words);
const entry = (name, value) => {
  const box = element("div", name === "to know" ? "whole" : "");
  box.append(element("dt", "", name), element("dd", "", value));
  return [box];
};
const percent = (share) => `${plain(Math.round(share * 1000) / 10)} %`;
const bytes = (n) => (n < 1e3 ? `${n} bytes` : n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

function fillSelect(select, options, chosen) {
  select.replaceChildren(...options.map(([value, label]) => {
    const option = element("option", "", label);
    option.value = value;
    option.selected = value === chosen;
    return option;
  }));
}

$("token").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", $("token-value").value);
  begin();
});
$("model").addEventListener("change", chooseModel);
$("file").addEventListener("change", chooseFile);
$("cell").addEventListener("change", drawAnswer);
$("quantity").addEventListener("change", drawAnswer);
$("fill").addEventListener("click", fillMiddle);
$("by-row").addEventListener("reset", () => $("fields").querySelectorAll(".beyond").forEach((f) => f.classList.remove("beyond")));
$("by-file").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt($("forecast"), forecastFile);
});
$("by-row").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(event.submitter ?? $("fill"), answerRow);
});
for (const [tab, other] of [["file", "row"], ["row", "file"]]) {
  $(`tab-${tab}`).addEventListener("click", () => chooseTab(tab));
  $(`tab-${tab}`).addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    chooseTab(other);
    $(`tab-${other}`).focus();
  });
}
const drop = $("drop");
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  if (event.dataTransfer.files.length === 0) return;
  $("file").files = event.dataTransfer.files;
  chooseFile();
});
begin();
