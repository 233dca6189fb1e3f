"""What visitors may upload: counted, whether a page asked for it or not; and the sizes that the pages promise."""

import asyncio
import io
import re
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import Server, settle
from forms import png
from playwright.sync_api import Page, expect

from pages._uploads import PATH, Gate

MB = 2**20


def asked(gate: Gate, session: str, size: int | None, client: str = "203.0.113.7", method: str = "PUT") -> tuple:
    """The status and the words with which an upload of so many bytes is answered."""
    said: list[Mapping] = []

    async def send(message: Mapping) -> None:
        said.append(message)

    headers = [(b"host", b"127.0.0.1")] + ([] if size is None else [(b"content-length", str(size).encode())])
    scope = {
        "type": "http", "method": method, "path": f"{PATH}{session}/file", "headers": headers, "client": (client, 1),
        "query_string": b"",
    }  # fmt: skip
    with ThreadPoolExecutor(1) as pool:  # a browser in another test may have a loop in this thread
        pool.submit(asyncio.run, gate(scope, None, send)).result()
    return said[0]["status"], said[-1].get("body", b"").decode()


async def taken(scope: Mapping, receive: object, send: object) -> None:
    await send({"type": "http.response.start", "status": 204})


@pytest.fixture(autouse=True)
def _laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AECORE_PUBLIC", "0")


def test_a_visitor_may_upload_so_much_and_all_together_so_much() -> None:
    gate = Gate(taken, lambda: {"ann": 30 * MB, "ben": 45 * MB, "cleo": 50 * MB})
    assert asked(gate, "ann", 20 * MB + 300)[0] == 204, "the form around a file is no part of it"
    status, words = asked(gate, "ann", 21 * MB)
    assert status == 413
    assert "51 megabytes uploaded by one visitor at a time; this server allows 50 (AECORE_MAX_UPLOAD_MB)" in words
    assert asked(gate, "dan", 25 * MB)[0] == 204
    assert "allows 150 (AECORE_MAX_ALL_UPLOAD_MB)" in asked(gate, "dan", 26 * MB)[1]


def test_an_upload_without_its_size_counts_as_the_largest() -> None:
    assert asked(Gate(taken, dict), "ann", None)[0] == 413


def test_what_is_under_way_counts() -> None:
    nested: list[tuple] = []

    async def during(scope: Mapping, receive: object, send: object) -> None:
        nested.append(await asyncio.to_thread(asked, gate, "ann", 30 * MB))
        await taken(scope, receive, send)

    outer = Gate(during, dict)
    gate = Gate(taken, dict)
    gate.coming = outer.coming
    assert asked(outer, "ann", 30 * MB)[0] == 204
    assert nested[0][0] == 413
    assert not outer.coming


def test_the_owner_and_other_requests_have_no_limit() -> None:
    gate = Gate(taken, lambda: {"ann": 900 * MB})
    assert asked(gate, "ann", 190 * MB, client="127.0.0.1")[0] == 204
    assert asked(gate, "ann", 190 * MB, method="DELETE")[0] == 204


@pytest.mark.browser
def test_a_file_of_the_size_that_the_page_promises_arrives_and_leaves_the_memory(
    page: Page, server: Server, tmp_path: Path
) -> None:
    """Twice: what was put aside does not count any more."""
    noise, buffer = np.random.default_rng(0), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for row in range(40):
            archive.writestr(f"{row}.png", png(noise.integers(0, 256, (900, 900), np.uint8)))
    (tmp_path / "set.zip").write_bytes(buffer.getvalue())
    assert buffer.tell() > 30 * MB
    page.goto("/images")
    settle(page)
    for _ in range(2):
        if not page.locator(".st-key-bring input[type=file]").is_visible():
            page.locator(".st-key-bring summary").click()
        expect(page.get_by_text(re.compile("^50MB per file"))).to_be_visible()
        page.locator(".st-key-bring input[type=file]").set_input_files(str(tmp_path / "set.zip"))
        expect(page.get_by_text(re.compile("40 images"))).to_be_visible(timeout=90_000)
        page.get_by_role("button", name="Throw away").click()
        expect(page.get_by_text(re.compile("40 images"))).to_have_count(0)
        settle(page)
