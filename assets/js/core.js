// The ground every tab stands on: safe DOM, the server, the address, events and formats.

/** Build an element. Text children are text, never HTML. */
export function el(tag, attrs = {}, ...children) {
  const node = SVG_TAGS.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attrs || {})) setAttribute(node, name, value);
  append(node, children);
  return node;
}

const SVG_TAGS = new Set(["svg", "path", "circle", "rect", "line", "g", "polyline", "polygon", "text", "title", "defs", "pattern"]);

function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on") && typeof value === "function") node.addEventListener(name.slice(2).toLowerCase(), value);
  else if (name === "class") node.setAttribute("class", Array.isArray(value) ? value.filter(Boolean).join(" ") : value);
  else if (name === "dataset") Object.assign(node.dataset, value);
  else if (name === "style" && typeof value === "object") {
    for (const [property, setting] of Object.entries(value)) node.style.setProperty(property, setting);
  } else if (PROPERTIES.has(name)) node[name] = value;
  else node.setAttribute(name, value === true ? "" : String(value));
}

const PROPERTIES = new Set(["value", "checked", "disabled", "selected", "indeterminate", "hidden", "inert", "tabIndex"]);

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
}

/** Replace what is in an element. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

/** What went wrong, in words, and what to do about it. */
export class StudioProblem extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

let hasLeft = false;
addEventListener("pagehide", () => (hasLeft = true));

/** Whether the page is being left: requests that break off then are no failure, and nobody waits for them. */
export const isLeaving = () => hasLeft;

let pageToken = document.querySelector('meta[name="lm-token"]')?.content ?? "";

async function request(method, path, { params, body, signal } = {}) {
  const url = new URL(path, location.origin);
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, one);
  }
  const options = { method, signal, headers: { accept: "application/json" }, credentials: "same-origin" };
  if (method !== "GET") {
    options.headers["content-type"] = "application/json";
    options.headers["x-logicmix-token"] = pageToken;
    options.body = JSON.stringify(body ?? {});
  }
  let answer;
  let content = null;
  try {
    answer = await fetch(url, options);
    content = await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (isLeaving()) return new Promise(() => {});
    // What is no JSON is told by its status; an answer that broke off is none.
    if (!answer || answer.ok) throw new StudioProblem("The studio does not answer.", "Is it still running? The page tries again by itself.", 0);
  }
  if (answer.ok) return content;
  const message = content?.error ?? `The studio answered ${answer.status}.`;
  throw new StudioProblem(message, content?.hint ?? "", answer.status);
}

async function post(path, body, options = {}) {
  try {
    return await request("POST", path, { body, ...options });
  } catch (error) {
    if (error.status !== 403 || path === "/api/session") throw error;
    const session = await request("GET", "/api/session"); // the server was restarted with another token
    if (!session.token || session.token === pageToken) throw error;
    pageToken = session.token;
    return request("POST", path, { body, ...options });
  }
}

export const api = {
  /** GET JSON; `params` become the query, lists are repeated. */
  get: (path, params, options = {}) => request("GET", path, { params, ...options }),
  /** POST JSON. */
  post,
};

/** An id for an action that nobody else made; the same id twice is one action. */
export function actionId() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// events -------------------------------------------------------------------------------------------------------

const listeners = new Map();

export const bus = {
  /** Listen; returns a function that ends it. */
  on(name, listener) {
    if (!listeners.has(name)) listeners.set(name, new Set());
    listeners.get(name).add(listener);
    return () => listeners.get(name).delete(listener);
  },
  emit(name, detail) {
    for (const listener of [...(listeners.get(name) ?? [])]) {
      try {
        listener(detail);
      } catch (error) {
        console.error(error);
      }
    }
  },
};

// the address: #/browse?class=dog&state=unknown ------------------------------------------------------------------

export const address = {
  get() {
    const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
    return { tab: decodeURIComponent(path || ""), params: Object.fromEntries(new URLSearchParams(query)) };
  },
  /** Go to a tab; empty parameters are left out. */
  set(tab, params = {}, { replace = false } = {}) {
    const hash = address.of(tab, params);
    if (hash === location.hash) return;
    if (replace) history.replaceState(null, "", hash);
    else history.pushState(null, "", hash);
    bus.emit("address", address.get());
  },
  /** The hash of a tab and its parameters, for links. */
  of(tab, params = {}) {
    const kept = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
    const query = new URLSearchParams(kept).toString();
    return `#/${encodeURIComponent(tab)}${query ? `?${query}` : ""}`;
  },
};

// numbers and times in words ---------------------------------------------------------------------------------------

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const format = {
  number: (value) => (value === null || value === undefined ? "–" : grouped.format(value)),
  /** 1,234 in full, 12,345 as "12.3K". */
  compact: (value) => (value === null || value === undefined ? "–" : (Math.abs(value) < 10_000 ? grouped : compact).format(value)),
  /** 0.1234 → "12.3 %". Small shares are never rounded to nothing, nor large ones to everything. */
  percent(value, digits = 1) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    const smallest = 10 ** -digits;
    const percent = value * 100;
    if (percent > 0 && percent < smallest) return `< ${smallest} %`;
    if (percent < 100 && percent > 100 - smallest) return `> ${(100 - smallest).toFixed(digits)} %`;
    return `${percent.toFixed(percent === 0 || percent === 100 ? 0 : digits)} %`;
  },
  score: (value) => (value === null || value === undefined ? "–" : value.toFixed(2)),
  duration(seconds) {
    if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
    if (seconds < 1) return "< 1 s";
    if (seconds < 90) return `${Math.round(seconds)} s`;
    if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
    if (seconds < 172_800) return `${Number((seconds / 3600).toFixed(seconds < 36_000 ? 1 : 0))} h`;
    return `${Math.round(seconds / 86_400)} days`;
  },
  time(text) {
    const then = new Date(text);
    const today = then.toDateString() === new Date().toDateString();
    const clock = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    return today ? clock : `${then.toLocaleDateString([], { day: "numeric", month: "short" })}, ${clock}`;
  },
  plural: (count, one, many = `${one}s`) => `${grouped.format(count)} ${count === 1 ? one : many}`,
};

/** Call a function once things have been quiet for a while. */
export function debounce(action, wait) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), wait);
  };
}

/** The addresses of pictures; they change when the data set is imported anew. */
export function pictures(version) {
  return {
    thumb: (id, size = 256) => `/thumb/${id}?s=${size}&v=${version}`,
    media: (id, side = 1024) => `/media/${id}?s=${side}&v=${version}`,
  };
}
