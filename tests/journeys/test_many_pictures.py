"""Many noisy pictures at once on Denoise: repaired outside the server, told one by one, for the run that was asked."""

import io
import zipfile
from pathlib import Path

import numpy as np
from conftest import finish, texts, visit
from forms import png

import aecore
from aecore.noise import corrupt
from aecore.process.repairs import result

DIGITS = aecore.load_dataset("digits")


def test_a_whole_zip_is_repaired_and_what_was_skipped_is_told(home_with_runs: Path) -> None:
    noisy = corrupt(DIGITS.test.images[:70], "gaussian", 0.5)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for row, image in enumerate(noisy):
            archive.writestr(f"{row}.png", png(np.round(image[0] * 255).astype(np.uint8)))
        archive.writestr("readme.txt", "no picture")
    app = visit("denoise", act="set")
    app.file_uploader(key="set").set_value([("set.zip", buffer.getvalue(), "application/zip")]).run()
    app = finish(app.button(key="repair-all").click().run())
    assert "70 pictures denoised, 1 file skipped." in texts(app)
    assert app.dataframe[0].value["skipped because"].tolist() == ["Not a picture file, judging by its name."]
    app.file_uploader(key="set").set_value([("set.zip", b"PK no zip", "application/zip")]).run()
    assert "denoised" not in texts(app), "what was made of other pictures is gone"
    app.button(key="repair-all").click().run()
    finish(app)
    assert "This failed: This is not a readable zip file; zip the pictures again." in texts(app)


def test_many_pictures_are_repaired_with_equal_names_kept_apart(home_with_runs: Path) -> None:
    app = visit("denoise", act="set")
    picture = png(DIGITS.test.images[0, 0])
    names = ["a.png", "sub/a.png", "other/a.png", "../../a.png"]
    app.file_uploader(key="set").set_value([(name, picture, "image/png") for name in names]).run()
    app = finish(app.button(key="repair-all").click().run())
    assert "4 pictures denoised, 0 files skipped." in texts(app)
    archive = zipfile.ZipFile(io.BytesIO(result(app.session_state["repairing"][0])))
    assert len(set(archive.namelist())) == 4
    assert not any(".." in name for name in archive.namelist())
    run = app.selectbox(key="run").value
    app.selectbox(key="run").set_value(next(id for id in aecore.Store().ids() if id != run)).run()
    assert "denoised" not in texts(app), "that was another run's"
