// Images that follow the sliders of the page while they are dragged; when one is let go, the server draws them.
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
    const attributeFilter = ["value", "aria-valuetext"];
    this.observer.observe(document.body, { subtree: true, attributes: true, attributeFilter });
  }

  remove() {
    this.observer.disconnect();
    this.strip.remove();
  }

  // What the server has drawn now.
  update(data) {
    this.data = data;
    const [{ rows, through: [half] }] = data.followers;
    this.strip.update(data[rows], data.units, half);
    this.pale(false);
  }

  // Only for the slider in use: the server moves others, and draws what they say itself.
  follow() {
    const { followers, line, units } = this.data;
    this.strip.put();
    const key = [...(line ? [line.key] : []), ...Object.keys(units)].find((each) => this.slider(each));
    if (!key || !followers.every(({ through }) => through.every(networkOf))) return;
    const value = Number(this.slider(key).value);
    if (this.seen === `${key} ${value}`) return; // drawn already, by now perhaps by the server
    this.seen = `${key} ${value}`;
    const row = line ? Math.round((value - line.low) / line.step) : 0;
    for (const { key: place, rows, through } of followers) {
      if (!rows) continue;
      const width = this.data.widths[rows];
      const numbers = this.data[rows].slice(row * width, (row + 1) * width);
      if (!line) numbers[units[key]] = value;
      this.show(place, through.reduce((found, half) => networkOf(half).run(found), numbers));
    }
    this.pale(line && value !== line.value);
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
    const clipped = pixels.map((value) => Math.min(1, Math.max(0, value)));
    this.canvas.getContext("2d").putImageData(toImageData(clipped, this.data.shape), 0, 0);
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
