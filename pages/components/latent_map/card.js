// The card over the pointer: the image there and its reconstruction or, with the decoder, what it makes of the place.
const PICTURES = { pictures: "image", rebuilt: "reconstruction" };

class Card {
  constructor(map) {
    this.map = map;
    this.index = -1; // of the image under the pointer
    this.root = element("div", "latent-map-card", map.stage);
    this.original = element("img", "latent-map-original", this.root);
    this.original.alt = "";
    this.original.onload = () => this.reveal();
    this.pictures = element("div", "latent-map-pictures", this.root);
    this.caption = element("div", "latent-map-caption", this.root);
    this.caption.setAttribute("role", "status");
  }

  show() {
    const { chart, data, link, pointer, viewport } = this.map;
    this.index = -1;
    if (!chart.ready) return this.hide();
    if (!pointer.place) return this.showImage(link.index());
    if (data.mode === "decoder") return this.showPlace(viewport.view(), pointer.place);
    this.index = this.map.indexAt(pointer.place);
    this.showImage(this.index, data.mode === "images" ? pointer.place : undefined);
  }

  hide() {
    this.placed = null;
    this.root.dataset.shown = "";
  }

  // At its own place, if no other is given.
  showImage(index, place) {
    const { colors, data, tiles } = this.map;
    if (index < 0) return this.hide();
    this.entitle(Object.values(PICTURES));
    Object.keys(PICTURES).forEach((name, number) => {
      const part = this.map.part(name);
      const pen = this.pen(number, part ?? { width: 1, height: 1 });
      tiles.stamp(pen, part, index, [0, 0, pen.canvas.width, pen.canvas.height]);
    });
    const row = this.map.rowOf(index);
    const value = colors.kind === "class" ? colors.names[colors.values[index]] : colors.values?.[index];
    const said = typeof value === "number" ? `${colors.title} ${+value.toPrecision(4)}` : value;
    this.ask(data.originals ? `${data.originals}/${row}` : "");
    this.caption.textContent = `Image ${row}${said === undefined ? "" : ` · ${said}`}`;
    this.put(place ?? this.map.pixelOf(index), row);
  }

  showPlace(view, place) {
    const part = this.map.lattice.part();
    const [x, y] = [view.fromX(place[0]), view.fromY(place[1])];
    const [left, right, bottom, top] = part?.box ?? [0, 0, 0, 0];
    if (!(x >= left && x <= right && y >= bottom && y <= top)) return this.hide();
    this.ask("");
    this.entitle(["decoded"]);
    const picture = this.decoded(part, x, y);
    this.pen(0, picture).putImageData(picture, 0, 0);
    const words = isFar(part, x, y) ? " · far from any code: guessing" : "";
    this.caption.textContent = `(${x.toFixed(2)}, ${y.toFixed(2)})${words}`;
    this.put(place, "place");
  }

  // By the decoder itself or, where only the server can run it, between the pictures of the lattice.
  decoded(part, x, y) {
    const network = this.map.network();
    this.root.dataset.by = network ? "decoder" : "lattice";
    if (network) return toImageData(network.run([x, y]), network.shape);
    const picture = new ImageData(part.width, part.height);
    blend(part, x, y, picture.data, part.width, 0);
    return picture;
  }

  // The original of an image, if there is one, once the pointer rests: many are passed on the way.
  ask(address) {
    if (address === this.asked) return;
    this.asked = address;
    this.original.hidden = true;
    clearTimeout(this.resting);
    if (address) this.resting = setTimeout(() => (this.original.src = new URL(address, document.baseURI)), 80);
  }

  reveal() {
    this.original.hidden = !this.original.src.endsWith(`/${this.asked}`);
    if (this.placed) this.put(...this.placed);
  }

  // One picture for every title.
  entitle(titles) {
    while (this.pictures.children.length > titles.length) this.pictures.lastChild.remove();
    titles.forEach((title, number) => {
      const figure = this.pictures.children[number] ?? element("figure", "", this.pictures);
      if (!figure.firstChild) {
        element("canvas", "", figure);
        element("figcaption", "", figure);
      }
      figure.lastChild.textContent = title;
    });
  }

  pen(number, { width, height }) {
    const canvas = this.pictures.children[number].firstChild;
    setSize(canvas, width, height);
    return canvas.getContext("2d", { willReadFrequently: true });
  }

  put([x, y], name) {
    this.placed = [[x, y], name];
    const [wide, high] = [this.root.offsetWidth, this.root.offsetHeight];
    const left = Math.min(Math.max(4, x - wide / 2), this.map.stage.clientWidth - wide - 4);
    const above = y - high - 14;
    this.root.style.transform = `translate(${Math.round(left)}px, ${Math.round(above < 0 ? y + 18 : above)}px)`;
    this.root.dataset.shown = String(name);
  }
}
