# %% [markdown]
# # 1 · Variational autoencoders
#
# A generative model learns a distribution from examples, and then makes new ones. Here you build one from its
# equations: a variational autoencoder (VAE), which draws handwritten digits after less than a minute of training on a
# laptop. Every formula on the way is checked against something that does not depend on it.
#
# **You will be able to** derive the evidence lower bound and say how loose it is; write the loss, train the model and
# sample from it; read its numbers in nats and in bits per pixel; and tell the usual failures apart.
#
# **You need** Python, a little PyTorch, and the idea of a probability density. A GPU is used if there is one; none is
# needed. The exercises are in [`exercises/01_vae.ipynb`](../exercises/01_vae.ipynb), the answers in
# [`solutions/01_vae.ipynb`](../solutions/01_vae.ipynb).

# %%
import math
import time

import matplotlib.pyplot as plt
import torch
from torch import nn
from tqdm.auto import tqdm

from gencourse import figures
from gencourse.claims import claim
from gencourse.data import binarised, images, minibatches
from gencourse.evaluation import (
    active_units, bits_per_dim, dataset_elbo_terms, dataset_iwae_bound,
    nearest_neighbours)
from gencourse.models import vae as m
from gencourse.runtime import manual_seed, pick_device, scaled, seeded
from gencourse.training import check_model, fit
from gencourse.widgets import latent_explorer, latent_strip

device = pick_device()
print("running on", device)

# %% [markdown]
# ## 1.1 What generative models are for, and three families of them
#
# A generative model turns data into more data of the same kind: texts into a text, images into an image, a table row into a
# sentence, a description into a picture, sounds into speech. It helps to write, to draw, to fill in what is missing, to
# compress, to find the example that does not fit. All of it rests on three steps, the same in every chapter: collect
# **data**, **fit** a distribution to them, **sample** from it.
#
# What differs is what the model lets you do afterwards. Can it say how probable a given image is? Can it make a new one in
# a single pass? Does it explain an image by a short code?

# %% tags=["map"]
figures.families();

# %% [markdown]
# *The figure compares the three families of this course, column by column. A VAE makes samples in one pass and finds
# codes, and pays with a probability that is known only as a lower bound. The chapters on adversarial and on
# autoregressive models make the other two bargains.*
#
# The data of this chapter are real: ten thousand handwritten digits, which ship with the course.

# %%
digits = images("mnist")
print(digits)
figures.image_grid(digits.train[:40], columns=20,
                   title="The first forty training images");

# %% [markdown]
# *Forty of the training images. Each has 28 × 28 pixels, 0 is black and 1 is white.*
#
# ## 1.2 An autoencoder, and the holes in its latent space
#
# Before the VAE, the simpler idea: squeeze each image through a narrow code and ask the network to restore it. The
# encoder maps x to a code z of two numbers, the decoder maps z back to an image.
#
# First the batches. The stream below is endless and shuffled, and each pixel is drawn anew at every pass: white with its
# grey value as the probability, else black (*dynamic binarisation*). Binary pixels make the likelihood of an image a true
# probability, which we will need.

# %%
def digit_batches(batch_size=128, seed=0):
    return binarised(minibatches(digits.train_bytes, batch_size=batch_size, seed=seed),
                     seed=seed + 1)


x = next(digit_batches())
print(x.shape, x.unique())

# %%
manual_seed(0)
autoencoder = m.Autoencoder(latent_dim=2).to(device)
history = fit(autoencoder, digit_batches(),
              steps=scaled(default=600, smoke=10, full=5000), lr=4e-3)
figures.training_curves(history, title="Autoencoder with two latent numbers");

# %% [markdown]
# *The reconstruction loss of the autoencoder, as running means. An untrained network pays about $784 \log 2 \approx 543$
# nats, a coin toss per pixel; that start is too brief to be seen here. Two numbers per image save most of it.*
#
# A word on the unit. A cost $-\log p$ with the natural logarithm is counted in **nats**; one nat is $1/\log 2 \approx 1.44$
# bits. A model that gives an image ten nats less finds it $e^{10}$ times less probable.
#
# So far, so good. But can it make new images? That needs codes to decode, and nobody has said where codes come from. The
# natural guess: look where the codes of images lie, fit a normal distribution to them, and draw from that.

# %%
# one fixed binarisation of the test set
test = torch.bernoulli(digits.test, generator=seeded(7))
with torch.no_grad():
    codes = autoencoder.encode(test.to(device)).cpu()
    guess = torch.distributions.MultivariateNormal(codes.mean(0), codes.T.cov())
    manual_seed(3)
    drawn = guess.sample((20,))
    decoded = autoencoder.decode(drawn.to(device)).sigmoid()

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained",
                                     width_ratios=(1.2, 1))
figures.latent_scatter(codes, digits.test_labels, title="Codes of test images", ax=left)
left.plot(*drawn.T, "kx", ms=7, mew=2)
left.set_aspect("auto")
figures.image_grid(decoded, columns=5, title="What the decoder makes of the crosses",
                   ax=right);

# %% [markdown]
# *Left: where the encoder puts test images, a colour and a marker for each digit; the crosses are drawn from a normal
# distribution with the same mean and covariance. Right: the decoder's images at the crosses. Where codes are dense they
# are digits; in the gaps and outside they are blots.*
#
# The autoencoder was never told to use its code space in any particular way, so there are holes, and no rule for where
# to draw a code from. **We need a model that fixes the distribution of the codes in advance.**
#
# ## 1.3 A latent variable model that fits on a page
#
# Turn the story round and start from the codes. Nature draws a code $z$ from a **prior** $p(z)$ and then an
# observation $x$ from $p(x \mid z)$. Both are simple. What we observe is the **marginal**, in which every code has its
# say:
#
# $$p(x) = \int p(x \mid z)\, p(z)\, dz .$$
#
# In one dimension that integral can be done on a grid. Take $p(z) = \mathcal N(0, 1)$ and
# $p(x \mid z) = \mathcal N(f(z), s^2)$ with a bent curve $f$.

# %%
s = 0.25


def f(z):
    return 1.6 * torch.tanh(2 * z) + 0.3 * z


def log_normal(x, mean, std):
    return -0.5 * ((x - mean) / std) ** 2 - math.log(std) - 0.5 * math.log(2 * math.pi)


# `claim` prints a measured number beside the one that the text states of it
z_grid, x_grid = torch.linspace(-5, 5, 2001), torch.linspace(-4.5, 4.5, 1801)
dz, dx = z_grid[1] - z_grid[0], x_grid[1] - x_grid[0]
# log p(x, z)
log_joint = log_normal(x_grid[:, None], f(z_grid), s) + log_normal(z_grid, 0.0, 1.0)
marginal = log_joint.exp().sum(1) * dz  # p(x)
claim("total_probability", (marginal * dx).sum())

# %%
z_drawn = torch.randn(4000, generator=seeded(0))
x_drawn = f(z_drawn) + s * torch.randn(4000, generator=seeded(1))

figure, (first, second, third) = plt.subplots(1, 3, figsize=(11, 3.2),
                                              layout="constrained")
figures.curves(z_grid, {"p(z)": log_normal(z_grid, 0.0, 1.0).exp()}, "z", "density",
               "Prior", ax=first)
z_axis, x_axis = z_grid.numpy(), x_grid.numpy()
second.pcolormesh(z_axis[::10], x_axis[::10], log_joint.exp().numpy()[::10, ::10],
                  cmap="viridis", rasterized=True)
second.plot(z_axis, f(z_grid).numpy(), "w--", lw=1)
second.set(xlabel="z", ylabel="x", title="Joint p(x, z), and the curve f",
           ylim=(-3.5, 3.5), xlim=(-3.5, 3.5))
third.hist(x_drawn, bins=60, density=True, color="0.8", label="drawn: first z, then x")
figures.curves(x_grid, {"p(x) by integration": marginal}, "x", "density", "Marginal",
               ax=third)
third.legend(loc="lower center");

# %% [markdown]
# *A plain bell over z (left) becomes a distribution with two peaks over x (right). The grey histogram was drawn by the
# two-step story, first z and then x, and agrees with the integral. The integral over x gives {{total_probability}}, as
# a density must.*
#
# With two numbers per code such a grid has four million points; with sixteen it has more points than the Earth has atoms.
# For images the integral is out of reach, and with it the likelihood that we would like to maximise. That is the problem which the VAE
# solves.
#
# ## 1.4 A bound, in two ways
#
# Take **any** distribution $q(z)$ over codes that is positive wherever the joint is. Multiply and divide by it inside the
# integral, and use that the logarithm of an average is at least the average of the logarithms (Jensen):
#
# $$\log p(x) = \log \mathbb E_{q}\!\left[\frac{p(x, z)}{q(z)}\right]
#   \;\ge\; \mathbb E_{q}\!\left[\log p(x, z) - \log q(z)\right] =: \mathrm{ELBO}(q).$$
#
# This is the *evidence lower bound*. The second way says how much is lost. It needs the **divergence** of two
# distributions, $\mathrm{KL}(q \,\|\, p) = \mathbb E_q[\log q - \log p]$, which by the same inequality is never negative,
# and zero only if they are equal. Since $p(x, z) = p(z \mid x)\, p(x)$, where $p(z \mid x)$ is the **posterior**, the
# distribution of codes after seeing x,
#
# $$\log p(x, z) - \log q(z) = \log p(x) + \log p(z \mid x) - \log q(z),$$
#
# and the average of this under $q$ is
#
# $$\mathrm{ELBO}(q) = \log p(x) - \mathrm{KL}\big(q(z)\,\|\,p(z \mid x)\big).$$
#
# The gap is a divergence, zero exactly when $q$ is the posterior. For one observation x and many $q = \mathcal N(m, \sigma^2)$
# we can look: the bound as a mean over draws from q, the gap by integration on the grid.

# %%
x_seen = 0.9
log_p_xz = log_normal(torch.tensor(x_seen), f(z_grid), s) + log_normal(z_grid, 0.0, 1.0)
log_p_x = torch.logsumexp(log_p_xz, 0) + dz.log()
log_posterior = log_p_xz - log_p_x
centre = (log_posterior.exp() * z_grid).sum() * dz  # the posterior's mean


def bound_from_draws(std):
    z = centre + std * torch.randn(200_000, generator=seeded(0))
    log_p = log_normal(torch.tensor(x_seen), f(z), s) + log_normal(z, 0.0, 1.0)
    return (log_p - log_normal(z, centre, std)).mean()

def gap_on_the_grid(std):
    log_q = log_normal(z_grid, centre, std)
    return (log_q.exp() * (log_q - log_posterior)).sum() * dz


widths = torch.linspace(0.03, 0.4, 60)
bounds = torch.stack([bound_from_draws(w.item()) for w in widths])
gaps = torch.stack([gap_on_the_grid(w.item()) for w in widths])
claim("bound_plus_gap", (bounds + gaps - log_p_x).abs().max())
claim("smallest_gap", gaps.min())

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
best = widths[gaps.argmin()].item()
shapes = {"posterior p(z | x)": log_posterior.exp(),
          f"q with σ = {best:.2f}": log_normal(z_grid, centre, best).exp()}
figures.curves(z_grid, shapes, "z", "density", f"Posterior at x = {x_seen}", ax=left)
left.set_xlim(-0.5, 1.5)
right.axhline(log_p_x.item(), color="black", ls=":", label="log p(x)")
figures.curves(widths, {"ELBO": bounds}, "standard deviation σ of q", "nats",
               "The bound and its gap", ax=right)
right.fill_between(widths.numpy(), bounds.numpy(), log_p_x.item(), alpha=0.2,
                   label="KL(q ‖ posterior)")
right.set_ylim(log_p_x.item() - 2, log_p_x.item() + 0.2)
right.legend();

# %% [markdown]
# *Left: the posterior of z after seeing x = 0.9, and a normal q at its mean with the best width. Right: the bound for q of
# different widths. It comes closest at the width on the left and stays {{smallest_gap}} nats below log p(x): the
# posterior is skew, and no normal distribution is equal to it. The shaded gap is the KL divergence.*
#
# Bound and gap, computed in two ways that know nothing of each other, add up to log p(x) for all sixty values of σ, with an
# error of less than {{bound_plus_gap}} nats.
#
# For training, the ELBO is split a third way. With $\log p(x, z) = \log p(x \mid z) + \log p(z)$ it falls into the two
# terms that you will see in every VAE:
#
# $$\mathrm{ELBO}(q) = \underbrace{\mathbb E_{q}[\log p(x \mid z)]}_{\text{minus the reconstruction cost}}
#   \;-\; \underbrace{\mathrm{KL}\big(q(z)\,\|\,p(z)\big)}_{\text{price of the code}} .$$
#
# Read it as a message. To say where in the latent space the image lies, more precisely than the prior already says, costs KL
# nats: nothing if q is the prior, more the narrower q is. What the code does not say costs $-\log p(x\mid z)$ nats. The loss
# is the **sum** of the two costs. A minus sign between them in a *loss* would pay q for leaving the prior, without end.
#
# ## 1.5 Gaussian densities and their divergence
#
# For $q = \mathcal N(\mu, \mathrm{diag}\,\sigma^2)$ both ingredients have closed forms. The log-density of independent
# coordinates is a sum:
#
# $$\log \mathcal N(x; \mu, \sigma^2) = -\tfrac12 \sum_d \Big[\log 2\pi + \log\sigma_d^2 + \frac{(x_d - \mu_d)^2}{\sigma_d^2}\Big].$$
#
# Later a network, the encoder, will give μ and $\log\sigma^2$ for each image; its two outputs are called *heads*. The second is
# $\log\sigma^2$, in code `logvar`, because it may have any sign and its exponential is always positive. Compare with PyTorch's own distribution:

# %%
x, mu, logvar = torch.randn(3, 5, 4, generator=seeded(0))
ours = m.gaussian_log_density(x, mu, logvar)
theirs = torch.distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x).sum(1)
print(ours)
print(theirs)

# %% [markdown]
# For the KL to the standard normal, average $\log q$ and $\log p$ under $q$, coordinate by coordinate. With
# $\mathbb E_q[(z - \mu)^2] = \sigma^2$ and $\mathbb E_q[z^2] = \mu^2 + \sigma^2$,
#
# $$\mathbb E_q[\log q] = -\tfrac12 \big(\log 2\pi + \log\sigma^2 + 1\big), \qquad
#   \mathbb E_q[\log p] = -\tfrac12 \big(\log 2\pi + \mu^2 + \sigma^2\big),$$
#
# and the difference, summed over coordinates, is
#
# $$\mathrm{KL} = \tfrac12 \sum_d \big[\mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2\big].$$
#
# An average over draws must give the same, without knowing the formula:

# %%
mu, logvar = torch.tensor([[1.0, -0.5]]), torch.tensor([[1.2, -1.5]])
z_q = mu + (0.5 * logvar).exp() * torch.randn(400_000, 2, generator=seeded(0))
standard = torch.zeros_like(z_q)
log_q = m.gaussian_log_density(z_q, mu.expand_as(z_q), logvar.expand_as(z_q))
log_ratio = log_q - m.gaussian_log_density(z_q, standard, standard)
exact = m.kl_to_standard_normal(mu, logvar)
print(f"closed form {exact.item():.3f}, mean over draws {log_ratio.mean():.3f} nats")
claim("kl_difference", log_ratio.mean() - exact)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained",
                                     sharey=True)
line = torch.linspace(-3, 3, 121)[:, None]
moved = m.kl_to_standard_normal(line, torch.zeros_like(line))
figures.curves(line[:, 0], {"σ = 1": moved}, "mean μ", "KL in nats", "Moving the mean",
               ax=left)
std = torch.linspace(0.05, 3, 121)[:, None]
stretched = m.kl_to_standard_normal(torch.zeros_like(std), 2 * std.log())
figures.curves(std[:, 0], {"μ = 0": stretched}, "standard deviation σ", "KL in nats",
               "Changing the width", ax=right);

# %% [markdown]
# *The price of one code number. Left: the price grows as the square of the mean. Right: a narrow q is expensive, because being
# precise is what carries information; a wide one costs as well. Only the prior itself is free. Closed form and draws
# above differed by less than {{kl_difference}} nats.*
#
# ## 1.6 A gradient through a random draw
#
# The reconstruction term is an expectation under $q$, and $q$ depends on the parameters that we want to train. Two ways
# to get the gradient of $\mathbb E_{z \sim \mathcal N(\mu, \sigma^2)}[g(z)]$ from draws:
#
# - **score function**: $\nabla \int q\, g = \int g\, \nabla q = \mathbb E_q[g\, \nabla \log q]$, so one draw gives
#   $g(z)\,\nabla_\mu \log q(z)$. It asks nothing of $g$ but its values.
# - **reparameterisation**: write $z = \mu + \sigma\varepsilon$ with $\varepsilon \sim \mathcal N(0, 1)$; now the draw
#   is outside, and $\nabla_\mu\, g(\mu + \sigma\varepsilon)$ is an ordinary derivative. It asks for a $g$ that has one, and
#   for a $z$ that is a smooth function of noise.
#
# Both are right on average. Compare how much they scatter for $g(z) = (z - 2)^2$ and $\sigma = 1$:

# %%
mu0, eps = torch.tensor(0.0), torch.randn(100_000, generator=seeded(0))
z_q = mu0 + eps
reparameterised = 2 * (z_q - 2)  # dg/dz · dz/dμ, and dz/dμ = 1
score = (z_q - 2) ** 2 * (z_q - mu0)  # g(z) · d log q/dμ
true_gradient = 2 * (mu0 - 2)
print(
    f"exact {true_gradient:.2f}; means {reparameterised.mean():.2f} and "
    f"{score.mean():.2f}")
claim("variance_ratio", score.var() / reparameterised.var())

# %%
ax = plt.subplots(figsize=(7, 3), layout="constrained")[1]
bins = torch.linspace(-30, 20, 120)
ax.hist(score, bins, density=True, alpha=0.6, color=figures.PALETTE[1],
        label="score function")
ax.hist(reparameterised, bins, density=True, alpha=0.6, color=figures.PALETTE[0],
        label="reparameterised")
ax.axvline(true_gradient, color="black", ls=":", label="exact gradient")
ax.set(xlabel="gradient estimate from one draw", ylabel="density",
       title="Two estimates of the same gradient")
ax.legend();

# %% [markdown]
# *Both histograms have the same mean, the dotted line. The score function's estimates have a long tail to the left (cut at
# −30 here); their variance is about {{variance_ratio}} times as large, so it needs that many draws for each draw of the
# other.*
#
# In code the trick is one line, and gradients reach both heads of the encoder:

# %%
mu = torch.zeros(1, 2, requires_grad=True)
logvar = torch.full((1, 2), math.log(4.0), requires_grad=True)
eps = torch.tensor([[1.0, -0.5]])
z_q = m.reparameterize(mu, logvar, eps)  # mu + exp(½ logvar) · eps
z_q.sum().backward()
print(z_q.detach(), "gradients:", mu.grad, logvar.grad)

# %% [markdown]
# With $\log\sigma^2 = \log 4$ the standard deviation is 2. Check the second gradient by hand: it is $\tfrac12 \sigma \varepsilon$.
#
# ## 1.7 What the decoder's output means
#
# A decoder network returns numbers. Which distribution of x they describe is our decision, and it is part of the model.
#
# **Bernoulli pixels.** The output is a *logit* per pixel, any number $l$, and the pixel is white with probability
# $\mathrm{sigmoid}(l) = 1/(1 + e^{-l})$. Then $\log p(x \mid z)$ is minus the cross-entropy, *summed* over pixels. No label occurs: the
# target is the image itself. Work with logits, because probabilities break:

# %%
logits = torch.tensor([-40.0, 0.0, 40.0])
print("from logits:       ", -nn.functional.softplus(logits))  # log(1 - sigmoid(logit))
print("from probabilities:", (1 - logits.sigmoid()).log())

# %% [markdown]
# The last number should be −40 and is minus infinity, because in single precision sigmoid(40) is exactly 1.
#
# **Gaussian pixels.** With $p(x \mid z) = \mathcal N(\hat x(z), s^2 I)$ and one fixed $s$,
#
# $$-\log p(x \mid z) = \frac{\lVert x - \hat x \rVert^2}{2 s^2} + \text{const}.$$
#
# Multiply the loss by $2s^2$ and it reads $\lVert x - \hat x \rVert^2 + 2s^2 \cdot \mathrm{KL}$: with squared error,
# **the weight of the KL is β = 2s²**. So "squared error plus KL" *is* a Gaussian decoder with $2 s^2 = 1$. And "**mean**
# squared error over 784 pixels plus KL" is one with $2 s^2 = 784$: a decoder that believes every pixel to be off by about
# twenty times the whole grey range. For such a decoder no code is worth its price. Watch what becomes of it:

# %%
def train_gaussian(std):
    manual_seed(0)
    model = m.VAE(latent_dim=8, hidden=256, pixels=m.GaussianPixels(std)).to(device)
    fit(model, minibatches(digits.train_bytes, batch_size=128, seed=0),
        steps=scaled(default=400, smoke=5, full=3000), lr=2e-3)
    return model


stds = {"s = 0.1": 0.1, "s = 0.7 (squared error, summed)": 0.5**0.5,
        "s = 20 (squared error, averaged)": 392**0.5}
gaussians = {name: train_gaussian(std) for name, std in stds.items()}

# %%
shown, grey = digits.test[:12].to(device), digits.test[::4].to(device)
rows = {"test image": shown} | {name: model.reconstruct(shown)
                                for name, model in gaussians.items()}
figures.image_rows(rows,
                   title="The same network under three assumed pixel deviations s")
prices = [dataset_elbo_terms(model.loss, grey)["kl"].mean()
          for model in gaussians.values()]
errors = [(model.reconstruct(grey) - grey).square().mean()
          for model in gaussians.values()]
print("mean squared errors per pixel:", ", ".join(f"{error:.3f}" for error in errors))
claim("kl_sharp", prices[0])
claim("kl_summed", prices[1])
claim("kl_averaged", prices[2])

# %% [markdown]
# *Twelve test images and their reconstructions. With s = 0.1 the model spends about {{kl_sharp}} nats on the code, with
# s = 0.7 only about {{kl_summed}}, and the strokes get coarser. With s = 20 the code costs less than {{kl_averaged}} nats, says
# nothing, and every reconstruction is the same average digit.*
#
# The last row is *posterior collapse*, made by nothing but a `mean` in the place of a `sum`. State the variance, or the
# weighting of your two terms is an accident. (The best fixed $s^2$ is the mean squared error itself; it can be learned.)
#
# ## 1.8 A VAE whose truth is known
#
# Before trusting a bound on digits, test it where the answer is known. With a linear decoder,
# $p(x \mid z) = \mathcal N(Wz + b, s^2 I)$, the marginal is Gaussian as well: $p(x) = \mathcal N(b, WW^\top + s^2 I)$.
# The posterior is Gaussian too: its mean is linear in x, and its covariance $(I + W^\top W / s^2)^{-1}$ is the same for
# every x, and diagonal if the columns of W are orthogonal. Our q, with a linear encoder and a diagonal covariance, can
# reach it, and training turns W until it does. The bound should rise until it **meets** $\log p(x)$.

# %%
manual_seed(0)
truth = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
with torch.no_grad():
    truth.W.copy_(torch.linalg.qr(torch.randn(5, 2))[0] * torch.tensor([2.0, 1.0]))
    truth.log_std.fill_(math.log(0.5))
data, held_out = truth.sample(10_000, seed=1), truth.sample(2_000, seed=2)
student = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
check_model(student, data[:4])

# %%
bound, exact_log_p = [], []


def watch(step):
    if step % 50 == 0:
        elbos = [dataset_elbo_terms(student.loss, held_out, seed=seed)["elbo"].mean()
                 for seed in range(10)]
        bound.append(torch.stack(elbos).mean())
        exact_log_p.append(student.log_prob(held_out).mean().item())


fit(student, minibatches(data, batch_size=256, seed=0),
    steps=scaled(default=2000, smoke=200, full=2000), lr=3e-3, on_step=watch)
watch(0)
ax = figures.curves(
    50 * torch.arange(len(bound)),
    {"ELBO": torch.tensor(bound), "log p(x), exact": torch.tensor(exact_log_p)},
    "training step", "nats per example", "A linear-Gaussian VAE on held-out data",
)
ax.axhline(truth.log_prob(held_out).mean().item(), color="black", ls=":",
           label="the model that made the data")
ax.legend();

# %%
claim("final_gap", exact_log_p[-1] - bound[-1])
claim("cost_of_learning", truth.log_prob(held_out).mean().item() - exact_log_p[-1])

# %% [markdown]
# *The bound starts well below the exact log-likelihood and meets it; both arrive at the model that made the data. At
# the end the gap is less than {{final_gap}} nats, and the student differs from the true model by less than
# {{cost_of_learning}}.*
#
# A wrong $q$ has to pay exactly its divergence. Double the standard deviation of q; the bound must fall by the KL of that
# wide q from the *exact posterior*, which is known here:

# %%
mu, logvar = student.encode(held_out)
mean, covariance = student.exact_posterior(held_out)
gaussian = torch.distributions.MultivariateNormal
wide = gaussian(mu, torch.diag_embed((logvar + 2 * math.log(2.0)).exp()))
predicted = torch.distributions.kl_divergence(wide, gaussian(mean, covariance)).mean()
with torch.no_grad():
    student.logvar += 2 * math.log(2.0)
    elbos = [dataset_elbo_terms(student.loss, held_out, seed=seed)["elbo"].mean()
             for seed in range(50)]
    lowered = torch.stack(elbos).mean()
    student.logvar -= 2 * math.log(2.0)
claim("predicted_loss", predicted)
claim("prediction_error", exact_log_p[-1] - lowered - predicted)

# %% [markdown]
# The theory predicts a loss of about {{predicted_loss}} nats, and the measured one differs from it by less than
# {{prediction_error}}. You have a test that a wrong sign or a missing ½ could not pass.
#
# ## 1.9 Digits
#
# Now the decoder is a network. Instead of fitting one q to every image, a second network, the encoder, gives $\mu(x)$ and
# $\log\sigma^2(x)$ for any image at once (*amortised* inference); from here on we write $q(z \mid x)$.

# %%
manual_seed(0)
mean_image = digits.train.mean(0)
by_hand = m.VAE(latent_dim=16, mean_image=mean_image).to(device)
print(by_hand)

# %% [markdown]
# The encoder turns 784 pixels into 32 numbers, which are split into sixteen means and sixteen log-variances; no activation
# follows the last layer, for both may have any sign. The decoder mirrors it and returns 784 logits. `mean_image` sets the
# bias of its last layer, so that an untrained decoder draws the average digit and need not learn first that margins are
# black.
#
# Written out once, by hand, the training loop is this:

# %%
optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-3)
losses = []
for _step, x in zip(tqdm(range(scaled(default=200, smoke=5, full=200))),
                    digit_batches(), strict=False):
    x = x.to(device)
    mu, logvar = by_hand.encode(x)
    z_q = m.reparameterize(mu, logvar, torch.randn_like(mu))
    reconstruction = -m.bernoulli_log_likelihood(by_hand.decode(z_q), x)  # (B,), nats
    kl = m.kl_to_standard_normal(mu, logvar)  # (B,), nats
    loss = (reconstruction + kl).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"first loss {losses[0]:.0f}, last loss {losses[-1]:.0f} nats")

# %% [markdown]
# Everything before this cell was needed for the few lines in its middle. The loss starts near the cost of the average
# digit, far below a coin toss per pixel.
#
# From here on `fit` does the same, with a progress bar, a learning rate that falls to zero, and products in bfloat16 where
# the hardware is faster with them. Read it with `??fit`. It wants of a model only that `loss(x)` returns a dict whose
# `"loss"` holds one value per example. Your own class can go through the same door; `check_model` says whether it is ready.

# %%
manual_seed(0)
vae = m.VAE(latent_dim=16, mean_image=mean_image).to(device)
check_model(vae, next(digit_batches())[:4].to(device))
history = fit(vae, digit_batches(), steps=scaled(default=1200, smoke=20, full=30_000),
              lr=4e-3)
figures.training_curves(history, title="VAE on binarised digits", ylim=(0, 220));

# %% [markdown]
# *The loss and its two terms, in nats per image. The reconstruction term falls quickly while the code gets more
# expensive: the model learns what is worth saying.*
#
# Training loss is not the result. The result is the bound on images that the model has never seen:

# %%
x_test = test.to(device)
parts = {name: value.mean()
         for name, value in dataset_elbo_terms(vae.loss, x_test).items()}
claim("test_elbo", parts["elbo"])
claim("test_reconstruction", parts["reconstruction"])
claim("test_kl", parts["kl"])
claim("overfitting", -parts["elbo"].item() - history.last("loss", steps=300))

# %% [markdown]
# The test ELBO is about {{test_elbo}} nats per image: {{test_kl}} for the code and {{test_reconstruction}} for what the
# code leaves open. On training batches the bound is better by about {{overfitting}} nats: with ten thousand
# images these networks overfit. With all sixty thousand the test bound is clearly better;
# benchmarks/README.md holds the numbers.
#
# What do reconstructions look like, and what do samples?

# %%
figures.image_rows(
    {"test image": x_test[:14], "reconstruction": vae.reconstruct(x_test[:14])},
    title="Test images and what comes back through the code"
);

# %% [markdown]
# *Above: binarised test images. Below: the decoder's mean at the mean of q(z given x). Smooth where the pixels were
# noisy: the noise is not worth coding.*

# %% tags=["cover"]
with torch.no_grad():  # nobody needs gradients here
    z_p = torch.randn(60, 16, generator=seeded(4)).to(device)  # codes from the prior
    samples = vae.decode(z_p).sigmoid()  # logits become grey values
figures.image_grid(samples, columns=15,
                   title="Samples: z from the prior, then the decoder's mean");

# %% [markdown]
# *Sixty samples, not selected. Codes were drawn from N(0, I) and nothing else; `vae.sample(60, seed=4)` does the same. Many read as digits at once, digits that
# nobody wrote; others are broken or lie between two digits. This is what ten thousand images and a short training buy.*
#
# Codes can be moved as well as drawn. Between two images, decode the points on a straight line:

# %%
ends = vae.encode(x_test[[3, 11, 8]]).mu.detach().cpu()
weight = torch.linspace(0, 1, 12)[:, None]
pairs = ((ends[0], ends[1]), (ends[1], ends[2]), (ends[2], ends[0]))
paths = torch.cat([a + weight * (b - a) for a, b in pairs])
figures.image_grid(vae.decode_mean(paths), columns=12,
                   title="From one test image to another");

# %% [markdown]
# *Each row goes from one code to the next, left to right. The images in between are decoded from codes that no image
# had, and most of them are still strokes of a pen.*
#
# ### A map of two dimensions
#
# With two latent numbers the whole space fits on a page. Cut it so that each cell holds the same share of the prior:

# %%
manual_seed(0)
flat = m.VAE(latent_dim=2, mean_image=mean_image).to(device)
fit(flat, digit_batches(), steps=scaled(default=700, smoke=10, full=10_000), lr=4e-3)
n = 15
grid = figures.prior_quantile_grid(n)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
figures.latent_scatter(flat.encode(x_test).mu, digits.test_labels,
                       title="Codes of test images (means of q)", ax=left)
pictures = flat.decode_mean(grid.flatten(0, 1)).unflatten(0, (n, n)).cpu()
figures.image_map(pictures, grid[0, :, 0], title="The decoder over the whole prior",
                  ax=right);

# %% [markdown]
# *Left: the means of q for test images; they fill the region where the prior has its mass. Right: what the decoder makes
# of a grid over that region. Compare with the autoencoder of section 1.2: there are borders between the digits and a
# blurred middle where several meet, but no holes, and it is known where to draw.*
#
# ### What does each number of the code do?
#
# Back to the model with sixteen latent numbers. Take the code of a test image and move one number at a time, those first
# whose means vary most over the data.

# %%
mu = vae.encode(x_test).mu.detach().cpu()
busiest = mu.var(0).argsort(descending=True)
start_code = mu[4]
latent_strip(vae.decode_mean, start_code, dims=tuple(busiest[:4].tolist()));

# %% [markdown]
# *Each row moves one of the four busiest latent numbers of one test image and leaves the others. A row changes several
# things at once, the shape of the digit and the way it is written: nothing in the loss asks for one meaning per number.*

# %% tags=["widget"]
latent_explorer(vae.decode_mean, start_code, dims=tuple(busiest[:8].tolist()))

# %% [markdown]
# Move a slider, or press *draw from the prior* a few times. Then set all sliders to zero. The image is no digit: zero is the
# densest point of the prior, but draws do not lie near it. In sixteen dimensions their distance from it is about 4.
#
# ### What is it good for?
#
# Besides samples: codes for other models, compression (section 1.11), and finding what does not fit. Here are the test
# images that the model finds least and most probable:

# %%
order = dataset_elbo_terms(vae.loss, x_test)["elbo"].argsort()
surprising = {"lowest ELBO": x_test[order[:14]], "highest ELBO": x_test[order[-14:]]}
figures.image_rows(surprising,
                   title="Which test images surprise the model, and which do not?");

# %% [markdown]
# *Above: the fourteen test images with the lowest bound, thick or unusual digits with many uncertain pixels. Below: those
# with the highest, nearly all of them thin ones: few pixels, little to say.*
#
# ## 1.10 β, warm-up and collapse
#
# A weight on the second term, $\text{reconstruction} + \beta \cdot \mathrm{KL}$, makes codes dearer or cheaper. At
# $\beta = 1$ the loss is minus the ELBO; at any other value it is a choice. Call a latent number *active* if the variance
# of its mean over the data is above 0.01.

# %%
def train_beta(beta, warmup=0, latent_dim=16, seed=0):
    manual_seed(seed)
    model = m.VAE(latent_dim=latent_dim, hidden=256, mean_image=mean_image).to(device)
    steps = scaled(default=500, smoke=5, full=4000)
    fit(model, digit_batches(), steps=steps, lr=2e-3,
        on_step=lambda step: setattr(model, "beta", m.kl_weight(step, warmup, beta)))
    return model


betas = {f"β = {beta:g}": train_beta(beta) for beta in (0.1, 1, 4, 20)}

# %%
measured = {name: {key: value.mean().item()
                   for key, value in dataset_elbo_terms(model.loss, x_test).items()}
            for name, model in betas.items()}
for name, model in betas.items():
    terms = measured[name]
    active = int(active_units(model.encode(x_test).mu).sum())
    print(
        f"{name:8} reconstruction {terms['reconstruction']:6.1f}  KL "
        f"{terms['kl']:5.1f}  ELBO {terms['elbo']:7.1f} nats  active {active}")
rows = {"test image": x_test[:12]} | {name: model.reconstruct(x_test[:12])
                                      for name, model in betas.items()}
figures.image_rows(rows, title="Reconstructions")
claim("kl_cheap", measured["β = 0.1"]["kl"])
claim("kl_dear", measured["β = 20"]["kl"])

# %% [markdown]
# *From top to bottom codes get dearer: {{kl_cheap}} nats are spent on them at β = 0.1 and {{kl_dear}} at β = 20, and the
# reconstructions get coarser until nothing of the image is left.*

# %%
figures.image_rows({name: model.sample(12, seed=1) for name, model in betas.items()},
                   title="Samples");

# %% [markdown]
# *Samples of the same four models. With a small β the codes of images lie far from where the prior draws, so samples are
# poor although reconstructions are good. The bound, printed above, is best at β = 1: it is the only one of the four
# that was trained on it. The number of active units warns late: at β = 20 some means still vary a little while the code
# says next to nothing.*
#
# Early in training the decoder is poor, a code buys little, and the cheapest thing to do is to say nothing. **Warm-up**
# raises β from zero during the first part of training, so that the code is learned before it must be paid for:

# %%
half = scaled(default=250, smoke=3, full=2000)
schedule = torch.tensor([m.kl_weight(step, warmup=half, beta_max=1.0)
                         for step in range(2 * half)])
figures.curves(torch.arange(2 * half), {"β": schedule}, "training step",
               "weight of the KL", "A warm-up over half of the training")
crowded = {name: train_beta(1.0, warmup, latent_dim=64)
           for name, warmup in (("none", 0), ("half", half))}
terms = {name: dataset_elbo_terms(model.loss, x_test)
         for name, model in crowded.items()}
for name, term in terms.items():
    print(
        f"warm-up {name:4}: KL {term['kl'].mean():.1f}, ELBO {term['elbo'].mean():.1f} "
        "nats")
claim("warmup_kl", terms["half"]["kl"].mean() - terms["none"]["kl"].mean())

# %% [markdown]
# *The weight of the KL over training with a warm-up. The printed lines compare two models with 64 latent numbers,
# trained without it and with it.*
#
# With the warm-up the code says about {{warmup_kl}} nats more, in part simply because it was cheap for half of the time. What
# counts is whether the bound gains as well; the printed lines say so for this short run, and one run is no proof.
#
# **Effective β.** A loss often contains a β that nobody chose. If the reconstruction is averaged over P pixels and the
# KL summed, multiply by P: you are training with $\beta = P$. If the KL is averaged over D latent numbers as well,
# $\beta = P/D$. And squared error with an unstated deviation s hides $\beta = 2s^2$ (section 1.7).

# %%
P, D = 784, 16
effective = {
    "sum over pixels, sum over latents": 1,
    "mean over pixels, sum over latents": P,
    "mean over pixels, mean over latents": P / D,
    "sum over pixels, mean over latents": 1 / D,
}
for name, beta in effective.items():
    print(f"{name:50} effective β = {beta:g}")

# %% [markdown]
# ## 1.11 A tighter bound, and what the numbers mean
#
# The gap of the ELBO can be narrowed after training. In section 1.4, $p(x)$ was the average under q of the fraction
# $p(x, z)/q(z)$; call that fraction the *importance weight* of a draw. The ELBO averages logarithms of single weights. The
# **importance-weighted bound** (IWAE) averages K weights first, inside the logarithm:
#
# $$\mathcal L_K = \mathbb E\Big[\log \frac1K \sum_{k=1}^K w_k\Big], \qquad
#   w_k = \frac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}, \quad z_k \sim q(z \mid x).$$
#
# $\mathcal L_1$ is the ELBO, it grows with K, and never passes $\log p(x)$ in expectation. (Burda et al. train on it;
# here it measures.) The logarithm of a sum needs care: numbers below about $e^{-103}$ are zero in single precision, and our
# weights are of that size. So one stays in the logarithm.

# %%
# every fourth: a prefix of MNIST would be an easy part
few = x_test[:: scaled(default=4, smoke=100, full=1)]
sizes = (1, 2, 5, 20, 100, 500)
tighter = {K: dataset_iwae_bound(vae.log_weights, few, K=K) for K in sizes}
means = torch.tensor([tighter[K].mean() for K in sizes])
ax = figures.curves(torch.tensor(sizes), {"IWAE bound": means}, "importance samples K",
                    "nats per image", "The bound tightens with K")
ax.set_xscale("log")
ax.plot(sizes, means, "o", color=figures.PALETTE[0]);

# %%
claim("elbo_of_these", means[0])
claim("iwae_bound", means[-1])
claim("tightening", means[-1] - means[0])
claim("bits_per_pixel", bits_per_dim(-means[-1], 784))
claim("standard_error", tighter[500].std() / len(few) ** 0.5)

# %% [markdown]
# *The bound on the log-likelihood of five hundred test images against the number of importance samples. The first point is
# their ELBO, {{elbo_of_these}} nats; with K = 500 it is {{tightening}} nats higher, and rises ever more slowly.*
#
# How to read such a number:
#
# - **{{iwae_bound}} nats per image** (K = 500): the model gives a test image, in the geometric mean, a probability of at
#   least e to that power, where a fair coin for each pixel gives $2^{-784} \approx e^{-543}$.
# - **{{bits_per_pixel}} bits per pixel**: divide by $784 \log 2$. An ideal compressor with this model needs on average at
#   most that much per pixel; the coin needs 1.
# - The **standard error** over these test images is {{standard_error}} nats. Differences below it need more images, or
#   the same images for both models.
# - A bound from another binarisation, another test set or another K is another quantity. State all three.
#
# ## 1.12 Asking for a digit
#
# Give both networks the label y as well, and the model learns $p(x \mid y)$: a **conditional VAE**. Its code no longer
# has to say which digit it is, only how it is written.

# %%
manual_seed(0)
conditional = m.ConditionalVAE(num_classes=10, latent_dim=16,
                               mean_image=mean_image).to(device)
labelled = binarised(minibatches(digits.train_bytes, digits.train_labels,
                                 batch_size=128, seed=0), seed=1)
fit(conditional, labelled, steps=scaled(default=1200, smoke=10, full=30_000), lr=4e-3)
asked = torch.arange(10).repeat(5)
figures.image_grid(conditional.sample(asked, seed=5), columns=10,
                   title="Asked for 0, 1, 2, ... 9 (columns)");

# %% [markdown]
# *Five samples for each digit that was asked for, not selected. Most show it, some do not, and the model never says which.*
#
# Is the answer true? That has to be checked from outside, not by how sure the model looks. A simple judge is the label of
# the nearest training image. First judge the judge, on real test images:

# %%
_, nearest = nearest_neighbours(digits.test[::4], digits.train)
judge = (digits.train_labels[nearest[:, 0]] == digits.test_labels[::4]).float().mean()
asked = torch.arange(10).repeat(50)
_, nearest = nearest_neighbours(conditional.sample(asked, seed=6).cpu(), digits.train)
obeyed = (digits.train_labels[nearest[:, 0]] == asked).float().mean()
claim("judge_is_right", 100 * judge)
claim("reads_as_asked", 100 * obeyed)

# %% [markdown]
# The judge is right on {{judge_is_right}} % of real digits, and reads the digit that was asked for in {{reads_as_asked}} % of
# the samples.
#
# One code for all ten labels shows what is left for the code to say:

# %%
styles = torch.randn(4, 16, generator=seeded(11)).repeat_interleave(10, 0)
asked = torch.arange(10).repeat(4)
figures.image_grid(
    conditional.decode_mean(styles, conditional.one_hot(asked)), columns=10,
    title="One code per row, one digit per column"
)
kl = dataset_elbo_terms(conditional.loss, x_test,
                        digits.test_labels.to(device))["kl"].mean()
claim("conditional_kl", kl)

# %% [markdown]
# *Each row uses one code with ten labels. Slant and stroke are kept, the digit changes, more cleanly in some rows than in
# others. The code costs about {{conditional_kl}} nats, less than in the model without labels after as many steps: a label
# can save up to $\log 10 \approx 2.3$ of them.*
#
# Note that this bound is one on $\log p(x \mid y)$; for one on $\log p(x, y)$ add $\log p(y) = -\log 10$.
#
# How fast is it? One pass makes a whole batch:

# %%
n = scaled(default=5000, smoke=100, full=20_000)
vae.sample(n).cpu()  # warm up
start = time.perf_counter()
vae.sample(n).cpu()
claim("milliseconds_per_sample", 1000 * (time.perf_counter() - start) / n)

# %% [markdown]
# A sample takes less than {{milliseconds_per_sample}} ms.
#
# ## 1.13 Is it only copying?
#
# A model that had stored its training images would make perfect samples. Look for the nearest training image of each
# sample, and compare distances with those of *test* images, which cannot have been stored:

# %%
train = digits.train
made = vae.sample(500, seed=9).cpu()
near_made, which = nearest_neighbours(made, train)
near_test, _ = nearest_neighbours(vae.reconstruct(x_test[::4]).cpu(), train)
# what copies would look like
copies = torch.bernoulli(train[::20], generator=seeded(1)).to(device)
stored = vae.reconstruct(copies).cpu()
near_stored, _ = nearest_neighbours(stored, train)
figures.image_rows({"sample": made[:14], "nearest in training": train[which[:14, 0]]},
                   title="Samples and their nearest training images");

# %% [markdown]
# *Samples above, their nearest training images below: similar, not the same, some of them another digit.*

# %%
ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")[1]
groups = {"samples": near_made, "test images, reconstructed": near_test,
          "training images, reconstructed": near_stored}
for i, (name, near) in enumerate(groups.items()):
    ax.hist(near[:, 0], torch.linspace(0, 10, 50), histtype="step", lw=2,
            ls=figures.DASHES[i], color=figures.PALETTE[i], label=name)
ax.set(xlabel="distance to the nearest training image", ylabel="images",
       title="Are samples too close to the training set?")
ax.legend()
claim("samples_to_test", near_made.median() / near_test.median())
claim("copies_to_test", near_stored.median() / near_test.median())

# %% [markdown]
# *Distances to the training set of samples, of reconstructed test images, which the model cannot have stored, and of
# reconstructed training images, which is what stored copies would look like after this decoder. The medians stand as
# {{samples_to_test}} for samples and {{copies_to_test}} for copies, measured in that of test images. The small bump on the
# left are the ones: thin strokes are near to one another.*
#
# The samples lie no nearer than fresh images would. A distance in pixels would miss a copy that is shifted by one, so this
# test can convict, but not acquit.
#
# ## 1.14 What a loss of 0.002 cannot tell you
#
# Tutorials print losses like 0.002 and conclude that the model is good. Without the unit that number says nothing.
# Here are the same two models, our VAE and one that always answers with the average training image, in four units:

# %%
average = digits.train.mean(0, keepdim=True).to(device).clamp(1e-4, 1 - 1e-4)
constant = m.bernoulli_log_likelihood(average.logit().expand_as(x_test), x_test).mean()
per_image = {"average image": constant, "VAE (ELBO)": parts["elbo"]}
squared = {"average image": (average - x_test).square(),
           "VAE (ELBO)": (vae.reconstruct(x_test) - x_test).square()}
for name, nats in per_image.items():
    print(
        f"{name:14} {nats:7.1f} nats per image, {-nats / 784:.3f} nats per pixel, "
        f"{bits_per_dim(-nats, 784):.3f} bits per pixel,"
          f" mean squared error {squared[name].mean():.3f}")
claim("nats_apart", parts["elbo"] - constant)
claim("nats_per_pixel_apart", (parts["elbo"] - constant) / 784)
claim("squared_error_apart",
      squared["average image"].mean() - squared["VAE (ELBO)"].mean())

# %% [markdown]
# Per image the two are {{nats_apart}} nats apart, in probability a factor of e to that power. Per pixel that is
# {{nats_per_pixel_apart}} nats, and as mean squared error {{squared_error_apart}}: numbers that look like nothing.
#
# And could a loss per pixel be 0.002, counted in nats? The binarisation itself tosses a coin for every grey pixel. Not even a model that
# knew the grey image could predict those tosses, so no bound can be better than minus their entropy:

# %%
g = digits.test
# entropy of the pixels, nats per image
floor = -(torch.xlogy(g, g) + torch.xlogy(1 - g, 1 - g)).flatten(1).sum(1).mean()
claim("noise_floor", floor)
claim("floor_per_pixel", floor / 784)

# %% [markdown]
# The tosses alone cost {{noise_floor}} nats per image, {{floor_per_pixel}} per pixel. So 0.002 was another unit, another
# quantity, or a mistake: a mean of squared errors, say, of a plain autoencoder, on training batches, without the KL.
#
# **Report** nats per image or bits per dimension, of which bound, with how many importance samples, on which test set,
# with which binarisation.
#
# ## 1.15 Questions
#
# Think first, then open the answer.
#
# <details><summary>1. The KL term falls to zero during training and the samples all look alike. What has happened?</summary>
#
# Posterior collapse: q equals the prior and the decoder ignores z. Look for a mean over pixels, a large (effective) β,
# or a decoder that can do without the code; try a warm-up.
# </details>
#
# <details><summary>2. Could the ELBO of a model with Gaussian pixels be positive?</summary>
#
# Yes. It bounds the logarithm of a <em>density</em>, which may exceed 1. For binary pixels it bounds the logarithm of a
# probability and cannot be positive.
# </details>
#
# <details><summary>3. Why are VAE samples often blurred, even though the bound is good?</summary>
#
# We look at means of p(x given z). Where the code leaves something open, the mean averages over it. Drawing the pixels
# would show noise instead, because the pixels are independent given z.
# </details>
#
# <details><summary>4. Two papers report −86.8 and −93.7 on MNIST. Which model is better?</summary>
#
# One cannot tell: bound or importance-weighted estimate, with how many samples; pixels binarised once and for all or anew
# at each pass; which test set? The same model can give both numbers.
# </details>
#
# <details><summary>5. Why is the encoder thrown away for sampling, but needed for training?</summary>
#
# The model is the prior and the decoder. The encoder only makes the bound tight enough to train on, by proposing codes
# that could have produced x.
# </details>
#
# <details><summary>6. What would change if the prior were uniform on a cube?</summary>
#
# The KL would need another closed form (and q a support inside the cube); the bound and the loop stay as they are.
# </details>
#
# Now the exercises: [`exercises/01_vae.ipynb`](../exercises/01_vae.ipynb). The last one is a hunt for the mistakes in a
# broken program.
#
# ## 1.16 Where this comes from
#
# The model and its bound:
#
# - D. P. Kingma, M. Welling, *Auto-Encoding Variational Bayes*, ICLR 2014, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114).
# - D. J. Rezende, S. Mohamed, D. Wierstra, *Stochastic Backpropagation and Approximate Inference in Deep Generative
#   Models*, ICML 2014, [arXiv:1401.4082](https://arxiv.org/abs/1401.4082): the same idea at the same time.
# - M. I. Jordan, Z. Ghahramani, T. S. Jaakkola, L. K. Saul, *An Introduction to Variational Methods for Graphical Models*,
#   Machine Learning 37, 1999: where the bound comes from.
# - R. J. Williams, *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, Machine
#   Learning 8, 1992: the score-function gradient.
# - G. E. Hinton, R. R. Salakhutdinov, *Reducing the Dimensionality of Data with Neural Networks*, Science 313, 2006:
#   autoencoders.
# - C. Cremer, X. Li, D. Duvenaud, *Inference Suboptimality in Variational Autoencoders*, ICML 2018,
#   [arXiv:1801.03558](https://arxiv.org/abs/1801.03558): what amortisation costs.
#
# Its terms and their weights:
#
# - M. E. Tipping, C. M. Bishop, *Probabilistic Principal Component Analysis*, Journal of the Royal Statistical Society B
#   61, 1999, and J. Lucas, G. Tucker, R. Grosse, M. Norouzi, *Don't Blame the ELBO! A Linear VAE Perspective on Posterior
#   Collapse*, NeurIPS 2019, [arXiv:1911.02469](https://arxiv.org/abs/1911.02469): section 1.8 as a theory.
# - O. Rybkin, K. Daniilidis, S. Levine, *Simple and Effective VAE Training with Calibrated Decoders*, ICML 2021,
#   [arXiv:2006.13202](https://arxiv.org/abs/2006.13202): the best fixed deviation.
# - I. Higgins et al., *β-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework*, ICLR 2017.
# - S. R. Bowman et al., *Generating Sentences from a Continuous Space*, CoNLL 2016,
#   [arXiv:1511.06349](https://arxiv.org/abs/1511.06349): warm-up of the KL.
# - F. Locatello et al., *Challenging Common Assumptions in the Unsupervised Learning of Disentangled Representations*, ICML
#   2019, [arXiv:1811.12359](https://arxiv.org/abs/1811.12359): why no number has one meaning.
#
# What it is worth, and conditional models:
#
# - Y. Burda, R. Grosse, R. Salakhutdinov, *Importance Weighted Autoencoders*, ICLR 2016,
#   [arXiv:1509.00519](https://arxiv.org/abs/1509.00519): the tighter bound, active units.
# - L. Theis, A. van den Oord, M. Bethge, *A note on the evaluation of generative models*, ICLR 2016,
#   [arXiv:1511.01844](https://arxiv.org/abs/1511.01844): likelihood, samples and neighbours are different things.
# - J. Townsend, T. Bird, D. Barber, *Practical Lossless Compression with Latent Variables using Bits Back Coding*, ICLR
#   2019, [arXiv:1901.04866](https://arxiv.org/abs/1901.04866): the bound as a file size.
# - D. P. Kingma, D. J. Rezende, S. Mohamed, M. Welling, *Semi-supervised Learning with Deep Generative Models*, NeurIPS 2014,
#   [arXiv:1406.5298](https://arxiv.org/abs/1406.5298), and K. Sohn, H. Lee, X. Yan, *Learning Structured Output
#   Representation using Deep Conditional Generative Models*, NeurIPS 2015: asking for a class.
#
# Data and training:
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, *Gradient-Based Learning Applied to Document Recognition*, Proceedings of the
#   IEEE 86, 1998: MNIST. R. Salakhutdinov, I. Murray, *On the Quantitative Analysis of Deep Belief Networks*, ICML 2008:
#   its binarisation.
# - D. P. Kingma, J. Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015,
#   [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
