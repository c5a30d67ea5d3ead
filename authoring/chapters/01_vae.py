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

import matplotlib.pyplot as plt
import torch
from torch import nn

from gencourse import figures
from gencourse.claims import claim
from gencourse.data import binarised, images, minibatches
from gencourse.evaluation import active_units, bits_per_dim, elbo_parts, importance_bound, nearest_neighbours
from gencourse.models import vae as m
from gencourse.runtime import pick_device, scaled, seeded
from gencourse.training import check_model, fit
from gencourse.widgets import latent_explorer, latent_strip

device = pick_device()
print("running on", device)

# %% [markdown]
# ## 1.1 Three families
#
# Every model of this course follows the same three steps: collect **data**, **fit** a distribution to them, **sample**
# from it. What differs is what the model lets you do afterwards. Can it say how probable a given image is? Can it make
# a new one in a single pass? Does it explain an image by a short code?

# %%
figures.families();

# %% [markdown]
# *The figure compares the three families of this course, column by column. A VAE makes samples in one pass and finds
# codes, and pays with a probability that is known only as a lower bound. The chapters on adversarial and on
# autoregressive models make the other two bargains.*
#
# These models write, paint and compose in products that you use. What they have in common fits into a notebook, and
# that is what we look at. The data are real: ten thousand handwritten digits ship with the course.

# %%
digits = images("mnist")
print(digits)
figures.image_grid(digits.train[:40], columns=20, title="The first forty training images");

# %% [markdown]
# *Forty of the training images. Each has 28 × 28 pixels, 0 is black and 1 is white.*
#
# ## 1.2 An autoencoder, and the holes in its latent space
#
# Before the VAE, the simpler idea: squeeze each image through a narrow code and ask the network to restore it. The
# encoder maps x to a code z of two numbers, the decoder maps z back to an image.
#
# First the batches. The stream below is endless and shuffled, and each grey value is drawn anew as black or white
# with that probability. Binary pixels make the likelihood of an image a true probability, which we will need.

# %%
def digit_batches(batch_size=128, seed=0):
    return binarised(minibatches(digits.train_bytes, batch_size=batch_size, seed=seed), seed=seed + 1)


x = next(digit_batches())
print(x.shape, x.unique())

# %%
torch.manual_seed(0)
autoencoder = m.Autoencoder(latent_dim=2).to(device)
history = fit(autoencoder, digit_batches(), steps=scaled(default=900, smoke=10, full=5000), lr=2e-3)
figures.training_curves(history, title="Autoencoder with two latent numbers");

# %% [markdown]
# *The reconstruction loss of the autoencoder falls from the cost of a coin toss per pixel and levels off: two numbers
# per image are enough for a good deal of it.*
#
# So far, so good. But can it make new images? That needs codes to decode, and nobody has said where codes come from.

# %%
test = torch.bernoulli(digits.test, generator=seeded(7))  # one fixed binarisation of the test set
with torch.no_grad():
    codes = autoencoder.encode(test.to(device)).cpu()
    holes = 1.5 * codes.std(0) * torch.randn(2000, 2, generator=seeded(3)) + codes.mean(0)
    away = torch.cdist(holes, codes).amin(1)  # distance to the nearest code that is in use
    holes = holes[away.argsort(descending=True)[40:640:30]]
    decoded = autoencoder.decode(holes.to(device)).sigmoid()

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", width_ratios=(1, 1.1))
figures.latent_scatter(codes, digits.test_labels, title="Codes of test images", ax=left)
left.plot(*holes.T, "kx", label="no image has this code")
left.legend(loc="best")
left.set_aspect("auto")
figures.image_grid(decoded, columns=5, title="What the decoder makes of the crosses", ax=right);

# %% [markdown]
# *Left: where the encoder puts test images; a colour and a marker for each digit. Right: the decoder's images at the
# crosses, places between and around the codes. Many are no digits at all.*
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


z = torch.linspace(-5, 5, 2001)
x = torch.linspace(-4.5, 4.5, 1801)
dz, dx = z[1] - z[0], x[1] - x[0]
log_joint = log_normal(x[:, None], f(z), s) + log_normal(z, 0.0, 1.0)  # log p(x, z) on the grid
marginal = log_joint.exp().sum(1) * dz  # p(x)
claim("total_probability", (marginal * dx).sum(), about=1.00, within=0.001)

# %%
z_drawn = torch.randn(4000, generator=seeded(0))
x_drawn = f(z_drawn) + s * torch.randn(4000, generator=seeded(1))

figure, (first, second, third) = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
figures.curves(z, {"p(z)": log_normal(z, 0.0, 1.0).exp()}, "z", "density", "Prior", ax=first)
second.pcolormesh(z[::10], x[::10], log_joint.exp()[::10, ::10], cmap="viridis", rasterized=True)
second.plot(z, f(z), "w--", lw=1)
second.set(xlabel="z", ylabel="x", title="Joint p(x, z), and the curve f", ylim=(-3.5, 3.5), xlim=(-3.5, 3.5))
third.hist(x_drawn, bins=60, density=True, color="0.8", label="drawn: first z, then x")
figures.curves(x, {"p(x) by integration": marginal}, "x", "density", "Marginal", ax=third)
third.legend();

# %% [markdown]
# *A plain bell over z (left) becomes a distribution with two peaks over x (right). The grey histogram was drawn by the
# two-step story, first z and then x, and agrees with the integral. The integral over x gives {{total_probability}}, as
# a density must.*
#
# With two codes the grid has four million points, with sixteen it has more than there are atoms. For images the
# integral is out of reach, and with it the likelihood that we would like to maximise. That is the problem which the VAE
# solves.
#
# ## 1.4 A bound, in two ways
#
# Take **any** distribution $q(z)$ over codes. Multiply and divide by it inside the integral, and use that the logarithm
# of an average is at least the average of the logarithms (Jensen):
#
# $$\log p(x) = \log \mathbb E_{q}\!\left[\frac{p(x, z)}{q(z)}\right]
#   \;\ge\; \mathbb E_{q}\!\left[\log p(x, z) - \log q(z)\right] =: \mathrm{ELBO}(q).$$
#
# This is the *evidence lower bound*. The second way says how much is lost. Since $p(x, z) = p(z \mid x)\, p(x)$,
#
# $$\mathrm{ELBO}(q) = \log p(x) - \mathrm{KL}\big(q(z)\,\|\,p(z \mid x)\big).$$
#
# The gap is a divergence: never negative, and zero exactly when $q$ is the true posterior $p(z \mid x)$. On our grid
# both sides can be computed for one observation and many $q = \mathcal N(m, \sigma^2)$.

# %%
x_seen = 0.9
log_p_xz = log_normal(torch.tensor(x_seen), f(z), s) + log_normal(z, 0.0, 1.0)
log_p_x = torch.logsumexp(log_p_xz, 0) + dz.log()
log_posterior = log_p_xz - log_p_x


def elbo_and_gap(mean, std):
    log_q = log_normal(z, mean, std)
    q = log_q.exp()
    return ((q * (log_p_xz - log_q)).sum() * dz).item(), ((q * (log_q - log_posterior)).sum() * dz).item()


widths = torch.linspace(0.02, 0.6, 60)
best = (log_posterior.exp() * z).sum() * dz  # the posterior's mean
bounds, gaps = torch.tensor([elbo_and_gap(best.item(), w.item()) for w in widths]).T
claim("largest_disagreement", (bounds + gaps - log_p_x).abs().max(), about=0.00, within=0.001, unit="nats")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
i = bounds.argmax()
shapes = {"true posterior p(z | x)": log_posterior.exp(), "best normal q": log_normal(z, best, widths[i]).exp()}
figures.curves(z, shapes, "z", "density", f"Posterior at x = {x_seen}", ax=left)
left.set_xlim(-0.5, 1.5)
right.axhline(log_p_x, color="black", ls=":", label="log p(x)")
figures.curves(widths, {"ELBO": bounds}, "standard deviation of q", "nats", "The bound and its gap", ax=right)
right.fill_between(widths, bounds, log_p_x, alpha=0.2, label="KL(q ‖ posterior)")
right.set_ylim(log_p_x - 2, log_p_x + 0.2)
right.legend();

# %% [markdown]
# *Left: the posterior of z after seeing x = 0.9 and the best normal q. Right: the bound for q of different widths. It
# touches log p(x) only if q fits, and the shaded gap is the KL divergence.*
#
# Bound plus gap gave log p(x) for all sixty values of q; the largest disagreement was {{largest_disagreement}} nats.
#
# For training, the ELBO is split a third way, into the two terms that you will see in every VAE:
#
# $$\mathrm{ELBO}(q) = \underbrace{\mathbb E_{q}[\log p(x \mid z)]}_{\text{minus the reconstruction term}}
#   \;-\; \underbrace{\mathrm{KL}\big(q(z)\,\|\,p(z)\big)}_{\text{price of the code}} .$$
#
# Read it as a message: the code costs KL nats, and what the code does not say costs $-\log p(x\mid z)$ nats. The loss
# is the **sum** of the two costs. A minus sign between them in a *loss* would pay q for leaving the prior, without end.
#
# ## 1.5 Gaussian densities and their divergence
#
# For $q = \mathcal N(\mu, \mathrm{diag}\,\sigma^2)$ both ingredients have closed forms. The log-density of independent
# coordinates is a sum:
#
# $$\log \mathcal N(x; \mu, \sigma^2) = -\tfrac12 \sum_d \Big[\log 2\pi + \log\sigma_d^2 + \frac{(x_d - \mu_d)^2}{\sigma_d^2}\Big].$$
#
# The networks will give $\log\sigma^2$, called `logvar`: it may take any sign, and no exponential can make a variance
# negative. Compare with PyTorch's own distribution:

# %%
x, mu, logvar = torch.randn(3, 5, 4, generator=seeded(0))
ours = m.gaussian_log_density(x, mu, logvar)
theirs = torch.distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x).sum(1)
print(ours)
print(theirs)

# %% [markdown]
# For the KL to the standard normal, take $\mathbb E_q[\log q - \log p]$ coordinate by coordinate. The constants cancel,
# $\mathbb E_q[(z - \mu)^2] = \sigma^2$ and $\mathbb E_q[z^2] = \mu^2 + \sigma^2$, and what is left is
#
# $$\mathrm{KL} = \tfrac12 \sum_d \big[\mu_d^2 + \sigma_d^2 - 1 - \log \sigma_d^2\big].$$
#
# An average over draws must give the same, without knowing the formula:

# %%
mu, logvar = torch.tensor([[1.0, -0.5]]), torch.tensor([[1.2, -1.5]])
z_q = mu + (0.5 * logvar).exp() * torch.randn(400_000, 2, generator=seeded(0))
standard = torch.zeros_like(z_q)
log_ratio = m.gaussian_log_density(z_q, mu.expand_as(z_q), logvar.expand_as(z_q)) - m.gaussian_log_density(z_q, standard, standard)
exact = m.kl_to_standard_normal(mu, logvar)
print(f"closed form {exact.item():.3f}, mean over draws {log_ratio.mean():.3f} nats")
claim("kl_difference", (log_ratio.mean() - exact).abs(), about=0.00, within=0.02, unit="nats")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), layout="constrained", sharey=True)
line = torch.linspace(-3, 3, 121)[:, None]
moved = m.kl_to_standard_normal(line, torch.zeros_like(line))
figures.curves(line[:, 0], {"σ = 1": moved}, "mean μ", "KL in nats", "Moving the mean", ax=left)
std = torch.linspace(0.05, 3, 121)[:, None]
stretched = m.kl_to_standard_normal(torch.zeros_like(std), 2 * std.log())
figures.curves(std[:, 0], {"μ = 0": stretched}, "standard deviation σ", "KL in nats", "Changing the width", ax=right);

# %% [markdown]
# *The price of one code number. Left: moving the mean costs a parabola. Right: a narrow q is expensive, because being
# precise is what carries information; a wide one costs as well. Only the prior itself is free. Closed form and draws
# differed by {{kl_difference}} nats.*
#
# ## 1.6 A gradient through a random draw
#
# The reconstruction term is an expectation under $q$, and $q$ depends on the parameters that we want to train. Two ways
# to get the gradient of $\mathbb E_{z \sim \mathcal N(\mu, \sigma^2)}[g(z)]$ from draws:
#
# - **score function**: $g(z)\,\nabla_\mu \log q(z)$. It asks nothing of $g$ but its values.
# - **reparameterisation**: write $z = \mu + \sigma\varepsilon$ with $\varepsilon \sim \mathcal N(0, 1)$; now the draw
#   is outside, and $\nabla_\mu\, g(\mu + \sigma\varepsilon)$ is an ordinary derivative.
#
# Both are right on average. Compare how much they scatter for $g(z) = (z - 2)^2$ and $\sigma = 1$:

# %%
mu0, eps = torch.tensor(0.0), torch.randn(100_000, generator=seeded(0))
z_q = mu0 + eps
reparameterised = 2 * (z_q - 2)  # dg/dz · dz/dμ, and dz/dμ = 1
score = (z_q - 2) ** 2 * (z_q - mu0)  # g(z) · d log q/dμ
exact = 2 * (mu0 - 2)
print(f"exact {exact:.2f}; means {reparameterised.mean():.2f} and {score.mean():.2f}")
claim("variance_ratio", score.var() / reparameterised.var(), about=22, within=2)

# %%
ax = plt.subplots(figsize=(7, 3), layout="constrained")[1]
bins = torch.linspace(-30, 20, 120)
ax.hist(score, bins, density=True, alpha=0.6, color=figures.PALETTE[1], label="score function")
ax.hist(reparameterised, bins, density=True, alpha=0.6, color=figures.PALETTE[0], label="reparameterised")
ax.axvline(exact, color="black", ls=":", label="exact gradient")
ax.set(xlabel="gradient estimate from one draw", ylabel="density", title="Two estimates of the same gradient")
ax.legend();

# %% [markdown]
# *Both histograms have the same mean, the dotted line. The score function's estimates scatter far more: their variance
# is about {{variance_ratio}} times as large, so it would need that many draws to be as good.*
#
# In code the trick is one line, and gradients reach both heads of the encoder:

# %%
mu, logvar = torch.zeros(1, 2, requires_grad=True), torch.full((1, 2), math.log(4.0), requires_grad=True)
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
# **Bernoulli pixels.** The output is a logit per pixel, and $\log p(x \mid z)$ is minus the cross-entropy, *summed*
# over pixels. No label occurs: the target is the image itself. Work with logits, because probabilities break:

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
# So "squared error plus KL" *is* a Gaussian decoder with $2 s^2 = 1$. And "**mean** squared error over 784 pixels plus
# KL" is one with $2 s^2 = 784$: a decoder that believes every pixel to be off by about twenty times the whole grey
# range. For such a decoder no code is worth its price. Watch what becomes of it:

# %%
def train_gaussian(std):
    torch.manual_seed(0)
    model = m.VAE(latent_dim=8, hidden=256, pixels=m.GaussianPixels(std)).to(device)
    fit(model, minibatches(digits.train_bytes, batch_size=128, seed=0), steps=scaled(default=500, smoke=5, full=3000), lr=2e-3)
    return model


stds = {"s = 0.1": 0.1, "s = 0.7 (squared error, summed)": 0.5**0.5, "s = 20 (squared error, averaged)": 392**0.5}
gaussians = {name: train_gaussian(std) for name, std in stds.items()}

# %%
shown = digits.test[:12].to(device)
rows = {"test image": shown} | {name: model.reconstruct(shown) for name, model in gaussians.items()}
figures.image_rows(rows, title="The same network under three assumed pixel deviations s")
grey = digits.test[:500].to(device)
prices = [elbo_parts(model.loss, grey)["kl"].mean() for model in gaussians.values()]
claim("kl_sharp", prices[0], about=29, within=5, unit="nats")
claim("kl_summed", prices[1], about=8, within=2.5, unit="nats")
claim("kl_averaged", prices[2], about=0.0, within=0.05, unit="nats")

# %% [markdown]
# *Twelve test images and their reconstructions. A small s spends about {{kl_sharp}} nats on the code and follows the
# strokes; s = 0.7 spends {{kl_summed}}; with s = 20 the code costs {{kl_averaged}} nats, says nothing, and every
# reconstruction is the same average digit.*
#
# The last row is *posterior collapse*, made by nothing but a `mean` in the place of a `sum`. State the variance, or the
# weighting of your two terms is an accident.
#
# ## 1.8 A VAE whose truth is known
#
# Before trusting a bound on digits, test it where the answer is known. With a linear decoder,
# $p(x \mid z) = \mathcal N(Wz + b, s^2 I)$, the marginal is Gaussian as well: $p(x) = \mathcal N(b, WW^\top + s^2 I)$.
# The posterior is Gaussian too, so a linear encoder can reach it. The bound should rise until it **meets** $\log p(x)$.

# %%
torch.manual_seed(0)
truth = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
with torch.no_grad():
    truth.W.copy_(torch.linalg.qr(torch.randn(5, 2))[0] * torch.tensor([2.0, 1.0]))
    truth.log_std.fill_(math.log(0.5))
data, held_out = truth.sample(10_000, seed=1), truth.sample(2_000, seed=2)
student = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
check_model(student, data[:4])

# %%
bound, exact = [], []


def watch(step):
    if step % 50 == 0:
        bound.append(torch.stack([elbo_parts(student.loss, held_out, seed=s)["elbo"].mean() for s in range(10)]).mean())
        exact.append(student.log_prob(held_out).mean().item())


fit(student, minibatches(data, batch_size=256, seed=0), steps=scaled(default=2000, smoke=200, full=2000), lr=3e-3, on_step=watch)
watch(0)
ax = figures.curves(
    50 * torch.arange(len(bound)), {"ELBO": torch.tensor(bound), "log p(x), exact": torch.tensor(exact)},
    "training step", "nats per example", "A linear-Gaussian VAE on held-out data",
)
ax.axhline(truth.log_prob(held_out).mean().item(), color="black", ls=":", label="the model that made the data")
ax.legend();

# %%
claim("final_gap", exact[-1] - bound[-1], about=0.01, within=0.03, unit="nats")
claim("cost_of_learning", truth.log_prob(held_out).mean().item() - exact[-1], about=0.00, within=0.03, unit="nats")

# %% [markdown]
# *The bound starts well below the exact log-likelihood and meets it; both arrive at the model that made the data. At
# the end the gap is {{final_gap}} nats, and the student is {{cost_of_learning}} nats behind the true model.*
#
# Now a wrong $q$ has to pay exactly its divergence. Double the posterior's standard deviation and compare the loss in
# the bound with the KL between the two Gaussians:

# %%
mu, logvar = student.encode(held_out)
wide = logvar + 2 * math.log(2.0)
normal = torch.distributions.Normal
predicted = torch.distributions.kl_divergence(normal(mu, (0.5 * wide).exp()), normal(mu, (0.5 * logvar).exp())).sum(1).mean()
with torch.no_grad():
    student.logvar += 2 * math.log(2.0)
    lowered = torch.stack([elbo_parts(student.loss, held_out, seed=seed)["elbo"].mean() for seed in range(50)]).mean()
    student.logvar -= 2 * math.log(2.0)
claim("predicted_loss", predicted, about=1.61, within=0.02, unit="nats")
claim("measured_loss", exact[-1] - lowered, about=1.61, within=0.1, unit="nats")

# %% [markdown]
# Predicted {{predicted_loss}} nats, measured {{measured_loss}}. The bound does what the theory says, and you have a
# test that a wrong sign or a missing ½ could not pass.
#
# ## 1.9 Digits
#
# Now the decoder is a network. The encoder, a second network, gives $\mu(x)$ and $\log\sigma^2(x)$ for every image at
# once (*amortised* inference). Written out once, by hand, the training loop is this:

# %%
torch.manual_seed(0)
mean_image = digits.train.mean(0)
by_hand = m.VAE(latent_dim=16, mean_image=mean_image).to(device)
optimizer = torch.optim.Adam(by_hand.parameters(), lr=1e-3)
losses = []
for _step, x in zip(range(scaled(default=200, smoke=5, full=200)), digit_batches(), strict=False):
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
# Everything before this cell was needed for the few lines in its middle. `mean_image` sets the bias of the decoder's last
# layer, so that an untrained decoder draws the average digit and need not learn first that margins are black. That
# average alone costs about what the first loss says; a fair coin for each pixel would cost $784 \log 2 \approx 543$.
#
# From here on `fit` does the same, with a progress bar and a learning rate that falls to zero. Read it with `??fit`: it
# is the loop above. It wants of a model only that `loss(x)` returns one value per example. Your own class can go
# through the same door; `check_model` says whether it is ready.

# %%
torch.manual_seed(0)
vae = m.VAE(latent_dim=16, mean_image=mean_image).to(device)
check_model(vae, next(digit_batches())[:4].to(device))
history = fit(vae, digit_batches(), steps=scaled(default=3000, smoke=20, full=30_000), lr=2e-3)
figures.training_curves(history, title="VAE on binarised digits", ylim=(0, 220));

# %% [markdown]
# *The loss and its two terms, in nats per image. The reconstruction term falls quickly while the code gets more
# expensive: the model learns what is worth saying.*
#
# Training loss is not the result. The result is the bound on images that the model has never seen:

# %%
x_test = test.to(device)
parts = {name: value.mean() for name, value in elbo_parts(vae.loss, x_test).items()}
claim("test_elbo", parts["elbo"], about=-100, within=3, unit="nats")
claim("test_reconstruction", parts["reconstruction"], about=76, within=4, unit="nats")
claim("test_kl", parts["kl"], about=24, within=2, unit="nats")

# %% [markdown]
# The test ELBO is about {{test_elbo}} nats per image: {{test_kl}} for the code and {{test_reconstruction}} for what the
# code leaves open. With all sixty thousand training images and the same time it is much better; the README's table has
# the measurement.
#
# What do reconstructions look like, and what do samples?

# %%
figures.image_rows(
    {"test image": x_test[:14], "reconstruction": vae.reconstruct(x_test[:14])}, title="Test images and what comes back through the code"
);

# %% [markdown]
# *Above: binarised test images. Below: the decoder's mean at the mean of q(z given x). Smooth where the pixels were
# noisy: the noise is not worth coding.*

# %% tags=["cover"]
figures.image_grid(vae.sample(60, seed=4), columns=15, title="Samples: z from the prior, then the decoder's mean");

# %% [markdown]
# *Sixty samples, not selected. Codes were drawn from N(0, I) and nothing else. Most are digits that nobody wrote, a few
# are between two digits. Compare with the crosses of section 1.2.*
#
# Codes can be moved as well as drawn. Between two images, decode the points on a straight line:

# %%
ends = vae.encode(x_test[[3, 11, 8]]).mu.detach().cpu()
weight = torch.linspace(0, 1, 12)[:, None]
paths = torch.cat([a + weight * (b - a) for a, b in ((ends[0], ends[1]), (ends[1], ends[2]), (ends[2], ends[0]))])
figures.image_grid(vae.decode_mean(paths), columns=12, title="From one test image to another");

# %% [markdown]
# *Each row goes from one code to the next, left to right. The images in between are decoded from codes that no image
# had, and most of them are still strokes of a pen.*
#
# ### A map of two dimensions
#
# With two latent numbers the whole space fits on a page. Cut it so that each cell holds the same share of the prior:

# %%
torch.manual_seed(0)
flat = m.VAE(latent_dim=2, mean_image=mean_image).to(device)
fit(flat, digit_batches(), steps=scaled(default=1500, smoke=10, full=10_000), lr=2e-3)
n = 15
grid = figures.prior_quantile_grid(n)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
figures.latent_scatter(flat.encode(x_test).mu, digits.test_labels, title="Codes of test images (means of q)", ax=left)
pictures = flat.decode_mean(grid.flatten(0, 1)).unflatten(0, (n, n)).cpu()
figures.image_map(pictures, grid[0, :, 0], title="The decoder over the whole prior", ax=right);

# %% [markdown]
# *Left: the means of q for test images; they fill the region where the prior has its mass. Right: what the decoder
# makes of a grid over that region. There are borders between the digits, but no holes.*
#
# ### What does each number of the code do?
#
# Back to the model with sixteen latent numbers. First as a strip, then with sliders that you can move.

# %%
spread = vae.encode(x_test).mu.var(0)
strongest = tuple(spread.argsort(descending=True)[:4].tolist())
latent_strip(vae.decode_mean, vae.latent_dim, dims=strongest);

# %% [markdown]
# *Each row moves one of the four busiest latent numbers while all others stay at zero. Some change the slant, some the
# digit, most a bit of both: nothing in the loss asks for one meaning per number.*

# %% tags=["widget"]
latent_explorer(vae.decode_mean, vae.latent_dim, dims=tuple(spread.argsort(descending=True)[:8].tolist()))

# %% [markdown]
# Move a slider, or press *draw from the prior* a few times.
#
# ## 1.10 β, warm-up and collapse
#
# A weight on the second term, $\text{reconstruction} + \beta \cdot \mathrm{KL}$, makes codes dearer or cheaper. At
# $\beta = 1$ the loss is minus the ELBO; at any other value it is a choice. A latent number is *active* if its mean
# varies over the data.

# %%
def train_beta(beta, warmup=0, latent_dim=16, seed=0):
    torch.manual_seed(seed)
    model = m.VAE(latent_dim=latent_dim, hidden=256, mean_image=mean_image).to(device)
    steps = scaled(default=700, smoke=5, full=4000)
    fit(model, digit_batches(), steps=steps, lr=2e-3, on_step=lambda step: setattr(model, "beta", m.kl_weight(step, warmup, beta)))
    return model


betas = {f"β = {beta:g}": train_beta(beta) for beta in (0.1, 1, 4, 20)}

# %%
for name, model in betas.items():
    terms = {key: value.mean().item() for key, value in elbo_parts(model.loss, x_test).items()}
    active = int(active_units(model.encode(x_test).mu).sum())
    print(f"{name:8} reconstruction {terms['reconstruction']:6.1f}  KL {terms['kl']:5.1f}  ELBO {terms['elbo']:7.1f} nats  active {active}")
rows = {"test image": x_test[:6]} | {name: model.reconstruct(x_test[:6]) for name, model in betas.items()}
side = {"test image": x_test[6:12]} | {name: model.sample(6, seed=1) for name, model in betas.items()}
figures.image_rows({k: torch.cat([rows[k].cpu(), torch.ones(1, 1, 28, 28), side[k].cpu()]) for k in rows}, title="Reconstructions (left) and samples (right)")
spent = [elbo_parts(model.loss, x_test)["kl"].mean() for model in betas.values()]
claim("kl_cheap", spent[0], about=47, within=5, unit="nats")
claim("kl_dear", spent[-1], about=0.2, within=0.3, unit="nats")

# %% [markdown]
# *From top to bottom codes get dearer. Left of the gap reconstructions of test images, right of it samples (the top
# right shows further test images). A small β reconstructs well and samples badly: codes leave the prior. A large one
# says little: the code costs {{kl_cheap}} nats at β = 0.1 and {{kl_dear}} at β = 20.*
#
# Early in training the decoder is poor, a code buys little, and the cheapest thing to do is to say nothing. **Warm-up**
# raises β from zero during the first part of training, so that the code is learned before it must be paid for:

# %%
schedule = torch.tensor([m.kl_weight(step, warmup=350, beta_max=1.0) for step in range(700)])
figures.curves(torch.arange(700), {"β": schedule}, "training step", "weight of the KL", "A warm-up over half of the training")
crowded = {name: train_beta(1.0, warmup, latent_dim=64) for name, warmup in (("none", 0), ("350 steps", 350))}
terms = {name: elbo_parts(model.loss, x_test) for name, model in crowded.items()}
for name, term in terms.items():
    print(f"warm-up {name:9}: KL {term['kl'].mean():.1f}, ELBO {term['elbo'].mean():.1f} nats")
claim("warmup_kl", terms["350 steps"]["kl"].mean() - terms["none"]["kl"].mean(), about=4.5, within=2.5, unit="nats")

# %% [markdown]
# *The weight of the KL over training with a warm-up. The printed lines compare two models with 64 latent numbers,
# trained without it and with it.*
#
# With the warm-up the code says about {{warmup_kl}} nats more. Whether the bound gains as well is another question; the
# printed lines answer it for this short run, and one run is no proof.
#
# **Effective β.** A loss often contains a β that nobody chose. If the reconstruction is averaged over P pixels and the
# KL summed, multiply by P: you are training with $\beta = P$. If the KL is averaged over D latent numbers as well,
# $\beta = P/D$.

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
# The gap of the ELBO can be narrowed after training. Average K importance weights inside the logarithm:
#
# $$\mathcal L_K = \mathbb E\Big[\log \frac1K \sum_{k=1}^K w_k\Big], \qquad
#   w_k = \frac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}, \quad z_k \sim q(z \mid x).$$
#
# $\mathcal L_1$ is the ELBO, it grows with K, and never passes $\log p(x)$ in expectation. (Burda et al. train on it;
# here it measures.) Its logarithm of a sum needs care: weights of $e^{-100}$ vanish in single precision unless one
# stays in the logarithm.

# %%
few = x_test[: scaled(default=500, smoke=20, full=2000)]
sizes = (1, 2, 5, 20, 100, 500)
tighter = {K: importance_bound(vae.log_weights, few, K if scaled(default=True, smoke=False, full=True) else min(K, 5)) for K in sizes}
means = torch.tensor([tighter[K].mean() for K in sizes])
ax = figures.curves(torch.tensor(sizes), {"IWAE bound": means}, "importance samples K", "nats per image", "The bound tightens with K")
ax.set_xscale("log")
ax.plot(sizes, means, "o", color=figures.PALETTE[0]);

# %%
claim("iwae_bound", means[-1], about=-92, within=3, unit="nats")
claim("tightening", means[-1] - means[0], about=5, within=1.5, unit="nats")
claim("bits_per_pixel", bits_per_dim(-means[-1], 784), about=0.169, within=0.006)
claim("standard_error", tighter[500].std() / len(few) ** 0.5, about=1.2, within=0.3, unit="nats")

# %% [markdown]
# *The bound on the log-likelihood of five hundred test images against the number of importance samples. It rises by
# about {{tightening}} nats and flattens.*
#
# How to read such a number:
#
# - **{{iwae_bound}} nats per image** (K = 500): the model gives a typical test image a probability of at least
#   $e^{-93}$ or so, where guessing pixel by pixel gives $2^{-784}$.
# - **{{bits_per_pixel}} bits per pixel**: divide by $784 \log 2$. With this model a compressor would need that much per
#   pixel; a fair coin needs 1.
# - The **standard error** over these test images is {{standard_error}} nats. Differences below it need more images, or
#   the same images for both models.
# - A bound from another binarisation, another test set or another K is another quantity. State all three.
#
# ## 1.12 Asking for a digit
#
# Give both networks the label y as well, and the model learns $p(x \mid y)$: a **conditional VAE**. Its code no longer
# has to say which digit it is, only how it is written.

# %%
torch.manual_seed(0)
conditional = m.ConditionalVAE(num_classes=10, latent_dim=16, mean_image=mean_image).to(device)
labelled = binarised(minibatches(digits.train_bytes, digits.train_labels, batch_size=128, seed=0), seed=1)
fit(conditional, labelled, steps=scaled(default=1500, smoke=10, full=15_000), lr=2e-3)
asked = torch.arange(10).repeat(5)
figures.image_grid(conditional.sample(asked, seed=5), columns=10, title="Asked for 0, 1, 2, ... 9 (columns)");

# %% [markdown]
# *Five samples for each digit that was asked for. The same column, the same digit; the rows differ in style.*
#
# One code for all ten labels shows what is left for the code to say:

# %%
styles = torch.randn(4, 16, generator=seeded(11)).repeat_interleave(10, 0)
asked = torch.arange(10).repeat(4)
figures.image_grid(
    conditional.decode_mean(styles, conditional.one_hot(asked)), columns=10, title="One code per row, one digit per column"
)
kl = elbo_parts(conditional.loss, x_test, digits.test_labels.to(device))["kl"].mean()
claim("conditional_kl", kl, about=21, within=2.5, unit="nats")

# %% [markdown]
# *Each row uses one code with ten labels: slant and stroke stay, the digit changes. The code now costs about
# {{conditional_kl}} nats, less than in the model without labels: the label says the rest.*
#
# How fast is it? One pass makes a whole batch:

# %%
import time

start = time.perf_counter()
n = scaled(default=2000, smoke=100, full=2000)
vae.sample(n)
rate = n / (time.perf_counter() - start)
print("more than a thousand samples per second:", rate > 1000)

# %% [markdown]
# ## 1.13 Is it only copying?
#
# A model that had stored its training images would make perfect samples. Look for the nearest training image of each
# sample, and compare distances with those of *test* images, which cannot have been stored:

# %%
train = digits.train
made = vae.sample(500, seed=9).cpu()
near_made, which = nearest_neighbours(made, train)
near_test, _ = nearest_neighbours(vae.reconstruct(x_test[:500]).cpu(), train)
figures.image_rows({"sample": made[:14], "nearest in training": train[which[:14, 0]]}, title="Samples and their nearest training images");

# %%
ax = plt.subplots(figsize=(7, 3), layout="constrained")[1]
bins = torch.linspace(0, 10, 60)
ax.hist(near_made[:, 0], bins, alpha=0.6, color=figures.PALETTE[0], label="samples")
ax.hist(near_test[:, 0], bins, alpha=0.6, color=figures.PALETTE[1], label="reconstructed test images")
ax.set(xlabel="distance to the nearest training image", ylabel="images", title="Are samples too close to the training set?")
ax.legend()
claim("distance_ratio", near_made.median() / near_test.median(), about=1.15, within=0.15)

# %% [markdown]
# *First figure: samples above, their nearest training images below; similar, not the same. Second figure: distances of
# samples, and of reconstructed test images (equally smooth) to the training set. The ratio of the medians is
# {{distance_ratio}}; copies would pile up near zero.*
#
# ## 1.14 What a loss of 0.002 cannot tell you
#
# Tutorials print losses like 0.002 and conclude that the model is good. Without the unit that number says nothing.
# Here are the same two models, our VAE and one that always answers with the average training image, in four units:

# %%
average = digits.train.mean(0, keepdim=True).to(device).clamp(1e-4, 1 - 1e-4)
constant = m.bernoulli_log_likelihood(average.logit().expand_as(x_test), x_test).mean()
per_image = {"average image": constant, "VAE (ELBO)": parts["elbo"]}
squared = {"average image": (average - x_test).square(), "VAE (ELBO)": (vae.reconstruct(x_test) - x_test).square()}
for name, nats in per_image.items():
    print(f"{name:14} {nats:7.1f} nats per image, {-nats / 784:.3f} nats per pixel, {bits_per_dim(-nats, 784):.3f} bits per pixel,"
          f" mean squared error {squared[name].mean():.3f}")
claim("nats_apart", parts["elbo"] - constant, about=108, within=4, unit="nats")
claim("nats_per_pixel_apart", (parts["elbo"] - constant) / 784, about=0.138, within=0.006, unit="nats")
claim("squared_error_apart", squared["average image"].mean() - squared["VAE (ELBO)"].mean(), about=0.060, within=0.01)

# %% [markdown]
# Per image the two are {{nats_apart}} nats apart, in probability a factor of $e$ to that power. Per pixel that is
# {{nats_per_pixel_apart}} nats, and as mean squared error {{squared_error_apart}}: numbers that look like nothing. A
# loss also leaves out the KL when only the reconstruction is averaged, it is measured on training batches, and an
# autoencoder without any distribution reaches the smallest squared error of all.
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
# One cannot tell: bound or importance-weighted estimate, how many samples, static or dynamic binarisation, which test
# set? The same model can give both numbers.
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
# ## 1.16 Further reading
#
# - D. P. Kingma, M. Welling, *Auto-Encoding Variational Bayes*, ICLR 2014, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114): the VAE.
# - D. J. Rezende, S. Mohamed, D. Wierstra, *Stochastic Backpropagation and Approximate Inference in Deep Generative
#   Models*, ICML 2014, [arXiv:1401.4082](https://arxiv.org/abs/1401.4082): the same idea at the same time.
# - Y. Burda, R. Grosse, R. Salakhutdinov, *Importance Weighted Autoencoders*, ICLR 2016,
#   [arXiv:1509.00519](https://arxiv.org/abs/1509.00519): the tighter bound, active units.
# - R. Salakhutdinov, I. Murray, *On the Quantitative Analysis of Deep Belief Networks*, ICML 2008: binarised digits.
# - I. Higgins et al., *β-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework*, ICLR 2017.
# - S. R. Bowman et al., *Generating Sentences from a Continuous Space*, CoNLL 2016,
#   [arXiv:1511.06349](https://arxiv.org/abs/1511.06349): warm-up of the KL.
# - J. Lucas, G. Tucker, R. Grosse, M. Norouzi, *Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse*,
#   NeurIPS 2019, [arXiv:1911.02469](https://arxiv.org/abs/1911.02469): section 1.8 as a theory.
# - K. Sohn, H. Lee, X. Yan, *Learning Structured Output Representation using Deep Conditional Generative Models*,
#   NeurIPS 2015: the conditional VAE.
# - L. Theis, A. van den Oord, M. Bethge, *A note on the evaluation of generative models*, ICLR 2016,
#   [arXiv:1511.01844](https://arxiv.org/abs/1511.01844): why likelihood and sample quality are different things.
# - R. J. Williams, *Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning*, Machine
#   Learning 8, 1992: the score-function gradient.
