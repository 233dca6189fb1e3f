// The app adds an entry to the browser's history with every new address. A page that opens and then completes its address
// would add two, and Back would need two presses. So the first new address after an act of the visitor is an entry, and
// those that follow without an act replace it.
export default function () {
  if (window.aecoreHistory) return;
  window.aecoreHistory = true;
  let acted = false;
  for (const act of ["pointerdown", "keydown", "drop"]) {
    window.addEventListener(act, () => (acted = true), { capture: true, passive: true });
  }
  window.addEventListener("popstate", () => (acted = false));
  const push = window.history.pushState.bind(window.history);
  window.history.pushState = (state, title, url) => {
    if (acted) push(state, title, url);
    else window.history.replaceState(state, title, url);
    acted = false;
  };
}
