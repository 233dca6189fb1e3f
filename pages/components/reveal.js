// Scrolls a container into view when its token changes.
const known = new Map();

export default function ({ data }) {
  if (known.get(data.key) === data.token) return;
  known.set(data.key, data.token);
  if (!data.token) return;
  requestAnimationFrame(() => {
    const box = document.querySelector(`.st-key-${CSS.escape(data.key)}`);
    const top = box?.getBoundingClientRect().top ?? 0;
    if (top < 0 || top > window.innerHeight / 2) box?.scrollIntoView({ behavior: "smooth", block: "start" });
  });
}
