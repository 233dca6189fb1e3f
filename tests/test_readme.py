"""The README keeps its word."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

import aecore
from aecore.__main__ import _parser
from aecore.process.limits import LIMITS
from pages.acts import slides

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", blocks("python"))
def test_its_python_runs(block: str, home: Path) -> None:
    names: dict[str, object] = {}
    exec(compile(block, "README.md", "exec"), names)
    assert names["checkpoint"].run.id in aecore.Store().ids()


def test_its_commands_exist() -> None:
    commands = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("python -m aecore")]
    assert len(commands) >= 7
    for command in commands:
        _parser().parse_args(shlex.split(command)[3:])


def test_it_names_every_limit_and_its_default() -> None:
    for name, about in LIMITS.items():
        assert f"| `{name}` | {about.what} | {about.default:,.0f} |" in README


def test_its_tree_is_the_tree() -> None:
    tree = README.partition("## The tree\n\n```\n")[2].partition("```")[0]
    named: dict[Path, set[str]] = {}
    folder = ROOT
    for indent, words in re.findall(r"^( *)(\S.*)$", tree, re.MULTILINE):
        names = re.findall(r"\w+\.py\b|\w+/", words)
        if not indent:
            folder = ROOT / names[0]
        for name in names:
            path = ROOT / name if not indent else folder / name
            assert path.exists(), path
            named.setdefault(path.parent, set()).add(path.name)
    wings = {path.parent.name for path in (ROOT / "aecore").glob("*/__init__.py")}
    modules = {path.name for path in (ROOT / "aecore").glob("[a-z]*.py")}
    assert named[ROOT / "aecore"] - {"showcase"} == modules | wings


def test_its_moving_picture_is_small_and_can_be_made_again() -> None:
    assert "`python -m aecore poster .github/tour.txt --out .github/tour.webp`" in README
    deck = slides.read((ROOT / ".github" / "tour.txt").read_text())
    assert deck.slides
    assert deck.problems == ()
    picture = ROOT / ".github" / "tour.webp"
    assert picture.stat().st_size < 1.5e6
    with Image.open(picture) as film:
        assert film.n_frames == len({slide.address for slide in deck.slides})


def test_its_pictures_and_links_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target
