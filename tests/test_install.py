"""What is installed: one list kept by hand in pyproject.toml, and two files made from it that pin everything."""

import ast
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEPENDENCIES = {canonicalize_name(each.name): each for each in map(Requirement, PROJECT["dependencies"])}
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
LOCKED = [package for package in LOCK if package["name"] != PROJECT["name"]]
SOURCES = [ROOT / "app.py", *(ROOT / "aecore").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]

PYTHONS = [(3, minor) for minor in range(11, 15)]
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "skimage": "scikit-image", "yaml": "pyyaml"}
OWN = {"aecore", "pages"}
EXTRA = {"faiss", "playwright"}
"""Imported only where it is installed."""


def _lines(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_the_project_depends_on_what_it_imports_and_on_nothing_else() -> None:
    names = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names.add(node.module.partition(".")[0])
    foreign = names - sys.stdlib_module_names - OWN - EXTRA
    assert {DISTRIBUTIONS.get(name, name) for name in foreign} == DEPENDENCIES.keys()


def test_every_dependency_is_bounded_above_and_torch_is_pinned() -> None:
    for each in [*DEPENDENCIES.values(), *_lines("tests/requirements.txt")]:
        assert re.fullmatch(r"==2\.13\.0|<\d+(\.\d+)?,>=[\d.]+", str(each.specifier)), each
    assert str(DEPENDENCIES["torch"].specifier) == "==2.13.0"


def test_the_lock_is_made_from_the_dependencies() -> None:
    [own] = [package for package in LOCK if package["name"] == PROJECT["name"]]
    wanted = [Requirement(each["name"] + each["specifier"]) for each in own["metadata"]["requires-dist"]]
    assert set(wanted) == set(DEPENDENCIES.values())
    for package in LOCKED:
        if package["name"] in DEPENDENCIES:
            assert DEPENDENCIES[package["name"]].specifier.contains(package["version"]), package["name"]


def test_the_requirements_pin_what_the_lock_pins() -> None:
    pinned = {each.name: str(each.specifier) for each in _lines("requirements.txt")}
    assert pinned == {package["name"]: f"=={package['version'].partition('+')[0]}" for package in LOCKED}


def test_one_version_of_each_package_serves_every_python() -> None:
    names = [package["name"] for package in LOCKED]
    assert sorted(names) == sorted([*{*names}, "torch"])  # torch: a build for Linux, and one for the others


def test_the_lock_takes_torch_from_its_own_index_on_linux_and_the_rest_from_pypi() -> None:
    for package in LOCKED:
        cpu = package["version"].endswith("+cpu")
        assert package["source"]["registry"] == (
            "https://download.pytorch.org/whl/cpu" if cpu else "https://pypi.org/simple"
        )
        home = "https://download-r2.pytorch.org/whl/cpu/" if cpu else "https://files.pythonhosted.org/packages/"
        for file in [*package["wheels"], *([package["sdist"]] if "sdist" in package else [])]:
            assert file["url"].startswith(home), file
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", file["hash"]), file
    [torch] = [package for package in LOCKED if package["version"].endswith("+cpu")]
    assert torch["name"] == "torch"
    assert all("sys_platform == 'linux'" in marker for marker in torch["resolution-markers"])


@pytest.mark.parametrize("python", PYTHONS, ids=lambda python: "{}.{}".format(*python))
def test_every_locked_package_has_a_wheel_for_a_server_with_python(python: tuple[int, int]) -> None:
    # glibc 2.31, as on Debian 11, which Streamlit Community Cloud runs
    platforms = [*(f"manylinux_2_{minor}_x86_64" for minor in range(31, 4, -1)), "manylinux2014_x86_64"]
    usable = {*cpython_tags(python, platforms=platforms), *compatible_tags(python, platforms=platforms)}
    found = set()
    for package in LOCKED:
        for wheel in package["wheels"]:
            name = wheel["url"].rpartition("/")[2].replace("%2B", "+")
            if parse_wheel_filename(name)[3] & usable:
                found.add(package["name"])
    assert found == {package["name"] for package in LOCKED}


def test_the_containers_use_a_python_that_is_supported() -> None:
    devcontainer = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    named = re.findall(r"python:(?:\d+-)?(\d+)\.(\d+)", devcontainer["image"] + README)
    assert len(named) >= 2
    assert {(int(major), int(minor)) for major, minor in named} <= set(PYTHONS)
    assert devcontainer["forwardPorts"] == [8501]
    assert f"Python {PYTHONS[0][0]}.{PYTHONS[0][1]} to {PYTHONS[-1][0]}.{PYTHONS[-1][1]}" in README
