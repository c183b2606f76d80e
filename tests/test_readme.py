"""What the README tells a newcomer to run is what is run here."""

from pathlib import Path

from satcore import checkpoints, grids, reality

ROOT = Path(__file__).parent.parent


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.endswith("-m pytest")]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_readmes_grids_are_the_ones_that_ship():
    readme = (ROOT / "README.md").read_text()
    for name in checkpoints.names():
        sha256 = checkpoints.describe(name).sha256
        fooled = {
            (there.source, there.attack, there.gradient): grids.load(name, sha256, there).fooled
            for there in grids.shipped(name)
        }
        cells = [
            f"{fooled['most confident', 'L-BFGS', way]} / {fooled['least confident', 'L-BFGS', way]}"
            for way in ("autograd", "exact", "softened")
        ]
        cells.append(str(fooled.get(("most confident", "Adam", "autograd"), "–")))
        assert f"| {name} | {' | '.join(cells)} |" in readme


def test_the_readmes_reality_is_what_ships():
    readme = (ROOT / "README.md").read_text()
    rungs = (
        "clean",
        "noise",
        "FGSM, autograd",
        "FGSM, exact",
        "PGD, autograd",
        "PGD, exact",
        "PGD, softened",
        "transfer",
        "Square",
        "worst case",
    )
    for name, found in reality.shipped().items():
        cells = ["–" if (left := found.left(rung)) is None else f"{100 * left.share:.1f}" for rung in rungs]
        cells.append(
            "–" if None in found.proven else f"{100 * found.proven[found.epsilons.index(0.01)] / found.images:.1f}"
        )
        assert f"| {name} | {' | '.join(cells)} |" in readme


def test_the_readmes_first_lines_are_what_was_measured():
    first = (ROOT / "README.md").read_text().split("##")[0]
    measured = [
        checkpoints.describe(f"{family}/saturated").measurements for family in ("sigmoid-mlp", "relu-mlp", "cnn")
    ]
    for what in ("fgsm_accuracy", "zero_gradient"):
        one, other, last = (f"{100 * there[what]:.1f}" for there in measured)
        assert f"{one}, {other} and {last} %" in first
    most = max(there.left("worst case").share for there in reality.shipped().values())
    assert (
        "none of the twelve networks gets a single image right"
        if most == 0
        else f"no network gets more than {100 * most:.1f} % right"
    ) in first
