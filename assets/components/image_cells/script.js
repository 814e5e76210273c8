// One image with all its cells, answered in place. The value's shape stands in app/tabs/browse_api.py.
const find = (selector) => element.querySelector(selector);
const [view, picture, title, list, fold, saved, story, dialog, search] = [".view", ".picture img", "h2", ".list", ".fold", ".saved", ".story", "dialog", ".search"].map(find);
const showsTruth = find(".truth input");
const WORDS = { positive: "positive", unknown: "unknown", pseudo: "pseudo-label", negative: "negative" };
const FITS = { All: () => true, "Pseudo-labels": (cell) => kind(cell) === "pseudo", Open: (cell) => !cell.state, Known: (cell) => cell.state !== 0 };
const LONG = 12; // cells from which on there is a search, and a fold for what is absent
const STORY_WAIT_MS = 120;
let [image, cells, shown, absent, active, filter, since, timer] = [null, [], [], new Set(), null, "All", 0, 0];
let isUnfolded = Boolean(lm.remember("lm-show-absent"));

const kind = (cell) => (cell.state > 0 ? "positive" : cell.state < 0 ? "negative" : cell.proposal ? "pseudo" : "unknown");
const cellOf = (name) => cells.find((cell) => cell.class_name === name);

const box = lm.outbox(props.store, (content) => server.answer_cell(content), (unsent, reply, error, content) => {
  saved.textContent = unsent ? `${unsent} not saved yet` : "All answers saved";
  if (error) lm.complain(error);
  if (error?.isFinal && image) trigger("select", { id: image.id });
  if (!reply) return;
  if (reply.words) lm.say(reply.words);
  if (reply.image === image?.id) take(reply.cells);
  if (content.reverse && reply.image === image?.id) choose(reply.class_name);
  else if (content.reverse && reply.image) trigger("select", { id: reply.image, class_name: reply.class_name });
  trigger("input", {});
});

/** Take the server's word for every cell, but for answers that are still on their way; the order stays. */
function take(fresh) {
  const now = new Map(fresh.map((cell) => [cell.class_name, cell]));
  cells = cells.map((cell) => now.get(cell.class_name) ?? cell);
  for (const sent of box.unsent()) if (sent.image === image.id && cellOf(sent.class_name)) cellOf(sent.class_name).state = sent.state;
  draw();
}

function show() {
  const before = image?.id;
  image = props.value || null;
  view.hidden = !image;
  element.closest(".column").style.display = image ? "" : "none"; // the column goes with it, and the grid takes its place
  if (!image) return dialog.close();
  if (image.id === before && cells.length === image.cells.length) return take(image.cells);
  cells = image.cells;
  absent = new Set(cells.filter((cell) => cell.state < 0).map((cell) => cell.class_name));
  title.textContent = title.title = image.path.split("/").at(-1);
  find(".facts").textContent = image.facts;
  search.hidden = cells.length < LONG;
  find(".truth").hidden = !image.has_truth;
  find(".broken").hidden = Boolean(image.url);
  picture.hidden = !image.url;
  if (image.url) picture.src = image.url;
  if (dialog.open) dialog.firstChild.src = image.large;
  [find(".previous").disabled, find(".next").disabled] = [!image.before, !image.after];
  for (const url of image.ahead) new Image().src = url;
  take(image.cells);
  choose((cellOf(image.active) ?? cellOf(active) ?? shown[0])?.class_name);
  since = performance.now();
  if (document.activeElement !== search) lm.focus(list);
  document.dispatchEvent(new CustomEvent("lm-image", { detail: { id: image.id } }));
}

function draw() {
  const query = search.value.trim().toLowerCase();
  const canFold = absent.size && !query && filter === "All" && cells.length >= LONG;
  shown = cells.filter((cell) => FITS[filter](cell) && cell.class_name.toLowerCase().includes(query));
  if (canFold && !isUnfolded) shown = shown.filter((cell) => !absent.has(cell.class_name) || cell.class_name === active);
  list.replaceChildren(...shown.map(row));
  fold.hidden = !canFold;
  fold.textContent = `${isUnfolded ? "Hide" : "Show"} the ${absent.size} that were answered “no”`;
  fold.setAttribute("aria-expanded", String(isUnfolded));
  find(".counts").replaceChildren(...Object.entries(WORDS).map(([name, word]) => lm.el("span", {}, lm.el("span", { class: `lm-mark ${name}` }), ` ${cells.filter((cell) => kind(cell) === name).length} ${word}`)));
  for (const button of find(".only").children) button.setAttribute("aria-pressed", String(button.textContent === filter));
  choose(active);
}

function row(cell, place) {
  const now = kind(cell);
  const set = (state, name) => lm.el("button", { type: "button", class: "set", tabindex: "-1", "aria-pressed": String(cell.state === state), "aria-label": `${cell.class_name}: ${name}`, title: name, click: () => (choose(cell.class_name), answer(state)) }, lm.el("span", { class: `lm-mark ${name}` }));
  const isTold = showsTruth.checked && cell.truth !== null;
  const isWrong = isTold && (cell.state || cell.proposal) * cell.truth < 0;
  const truth = cell.truth > 0 ? "truly there" : cell.truth < 0 ? "truly absent" : "truth unknown";
  const claim = now === "pseudo" ? `suggests ${cell.proposal > 0 ? "yes" : "no"}` : now === "unknown" && cell.is_unsure ? "unsure" : "";
  const score = cell.score === null ? null : [lm.el("span", { class: "bar", style: `--score: ${cell.score}` }), lm.el("span", {}, cell.score.toFixed(2))];
  return lm.el(
    "div",
    { class: "row", role: "row", id: `lm-cell-${place}`, click: (event) => event.target.closest("button") || choose(cell.class_name) },
    lm.el("span", { role: "rowheader", class: "name", title: cell.class_name }, lm.el("span", { class: `lm-mark ${now}`, role: "img", "aria-label": WORDS[now] }), ` ${cell.class_name}`),
    lm.el("span", { role: "gridcell", class: `claim${isWrong ? " wrong" : ""}` }, isTold ? `${isWrong ? "⚠ " : ""}${truth}` : claim),
    lm.el("span", { role: "gridcell", class: "score" }, score),
    lm.el("span", { role: "gridcell", class: "sets" }, set(1, "positive"), set(-1, "negative"), set(0, "unknown")),
  );
}

/** Choose a cell, and tell its history once nobody moves on. */
function choose(name) {
  active = name ?? null;
  const at = shown.findIndex((cell) => cell.class_name === active);
  if (at < 0 && cellOf(active) && absent.has(active) && !isUnfolded && filter === "All" && !search.value) return draw(); // it is folded away
  for (const [place, node] of [...list.children].entries()) node.setAttribute("aria-selected", String(place === at));
  list.setAttribute("aria-activedescendant", `lm-cell-${at}`);
  list.children[at]?.scrollIntoView({ block: "nearest" });
  clearTimeout(timer);
  timer = setTimeout(tell, STORY_WAIT_MS);
}

async function tell() {
  const [id, name] = [image?.id, active];
  if (!id || !name) return story.replaceChildren();
  const { words, lines } = await server.cell_story({ image: id, class_name: name }).then(lm.checked).catch(() => ({ words: "", lines: [] }));
  if (id !== image?.id || name !== active) return;
  const time = (when) => lm.el("time", { class: "lm-soft", datetime: when }, new Date(when).toLocaleString([], { dateStyle: "short", timeStyle: "short" }));
  const entry = ([who, what, when, state, isUndone]) => lm.el("li", { class: isUndone ? "undone" : null }, lm.el("span", { class: `lm-mark ${state}` }), lm.el("span", {}, lm.el("b", {}, who), ` ${what}`), time(when));
  story.replaceChildren(lm.el("h3", {}, `History of ${name}`), lm.el("p", { class: "lm-soft" }, words), lm.el("ol", {}, lines.map(entry)));
}
function move(by) {
  const at = shown.findIndex((cell) => cell.class_name === active) + by;
  choose(shown[Math.max(0, Math.min(shown.length - 1, at))]?.class_name);
}

/** Answer the chosen cell at once, send the answer behind it, and choose the next one that waits. */
function answer(state) {
  const cell = cellOf(active);
  if (!cell) return;
  const content = { image: image.id, class_name: cell.class_name, state, seen: cell.state, ms: performance.now() - since };
  Object.assign(cell, { state, proposal: state ? cell.proposal : 0, is_unsure: !state });
  const at = shown.indexOf(cell);
  const isWaiting = (one) => !one.state && !one.is_unsure;
  active = (shown.slice(at + 1).find(isWaiting) ?? shown.slice(0, at).find(isWaiting) ?? shown[at + 1] ?? cell).class_name;
  since = performance.now();
  draw();
  box.add(content);
}

const claim = (sign) => cellOf(active)?.proposal && !cellOf(active).state && answer(cellOf(active).proposal * sign);
const [go, reverse] = [(id) => id && trigger("select", { id }), (word) => box.add({ reverse: word })];
const enlarge = () => (dialog.open ? dialog.close() : ((dialog.firstChild.src = image.large), dialog.showModal()));
function close() {
  if (dialog.open) return dialog.close();
  document.dispatchEvent(new CustomEvent("lm-image", { detail: { id: image.id, isClosed: true } }));
  trigger("clear", {});
}

const clicks = { ".previous": () => go(image.before), ".next": () => go(image.after), ".enlarge": enlarge, ".close": close };
for (const [selector, run] of Object.entries(clicks)) find(selector).addEventListener("click", run);
lm.keys(view, { yes: () => answer(1), no: () => answer(-1), unsure: () => answer(0), accept: () => claim(1), reject: () => claim(-1), undo: () => reverse("undo"), redo: () => reverse("redo"), up: () => move(-1), down: () => move(1), next: clicks[".next"], previous: clicks[".previous"], enlarge, close, find: () => search.focus() });
find(".only").append(...Object.keys(FITS).map((name) => lm.el("button", { type: "button", class: "lm-button", click: () => ((filter = name), draw()) }, name)));
fold.addEventListener("click", () => (lm.remember("lm-show-absent", (isUnfolded = !isUnfolded)), draw()));
search.addEventListener("input", draw);
search.addEventListener("keydown", (event) => ["Enter", "Escape"].includes(event.key) && (event.preventDefault(), choose(shown[0]?.class_name), lm.focus(list)));
showsTruth.addEventListener("change", draw);
dialog.addEventListener("click", () => dialog.close());
lm.showKeys(element);
watch("value", show);
show();
