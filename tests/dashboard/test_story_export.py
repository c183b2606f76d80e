"""The story as pictures, by one command."""

import contextlib
import re
import sys
import threading
from xml.etree import ElementTree

import pytest

from satcore.__main__ import main
from satcore.dashboard.story import export
from satcore.dashboard.story.scenes import story

TOLD = story()[:5]  # with curves of Plotly's, a training that plays, and an attack


def told(*arguments: str) -> int:
    """The exit status of the command, in a thread of its own: Playwright leads one browser a thread."""
    status = []
    thread = threading.Thread(target=lambda: status.append(main(["story", *arguments])))
    thread.start()
    thread.join()
    return status[0]


@pytest.fixture
def short(address, monkeypatch):
    """The story's first scenes alone, on the server that is there."""
    monkeypatch.setattr(export, "story", lambda: TOLD)
    monkeypatch.setattr(export, "served", lambda: contextlib.nullcontext(address))


@pytest.mark.browser
def test_every_scene_is_a_drawing_with_its_texts_and_its_figure(short, tmp_path):
    folder = tmp_path / "talks" / "mine"
    assert told("--folder", str(folder)) == 0
    files = sorted(folder.iterdir())
    assert [file.name for file in files[:2]] == ["01-the-promise.svg", "02-what-saturation-is.svg"]
    drawings = [ElementTree.parse(file).getroot() for file in files]
    for scene, drawing in zip(TOLD, drawings, strict=True):
        said = " ".join("".join(drawing.itertext()).split())
        assert scene.title in said and scene.says in said and scene.notes not in said
        assert "Whole page" not in said and "Take it away" not in said
    assert all(len(drawing.findall(".//{*}path")) > 5 for drawing in drawings)  # every figure has curves or bars
    assert "Fooled after" in "".join(drawings[4].itertext())  # it was waited for
    assert len(drawings[4].findall(".//{*}image")) == 2
    assert [file.name for file in folder.parent.iterdir()] == ["mine"]


@pytest.mark.browser
def test_the_pdf_has_a_page_a_scene_of_the_screens_shape(short, monkeypatch, tmp_path):
    monkeypatch.setattr(export, "story", lambda: TOLD[:1])
    file = tmp_path / "story.pdf"
    assert told("--pdf", str(file)) == 0
    content = file.read_bytes()
    assert content.startswith(b"%PDF-") and len(re.findall(rb"/Type\s*/Page\b", content)) == 1
    (shape,) = {tuple(map(float, box.split())) for box in re.findall(rb"/MediaBox\s*\[([^\]]+)\]", content)}
    assert shape == pytest.approx((0, 0, 960, 540))  # points


def test_nothing_is_overwritten(tmp_path, capsys):
    there = tmp_path / "there.txt"
    there.write_text("mine")
    for arguments in (("--folder", str(tmp_path)), ("--pdf", str(there)), ("--folder", str(there))):
        assert main(["story", *arguments]) == 2
        assert re.fullmatch(
            r"satcore: expected a (file|folder) that isn't there yet.*, got .*\n", capsys.readouterr().err
        )
    assert [file.read_text() for file in tmp_path.iterdir()] == ["mine"]


def test_without_playwright_it_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    assert main(["story", "--folder", str(tmp_path / "story")]) == 2
    assert "pip install playwright" in capsys.readouterr().err and not list(tmp_path.iterdir())
