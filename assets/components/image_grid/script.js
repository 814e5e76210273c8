// Tiles: opened and selected, or marked as exceptions. The value's shape stands in app/components.py.
const { marking, strip, answers } = props;
const find = (selector) => element.querySelector(selector);
const [tiles, count, note, all, foot, summary, confirm, preview] = [".tiles", ".count", ".note", ".all", ".foot", ".summary", ".confirm", ".preview"].map(find);
const WORDS = { positive: "positive", negative: "negative", unknown: "unknown", pseudo: "pseudo-label" };
const SIZES = { small: "S", medium: "M", large: "L" };
const [MARKS, MARKS_KEPT, SEEN_SHARE, PREVIEW_WAIT_MS, ANSWER_WAIT_MS] = ["lm-marks", 2000, 0.6, 450, 3000];
const chosen = new Set(); // keys of selected tiles
const seen = new Set(); // keys of tiles that have been on screen
let marks = new Map(marking ? lm.remember(MARKS) : []);
let sent = null; // keys of the page that was confirmed
let [at, anchor, shownAt, timer, cleared] = [0, 0, 0, 0, props.value?.cleared];

const items = () => props.value?.items ?? [];
const number = (value) => Number(value ?? 0).toLocaleString("en");
const plural = (value, word) => `${number(value)} ${word}${value === 1 ? "" : "s"}`;
function draw() {
  const hadFocus = tiles.contains(document.activeElement);
  const now = items();
  const keys = new Set(now.map((item) => item.key));
  const isOther = !now.some((item) => item.key === tiles.children[0]?.dataset.key);
  for (const some of [chosen, seen]) for (const key of some) if (!keys.has(key)) some.delete(key);
  if (props.value?.cleared !== cleared) chosen.clear();
  cleared = props.value?.cleared;
  if (isOther) [at, anchor, shownAt] = [0, 0, performance.now()];
  at = Math.max(0, Math.min(at, now.length - 1));
  if (sent) {
    for (const key of sent) marks.delete(key);
    sent = null;
    keep();
  }
  watcher.disconnect();
  const pictures = new Map([...tiles.querySelectorAll("img")].map((image) => [image.getAttribute("src"), image]));
  tiles.replaceChildren(...now.map((item, place) => tile(item, place, pictures)));
  hidePreview();
  paint();
  if (hadFocus || (marking && isOther && document.activeElement === document.body)) lm.focus(tiles.children[at]);
}

function tile(item, place, pictures) {
  const image = pictures.get(item.url) ?? lm.el("img", { src: item.url, alt: "", loading: "lazy", decoding: "async", draggable: "false" });
  pictures.delete(item.url);
  const chip = ([state, text, score]) => lm.el("span", { class: state ? `chip ${state}` : "more" }, state && lm.el("span", { class: `lm-mark ${state}` }), lm.el("span", { class: "name" }, text), score?.toFixed(2));
  const line = () => lm.el("div", { class: "line lm-soft" }, lm.el("span", { class: "name" }, String(item.title).split("/").at(-1)), lm.el("span", {}, item.aside ?? ""));
  const hasChips = item.chips?.length > 0;
  const node = lm.el(
    "div",
    { class: "tile", role: "option", tabindex: "-1", "data-key": item.key, title: item.title },
    lm.el("div", { class: "picture" }, image, item.badge && lm.el("span", { class: "badge" }, item.badge), lm.el("span", { class: "check", "aria-hidden": "true" })),
    !strip && (hasChips || !marking) && lm.el("div", { class: "caption" }, hasChips && lm.el("div", { class: "chips" }, item.chips.map(chip)), !marking && line()),
  );
  if (!marking) return node;
  const begin = () => watcher.observe(node);
  if (image.complete) begin();
  else for (const name of ["load", "error"]) image.addEventListener(name, begin, { once: true });
  node.addEventListener("pointerenter", () => (timer = setTimeout(showPreview, PREVIEW_WAIT_MS, place)));
  node.addEventListener("pointerleave", hidePreview);
  return node;
}

/** Bring every tile's mark, and the lines above and below, up to date. */
function paint() {
  const now = items();
  now.forEach((item, place) => {
    const node = tiles.children[place];
    const mark = marking ? (marks.get(item.key) ?? "") : chosen.has(item.key) ? "chosen" : "";
    node.dataset.mark = mark;
    node.tabIndex = place === at || strip ? 0 : -1;
    node.classList.toggle("at", place === at && !strip);
    node.setAttribute("aria-selected", String(Boolean(mark)));
    const cells = (item.chips ?? []).map(([state, text]) => `${text} ${WORDS[state] ?? ""}`.trim()).join(", ");
    node.setAttribute("aria-label", [`${place + 1}: ${item.title}`, cells, { wrong: "marked as an exception", unsure: "marked as unsure" }[mark]].filter(Boolean).join(", "));
  });
  if (strip) return;
  const { start = 0, total = 0 } = props.value ?? {};
  find(".empty").textContent = now.length ? "" : (props.value?.empty ?? "");
  count.textContent = !total ? (props.value?.empty ? "0 images" : "") : total <= now.length ? plural(total, marking ? "tile" : "image") : `${number(start + 1)}–${number(start + now.length)} of ${plural(total, "image")}`;
  note.textContent = props.value?.note ?? "";
  all.hidden = marking || !now.length;
  all.textContent = chosen.size ? `Select none of ${number(chosen.size)}` : "Select all that are seen";
  if (!marking) return;
  const marked = now.map((item) => marks.get(item.key)).filter(Boolean);
  const wrong = marked.filter((mark) => mark === "wrong").length;
  const unseen = now.length - seen.size;
  foot.hidden = !now.length;
  confirm.disabled = unseen > 0 || Boolean(sent);
  confirm.firstElementChild.textContent = now.length > marked.length ? `${props.value?.confirm ?? "Confirm the rest"}: ${now.length - marked.length}` : "Save the marks";
  summary.textContent = [unseen ? `${plural(unseen, "tile")} not on screen yet: scroll to see them all` : "", plural(wrong, "exception"), marked.length > wrong ? `${marked.length - wrong} unsure` : ""].filter(Boolean).join(" · ");
}

const see = (entries) => (entries.forEach(({ isIntersecting, target }) => isIntersecting && seen.add(target.dataset.key)), paint());
const watcher = new IntersectionObserver(see, { threshold: SEEN_SHARE });

function showPreview(place) {
  const item = items()[place];
  if (!item?.large) return;
  const box = tiles.children[place].getBoundingClientRect();
  preview.replaceChildren(lm.el("img", { src: item.large, alt: "" }));
  preview.dataset.side = box.left + box.width / 2 < innerWidth / 2 ? "right" : "left";
  preview.hidden = false;
}

const hidePreview = () => (clearTimeout(timer), (preview.hidden = true));
function told() {
  paint();
  const now = items().filter((item) => chosen.has(item.key));
  trigger("input", { ids: now.map((item) => item.id), keys: now.map((item) => item.key) });
}

function keep() {
  marks = new Map([...marks].slice(-MARKS_KEPT));
  lm.remember(MARKS, [...marks]);
}

function mark(from, to, kind) {
  for (const item of items().slice(Math.min(from, to), Math.max(from, to) + 1)) {
    if (kind) marks.set(item.key, kind);
    else marks.delete(item.key);
  }
  keep();
  paint();
}
const toggleMark = (kind, place = at) => mark(place, place, marks.get(items()[place]?.key) === kind ? null : kind);

function toggle(place) {
  const key = items()[place].key;
  if (!chosen.delete(key)) chosen.add(key);
  anchor = place;
  told();
}

function range(to) {
  if (marking) return mark(anchor, to, marks.get(items()[anchor].key) ?? "wrong");
  chosen.clear();
  for (const item of items().slice(Math.min(anchor, to), Math.max(anchor, to) + 1)) chosen.add(item.key);
  told();
}

const open = (place) => items()[place] && trigger("select", { id: items()[place].id, key: items()[place].key, at: place });

function move(by, event) {
  if (at + by < 0 || at + by >= items().length) return;
  at += by;
  lm.focus(tiles.children[at]);
  tiles.children[at].scrollIntoView({ block: "nearest" });
  if (event?.shiftKey) range(at);
  else anchor = at;
  paint();
  if (!preview.hidden) showPreview(at);
}

function submit() {
  if (confirm.disabled || !items().length) return;
  sent = items().map((item) => item.key);
  const marked = (kind) => sent.filter((key) => marks.get(key) === kind);
  trigger("submit", { id: lm.newId(), marked: marked("wrong"), unsure: marked("unsure"), keys: sent, ms: Math.round(performance.now() - shownAt) });
  setTimeout(() => ((sent = null), paint()), ANSWER_WAIT_MS);
  paint();
}

function answer(name) {
  const some = items().filter((item) => chosen.has(item.key));
  trigger("submit", { answer: name, ids: (some.length ? some : items().slice(at, at + 1)).map((item) => item.id) });
}

tiles.addEventListener("click", (event) => {
  const place = [...tiles.children].indexOf(event.target.closest(".tile"));
  if (place < 0) return;
  at = place;
  if (!strip && event.shiftKey) return range(place);
  if (marking) toggleMark("wrong");
  else if (!strip && (event.ctrlKey || event.metaKey || event.target.closest(".check") || chosen.size)) return toggle(place);
  else open(place);
  anchor = place;
  lm.focus(tiles.children[place]);
  paint();
});
tiles.addEventListener("focusin", (event) => {
  const place = [...tiles.children].indexOf(event.target);
  if (place >= 0 && place !== at) ((at = place), paint());
});
all.addEventListener("click", () => (chosen.size ? chosen.clear() : items().forEach(({ key }) => chosen.add(key)), told()));
confirm.addEventListener("click", submit);
document.addEventListener("lm-image", ({ detail: { id, isClosed } }) => {
  const place = items().findIndex((item) => item.id === id);
  if (place < 0 || marking || strip) return;
  at = place;
  paint();
  tiles.children[place].scrollIntoView({ block: "nearest" });
  if (isClosed) lm.focus(tiles.children[place]);
});

const columns = () => getComputedStyle(tiles).gridTemplateColumns.split(" ").length;
const moves = { next: (event) => move(1, event), previous: (event) => move(-1, event), down: (event) => move(columns(), event), up: (event) => move(-columns(), event) };
const enlarge = () => (preview.hidden ? showPreview(at) : hidePreview());
const reply = (...names) => Object.fromEntries(names.map((name) => [name, () => answer(name)]));
if (marking) {
  const [wrong, none] = [() => toggleMark("wrong"), () => mark(at, at, null)];
  lm.keys(element, { ...moves, ...reply("undo", "redo"), reject: wrong, no: wrong, select: wrong, accept: none, yes: none, unsure: () => toggleMark("unsure"), confirm: submit, enlarge, close: hidePreview });
} else if (strip) {
  tiles.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && (event.preventDefault(), event.stopPropagation(), open(at)));
} else {
  const told_ = answers ? reply("yes", "no", "unsure", "undo", "redo") : {};
  lm.keys(element, { ...moves, ...told_, open: () => open(at), select: () => items()[at] && toggle(at), enlarge, close: () => (hidePreview(), chosen.clear(), told()) });
}

tiles.dataset.mode = marking ? "marking" : strip ? "strip" : "plain";
function resize(size) {
  if (size) lm.remember("lm-tile-size", size);
  tiles.dataset.size = lm.remember("lm-tile-size") ?? "medium";
  for (const button of find(".sizes").children) button.setAttribute("aria-pressed", String(button.dataset.size === tiles.dataset.size));
}
find(".head").hidden = strip;
find(".sizes").append(...Object.entries(SIZES).map(([size, letter]) => lm.el("button", { type: "button", class: "lm-button", "data-size": size, "aria-label": `${size} pictures`, click: () => resize(size) }, letter)));
resize();
lm.showKeys(element);
watch("value", draw);
draw();
