"""A few labels on frozen codes, against the same labels on raw pixels and on HOG."""

import numpy as np
import streamlit as st

from aecore.figures import accuracy_curves, confusion
from aecore.labels import AMOUNTS
from pages import _cached
from pages._widgets import offer_measuring, open_run, picture

st.title("Classify")
run, stamp = open_run("fashion-labels")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)
if images.classes is None:
    st.write(
        f"{images.title} has no labels, so there is nothing to classify. A set of images has classes when it comes in "
        "folders, one folder for each class. Digits and Fashion-MNIST have them."
    )
    st.stop()
present, counts = np.unique(images.train.labels, return_counts=True)
if len(present) < 2:
    st.write(f"All training images of {images.title} are {images.classes[present[0]]}: there is nothing to tell apart.")
    st.stop()

amounts = [amount for amount in AMOUNTS if amount <= counts.min()]
first = 10 if 10 in amounts else amounts[-1]
with st.container(horizontal=True, vertical_alignment="bottom"):
    amount = st.segmented_control(
        "Labels per class", amounts, default=first, required=True, key="labels", bind="query-params"
    )
    seed = int(st.number_input("Seed", 0, 1000, 0, key="draw", bind="query-params", width=120))

left, right = st.columns(2, gap="large")
with left:
    st.subheader("More labels")
    if part := _cached.measured(run, stamp).get("few_labels"):
        st.vega_lite_chart(accuracy_curves(part["rows"]), height=340, alt="Test accuracy over labels per class")
        st.caption(f"Mean and standard deviation over {part['seeds']} draws of the labels.")
    else:
        offer_measuring(run, stamp, "few_labels")
with right:
    st.subheader("What is taken for what")
    result = _cached.classified(run, stamp, amount, seed)
    said, sure = result["said"], result["confidence"]
    chart = confusion(images.test.labels, said, images.classes)
    st.vega_lite_chart(chart, height=340, alt="Confusion matrix of the test images")

plain = _cached.classified_pixels(images.name, amount, seed)
st.write(
    f"The network saw {len(images.train):,} images and no label. With {amount * len(images.classes):,} labels, "
    f"logistic regression on its codes names **{result['accuracy']:.1%}** of {len(images.test):,} test images rightly; "
    f"on raw pixels, with the same labels, {plain['accuracy']:.1%}."
)

st.subheader("Most confident mistakes")
wrong = np.flatnonzero(said != images.test.labels)
with st.grid(8, min_column_width=90):
    for row in wrong[np.argsort(-sure[wrong], kind="stable")][:8]:
        with st.container():
            true = images.classes[images.test.labels[row]]
            words = f"**{images.classes[said[row]]}**, {sure[row]:.0%} sure  \n{true} by its label"
            picture(images.test.images[row], words, side=112)
