// What a poster asks of a page of the app: whether it is drawn to its end, and the page as one file that needs no server.
(() => {
  const CALM = 12; // frames in which nothing changes any more
  const LOST = "script, link, noscript, iframe, base, style, [data-testid=stHeader], [data-testid=stToast]";

  // The document, and the trees that components keep apart from it.
  function trees() {
    const hosts = [...document.querySelectorAll("[data-testid^=stBidiComponent], [data-testid^=stBidiComponent] *")];
    return [document, ...hosts.flatMap((host) => host.shadowRoot ?? [])];
  }

  const all = (selector) => trees().flatMap((tree) => [...tree.querySelectorAll(selector)]);

  // Why the page is not yet what it will be; empty when it is.
  function unfinished() {
    const { testConnectionState, testScriptState } = document.querySelector("[data-testid=stApp]")?.dataset ?? {};
    if (!document.querySelector(".st-key-present")) return "no page of the app has come";
    if (testConnectionState !== "CONNECTED" || testScriptState !== "notRunning") return "the server is still at work";
    if (all("[class*=st-key-leave-]").length) return "a long computation is going on";
    if (all("[data-testid=stSkeleton], [data-testid=stSpinner], [data-stale=true]").length) return "parts are missing";
    if (all("img").some((image) => !image.complete)) return "images are missing";
    if (all("[data-testid=stVegaLiteChart]").some((box) => !box.querySelector("svg, canvas"))) return "a chart is missing";
    const maps = all("[data-testid=stBidiComponentRegular]").filter((host) => !host.closest("[class*=st-key-latent-map-]"));
    if (maps.some((host) => !host.querySelector(".latent-map"))) return "a map is missing";
    if (all("[aria-busy=true]").length) return "a component is still drawing";
    return document.fonts.status === "loaded" ? "" : "fonts are missing";
  }

  // Resolves with an empty text when the page is drawn to its end; after so many seconds, with the reason why it is not.
  async function drawn(seconds) {
    const end = performance.now() + 1000 * seconds;
    let calm = 0;
    const watch = new MutationObserver(() => (calm = 0));
    watch.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
    try {
      while (calm < CALM) {
        await new Promise(requestAnimationFrame);
        const why = unfinished();
        calm = why ? 0 : calm + 1;
        if (performance.now() > end) return why || "it changes all the time";
      }
      return "";
    } finally {
      watch.disconnect();
    }
  }

  // What the page says is wrong with its address, if anything; no picture should be made of that.
  function problem() {
    const found = document.querySelector("[data-testid=stException], [data-testid=stToast], [role=dialog]");
    return found ? found.innerText.trim().slice(0, 300) : "";
  }

  const fits = () => document.querySelector("[data-testid=stMain]").scrollHeight <= window.innerHeight;

  async function uriOf(url) {
    if (url.startsWith("data:")) return url;
    const blob = await (await fetch(url)).blob();
    return new Promise((done) => {
      const reader = new FileReader();
      reader.onload = () => done(reader.result);
      reader.readAsDataURL(blob);
    });
  }

  // A style sheet as text, with what it refers to inside; of its fonts those that are in use.
  async function cssOf(sheet) {
    const name = (face) => [face.family.replaceAll(/["']/g, ""), face.style, face.weight].join();
    const used = new Set([...document.fonts].filter((face) => face.status === "loaded").map(name));
    const texts = [];
    for (const rule of sheet.cssRules) {
      if (rule instanceof CSSFontFaceRule) {
        const read = (key) => rule.style.getPropertyValue(`font-${key}`);
        const face = { family: read("family"), style: read("style") || "normal", weight: read("weight") || "normal" };
        if (!used.has(name(face))) continue;
      }
      let text = rule.cssText;
      for (const [whole, url] of text.matchAll(/url\("([^"]*)"\)/g)) {
        const uri = await uriOf(new URL(url, sheet.href ?? document.baseURI).href);
        text = text.replaceAll(whole, `url("${uri}")`);
      }
      texts.push(text);
    }
    return texts.join("\n").replaceAll("</", "<\\/");
  }

  // The page as it stands, without anything that runs or is asked for. maps: a picture of each map, which has too many
  // layers of fixed size to be more.
  async function file(address, maps) {
    const styles = (await Promise.all([...document.styleSheets].map(cssOf))).join("\n");
    all(".latent-map-stage").forEach((stage, number) => {
      const picture = Object.assign(new Image(), { src: maps[number], alt: stage.getAttribute("aria-label") });
      picture.style.cssText = "width: 100%; height: 100%; object-fit: contain; object-position: 0 0";
      stage.replaceChildren(picture);
    });
    for (const canvas of all("canvas")) {
      canvas.style.background = `url(${canvas.toDataURL()}) 0 0 / 100% 100% no-repeat`;
    }
    for (const image of all("img")) {
      image.src = await uriOf(image.src);
      image.removeAttribute("srcset");
    }
    for (const field of all("input")) field.setAttribute("value", field.value);
    for (const field of all("textarea")) field.textContent = field.value;
    for (const link of all("a[href]")) link.removeAttribute("href");
    for (const control of all("button, input, textarea, select, [tabindex]")) control.setAttribute("tabindex", "-1");
    for (const part of document.querySelectorAll(LOST)) part.remove();
    const head = (tag, values, text = "") => {
      const made = Object.assign(document.createElement(tag), { textContent: text });
      for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
      return made;
    };
    const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";
    document.title = document.querySelector("h1")?.innerText ?? document.title;
    document.head.prepend(
      head("meta", { charset: "utf-8" }),
      head("meta", { "http-equiv": "Content-Security-Policy", content: policy }),
      head("meta", { name: "address", content: address }),
      head("style", {}, styles),
    );
    const { documentElement: root } = document;
    const quoted = (value) => value.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
    const attributes = [...root.attributes].map(({ name, value }) => ` ${name}="${quoted(value)}"`).join("");
    const shadowRoots = trees().slice(1);
    return `<!doctype html>\n<html${attributes}>${root.getHTML({ shadowRoots })}</html>\n`;
  }

  window.aecorePoster = { drawn, problem, fits, file };
})();
