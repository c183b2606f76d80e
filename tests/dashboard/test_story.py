"""The story: its scenes are what is stored, and open on their pages; without a browser."""

import re
import shutil

import pytest

from satcore import library
from satcore.attacks.gradients import WAYS
from satcore.attacks.objective import LOSSES
from satcore.dashboard.shared import stage
from satcore.dashboard.shared.stage import PART
from satcore.dashboard.story import live, objection, quoted, scenes
from satcore.dashboard.story.objection import ORDER
from satcore.evaluation import certificates, reality
from satcore.evaluation.certificates import Certificate
from tests.dashboard.pages import ROOT, damage, opened, own_dendritic, told

TEXTS = ("title", "says", "look", "notes")
STORY = scenes.story()


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An empty folder in place of the shelf that ships."""
    monkeypatch.setattr(library, "SHIPPED", tmp_path)
    return tmp_path


def at(number: int, **more: str):
    scene = STORY[number - 1]
    return opened(scene.page or "home", first=True, scene=str(number), **(scene.settings | more))


def test_no_figure_is_typed():
    for scene in scenes.SCENES:
        for text in TEXTS:
            typed = re.sub(r"\{[^}]*\}|2017|float32", "", getattr(scene, text))
            assert not re.search(r"\d\s*%|\d\.\d|\d{2}", typed), typed


def test_every_figure_is_what_is_stored():
    figures, name = quoted.quoted(), "sigmoid-mlp/saturated"
    measured, found = library.describe(name).measurements, reality.load(name)
    assert found is not None
    assert figures[f"{name} after FGSM"] == f"{100 * measured['fgsm_accuracy']:.1f} %"
    assert figures[f"{name} zero gradients"] == f"{100 * measured['zero_gradient']:.1f} %"
    for rung, called in quoted.LEFT.items():
        left = found.left(rung)
        assert left is not None and figures[f"{name} {called}"] == f"{100 * left.share:.1f} %"


def test_a_scene_whose_figures_are_not_stored_is_left_out(shipped):
    assert all("{" not in scene.says and "sigmoid-mlp/" not in scene.says for scene in scenes.story())
    shutil.copytree(ROOT / "checkpoints" / "relu-mlp", shipped / "relu-mlp")
    titles = [scene.title for scene in scenes.story()]
    assert "The promise" not in titles and "Between a 3 and a 7" in titles


def test_the_proof_is_shown_where_a_bounded_network_is_and_only_there(shipped):
    paper = shutil.ignore_patterns("dendritic")
    shutil.copytree(ROOT / "checkpoints" / "sigmoid-mlp", shipped / "sigmoid-mlp", ignore=paper)
    titles = [scene.title for scene in scenes.story()]
    name = own_dendritic()
    assert [scene.title for scene in scenes.story()] == titles  # nothing is proven of it yet
    certificates.save(name, [Certificate(reality.EPSILON, 0.3, "wwiippppbo", 1.0)])
    told_now = scenes.story()
    (number,) = [number for number, scene in enumerate(told_now, 1) if scene.title not in titles]
    scene = told_now[number - 1]
    assert "60.0 % of 10 test images" in scene.says and name in scene.settings["networks"]
    page = opened(scene.page, first=True, scene=str(number), **scene.settings)
    assert not page.exception and not page.error and not page.header and not page.get("plotly_chart")
    assert told(page, "digit")


@pytest.mark.parametrize("number", range(1, 1 + len(STORY)))
def test_a_scene_opens_on_its_page_without_its_title_and_ends_with_its_figure(number):
    page = at(number)
    assert not page.exception and not page.error
    assert page.session_state[PART] == STORY[number - 1].part
    assert told(page, "number") == number and not page.title and not page.dataframe
    for key, value in STORY[number - 1].settings.items():
        shown = page.session_state[key]
        assert [*map(str, shown)] == value if isinstance(value, list) else str(shown).lower() == value.lower()


def test_the_whole_page_of_a_scene_has_its_title():
    page = at(4, full="1")
    assert page.title and told(page, "number") == 4 and not page.session_state[PART]


@pytest.mark.parametrize("asked", ["0", "99", "-1", "three", "1" * 5000, "³", ""])
def test_a_scene_that_is_not_there_is_the_page(asked):
    page = opened("live_attack", first=True, scene=asked)
    assert not page.exception and page.title and told(page, "number") == 0


def test_a_scene_of_another_page_is_not_shown():
    page = opened("live_attack", first=True, scene="1")
    assert page.title and "scene" not in page.query_params


def test_a_damaged_card_takes_its_scenes_along_and_no_more(shipped):
    shutil.copytree(ROOT / "checkpoints" / "sigmoid-mlp", shipped / "sigmoid-mlp")
    damage("sigmoid-mlp/saturated")
    page = opened("home", first=True)
    assert not page.exception
    assert "The promise" not in [scene["title"] for scene in told(page, "scenes")]


def test_the_objection_goes_through_all_ways_of_each_loss():
    assert tuple((loss, way) for loss in LOSSES for way in WAYS) == ORDER


def test_on_table_1_and_the_ladder_the_objection_goes_round_in_the_address(monkeypatch):
    address = {}
    monkeypatch.setattr(objection.st, "query_params", address)
    said = []
    for _ in ORDER:
        objection.next_way("ladder")
        said.append(stage.objection())
    assert said == [*ORDER[1:], None] and address == {}


def test_of_an_objection_the_ladder_has_one_column_of_each_attack_in_front():
    (number,) = [number for number, scene in enumerate(STORY, 1) if scene.part == "ladder"]
    page = at(number, objection="margin, exact")
    aside = told(page, "aside")
    kept = [rung for rung, back in zip(told(page, "rungs"), aside, strict=True) if not back]
    assert [rung for rung in kept if ", " in rung] == ["FGSM, margin, exact", "PGD, margin, exact"]
    assert {"clean", "worst case", "transfer"} < set(kept) and not any(told(at(number), "aside"))


@pytest.mark.parametrize("number", [number for number, scene in enumerate(STORY, 1) if scene.figure])
def test_a_scenes_figure_ships_and_comes_out_the_same_when_it_is_computed_on_stage(number, monkeypatch):
    scene, state = STORY[number - 1], {}
    monkeypatch.setattr(live.st, "session_state", state)
    assert scene.figure is not None
    shipped = live.badge(scene)
    assert shipped.startswith(f"shipped, {library.describe(scene.figure[0]).sha256[:4]}…: ")
    live.compute(scene)
    said = live.badge(scene)
    assert re.match(r"live, \d+\.\d s: ", said) and said.partition(": ")[2] == shipped.partition(": ")[2]
