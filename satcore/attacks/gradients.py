"""How the gradient of the loss with respect to the image is taken."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


def loss_gradient(network: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """∂C/∂x⁰ of the cross-entropy by PyTorch's autograd, (N, 1, 28, 28), and the logits, (N, 10).

    In the network's own dtype, so it can underflow to exactly zero: this is the paper's attacker.
    The loss is summed over the batch, so an image's gradient doesn't depend on who else is in it.
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = network(images)
        loss = cross_entropy(logits, labels, reduction="sum")
    return torch.autograd.grad(loss, images)[0], logits.detach()
