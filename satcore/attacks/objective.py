"""What an attack minimises, image by image, and when it has got there."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from satcore.data import said

LOSSES = ("cross-entropy", "margin")


@dataclass(frozen=True)
class Objective:
    """Away from the true classes `labels` (N,), or, where `targeted`, towards them.

    loss  "cross-entropy": C = −log p of the label, whose negative is minimised where the attack goes away from it;
          "margin": the label's logit minus the largest other one, or its negative where the attack goes towards it
    """

    labels: Tensor
    targeted: bool = False
    loss: str = "cross-entropy"

    def __post_init__(self):
        if self.loss not in LOSSES:
            raise ValueError(f"expected a loss out of {', '.join(LOSSES)}, got {self.loss!r}")
        if type(self.targeted) is not bool:
            raise ValueError(f"expected whether the labels are targets, true or false, got {said(self.targeted)}")

    def __getitem__(self, chosen: Tensor | slice) -> "Objective":
        return Objective(self.labels[chosen], self.targeted, self.loss)

    def values(self, logits: Tensor) -> Tensor:
        """What is minimised, (N,), of `logits` (N, 10)."""
        if self.loss == "cross-entropy":
            value = cross_entropy(logits, self.labels, reduction="none")
        else:
            value = self._others(logits).max(1).values - self._own(logits)
        return value if self.targeted else -value

    def slope(self, logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """Its derivative at the logits as a direction (N, 10) that never underflows, and log of what it was divided by.

        Of the cross-entropy, ∂C/∂h = (1 − p_y)·(q − e_y), with q the softmax over the other classes, its derivative
        taken at h / `temperature`: the factor may be far below any number there is, q − e_y is not.
        """
        others = self._others(logits / temperature)
        if self.loss == "cross-entropy":
            q = others.softmax(1)
            log_factor = others.logsumexp(1) - (logits / temperature).logsumexp(1)
        else:
            q = torch.zeros_like(logits).scatter(1, others.argmax(1, keepdim=True), 1)
            log_factor = torch.zeros_like(logits[:, 0])
        direction = q.scatter(1, self.labels[:, None], -1)
        return (direction if self.targeted else -direction), log_factor

    def reached(self, logits: Tensor) -> Tensor:
        """Where the attack has got to, (N,) bool: classified as the target, or, untargeted, as anything but the
        label.
        """
        return (logits.argmax(1) == self.labels) == self.targeted

    def _own(self, logits: Tensor) -> Tensor:
        return logits.gather(1, self.labels[:, None]).squeeze(1)

    def _others(self, logits: Tensor) -> Tensor:
        return logits.scatter(1, self.labels[:, None], -torch.inf)
