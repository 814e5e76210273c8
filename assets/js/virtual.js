// Lists of any length that hold only what can be seen.

import { el } from "./core.js";

/**
 * A scrolling list of rows of one height.
 *
 * @param rowHeight pixels
 * @param render (index) → element of that height
 * @returns {node, setCount(count), redraw(), scrollTo(index)}
 */
export function virtualList({ rowHeight, render, label, role = "rowgroup", overscan = 8 }) {
  const space = el("div", { class: "lm-virtual-space", role: "presentation" });
  const node = el("div", { class: "lm-virtual", role, tabindex: "0", "aria-label": label }, space);
  let count = 0;
  let drawn = [-1, -1];

  function draw(force = false) {
    const first = Math.max(0, Math.floor(node.scrollTop / rowHeight) - overscan);
    const last = Math.min(count, Math.ceil((node.scrollTop + (node.clientHeight || 600)) / rowHeight) + overscan);
    if (!force && first === drawn[0] && last === drawn[1]) return;
    drawn = [first, last];
    const rows = [];
    for (let index = first; index < last; index += 1) {
      const row = render(index);
      row.style.transform = `translateY(${index * rowHeight}px)`;
      rows.push(row);
    }
    space.replaceChildren(...rows);
  }

  node.addEventListener("scroll", () => draw(), { passive: true });
  new ResizeObserver(() => draw()).observe(node);
  return {
    node,
    setCount(next) {
      count = next;
      space.style.height = `${count * rowHeight}px`;
      draw(true);
    },
    redraw: () => draw(true),
    scrollTo(index) {
      node.scrollTop = Math.max(0, index * rowHeight - node.clientHeight / 2);
      draw(true);
    },
  };
}
