// Keys that press a button of the page, except where a key already means something: in a field, on a slider, in a menu.
const TAKEN = "input:not([type=checkbox]), textarea, select, [contenteditable], [role=slider], [role=listbox], ul";

let watched;

// Until the next press, give the focus to a button whenever it is there and the focus is nowhere: the page may still take
// away one that looks the same, from before.
function handOn(pressed, next) {
  watched?.disconnect();
  watched = new MutationObserver(() => {
    if ([document.body, pressed].includes(document.activeElement)) document.querySelector(next)?.focus();
  });
  watched.observe(document.body, { childList: true, subtree: true });
}

export default function ({ data }) {
  window.aecoreKeys = { ...window.aecoreKeys, [data.name]: data.keys };
  window.aecoreThen = { ...window.aecoreThen, [data.name]: data.then };
  if (window.aecoreKeysHeard) return;
  window.aecoreKeysHeard = true;
  for (const press of ["keydown", "pointerdown"]) window.addEventListener(press, () => watched?.disconnect(), true);
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.composedPath().some((part) => part.matches?.(TAKEN)) || document.querySelector("[role=dialog]")) return;
    const keys = Object.values(window.aecoreKeys).map((each) => each[event.key]).filter(Boolean);
    if (!keys.length) return;
    // Of several, the first on the page: while slides are played, the arrows belong to them.
    const button = document.querySelector(keys.map((key) => `.st-key-${CSS.escape(key)} button`).join(", "));
    if (!button) return;
    event.preventDefault();
    button.click();
  });
  window.addEventListener("click", ({ detail, target }) => {
    const pressed = detail ? null : target.closest?.("button"); // by a pointer, it has counted the clicks
    const thens = Object.values(window.aecoreThen).flatMap(Object.entries);
    const then = thens.find(([key]) => pressed?.closest(`.st-key-${CSS.escape(key)}`));
    if (then) handOn(pressed, `.st-key-${CSS.escape(then[1])} button`);
  });
}
