// Pictures at their places: of the points in one cell of the grid, the one nearest its middle is drawn, from sprite sheets.
const GRAY = "rgb(128,128,128)";
const CIVIDIS = [
  "#00224e", "#0c3069", "#293d6e", "#414a6c", "#55576c", "#67656f", "#787274", "#898078", "#9b8f76", "#ae9e72", "#c2ae6b",
  "#d6be60", "#ebcf50", "#fee838",
];

class Tiles {
  constructor(map) {
    this.map = map;
    this.sheets = new Map();
    this.drawn = new Map(); // cell -> index of the point whose image is drawn there
    this.grid = null;
  }

  // With new points.
  forget() {
    for (const sheet of this.sheets.values()) sheet.bitmap?.close();
    this.sheets.clear();
  }

  // Whether all pictures were there.
  paint(pen, view) {
    const { colors, data, points } = this.map;
    const grid = this.map.viewport.grid(view, points.box);
    const best = this.nearest(grid);
    const part = this.map.part("pictures");
    const rim = colors.kind === "none" ? 0.5 : Math.max(1, Math.round((data.tile * scale()) / 14));
    this.grid = grid;
    let whole = true;
    best.forEach((index, cell) => {
      if (index < 0) return;
      const column = (cell % grid.columns) + grid.firstX;
      const line = Math.floor(cell / grid.columns) + grid.firstY;
      this.drawn.set(line * grid.across + column, index);
      if (!this.stamp(pen, part, index, grid.box(column, line), rim, this.colorOf(index))) whole = false;
    });
    return whole;
  }

  // Of every cell the index of its point, or -1.
  nearest({ left, top, wide, high, firstX, firstY, columns, lines }) {
    const { x, y } = this.map.points;
    const best = new Int32Array(columns * lines).fill(-1);
    const least = new Float64Array(columns * lines);
    for (let i = 0; i < x.length; i++) {
      if (!this.map.chart.shown(i)) continue;
      const across = (x[i] - left) / wide;
      const down = (top - y[i]) / high;
      const column = Math.floor(across) - firstX;
      const line = Math.floor(down) - firstY;
      if (column < 0 || line < 0 || column >= columns || line >= lines) continue;
      const off = (across - Math.floor(across) - 0.5) ** 2 + (down - Math.floor(down) - 0.5) ** 2;
      const cell = line * columns + column;
      if (best[cell] < 0 || off < least[cell]) {
        best[cell] = i;
        least[cell] = off;
      }
    }
    return best;
  }

  // Index of the image that is drawn over a place, or -1.
  at(x, y) {
    const { left, top, wide, high, across } = this.grid;
    return this.drawn.get(Math.floor((top - y) / high) * across + Math.floor((x - left) / wide)) ?? -1;
  }

  // The color of a point on the map, as plotly draws it.
  colorOf(index) {
    const { colors: { kind, values, low, high }, theme: { shades } } = this.map;
    if (kind === "none") return GRAY;
    if (kind === "class") return this.map.chart.colorOfClass(values[index]);
    const share = limit((values[index] - low) / (high - low), 1);
    return shades[Math.min(shades.length - 1, Math.floor(share * shades.length))];
  }

  // One image of a sprite sheet into a box of pixels, whole and undistorted; a gray box, and false, while its sheet is
  // being read.
  stamp(pen, part, index, [left, top, right, bottom], rim = 0, ground = GRAY) {
    const tile = this.map.points.tile[index];
    const bitmap = part && this.sheet(part, Math.floor(tile / part.per));
    pen.fillStyle = bitmap ? ground : "rgba(128,128,128,0.25)";
    pen.fillRect(left, top, right - left, bottom - top);
    if (!bitmap) return false;
    const { width, height, columns } = part;
    const place = tile % part.per;
    const scale = Math.min((right - left - 2 * rim) / width, (bottom - top - 2 * rim) / height);
    const [wide, high] = [width * scale, height * scale];
    pen.imageSmoothingEnabled = scale < 1 / window.devicePixelRatio;
    pen.drawImage(
      bitmap, (place % columns) * width, Math.floor(place / columns) * height, width, height,
      Math.round((left + right - wide) / 2), Math.round((top + bottom - high) / 2), Math.round(wide), Math.round(high),
    );
    return true;
  }

  sheet(part, number) {
    const key = `${part.id} ${number}`;
    const known = this.sheets.get(key);
    if (known) return known.bitmap;
    const entry = { bitmap: null };
    this.sheets.set(key, entry);
    readSheet(part.sheets[number]).then((bitmap) => {
      entry.bitmap = bitmap;
      this.map.show();
    });
    return null;
  }
}
