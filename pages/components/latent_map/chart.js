// The chart that plotly draws: points, axes and the legend, by which classes are shown.
const SYMBOLS = ["circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "star", "hexagon", "pentagon"];
const WITHOUT_WEBGL = 2000;

class Chart {
  constructor(map) {
    this.map = map;
    this.plot = element("div", "latent-map-plot", map.stage);
    this.webgl = hasWebgl();
    this.group = null; // of every point its class, if they are colored by it
    this.visible = []; // of every class whether it is shown
    this.members = []; // of every trace the points that it draws
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(map.stage);
  }

  remove() {
    this.watch.disconnect();
    if (this.ready) window.Plotly.purge(this.plot);
    this.ready = false;
  }

  async draw() {
    const { points, colors } = this.map;
    this.group = colors.kind === "class" ? colors.values : null;
    this.visible = (colors.names ?? []).map(() => true);
    this.dimmed = "";
    this.large = scale();
    const drawn = this.webgl ? points.x.length : Math.min(points.x.length, WITHOUT_WEBGL);
    const traces = this.group ? this.tracesOfClasses(drawn) : [this.traceOfAll(drawn)];
    const plotGlPixelRatio = Math.min(2, window.devicePixelRatio); // plotly's own 2 is four times the work on plain screens
    const config = { scrollZoom: true, displayModeBar: false, doubleClick: "reset", plotGlPixelRatio };
    await window.Plotly.react(this.plot, traces, this.layout(), config);
    if (!this.ready) {
      this.ready = true;
      const paint = () => this.map.paint();
      for (const event of ["plotly_relayouting", "plotly_relayout", "plotly_afterplot"]) this.plot.on(event, paint);
      this.plot.on("plotly_restyle", () => {
        this.isolate();
        this.map.link.isolate(this.visible);
      });
      this.plot.on("plotly_selected", (event) => event && this.map.tools.select(event));
      this.plot.on("plotly_doubleclick", () => this.map.tools.clear());
    }
    this.isolate();
    this.map.tools.show();
  }

  // What all traces share.
  trace(marker) {
    return {
      type: this.webgl ? "scattergl" : "scatter", mode: "markers", hoverinfo: "skip", marker,
      selected: { marker: { opacity: 0.95 } }, unselected: { marker: { opacity: 0.08 } },
    };
  }

  // What belongs to no class stands back.
  colorOfClass(group) {
    const { colors, theme } = this.map;
    return colors.rest && group === colors.names.length - 1 ? GRAY : theme.palette[group % theme.palette.length];
  }

  tracesOfClasses(drawn) {
    const { points, colors } = this.map;
    this.members = colors.names.map(() => []);
    for (let i = 0; i < drawn; i++) this.members[this.group[i]]?.push(i);
    return this.members.map((rows, group) => {
      const take = (values) => Float32Array.from(rows, (i) => values[i]);
      const symbol = SYMBOLS[group % SYMBOLS.length];
      const marker = { color: this.colorOfClass(group), symbol, size: sizeOf(drawn), opacity: 0.75 };
      return { ...this.trace(marker), x: take(points.x), y: take(points.y), name: escaped(colors.names[group]) };
    });
  }

  traceOfAll(drawn) {
    const { points, colors, theme } = this.map;
    const large = scale();
    this.members = [Array.from({ length: drawn }, (_, i) => i)];
    const marker = { color: theme.accent, size: sizeOf(drawn), opacity: 0.6 };
    if (colors.values) {
      const colorbar = {
        thickness: 8 * large, len: 0.5, y: 1, yanchor: "top", outlinewidth: 0, tickfont: { size: 10 * large }, nticks: 4,
        exponentformat: "none",
        title: { text: escaped(colors.title), font: { size: 11 * large } },
      };
      Object.assign(marker, {
        color: colors.values.subarray(0, drawn), showscale: true, colorbar, opacity: 0.85,
        cmin: colors.low, cmax: colors.high,
        colorscale: theme.shades.map((shade, place, { length }) => [place / (length - 1), shade]),
      });
    }
    return { ...this.trace(marker), x: points.x.subarray(0, drawn), y: points.y.subarray(0, drawn) };
  }

  layout() {
    const { points, theme, stage } = this.map;
    const [left, right, bottom, top] = points.box;
    const large = scale();
    const axis = (name, range) => ({
      tickfont: { size: 10 * large }, showgrid: false, zeroline: false, ticks: "", nticks: 5, range,
      title: { text: escaped(name), font: { size: 11 * large }, standoff: 4 },
    });
    const below = stage.clientWidth <= 480; // on a phone there is no room beside the map
    return {
      width: stage.clientWidth, height: stage.clientHeight,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: theme.font, color: theme.ink, size: 12 * large },
      margin: { l: 36 * large, r: 8, t: 4, b: 34 * large }, hovermode: false, dragmode: this.plot.layout?.dragmode ?? "pan",
      xaxis: axis(points.names[0], [left, right]), yaxis: axis(points.names[1], [bottom, top]),
      showlegend: Boolean(this.group), uirevision: points.id,
      legend: {
        itemsizing: "constant", itemclick: "toggleothers", itemdoubleclick: "toggle", font: { size: (below ? 10 : 12) * large },
        ...(below ? { orientation: "h", y: -0.1, itemwidth: 30 } : {}),
      },
      newselection: { line: { color: theme.accent, width: 1.5, dash: "solid" } }, selections: [],
    };
  }

  change(layout) {
    window.Plotly.relayout(this.plot, layout);
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.map.stage;
    if (!this.ready || !width) return; // without a width the map is leaving the page
    if (this.large !== scale()) this.map.refresh(); // one began to present, or ended it
    const now = this.plot._fullLayout;
    if (now.width !== width || now.height !== height) this.change({ width, height });
  }

  // Legend: which classes are shown.
  isolate() {
    if (this.group) this.visible = this.plot.data.map((trace) => (trace.visible ?? true) === true);
    this.map.paint();
  }

  get isolated() {
    return this.visible.includes(false);
  }

  shown(index) {
    return !this.group || this.visible[this.group[index]];
  }

  // Show these classes and no other.
  show(visible) {
    if (visible.length !== this.visible.length || visible.join() === this.visible.join()) return;
    window.Plotly.restyle(this.plot, { visible: visible.map((is) => is || "legendonly") });
  }

  showAll() {
    this.show(this.visible.map(() => true));
  }

  // Of all classes and each alone, the next one or the one before.
  showNext(step) {
    if (!this.group) return;
    const ways = this.visible.length + 1;
    const next = ((this.isolated ? this.visible.indexOf(true) + 1 : 0) + step + ways) % ways;
    const visible = this.visible.map((_, group) => next === 0 || group === next - 1 || "legendonly");
    window.Plotly.restyle(this.plot, { visible });
  }

  // How many points are shown.
  count() {
    return this.isolated ? this.group.reduce((sum, group) => sum + this.visible[group], 0) : this.map.points.x.length;
  }

  // What is outside the selected area is dimmed here: plotly would forget a selection of its own with new points.
  async dim() {
    const { data: { area, classes, elsewhere }, link } = this.map;
    const wanted = JSON.stringify([area, classes, elsewhere && link.arrived]);
    if (this.dimmed === wanted) return;
    this.dimmed = wanted;
    const inside = this.map.tools.inside();
    this.map.root.dataset.selected = inside ? String(inside.reduce((sum, one) => sum + one, 0)) : "";
    const places = (rows) => rows.flatMap((i, place) => (inside[i] ? [place] : []));
    await window.Plotly.restyle(this.plot, { selectedpoints: this.members.map((rows) => (inside ? places(rows) : null)) });
  }
}

function sizeOf(drawn) {
  return (drawn > 20000 ? 3 : drawn > 4000 ? 4 : 6) * scale();
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
