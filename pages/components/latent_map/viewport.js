// The viewport: which part of the plane is on the screen and where, the grid of its cells, and fingers that move it.
class Viewport {
  constructor(map) {
    this.map = map;
    this.listen();
  }

  // The axes keep their live range while one drags or scrolls, the public layout only the one before.
  view() {
    const { plot } = this.map.chart;
    const drag = plot.querySelector(".nsewdrag");
    if (!drag) return null;
    const box = drag.getBoundingClientRect();
    const stage = this.map.stage.getBoundingClientRect();
    const { xaxis, yaxis } = plot._fullLayout;
    const [left, right] = xaxis.range;
    const [bottom, top] = yaxis.range;
    const [x, y, width, height] = [box.left - stage.left, box.top - stage.top, box.width, box.height];
    return {
      x, y, width, height, left, right, bottom, top,
      toX: (value) => x + ((value - left) / (right - left)) * width,
      toY: (value) => y + ((top - value) / (top - bottom)) * height,
      fromX: (pixel) => left + ((pixel - x) / width) * (right - left),
      fromY: (pixel) => top - ((pixel - y) / height) * (top - bottom),
    };
  }

  // Cells of a grid that is fixed to the box of the data: zooming in by two cuts them in half, moving does not move it.
  grid(view, [left, right, bottom, top]) {
    const count = (size, whole, part) => Math.max(1, Math.round((size / (this.map.data.tile * scale())) * (whole / part)));
    const across = count(view.width, right - left, view.right - view.left);
    const down = count(view.height, top - bottom, view.top - view.bottom);
    const [wide, high] = [(right - left) / across, (top - bottom) / down];
    const firstX = limit(Math.floor((view.left - left) / wide), across);
    const firstY = limit(Math.floor((top - view.top) / high), down);
    const edgeX = (column) => Math.round(view.toX(left + column * wide));
    const edgeY = (line) => Math.round(view.toY(top - line * high));
    return {
      left, top, across, wide, high, firstX, firstY,
      columns: limit(Math.ceil((view.right - left) / wide), across) - firstX,
      lines: limit(Math.ceil((top - view.bottom) / high), down) - firstY,
      box: (column, line) => [edgeX(column), edgeY(line), edgeX(column + 1), edgeY(line + 1)],
    };
  }

  // So many times as much of the plane, with what is at a place of the stage staying there.
  zoom(times, [x, y]) {
    const { left, right, bottom, top, fromX, fromY } = this.view();
    const around = (middle, ends) => ends.map((end) => middle + (end - middle) * times);
    this.map.chart.change({ "xaxis.range": around(fromX(x), [left, right]), "yaxis.range": around(fromY(y), [bottom, top]) });
  }

  // The place of a pointer or finger on the stage, in pixels.
  locate(event) {
    const stage = this.map.stage.getBoundingClientRect();
    return [event.clientX - stage.left, event.clientY - stage.top];
  }

  // One finger scrolls the page or taps, two move and zoom the map; with Lasso or Box one finger draws.
  listen() {
    const { stage, root } = this.map;
    let start = null;
    const both = (event) => {
      const [[ax, ay], [bx, by]] = [...event.touches].map((finger) => this.locate(finger));
      return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.max(1, Math.hypot(ax - bx, ay - by)) };
    };
    stage.addEventListener("touchstart", (event) => {
      if (event.touches.length === 1 && root.dataset.tool !== "pan") return;
      event.stopPropagation();
      start = event.touches.length === 2 && this.map.chart.ready ? { ...both(event), view: this.view() } : null;
      if (start) this.map.pointer.pressed = null;
    }, { capture: true, passive: true });
    stage.addEventListener("touchmove", (event) => {
      if (!start || event.touches.length !== 2) return;
      event.preventDefault();
      const { view } = start;
      const now = both(event);
      const scale = start.apart / now.apart;
      const [wide, high] = [(view.right - view.left) * scale, (view.top - view.bottom) * scale];
      const left = view.fromX(start.x) - ((now.x - view.x) / view.width) * wide;
      const top = view.fromY(start.y) + ((now.y - view.y) / view.height) * high;
      this.map.chart.change({ "xaxis.range": [left, left + wide], "yaxis.range": [top - high, top] });
    }, { capture: true, passive: false });
  }
}
