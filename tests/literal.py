"""Slow, literal versions of the formulas, in plain NumPy and plain PyTorch: what the fast ones are held against."""

from decimal import Decimal, localcontext

import numpy as np
import torch
from torch import Tensor, nn

from satcore.recipes import Phase


def parameters(network: nn.Module) -> list[np.ndarray]:
    """W¹, b¹, W², b², … as float64 arrays."""
    return [parameter.detach().double().numpy() for parameter in network.parameters()]


def mlp_pre_activations(weights_and_biases: list[np.ndarray], images: np.ndarray, activation: str) -> list[np.ndarray]:
    """[h¹, h², h³] of a multilayer perceptron: hˡ = Wˡxˡ⁻¹ + bˡ, xˡ = φ(hˡ)."""
    phi = {"relu": relu, "sigmoid": sigmoid}[activation]
    w1, b1, w2, b2, w3, b3 = weights_and_biases
    h1 = images.reshape(len(images), 784) @ w1.T + b1
    h2 = phi(h1) @ w2.T + b2
    h3 = phi(h2) @ w3.T + b3
    return [h1, h2, h3]


def cnn_pre_activations(weights_and_biases: list[np.ndarray], images: np.ndarray) -> list[np.ndarray]:
    """[h¹, …, h⁴] of the paper's Table 2: convolution, ReLU, max-pooling, in that order, twice; two dense layers."""
    w1, b1, w2, b2, w3, b3, w4, b4 = weights_and_biases
    h1 = convolution(images, w1, b1)
    h2 = convolution(max_pool(relu(h1)), w2, b2)
    h3 = max_pool(relu(h2)).reshape(len(images), -1) @ w3.T + b3
    h4 = relu(h3) @ w4.T + b4
    return [h1, h2, h3, h4]


def convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """5×5 cross-correlation with two rows and columns of zeros around the image, one kernel offset at a time."""
    count, _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    h = np.zeros((count, len(weight), height, width)) + bias[:, None, None]
    for row in range(5):
        for column in range(5):
            shifted = padded[:, :, row : row + height, column : column + width]
            h += np.einsum("nchw,oc->nohw", shifted, weight[:, :, row, column])
    return h


def max_pool(x: np.ndarray) -> np.ndarray:
    """The largest of each 2×2 block."""
    return np.max([x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)], axis=0)


def relu(z: np.ndarray) -> np.ndarray:
    return np.where(z > 0, z, 0.0)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def fgsm(network: nn.Module, image: Tensor, label: int, epsilon: float) -> tuple[Tensor, Tensor]:
    """Eq. 3 for one `image` (1, 28, 28): the attacked image and the gradient, both of the image's shape."""
    x = image.clone().requires_grad_()
    loss = -torch.log_softmax(network(x.unsqueeze(0))[0], dim=0)[label]
    (gradient,) = torch.autograd.grad(loss, x)
    return step(image, gradient, epsilon), gradient


def step(image: Tensor, gradient: Tensor, epsilon: float) -> Tensor:
    """Up by ε where the gradient is positive, down by ε where it is negative, then cut to [0, 1]."""
    moved = torch.where(gradient > 0, image + epsilon, torch.where(gradient < 0, image - epsilon, image))
    return torch.where(moved < 0, 0.0, torch.where(moved > 1, 1.0, moved))


def complementary(z: Tensor, name: str) -> Tensor:
    """φ_c (Eq. 7)."""
    if name == "relu":
        return torch.where(z > 0, z, torch.zeros_like(z))
    if name == "sigmoid":
        return torch.sigmoid(z) * (1 - torch.sigmoid(z))
    return z


def train_mlp(
    start: list[Tensor],
    images: Tensor,
    labels: Tensor,
    orders: list[Tensor],
    phase: Phase,
    *,
    activation: str,
    phi_c: tuple[str, ...],
    epsilon: float,
    rates: list[float],
    lams: list[float],
) -> tuple[list[Tensor], list[float]]:
    """One phase of training an MLP in float32, batch by batch: Eq. 4 and Eq. 8 by plain, unfused Adam.

    `start` is W¹, b¹, … and stays as it is; one of `orders`, `rates` and `lams` an epoch. Gives the trained
    W¹, b¹, …, and each epoch's mean objective, in which only the layers being trained are penalised.
    """
    weights_and_biases = [tensor.detach().clone() for tensor in start]
    trained = weights_and_biases[2 * phase.frozen :]
    for tensor in trained:
        tensor.requires_grad_(True)
    optimiser = torch.optim.Adam(
        trained, lr=1.0, betas=(0.9, phase.beta2), eps=phase.adam_epsilon, foreach=False, fused=False
    )
    losses = []
    for order, rate, lam in zip(orders, rates, lams, strict=True):
        optimiser.param_groups[0]["lr"] = rate
        of_batches = []
        for first in range(0, len(order), phase.batch_size):
            batch = order[first : first + phase.batch_size]
            x, y = images[batch].clone().requires_grad_(True), labels[batch]
            h = _forward(weights_and_biases, x, activation)
            cost = _mean_cross_entropy(h[-1], y)
            objective = cost
            if phase.clean_share < 1:
                (gradient,) = torch.autograd.grad(cost, x, retain_graph=True)
                attacked = step(x.detach(), gradient, epsilon)
                attacked_cost = _mean_cross_entropy(_forward(weights_and_biases, attacked, activation)[-1], y)
                objective = phase.clean_share * cost + (1 - phase.clean_share) * attacked_cost
            distance = torch.zeros(())
            for layer in range(phase.frozen, len(h)):
                distance = distance + complementary(h[layer], phi_c[layer]).sum(1).mean()
            objective = objective + lam * distance
            optimiser.zero_grad()
            objective.backward()
            optimiser.step()
            of_batches.append(objective.item())
        losses.append(np.mean(of_batches))
    return [tensor.detach() for tensor in weights_and_biases], losses


def _forward(weights_and_biases: list[Tensor], images: Tensor, activation: str) -> list[Tensor]:
    phi = {"relu": torch.relu, "sigmoid": torch.sigmoid}[activation]
    w1, b1, w2, b2, w3, b3 = weights_and_biases
    h1 = images.flatten(1) @ w1.T + b1
    h2 = phi(h1) @ w2.T + b2
    h3 = phi(h2) @ w3.T + b3
    return [h1, h2, h3]


def _mean_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    log_p = torch.log_softmax(logits, dim=1)
    return -log_p[torch.arange(len(labels)), labels].mean()


def complex_step_jacobian(weights_and_biases: list[np.ndarray], image: np.ndarray, activation: str) -> np.ndarray:
    """J = ∂h³/∂x⁰, (10, 784), of an MLP at one `image`: Im h³(x + i·step·e_k)/step.

    No differences, so no cancellation: exact however flat the units are.
    """
    phi = {"relu": complex_relu, "sigmoid": complex_sigmoid}[activation]
    step = 1e-30
    w1, b1, w2, b2, w3, b3 = weights_and_biases
    nudged = image.reshape(784) + 1j * step * np.eye(784)
    h1 = nudged @ w1.T + b1
    h2 = phi(h1) @ w2.T + b2
    h3 = phi(h2) @ w3.T + b3
    return h3.imag.T / step


def complex_step_cnn_column(
    weights_and_biases: list[np.ndarray], image: np.ndarray, row: int, column: int
) -> np.ndarray:
    """∂h⁴/∂x⁰, (10,), of the CNN by the one pixel at `row` and `column` of `image` (28, 28)."""
    step = 1e-30
    w1, b1, w2, b2, w3, b3, w4, b4 = weights_and_biases
    nudged = image[None, None].astype(complex)
    nudged[0, 0, row, column] += 1j * step
    h1 = complex_convolution(nudged, w1, b1)
    h2 = complex_convolution(complex_max_pool(complex_relu(h1)), w2, b2)
    h3 = complex_max_pool(complex_relu(h2)).reshape(1, -1) @ w3.T + b3
    h4 = complex_relu(h3) @ w4.T + b4
    return h4.imag[0] / step


def complex_sigmoid(z: np.ndarray) -> np.ndarray:
    """1/(1 + e^−z), by whichever of e^z and e^−z doesn't overflow."""
    left = z.real < 0
    e = np.exp(np.where(left, z, -z))
    return np.where(left, e, 1) / (1 + e)


def complex_relu(z: np.ndarray) -> np.ndarray:
    return np.where(z.real > 0, z, 0)


def complex_convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return convolution(x.real, weight, bias) + 1j * convolution(x.imag, weight, np.zeros_like(bias))


def complex_max_pool(x: np.ndarray) -> np.ndarray:
    """Of each 2×2 block the first with the largest real part, row by row."""
    blocks = np.stack([x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)])
    return np.take_along_axis(blocks, blocks.real.argmax(0)[None], 0)[0]


def autograd_jacobian(network: nn.Module, images: Tensor) -> Tensor:
    """∂hᴰ/∂x⁰, (N, 10, 784), by ten of PyTorch's backward passes, in the dtype that the network and images have."""
    x = images.clone().requires_grad_()
    logits = network(x)
    rows = [torch.autograd.grad(logits[:, k].sum(), x, retain_graph=True)[0] for k in range(10)]
    return torch.stack(rows, 1).flatten(2)


def length_element(p: np.ndarray, v: np.ndarray) -> float:
    """Eq. 10–12 as they stand: √(vᵀ(diag p − ppᵀ)v). Loses its digits where p is nearly one-hot."""
    return np.sqrt(v @ (np.diag(p) - np.outer(p, p)) @ v)


def log_length_element(logits: list[float], v: list[float]) -> float:
    """The logarithm of the same, in so many digits that none of those lost matter, down to probabilities of e^−2000."""
    with localcontext() as context:
        context.prec = 2000
        exponentials = [Decimal(logit).exp() for logit in logits]
        p = [e / sum(exponentials) for e in exponentials]
        v = [Decimal(value) for value in v]
        mean = sum(p_i * v_i for p_i, v_i in zip(p, v, strict=True))
        square = sum(p_i * v_i * v_i for p_i, v_i in zip(p, v, strict=True)) - mean * mean
        return float(square.ln() / 2)


def mlp_probabilities(weights_and_biases: list[np.ndarray], images: np.ndarray, activation: str) -> np.ndarray:
    """softmax(h³), (N, 10)."""
    with np.errstate(over="ignore"):  # 1/(1 + ∞) is the 0 it should be
        h3 = mlp_pre_activations(weights_and_biases, images, activation)[-1]
    e = np.exp(h3 - h3.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def chord_length(
    weights_and_biases: list[np.ndarray], source: np.ndarray, target: np.ndarray, activation: str, steps: int
) -> float:
    """The length of the path (1−t)·source + t·target, at `steps` equal steps, as of a polygon on the sphere 2√p."""
    length, corner = 0.0, np.zeros((0, 10))
    for part in np.array_split(np.arange(steps + 1) / steps, max(1, steps // 4096)):
        t = part[:, None]
        images = (1 - t) * source.reshape(1, 784) + t * target.reshape(1, 784)
        p = mlp_probabilities(weights_and_biases, images, activation)
        corners = np.concatenate((corner, 2 * np.sqrt(p)))
        length += np.sqrt((np.diff(corners, axis=0) ** 2).sum(1)).sum()
        corner = corners[-1:]
    return length


def kl(p: np.ndarray, q: np.ndarray) -> float:
    return sum(p_i * np.log(p_i / q_i) for p_i, q_i in zip(p, q, strict=True))


def flatness(widths: list[float], lengths: list[float]) -> float:
    """Share of the width, flattest parts first, that carries 1 % of the length; of the last, only what is needed."""
    parts = sorted(zip(widths, lengths, strict=True), key=lambda part: part[1] / part[0])
    missing, share = 0.01 * sum(lengths), 0.0
    for width, length in parts:
        if length > missing:
            return share + width * missing / length
        missing -= length
        share += width
    return share
