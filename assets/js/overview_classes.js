// The classes as stacked bars: sorted, searched, a thousand of them as quick as ten.

import { el, fill, format, debounce } from "./core.js";
import { choice, emptyState, icon, stackedBar, stateMark } from "./components.js";
import { virtualList } from "./virtual.js";

const ROW = 34;
const MOST_ROWS = 13;

const COLUMNS = [
  { key: "name", label: "Class" },
  { key: "known", label: "Known", number: true },
  { key: "positive", label: "positive", state: "positive", number: true },
  { key: "negative", label: "negative", state: "negative", number: true },
  { key: "pseudo", label: "pseudo", state: "pseudo", number: true },
  { key: "unknown", label: "unknown", state: "unknown", number: true },
];

export function classTable(context) {
  let rows = [];
  let shown = [];
  let total = 1;
  let sort = { key: "given", down: false };
  let query = "";
  let bars = "share";

  const list = virtualList({ rowHeight: ROW, render: (index) => classRow(shown[index], index, total, bars, context), label: "Classes" });
  const head = el("div", { class: "lm-ov-row lm-ov-row-head", role: "row" });
  const count = el("span", { class: "lm-soft", role: "status" });
  const search = el("input", { class: "lm-input", type: "search", placeholder: "Find a class", "aria-label": "Find a class", autocomplete: "off" });
  const scale = choice({
    label: "Length of the bars",
    value: bars,
    options: [
      { value: "share", label: "Share" },
      { value: "known", label: "Only known" },
    ],
    onchange(value) {
      bars = value;
      list.redraw();
    },
  });
  const none = el("div", { hidden: true });
  const table = el("div", { class: "lm-ov-table", role: "table", "aria-label": "Classes" }, el("div", { role: "rowgroup" }, head), list.node);
  const node = el(
    "section",
    { class: "lm-card lm-ov-classes", "aria-label": "Classes" },
    el("div", { class: "lm-card-head" }, el("h2", {}, "Classes"), count, el("span", { class: "lm-end lm-ov-tools" }, scale, el("span", { class: "lm-search" }, icon("search"), search))),
    table,
    none,
  );

  search.addEventListener(
    "input",
    debounce(() => {
      query = search.value.trim().toLowerCase();
      remember();
      draw();
    }, 80),
  );

  function remember() {
    const params = { ...context.address.get().params };
    params.q = query || undefined;
    params.sort = sort.key === "given" ? undefined : `${sort.key}${sort.down ? "-down" : ""}`;
    context.address.set("overview", params, { replace: true });
  }

  function drawHead() {
    fill(
      head,
      COLUMNS.map((column) => {
        const isSorted = sort.key === column.key;
        const direction = isSorted ? (sort.down ? "descending" : "ascending") : "none";
        const press = el(
          "button",
          { type: "button", class: "lm-ov-sort", onclick: () => sortBy(column) },
          column.state ? stateMark(column.state) : null,
          el("span", {}, column.label),
          isSorted ? icon(sort.down ? "down" : "up", { size: 12 }) : null,
        );
        return [
          el("span", { role: "columnheader", "aria-sort": direction, class: column.number ? "lm-ov-n" : "" }, press),
          column.key === "name" ? el("span", { role: "columnheader" }, el("span", { class: "lm-sr" }, "Shares")) : null,
        ];
      }),
    );
  }

  function sortBy(column) {
    if (sort.key !== column.key) sort = { key: column.key, down: Boolean(column.number) };
    else if (sort.down === Boolean(column.number)) sort = { key: column.key, down: !sort.down };
    else sort = { key: "given", down: false };
    remember();
    draw();
    head.querySelectorAll("button")[COLUMNS.indexOf(column)]?.focus();
  }

  function draw() {
    drawHead();
    shown = query ? rows.filter((row) => row.name.toLowerCase().includes(query)) : [...rows];
    if (sort.key !== "given") {
      const direction = sort.down ? -1 : 1;
      const compare = sort.key === "name" ? (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }) : (a, b) => a[sort.key] - b[sort.key] || a.index - b.index;
      shown.sort((a, b) => direction * compare(a, b));
    }
    fill(count, query ? `${format.number(shown.length)} of ${format.number(rows.length)}` : format.number(rows.length));
    list.node.style.height = `${Math.max(1, Math.min(shown.length, MOST_ROWS)) * ROW}px`;
    list.node.hidden = !shown.length;
    none.hidden = Boolean(shown.length);
    if (!shown.length) fill(none, emptyState({ title: `No class is called “${search.value}”`, drawing: "search" }));
    table.setAttribute("aria-rowcount", String(shown.length + 1));
    list.setCount(shown.length);
  }

  return {
    node,
    set(facts) {
      total = facts.num_images;
      const { name, positive, negative, pseudo_positive: up, pseudo_negative: down, unknown } = facts.classes;
      rows = name.map((text, index) => ({
        index,
        name: text,
        positive: positive[index],
        negative: negative[index],
        known: positive[index] + negative[index],
        up: up[index],
        down: down[index],
        pseudo: up[index] + down[index],
        unknown: unknown[index],
      }));
      draw();
    },
    show(params) {
      query = (params.q ?? "").toLowerCase();
      if (search.value.trim().toLowerCase() !== query) search.value = params.q ?? "";
      const [key, down] = (params.sort ?? "given").split("-");
      sort = { key: COLUMNS.some((column) => column.key === key) ? key : "given", down: down === "down" };
      if (rows.length) draw();
    },
  };
}

function classRow(row, index, total, bars, context) {
  const whole = bars === "known" ? row.known : total;
  const segments = [
    { key: "positive", count: row.positive },
    { key: "negative", count: row.negative },
    ...(bars === "known"
      ? []
      : [
          { key: "pseudo", count: row.pseudo, label: "pseudo-labels" },
          { key: "unknown", count: row.unknown },
        ]),
  ];
  const number = (count, state) =>
    el(
      "span",
      { role: "cell", class: "lm-ov-n lm-number" },
      count ? el("a", { href: context.address.of("browse", { class: row.name, state }), tabindex: "-1" }, format.compact(count)) : el("span", { class: state === "positive" || state === "negative" ? "lm-ov-zero" : "lm-soft" }, "0"),
    );
  return el(
    "div",
    { class: "lm-ov-row lm-virtual-row", role: "row", "aria-rowindex": String(index + 2) },
    el("span", { role: "cell", class: "lm-ov-name" }, el("a", { href: context.address.of("browse", { class: row.name }), title: row.name }, row.name)),
    el("span", { role: "cell" }, stackedBar(segments, whole)),
    el("span", { role: "cell", class: "lm-ov-n lm-number" }, format.percent(row.known / Math.max(total, 1), 0)),
    number(row.positive, "positive"),
    number(row.negative, "negative"),
    number(row.pseudo, "pseudo"),
    number(row.unknown, "unknown"),
  );
}
