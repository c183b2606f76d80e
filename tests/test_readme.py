"""What the README tells a newcomer to run is what is run here."""

from pathlib import Path

from satcore import checkpoints, grids

ROOT = Path(__file__).parent.parent


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.endswith("-m pytest")]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_readmes_grids_are_the_ones_that_ship():
    readme = (ROOT / "README.md").read_text()
    for name in checkpoints.names():
        sha256 = checkpoints.describe(name).sha256
        fooled = {(there.source, there.attack, there.gradient): grids.load(name, sha256, there).fooled for there in grids.shipped(name)}
        cells = [f"{fooled['most confident', 'L-BFGS', way]} / {fooled['least confident', 'L-BFGS', way]}"
                 for way in ("autograd", "exact", "softened")]
        cells.append(str(fooled.get(("most confident", "Adam", "autograd"), "–")))
        assert f"| {name} | {' | '.join(cells)} |" in readme
