// Keys that press a button of the page, except where a key already means something: in a field, on a slider, in a menu.
export default function ({ data }) {
  window.aecoreKeys = data.keys;
  if (window.aecoreKeysHeard) return;
  window.aecoreKeysHeard = true;
  const taken = "input:not([type=checkbox]), textarea, select, [contenteditable], [role=slider], [role=listbox], ul";
  window.addEventListener("keydown", (event) => {
    const button = document.querySelector(`.st-key-${CSS.escape(window.aecoreKeys[event.key] ?? "")} button`);
    if (!button || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.composedPath().some((part) => part.matches?.(taken))) return;
    event.preventDefault();
    button.click();
  });
}
