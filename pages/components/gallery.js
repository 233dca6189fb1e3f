// Pictures as real buttons, cut from one strip. Arrow keys walk; every text is set as text.
const drawn = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const list = parentElement.querySelector("ul");
  const press = (place, action) => setTriggerValue("pressed", { place, action });
  list.onkeydown = (event) => walk(list, event);
  list.onclick = (event) => {
    const part = event.target.closest("[data-action]");
    if (!part || part.disabled) return;
    if (part.tagName === "A") {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a new tab, by the browser's own means
      event.preventDefault();
    }
    press(Number(part.closest("li").dataset.place), part.dataset.action);
  };
  const now = JSON.stringify(data);
  if (drawn.get(list) === now) return;
  drawn.set(list, now);
  list.setAttribute("aria-label", data.label);
  list.style.setProperty("--side", `${data.side / 16}rem`);
  list.style.setProperty("--most", `${data.most / 16}rem`);
  list.style.setProperty("--ratio", data.ratio);
  const focused = [...list.children].findIndex((item) => item.contains(parentElement.activeElement));
  list.ariaBusy = "false";
  list.replaceChildren(...data.tiles.map((tile, place) => item(data, tile, place)));
  if (focused >= 0) list.children[Math.min(focused, list.children.length - 1)]?.querySelector("button")?.focus();
}

function item(data, tile, place) {
  const entry = document.createElement("li");
  entry.dataset.place = place;
  const picture = document.createElement("span");
  picture.className = "picture";
  picture.style.backgroundImage = `url(${data.strip})`;
  const count = data.tiles.length;
  picture.style.backgroundSize = `100% ${count * 100}%`;
  picture.style.backgroundPosition = `0 ${count > 1 ? (place / (count - 1)) * 100 : 0}%`;
  const lines = tile.lines.map((text, line) => {
    const span = document.createElement("span");
    span.className = "line" + (line ? "" : " first") + (tile.marked.includes(line) ? " marked" : "");
    span.textContent = text;
    return span;
  });
  const button = document.createElement(data.press ? "button" : "div");
  button.className = "tile" + (tile.chosen ? " chosen" : "");
  if (data.press) {
    button.type = "button";
    button.dataset.action = data.press;
    button.title = data.title;
    button.setAttribute("aria-pressed", String(Boolean(tile.chosen)));
  }
  button.append(picture, ...lines);
  entry.append(button);
  if (data.actions.length) {
    const row = document.createElement("span");
    row.className = "actions";
    row.append(...data.actions.map((action) => control(action, tile)));
    entry.append(row);
  }
  return entry;
}

function control(action, tile) {
  const part = document.createElement(action.link ? "a" : "button");
  if (action.link) part.href = tile.links[action.name];
  else part.type = "button";
  part.dataset.action = action.name;
  part.textContent = action.text;
  part.title = action.help;
  part.setAttribute("aria-label", `${action.help}: ${tile.lines.join(", ")}`);
  return part;
}

function walk(list, event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (!step || !event.target.matches("button.tile")) return;
  const tiles = [...list.querySelectorAll("button.tile")];
  const to = Math.max(0, Math.min(tiles.length - 1, tiles.indexOf(event.target) + step));
  tiles[to].focus();
  event.preventDefault();
}
