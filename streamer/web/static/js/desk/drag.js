// Lets rows be dragged by their grip, with a mouse or a finger. Keyboard users have buttons for it.

const EDGE_PX = 56; // distance from an edge at which the list scrolls
const SCROLL_PX = 9; // per animation frame

/**
 * Let the rows of `list` be dragged by their `.grip`. `onStart` is called when a row is lifted, `onEnd` when it is dropped:
 * with the row and its new index, or with null if the row did not move.
 */
export function draggable(list, onStart, onEnd) {
  let drag = null;

  const scrolled = () => list.scrollTop + window.scrollY;

  function lift(event) {
    const grip = event.target.closest(".grip");
    if (!grip || drag || event.button !== 0) return;
    event.preventDefault();
    const row = grip.closest("li");
    const rows = [...list.children];
    const middles = rows.map((other) => other.offsetTop + other.offsetHeight / 2);
    const from = rows.indexOf(row);
    drag = { grip, row, rows, middles, from, to: from, y: event.clientY, at: event.clientY, scroll: scrolled(), id: event.pointerId };
    grip.setPointerCapture(event.pointerId);
    row.classList.add("lifted");
    list.classList.add("dragging");
    onStart();
    requestAnimationFrame(roll);
  }

  function place() {
    const { row, rows, middles, from, y, at, scroll } = drag;
    const by = at - y + scrolled() - scroll;
    const middle = middles[from] + by;
    drag.to = middles.filter((other, i) => i !== from && other < middle).length;
    row.style.translate = `0 ${by}px`;
    rows.forEach((other, i) => {
      if (other === row) return;
      const shift = i > from && i <= drag.to ? -1 : i < from && i >= drag.to ? 1 : 0;
      other.style.translate = shift ? `0 ${shift * row.offsetHeight}px` : "";
    });
  }

  function roll() {
    if (!drag) return;
    const box = list.getBoundingClientRect();
    const top = Math.max(box.top, 0) + EDGE_PX;
    const bottom = Math.min(box.bottom, window.innerHeight) - EDGE_PX;
    const by = drag.at < top ? -SCROLL_PX : drag.at > bottom ? SCROLL_PX : 0;
    if (by) {
      const before = list.scrollTop;
      list.scrollTop += by;
      const outside = by < 0 ? box.top < 0 : box.bottom > window.innerHeight;
      if (list.scrollTop === before && outside) window.scrollBy(0, by);
      place();
    }
    requestAnimationFrame(roll);
  }

  function move(event) {
    if (event.pointerId !== drag?.id) return;
    drag.at = event.clientY;
    place();
  }

  function end(kept) {
    const { row, rows, from, to } = drag;
    drag = null;
    list.classList.remove("dragging");
    row.classList.remove("lifted");
    for (const other of rows) other.style.translate = "";
    if (!kept || to === from || !row.isConnected) return onEnd(null);
    const others = rows.filter((other) => other !== row);
    list.insertBefore(row, others[to] ?? null);
    onEnd(row, to);
  }

  list.addEventListener("pointerdown", lift);
  list.addEventListener("pointermove", move);
  list.addEventListener("pointerup", (event) => event.pointerId === drag?.id && end(true));
  list.addEventListener("pointercancel", (event) => event.pointerId === drag?.id && end(false));
  window.addEventListener("keydown", (event) => event.key === "Escape" && drag && end(false));
}
