// A board to draw on with one brush, by hand or by keys. After every stroke the picture goes to Python as a PNG; what can
// follow the hand is told with every move, by an event with the pixels of the image that Python will make of it.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const boards = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const canvas = parentElement.querySelector("canvas");
  const [undo, clear] = parentElement.querySelectorAll("button");
  const brush = parentElement.querySelector("input");
  const mark = parentElement.querySelector(".brush");
  if (boards.has(canvas)) return;
  boards.set(canvas, true);
  canvas.width = data.width;
  canvas.height = data.height;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const whole = [0, 0, data.width, data.height];
  const before = [];
  const wipe = () => {
    pen.fillStyle = data.ground;
    pen.fillRect(...whole);
  };
  const show = () => window.dispatchEvent(new CustomEvent("aecore-drawn", { detail: reduced(pen, data) }));
  const tell = () => {
    show();
    setStateValue("drawing", canvas.toDataURL("image/png"));
  };
  const keep = () => {
    before.push(pen.getImageData(...whole));
    if (before.length > 20) before.shift();
  };
  wipe();
  if (data.drawing) {
    const earlier = new Image();
    earlier.onload = () => pen.drawImage(earlier, ...whole);
    earlier.src = data.drawing;
  }

  let last = null;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * data.width, ((event.clientY - box.top) / box.height) * data.height];
  };
  const stroke = (to) => {
    pen.strokeStyle = data.ink;
    pen.lineWidth = (Number(brush.value) / 28) * data.width;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...to);
    pen.stroke();
    last = to;
    show();
  };
  canvas.onpointerdown = (event) => {
    keep();
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    mark.hidden = true;
    stroke(last);
  };
  canvas.onpointermove = (event) => {
    if (last) stroke(place(event));
  };
  const lift = () => {
    if (!last) return;
    last = null;
    tell();
  };
  canvas.onpointerup = canvas.onpointercancel = lift;

  let at = [data.width / 2, data.height / 2];
  canvas.onkeydown = (event) => {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault(); // the page would scroll
    if (event.shiftKey && !last) {
      keep();
      last = at;
    }
    const step = data.width / 28;
    at = at.map((from, axis) => Math.min(whole[axis + 2], Math.max(0, from + step * arrow[axis])));
    if (event.shiftKey) stroke(at);
    Object.assign(mark.style, { left: `${(at[0] / data.width) * 100}%`, top: `${(at[1] / data.height) * 100}%` });
    mark.hidden = false;
  };
  canvas.onkeyup = (event) => event.key === "Shift" && lift();
  canvas.onblur = () => {
    lift();
    mark.hidden = true;
  };
  undo.onclick = () => {
    if (!before.length) return;
    pen.putImageData(before.pop(), 0, 0);
    tell();
  };
  clear.onclick = () => {
    keep();
    wipe();
    tell();
  };
}

// The mean of every square of `scale` dots, rounded after each direction, as Pillow does it. A drawing is gray.
function reduced(pen, { width, height, scale }) {
  const dots = pen.getImageData(0, 0, width, height).data;
  const [wide, high] = [width / scale, height / scale];
  const lines = new Float32Array(height * wide);
  for (let line = 0; line < height; line++) {
    for (let column = 0; column < width; column++) {
      lines[line * wide + Math.floor(column / scale)] += dots[(line * width + column) * 4];
    }
  }
  const pixels = new Float32Array(high * wide);
  lines.forEach((sum, place) => {
    pixels[Math.floor(place / wide / scale) * wide + (place % wide)] += Math.round(sum / scale);
  });
  return Uint8Array.from(pixels, (sum) => Math.round(sum / scale));
}
