"""What several recipes measure; all in evaluation mode, without gradients, and without a trace in
the model or in torch's generators.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from gencourse.data.batches import unit_range
from gencourse.evaluation import (
    dataset_elbo_terms,
    dataset_iwae_bound,
    feature_network,
    frechet_distance,
    precision_recall,
)
from gencourse.models.autoregressive import GPT, MADE, PixelCNN, next_token_pairs
from gencourse.models.vae import VAE, Autoencoder
from gencourse.runtime import global_seed, seeded

SAMPLES = 2_000  # drawn for the scores of a GAN
QUICK_SAMPLES = 1_000  # and along the way
WINDOWS = 200  # of a text, along the way
AT_ONCE = 200
CLASSES = 10  # of digits and of clothes


def device_of(model: nn.Module) -> torch.device:
    """Where a model is."""
    return next(model.parameters()).device


@contextlib.contextmanager
def measuring(model: nn.Module) -> Iterator[None]:
    """Within the block the model is in evaluation mode, and draws of the global generators begin
    at seed 0; then all is as it was.
    """
    training = [part for part in model.modules() if part.training]
    try:
        model.eval()
        with torch.no_grad(), global_seed(0, device_of(model)):
            yield
    finally:
        for part in training:
            part.training = True


def elbo_terms(model: VAE, x: Tensor) -> dict[str, float]:
    """The means of "elbo", "reconstruction" and "kl" over images x (N, C, H, W), nats."""
    terms = dataset_elbo_terms(model.loss, x.to(device_of(model)))
    return {name: value.mean().item() for name, value in terms.items()}


def reconstruction_nats(model: Autoencoder, x: Tensor) -> float:
    """The mean of -log p(x given its code) over images x (N, C, H, W), nats."""
    parts = [model.loss(part)["loss"] for part in x.to(device_of(model)).split(AT_ONCE)]
    return torch.cat(parts).mean().item()


def iwae(model: VAE, x: Tensor, K: int) -> float:
    """The mean of the IWAE-K bound over images x (N, C, H, W), nats."""
    return dataset_iwae_bound(model.log_weights, x.to(device_of(model)), K=K).mean().item()


def exact_nats(model: MADE | PixelCNN, x: Tensor) -> float:
    """The mean of -log p(x) over images x (N, C, H, W) of 0 and 1, nats."""
    at = device_of(model)
    return (
        -torch.cat([model.log_prob(part.to(at)).cpu() for part in x.split(AT_ONCE)]).mean().item()
    )


def text_nats(model: GPT, tokens: Tensor) -> float:
    """The mean of -log p over all tokens (N,) but the first, nats per token.

    They are cut into windows of the model's block_size; what is left over is a shorter one.
    """
    total, rest = 0.0, (len(tokens) - 1) % model.block_size
    if len(tokens) > model.block_size:
        total += window_sum(model, *next_token_pairs(tokens, model.block_size))
    if rest:
        total += window_sum(model, *next_token_pairs(tokens[-1 - rest :], rest))
    return total / (len(tokens) - 1)


def quick_text_nats(model: GPT, tokens: Tensor) -> float:
    """As `text_nats`, on at most WINDOWS windows from everywhere in a text."""
    x, y = next_token_pairs(tokens, model.block_size)
    chosen = torch.linspace(0, len(x) - 1, min(WINDOWS, len(x)), device="cpu").long()
    return window_sum(model, x[chosen], y[chosen]) / y[chosen].numel()


def window_sum(model: GPT, x: Tensor, y: Tensor) -> float:
    """The sum of -log p over all targets y (M, T) of windows x (M, T), nats."""
    at = device_of(model)
    pairs = zip(x.split(AT_ONCE), y.split(AT_ONCE), strict=True)
    return sum(
        model.loss(x.to(at), y.to(at))["loss"].double().sum().item() * y.shape[1] for x, y in pairs
    )


def features(name: str, images: Tensor, at: torch.device) -> Tensor:
    """Images (N, 1, 28, 28), bytes or in [0, 1], as the features (N, D) in which they are compared.

    `name` is the data set whose classifier it is.
    """
    network = feature_network(name).to(at)
    return torch.cat([network.features(unit_range(part)) for part in images.split(AT_ONCE)])


def frechet(name: str, samples: Tensor, images: Tensor) -> float:
    """The Fréchet distance of samples to images, both (N, 1, 28, 28)."""
    at = samples.device
    return frechet_distance(features(name, samples, at), features(name, images, at))


def sample_scores(name: str, samples: Tensor, images: Tensor) -> dict[str, float]:
    """{"frechet", "precision", "recall"} of samples beside images, both (N, 1, 28, 28).

    Precision and recall are taken of as many images as samples, chosen at random.
    """
    at = samples.device
    fake, real = features(name, samples, at), features(name, images, at)
    n = min(len(fake), len(real))
    chosen = torch.randperm(len(real), generator=seeded(0), device="cpu")[:n]
    shares = precision_recall(real[chosen], fake[:n])
    return {
        "frechet": frechet_distance(fake, real),
        "precision": shares.precision,
        "recall": shares.recall,
    }


def in_turn(n: int) -> Tensor:
    """Labels (n,): every class in turn."""
    return torch.arange(n, device="cpu") % CLASSES


def obeyed(name: str, samples: Tensor, asked: Tensor) -> float:
    """How often the classifier sees in a sample the class (N,) that was asked for, in [0, 1]."""
    seen = feature_network(name).to(samples.device).classify(samples)
    return (seen == asked.cpu()).double().mean().item()
