// A board to draw on with one brush. After every stroke the picture goes to Python as a PNG.
const boards = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const canvas = parentElement.querySelector("canvas");
  const [undo, clear] = parentElement.querySelectorAll("button");
  const brush = parentElement.querySelector("input");
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
  const tell = () => setStateValue("drawing", canvas.toDataURL("image/png"));
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
  const stroke = (event) => {
    const to = place(event);
    pen.strokeStyle = data.ink;
    pen.lineWidth = (Number(brush.value) / 28) * data.width;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...last);
    pen.lineTo(...to);
    pen.stroke();
    last = to;
  };
  canvas.onpointerdown = (event) => {
    keep();
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(event);
  };
  canvas.onpointermove = (event) => {
    if (last) stroke(event);
  };
  canvas.onpointerup = canvas.onpointercancel = () => {
    if (!last) return;
    last = null;
    tell();
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
