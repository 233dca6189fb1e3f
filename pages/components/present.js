// While one presents, S turns the pointer into a spotlight: all that is far from it is dimmed.
const NAME = "aecore-spotlight";

function move({ clientX, clientY }) {
  const spot = document.getElementById(NAME);
  if (spot) spot.style.background = `radial-gradient(circle at ${clientX}px ${clientY}px, #0000 11vmin, #000b 13vmin)`;
}

function turn(on) {
  document.getElementById(NAME)?.remove();
  document.removeEventListener("pointermove", move);
  if (!on) return;
  const spot = document.createElement("div");
  spot.id = NAME;
  spot.style.cssText = "position: fixed; inset: 0; z-index: 1000000; pointer-events: none; background: #000b";
  document.body.append(spot);
  document.addEventListener("pointermove", move);
}

export default function ({ data }) {
  window.aecorePresenting = data.on;
  if (!data.on) turn(false);
  if (window.aecorePresentHeard) return;
  window.aecorePresentHeard = true;
  window.addEventListener("keydown", (event) => {
    if (!window.aecorePresenting || event.key !== "s" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.composedPath().some((part) => part.matches?.("input:not([type=checkbox], [type=range]), textarea"))) return;
    turn(!document.getElementById(NAME));
  });
}
