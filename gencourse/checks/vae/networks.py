"""Trials in strings of the bug hunt's mended_heads and mended_generate, until these are converted."""

import math

import torch
from torch import Tensor

from gencourse.checks._inputs import draw


def split_trial(name: str):
    """The trial of split_heads, also for the same function under another name (the bug hunt)."""

    def trial(ask, seed):
        h = draw(seed, 6, 4)
        call = f"mu, logvar = {name}(h)\n[mu, logvar]"
        yield "mu and logvar of six rows with two dimensions", ask(call, h=h)
        yield "a row where mu is 3 and logvar is -1", ask(call, h=torch.tensor([[3.0, 3.0, 3.0, -1.0, -1.0, -1.0]]))

    trial.__name__ = name
    return trial


RECORDER = """
class Recorder(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen, self.scale = [], nn.Parameter(torch.ones(()))
    def forward(self, z):
        self.seen.append(z.detach().clone())
        return self.scale * z
decoder = Recorder()
"""


def sampling_trial(name: str):
    """The trial of sample_prior, also for the same function under another name (the bug hunt)."""

    def trial(ask, seed):
        n, D = 4000, 3
        call = f"{name}(decoder, n, latent_dim, generator)"
        generator = f"generator = torch.Generator().manual_seed({seed})\n"
        codes = "torch.cat([torch.zeros(0, latent_dim), *[z.reshape(-1, latent_dim) for z in decoder.seen]])"
        images, z = ask(f"{RECORDER}\n{generator}images = {call}\n[images, {codes}]", n=n, latent_dim=D)
        yield (
            f"the shape of {n} samples through a decoder that changes nothing",
            list(images.shape) if isinstance(images, Tensor) else images,
        )
        if not isinstance(images, Tensor) or images.shape != (n, D):
            return
        yield "whether all samples are images in [0, 1]", bool(((images >= 0) & (images <= 1)).all())
        through = z.shape == (n, D) and torch.allclose(images.double(), z.double().sigmoid(), atol=1e-5)
        yield "whether the samples are sigmoid(decoder(z))", through
        if z.shape != (n, D):
            return
        yield "whether the codes have mean 0", bool((z.mean(0).abs() < 5 / math.sqrt(n)).all())
        yield "whether the codes have standard deviation 1", bool(((z.std(0) - 1).abs() < 5 / math.sqrt(2 * n)).all())
        apart = torch.corrcoef(z.T).nan_to_num() - torch.eye(D)
        yield "whether the coordinates of a code are independent", bool((apart.abs().triu(1) < 5 / math.sqrt(n)).all())
        beyond = float((z.abs() > 2).double().mean())  # 0.0455 for a standard normal
        yield "whether the codes leave [-2, 2] as often as a normal does", abs(beyond - 0.0455) < 0.01
        again = f"""
            decoder = nn.Linear(latent_dim, latent_dim)
            first = {name}(decoder, 5, latent_dim, torch.Generator().manual_seed({seed}))
            second = {name}(decoder, 5, latent_dim, torch.Generator().manual_seed({seed}))
            bool((first == second).all())
        """
        yield "whether two generators in the same state give the same samples", ask(again, latent_dim=D)
        moving = f"""
            decoder = nn.Linear(latent_dim, latent_dim)
            generator = torch.Generator().manual_seed({seed})
            first = {name}(decoder, 5, latent_dim, generator)
            bool((first == {name}(decoder, 5, latent_dim, generator)).all())
        """
        yield "whether a second call with the same generator repeats the first", ask(moving, latent_dim=D)
        graph = f"{generator}torch.as_tensor({name}(nn.Linear(latent_dim, 4), 5, latent_dim, generator)).requires_grad"
        yield "whether the samples still hold a graph", ask(graph, latent_dim=D)
        dropout = f"{generator}decoder = nn.Sequential(nn.Linear(latent_dim, latent_dim), nn.Dropout(0.5)).train()\nbool(({name}(decoder, 50, latent_dim, generator) == 0.5).any())"
        yield "whether dropout was active while sampling", ask(dropout, latent_dim=D)

    trial.__name__ = name
    return trial
