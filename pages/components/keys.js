// Keys that press a button of the page, except where a key already means something: in a field, on a slider, in a menu.
const TAKEN = "input:not([type=checkbox]), textarea, select, [contenteditable], [role=slider], [role=listbox], ul";

export default function ({ data }) {
  window.aecoreKeys = { ...window.aecoreKeys, [data.name]: data.keys };
  if (window.aecoreKeysHeard) return;
  window.aecoreKeysHeard = true;
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
}
