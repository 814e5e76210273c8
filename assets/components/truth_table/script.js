// The truth table of a blend: each source's state, the label, the reason; an open cell is two buttons, yes and no.
const [filters, search, verdict, head, body, nothing, more] = [".filters", ".find", ".verdict", "thead tr", "tbody", ".nothing", ".more"].map((one) => element.querySelector(one));
const [MANY, FEW, PAGE] = [30, 12, 120];
const WORDS = { 1: "positive", 0: "unknown", "-1": "negative" };
const FILTERS = { all: () => true, decided: (row) => row.state !== 0, open: (row) => row.state === 0, positive: (row) => row.state > 0, negative: (row) => row.state < 0 };
const HELD = "held out, to measure the model";
const answered = new Set(); // classes that were answered here: their rows stay, whatever the filter
const [done, undone] = [[], []]; // ids of answers given here
let [table, show, most] = [null, null, PAGE];
const mark = (state) => lm.el("span", { class: `lm-mark ${WORDS[state]}` });

function draw() {
  show ??= table.rows.length > MANY ? "decided" : "all";
  const tab = (name) => lm.el("button", { type: "button", "aria-pressed": String(name === show), click: () => ([show, most] = [name, PAGE], answered.clear(), draw()) }, { open: mark(0), positive: mark(1), negative: mark(-1) }[name], `${name} ${table.rows.filter(FILTERS[name]).length}`);
  filters.replaceChildren(...Object.keys(FILTERS).map(tab));
  search.hidden = table.rows.length <= FEW;
  verdict.textContent = table.verdict;
  const title = (words, more = {}) => lm.el("th", { scope: "col", ...more }, words);
  head.replaceChildren(title("Class"), ...table.files.map((file, i) => title(lm.el("b", {}, String(i + 1)), { class: "source", title: file, "aria-label": `image ${i + 1}` })), title("Blend"), title("Why"));
  const shown = table.rows.filter((row) => row.class_name.toLowerCase().includes(search.value.trim().toLowerCase()) && (FILTERS[show](row) || answered.has(row.class_name)));
  body.replaceChildren(...shown.slice(0, most).map(line));
  nothing.textContent = shown.length ? "" : table.rows.length ? "No class of this kind in this blend." : "No blend yet: draw one, or choose images.";
  more.hidden = shown.length <= most;
}

function line(row) {
  const pseudo = lm.el("span", { class: "lm-mark pseudo", role: "img", "aria-label": "rests on a pseudo-label", title: "rests on a pseudo-label" });
  const chip = lm.el("span", { class: `lm-chip ${WORDS[row.state]}` }, mark(row.state), WORDS[row.state], row.rests_on_pseudo && pseudo);
  return lm.el("tr", { "data-class": row.class_name }, lm.el("th", { scope: "row", title: row.class_name, tabindex: "-1" }, row.class_name), row.sources.map((cell, i) => source(row, cell, i)), lm.el("td", {}, chip), lm.el("td", { class: "why" }, row.reason, row.settling && lm.el("small", {}, row.settling)));
}

function source(row, cell, i) {
  const half = (state) => {
    const claim = cell.proposal === state && ` (pseudo-label${cell.score === null ? "" : `, score ${cell.score.toFixed(2)}`})`;
    const label = `${row.class_name} is ${state > 0 ? "" : "not "}in image ${i + 1}${claim || ""}`;
    return lm.el("button", { type: "button", class: claim && "claim", "data-answer": state, "aria-label": label, title: label, click: () => answer(row, i, state) }, claim && lm.el("span", { class: "lm-mark pseudo" }), mark(state));
  };
  const title = [cell.state ? WORDS[cell.state] : "nobody looked", cell.is_heldout && (cell.state ? HELD : `an answer here is ${HELD}`)].filter(Boolean).join("; ");
  const inside = cell.state ? [mark(cell.state), lm.el("span", { class: "unseen" }, title)] : lm.el("span", { class: "ask", role: "group", "aria-label": `${row.class_name}, image ${i + 1}: ${title}` }, half(1), half(-1));
  return lm.el("td", { class: `source ${cell.decides ? "decides" : ""} ${cell.is_heldout ? "held" : ""}`, title }, inside);
}

async function send(change, said, name) {
  const order = table.rows.map((row) => row.class_name);
  try {
    table = lm.checked(await server.change_label({ ids: table.ids, pseudo: table.pseudo, id: lm.newId(), ...change }));
  } catch (error) {
    return lm.complain(error);
  }
  table.rows.sort((one, other) => order.indexOf(one.class_name) - order.indexOf(other.class_name));
  draw();
  lm.say(table.note || said());
  const row = [...body.children].find((one) => one.dataset.class === name);
  lm.focus(row?.querySelector("button") ?? row?.querySelector("th"));
  return true;
}

async function answer(row, i, state) {
  const [id, name] = [lm.newId(), row.class_name];
  const now = () => WORDS[table.rows.find((one) => one.class_name === name).state];
  answered.add(name);
  if (await send({ image: table.ids[i], class: name, state, id }, () => `Saved. The blend's ${name} ${now() === WORDS[row.state] ? "is still" : `went from ${WORDS[row.state]} to`} ${now()}.`, name)) done.push(id), (undone.length = 0);
}

async function back(from, to, verb, said) {
  if (!from.length) lm.say(`Nothing to ${verb} here.`);
  else if (await send({ [verb]: from.at(-1) }, () => said)) to.push(from.pop());
}

function take() {
  if (!props.value) return;
  [table, most] = [props.value, PAGE];
  answered.clear();
  draw();
  if (table.address) lm.address("blend", table.address);
}

search.addEventListener("input", () => ((most = PAGE), draw()));
more.addEventListener("click", () => ((most += PAGE), draw()));
const press = (id) => () => document.getElementById(id)?.click();
lm.keys(element.closest("#tab-blend") ?? element, { draw: press("blend-next"), previous: press("blend-previous"), undo: () => back(done, undone, "undo", "Taken back."), redo: () => back(undone, done, "redo", "Brought back.") });
for (const [id, key] of [["blend-next", "draw"], ["blend-previous", "previous"]]) document.getElementById(id)?.append(lm.el("kbd", { class: "lm-key", "data-key": key }));
lm.showKeys(document);
watch("value", take);
take();
