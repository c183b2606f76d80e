"""What a page shows, to take away: the numbers, and the lines of Python that compute them again."""

import csv
import io

import numpy as np
import streamlit as st
from torch import Tensor

from satcore.dashboard.attack_run import SCALARS, Run
from satcore.geometry import Path, Plane
from satcore.grids import Grid, Setting
from satcore.proportions import Proportion
from satcore.reality import Reality


def of_paths(paths: dict[str, Path], source: int, target: int, points: int) -> None:
    """Buttons for the paths of some networks between the test images at the indices `source` and `target`."""
    name = f"{next(iter(paths)).partition('/')[0]}-{source}-{target}"
    with st.container(horizontal=True, vertical_alignment="center"):
        _button("NPZ", f"{name}.npz", lambda: npz(paths))
        _button("CSV", f"{name}.csv", lambda: csv_of_paths(paths))
    _code(path_code(list(paths), source, target, points))


def of_planes(planes: dict[str, Plane], corners: tuple[int, int, int], side: int) -> None:
    """Buttons for the maps of the triangle between the test images at the indices `corners`."""
    name = "-".join((next(iter(planes)).partition("/")[0], "plane", *map(str, corners)))
    _button("NPZ", f"{name}.npz", lambda: npz(planes))
    _code(plane_code(list(planes), corners, side))


def of_grids(grids: dict[str, Grid], setting: Setting) -> None:
    """Buttons for the grids of some networks, filled in the way of `setting`."""
    arrays = {
        f"{name}/{field}": np.asarray(value) for name, grid in grids.items() for field, value in vars(grid).items()
    }
    words = f"grid-{setting.source}-{setting.attack}-{setting.gradient}".lower().replace(" ", "-")
    of_arrays(arrays, words, grid_code(list(grids), setting))


def of_run(run: Run) -> None:
    """Buttons for the traces of a run, the images kept of them, and the Python that repeats the attack."""
    settings = run.settings
    words = f"{settings.attack}-{settings.source}-{'other' if settings.target is None else settings.target}".lower()
    with st.container(horizontal=True, vertical_alignment="center"):
        _button("CSV", f"{words}.csv", lambda: csv_of_run(run))
        _button("NPZ", f"{words}.npz", lambda: npz_of_run(run))
    _code(run_code(run))


def npz_of_run(run: Run) -> bytes:
    """The original, and of each network the images that were kept and the steps they belong to."""
    arrays = {"original": run.image[0, 0].numpy()}
    for name, trace in run.traces.items():
        arrays |= {
            f"{name}/step": np.array([row for row, _ in trace.frames]),
            f"{name}/images": np.array([image for _, image in trace.frames]),
        }
    return _npz(arrays)


def csv_of_run(run: Run) -> str:
    """A row a network and step: iteration, probabilities, distances, the gradient's size, the class seen."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["network", *SCALARS])
    for name, trace in run.traces.items():
        rows.writerows([name, *row] for row in trace.rows)
    return text.getvalue()


def run_code(run: Run) -> str:
    """Python that repeats the attack on the image in the NPZ."""
    settings = run.settings
    function = {"L-BFGS": "lbfgs"}.get(settings.attack, settings.attack.lower())
    aim = settings.source if settings.target is None else settings.target
    arguments = ", ".join(
        f"{name}={value!r}" for name, value in (("targeted", settings.target is not None), *settings.parameters)
    )
    return f"""import numpy as np, torch
from satcore import attacks, checkpoints

image = torch.from_numpy(np.load("{settings.attack.lower()}-{settings.source}-{"other" if settings.target is None else settings.target}.npz")["original"])[None, None]
for name in {[name for name in settings.names if name not in run.refused]!r}:
    result = attacks.{function}(checkpoints.load(name), image, torch.tensor([{aim}]), {arguments})
    print(name, result.success, result.iterations, result.l2, result.zero_gradient)
"""


def of_reality(found: dict[str, Reality]) -> None:
    """Buttons for what every attack left of every network at every ε, and the Python that finds it out again."""
    _button("CSV", "reality.csv", lambda: csv_of_reality(found))
    _code(reality_code(list(found)))


def csv_of_reality(found: dict[str, Reality]) -> str:
    """A row a network, ε and attack: how many images are left of how many, and the interval; "proven" is a row of its own."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["network", "epsilon", "attack", "temperature", "right", "images", "share", "low", "high"])
    for name, there in found.items():
        rungs = there.right if None in there.proven else there.right | {"proven": there.proven}
        for rung, counts in ({"clean": [there.clean]} | rungs).items():
            for index, count in enumerate(counts):
                left = Proportion(count, there.images)
                temperature = there.temperatures[rung][index] if rung in there.temperatures else ""
                rows.writerow(
                    [
                        name,
                        0 if rung == "clean" else there.epsilons[index],
                        rung,
                        temperature,
                        count,
                        there.images,
                        left.share,
                        *left.interval,
                    ]
                )
    return text.getvalue()


def reality_code(names: list[str]) -> str:
    """Python that attacks the networks again, and asks why."""
    return f"""from satcore import checkpoints, data, reality
from satcore.checks import checks
from satcore.evaluation import ladder, worst_case

for name in {names!r}:
    images, labels = (tensor[:reality.plan(name).images] for tensor in data.load("test"))
    network, family = checkpoints.load(name), name.partition("/")[0]
    source = None if name.endswith("/vanilla") else checkpoints.load(f"{{family}}/vanilla")
    for rung in ladder(network, images, labels, epsilon=0.25, source=source):
        print(name, rung.name, rung.right.double().mean().item(), rung.temperature)
    print(worst_case(network, images, labels, epsilon=0.25, source=source).by[:10])
    for check in checks(network, images, labels, source=source):
        print(check)
"""


def of_rdms(rdms: dict[str, Tensor], layer: str, seed: int) -> None:
    """A button for the dissimilarities of one layer of some networks."""
    of_arrays(
        {name: matrix.numpy() for name, matrix in rdms.items()},
        f"rdm-{layer.replace(' ', '-')}-{seed}",
        rdm_code(list(rdms), layer, seed),
    )


def of_histograms(found: dict[str, list], file: str, code: str) -> None:
    """A button for the histograms of every layer of some networks, and the Python that counts them again."""
    arrays = {
        f"{name}/layer {number}/{what}": getattr(layer.histogram, what)
        for name, layers in found.items()
        for number, layer in enumerate(layers, start=1)
        for what in ("edges", "counts")
    }
    of_arrays(arrays, file, code)


def of_arrays(arrays: dict[str, np.ndarray], file: str, code: str) -> None:
    """A button for some named arrays, and the Python that computes them again."""
    _button("NPZ", f"{file}.npz", lambda: _npz(arrays))
    _code(code)


def npz(records: dict[str, Path | Plane]) -> bytes:
    """All fields of some networks' records as one NPZ, each called "network/field"."""
    return _npz(
        {
            f"{name}/{field}": np.asarray(value)
            for name, record in records.items()
            for field, value in vars(record).items()
        }
    )


def csv_of_paths(paths: dict[str, Path]) -> str:
    """A row a network and a t: probabilities, length element, singular values."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(
        ["network", "t", *(f"p{k}" for k in range(10)), "length_element", *(f"sigma{k}" for k in range(1, 11))]
    )
    for name, path in paths.items():
        columns = (path.t[:, None], path.probabilities, path.length_element[:, None], path.singular_values)
        rows.writerows([name, *row] for row in np.hstack(columns).tolist())
    return text.getvalue()


def path_code(names: list[str], source: int, target: int, points: int) -> str:
    """Python that computes the paths again."""
    return f"""from satcore import checkpoints, data, geometry

images, labels = data.load("test")
for name in {names!r}:
    path = geometry.path(checkpoints.load(name), images[{source}], images[{target}], points={points})
    print(name, path.length, path.geodesic, path.flatness, path.participation)
"""


def grid_code(names: list[str], setting: Setting) -> str:
    """Python that fills the grids again."""
    return f"""from satcore import checkpoints, grids

setting = grids.{setting!r}
for name in {names!r}:
    *_, last = grids.fill(checkpoints.load(name), setting)
    print(name, last.grid.fooled, "of 90 pairs fooled")
"""


def plane_code(names: list[str], corners: tuple[int, int, int], side: int) -> str:
    """Python that computes the maps again."""
    return f"""from satcore import checkpoints, data, geometry

images, labels = data.load("test")
for name in {names!r}:
    *_, plane = geometry.plane(checkpoints.load(name), *images[{list(corners)}], side={side})
    print(name, plane.predicted.unique(), plane.log_length_element.nan_to_num(-1e9).max().item())
"""


def rdm_code(names: list[str], layer: str, seed: int) -> str:
    """Python that computes the dissimilarities again."""
    return f"""from satcore import checkpoints, data, representations

images, labels = data.load("test")
chosen = representations.sample("test", 100, seed={seed})
for name in {names!r}:
    layers = representations.layers(checkpoints.load(name), images[chosen])
    rdm = representations.rdm(layers[{layer!r}])
    print(name, representations.separation(rdm, labels[chosen]))
"""


def weights_code(names: list[str]) -> str:
    """Python that describes the layers' weights again."""
    return f"""from satcore import checkpoints, weights

for name in {names!r}:
    for layer in checkpoints.load(name).layers:
        shape = weights.shape(layer.weight)  # its histogram, too
        print(name, shape.kurtosis, shape.deviation, shape.quantiles)
"""


def saturation_code(names: list[str]) -> str:
    """Python that counts the pre-activations again."""
    return f"""from satcore import checkpoints, data, weights

for name in {names!r}:
    *_, layers = weights.saturation(checkpoints.load(name), data.load("test").images)
    for layer in layers:
        print(name, layer.histogram.edges[[0, -1]], layer.saturated)
"""


def mechanism_code(names: list[str], repeats: int) -> str:
    """Python that draws the ratios of Fig. 6 again."""
    return f"""from satcore import checkpoints, weights

for kurtosis in (0, 1, 5, 20):
    ratios = weights.scaled_ratios(weights.pearson_vii(kurtosis), repeats={repeats}, seed=0)
    print(kurtosis, ratios.mean(), weights.limiting_ratio(kurtosis))
for name in {names!r}:
    for layer in checkpoints.load(name).layers:
        print(name, weights.scaled_ratios(weights.resampled(layer.weight), repeats={repeats}, seed=0).mean())
"""


def embedding_code(names: list[str], method: str, seed: int) -> str:
    """Python that finds the two dimensions again, of the sample alone."""
    return f"""from satcore import checkpoints, data, readouts, representations

images = data.load("test").images[representations.sample("test", 100, seed={seed})]
for name in {names!r}:
    for layer, activations in representations.layers(checkpoints.load(name), images).items():
        print(name, layer, readouts.embedding(activations, {method!r}, seed={seed}).std(0))
"""


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _button(label: str, file: str, data) -> None:
    st.download_button(label, data, file, on_click="ignore", icon=":material/download:", key=f"download {label}")


def _code(lines: str) -> None:
    with st.expander("The same in Python"):
        st.code(lines, language="python")
