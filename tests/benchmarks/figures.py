"""Print the README's tables from the evaluations of the runs that come with the package.

python tests/benchmarks/figures.py
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from aecore import RECIPES, showcase
from aecore.measure.evaluate import measured

FLAVORS = {
    "vanilla": "fashion-rebuild",
    "sparse": "fashion-sparse",
    "denoising": "fashion-denoise",
    "contractive": "fashion-contract",
    "variational": "fashion-sample",
}


def rows(recipe: str, part: str) -> dict[str, dict[str, Any]]:
    return measured(showcase(), RECIPES[recipe].run.id)["parts"][part]["rows"]


def listed(row: dict[str, Any], names: tuple[str, ...], digits: int = 3) -> str:
    values = [row[name] for name in names]
    plain = [value.get("mean", value.get("PSNR")) if isinstance(value, dict) else value for value in values]
    return ", ".join(f"{value:.{digits}f}" for value in plain)


def main() -> None:
    mse, factors, three = ("MSE",), ("R^2 height", "R^2 width"), ("P@4", "P@10", "5-NN")
    labels, levels = ("10", "100", "all"), ("gaussian 0.25", "gaussian 0.5")
    blocks, blocks_map = rows("blocks-map", "reconstruction"), rows("blocks-map", "map_quality")
    clothes, plane = rows("fashion-rebuild", "reconstruction"), rows("fashion-map", "map_quality")
    near, few = rows("fashion-search", "retrieval"), rows("fashion-labels", "few_labels")
    noise = rows("fashion-denoise", "denoising")
    trust = ("trustworthiness",)
    lines = [
        ("blocks, 2 units: MSE on 98 unseen (height, width) pairs", f"PCA {listed(blocks['PCA'], mse, 4)}",
         listed(blocks["code"], mse, 4), ".0003"),
        ("the same: R² of height, width from the code", f"PCA {listed(blocks_map['PCA-2'], factors)}",
         listed(blocks_map["map"], factors), ".999"),
        ("the same: trustworthiness of the map", f"PCA {listed(blocks_map['PCA-2'], trust)}",
         listed(blocks_map["map"], trust), ".99"),
        ("Fashion-MNIST, 128 units: MSE", f"PCA {listed(clothes['PCA'], mse, 4)}",
         listed(clothes["code"], mse, 4), ".0030"),
        ("search among 60,000: P@4, P@10, 5-NN",
         f"pixels {listed(near['raw pixels'], three)}; whitened PCA {listed(near['whitened PCA-128'], three)}",
         listed(near["code"], three), ".870, .855, .890"),
        ("the same, half-whitened", f"PCA {listed(near['half-whitened PCA-128'], three)}; "
         f"PCA of edges {listed(near['half-whitened PCA-128 of edges'], three)}",
         listed(near["half-whitened code"], three), ".870, .855, .890"),
        ("accuracy from 10, 100, all labels per class, 512 units",
         f"pixels {listed(few['raw pixels'], labels)}; PCA {listed(few['PCA-512'], labels)}; "
         f"HOG {listed(few['HOG'], labels)}; "
         f"edges {listed(few['edges'], labels)}",
         listed(few["code"], labels), ".77, .86, .91"),
        ("Gaussian noise .25, .5, clipped: PSNR in dB", f"linear filter {listed(noise['linear filter'], levels, 2)}",
         listed(noise["code"], levels, 2), "22, 18.5"),
        ("Fashion-MNIST, 2 units: 5-NN",
         "; ".join(f"{name} {listed(row, ('5-NN',))}" for name, row in plane.items() if name != "map"),
         listed(plane["map"], ("5-NN",)), ".735"),
    ]  # fmt: skip
    print("| what | baseline | here | goal |\n|---|---|---|---|")
    for what, baseline, here, aim in lines:
        print(f"| {what} | {baseline} | {here} | {aim} |")
    print("\n| flavor | MSE | P@4 | active share | contraction | PSNR at .5 | samples to data, from data |")
    print("|---|---|---|---|---|---|---|")
    for flavor, recipe in FLAVORS.items():
        code = rows(recipe, "code")["code"]
        cells = [
            listed(rows(recipe, "reconstruction")["code"], mse, 4),
            listed(rows(recipe, "retrieval")["code"], ("P@4",)),
            listed(code, ("fraction active",), 2),
            listed(code, ("contraction",), 2),
            listed(rows(recipe, "denoising")["code"], ("gaussian 0.5",), 2),
            listed(rows(recipe, "samples")["code"], ("to data", "from data")),
        ]
        print(f"| {flavor} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
