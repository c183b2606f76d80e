"""The networks: two multilayer perceptrons and the CNN of the paper's Table 2."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

torch.backends.cudnn.allow_tf32 = False  # on a GPU, too, float32 is to mean float32,
torch.backends.cudnn.deterministic = True  # and the same run to end in the same bits
ACTIVATIONS = {"sigmoid": torch.sigmoid, "relu": torch.relu}


class Network(nn.Module):
    """A feed-forward network hˡ = Wˡxˡ⁻¹ + bˡ, xˡ = φ(hˡ), which hands out every pre-activation.

    `layers` are convolutions, then dense layers; a convolution is followed by 2×2 max-pooling.
    `activation`, φ, is "sigmoid" or "relu". No state changes in a forward pass, so one network
    can serve many threads.
    """

    def __init__(self, layers: list[nn.Module], activation: str):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.activation = activation

    def forward(self, images: Tensor) -> Tensor:
        """Logits hᴰ, (N, 10), of `images` (N, 1, 28, 28)."""
        return self.pre_activations(images)[-1]

    def pre_activations(self, images: Tensor) -> list[Tensor]:
        """[h¹, …, hᴰ] of `images` (N, 1, 28, 28); hˡ is (N, units), or (N, channels, height, width).

        Raises ValueError for another shape.
        """
        if images.ndim != 4 or tuple(images.shape[1:]) != (1, 28, 28):
            raise ValueError(f"expected images of shape (N, 1, 28, 28), got {tuple(images.shape)}")
        return self.pre_activations_above(0, images)

    def pre_activations_above(self, below: int, x: Tensor, activation: Callable | None = None) -> list[Tensor]:
        """[h^(below+1), …, hᴰ], from the outputs x^below of the layer they stand on (0: the images).

        `activation` takes the place of φ: one of the same values, whose derivative is taken in another way.
        """
        pre_activations: list[Tensor] = []
        for layer in self.layers[below:]:
            if pre_activations:
                x = self.output(pre_activations[-1], activation)
            pre_activations.append(layer(x.flatten(1) if isinstance(layer, nn.Linear) else x))
        return pre_activations

    def output(self, h: Tensor, activation: Callable | None = None) -> Tensor:
        """xˡ = φ(hˡ), after a convolution pooled 2×2."""
        if h.ndim == 4:
            h = max_pool2d(h, 2)  # φ is monotone: pooling before it is the same, on a quarter of the units
        return (activation or ACTIVATIONS[self.activation])(h)


def build(family: str, hidden: int = 0, seed: int = 0, scale: float = 1.0) -> Network:
    """An untrained network with PyTorch's uniform initialisation, the same for the same `seed`.

    `hidden` is the width of both hidden layers of an MLP; the CNN has none to choose. All weights, but not the
    biases, are multiplied by `scale`. Raises ValueError for an unknown family.
    """
    network = _initialised(family, hidden, seed)
    for layer in network.layers:
        layer.weight.data.mul_(scale)
    return network


def _initialised(family: str, hidden: int, seed: int) -> Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if family in ("sigmoid-mlp", "relu-mlp"):
            layers = [nn.Linear(784, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 10)]
            return Network(layers, activation=family.removesuffix("-mlp"))
        if family == "cnn":
            layers = [nn.Conv2d(1, 32, 5, padding=2), nn.Conv2d(32, 64, 5, padding=2),
                      nn.Linear(64 * 7 * 7, 1024), nn.Linear(1024, 10)]
            return Network(layers, activation="relu")
    raise ValueError(f"expected the family sigmoid-mlp, relu-mlp or cnn, got {family!r}")
