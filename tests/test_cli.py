"""The command line does what it says, says in one line why it can't, and never writes where the networks ship."""

import contextlib
import dataclasses
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from satcore import background, data, library, runs
from satcore.__main__ import main
from satcore.evaluation import grids, measure, reality
from satcore.evaluation.reality import Progress
from satcore.networks import Network, build, mlp
from satcore.paper import TABLE_1
from satcore.recipes import RECIPES, WATCHED, Phase
from satcore.runs import Run
from tests.examples import ALL
from tests.faults import contents, disk_full

ROOT = Path(__file__).parent.parent
NAME = "relu-mlp/vanilla"
SMALL = dataclasses.replace(
    RECIPES[NAME], architecture=mlp("relu", (16,)), complementary=("relu",) * 2, phases=(Phase(2, 6_000, 1e-2),)
)
KEPT = "mine/relu-mlp-vanilla-seed-1"


@pytest.fixture
def said(capsys):
    """What a command prints, in this process, that has nothing to complain about."""

    def said(*arguments: str | Path) -> str:
        assert main([str(argument) for argument in arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return said


@pytest.fixture
def refusal(capsys):
    """What the one line says that a command ends with, after whatever progress bars there were."""

    def refusal(*arguments: str | Path) -> str:
        assert main([str(argument) for argument in arguments]) == 2
        *_, last = capsys.readouterr().err.splitlines()
        assert last.startswith("satcore: ") and "Errno" not in last
        return last.removeprefix("satcore: ")

    return refusal


@pytest.fixture
def small_recipes(monkeypatch):
    """Recipes that take no time: an epoch is over the first 6,000 images."""
    monkeypatch.setattr("satcore.training.loop.TRAINING_IMAGES", 6_000)
    monkeypatch.setattr("satcore.runs.faster", lambda recipe, device: "float32")
    recipes = {
        name: dataclasses.replace(SMALL, family=recipe.family, training=recipe.training, initial_scale=1 + number / 10)
        for number, (name, recipe) in enumerate(list(RECIPES.items())[:8])
    }
    monkeypatch.setattr("satcore.recipes.RECIPES", recipes)


@pytest.fixture
def no_processes(monkeypatch, small_recipes, own_shelf):
    """Work that is begun is done in this process, at once."""

    class Done:
        def __init__(self, status: int):
            self.status = status

        def poll(self) -> int:
            return self.status

        def terminate(self) -> None:
            pass

    def start(key, arguments, *, in_turn=True):
        complaints = io.StringIO()
        with contextlib.redirect_stderr(complaints):
            status = main(arguments)
        if status:
            (background.folder(key) / background.COMPLAINTS).write_text(complaints.getvalue())
        return Done(status)

    monkeypatch.setattr(background, "start", start)


@pytest.fixture
def shipped(tmp_path, monkeypatch, tiny) -> Path:
    """A shelf that ships, with `tiny` on it twice: as vanilla and as control, of seed 0."""
    shelf = tmp_path / "checkpoints"
    for training in ("vanilla", "control"):
        library.add(
            tiny,
            training,
            group="relu-mlp",
            training=training,
            recipe=RECIPES[f"relu-mlp/{training}"],
            shelf=shelf,
            seed=0,
        )
    monkeypatch.setattr(library, "SHIPPED", shelf)
    return shelf


@pytest.fixture
def onnx_file(tmp_path) -> Path:
    """The network of `of_seed(5)` as others would write it."""
    return written_as_onnx(of_seed(5), tmp_path / "wide\ntanh.onnx")


def of_seed(seed: int) -> Network:
    return build(mlp("tanh", (16,)), seed)


def written_as_onnx(network: Network, path: Path) -> Path:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, before = [helper.make_node("Flatten", ["image"], ["flat"])], "flat"
    for index, block in enumerate(network.architecture):
        nodes.append(helper.make_node("Gemm", [before, f"w{index}", f"b{index}"], [f"h{index}"], transB=1))
        before = f"h{index}"
        if block.nonlinearity != "identity":
            nodes.append(helper.make_node(block.nonlinearity.capitalize(), [before], [f"x{index}"]))
            before = f"x{index}"
    constants = [
        numpy_helper.from_array(tensor.detach().numpy(), f"{kind}{index}")
        for index, layer in enumerate(network.layers)
        for kind, tensor in (("w", layer.weight), ("b", layer.bias))
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("image", [1, 1, 28, 28]), (before, [1, 10]))
    ]
    onnx.save(helper.make_model(helper.make_graph(nodes, "it", ends[:1], ends[1:], constants)), path)
    return path


# What can't be understood


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("train", "--seed", "three", NAME),
        ("train", NAME, "--sed", "3"),
        ("evaluate", "--all"),
        ("add", "file.onnx"),
        ("show",),
    ],
    ids=" ".join,
)
def test_a_command_that_cannot_be_understood_ends_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    found = capsys.readouterr()
    assert end.value.code == 2 and found.out == "" and found.err.startswith("usage: ")


def test_the_usage_comes_without_waiting_for_torch():
    code = (
        "import sys; from satcore.__main__ import main\ntry: main(['--help'])\nfinally: print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout.endswith("False\n") and done.stdout.count("\n    ") >= 8, done.stderr


@pytest.mark.parametrize(
    "arguments, message",
    {
        ("train", "relu-mlp/other"): f"expected a network out of {', '.join(RECIPES | WATCHED)}, got 'relu-mlp/other'",
        ("train", NAME, "--all"): "expected the names of the networks to train, or --all, got both",
        ("train",): "expected the names of the networks to train, or --all, got neither",
        ("train", NAME, "--seed", "-1"): "expected a seed from 0 to 2³²−1, got -1",
        ("train", NAME, "--seed", str(2**32)): f"expected a seed from 0 to 2³²−1, got {2**32}",
        ("list", "--shelf", ""): "expected a folder after --shelf, got none",
        ("list", "--group", "none"): "expected a group out of cnn, factorial, quick, relu-mlp, sigmoid-mlp, got 'none'",
        ("remove", NAME): f"expected a network on your own shelf, got {NAME}, which ships and is left as it is",
    }.items(),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_refused(refusal, arguments, message):
    assert refusal(*arguments) == message


@pytest.mark.parametrize("command", ["evaluate", "grids", "reality", "show", "remove"])
def test_an_unknown_network_is_refused(refusal, command):
    assert refusal(command, "mine/other") == f"expected one of the networks {', '.join(ALL)}, got 'mine/other'"


@pytest.mark.parametrize("device", ["nonsense", "cuda:99"])
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_device_that_is_not_there_is_refused(refusal, command, device):
    message = refusal(command, NAME, "--device", device)
    assert message.startswith("expected a device out of cpu") and message.endswith(f"got '{device}'")


@pytest.mark.parametrize("command", ["evaluate", "grids", "reality"])
def test_without_any_network_there_is_nothing_to_do(refusal, monkeypatch, tmp_path, command):
    monkeypatch.setattr(library, "SHIPPED", tmp_path / "none")
    assert refusal(command).startswith("expected networks on a shelf, got none there: ")


# Training


@pytest.mark.slow
def test_a_trained_network_is_kept_on_the_users_shelf(said, no_processes, own_shelf):
    before = contents(library.SHIPPED)
    assert said("train", NAME, "--seed", 1) == f"{NAME}: kept as {KEPT}\n"
    card = library.describe(KEPT)
    assert (card.group, card.training, card.seed) == ("relu-mlp", "vanilla", 1)
    assert card.origin == "trained here, by a changed recipe"
    assert (
        card.recipe.architecture == SMALL.architecture
        and card.precision == "float32"
        and card.device == "one CPU core"
        and card.seconds is not None
    )
    found = dataclasses.asdict(measure(library.load(KEPT), *data.load("test")))
    assert card.measurements == found | {"kurtosis": list(found["kurtosis"])}
    assert [line["epoch"] for line in runs.records(own_shelf / KEPT / library.RECORDS)] == [1, 2]
    assert sorted(path.name for path in own_shelf.iterdir()) == [".work", "mine"] and runs.unfinished() == {}

    # The same command has nothing to do.
    known = contents(own_shelf / "mine")
    assert said("train", NAME, NAME, "--seed", 1) == (
        f"{NAME}: trained with this recipe and seed already, kept as {KEPT} (--again trains it anew)\n"
    )
    assert said("train", NAME, "--seed", 1, "--again") == (f"{NAME}: kept as {KEPT}\n")
    assert contents(own_shelf / "mine") == known
    assert contents(library.SHIPPED) == before


def test_another_network_of_that_name_stays_and_the_new_one_gets_a_suffix(said, no_processes, own_shelf):
    library.add(of_seed(1), "relu-mlp-vanilla-seed-1")
    before = contents(own_shelf)
    assert said("train", NAME, "--seed", 1, "--again") == (
        f"{NAME}: kept as {KEPT}-2, as another network is called {KEPT} and nothing is overwritten\n"
    )
    assert contents(own_shelf).items() >= before.items()


def test_a_damaged_network_does_not_count_as_trained(said, no_processes, own_shelf):
    said("train", NAME, "--seed", 1)
    (own_shelf / KEPT / library.WEIGHTS).write_bytes(b"")
    assert f"{NAME}: kept as {KEPT}-2, as another network is called" in said("train", NAME, "--seed", 1)


def test_all_that_ship_and_are_no_committees_are_trained_already(said):
    before = contents(library.SHIPPED)
    names = [name for name in RECIPES if not library.describe(name).members]
    lines = said("train", *names).splitlines()
    assert [
        line.partition(": trained with this recipe and seed already, kept as ")[2].split()[0] for line in lines
    ] == names
    assert len(names) >= 14 and contents(library.SHIPPED) == before


def test_maintainers_can_write_to_the_shelf_that_ships_and_overwrite_nothing_there(
    said, no_processes, shipped, own_shelf
):
    before = contents(shipped)
    assert said("train", "relu-mlp/saturated", "--ship") == "relu-mlp/saturated: kept as relu-mlp/saturated\n"
    assert library.describe("relu-mlp/saturated").shipped
    assert "kept as relu-mlp/vanilla-2, as another network is called relu-mlp/vanilla" in said("train", NAME, "--ship")
    assert contents(shipped).items() >= before.items()
    assert library.names()[-1] != KEPT and not (own_shelf / "mine").exists()


def test_the_shelf_can_be_named(said, no_processes, tmp_path, own_shelf):
    said("train", NAME, "--seed", 1, "--shelf", tmp_path / "mine too")
    assert (tmp_path / "mine too" / KEPT / library.CARD).exists()
    assert list(own_shelf.iterdir()) == [] and os.environ["SATCORE_SHELF"] == str(tmp_path / "mine too")


@pytest.mark.parametrize("command", [("train", NAME, "--seed", "1"), ("add", "")], ids=["train", "add"])
def test_a_shelf_that_cannot_be_written_is_refused_before_anything_is_done(
    refusal, no_processes, tmp_path, onnx_file, command
):
    (tmp_path / "file").write_bytes(b"")
    if command[0] == "add":
        command = ("add", onnx_file, "--name", "it")
    assert refusal(*command, "--shelf", tmp_path / "file" / "shelf").startswith(
        f"expected a place that can be written in {tmp_path / 'file' / 'shelf'}"
    )
    assert refusal(*command, "--shelf", library.SHIPPED).startswith("expected a shelf of your own outside")


def test_a_full_disk_ends_a_run_in_a_sentence_and_the_same_command_goes_on(
    refusal, said, no_processes, own_shelf, monkeypatch
):
    monkeypatch.setattr("satcore.training.loop.SECONDS_BETWEEN_SAVES", -1)
    write = library._put

    def without_room(*arguments):
        with disk_full():
            return write(*arguments)

    monkeypatch.setattr(library, "_put", without_room)
    message = refusal("train", NAME, "--seed", "1")
    assert message.startswith(f"expected a place that can be written in {own_shelf}") and "too large" in message
    (standing,) = runs.unfinished().values()
    assert standing.complaint == message and (standing.run.folder / runs.STATE).exists()
    assert not (own_shelf / KEPT).exists()
    monkeypatch.setattr(library, "_put", write)
    assert said("train", NAME, "--seed", "1").endswith(f"kept as {KEPT}\n") and not standing.run.folder.exists()


def test_a_state_that_cannot_be_read_is_refused_and_left_as_it_is(refusal, no_processes):
    from satcore.recipes import RECIPES as small

    state = Run(small[NAME], 1).folder / runs.STATE
    state.parent.mkdir(parents=True)
    state.write_bytes(b"no state")
    assert refusal("train", NAME, "--seed", 1).startswith(
        f"expected the state of an interrupted run in {state}, got a file that can't be read"
    )
    assert state.read_bytes() == b"no state"


def test_a_run_whose_process_is_killed_is_reported_in_one_line(monkeypatch, refusal):
    class Killed:
        def poll(self) -> int:
            return -signal.SIGKILL

    monkeypatch.setattr(background, "start", lambda key, arguments, *, in_turn=True: Killed())
    message = refusal("train", NAME, "--seed", "1")
    assert message.startswith(f"expected {NAME}, seed 1 to end, got its process killed")


@pytest.mark.slow
def test_an_interrupted_command_has_its_runs_pause_and_leaves_no_half_a_network(own_shelf):
    command = subprocess.Popen(
        [sys.executable, "-m", "satcore", "train", "quick/saturated", "--seed", "2"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    run = Run(WATCHED["quick/saturated"], 2)
    try:
        shown = b""
        while b"loss" not in shown:  # of the first epoch that was reported
            more = os.read(command.stderr.fileno(), 4096)
            assert more, f"the command ended first: {shown.decode()}"
            shown += more
        os.killpg(command.pid, signal.SIGINT)  # as a terminal sends it
        _, rest = command.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(command.pid, signal.SIGKILL)
    *_, last = rest.decode().splitlines()
    assert command.returncode == 130 and b"Traceback" not in rest
    assert last == "satcore: interrupted; the same command goes on where it was"
    until = time.monotonic() + 60
    while background.report(run.key) is not None:  # it ends the epoch that is under way
        assert time.monotonic() < until
        time.sleep(0.1)
    assert (run.folder / runs.STATE).exists() and runs.records(run.folder / runs.RECORDS)
    assert not (own_shelf / "mine").exists() or list((own_shelf / "mine").iterdir()) == []


# Sweeps


@pytest.mark.parametrize(
    "arguments, message",
    {
        ("relu-mlp/other",): f"expected a network out of {', '.join(RECIPES)}, got 'relu-mlp/other'",
        (NAME, "--seeds", "0-"): 'expected seeds such as "0-4" or "1,3,5", got \'0-\'',
        (NAME, "--seeds", "0-99999"): "expected from 1 to 10,000 seeds, counted upwards, got '0-99999'",
        (NAME, "--set", "colour=red"): "expected NAME=VALUE,… with a NAME out of widths, nonlinearity, step, ",
        (NAME, "--set", "widths=wide"): "expected a value such as 400x400 for widths, got 'wide'",
        (NAME, "--set", "lambda_max=-1"): "expected λ's maximum at least 0, got -1.0",
        (NAME, "--set", "batch_size=7"): "expected a batch size that divides 60,000, got 7",
        (NAME, "--on", "moon"): 'expected "local" or "dask://ADDRESS" to sweep on, got \'moon\'',
    }.items(),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_sweep_that_makes_no_sense_is_refused_before_anything_is_begun(refusal, own_shelf, arguments, message):
    assert refusal("sweep", *arguments).startswith(message)
    assert contents(own_shelf) == {}


# Measuring and attacking


def test_evaluate_prints_what_measure_finds(said, shipped, tiny):
    library.add(of_seed(1), "tanh")
    out = said("evaluate")
    assert out.startswith("10,000 test images, in percent.")
    rows = {line.split()[0]: re.split(r"[\s,]+", line)[1:] for line in out.splitlines() if "/" in line}
    assert list(rows) == [NAME, "relu-mlp/control", "mine/tanh"]
    found = measure(tiny, *data.load("test"))
    figures = [f"{100 * share:.2f}" for share in (found.accuracy, found.fgsm_accuracy, found.zero_gradient)]
    kurtosis = [f"{value:.1f}" for value in found.kurtosis]
    clean, robust = (f"{value:.2f}" for value in TABLE_1[NAME])
    assert rows[NAME] == [figures[0], clean, figures[1], robust, figures[2], *kurtosis]
    assert rows["relu-mlp/control"] == [figures[0], "–", figures[1], "–", figures[2], *kurtosis]
    # One's own network had no measurements on its card; what ships is left as it is.
    assert library.describe("mine/tanh").measurements["images"] == 10_000
    assert library.describe(NAME).measurements == {}


def test_a_damaged_network_is_a_line_and_the_others_are_evaluated(capsys, shipped, refusal):
    (shipped / NAME / library.WEIGHTS).write_bytes(b"")
    assert main(["evaluate"]) == 2
    found = capsys.readouterr()
    assert found.err.startswith(f"satcore: {NAME}: expected weights and an architecture with SHA-256")
    assert found.err.count("\n") == 1 and "relu-mlp/control" in found.out
    assert refusal("evaluate", NAME).startswith("expected weights and an architecture with SHA-256")


def test_grids_and_reality_go_to_the_users_shelf(said, monkeypatch, shipped, own_shelf):
    setting = grids.Setting(steps=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library, "SHIPPED", ROOT / "checkpoints")
        found = reality.load(NAME)
    examined = []

    def examine(network, source, plan, so_far):
        if so_far is None:
            examined.append((network, source))
            yield Progress(0.5, "halfway", dataclasses.replace(found, checks=[]))
        yield Progress(1.0, "done", found)

    monkeypatch.setattr(grids, "shipped", lambda name: [setting])
    monkeypatch.setattr(reality, "examine", examine)
    before = contents(shipped)
    for command in ("grids", "reality"):
        first = said(command)
        assert [line.split()[0] for line in first.splitlines()] == [NAME, "relu-mlp/control"]
        known = contents(own_shelf / "about")
        assert said(command) == first and contents(own_shelf / "about") == known
    assert contents(shipped) == before
    about = own_shelf / "about" / library.describe(NAME).sha256
    assert sorted(path.name for path in about.rglob("*")) == [
        "grids",
        "most-confident-l-bfgs-2-autograd.npz",
        "reality.json",
    ]
    assert grids.load(NAME, setting).done == 1 and reality.load(NAME) == found
    # Both names have one hash, so the second had nothing left to do. The source is the group's vanilla network.
    assert [source is None for _, source in examined] == [True]

    (about / "reality.json").unlink()
    said("reality", "relu-mlp/control", "--ship")
    assert (shipped / "relu-mlp" / "control" / "reality.json").exists()
    assert examined[-1][1] is not None


# Shelves


def test_list_has_a_line_for_every_network(said, onnx_file, own_shelf):
    library.add(of_seed(1), "tanh")
    library.add(of_seed(2), "damaged")
    (own_shelf / "mine" / "damaged" / library.CARD).write_bytes(b"{}")
    lines = said("list").splitlines()
    rows = {line.split()[0]: line for line in lines if "/" in line.split(" ")[0]}
    assert list(rows) == [*ALL, "mine/tanh", "mine/damaged"]
    assert rows[NAME].split()[1:4] == ["98.46", "0.61", "0.00"] and "784 – 400 – 400 – 10, relu" in rows[NAME]
    assert rows["mine/tanh"].split()[1:4] == ["–"] * 3
    assert "expected a network's card in" in rows["mine/damaged"]
    assert str(own_shelf) in lines[-1]
    of_group = said("list", "--group", "cnn").splitlines()
    assert [line.split()[0] for line in of_group if line.startswith(("cnn/", "relu", "mine"))] == [*RECIPES][10:]
    of_group = said("list", "--group", "mine").splitlines()
    assert [line.split()[0] for line in of_group if "/" in line.split(" ")[0]] == ["mine/tanh", "mine/damaged"]


@pytest.mark.slow
def test_show_says_all_that_is_known(said):
    card = library.describe("sigmoid-mlp/saturated")
    out = said("show", "sigmoid-mlp/saturated")
    for there in (
        "trained here, seed 0, 56.3 minutes on one CPU core",
        "sigmoid-mlp, saturated",
        "784 – 400 – 400 – 10, sigmoid",
        "97.52 % of 10,000 test images",
        "96.24 % (ε = 0.25, cross-entropy, float32 autograd); before and after it 95.88 %",
        "95.49 %",
        "5.6, 4.3, 4.8",
        card.sha256,
        "7 of 7 grids of targeted attacks; the reality check, on 500 test images",
    ):
        assert there in out
    bare = said("show", library.add(of_seed(1), "tanh"))
    assert "not measured yet" in bare and "nothing yet" in bare and "added from Python" in bare


def test_a_network_from_elsewhere_is_added_measured_shown_and_removed(said, refusal, onnx_file, own_shelf):
    out = said("add", onnx_file, "--name", "Wide tanh")
    kept, row = out.splitlines()
    assert kept == "kept as mine/wide-tanh" and row.startswith("mine/wide-tanh ") and "784 – 16 – 10, tanh" in row
    card = library.describe("mine/wide-tanh")
    assert card.origin == "ONNX file wide?tanh.onnx" and card.measurements["images"] == 10_000
    images = data.load("test").images[:50]
    assert (library.load("mine/wide-tanh")(images) - of_seed(5)(images)).abs().max() < 1e-6
    assert "ONNX file wide?tanh.onnx" in said("show", "mine/wide-tanh")
    known = contents(own_shelf)
    for name in ("Wide tanh", "another name"):
        assert said("add", onnx_file, "--name", name) == "this very network is there already, as mine/wide-tanh\n"
    assert contents(own_shelf) == known
    other = written_as_onnx(of_seed(6), onnx_file.with_name("other.onnx"))
    assert said("add", other, "--name", "wide-tanh").startswith(
        "kept as mine/wide-tanh-2, as another network is called mine/wide-tanh and nothing is overwritten\n"
    )
    said("remove", "mine/wide-tanh-2")
    assert contents(own_shelf) == known
    said("remove", "mine/wide-tanh")
    assert refusal("remove", "mine/wide-tanh").endswith("got 'mine/wide-tanh'")


def test_networks_become_a_committee(said, refusal, own_shelf):
    names = [library.add(of_seed(seed), "tanh") for seed in (1, 2)]
    out = said("committee", *names, "--name", "both", "--half")
    assert out.startswith("kept as mine/both\nmine/both ") and "conv 28×28×32 – 10, tanh" in out
    assert library.describe("mine/both").origin == "the mean of mine/tanh, mine/tanh-2"
    images = data.load("test").images[:50]
    mean = (of_seed(1)(images) + of_seed(2)(images)) / 2
    found = library.load("mine/both")(images)
    assert 0 < (found - mean).abs().max() < 2e-3 * mean.abs().max()
    assert (
        said("committee", *names, "--name", "again", "--half") == "this very network is there already, as mine/both\n"
    )
    assert refusal("committee", names[0], "--name", "one").startswith("expected two members or more")


@pytest.mark.parametrize("file", ["none", "folder", "fifo", "garbage", "nine logits", "NaN"])
def test_what_is_no_network_is_refused_in_a_sentence(refusal, tmp_path, own_shelf, file):
    path = tmp_path / "it.onnx"
    if file == "folder":
        path.mkdir()
    elif file == "fifo":
        os.mkfifo(path)
    elif file == "garbage":
        path.write_bytes(os.urandom(1_000))
    elif file in ("nine logits", "NaN"):
        network = of_seed(1)
        if file == "NaN":
            network.layers[0].weight.data[0, 0] = float("nan")
        else:
            last = network.layers[1]
            last.weight.data, last.bias.data = last.weight.data[:9], last.bias.data[:9]
        written_as_onnx(network, path)
    assert refusal("add", path, "--name", "it").startswith("expected ")
    assert refusal("add", path, "--name", "…").startswith("expected a name with a letter or a digit")
    assert list(own_shelf.iterdir()) == []


# Outputs that break


def test_an_output_that_cannot_be_written_or_shown_ends_without_a_traceback(monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)  # whoever was to read has gone
    ends = []
    for output in ("/dev/full", write):
        with open(output, "w") as stream:  # which is closed in the end, as Python does
            monkeypatch.setattr(sys, "stdout", stream)
            ends.append(main(["list"]))
    assert ends == [2, 1]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("satcore: expected") and "No space left on device" in line
    known = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(known, encoding="ascii"))
    assert main(["show", NAME]) == 0 and b"\\u03b5 = 0.25" in known.getvalue()
