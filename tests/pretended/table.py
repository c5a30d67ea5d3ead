"""One call for every public name of the package that computes, to be made on any device.

An entry names what it covers, and where its result should lie: "there", on the device that it is
given, or "cpu". It is a function of that device; what it draws comes from seeds, so that its result
on one device can be compared with that on another. A refusal is a call with tensors of two devices.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from gencourse import evaluation, figures, gan_lab, runtime, training, widgets
from gencourse.models import autoregressive as ar
from gencourse.models import diffusion, gan, vae
from gencourse.runtime import seeded

SHAPE = (1, 8, 8)
LETTERS = tuple("abcdefghij")


@dataclass(frozen=True)
class Entry:
    """A call: the names that it covers, where its tensors should be, and the function."""

    names: tuple[str, ...]
    lies: str
    call: Callable[[str], Any]

    @property
    def name(self) -> str:
        return self.names[0]


ENTRIES: list[Entry] = []
REFUSED: list[tuple[str, Callable[[str], Any]]] = []
# tuples, colours and dictionaries: no call of theirs computes anything
DATA = {
    "diffusion.KINDS", "diffusion.PREDICTS", "diffusion.Preconditioning", "diffusion.Translated",
    "vae.Posterior", "gan.LOSSES", "gan.Losses", "ar.IGNORED", "evaluation.Coverage",
    "evaluation.PrecisionRecall", "figures.DASHES", "figures.MARKERS", "figures.PALETTE",
    "figures.PAGE_WIDTH", "figures.SMALL",
}  # fmt: skip
MODULES = {
    "vae": vae, "gan": gan, "ar": ar, "diffusion": diffusion, "evaluation": evaluation,
    "figures": figures, "widgets": widgets, "training": training,
}  # fmt: skip


def public_names() -> set[str]:
    return {f"{short}.{name}" for short, module in MODULES.items() for name in module.__all__}


def entry(*names: str, lies: str = "there") -> Callable[[Callable], Callable]:
    def keep(call: Callable) -> Callable:
        ENTRIES.append(Entry(names, lies, call))
        return call

    return keep


def refused(name: str) -> Callable[[Callable], Callable]:
    def keep(call: Callable) -> Callable:
        REFUSED.append((name, call))
        return call

    return keep


# what the calls are given


def uniform(at: str, *shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=seeded(seed), device="cpu").to(at)


def normal(at: str, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=seeded(seed), device="cpu").to(at)


def whole(at: str, below: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randint(below, shape, generator=seeded(seed), device="cpu").to(at)


def pictures(at: str, n: int = 4) -> Tensor:
    return uniform(at, n, *SHAPE)


def binary(at: str, n: int = 4) -> Tensor:
    return (pictures(at, n) > 0.5).float()


def made(at: str, make: Callable[[], nn.Module]) -> nn.Module:
    """A network with the same weights everywhere, in evaluation mode."""
    with runtime.global_seed(0):
        return make().to(at).eval()


def small_vae(at: str) -> vae.VAE:
    return made(at, lambda: vae.VAE(3, 16, SHAPE, mean_image=pictures("cpu").mean(0)))


def conditional_vae(at: str) -> vae.ConditionalVAE:
    return made(at, lambda: vae.ConditionalVAE(4, latent_dim=3, hidden=16, image_shape=SHAPE))


def image_gan(at: str, classes: int = 0, **options: Any) -> gan.GAN:
    kind = gan.ConditionalGAN if classes else gan.GAN
    return made(
        at,
        lambda: kind(
            gan.Generator(3, 4, SHAPE, classes), gan.Discriminator(4, SHAPE, classes), **options
        ),
    )


def small_gpt(at: str) -> ar.GPT:
    return made(at, lambda: ar.GPT(10, block_size=8, layers=2, heads=2, width=16))


def small_pixelcnn(at: str) -> ar.PixelCNN:
    shape = (1, 6, 6)
    mean = uniform("cpu", *shape)
    model = made(at, lambda: ar.PixelCNN(4, 3, 2, shape, mean_image=mean))
    with torch.no_grad():
        model.head[-1].weight.copy_(normal(at, *model.head[-1].weight.shape))
    return model


def trained(model: nn.Module, *batch: Tensor, steps: int = 3, **options: Any) -> Tensor:
    """What `fit` recorded, as a tensor of the CPU."""
    batches = itertools.repeat(batch if len(batch) > 1 else batch[0])
    with runtime.global_seed(1):
        history = training.fit(
            model, batches, steps=steps, progress=False, precision="float32", **options
        )
    return torch.tensor(list(history.values.values()), device="cpu")


def drawn(picture: Axes | Figure | list[Axes]) -> list[Tensor]:
    """The numbers in a figure: images, lines, points and bars."""
    axes = picture.axes if isinstance(picture, Figure) else np.ravel(picture)
    arrays: list[Any] = []
    for ax in axes:
        arrays += [np.ma.filled(image.get_array(), np.nan) for image in ax.images]
        arrays += [line.get_xydata() for line in ax.lines]
        arrays += [np.ma.filled(points.get_offsets(), np.nan) for points in ax.collections]
        arrays += [bar.get_bbox().get_points() for bar in ax.patches if hasattr(bar, "get_bbox")]
    plt.close("all")
    assert arrays
    return [torch.as_tensor(np.asarray(a, dtype=np.float64), device="cpu") for a in arrays]


# variational autoencoders


@entry("vae.reparameterize", "vae.kl_to_standard_normal", "vae.beta_vae_loss", "vae.kl_weight")
def _(at: str) -> Any:
    mu, logvar, eps = (normal(at, 4, 3, seed=s) for s in range(3))
    kl = vae.kl_to_standard_normal(mu, logvar)
    weight = vae.kl_weight(2, 4)
    return vae.reparameterize(mu, logvar, eps), kl, vae.beta_vae_loss(kl, kl, beta=weight)


@entry("vae.bernoulli_log_likelihood", "vae.gaussian_log_density")
def _(at: str) -> Any:
    x, mu, logvar = (normal(at, 4, 3, seed=s) for s in range(3))
    return vae.bernoulli_log_likelihood(mu, x.sigmoid()), vae.gaussian_log_density(x, mu, logvar)


@entry("vae.BernoulliPixels", "vae.GaussianPixels")
def _(at: str) -> Any:
    kinds, x = (vae.BernoulliPixels(), vae.GaussianPixels(0.1)), pictures(at)
    drawn = [p.draw(x, g) for p in kinds for g in (seeded(0), seeded(0, at))]
    means = [(p.log_prob(p.output_for(x / 2 + 0.1), x), p.mean(x), p.output_for(x)) for p in kinds]
    return drawn, means


@entry("vae.importance_log_weights")
def _(at: str) -> Any:
    mu, logvar = normal(at, 4, 3), normal(at, 4, 3, seed=1)
    return [
        vae.importance_log_weights(lambda z: z.sum(1), mu, logvar, K=2, generator=g)
        for g in (seeded(0), seeded(0, at))
    ]


@entry("vae.mlp")
def _(at: str) -> Any:
    return made(at, lambda: vae.mlp(3, 8, 2))(normal(at, 4, 3))


@entry("vae.Autoencoder")
def _(at: str) -> Any:
    model = made(at, lambda: vae.Autoencoder(2, 16, SHAPE))
    x = pictures(at)
    return model.loss(x), model.decode(model.encode(x))


@entry("vae.TrainedDecoder", "vae.trained_decoder")
def _(at: str) -> Any:
    return vae.trained_decoder().to(at)(normal(at, 2, 16))


@entry("gan.trained_generator")
def _(at: str) -> Any:
    return gan.trained_generator().to(at)(normal(at, 2, 64), torch.arange(2, device=at))


@entry("vae.VAE")
def _(at: str) -> Any:
    model, x = small_vae(at), pictures(at)
    with runtime.global_seed(0, at):
        loss = model.loss(x)
    weights = [model.log_weights(x, K=2, generator=g) for g in (seeded(0), seeded(0, at))]
    codes = normal("cpu", 4, 3)  # moved
    samples = model.sample(3), model.sample(3, draw=True)
    return loss, weights, samples, model.reconstruct(x), model.decode_mean(codes)


@entry("vae.ConditionalVAE")
def _(at: str) -> Any:
    model, x, y = conditional_vae(at), pictures(at), whole("cpu", 4, 4)  # labels are moved
    with runtime.global_seed(0, at):
        loss = model.loss(x, y)
    samples = model.sample(y), model.sample(y, draw=True)
    return loss, model.log_weights(x, y, K=2, generator=seeded(0)), samples, model.reconstruct(x, y)


@entry("vae.GaussianMixture")
def _(at: str) -> Any:
    z = normal(at, 60, 3)
    mixture = vae.GaussianMixture.fit(z, 4, steps=5)
    found = mixture.weights, mixture.means, mixture.covariances
    return found, mixture.log_prob(z), mixture.sample(5)


@entry("vae.LinearGaussianVAE")
def _(at: str) -> Any:
    model, x = made(at, lambda: vae.LinearGaussianVAE(5, 2)), normal(at, 4, 5)
    with runtime.global_seed(0, at):
        loss = model.loss(x)
    exact = model.exact_posterior(x)
    q = vae.Posterior(*(t.detach() for t in model.encode(x)))
    weights = [model.log_weights(x, K=2, generator=seeded(0), q=given) for given in (None, q)]
    before = model.log_prob(x), model.elbo(x, *exact), model.decode(q.mu), weights
    model.em_step(x)
    model.set_exact_encoder()
    return loss, exact, before, model.log_prob(x), model.encode(x), model.sample(3)


@refused("VAE: codes, images and labels of another device")
def _(at: str) -> Any:
    return [
        lambda: small_vae(at).loss(pictures("cpu")),
        lambda: small_vae(at).decode(normal("cpu", 2, 3)),
        lambda: small_vae(at).reconstruct(pictures("cpu")),
        lambda: small_vae("cpu").loss(pictures(at)),
        lambda: conditional_vae(at).loss(pictures("cpu"), whole(at, 4, 4)),
        lambda: made(at, lambda: vae.Autoencoder(2, 16, SHAPE)).encode(pictures("cpu")),
        lambda: made(at, lambda: vae.Autoencoder(2, 16, SHAPE)).decode(normal("cpu", 2, 2)),
        lambda: made(at, lambda: vae.LinearGaussianVAE(5, 2)).loss(normal("cpu", 4, 5)),
        lambda: made(at, lambda: vae.LinearGaussianVAE(5, 2)).log_prob(normal("cpu", 4, 5)),
    ]


@refused("GaussianMixture: codes of another device")
def _(at: str) -> Any:
    mixtures = [vae.GaussianMixture.fit(normal(where, 60, 3), 4, steps=5) for where in (at, "cpu")]
    return [
        lambda: mixtures[0].log_prob(normal("cpu", 4, 3)),
        lambda: mixtures[1].log_prob(normal(at, 4, 3)),
    ]


@refused("functions of two tensors")
def _(at: str) -> Any:
    a, b = normal(at, 4, 3), normal("cpu", 4, 3)
    return [
        lambda: vae.reparameterize(a, a, b),
        lambda: vae.kl_to_standard_normal(a, b),
        lambda: vae.bernoulli_log_likelihood(a, b),
        lambda: vae.gaussian_log_density(a, a, b),
        lambda: gan.discriminator_loss(a, b),
        lambda: gan.gradient_penalty(lambda x: x.sum(1), a, b, a[:, 0]),
        lambda: gan.optimal_discriminator(a, b),
        lambda: ar.sequence_nll(normal(at, 2, 3, 5), whole("cpu", 5, 2, 3)),
    ]


# adversarial networks


@entry(
    "gan.discriminator_loss", "gan.generator_loss", "gan.saturating_loss",
    "gan.hinge_discriminator_loss", "gan.least_squares_discriminator_loss",
    "gan.least_squares_generator_loss", "gan.wasserstein_critic_loss",
    "gan.wasserstein_generator_loss",
)  # fmt: skip
def _(at: str) -> Any:
    real, fake = normal(at, 4), normal(at, 4, seed=1)
    return [(one.discriminator(real, fake), one.generator(fake)) for one in gan.LOSSES.values()]


@entry("gan.game_value", "gan.jensen_shannon", "gan.optimal_discriminator")
def _(at: str) -> Any:
    p, q = uniform(at, 9), uniform(at, 9, seed=1)
    best = gan.optimal_discriminator(p, q)
    return best, gan.game_value(p, q, best, 0.1), gan.jensen_shannon(p, q, 0.1)


@entry("gan.shift_brightness", "gan.translate", "gan.cutout", "gan.augment")
def _(at: str) -> Any:
    x, u = pictures(at), uniform(at, 4, 2)
    with runtime.global_seed(0, at):
        plain = gan.augment(x)
    return gan.shift_brightness(x, u[:, 0]), gan.translate(x, u), gan.cutout(x, u), plain, [
        gan.augment(x, g) for g in (seeded(0), seeded(0, at))
    ]  # fmt: skip


@entry("gan.gradient_penalty", "gan.r1_penalty")
def _(at: str) -> Any:
    critic, real = image_gan(at).discriminator, pictures(at)
    fake, eps = uniform(at, 4, *SHAPE, seed=1), uniform(at, 4)
    penalty = gan.gradient_penalty(critic, real, fake, eps) + gan.r1_penalty(critic, real)
    penalty.sum().backward()
    return penalty, [p.grad for p in critic.parameters() if p.grad is not None]


@entry("gan.measured")
def _(at: str) -> Any:
    return [row["modes"] for row in gan.measured("remedies")]


@entry("gan.PointGenerator", "gan.PointDiscriminator")
def _(at: str) -> Any:
    model = made(at, lambda: gan.GAN(gan.PointGenerator(2, 8), gan.PointDiscriminator(8)))
    x = normal(at, 4, 2)
    with runtime.global_seed(0, at):
        return model.discriminator_loss(x), model.generator_loss(x), model.sample(3)


@entry("gan.Generator", "gan.Discriminator", "gan.GAN")
def _(at: str) -> Any:
    model, x = image_gan(at, r1=0.1, gp=0.1, augment=gan.augment), pictures(at)
    with runtime.global_seed(0, at):
        losses = model.discriminator_loss(x), model.generator_loss(x)
    return losses, model.sample(3), model.generate(normal("cpu", 2, 3))


@entry("gan.ConditionalGAN")
def _(at: str) -> Any:
    model, x, y = image_gan(at, 4), pictures(at), whole(at, 4, 4)
    with runtime.global_seed(0, at):
        losses = model.discriminator_loss(x, y), model.generator_loss(x, y)
    return losses, model.sample(whole("cpu", 4, 3))


@entry("gan.ema_update")
def _(at: str) -> Any:
    average, model = (made(at, lambda: gan.Generator(3, 4, SHAPE)) for _ in "ab")
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1)
    gan.ema_update(average, model, 0.9)
    return list(average.state_dict().values())


@entry("gan.dcgan_init")
def _(at: str) -> Any:
    layer = made(at, lambda: nn.Conv2d(1, 2, 3))
    with runtime.global_seed(0, at):
        gan.dcgan_init(layer)
    return layer.weight, layer.bias


@refused("GAN: codes, images and labels of another device")
def _(at: str) -> Any:
    points = made(at, lambda: gan.GAN(gan.PointGenerator(2, 8), gan.PointDiscriminator(8)))
    model, x = image_gan(at, 4), pictures(at)
    return [
        lambda: model.discriminator_loss(pictures("cpu"), whole(at, 4, 4)),
        lambda: model.discriminator_loss(x, whole("cpu", 4, 4)),
        lambda: model.generator(normal("cpu", 4, 3), whole(at, 4, 4)),
        lambda: model.discriminator(x, whole("cpu", 4, 4)),
        lambda: points.discriminator_loss(normal("cpu", 4, 2)),
    ]


# autoregressive models


@entry("ar.trained_gpt", "ar.recorded")
def _(at: str) -> Any:
    tokens = torch.tensor([[1, 5, 9, 2]]).to(at)
    return ar.trained_gpt().to(at)(tokens), ar.recorded("overfitting")["step"]


@entry("ar.causal_mask", "ar.attention_weights", "ar.causal_attention", "ar.apply_rotary")
def _(at: str) -> Any:
    q, k, v = (normal(at, 2, 5, 4, seed=s) for s in range(3))
    return ar.causal_mask(5, at), ar.attention_weights(q, k), ar.causal_attention(q, k, v), (
        ar.apply_rotary(q, 2)
    )  # fmt: skip


@entry("ar.CausalSelfAttention", "ar.Block", "ar.KVCache")
def _(at: str) -> Any:
    block, x = made(at, lambda: ar.Block(8, 2)), normal(at, 2, 5, 8)
    cache = ar.KVCache(5)
    first = block(x[:, :3], cache)
    return block(x), torch.cat([first, block(x[:, 3:], cache)], 1), block.attention(x)


@entry("ar.GPT")
def _(at: str) -> Any:
    model, idx = small_gpt(at), whole(at, 10, 2, 6)
    prompt = whole("cpu", 10, 2, 3)  # moved
    texts = [model.generate(prompt, 8, top_k=5, seed=3, cached=cached) for cached in (True, False)]
    return model(idx), model.loss(idx, idx), model.attention_maps(idx), texts


@entry("ar.generate")
def _(at: str) -> Any:
    model, idx = small_gpt(at), whole(at, 10, 2, 3)
    return [ar.generate(model, idx, 4, 8, generator=g) for g in (seeded(0), seeded(0, at))]


@entry(
    "ar.sample_token", "ar.filtered_probs", "ar.temperature_probs", "ar.top_k_filter",
    "ar.top_p_filter",
)  # fmt: skip
def _(at: str) -> Any:
    logits = normal(at, 3, 10)
    with runtime.global_seed(0):
        plain = ar.sample_token(logits)
    drawn_tokens = [ar.sample_token(logits, generator=g) for g in (seeded(0), seeded(0, at))]
    kept = ar.top_k_filter(logits, 3), ar.top_p_filter(logits, 0.7)
    return plain, drawn_tokens, kept, ar.filtered_probs(logits, 0.5, 5, 0.9), (
        ar.temperature_probs(logits, 0.0), ar.temperature_probs(logits, 2.0)
    )  # fmt: skip


@entry("ar.next_token_pairs", "ar.sequence_nll")
def _(at: str) -> Any:
    x, y = ar.next_token_pairs(whole(at, 5, 13), 4)
    return x, y, ar.sequence_nll(normal(at, *x.shape, 5), y.masked_fill(y == 0, ar.IGNORED))


@entry(
    "ar.BPE", "ar.bpe_train", "ar.bpe_merge_step", "ar.bpe_encode", "ar.pair_counts",
    "ar.merge_pair", "ar.split_words", "ar.bits_per_byte", lies="cpu",
)  # fmt: skip
def _(at: str) -> Any:
    merges = ar.bpe_train("the cat that sat on the mat", 5)
    first, words = ar.bpe_merge_step({tuple(b): 1 for b in ar.split_words("aab ab")}, 256)
    tokenizer = ar.BPE(merges, ("<end>",))
    tokens = tokenizer.encode("a hat")
    assert tokenizer.decode(tokens.to(at)) == "a hat" and ar.bits_per_byte(2.0, 1) > 2
    counts, merged = ar.pair_counts(words), ar.merge_pair((1, 1, 1), (1, 1), 2)
    return tokens, list(first), [list(pair) for pair in counts], list(merged)


@entry("ar.bigram_counts", "ar.bigram_probs", "ar.bigram_nll")
def _(at: str) -> Any:
    tokens = whole(at, 5, 40)
    counts = ar.bigram_counts(tokens, 5)
    probs = ar.bigram_probs(counts, 0.5)
    return counts, probs, ar.bigram_nll(probs, tokens), ar.bigram_nll(probs.cpu(), tokens)


@entry("ar.MarkovSource", lies="cpu")
def _(at: str) -> Any:
    source = ar.MarkovSource(uniform(at, 4, 4).softmax(1))
    return source.stationary, source.entropy, source.sample(20)


@entry("ar.made_masks", "ar.MaskedLinear", "ar.MADE")
def _(at: str) -> Any:
    model, x = made(at, lambda: ar.MADE((1, 4, 4), 8)), binary(at)[..., :4, :4].contiguous()
    masks = [mask.to(at) for mask in ar.made_masks(4, 5, 2)]
    return masks, model(x), model.log_prob(x), model.loss(x), model.sample(2)


@entry("ar.raster_sample")
def _(at: str) -> Any:
    return [
        ar.raster_sample(lambda x: x - 0.5, 2, (1, 3, 3), g, at) for g in (seeded(0), seeded(0, at))
    ]


@entry("ar.NeuralNgram")
def _(at: str) -> Any:
    model, idx = made(at, lambda: ar.NeuralNgram(10, 3, 4, 8)), whole(at, 10, 2, 6)
    return model(idx), model.loss(idx, idx)


@entry("ar.pixelcnn_mask", "ar.MaskedConv2d", "ar.PlainPixelCNN", "ar.gate", "ar.GatedLayer")
def _(at: str) -> Any:
    plain, x = made(at, lambda: ar.PlainPixelCNN(4, 3, 2)), pictures(at)
    layer = made(at, lambda: ar.GatedLayer(2, 3))
    v = normal(at, 2, 2, 5, 5)
    return plain(x), ar.gate(normal(at, 2, 4)), layer(v, v), ar.pixelcnn_mask(3, "B").to(at)


@entry("ar.PixelCNN")
def _(at: str) -> Any:
    model = small_pixelcnn(at)
    x = (uniform(at, 2, 1, 6, 6) > 0.5).float()
    known = torch.zeros(1, 6, 6, dtype=torch.bool, device=at)
    known[:, :2] = True
    samples = model.sample(2), model.complete(x, known), model.complete(x.cpu(), known.cpu())
    return model(x), model.log_prob(x), model.loss(x), samples


@entry("ar.depends_on", "ar.find_leak", lies="cpu")
def _(at: str) -> Any:
    moved = ar.depends_on(small_gpt(at), whole(at, 10, 1, 6))
    pixels = ar.depends_on(small_pixelcnn(at), uniform(at, 1, 1, 6, 6), swaps=1)
    return moved, pixels, ar.find_leak(moved), ar.find_leak(moved, own_input=True)


@refused("autoregressive models: tokens and pixels of another device")
def _(at: str) -> Any:
    gpt, other = small_gpt(at), whole("cpu", 10, 2, 6)
    ngram = made(at, lambda: ar.NeuralNgram(10, 3, 4, 8))
    few = (uniform("cpu", 2, 1, 6, 6) > 0.5).float()
    return [
        lambda: gpt(other),
        lambda: gpt.attention_maps(other),
        lambda: gpt.loss(other, other.to(at)),
        lambda: gpt.loss(other.to(at), other),
        lambda: ngram(other),
        lambda: small_pixelcnn(at).log_prob(few),
        lambda: small_pixelcnn(at)(few),
        lambda: made(at, lambda: ar.MADE((1, 6, 6), 8)).log_prob(few),
        lambda: made(at, lambda: ar.MADE((1, 6, 6), 8))(few),
    ]


# diffusion and flow matching


def plane_mixture(at: str) -> diffusion.GaussianMixture:
    """Two normals with covariances of their own."""
    roots = normal(at, 2, 2, 2, seed=7)
    covariances = roots @ roots.mT + 0.2 * torch.eye(2, device=at)
    return diffusion.GaussianMixture(
        torch.tensor([0.3, 0.7], device=at), normal(at, 2, 2), covariances
    )


def exact_model(at: str) -> diffusion.ExactDiffusion:
    return diffusion.ExactDiffusion(plane_mixture(at), diffusion.cosine(0.0))


@entry(
    "diffusion.Path", "diffusion.linear", "diffusion.cosine", "diffusion.linear_beta",
    "diffusion.ve", "diffusion.perturb", "diffusion.snr",
)  # fmt: skip
def _(at: str) -> Any:
    x, eps, t = normal(at, 4, 3), normal(at, 4, 3, seed=1), uniform(at, 4) * 0.8 + 0.1
    paths = diffusion.linear(), diffusion.cosine(), diffusion.linear_beta(), diffusion.ve(5.0)
    moved = [(p.perturb(x, eps, t), p.velocity(x, eps, t), p.snr(t)) for p in paths]
    return moved, [p.perturb(x, eps, 0.5) for p in paths], diffusion.perturb(x, eps, t, 1.0), (
        diffusion.snr(1 - t, t)
    )  # fmt: skip


@entry(
    "diffusion.linear_betas", "diffusion.scaled_linear_betas", "diffusion.cosine_betas",
    "diffusion.alpha_bars", "diffusion.terminal_snr", "diffusion.check_terminal_snr",
    "diffusion.ddpm_levels", "diffusion.edm_levels", "diffusion.score_sde_levels",
    "diffusion.even_times", "diffusion.rho_levels", lies="cpu",
)  # fmt: skip
def _(at: str) -> Any:
    betas = diffusion.linear_betas(9), diffusion.scaled_linear_betas(9), diffusion.cosine_betas(9)
    bars = [diffusion.alpha_bars(b) for b in betas]
    diffusion.check_terminal_snr(bars[2])
    grids = (
        diffusion.even_times(4),
        [diffusion.rho_levels(4, last=e) for e in ("zero", "sigma_min")],
    )
    levels = diffusion.ddpm_levels(betas[0], 5), diffusion.edm_levels(0.5), (
        diffusion.score_sde_levels(0.5), diffusion.score_sde_levels(0.5, "ve")
    )  # fmt: skip
    return bars, [diffusion.terminal_snr(b) for b in bars], grids, levels


@entry(
    "diffusion.convert", "diffusion.pair_from", "diffusion.row_of", "diffusion.weight_of",
    "diffusion.min_snr_weight", "diffusion.edm_weight",
)  # fmt: skip
def _(at: str) -> Any:
    x_t, value, t = normal(at, 4, 3), normal(at, 4, 3, seed=1), uniform(at, 4) * 0.8 + 0.1
    path, kinds = diffusion.cosine(), diffusion.KINDS
    found = [
        diffusion.convert(value, a, b, x_t, path, when)
        for a in kinds
        for b in kinds
        for when in (t, 0.4)
    ]
    weights = [diffusion.weight_of(kind, path, t) for kind in kinds]
    more = (
        diffusion.min_snr_weight(1 - t, t),
        diffusion.edm_weight(t),
        diffusion.row_of("u", path, t),
    )
    return found, diffusion.pair_from(value, "v", x_t, path, t), weights, more


@entry(
    "diffusion.x_from_eps", "diffusion.eps_from_x", "diffusion.v_from_pair", "diffusion.x_from_v",
    "diffusion.eps_from_v", "diffusion.score_from_x", "diffusion.x_from_score",
    "diffusion.score_from_eps", "diffusion.to_linear", "diffusion.to_vp", "diffusion.to_ve",
    "diffusion.from_reversed_time",
)  # fmt: skip
def _(at: str) -> Any:
    x_t, value, t = normal(at, 4, 3), normal(at, 4, 3, seed=1), uniform(at, 4) * 0.8 + 0.1
    given = x_t, value, 1 - t, t
    maps = (
        diffusion.x_from_eps, diffusion.eps_from_x, diffusion.v_from_pair, diffusion.x_from_v,
        diffusion.eps_from_v, diffusion.score_from_x, diffusion.x_from_score,
    )  # fmt: skip
    turned = [
        turn(x_t, 1 - t, t) for turn in (diffusion.to_linear, diffusion.to_vp, diffusion.to_ve)
    ]
    return [f(*given) for f in maps], turned, diffusion.score_from_eps(value, t), (
        diffusion.from_reversed_time(t, value)
    )  # fmt: skip


@entry(
    "diffusion.mixture_score", "diffusion.mixture_denoiser", "diffusion.mixture_responsibilities",
    "diffusion.isotropic_mixture", "diffusion.marginal", "diffusion.GaussianMixture",
    "diffusion.gaussian_flow_map", "diffusion.optimal_denoiser", "diffusion.copying_denoiser",
)  # fmt: skip
def _(at: str) -> Any:
    x, t, means, stds = (
        normal(at, 4, 2),
        uniform(at, 4) + 0.1,
        normal(at, 3, 2, seed=1),
        uniform(at, 3) + 0.2,
    )
    weights = uniform(at, 3, seed=1).softmax(0)
    given = x, 1 - 0.5 * t, t, means, stds, weights
    fields = [
        f(*given)
        for f in (
            diffusion.mixture_score, diffusion.mixture_denoiser, diffusion.mixture_responsibilities
        )
    ]  # fmt: skip
    mixture = diffusion.isotropic_mixture(means, stds, weights)
    noisy = diffusion.marginal(mixture, 0.5, 0.5).log_prob(x)
    moved = diffusion.gaussian_flow_map(x, 1.0, 0.5, (0.2, 0.8), (1.0, 0.0))
    copies = diffusion.optimal_denoiser(x, 0.5, means), diffusion.optimal_denoiser(x, t, means, t)
    copies = *copies, diffusion.copying_denoiser(means, diffusion.linear())(x, t.clamp(max=0.9))
    return fields, noisy, moved, copies, diffusion.isotropic_mixture(means, 0.5).covariances


@entry("diffusion.copying_ratio", lies="cpu")
def _(at: str) -> Any:
    return diffusion.copying_ratio(*(normal(at, 9, 2, seed=s) for s in range(3)))


@entry("diffusion.ExactDiffusion")
def _(at: str) -> Any:
    exact, x, t = exact_model(at), normal(at, 4, 2), uniform(at, 4) * 0.8 + 0.1
    methods = (
        exact.log_prob,
        exact.score,
        exact.denoise,
        exact.noise,
        exact.velocity,
        exact.posterior_variance,
    )
    return [method(x, when) for method in methods for when in (t, 0.4)], exact.sample(5, 0.3)


@entry(
    "diffusion.denoiser_floor", "diffusion.noise_floor", "diffusion.velocity_floor",
    "diffusion.flow_matching_floor", "diffusion.straightness_of_gaussian",
)  # fmt: skip
def _(at: str) -> Any:
    t = uniform(at, 4)
    floors = diffusion.denoiser_floor(0.5, 1 - t, t), diffusion.noise_floor(0.5, 1 - t, t)
    return floors, diffusion.velocity_floor(0.5, t), diffusion.flow_matching_floor(0.5), (
        diffusion.straightness_of_gaussian(0.5)
    )  # fmt: skip


@entry(
    "diffusion.squared_error", "diffusion.denoising_loss", "diffusion.flow_matching_pair",
    "diffusion.flow_matching_loss", "diffusion.score_matching_loss",
    "diffusion.implicit_score_matching_loss", "diffusion.denoising_score_matching_loss",
    "diffusion.field_and_divergence",
)  # fmt: skip
def _(at: str) -> Any:
    x, eps, t = normal(at, 4, 2), normal(at, 4, 2, seed=1), uniform(at, 4) * 0.8 + 0.1
    exact, path = exact_model(at), diffusion.cosine(0.0)
    field = lambda y: -y * y.square()  # noqa: E731
    losses = (
        diffusion.squared_error(x, eps, t),
        diffusion.denoising_loss(exact.denoise, x, eps, t, path, t),
        diffusion.flow_matching_loss(exact.velocity, x, eps, t),
        diffusion.score_matching_loss(field, x, eps),
        diffusion.denoising_score_matching_loss(field, x, eps, t),
        diffusion.implicit_score_matching_loss(field, x).detach(),
    )  # fmt: skip
    divergence = [part.detach() for part in diffusion.field_and_divergence(field, x)]
    return losses, diffusion.flow_matching_pair(x, eps, t), divergence


@entry("diffusion.uniform_times", "diffusion.logit_normal_times", lies="cpu")
def _(at: str) -> Any:
    return diffusion.uniform_times(5, seeded(0)), diffusion.logit_normal_times(5, seeded(0))


@entry(
    "diffusion.sde_coefficients", "diffusion.forward_sde", "diffusion.reverse_sde",
    "diffusion.euler_maruyama", "diffusion.langevin", "diffusion.churn_step",
)  # fmt: skip
def _(at: str) -> Any:
    exact, x, t = exact_model(at), normal(at, 4, 2), uniform(at, 4) * 0.8 + 0.1
    times, path = diffusion.even_times(3, 0.9, 0.2), exact.path
    equations = diffusion.forward_sde(path), diffusion.reverse_sde(path, exact.score)
    walks = [
        (
            [diffusion.euler_maruyama(*e, x, times, g) for e in equations],
            diffusion.langevin(lambda y: -y, x, 0.1, 3, g),
            diffusion.churn_step(x, 1.0, 0.1, g),
        )
        for g in (seeded(0), seeded(0, at))
    ]
    return walks, diffusion.sde_coefficients(path, t)


@entry("diffusion.brownian_variance", "diffusion.ornstein_uhlenbeck_variance")
def _(at: str) -> Any:
    t = uniform(at, 4)
    return diffusion.brownian_variance(t), diffusion.ornstein_uhlenbeck_variance(t, 0.5, 1.0)


@entry(
    "diffusion.euler", "diffusion.euler_step", "diffusion.heun", "diffusion.heun_step",
    "diffusion.ddim", "diffusion.ddim_step", "diffusion.ancestral", "diffusion.ddpm_step",
    "diffusion.ancestral_posterior", "diffusion.predictor_corrector",
    "diffusion.langevin_correction", "diffusion.follow",
)  # fmt: skip
def _(at: str) -> Any:
    exact, x, x_hat = exact_model(at), normal(at, 4, 2), normal(at, 4, 2, seed=1)
    path, times = exact.path, diffusion.even_times(3)
    t, s, start, end = times[1], times[2], (0.5, 0.8), (0.9, 0.3)
    u, ways = exact.velocity, (seeded(0), seeded(0, at))
    steps = (
        diffusion.euler_step(u, x, t, s), diffusion.heun_step(u, x, t, s),
        diffusion.ddim_step(x, x_hat, start, end), diffusion.ddpm_step(x, x_hat, x, start, end),
        diffusion.ancestral_posterior(x, x_hat, start, end)[0],
        diffusion.follow(lambda x, t, s: x * (1 + s), x, times, keep=True),
    )  # fmt: skip
    whole = diffusion.euler(u, x, times, keep=True), diffusion.heun(u, x, times), (
        diffusion.ddim(exact.denoise, x, path, times)
    )  # fmt: skip
    return (
        steps,
        whole,
        [
            (
                diffusion.ancestral(exact.denoise, x, path, times, g),
                diffusion.predictor_corrector(u, exact.score, x, path, times, g),
                diffusion.langevin_correction(exact.score, x, t, 0.5, generator=g),
            )
            for g in ways
        ],
    )


@entry(
    "diffusion.reflow_pairs",
    "diffusion.straightness",
    "diffusion.mixed_up",
    "diffusion.optimal_pairs_1d",
)
def _(at: str) -> Any:
    exact, eps, times = exact_model(at), normal(at, 4, 2), diffusion.even_times(3)
    pairs = diffusion.reflow_pairs(exact.velocity, eps, times)
    sorted_pairs = diffusion.optimal_pairs_1d(eps[:, :1], eps[:, 1:])
    return (
        pairs,
        diffusion.straightness(exact.velocity, eps, times),
        diffusion.mixed_up(eps),
        sorted_pairs,
    )


@entry(
    "diffusion.guided",
    "diffusion.guided_field",
    "diffusion.classifier_guidance",
    "diffusion.from_one_plus_w",
)
def _(at: str) -> Any:
    a, b, t = normal(at, 4, 2), normal(at, 4, 2, seed=1), uniform(at, 4)
    field = diffusion.guided_field(lambda x, t: x, lambda x, t: -x, diffusion.from_one_plus_w(2.0))
    return diffusion.guided(a, b, 3.0), field(a, t), diffusion.classifier_guidance(a, b, 2.0)


@entry("diffusion.TwoClasses", "diffusion.replacement_limit", lies="cpu")
def _(at: str) -> Any:
    classes = diffusion.TwoClasses()
    limit = diffusion.replacement_limit(0.9, 2.0, n=200)
    return limit, classes.product_moments(2.0), classes.guided_moments(2.0, n=10, particles=11)


@entry(
    "diffusion.inpaint",
    "diffusion.inpaint_step",
    "diffusion.replace_known",
    "diffusion.image_to_image",
    "diffusion.slerp",
)
def _(at: str) -> Any:
    exact, x, known = exact_model(at), normal(at, 4, 2), normal(at, 4, 2, seed=1)
    mask, path, times = (
        torch.tensor([1.0, 0.0], device=at).expand(4, 2),
        exact.path,
        diffusion.even_times(3),
    )
    return (
        diffusion.slerp(x, known, 0.3),
        diffusion.replace_known(x, known, mask, x, 0.5, 0.5),
        [
            (
                diffusion.inpaint(exact.denoise, x, known, mask, path, times, g, deterministic),
                diffusion.image_to_image(exact.denoise, x, path, times, g),
            )
            for g in (seeded(0), seeded(0, at))
            for deterministic in (False, True)
        ],
    )


@entry(
    "diffusion.divergence", "diffusion.hutchinson", "diffusion.sign_probe",
    "diffusion.ode_log_prob", "diffusion.ode_likelihood_step", "diffusion.hutchinson_variance",
    "diffusion.standard_normal_log_prob",
    "diffusion.continuity_residual", "diffusion.diffusion_elbo",
)  # fmt: skip
def _(at: str) -> Any:
    exact = diffusion.ExactDiffusion(plane_mixture(at), diffusion.linear())
    x, t, times = normal(at, 4, 2), uniform(at, 4) * 0.8 + 0.1, diffusion.even_times(3, 0.0, 1.0)
    probes = [diffusion.sign_probe(x, g) for g in (seeded(0), seeded(0, at))]
    traces = [
        diffusion.divergence(exact.velocity, x, t),
        diffusion.hutchinson(exact.velocity, x, t, probes[0]),
    ]
    log_p = [diffusion.ode_log_prob(exact.velocity, x, times, p) for p in (None, probes[0])]
    log_p.append(diffusion.ode_likelihood_step(exact.velocity, x, times[1], times[2]))
    residual = diffusion.continuity_residual(exact.log_prob, exact.velocity, x, t)
    falling = diffusion.even_times(3, 1.0, 0.1)
    bounds = [
        diffusion.diffusion_elbo(exact.denoise, x, exact.path, falling, g)
        for g in (seeded(0), seeded(0, at))
    ]
    flat = [part.detach() for pair in traces for part in pair]
    return probes, flat, log_p, residual, bounds, diffusion.hutchinson_variance(x[:2]), (
        diffusion.standard_normal_log_prob(x)
    )  # fmt: skip


@entry("diffusion.time_embedding", "diffusion.PointNetwork", "diffusion.preconditioning")
def _(at: str) -> Any:
    network, t = made(at, lambda: diffusion.PointNetwork(2, 8, num_classes=3)), uniform(at, 4)
    x, y = normal(at, 4, 2), whole(at, 3, 4)
    return (
        network(x, t, y),
        network(x, t),
        diffusion.time_embedding(t, 7),
        diffusion.preconditioning(1 - t, t),
    )


@entry("diffusion.DiffusionModel")
def _(at: str) -> Any:
    x, y, t = normal(at, 4, 2), whole(at, 3, 4), uniform(at, 4) * 0.8 + 0.1
    found = []
    for predict in diffusion.PREDICTS:
        network = made(at, lambda: diffusion.PointNetwork(2, 8, num_classes=3))
        model = diffusion.DiffusionModel(network, predict=predict, num_classes=3)
        with runtime.global_seed(0, at):
            loss = model.loss(x, y, eps=x, t=t)
        asked = [model.ask(kind, x, t, y, 2.0) for kind in diffusion.KINDS]
        found.append((loss, asked, model.sample(3, steps=2), model.sample(4, 2, y=y.cpu())))
    return found


def small_images(at: str, num_classes: int = 3) -> diffusion.ImageDiffusion:
    def new() -> diffusion.ImageDiffusion:
        return diffusion.ImageDiffusion(diffusion.UNet(4, 6, 8, num_classes, SHAPE, 2))

    return made(at, new)


@entry(
    "diffusion.ImageDiffusion", "diffusion.UNet", "diffusion.Modulated", "diffusion.Averaged",
    "diffusion.centred", "diffusion.uncentred",
)  # fmt: skip
def _(at: str) -> Any:
    model, x, y = small_images(at), pictures(at, 2), whole(at, 3, 2)
    told = normal(at, 2, 128), uniform(at, 2)
    layer = made(at, lambda: diffusion.Modulated(4))
    with runtime.global_seed(0, at):
        loss = model.loss(x, y, t=told[1], eps=x)
    return (
        loss, layer(normal(at, 2, 4, 3), told[0]), diffusion.uncentred(diffusion.centred(x)),
        model.sample(2, steps=2, y=y.cpu(), w=2.0), model.sample(2, steps=2),
        trained(small_images(at), x, y).tolist(),
    )  # fmt: skip


@entry("diffusion.CodeNetwork", "diffusion.LatentDiffusion", "diffusion.code_flow")
def _(at: str) -> Any:
    def new() -> diffusion.LatentDiffusion:
        network = diffusion.CodeNetwork(3, 8, 1, num_classes=3)
        return diffusion.LatentDiffusion(vae.VAE(3, 8, SHAPE), network)

    model, x, y = made(at, new), binary(at, 2), whole(at, 3, 2)
    flow = made(at, lambda: diffusion.code_flow(diffusion.CodeNetwork(3, 8, 1)))
    z, t = normal(at, 2, 3), uniform(at, 2)
    history = trained(made(at, new), x, y).tolist()
    return model.sample(2, steps=2, y=y), flow.loss(z, t=t, eps=z), history


@entry("diffusion.trained_denoiser", "diffusion.trained_code_flow", "diffusion.recorded")
def _(at: str) -> Any:
    labels = torch.arange(2, device=at)
    drawn_by = diffusion.trained_denoiser("mnist"), diffusion.trained_code_flow()
    shipped = [model.to(at).sample(2, steps=2, y=labels) for model in drawn_by]
    return shipped, len(diffusion.recorded("families"))


@entry(
    "diffusion.AffineCoupling", "diffusion.NormalizingFlow", "diffusion.affine_coupling",
    "diffusion.affine_coupling_inverse",
)  # fmt: skip
def _(at: str) -> Any:
    flow, x = made(at, lambda: diffusion.NormalizingFlow(3, 2, 8)), normal(at, 4, 3)
    layer = made(at, lambda: diffusion.AffineCoupling(3, 8))
    moved = diffusion.affine_coupling(x, x, x), diffusion.affine_coupling_inverse(x, x, x)
    return flow.loss(x), flow.log_prob(x), flow.sample(3), layer(x), layer.inverse(x), moved


@entry(
    "diffusion.change_of_variables", "diffusion.jacobian", "diffusion.logistic_map",
    "diffusion.logit_normal_log_prob", "diffusion.polar_to_plane",
)  # fmt: skip
def _(at: str) -> Any:
    x = uniform(at, 4, 2) * 0.8 + 0.1
    log_p = diffusion.change_of_variables(x, torch.logit, diffusion.standard_normal_log_prob)
    slopes = diffusion.jacobian(diffusion.polar_to_plane, x)
    return (
        log_p.detach(),
        slopes.detach(),
        diffusion.logistic_map(x),
        diffusion.logit_normal_log_prob(x),
    )


@refused("diffusion: points and labels of another device")
def _(at: str) -> Any:
    network = made(at, lambda: diffusion.PointNetwork(2, 8))
    model = diffusion.DiffusionModel(network)
    flow = made(at, lambda: diffusion.NormalizingFlow(2, 2, 8))
    here = normal("cpu", 4, 2)
    return [
        lambda: network(here, uniform("cpu", 4)),
        lambda: model.loss(here),
        lambda: model.denoise(here, 0.5),
        lambda: flow.log_prob(here),
        lambda: diffusion.perturb(here, normal(at, 4, 2), 0.5, 0.5),
        lambda: diffusion.guided(here, normal(at, 4, 2), 2.0),
    ]


# evaluation


@entry("evaluation.feature_network", "evaluation.FeatureNetwork", lies="cpu")
def _(at: str) -> Any:
    assert next(evaluation.feature_network("mnist").parameters()).device.type == "cpu"
    network, x = evaluation.feature_network("mnist").to(at), uniform(at, 3, 1, 28, 28)
    try:
        logits = network(x)
        assert logits.device == x.device
        return network.features(x), network.classify(x), network.features(x.cpu()), logits.cpu()
    finally:
        network.to("cpu")


@entry("evaluation.iwae_bound", "evaluation.bits_per_dim", "evaluation.active_units")
def _(at: str) -> Any:
    log_w = normal(at, 5, 4)
    return evaluation.iwae_bound(log_w), evaluation.bits_per_dim(log_w, 7), (
        evaluation.active_units(log_w)
    )  # fmt: skip


@entry("evaluation.dataset_elbo_terms", "evaluation.dataset_iwae_bound", lies="cpu")
def _(at: str) -> Any:
    model, x = small_vae(at), pictures(at, 6)
    terms = [evaluation.dataset_elbo_terms(model.loss, x, batch_size=4) for _ in "ab"]
    return terms, evaluation.dataset_iwae_bound(model.log_weights, x, K=3)


@entry("evaluation.refit_posterior")
def _(at: str) -> Any:
    model, x = small_vae(at), pictures(at, 6)
    return evaluation.refit_posterior(model, x, steps=3)


@entry("evaluation.elbo_under", "evaluation.index_information", lies="cpu")
def _(at: str) -> Any:
    model, x = small_vae(at), pictures(at, 6)
    q = vae.Posterior(normal(at, 6, 3), normal(at, 6, 3, seed=1))
    return evaluation.elbo_under(model, x, q, K=3, rows_at_once=6), (
        evaluation.index_information(q.mu, q.logvar, draws=2)
    )  # fmt: skip


@entry(
    "evaluation.frechet_distance", "evaluation.kernel_distance", "evaluation.precision_recall",
    "evaluation.mode_coverage",
    lies="cpu",
)  # fmt: skip
def _(at: str) -> Any:
    x, y = normal(at, 30, 2), normal(at, 30, 2, seed=1)
    centres, stds = normal("cpu", 3, 2, seed=2), uniform("cpu", 3) + 0.5  # as a mixture's
    numbers = [
        distance(a, b)
        for distance in (evaluation.frechet_distance, evaluation.kernel_distance)
        for a, b in ((x, y), (x, y.cpu()))
    ]
    mixtures = (centres, stds), (centres.to(at), stds.to(at))
    numbers += [evaluation.precision_recall(x, b) for b in (y, y.cpu())]
    return numbers, [evaluation.mode_coverage(x, *mixture) for mixture in mixtures]


@entry("evaluation.nearest_neighbours")
def _(at: str) -> Any:
    x, train = pictures(at, 2), uniform(at, 9, *SHAPE, seed=1)
    return [evaluation.nearest_neighbours(x, t, 2) for t in (train, train.cpu())]


@refused("a classifier's images of another device")
def _(at: str) -> Any:
    network = made(at, evaluation.FeatureNetwork)
    return [lambda: network(uniform("cpu", 2, 1, 28, 28))]


# training


@entry(
    "training.fit", "training.History", "training.Player", "training.JointOptimizer",
    "training.Muon", "training.adam",
    lies="cpu",
)  # fmt: skip
def _(at: str) -> Any:
    tokens = whole("cpu", 10, 4, 6)  # batches are moved
    return [
        trained(small_vae(at), pictures("cpu")),
        trained(conditional_vae(at), pictures("cpu"), whole("cpu", 4, 4)),
        trained(image_gan(at, 4, r1=0.1), pictures("cpu"), whole("cpu", 4, 4)),
        trained(small_gpt(at), tokens, tokens),
        trained(small_pixelcnn(at), (uniform("cpu", 2, 1, 6, 6) > 0.5).float()),
    ]


@entry("training.check_model", "training.require_terms", lies="cpu")
def _(at: str) -> Any:
    model, x = small_vae(at), pictures(at)
    training.check_model(model, x)
    with runtime.global_seed(0, at):
        terms = training.require_terms(model.loss(x), len(x))
    return {name: value.cpu() for name, value in terms.items()}


@entry("training.orthogonalize")
def _(at: str) -> Any:
    return training.orthogonalize(normal(at, 2, 5, 3))


# figures


@entry("figures.curves", "figures.log_scale", lies="cpu")
def _(at: str) -> Any:
    x = uniform(at, 5).requires_grad_()
    ax = figures.curves(x, {"a": x + 1, "b": x * 2}, "x", "y", "title")
    figures.log_scale(ax)
    return drawn(ax)


@entry("figures.training_curves", "figures.running_mean", lies="cpu")
def _(at: str) -> Any:
    history = training.History({"loss": uniform(at, 50).tolist()})
    return drawn(figures.training_curves(history))


@entry("figures.bars", lies="cpu")
def _(at: str) -> Any:
    return drawn(figures.bars("abc", {"one": uniform(at, 3), "two": uniform(at, 3)}, "y", "title"))


@entry(
    "figures.families", "figures.graphical_model", "figures.vae_diagram", "figures.gan_diagram",
    "figures.gpt_block", "figures.query_key_value", "figures.pixelcnn_stacks", "figures.panels",
    "figures.coupling_diagram", "figures.diffusion_diagram", "figures.unet_diagram",
    "figures.use_style", lies="cpu",
)  # fmt: skip
def _(at: str) -> Any:
    figures.use_style()
    schematics = (
        figures.families, figures.graphical_model, figures.vae_diagram, figures.gan_diagram,
        figures.gpt_block, figures.query_key_value, figures.pixelcnn_stacks,
        figures.coupling_diagram, figures.diffusion_diagram, figures.unet_diagram,
    )  # fmt: skip
    _, axes = figures.panels(len(schematics))
    counts = [len(draw(ax=ax).patches) for draw, ax in zip(schematics, axes, strict=True)]
    plt.close("all")
    return counts


@entry("figures.tile", "figures.image_grid", "figures.image_rows", lies="cpu")
def _(at: str) -> Any:
    x = pictures(at, 5)
    rows = figures.image_rows({"a": x, "b": x[:3]})
    return figures.tile(x, 3), drawn(rows), drawn(figures.image_grid(x, 3))


@entry("figures.prior_quantile_grid", "figures.image_map", lies="cpu")
def _(at: str) -> Any:
    grid = figures.prior_quantile_grid(3)
    x = uniform(at, 3, 3, *SHAPE)
    return grid, drawn(figures.image_map(x, grid[0, :, 0].to(at)))


@entry("figures.latent_scatter", "figures.map_square", "figures.point_clouds", lies="cpu")
def _(at: str) -> Any:
    z, labels = normal(at, 20, 2), whole(at, 3, 20)
    clouds = figures.point_clouds({"data": z, "model": z + 1}, "title")
    codes = figures.map_square(z[:, 0], figures.latent_scatter(z, labels))
    return drawn(codes), drawn(clouds)


@entry("figures.made_network", lies="cpu")
def _(at: str) -> Any:
    return drawn(figures.made_network([(uniform(at, 4, 3) > 0.5).float(), whole(at, 2, 3, 4)]))


@entry("figures.vector_field", "figures.trajectories", lies="cpu")
def _(at: str) -> Any:
    x, v = normal(at, 5, 2), normal(at, 5, 2, seed=1)
    lines = drawn(figures.trajectories(uniform(at, 3), normal(at, 3, 4, 1), "title"))
    return lines, [drawn(figures.vector_field(x, v, "title", longest=r)) for r in (None, 0.5)]


@entry("figures.heatmap", "figures.plane_grid", lies="cpu")
def _(at: str) -> Any:
    grid, cell = figures.plane_grid(3.0, 7)
    return grid, cell, drawn(figures.heatmap(grid.to(at).sum(1).sigmoid(), "title"))[:1]


# widgets, in their static form, and what a slider calls


@entry("widgets.latent_explorer", "widgets.LatentExplorer", "widgets.latent_strip", lies="cpu")
def _(at: str) -> Any:
    model, centre = small_vae(at), normal(at, 3)
    explorer = widgets.latent_explorer(lambda z: model.decode(z).sigmoid(), centre)
    strips = [
        drawn(widgets.latent_strip(decode, c))
        for decode, c in (
            (model.decode_mean, centre.cpu()),
            (model.decode_mean, centre),
            (lambda z: model.decode(z).sigmoid(), centre),
        )
    ]
    explorer.build()
    return strips, explorer.code.cpu(), explorer.show(explorer.code[None])


@entry("widgets.image_replay", "widgets.ImageReplay", "widgets.replay_strip", lies="cpu")
def _(at: str) -> Any:
    frames: Mapping[int, Tensor] = {0: pictures(at), 5: pictures(at)}
    replay = widgets.image_replay(frames, columns=2)
    return drawn(widgets.replay_strip(frames, 2)), replay.show(5)


@entry("widgets.pixel_replay", "widgets.PixelReplay", "widgets.pixel_strip", lies="cpu")
def _(at: str) -> Any:
    x, p = binary(at, 2), pictures(at, 2)
    known = x[0] > 2
    replay = widgets.pixel_replay(x, p, known)
    return drawn(widgets.pixel_strip(x, p, moments=3)), replay.show(4), replay.caption(4)


@entry("widgets.attention_viewer", "widgets.AttentionViewer", "widgets.attention_grid", lies="cpu")
def _(at: str) -> Any:
    from gencourse.widgets.attention import MapFilm, attention_map

    maps = small_gpt(at).attention_maps(whole(at, 10, 1, 6))[:, 0]
    tokens, viewer = LETTERS[:6], widgets.attention_viewer(maps, LETTERS[:6])
    one = drawn(attention_map(maps[0, 0], tokens))
    return viewer.weights, drawn(widgets.attention_grid(maps, tokens)), one, (
        MapFilm(tokens).draw(viewer.weights[0, 0], 1, "title")
    )  # fmt: skip


@entry(
    "widgets.sampling_explorer", "widgets.SamplingExplorer", "widgets.sampling_strip",
    lies="cpu",
)  # fmt: skip
def _(at: str) -> Any:
    from gencourse.widgets.next_token import token_bars

    gpt, logits = small_gpt(at), normal(at, 10)

    def next_logits(prompt: str) -> Tensor:
        idx = torch.tensor([[LETTERS.index(c) for c in prompt[-8:]]], device=at)
        return gpt(idx)[0, -1]

    explorer = widgets.sampling_explorer(next_logits, LETTERS, "abc")
    written = explorer.write_token_by_token("ab", 5, 1.0, None, None, seed=0)
    bars = drawn(token_bars(logits.softmax(0), ar.filtered_probs(logits, top_k=4), LETTERS))
    return explorer.logits, written, drawn(widgets.sampling_strip(logits, LETTERS)), bars


@entry("widgets.noise_explorer", "widgets.NoiseExplorer", "widgets.noise_strip", lies="cpu")
def _(at: str) -> Any:
    exact = exact_model(at)
    explorer = widgets.noise_explorer(exact)
    return (
        drawn(widgets.noise_strip(exact, (0.1, 0.9)))[:3],
        explorer.caption(0.5),
        len(explorer.show(0.5)) > 0,
    )


@entry(
    "widgets.flow_replay",
    "widgets.FlowReplay",
    "widgets.flow_strip",
    "widgets.carried_grid",
    lies="cpu",
)
def _(at: str) -> Any:
    exact, like = exact_model(at), normal(at, 1)
    frames = widgets.carried_grid(exact.velocity, like, side=3, steps=4)
    replay = widgets.flow_replay(exact.velocity, like, side=3, steps=4)
    return frames, replay.frames, drawn(widgets.flow_strip(frames)), len(replay.show(2)) > 0


@entry(
    "widgets.guidance_explorer", "widgets.GuidanceExplorer", "widgets.guidance_strip", lies="cpu"
)
def _(at: str) -> Any:
    uncond = exact_model(at)
    one = diffusion.isotropic_mixture(uncond.mixture.means[:1], 0.5)
    cond = diffusion.ExactDiffusion(one, uncond.path)
    explorer = widgets.guidance_explorer(cond, uncond)
    strip = drawn(widgets.guidance_strip(cond, uncond, steps=(2,), weights=(1.0, 2.0)))
    return strip, explorer.caption(3, 2.0), len(explorer.show(3, 2.0)) > 0


@entry("widgets.denoising_film", "widgets.DenoisingFilm", "widgets.denoising_strip", lies="cpu")
def _(at: str) -> Any:
    film = widgets.denoising_film(small_images(at), whole(at, 3, 2), n=2, steps=3)
    frames = [(frame.noisy, frame.guess) for frame in film.frames]
    return frames, drawn(widgets.denoising_strip(film.frames)), film.caption(1), film.show(1)


@entry("widgets.asking_explorer", "widgets.AskingExplorer", "widgets.asking_strip", lies="cpu")
def _(at: str) -> Any:
    model = small_images(at)
    explorer = widgets.asking_explorer(model, "abc")
    return drawn(widgets.asking_strip(model, "abc", settings=((2, 2.0),))), explorer.show(1, 2, 2.0)


@entry("widgets.gan_lab", "widgets.GanLab", "widgets.film_strip", lies="cpu")
def _(at: str) -> Any:
    match = gan_lab.Match(gan_lab.Settings(penalty="gradient penalty"))
    match.step()
    frame = match.observe()
    assert isinstance(widgets.gan_lab(), widgets.GanLab)
    strip = widgets.film_strip(gan_lab.recorded("ring"))
    return frame.fake, frame.surface, frame.scores.divergence, drawn(strip)[:3]
