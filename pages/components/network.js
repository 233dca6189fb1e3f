// The forward pass of one half of a network, from the bytes that Python packs: image -> code, or code -> image.
// Every layer is a function of values, a Float32Array, and their size, [channels, height, width]; it returns both.
class Network {
  constructor(part) {
    Object.assign(this, { shape: part.shape, takes: part.takes });
    const used = { float32: 0, int8: 0, int16: 0, scales: 0 };
    const take = (name, count) => part[name].subarray(used[name], (used[name] += count));
    const read = ({ of, rows, columns }) => {
      const found = Float32Array.from(take(of, rows * columns));
      if (of === "float32") return found;
      const scales = take("scales", rows);
      return found.map((weight, at) => weight * scales[Math.floor(at / columns)]);
    };
    const make = (piece) => {
      if (piece?.of) return read(piece);
      if (typeof piece?.[0] === "string") return LAYERS[piece[0]](...piece.slice(1).map(make));
      return piece;
    };
    this.through = make(part.layers);
    for (const name in used) if (used[name] !== part[name].length) throw new Error(`${name}: not as many as the layers have`);
  }

  run(values) {
    return this.through(Float32Array.from(values), this.takes)[0];
  }
}

const networks = new WeakMap();

// The network in the part of this id: null while it is on its way, undefined where it did not arrive whole.
function networkOf(id) {
  const part = parts.get(id);
  if (!part) return parts.broken ? undefined : null;
  if (!networks.has(part)) {
    try {
      networks.set(part, new Network(part));
    } catch {
      networks.set(part, undefined);
    }
  }
  return networks.get(part);
}

const LAYERS = {
  chain: (...layers) => (values, size) => layers.reduce((found, layer) => layer(...found), [values, size]),
  linear: (matrix, biases) => (values) => {
    const out = new Float32Array(biases.length);
    for (let line = 0, at = 0; line < out.length; line++) {
      let sum = biases[line];
      for (let column = 0; column < values.length; column++, at++) sum += matrix[at] * values[column];
      out[line] = sum;
    }
    return row(out);
  },
  conv: (kernels, biases, ...grid) => (values, size) => convolved(values, size, kernels, biases, ...grid),
  deconv: (kernels, biases, ...grid) => (values, size) => deconvolved(values, size, kernels, biases, ...grid),
  silu: () => each((value) => value / (1 + Math.exp(-value))),
  relu: () => each((value) => Math.max(value, 0)),
  sigmoid: () => each((value) => 1 / (1 + Math.exp(-value))),
  flat: () => row,
  shape: (shape) => (values) => [values, shape],
  first: (count) => (values) => row(values.slice(0, count)),
  pad: ([left, right, top, bottom]) => (values, [channels, height, width]) =>
    framed(values, [channels, height, width], [channels, top + height + bottom, left + width + right], top, left),
  crop: (high, wide) => (values, [channels, height, width]) =>
    framed(values, [channels, height, width], [channels, high, wide], -((height - high) >> 1), -((width - wide) >> 1)),
  residual: (narrow, wide) => added(LAYERS.chain(narrow, LAYERS.silu(), wide), (values, size) => [values, size]),
  sum: (linear, other) => added(linear, other),
  from_pixels: (count, margin, other) => (values) => {
    const [more] = other(...row(values.slice(count)));
    return row(
      more.map((value, place) => {
        const pixel = Math.min(Math.max(values[place], margin), 1 - margin);
        return Math.log(pixel / (1 - pixel)) + value;
      })
    );
  },
  spread: (lines, times) => (values) => {
    const count = lines.length / values.length;
    return [lines.map((line, at) => values[Math.floor(at / count)] + times * line), [values.length, count, 1]];
  },
  crossed: (size) => (values) => [crossed(values, size), size],
  edges: (...made) => (values, size) => row(edges(values, size, ...made)),
};

function row(values) {
  return [values, [values.length, 1, 1]];
}

function each(change) {
  return (values, size) => [values.map(change), size];
}

function added(one, other) {
  return (values, size) => {
    const [[first, shape], [second]] = [one(values, size), other(values, size)];
    return [first.map((value, place) => value + second[place]), shape];
  };
}

// Planes of one size in planes of another, from this line and column on; black around, cut off where they are larger.
function framed(values, [channels, height, width], [, high, wide], top, left) {
  const out = new Float32Array(channels * high * wide);
  for (let channel = 0; channel < channels; channel++) {
    for (let line = Math.max(0, top); line < Math.min(high, top + height); line++) {
      for (let column = Math.max(0, left); column < Math.min(wide, left + width); column++) {
        const from = (channel * height + line - top) * width + column - left;
        out[(channel * high + line) * wide + column] = values[from];
      }
    }
  }
  return [out, [channels, high, wide]];
}

// kernels: for every output and input, side x side weights.
function convolved(values, [channels, height, width], kernels, biases, side, stride, padding) {
  if (side === 1 && stride === 1 && !padding) return [mixed(values, height * width, kernels, biases), [biases.length, height, width]];
  const [high, wide] = [height, width].map((length) => Math.floor((length + 2 * padding - side) / stride) + 1);
  const out = new Float32Array(biases.length * high * wide);
  for (let output = 0, to = 0; output < biases.length; output++) {
    for (let line = 0; line < high; line++) {
      for (let column = 0; column < wide; column++, to++) {
        const [top, left] = [line * stride - padding, column * stride - padding];
        let sum = biases[output];
        for (let channel = 0; channel < channels; channel++) {
          for (let down = Math.max(0, -top); down < Math.min(side, height - top); down++) {
            const from = (channel * height + top + down) * width + left;
            const weight = ((output * channels + channel) * side + down) * side;
            const end = Math.min(side, width - left);
            for (let across = Math.max(0, -left); across < end; across++) {
              sum += values[from + across] * kernels[weight + across];
            }
          }
        }
        out[to] = sum;
      }
    }
  }
  return [out, [biases.length, high, wide]];
}

// The same for kernels of one weight, several times as fast: sums of whole planes of `count` values.
function mixed(values, count, kernels, biases) {
  const out = new Float32Array(biases.length * count);
  for (let output = 0, at = 0; output < biases.length; output++) {
    const sum = out.subarray(output * count, (output + 1) * count).fill(biases[output]);
    for (let from = 0; from < values.length; from += count, at++) {
      for (let place = 0; place < count; place++) sum[place] += kernels[at] * values[from + place];
    }
  }
  return out;
}

// As `Crossed` in aecore/networks.py: sums of products of a pattern along the rows and one along the columns.
function crossed(values, [channels, height, width]) {
  const [out, patterns] = [new Float32Array(channels * height * width), values.length / (channels * (height + width))];
  for (let channel = 0, from = 0; channel < channels; channel++) {
    for (let pattern = 0; pattern < patterns; pattern++, from += height + width) {
      for (let line = 0, to = channel * height * width; line < height; line++) {
        for (let column = 0; column < width; column++, to++) {
          out[to] += values[from + line] * values[from + height + column];
        }
      }
    }
  }
  return out;
}

// The transposed convolution. kernels: for every input and output, side x side weights.
function deconvolved(values, [channels, height, width], kernels, biases, side, stride, padding) {
  const [high, wide] = [height, width].map((length) => (length - 1) * stride - 2 * padding + side);
  const out = new Float32Array(biases.length * high * wide);
  biases.forEach((bias, output) => out.fill(bias, output * high * wide, (output + 1) * high * wide));
  for (let channel = 0, from = 0; channel < channels; channel++) {
    for (let line = 0; line < height; line++) {
      for (let column = 0; column < width; column++, from++) {
        const [top, left] = [line * stride - padding, column * stride - padding];
        for (let output = 0; output < biases.length; output++) {
          for (let down = Math.max(0, -top); down < Math.min(side, high - top); down++) {
            const to = (output * high + top + down) * wide + left;
            const weight = ((channel * biases.length + output) * side + down) * side;
            const end = Math.min(side, wide - left);
            for (let across = Math.max(0, -left); across < end; across++) {
              out[to + across] += values[from] * kernels[weight + across];
            }
          }
        }
      }
    }
  }
  return [out, [biases.length, high, wide]];
}

// As `Edges` in aecore/networks.py: brightness and edges of every cell of a grid. cells: means over lines, over columns.
function edges(values, [channels, height, width], step, side, patterns, lines, columns, average) {
  const [high, wide] = [height, width].map((length) => Math.floor(length / step));
  const [flat, count] = [new Float32Array(side * side).fill(1 / side ** 2), patterns.length / side ** 2];
  const found = [];
  for (let channel = 0; channel < channels; channel++) {
    const plane = values.subarray(channel * height * width, (channel + 1) * height * width);
    const small = convolved(plane, [1, height, width], new Float32Array(step ** 2).fill(1 / step ** 2), [0], step, step, 0)[0];
    const filtered = (what, kernels) =>
      convolved(what, [1, high, wide], kernels, new Float32Array(kernels.length / side ** 2), side, 1, 2);
    const [light, [, down, across]] = filtered(small, flat);
    const contrast = filtered(small.map((value) => value * value), flat)[0].map(
      (square, place) => side * Math.sqrt(Math.max(square - light[place] ** 2, 0) + 0.01)
    );
    const answers = filtered(small, patterns)[0].map((answer, place) => answer / contrast[place % contrast.length]);
    const averaged = (what) => inCells(what, down, across, lines, columns);
    found.push(...averaged(light));
    const [positive, both] = [averaged(answers.map((answer) => Math.max(answer, 0))), averaged(answers)];
    found.push(...positive, ...positive.map((value, place) => value - both[place]));
  }
  return Float32Array.from(found, (value, place) => 10 * Math.sqrt(Math.max(value, 0) + 1e-3) - average[place]);
}

// Means of planes over the cells of a grid, given as a matrix for lines and one for columns.
function inCells(values, high, wide, lines, columns) {
  const [down, across, planes] = [lines.length / high, columns.length / wide, values.length / (high * wide)];
  const out = new Float32Array(planes * down * across);
  for (let plane = 0, at = 0; plane < planes; plane++) {
    for (let line = 0; line < high; line++) {
      for (let column = 0; column < wide; column++, at++) {
        for (let y = 0; y < down; y++) {
          const share = lines[y * high + line] * values[at];
          if (!share) continue;
          for (let x = 0; x < across; x++) {
            out[(plane * down + y) * across + x] += share * columns[x * wide + column];
          }
        }
      }
    }
  }
  return out;
}

// Pixels of one gray or color image, as a canvas takes them.
function toImageData(pixels, [channels, height, width]) {
  const image = new ImageData(width, height);
  const size = height * width;
  for (let place = 0; place < size; place++) {
    for (let channel = 0; channel < 3; channel++) {
      image.data[place * 4 + channel] = Math.round(255 * pixels[(channels === 3 ? channel * size : 0) + place]);
    }
    image.data[place * 4 + 3] = 255;
  }
  return image;
}
