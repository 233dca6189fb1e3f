// Images that follow the sliders of the page while they are dragged, or a board that is drawn on; when the hand lets go,
// the server draws them.
const PALE = "0.3";
const lives = new WeakMap();

export default function ({ data, parentElement }) {
  if (!lives.has(parentElement)) lives.set(parentElement, new Live(parentElement));
  lives.get(parentElement).update(unpack(data));
  return () => {
    lives.get(parentElement)?.remove();
    lives.delete(parentElement);
  };
}

class Live {
  constructor(parent) {
    this.strip = new Strip(parent);
    this.canvas = document.createElement("canvas");
    this.observer = new MutationObserver(() => this.follow());
    this.onDrawn = ({ detail }) => this.drawn(detail);
    window.addEventListener("aecore-drawn", this.onDrawn);
    const attributeFilter = ["value", "aria-valuetext"];
    this.observer.observe(document.body, { subtree: true, attributes: true, attributeFilter });
  }

  remove() {
    this.observer.disconnect();
    window.removeEventListener("aecore-drawn", this.onDrawn);
    this.strip.remove();
  }

  // What the server has drawn now.
  update(data) {
    this.data = data;
    const [{ rows, through: [half] }] = data.followers;
    this.strip.update(data[rows], data.units, half);
    this.pale((this.late = false));
    if (this.pixels) this.drawn(this.pixels); // the hand may have gone on since
  }

  get runs() {
    return this.data.followers.every(({ through }) => through.every(networkOf));
  }

  // What is on the board (h, w), with the noise of the page. What the server has drawn already, by its own rounding,
  // stays as it is.
  drawn(pixels) {
    const { clip, shape: [, height, width] } = this.data;
    this.pixels = pixels;
    if (clip === null || pixels.length !== height * width || !this.runs) return;
    const clean = Float32Array.from(this.data.clean, (_, place) => pixels[place % pixels.length] / 255);
    const known = clean.every((value, place) => Math.abs(value - this.data.clean[place]) < 1.5 / 255);
    if (known && !this.late) return;
    const { factor, offset } = this.data;
    const noisy = clean.map((value, place) => value * factor[place] + offset[place]);
    this.showAll({ clean, noisy: clip ? clipped(noisy) : noisy });
    this.pale((this.late = !known));
  }

  // Only for the slider in use: the server moves others, and draws what they say itself.
  follow() {
    const { followers, line, units } = this.data;
    this.strip.put();
    const key = [...(line ? [line.key] : []), ...Object.keys(units)].find((each) => this.slider(each));
    if (!key || !this.runs) return;
    const value = Number(this.slider(key).value);
    if (this.seen === `${key} ${value}`) return; // drawn already, by now perhaps by the server
    this.seen = `${key} ${value}`;
    const row = line ? Math.round((value - line.low) / line.step) : 0;
    const found = {};
    for (const { rows } of followers) {
      const width = this.data.widths[rows];
      if (!rows || (line && this.data[rows].length === width)) continue; // one row is of the board alone
      found[rows] = this.data[rows].slice(row * width, (row + 1) * width);
      if (!line) found[rows][units[key]] = value;
    }
    this.showAll(found);
    this.pale(line && value !== line.value);
  }

  showAll(found) {
    for (const { key, rows, through } of this.data.followers) {
      if (found[rows]) this.show(key, through.reduce((made, half) => networkOf(half).run(made), found[rows]));
    }
  }

  slider(key) {
    const input = document.querySelector(`.st-key-${key} input[type=range]`);
    return input && input === document.activeElement && input;
  }

  show(place, pixels) {
    const image = document.querySelector(`.st-key-${place} img`);
    if (!image) return;
    const [, height, width] = this.data.shape;
    Object.assign(this.canvas, { width, height });
    this.canvas.getContext("2d").putImageData(toImageData(clipped(pixels), this.data.shape), 0, 0);
    image.style.imageRendering = "pixelated";
    image.src = this.canvas.toDataURL();
  }

  // What says or shows another value than the slider's.
  pale(is) {
    for (const { key, rows, caption } of this.data.followers) {
      const what = rows ? caption && "[data-testid=stCaptionContainer]" : "img";
      const found = what && document.querySelector(`.st-key-${key} ${what}`);
      if (found) found.style.opacity = is ? PALE : "";
    }
  }
}

function clipped(pixels) {
  return pixels.map((value) => Math.min(1, Math.max(0, value)));
}
