// A square whose points are codes of two units: the point under the hand is decoded here, at once.
const CELLS = 9; // pictures each way in the ground of the square
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
const planes = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const field = parentElement.querySelector(".field");
  if (!planes.has(field)) planes.set(field, new Plane(parentElement, setTriggerValue));
  planes.get(field).update(data);
  return () => {
    planes.get(field)?.remove();
    planes.delete(field);
  };
}

class Plane {
  constructor(parent, send) {
    [this.field, this.ground, this.handle, this.picture, this.caption] =
      [".field", ".ground", ".handle", ".picture", ".caption"].map((name) => parent.querySelector(name));
    this.send = send;
    this.onPart = () => this.draw();
    window.addEventListener("latent-map-part", this.onPart);
    const { field } = this;
    field.onpointerdown = (event) => {
      field.setPointerCapture(event.pointerId);
      this.held = true;
      this.follow(event);
    };
    field.onpointermove = (event) => this.held && this.follow(event);
    field.onpointerup = field.onpointercancel = () => {
      if (this.held) this.settle();
      this.held = false;
    };
    field.onkeydown = (event) => this.step(event);
    field.onkeyup = (event) => event.key in ARROWS && this.settle();
  }

  remove() {
    window.removeEventListener("latent-map-part", this.onPart);
  }

  update(data) {
    const given = JSON.stringify(data);
    if (given === this.given) return;
    Object.assign(this, { given, data });
    if (!this.held) this.code = data.code;
    this.draw();
  }

  follow(event) {
    const box = this.field.getBoundingClientRect();
    const { most } = this.data;
    this.move([
      ((event.clientX - box.left) / box.width) * 2 * most - most,
      most - ((event.clientY - box.top) / box.height) * 2 * most,
    ]);
  }

  step(event) {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault(); // the page would scroll
    const length = event.shiftKey ? 0.5 : 0.1;
    this.move(this.code.map((value, axis) => value + length * arrow[axis]));
  }

  move(code) {
    const { most } = this.data;
    this.code = code.map((value) => Math.round(Math.min(most, Math.max(-most, value)) * 100) / 100);
    this.draw();
  }

  settle() {
    this.send("settled", this.code);
  }

  draw() {
    const network = networkOf(this.data.part);
    const { code, field, data: { most } } = this;
    const [x, y] = code.map((value) => value.toFixed(2));
    field.setAttribute("aria-valuenow", x);
    field.setAttribute("aria-valuemin", -most);
    field.setAttribute("aria-valuemax", most);
    field.setAttribute("aria-valuetext", `unit 1 at ${x}, unit 2 at ${y}`);
    this.handle.style.left = `${((code[0] + most) / (2 * most)) * 100}%`;
    this.handle.style.top = `${((most - code[1]) / (2 * most)) * 100}%`;
    const missing = network === null ? "The decoder is on its way" : "The decoder did not arrive whole: reload the page";
    this.caption.textContent = network ? `Decoded from (${x}, ${y})` : missing;
    field.closest(".plane").ariaBusy = String(network === null);
    if (!network) return;
    if (this.network !== network) {
      this.network = network;
      this.drawGround();
    }
    const [, height, width] = network.shape;
    if (this.picture.width !== width || this.picture.height !== height) Object.assign(this.picture, { width, height });
    this.picture.getContext("2d").putImageData(toImageData(network.run(code), network.shape), 0, 0);
    this.picture.setAttribute("aria-label", this.caption.textContent);
  }

  // What the decoder draws all over the square.
  drawGround() {
    const [, height, width] = this.network.shape;
    Object.assign(this.ground, { width: CELLS * width, height: CELLS * height });
    const pen = this.ground.getContext("2d");
    for (let line = 0; line < CELLS; line++) {
      for (let column = 0; column < CELLS; column++) {
        const code = [column, CELLS - 1 - line].map((cell) => ((cell + 0.5) / CELLS - 0.5) * 2 * this.data.most);
        pen.putImageData(toImageData(this.network.run(code), this.network.shape), column * width, line * height);
      }
    }
  }
}
