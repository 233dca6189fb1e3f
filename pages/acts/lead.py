"""From images to what a run makes of them: similar ones, their place on the map, a cleaner one; or to a training."""

from typing import TYPE_CHECKING

import streamlit as st

from aecore.data import revision
from aecore.process.questions import durations
from aecore.recipes import recipes_for
from pages._widgets import all_runs, go, start_run, titles
from pages._words import lasting, plain, sentence
from pages.acts.map import located
from pages.acts.wait import quietly

if TYPE_CHECKING:
    from aecore import Dataset


def lead_on(images: "Dataset", split: str = "", row: int | None = None) -> None:
    """Buttons to the other pages, about an image or, without a row, about the set; below, what can be trained on it."""
    runs = [run for run in all_runs() if run.partition("-")[0] == images.name]
    if runs:
        what = "All images" if row is None else "This image"
        st.caption(f"{what} with the run {plain(titles()[runs[0]])}:")
        with st.container(horizontal=True):
            _about_all(runs[0]) if row is None else _about_one(runs[0], split, row)
    if row is None:
        _train(images, bool(runs))


def _about_one(run: str, split: str, row: int) -> None:
    for page, words in {"search": "Find similar", "denoise": "Denoise"}.items():
        if st.button(words):
            go(page, run=run, source=split, image=row)
    if st.button("See it on the map"):
        go("manifold", **located(run, split, row))


def _about_all(run: str) -> None:
    for words, (page, values) in {
        "Near-duplicates": ("search", {"act": "duplicates"}),
        "Outliers": ("search", {"act": "outliers"}),
        "Map": ("manifold", {}),
    }.items():
        if st.button(words):
            go(page, run=run, **values)


def _train(images: "Dataset", known: bool) -> None:
    """The recipes that serve any images, on these, and the way to all settings."""
    st.caption(
        "Train another run on these images:" if known else "No run has been trained on these images yet. Train one:"
    )
    recipes = recipes_for(images.name, len(images.train))
    with st.container(horizontal=True):
        for recipe in recipes.values():
            if st.button(f"Train: {recipe.title}", key=f"train-{recipe.title}", help=recipe.sentence, type="secondary"):
                try:
                    run = start_run(recipe.run.to_dict())
                except ValueError as error:
                    st.error(sentence(error))
                else:
                    settings = recipe.run.to_dict()
                    model = settings.pop("model")
                    go("train", run=run, recipe=None, **settings, **model)
        if st.button("All settings", type="tertiary"):
            go("train", dataset=images.name, recipe=None)
    question = durations(images.name, revision(images.name))
    if (found := quietly(question)) is not None:
        times = [
            f"{recipe.title} {lasting(took) if took > 10 else 'a few seconds'}"
            for recipe, took in zip(recipes.values(), found[0], strict=True)
        ]
        st.caption(f"Roughly, on this machine: {'; '.join(times)}.")
