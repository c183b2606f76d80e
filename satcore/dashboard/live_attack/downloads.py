"""An attack's traces to take away, and the lines of Python that repeat it."""

import numpy as np

from satcore.dashboard.live_attack.run import SCALARS, Run, Settings
from satcore.dashboard.live_attack.words import FREE
from satcore.dashboard.shared.downloads import csv_of, npz
from satcore.dashboard.shared.take_away import TakeAway


def of_run(run: Run) -> TakeAway:
    """The traces of a run, the images kept of them, and the Python that repeats the attack."""
    file = file_name(run.settings)
    data = {f"{file}.csv": lambda: csv_of_run(run), f"{file}.npz": lambda: npz(arrays_of_run(run))}
    return TakeAway(file, run_code(run), data)


def file_name(settings: Settings) -> str:
    """Such as "pgd-3-7", or "pgd-3-other"."""
    into = "other" if settings.into is None else settings.into
    return f"{settings.attack}-{settings.source}-{into}".lower().replace(" ", "-")


def arrays_of_run(run: Run) -> dict[str, np.ndarray]:
    """The original, and of each network the images that were kept and the steps they belong to."""
    arrays = {"original": run.image[0, 0].numpy()}
    for name, trace in run.traces.items():
        arrays[f"{name}/step"] = np.array([int(trace.rows[row][0]) for row, _ in trace.frames])
        arrays[f"{name}/images"] = np.array([image for _, image in trace.frames])
    return arrays


def csv_of_run(run: Run) -> str:
    """A row a network and step: iteration, probabilities, distances, the gradient's size, the class seen."""
    rows = ([name, *row] for name, trace in run.traces.items() for row in trace.rows)
    return csv_of(["network", *SCALARS], rows)


def run_code(run: Run) -> str:
    """Python that repeats the attack on the test image, or on the drawing in the NPZ."""
    settings = run.settings
    function = {"L-BFGS": "lbfgs", FREE: "cube"}.get(settings.attack, settings.attack.lower())
    arguments = {"targeted": settings.into is not None} | dict(settings.parameters)
    written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    names = [name for name in settings.names if name not in run.refused]
    imports, image = "from satcore import attacks, data, library", f'data.example("test", {settings.index}).images'
    if settings.index is None:
        imports = "import numpy as np\nfrom satcore import attacks, library"
        image = f'torch.from_numpy(np.load("{file_name(settings)}.npz")["original"])[None, None]  # the NPZ above'
    return f"""import torch
{imports}

image = {image}
for name in {names!r}:
    result = attacks.{function}(library.load(name), image, torch.tensor([{settings.aim}]), {written})
    print(name, result.success, result.iterations, result.l2, result.zero_gradient)
"""
