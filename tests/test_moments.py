"""Our Adam moves tensors as PyTorch's does, bit for bit, and imports no compiler."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from satcore.moments import Moments

BETAS = st.tuples(st.sampled_from([0.0, 0.9]), st.sampled_from([0.9, 0.95, 0.999]))


@given(
    seed=st.integers(0, 2**16),
    betas=BETAS,
    epsilon=st.sampled_from([1e-8, 1e-15]),
    rate=st.sampled_from([1e-3, 0.3]),
    upwards=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_it_moves_tensors_as_pytorchs_does_bit_for_bit(seed, betas, epsilon, rate, upwards, dtype):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(7, 5), (3,), (2, 3, 4, 4)]
    ours = [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    moments = Moments(ours)
    rate = torch.tensor(rate) if dtype == torch.float32 else rate
    optimiser = torch.optim.Adam(theirs, lr=rate, betas=betas, eps=epsilon, maximize=upwards, fused=True)
    for step in range(6):
        moments.forget_gradients()
        optimiser.zero_grad()
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            if (number, step) != (1, 2):  # which stays for once
                one.grad = torch.randn(one.shape, generator=generator, dtype=dtype) * 10.0 ** (-2 * step)
                other.grad = one.grad.clone()
        moments.step(rate, betas, epsilon, upwards=upwards)
        optimiser.step()
        assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_without_any_gradient_nothing_moves():
    tensor = torch.ones(3, requires_grad=True)
    Moments([tensor]).step(0.1, (0.9, 0.999))
    assert torch.equal(tensor, torch.ones(3))


@pytest.mark.slow
def test_neither_training_nor_proving_imports_torchs_compiler_or_scipy():
    """Each of which takes seconds, that whoever begins a training waits for."""
    program = """
import sys
import torch
from satcore import data, proofs, runs
from satcore.networks import build, mlp
from satcore.recipes import Phase, Recipe
from satcore.training import train
layers = mlp("relu", (4, 4))
phases = (Phase(epochs=1, batch_size=6_000, learning_rate=1e-3),)
list(train(Recipe("relu-mlp", "vanilla", architecture=layers, complementary=("relu",) * 3, phases=phases), "cpu"))
images, labels = data.sample("test", 2)
proofs.decide(build(layers), images, labels, epsilon=0.3, seconds=0.2)
print(*({"torch._dynamo", "scipy"} & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
