// The pointer: where it is over the plot, and what a click does there. Keys move a cross, which does the same.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ZOOMS = { "+": 0.8, "=": 0.8, "-": 1.25 };
const KEYS = "Arrow keys move (farther with Shift), Enter presses, + and − zoom, Page Up and Down show one class, Esc clears";

class Pointer {
  constructor(map) {
    this.map = map;
    this.place = null; // in pixels of the stage; none while a button is down
    this.pressed = null;
    this.byKeys = false; // whether the map has the focus by the keyboard
    this.cross = null; // where keys have brought it, in pixels of the stage
    this.corner = null; // of a box that is drawn by keys, on the plane
    this.release = (event) => this.up(event);
    this.drag = (event) => this.pressed && (this.moved ||= away(event, this.pressed) > 4);
    map.stage.addEventListener("focus", () => this.focus(map.stage.matches(":focus-visible")));
    map.stage.addEventListener("blur", () => this.focus(false));
    map.stage.addEventListener("keydown", (event) => this.byKeys && this.key(event));
    map.stage.addEventListener("pointermove", (event) => this.move(onPlot(event) && !event.buttons ? event : null));
    map.stage.addEventListener("pointerleave", () => this.move(null));
    map.stage.addEventListener("pointerdown", (event) => {
      this.pressed = onPlot(event) && event.button === 0 ? [event.clientX, event.clientY] : null;
      this.moved = false;
    }, true);
    document.addEventListener("pointermove", this.drag, true); // plotly covers the page while one drags
    document.addEventListener("pointerup", this.release, true);
  }

  remove() {
    document.removeEventListener("pointermove", this.drag, true);
    document.removeEventListener("pointerup", this.release, true);
  }

  move(event) {
    this.place = event && this.map.viewport.locate(event);
    this.map.card.show();
    this.tell();
  }

  // The other map shows the same image.
  tell() {
    const { card, link } = this.map;
    link.point(card.index < 0 ? null : this.map.rowOf(card.index));
  }

  focus(byKeys) {
    if (this.cross) this.place = null;
    Object.assign(this, { byKeys, cross: null, corner: null });
    if (this.map.chart.ready) this.map.show();
  }

  key(event) {
    const { chart, viewport } = this.map;
    if (!chart.ready || event.ctrlKey || event.metaKey || event.altKey) return;
    const view = viewport.view();
    const [x, y] = this.cross ?? [view.x + view.width / 2, view.y + view.height / 2];
    if (ARROWS[event.key]) {
      const [right, down] = ARROWS[event.key].map((step) => step * (event.shiftKey ? 40 : 8));
      this.cross = [view.x + limit(x + right - view.x, view.width), view.y + limit(y + down - view.y, view.height)];
    } else if (ZOOMS[event.key]) viewport.zoom(ZOOMS[event.key], [x, y]);
    else if (event.key === "Enter" || event.key === " ") this.press([x, y]);
    else if (event.key === "PageUp" || event.key === "PageDown") chart.showNext(event.key === "PageDown" ? 1 : -1);
    else return;
    event.preventDefault(); // the page would scroll
    this.place = this.cross;
    this.map.show();
    this.tell();
  }

  // With Move, a click; with Lasso and Box, one corner and then the opposite one.
  press(place) {
    const { data, viewport, tools } = this.map;
    if (this.map.root.dataset.tool === "pan") return this.click(place);
    const view = viewport.view();
    const [x, y] = [view.fromX(place[0]), view.fromY(place[1])];
    if (!this.corner) this.corner = [x, y];
    else {
      tools.select({ range: { x: [this.corner[0], x], y: [this.corner[1], y] } });
      this.corner = null;
    }
  }

  up(event) {
    const pressed = this.pressed;
    this.pressed = null;
    if (!pressed) return;
    this.map.stage.focus({ preventScroll: true }); // so that Esc comes here
    if (!this.moved && away(event, pressed) <= 4) this.click(this.map.viewport.locate(event));
  }

  click([x, y]) {
    const { data, viewport } = this.map;
    if (data.mode === "decoder") {
      const view = viewport.view();
      this.map.send("place", [view.fromX(x), view.fromY(y)]);
      return;
    }
    const index = this.map.indexAt([x, y]);
    if (index >= 0) this.map.send("click", this.map.rowOf(index));
  }
}

function away({ clientX, clientY }, [x, y]) {
  return Math.hypot(clientX - x, clientY - y);
}

function onPlot(event) {
  return Boolean(event.target.classList?.contains("nsewdrag"));
}
