// The large picture of the card: decoded ahead of time, zoomed on request.

const STAGE_SIDE = 1024;
const ZOOM_SIDE = 2048;
const KEEP_DECODED = 24;
const ZOOM_FACTOR = 2.5;

export class Stage {
  constructor({ el, media, figure }) {
    this.el = el;
    this.media = media;
    this.figure = figure;
    this.decoded = new Map();
    this.ahead = [];
    this.image = null;
    this.zoomed = false;
    figure.addEventListener("pointermove", (event) => this.follow(event));
    figure.addEventListener("click", () => this.zoom());
  }

  /** Return the picture of an image, loading and decoding it once. */
  picture(id) {
    const known = this.decoded.get(id);
    if (known) {
      this.decoded.delete(id);
      this.decoded.set(id, known);
      return known;
    }
    const image = this.el("img", { alt: "", draggable: "false", decoding: "async" });
    image.src = this.media(id, STAGE_SIDE);
    const entry = { image, state: "loading" };
    entry.ready = image.decode().then(
      () => { entry.state = "ready"; },
      () => { entry.state = "broken"; },
    );
    this.decoded.set(id, entry);
    while (this.decoded.size > KEEP_DECODED) this.decoded.delete(this.decoded.keys().next().value);
    return entry;
  }

  /** Load pictures ahead; the first one is looked at and waits for no other. */
  prefetch(ids) {
    if (!ids.length) return;
    this.ahead = ids;
    const first = this.picture(ids[0]);
    if (first.state === "loading") first.ready.then(() => this.ahead.forEach((id) => this.picture(id)));
    else ids.forEach((id) => this.picture(id));
  }

  /** Put an image on the stage at once; what is missing arrives behind. */
  show(id, label) {
    this.endZoom();
    this.shown = id;
    const entry = this.picture(id);
    entry.image.alt = label;
    this.image = entry.image;
    this.figure.replaceChildren(entry.image);
    this.mark(entry.state);
    if (entry.state === "loading") {
      entry.ready.then(() => {
        if (this.shown === id) this.mark(entry.state);
      });
    }
  }

  mark(state) {
    this.figure.dataset.state = state;
    if (state === "broken") {
      this.decoded.delete(this.shown);
      this.figure.replaceChildren(
        this.el("p", { class: "lm-stage-note" }, "This image cannot be read. Skip it, or mend the file and reload the page."),
      );
    }
  }

  clear() {
    this.endZoom();
    this.shown = null;
    this.image = null;
    this.figure.replaceChildren();
    this.figure.dataset.state = "empty";
  }

  zoom() {
    if (!this.image) return;
    if (this.zoomed) {
      this.endZoom();
      return;
    }
    this.zoomed = true;
    this.figure.dataset.zoom = "on";
    this.image.style.transform = `scale(${ZOOM_FACTOR})`;
    const finer = new Image();
    const image = this.image;
    finer.src = this.media(this.shown, ZOOM_SIDE);
    finer.decode().then(
      () => { if (this.zoomed && this.image === image) image.src = finer.src; },
      () => {},
    );
  }

  endZoom() {
    if (!this.zoomed) return;
    this.zoomed = false;
    delete this.figure.dataset.zoom;
    this.image.style.transform = "";
    this.image.style.transformOrigin = "";
  }

  follow(event) {
    if (!this.zoomed) return;
    const box = this.figure.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * 100;
    const y = ((event.clientY - box.top) / box.height) * 100;
    this.image.style.transformOrigin = `${x}% ${y}%`;
  }
}
