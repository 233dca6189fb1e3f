// A wall of pictures: only what is in view is there. Arrow keys walk; every text is set as text.
const SIDE = 5.75, LINE = 1.125; // rem: the least width of a picture, and the height of the line below one
const GAP = 8; // pixels, between pictures
const TALLEST = 8e6; // pixels; taller parts are cut off by browsers, so longer walls scroll by more than the hand moves
const walls = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".wall");
  let wall = walls.get(box);
  if (!wall) walls.set(box, (wall = new Wall(box, parentElement.querySelector("[role=status]"))));
  wall.tell = setTriggerValue;
  wall.show(data);
}

class Wall {
  constructor(box, status) {
    Object.assign(this, { box, status, list: box.querySelector("ul"), all: box.querySelector(".all") });
    this.portions = new Map();
    this.focused = 0;
    box.onscroll = () => this.scrolled();
    box.onkeydown = (event) => this.walk(event);
    this.list.onclick = (event) => {
      const item = event.target.closest("li");
      if (item) this.tell("pressed", Number(item.dataset.place));
    };
    new ResizeObserver(() => this.resized()).observe(box);
  }

  show(data) {
    const before = this.data;
    this.data = data;
    const other = !before || ["source", "rows", "count"].some((name) => before[name] !== data[name]);
    if (other) {
      this.rows = data.rows && new Int32Array(Uint8Array.from(atob(data.rows), (sign) => sign.charCodeAt(0)).buffer);
      this.portions.clear();
      this.list.replaceChildren();
      this.focused = data.chosen ?? data.first;
      this.box.setAttribute("aria-label", data.label);
    }
    const moved = other || data.first !== this.told;
    if (moved) this.told = this.first = data.first;
    this.lay(moved);
  }

  // The same pictures stay in view when the width changes.
  resized() {
    if (this.data && this.box.clientWidth !== this.width) this.lay(true);
  }

  lay(moved) {
    this.width = this.box.clientWidth;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    if (this.width < SIDE * rem) return;
    const width = this.width - 2 * GAP;
    this.columns = Math.max(2, Math.floor((width + GAP) / (SIDE * rem + GAP)));
    this.step = (width + GAP) / this.columns;
    this.pitch = (this.step - GAP) * this.data.tall + GAP + LINE * rem;
    this.whole = Math.ceil(this.data.count / this.columns) * this.pitch + GAP;
    this.box.style.height = `min(60vh, ${this.whole}px)`;
    this.all.style.height = `${Math.min(this.whole, TALLEST)}px`;
    this.list.style.setProperty("--ratio", `1 / ${this.data.tall}`);
    if (moved) this.scrollTo(this.first);
    this.draw();
  }

  view() {
    return this.box.clientHeight;
  }

  // From the hand's pixels to those of the whole wall: equal, but on a wall taller than a browser can have.
  ratio() {
    const tall = Math.min(this.whole, TALLEST);
    return tall > this.view() ? (this.whole - this.view()) / (tall - this.view()) : 1;
  }

  offset() {
    return this.box.scrollTop * this.ratio();
  }

  scrollTo(place) {
    this.box.scrollTop = (Math.floor(place / this.columns) * this.pitch) / this.ratio();
  }

  scrolled() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rest(), 500);
  }

  rest() {
    const line = Math.round(this.offset() / this.pitch);
    if (line === Math.floor(this.told / this.columns)) return;
    this.told = this.first = Math.min(line * this.columns, this.data.count - 1);
    this.tell("rested", this.told);
  }

  draw() {
    const [offset, { count }] = [this.offset(), this.data];
    const from = Math.max(0, Math.floor(offset / this.pitch) - 1) * this.columns;
    const to = Math.min(count, (Math.ceil((offset + this.view()) / this.pitch) + 1) * this.columns);
    for (const item of [...this.list.children]) {
      const place = Number(item.dataset.place);
      if ((place < from || place >= to) && place !== this.focused) item.remove();
    }
    const shown = new Map([...this.list.children].map((item) => [Number(item.dataset.place), item]));
    for (let place = from; place < to; place++) {
      const item = shown.get(place) ?? this.item(place);
      const [line, column] = [Math.floor(place / this.columns), place % this.columns];
      const top = GAP + line * this.pitch - offset + this.box.scrollTop;
      item.style.transform = `translate(${GAP + column * this.step}px, ${top}px)`;
      item.style.width = `${this.step - GAP}px`;
      const tile = item.firstChild;
      tile.classList.toggle("chosen", place === this.data.chosen);
      tile.setAttribute("aria-pressed", String(place === this.data.chosen));
      tile.tabIndex = place === this.focused ? 0 : -1;
      this.paint(item, place);
    }
    const top = Math.ceil((offset - GAP) / this.pitch) * this.columns;
    const end = Math.min(count, Math.floor((offset + this.view()) / this.pitch) * this.columns);
    const [one, last] = [Math.max(0, top) + 1, Math.max(end, top + 1)].map((number) => number.toLocaleString("en"));
    this.status.textContent = `${one} to ${last} of ${count.toLocaleString("en")}`;
    if (!this.list.querySelector("[tabindex='0']")) this.list.firstChild?.firstChild.setAttribute("tabindex", "0");
    this.fetchSoon(Math.floor(from / this.data.portion), Math.floor((to - 1) / this.data.portion));
    this.report();
  }

  // Whether pictures in view are on their way.
  report() {
    this.box.ariaBusy = String([...this.list.children].some((item) => !item.dataset.painted));
  }

  item(place) {
    const item = document.createElement("li");
    item.dataset.place = place;
    item.setAttribute("aria-posinset", place + 1);
    item.setAttribute("aria-setsize", this.data.count);
    const tile = document.createElement("button");
    tile.type = "button";
    const picture = document.createElement("span");
    picture.className = "picture";
    const line = document.createElement("span");
    line.className = "line";
    tile.append(picture, line);
    item.append(tile);
    const next = [...this.list.children].find((other) => Number(other.dataset.place) > place);
    this.list.insertBefore(item, next ?? null);
    return item;
  }

  paint(item, place) {
    const portion = this.portions.get(Math.floor(place / this.data.portion));
    if (!portion?.names || item.dataset.painted) return;
    const number = place % this.data.portion;
    const { style } = item.querySelector(".picture");
    style.backgroundImage = `url(${portion.strip})`;
    style.backgroundSize = `100% ${portion.names.length * 100}%`;
    style.backgroundPosition = `0 ${portion.names.length > 1 ? (number / (portion.names.length - 1)) * 100 : 0}%`;
    const name = portion.names[number];
    item.querySelector(".line").textContent = name.slice(name.lastIndexOf("/") + 1);
    item.firstChild.title = name;
    item.dataset.painted = "yes";
  }

  // What is passed quickly is not asked for.
  fetchSoon(from, to) {
    clearTimeout(this.asking);
    const missing = [];
    for (let number = from; number <= to; number++) if (!this.portions.has(number)) missing.push(number);
    if (missing.length) this.asking = setTimeout(() => missing.forEach((number) => this.fetch(number)), 60);
  }

  async fetch(number) {
    const { data, portions } = this;
    const first = number * data.portion;
    const places = Array.from({ length: Math.min(data.portion, data.count - first) }, (_, n) => first + n);
    const rows = this.rows ? places.map((place) => this.rows[place]) : places;
    const url = new URL(`${data.source}/${rows.join("~")}`, document.baseURI);
    const portion = {};
    portions.set(number, portion);
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(answer.status);
      Object.assign(portion, await answer.json());
    } catch {
      portions.delete(number); // asked for again when it comes into view again
      if (data === this.data) this.status.textContent = "Some images did not arrive. Scroll to try again.";
      this.box.ariaBusy = "false";
      return;
    }
    if (portions !== this.portions || portions.get(number) !== portion) return;
    for (const old of [...portions.keys()].slice(0, Math.max(0, portions.size - 60))) portions.delete(old);
    for (const item of this.list.children) this.paint(item, Number(item.dataset.place));
    this.report();
  }

  walk(event) {
    const page = Math.max(1, Math.floor(this.view() / this.pitch)) * this.columns;
    const step = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns,
      PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    }[event.key];
    if (!step || !event.target.matches("li button")) return;
    event.preventDefault();
    const last = this.data.count - 1;
    this.focused = Math.max(0, Math.min(last, Number(event.target.parentElement.dataset.place) + step));
    const line = Math.floor(this.focused / this.columns) * this.pitch;
    const offset = this.offset();
    if (line < offset) this.box.scrollTop = line / this.ratio();
    else if (line + this.pitch > offset + this.view())
      this.box.scrollTop = (line + this.pitch + GAP - this.view()) / this.ratio();
    this.draw();
    this.list.querySelector(`[data-place="${this.focused}"] button`)?.focus({ preventScroll: true });
    this.box.scrollIntoView({ block: "nearest" });
  }
}
