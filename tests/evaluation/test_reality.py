"""What was found out about the networks: how it is found, how it is kept, and what ships."""

import dataclasses

import pytest
import torch

from satcore import attacks, data, library
from satcore.evaluation import reality, rungs, strongest
from satcore.evaluation.attack_checks import MEANINGS
from satcore.evaluation.reality import EDGES, EPSILON, Plan, Reality
from satcore.evaluation.rungs import PUBLISHED
from satcore.networks import build, mlp
from tests.examples import SHIPPED, load, of_family, slowly, small

NAME = "relu-mlp/vanilla"


@pytest.fixture(scope="module")
def records(tiny) -> list[reality.Progress]:
    def fewer_queries(*there, queries=1000, **settings):  # it doesn't matter here how good the attack is
        return attacks.square(*there, queries=queries // 10, **settings)

    with pytest.MonkeyPatch.context() as patch:
        for module in (rungs, strongest):
            patch.setattr(module, "square", fewer_queries)
        return list(reality.examine(tiny, None, Plan(8, (0.05, EPSILON), 3, 0.5, (0.01,))))


@pytest.fixture
def found(records) -> Reality:
    return records[-1].found


@pytest.fixture(scope="module")
def shipped() -> dict[str, Reality]:
    return {name: there for name, there in reality.known()[0].items() if name in SHIPPED}


def test_it_tells_how_far_it_has_got(records):
    done = [record.done for record in records]
    assert done == sorted(done) and done[-1] == 1
    parts = [sum(map(bool, vars(record.found).values())) for record in records]
    assert parts == sorted(parts)  # what was found stays


def test_what_was_found_is_not_found_again(tiny, records):
    so_far = next(record.found for record in records[:-1] if record.found.right)  # the rest takes its time
    *_, last = reality.examine(tiny, None, Plan(8, (0.05, EPSILON), 3, 0.5, (0.01,)), so_far)
    assert last.found.right is so_far.right and vars(last.found).keys() == vars(records[-1].found).keys()


def test_where_no_proof_is_to_be_had_all_else_is_found_out(found):
    network, plan = of_family("cnn", 8), Plan(8, (0.05, EPSILON), 3, 0.5, (0.01,))
    so_far = dataclasses.replace(found, decided=[])
    with torch.backends.mkldnn.flags(enabled=False), pytest.raises(ValueError, match="expected a PyTorch with oneDNN"):
        list(reality.examine(network, None, plan, so_far))


def test_all_is_found_out(tiny, found):
    images, labels = data.sample("test", 8, reality.SEED)
    without = {"transfer", "FGSM, margin, softened", "PGD, margin, softened"}
    assert list(found.right) == [rung for rung in rungs.RUNGS if rung not in without]
    for counts in found.right.values():
        assert len(counts) == 2 and all(0 <= count <= 8 for count in counts)
    assert found.clean == int((tiny(images).argmax(1) == labels).sum())
    assert found.right[PUBLISHED][1] == int((~attacks.fgsm(tiny, images, labels).success).sum())
    assert sum(found.broken_by.values()) <= 8 - found.right["worst case"][1]  # a rung may break another one
    (decided,) = found.decided
    assert (decided.epsilon, decided.images, decided.seconds) == (0.01, 3, 0.5)
    assert decided.proven + decided.broken <= 3 and found.whole
    assert len(found.softening) == len(rungs.SOFTENINGS)
    assert {check.name for check in found.checks} == set(MEANINGS) - {"no stranger knows better"}
    for layer in found.dying:
        assert len(layer.counts) == len(EDGES) - 1
        assert sum(layer.counts) + layer.below + layer.zero == 8


def test_what_is_left_is_asked_for_by_rung_and_epsilon(found):
    assert (found.left("clean").count, found.left("clean").total) == (found.clean, 8)
    assert found.left("noise", 0.05).count == found.right["noise"][0]
    assert found.left("transfer") is None


def test_a_network_that_convolves_is_examined_on_fewer_images():
    assert reality.plan(small("strides and means", "tanh")) == reality.CNN
    assert reality.plan(build(mlp("tanh", (9,)))) == reality.MLP


def test_what_is_found_of_a_shipped_network_is_kept_on_the_users_shelf_under_its_hash(found, own_shelf):
    shipped = library.SHIPPED / NAME / "reality.json"
    before = shipped.read_bytes()
    assert reality.load(NAME) != found
    reality.save(NAME, found)
    assert shipped.read_bytes() == before and reality.load(NAME) == found
    (kept,) = (path for path in own_shelf.rglob("*") if path.is_file())
    assert kept == own_shelf / "about" / library.describe(NAME).sha256 / "reality.json"


@pytest.fixture
def own(tiny) -> str:
    """The name of a network on the user's shelf."""
    return library.add(tiny, "tiny")


def test_the_examination_of_a_network_that_goes_is_ended_and_of_one_that_stays_is_not(own, monkeypatch):
    stopped = []
    monkeypatch.setattr(reality.background, "stop", lambda key, at_once: stopped.append(key))
    assert not reality.end("relu-mlp/vanilla") and stopped == []
    assert reality.end(own) and stopped == [reality.work(own)]
    library.add(library.load(own), "the same again")
    assert not reality.end(own) and len(stopped) == 1


def test_what_is_kept_comes_back_and_belongs_to_its_weights(found, own):
    assert reality.load(own) is None
    reality.save(own, found)
    assert reality.load(own) == found and reality.known()[0][own] == found
    kept = library.kept(own, reality.FILE)
    content = kept.read_bytes()
    library.remove(own)
    another = library.add(build(mlp("relu", (16, 16)), seed=9), "tiny")
    assert another == own and library.kept(own, reality.FILE) == kept
    kept.write_bytes(content)
    assert reality.load(own) is None and own not in reality.known()[0]


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
def test_a_damaged_file_is_refused(damage, found, own):
    reality.save(own, found)
    path = library.kept(own, reality.FILE)
    path.write_text(damage(path.read_text()))
    with pytest.raises(ValueError, match=f"expected what was found out about {own} in .*, got a damaged file"):
        reality.load(own)
    assert own in reality.known()[1][0]


def test_what_was_found_in_another_way_is_not_believed(found, own):
    reality.save(own, found)
    path = library.kept(own, reality.FILE)
    path.write_text(path.read_text().replace(f'"format": {reality.KEPT.format}', '"format": 1'))
    assert reality.load(own) is None


def test_a_verdict_says_by_what_it_was_reached(found):
    said = reality.verdict(found)
    for rung in (PUBLISHED, "worst case"):
        assert f"{100 * found.left(rung).share:.1f} %" in said
    assert "8 random test images" in said and f"the worst of {len(found.right) - 1} attacks" in said
    assert reality.verdict(Reality(8, 0, 7)) == "not attacked yet"


def test_all_twelve_ship_and_belong_to_the_shipped_weights(shipped):
    assert list(shipped) == SHIPPED
    for name, there in shipped.items():
        plan = reality.plan(load(name), ship=True)
        assert there.whole and there.images == plan.images and set(plan.epsilons) <= set(there.epsilons)
        assert [(one.epsilon, one.images) for one in there.decided] == [(each, plan.decided) for each in plan.radii]
        (seconds,) = {one.seconds for one in there.decided}  # as the page says it once for all
        assert 0 < seconds <= plan.seconds  # less where the plan has since grown


@pytest.mark.parametrize("name", SHIPPED)
def test_the_worst_case_is_bracketed(name, shipped):
    """Never above a rung, never below what is proven, never rising with ε."""
    there = shipped[name]
    worst = there.right["worst case"]
    assert worst == sorted(worst, reverse=True) and worst[0] <= there.clean
    for rung, counts in there.right.items():
        assert all(least <= count for least, count in zip(worst, counts, strict=True)), rung
    assert all(proven <= least for proven, least in zip(there.proven, worst, strict=True))
    for decided in there.decided:  # none of them may be, within the seconds given
        assert decided.proven + decided.broken <= decided.images
    assert [one.broken for one in there.decided] == sorted(one.broken for one in there.decided)


@pytest.mark.shipped
@pytest.mark.parametrize("name", slowly(SHIPPED, lambda name: name.endswith("-mlp/saturated")))
def test_what_is_cheap_to_find_out_again_is_found_again(name, shipped):
    """On the very images; rounding on another machine may move one."""
    there, network = shipped[name], load(name)
    images, labels = data.sample("test", there.images, there.seed)
    margin = {"epsilon": EPSILON, "loss": "margin"}
    again = {
        "FGSM, margin, autograd": rungs.still_right(attacks.fgsm, network, images, labels, **margin),
        PUBLISHED: rungs.still_right(attacks.fgsm, network, images, labels, epsilon=EPSILON),
        "noise": rungs.right_in_noise(network, images, labels, epsilon=EPSILON),
    }
    if name not in ("cnn/vanilla", "cnn/adversarial", "cnn/control"):  # which take seconds
        again["PGD, cross-entropy, autograd"] = rungs.still_right(
            attacks.pgd, network, images, labels, epsilon=EPSILON, steps=40
        )
    for rung, share in again.items():
        assert abs(share * there.images - there.left(rung).count) <= 1.5, rung


def test_the_published_robustness_is_gone(shipped):
    for name in ("sigmoid-mlp/saturated", "relu-mlp/saturated", "cnn/saturated"):
        there = shipped[name]
        assert there.left(PUBLISHED).share > 0.9 and there.left("PGD, cross-entropy, autograd").share > 0.9
        assert there.left("worst case").interval[1] < 0.05
