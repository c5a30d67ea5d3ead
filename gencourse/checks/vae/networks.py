"""Exercises on the heads of the encoder and on sampling through the decoder."""

import math

import torch
from torch import Tensor

from gencourse.checks._legacy import exercise
from gencourse.checks._inputs import draw

# --- split_heads ---------------------------------------------------------------------------------------------------


def split_heads_reference(h: Tensor) -> tuple[Tensor, Tensor]:
    """mu and logvar from the encoder's last layer: h (B, 2D) -> the first D columns, the last D columns."""
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar


def split_trial(name: str):
    """The trial of split_heads, also for the same function under another name (the bug hunt)."""

    def trial(ask, seed):
        h = draw(seed, 6, 4)
        call = f"mu, logvar = {name}(h)\n[mu, logvar]"
        yield "mu and logvar of six rows with two dimensions", ask(call, h=h)
        yield "a row where mu is 3 and logvar is -1", ask(call, h=torch.tensor([[3.0, 3.0, 3.0, -1.0, -1.0, -1.0]]))

    trial.__name__ = name
    return trial


split_heads = exercise(
    reference=split_heads_reference,
    difficulty=1,
    minutes=4,
    points=1,
    hints=("h has one row per example. Which axis holds both heads?", "What range must μ have, and what range log σ²?"),
    insight="Both heads may take any sign: that is why the network gives log σ² and not σ.",
)(split_trial("split_heads"))


@split_heads.mistake("You cut the batch in two. Along which axis do the two heads lie side by side?")
def cut_along_the_batch(h):
    return h.chunk(2, dim=0)


@split_heads.mistake("The two came back in the other order. Which one does the docstring name first?")
def heads_swapped(h):
    mu, logvar = h.chunk(2, dim=1)
    return logvar, mu


@split_heads.mistake("log σ² is negative whenever σ < 1. Can it still be, after what you do to it?")
def relu_on_logvar(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.relu()


@split_heads.mistake("Neither μ nor log σ² is a hidden activation. Which values can they no longer take in your version?")
def relu_on_both(h):
    return h.relu().chunk(2, dim=1)


@split_heads.mistake("logvar should stay a logarithm. What have you done to it that a later exp would do again?")
def variance_returned(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar.exp()


@split_heads.mistake("A softplus makes a positive number. Is a logarithm of a variance always positive?")
def softplus_on_logvar(h):
    mu, logvar = h.chunk(2, dim=1)
    return mu, torch.nn.functional.softplus(logvar)


@split_heads.mistake("You took every other column. Does the docstring interleave the heads, or set them side by side?")
def interleaved(h):
    return h[:, ::2], h[:, 1::2]


@split_heads.also_right
def by_slicing(h):
    D = h.shape[1] // 2
    return [h[:, :D], h[:, D:]]


@split_heads.also_right
def by_unflatten(h):
    return tuple(h.reshape(len(h), 2, -1).unbind(1))


# --- sample_prior --------------------------------------------------------------------------------------------------


@torch.no_grad()
def sample_prior_reference(decoder, n, latent_dim, generator):
    """Images sigmoid(decoder(z)) at n draws z ~ N(0, I), with the decoder in evaluation mode, without gradients."""
    decoder.eval()
    return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


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


sample_prior = exercise(
    reference=sample_prior_reference,
    difficulty=1,
    minutes=6,
    points=2,
    hints=(
        "Which distribution was the KL term pulling the codes towards? Draw from that one.",
        "Three things besides: gradients, the decoder's mode, and what turns logits into grey values.",
    ),
    insight="The samples follow the prior, repeat with the generator, and carry no graph.",
)(sampling_trial("sample_prior"))


@sample_prior.mistake("Your codes are not normally distributed. Which function draws from N(0, 1), and which from [0, 1]?")
def uniform_codes(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.rand(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("The spread of the codes is off. What variance does the prior have?")
def codes_too_wide(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(2 * torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("The decoder returns logits. Are those images yet?")
def logits_returned(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim, generator=generator))


@sample_prior.mistake("Your samples still carry the graph that made them. Who needs gradients here?")
def graph_kept(decoder, n, latent_dim, generator):
    return decoder.eval()(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("Dropout was active while you sampled. In which mode should the decoder be?")
def left_in_training_mode(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()


@sample_prior.mistake("Two calls with generators in the same state should give the same images. Did you use the generator?")
def generator_ignored(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim)).sigmoid()


@sample_prior.mistake("A second call with the same generator gave the same images again. Is something reseeded inside?")
def reseeded_inside(decoder, n, latent_dim, generator):
    with torch.no_grad():
        return decoder.eval()(torch.randn(n, latent_dim, generator=generator.manual_seed(0))).sigmoid()


@sample_prior.also_right
def one_row_at_a_time(decoder, n, latent_dim, generator):
    decoder.train(False)
    with torch.inference_mode():
        rows = [torch.empty(latent_dim).normal_(generator=generator) for _ in range(n)]
        return 1 / (1 + torch.exp(-decoder(torch.stack(rows))))
