"""Visit the real server as many visitors at once, with and without a training beside them, and print what they saw.

python tests/benchmarks/load.py [--visitors 20] [--seconds 60] [--think 3]

Nobody needs a browser for it: a visitor speaks the server's own protocol over its websocket. The visitors run on the
machine of the server and take a part of it; they do not fetch pictures. Times are printed, never asserted. The exit
code is 1 when a page showed an exception, an answer did not come, or the server called itself unhealthy.
"""

import argparse
import asyncio
import dataclasses
import math
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.NumberInput_pb2 import NumberInput
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import Server

from aecore import RECIPES, Store
from aecore.data import is_here
from aecore.process.jobs import Job

PATIENCE = 60.0
"""Seconds that a visitor waits for a page before it counts as lost."""

KEPT = 120.0
"""Seconds that Streamlit keeps the session of a visitor who left."""


@dataclass
class Record:
    """What the visitors of one phase saw: seconds of every page run and fragment tick, and what went wrong."""

    pages: list[tuple[str, float]] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def seconds(self) -> list[float]:
        """Of every page run, ascending."""
        return sorted(seconds for _, seconds in self.pages)


class Visitor:
    """One browser tab: it asks for pages, changes widgets, and ticks when a page wants to be asked again."""

    def __init__(self, socket: ClientConnection, chance: random.Random, record: Record) -> None:
        self.socket, self.chance, self.record = socket, chance, record
        self.hashes: dict[str, str] = {}  # page -> what the server calls it
        self.page, self.query = "", ""
        self.widgets: dict[str, tuple[Any, str]] = {}  # id -> number input or slider, its fragment
        self.buttons: dict[str, tuple[str, str]] = {}  # label -> id, its fragment
        self.states: dict[str, WidgetState] = {}
        self.beats: dict[str, float] = {}  # fragment -> seconds between two ticks
        self.errors: list[str] = []  # sentences that the last page run showed
        self.parts: dict[str, int] = {}  # hash of a big message that need not be sent again -> run when it was seen
        self.runs = 0

    async def go(self, page: str, query: str = "") -> None:
        """Open a page by its address at first, by its link later; `home` is the default page."""
        self.page, self.query = page, query
        self.states.clear()
        arrival = {"page_script_hash": self.hashes[page]} if self.hashes else {"page_name": page.replace("home", "")}
        await self._page_run(ClientState(query_string=query, **arrival))

    async def change(self) -> None:
        """Give one of the page's number inputs or sliders another value, by chance."""
        if not self.widgets:
            return
        id, (widget, fragment) = self.chance.choice(sorted(self.widgets.items()))
        self.states[id] = _another(id, widget, self.chance)
        await self._page_run(self._again(fragment))

    async def press(self, label: str) -> None:
        """Press the button with this label."""
        id, fragment = self.buttons[label]
        state = self._again(fragment)
        state.widget_states.widgets.append(WidgetState(id=id, trigger_value=True))
        await self._page_run(state)

    async def think(self, seconds: float) -> None:
        """Look at the page for so long; meanwhile its fragments ask to be drawn again."""
        end = time.monotonic() + seconds
        while self.beats:
            fragment, beat = min(self.beats.items(), key=lambda item: item[1])
            if time.monotonic() + beat > end:
                break
            await asyncio.sleep(beat)
            state = self._again(fragment)
            state.is_auto_rerun = True
            self.record.ticks.append(await self._ask(state))
        await asyncio.sleep(max(0.0, end - time.monotonic()))

    def _again(self, fragment: str) -> ClientState:
        state = ClientState(query_string=self.query, page_script_hash=self.hashes[self.page], fragment_id=fragment)
        state.widget_states.widgets.extend(self.states.values())
        return state

    async def _page_run(self, state: ClientState) -> None:
        self.record.pages.append((self.page, await self._ask(state)))

    async def _ask(self, state: ClientState) -> float:
        """Send what a browser sends, read what comes until the script ends; returns the seconds it took."""
        self.runs += 1
        self.parts = {name: run for name, run in self.parts.items() if self.runs - run <= 2}
        state.cached_message_hashes.extend(self.parts)
        state.context_info.timezone, state.context_info.locale, state.context_info.color_scheme = "UTC", "en", "light"
        begun = time.perf_counter()
        await self.socket.send(BackMsg(rerun_script=state).SerializeToString())
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._finished(ForwardMsg.FromString(await self.socket.recv())):
                    pass
        except TimeoutError:
            raise TimeoutError(f"{self.page}?{self.query}: no answer in {PATIENCE:.0f} s") from None
        return time.perf_counter() - begun

    def _finished(self, message: ForwardMsg) -> bool:
        """Take in one message; whether it is the last one of the run."""
        kind = message.WhichOneof("type")
        if message.metadata.cacheable or kind == "ref_hash":
            self.parts[message.ref_hash or message.hash] = self.runs
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self.widgets.clear()
            self.buttons.clear()
            self.beats.clear()
            self.errors.clear()
        elif kind == "navigation":
            names = {page.page_script_hash: page.url_pathname or "home" for page in message.navigation.app_pages}
            self.hashes = {name: page for page, name in names.items()}
            self.page = names[message.navigation.page_script_hash]  # a button may have led elsewhere
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            self.beats[message.auto_rerun.fragment_id] = message.auto_rerun.interval
        elif kind == "stop_auto_rerun":
            for fragment in message.stop_auto_rerun.fragment_ids:
                self.beats.pop(fragment, None)
        elif kind == "page_not_found":
            self.record.failures[f"{self.page}: page not found"] += 1
        elif kind == "delta" and message.delta.HasField("new_element"):
            self._see(message.delta.new_element, message.delta.fragment_id)
        if kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.record.failures[f"{self.page}: does not compile"] += 1
        return kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN

    def _see(self, element: Any, fragment: str) -> None:
        kind = element.WhichOneof("type")
        if kind == "exception":
            self.record.failures[f"{self.page}?{self.query}: {element.exception.type}"] += 1
        elif kind == "alert" and element.alert.format == element.alert.ERROR:
            self.errors.append(element.alert.body)
        elif kind == "button":
            self.buttons[element.button.label] = (element.button.id, fragment)
        elif kind in ("number_input", "slider") and not getattr(element, kind).disabled:
            widget = getattr(element, kind)
            self.widgets[widget.id] = (widget, fragment)


def _another(id: str, widget: Any, chance: random.Random) -> WidgetState:
    """A value on the widget's scale; an input without ends goes from -10 to 10."""
    number = isinstance(widget, NumberInput)
    low = widget.min if not number or widget.has_min else -10.0
    high = widget.max if not number or widget.has_max else 10.0
    step = widget.step or (high - low) / 100
    value = low + step * chance.randint(0, int((high - low) / step))
    if not number:
        state = WidgetState(id=id)
        state.double_array_value.data.append(value)
        return state
    if widget.data_type == widget.INT:
        return WidgetState(id=id, int_value=int(value))
    return WidgetState(id=id, double_value=value)


async def come(server: Server, number: int, record: Record, walk: Callable[[Visitor], Awaitable[None]]) -> None:
    """Come, walk and leave. What goes wrong is counted and ends the visit. The number is the visitor's seed."""
    address = f"{server.url.replace('http', 'ws')}/_stcore/stream"
    try:
        async with connect(address, subprotocols=["streamlit"], max_size=None, open_timeout=PATIENCE) as socket:
            await walk(Visitor(socket, random.Random(number), record))
    except (WebSocketException, OSError) as error:
        record.failures[f"{type(error).__name__}: {error}"] += 1


def journey(number: int, followed: str, chance: random.Random) -> list[tuple[str, str]]:
    """The pages of a visitor's way, each with its address; a page without a run shows the one that the visitor has.

    Every other visitor watches the run `followed` on the Train page and sees its map; the rest use a shipped run.
    """
    if number % 2:
        mode = chance.choice(["Images", "Points", "Decoder"])
        watched = urlencode({"run": followed})
        return [("home", ""), ("train", watched), ("manifold", urlencode({"mode": mode})), ("train", watched)]
    use = RECIPES["fashion-search" if is_here("fashion_mnist") else "digits-map"].run.id
    image, noise = chance.randrange(300), chance.choice(["gaussian", "masking"])
    return [
        ("home", ""),
        ("search", urlencode({"run": use, "image": image})),
        ("denoise", urlencode({"run": use, "noise": noise})),
        ("classify", urlencode({"run": use})),
    ]


async def visit(visitor: Visitor, pages: Sequence[tuple[str, str]], think: float, end: float = math.inf) -> None:
    """Walk through these pages, about `think` seconds after each step; at every second page, change a widget.

    At the time `end` the visitor leaves, once the page that it waits for is there.
    """
    steps = [step for page in pages for step in ((visitor.go, *page), (visitor.change,))]
    for step, *arguments in steps:
        if time.monotonic() > end:
            return
        if step == visitor.change and visitor.chance.random() < 0.5:
            continue
        await step(*arguments)
        await visitor.think(min(think * visitor.chance.uniform(0.5, 1.5), max(0.0, end - time.monotonic())))


async def busy(server: Server, visitors: int, seconds: float, think: float, followed: str) -> Record:
    """So many visitors at once for so many seconds; each begins somewhere on the way, and stays."""
    record, end = Record(), time.monotonic() + seconds

    async def stay(number: int, visitor: Visitor) -> None:
        await asyncio.sleep(think * visitor.chance.random())
        pages = journey(number, followed, visitor.chance)
        await visit(visitor, pages[number // 2 % len(pages) :], think, end)
        while time.monotonic() < end:
            await visit(visitor, journey(number, followed, visitor.chance), think, end)

    await asyncio.gather(*(come(server, number, record, partial(stay, number)) for number in range(visitors)))
    return record


async def passing(server: Server, visitors: int, followed: str) -> Record:
    """So many visitors come, ten at a time, go their way once without much thought, and leave."""
    record, door = Record(), asyncio.Semaphore(10)

    async def pass_by(number: int) -> None:
        async with door:
            await come(server, number, record, partial(once, number))

    async def once(number: int, visitor: Visitor) -> None:
        await visit(visitor, journey(number, followed, visitor.chance), 0.1)

    await asyncio.gather(*(pass_by(number) for number in range(visitors)))
    return record


@dataclass
class Health:
    """What /_stcore/health said: slowest answer in seconds, how many were asked, how many failed."""

    slowest: float = 0.0
    asked: int = 0
    failed: int = 0

    async def poll(self, url: str) -> None:
        """Ask every second, for ever."""
        while True:
            begun = time.perf_counter()
            self.asked += 1
            self.failed += not await asyncio.to_thread(_healthy, url)
            self.slowest = max(self.slowest, time.perf_counter() - begun)
            await asyncio.sleep(1)


def _healthy(url: str) -> bool:
    try:
        with urlopen(f"{url}/_stcore/health", timeout=10) as answer:
            return answer.read() == b"ok"
    except OSError:
        return False


async def begin(home: Path) -> Job:
    """Start a training that lasts, as the Train page does, and wait until it takes its first steps."""
    run = dataclasses.replace(RECIPES["blocks-map"].run, epochs=1000)
    job = Job(Store(home / "runs").create(run))
    job.start()
    end = time.monotonic() + 120
    while job.state in ("waiting", "running") and time.monotonic() < end:
        if job.progress.get("step", 0) > 0:
            return job
        await asyncio.sleep(0.2)
    raise RuntimeError(f"the training does not begin, it is {job.state}: {job.error}")


async def speed(job: Job, seconds: float) -> float:
    """Training steps per second over the next seconds."""
    before = job.progress
    await asyncio.sleep(seconds)
    after = job.progress
    return (after["step"] - before["step"]) / max(after["time"] - before["time"], 1e-9)


async def end(job: Job) -> None:
    """Stop the training and wait until its process is gone."""
    job.stop()
    for _ in range(300):
        if not job.alive:
            return
        await asyncio.sleep(0.1)


def memory(server: Server) -> float:
    """Resident megabytes of the server's process."""
    return psutil.Process(server.process.pid).memory_info().rss / 1e6


async def settle(server: Server, seconds: float) -> Record:
    """Wait until the sessions of those who left are over. Streamlit looks when the next one leaves: let one do so."""
    await asyncio.sleep(seconds)
    record = Record()
    await come(server, 0, record, lambda visitor: visitor.go("home"))
    await asyncio.sleep(1)
    return record


Row = tuple[str, str, str]


def times(record: Record, limit: str) -> list[Row]:
    """Rows for a phase: how long page runs took, by page too, and what went wrong."""
    seconds = record.seconds
    rows = [
        (f"page runs ({len(seconds)}): median, p95, worst", _spread(seconds), limit),
        *([(f"fragment ticks ({len(record.ticks)})", _spread(sorted(record.ticks)), "")] if record.ticks else []),
    ]
    for page in sorted({page for page, _ in record.pages}):
        rows += [(f"  {page}", _spread(sorted(took for name, took in record.pages if name == page)), "")]
    return [*rows, ("exceptions", str(record.failures.total()), "0")]


def _spread(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    p95 = seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))]
    return f"{statistics.median(seconds):.2f}, {p95:.2f}, {seconds[-1]:.2f} s"


def show(title: str, rows: list[Row]) -> None:
    """Print a small table: what, here, to reach."""
    print(f"\n{title}")
    for what, here, reach in rows:
        print(f"  {what:<44} {here:>22}   {reach}".rstrip(), flush=True)


async def measure(server: Server, options: argparse.Namespace) -> Counter[str]:
    """All phases, one after the other; returns what went wrong."""
    health, shipped = Health(), RECIPES["blocks-map"].run.id
    polling = asyncio.create_task(health.poll(server.url))
    records = [await passing(server, 3, shipped)]  # now everything is imported and read
    records += await remember(server, options, shipped)

    alone = await busy(server, options.visitors, options.seconds, options.think, shipped)
    show(f"(a) {options.visitors} visitors, no training", times(alone, "p95 < 1 s"))

    job = await begin(server.home)
    try:
        solo = await speed(job, options.seconds / 2)
        beside, shared = await asyncio.gather(
            busy(server, options.visitors, options.seconds, options.think, job.id), speed(job, options.seconds)
        )
    finally:
        await end(job)
    rows = times(beside, "p95 < 1.5 s")
    if alone.seconds and beside.seconds:
        ratio = statistics.median(beside.seconds) / statistics.median(alone.seconds)
        rows.append(("median, to the median without a training", f"{ratio:.2f}", "<= 1.5"))
    rows.append(("training speed, to its speed alone", f"{shared / solo:.2f}" if solo else "none", ">= 0.5"))
    show(f"(b) {options.visitors} visitors, one training", rows)

    many = await busy(server, 2 * options.visitors, options.seconds, options.think, shipped)
    show(f"(c) {2 * options.visitors} visitors, no training", times(many, "p95 < 3 s"))

    polling.cancel()
    rows = [("asked, failed", f"{health.asked}, {health.failed}", "0 failed")]
    show("health", [*rows, ("slowest answer", f"{health.slowest:.2f} s", "")])
    return sum((record.failures for record in [*records, alone, beside, many]), Counter({"health": health.failed}))


async def remember(server: Server, options: argparse.Namespace, followed: str) -> list[Record]:
    """The phase for memory: visitors come and leave, twice."""
    records, rows, before = [], [("before", f"{memory(server):.0f} MB", "")], memory(server)
    for name in ("the first", "the next"):
        records.append(await passing(server, options.crowd, followed))
        left = memory(server)
        records.append(await settle(server, options.settle))
        after = memory(server)
        rows += [
            (f"{name} {options.crowd} have just left", f"{left:.0f} MB", ""),
            (f"{options.settle:.0f} s later", f"{after:.0f} MB", ""),
            ("growth", f"{after - before:+.0f} MB", "< 50 MB" if options.crowd == 50 else ""),
        ]
        before = after
    show(f"(d) memory of the server, twice {options.crowd} visitors", rows)
    return records


def main() -> int:
    """Serve, visit, print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--visitors", type=int, default=20, help="at once; twice as many in phase c (default 20)")
    parser.add_argument("--seconds", type=float, default=60, help="of a phase (default 60)")
    parser.add_argument("--think", type=float, default=3, help="seconds between two clicks (default 3)")
    parser.add_argument("--crowd", type=int, default=50, help="visitors that come and leave in phase d (default 50)")
    parser.add_argument("--settle", type=float, default=KEPT + 5, help="seconds to wait after they left (default 125)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        server.start()
        try:
            failures = +asyncio.run(measure(server, options))
        finally:
            server.stop()
        if failures:
            print("\nwent wrong:")
            for what, count in failures.most_common():
                print(f"  {count} x {what}")
            print("the end of the server's log:\n" + server.log.read_text()[-4000:])
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
