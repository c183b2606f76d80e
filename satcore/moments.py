"""PyTorch's Adam without its optimisers, the first of which imports for seconds what nothing here needs.

That is torch's compiler, on whose account `torch.optim.Optimizer` asks it not to look inside.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam


class Moments:
    """What Adam (Kingma & Ba 2015) remembers of some tensors: how many steps, and the moving averages of gradients.

    tensors  float32 or float64, with `requires_grad`
    steps    () each, float32
    means    of the gradients, each as its tensor
    squares  of the gradients' squares
    """

    def __init__(self, tensors: Sequence[Tensor]):
        self.tensors = list(tensors)
        self.steps = [torch.zeros((), device=tensor.device) for tensor in self.tensors]
        self.means, self.squares = ([torch.zeros_like(tensor) for tensor in self.tensors] for _ in range(2))

    def forget_gradients(self) -> None:
        """Leave no gradient with the tensors."""
        for tensor in self.tensors:
            tensor.grad = None

    @torch.no_grad()
    def step(
        self,
        rate: float | Tensor,
        betas: tuple[float, float],
        epsilon: float = 1e-8,
        *,
        upwards: bool = False,
    ) -> None:
        """Move the tensors down their gradients, or `upwards`, in the very bits of `torch.optim.Adam(fused=True)`.

        `rate` ≥ 0, both `betas` from 0 and below 1, and `epsilon` ≥ 0 aren't checked. What has no gradient stays. A
        `rate` that is a tensor may be changed in a CUDA graph.
        """
        moved = [
            (tensor, gradient, mean, square, step)
            for tensor, mean, square, step in zip(self.tensors, self.means, self.squares, self.steps, strict=True)
            if (gradient := tensor.grad) is not None
        ]
        if not moved:
            return
        tensors, gradients, means, squares, steps = (list(part) for part in zip(*moved, strict=True))
        adam(
            tensors,
            gradients,
            means,
            squares,
            [],
            steps,
            fused=True,
            capturable=tensors[0].is_cuda,
            amsgrad=False,
            beta1=betas[0],
            beta2=betas[1],
            lr=rate,
            weight_decay=0.0,
            eps=epsilon,
            maximize=upwards,
        )
