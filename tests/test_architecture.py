"""The house is built as it is meant to be: one way from top to bottom, a place for everything, no surprises."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from satcore.training import use_deterministic_gpu

ROOT = Path(__file__).parent.parent
ORDER = (  # from top to bottom: each imports only from above
    "files",
    "memory",
    "moments",
    "proportions",
    "paper",
    "data",
    "nonlinearities",
    "networks",
    "committees",
    "intervals",
    "recipes",
    "library",
    "background",
    "checkpoints",
    "outside",
    "attacks",
    "training",
    "geometry",
    "representations",
    "readouts",
    "weights",
    "proofs",
    "evaluation",
    "runs",
    "sweeps",
    "room",
    "dashboard",
    "commands",
    "__main__",
)
BESIDE = {  # what stands above and is still not to be known
    "attacks": {"library", "background", "checkpoints", "outside", "recipes"},
    "training": {"library", "background", "checkpoints", "outside"},
    "geometry": {"library", "background", "checkpoints", "outside", "recipes", "attacks", "training"},
    "representations": {"library", "background", "checkpoints", "outside", "recipes", "attacks", "training"},
    "weights": {"library", "background", "checkpoints", "outside", "recipes", "attacks", "training"},
    "proofs": {"library", "background", "checkpoints", "outside", "recipes", "training"},
}
PICKLING = {"pickle", "dill", "cloudpickle", "shelve", "marshal"}
PROCESSES = {"joblib"}  # which can read pickles as well: only what it starts processes with is asked for
PICKLED = {"torch.load", "torch.save", "torch.hub.load", "torch.jit.load", "pd.read_pickle", "pandas.read_pickle"}


def sources(*folders: str) -> list[Path]:
    return sorted(
        path
        for folder in folders
        for path in ([ROOT / folder] if folder.endswith(".py") else (ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".js", ".css") and not any(part.startswith(".") for part in path.parts[1:])
    )


PACKAGE = [path for path in sources("satcore") if path.suffix == ".py"]
EVERYTHING = sources("satcore", "pages", "app.py", "tests", "benchmarks", "docs")


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def part_of(path: Path) -> str:
    """The folder or file of the package that `path` belongs to; "" for the package itself."""
    first = path.relative_to(ROOT / "satcore").parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """The full names of all modules that `path` imports, at its top or inside, and of what it takes from satcore."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"expected imports by full names in {where(path)}, got a relative one"
            in_package = str(node.module).partition(".")[0] == "satcore"
            yield from (f"{node.module}.{name.name}" if in_package else str(node.module) for name in node.names)


def test_every_part_of_the_package_has_its_place_in_the_order():
    assert {part_of(path) for path in PACKAGE} - {""} == set(ORDER)


def test_no_import_runs_against_the_order_of_the_house():
    against = []
    for path in PACKAGE:
        own = part_of(path)
        allowed = {own, *ORDER[: ORDER.index(own)]} - BESIDE.get(own, set()) if own else set()
        found = {name.split(".")[1] for name in imports(path) if name.startswith("satcore.")}
        against += [f"{where(path)} imports {name}" for name in sorted(found - allowed)]
    assert against == []


def test_a_page_of_the_dashboard_knows_only_itself_and_what_all_share():
    against = []
    for path in PACKAGE:
        if part_of(path) == "dashboard":
            own, *_ = path.relative_to(ROOT / "satcore" / "dashboard").parts
            found = {name.split(".")[2] for name in imports(path) if name.startswith("satcore.dashboard.")}
            against += [f"{where(path)} imports {name}" for name in sorted(found - {own, "shared"})]
    assert against == []


def test_only_the_dashboard_knows_streamlit_and_plotly():
    for path in PACKAGE:
        if part_of(path) != "dashboard":
            assert not {name.partition(".")[0] for name in imports(path)} & {"streamlit", "plotly"}, where(path)


def test_nothing_loads_pickles():
    for path in EVERYTHING:
        if path.suffix != ".py":
            continue
        assert not {name.partition(".")[0] for name in imports(path)} & PICKLING, where(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert ast.unparse(node.value) == "False", where(path)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in PROCESSES:
                assert node.attr in ("Parallel", "delayed", "parallel_config"), where(path)
            if isinstance(node, ast.Attribute) and node.attr in ("load", "save", "read_pickle"):
                assert ast.unparse(node) not in PICKLED, where(path)


def test_no_line_passes_column_120():
    long = [
        f"{where(path)}:{number}"
        for path in EVERYTHING
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120
    ]
    assert long == []


IMPORTING = """
import gc, importlib, json, pkgutil, random, signal, sys
import numpy, torch

def found():
    return {
        "cudnn": [torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark],
        "precision": [torch.get_float32_matmul_precision(), str(torch.get_default_dtype())],
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "gradients": torch.is_grad_enabled(),
        "denormals": bool(torch.tensor(1e-40) * 1 != 0),
        "random": [torch.get_rng_state().tolist(), str(numpy.random.get_state()), str(random.getstate())],
        "garbage": [gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()],
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "numpy": [numpy.geterr(), str(numpy.get_printoptions())],
        "limits": [sys.getrecursionlimit(), sys.path],
    }

before = found()
import satcore
names = [module.name for module in pkgutil.walk_packages(satcore.__path__, "satcore.")]
for name in names:
    importlib.import_module(name)
after = found()
print(json.dumps({"modules": len(names), "changed": [what for what in after if after[what] != before[what]]}))
"""


@pytest.mark.slow
def test_importing_the_package_sets_nothing():
    done = subprocess.run([sys.executable, "-c", IMPORTING], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["changed"] == [] and said["modules"] > 40


def test_training_and_the_command_line_can_make_gpus_exact_and_repeatable():
    cudnn = torch.backends.cudnn
    with cudnn.flags(enabled=cudnn.enabled, deterministic=False, allow_tf32=True):
        use_deterministic_gpu()
        assert (cudnn.deterministic, cudnn.allow_tf32) == (True, False)
