"""Slow, literal versions of the formulas, in plain NumPy and plain PyTorch: what the fast ones are held against."""

from decimal import Decimal, localcontext

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from satcore import networks
from satcore.networks import Network
from satcore.nonlinearities import Nonlinearity
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


def convolution(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (2, 2, 2, 2),
) -> np.ndarray:
    """Cross-correlation, zeros around the image (top, left, bottom, right), one kernel offset at a time."""
    top, left, bottom, right = padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    kernel = weight.shape[2:]
    at_each_place = windows(padded, kernel, stride)
    h = bias[:, None, None]
    for place, shifted in enumerate(at_each_place):
        h = h + np.einsum("nchw,oc->nohw", shifted, weight[:, :, *divmod(place, kernel[1])])
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


def scipys_lbfgs(network: nn.Module, image: Tensor, target: Tensor, steps: int) -> Tensor:
    """Where SciPy's L-BFGS-B leads from one float64 `image` (1, 28, 28) towards `target`, until it is seen as that."""

    def loss_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        there = torch.from_numpy(x).view(1, 1, 28, 28).requires_grad_()
        loss = cross_entropy(network(there), target[None])
        return loss.item(), torch.autograd.grad(loss, there)[0].numpy().ravel()

    def stop_there(intermediate_result) -> None:
        if network(torch.from_numpy(intermediate_result.x).view(1, 1, 28, 28)).argmax() == target:
            raise StopIteration

    result = minimize(
        loss_and_gradient,
        image.numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, 1)] * 784,
        callback=stop_there,
        options={"maxiter": steps, "maxfun": 20 * steps, "ftol": 0, "gtol": 0},
    )
    return torch.from_numpy(result.x).view(1, 28, 28)


def complementary(z: Tensor, name: str) -> Tensor:
    """φ_c (Eq. 7)."""
    if name == "relu":
        return torch.where(z > 0, z, torch.zeros_like(z))
    if name == "sigmoid":
        return torch.sigmoid(z) * (1 - torch.sigmoid(z))
    assert name == "identity"
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


LONG = np.clongdouble
WIDE = bool(np.finfo(np.longdouble).minexp < -10_000)  # whether that reaches below float64's numbers on this machine
WIDEST = LONG if WIDE else complex


def complex_step(
    network: Network, image: np.ndarray, pixels: list[int] | None = None, dtype: type = complex
) -> np.ndarray:
    """∂hᴰ/∂x⁰, (10, pixels), of any network of blocks at one `image`, by all 784 `pixels` or by some of them.

    Im h(x + i·step·e_k)/step: no differences, so no cancellation; exact however flat the units are. In 80 bits (`LONG`)
    derivatives down to 1e-2900 are seen.
    """
    step = np.longdouble("1e-2000") if dtype is LONG else 1e-30
    pixels = list(range(784)) if pixels is None else pixels
    nudged = np.tile(image.reshape(1, 784).astype(dtype), (len(pixels), 1))
    nudged[np.arange(len(pixels)), pixels] += 1j * step
    return (pre_activations(network, nudged.reshape(-1, 1, 28, 28))[-1].imag / step).T


def pre_activations(network: Network, images: np.ndarray) -> list[np.ndarray]:
    """[h¹, …, hᴰ] of any network of blocks, in whatever numbers `images` (N, 1, 28, 28) are."""
    found, x = [], images
    for block, layer in zip(network.architecture, network.layers, strict=True):
        arrays = [parameter.detach().double().numpy().astype(images.real.dtype) for parameter in layer.parameters()]
        match block.affine:
            case networks.Dense():
                h = x.reshape(len(x), -1) @ arrays[0].T + arrays[1]
            case networks.Convolution(stride=stride, padding=padding, groups=groups):
                parts = zip(np.split(x, groups, 1), *(np.split(array, groups) for array in arrays), strict=True)
                h = np.concatenate([convolution(*part, stride, padding) for part in parts], 1)
            case networks.AveragePooling(kernel=kernel, stride=stride):
                h = np.mean(windows(x, kernel, stride), axis=0)
            case networks.Elementwise(size=size):
                h = arrays[0] * (x.reshape(len(x), -1) if len(size) == 1 else x) + arrays[1]
        found.append(h)
        x = output(network, len(found) - 1, h)
    return found


def output(network: Network, index: int, h: np.ndarray) -> np.ndarray:
    """xˡ of hˡ, of the block at `index`: pooled, then φ."""
    pooling = network.architecture[index].pooling
    if pooling:
        rows, columns = pooling.padding
        padded = np.pad(h, ((0, 0), (0, 0), (rows, rows), (columns, columns)), constant_values=-np.inf)
        h = first_largest(windows(padded, pooling.kernel, pooling.stride))
    return applied(network.nonlinearities[index], h)


def applied(phi: Nonlinearity, z: np.ndarray) -> np.ndarray:
    """φ(z), of complex z too; one that isn't written down below by its own value and slope, which have their tests."""
    if phi.name in PHI:
        return PHI[phi.name](z, *[np.array(parameter.item(), z.real.dtype) for parameter in phi.parameters()])
    real = torch.from_numpy(np.ascontiguousarray(z.real).astype(float))
    value, slope = (there.detach().numpy().astype(z.real.dtype) for there in (phi(real), phi.slope(real)))
    return value + 1j * slope * z.imag if np.iscomplexobj(z) else value


def windows(x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int]) -> np.ndarray:
    """(places in a window, N, channels, rows, columns): what lies at each place of every window, row by row."""
    rows, columns = ((n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, stride, strict=True))
    return np.stack(
        [
            x[:, :, row : row + rows * stride[0] : stride[0], column : column + columns * stride[1] : stride[1]][
                :, :, :rows, :columns
            ]
            for row in range(kernel[0])
            for column in range(kernel[1])
        ]
    )


def first_largest(places: np.ndarray) -> np.ndarray:
    """Of each window the first place with the largest real part, row by row."""
    return np.take_along_axis(places, places.real.argmax(0)[None], 0)[0]


def complex_sigmoid(z: np.ndarray) -> np.ndarray:
    """1/(1 + e^−z), by whichever of e^z and e^−z doesn't overflow."""
    left = z.real < 0
    e = np.exp(np.where(left, z, -z))
    return np.where(left, e, 1) / (1 + e)


def complex_tanh(z: np.ndarray) -> np.ndarray:
    """(1 − e^−2z)/(1 + e^−2z), or its mirror image on the left."""
    sign = np.where(z.real < 0, -1, 1)
    e = np.exp(-2 * sign * z)
    return sign * (1 - e) / (1 + e)


def complex_relu(z: np.ndarray) -> np.ndarray:
    return np.where(z.real > 0, z, 0)


def complex_ramp(z: np.ndarray, knee: np.ndarray) -> np.ndarray:
    return np.where(z.real > 0, np.where(z.real < knee, z, knee), 0)


PHI = {
    "relu": complex_relu,
    "ramp": complex_ramp,
    "step": lambda z: np.where(z.real > 0, 1, 0).astype(z.dtype),
    "identity": lambda z: z,
    "sigmoid": complex_sigmoid,
    "tanh": complex_tanh,
}


def autograd_jacobian(network: nn.Module, images: Tensor) -> Tensor:
    """∂hᴰ/∂x⁰, (N, 10, 784), by ten of PyTorch's backward passes, in the dtype that the network and images have."""
    x = images.clone().requires_grad_()
    logits = network(x)
    rows = [torch.autograd.grad(logits[:, k].sum(), x, retain_graph=True)[0] for k in range(10)]
    return torch.stack(rows, 1).flatten(2)


def length_element(p: np.ndarray, v: np.ndarray) -> float:
    """Eq. 10–12 as they stand: √(vᵀ(diag p − ppᵀ)v). Loses its digits where p is nearly one-hot."""
    return np.sqrt(v @ (np.diag(p) - np.outer(p, p)) @ v)


def log_length_element(logits: list[float], v: list[float], digits: int) -> float:
    """The logarithm of the same, in so many `digits` that none of those lost matter: of p = e^−2000 they are 1,700."""
    with localcontext() as context:
        context.prec = digits
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
    return softmax(h3)


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(1, keepdims=True))
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


def arcs(p: np.ndarray) -> np.ndarray:
    """How far apart neighbours of `p` (N, 10) are on the sphere 2√p, (N−1,), by their chords."""
    chords = np.linalg.norm(np.diff(2 * np.sqrt(p), axis=0), axis=1)
    return 4 * np.arcsin(chords / 4)


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
