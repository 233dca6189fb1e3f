"""A trained model as a folder that torch and safetensors alone can use, without this package."""

import inspect
import json
from pathlib import Path

from aecore.export.card import card
from aecore.export.cargo import Cargo

EXAMPLE = '''"""Rebuild an image with this model; it needs torch and safetensors alone: python example.py"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

folder = Path(__file__).resolve().parent
sys.path.insert(0, str(folder))  # python -I does not look beside this file
from network import NETWORKS  # noqa: E402

config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
sizes = (config[name] for name in ("latent", "heads", "rectify", "width"))
network = NETWORKS[config["network"]](tuple(config["shape"]), *sizes).eval()
network.load_state_dict(load_file(folder / "model.safetensors"))

images = load_file(folder / "example.safetensors")["images"]  # (n, channels, height, width), 0 black to 1 white
with torch.inference_mode():
    codes = network.encode(images)
    rebuilt = network.decode(codes).sigmoid()
print(f"{len(images)} image, {codes.shape[1]} numbers each, squared error {(rebuilt - images).square().mean():.4f}")
save_file({"codes": codes, "rebuilt": rebuilt}, sys.argv[1] if len(sys.argv) > 1 else "rebuilt.safetensors")
'''


def write_model(cargo: Cargo, folder: Path) -> list[str]:
    """model.safetensors, config.json, README.md, network.py, and example.py with one test image to rebuild.

    Nothing in it is a pickle. Raises ValueError for a network that is not one of `aecore/networks.py`.
    """
    import safetensors.torch
    import torch

    from aecore.pixels import to_floats

    code = source(cargo)
    folder.mkdir()
    image = torch.tensor(to_floats(cargo.dataset.test.images[:1]))
    (folder / "model.safetensors").write_bytes(cargo.weights)
    (folder / "example.safetensors").write_bytes(safetensors.torch.save({"images": image}))
    texts = {
        "config.json": json.dumps(config(cargo), indent=2),
        "README.md": card(cargo),
        "network.py": code,
        "example.py": EXAMPLE,
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return ["example.safetensors holds the first test image"]


def source(cargo: Cargo) -> str:
    """The Python file that the network of this run is made with; it imports torch and the standard library alone."""
    from aecore import networks

    kind = type(cargo.checkpoint.network)
    if inspect.getmodule(kind) is not networks:
        raise ValueError(f"the network {kind.__name__} is not in aecore/networks.py, so it cannot go along as one file")
    return f"# From aecore, which has the MIT license.\n{inspect.getsource(networks)}"


def config(cargo: Cargo) -> dict[str, object]:
    """What has to be known to build the network and to feed it, and all settings of the training, ready for JSON."""
    run, network = cargo.checkpoint.run, cargo.checkpoint.network
    return {
        "network": run.network,
        "shape": list(network.shape),
        "latent": network.latent,
        "heads": network.heads_per_unit,
        "rectify": network.rectify,
        "width": run.width,
        "input": "float32 (n, channels, height, width), 0 black to 1 white",
        "output": "logits of the same shape; their sigmoid is the image",
        "run": run.id,
        "epoch": cargo.checkpoint.epoch,
        "settings": run.to_dict(),
        "sha256": {"model.safetensors": cargo.sha256},
    }
