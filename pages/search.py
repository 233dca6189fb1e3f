"""One query, from the set or from outside, and the images whose codes are nearest to its code."""

import numpy as np
import streamlit as st

from aecore.charts import bars
from pages import _cached, _controls
from pages._widgets import go, open_run, picture, plot
from pages._words import counted
from pages.acts.files import files
from pages.acts.query import pick_query
from pages.acts.similar import duplicates, examples, hit_gallery, name_of, outliers, show_examples
from pages.acts.where import choose_place
from pages.components.reveal import reveal

if "locate" in st.session_state:
    go("manifold", **st.session_state.pop("locate"))
st.title("Search")
view = open_run("fashion-search")
images, latent = _cached.images(view), _cached.checkpoint(view).run.model.latent

with st.container(key="query"):
    query = pick_query(images)
place, k = choose_place(view, query)
where, space, metric, split = place.view.split, place.space, place.metric, images.split(place.view.split)

chosen = examples(images)
wanted, unwanted = ([images.split(of).images[row] for sign, of, row in chosen if sign == kind] for kind in "pm")
wanted.insert(0, query.image)
asked = [(query.split, query.row), *((of, row) for _, of, row in chosen)]
without = [row for of, row in asked if of == where]
distances, rows = place.find(wanted, unwanted, k, without)

head = st.empty()
left, right = st.columns([1, 4], gap="small")
with left:
    picture(query.image, query.name, 280, _cached.original(images.name, query.split, query.row))
    if chosen:
        show_examples(images, chosen)
with right:
    alike = [[] for _ in rows] if chosen else place.sameness(query.image, rows)
    lines = [
        [place.score(distance), name_of(images, where, row), *same]
        for distance, row, same in zip(distances, rows, alike, strict=True)
    ]
    side = 130 if len(rows) <= 4 else 84
    hit_gallery(images, place, rows, lines, "hits", side, offer=("more", "less", "map"))
    st.caption("Press an image to search for it. " + place.sentence(latent, len(split)))

label = None if split.labels is None or query.row < 0 or chosen else images.split(query.split).labels[query.row]
same = None if label is None else split.labels[rows] == label
if chosen:
    away = f", moved away from {counted(len(unwanted), 'other')}" if unwanted else ""
    head.markdown(f"Query: the mean of {counted(len(wanted), 'image')}{away}.")
elif query.row < 0 and space != "pixels":
    usual = _cached.usual_distances(place.view, space, metric)
    far = usual[int(0.99 * len(usual))]
    verdict = "less similar than" if distances[0] > far else "as similar as"
    head.markdown(
        f"**Best match {place.score(distances[0])}**: {verdict} images of this dataset usually are; "
        f"99% of test images have a match of {place.score(far)} or better."
    )
elif same is not None:
    by_chance = len(rows) * float((split.labels == label).mean())
    pixels = ""
    if space != "pixels":
        plain = place.in_pixels().find([query.image], [], k, without)[1]
        pixels = f"raw pixels: {(split.labels[plain] == label).sum()}, "
    head.markdown(f"**{same.sum()} of {len(rows)} are of the same class** ({pixels}chance: {by_chance:.1f})")

act, (scores, copies, odd) = _controls.tabs(
    "act", {"scores": "Scores by rank", "duplicates": "Near-duplicates", "outliers": "Outliers"}
)
if act == "scores":
    with scores:
        values = 1 - distances if metric == "cosine" else distances
        kinds = None if same is None else np.where(same, "same class", "other class").tolist()
        score = "cosine similarity" if metric == "cosine" else "euclidean distance"
        chart = bars(values, "rank", score, kinds, kinds=("same class", "other class"))
        plot(chart, height=200, alt="Score of every hit by its rank")
        with st.container(horizontal=True):
            files(images, where, rows, "hits", ["hits"] * len(rows))
elif act == "duplicates":
    with copies:
        duplicates(images, place)
else:
    with odd:
        outliers(images, place)
reveal("query", st.session_state.get("asked-from-below", ""))
