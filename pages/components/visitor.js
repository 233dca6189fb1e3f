// Keeps the visitor's secret in this browser, so that a reload does not make them a stranger to their own trainings. The
// cookie tells the server before it draws anything; where a browser takes none, the storage does a moment later.
export default function ({ data, setStateValue }) {
  let token = data.token;
  try {
    token = localStorage.getItem("aecore-visitor") || token;
    localStorage.setItem("aecore-visitor", token);
  } catch {
    // a browser that keeps nothing: the secret lasts as long as the session
  }
  const framed = window.top !== window && location.protocol === "https:";
  const scope = framed ? "SameSite=None; Secure; Partitioned" : "SameSite=Strict";
  document.cookie = `aecore-visitor=${encodeURIComponent(token)}; Path=/; Max-Age=31536000; ${scope}`;
  if (token !== data.token) setStateValue("token", token);
}
