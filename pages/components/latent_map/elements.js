// Elements that the map is made of, and the numbers that place things on them.
function element(tag, name, parent) {
  const made = document.createElement(tag);
  made.className = name;
  parent.append(made);
  return made;
}

function setSize(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

// A canvas as large as the stage, sharp on dense screens, cleared, and open only where the plot is.
function fresh(canvas, stage, view) {
  const ratio = window.devicePixelRatio;
  setSize(canvas, Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio));
  const pen = canvas.getContext("2d");
  pen.restore(); // a clip cannot be widened again: each frame goes back to before the last one
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.save();
  pen.beginPath();
  pen.rect(view.x, view.y, view.width, view.height);
  pen.clip();
  return pen;
}

function hasWebgl() {
  try {
    return Boolean(document.createElement("canvas").getContext("webgl"));
  } catch {
    return false;
  }
}

// How large everything is drawn: letters and pictures grow together on a wide screen.
function scale() {
  return parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
}

// From 0 to the most.
function limit(value, most) {
  return Math.min(most, Math.max(0, value));
}

// How far right and how far down a place is in a box, as shares of its sides.
function shares([left, right, bottom, top], x, y) {
  return [(x - left) / (right - left), (top - y) / (top - bottom)];
}
