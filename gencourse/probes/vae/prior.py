"""Sampling from a prior through decoders that remember what they were asked."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from gencourse.runtime import seeded

SIDE = 2  # of the images of a Recorder
SIGMAS = 5.5  # standard errors; of hundreds of comparisons none is further off by chance


class Recorder(nn.Module):
    """z (n, D) -> logits, z itself or images (n, 1, SIDE, SIDE).

    Codes and logits are kept in lists, to which copies of the module append as well.
    """

    def __init__(self, images: bool = False) -> None:
        super().__init__()
        self.images, self.scale = images, nn.Parameter(torch.ones(()))
        self.codes: list[Tensor] = []
        self.logits: list[Tensor] = []
        self.keep_code, self.keep_logits = self.codes.append, self.logits.append

    def forward(self, z: Tensor) -> Tensor:
        """The logits of codes (n, D); both are noted."""
        logits = self.scale * z
        if self.images:
            steps = torch.linspace(-18, 15, SIDE * SIDE, dtype=z.dtype).view(1, SIDE, SIDE)
            logits = 2 * logits.sum(-1)[..., None, None, None] + steps
        self.keep_code(z.detach().clone())
        self.keep_logits(logits.detach().clone())
        return logits


def decoder_of(latent_dim: int) -> nn.Module:
    """A linear decoder whose weights are all different."""
    decoder = nn.Linear(latent_dim, 4)
    with torch.no_grad():
        decoder.weight.copy_(torch.linspace(-1.5, 2, 4 * latent_dim).view(4, latent_dim))
        decoder.bias.copy_(torch.linspace(0.3, -0.5, 4))
    return decoder


def distance_from_normal(numbers: Tensor) -> float:
    """The largest gap between the distribution function of some numbers and that of N(0, 1)."""
    ordered = numbers.double().flatten().sort().values
    below = torch.arange(len(ordered), dtype=torch.float64) / len(ordered)
    return float((torch.special.ndtr(ordered) - below).abs().max())


def correlated(z: Tensor, tolerance: float) -> dict[str, bool]:
    """Whether columns of codes, and rows of codes, depend on one another."""
    n, dim = z.shape
    columns = torch.corrcoef(z.T).nan_to_num() - torch.eye(dim)
    standard = (z - z.mean(0)) / z.std(0).clamp(min=1e-6)
    lags = [(standard[lag:] * standard[: n - lag]).mean(0).abs() for lag in (1, 2, n // 2)]
    return {
        "whether the coordinates of a code are independent": bool(
            (columns.abs().triu(1) < tolerance).all()
        ),
        "whether the codes are independent of one another": bool(
            (torch.stack(lags) < tolerance).all()
        ),
    }


def as_images(result: Any) -> Tensor:
    """The samples, which later cells take for a tensor."""
    if not isinstance(result, Tensor):
        raise TypeError(f"the samples should be a tensor, got {type(result).__name__}.")
    return result


def codes_of_samples(sample: Callable, n: int, latent_dim: int, seed: int) -> dict[str, object]:
    """The samples of a decoder that changes nothing, and what codes it was given."""
    decoder = Recorder()
    images = as_images(sample(decoder, n, latent_dim, seeded(seed))).detach()
    codes = [z.reshape(-1, latent_dim).float() for z in decoder.codes]
    z = torch.cat([torch.zeros(0, latent_dim), *codes])
    found: dict[str, object] = {
        "the number of axes": images.ndim,
        "the shape": list(images.shape),
        "how many codes went through the decoder": len(z),
    }
    if images.shape != (n, latent_dim) or z.shape != (n, latent_dim):
        return found
    # of each coordinate, and of all the numbers together
    mean = torch.cat([z.mean(0), z.mean()[None]]).abs()
    std = (torch.cat([z.std(0), z.std()[None]]) - 1).abs()
    error = SIGMAS / math.sqrt(n) / torch.tensor([1.0] * latent_dim + [math.sqrt(latent_dim)])
    beyond = float((z.abs() > 3).double().mean()) - 0.0027  # the share of a standard normal
    return {
        **found,
        "whether all samples are images in [0, 1]": bool(((images >= 0) & (images <= 1)).all()),
        "whether the samples are sigmoid(decoder(z))": torch.allclose(
            images.double(), z.double().sigmoid(), atol=1e-5
        ),
        "whether the codes have mean 0": bool((mean < error).all()),
        "whether the codes have standard deviation 1": bool((std < error / math.sqrt(2)).all()),
        "whether all codes lie in [0, 1]": bool(((z >= 0) & (z <= 1)).all()),
        "whether the codes are distributed as N(0, 1)": distance_from_normal(z)
        < 2.7 / math.sqrt(n * latent_dim),
        "whether the codes leave [-3, 3] as often as a normal does": abs(beyond)
        < SIGMAS * math.sqrt(0.0027 / z.numel()),
        "whether some of the codes leave [-4, 4]": bool((z.abs() > 4).any()),
        "whether some number in the codes is exactly 0": bool((z == 0).any()),
        **correlated(z, SIGMAS / math.sqrt(n)),
    }


def images_of_a_decoder(sample: Callable, n: int, latent_dim: int, seed: int) -> dict[str, object]:
    """The samples of a decoder whose logits are images (n, 1, SIDE, SIDE), gradients being off."""
    decoder = Recorder(images=True)
    with torch.no_grad():
        images = as_images(sample(decoder, n, latent_dim, seeded(seed))).detach()
    logits = torch.cat([x.reshape(-1, 1, SIDE, SIDE) for x in decoder.logits])
    same = images.shape == logits.shape and torch.allclose(
        images.double(), logits.double().sigmoid(), atol=1e-5
    )
    return {
        "the number of axes": images.ndim,
        "the shape": list(images.shape),
        "whether they are sigmoid(decoder(z))": same,
    }


def images_without_parameters(sample: Callable, latent_dim: int, seed: int) -> dict[str, object]:
    """The samples of a decoder that returns its codes and has no parameters."""
    images = as_images(sample(nn.Identity(), 3, latent_dim, seeded(seed)))
    return {"the shape": list(images.shape), "whether a number is 0.5": bool((images == 0.5).any())}


def repeatability(sample: Callable, latent_dim: int, seed: int) -> dict[str, bool]:
    """Samples from two generators in the same state, and twice from one generator."""
    generator = seeded(seed)
    first = as_images(sample(decoder_of(latent_dim), 5, latent_dim, generator))
    second = as_images(sample(decoder_of(latent_dim), 5, latent_dim, generator))
    again = as_images(sample(decoder_of(latent_dim), 5, latent_dim, seeded(seed)))
    return {
        "whether two generators in the same state give the same samples": torch.equal(first, again),
        "whether a second call with the same generator repeats the first": torch.equal(
            first, second
        ),
    }


def traces(sample: Callable, latent_dim: int, seed: int) -> dict[str, bool]:
    """What sampling leaves behind: a graph, other gradients, parts in different modes."""
    decoder = nn.Sequential(decoder_of(latent_dim), nn.Sequential(nn.Identity()))
    for parameter in decoder.parameters():
        parameter.grad = torch.ones_like(parameter)
    images = as_images(sample(decoder, 5, latent_dim, seeded(seed)))
    modes = {part.training for part in decoder.modules()}
    return {
        "whether the samples still hold a graph": images.grad_fn is not None,
        "whether the samples ask for gradients": images.requires_grad,
        "whether the decoder still holds the gradients that it held": all(
            p.grad is not None and bool((p.grad == 1).all()) for p in decoder.parameters()
        ),
        "whether all parts of the decoder are in the same mode afterwards": len(modes) == 1,
    }


def dropout_at_work(sample: Callable, latent_dim: int, seed: int, training: bool = True) -> bool:
    """Whether samples are dropped by a decoder that ends in dropout, which is in training mode.

    The decoder itself may be in evaluation mode.
    """
    decoder = nn.Sequential(decoder_of(latent_dim), nn.Sequential(nn.Dropout(0.5))).train()
    decoder.training = training
    images = as_images(sample(decoder, 50, latent_dim, seeded(seed)))
    return bool(((images == 0.5) | (images == 0)).any())


def statistics_at_work(sample: Callable, latent_dim: int, seed: int) -> bool:
    """Whether a decoder in training mode normalises samples by their own mean.

    The mean that it has in store is so low that with it no pixel is dark.
    """
    norm = nn.BatchNorm1d(4)
    nn.init.constant_(norm.get_buffer("running_mean"), -100.0)
    decoder = nn.Sequential(decoder_of(latent_dim), nn.Sequential(norm)).train()
    images = as_images(sample(decoder, 50, latent_dim, seeded(seed)))
    return bool((images < 0.5).any())


def ends_in_training_mode(sample: Callable, latent_dim: int, seed: int) -> bool:
    """Whether some part of a decoder that comes in evaluation mode is in training mode after it."""
    decoder = nn.Sequential(decoder_of(latent_dim), nn.Sequential(nn.Identity())).eval()
    sample(decoder, 5, latent_dim, seeded(seed))
    return any(part.training for part in decoder.modules())


def grid_of_codes(grid: Callable, n: int) -> dict[str, object]:
    """A grid, of which kind it is, and whether a second call gives another one."""
    codes, again = grid(n), grid(n)
    tensors = isinstance(codes, Tensor) and isinstance(again, Tensor)
    return {
        "whether it is a tensor": isinstance(codes, Tensor),
        "whether it asks for gradients": bool(getattr(codes, "requires_grad", False)),
        "": codes,
        "whether two calls return one and the same memory": tensors
        and codes.untyped_storage().data_ptr() == again.untyped_storage().data_ptr(),
    }
