// Browse: every image, found by what is known of it; edited in place, one or many at a time.

import { actionId, el, fill, format } from "./core.js";
import { button, emptyState, errorState, icon, toast, toastError } from "./components.js";
import { BulkBar } from "./browse_bulk.js";
import { FilterBar, cleaned } from "./browse_filters.js";
import { Grid } from "./browse_grid.js";
import { ImageView } from "./browse_image.js";

const OLD_AFTER_MS = 400;

export function mount(root, context) {
  const browser = new Browser(root, context);
  return {
    show: (params) => browser.show(params),
    hide: () => browser.hide(),
  };
}

class Browser {
  constructor(root, context) {
    this.context = context;
    this.params = null;
    this.asked = null;
    this.view = null;
    this.isVisible = false;
    this.filters = new FilterBar(context, (changes) => this.change(changes), () => this.reload());
    this.grid = new Grid(context, {
      page: (offset, limit) => context.api.get("/api/browse/page", { view: this.view.view, offset, limit }),
      open: (index) => this.open(index),
      selected: () => this.bulk.draw(),
    });
    this.bulk = new BulkBar(context, this);
    this.image = new ImageView(context, this);
    this.message = el("div", { class: "lm-br-message", hidden: true });
    this.node = el("div", { class: "lm-br" }, el("h1", { class: "lm-sr" }, "Browse"), this.filters.node, this.grid.node, this.message, this.bulk.node);
    root.append(this.node);
    this.registerKeys();
    const { bus, debounce } = context;
    bus.on("labels-changed", debounce(() => this.labelsChanged(), OLD_AFTER_MS));
    bus.on("scores-changed", () => this.scoresChanged());
    bus.on("reconnected", () => this.isVisible && this.reload());
    bus.on("settings-changed", () => this.registerKeys());
  }

  registerKeys() {
    const { keys } = this.context;
    const act = (name, key, description, run, repeat = false) => ({ name, key, description, run, repeat });
    keys.register("browse", [
      act("left", "ArrowLeft", "One image left", (event) => this.grid.step(-1, event.shiftKey), true),
      act("right", "ArrowRight", "One image right", (event) => this.grid.step(1, event.shiftKey), true),
      act("up", "ArrowUp", "One row up", (event) => this.grid.step(-this.grid.columns, event.shiftKey), true),
      act("down", "ArrowDown", "One row down", (event) => this.grid.step(this.grid.columns, event.shiftKey), true),
      act("open", "Enter", "Open the image", () => this.open(this.grid.cursor)),
      act("select", " ", "Select or leave out the image", () => this.grid.toggle(this.grid.cursor)),
      act("clear", "Escape", "Select nothing", () => this.grid.clear()),
      act("yes", this.reviewKey("yes", "y"), "The chosen class is there", () => this.settle(1)),
      act("no", this.reviewKey("no", "n"), "The chosen class is not there", () => this.settle(-1)),
      act("unsure", this.reviewKey("unsure", "u"), "Unknown again", () => this.settle(0)),
      act("undo", this.reviewKey("undo", "z"), "Undo", () => this.undo()),
      act("redo", this.reviewKey("redo", "x"), "Redo", () => this.redo()),
    ]);
  }

  /** The same keys as in Review, also when somebody changed them there. */
  reviewKey(name, key) {
    return this.context.session.settings?.keys?.[`review.${name}`] ?? key;
  }

  // the view --------------------------------------------------------------------------------------------------------

  async show(params) {
    this.isVisible = true;
    this.params = cleaned(params);
    this.filters.set(this.params);
    const asked = JSON.stringify(this.params);
    if (asked !== this.asked) await this.load(asked);
    else if (this.isBehind) this.labelsChanged();
    if (!this.isVisible) return;
    if (params.image) this.image.show(params.image);
    else this.image.hide();
  }

  hide() {
    this.isVisible = false;
    this.image.hide();
  }

  change(changes) {
    this.context.address.set("browse", cleaned({ ...this.params, ...changes }));
  }

  reload() {
    return this.load(JSON.stringify(this.params));
  }

  async load(asked) {
    this.asked = asked;
    this.pending?.abort();
    this.pending = new AbortController();
    this.grid.wait();
    try {
      const view = await this.context.api.get("/api/browse", this.params, { signal: this.pending.signal });
      this.view = view;
      this.isBehind = false;
      this.filters.found(view);
      this.message.hidden = view.total > 0;
      this.grid.node.hidden = !view.total;
      if (!view.total) fill(this.message, this.nothing());
      this.grid.set(view, this.params.class);
      this.bulk.draw();
    } catch (error) {
      if (error.name === "AbortError") return;
      this.asked = null;
      this.grid.node.hidden = true;
      this.message.hidden = false;
      fill(this.message, errorState(error, () => this.reload()));
    }
  }

  nothing() {
    if (!this.context.session.numImages) {
      return emptyState({ title: "There are no images here", body: "Put images into the folder and import them: logicmix-studio import FOLDER" });
    }
    const needsRun = !this.view.run && (this.params.state?.startsWith("pseudo") || this.params.from || this.params.to);
    return emptyState({
      title: needsRun ? "No run has finished yet" : "No image fits these filters",
      body: needsRun ? "Pseudo-labels and scores come with the first run." : "Take one of them away, or begin anew.",
      drawing: "filter",
      action: button("Show all images", { onclick: () => this.context.address.set("browse", {}) }),
    });
  }

  labelsChanged() {
    this.isBehind = !this.isVisible;
    if (!this.view || !this.isVisible) return;
    this.grid.refresh();
    this.image.refresh();
    this.filters.old(this.context.session.pulse?.seq !== this.view.seq);
  }

  /** A run has finished: look anew, but not while somebody is in the middle of something. */
  scoresChanged() {
    if (!this.isVisible) this.asked = null;
    else if (this.grid.count || this.grid.node.scrollTop || this.image.isOpen) this.filters.old(true);
    else this.reload();
  }

  open(index) {
    const item = this.grid.item(index);
    if (item) this.context.address.set("browse", { ...this.params, image: item.id });
  }

  close() {
    this.context.address.set("browse", this.params);
    this.grid.focus();
  }

  // answers ---------------------------------------------------------------------------------------------------------

  /** Set the chosen class for the selection, or for the image under the cursor. */
  settle(state) {
    const name = this.bulk.className();
    if (!name) return toast("Choose a class first: in the filter, or in the bar below.", { kind: "bad" });
    return this.setMany(name, state);
  }

  async setMany(className, state) {
    const ids = await this.grid.selectedIds();
    const chosen = ids.length ? ids : [this.grid.item(this.grid.cursor)?.id].filter(Boolean);
    if (!chosen.length) return;
    const words = { 1: "positive", "-1": "negative", 0: "unknown" }[state];
    const done = await this.decide(chosen.map((id) => [id, className, state, "set"]));
    if (!done) return;
    toast(`“${className}” is ${words} in ${format.plural(chosen.length, "image")}`, { kind: "good", action: { label: "Undo", run: () => this.undo(done.seq) } });
    this.grid.clear();
  }

  /** Write answers as one journal line; shows what went wrong and returns null then. */
  async decide(cells, { run = null, ms = null } = {}) {
    try {
      const answer = await this.context.api.post("/api/cells/decide", { id: actionId(), origin: "browse", run, cells, ms });
      if (answer.skipped.length) toast(`${format.plural(answer.skipped.length, "cell")} had been settled by somebody else meanwhile`);
      this.changed();
      return answer;
    } catch (error) {
      toastError(error);
      return null;
    }
  }

  async undo(of = null) {
    await this.reverse("undo", of);
  }

  async redo() {
    await this.reverse("redo");
  }

  async reverse(kind, of = null) {
    try {
      const answer = await this.context.api.post(`/api/cells/${kind}`, { id: actionId(), of });
      const kept = answer.kept.length ? `; ${format.plural(answer.kept.length, "cell")} had changed since and stay` : "";
      toast(`${kind === "undo" ? "Undone" : "Done again"}: ${format.plural(answer.cells, "cell")}${kept}`);
      this.changed();
    } catch (error) {
      toastError(error);
    }
  }

  changed() {
    this.grid.refresh();
    this.image.refresh();
    this.filters.old(true);
  }

  async openFiftyOne(place) {
    if (this.isOpening || place.getAttribute("aria-disabled") === "true") return;
    this.isOpening = true;
    fill(place, icon("external"), el("span", {}, "Opening FiftyOne …"));
    toast("FiftyOne is opening; its first start takes some seconds.");
    try {
      const isAll = !Object.keys(this.params).some((key) => key !== "sort");
      const ids = await this.grid.selectedIds();
      const images = ids.length ? ids : isAll ? null : (await this.context.api.get("/api/browse/ids", { view: this.view.view })).ids.slice(0, 20_000);
      const { url } = await this.context.api.post("/api/fiftyone/open", { images });
      const page = window.open(url, "_blank"); // a browser may refuse it, as the App took its time to start
      if (page) page.opener = null;
      toast(page ? "FiftyOne is open in another tab" : "FiftyOne is ready", { action: page ? undefined : { label: "Open", run: () => window.open(url, "_blank", "noopener") } });
    } catch (error) {
      toastError(error);
    }
    this.isOpening = false;
    this.filters.drawFiftyOne(this.context.session.pulse);
  }
}
