"""What the README tells a newcomer to run is what is run here."""

from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_ci_runs_the_readmes_test_command():
    (command,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.endswith("-m pytest")]
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()
