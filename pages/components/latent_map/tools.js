// The tools: buttons, lasso and box, and Esc. An outline goes to Python, which finds the rows; it comes back as the area.
const TOOLS = [
  ["Move", "pan", "Drag to move, scroll to zoom"],
  ["Lasso", "lasso", "Draw around images to select them"],
  ["Box", "select", "Select a rectangle of images"],
  ["Reset", "reset", "Show everything again; Esc clears the selection"],
  ["Save", "save", "Save the map as a picture (PNG)"],
];

class Tools {
  constructor(map, head) {
    this.map = map;
    this.root = element("div", "latent-map-tools", head);
    for (const [name, mode, help] of TOOLS) {
      const button = element("button", "", this.root);
      Object.assign(button, { type: "button", textContent: name, title: help });
      button.dataset.tool = mode;
      button.onclick = () => this.press(mode);
    }
    map.stage.addEventListener("keydown", (event) => event.key === "Escape" && this.clear());
  }

  press(mode) {
    const { chart, points } = this.map;
    if (!chart.ready) return;
    const [left, right, bottom, top] = points.box;
    if (mode === "save") saveSnapshot(this.map);
    else if (mode === "reset") chart.change({ "xaxis.range": [left, right], "yaxis.range": [bottom, top] });
    else chart.change({ dragmode: mode });
    this.show();
  }

  // Which of them is in use.
  show() {
    const tool = this.map.chart.plot.layout.dragmode;
    for (const button of this.root.children) button.setAttribute("aria-pressed", String(button.dataset.tool === tool));
    this.map.root.dataset.tool = tool;
  }

  // Lasso and box: corners, and the classes that are shown, none for all.
  select({ lassoPoints, range }) {
    const { chart } = this.map;
    let outline;
    if (lassoPoints) outline = thinned(lassoPoints.x.map((x, i) => [x, lassoPoints.y[i]]), 60);
    else if (range) {
      const [[left, right], [bottom, top]] = [range.x, range.y];
      outline = [[left, bottom], [right, bottom], [right, top], [left, top]];
    } else return;
    const corners = outline.map((corner) => corner.map((value) => Number(value.toPrecision(5))));
    const classes = chart.isolated ? chart.visible.flatMap((on, group) => (on ? [group] : [])) : [];
    this.map.send("area", { corners, classes });
    chart.change({ selections: [] });
  }

  // For every point whether it is in the selected area, and of its classes; null without a selection.
  inside() {
    const { data: { area, classes, elsewhere }, points, chart: { group }, link } = this.map;
    if (!area.length) return null;
    return elsewhere ? link.inside(area, classes) : within(points, area, classes, group);
  }

  // Esc: no selection, all classes.
  clear() {
    this.map.chart.showAll();
    if (this.map.data.area.length) this.map.send("area", { corners: [], classes: [] });
  }
}

function thinned(places, most) {
  const every = Math.ceil(places.length / most);
  return places.filter((_, number) => number % every === 0);
}

// For every point whether it is in an area, and of these classes; of any for none.
function within({ x, y }, area, classes, group) {
  const found = new Uint8Array(x.length);
  for (let i = 0; i < x.length; i++) {
    found[i] = !(group && classes.length && !classes.includes(group[i])) && isWithin(area, x[i], y[i]);
  }
  return found;
}

function isWithin(corners, x, y) {
  let within = false;
  for (let a = 0, b = corners.length - 1; a < corners.length; b = a++) {
    const [[ax, ay], [bx, by]] = [corners[a], corners[b]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}
