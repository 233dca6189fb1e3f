// Marks over the map: the selected area, a path, a cloud of samples, a picked place, the cross of the keys, the picked image.
function paintMarks(map, pen, view) {
  const { data: { area, elsewhere, marks, row }, points, theme } = map;
  const large = scale();
  const at = ([x, y]) => [view.toX(x), view.toY(y)];
  const stroke = (draw, width = 2) => {
    for (const [color, thick] of [[theme.ground, (width + 3) * large], [theme.accent, width * large]]) {
      Object.assign(pen, { strokeStyle: color, lineWidth: thick });
      pen.beginPath();
      draw();
      pen.stroke();
    }
  };
  const line = (places) => places.forEach((place) => pen.lineTo(...at(place))); // the first begins it
  const circle = (place, radius) => pen.arc(...at(place), radius * large, 0, 7);
  const dot = (place, radius) => {
    pen.fillStyle = theme.accent;
    pen.beginPath();
    circle(place, radius);
    pen.fill();
  };
  if (area.length && !elsewhere) {
    stroke(() => {
      line(area);
      pen.closePath();
    }, 1.5);
  }
  if (marks.path) {
    stroke(() => line(marks.path));
    for (const place of marks.path) dot(place, 3);
  }
  if (marks.ellipse) {
    const [x, y, rx, ry] = marks.ellipse;
    const [cx, cy] = at([x, y]);
    stroke(() => pen.ellipse(cx, cy, Math.abs(view.toX(x + rx) - cx), Math.abs(view.toY(y + ry) - cy), 0, 0, 7), 1.5);
  }
  for (const place of marks.dots ?? []) dot(place, 4);
  if (marks.place) {
    const [x, y] = at(marks.place);
    stroke(() => {
      for (const [dx, dy] of [[9 * large, 0], [0, 9 * large]]) {
        pen.moveTo(x - dx, y - dy);
        pen.lineTo(x + dx, y + dy);
      }
    });
  }
  const { cross, corner } = map.pointer;
  if (cross) {
    stroke(() => {
      circle([view.fromX(cross[0]), view.fromY(cross[1])], 5);
      if (corner) pen.rect(...cross, view.toX(corner[0]) - cross[0], view.toY(corner[1]) - cross[1]);
    }, 1.5);
  }
  const index = row === null ? -1 : map.indexOf(row);
  if (index >= 0) stroke(() => circle([points.x[index], points.y[index]], 8));
  const pointed = map.link.index();
  if (pointed < 0) return;
  const [x, y] = map.pixelOf(pointed);
  stroke(() => {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(x + 6 * dx, y + 6 * dy);
      pen.lineTo(x + 16 * dx, y + 16 * dy);
    }
  });
}
