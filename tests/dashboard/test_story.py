"""The story: its scenes are what is stored, and open on their pages; without a browser."""

import re
import shutil

import pytest

from satcore import library
from satcore.attacks.gradients import WAYS
from satcore.attacks.objective import LOSSES
from satcore.dashboard.live_attack import words
from satcore.dashboard.over_seeds import compute as over_seeds
from satcore.dashboard.over_seeds import figures
from satcore.dashboard.over_seeds.words import ALONE
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


def set_as(page, number: int) -> bool:
    """Whether the page's controls stand as the scene wants them."""
    wanted = STORY[number - 1].settings
    shown = {key: page.session_state[key] for key in wanted}
    return {key: [*map(str, there)] if isinstance(there, list) else str(there) for key, there in shown.items()} == {
        key: value if isinstance(value, list) else {"true": "True"}.get(value, value) for key, value in wanted.items()
    }


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


def test_seed_by_seed_they_overlap_in_all_but_what_the_scene_says():
    (scene,) = (scene for scene in STORY if scene.part == "dots")
    runs, _ = over_seeds.on_record()
    family = str(scene.settings["family"])
    panels = figures.over_seeds(over_seeds.by_training(runs, family, ALONE), family)
    apart = [f"{panel.title} {column.label}" for panel in panels for column in panel.columns if not overlap(column)]
    assert apart == ["excess kurtosis 2"] and "in all but the kurtosis of layer 2" in scene.look


def overlap(column) -> bool:
    one, other = ([dot.values[0] for dot in lane.dots] for lane in column.lanes)
    return max(min(one), min(other)) <= min(max(one), max(other))


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
    assert set_as(page, number)


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


@pytest.mark.parametrize("number", [number for number, scene in enumerate(STORY, 1) if scene.page])
def test_a_scenes_number_alone_leads_to_it(number):
    page = opened("home", first=True, scene=str(number), full="1")
    assert not page.exception and told(page, "number") == number and told(page, "full")
    assert set_as(page, number)


def test_a_session_that_is_under_way_is_led_nowhere():
    page = opened("live_attack", first=True)
    page.query_params["scene"] = "4"
    page.switch_page("pages/home.py").run()
    assert page.title and told(page, "number") == 0


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


@pytest.mark.parametrize("number", [number for number, scene in enumerate(STORY, 1) if scene.part == "attack"])
def test_what_is_said_of_an_attack_follows_the_objection(number, monkeypatch):
    scene, state = STORY[number - 1], {}
    monkeypatch.setattr(objection.st, "session_state", state)
    monkeypatch.setattr(objection.st, "query_params", scene.settings)
    assert objection.raised(scene, arriving=True) is None
    state.update(objective="margin", gradient="softened")
    assert objection.raised(scene, arriving=True) is None  # what the scene before left behind
    assert objection.raised(scene, arriving=False) == ("margin", "softened")
    said = objection.objected(scene, ("margin", "softened"))
    if scene.figure is None:
        assert said.title == "The objection: PGD, margin, softened" and said.says == scene.says
        return
    rung, found = f"{scene.settings['attack']}, margin, softened", reality.load(scene.figure[0])
    assert found
    left, published = found.left(rung), found.left(rung.replace("margin, softened", "cross-entropy, autograd"))
    assert left and published
    assert said.figure == (scene.figure[0], rung) and f"leaves {scene.figure[0]} {100 * left.share:.1f} %" in said.says
    assert said.says.endswith(f"(T = {found.temperature(rung):g}, chosen on training images).")
    assert f"{100 * published.share:.1f} % of them" in said.look and said.title == f"The objection: {rung}"


def test_on_table_1_nothing_is_said_of_zero_gradients_under_an_objection():
    page, (scene, *_) = at(1, objection="cross-entropy, softened"), STORY
    said = told(page, "scenes")[0]
    assert said["title"] == "The objection: FGSM, cross-entropy, softened"
    assert not {said["says"], said["look"]} & {scene.says, scene.look}
    assert "FGSM, cross-entropy, softened leaves" in told(page, "badge")
    unmoved = [
        [row["unmoved"] for family in told(there, "families") for row in family["rows"]] for there in (page, at(1))
    ]
    assert [any(shares) for shares in unmoved] == [False, True]


def test_of_an_objection_the_ladder_has_one_column_of_each_attack_in_front():
    (number,) = [number for number, scene in enumerate(STORY, 1) if scene.part == "ladder"]
    page = at(number, objection="margin, exact")
    aside = told(page, "aside")
    kept = [rung for rung, back in zip(told(page, "rungs"), aside, strict=True) if not back]
    assert [rung for rung in kept if ", " in rung] == ["FGSM, margin, exact", "PGD, margin, exact"]
    assert {"clean", "worst case", "transfer"} < set(kept) and not any(told(at(number), "aside"))
    assert "PGD, margin, exact leaves" in told(page, "badge")


def test_where_nothing_is_left_the_table_has_no_network_that_is_proven_right():
    (number,) = [number for number, scene in enumerate(STORY, 1) if scene.part == "ladder"]
    in_scene, on_page = ({row["label"] for row in told(page, "rows")} for page in (at(number), at(number, full="1")))
    assert on_page - in_scene == {"dendritic"}


def test_where_one_draws_the_scene_says_which_digit_and_where_another_is_chosen():
    page = at(len(STORY), digit="7")
    assert page.info[0].value == "Draw a 7 in the field."
    assert any("a 7" in text.value and "the whole page (P)" in text.value for text in page.markdown)
    assert at(len(STORY), full="1").info[0].value == words.DRAW


def test_the_browser_is_told_the_sentences_as_they_are():
    assert [scene["says"] for scene in told(at(1), "scenes")] == [scene.says for scene in STORY]


def test_what_is_left_is_said_of_how_many_images():
    (scene,) = (scene for scene in STORY if scene.settings.get("gradient") == "exact")
    found = scene.figure and reality.load(scene.figure[0])
    assert found and f"of {found.images:,} random test images" in scene.says


def test_a_figure_that_cannot_be_computed_on_stage_is_a_sentence(monkeypatch):
    said, state = [], {}
    monkeypatch.setattr(live.st, "session_state", state)
    monkeypatch.setattr(live.st, "toast", lambda sentence, icon: said.append(sentence))
    monkeypatch.setattr(live.digits, "network", lambda name: library.load("nobody/there"))
    live.compute(next(scene for scene in STORY if scene.figure))
    assert len(said) == 1 and said[0].startswith("expected ") and state == {}


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
