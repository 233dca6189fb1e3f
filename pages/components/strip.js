// What a unit does, under the pointer: a strip of images decoded while it goes from low to high, the others kept.
const STRIP = 9; // images
const SIDE = 40; // pixels of each on the screen
const GAP = 6; // between the slider and its strip

class Strip {
  constructor(parent) {
    this.root = document.createElement("div");
    Object.assign(this.root, { className: "strip", hidden: true });
    this.root.setAttribute("role", "img");
    this.canvas = document.createElement("canvas");
    this.here = document.createElement("i");
    this.caption = document.createElement("p");
    this.root.append(this.canvas, this.here, this.caption);
    parent.append(this.root);
    this.units = {};
    const listen = {
      pointerover: (event) => (event.pointerType === "mouse" && event.buttons ? null : this.point(event)), // not in a drag
      pointerup: (event) => this.point(event.pointerType === "mouse" ? event : null),
      pointercancel: () => this.point(null),
      pointerdown: () => (this.keys = false),
      focusin: () => this.choose(),
      focusout: () => this.choose(null),
      keydown: (event) => {
        this.keys = true;
        this.choose(event.key === "Escape" ? null : this.wanted());
      },
    };
    this.listeners = Object.entries(listen);
    for (const [name, act] of this.listeners) document.addEventListener(name, act, true);
    this.onScroll = () => this.put();
    document.addEventListener("scroll", this.onScroll, true);
  }

  remove() {
    for (const [name, act] of this.listeners) document.removeEventListener(name, act, true);
    document.removeEventListener("scroll", this.onScroll, true);
    this.root.remove();
  }

  // The code, (latent,), which of its numbers each slider moves, by its key, and the decoder.
  update(code, units, half) {
    Object.assign(this, { code, units, half });
    if (this.key) this.draw();
  }

  keyOf(place) {
    return Object.keys(this.units).find((key) => place?.closest?.(`.st-key-${key}`));
  }

  // A finger hides what is below it.
  point(event) {
    this.hovered = event && this.keyOf(event.target);
    this.above = event?.pointerType === "touch";
    this.choose();
  }

  // The one under the pointer or, by the keyboard, the one in use.
  wanted() {
    return this.hovered ?? (this.keys ? this.keyOf(document.activeElement) : undefined);
  }

  choose(key = this.wanted()) {
    if (key === this.key) return;
    this.key = key;
    if (key && networkOf(this.half)) this.draw();
    else this.root.hidden = true;
  }

  draw() {
    const slider = document.querySelector(`.st-key-${this.key} input[type=range]`);
    const network = networkOf(this.half);
    if (!slider || !network) return;
    const [unit, low, high] = [this.units[this.key], Number(slider.min), Number(slider.max)];
    const [, height, width] = network.shape;
    Object.assign(this.canvas, { width: STRIP * width, height });
    const pen = this.canvas.getContext("2d");
    for (let step = 0; step < STRIP; step++) {
      const code = Float32Array.from(this.code);
      code[unit] = low + ((high - low) * step) / (STRIP - 1);
      pen.putImageData(toImageData(network.run(code), network.shape), step * width, 0);
    }
    const words = `Unit ${unit + 1} from ${low.toFixed(2)} to ${high.toFixed(2)}`;
    this.caption.textContent = words;
    this.root.setAttribute("aria-label", `Decoded images: ${words}`);
    this.root.hidden = false;
    this.put();
  }

  // Beside its slider, and on it a mark for where that stands.
  put() {
    if (this.root.hidden) return;
    const around = document.querySelector(`.st-key-${this.key}`);
    const slider = around?.querySelector("input[type=range]");
    if (!slider) return this.choose(null);
    const box = around.getBoundingClientRect();
    const wide = Math.min(STRIP * SIDE, document.documentElement.clientWidth - 2 * GAP);
    this.canvas.style.width = `${wide}px`;
    const share = (slider.value - slider.min) / (slider.max - slider.min || 1);
    this.here.style.left = `${((0.5 + share * (STRIP - 1)) / STRIP) * 100}%`;
    const left = Math.min(box.left, document.documentElement.clientWidth - this.root.offsetWidth - GAP);
    const below = box.bottom + GAP + this.root.offsetHeight < window.innerHeight;
    const top = this.above || !below ? box.top - this.root.offsetHeight - GAP : box.bottom + GAP;
    this.root.style.transform = `translate(${Math.round(Math.max(GAP, left))}px, ${Math.round(Math.max(GAP, top))}px)`;
  }
}
