// Scrolls a container into view when its token changes.
const known = new Map();

export default function ({ data }) {
  if (known.get(data.key) === data.token) return;
  known.set(data.key, data.token);
  if (!data.token) return;
  requestAnimationFrame(() => {
    const box = document.querySelector(`.st-key-${CSS.escape(data.key)}`);
    box?.scrollIntoView({ behavior: "smooth", block: box.clientHeight > window.innerHeight ? "start" : "nearest" });
  });
}
