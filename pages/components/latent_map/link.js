// Two maps of the same images, side by side: what the pointer is on, and which classes are shown, is the same on both.
const linked = (window.latentMapsLinked ??= new Set());

class Link {
  constructor(map) {
    this.map = map;
    this.row = null; // under the pointer on the other map
    linked.add(this);
  }

  remove() {
    linked.delete(this);
  }

  get others() {
    return this.map.data.beside ? [...linked].filter((link) => link !== this && link.map.data?.beside) : [];
  }

  // What the other map is made of, as far as it has arrived.
  part(name) {
    return parts.get(this.map.data.beside?.[name]);
  }

  get arrived() {
    return Boolean(this.part("points") && this.part("colors"));
  }

  // The image of this row is under the pointer here; none for null.
  point(row) {
    for (const { map, row: last } of this.others) if (last !== row) map.link.mark(row);
  }

  mark(row) {
    this.row = row;
    this.map.root.dataset.pointed = row ?? "";
    if (!this.map.chart.ready) return;
    this.map.card.show();
    this.map.paintMarks();
  }

  // Of the image that is pointed at on the other map, the index here, or -1.
  index() {
    return this.row === null ? -1 : this.map.indexOf(this.row);
  }

  // Of every class, whether it is shown here.
  isolate(visible) {
    for (const { map } of this.others) if (map.chart.ready) map.chart.show(visible);
  }

  // One scale for both where colors are numbers; { low, high }.
  scale(colors) {
    if (colors.kind !== "number") return {};
    const other = this.part("colors");
    const every = other?.title === colors.title ? [colors, other] : [colors];
    return { low: Math.min(...every.map(({ low }) => low)), high: Math.max(...every.map(({ high }) => high)) };
  }

  // For every point whether its image is in the area that was drawn on the other map.
  inside(area, classes) {
    if (!this.arrived) return null;
    const [points, colors] = [this.part("points"), this.part("colors")];
    const group = colors.kind === "class" ? colors.values : null;
    const rows = new Set();
    within(points, area, classes, group).forEach((is, index) => is && rows.add(rowOf(points, index)));
    return Uint8Array.from(this.map.points.x, (_, index) => rows.has(this.map.rowOf(index)));
  }
}
