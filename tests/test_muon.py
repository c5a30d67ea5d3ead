"""The optimizer of the GPT's matrices, beside the singular value decomposition and torch's own."""

import pytest
import torch
from torch import nn

from gencourse.errors import InputError
from gencourse.runtime import seeded
from gencourse.training import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(24, 24), (48, 12), (12, 48)])
def test_singular_vectors_stay_and_singular_values_come_near_one(shape):
    U, _, Vh = torch.linalg.svd(torch.randn(shape, generator=seeded(0)), full_matrices=False)
    S = torch.linspace(1, 5, min(shape))
    made = U.T @ orthogonalize(U @ S.diag() @ Vh) @ Vh.T  # in the basis of the singular vectors
    assert made.diagonal().min() > 0.6 and made.diagonal().max() < 1.3
    assert (made - made.diagonal().diag()).abs().max() < 0.05, "other directions should stay out"


def test_scale_of_the_gradient_does_not_matter():
    G = torch.randn(6, 4, generator=seeded(1))
    torch.testing.assert_close(orthogonalize(1e-4 * G), orthogonalize(G), atol=0.02, rtol=0.02)
    assert orthogonalize(torch.zeros(6, 4)).eq(0).all(), "no gradient, no step"


@pytest.mark.parametrize("shape", [(16, 16), (32, 8), (8, 32)])
def test_steps_are_those_of_torch(shape):
    ours, theirs = (nn.Parameter(torch.randn(shape, generator=seeded(2))) for _ in range(2))
    # others at each step, for the momentum's sake
    start, targets = (
        ours.detach().clone(),
        3 * torch.randn(10, *shape, generator=seeded(3)),
    )
    optimizers = (Muon([ours], lr=0.05), torch.optim.Muon([theirs], lr=0.05, weight_decay=0.0))
    for target in targets:
        for W, optimizer in zip((ours, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            (W - target).square().sum().backward()
            optimizer.step()
    moved = (theirs - start).norm()
    assert moved > 1
    assert (ours - theirs).norm() < 0.02 * moved, "the difference is torch's rounding to bfloat16"


def test_products_are_in_the_precision_of_autocast():
    """About as exact as bfloat16 there, and as float32 elsewhere."""
    U, _, Vh = torch.linalg.svd(torch.randn(12, 12, generator=seeded(4)))
    G = U @ torch.diag(torch.linspace(1, 5, 12)) @ Vh
    exact = orthogonalize(G.double())
    with torch.autocast("cpu", torch.bfloat16):
        rounded = orthogonalize(G)
    assert (orthogonalize(G) - exact).abs().max() < 1e-4 < (rounded - exact).abs().max() < 0.05
    assert rounded.dtype == G.dtype


def test_a_parameter_without_a_gradient_stays():
    W = nn.Parameter(torch.ones(2, 2))
    Muon([W], lr=1.0).step()
    assert W.eq(1).all()


def test_vectors_are_refused_with_a_sentence():
    with pytest.raises(
        InputError, match=r"parameters should be matrices, got one of shape \(3,\). Give it to Adam"
    ):
        Muon([nn.Parameter(torch.zeros(3))], lr=0.1)


def test_matrices_of_one_shape_do_not_disturb_one_another():
    G = torch.randn(3, 8, 4, generator=seeded(4)) * torch.tensor([1e-3, 1.0, 1e3])[:, None, None]
    torch.testing.assert_close(
        orthogonalize(G), torch.stack([orthogonalize(matrix) for matrix in G]), atol=0.02, rtol=0.02
    )


def test_one_optimizer_for_several_matrices_steps_as_one_for_each():
    shapes = [(8, 4), (4, 8), (8, 4), (6, 6), (8, 4)]
    together, alone = (
        [nn.Parameter(torch.randn(shape, generator=seeded(i))) for i, shape in enumerate(shapes)]
        for _ in range(2)
    )
    targets = [
        [torch.randn(shape, generator=seeded(10 * step + i)) for i, shape in enumerate(shapes)]
        for step in range(3)
    ]
    optimizers = [Muon(together, lr=0.1), *(Muon([p], lr=0.1) for p in alone)]
    for step in targets:
        for optimizer in optimizers:
            optimizer.zero_grad()
        for p, q, target in zip(together, alone, step, strict=True):
            ((p - target).square().sum() + (q - target).square().sum()).backward()
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(together, alone, strict=True):
        torch.testing.assert_close(p, q, atol=0.01, rtol=0.01)
