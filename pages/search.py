"""One query, from the set or from outside, and the images whose codes are nearest to its code."""

import numpy as np
import streamlit as st

from aecore.figures import bars
from aecore.search import METRICS
from pages import _cached
from pages._query import SOURCES, pick_query
from pages._similar import SAME, SPACES, Place, duplicates, examples, hit_gallery, name_of, outliers, show_examples
from pages._widgets import go, open_run, picture

if "locate" in st.session_state:  # the run goes along by itself: its control keeps it
    go("manifold", **st.session_state.pop("locate"))
st.title("Search")
run, stamp = open_run("fashion-search")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)

query = pick_query(images)
with st.container(horizontal=True, vertical_alignment="bottom"):
    where = st.segmented_control(
        "Search in", ["train", "test"], default="train", required=True, key="gallery", bind="query-params",
        format_func=SOURCES.get,
    )  # fmt: skip
    space = st.segmented_control(
        "Space", list(SPACES), default="code", required=True, key="space", bind="query-params", format_func=SPACES.get,
        help="What is compared. Whitened: codes along their principal axes, the strong ones held back by half.",
    )  # fmt: skip
    metric = st.segmented_control("Metric", METRICS, default="cosine", required=True, key="metric", bind="query-params")
    k = int(st.number_input("How many", 1, 100, 4, key="k", bind="query-params", width=90))
place, split = Place(run, stamp, where, space, metric), getattr(images, where)

chosen = examples(images)
wanted, unwanted = ([getattr(images, of).images[row] for sign, of, row in chosen if sign == kind] for kind in "pm")
wanted.insert(0, query.image)
asked = [(query.split, query.row), *((of, row) for _, of, row in chosen)]
without = [row for of, row in asked if of == where]
distances, rows = place.find(wanted, unwanted, k, without)

head = st.empty()
left, right = st.columns([1, 4], gap="small")
with left:
    picture(query.image, query.name, side=280)
    if chosen:
        show_examples(images, chosen)
with right:
    lines = [
        [place.score(distance), name_of(images, where, row), *(["duplicate"] if distance <= SAME[metric] else [])]
        for distance, row in zip(distances, rows, strict=True)
    ]
    side = 130 if len(rows) <= 4 else 84
    hit_gallery(images, place, rows, lines, "hits", side, offer=("more", "less", "map"))
    st.caption("Press a picture to search for it. " + place.sentence(checkpoint.run.model.latent, len(split)))

label = None if split.labels is None or query.row < 0 or chosen else getattr(images, query.split).labels[query.row]
same = None if label is None else split.labels[rows] == label
if chosen:
    head.markdown(f"The mean of {len(wanted)} for, moved away from {len(unwanted)} against." if unwanted else
                  f"The mean of {len(wanted)} examples.")  # fmt: skip
elif query.row < 0 and space != "pixels":
    usual = _cached.usual_distances(run, stamp, where, space, metric)
    far, nearest = usual[int(0.99 * len(usual))], place.score(distances[0])
    verdict = "unlike anything in this set" if distances[0] > far else "as near as images of this set are"
    head.markdown(f"**Nearest at {nearest}**: {verdict}; 99% of test images find one at {place.score(far)} or nearer.")
elif same is not None:
    plain = _cached.pixel_neighbors(images.name, where, query.split, query.row, k + len(without), metric)[1]
    plain = plain[~np.isin(plain, without)][:k]
    by_chance = len(rows) * float((split.labels == label).mean())
    head.markdown(
        f"**{same.sum()} of {len(rows)} same class**; raw pixels {(split.labels[plain] == label).sum()} of "
        f"{len(plain)}; chance {by_chance:.1f}"
    )

scores, copies, odd = st.tabs(
    ["Scores by rank", "Near-duplicates", "Outliers"], key="act-search", on_change="rerun", bind="query-params"
)
if scores.open:
    with scores:
        values = 1 - distances if metric == "cosine" else distances
        kinds = None if same is None else np.where(same, "same class", "other class").tolist()
        chart = bars(values, "rank", "cosine similarity" if metric == "cosine" else "euclidean distance", kinds)
        st.vega_lite_chart(chart, height=200, alt="Score of every hit by its rank")
if copies.open:
    with copies:
        duplicates(images, place)
if odd.open:
    with odd:
        outliers(images, place)
