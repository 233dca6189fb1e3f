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
  // As strong as the style sheet has them: no points under images, pale ones over the decoder.
  const points = { points: 1, images: 0, decoder: 0.22 }[map.data.mode];
  pen.drawImage(await chartOf(map, points === 1, width, height), 0, 0, width, height);
  pen.globalAlpha = points;
  if (points > 0 && points < 1) pen.drawImage(await chartOf(map, true, width, height), 0, 0, width, height);
  pen.globalAlpha = 1;
  pen.drawImage(map.over, 0, 0, width, height);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await canvas.convertToBlob());
  link.download = `${map.data.file}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Axes and legend, with the points or without.
async function chartOf(map, points, width, height) {
  const { data, layout } = map.chart.plot;
  const traces = points ? data : data.map((trace) => ({ ...trace, type: "scatter", x: [null], y: [null] }));
  const uri = await window.Plotly.toImage({ data: traces, layout }, { format: "png", width, height, scale: SCALE });
  const image = new Image();
  image.src = uri;
  await image.decode();
  return image;
}
