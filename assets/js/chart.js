// A small line chart in SVG: axes, legend, crosshair, keyboard. No dependency.
//
// lineChart({title, series, xLabel, height, xFormat, yFormat, yDomain, fromZero, empty}) returns
// {node, update(series, {note})}. A series is {name, tone, dash, points: [[x, y], ...]}; tones are classes in chart.css, so that
// light and dark are told apart there; a dash keeps lines apart without colour.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 10, right: 14, bottom: 34, left: 52 };
const MAX_POINTS = 400;

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.append(...children);
  return node;
}

function html(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

// Steps of 1, 2, 2.5 or 5 times a power of ten that give about `count` ticks.
export function ticks(low, high, count) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= rough * 0.999);
  const first = Math.ceil(low / step - 1e-9) * step;
  const values = [];
  for (let value = first; value <= high + step * 1e-6; value += step) values.push(Number(value.toPrecision(12)));
  return values;
}

// Means over equal stretches, so that a long run draws as fast as a short one; the last point stays itself.
export function thin(points, most = MAX_POINTS) {
  if (points.length <= most) return points;
  const size = points.length / (most - 1);
  const thinned = [];
  for (let i = 0; i < most - 1; i += 1) {
    const stretch = points.slice(Math.floor(i * size), Math.max(Math.floor(i * size) + 1, Math.floor((i + 1) * size)));
    const sum = stretch.reduce((total, [x, y]) => [total[0] + x, total[1] + y], [0, 0]);
    thinned.push([sum[0] / stretch.length, sum[1] / stretch.length]);
  }
  thinned.push(points[points.length - 1]);
  return thinned;
}

function extent(series, axis) {
  let low = Infinity;
  let high = -Infinity;
  for (const one of series) {
    for (const point of one.points) {
      if (point[axis] < low) low = point[axis];
      if (point[axis] > high) high = point[axis];
    }
  }
  return [low, high];
}

function padded([low, high]) {
  if (!Number.isFinite(low)) return [0, 1];
  if (low === high) return [low - Math.max(Math.abs(low) * 0.1, 1e-9), high + Math.max(Math.abs(high) * 0.1, 1e-9)];
  const room = (high - low) * 0.08;
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

// Few digits for large numbers, enough for small ones.
export function shortNumber(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 10000) return `${Number((value / 1000).toPrecision(3))}k`;
  if (size >= 100) return String(Math.round(value));
  if (size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

function nearest(points, x) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < x) low = middle;
    else high = middle;
  }
  return x - points[low][0] <= points[high][0] - x ? points[low] : points[high];
}

class LineChart {
  constructor(options) {
    this.options = { height: 180, xFormat: shortNumber, yFormat: shortNumber, empty: "No points yet.", ...options };
    this.series = [];
    this.at = null;
    this.legend = html("ul", "lm-chart-legend");
    this.note = html("span", "lm-chart-note");
    this.readout = html("p", "lm-chart-readout");
    this.readout.setAttribute("aria-live", "polite");
    this.readout.hidden = true;
    this.stage = html("div", "lm-chart-stage");
    this.picture = svg("svg", { class: "lm-chart-svg", tabindex: "0", role: "img" });
    this.stage.append(this.picture, this.readout);
    const heading = html("span", "lm-chart-title", this.options.title);
    this.node = html("figure", "lm-chart", html("figcaption", "lm-chart-head", heading, this.note, this.legend), this.stage);
    this.listen();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.stage);
    this.update(options.series ?? []);
  }

  listen() {
    this.picture.addEventListener("pointermove", (event) => this.point(event));
    this.picture.addEventListener("pointerleave", () => this.clear());
    this.picture.addEventListener("blur", () => this.clear());
    this.picture.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") this.clear();
      if (!step || !this.series.length) return;
      event.preventDefault();
      event.stopPropagation();
      this.step(step);
    });
  }

  update(series, { note = "" } = {}) {
    this.series = series
      .map((one) => ({ ...one, points: thin(one.points.filter((p) => Number.isFinite(p[0]) && Number.isFinite(p[1]))) }))
      .filter((one) => one.points.length);
    this.note.textContent = note;
    this.legend.replaceChildren(...this.series.map((one) => this.legendEntry(one)));
    this.draw();
  }

  legendEntry(one) {
    const line = svg("line", { x1: 0, y1: 5, x2: 14, y2: 5, class: `lm-chart-line lm-tone-${one.tone}`, "stroke-dasharray": one.dash ?? "" });
    const mark = svg("svg", { width: 14, height: 10, "aria-hidden": "true" }, line);
    const last = one.points[one.points.length - 1];
    return html("li", "", mark, html("span", "", one.name), html("b", "", this.options.yFormat(last[1])));
  }

  describe() {
    const { title, yFormat, xFormat, xLabel } = this.options;
    if (!this.series.length) return `${title}: ${this.options.empty}`;
    const words = this.series.map((one) => {
      const [first, last] = [one.points[0], one.points[one.points.length - 1]];
      return `${one.name} from ${yFormat(first[1])} to ${yFormat(last[1])} at ${xLabel ?? "x"} ${xFormat(last[0])}`;
    });
    return `${title}: ${words.join("; ")}. Arrow keys move along the line.`;
  }

  draw() {
    const width = Math.round(this.stage.clientWidth);
    const { height } = this.options;
    this.picture.setAttribute("aria-label", this.describe());
    this.picture.setAttribute("height", height);
    if (!width) return;
    this.picture.setAttribute("width", width);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    if (!this.series.length) {
      const words = svg("text", { x: width / 2, y: height / 2, class: "lm-chart-empty", "text-anchor": "middle" });
      words.textContent = this.options.empty;
      this.picture.replaceChildren(words);
      return;
    }
    this.scale(width, height);
    this.cross = svg("g", { class: "lm-chart-cross", visibility: "hidden" });
    this.picture.replaceChildren(...this.axes(width, height), ...this.series.map((one) => this.line(one)), this.cross);
    if (this.at !== null) this.show(this.at);
  }

  scale(width, height) {
    const [x0, x1] = extent(this.series, 0);
    const [low, y1] = this.options.yDomain ?? padded(extent(this.series, 1));
    const y0 = this.options.fromZero ? Math.min(0, low) : low;
    const span = x1 > x0 ? x1 - x0 : 1;
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
    this.domain = { x: [x0, x1], y: [y0, y1] };
    this.x = (value) => MARGIN.left + ((value - x0) / span) * inner.width;
    this.y = (value) => MARGIN.top + (1 - (value - y0) / (y1 - y0 || 1)) * inner.height;
    this.invert = (pixel) => x0 + ((pixel - MARGIN.left) / inner.width) * span;
  }

  axes(width, height) {
    const parts = [];
    const bottom = height - MARGIN.bottom;
    for (const value of ticks(...this.domain.y, 4)) {
      const y = this.y(value);
      parts.push(svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y, class: "lm-chart-grid" }));
      parts.push(this.label(MARGIN.left - 8, y + 4, this.options.yFormat(value), "end"));
    }
    // Steps, epochs and sources are counted: there is nothing between two of them.
    const places = ticks(...this.domain.x, Math.max(2, Math.min(6, Math.floor(width / 90)))).filter(Number.isInteger);
    for (const value of places) {
      parts.push(this.label(this.x(value), bottom + 16, this.options.xFormat(value), "middle"));
    }
    parts.push(svg("line", { x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom, class: "lm-chart-axis" }));
    if (this.options.xLabel) parts.push(this.label(width - MARGIN.right, height - 4, this.options.xLabel, "end", "lm-chart-axis-name"));
    return parts;
  }

  label(x, y, words, anchor, className = "") {
    const node = svg("text", { x, y, "text-anchor": anchor, class: `lm-chart-label ${className}` });
    node.textContent = words;
    return node;
  }

  line(one) {
    const tone = `lm-tone-${one.tone}`;
    if (one.points.length === 1) {
      const [x, y] = one.points[0];
      return svg("circle", { cx: this.x(x), cy: this.y(y), r: 3, class: `lm-chart-dot ${tone}` });
    }
    const path = one.points.map(([x, y], i) => `${i ? "L" : "M"}${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`).join("");
    return svg("path", { d: path, class: `lm-chart-line ${tone}`, "stroke-dasharray": one.dash ?? "" });
  }

  point(event) {
    if (!this.series.length || !this.invert) return;
    const box = this.picture.getBoundingClientRect();
    this.show(this.invert(event.clientX - box.left));
  }

  step(direction) {
    const longest = this.series.reduce((a, b) => (b.points.length > a.points.length ? b : a));
    const xs = longest.points.map((p) => p[0]);
    const now = this.at === null ? (direction > 0 ? -1 : xs.length) : xs.indexOf(nearest(longest.points, this.at)[0]);
    this.show(xs[Math.min(xs.length - 1, Math.max(0, now + direction))]);
  }

  show(x) {
    const longest = this.series.reduce((a, b) => (b.points.length > a.points.length ? b : a));
    const at = nearest(longest.points, x)[0];
    const found = this.series.map((one) => [one, nearest(one.points, at)]);
    this.at = at;
    const line = svg("line", { x1: this.x(at), x2: this.x(at), y1: MARGIN.top, y2: this.options.height - MARGIN.bottom });
    const dots = found.map(([one, [px, py]]) => svg("circle", { cx: this.x(px), cy: this.y(py), r: 3.5, class: `lm-chart-dot lm-tone-${one.tone}` }));
    this.cross.replaceChildren(line, ...dots);
    this.cross.setAttribute("visibility", "visible");
    const values = found.map(([one, point]) => `${one.name} ${this.options.yFormat(point[1])}`);
    this.readout.textContent = `${this.options.xLabel ?? "x"} ${this.options.xFormat(at)} · ${values.join(" · ")}`;
    this.readout.hidden = false;
    this.readout.classList.toggle("is-left", this.x(at) > this.stage.clientWidth / 2);
  }

  clear() {
    this.at = null;
    this.readout.hidden = true;
    if (this.cross) this.cross.setAttribute("visibility", "hidden");
  }
}

export function lineChart(options) {
  return new LineChart(options);
}
