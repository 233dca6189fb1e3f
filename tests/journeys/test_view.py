"""What a visitor looks at has one owner; all of it is in the address, and each value belongs to what it is of."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PAGES, components, matrix, texts, visit
from streamlit.testing.v1 import AppTest

import aecore
from aecore import Checkpoint, load_dataset
from aecore.process.jobs import Job
from pages import _cached

SOURCES = sorted(PAGES.rglob("*.py"))
DIGITS = load_dataset("digits")
NONSENSE = {"inf": "inf", "nan": "nan", "1e999": "1e999", "huge": "9" * 400, "foreign": "²"}
NUMBERS = {
    "manifold": ("row", "x", "tile", "units", "dice"),
    "search": ("image", "k", "near"),
    "denoise": ("level", "times", "image"),
    "classify": ("draw", "labels"),
    "train": ("lr", "latent"),
    "home": ("unit-1",),
}
"""Parameters of each page that are numbers."""


@pytest.mark.parametrize("path", [path for path in SOURCES if path.stem != "_view"], ids=lambda path: path.stem)
def test_the_address_has_one_owner(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.Attribute) and node.attr == "query_params"), node.lineno
        assert not (isinstance(node, ast.keyword) and node.arg in ("bind", "persist_state")), node.lineno


@pytest.mark.parametrize(("word", "page"), matrix(NONSENSE, NUMBERS.keys()))
def test_an_address_that_says_nonsense_shows_the_default(
    word: str, page: str, home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    names = NUMBERS[page]
    run = {} if page == "home" else {"run": digits_runs[1].run.id}
    app = visit(page, **run, **dict.fromkeys(names, word))
    assert not set(names) & set(app.query_params)


def test_the_selection_belongs_to_its_map(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    area = "-1,-1,2,-1,2,2,-1,2"
    app = visit("manifold", run=digits_runs[0].run.id, tool="selection", area=area)
    assert "images selected" in texts(app)
    app.segmented_control(key="of").set_value("test").run()
    assert "images selected" not in texts(app)
    assert "area" not in app.query_params
    app.segmented_control(key="of").set_value("train").run()
    assert app.query_params["area"] in (area, [area])
    app.selectbox(key="run").set_value(digits_runs[1].run.id).run()
    assert "images selected" not in texts(app)


def by_the_menu(app: AppTest, page: str) -> None:
    """The menu leads to an address without parameters."""
    app.query_params.clear()
    app.switch_page(str(PAGES / f"{page}.py")).run()
    assert not app.exception


def test_a_pick_and_the_reset_reach_every_page(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    app = visit("manifold")
    picked = digits_runs[1].run.id
    app.selectbox(key="run").set_value(picked).run()
    for page in ("search", "denoise", "classify", "manifold"):
        by_the_menu(app, page)
        assert app.selectbox(key="run").value == picked
        assert app.query_params["run"] in (picked, [picked])
    app.button(key="reset-all").click().run()
    assert app.selectbox(key="run").value == aecore.RECIPES["blocks-map"].run.id
    assert not app.query_params


def test_watching_a_training_is_no_pick(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    app = visit("train", run=digits_runs[1].run.id)
    by_the_menu(app, "manifold")
    assert app.selectbox(key="run").value == aecore.RECIPES["blocks-map"].run.id


def test_what_a_visitor_starts_to_train_is_what_other_pages_show(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Job, "start", lambda job: None)
    app = visit("train", dataset="digits")
    next(button for button in app.button if button.label == "Train").click().run()
    started = app.selectbox(key="run").value
    assert started not in (None, aecore.RECIPES["blocks-map"].run.id)
    for page in ("manifold", "train", "search"):
        by_the_menu(app, page)
        assert app.selectbox(key="run").value == started


def test_a_page_says_that_its_run_is_being_trained_until_that_ends(
    home_with_runs: Path, digits_runs: list[Checkpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = ["running"]
    monkeypatch.setattr(Job, "state", property(lambda job: states[-1]))
    app = visit("search", run=digits_runs[1].run.id)
    assert "This run is being trained" in texts(app)
    states.append("done")
    assert "This run is being trained" not in texts(app.run())


def test_the_way_back_to_a_lesson_is_in_the_address_until_the_menu_leads_elsewhere(home_with_runs: Path) -> None:
    way = "Back to the lesson"
    app = visit("manifold", lesson="nonlinear.4")
    (link,) = [link for link in app.get("page_link") if link.proto.label == way]
    assert link.proto.query_string == "name=nonlinear&step=4"
    app.segmented_control(key="of").set_value("test").run()
    assert app.query_params["lesson"] in ("nonlinear.4", ["nonlinear.4"])
    by_the_menu(app, "search")
    assert "lesson" not in app.query_params
    assert way not in [link.proto.label for link in app.get("page_link")]


@pytest.mark.parametrize("word", ["nonlinear", "../about.1", "nonlinear.0", ".4", "nonlinear.4.4 "])
def test_a_way_back_to_no_lesson_is_not_offered(word: str, home_with_runs: Path) -> None:
    app = visit("about", lesson=word)
    assert not app.get("page_link")
    assert "lesson" not in app.query_params


def test_a_link_says_keys_and_no_words_on_screen(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    """ "Locate on the map" names a split as the map does."""
    import json

    app = visit("search", run=digits_runs[1].run.id, gallery="test", source="train", image="3")
    (gallery,) = [part for part in components(app) if part.id.endswith("-hits")]
    for tile in json.loads(gallery.json)["tiles"]:
        address = tile["links"]["map"]
        assert "of=test" in address
        assert f"run={digits_runs[1].run.id}" in address
        assert "+" not in address
        assert "%20" not in address


def test_a_row_is_of_its_split_and_comes_back(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    app = visit("manifold", run=digits_runs[0].run.id, row="40")
    app.segmented_control(key="of").set_value("test").run()
    assert f"Image {DIGITS.test.ids[0]}," in texts(app)
    app.segmented_control(key="of").set_value("train").run()
    assert f"Image {DIGITS.train.ids[40]}," in texts(app)


def test_blocks_are_searched_and_sorted_one_entry_for_equal_images(home: Path) -> None:
    from test_use import tiles

    run = aecore.RECIPES["blocks-map"].run.id
    for act, key in (("outliers", "outliers"), ("scores", "hits")):
        app = visit("search", run=run, act=act)
        assert app.segmented_control(key="metric").value == "euclidean"
        shown = [tile[1] for tile in tiles(app, key)]
        assert len(shown) == len(set(shown))
        blocks = load_dataset("blocks").train
        ids = {name.split(", ")[0]: row for row, name in enumerate(blocks.ids)}
        images = np.array([blocks.images[ids[name.split(", ")[0]]].tobytes() for name in shown])
        assert len(set(images.tolist())) == len(shown)


def test_two_places_in_one_direction_are_no_duplicates(home_with_runs: Path, digits_runs: list[Checkpoint]) -> None:
    from test_use import tiles

    app = visit("search", run=digits_runs[0].run.id, space="map", metric="cosine", k="100")
    assert not any(len(tile) > 2 for tile in tiles(app, "hits"))


def test_hits_whose_code_is_that_of_the_query_are_told(home_with_runs: Path) -> None:
    from test_use import tiles

    blind = next(aecore.train(aecore.Run("digits", aecore.models.Vanilla(latent=3), "shallow", epochs=1)))
    for weights in blind.network.parameters():
        weights.data.zero_()
    aecore.Store().save(blind)
    app = visit("search", run=blind.run.id, metric="euclidean")
    assert [tile[2:] for tile in tiles(app, "hits")] == [["identical code"]] * 4


def test_controls_are_set_again_after_a_page_that_ended_early(home_with_runs: Path) -> None:
    """Without a picture the page ends before its other controls; the browser has dropped those when they come again."""
    app = visit("search")
    app.segmented_control(key="source").set_value("upload").run()
    assert not app.number_input
    app.segmented_control(key="source").set_value("test").run()
    assert app.number_input(key="k").proto.set_value
    assert app.segmented_control(key="space").proto.set_value


def test_controls_are_set_again_after_a_run_that_was_cut_off(home_with_runs: Path) -> None:
    """The session knows a value that the browser may never have got: the next press would send another one back."""
    app = visit("search").run()
    assert not app.number_input(key="k").proto.set_value
    app.session_state["view"].whole = False
    app.run()
    assert app.number_input(key="k").proto.set_value
    assert app.number_input(key="k").value == 4


def test_train_shows_the_pick_and_keeps_words_of_other_pages_out_of_its_address(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = visit("search", source="train", image="3")
    picked = aecore.RECIPES["digits-map"].run.id
    app.selectbox(key="run").set_value(picked).run()
    by_the_menu(app, "train")
    assert app.selectbox(key="run").value == picked
    assert set(app.query_params) == {"run"}


def test_what_a_cache_is_not_told_of_a_view_changes_nothing_in_it(
    home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    view = _cached.newest(digits_runs[0].run.id)
    others = [view.at(split, way) for split in ("", "train", "test") for way in ("", "codes", "tsne")]
    for of_run in (_cached.checkpoint, _cached.axes, _cached.whitening):
        assert len({id(of_run(other)) for other in others}) == 1
    for split in ("train", "test"):
        for of_split in (_cached.codes, _cached.places, _cached.errors):
            assert len({id(of_split(view.at(split, way))) for way in ("", "codes", "tsne")}) == 1
            assert of_split(view.at("train")) is not of_split(view.at("test"))
    assert _cached.points_part(view.at("test", "codes"), "a") != _cached.points_part(view.at("test", "pca"), "a")


def test_a_cache_that_needs_a_split_refuses_a_view_without_one(
    home_with_runs: Path, digits_runs: list[Checkpoint]
) -> None:
    with pytest.raises(ValueError, match="split is ''; choose one of train, test"):
        _cached.codes(_cached.newest(digits_runs[0].run.id))


CHANGED = {
    "search": {"k": "7", "metric": "euclidean", "gallery": "test", "act": "outliers", "odd": "far", "source": "train"},
    "denoise": {"level": "0.35", "noise-seed": "3", "noise": "masking", "clip": "no", "act": "again", "times": "3"},
    "manifold": {"tile": "40", "tool": "dice", "dice": "5", "of": "test", "mode": "decoder"},
    "train": {"flavor": "sparse", "epochs": "7", "latent": "12", "log": "yes"},
    "classify": {"labels": "5", "draw": "4"},
}


def suffices(element: Any) -> bool:
    """Whether a browser that sees only this message of a control shows the value that it has."""
    proto, value = element.proto, element.value
    if proto.set_value:
        return True
    if element.type in ("number_input", "checkbox", "toggle"):
        return proto.default == pytest.approx(value)
    if element.type == "slider":
        return list(proto.default) == pytest.approx([value])
    if element.type == "selectbox":
        return proto.options[proto.default] == element.format_func(value) if value is not None else True
    chosen = value if isinstance(value, list) else [value]
    return [element.options[place] for place in proto.default] == [element.format_func(one) for one in chosen]


@pytest.mark.parametrize("page", CHANGED)
def test_a_control_keeps_its_value_when_a_message_about_it_was_overtaken(page: str, home_with_runs: Path) -> None:
    app = visit(page, **CHANGED[page])
    app.run()
    seen = [*app.number_input, *app.slider, *app.select_slider, *app.toggle, *app.selectbox, *app.button_group]
    assert len(seen) > 2
    assert [element.label for element in seen if not suffices(element)] == []
