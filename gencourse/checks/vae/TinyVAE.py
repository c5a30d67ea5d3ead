"""Exercise on the module of a whole VAE."""

import math
from typing import ClassVar

import torch
from torch import nn

from gencourse.checks import draw, exercise
from gencourse.models import vae
from gencourse.probes.vae import modules


class Reference(nn.Module):
    def __init__(self, image_shape, hidden, latent_dim):
        super().__init__()
        self.image_shape, self.latent_dim = tuple(image_shape), latent_dim
        pixels = math.prod(image_shape)
        self.encoder = self.network(pixels, hidden, 2 * latent_dim)
        self.decoder = self.network(latent_dim, hidden, pixels)

    def network(self, n_in, hidden, n_out):
        return nn.Sequential(nn.Linear(n_in, hidden), nn.SiLU(), nn.Linear(hidden, n_out))

    def encode(self, x):
        return self.encoder(x.flatten(1)).chunk(2, dim=1)

    def decode(self, z):
        return self.decoder(z).view(-1, *self.image_shape)

    def terms(self, x, mu, logvar, z):
        reconstruction = -vae.bernoulli_log_likelihood(self.decode(z), x)
        kl = vae.kl_to_standard_normal(mu, logvar)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        eps = torch.randn_like(mu) if eps is None else eps
        return self.terms(x, mu, logvar, vae.reparameterize(mu, logvar, eps))

    @torch.no_grad()
    def sample(self, n, generator):
        return self.decode(torch.randn(n, self.latent_dim, generator=generator)).sigmoid()


@exercise(
    reference=Reference,
    difficulty=3,
    minutes=25,
    points=6,
    hints=(
        "The encoder gives 2D numbers for an image, of which the first D are mu.",
        "Each of the earlier exercises is a line here: heads, draw, likelihood, KL, loss, samples.",
        "The loss has one number per image; an eps that nobody gave is drawn like mu.",
    ),
    on_success="A whole VAE, which `fit` trains as it trains ours.",
)
def TinyVAE(answer, seed):
    x, eps = (draw(seed, 5, 2, 3, 4) > 0.4).float(), draw(seed + 1, 5, 3)
    yield "a model", answer.run(modules.parameters_of, (2, 3, 4), 7, 3)
    yield "a model of other sizes", answer.run(modules.parameters_of, (1, 5, 1), 4, 9)
    yield "five images", answer.run(modules.terms, x, eps, 7)
    yield "an image, a code of one number", answer.run(modules.terms, x[:1], eps[:1, :1], 2)
    yield "images in float64", answer.run(modules.terms, x, eps, 6, double=True)
    yield "images, when logits are large", answer.run(modules.terms, x, eps, 7, 12.0)
    yield "grey images", answer.run(modules.terms, draw(seed + 2, 4, 1, 3, 2).sigmoid(), eps[:4], 7)
    for key in ("loss", "reconstruction", "kl"):
        found = answer.run(modules.gradients_of_parameters, x, eps, 7, key)
        yield f"the gradients of the {key}", found
    yield "a loss that is given no eps", answer.run(modules.noise_of_the_loss, seed)
    yield "3000 samples", answer.run(modules.samples, 3000, seed)
    yield "one sample", answer.run(modules.samples, 1, seed)
    yield "the loss after three steps of Adam", answer.run(modules.trained, x, 3)


@TinyVAE.alternative
class ByDistributions(Reference):
    def loss(self, x, eps=None):
        q = torch.distributions.Normal(mu := self.encode(x)[0], (self.encode(x)[1] / 2).exp())
        z = q.rsample() if eps is None else mu + q.stddev * eps
        log_p = torch.distributions.Bernoulli(logits=self.decode(z), validate_args=False)
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
        reconstruction = -log_p.log_prob(x).sum((1, 2, 3))
        return dict(kl=kl, reconstruction=reconstruction, loss=kl + reconstruction)


@TinyVAE.alternative
class ByCrossEntropy(Reference):
    def encode(self, x):
        h = self.encoder(x.reshape(len(x), -1))
        return h[:, : self.latent_dim], h[:, self.latent_dim :]

    def loss(self, x, *, eps=None):
        mu, logvar = self.encode(x)
        eps = eps if eps is not None else torch.randn(mu.shape, dtype=mu.dtype)
        logits = self.decode(mu + eps * torch.exp(0.5 * logvar)).flatten(1)
        cost = nn.functional.binary_cross_entropy_with_logits
        parts = {"reconstruction": cost(logits, x.flatten(1), reduction="none").sum(-1)}
        parts["kl"] = 0.5 * torch.sum(mu**2 + torch.exp(logvar) - logvar - 1, dim=-1)
        return {"loss": sum(parts.values()), **parts}


@TinyVAE.mistake("The encoder gives one number per latent dimension. How many does q need?")
class OneHead(Reference):
    def __init__(self, image_shape, hidden, latent_dim):
        super().__init__(image_shape, hidden, latent_dim)
        self.encoder = self.network(math.prod(image_shape), hidden, latent_dim)

    def encode(self, x):
        mu = self.encoder(x.flatten(1))
        return mu, torch.zeros_like(mu)


@TinyVAE.mistake(
    "The parameters are named otherwise than in the text, so that no weights can be loaded. What "
    "are the two networks called?"
)
class OtherNames(Reference):
    def __init__(self, image_shape, hidden, latent_dim):
        super().__init__(image_shape, hidden, latent_dim)
        self.enc, self.dec = self.encoder, self.decoder
        del self.encoder, self.decoder

    def encode(self, x):
        return self.enc(x.flatten(1)).chunk(2, dim=1)

    def decode(self, z):
        return self.dec(z).view(-1, *self.image_shape)


@TinyVAE.mistake("mu and logvar come out in each other's place. Which D numbers does mu take?")
class HeadsExchanged(Reference):
    def encode(self, x):
        return super().encode(x)[::-1]


@TinyVAE.mistake("Between the layers the text puts another nonlinearity than yours. Which one?")
class WithReLU(Reference):
    def network(self, n_in, hidden, n_out):
        return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))


@TinyVAE.mistake(
    "The decoder ends in a sigmoid, so that its output are probabilities. What does the "
    "likelihood of the text take?"
)
class SigmoidInTheDecoder(Reference):
    def decode(self, z):
        return super().decode(z).sigmoid()

    @torch.no_grad()
    def sample(self, n, generator):
        return self.decode(torch.randn(n, self.latent_dim, generator=generator))


@TinyVAE.mistake("The logits of an image come as a row of numbers. Which shape has an image?")
class FlatImages(Reference):
    def decode(self, z):
        return self.decoder(z)

    def terms(self, x, mu, logvar, z):
        return super().terms(x.flatten(1), mu, logvar, z)


@TinyVAE.mistake("exp(logvar) is the variance. What scales the noise?")
class VarianceForStd(Reference):
    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        eps = torch.randn_like(mu) if eps is None else eps
        return self.terms(x, mu, logvar, mu + logvar.exp() * eps)


@TinyVAE.mistake("The code is the mean: this is an autoencoder with a fine. Where is the noise?")
class NoNoise(Reference):
    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        return self.terms(x, mu, logvar, mu)


@TinyVAE.mistake("The loss draws its own noise where it is given one. When is eps to be drawn?")
class GivenNoiseIgnored(Reference):
    def loss(self, x, eps=None):
        return super().loss(x)


@TinyVAE.mistake("Without eps the loss uses none. What should it draw then?")
class NoNoiseUnlessGiven(Reference):
    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        eps = torch.zeros_like(mu) if eps is None else eps
        return self.terms(x, mu, logvar, vae.reparameterize(mu, logvar, eps))


@TinyVAE.mistake("The noise that the loss draws comes from [0, 1]. Which distribution has it in q?")
class UniformNoise(Reference):
    def loss(self, x, eps=None):
        return super().loss(x, torch.rand(len(x), self.latent_dim) if eps is None else eps)


@TinyVAE.mistake("One noise serves all images of a batch. Who needs one of their own?")
class SharedNoise(Reference):
    def loss(self, x, eps=None):
        shared = torch.randn(1, self.latent_dim).expand(len(x), -1)
        return super().loss(x, shared if eps is None else eps)


@TinyVAE.mistake("Only the means learn from the reconstruction: where was the graph cut?")
class WidthDetached(Reference):
    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        eps = torch.randn_like(mu) if eps is None else eps
        return self.terms(x, mu, logvar, vae.reparameterize(mu, logvar.detach(), eps))


@TinyVAE.mistake("The encoder learns nothing from the reconstruction: where was the graph cut?")
class CodeDetached(Reference):
    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        eps = torch.randn_like(mu) if eps is None else eps
        return self.terms(x, mu, logvar, vae.reparameterize(mu, logvar, eps).detach())


@TinyVAE.mistake("Pixels are averaged, latent numbers are added up. In which unit is the sum?")
class PixelsAveraged(Reference):
    def terms(self, x, mu, logvar, z):
        reconstruction = -vae.bernoulli_log_likelihood(self.decode(z), x) / x[0].numel()
        kl = vae.kl_to_standard_normal(mu, logvar)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}


@TinyVAE.mistake("The loss of the batch is one number. Who takes the mean, model or loop?")
class Averaged(Reference):
    def terms(self, x, mu, logvar, z):
        return {key: value.mean() for key, value in super().terms(x, mu, logvar, z).items()}


@TinyVAE.mistake("The loss subtracts the KL. Does a code that is far from the prior cost less?")
class KlSubtracted(Reference):
    def terms(self, x, mu, logvar, z):
        parts = super().terms(x, mu, logvar, z)
        return parts | {"loss": parts["reconstruction"] - parts["kl"]}


@TinyVAE.mistake(
    "reconstruction is log p(x given z) here, and the loss takes it with a minus. Is what is "
    "reported under that name a cost?"
)
class ReconstructionIsNegative(Reference):
    def terms(self, x, mu, logvar, z):
        parts = super().terms(x, mu, logvar, z)
        return parts | {"reconstruction": -parts["reconstruction"]}


@TinyVAE.mistake(
    "Fine, until a probability is so near to 0 or 1 that float32 says 0 or 1. Which function takes "
    "the logits themselves?"
)
class ThroughProbabilities(Reference):
    def terms(self, x, mu, logvar, z):
        p = self.decode(z).sigmoid()
        cost = -(x * (p + 1e-9).log() + (1 - x) * (1 - p + 1e-9).log()).flatten(1).sum(1)
        kl = vae.kl_to_standard_normal(mu, logvar)
        return {"loss": cost + kl, "reconstruction": cost, "kl": kl}


@TinyVAE.mistake("The samples are logits. What makes grey values of them?")
class SamplesAreLogits(Reference):
    @torch.no_grad()
    def sample(self, n, generator):
        return self.decode(torch.randn(n, self.latent_dim, generator=generator))


@TinyVAE.mistake("The samples are zeros and ones, drawn. Which values does the text ask for?")
class SamplesAreDrawn(Reference):
    def sample(self, n, generator):
        return torch.bernoulli(super().sample(n, generator), generator=generator)


@TinyVAE.mistake("The codes of the samples come from [0, 1]. Which is the prior?")
class UniformCodes(Reference):
    @torch.no_grad()
    def sample(self, n, generator):
        return self.decode(torch.rand(n, self.latent_dim, generator=generator)).sigmoid()


@TinyVAE.mistake("The samples still hold the graph that made them. Who needs it?")
class SamplesWithGraph(Reference):
    def sample(self, n, generator):
        return self.decode(torch.randn(n, self.latent_dim, generator=generator)).sigmoid()


@TinyVAE.mistake("The samples do not come from the generator that was passed. Where is it used?")
class GeneratorIgnored(Reference):
    @torch.no_grad()
    def sample(self, n, generator):
        return self.decode(torch.randn(n, self.latent_dim)).sigmoid()


@TinyVAE.mistake(
    "All models share one encoder and one decoder. When are layers of a class made that stand "
    "outside of `__init__`, or are kept there?"
)
class OneForAll(Reference):
    kept: ClassVar[dict] = {}

    def __init__(self, image_shape, hidden, latent_dim):
        super().__init__(image_shape, hidden, latent_dim)
        networks = self.encoder, self.decoder
        key = (image_shape, hidden, latent_dim)
        self.encoder, self.decoder = self.kept.setdefault(key, networks)
