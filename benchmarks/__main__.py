"""Every benchmark after the other, each in a process of its own: `python -m benchmarks`, or some, by their names.

All of them take a day on two cores; what each one times, and how fair that is, stands in its first lines. They want
peers: `pip install foolbox pyautoattack` and, so that they change nothing else, `pip install --no-deps torchattacks
adversarial-robustness-toolbox six`. Exits 1 where one of them failed.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main() -> int:
    """Run them; what they print is theirs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"out of {', '.join(NAMES)}; all, where none is named")
    asked = parser.parse_args().names
    if unknown := set(asked) - set(NAMES):
        parser.error(f"expected names out of {', '.join(NAMES)}, got {', '.join(sorted(unknown))}")
    failed = []
    for name in asked or NAMES:
        print(f"\n== {name}\n", flush=True)
        began = time.monotonic()
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode:
            failed.append(name)
        print(f"\n{name}: {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
