// The script of plotly: from the server that serves this page or, where it has no such route, from Python.
let served = null;
let sent = null;

// Whether it is there; if not, Python is to send it as a part.
async function hasPlotly() {
  if (window.Plotly || (await (served ??= fromServer()))) return true;
  const part = parts.get("plotly");
  return part && (sent ??= run(URL.createObjectURL(new Blob(part.script, { type: "text/javascript" }))));
}

async function fromServer() {
  const url = new URL("assets/plotly.min.js", document.baseURI);
  const kind = await fetch(url, { method: "HEAD" }).then((answer) => answer.headers.get("content-type") ?? "", () => "");
  return kind.includes("javascript") && run(url);
}

function run(url) {
  return new Promise((done) => {
    const tag = document.createElement("script");
    tag.src = url;
    tag.onload = () => done(Boolean(window.Plotly));
    tag.onerror = () => done(false);
    document.head.append(tag);
  });
}
