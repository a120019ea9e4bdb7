"use strict";
// The farm as it comes in by /events, drawn with no more rows than fit the window.
(() => {
const STATES = ["stuck", "failing", "silent", "waiting", "fetching", "booting", "done"];
const LABEL = { stuck: "Stuck", failing: "Failing", silent: "Silent", waiting: "Waiting", fetching: "Fetching", booting: "Booting", done: "Done" };
const STAGE = { other: "file", loader: "loader", config: "config", tree: "device tree", kernel: "kernel", initrd: "initrd" };
const ROW = 52, SPARE = 6;
const $ = (id) => document.getElementById(id);
const machines = new Map();
const chosen = new Set();
let order = [], sort = { key: "state", down: false }, words = "";
let offset = 0, look = null, stale = true, drawn = false, printing = false, open = null, opener = null;

// --- Words and numbers ---
const round = (n, digits) => n.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits });
const count = (n) => n.toLocaleString("en");
function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1000 || unit === "GB") return round(n, unit === "B" || n >= 100 ? 0 : 1) + " " + unit;
    n /= 1000;
  }
}
function span(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return round(s, 1) + " s";
  if (s < 100) return Math.round(s) + " s";
  if (s < 6000) return Math.round(s / 60) + " min";
  return s < 360000 ? Math.round(s / 3600) + " h" : Math.round(s / 86400) + " d";
}
function trip(us) {
  if (!us) return "–";
  return us < 1000 ? us + " µs" : round(us / 1000, us < 100000 ? 1 : 0) + " ms";
}
const now = () => performance.now() - offset;
const title = (m) => m.host || m.ip;
const reason = (m, time) => m.why.replace(/ since$/, " for " + span(time - m.since));
const last = (name) => name.slice(name.lastIndexOf("/") + 1) || name;
const part = (m) => m.size ? Math.min(1, m.bytes / m.size) : m.bytes ? 1 : 0;
function make(tag, kind, text) {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = text;
  return node;
}
function put(node, text) { if (node.textContent !== text) node.textContent = text; }

// --- What comes in ---
function take(cells) {
  const [id, ip, mac, host, state, why, since, file, stage, got, size, rate, resends, rtt, files, misses] = cells;
  const m = machines.get(id) || { id };
  Object.assign(m, { ip, mac, host, state, why, since, file, stage, bytes: got, size, rate, resends, rtt, files, misses });
  m.rank = STATES.indexOf(state);
  m.text = [ip, mac, host, file, state].join(" ").toLowerCase();
  m.key = m.key || ip.replace(/\d+/g, (n) => n.padStart(3, "0"));
  machines.set(id, m);
}
function learn(next) {
  offset = performance.now() - next.now;
  if (next.full) machines.clear();
  for (const cells of next.rows) take(cells);
  for (const id of next.gone || []) machines.delete(id);
  look = Object.assign({}, look, next);
  if (next.failures) failures(next.failures);
  stale = stale || next.full || next.rows.length > 0 || (next.gone || []).length > 0;
  later();
}
function connect() {
  const events = new EventSource("events");
  const say = (state, text) => { $("link").dataset.state = state; put($("link"), text); };
  events.onmessage = (event) => { say("live", "live"); learn(JSON.parse(event.data)); };
  events.onerror = () => {
    say("lost", "no connection, trying again");
    // A browser gives up by itself when an answer was no stream.
    if (events.readyState === EventSource.CLOSED) setTimeout(connect, 3000);
  };
}

// --- Order and filter ---
const KEYS = {
  name: (m) => m.host || m.key, state: (m) => m.rank, file: (m) => last(m.file), progress: part,
  rate: (m) => m.rate, resends: (m) => m.resends, rtt: (m) => m.rtt, files: (m) => m.files,
};
function arrange() {
  const key = KEYS[sort.key], way = sort.down ? -1 : 1;
  const wanted = (m) => (!chosen.size || chosen.has(m.state)) && (!words || m.text.includes(words));
  order = [...machines.values()].filter(wanted);
  const cache = new Map(order.map((m) => [m, key(m)]));
  order.sort((a, b) => {
    const x = cache.get(a), y = cache.get(b);
    if (x < y) return -way;
    if (x > y) return way;
    if (sort.key === "state" && a.rank < 3 && a.since !== b.since) return a.since - b.since;
    return a.key < b.key ? -1 : a.key > b.key ? 1 : a.id - b.id;
  });
  stale = false;
}

// --- The table ---
const COLUMNS = [
  ["name", "Machine"], ["state", "State"], ["file", "File"], ["progress", "Progress"],
  ["rate", "Rate", 1], ["resends", "Resends", 1], ["rtt", "Round trip", 1], ["files", "Files", 1],
];
function heads() {
  for (const [key, label, num] of COLUMNS) {
    const head = make("th", "c-" + key + (num ? " num" : ""));
    head.scope = "col";
    const button = make("button", "", label);
    button.type = "button";
    button.onclick = () => {
      const down = sort.key === key ? !sort.down : Boolean(num);
      sort = { key, down };
      stale = true;
      marks();
      draw();
    };
    head.append(button);
    head.dataset.key = key;
    head.dataset.label = label;
    $("heads").append(head);
  }
  marks();
}
function marks() {
  for (const head of $("heads").children) {
    if (head.dataset.key === sort.key) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
}
const nodes = new Map();
const above = make("tr", "pad"), below = make("tr", "pad");
for (const pad of [above, below]) {
  pad.setAttribute("aria-hidden", "true");
  pad.append(make("td"));
}
function rowOf(m) {
  const row = make("tr", "row");
  row.dataset.id = m.id;
  const cell = (tag, kind) => { const it = make(tag, kind); row.append(it); return it; };
  const at = { row };
  const head = cell("th", "c-name");
  head.scope = "row";
  at.name = make("button", "name");
  at.name.type = "button";
  at.name.onclick = () => show(m.id, at.name);
  at.sub = make("span", "sub mono");
  head.append(at.name, at.sub);
  const state = cell("td", "c-state");
  const word = make("span", "state");
  at.state = make("span");
  word.append(make("span", "dot"), at.state);
  at.since = make("span", "sub");
  state.append(word, at.since);
  const file = cell("td", "c-file");
  at.file = make("span", "file");
  at.dir = make("span", "dir");
  at.base = make("span");
  at.file.append(at.dir, at.base);
  at.why = make("span", "sub why");
  file.append(at.file, at.why);
  const progress = cell("td", "c-progress");
  at.pct = make("span", "pct");
  const bar = make("div", "bar");
  at.bar = make("i");
  bar.append(at.bar);
  progress.append(at.pct, bar);
  at.rate = cell("td", "c-rate num");
  at.resends = cell("td", "c-resends num");
  at.rtt = cell("td", "c-rtt num");
  at.files = cell("td", "c-files num");
  row.ondblclick = () => show(m.id, at.name);
  return at;
}
function fill(at, m, time) {
  if (at.row.dataset.state !== m.state) at.row.dataset.state = m.state;
  put(at.name, title(m));
  put(at.sub, [m.host ? m.ip : "", m.mac].filter(Boolean).join("  "));
  put(at.state, LABEL[m.state]);
  put(at.since, span(time - m.since));
  const base = last(m.file);
  put(at.dir, m.file.slice(0, m.file.length - base.length));
  put(at.base, base || "–");
  if (at.file.title !== m.file) at.file.title = m.file;
  const moved = m.size ? bytes(m.bytes) + " of " + bytes(m.size) : m.bytes ? bytes(m.bytes) : "";
  put(at.why, reason(m, time) || [STAGE[m.stage], moved].filter(Boolean).join(", "));
  const busy = m.rank !== 6 && m.rank !== 1 && m.rank !== 2;
  // What failed before its first byte has no way to show.
  const begun = m.bytes > 0 || busy;
  put(at.pct, m.file && begun ? Math.floor(part(m) * 100) + " %" : "–");
  at.bar.parentNode.hidden = !begun;
  at.bar.style.transform = "scaleX(" + part(m).toFixed(3) + ")";
  put(at.rate, busy && m.rate ? bytes(m.rate) + "/s" : "–");
  put(at.resends, count(m.resends));
  put(at.rtt, trip(m.rtt));
  put(at.files, count(m.files) + (m.misses ? ", " + m.misses + " missed" : ""));
  const selected = String(m.id === open);
  if (at.row.getAttribute("aria-selected") !== selected) at.row.setAttribute("aria-selected", selected);
}
function rows() {
  const body = $("rows");
  const top = body.getBoundingClientRect().top;
  let first = Math.max(0, Math.floor(-top / ROW) - SPARE);
  let end = Math.min(order.length, Math.ceil((innerHeight - top) / ROW) + SPARE);
  if (printing) [first, end] = [0, order.length];
  first = Math.min(first, end);
  const wanted = new Set();
  for (let i = first; i < end; i++) wanted.add(order[i].id);
  for (const [id, at] of nodes) {
    if (!wanted.has(id)) { at.row.remove(); nodes.delete(id); }
  }
  if (above.parentNode !== body) body.append(above, below);
  above.firstChild.style.height = first * ROW + "px";
  below.firstChild.style.height = (order.length - end) * ROW + "px";
  const time = now();
  let spot = above.nextSibling;
  for (let i = first; i < end; i++) {
    const m = order[i];
    let at = nodes.get(m.id);
    if (!at) { at = rowOf(m); nodes.set(m.id, at); }
    fill(at, m, time);
    at.row.setAttribute("aria-rowindex", i + 2);
    if (at.row === spot) spot = spot.nextSibling;
    else body.insertBefore(at.row, spot);
  }
  $("table").setAttribute("aria-rowcount", order.length + 1);
  $("empty").hidden = order.length > 0;
  $("table").hidden = !machines.size;
  put($("empty"), machines.size ? "No machine fits this filter." : "No machine has asked for anything yet.");
}

// --- Above the table ---
const chips = new Map();
function makeChips() {
  for (const state of STATES) {
    const chip = make("button", "chip");
    chip.type = "button";
    chip.dataset.state = state;
    chip.setAttribute("aria-pressed", "false");
    const number = make("b", "", "0");
    chip.append(make("span", "dot"), make("span", "", LABEL[state]), number);
    chip.onclick = () => {
      if (!chosen.delete(state)) chosen.add(state);
      chip.setAttribute("aria-pressed", String(chosen.has(state)));
      stale = true;
      draw();
    };
    chips.set(state, { chip, number });
    $("chips").append(chip);
  }
}
function summary() {
  const farm = look.farm;
  STATES.forEach((state, place) => {
    const { chip, number } = chips.get(state);
    put(number, count(farm.states[place]));
    chip.dataset.none = String(!farm.states[place]);
  });
  const done = farm.states[6], trouble = farm.states[0] + farm.states[1];
  put($("done"), farm.machines ? count(done) : "Quiet");
  put($("of"), farm.machines ? "of " + count(farm.machines) + (farm.machines === 1 ? " machine" : " machines") + " done" : "The first request shows up here by itself.");
  put($("transfers"), count(farm.transfers));
  put($("rate"), bytes(farm.rate) + "/s");
  put($("about"), [farm.version, farm.io === "uring" ? "io_uring" : farm.io, farm.shards + (farm.shards === 1 ? " shard" : " shards"), farm.draining ? "draining" : ""].filter(Boolean).join(", "));
  document.title = (trouble ? trouble + " in trouble, " : farm.machines ? done + "/" + farm.machines + " done, " : "") + "ringboot";
}
const SVG = "http://www.w3.org/2000/svg";
function shape(kind, className, attributes) {
  const node = document.createElementNS(SVG, kind);
  node.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
function curve() {
  const { from, machines: all, points } = look.curve || { points: [], machines: 0, from: 0 };
  const done = points.length ? points[points.length - 1][1] : 0;
  const lastAt = points.length ? points[points.length - 1][0] : 0;
  const whole = done >= all && all > 0;
  const length = Math.max(1000, whole ? lastAt * 1.04 : look.now - from);
  const high = Math.max(1, all);
  const x = (ms) => (600 * ms / length).toFixed(1), y = (n) => (126 - 118 * n / high).toFixed(1);
  let line = "M0," + y(0), before = 0;
  for (const [ms, n] of points) { line += "L" + x(ms) + "," + y(before) + "L" + x(ms) + "," + y(n); before = n; }
  line += "L" + x(length) + "," + y(before);
  const picture = [shape("line", "base", { x1: 0, x2: 600, y1: 126, y2: 126 })];
  if (all) {
    picture.push(shape("line", "goal", { x1: 0, x2: 600, y1: 8, y2: 8 }));
    picture.push(shape("path", "area", { d: line + "L" + x(length) + ",126L0,126Z" }), shape("path", "lineup", { d: line }));
  }
  $("curve").replaceChildren(...picture);
  const half = points.find(([, n]) => n * 2 >= all);
  put($("half"), half ? span(half[0]) : "–");
  put($("axis-to"), all ? span(length) : "");
  const said = all ? count(done) + " of " + count(all) + " machines done after " + span(whole ? lastAt : look.now - from) : "No machine is done yet";
  $("curve").setAttribute("aria-label", said);
}
function failures(list) {
  $("calm").hidden = list.length > 0;
  $("failures").replaceChildren(...list.map((failed) => {
    const item = make("li");
    const who = make("p", "who");
    const name = make("button", "", failed.host || failed.ip);
    name.type = "button";
    name.onclick = () => show(failed.id, name);
    const when = make("span", "when");
    when.dataset.at = failed.at;
    who.append(name, make("span", "file", last(failed.file)), when);
    const times = failed.times > 1 ? ", " + count(failed.times) + " times" : "";
    item.append(who, make("p", "plain", failed.plain + times), make("p", "try", failed.advice));
    return item;
  }));
}
function ages() {
  for (const node of $("failures").querySelectorAll(".when")) put(node, span(now() - node.dataset.at) + " ago");
}

// --- One machine ---
async function show(id, from) {
  open = id;
  opener = from;
  $("timeline").replaceChildren();
  put($("detail-name"), machines.has(id) ? title(machines.get(id)) : "");
  await refresh();
  $("detail").hidden = false;
  $("detail-name").focus();
  draw();
}
function close() {
  open = null;
  $("detail").hidden = true;
  if (opener && opener.isConnected) opener.focus();
  draw();
}
async function refresh() {
  const id = open;
  if (id === null) return;
  const answer = await fetch("machine?" + id).catch(() => null);
  if (open !== id) return;
  if (!answer) { put($("detail-verdict"), "The server does not answer."); return; }
  if (!answer.ok) { put($("detail-verdict"), "This machine is no longer remembered."); return; }
  detail(await answer.json());
}
function detail(it) {
  take(it.row);
  const m = machines.get(it.row[0]);
  put($("detail-name"), title(m));
  put($("detail-sub"), [m.host ? m.ip : "", m.mac, it.boots > 1 ? "boot " + it.boots + " since it is watched" : ""].filter(Boolean).join(", "));
  $("detail-verdict").parentNode.dataset.state = m.state;
  put($("detail-verdict"), m.why.endsWith(" since") ? LABEL[m.state] + ": " + reason(m, it.now) : LABEL[m.state] + " for " + span(it.now - m.since) + (m.why ? ": " + m.why : ""));
  const end = Math.max(...it.files.map((f) => f.ended || it.now), it.boot + 1);
  put($("detail-boot"), it.files.length ? "This boot, " + span(end - it.boot) + (it.left_out ? ", " + it.left_out + " more files left out" : "") : "This boot");
  const kept = $("timeline").querySelector("details[open]") !== null;
  const items = [];
  for (let i = 0; i < it.files.length; i++) {
    let to = i;
    while (to < it.files.length && quiet(it.files[to])) to++;
    if (to - i > 2) { items.push(misses(it, it.files.slice(i, to), kept)); i = to - 1; } else items.push(event(it, it.files[i], end));
  }
  const text = JSON.stringify(it.files.map((f) => [f, f.ended ? 0 : it.now]));
  if ($("timeline").dataset.text !== text || !$("timeline").children.length) {
    $("timeline").dataset.text = text;
    $("timeline").replaceChildren(...items);
  }
}
const quiet = (f) => f.outcome === "missing" && f.stage === "config";
function misses(it, list, kept) {
  const item = make("li"), fold = make("details"), sum = make("summary");
  fold.open = kept;
  sum.textContent = list.reduce((n, f) => n + f.times, 0) + " names tried for a configuration, none of them there";
  fold.append(sum, ...list.map((f) => step(it, f)));
  item.append(fold);
  return item;
}
function step(it, f) {
  const line = make("div", "step");
  line.append(make("span", "at", "+" + span(f.began - it.boot)), make("span", "file", f.name + (f.times > 1 ? " ×" + f.times : "")), make("span", "tag", f.write ? "upload" : STAGE[f.stage]));
  return line;
}
function event(it, f, end) {
  const item = make("li");
  const live = f.ended === null;
  item.dataset.end = live ? (f.plain ? "stuck" : "live") : f.outcome === "completed" ? "completed" : quiet(f) ? "missing" : f.advice ? "failed" : "probe";
  const bar = make("div", "span"), fill = make("i"), whole = end - it.boot;
  fill.style.left = Math.min(99, 100 * Math.max(0, f.began - it.boot) / whole) + "%";
  fill.style.width = Math.max(.5, 100 * ((f.ended || it.now) - f.began) / whole) + "%";
  bar.append(fill);
  const said = make("p", "said");
  const what = live ? (f.plain || f.outcome).replace(/ since$/, "") : f.plain;
  const moved = f.size && f.bytes < f.size ? bytes(f.bytes) + " of " + bytes(f.size) : f.bytes ? bytes(f.bytes) : "";
  said.append(make("b", "", what), document.createTextNode([", " + span((f.ended || it.now) - f.began), moved, f.resends ? f.resends + " resends" : ""].filter(Boolean).join(", ")));
  item.append(step(it, f), bar, said);
  if (f.advice) item.append(make("p", "said", f.advice));
  return item;
}

// --- When to draw ---
function draw() {
  drawn = true;
  if (!look) return;
  // A row with the focus stays where it is.
  const held = $("rows").contains(document.activeElement) && !printing;
  if (stale && (!held || !order.length)) arrange();
  summary();
  curve();
  rows();
  ages();
}
function later() {
  if (drawn) { drawn = false; requestAnimationFrame(draw); }
}
let told = "";
function tell() {
  if (!look || !look.farm.machines) return;
  const [stuck, failing] = look.farm.states;
  const text = count(look.farm.states[6]) + " of " + count(look.farm.machines) + " machines done" + (stuck ? ", " + stuck + " stuck" : "") + (failing ? ", " + failing + " failing" : "");
  if (text !== told) put($("news"), told = text);
}
addEventListener("scroll", () => { if (look) rows(); }, { passive: true });
addEventListener("resize", later);
addEventListener("beforeprint", () => { printing = true; draw(); });
addEventListener("afterprint", () => { printing = false; draw(); });
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && open !== null) close();
  if (event.key === "/" && document.activeElement !== $("find")) { event.preventDefault(); $("find").focus(); }
  if ((event.key === "ArrowDown" || event.key === "ArrowUp") && document.activeElement.classList.contains("name")) {
    const row = document.activeElement.closest("tr");
    const next = event.key === "ArrowDown" ? row.nextElementSibling : row.previousElementSibling;
    const button = next && next.querySelector(".name");
    if (button) { event.preventDefault(); button.focus(); button.scrollIntoView({ block: "nearest" }); }
  }
});
$("find").oninput = () => { words = $("find").value.trim().toLowerCase(); stale = true; draw(); };
$("close").onclick = close;
heads();
makeChips();
drawn = true;
setInterval(later, 1000);
setInterval(refresh, 1000);
setInterval(tell, 10000);
connect();
})();
