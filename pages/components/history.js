// The app adds an entry to the browser's history with every new address. A page that opens and then completes its address
// would add two, and Back would need two presses. So what a page writes without an act of the visitor replaces; and where
// the parameters of the next page have arrived before its path, however long ago, the path replaces them.
export default function () {
  if (window.aecoreHistory) return;
  window.aecoreHistory = true;
  const acts = ["pointerdown", "keydown", "drop"];
  let acted = acts.some((act) => performance.eventCounts?.get(act)); // who is quick acts before this script is there
  for (const act of acts) {
    window.addEventListener(act, () => (acted = true), { capture: true, passive: true });
  }
  window.addEventListener("popstate", () => (acted = false));
  const push = window.history.pushState.bind(window.history);
  window.history.pushState = (state, title, url) => {
    const next = new URL(url, window.location.href);
    const samePage = next.pathname === window.location.pathname;
    const sameWords = next.search === window.location.search;
    if (acted || !(samePage || sameWords)) {
      push(state, title, url);
      acted = false;
    } else {
      window.history.replaceState(state, title, url);
    }
  };
}
