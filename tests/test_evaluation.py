"""Bounds, units, and the search for copies, on cases whose answer is known."""

import math

import pytest
import torch

from gencourse.errors import InputError
from gencourse.evaluation import (
    active_units,
    bits_per_dim,
    dataset_elbo_terms,
    dataset_iwae_bound,
    iwae_bound,
    nearest_neighbours,
)
from gencourse.runtime import seeded


def test_iwae_of_one_draw_is_that_draw_and_of_equal_draws_their_value():
    log_w = torch.tensor([[-3.0, 5.0]])
    assert torch.equal(iwae_bound(log_w), log_w[0])
    torch.testing.assert_close(iwae_bound(torch.full((10, 2), -1000.0)), torch.full((2,), -1000.0))


def test_iwae_of_a_lognormal_approaches_the_known_mean():
    """w = exp(N(0, 1)) has mean exp(½): the bound rises from 0 towards ½."""
    log_w = torch.randn(100_000, 1, generator=seeded(0))
    assert iwae_bound(log_w).item() == pytest.approx(0.5, abs=0.02)
    assert abs(log_w.mean().item()) < 0.02


@pytest.mark.parametrize("shape", [(3,), (0, 2), (2, 0), (2, 3, 4)])
def test_iwae_refuses_other_shapes(shape):
    with pytest.raises(InputError, match=r"log_w should have shape \(K, B\)"):
        iwae_bound(torch.zeros(shape))


def test_importance_bound_does_not_depend_on_how_it_is_cut():
    def log_weights(x, K, generator):
        return torch.zeros(K, len(x)) + x[:, 0]

    x = torch.arange(7.0)[:, None]
    for rows in (1, 10, 1000):
        assert torch.equal(dataset_iwae_bound(log_weights, x, K=5, rows_at_once=rows), x[:, 0])


def test_elbo_parts_keep_order_repeat_and_ignore_beta():
    def loss(x):
        reconstruction = x[:, 0] + torch.rand(len(x))
        return {
            "loss": reconstruction + 9 * x[:, 1],
            "reconstruction": reconstruction,
            "kl": x[:, 1],
        }

    x = torch.rand(11, 2, generator=seeded(0))
    first, second = (
        dataset_elbo_terms(loss, x, batch_size=4),
        dataset_elbo_terms(loss, x, batch_size=4),
    )
    assert torch.equal(first["elbo"], second["elbo"])
    assert torch.equal(first["kl"], x[:, 1])
    torch.testing.assert_close(first["elbo"], -(first["reconstruction"] + first["kl"]))


def test_a_fair_coin_per_pixel_is_one_bit_per_dimension():
    assert bits_per_dim(784 * math.log(2), 784) == pytest.approx(1)
    assert bits_per_dim(3 * math.log(256), 3) == pytest.approx(8)


def test_active_units_vary():
    mu = torch.randn(500, 3, generator=seeded(0)) * torch.tensor([1.0, 0.01, 0.0]) + torch.tensor(
        [0.0, 5.0, 5.0]
    )
    assert active_units(mu).tolist() == [True, False, False]


def test_nearest_neighbours_find_copies():
    train = torch.rand(20, 1, 3, 4, generator=seeded(0))
    distance, index = nearest_neighbours(train[[4, 9]], train, k=2)
    assert index[:, 0].tolist() == [4, 9] and distance[:, 0].max() < 1e-3 < distance[:, 1].min()
    with pytest.raises(InputError, match="shaped like train"):
        nearest_neighbours(torch.zeros(2, 3), train)
