"""The report is one page that opens from disk, asks nobody, runs nothing, and shows names as text."""

from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from aecore import Checkpoint, export
from aecore.export import Cargo
from aecore.export.curves import curves
from aecore.export.report import POLICY, page, write_report
from aecore.store import showcase


class _Tags(HTMLParser):
    """Tags with their attributes, and the text outside of style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


@pytest.fixture(scope="module")
def measured() -> Cargo:
    store = showcase()
    return export.load(store, next(id for id in store.ids() if id.startswith("digits")))


@pytest.fixture(params=["cargo", "hostile", "measured"])
def any_cargo(request: pytest.FixtureRequest) -> Cargo:
    return request.getfixturevalue(request.param)


def test_it_asks_nobody_and_runs_nothing(any_cargo: Cargo) -> None:
    text = page(any_cargo)
    found = _Tags(text)
    assert found.open == []
    known = {"html", "head", "body", "main", "meta", "title", "style", "svg", "circle", "polyline", "line", "text"}
    known |= {"h1", "h2", "h3", "p", "div", "span", "i", "b", "ul", "li", "code", "figure", "figcaption", "img"}
    assert {tag for tag, _ in found.tags} <= known | {"table", "tr", "td", "th"}
    for _, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "srcset", "style")]
        assert attributes.get("src", "data:").startswith(
            "data:image/png;base64,"[: len(attributes.get("src", "data:"))]
        )
        assert not any("http" in (value or "") for value in attributes.values())
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert not any(word in style for word in ("url(", "@import", "http"))
    policies = [a["content"] for _, a in found.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [POLICY]
    assert POLICY.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")


def test_it_shows_what_a_run_is(measured: Cargo) -> None:
    text = page(measured)
    words = " ".join(_Tags(text).words)
    for word in (
        "Map",
        "Reconstructions",
        "What the decoder knows",
        "Training",
        "Evaluation",
        "raw pixels",
        "CC BY 4.0",
    ):
        assert word in words
    assert measured.sha256 in words
    assert text.count("<img") == 3
    for value in ("0.0376", "0.0524", "0.0739"):  # its own MSE, that of PCA, that of the mean image
        assert f"<td>{value}</td>" in text
    assert "prefers-color-scheme: dark" in text


def test_what_is_not_there_is_left_out(hostile: Cargo) -> None:
    text = page(hostile)
    assert "What the decoder knows" not in text  # 3 units
    assert "<h2>Training</h2>" not in text
    assert "Not measured yet: <code>python -m aecore evaluate" in text


def test_hostile_names_are_shown_as_text_and_cut(hostile: Cargo) -> None:
    words = "".join(_Tags(page(hostile)).words)
    assert "<script>alert(1)</script>" in words
    assert "\u202e" not in words
    assert "x" * 201 not in "".join(_Tags(page(replace(hostile, dataset=replace(hostile.dataset, source="")))).words)


def test_a_curve_has_a_point_for_each_row_and_survives_strange_numbers() -> None:
    history = [
        {"epoch": epoch / 10, "kl": 0.0, "reconstruction": 1.0 / (1 + epoch), "test": {"kl": float("nan"), "mse": 0.1}}
        for epoch in range(1000)
    ]
    drawings = curves(history)
    assert len(drawings) == 3
    assert all("nan" not in drawing and "inf" not in drawing for drawing in drawings)
    line = drawings[1].partition('class="training" points="')[2].partition('"')[0].split()
    assert len(line) in range(150, 260)
    heights = np.array([float(point.partition(",")[2]) for point in line])
    assert (np.diff(heights) >= 0).all()  # a loss that falls goes down on the screen
    assert curves([]) == []


@pytest.mark.browser
def test_a_browser_opens_it_from_disk_without_a_request(
    any_cargo: Cargo, browser: Browser, tmp_path: Path, digits_runs: list[Checkpoint]
) -> None:
    assert write_report(any_cargo, tmp_path / "report.html") == []
    for view in _opened(browser, tmp_path / "report.html"):
        assert view == {"asked": [], "said": [], "broken": 0, "wide": False}


def _opened(browser: Browser, path: Path) -> Iterator[dict[str, object]]:
    """What happens when the page is opened on a large light screen and on a small dark one."""
    for scheme, width in (("light", 1280), ("dark", 390)):
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
        page, asked, said = context.new_page(), [], []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("dialog", lambda dialog, said=said: said.append(dialog.message))
        page.goto(path.as_uri())
        broken = "[...document.images].filter(image => !image.naturalWidth).length"
        wide = "document.documentElement.scrollWidth > window.innerWidth"
        asked = [url for url in asked if url != path.as_uri() and not url.startswith("data:")]
        yield {"asked": asked, "said": said, "broken": page.evaluate(broken), "wide": page.evaluate(wide)}
        context.close()
