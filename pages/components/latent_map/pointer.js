// The pointer: where it is over the plot, and what a click does there.
class Pointer {
  constructor(map) {
    this.map = map;
    this.place = null; // in pixels of the stage; none while a button is down
    this.pressed = null;
    this.release = (event) => this.up(event);
    this.drag = (event) => this.pressed && (this.moved ||= away(event, this.pressed) > 4);
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
    const { card, link, viewport } = this.map;
    this.place = event && viewport.locate(event);
    card.show();
    link.point(card.index < 0 ? null : this.map.rowOf(card.index));
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
