// All cells as one bar, and the classes as a table of bars: searched, sorted, a thousand as quick as ten.
const find = (selector) => element.querySelector(selector);
const [titles, list, search, scale] = [".titles", ".list", "input", ".scale"].map(find);
const STATES = ["positive", "negative", "pseudo", "unknown"];
const [ROW, MOST_ROWS] = [34, 13];
const asked = new URLSearchParams(location.search);
let [sort, isDown] = (asked.get("sort") ?? "").split("-");
let [rows, shown] = [[], []];
search.value = asked.get("q") ?? "";
const number = (count) => count.toLocaleString("en");
const isKnownOnly = () => scale.getAttribute("aria-pressed") === "true";
const bar = (parts) => parts.filter(([, count]) => count).map(([state, count]) => lm.el("i", { class: state, style: `flex-grow: ${count}` }));
function draw() {
  const { notes = [], parts = [], images = 0, classes = [], ...texts } = props.value ?? {};
  for (const [name, text] of Object.entries(texts)) find(`.${name}`).textContent = text;
  find(".whole").replaceChildren(...bar(parts));
  find(".whole").setAttribute("aria-label", parts.map(([state, count]) => `${number(count)} ${state}`).join(", "));
  find(".legend").replaceChildren(...parts.map(([state, count, words]) => lm.el("li", {}, lm.el("span", { class: `lm-mark ${state}` }), lm.el("span", {}, lm.el("b", {}, number(count)), ` ${state === "pseudo" ? "pseudo-labels" : state}`), lm.el("small", { class: "lm-soft" }, words))));
  find(".notes").replaceChildren(...notes.map((note) => lm.el("p", {}, note)));
  rows = classes.map(([name, positive, negative, up, down, unknown]) => ({ name, positive, negative, pseudo: up + down, unknown, known: positive + negative, images }));
  arrange();
}
function arrange() {
  const text = search.value.trim().toLowerCase();
  shown = rows.filter(({ name }) => name.toLowerCase().includes(text));
  if (sort) shown.sort((one, other) => (sort === "name" ? one.name.localeCompare(other.name, "en", { numeric: true }) : one[sort] - other[sort]));
  if (isDown) shown.reverse();
  for (const title of titles.children) title.setAttribute("aria-sort", title.dataset.sort !== sort ? "none" : isDown ? "descending" : "ascending");
  find(".count").textContent = (shown.length === rows.length ? "" : `${number(shown.length)} of `) + number(rows.length);
  find(".none").hidden = shown.length > 0;
  find(".none").textContent = !props.value ? "Counting …" : rows.length ? `No class is called “${search.value}”.` : "There are no classes yet: add one under “Data set” below.";
  list.style.height = `${Math.min(shown.length, MOST_ROWS) * ROW}px`;
  paint();
}
function paint() {
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - 4);
  const cell = (row, key) => lm.el("span", { role: "cell" }, lm.el("button", { type: "button", tabindex: "-1", class: row[key] ? "" : "zero", "data-state": key }, number(row[key])));
  const row = (row, place) => lm.el("div", { class: "row", role: "row", "aria-rowindex": place + 2, "data-name": row.name, style: `top: ${place * ROW}px` }, lm.el("span", { role: "cell", class: "name" }, lm.el("button", { type: "button", title: row.name }, row.name)), lm.el("span", { role: "cell", class: "bar" }, bar(STATES.slice(0, isKnownOnly() ? 2 : 4).map((state) => [state, row[state]]))), lm.el("span", { role: "cell" }, `${Math.round((100 * row.known) / Math.max(1, row.images))} %`), STATES.map((state) => cell(row, state)));
  list.replaceChildren(lm.el("div", { class: "space", style: `height: ${shown.length * ROW}px` }, shown.slice(first, first + MOST_ROWS + 8).map((one, place) => row(one, first + place))));
}
function arrangeAnew() {
  lm.address("overview", { q: search.value, sort: sort && `${sort}${isDown ? "-down" : ""}` });
  arrange();
}
element.addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  const name = button?.closest("[data-name]")?.dataset.name;
  if (name) trigger("select", { class_name: name, state: button.dataset.state ?? "" });
  if (button === scale) scale.setAttribute("aria-pressed", String(!isKnownOnly())), paint();
  const key = button?.closest("[data-sort]")?.dataset.sort;
  if (!key) return;
  [sort, isDown] = [key, sort === key ? !isDown : key !== "name"];
  arrangeAnew();
});
list.addEventListener("scroll", paint);
search.addEventListener("input", arrangeAnew);
lm.keys(element, { find: () => search.focus() });
lm.showKeys(element);
watch("value", draw);
draw();
