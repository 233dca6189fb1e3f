// The latent map: plotly draws points and axes; pictures, the card under the pointer and all marks are drawn here.
// The same function serves two components. Given bytes it keeps them as a part, by name; given JSON it is the map.
const maps = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  if (data instanceof Uint8Array) return keepPart(data);
  if (!maps.has(parentElement)) maps.set(parentElement, new LatentMap(parentElement, setTriggerValue));
  maps.get(parentElement).update(data);
  return () => {
    maps.get(parentElement)?.remove();
    maps.delete(parentElement);
  };
}

class LatentMap {
  constructor(parent, send) {
    this.send = send;
    this.root = element("div", "latent-map", parent);
    this.root.ariaBusy = "true"; // until all that is known is painted
    const head = element("div", "latent-map-head", this.root);
    this.line = element("div", "latent-map-line", head);
    this.line.setAttribute("aria-live", "polite");
    this.stage = element("div", "latent-map-stage", this.root);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-description", KEYS);
    this.tools = new Tools(this, head);
    this.under = element("canvas", "latent-map-under", this.stage);
    this.chart = new Chart(this);
    this.over = element("canvas", "latent-map-over", this.stage);
    this.card = new Card(this);
    this.viewport = new Viewport(this);
    this.pointer = new Pointer(this);
    this.tiles = new Tiles(this);
    this.lattice = new Lattice(this);
    this.link = new Link(this);
    this.onPart = () => this.refresh();
    window.addEventListener("latent-map-part", this.onPart);
  }

  remove() {
    window.removeEventListener("latent-map-part", this.onPart);
    this.pointer.remove();
    this.link.remove();
    this.chart.remove();
    this.root.remove();
  }

  update(data) {
    this.data = data;
    this.stage.setAttribute("aria-label", data.alt);
    this.root.toggleAttribute("data-beside", Boolean(data.beside));
    this.refresh();
  }

  part(name) {
    return parts.get(this.data.parts[name]);
  }

  // The decoder, where the browser can run it.
  network() {
    return networkOf(this.data.parts.decoder);
  }

  // Draw what is new: the chart when points or colors are, the rest always.
  async refresh() {
    if (!this.data) return;
    this.root.ariaBusy = "true";
    if (!(await hasPlotly())) {
      if (!this.asked) this.send("script", (this.asked = true));
      return;
    }
    const [points, colors] = [this.part("points"), this.part("colors")];
    if (!points || !colors) return;
    const [theme, range] = [this.readTheme(), this.link.scale(colors)];
    const look = [theme.ink, theme.ground, colors.id, range.low, range.high, scale()].join();
    if (this.points !== points || this.look !== look) {
      if (this.points !== points) this.tiles.forget();
      Object.assign(this, { points, colors: { ...colors, ...range }, look, theme });
      this.charted = this.chart.draw();
    }
    await this.charted;
    this.chart.dim();
    this.root.dataset.mode = this.data.mode;
    this.root.dataset.ready = points.id;
    this.show();
  }

  readTheme() {
    const style = getComputedStyle(this.root);
    const read = (name) => style.getPropertyValue(`--st-${name}`).trim();
    const pen = document.createElement("canvas").getContext("2d");
    pen.fillStyle = read("background-color"); // read again, it is #rrggbb, however it was written
    const dark = parseInt(pen.fillStyle.slice(1, 3), 16) < 128;
    return {
      ink: read("text-color"), ground: read("background-color"), accent: read("primary-color"), font: read("font"),
      palette: read("chart-categorical-colors").split(","),
      shades: dark ? CIVIDIS.slice(2) : CIVIDIS.slice(0, -3), // without those that the ground swallows
    };
  }

  show() {
    this.paint();
    this.card.show();
  }

  paint() {
    if (!this.chart.ready || this.painting) return;
    this.painting = requestAnimationFrame(() => {
      this.painting = null;
      const view = this.viewport.view();
      if (!view) return;
      const under = fresh(this.under, this.stage, view);
      this.tiles.drawn.clear();
      let whole = true;
      if (this.data.mode === "images") whole = this.tiles.paint(under, view);
      else if (this.data.mode === "decoder") whole = this.lattice.paint(under, view);
      this.paintMarks();
      this.say();
      this.root.ariaBusy = String(!whole);
    });
  }

  paintMarks() {
    const view = this.viewport.view();
    if (view) paintMarks(this, fresh(this.over, this.stage, view), view);
  }

  // The line above the map: what is drawn, and how far it is to be trusted.
  say() {
    const count = this.chart.count();
    const words = [`${this.data.title}${count === this.points.of ? "" : `, ${count.toLocaleString("en")} shown`}`];
    if (!this.chart.webgl) {
      const tooMany = this.data.mode === "points" && count > WITHOUT_WEBGL;
      const few = `This browser has no WebGL: the first ${WITHOUT_WEBGL.toLocaleString("en")} points are drawn`;
      words.push(tooMany ? few : "Drawn without WebGL");
    }
    this.line.textContent = this.line.title = this.pointer.byKeys ? KEYS : words.join(" · ");
  }

  rowOf(index) {
    return rowOf(this.points, index);
  }

  indexOf(row) {
    return this.points.rows ? this.points.rows.indexOf(row) : row;
  }

  // Where a point is on the screen; of one that is beyond the plot, the nearest place in it.
  pixelOf(index) {
    const { x, y, width, height, toX, toY } = this.viewport.view();
    const { points } = this;
    return [x + limit(toX(points.x[index]) - x, width), y + limit(toY(points.y[index]) - y, height)];
  }

  // Index of the image under a place on the screen, or -1.
  indexAt(pixel) {
    const view = this.viewport.view();
    const [x, y] = [view.fromX(pixel[0]), view.fromY(pixel[1])];
    if (this.data.mode === "images" && this.tiles.grid) return this.tiles.at(x, y);
    const [scaleX, scaleY] = [view.width / (view.right - view.left), view.height / (view.top - view.bottom)];
    const { points } = this;
    let [best, least] = [-1, 14 ** 2];
    for (let i = 0; i < points.x.length; i++) {
      const off = ((points.x[i] - x) * scaleX) ** 2 + ((points.y[i] - y) * scaleY) ** 2;
      if (off < least && this.chart.shown(i)) [best, least] = [i, off];
    }
    return best;
  }
}

// All rows are on a map in their order, or those that are named.
function rowOf(points, index) {
  return points.rows ? points.rows[index] : index;
}
