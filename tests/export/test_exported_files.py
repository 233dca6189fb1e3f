"""Every form a run goes out in is read back by its own reader with equal values, whatever the names in it."""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import aecore
from aecore import export
from aecore.data import Dataset, Split
from aecore.data.intake import bring_in
from aecore.data.own import Wishes
from aecore.export import FORMATS, Cargo, parquet, projector
from aecore.export.table import csv_text, write_arrays, write_csv, write_npz
from aecore.files import arriving
from aecore.manifold import plane
from aecore.search import all_nearest
from aecore.text import cell

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["cargo", "hostile"])
def any_cargo(request: pytest.FixtureRequest) -> Cargo:
    return request.getfixturevalue(request.param)


def _opened(content: bytes) -> np.ndarray:
    """A PNG as (c, h, w)."""
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


# Tables.


def test_pandas_reads_the_table_as_it_was(any_cargo: Cargo, tmp_path: Path) -> None:
    assert write_csv(any_cargo, tmp_path / "codes.csv") == []
    text = {"id": str, "label": str, "file_name": str}
    table = pd.read_csv(tmp_path / "codes.csv", keep_default_na=False, dtype=text, lineterminator="\n")
    assert table["id"].tolist() == [cell(id) for id in any_cargo.ids]
    assert table["label"].tolist() == [cell(label) for label in any_cargo.labels]
    assert table["row"].tolist() == list(range(len(table)))
    units = table[[f"unit_{unit}" for unit in range(1, any_cargo.codes.shape[1] + 1)]]
    np.testing.assert_array_equal(units.to_numpy(np.float32), any_cargo.codes)
    np.testing.assert_array_equal(table[["projection_x", "projection_y"]].to_numpy(np.float32), any_cargo.places)


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-cmd", "@x", "\tx", "\rx", "\n=x", "＝1", "-1-1", "--1", "+", "-nan"]
)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert csv_text(["=head"], [[text]]).startswith("'=head\n")


@pytest.mark.parametrize("text", ["", "x", "1", "-1", "+1", "-.5", "-2.5e-3", "a=b", "'=1", -1, -1.5, None])
def test_anything_else_stays(text: object) -> None:
    assert cell(text) == str(text)


def test_numpy_reads_the_arrays_without_pickles(any_cargo: Cargo, tmp_path: Path) -> None:
    assert write_npz(any_cargo, tmp_path / "codes.npz") == []
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["codes"], any_cargo.codes)
        np.testing.assert_array_equal(file["places"], any_cargo.places)
        np.testing.assert_array_equal(file["labels"], any_cargo.images.labels)
        assert file["ids"].tolist() == any_cargo.ids
        assert file["ids"].dtype.kind == "U"
        assert file["classes"][file["labels"]].tolist() == any_cargo.labels


def test_objects_are_no_arrays(tmp_path: Path) -> None:
    write_arrays(tmp_path / "text.npz", {"ids": np.array(["a", "bc"], object)})
    with np.load(tmp_path / "text.npz", allow_pickle=False) as file:
        assert file["ids"].tolist() == ["a", "bc"]
    with pytest.raises(ValueError, match="Object arrays"):
        write_arrays(tmp_path / "objects.npz", {"ids": np.array([{}, 1], object)})


# Parquet.


def test_pandas_reads_the_parquet_as_it_was(any_cargo: Cargo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP", 100)
    assert parquet.write_parquet(any_cargo, tmp_path / "codes.parquet") == []
    table = pd.read_parquet(tmp_path / "codes.parquet")
    assert table["id"].tolist() == any_cargo.ids
    assert table["label"].tolist() == any_cargo.labels
    assert set(table["split"]) == {any_cargo.split}
    np.testing.assert_array_equal(np.stack(table["embedding"]), any_cargo.codes)
    np.testing.assert_array_equal(table[["projection_x", "projection_y"]].to_numpy(), any_cargo.places)
    for row, image in enumerate(table["image"]):
        np.testing.assert_array_equal(_opened(image["bytes"]), any_cargo.images.images[row])
        assert image["path"] == table["file_name"][row] == any_cargo.files[row]
    distances, rows = all_nearest(any_cargo.codes, 10)
    np.testing.assert_array_equal(np.stack([near["ids"] for near in table["neighbors"]]), rows)
    np.testing.assert_array_equal(np.stack([near["distances"] for near in table["neighbors"]]), distances)


def test_parquet_comes_in_groups_and_says_what_its_columns_are(
    cargo: Cargo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr(parquet, "GROUP", 100)
    parquet.write_parquet(cargo, tmp_path / "codes.parquet")
    with pq.ParquetFile(tmp_path / "codes.parquet") as file:
        assert file.num_row_groups == 4
        names = file.schema_arrow.names
        features = json.loads(file.schema_arrow.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == names
    assert features["image"] == {"_type": "Image"}


def test_hugging_face_datasets_shows_the_images(cargo: Cargo, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    parquet.write_parquet(cargo, tmp_path / "codes.parquet")
    found = datasets.Dataset.from_parquet(str(tmp_path / "codes.parquet"), cache_dir=str(tmp_path / "cache"))
    np.testing.assert_array_equal(np.asarray(found[0]["image"])[None], cargo.images.images[0])
    assert found["id"][:5] == cargo.ids[:5]


def test_embedding_atlas_reads_the_places_the_images_and_the_neighbors(cargo: Cargo, tmp_path: Path) -> None:
    pytest.importorskip("embedding_atlas")
    parquet.write_parquet(cargo, tmp_path / "codes.parquet")
    words = ["--x", "projection_x", "--y", "projection_y", "--image", "image", "--neighbors", "neighbors"]
    subprocess.run(
        [sys.executable, "-m", "embedding_atlas.cli", "codes.parquet", *words, "--export-application", "atlas.zip"],
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)}, check=True, capture_output=True,
    )  # fmt: skip
    with zipfile.ZipFile(tmp_path / "atlas.zip") as archive:
        seen = pd.read_parquet(io.BytesIO(archive.read("data/dataset.parquet")))
        props = json.loads(archive.read("data/metadata.json"))["props"]
    assert seen["id"].tolist() == cargo.ids
    assert props["data"]["neighbors"] == "neighbors"
    assert seen["pagerank"].between(0, 1).all(), "computed from neighbors, by row"


def test_too_many_images_have_no_neighbors_and_that_is_said(
    cargo: Cargo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "MOST", 100)
    (note,) = parquet.write_parquet(cargo, tmp_path / "codes.parquet")
    assert "more than 100 images" in note
    assert all(len(near["ids"]) == 0 for near in pd.read_parquet(tmp_path / "codes.parquet")["neighbors"])


# The Projector.


def _sprites(path: Path, width: int, height: int) -> np.ndarray:
    with Image.open(path) as picture:
        assert max(picture.size) <= 8192
        pixels = np.asarray(picture)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    lines, columns = pixels.shape[0] // height, pixels.shape[1] // width
    tiles = pixels.reshape(lines, height, columns, width, -1).transpose(0, 2, 4, 1, 3)
    return tiles.reshape(-1, *tiles.shape[2:])


def test_the_projector_finds_a_line_and_an_image_for_each_code(any_cargo: Cargo, tmp_path: Path) -> None:
    folder, count = tmp_path / "projector", len(any_cargo.ids)
    assert projector.write_projector(any_cargo, folder) == []
    codes = np.loadtxt(folder / "tensors.tsv", np.float32, delimiter="\t", ndmin=2)
    np.testing.assert_array_equal(codes, any_cargo.codes)
    head, *lines = (folder / "metadata.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    assert head == "label\tid"
    assert len(lines) == count
    assert all(line.count("\t") == 1 and all(word.strip() for word in line.split("\t")) for line in lines)
    (about,) = json.loads((folder / "projector_config.json").read_text())["embeddings"]
    assert about["tensorShape"] == list(codes.shape)
    images = _sprites(folder / about["sprite"]["imagePath"], *about["sprite"]["singleImageDim"])
    np.testing.assert_array_equal(images[:count], any_cargo.images.images)


def test_one_column_has_no_header(cargo: Cargo, tmp_path: Path) -> None:
    projector.write_projector(replace(cargo, dataset=replace(cargo.dataset, classes=None)), tmp_path / "projector")
    lines = (tmp_path / "projector" / "metadata.tsv").read_text().splitlines()
    assert lines == cargo.ids


@pytest.mark.parametrize(
    ("count", "height", "width", "tile"),
    [(1, 28, 28, (28, 28)), (60_000, 28, 28, (28, 28)), (90_000, 28, 28, (27, 27)), (5000, 128, 64, (128, 64))],
)
def test_images_are_smaller_only_where_they_must_be(count: int, height: int, width: int, tile: tuple[int, int]) -> None:
    shown, high, wide, columns = projector.layout(count, height, width)
    assert (shown, (high, wide)) == (count, tile)
    assert columns * wide <= 8192
    assert -(-shown // columns) * high <= 8192


def test_a_sheet_that_is_too_small_has_fewer_and_smaller_images_and_says_so(
    cargo: Cargo, hostile: Cargo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projector.layout, "__defaults__", (64,))
    (note,) = projector.write_projector(cargo, tmp_path / "few")
    assert note.startswith("64 of 360 images")
    assert len((tmp_path / "few" / "metadata.tsv").read_text().splitlines()) == 65
    assert _sprites(tmp_path / "few" / "sprite.png", 8, 8).shape == (64, 1, 8, 8)
    monkeypatch.setattr(projector.layout, "__defaults__", (50,))
    (note,) = projector.write_projector(hostile, tmp_path / "small")
    assert note.startswith("images are 8x10 pixels here instead of 9x12")


def test_tensorboard_reads_the_folder(cargo: Cargo, tmp_path: Path) -> None:
    plugin = pytest.importorskip("tensorboard.plugins.projector.projector_plugin")
    text_format = pytest.importorskip("google.protobuf.text_format")
    projector.write_projector(cargo, tmp_path / "projector")
    settings = plugin.ProjectorConfig()
    text_format.Parse((tmp_path / "projector" / "projector_config.pbtxt").read_text(), settings)
    (about,) = settings.embeddings
    codes = plugin._read_tensor_tsv_file(str(tmp_path / "projector" / about.tensor_path))
    np.testing.assert_array_equal(codes, cargo.codes)
    assert list(about.sprite.single_image_dim) == [8, 8]


# A selection.


def test_a_selection_has_each_image_in_the_folder_of_its_class(any_cargo: Cargo) -> None:
    content = export.selection(any_cargo.dataset, any_cargo.split, [5, 3, 5, 0])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("selection.csv").decode(), newline="")))
        assert archive.namelist() == [*(row["file"] for row in rows), "selection.csv"]
        for number, row in zip([5, 3, 0], rows, strict=True):
            assert row["row"] == str(number)
            assert row["id"] == cell(any_cargo.ids[number])
            assert row["class"] == cell(any_cargo.labels[number])
            np.testing.assert_array_equal(_opened(archive.read(row["file"])), any_cargo.images.images[number])


def test_a_hostile_selection_stays_in_its_folder(hostile: Cargo, tmp_path: Path) -> None:
    content = export.selection(hostile.dataset, "train", range(len(hostile.ids)))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            assert name == "selection.csv" or name.count("/") == 1
            assert not set(name) & set("\\:\0\t\n\r\u202e")
            assert ".." not in name.split("/")
            assert len(name) < 200
        archive.extractall(tmp_path / "out")
    assert sum(path.is_file() for path in (tmp_path / "out").rglob("*.png")) == len(hostile.ids)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_selection_in_folders_of_ones_own(cargo: Cargo) -> None:
    content = export.selection(cargo.dataset, "test", [5, 3, 8], ["odd", "a/b", "odd"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert [name.partition("/")[0] for name in archive.namelist()] == ["odd", "a_b", "odd", "selection.csv"]


def test_a_selection_of_originals_has_the_files_as_they_came(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    (folder / "cats").mkdir(parents=True)
    for level in range(0, 240, 20):
        Image.new("L", (60, 30), level).save(folder / "cats" / f"{level}.jpg")
    bring_in(folder, "pets", Wishes(8, 1))
    pets = aecore.load_dataset("pets")
    with zipfile.ZipFile(io.BytesIO(export.selection(pets, "train", [2, 0], originals=True))) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("selection.csv").decode(), newline="")))
        assert [row["id"] for row in rows] == [pets.train.ids[2], pets.train.ids[0]]
        for row in rows:
            assert archive.read(row["file"]) == (folder / row["id"]).read_bytes()
    monkeypatch.setattr(sys.modules["aecore.export.selection"], "MOST_BYTES", 900)
    with zipfile.ZipFile(io.BytesIO(export.selection(pets, "train", range(5), originals=True))) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("selection.csv").decode(), newline="")))
        there = [row["file"] for row in rows if row["file"]]
        assert sum(len(archive.read(file)) for file in there) <= 900
    assert 0 < len(there) < len(rows) == 5, "what is left out is in the table, without a file"


def test_a_selection_without_classes_and_of_strange_rows(cargo: Cargo) -> None:
    images = np.zeros((2, 1, 8, 8), np.uint8)
    dataset = Dataset("plain", Split(images), Split(images.copy()))
    with zipfile.ZipFile(io.BytesIO(export.selection(dataset, "test", [1]))) as archive:
        assert archive.namelist() == ["images/1.png", "selection.csv"]
    for rows in ([360], [-1]):
        with pytest.raises(ValueError, match="choose rows from 0 to 359"):
            export.selection(cargo.dataset, "test", rows)


# Whole or not at all.


def test_all_formats_are_written_whatever_the_names(any_cargo: Cargo, tmp_path: Path) -> None:
    seen = []
    notes = export.write(any_cargo, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    assert list(notes) == export.possible() == list(FORMATS)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f.file for f in FORMATS.values())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert seen[-1] == (len(FORMATS), len(FORMATS))


def test_what_fails_leaves_nothing_and_touches_nothing(
    cargo: Cargo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(cargo: Cargo, path: Path) -> list[str]:
        assert not (tmp_path / "out").exists()  # nobody sees a part of it
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "key").write_text("mine")
    monkeypatch.setitem(FORMATS, "report", replace(FORMATS["report"], write=full))
    with pytest.raises(OSError, match="No space"):
        export.write(cargo, tmp_path / "out", ["npz", "report"])
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]
    export.write(cargo, tmp_path / "out", ["npz"])
    assert (tmp_path / ".hidden" / "key").read_text() == "mine"


def test_a_kill_leaves_nothing_that_could_be_taken_for_whole(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from aecore.files import arriving
with arriving(Path(sys.argv[1])) as folder:
    (folder / "codes.csv").write_text("half")
    os.kill(os.getpid(), 9)
"""
    result = subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")], cwd=ROOT)
    assert result.returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".out.unfinished-")
    with arriving(tmp_path / "out") as folder:
        (folder / "codes.csv").write_text("whole")
    assert (tmp_path / "out" / "codes.csv").read_text() == "whole"


def test_a_folder_with_something_in_it_is_not_touched(cargo: Cargo, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export.write(cargo, tmp_path / "out", ["npz"])
    with pytest.raises(FileExistsError, match="not empty; name a new folder"):
        export.write(cargo, tmp_path / "out", ["csv"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["codes.npz"]
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError), arriving(tmp_path / "link"):
        pass
    with pytest.raises(FileNotFoundError, match="create it first"):
        export.write(cargo, tmp_path / "missing" / "out", ["npz"])


def test_a_format_that_is_not_there_is_named(cargo: Cargo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"format is 'docx'; choose from projector, parquet"):
        export.write(cargo, tmp_path / "out", ["npz", "docx"])
    monkeypatch.setitem(FORMATS, "parquet", replace(FORMATS["parquet"], needs="not_installed"))
    assert "parquet" not in export.possible()
    with pytest.raises(ValueError, match="parquet needs not_installed: pip install not_installed"):
        export.download(cargo, "parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_one_file(cargo: Cargo) -> None:
    name, content = export.download(cargo, "npz")
    assert name == f"{cargo.checkpoint.run.id}-test-codes.npz"
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["codes"], cargo.codes)
    name, content = export.download(cargo, "projector")
    assert name == f"{cargo.checkpoint.run.id}-test-projector.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert "projector/sprite.png" in archive.namelist()


def test_places_of_more_than_two_units_are_on_the_axes_of_training_codes(hostile: Cargo) -> None:
    fitted = hostile.checkpoint.encode(hostile.dataset.train.images)
    np.testing.assert_array_equal(hostile.places, plane(hostile.codes, fitted))
