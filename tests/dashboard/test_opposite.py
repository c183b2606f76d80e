"""Same symptom, opposite truth: what the section of the reality page says of one digit holds, and of all digits."""

import numpy as np
import pytest
import torch

from satcore import data, library, proofs
from satcore.dashboard.reality_check import figures, truths, words
from satcore.dashboard.shared.style import COLOURS, styles
from satcore.evaluation import beyond, certificates
from satcore.evaluation.beyond import Beyond
from satcore.evaluation.certificates import Certificate
from tests.dashboard import pages
from tests.examples import load

SATURATED = "relu-mlp/saturated"
EPSILONS = (0.0, 0.1, 0.25, 0.35, 0.55)


@pytest.fixture
def dendritic() -> str:
    return pages.own_dendritic()


def test_a_line_up_gives_its_own_pair_and_others_that_of_their_family(dendritic):
    assert truths.pair(["cnn/saturated", dendritic]) == ("cnn/saturated", dendritic)
    for chosen in ([SATURATED, "cnn/vanilla"], ["cnn/vanilla"]):
        saturated, stepping = truths.pair(chosen)
        assert library.describe(saturated).group == library.describe(stepping).group
        assert saturated == SATURATED or SATURATED not in chosen


def test_without_a_network_that_steps_first_there_is_no_section(tmp_path, monkeypatch):
    (tmp_path / "relu-mlp").mkdir()
    (tmp_path / SATURATED).symlink_to(library.SHIPPED / SATURATED)
    monkeypatch.setattr(library, "SHIPPED", tmp_path)
    page = pages.opened("reality_check", networks=[SATURATED])
    assert not page.exception and not page.error and not any("opposite truth" in there.value for there in page.header)


def test_the_images_shown_have_the_symptom_in_both(dendritic):
    pair = (SATURATED, dendritic)
    shown = [truths.index_of(pair, 8, number) for number in (1, 2, 3)]
    assert shown == sorted(set(shown)) and all(data.example("test", index).labels == 8 for index in shown)
    for index, name in ((index, name) for index in shown for name in pair):
        found, image = truths.symptom(name, index, 0.25), data.example("test", index).images[0, 0].numpy()
        assert found.log10_norm == -np.inf and not found.gradient.any() and np.array_equal(found.left, image)
        assert found.seen == 8  # else there would be nothing to fool
    assert truths.index_of(pair, 8, 99) == truths.index_of(pair, 8, 100)  # the last of those there are


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_truth_behind_a_step_is_what_is_decided(dendritic, epsilon):
    network, verdicts = load(dendritic), set()
    for index in (truths.index_of([dendritic], digit, 1) for digit in range(10)):
        images, labels = data.example("test", index)
        found, free = truths.truth(dendritic, index, epsilon), (images - 0.5).abs()[0, 0].numpy() < epsilon
        decided = proofs.decide(network, images, labels, epsilon=epsilon, seconds=5.0)
        assert (found.verdict,) == decided.verdicts
        assert np.abs(found.free ^ free).sum() <= np.isclose((images - 0.5).abs()[0, 0], epsilon, atol=1e-5).sum()
        image = torch.from_numpy(found.image)[None, None]
        assert int(network(image).argmax()) == found.seen and (found.seen != int(labels)) == (found.verdict == "broken")
        assert (image - images).abs().max() <= epsilon + 1e-6 and image.min() >= 0 and image.max() <= 1
        assert not (found.image != images[0, 0].numpy())[~found.free].any()
        verdicts.add(found.verdict)
    assert verdicts == {0.0: {"proven"}, 0.55: {"broken"}}.get(epsilon, {"broken", "proven"})


@pytest.mark.parametrize("name", [SATURATED, "cnn/saturated"])
def test_the_truth_of_a_saturated_network_is_shown_or_proven(name):
    verdicts = []
    for epsilon in (1e-4, 0.25, 0.6):
        index = truths.index_of([name], 3, 1)
        images, labels = data.example("test", index)
        found = truths.truth(name, index, epsilon)
        image = torch.from_numpy(found.image)[None, None]
        assert int(load(name)(image).argmax()) == found.seen and found.free.all()
        assert (found.seen != int(labels)) == (found.verdict == "broken") and (
            image - images
        ).abs().max() <= epsilon + 1e-6
        verdicts.append(found.verdict)
    assert verdicts == ["open" if name.startswith("cnn") else "proven", "broken", "broken"]  # whom intervals don't suit


def test_what_was_wrong_before_says_so(dendritic):
    images, labels = (part[:500] for part in data.load("test"))
    index = int((load(dendritic)(images).argmax(1) != labels).nonzero()[0])
    found = truths.truth(dendritic, index, 0.1)
    assert found.verdict == "broken" and "without any attack" in words.truth(found, int(labels[index]))


def test_of_a_digit_that_was_wrong_before_nobody_is_fooled(dendritic):
    looks = styles(library.describe(name) for name in (SATURATED, dendritic))
    zero = np.zeros((28, 28))
    symptom = truths.Symptom(zero, -np.inf, zero, 3)
    free = np.ones((28, 28), dtype=bool)
    found = {
        SATURATED: (symptom, truths.Truth("broken", truths.WRONG_BEFORE, zero, 3, free)),
        dendritic: (symptom, truths.Truth("proven", None, zero, 8, ~free)),
    }
    said = words.opposite(found, looks)
    assert said.endswith("But saturated saw something else in it all along.") and "fooled" not in said


def test_the_sentences_say_what_was_found(dendritic):
    pair = (SATURATED, dendritic)
    looks = styles(library.describe(name) for name in pair)
    said = {}
    for epsilon in EPSILONS:
        index = truths.index_of(pair, 1, 1)
        found = {name: (truths.symptom(name, index, epsilon), truths.truth(name, index, epsilon)) for name in pair}
        said[epsilon] = words.opposite(found, looks)
        assert "the same symptom" in said[epsilon]
        free = int(found[dendritic][1].free.sum())
        assert words.captions(*found[dendritic], np.zeros((28, 28)))[:2] == [
            f"{free} of 784 pixels free" if free < 784 else "all 784 pixels free",
            "gradient exactly zero",
        ]
        if not epsilon:
            assert all(words.truth(there, 1).startswith("No pixel is free: ") for _, there in found.values())
            assert words.captions(*found[SATURATED], np.zeros((28, 28)))[0] == "0 of 784 pixels free"
    assert "both hold" in said[0.0] and "opposite truth" in said[0.1] and "every pixel is free" in said[0.55]


def test_the_section_draws_both_networks_and_frames_the_free_pixels_of_one(dendritic):
    page = pages.opened("reality_check", networks=[SATURATED, dendritic], of="1", ball="0.1")
    assert not page.exception and not page.error
    saturated, other = pages.told(page, "networks")
    assert saturated["label"] == "saturated" and other["label"] == dendritic
    assert (saturated["verdict"], other["verdict"]) == ("broken", "proven")
    assert saturated["free"] == [] and 0 < len(other["free"]) < 100 and set(other["flipped"]) <= set(other["free"])
    assert not any("certified" in chart.proto.id for chart in page.get("plotly_chart"))
    page = page.slider(key="ball").set_value(0.6).run()
    assert [there["verdict"] for there in pages.told(page, "networks")] == ["broken", "broken"]
    assert any("past ε = ½ every pixel is free" in text.value for text in page.markdown)


def test_beyond_the_ball_each_figure_says_of_how_many_images_it_is(dendritic, monkeypatch):
    assert beyond.load(dendritic) is None
    changed = dict.fromkeys(beyond.CHANGES, 9_000)
    found = Beyond(1_000, 980, [970, 900, 500, 100, 20, 0], [950, 500, 100, 10, 0], 940, changed)
    table = words.beyond_the_ball(found).set_index("images")
    assert len(table) == 1 + len(beyond.PIXELS) + len(beyond.RADII) + 1 + len(beyond.CHANGES)
    assert tuple(table.loc["8 pixels set at will"]) == (10.0, 1_000)
    assert tuple(table.loc["within L2 1"]) == (50.0, 1_000) and tuple(table.loc["contrast halved"]) == (90.0, 10_000)
    monkeypatch.setattr(beyond, "load", lambda name: found)
    page = pages.opened("reality_check", networks=[SATURATED, dendritic])
    assert not page.exception and not page.error
    assert any("pixel set at will" in str(frame.value.iloc[1, 0]) for frame in page.dataframe)


def certificate(epsilon: float, **counts: int) -> Certificate:
    return Certificate(epsilon, 0.3, "".join(letter * count for letter, count in counts.items()), 60.0)


def test_the_curve_of_all_images_lies_between_nothing_and_what_is_right(dendritic):
    known = [certificate(0.1, i=8, p=1, b=0, o=0, w=1), certificate(0.3, i=3, p=2, o=1, b=3, w=1)]
    figure = figures.certified(known, styles([library.describe(dendritic)])[dendritic])
    drawn = {trace.name: list(trace.y) for trace in figure.data if trace.showlegend is not False}
    assert drawn == {"not broken": [90, 90, 60], "proven": [90, 90, 50], "proven by intervals": [90, 80, 30]}
    areas = [trace for trace in figure.data if trace.fill == "toself"]
    assert [trace.fillcolor for trace in areas] == 3 * [COLOURS["dendritic"]]
    assert sorted({trace.opacity for trace in areas}) == sorted({figures.FULL, figures.HALF, figures.LIGHT})
    assert figure.layout.xaxis.title.text.startswith("ε") and "%" in figure.layout.yaxis.title.text


def test_it_is_drawn_where_certificates_are_kept(dendritic):
    certificates.save(dendritic, [certificate(0.1, i=8, b=2)])
    page = pages.opened("reality_check", networks=[SATURATED, dendritic])
    assert not page.exception and not page.error
    assert any("certified" in chart.proto.id for chart in page.get("plotly_chart"))
    (library.folder_of(dendritic) / certificates.FILE).write_text("{")
    page = pages.opened("reality_check", networks=[SATURATED, dendritic])
    assert not page.exception and [dendritic in error.value for error in page.error] == [True]
