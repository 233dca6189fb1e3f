// The map as a picture file: what is on the screen, twice as sharp, with the line that says what it is.
const SCALE = 2;
const HEAD = 28;

async function saveSnapshot(map) {
  const { clientWidth: width, clientHeight: height } = map.stage;
  const canvas = new OffscreenCanvas(width * SCALE, (height + HEAD) * SCALE);
  const pen = canvas.getContext("2d");
  pen.scale(SCALE, SCALE);
  pen.fillStyle = map.theme.ground;
  pen.fillRect(0, 0, width, height + HEAD);
  Object.assign(pen, { fillStyle: map.theme.ink, font: `13px ${map.theme.font}`, textBaseline: "middle" });
  pen.fillText(map.line.textContent, 10, HEAD / 2, width - 20);
  pen.translate(0, HEAD);
  pen.imageSmoothingEnabled = false; // the pixels of the images stay sharp
  if (map.data.mode !== "points") pen.drawImage(map.under, 0, 0, width, height);
  pen.imageSmoothingEnabled = true;
  pen.drawImage(await chartOf(map, width, height), 0, 0, width, height);
  pen.drawImage(map.over, 0, 0, width, height);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await canvas.convertToBlob());
  link.download = `${map.data.file}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Points, axes and legend, as strong as the style sheet has them: no points under images, pale ones over the decoder.
async function chartOf(map, width, height) {
  const { data, layout } = map.chart.plot;
  const empty = data.map((trace) => ({ ...trace, type: "scatter", x: [null], y: [null] }));
  const pale = data.map((trace) => ({ ...trace, opacity: 0.22, showlegend: false }));
  const traces = { points: data, images: empty, decoder: [...pale, ...empty] }[map.data.mode];
  const uri = await window.Plotly.toImage({ data: traces, layout }, { format: "png", width, height, scale: SCALE });
  const image = new Image();
  image.src = uri;
  await image.decode();
  return image;
}
