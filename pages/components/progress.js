// Keeps in this browser how far its visitor came in the lessons, so that a page opened anew goes on from there.
let kept;

export default function ({ data }) {
  if (data.word === kept) return;
  kept = data.word;
  const framed = window.top !== window && location.protocol === "https:";
  const scope = framed ? "SameSite=None; Secure; Partitioned" : "SameSite=Lax";
  const seconds = kept ? 31536000 : 0;
  document.cookie = `aecore-lessons=${encodeURIComponent(kept)}; Path=/; Max-Age=${seconds}; ${scope}`;
}
