"""A few labels on frozen codes, against the same labels on raw pixels and on HOG."""

import numpy as np
import streamlit as st

from aecore.charts import accuracy_curves, confusion
from aecore.data import revision
from aecore.measure.few_labels import AMOUNTS
from aecore.process.questions import labels, labels_of_pixels
from pages import _cached, _controls, _view
from pages._widgets import go, offer_measuring, open_run, opening_run, plot, titles
from pages._words import plain
from pages.acts.wait import FEW, answer
from pages.components.gallery import gallery

if "mistake" in st.session_state:
    go("search", **st.session_state.pop("mistake"))
st.title("Classify")
view = open_run("fashion-labels")
images = _cached.images(view)
if images.classes is None:
    st.write(f"{plain(images.title)} has no classes to predict. Try a run on images that have classes:")
    other = opening_run("fashion-labels")
    if st.button(plain(titles()[other]), type="primary", key="one-with-classes"):
        _view.put("run", other)
        st.rerun()
    st.caption("A dataset has classes when its images come in folders, one folder for each class.")
    _view.stop()
present, counts = np.unique(images.train.labels, return_counts=True)
if len(present) < 2:
    kind = plain(images.classes[present[0]])
    st.write(f"All training images of {plain(images.title)} are {kind}: there is nothing to predict.")
    _view.stop()

amounts = [amount for amount in AMOUNTS if amount <= counts.min()]
quick = len(images.train) <= FEW
first = 10 if 10 in amounts else amounts[-1]
with st.container(horizontal=True, vertical_alignment="bottom"):
    amount = _controls.segments("labels", "Labels per class", amounts, first)
    seed = _controls.number("draw", "Seed", 0, 1000, 0, width=120)

left, right = st.columns(2, gap="large")
with left:
    st.subheader("Accuracy by number of labels")
    if part := _cached.measured(view).get("few_labels"):
        plot(accuracy_curves(part["rows"]), height=340, alt="Test accuracy over labels per class")
        st.caption(
            f"Mean and standard deviation over {part['seeds']} random choices of the labels.",
            help="HOG and edges are fixed descriptions of outlines, learned from nothing. PCA is the linear code.",
        )
    else:
        offer_measuring(view, "few_labels")
with right:
    st.subheader("Confusion matrix")
    found = answer(labels(view.run, view.stamp, amount, seed), "Learning from the labels", quick=quick)
    if found is None:
        _view.stop()
    said, sure = found
    chart = confusion(images.test.labels, said, images.classes)
    plot(chart, height=340, alt="Confusion matrix of the test images")

accuracy = float((said == images.test.labels).mean())
st.write(
    f"The network was trained without any label. With {amount * len(images.classes):,} labels, "
    f"logistic regression on its codes classifies **{accuracy:.1%}** of {len(images.test):,} test images correctly."
)
question = labels_of_pixels(images.name, revision(images.name), amount, seed)
if by_pixels := answer(question, "Learning the same from raw pixels", quick=quick):
    of_pixels = float((by_pixels[0] == images.test.labels).mean())
    st.write(f"On raw pixels, with the same labels, it classifies {of_pixels:.1%} correctly.")

st.subheader("Most confident mistakes")
wrong = np.flatnonzero(said != images.test.labels)
worst = wrong[np.argsort(-sure[wrong], kind="stable")][:8]
lines = [
    [f"{images.classes[said[row]]}, {sure[row]:.0%} sure", f"labeled {images.classes[images.test.labels[row]]}"]
    for row in worst
]


def look(place: int, _: str) -> None:
    st.session_state["mistake"] = {"run": view.run, "source": "test", "image": int(worst[place])}


gallery(images.test.images[worst], lines, "mistakes", "Most confident mistakes", ("look", "Find similar images"), look,
        side=90, most=150)  # fmt: skip
