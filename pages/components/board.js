// A board to draw on: what is on it is encoded and decoded here, with every stroke.
const INK = 0.8; // most clothes are a light gray
const RADIUS = 1.6; // of the brush, in pixels of the image; its edge is soft
const MOST = 3; // where the bars end; the prior of a code is the unit Gaussian
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const STATES = {
  away: "The network is on its way.",
  broken: "The network did not arrive whole, so nothing can be drawn here now. Reload the page to try again.",
};
const boards = new WeakMap();

export default function ({ data, parentElement }) {
  const paper = parentElement.querySelector(".paper");
  if (!boards.has(paper)) boards.set(paper, new Board(parentElement));
  boards.get(paper).update(data);
  return () => {
    boards.get(paper)?.remove();
    boards.delete(paper);
  };
}

class Board {
  constructor(parent) {
    for (const name of ["paper", "code", "rebuilt", "units", "state", "example", "clear"]) {
      this[name] = parent.querySelector(`.${name}`);
    }
    const { paper } = this;
    this.onPart = () => this.draw();
    window.addEventListener("latent-map-part", this.onPart);
    paper.onpointerdown = (event) => {
      if (event.button || !this.pixels) return;
      paper.setPointerCapture(event.pointerId);
      Object.assign(this, { held: true, keys: false, from: null });
      this.brush(this.place(event));
      this.draw();
    };
    paper.onpointermove = (event) => {
      if (!this.held) return;
      for (const each of event.getCoalescedEvents?.() ?? [event]) this.brush(this.place(each));
      this.draw();
    };
    paper.onpointerup = paper.onpointercancel = () => (this.held = false);
    paper.onkeydown = (event) => this.step(event);
    paper.onblur = () => this.draw();
    this.clear.onclick = () => this.put(new Float32Array(this.pixels.length), "");
    this.example.onclick = () => this.take();
    this.taken = -1;
  }

  remove() {
    window.removeEventListener("latent-map-part", this.onPart);
  }

  update(data) {
    this.data = data;
    this.draw();
  }

  // The next image of the set.
  take() {
    const { images, names, shape } = parts.get(this.data.examples);
    this.taken = (this.taken + 1) % names.length;
    const size = shape[1] * shape[2];
    const found = images.subarray(this.taken * size, (this.taken + 1) * size);
    this.put(Float32Array.from(found, (value) => value / 255), names[this.taken]);
  }

  put(pixels, name) {
    Object.assign(this, { pixels, name });
    this.draw();
  }

  place({ clientX, clientY }) {
    const box = this.paper.getBoundingClientRect();
    const [, height, width] = this.shape;
    return [((clientX - box.left) / box.width) * width, ((clientY - box.top) / box.height) * height];
  }

  step(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || !this.pixels) return;
    event.preventDefault(); // the page would scroll
    const [, height, width] = this.shape;
    const [x, y] = this.from ?? [width / 2, height / 2];
    const to = [Math.min(width, Math.max(0, x + arrow[0])), Math.min(height, Math.max(0, y + arrow[1]))];
    if (event.shiftKey) this.brush(to);
    Object.assign(this, { keys: true, from: to });
    this.draw();
  }

  // A line from where the brush was last: each pixel as light as it is near to it.
  brush([x, y]) {
    const [, height, width] = this.shape;
    const [fromX, fromY] = this.from ?? [x, y];
    const [alongX, alongY] = [x - fromX, y - fromY];
    const length = alongX ** 2 + alongY ** 2 || 1;
    for (let line = 0, at = 0; line < height; line++) {
      for (let column = 0; column < width; column++, at++) {
        const [right, down] = [column + 0.5 - fromX, line + 0.5 - fromY];
        const share = Math.min(1, Math.max(0, (right * alongX + down * alongY) / length));
        const away = Math.hypot(right - share * alongX, down - share * alongY);
        this.pixels[at] = Math.max(this.pixels[at], INK * Math.min(1, Math.max(0, RADIUS + 0.5 - away)));
      }
    }
    this.from = [x, y];
    this.name = "";
  }

  draw() {
    const [encoder, decoder] = [networkOf(this.data.encoder), networkOf(this.data.decoder)];
    const ready = encoder && decoder;
    this.paper.closest(".board").ariaBusy = String(!ready && encoder !== undefined && decoder !== undefined);
    this.state.textContent = ready ? "" : STATES[encoder === undefined || decoder === undefined ? "broken" : "away"];
    this.clear.hidden = !ready;
    this.example.hidden = !ready || !parts.has(this.data.examples);
    if (!ready) return;
    if (!this.pixels) {
      this.shape = encoder.shape;
      this.pixels = new Float32Array(this.shape[1] * this.shape[2]);
    }
    if (this.taken < 0 && !this.example.hidden) return this.take(); // a picture says more than an empty board
    const blank = !this.pixels.some((light) => light > 0); // no piece of clothing: what a network says of it is noise
    const code = encoder.run(this.pixels).map((unit) => (blank ? 0 : unit));
    this.show(this.paper, this.pixels);
    this.show(this.rebuilt, blank ? this.pixels : decoder.run(code));
    this.bars(code);
    if (this.keys && this.paper.matches(":focus")) this.mark();
    this.units.textContent = `Code, ${code.length} units`;
    this.paper.setAttribute("aria-label", `Drawing board: ${this.name || "your drawing"}`);
  }

  show(canvas, pixels) {
    const [, height, width] = this.shape;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    canvas.getContext("2d").putImageData(toImageData(pixels, this.shape), 0, 0);
  }

  // Where the arrow keys have brought the brush.
  mark() {
    const pen = this.paper.getContext("2d");
    pen.fillStyle = getComputedStyle(this.paper).outlineColor;
    pen.fillRect(Math.floor(this.from[0]) - 0.5, Math.floor(this.from[1]) - 0.5, 2, 2);
  }

  // A bar for every unit, up where it is positive and down where it is negative.
  bars(code) {
    const { clientWidth, clientHeight } = this.code;
    const [width, height] = [clientWidth, clientHeight].map((side) => side * (window.devicePixelRatio || 1));
    if (this.code.width !== width || this.code.height !== height) Object.assign(this.code, { width, height });
    const pen = this.code.getContext("2d");
    const style = getComputedStyle(this.code);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = style.color;
    pen.fillRect(0, height / 2, width, 1);
    pen.fillStyle = style.caretColor;
    const wide = width / code.length;
    code.forEach((value, unit) => {
      const long = (Math.max(-MOST, Math.min(MOST, value)) / MOST) * (height / 2);
      pen.fillRect(unit * wide, height / 2 - Math.max(long, 0), Math.max(1, wide - 1), Math.abs(long));
    });
  }
}
