"""Spoil an image; every trained run of its size repairs it, with numbers beside the pictures."""

import numpy as np
import streamlit as st

from aecore.metrics import psnr
from aecore.noise import NOISES, corrupt
from aecore.runs import DamagedRun
from pages import _cached
from pages._widgets import all_runs, open_run, pick_image, picture

COUNT = 300

st.title("Denoise")
run, stamp = open_run("fashion_mnist-denoising")
checkpoint = _cached.checkpoint(run, stamp)
images = _cached.dataset(checkpoint.run.dataset)

with st.container(horizontal=True, vertical_alignment="bottom"):
    noise = st.segmented_control(
        "Noise",
        list(NOISES),
        default="gaussian",
        required=True,
        key="noise",
        bind="query-params",
        format_func=lambda name: name.replace("_", " "),
        help="  \n".join(f"**{name.replace('_', ' ')}**: {add.__doc__}" for name, add in NOISES.items()),
    )
    level = st.slider("Level", 0.0, 1.0, 0.5, 0.05, key="level", bind="query-params", width=200)
    seed = int(st.number_input("Seed", 0, 10_000, 0, key="noise-seed", bind="query-params", width=120))
row = pick_image(images)

clean = images.test.images[row : row + 1]
noisy = corrupt(clean, noise, level, seed)
repaired = []
for other in [run, *(id for id in all_runs() if id != run)]:
    try:
        candidate = _cached.checkpoint(other, _cached.stamp(other))
    except DamagedRun:
        continue
    if candidate.run.dataset == checkpoint.run.dataset:
        repaired.append((candidate, candidate.reconstruct(noisy)))
    if len(repaired) == 6:
        break

scores = [float(psnr(clean, restored)[0]) for _, restored in repaired]
best = int(np.argmax(scores))
with st.grid(4, min_column_width=150):
    with st.container():
        picture(clean[0], "Clean")
    with st.container():
        picture(noisy[0], f"Noisy · {psnr(clean, noisy)[0]:.2f} dB")
    for place, ((candidate, restored), score) in enumerate(zip(repaired, scores, strict=True)):
        with st.container():
            model = candidate.run.model
            name = f"{model.name} {model.latent}, {candidate.run.network}"
            picture(restored[0], f"{name} · " + (f"**{score:.2f} dB**, best" if place == best else f"{score:.2f} dB"))

st.subheader("Over many images", help="One image proves little. The mean is over the same images for every run.")
table = []
for candidate, _ in repaired:
    id = candidate.run.id
    before, after = _cached.denoising_psnr(id, _cached.stamp(id), noise, level, seed, COUNT)
    table.append({"run": id, "noisy (dB)": before, "restored (dB)": after, "gain (dB)": after - before})
st.dataframe(
    table,
    hide_index=True,
    column_config={name: st.column_config.NumberColumn(format="%.2f") for name in table[0] if name != "run"},
)
st.caption(
    f"Peak signal-to-noise ratio, mean over the first {min(COUNT, len(images.test))} test images; the noisy image is "
    "clipped to [0, 1] before a run sees it."
)
