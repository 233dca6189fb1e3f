// The pointer: where it is over the plot, and what a click does there.
class Pointer {
  constructor(map) {
    this.map = map;
    this.place = null; // in pixels of the stage; none while a button is down
    this.pressed = null;
    this.release = (event) => this.up(event);
    map.stage.addEventListener("pointermove", (event) => this.move(onPlot(event) && !event.buttons ? event : null));
    map.stage.addEventListener("pointerleave", () => this.move(null));
    map.stage.addEventListener("pointerdown", (event) => {
      this.pressed = onPlot(event) && event.button === 0 ? [event.clientX, event.clientY] : null;
    }, true);
    document.addEventListener("pointerup", this.release, true); // plotly covers the page while one drags
  }

  remove() {
    document.removeEventListener("pointerup", this.release, true);
  }

  move(event) {
    this.place = event && this.map.viewport.locate(event);
    this.map.card.show();
  }

  up(event) {
    const pressed = this.pressed;
    this.pressed = null;
    if (!pressed) return;
    this.map.stage.focus({ preventScroll: true }); // so that Esc comes here
    const moved = Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4;
    if (!moved) this.click(this.map.viewport.locate(event));
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

function onPlot(event) {
  return Boolean(event.target.classList?.contains("nsewdrag"));
}
