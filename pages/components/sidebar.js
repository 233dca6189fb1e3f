// On a phone the sidebar lies over the page. It opens with each page that has one, and would hide what was just chosen:
// so there it is folded after a change of page. Who wants it opens it.
export default function () {
  if (window.aecoreSidebar || !window.navigation) return;
  window.aecoreSidebar = true;
  let path = window.location.pathname;
  const fold = (left) => {
    const folded = document.querySelector("[data-testid=stExpandSidebarButton]");
    const button = document.querySelector("[data-testid=stSidebarCollapseButton] button");
    if (button && !folded) button.click();
    else if (left) setTimeout(() => fold(left - 1), 100);
  };
  window.navigation.addEventListener("currententrychange", () => {
    if (window.location.pathname === path) return;
    path = window.location.pathname;
    if (window.innerWidth < 768) fold(50);
  });
}
