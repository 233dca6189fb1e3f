// The latent map: plotly draws points and axes; pictures, the card under the pointer and all marks are drawn here.
// The same function serves two components. Given bytes it keeps them as a part, by name; given JSON it is the map.

const parts = (window.latentMapParts ??= new Map())
const maps = new WeakMap()
const KEEP = 24 // parts of maps that were left stay this many, newest last
const SYMBOLS = ["circle", "square", "diamond", "cross", "x", "triangle-up", "triangle-down", "star", "hexagon", "pentagon"]
const WITHOUT_WEBGL = 2000
const GRAY = "rgb(128,128,128)"
const CIVIDIS = [
  "#00224e", "#0c3069", "#293d6e", "#414a6c", "#55576c", "#67656f", "#787274", "#898078", "#9b8f76", "#ae9e72", "#c2ae6b",
  "#d6be60", "#ebcf50", "#fee838",
]
const TOOLS = [
  ["Move", "pan", "Drag to move, scroll to zoom"],
  ["Lasso", "lasso", "Draw around images to select them"],
  ["Box", "select", "Select a rectangle of images"],
  ["Reset", null, "Show everything again; Esc clears the selection"],
]

export default function ({ data, parentElement, setTriggerValue }) {
  if (data instanceof Uint8Array) {
    const part = unpack(data)
    if (!parts.has(part.id)) {
      parts.set(part.id, part)
      for (const id of [...parts.keys()].slice(0, Math.max(0, parts.size - KEEP))) parts.delete(id)
      window.dispatchEvent(new Event("latent-map-part"))
    }
    return
  }
  if (!maps.has(parentElement)) maps.set(parentElement, new LatentMap(parentElement, setTriggerValue))
  maps.get(parentElement).update(data)
  return () => {
    maps.get(parentElement)?.remove()
    maps.delete(parentElement)
  }
}

function unpack(bytes) {
  const copy = bytes.byteOffset % 8 ? bytes.slice() : bytes
  const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength)
  const length = view.getUint32(0, true)
  const part = JSON.parse(new TextDecoder().decode(copy.subarray(4, 4 + length)))
  const types = { float32: Float32Array, uint32: Uint32Array, uint16: Uint16Array, uint8: Uint8Array }
  const read = ([type, offset, count]) => new types[type](copy.buffer, copy.byteOffset + 4 + length + offset, count)
  for (const [name, entry] of Object.entries(part.arrays))
    part[name] = Array.isArray(entry[0]) ? entry.map(read) : read(entry)
  return part
}

// The script of plotly, from the server that serves this page; without such a route Python is asked for it.
let script = null
function plotly() {
  if (window.Plotly) return Promise.resolve(true)
  return (script ??= load())
}
async function load() {
  const url = new URL("assets/plotly.min.js", document.baseURI)
  const kind = await fetch(url, { method: "HEAD" }).then((answer) => answer.headers.get("content-type") ?? "", () => "")
  return kind.includes("javascript") && run(url)
}
let own = null
function byHand() {
  const part = parts.get("plotly")
  return part && (own ??= run(URL.createObjectURL(new Blob(part.script, { type: "text/javascript" }))))
}
function run(url) {
  return new Promise((done) => {
    const tag = document.createElement("script")
    tag.src = url
    tag.onload = () => done(Boolean(window.Plotly))
    tag.onerror = () => done(false)
    document.head.append(tag)
  })
}

const element = (tag, name, parent) => {
  const made = document.createElement(tag)
  made.className = name
  parent?.append(made)
  return made
}

const hasWebgl = () => {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"))
  } catch {
    return false
  }
}

class LatentMap {
  constructor(parent, send) {
    this.send = send
    this.root = element("div", "latent-map", parent)
    const head = element("div", "latent-map-head", this.root)
    this.line = element("div", "latent-map-line", head)
    this.line.setAttribute("aria-live", "polite")
    this.tools = element("div", "latent-map-tools", head)
    for (const [name, mode, help] of TOOLS) this.button(name, mode, help)
    this.stage = element("div", "latent-map-stage", this.root)
    this.under = element("canvas", "latent-map-under", this.stage)
    this.plot = element("div", "latent-map-plot", this.stage)
    this.over = element("canvas", "latent-map-over", this.stage)
    this.card = element("div", "latent-map-card", this.stage)
    this.pictures = element("div", "latent-map-pictures", this.card)
    this.caption = element("div", "latent-map-caption", this.card)
    this.stage.tabIndex = 0
    this.stage.setAttribute("role", "img")
    this.area = ""
    this.sheets = new Map()
    this.drawn = new Map() // cell -> index of the point whose image is drawn there
    this.pointer = null
    this.webgl = hasWebgl()
    this.onPart = () => this.refresh()
    window.addEventListener("latent-map-part", this.onPart)
    this.watch = new ResizeObserver(() => this.resize())
    this.watch.observe(this.stage)
    this.listen()
    this.touch()
  }

  button(name, mode, help) {
    const button = element("button", "", this.tools)
    Object.assign(button, { type: "button", textContent: name, title: help })
    button.dataset.tool = mode ?? ""
    button.onclick = () => {
      if (!this.ready) return
      const [left, right, bottom, top] = this.points.box
      const change = mode ? { dragmode: mode } : { "xaxis.range": [left, right], "yaxis.range": [bottom, top] }
      window.Plotly.relayout(this.plot, change)
      this.showTool()
    }
  }

  showTool() {
    for (const button of this.tools.children)
      button.setAttribute("aria-pressed", String(button.dataset.tool === this.plot.layout.dragmode))
    this.root.dataset.tool = this.plot.layout.dragmode
  }

  remove() {
    window.removeEventListener("latent-map-part", this.onPart)
    document.removeEventListener("pointerup", this.release, true)
    this.watch.disconnect()
    if (this.ready) window.Plotly.purge(this.plot)
    this.root.remove()
  }

  update(data) {
    this.data = data
    this.stage.setAttribute("aria-label", data.alt)
    this.refresh()
  }

  part(name) {
    return parts.get(this.data.parts[name])
  }

  // Draw what is new: the chart when points or colors are, the rest always.
  async refresh() {
    if (!this.data) return
    if (!(await plotly()) && !(await byHand())) {
      if (!this.asked) this.send("script", (this.asked = true))
      return
    }
    const points = this.part("points")
    const colors = this.part("colors")
    if (!points || !colors) return
    const style = getComputedStyle(this.root)
    const theme = (name) => style.getPropertyValue(`--st-${name}`).trim()
    const look = [theme("text-color"), theme("background-color")].join()
    if (this.points !== points) {
      for (const sheet of this.sheets.values()) sheet.bitmap?.close()
      this.sheets.clear()
    }
    if (this.points !== points || this.colors !== colors || this.look !== look) {
      Object.assign(this, { points, colors, look })
      this.theme = {
        ink: theme("text-color"), ground: theme("background-color"), accent: theme("primary-color"),
        border: theme("border-color"), font: theme("font"), palette: theme("chart-categorical-colors").split(","),
      }
      this.charted = this.chart()
    }
    await this.charted
    this.showArea()
    this.root.dataset.mode = this.data.mode
    this.root.dataset.ready = points.id
    this.paint()
    this.showCard()
  }

  async chart() {
    const { points, colors, theme } = this
    this.group = colors.kind === "class" ? colors.values : null
    this.visible = (colors.names ?? [""]).map(() => true)
    const drawn = this.webgl ? points.x.length : Math.min(points.x.length, WITHOUT_WEBGL)
    const size = drawn > 20000 ? 3 : drawn > 4000 ? 4 : 6
    const base = { type: this.webgl ? "scattergl" : "scatter", mode: "markers", hoverinfo: "skip" }
    const selected = { selected: { marker: { opacity: 0.95 } }, unselected: { marker: { opacity: 0.08 } } }
    const muted = { tickfont: { size: 10 }, showgrid: false, zeroline: false, ticks: "", nticks: 5 }
    let traces
    this.members = [] // of every trace, the points that it draws
    this.area = ""
    if (this.group) {
      traces = colors.names.map((name, group) => {
        const rows = []
        for (let i = 0; i < drawn; i++) if (this.group[i] === group) rows.push(i)
        const marker = {
          color: theme.palette[group % theme.palette.length], symbol: SYMBOLS[group % SYMBOLS.length], size, opacity: 0.75,
        }
        const take = (values) => Float32Array.from(rows, (i) => values[i])
        this.members.push(rows)
        return { ...base, ...selected, x: take(points.x), y: take(points.y), name: escaped(name), marker }
      })
    } else {
      const marker = { color: theme.accent, size, opacity: 0.6 }
      if (colors.values) {
        const bar = { thickness: 8, len: 0.5, y: 1, yanchor: "top", outlinewidth: 0, tickfont: { size: 10 }, nticks: 4 }
        bar.title = { text: escaped(colors.title), font: { size: 11 } }
        Object.assign(marker, { color: colors.values.subarray(0, drawn), colorscale: "Cividis", showscale: true })
        Object.assign(marker, { colorbar: bar, opacity: 0.85, cmin: colors.low, cmax: colors.high })
      }
      traces = [{ ...base, ...selected, x: points.x.subarray(0, drawn), y: points.y.subarray(0, drawn), marker }]
      this.members.push(Array.from({ length: drawn }, (_, i) => i))
    }
    const axis = (name, range) => ({ ...muted, range, title: { text: escaped(name), font: { size: 11 }, standoff: 4 } })
    const [left, right, bottom, top] = points.box
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: theme.font, color: theme.ink, size: 12 },
      margin: { l: 36, r: 8, t: 4, b: 34 }, hovermode: false, dragmode: this.plot.layout?.dragmode ?? "pan",
      xaxis: axis(points.names[0], [left, right]), yaxis: axis(points.names[1], [bottom, top]),
      showlegend: Boolean(this.group) && this.stage.clientWidth > 480, uirevision: points.id,
      legend: { itemsizing: "constant", itemclick: "toggleothers", itemdoubleclick: "toggle", font: { size: 12 } },
      newselection: { line: { color: theme.accent, width: 1.5, dash: "solid" } }, selections: [],
    }
    layout.width = this.stage.clientWidth
    layout.height = this.stage.clientHeight
    const plotGlPixelRatio = Math.min(2, window.devicePixelRatio) // plotly's own 2 is four times the work on plain screens
    const config = { scrollZoom: true, displayModeBar: false, doubleClick: "reset", plotGlPixelRatio }
    await window.Plotly.react(this.plot, traces, layout, config)
    if (!this.ready) {
      this.ready = true
      const paint = () => this.paint()
      for (const event of ["plotly_relayouting", "plotly_relayout", "plotly_afterplot"]) this.plot.on(event, paint)
      this.plot.on("plotly_restyle", () => this.isolate())
      this.plot.on("plotly_selected", (event) => event && this.select(event))
      this.plot.on("plotly_doubleclick", () => this.clear())
    }
    this.isolate()
    this.showTool()
  }

  resize() {
    const { width, height } = this.plot._fullLayout ?? {}
    if (!this.ready || (width === this.stage.clientWidth && height === this.stage.clientHeight)) return
    window.Plotly.relayout(this.plot, { width: this.stage.clientWidth, height: this.stage.clientHeight })
  }

  // Legend: which classes are shown.
  isolate() {
    this.visible = this.group ? this.plot.data.map((trace) => (trace.visible ?? true) === true) : [true]
    this.paint()
  }

  // All rows are on the map in their order, or those that are named.
  rowOf(index) {
    return this.points.rows ? this.points.rows[index] : index
  }

  shown(index) {
    return !this.group || this.visible[this.group[index]]
  }

  // The line above the map: what is drawn, and how far it is to be trusted.
  say() {
    let count = this.points.x.length
    if (this.group && this.visible.includes(false)) {
      count = 0
      for (const group of this.group) count += this.visible[group]
    }
    const words = [`${this.data.title}${count === this.points.of ? "" : `, ${count.toLocaleString("en")} shown`}`]
    if (!this.webgl && this.data.mode === "points" && count > WITHOUT_WEBGL)
      words.push(`This browser has no WebGL: the first ${WITHOUT_WEBGL.toLocaleString("en")} points are drawn`)
    else if (!this.webgl) words.push("Drawn without WebGL")
    this.line.textContent = this.line.title = words.join(" · ")
  }

  // Places. The axes keep their live range while one drags or scrolls, the public layout only the one before.
  view() {
    const drag = this.plot.querySelector(".nsewdrag")
    if (!drag) return null
    const box = drag.getBoundingClientRect()
    const stage = this.stage.getBoundingClientRect()
    const { xaxis, yaxis } = this.plot._fullLayout
    const [left, right] = xaxis.range
    const [bottom, top] = yaxis.range
    const [x, y, width, height] = [box.left - stage.left, box.top - stage.top, box.width, box.height]
    return {
      x, y, width, height, left, right, bottom, top,
      toX: (value) => x + ((value - left) / (right - left)) * width,
      toY: (value) => y + ((top - value) / (top - bottom)) * height,
      fromX: (pixel) => left + ((pixel - x) / width) * (right - left),
      fromY: (pixel) => top - ((pixel - y) / height) * (top - bottom),
    }
  }

  // Cells of a grid that is fixed to the box of the data: zooming in by two cuts them in half, moving does not move it.
  grid(view, box) {
    const [left, right, bottom, top] = box
    const count = (size, whole, part) => Math.max(1, Math.round((size / this.data.tile) * (whole / part)))
    const across = count(view.width, right - left, view.right - view.left)
    const down = count(view.height, top - bottom, view.top - view.bottom)
    const [wide, high] = [(right - left) / across, (top - bottom) / down]
    const limit = (value, most) => Math.min(most, Math.max(0, value))
    return {
      left, top, across, down, wide, high,
      firstX: limit(Math.floor((view.left - left) / wide), across),
      lastX: limit(Math.ceil((view.right - left) / wide), across),
      firstY: limit(Math.floor((top - view.top) / high), down),
      lastY: limit(Math.ceil((top - view.bottom) / high), down),
    }
  }

  paint() {
    if (!this.ready || this.painting) return
    this.painting = requestAnimationFrame(() => {
      this.painting = null
      const view = this.view()
      if (!view) return
      const under = fresh(this.under, this.stage, view)
      this.drawn.clear()
      if (this.data.mode === "images") this.paintImages(under, view)
      else if (this.data.mode === "decoder") this.paintLattice(under, view)
      this.paintMarks(fresh(this.over, this.stage, view), view)
      this.say()
    })
  }

  // Of the points in one cell, the one nearest its middle is drawn.
  chosen(view) {
    const { x, y, box } = this.points
    const grid = this.grid(view, box)
    const nx = grid.lastX - grid.firstX
    const ny = grid.lastY - grid.firstY
    const best = new Int32Array(nx * ny).fill(-1)
    const least = new Float64Array(nx * ny)
    for (let i = 0; i < x.length; i++) {
      if (!this.shown(i)) continue
      const across = (x[i] - grid.left) / grid.wide
      const down = (grid.top - y[i]) / grid.high
      const cx = Math.floor(across) - grid.firstX
      const cy = Math.floor(down) - grid.firstY
      if (cx < 0 || cy < 0 || cx >= nx || cy >= ny) continue
      const off = (across - Math.floor(across) - 0.5) ** 2 + (down - Math.floor(down) - 0.5) ** 2
      const cell = cy * nx + cx
      if (best[cell] < 0 || off < least[cell]) {
        best[cell] = i
        least[cell] = off
      }
    }
    return { grid, nx, best }
  }

  paintImages(pen, view) {
    const { grid, nx, best } = this.chosen(view)
    const part = this.part("pictures")
    const rim = this.colors.kind === "none" ? 0.5 : Math.max(1, Math.round(this.data.tile / 14))
    this.current = grid
    for (let cell = 0; cell < best.length; cell++) {
      const index = best[cell]
      if (index < 0) continue
      const cx = (cell % nx) + grid.firstX
      const cy = Math.floor(cell / nx) + grid.firstY
      this.drawn.set(cy * grid.across + cx, index)
      const left = view.toX(grid.left + cx * grid.wide)
      const top = view.toY(grid.top - cy * grid.high)
      const right = view.toX(grid.left + (cx + 1) * grid.wide)
      const bottom = view.toY(grid.top - (cy + 1) * grid.high)
      const box = [left, top, right, bottom].map(Math.round)
      this.stamp(pen, part, index, ...box, rim, this.colorOf(index))
    }
  }

  // The color of a point on the map, as plotly draws it.
  colorOf(index) {
    const { kind, values, low, high } = this.colors
    if (kind === "none") return GRAY
    if (kind === "class") return this.theme.palette[values[index] % this.theme.palette.length]
    const share = Math.min(1, Math.max(0, (values[index] - low) / (high - low)))
    return CIVIDIS[Math.min(CIVIDIS.length - 1, Math.floor(share * CIVIDIS.length))]
  }

  // One image of a sprite sheet into a box of pixels, whole and undistorted; false while its sheet is being read.
  stamp(pen, part, index, left, top, right, bottom, rim = 0, ground = GRAY) {
    const scale = part ? Math.min((right - left - 2 * rim) / part.width, (bottom - top - 2 * rim) / part.height) : 0
    const tile = this.points.tile[index]
    const bitmap = part && this.sheet(part, Math.floor(tile / part.per))
    if (!bitmap) {
      pen.fillStyle = "rgba(128,128,128,0.25)"
      pen.fillRect(left, top, right - left, bottom - top)
      return false
    }
    pen.fillStyle = ground
    pen.fillRect(left, top, right - left, bottom - top)
    const place = tile % part.per
    const [wide, high] = [part.width * scale, part.height * scale]
    pen.imageSmoothingEnabled = scale < 1 / window.devicePixelRatio
    pen.drawImage(
      bitmap, (place % part.columns) * part.width, Math.floor(place / part.columns) * part.height, part.width, part.height,
      Math.round((left + right - wide) / 2), Math.round((top + bottom - high) / 2), Math.round(wide), Math.round(high),
    )
    return true
  }

  sheet(part, number) {
    const key = `${part.id} ${number}`
    const known = this.sheets.get(key)
    if (known) return known.bitmap
    const entry = { bitmap: null }
    this.sheets.set(key, entry)
    createImageBitmap(new Blob([part.sheets[number]], { type: "image/webp" })).then((bitmap) => {
      entry.bitmap = bitmap
      this.paint()
      this.showCard()
    })
    return null
  }

  // The decoder: pictures on a regular lattice came with the page; between them one blends the four around.
  lattice() {
    const part = this.part("lattice")
    if (!part) return null
    if (!part.pixels && !part.reading) {
      part.reading = createImageBitmap(new Blob([part.sheets[0]], { type: "image/webp" })).then((bitmap) => {
        const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
        const pen = canvas.getContext("2d", { willReadFrequently: true })
        pen.drawImage(bitmap, 0, 0)
        part.pixels = pen.getImageData(0, 0, bitmap.width, bitmap.height).data
        part.stride = bitmap.width
        this.paint()
        this.showCard()
      })
    }
    return part.pixels ? part : null
  }

  // Blend the decoded picture at a place into RGBA `out` of `stride` pixels a line, from its pixel `offset` on.
  blend(part, x, y, out, stride, offset) {
    const [left, right, bottom, top] = part.box
    const last = part.count - 1
    const at = (value) => Math.min(last, Math.max(0, value * part.count - 0.5))
    const across = at((x - left) / (right - left))
    const down = at((top - y) / (top - bottom))
    const [cx, cy] = [Math.min(last - 1, Math.floor(across)), Math.min(last - 1, Math.floor(down))]
    const [fx, fy] = [across - cx, down - cy]
    const weights = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy]
    const { pixels, width, height } = part
    const step = part.stride * 4
    const start = cy * height * step + cx * width * 4
    for (let line = 0; line < height; line++) {
      let a = start + line * step
      let to = (offset + line * stride) * 4
      for (let column = 0; column < width; column++, a += 4, to += 4) {
        const [b, c] = [a + width * 4, a + height * step]
        const d = c + width * 4
        for (let channel = 0; channel < 3; channel++)
          out[to + channel] =
            weights[0] * pixels[a + channel] + weights[1] * pixels[b + channel] +
            weights[2] * pixels[c + channel] + weights[3] * pixels[d + channel] + 0.5
        out[to + 3] = 255
      }
    }
  }

  guessing(part, x, y) {
    const [left, right, bottom, top] = part.box
    const at = (value) => Math.min(part.count - 1, Math.max(0, Math.floor(value * part.count)))
    return part.far[at((top - y) / (top - bottom)) * part.count + at((x - left) / (right - left))] === 1
  }

  paintLattice(pen, view) {
    const part = this.lattice()
    if (!part) return
    const grid = this.grid(view, part.box)
    const [nx, ny] = [grid.lastX - grid.firstX, grid.lastY - grid.firstY]
    if (nx <= 0 || ny <= 0) return
    const picture = new ImageData(nx * part.width, ny * part.height)
    const far = []
    for (let line = 0; line < ny; line++)
      for (let column = 0; column < nx; column++) {
        const x = grid.left + (grid.firstX + column + 0.5) * grid.wide
        const y = grid.top - (grid.firstY + line + 0.5) * grid.high
        this.blend(part, x, y, picture.data, picture.width, line * part.height * picture.width + column * part.width)
        if (this.guessing(part, x, y)) far.push([column, line])
      }
    const canvas = new OffscreenCanvas(picture.width, picture.height)
    canvas.getContext("2d").putImageData(picture, 0, 0)
    const edgeX = (column) => Math.round(view.toX(grid.left + (grid.firstX + column) * grid.wide))
    const edgeY = (line) => Math.round(view.toY(grid.top - (grid.firstY + line) * grid.high))
    pen.imageSmoothingEnabled = (edgeX(1) - edgeX(0)) * window.devicePixelRatio < part.width
    for (let line = 0; line < ny; line++)
      for (let column = 0; column < nx; column++)
        pen.drawImage(
          canvas, column * part.width, line * part.height, part.width, part.height, edgeX(column), edgeY(line),
          edgeX(column + 1) - edgeX(column) - 1, edgeY(line + 1) - edgeY(line) - 1,
        )
    this.hatch(pen, far.map(([column, line]) => [edgeX(column), edgeY(line), edgeX(column + 1), edgeY(line + 1)]))
  }

  // Cells where the decoder is guessing: veiled and hatched.
  hatch(pen, boxes) {
    pen.save()
    pen.beginPath()
    for (const [left, top, right, bottom] of boxes) pen.rect(left, top, right - left, bottom - top)
    pen.clip()
    pen.globalAlpha = 0.62
    pen.fillStyle = this.theme.ground
    pen.fillRect(0, 0, this.stage.clientWidth, this.stage.clientHeight)
    pen.globalAlpha = 0.35
    pen.strokeStyle = this.theme.ink
    pen.lineWidth = 1
    pen.beginPath()
    for (let at = -this.stage.clientHeight; at < this.stage.clientWidth; at += 7) {
      pen.moveTo(at, this.stage.clientHeight)
      pen.lineTo(at + this.stage.clientHeight, 0)
    }
    pen.stroke()
    pen.restore()
  }

  // Marks: the picked image, a path, a cloud of samples, a picked place.
  paintMarks(pen, view) {
    const { marks, row } = this.data
    const { accent, ground } = this.theme
    const at = (place) => [view.toX(place[0]), view.toY(place[1])]
    const stroke = (draw, width = 2) => {
      for (const [color, thick] of [[ground, width + 3], [accent, width]]) {
        Object.assign(pen, { strokeStyle: color, lineWidth: thick })
        pen.beginPath()
        draw()
        pen.stroke()
      }
    }
    const dot = (place, radius, full) => {
      const [x, y] = at(place)
      if (full) {
        pen.fillStyle = accent
        pen.beginPath()
        pen.arc(x, y, radius, 0, 7)
        pen.fill()
      } else stroke(() => pen.arc(x, y, radius, 0, 7))
    }
    const { area } = this.data
    if (area.length)
      stroke(() => {
        area.forEach((corner, number) => pen[number ? "lineTo" : "moveTo"](...at(corner)))
        pen.closePath()
      }, 1.5)
    if (marks.path) {
      stroke(() => marks.path.forEach((place, step) => pen[step ? "lineTo" : "moveTo"](...at(place))))
      for (const place of marks.path) dot(place, 3, true)
    }
    if (marks.ellipse) {
      const [x, y, rx, ry] = marks.ellipse
      const [cx, cy] = at([x, y])
      stroke(() => pen.ellipse(cx, cy, Math.abs(view.toX(x + rx) - cx), Math.abs(view.toY(y + ry) - cy), 0, 0, 7), 1.5)
    }
    for (const place of marks.dots ?? []) dot(place, 4, true)
    if (marks.place) {
      const [x, y] = at(marks.place)
      stroke(() => {
        for (const [dx, dy] of [[1, 0], [0, 1]]) {
          pen.moveTo(x - 9 * dx, y - 9 * dy)
          pen.lineTo(x + 9 * dx, y + 9 * dy)
        }
      })
    }
    const index = row === null ? -1 : this.points.rows ? this.points.rows.indexOf(row) : row
    if (index >= 0) dot([this.points.x[index], this.points.y[index]], 8, false)
  }

  // The pointer.
  listen() {
    this.stage.addEventListener("pointermove", (event) => {
      const inPlot = event.target.classList?.contains("nsewdrag") && !event.buttons
      this.pointer = inPlot ? this.locate(event) : null
      this.showCard()
    })
    this.stage.addEventListener("pointerleave", () => {
      this.pointer = null
      this.showCard()
    })
    this.stage.addEventListener("pointerdown", (event) => {
      this.pressed = event.target.classList?.contains("nsewdrag") && event.button === 0 ? [event.clientX, event.clientY] : null
    }, true)
    this.release = (event) => {
      const pressed = this.pressed
      this.pressed = null
      if (!pressed) return
      this.stage.focus({ preventScroll: true }) // so that Esc comes here
      const moved = Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 4
      if (!moved) this.click(this.locate(event))
    }
    document.addEventListener("pointerup", this.release, true) // plotly covers the page while one drags
    this.stage.addEventListener("keydown", (event) => event.key === "Escape" && this.clear())
  }

  // One finger scrolls the page or taps, two move and zoom the map; with Lasso or Box one finger draws.
  touch() {
    let start = null
    const both = (event) => {
      const [[ax, ay], [bx, by]] = [...event.touches].map((finger) => this.locate(finger))
      return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.max(1, Math.hypot(ax - bx, ay - by)) }
    }
    this.stage.addEventListener("touchstart", (event) => {
      if (event.touches.length === 1 && this.root.dataset.tool !== "pan") return
      event.stopPropagation()
      start = event.touches.length === 2 && this.ready ? { ...both(event), view: this.view() } : null
      if (start) this.pressed = null
    }, { capture: true, passive: true })
    this.stage.addEventListener("touchmove", (event) => {
      if (!start || event.touches.length !== 2) return
      event.preventDefault()
      const { view } = start
      const now = both(event)
      const scale = start.apart / now.apart
      const [wide, high] = [(view.right - view.left) * scale, (view.top - view.bottom) * scale]
      const left = view.fromX(start.x) - ((now.x - view.x) / view.width) * wide
      const top = view.fromY(start.y) + ((now.y - view.y) / view.height) * high
      window.Plotly.relayout(this.plot, { "xaxis.range": [left, left + wide], "yaxis.range": [top - high, top] })
    }, { capture: true, passive: false })
  }

  locate(event) {
    const stage = this.stage.getBoundingClientRect()
    return [event.clientX - stage.left, event.clientY - stage.top]
  }

  // Index of the image under a place on the screen, or -1.
  indexAt(pixel) {
    const view = this.view()
    const [x, y] = [view.fromX(pixel[0]), view.fromY(pixel[1])]
    if (this.data.mode === "images" && this.current) {
      const { left, top, wide, high, across } = this.current
      return this.drawn.get(Math.floor((top - y) / high) * across + Math.floor((x - left) / wide)) ?? -1
    }
    const [scaleX, scaleY] = [view.width / (view.right - view.left), view.height / (view.top - view.bottom)]
    let [best, least] = [-1, 14 ** 2]
    for (let i = 0; i < this.points.x.length; i++) {
      const off = ((this.points.x[i] - x) * scaleX) ** 2 + ((this.points.y[i] - y) * scaleY) ** 2
      if (off < least && this.shown(i)) [best, least] = [i, off]
    }
    return best
  }

  click(pixel) {
    if (this.data.mode === "decoder") {
      const view = this.view()
      this.send("place", [view.fromX(pixel[0]), view.fromY(pixel[1])])
      return
    }
    const index = this.indexAt(pixel)
    if (index >= 0) this.send("click", this.rowOf(index))
  }

  // The card over the pointer.
  showCard() {
    if (!this.ready || !this.pointer) return void (this.card.dataset.shown = "")
    const view = this.view()
    if (this.data.mode === "decoder") return this.cardOfPlace(view)
    const index = this.indexAt(this.pointer)
    if (index < 0) return void (this.card.dataset.shown = "")
    const place =
      this.data.mode === "images" ? this.pointer : [view.toX(this.points.x[index]), view.toY(this.points.y[index])]
    const row = this.rowOf(index)
    const names = [["pictures", "image"], ["rebuilt", "reconstruction"]]
    this.cells(names.map((name) => name[1]))
    names.forEach(([name], number) => {
      const part = this.part(name)
      const pen = this.canvas(number, part ?? { width: 1, height: 1 })
      this.stamp(pen, part, index, 0, 0, pen.canvas.width, pen.canvas.height)
    })
    const { colors } = this
    const value = colors.kind === "class" ? colors.names[colors.values[index]] : colors.values?.[index]
    const said = typeof value === "number" ? `${colors.title} ${+value.toPrecision(4)}` : value
    this.caption.textContent = `Image ${row}${said === undefined ? "" : ` · ${said}`}`
    this.put(place, row)
  }

  cardOfPlace(view) {
    const part = this.lattice()
    const [x, y] = [view.fromX(this.pointer[0]), view.fromY(this.pointer[1])]
    const [left, right, bottom, top] = part?.box ?? [0, 0, 0, 0]
    if (!(x >= left && x <= right && y >= bottom && y <= top)) return void (this.card.dataset.shown = "")
    this.cells(["decoded"])
    const pen = this.canvas(0, part)
    const picture = new ImageData(part.width, part.height)
    this.blend(part, x, y, picture.data, part.width, 0)
    pen.putImageData(picture, 0, 0)
    const words = this.guessing(part, x, y) ? " · far from any code: guessing" : ""
    this.caption.textContent = `(${x.toFixed(2)}, ${y.toFixed(2)})${words}`
    this.put(this.pointer, "place")
  }

  cells(titles) {
    while (this.pictures.children.length > titles.length) this.pictures.lastChild.remove()
    titles.forEach((title, number) => {
      const figure = this.pictures.children[number] ?? element("figure", "", this.pictures)
      if (!figure.firstChild) {
        element("canvas", "", figure)
        element("figcaption", "", figure)
      }
      figure.lastChild.textContent = title
    })
  }

  canvas(number, { width, height }) {
    const canvas = this.pictures.children[number].firstChild
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
    return canvas.getContext("2d", { willReadFrequently: true })
  }

  put([x, y], name) {
    const [wide, high] = [this.card.offsetWidth, this.card.offsetHeight]
    const left = Math.min(Math.max(4, x - wide / 2), this.stage.clientWidth - wide - 4)
    const above = y - high - 14
    this.card.style.transform = `translate(${Math.round(left)}px, ${Math.round(above < 0 ? y + 18 : above)}px)`
    this.card.dataset.shown = String(name)
  }

  // Lasso and box: the outline goes to Python, which finds the rows; the same outline stays on the map.
  select(event) {
    const { lassoPoints, range } = event
    let outline
    if (lassoPoints) outline = thinned(lassoPoints.x.map((x, i) => [x, lassoPoints.y[i]]), 60)
    else if (range) {
      const [[left, right], [bottom, top]] = [range.x, range.y]
      outline = [[left, bottom], [right, bottom], [right, top], [left, top]]
    } else return
    const round = (value) => Number(value.toPrecision(5))
    const classes = this.group && this.visible.includes(false) ? this.visible.flatMap((on, group) => (on ? [group] : [])) : []
    this.send("area", { corners: outline.map(([x, y]) => [round(x), round(y)]), classes })
    window.Plotly.relayout(this.plot, { selections: [] })
  }

  // The outline is drawn with the marks, and what is outside is dimmed here: plotly would forget both with new points.
  async showArea() {
    const wanted = JSON.stringify([this.data.area, this.data.classes])
    if (this.area === wanted) return
    this.area = wanted
    const inside = this.inside()
    this.root.dataset.selected = inside ? String(inside.reduce((sum, one) => sum + one, 0)) : ""
    const places = (rows) => rows.flatMap((i, place) => (inside[i] ? [place] : []))
    await window.Plotly.restyle(this.plot, { selectedpoints: this.members.map((rows) => (inside ? places(rows) : null)) })
  }

  // For every point whether it is in the selected area, and of its classes; null without a selection.
  inside() {
    const { area, classes } = this.data
    if (!area.length) return null
    const { x, y } = this.points
    const found = new Uint8Array(x.length)
    for (let i = 0; i < x.length; i++) {
      if (this.group && classes.length && !classes.includes(this.group[i])) continue
      let within = false
      for (let a = 0, b = area.length - 1; a < area.length; b = a++) {
        const [[ax, ay], [bx, by]] = [area[a], area[b]]
        if (ay > y[i] !== by > y[i] && x[i] < ((bx - ax) * (y[i] - ay)) / (by - ay) + ax) within = !within
      }
      found[i] = within
    }
    return found
  }

  // Esc: no selection, all classes.
  clear() {
    if (this.group && this.visible.includes(false)) window.Plotly.restyle(this.plot, { visible: true })
    if (this.data.area.length) this.send("area", { corners: [], classes: [] })
  }
}

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const thinned = (places, most) => {
  const every = Math.ceil(places.length / most)
  return places.filter((_, number) => number % every === 0)
}

// A canvas as large as the stage, sharp on dense screens, cleared, and open only where the plot is.
function fresh(canvas, stage, view) {
  const ratio = window.devicePixelRatio
  const [width, height] = [Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio)]
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  const pen = canvas.getContext("2d")
  pen.restore() // a clip cannot be widened again: each frame goes back to before the last one
  pen.setTransform(1, 0, 0, 1, 0, 0)
  pen.clearRect(0, 0, width, height)
  pen.setTransform(ratio, 0, 0, ratio, 0, 0)
  pen.save()
  pen.beginPath()
  pen.rect(view.x, view.y, view.width, view.height)
  pen.clip()
  return pen
}
