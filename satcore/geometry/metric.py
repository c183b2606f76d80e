"""The Jacobian, the Fisher metric it pulls back to the pixels, and the length element (Eq. 10–12).

Everything is computed in float64 and stays exact however saturated the units are; probabilities are kept as
logarithms. In the paper's symbols: x⁰ an image, hˡ the pre-activations, p = softmax(hᴰ), J = ∂hᴰ/∂x⁰, v = J dx⁰.
"""

import math

import torch
from torch import Tensor

from satcore.data import CLASSES, check_finite, check_images
from satcore.geometry import linearised
from satcore.geometry.linearised import ExactNetwork
from satcore.networks import Network


@torch.no_grad()
def jacobian(network: Network, images: Tensor) -> Tensor:
    """J = ∂hᴰ/∂x⁰, (N, 10, 784) float64, of `images` (N, 1, 28, 28) in [0, 1] (in Eq. 11).

    Where a ReLU or max-pooling has no derivative, it is the one that PyTorch takes. Raises ValueError for other
    shapes or pixels.
    """
    check_images(images)
    exact = ExactNetwork(network)
    return torch.cat([exact.at(h).jacobian() for h in exact.parts(exact.first(images), CLASSES)])


def singular_values(jacobian: Tensor) -> Tensor:
    """The singular values of each J of `jacobian` (N, 10, 784), (N, 10), descending, each to about 1e-16 of the
    largest.

    Raises ValueError for another shape, and for entries that aren't finite.
    """
    check_finite(jacobian, "Jacobians")
    if jacobian.ndim != 3 or tuple(jacobian.shape[1:]) != (CLASSES, 784):
        raise ValueError(f"expected Jacobians of shape (N, 10, 784), got {tuple(jacobian.shape)}")
    return linearised.singular_values(jacobian.double())


@torch.no_grad()
def length_element(network: Network, images: Tensor, direction: Tensor) -> Tensor:
    """Dl = √(vᵀ G_in v), (N,) float64, of `images` (N, 1, 28, 28) in [0, 1] along v = `direction` of that shape (Eq.
    12).

    By one Jacobian-vector product, without cancellation, also where probabilities underflow. Raises ValueError for
    other shapes or pixels, or a direction that isn't finite.
    """
    check_images(images)
    check_finite(direction, "directions")
    if direction.shape != images.shape:
        raise ValueError(
            f"expected directions of the images' shape {tuple(images.shape)}, got {tuple(direction.shape)}"
        )
    exact = ExactNetwork(network)
    parts = zip(*(exact.parts(h, 1) for h in (exact.first(images), exact.first_tangent(direction))), strict=True)
    return torch.cat(
        [
            log_length_element(point.logits.log_softmax(1), point.push(dh)).exp()
            for point, dh in ((exact.at(h), dh) for h, dh in parts)
        ]
    )


class Affine:
    """Weighted means of some corners: there the first layer's pre-activations are means of those at the corners."""

    def __init__(self, exact: ExactNetwork, corners: Tensor, directions: Tensor):
        self.exact = exact
        self.corners, self.steps = exact.first(corners), exact.first_tangent(directions)

    def measured(self, weights: Tensor, spectra: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """At M points, `weights` (M, corners): log p (M, 10), the length element (M,), which is the root mean square of
        those along the directions, and J's singular values (M, 10), or (M, 0) where `spectra` aren't asked for.
        """
        probabilities, elements, singular = [], [], []
        for some in self.exact.parts(weights, CLASSES if spectra else len(self.steps)):
            point = self.exact.at(torch.tensordot(some, self.corners, dims=1))
            log_p = point.logits.log_softmax(1)
            along = point.along if spectra else point.push
            logs = torch.stack([log_length_element(log_p, along(step[None])) for step in self.steps])
            probabilities.append(log_p)
            elements.append(((2 * logs).logsumexp(0) - math.log(len(logs))).div(2).exp())
            singular.append(point.singular_values() if spectra else log_p[:, :0])
        return torch.cat(probabilities), torch.cat(elements), torch.cat(singular)


def log_length_element(log_p: Tensor, v: Tensor) -> Tensor:
    """Log dl, (N,), of log p (N, 10) and v = J dx (N, 10).

    vᵀ(diag p − ppᵀ)v = Σ_{i<j} p_i p_j (v_i − v_j)² has no cancellation, and in logarithms no underflow.
    """
    i, j = torch.triu_indices(CLASSES, CLASSES, 1, device=log_p.device)
    pairs = log_p[:, i] + log_p[:, j] + 2 * (v[:, i] - v[:, j]).abs().log()
    return pairs.logsumexp(1) / 2  # Eq. 12, with Eq. 10 and 11


def one_image(image: Tensor, device: torch.device) -> Tensor:
    """`image` as a batch of one in float64."""
    images = image[None] if isinstance(image, Tensor) and image.ndim == 3 else image
    check_images(images)
    if len(images) != 1:
        raise ValueError(f"expected one image, got {len(images)}")
    return images.detach().to(device, torch.float64)
