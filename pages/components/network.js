// The forward pass of a decoder, from the bytes that Python packs: code -> pixels from 0 to 1.
class Network {
  constructor({ layers, shape, weights, scales }) {
    this.shape = shape;
    let [used, row] = [0, 0];
    const take = (rows, columns) => {
      const found = new Float32Array(rows * columns);
      for (let at = 0; at < found.length; at++) found[at] = weights[used++] * scales[row + Math.floor(at / columns)];
      row += rows;
      return found;
    };
    const linear = (outputs, inputs) => [take(outputs, inputs), take(1, outputs)];
    this.steps = layers.map(([kind, outputs, inputs]) => {
      if (kind === "linear") return through(...linear(outputs, inputs));
      if (kind === "residual") return residual(through(...linear(inputs, outputs)), through(...linear(outputs, inputs)));
      if (kind === "silu") return silu;
      return (x) => x; // pixels are one row already
    });
  }

  run(code) {
    const logits = this.steps.reduce((x, step) => step(x), Float32Array.from(code));
    return logits.map((value) => 1 / (1 + Math.exp(-value)));
  }
}

function through(matrix, biases) {
  return (x) => {
    const out = new Float32Array(biases.length);
    for (let row = 0, at = 0; row < out.length; row++) {
      let sum = biases[row];
      for (let column = 0; column < x.length; column++, at++) sum += matrix[at] * x[column];
      out[row] = sum;
    }
    return out;
  };
}

function residual(narrow, wide) {
  return (x) => wide(silu(narrow(x))).map((value, place) => value + x[place]);
}

function silu(x) {
  return x.map((value) => value / (1 + Math.exp(-value)));
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
