// One photograph with all its classes. The next is shown at once; what was said goes behind it, through lm.outbox.
const [WANTED, AHEAD, STRIP, PAUSE_MS] = [6, 4, 10, 60000]; // photographs that wait here, fetched pictures, thumbnails
const find = (name) => element.querySelector(`.${name}`);
const [el, search] = [lm.el, find("search")];
const holder = (sessionStorage["lm-label"] ??= lm.newId().slice(0, 8)); // the same after a reload
let [items, at] = [[], 0]; // photographs in the order of looking at them; `said` is "" while one waits
let [rows, cursor, pictures, about] = [new Map(), null, new Map(), new Map()]; // class → its button; the class under the arrows
let facts = { classes: [], left: 0, words: "", note: "" };
let [ids, undone, times, shownAt] = [[], [], [], 0]; // this page's actions, those taken back, how long the last ones took
let [query, generation, asking] = [props.value.query, 0, null]; // of the queue, and the one that an answer is awaited for

const told = (unsent, reply, error, content) => {
  const words = unsent ? `${unsent} not saved yet${error ? ": the server cannot be reached" : ""}` : "All answers saved";
  Object.assign(find("saved"), { className: `saved${unsent ? " busy" : ""}`, textContent: words });
  if (error?.isFinal) lm.complain(error);
  if (reply) heard(reply, content.kind);
  if (reply && !unsent && !items[at]) refill();
};
const outbox = lm.outbox(`label:${props.value.name}`, (content) => server.label_write(content), told);
const mark = (state) => el("span", { class: `lm-mark ${state}` });
const some = (names) => (names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", "));
const waits = (item) => !item.said;
const fresh = (raw, said = "", marked = []) => ({ ...raw, said, touched: new Map(marked.map((name) => [name, true])) });
const picture = (item) => pictures.get(item.image_id) ?? Object.assign(new Image(), { src: item.url, alt: `photograph ${item.file}` });

function cell(item, name) { // the state that a cell shall have; `by` says why: known, changed, person, filled, or "" where nothing was said
  const [known, touched] = [item.states[name], item.touched.get(name)];
  if (known) return touched ? { state: -known, by: "changed" } : { state: known, by: "known" };
  if (touched !== undefined) return { state: Number(touched), by: touched ? "person" : "" };
  const isFilled = props.value.suggestions === "filled in" && item.claims[name] > 0 && item.scores[name] >= props.value.threshold;
  return isFilled ? { state: 1, by: "filled" } : { state: 0, by: "" };
}

function plan(item) { // what Enter would write
  const said = { present: [], absent: [], changed: [], filled: [], rest: [], known: [], against: [] };
  for (const name of facts.classes) {
    const { state, by } = cell(item, name);
    said[by === "known" ? by : !by ? "rest" : state > 0 ? "present" : "absent"].push(name);
    if (by === "changed" || by === "filled") said[by].push(name);
    if (!by && item.claims[name] > 0 && props.value.suggestions !== "hidden") said.against.push(name);
  }
  return said;
}

function toggle(name) {
  const item = items[at];
  if (!item) return;
  item.touched.set(name, item.states[name] ? !item.touched.get(name) : cell(item, name).state < 1);
  draw(item);
  point(name);
}

function answer(event) {
  const [item, rest] = [items[at], event.shiftKey ? "unknown" : "absent"];
  if (!item) return;
  const { present, absent, changed, filled } = plan(item);
  const [image_id, ms] = [item.image_id, Math.round(performance.now() - shownAt)];
  for (const name of facts.classes) item.states[name] = cell(item, name).state || (rest === "absent" ? -1 : 0);
  item.touched.clear();
  [undone, times] = [[], [...times, Math.min(ms, PAUSE_MS)].slice(-20)];
  ids.push(outbox.add({ kind: "label", image_id, present, absent, changed, filled, rest, ms }));
  leave("done");
}

function leave(said) { // go on to the next photograph that waits, or else to the first that was passed over
  facts.left -= Number(waits(items[at]));
  Object.assign(items[at], { said, since: asking });
  const next = items.findIndex((item, place) => place > at && waits(item));
  show(next >= 0 ? next : items.some(waits) ? items.findIndex(waits) : items.length);
}

function reverse(kind, from, to) { // undo or redo this page's last action, or what the journal names as the person's last
  outbox.add({ kind, target: from.at(-1) ?? null });
  to.push(...from.splice(-1));
}

function heard(reply, kind) {
  if (reply.skipped.length) lm.say(`Left as they were, somebody answered meanwhile: ${some(reply.skipped)}`);
  if (kind !== "undo" && kind !== "redo") return;
  if (!reply.image) return lm.say(reply.words);
  const place = items.findIndex((item) => item.image_id === reply.image.image_id);
  items.splice(place < 0 ? at : place, place < 0 ? 0 : 1, fresh(reply.image, "", kind === "undo" ? reply.marked : []));
  facts.left += 1;
  show(place < 0 ? at : place);
  if (kind === "redo") leave("done");
}

async function refill(again = false) {
  if (asking === generation || items.slice(at).filter(waits).length >= WANTED) return;
  const mine = (asking = generation);
  const unsent = outbox.unsent().flatMap((content) => content.image_id ?? []);
  const have = [...new Set([...items.filter(waits).map((item) => item.image_id), ...unsent])];
  const asked = server.label_next({ ...query, holder, have, again, first: !rows.size }).then(lm.checked);
  const reply = await asked.catch(({ message, hint, isFinal }) => ({ ...facts, left: facts.left + unsent.length, images: [], lost: [], recent: [], isAway: !isFinal, empty: isFinal ? `${message}: ${hint}` : "The server cannot be reached." }));
  if (mine !== generation) return;
  asking = null;
  if (reply.isAway) setTimeout(refill, 3000);
  const wasEmpty = !items[at];
  facts = { ...reply, left: Math.max(0, reply.left - unsent.length) };
  items = [...reply.recent.map((raw) => fresh(raw, "done")), ...items].filter((item) => item.said || item === items[at] || !reply.lost.includes(item.image_id));
  at += reply.recent.length;
  items.push(...reply.images.filter((raw) => !unsent.includes(raw.image_id) && !items.some((item) => (waits(item) || item.since === mine) && item.image_id === raw.image_id)).map((raw) => fresh(raw)));
  if (reply.classes.length !== rows.size || reply.classes.some((name) => !rows.has(name))) build();
  wasEmpty ? show(at, true) : drawAround();
}

function restart(isOther, again = false) { // take what comes anew: another order, or what others did meanwhile. What was looked at stays
  generation += 1;
  items = items.slice(0, at + (isOther && !items[at]?.touched.size ? 0 : 1));
  facts.empty = "";
  show(at, true);
  refill(again);
}

function build() {
  const ordered = [...new Set([...(lm.remember(`lm-pinned:${props.value.name}`) ?? []), ...facts.classes])].filter((name) => facts.classes.includes(name));
  const row = (name, place) => el("button", { type: "button", title: name, click: () => toggle(name), mouseenter: () => point(name) }, el("kbd", { class: "lm-key" }, place < 9 ? place + 1 : ""), mark("unknown"), el("span", { class: "name" }, name), el("span", { class: "aside" }));
  rows = new Map(ordered.map((name, place) => [name, row(name, place)]));
  find("rows").replaceChildren(...rows.values());
  find("rows").classList.toggle("many", rows.size > 12);
}

function show(place, isLast = false) {
  at = Math.max(0, Math.min(place, items.length));
  const item = items[at];
  [find("work").hidden, find("bar").hidden, find("empty").hidden] = [!item, !item, Boolean(item)];
  find("empty").replaceChildren(facts.empty || "Looking for photographs …", facts.passed ? el("button", { class: "lm-button", click: () => restart(true, true) }, `Show the ${facts.passed} again`) : "");
  if (item) {
    find("stage").replaceChildren(picture(item));
    find("path").textContent = item.file + (item.split === "test" ? " · split test: it measures, so nothing is suggested" : "");
    item.seen = true;
    shownAt = performance.now();
    draw(item);
  }
  drawAround();
  if (!isLast) refill();
}

function draw(item) { // all that belongs to one photograph: a row for each class, and what the keys would write
  const isHidden = props.value.suggestions === "hidden";
  for (const [name, row] of rows) {
    const { state, by } = cell(item, name);
    const [claim, score] = isHidden || by === "known" ? [] : [by ? 0 : item.claims[name], item.scores[name]];
    const sign = state > 0 ? "there" : "absent";
    const words = { known: "known", changed: `now ${sign}`, filled: "filled in" }[by] ?? (claim ? (claim > 0 ? "there?" : "absent?") : "");
    row.className = `row ${by || "open"} ${sign}${name === cursor ? " cursor" : ""}`;
    row.setAttribute("aria-pressed", state > 0);
    row.children[1].className = `lm-mark ${by === "filled" || claim ? "pseudo" : ["negative", "unknown", "positive"][state + 1]}`;
    row.children[3].textContent = score === undefined ? words : `${words} ${score.toFixed(2)}`;
  }
  const { present, absent, changed, filled, rest, known, against } = plan(item);
  const chip = (names, state, words) => (names.length ? el("span", { class: `lm-chip ${state}` }, mark(state), words ?? some(names)) : "");
  const change = () => (changed.length ? el("strong", {}, `changes ${changed.length} known cell${changed.length > 1 ? "s" : ""}`) : "");
  const common = () => [chip(present, "positive"), chip(filled, "pseudo", `${filled.length} filled in`), change(), chip(absent, "negative", `absent: ${some(absent)}`)];
  find("all").replaceChildren(...common(), chip(rest, "negative", `${rest.length} absent`), chip(against, "pseudo", `though suggested: ${some(against)}`));
  find("part").replaceChildren(...common(), chip(rest, "unknown", `${rest.length} stay unknown`));
  find("tally").textContent = `${known.length} of ${facts.classes.length} known`;
}

function drawAround() { // all that lies around it: pictures that come, the strip, the figures
  const near = items.slice(Math.max(0, at - 1), at + AHEAD + 1);
  pictures = new Map(near.map((item) => [item.image_id, picture(item)]));
  for (const image of pictures.values()) image.decode().catch(() => null);
  const tile = (item) => el("button", { type: "button", class: item.said || "open", "aria-current": item === items[at], title: `${item.file}: ${item.said || "passed over"}`, click: () => show(items.indexOf(item)) }, el("img", { src: item.thumb, alt: item.file }));
  find("strip").replaceChildren(...items.filter((item) => item.seen || item.said).slice(-STRIP - 1).map(tile));
  const pace = times.length > 2 ? Math.round((60000 * times.length) / times.reduce((sum, one) => sum + one)) : "–";
  const figures = [[ids.length, "done now"], [pace, "a minute"], [facts.left, facts.words]];
  find("figures").replaceChildren(...figures.map(([number, words]) => el("span", {}, el("b", {}, number.toLocaleString("en")), ` ${words}`)));
  find("note").textContent = facts.note;
}

async function point(name) { // put the cursor on a class and show what it means
  cursor = name;
  for (const [other, row] of rows) row.classList.toggle("cursor", other === name);
  rows.get(name).scrollIntoView({ block: "nearest" });
  if (!about.has(name)) about.set(name, server.label_about(name).then(lm.checked).catch(() => ({ text: "", urls: [] })));
  const { text, urls } = await about.get(name);
  if (cursor === name) find("about").replaceChildren(el("div", {}, el("b", {}, name), el("p", {}, text)), ...urls.map((src) => el("img", { src, alt: `an example of ${name}` })));
}
const seen = () => [...rows.keys()].filter((name) => !rows.get(name).hidden);
const move = (by) => seen().length && point(seen().at((seen().indexOf(cursor) + by) % seen().length));
// Typing names: letters narrow the list, Enter toggles the marked class and on an empty line saves.
function narrow(text) {
  const wanted = text.trim().toLowerCase();
  for (const [name, row] of rows) row.hidden = !name.toLowerCase().includes(wanted);
  if (wanted && seen().length) point(seen().find((name) => name.toLowerCase().startsWith(wanted)) ?? seen()[0]);
}
search.addEventListener("input", () => narrow(search.value));
search.addEventListener("keydown", (event) => {
  const enter = () => (search.value ? seen().includes(cursor) && toggle(cursor) : answer(event));
  const run = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Escape: () => search.blur(), Enter: enter }[event.key];
  if (event.isComposing || event.repeat || (!run && (search.value || !digit(event.key, event)))) return;
  event.preventDefault();
  run?.();
  if (event.key === "Enter" || event.key === "Escape") narrow((search.value = ""));
});

function digit(key, event) { // digits toggle the first nine classes, on every layout
  const number = /^[1-9]$/.test(key) ? key : event.shiftKey ? "" : event.code.match(/^(?:Digit|Numpad)([1-9])$/)?.[1];
  const name = [...rows.keys()][number - 1];
  return Boolean(name && (event.repeat || (toggle(name), true)));
}

const act = {
  open: answer, skip: () => items[at] && (outbox.add({ kind: "skip", image_id: items[at].image_id }), leave("skipped")), undo: () => reverse("undo", ids, undone), redo: () => reverse("redo", undone, ids), find: () => search.focus(), enlarge: () => find("work").classList.toggle("enlarged"),
  next: () => show(at + (items[at + 1] ? 1 : 0)), previous: () => show(at - 1), down: () => move(1), up: () => move(-1), select: () => cursor && toggle(cursor),
};
lm.keys(element, { ...act, any: digit });
lm.showKeys(element);
element.addEventListener("mousedown", (event) => event.target.closest("button") && event.preventDefault()); // keys stay with the photograph
for (const button of element.querySelectorAll("[data-do]")) button.addEventListener("click", () => act[button.dataset.do]({ shiftKey: "part" in button.dataset }));
document.addEventListener("lm-pinned", () => (build(), items[at] && draw(items[at])));
watch("value", () => {
  const isOther = JSON.stringify(query) !== JSON.stringify(props.value.query);
  [query, about] = [props.value.query, new Map()];
  restart(isOther);
  if (document.activeElement.matches("input[role=listbox], [type=checkbox]:not(:focus-visible)")) lm.focus(find("stage"));
});
told(outbox.unsent().length);
if (query) refill();
