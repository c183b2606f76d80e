"""Several networks as one: the mean of their logits, from blocks of which each member has its own part."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from satcore.networks import IMAGE, Affine, Convolution, Dense, Elementwise, Network, Shape, shapes

Weights = list[tuple[Tensor, Tensor]]  # W and b of a block, of each member


def committee(members: Sequence[Network]) -> Network:
    """One network whose logits are the mean of those of its `members`, all of one architecture, in their dtype.

    What sums becomes a convolution with a group a member, but for the first block, all of which see the image, and the
    last, which takes the mean. An elementwise block in front serves all. Raises ValueError for fewer than two members,
    for other architectures, and for other blocks than these.
    """
    architectures = {member.architecture for member in members}
    if len(members) < 2 or len(architectures) != 1:
        raise ValueError(
            f"expected two members or more, of one architecture, got {len(members)} of {len(architectures)}"
        )
    architecture, number = members[0].architecture, len(members)
    front = int(isinstance(architecture[0].affine, Elementwise))
    hidden = architecture[front:-1]
    summing = all(isinstance(block.affine, Dense | Convolution) for block in hidden)
    if not hidden or not summing or not isinstance(architecture[-1].affine, Dense):
        raise ValueError(
            "expected dense or convolutional blocks, at most one elementwise before them, and a dense one at the end, "
            "got others"
        )
    knees = [value for member in members for name, value in member.state_dict().items() if name.endswith("knee")]
    if any(knee <= 0 for knee in knees):
        raise ValueError(f"expected ramps with knees above 0, got one at {min(map(float, knees)):g}")
    weights = list(zip(*map(_with_knees_at_1, members), strict=True))
    if front and any(not torch.equal(part, weights[0][0][of]) for pair in weights[0] for of, part in enumerate(pair)):
        raise ValueError("expected the same elementwise block in all members, got others")
    inputs = [IMAGE, *(x for _, x in shapes(architecture))]
    if flat := bool(front) and len(inputs[1]) == 1:
        inputs[1] = IMAGE  # in whose order its entries are
    blocks, state = [], {}
    for index, block in enumerate(architecture):
        w, b = (list(tensors) for tensors in zip(*weights[index], strict=True))
        if index < front:
            affine = Elementwise(IMAGE) if flat else block.affine
            w, b = (of_first.reshape(affine.parameter_shapes()[0]) for of_first in (w[0], b[0]))
        elif index == len(architecture) - 1:
            affine = Dense(number * w[0].shape[1], len(b[0]))
            w, b = torch.cat(w, 1) / number, torch.stack(b).mean(0)
        else:
            affine = _of_all(block.affine, inputs[index], number, first=index == front)
            w, b = torch.cat(w).reshape(affine.parameter_shapes()[0]), torch.cat(b)
        blocks.append(dataclasses.replace(block, affine=affine))
        state |= {f"layers.{index}.weight": w, f"layers.{index}.bias": b}
    network = Network(tuple(blocks)).to(state[f"layers.{len(blocks) - 1}.weight"].dtype)
    network.load_state_dict(network.state_dict() | state)
    return network.eval().requires_grad_(False)


def _of_all(affine: Affine, x: Shape, members: int, *, first: bool) -> Convolution:
    """The members' dense or convolutional maps of inputs of shape `x` as one; the `first` ones share their inputs."""
    if isinstance(affine, Dense):
        channels, *kernel = x if len(x) == 3 else (*x, 1, 1)
        affine = Convolution(channels, affine.outputs, (kernel[0], kernel[1]))
    assert isinstance(affine, Convolution)
    outputs = members * affine.outputs
    if first:
        return dataclasses.replace(affine, outputs=outputs)
    return dataclasses.replace(affine, inputs=members * affine.inputs, outputs=outputs, groups=members * affine.groups)


def _with_knees_at_1(member: Network) -> Weights:
    """W and b of each block where every ramp has its knee at 1: k·min(max(0, h/k), 1) = min(max(0, h), k)."""
    found, below = [], 1.0
    state = member.state_dict()
    for index in range(len(member.layers)):
        knee = state.get(f"nonlinearities.{index}.knee", torch.tensor(1.0))
        w, b = state[f"layers.{index}.weight"], state[f"layers.{index}.bias"]
        found.append((w * below / knee, b / knee))
        below = knee
    return found
