// The app adds an entry to the browser's history with every new address. A page that opens and then completes its address
// would add two, and Back would need two presses. So what a page writes without an act of the visitor replaces; and where
// the parameters of the next page arrive before its path, the path replaces them.
const AT_ONCE = 500; // milliseconds

export default function () {
  if (window.aecoreHistory) return;
  window.aecoreHistory = true;
  let acted = false;
  let completed = -AT_ONCE;
  for (const act of ["pointerdown", "keydown", "drop"]) {
    window.addEventListener(act, () => (acted = true), { capture: true, passive: true });
  }
  window.addEventListener("popstate", () => (acted = false));
  const push = window.history.pushState.bind(window.history);
  window.history.pushState = (state, title, url) => {
    const samePage = new URL(url, window.location.href).pathname === window.location.pathname;
    const now = performance.now();
    const isNew = samePage ? acted : now - completed > AT_ONCE;
    if (isNew) push(state, title, url);
    else window.history.replaceState(state, title, url);
    completed = samePage && isNew ? now : -AT_ONCE;
    acted = false;
  };
}
