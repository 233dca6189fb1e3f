// The decoder: pictures on a regular lattice came with the page; between them one blends the four around.
class Lattice {
  constructor(map) {
    this.map = map;
  }

  // The part, once its pixels are read.
  part() {
    const part = this.map.part("lattice");
    if (!part) return null;
    if (!part.pixels && !part.reading) {
      part.reading = readSheet(part.sheets[0]).then((bitmap) => {
        const { width, height } = bitmap;
        const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
        pen.drawImage(bitmap, 0, 0);
        part.pixels = pen.getImageData(0, 0, width, height).data;
        part.stride = width;
        this.map.show();
      });
    }
    return part.pixels ? part : null;
  }

  // Whether the part was there.
  paint(pen, view) {
    const part = this.part();
    if (!part) return false;
    const { width, height } = part;
    const grid = this.map.viewport.grid(view, part.box);
    const { columns, lines, firstX, firstY } = grid;
    if (columns <= 0 || lines <= 0) return true;
    const picture = new ImageData(columns * width, lines * height);
    const cells = [];
    for (let line = 0; line < lines; line++) {
      for (let column = 0; column < columns; column++) {
        const x = grid.left + (firstX + column + 0.5) * grid.wide;
        const y = grid.top - (firstY + line + 0.5) * grid.high;
        blend(part, x, y, picture.data, picture.width, line * height * picture.width + column * width);
        cells.push({ column, line, box: grid.box(firstX + column, firstY + line), far: isFar(part, x, y) });
      }
    }
    const canvas = new OffscreenCanvas(picture.width, picture.height);
    canvas.getContext("2d").putImageData(picture, 0, 0);
    const [start, , end] = cells[0].box;
    pen.imageSmoothingEnabled = (end - start) * window.devicePixelRatio < width;
    for (const { column, line, box: [left, top, right, bottom] } of cells) {
      const source = [column * width, line * height, width, height];
      pen.drawImage(canvas, ...source, left, top, right - left - 1, bottom - top - 1);
    }
    this.hatch(pen, cells.filter((cell) => cell.far));
    return true;
  }

  // Cells where the decoder is guessing: veiled and hatched.
  hatch(pen, cells) {
    const { stage, theme } = this.map;
    const { clientWidth: width, clientHeight: height } = stage;
    pen.save();
    pen.beginPath();
    for (const { box: [left, top, right, bottom] } of cells) pen.rect(left, top, right - left, bottom - top);
    pen.clip();
    pen.globalAlpha = 0.62;
    pen.fillStyle = theme.ground;
    pen.fillRect(0, 0, width, height);
    pen.globalAlpha = 0.35;
    pen.strokeStyle = theme.ink;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let at = -height; at < width; at += 7) {
      pen.moveTo(at, height);
      pen.lineTo(at + height, 0);
    }
    pen.stroke();
    pen.restore();
  }
}

// Blend the decoded picture at a place into RGBA `out` of `stride` pixels a line, from its pixel `offset` on.
function blend(part, x, y, out, stride, offset) {
  const last = part.count - 1;
  const [across, down] = shares(part.box, x, y).map((share) => limit(share * part.count - 0.5, last));
  const [column, row] = [across, down].map((at) => Math.min(last - 1, Math.floor(at)));
  const [fx, fy] = [across - column, down - row];
  const weights = [(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy];
  const { pixels, width, height } = part;
  const step = part.stride * 4;
  const start = row * height * step + column * width * 4;
  for (let line = 0; line < height; line++) {
    let a = start + line * step;
    let to = (offset + line * stride) * 4;
    for (let dot = 0; dot < width; dot++, a += 4, to += 4) {
      const [b, c] = [a + width * 4, a + height * step];
      const d = c + width * 4;
      for (let channel = 0; channel < 3; channel++) {
        out[to + channel] =
          weights[0] * pixels[a + channel] + weights[1] * pixels[b + channel] +
          weights[2] * pixels[c + channel] + weights[3] * pixels[d + channel] + 0.5;
      }
      out[to + 3] = 255;
    }
  }
}

// Whether a place is far from any code, so that the decoder is guessing.
function isFar(part, x, y) {
  const [column, line] = shares(part.box, x, y).map((share) => limit(Math.floor(share * part.count), part.count - 1));
  return part.far[line * part.count + column] === 1;
}
