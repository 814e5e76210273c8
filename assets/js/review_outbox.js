// Answers that the server has not acknowledged yet: sent in order, one at a time, retried until they arrive, kept over a
// reload. Every entry carries an id of its own, so sending it twice changes nothing.

const PREFIX = "lm-outbox:";
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;

const MOST_STUMBLES = 6;

/** What the server will refuse again however often it is asked. */
function isFinal(error, entry) {
  const status = error.status ?? 0;
  if (status >= 500) return entry.stumbles >= MOST_STUMBLES;
  return status >= 400 && status < 500 && ![401, 403, 408, 425, 429].includes(status);
}

function isLockedOut(error) {
  return error.status === 401 || error.status === 403;
}

export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  /**
   * @param {object} options
   * @param {(path: string, body: object) => Promise<object>} options.post sends one entry
   * @param {string} options.name whose answers these are: the data set's name
   * @param {Storage} [options.storage]
   */
  constructor({ post, name, storage = window.localStorage }) {
    this.post = post;
    this.prefix = `${PREFIX}${name}:`;
    this.storage = storage;
    this.entries = [];
    this.inFlight = null;
    this.wait = 0;
    this.retryAt = 0;
    this.timer = 0;
    this.state = "idle";
    this.problem = null;
    this.onChange = () => {};
    this.onReply = () => {};
    this.onRefused = () => {};
    this.storageFailed = false;
    this.lastOrder = 0;
    window.addEventListener("online", () => this.retryNow());
  }

  get size() {
    return this.entries.length;
  }

  /** Take up what an earlier page left behind and begin to send. */
  start() {
    const known = new Set(this.entries.map((entry) => entry.id));
    for (let index = 0; index < this.storage.length; index += 1) {
      const key = this.storage.key(index);
      if (!key || !key.startsWith(this.prefix)) continue;
      const entry = this.read(key);
      if (entry && !known.has(entry.id)) this.entries.push({ ...entry, kept: true });
    }
    this.entries.sort((one, other) => one.order - other.order);
    this.lastOrder = Math.max(this.lastOrder, ...this.entries.map((entry) => entry.order));
    this.onChange();
    this.pump();
  }

  read(key) {
    try {
      const entry = JSON.parse(this.storage.getItem(key));
      return entry && entry.id && entry.path && entry.body ? entry : null;
    } catch (error) {
      console.warn(`an unsent answer could not be read and was left in place: ${key}`, error);
      return null;
    }
  }

  /** Queue one request; returns its id. */
  add(path, body) {
    const id = newId();
    this.lastOrder = Math.max(this.lastOrder + 1, Date.now() * 1000);
    const entry = { id, order: this.lastOrder, path, body: { ...body, id } };
    this.entries.push(entry);
    try {
      this.storage.setItem(this.prefix + id, JSON.stringify(entry));
    } catch (error) {
      this.storageFailed = true;
      console.warn("this browser keeps no answers over a reload", error);
    }
    this.onChange();
    this.pump();
    return id;
  }

  /** Take back a request that has certainly not reached the server; false where it may have. */
  drop(id) {
    const entry = this.entries.find((candidate) => candidate.id === id);
    if (!entry || entry === this.inFlight || entry.tried || entry.kept) return false;
    this.forget(entry);
    return true;
  }

  forget(entry) {
    this.entries = this.entries.filter((candidate) => candidate !== entry);
    this.storage.removeItem(this.prefix + entry.id);
    this.onChange();
  }

  retryNow() {
    this.wait = 0;
    this.retryAt = 0;
    this.pump();
  }

  async pump() {
    if (this.inFlight || !this.entries.length || Date.now() < this.retryAt) return;
    clearTimeout(this.timer);
    const entry = this.entries[0];
    this.inFlight = entry;
    entry.tried = true;
    try {
      const reply = await this.post(entry.path, entry.body);
      this.settle(entry);
      this.onReply(entry, reply);
    } catch (error) {
      this.fail(entry, error);
    }
    if (this.entries.length && this.state === "idle") this.pump();
  }

  settle(entry) {
    this.inFlight = null;
    this.wait = 0;
    this.state = "idle";
    this.problem = null;
    this.forget(entry);
  }

  fail(entry, error) {
    if (error.status >= 500) entry.stumbles = (entry.stumbles ?? 0) + 1;
    if (isFinal(error, entry)) {
      this.settle(entry);
      this.onRefused(entry, error);
      return;
    }
    this.inFlight = null;
    this.problem = error;
    this.state = isLockedOut(error) ? "locked" : "waiting";
    this.wait = Math.min(LONGEST_WAIT_MS, this.wait ? this.wait * 2 : FIRST_WAIT_MS);
    this.retryAt = Date.now() + this.wait;
    this.timer = setTimeout(() => {
      this.retryAt = 0;
      this.pump();
    }, this.wait);
    this.onChange();
  }

  /** What to show: a word for the style and a text for the eye. */
  describe() {
    if (!this.size) return { kind: "saved", text: "All answers saved" };
    const answers = this.size === 1 ? "1 answer unsent" : `${this.size} answers unsent`;
    if (this.state === "locked") return { kind: "locked", text: `${answers} · reload to go on` };
    if (this.state === "waiting") return { kind: "waiting", text: `${answers} · retrying` };
    return { kind: "sending", text: answers };
  }
}
