"""What was found out about the networks: how it is found, how it is kept, and what ships."""

import dataclasses
import json

import pytest
from satcore.checks import MEANINGS
from satcore.reality import EDGES, EPSILON, Plan, Reality

from satcore import attacks, checkpoints, data, evaluation, reality
from satcore.__main__ import main

NAMES = checkpoints.names()


@pytest.fixture(scope="module")
def records(tiny) -> list[reality.Progress]:
    return list(reality.examine(tiny, None, Plan(8, (0.05, EPSILON))))


@pytest.fixture
def found(records) -> Reality:
    return records[-1].found


@pytest.fixture(scope="module")
def shipped() -> dict[str, Reality]:
    return reality.shipped()


def test_it_tells_how_far_it_has_got(records):
    done = [record.done for record in records]
    assert done == sorted(done) and done[-1] == 1
    assert all(record.found is None for record in records[:-1])


def test_all_is_found_out(tiny, found):
    images, labels = (tensor[:8] for tensor in data.load("test"))
    assert list(found.right) == [rung for rung in evaluation.RUNGS if rung != "transfer"]
    for counts in found.right.values():
        assert len(counts) == 2 and all(0 <= count <= 8 for count in counts)
    assert found.clean == int((tiny(images).argmax(1) == labels).sum())
    assert found.right["FGSM, autograd"][1] == int((~attacks.fgsm(tiny, images, labels).success).sum())
    assert sum(found.broken_by.values()) == 8 - found.right["worst case"][1]
    assert len(found.softening) == len(evaluation.SOFTENINGS)
    assert set(check["name"] for check in found.checks) == set(MEANINGS) - {"no stranger knows better"}
    for layer in found.dying:
        assert len(layer["counts"]) == len(EDGES) - 1
        assert sum(layer["counts"]) + layer["below"] + layer["zero"] == 8


def test_what_is_left_is_asked_for_by_rung_and_epsilon(found):
    assert (found.left("clean").count, found.left("clean").total) == (found.clean, 8)
    assert found.left("noise", 0.05).count == found.right["noise"][0]
    assert found.left("transfer") is None


def test_what_is_kept_comes_back_and_belongs_to_its_weights(found, tmp_path):
    reality.save("relu-mlp/vanilla", "a" * 64, found, tmp_path)
    assert reality.load("relu-mlp/vanilla", "a" * 64, tmp_path) == found
    assert reality.load("relu-mlp/vanilla", "b" * 64, tmp_path) is None
    assert reality.load("relu-mlp/saturated", "a" * 64, tmp_path) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:100],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"clean"', '"dirty"'),
        lambda text: text.replace('"epsilons": [0.05, ', '"epsilons": ['),
    ],
)
def test_a_damaged_file_is_refused(damage, found, tmp_path):
    reality.save("relu-mlp/vanilla", "a" * 64, found, tmp_path)
    path = tmp_path / "relu-mlp" / "vanilla.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(
        ValueError, match="expected what was found out about relu-mlp/vanilla in .*, got a damaged file"
    ):
        reality.load("relu-mlp/vanilla", "a" * 64, tmp_path)


def test_all_twelve_ship_and_belong_to_the_shipped_weights(shipped):
    assert list(shipped) == NAMES and len(NAMES) == 12
    for name, there in shipped.items():
        plan = reality.plan(name)
        assert (there.images, there.epsilons) == (plan.images, list(plan.epsilons))


@pytest.mark.parametrize("name", NAMES)
def test_the_worst_case_is_bracketed(name, shipped):
    """Never above a rung, never below what is proven, never rising with ε."""
    there = shipped[name]
    worst = there.right["worst case"]
    assert worst == sorted(worst, reverse=True) and worst[0] <= there.clean
    for rung, counts in there.right.items():
        assert all(least <= count for least, count in zip(worst, counts, strict=True)), rung
    if name.startswith("cnn/"):
        assert set(there.proven) == {None}
    else:
        assert all(proven <= least for proven, least in zip(there.proven, worst, strict=True))
        assert there.proven[0] > 0  # at the smallest ε, it is a proof of something


@pytest.mark.parametrize("name", NAMES)
def test_what_is_cheap_to_find_out_again_is_found_again(name, shipped):
    """On the very images; rounding on another machine may move one."""
    there, network = shipped[name], checkpoints.load(name)
    images, labels = (tensor[: there.images] for tensor in data.load("test"))
    for rung, attack, settings in (("FGSM, autograd", attacks.fgsm, {}), ("PGD, autograd", attacks.pgd, {"steps": 40})):
        again = evaluation.still_right(attack, network, images, labels, epsilon=EPSILON, **settings)
        assert abs(again * there.images - there.left(rung).count) <= 1.5
    assert (
        abs(
            evaluation.right_in_noise(network, images, labels, epsilon=EPSILON) * there.images
            - there.left("noise").count
        )
        <= 1.5
    )


def test_the_published_robustness_is_gone(shipped):
    for name in ("sigmoid-mlp/saturated", "relu-mlp/saturated", "cnn/saturated"):
        there = shipped[name]
        assert there.left("FGSM, autograd").share > 0.9 and there.left("PGD, autograd").share > 0.9
        assert there.left("worst case").interval[1] < 0.05


def test_the_command_says_what_is_kept(shipped, capsys):
    assert main(["reality", "sigmoid-mlp/saturated"]) == 0
    said = capsys.readouterr().out
    for rung in shipped["sigmoid-mlp/saturated"].right:
        assert f"{rung} {100 * shipped['sigmoid-mlp/saturated'].left(rung).share:.1f}" in said


def test_the_command_finds_out_what_is_not_there_and_keeps_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reality, "plan", lambda name: Plan(4, (EPSILON,)))
    for function in (reality.load, reality.save):
        monkeypatch.setattr(function, "__defaults__", (tmp_path,))
    assert main(["reality", "relu-mlp/adversarial"]) == 0
    kept = json.loads((tmp_path / "relu-mlp" / "adversarial.json").read_text())
    assert kept["sha256"] == checkpoints.describe("relu-mlp/adversarial").sha256 and kept["images"] == 4
    assert "transfer" in capsys.readouterr().out
    assert set(kept) == {"sha256", *(field.name for field in dataclasses.fields(Reality))}
