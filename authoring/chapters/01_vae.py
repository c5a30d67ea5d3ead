# %% [markdown]
# # 1 · Variational autoencoders
#
# A generative model learns a distribution from examples and then makes new ones. Here you build one from its equations: a
# variational autoencoder (VAE), which learns to draw handwritten digits, not all of them well, in less than a minute on a laptop. The
# formulas of the model and its loss are written in cells and checked against something that does not depend on them; the rest comes
# from the course's package.
#
# **You will be able to** derive the evidence lower bound and say how loose it is; write the model, train it and sample from
# it; explain why its samples are poor, and improve them; read its numbers; and tell the usual failures apart.
#
# **You need** Python, a little PyTorch, and the idea of a probability density. A GPU is used if there is one; none is
# needed. The exercises are in [`exercises/01_vae.ipynb`](../exercises/01_vae.ipynb), the answers in
# [`solutions/01_vae.ipynb`](../solutions/01_vae.ipynb). A heading marked *optional* can be skipped at first reading.

# %%
import itertools
import math
import time

import torch
from torch import nn
from tqdm.auto import tqdm

from gencourse import figures
from gencourse.claims import claim
from gencourse.data import binarised, images, minibatches
from gencourse.evaluation import (
    bits_per_dim, dataset_elbo_terms, dataset_iwae_bound, elbo_under,
    feature_network, frechet_distance, index_information, nearest_neighbours,
    refit_posterior)
from gencourse.models import vae as m
from gencourse.runtime import manual_seed, pick_device, scaled, seeded
from gencourse.training import check_model, fit
from gencourse.widgets import latent_explorer, latent_strip

device = pick_device()
print("running on", device)

# %% [markdown]
# ## 1.1 What we are going to build
#
# First the goal: what the model of this chapter draws after 20,000 training steps on 55,000 digits. Yours will make 1,200 steps on
# ten thousand; section 1.10 puts the two side by side.

# %%
z = torch.randn(40, 16, generator=seeded(4))  # forty codes of sixteen numbers each
figures.image_grid(m.trained_decoder()(z), columns=20,
                   title="What a VAE draws after 20,000 steps");

# %% [markdown]
# *Forty images that nobody wrote, most of them digits. Each was made from sixteen random numbers by one pass through a network.*
#
# This is the model that made them, in training. (Its terms are explained from section 1.2 on.)

# %%
figures.vae_diagram();

# %% [markdown]
# *Solid arrows are computed: an image x goes through the encoder, which says where its code z is likely to lie (μ and σ); a
# code is drawn there with the help of noise ε; the decoder turns it back into an image. Dashed arrows are the path of the
# gradient in training: through μ and σ, not through ε. To make a new image, leave the left half out and draw z from a
# fixed distribution.*
#
# Every generative model takes three steps: collect **data**, **fit** a distribution to them, **sample** from it. The families
# differ in what they allow.

# %% tags=["map"]
figures.families();

# %% [markdown]
# *The families of the first four chapters, column by column. A VAE makes samples in one pass and finds codes, and pays with a
# probability that is known only as a lower bound. The fourth family, diffusion and flow models, draws many of today's pictures, and often does so among the codes of an autoencoder (section 1.18).*
#
# The data of this chapter are ten thousand handwritten digits, which ship with the course.

# %%
digits = images("mnist")
print(digits)
figures.image_grid(digits.train[:40], columns=20,
                   title="The first forty training images");

# %% [markdown]
# *Forty of the training images. Each has 28 × 28 pixels; 0 is black and 1 is white.*
#
# ## 1.2 An autoencoder and its codes
#
# The simpler idea first: squeeze each image through a narrow code and ask a network to restore it. The encoder maps x to a code z
# of two numbers, the decoder maps z back to a probability for each pixel. The cost of an image is minus the log-probability that
# these give to its pixels (section 1.7).
#
# First the batches. The stream below is endless and shuffled, and each pixel is drawn anew at every pass: white with its
# grey value as the probability, else black (*dynamic binarisation*). Binary pixels make the likelihood of an image a true
# probability, which we shall need.

# %%
def digit_batches(batch_size=128, seed=0):
    return binarised(minibatches(digits.train_bytes, batch_size=batch_size, seed=seed),
                     seed=seed + 1)


x = next(digit_batches())
print(x.shape, x.unique())
# one fixed binarisation of the test set
test = torch.bernoulli(digits.test, generator=seeded(7))
x_test = test.to(device)

# %% [markdown]
# A cost $-\log p$ with the natural logarithm is counted in **nats**; one nat is $1/\log 2 \approx 1.44$ bits. An image that
# costs ten nats more is $e^{10}$ times less probable. For each pixel an untrained network tosses a fair coin:
# $784 \log 2 \approx 543$ nats per image.
#
# **Predict:** how much of that can a code of only two numbers save? And how much does the average image save, with no code at
# all?

# %%
manual_seed(0)
autoencoder = m.Autoencoder(latent_dim=2).to(device)
history = fit(autoencoder, digit_batches(),
              steps=scaled(default=600, smoke=10, full=5000), lr=4e-3)
mean_image = digits.train.mean(0)
always = mean_image.clamp(1e-4, 1 - 1e-4).logit().expand_as(test)
# `claim` prints a number that the text speaks of. The text gives a value for any
# machine and says so if yours is far from it; small differences mean nothing
claim("average_image_cost", -m.bernoulli_log_likelihood(always, test).mean())
claim("two_number_cost", autoencoder.loss(x_test)["loss"].mean())

# %%
figures.training_curves(history, title="Autoencoder with two latent numbers",
                        ylim=(120, 260));

# %% [markdown]
# *The reconstruction cost of the autoencoder on training batches, as running means.* On test images the average image alone costs
# about {{average_image_cost}} nats; two numbers for each image bring that down to about {{two_number_cost}}. Most of what the
# coin pays is saved by knowing where digits have ink at all. The two numbers themselves are free so far; in section 1.4 a
# code gets its price.
#
# Can it make new images? Look at the plane of codes, and at what the decoder makes of a grid over it:

# %%
with torch.no_grad():
    codes = autoencoder.encode(x_test).cpu()
reach = codes.abs().quantile(0.99).item()
line = torch.linspace(-reach, reach, 15)
plane = torch.stack(torch.meshgrid(line, line.flip(0), indexing="xy"), -1)
with torch.no_grad():
    decoded = autoencoder.decode(plane.flatten(0, 1).to(device)).sigmoid().cpu()
figure, (left, right) = figures.panels(2, height=4.1)
figures.latent_scatter(codes, digits.test_labels, title="Codes of test images", ax=left)
left.set(xlim=(-reach, reach), ylim=(-reach, reach))
figures.image_map(decoded.unflatten(0, (15, 15)), line,
                  title="What the decoder makes of the plane", ax=right);

# %% [markdown]
# *Left: where the encoder puts test images, each drawn as its digit. Right: what the decoder makes of a grid over that plane. Where
# codes lie it draws digits, blurred where several kinds crowd together; where none lie it still draws something, and nothing in
# training has said what.*
#
# One can fit a distribution to such codes afterwards, and section 1.11 will; but the model itself has no rule for drawing a
# code, and gives no image a probability. **We need a model of which the distribution of codes is a part.**
#
# ## 1.3 A latent variable model that fits on a page
#
# Nature draws a code $z$ from a **prior** $p(z)$, and then an observation $x$ from $p_\theta(x \mid z)$, where θ are the
# decoder's parameters. Both are simple. What we observe is the **marginal**, an average over all codes:
#
# $$p_\theta(x) = \int p_\theta(x \mid z)\, p(z)\, dz .$$

# %%
figures.graphical_model();

# %% [markdown]
# *The model as a graph. The shaded x is observed, z is not. Solid: how the model makes x. Dashed: the way back, from an
# image to its codes, which section 1.4 approximates by a distribution q. The frame says: once for each of N images.*
#
# If $z$ were one of K labels and $p(x \mid z)$ normal, this would be a mixture of K normals; with a continuous $z$ it is a
# mixture of infinitely many.
#
# **What to maximise.** We choose θ so that the data are probable: maximise the mean of $\log p_\theta(x)$ over the training images.
# With more and more data that mean tends to
# $\mathbb E_{p_\text{data}}[\log p_\theta(x)] = -\mathrm{KL}(p_\text{data} \,\|\, p_\theta) - H(p_\text{data})$, where
# $\mathrm{KL}(q \,\|\, p) = \mathbb E_q[\log q - \log p]$ is the **divergence** of two distributions, and $H$, the entropy of the
# data, does not depend on θ. Maximum likelihood minimises the divergence from the data to the model. And where x is discrete, as
# binary images are, $-\log p_\theta(x)$ is the length, in nats, to which an ideal compressor with this model brings x.
#
# In one dimension the integral can be done on a grid. Take $p(z) = \mathcal N(0, 1)$ and
# $p(x \mid z) = \mathcal N(f(z), s^2)$ with a bent curve $f$.

# %%
s = 0.25


def f(z):
    return 1.6 * torch.tanh(2 * z) + 0.3 * z


def log_normal(x, mean, std):
    return -0.5 * ((x - mean) / std) ** 2 - math.log(std) - 0.5 * math.log(2 * math.pi)


z_grid, x_grid = torch.linspace(-5, 5, 2001), torch.linspace(-4.5, 4.5, 1801)
dz, dx = z_grid[1] - z_grid[0], x_grid[1] - x_grid[0]
# log p(x, z)
log_joint = log_normal(x_grid[:, None], f(z_grid), s) + log_normal(z_grid, 0.0, 1.0)
marginal = log_joint.exp().sum(1) * dz  # p(x)
claim("total_probability", (marginal * dx).sum())

# %%
z_drawn = torch.randn(400_000, generator=seeded(0))
x_drawn = f(z_drawn) + s * torch.randn(400_000, generator=seeded(1))

figure, (first, second, third) = figures.panels(3, height=3.2)
figures.curves(z_grid, {"p(z)": log_normal(z_grid, 0.0, 1.0).exp()}, "z", "density",
               "Prior", ax=first)
z_axis, x_axis = z_grid.numpy(), x_grid.numpy()
second.pcolormesh(z_axis[::10], x_axis[::10], log_joint.exp().numpy()[::10, ::10],
                  cmap="viridis", rasterized=True)
second.plot(z_axis, f(z_grid).numpy(), "w--", lw=1)
second.set(xlabel="z", ylabel="x", title="Joint p(x, z), and the curve f",
           ylim=(-3.5, 3.5), xlim=(-3.5, 3.5))
third.hist(x_drawn, bins=90, density=True, color="0.8", label="drawn")
figures.curves(x_grid, {"integrated": marginal}, "x", "density", "Marginal p(x)",
               ax=third)
third.set(xlim=(-3.5, 3.5), ylim=(0, 0.75))
third.legend(loc="upper center", ncols=2);

# %% [markdown]
# *A plain bell over z (left) becomes a distribution with two peaks over x (right): the prior may stay simple, since the
# decoder does the bending. The grey histogram was drawn in two steps, first z and then x, and agrees with the integral, whose
# total is {{total_probability}}, as a density's must be.*
#
# With two numbers per code such a grid has four million points; with sixteen, more than the Earth has atoms. For images the
# integral is out of reach. That is the problem which the VAE gets around.
#
# ## 1.4 The bound, in two ways
#
# **First way.** Take *any* distribution $q(z)$ over codes that is positive wherever the joint is. Multiply and divide by it
# inside the integral, and use that the logarithm of an average is at least the average of the logarithms (Jensen):
#
# $$\log p_\theta(x) = \log \mathbb E_{q}\!\left[\frac{p_\theta(x, z)}{q(z)}\right]
#   \;\ge\; \mathbb E_{q}\!\left[\log p_\theta(x, z) - \log q(z)\right] =: \mathrm{ELBO}(\theta, q).$$
#
# This is the *evidence lower bound*. **Second way:** how much is lost? A divergence is never negative, by the same
# inequality, and is zero only if the two are equal. Let $p_\theta(z \mid x)$ be the **posterior**, the distribution of codes
# after seeing x. (Bayes' rule defines it, but needs the integral $p_\theta(x)$.) Since
# $p_\theta(x, z) = p_\theta(z \mid x)\, p_\theta(x)$,
#
# $$\mathrm{ELBO}(\theta, q) = \log p_\theta(x) - \mathrm{KL}\big(q(z)\,\|\,p_\theta(z \mid x)\big).$$
#
# The gap is a divergence, and zero exactly when $q$ is the posterior. For one observation x and many
# $q = \mathcal N(m, \sigma^2)$ we can look: the bound from draws of q, the gap by integration on the grid.

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


# %%
widths = torch.linspace(0.03, 0.4, 60)
bounds = torch.stack([bound_from_draws(w.item()) for w in widths])
gaps = torch.stack([gap_on_the_grid(w.item()) for w in widths])
# p(x) once more, from the draws of section 1.3: how many of them fall near x_seen?
near = ((x_drawn - x_seen).abs() < 0.05).double().mean() / 0.1
claim("log_p_from_draws", near.log() - log_p_x)
claim("bound_plus_gap", (bounds + gaps - near.log()).abs().max())
claim("smallest_gap", gaps.min())

# %%
figure, (left, right) = figures.panels(2, height=3.4)
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
# Is that really log p(x)? Counting how many of the draws of section 1.3 fall near 0.9 gives the same without any integral
# over z, to within {{log_p_from_draws}} nats; and bound plus gap agree with that count to within {{bound_plus_gap}} nats at
# all sixty widths.
#
# **Two sets of parameters.** For images a network with parameters φ will propose $q_\phi(z \mid x)$ for each image, and we
# maximise the sum of the bounds over both:
#
# $$\max_{\theta,\, \phi}\; \sum_{i=1}^{N} \mathrm{ELBO}(\theta, \phi; x_i).$$
#
# By the second way, a step in φ changes only the gap. A step in θ that raises the bound raises log p(x), or it moves the
# posterior towards q, or both. So a higher bound does not always mean a better model.
#
# ### The two terms of every VAE
#
# For training the ELBO is written with $\log p(x, z) = \log p(x \mid z) + \log p(z)$:
#
# $$\mathrm{ELBO} = \underbrace{\mathbb E_{q}[\log p_\theta(x \mid z)]}_{\text{minus the reconstruction cost}}
#   \;-\; \underbrace{\mathrm{KL}\big(q(z)\,\|\,p(z)\big)}_{\text{cost of the code}} .$$
#
# Read minus the ELBO as the length of a message in two parts. The first sends one draw from q, and costs
# KL nats: nothing if q is the prior, and the more the further q is from it. The second names what the code leaves open, and costs
# $-\log p(x \mid z)$. (Why the first part costs only the KL is the *bits-back* argument: Townsend et al. 2019.) The loss is
# the **sum** of the two costs.
#
# ## 1.5 Gaussian densities and their divergence
#
# We take $q = \mathcal N(\mu, \mathrm{diag}\,\sigma^2)$: it is easy to draw from, and its KL has a closed form. (Section 1.12
# measures what this choice costs.) First the log-density of independent coordinates, a sum:
#
# $$\log \mathcal N(x; \mu, \sigma^2) = -\tfrac12 \sum_d \Big[\log 2\pi + \log\sigma_d^2 + \frac{(x_d - \mu_d)^2}{\sigma_d^2}\Big].$$
#
# The encoder will give μ and $\log\sigma^2$ for each image; the second is called `logvar` in code.

# %%
def gaussian_log_density(x, mu, logvar):
    squares = (x - mu).square() / logvar.exp()
    return -0.5 * (math.log(2 * math.pi) + logvar + squares).sum(1)


x, mu, logvar = torch.randn(3, 5, 4, generator=seeded(0))
theirs = torch.distributions.Normal(mu, (0.5 * logvar).exp()).log_prob(x).sum(1)
print("ours  ", gaussian_log_density(x, mu, logvar))
print("theirs", theirs)

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
# An average over draws must give the same:

# %%
def kl_to_standard_normal(mu, logvar):
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


mu, logvar = torch.tensor([[1.0, -0.5]]), torch.tensor([[1.2, -1.5]])
z_q = mu + (0.5 * logvar).exp() * torch.randn(400_000, 2, generator=seeded(0))
zero = torch.zeros_like(z_q)
log_p = gaussian_log_density(z_q, zero, zero)
log_ratio = gaussian_log_density(z_q, mu, logvar) - log_p
exact = kl_to_standard_normal(mu, logvar)
print(f"closed form {exact.item():.3f}, mean over draws {log_ratio.mean():.3f} nats")
claim("kl_difference", log_ratio.mean() - exact)

# %%
figure, (left, right) = figures.panels(2, height=3, sharey=True)
line = torch.linspace(-3, 3, 121)[:, None]
moved = kl_to_standard_normal(line, torch.zeros_like(line))
figures.curves(line[:, 0], {"σ = 1": moved}, "mean μ", "KL in nats", "Moving the mean",
               ax=left)
std = torch.linspace(0.05, 3, 121)[:, None]
stretched = kl_to_standard_normal(torch.zeros_like(std), 2 * std.log())
figures.curves(std[:, 0], {"μ = 0": stretched}, "standard deviation σ", "KL in nats",
               "Changing the width", ax=right);

# %% [markdown]
# *What one number of the code costs. Left: the cost grows as the square of the mean. Right: a narrow q is expensive, because
# precision carries information; a wide one costs as well. Only the prior itself is free. Closed form and draws above differed by
# less than {{kl_difference}} nats.*
#
# ## 1.6 A gradient through a random draw
#
# The reconstruction term is an expectation under $q$, and $q$ depends on the parameters that we want to train. Two ways are
# used to get the gradient of $\mathbb E_{z \sim \mathcal N(\mu, \sigma^2)}[g(z)]$ from draws:
#
# - **score function**, or REINFORCE (Williams 1992): $\nabla \int q\, g = \int g\, \nabla q = \mathbb E_q[g\, \nabla \log q]$, so one draw gives
#   $g(z)\,\nabla_\mu \log q(z)$. It asks nothing of $g$ but its values. Since $\mathbb E_q[\nabla \log q] = 0$, any constant may be
#   taken off $g$ first; a good one, a *baseline*, makes it scatter less.
# - **reparameterisation** (Kingma & Welling 2014): write $z = \mu + \sigma\varepsilon$ with
#   $\varepsilon \sim \mathcal N(0, 1)$; now the randomness comes from outside, and $\nabla_\mu\, g(\mu + \sigma\varepsilon)$
#   is an ordinary derivative. It asks for a $g$ that has one, and for a $z$ that, with the noise fixed, has a derivative in μ
#   and σ; a discrete z has none.
#
# Both are unbiased, the first with or without a baseline. **Predict** which estimate scatters least, for $g(z) = (z - 2)^2$, $\mu = 0$ and $\sigma = 1$:

# %%
eps = torch.randn(100_000, generator=seeded(0))
z_q = 0.0 + 1.0 * eps
reparameterised = 2 * (z_q - 2)  # dg/dz · dz/dμ, and dz/dμ = 1
score = (z_q - 2) ** 2 * z_q  # g(z) · d log q/dμ, and d log q/dμ = z - μ
with_baseline = ((z_q - 2) ** 2 - 5) * z_q  # 5 is the mean of g
print("exact -4; means", *(f"{each.mean():.2f}"
                           for each in (reparameterised, score, with_baseline)))
claim("variance_ratio", score.var() / reparameterised.var())
claim("baseline_ratio", with_baseline.var() / reparameterised.var())

# %%
ax = figures.panels(height=3)[1]
bins = torch.linspace(-30, 20, 120)
estimates = {"score function": score, "with a baseline": with_baseline,
             "reparameterised": reparameterised}
for i, (name, values) in enumerate(estimates.items()):
    ax.hist(values, bins, density=True, histtype="step", lw=1.8,
            ls=figures.DASHES[2 - i], color=figures.PALETTE[2 - i], label=name)
ax.axvline(-4, color="black", ls=":", label="exact gradient")
ax.set(xlabel="gradient estimate from one draw", ylabel="density",
       title="Three estimates of the same gradient")
ax.legend();

# %% [markdown]
# *All three histograms have the same mean, the dotted line. The score function's estimates have a long tail to the left (cut
# at −30 here), and their variance is about {{variance_ratio}} times that of the reparameterised ones; with the mean of g as a
# baseline it is still about {{baseline_ratio}} times. For this g, so many draws
# must be averaged to equal one reparameterised.*

# %%
figures.vae_diagram(reparameterised=False);

# %% [markdown]
# *Without reparameterisation the draw of z has no derivative: the gradient reaches the decoder and stops at z, and on this
# path the encoder learns nothing from the reconstruction. Compare with the figure of section 1.1.*
#
# In code the trick is one line, and gradients reach both outputs of the encoder:

# %%
def reparameterize(mu, logvar, eps):
    return mu + (0.5 * logvar).exp() * eps


mu = torch.zeros(1, 2, requires_grad=True)
logvar = torch.full((1, 2), math.log(4.0), requires_grad=True)
eps = torch.tensor([[1.0, -0.5]])
reparameterize(mu, logvar, eps).sum().backward()
print("gradients:", mu.grad, logvar.grad)

# %% [markdown]
# With $\log\sigma^2 = \log 4$ the standard deviation is 2. Check the second gradient by hand: it is $\tfrac12 \sigma \varepsilon$.
#
# One draw of z for each image and step is enough. Over hundreds of steps and images the noise averages out. It is *not*
# enough to know the bound of one image: section 1.12 measures by how much one draw scatters.
#
# ## 1.7 What the decoder's output means
#
# A decoder network returns numbers. Which distribution of x they describe is our decision, and is part of the model.
#
# **Bernoulli pixels.** The output is a *logit* $l_d$ for each pixel, any number, and the pixel is white with probability
# $\mathrm{sigmoid}(l_d) = 1/(1 + e^{-l_d})$. For pixels $x_d$ of 0 and 1
#
# $$\log p(x \mid z) = \sum_d \big[x_d \log \mathrm{sigmoid}(l_d) + (1 - x_d) \log(1 - \mathrm{sigmoid}(l_d))\big]
#   = \sum_d \big[x_d\, l_d - \log(1 + e^{l_d})\big],$$
#
# minus the cross-entropy, *summed* over pixels. No label occurs: the target is the image itself. (The formula is often used
# with grey values too. It works as a loss, but is then no log-probability.)

# %%
def bernoulli_log_likelihood(logits, x):
    return (x * logits - nn.functional.softplus(logits)).flatten(1).sum(1)


logits, x = torch.randn(5, 1, 28, 28, generator=seeded(0)), next(digit_batches())[:5]
theirs = torch.distributions.Bernoulli(logits=logits).log_prob(x).sum((1, 2, 3))
print("ours  ", bernoulli_log_likelihood(logits, x))
print("theirs", theirs)
extreme = torch.tensor([-40.0, 0.0, 40.0])
print("a black pixel, from logits:       ", -nn.functional.softplus(extreme))
print("a black pixel, from probabilities:", (1 - extreme.sigmoid()).log())

# %% [markdown]
# The last number should be −40 and is minus infinity, because in single precision sigmoid(40) is exactly 1. So keep logits to
# the end.
#
# **Gaussian pixels.** With $p(x \mid z) = \mathcal N(\hat x(z), s^2 I)$ and one fixed $s$,
#
# $$-\log p(x \mid z) = \frac{\lVert x - \hat x \rVert^2}{2 s^2} + \text{const}.$$
#
# Multiply the loss by $2s^2$ and it reads $\lVert x - \hat x \rVert^2 + 2s^2 \cdot \mathrm{KL}$: with squared error,
# **the weight of the KL is 2s²**. So "squared error plus KL" *is* a Gaussian decoder with $2 s^2 = 1$, and "**mean**
# squared error over 784 pixels plus KL" is one with $2 s^2 = 784$: a decoder that believes every pixel to be off by about
# twenty times the whole grey range. **Predict** what its reconstructions look like.

# %%
def train_gaussian(std):
    manual_seed(0)
    model = m.VAE(latent_dim=8, hidden=256, pixels=m.GaussianPixels(std),
                  mean_image=mean_image).to(device)
    fit(model, minibatches(digits.train_bytes, batch_size=128, seed=0),
        steps=scaled(default=600, smoke=5, full=3000), lr=2e-3)
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
costs = [dataset_elbo_terms(model.loss, grey)["kl"].mean()
         for model in gaussians.values()]
errors = [(model.reconstruct(grey) - grey).square().mean()
          for model in gaussians.values()]
print("mean squared errors per pixel:", ", ".join(f"{error:.4f}" for error in errors))
claim("kl_sharp", costs[0])
claim("kl_summed", costs[1])
claim("kl_averaged", costs[2])
average_error = (mean_image.to(device) - grey).square().mean()
claim("average_error", average_error)
claim("worth_of_all", 784 * average_error / (2 * 392))  # nats per image
claim("largest_variance", torch.linalg.eigvalsh(digits.train.flatten(1).T.cov())[-1])
claim("collapsed_to_the_average", errors[2] - average_error)
claim("effective_beta", 1 / (2 * errors[0]))
more = 784 * (errors[1] - errors[0])  # squared error of an image
claim("sharp_worth", more / (2 * 0.1**2))
claim("summed_worth", more / (2 * 0.5))

# %% [markdown]
# *Twelve test images and their reconstructions. With s = 0.1 the model spends about {{kl_sharp}} nats on the code, with s = 0.7
# only about {{kl_summed}}. With s = 20 the code costs less than {{kl_averaged}} nats, says nothing, and every reconstruction is the
# average training image: the two have the same squared error to {{collapsed_to_the_average}} per pixel. The upper two look alike, yet what the second row's error is larger by
# is worth {{sharp_worth}} nats at s = 0.1, and {{summed_worth}} at s = 0.7.*
#
# The last row is **posterior collapse**, made by nothing but a `mean` in place of a `sum`. A nat of code adds 1 to the loss; what could it take off? The average image has an error of {{average_error}} per pixel, and at s = 20 all of it is worth less than a tenth of a nat
# ({{worth_of_all}}). For a linear decoder the rule is exact (Tipping & Bishop 1999): a direction is used only if the data vary in
# it by more than $s^2$. Here $s^2$ is 392, and the largest variance of the images in any direction is about {{largest_variance}}.
#
# State the deviation; else the weighting of your two terms is an accident. The best fixed $s^2$ is the mean squared error itself, and it
# can be learned (Rybkin et al. 2021).
#
# ## 1.8 Probabilistic PCA: a VAE whose truth is known
#
# Test the bound first where the answer is known. With a linear decoder,
# $p(x \mid z) = \mathcal N(Wz + b, s^2 I)$, the marginal is Gaussian as well: $p(x) = \mathcal N(b, WW^\top + s^2 I)$. This is
# *probabilistic PCA* (Tipping & Bishop 1999; as a VAE: Lucas et al. 2019): its best W spans the same plane as the leading principal components. The posterior is
# Gaussian too; its mean is linear in x, and its covariance $(I + W^\top W / s^2)^{-1}$ is the same for every x.
#
# **When the gap can be closed.** Here q can be set to the exact posterior, with W, b and s held fixed: the *E step*. Then the
# best W, b and s for that q have a closed form, too: the *M step*. Alternating the two is the **EM algorithm**:

# %%
manual_seed(0)
truth = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
with torch.no_grad():
    truth.W.copy_(torch.linalg.qr(torch.randn(5, 2))[0] * torch.tensor([2.0, 1.0]))
    truth.log_std.fill_(math.log(0.5))
data, held_out = truth.sample(10_000, seed=1), truth.sample(2_000, seed=2)
pca = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
q = pca.exact_posterior(data)
log_p, elbo = [], []
for _ in range(5):
    pca.em_step(data)  # the E step, which gives the same q, and the M step
    log_p.append(pca.log_prob(data).mean().item())
    elbo.append(pca.elbo(data, *q).mean().item())  # the new model, the old q
    q = pca.exact_posterior(data)  # the next E step
    log_p.append(pca.log_prob(data).mean().item())
    elbo.append(pca.elbo(data, *q).mean().item())
claim("em_gap", max(abs(p - e) for p, e in zip(log_p[1::2], elbo[1::2], strict=True)))

# %%
ax = figures.curves(torch.arange(1, 11) / 2, {"log p(x)": log_p, "ELBO": elbo}, "step",
                    "nats per example", "Five steps of EM on probabilistic PCA")
ax.axhline(truth.log_prob(data).mean().item(), color="black", ls=":",
           label="the model that made the data")
ax.legend();

# %% [markdown]
# *After each M step (at the halves) the model has changed and q has not: log p(x) is higher, and a gap is open. After each E step
# (at the whole numbers) q is the posterior again, and the gap is zero, to {{em_gap}} nats. So neither curve ever falls. Five steps
# do not reach the dotted line.*
#
# For a neural decoder neither step has a closed form. A VAE takes a small step in both at once, with a network for q. Here, with a
# linear encoder and a diagonal covariance, the family of q contains the posterior when the columns of W are orthogonal, and training
# can turn W towards that. So the bound should rise until it **meets** $\log p(x)$:

# %%
manual_seed(1)
student = m.LinearGaussianVAE(data_dim=5, latent_dim=2)
check_model(student, data[:4])
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
mu, logvar = student.encode(held_out)
closed_form = student.elbo(held_out, mu, logvar[0].exp().diag()).mean().item()

# %%
ax = figures.curves(
    50 * torch.arange(len(bound)),
    {"ELBO": torch.tensor(bound), "log p(x), exact": torch.tensor(exact_log_p)},
    "training step", "nats per example", "The same model, trained by gradients",
)
ax.axhline(truth.log_prob(held_out).mean().item(), color="black", ls=":",
           label="the model that made the data")
ax.legend()
claim("final_gap", exact_log_p[-1] - closed_form)
claim("cost_of_learning", truth.log_prob(held_out).mean().item() - exact_log_p[-1])

# %% [markdown]
# *On held-out data the bound starts well below the exact log-likelihood and meets it. At the end the gap, which has a closed
# form here, is less than {{final_gap}} nats, and the student's log p(x) lies below the true model's by less than {{cost_of_learning}}.*
#
# A wrong q has to pay exactly its divergence. Double the standard deviation of q; the gap must then be the KL of that wide q
# from the exact posterior:

# %%
mean, covariance = student.exact_posterior(held_out)
wide_logvar = logvar + 2 * math.log(2.0)
gaussian = torch.distributions.MultivariateNormal
wide = gaussian(mu, torch.diag_embed(wide_logvar.exp()))
predicted = torch.distributions.kl_divergence(wide, gaussian(mean, covariance)).mean()
with torch.no_grad():
    student.logvar += 2 * math.log(2.0)
    elbos = [dataset_elbo_terms(student.loss, held_out, seed=seed)["elbo"].mean()
             for seed in range(50)]
    lowered = torch.stack(elbos).mean()
claim("predicted_loss", predicted)
claim("prediction_error", exact_log_p[-1] - lowered - predicted)

# %% [markdown]
# The theory predicts a gap of about {{predicted_loss}} nats, and the measured one differs from it by less than
# {{prediction_error}}. (For an exact q it would be $3 - \log 4 = 1.61$; the student's was a little too wide already.) A wrong sign or a
# missing ½ in the package's loss could not pass this test.
#
# ### A tighter bound from the same q
#
# In section 1.4, $p(x)$ was the average under q of $p(x, z)/q(z)$: *importance sampling*. Call that fraction the *importance
# weight* of a draw. The ELBO averages the logarithms of single weights. The **importance-weighted bound** (IWAE, Burda et al. 2016)
# averages K weights first, inside the logarithm:
#
# $$\mathcal L_K = \mathbb E\Big[\log \frac1K \sum_{k=1}^K w_k\Big], \qquad
#   w_k = \frac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}, \quad z_k \sim q(z \mid x).$$
#
# $\mathcal L_1$ is the ELBO; the bound grows with K, and in expectation never passes $\log p(x)$. (One can train on it too,
# at K times the decoder's work.) **Predict:** can more draws make up for a bad q, the wide one?

# %%
sizes = (1, 2, 5, 20, 100, 500)
climbing = torch.stack([
    dataset_iwae_bound(student.log_weights, held_out, K=K).mean() for K in sizes])
ax = figures.curves(torch.tensor(sizes), {"IWAE bound, wide q": climbing},
                    "importance samples K", "nats per example",
                    "With more draws the bound arrives at the truth")
ax.axhline(exact_log_p[-1], color="black", ls=":", label="log p(x), exact")
figures.log_scale(ax, "x")
ax.legend()
claim("gap_of_500", exact_log_p[-1] - climbing[-1])

# %% [markdown]
# *The bound with the doubled q over the number of draws. At K = 1 it lies below the exact value by the predicted gap, at K = 500
# by less than {{gap_of_500}} nats. In two dimensions, and with a wide q, that is easy.*
#
# ## 1.9 The VAE, built
#
# Now the decoder is a network. And instead of fitting one q to every image, a second network, the encoder, gives $\mu(x)$ and
# $\log\sigma^2(x)$ for any image at once (*amortised* inference). With three functions from above, the model is a page of
# code. Both networks are of one kind:

# %%
def mlp(*widths):
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.SiLU()]
    return nn.Sequential(*layers[:-1])  # nothing after the last layer


# %% [markdown]
# The encoder turns 784 pixels into sixteen means and sixteen log-variances, which may have any sign; so no activation follows the
# last layer. The decoder mirrors it and returns 784 logits. The loss is minus the last formula of section 1.4, one value for each image;
# sampling needs the decoder alone:

# %%
class MyVAE(nn.Module):
    def __init__(self, latent_dim=16, hidden=512):
        super().__init__()
        self.encoder = mlp(784, hidden, hidden, 2 * latent_dim)
        self.decoder = mlp(latent_dim, hidden, hidden, 784)

    def encode(self, x):
        return self.encoder(x.flatten(1)).chunk(2, dim=1)  # mu and logvar, two "heads"

    def decode(self, z):
        return self.decoder(z).unflatten(1, (1, 28, 28))  # logits

    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        z = reparameterize(mu, logvar, torch.randn_like(mu) if eps is None else eps)
        reconstruction = -bernoulli_log_likelihood(self.decode(z), x)
        kl = kl_to_standard_normal(mu, logvar)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}

    def sample(self, n, seed=0):
        z = torch.randn(n, self.decoder[0].in_features, generator=seeded(seed))
        return self.decode(z.to(self.decoder[0].weight)).sigmoid().detach()


# %% [markdown]
# The package has this model too, tested. It differs in its first weights: `mean_image` sets the bias of the last layer, so
# that an untrained decoder draws the average digit, and the other weights begin larger, save those of the last layer. With
# the same weights and the same noise, yours must give the same numbers:

# %%
manual_seed(0)
theirs, mine = m.VAE(latent_dim=16, mean_image=mean_image), MyVAE()
mine.load_state_dict(theirs.state_dict())
x, eps = next(digit_batches()), torch.randn(128, 16, generator=seeded(1))
with torch.no_grad():
    ours = mine.loss(x, eps)
    differences = [(ours[name] - value).abs().max() / value.abs().max()
                   for name, value in theirs.loss(x, eps=eps).items()]
differences.append((mine.sample(10) - theirs.sample(10)).abs().max())
claim("mine_and_theirs", max(differences))

# %% [markdown]
# They differ by less than {{mine_and_theirs}}, relatively. Written out by hand, the training loop is this. `mine` begins with
# the package's weights, a second model as PyTorch made it:

# %%
ends = {}
for start, model in {"the package's start": mine, "PyTorch's start": MyVAE()}.items():
    optimizer = torch.optim.Adam(model.to(device).parameters(), lr=1e-3)
    losses = []
    for _step, x in zip(tqdm(range(scaled(default=200, smoke=5, full=200))),
                        digit_batches(), strict=False):
        terms = model.loss(x.to(device))
        optimizer.zero_grad()
        terms["loss"].mean().backward()
        optimizer.step()
        losses.append(terms["loss"].mean().item())
    ends[start] = losses[-1]
    print(f"{start}: first loss {losses[0]:.0f}, last loss {losses[-1]:.0f} nats")
claim("worth_of_a_start", ends["PyTorch's start"] - ends["the package's start"])

# %% [markdown]
# After two hundred steps the better start is still about {{worth_of_a_start}} nats ahead.
#
# `fit` does the same, with a progress bar and a learning rate that falls to zero (`??fit` shows it). All it asks of a model
# is a `loss(x)` that returns a dict whose `"loss"` holds one value per example; `check_model` says whether yours is ready.

# %% [markdown]
# ## 1.10 What it has learned

# %%
steps = scaled(default=1200, smoke=10, full=30_000)


def train_vae(seed):
    manual_seed(seed)
    model = m.VAE(latent_dim=16, mean_image=mean_image).to(device)
    check_model(model, next(digit_batches())[:4].to(device))
    return model, fit(model, digit_batches(seed=2 * seed), steps=steps, lr=4e-3)


vae, history = train_vae(seed=0)
figures.training_curves(history, title="VAE on binarised digits", ylim=(0, 220));

# %% [markdown]
# *The loss and its two terms, in nats per image. The reconstruction cost falls quickly while more nats are spent on the
# code: the model learns what is worth saying.* The result is the bound on images that the model has never seen:

# %%
parts = {name: value.mean()
         for name, value in dataset_elbo_terms(vae.loss, x_test).items()}
claim("test_elbo", parts["elbo"])
claim("test_reconstruction", parts["reconstruction"])
claim("test_kl", parts["kl"])
train = torch.bernoulli(digits.train, generator=seeded(8))
on_train = dataset_elbo_terms(vae.loss, train.to(device))["elbo"].mean()
claim("overfitting", on_train - parts["elbo"])

# %% [markdown]
# The test ELBO is about {{test_elbo}} nats per image: {{test_kl}} for the code and {{test_reconstruction}} for what the code
# leaves open. On the training images the bound is better by about {{overfitting}} nats: the model and its encoder have learned something about
# these ten thousand images, not only what digits are like.

# %%
with torch.no_grad():
    logits = vae.decode(vae.encode(x_test[:14]).mu)
drawn = torch.bernoulli(logits.sigmoid().cpu(), generator=seeded(3))
figures.image_rows(
    {"test image": x_test[:14], "mean": logits.sigmoid(), "a draw": drawn},
    title="Test images and what comes back through the code"
);

# %% [markdown]
# *Top: binarised test images. Middle: the mean of p(x | z) at the mean of q. Bottom: a draw from it, which is what the model
# really says an image looks like: pixels are independent given z, so edges are ragged, as in the binarised images. Figures
# mostly show means, which are smoother.*

# %% tags=["cover"]
with torch.no_grad():  # nobody needs gradients here
    z_p = torch.randn(40, 16, generator=seeded(4))  # the codes of section 1.1
    samples = vae.decode(z_p.to(device)).sigmoid()  # logits become grey values
figures.image_grid(torch.cat([samples.cpu(), m.trained_decoder()(z_p)]), columns=20,
                   title="1,200 steps on 10,000 digits; below 20,000 on 55,000")
n = scaled(default=5000, smoke=100, full=20_000)
start = time.perf_counter()
vae.sample(n).cpu()
milliseconds = 1000 * (time.perf_counter() - start) / n
claim("milliseconds_per_sample", milliseconds, device=device)

# %% [markdown]
# *Samples, not selected: codes drawn from N(0, I), then the decoder's mean. The upper two rows come from the model that you
# have just trained, the lower two from that of section 1.1. Many of the upper ones are not digits; section 1.11 finds out
# why.*
#
# One pass makes a whole batch, so a sample takes less than {{milliseconds_per_sample}} ms.
#
# Codes can be moved as well as drawn. Between two images, decode the points on a straight line:

# %%
ends = vae.encode(x_test[[3, 11, 8]]).mu.detach().cpu()
weight = torch.linspace(0, 1, 12)[:, None]
pairs = ((ends[0], ends[1]), (ends[1], ends[2]), (ends[2], ends[0]))
paths = torch.cat([a + weight * (b - a) for a, b in pairs])
between = vae.decode_mean(paths).cpu()
faded = torch.lerp(between[0], between[11], weight[:, :, None, None])
figures.image_grid(torch.cat([between, faded]), columns=12,
                   title="From one test image to another; last row: faded");

# %% [markdown]
# *Each of the first three rows goes from the code of one test image to that of another. Most pictures on the way could be
# drawn with a pen, though some are faint. The last row fades the two ends of the first into each other, pixel by pixel, and
# shows two digits at once.*
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
figure, (left, right) = figures.panels(2, height=4.1)
figures.latent_scatter(flat.encode(x_test).mu, digits.test_labels,
                       title="Codes of test images (means of q)", ax=left)
e = grid.max().item()
left.plot([-e, e, e, -e, -e], [-e, -e, e, e, -e], "k:", lw=1.2)
pictures = flat.decode_mean(grid.flatten(0, 1)).unflatten(0, (n, n)).cpu()
figures.image_map(pictures, grid[0, :, 0], title="The decoder over most of the prior",
                  ax=right);

# %% [markdown]
# *Left: the means of q for test images. Right: what the decoder makes of a grid over nine tenths of the prior in each
# direction (the dotted square). Compare with section 1.2: the codes have roughly the prior's centre and scale, though more of
# them lie in the middle and more far out. Most cells show a digit, but not all.*
#
# ### What does each number of the code do?
#
# Back to sixteen latent numbers. Take the code of a test image and move one of them at a time, first those whose means vary
# most over the data.

# %%
mu = vae.encode(x_test).mu.detach().cpu()
busiest = mu.var(0).argsort(descending=True)
start_code = mu[4]
latent_strip(vae.decode_mean, start_code, dims=tuple(busiest[:4].tolist()));

# %% [markdown]
# *Each row moves one of the four busiest numbers and leaves the others. A row changes several things at once, the shape of
# the digit and the way it is written: if all codes are rotated p(x) stays the same, so likelihood asks for no meaning per number (Locatello et al. 2019).*

# %% tags=["widget"]
latent_explorer(vae.decode_mean, start_code, dims=tuple(busiest.tolist()))

# %% [markdown]
# *A slider for each of the sixteen numbers, busiest first (without a kernel: a picture of some).* Press *draw from the prior*
# a few times. Then set all sliders to zero: the densest point of the prior, but in sixteen dimensions draws lie at a distance
# of about 4 from it.
#
# ## 1.11 The prior makes the samples
#
# Why are so many samples not digits, when reconstructions are good? The decoder is the same; what differs is where codes come
# from: images, through q, or the prior. With a perfect model and a perfect q the average of all q would be the prior. Here it
# is not, and the prior draws codes from places where no image put any (*prior holes*).
#
# So draw codes from a mixture of normals, fitted to those of images by EM, and do the same with plain autoencoders of the
# same size and as many steps. The judge is a *Fréchet distance* (chapter 2): fit one normal distribution to the features that
# a classifier sees in 2,000 samples, another to those in the test images, and measure how far apart they are; lower is
# better. **Predict** which makes the best samples.

# %%
def train_autoencoder(seed):
    manual_seed(seed)
    model = m.Autoencoder(latent_dim=16).to(device)
    fit(model, digit_batches(seed=2 * seed), steps=steps, lr=4e-3)
    return model


seeds = range(scaled(default=3, smoke=1, full=3))
autoencoders = [train_autoencoder(seed) for seed in seeds]

# %%
vaes = [vae] + [train_vae(seed)[0] for seed in seeds[1:]]

# %%
judge = feature_network("mnist")
test_features = judge.features(digits.test)


def distance(pictures):  # Fréchet distance to the test images: lower is better
    return frechet_distance(judge.features(pictures.cpu()), test_features)


@torch.no_grad()
def codes_of(model, x):  # one code per image; for a VAE a draw from its q
    encoded = model.encode(x.to(device))
    if isinstance(model, m.Autoencoder):
        return encoded.cpu()
    eps = torch.randn(encoded.mu.shape, generator=seeded(0))
    return reparameterize(encoded.mu.cpu(), encoded.logvar.cpu(), eps)


@torch.no_grad()
def pictures_of(model, codes):
    return model.decode(codes.to(device)).sigmoid().cpu()


# %%
em_steps = scaled(default=40, smoke=1, full=60)


n = scaled(default=2000, smoke=100, full=2000)


def sources(model):  # ways to draw n codes
    codes = codes_of(model, train)
    one, forty = (m.GaussianMixture.fit(codes, K, steps=em_steps) for K in (1, 40))
    drawn = {"one normal": one.sample(n, seed=1), "40 normals": forty.sample(n, seed=1)}
    if not isinstance(model, m.Autoencoder):
        drawn["the prior"] = torch.randn(n, 16, generator=seeded(1))
    return drawn | {"training images": codes[::5][:n]}


made = {name: [{source: pictures_of(model, z) for source, z in sources(model).items()}
               for model in models]
        for name, models in (("autoencoder", autoencoders), ("VAE", vaes))}
scores = {(name, source): torch.tensor([distance(one[source]) for one in several])
          for name, several in made.items() for source in several[0]}
for (name, source), each in scores.items():
    print(f"{name:12} codes from {source:12}", " ".join(f"{d:5.1f}" for d in each))

# %%
claim("vae_prior", scores["VAE", "the prior"].mean())
claim("vae_mixture", scores["VAE", "40 normals"].mean())
claim("autoencoder_normal", scores["autoencoder", "one normal"].mean())
claim("autoencoder_mixture", scores["autoencoder", "40 normals"].mean())
claim("vae_codes", scores["VAE", "training images"].mean())
claim("real_images", distance(digits.train[::5]))
z = torch.randn(n, 16, generator=seeded(1))
claim("longer_prior", distance(m.trained_decoder()(z)))
figures.image_rows(
    {"VAE, the prior": made["VAE"][0]["the prior"][:16],
     "VAE, 40 normals": made["VAE"][0]["40 normals"][:16],
     "autoencoder, one normal": made["autoencoder"][0]["one normal"][:16],
     "autoencoder, 40 normals": made["autoencoder"][0]["40 normals"][:16]},
    title="The same decoders, with codes from different places");

# %% [markdown]
# *Samples, not selected, first seed. With codes from one wide normal, be it the prior or fitted, many are not digits; with codes
# from forty normals most are.*
#
# The printed numbers are Fréchet distances; real training images have {{real_images}}. On average over three seeds the VAE
# goes from about {{vae_prior}} with its prior to {{vae_mixture}} with the mixture; with the codes of training images its
# decoder reaches {{vae_codes}}. The plain autoencoder goes from {{autoencoder_normal}} to {{autoencoder_mixture}}. So with
# this decoder **the prior over codes makes the samples, with either model** (Dai & Wipf 2019; Ghosh et al. 2020), and for
# samples alone no VAE is needed, at least at this budget. (More data and steps together help as well: from its prior the
# decoder of section 1.1 has about {{longer_prior}}.)
#
# What the VAE buys is something else: a bound in nats, a cost on codes, and an encoder that states its uncertainty.
#
# ### How far are codes and prior apart? *(optional)*
#
# Let $\bar q(z) = \frac1N \sum_i q(z \mid x_i)$ be the distribution of the codes of all images, the *aggregate posterior*. The mean KL splits
# exactly (Hoffman & Johnson 2016):
#
# $$\frac1N \sum_i \mathrm{KL}\big(q(z \mid x_i) \,\|\, p\big) = I(i; z) + \mathrm{KL}(\bar q \,\|\, p),$$
#
# what a code says about *which* image it came from, and how far the codes are from the prior. For our training set:

# %%
with torch.no_grad():
    posterior = vae.encode(train.to(device))
information, mismatch = index_information(posterior.mu.cpu(), posterior.logvar.cpu())
claim("index_information", information)
claim("mismatch", mismatch)

# %% [markdown]
# It is tempting to blame the prior for the {{mismatch}} nats. But the information $I(i; z)$ cannot exceed $\log N = 9.2$,
# since there are only ten thousand images to tell apart, and it is {{index_information}}. Whatever the codes cost beyond that must count as mismatch; only
# a prior that had stored the ten thousand codes could avoid it. What a
# better prior really gains shows on images that took no part: how much does the test ELBO rise when a mixture takes the place
# of N(0, I) (a learned prior, as in Tomczak & Welling 2018)?

# %%
numbers = (1, 3, 10, 40, 100, 300)
codes, x_codes = codes_of(vae, train), codes_of(vae, test)
zero = torch.zeros_like(x_codes)
standard = gaussian_log_density(x_codes, zero, zero)
mixtures = {K: m.GaussianMixture.fit(codes, K, steps=em_steps) for K in numbers}
gains = torch.stack([(mixtures[K].log_prob(x_codes) - standard).mean()
                     for K in numbers])
ax = figures.curves(torch.tensor(numbers), {"test images": gains},
                    "normals in the prior", "nats gained",
                    "What a learned prior adds to the bound")
ax.axhline(0, color="black", ls=":", label="N(0, I)")
figures.log_scale(ax, "x")
ax.legend()
claim("gain_of_40", gains[3])
claim("gain_of_300", gains[5])

# %% [markdown]
# *The gain of the test ELBO over the number of normals that make the prior. Forty gain about {{gain_of_40}} nats; three hundred
# overfit, {{gain_of_300}}.*
#
# For the codes of all digits, $\bar q$ without the limit of our sample, the gain is $\mathrm{KL}(\bar q \| p) - \mathrm{KL}(\bar q \| p_\text{mix})$: a
# lower bound of the mismatch that is really there. And those two nats of a hundred turn the samples from poor to fair: likelihood and the look
# of samples are different things (Theis et al. 2016).
#
# ## 1.12 Where the gap comes from
#
# How loose is the bound on digits? There is no exact answer, but the importance-weighted bound of section 1.8 helps. (Numbers
# below about $e^{-103}$ are zero in single precision, and our weights are of that size; so log-weights are used.)

# %%
# every fourth: a prefix of MNIST would be an easy part
few = x_test[:: scaled(default=4, smoke=100, full=1)]
tighter = {K: dataset_iwae_bound(vae.log_weights, few, K=K) for K in sizes}
means = torch.tensor([tighter[K].mean() for K in sizes])
ax = figures.curves(torch.tensor(sizes), {"IWAE bound": means}, "importance samples K",
                    "nats per image", "On digits the bound has not converged")
figures.log_scale(ax, "x")
claim("elbo_of_these", means[0])
claim("iwae_bound", means[-1])
claim("tightening", means[-1] - means[0])
claim("bits_per_pixel", bits_per_dim(-means[-1], 784))
claim("standard_error", tighter[500].std() / len(few) ** 0.5)

# %% [markdown]
# *The bound on five hundred test images over the number of importance samples. The first point is their ELBO, {{elbo_of_these}} nats; with
# K = 500 it is {{tightening}} nats higher. The steps shrink but have not ended: the true log p(x) lies higher.*
#
# Three things can make the gap. The posterior is not a diagonal normal (**family**). The encoder does not find the best normal for an image
# (the **amortisation** gap; Cremer et al. 2018). And it is worse for images that it was not trained on (**generalisation**). To tell them apart,
# leave the encoder out and fit μ and log σ² to each image alone, by gradient ascent on its ELBO:

# %%
n = scaled(default=200, smoke=4, full=1000)
refit_steps = scaled(default=400, smoke=4, full=400)


def three_bounds(x):  # with the encoder's q, with q refitted, with 500 weights on that
    own, refitted = vae.encode(x), refit_posterior(vae, x, steps=refit_steps)
    log_w = vae.log_weights(x, K=500, q=refitted, generator=seeded(2))
    weighted = (log_w.logsumexp(0) - math.log(500)).cpu()
    bounds = [elbo_under(vae, x, q) for q in (own, refitted)]
    return torch.stack([*bounds, weighted])


groups = {"training": train[::20][:n].to(device), "test": x_test[::5][:n]}
rows = {name: three_bounds(x) for name, x in groups.items()}
gains = {name: row.diff(dim=0) for name, row in rows.items()}
print(f"{'':9}{'encoder':>9}{'refitted':>9}{'weighted':>9}")
for name, row in rows.items():
    errors = gains[name].std(1) / n**0.5
    print(f"{name:9}" + "".join(f"{bound:9.1f}" for bound in row.mean(1)),
          "  gains uncertain by", " and ".join(f"{error:.2f}" for error in errors))

# %%
means_of = {name: each.mean(1) for name, each in gains.items()}
figures.bars(["refitting q", "500 weights, refitted q"], means_of,
             "nats gained over the bound before", "What closes the gap")
claim("amortisation_test", means_of["test"][0])
claim("amortisation_training", means_of["training"][0])
claim("family_at_least", means_of["test"][1])
claim("generalisation", means_of["test"][0] - means_of["training"][0])
one_draw = vae.log_weights(x_test[:200], K=200, generator=seeded(3)).std(0).mean()
claim("one_draw_scatter", one_draw)

# %% [markdown]
# *Left: what the ELBO gains when q is refitted to each image, with the decoder as it is: about {{amortisation_training}} nats
# for training images and {{amortisation_test}} for test images. The first is the cost of amortisation; the difference, about
# {{generalisation}}, that of generalisation. Right: what importance weights add to the refitted bound, about
# {{family_at_least}} nats on test images. If refitting has found the best normal q, its family costs at least so much.* A
# richer q, made by a flow (chapter 4), could win some of that back. The printed lines hold the bounds themselves and the
# standard errors of the gains. Compare the gains, not the bounds: two hundred images are few.
#
# And one draw of z? For a single image its log weight scatters by about {{one_draw_scatter}} nats from draw to draw. For training that does not
# matter (section 1.6); to compare two images, average many.
#
# ### What the numbers mean
#
# - **{{iwae_bound}} nats per image** (K = 500): the model gives a test image, in the geometric mean, a probability of at
#   least e to that power.
# - **{{bits_per_pixel}} bits per pixel**: divide by $784 \log 2$. An ideal compressor with this model needs on average at
#   most that much per pixel; the coin needs 1.
# - The **standard error** over these test images is {{standard_error}} nats. Two models measured on different images have to differ by
#   several nats; on the same images, look at the standard error of the differences.
# - Another bound, K, test set or binarisation makes another quantity. State all four.
#
# ## 1.13 Rate and distortion
#
# Put a weight on the second term, $\text{reconstruction} + \beta \cdot \mathrm{KL}$ (*β-VAE*: Higgins et al. 2017). At $\beta = 1$ the loss is
# minus the ELBO; at any other value it is a choice between two costs: the *rate*, nats spent on the code, and the *distortion*, nats
# left open (Alemi et al. 2018).

# %%
def train_beta(beta):
    manual_seed(0)
    model = m.VAE(hidden=256, mean_image=mean_image, beta=beta).to(device)
    fit(model, digit_batches(), steps=scaled(default=500, smoke=5, full=4000), lr=2e-3)
    return model


betas = {beta: train_beta(beta) for beta in (0.1, 0.3, 1, 3, 8, 20)}

# %%
measured = {beta: {key: value.mean().item()
                   for key, value in dataset_elbo_terms(model.loss, x_test).items()}
            for beta, model in betas.items()}
rate = torch.tensor([terms["kl"] for terms in measured.values()])
distortion = torch.tensor([terms["reconstruction"] for terms in measured.values()])
ax = figures.curves(rate, {"trained with β": distortion}, "rate: KL, nats per image",
                    "distortion: reconstruction, nats", "Six choices of β")
ax.plot(rate, distortion, "o", color=figures.PALETTE[0])
for beta, *at in zip(measured, rate.tolist(), distortion.tolist(), strict=True):
    ax.annotate(f"β = {beta:g}", at, xytext=(6, 4), textcoords="offset points")
ax.margins(x=0.1)
for beta, terms in measured.items():
    print(f"β = {beta:4g}  test ELBO {terms['elbo']:7.1f} nats")
claim("kl_cheap", measured[0.1]["kl"])
claim("kl_expensive", measured[20]["kl"])
claim("best_beta", max(measured, key=lambda beta: measured[beta]["elbo"]))

# %% [markdown]
# *Each point is a model, measured on test images. With β = 0.1 about {{kl_cheap}} nats are spent on the code, with β = 20
# less than {{kl_expensive}}. The sum of the two coordinates is minus the ELBO, and it is best at β = {{best_beta}}, the only
# one trained on it. (These models are smaller than that of section 1.10, and made 500 steps.)*

# %%
figures.image_rows(
    {"test image": x_test[:12]}
    | {f"β = {beta:g}": betas[beta].reconstruct(x_test[:12])
       for beta in (0.1, 1, 8, 20)},
    title="Reconstructions: less and less of the image is left");

# %% [markdown]
# *From top to bottom each nat costs more, so the model spends fewer. From β = 0.1 to 1 one hardly sees a difference; at β = 8
# much of the image is lost, and at β = 20 little more than the average image is left.*
#
# Which latent numbers are used? The KL is a sum over them, so each has its own. Watch a model with 64 of them. **Predict:** how
# does the number in use change during training?

# %%
@torch.no_grad()
def kl_per_number(model):  # nats for each latent number, largest first
    mu, logvar = model.encode(x_test)
    each = 0.5 * (mu.square() + logvar.exp() - 1 - logvar)
    return each.mean(0).cpu().sort(descending=True).values


def count(step):
    if step in (10, 25, 50, 100, 200, 400, 800, 1200):
        in_use[step] = (kl_per_number(wide) > 0.1).sum().item()


manual_seed(0)
wide = m.VAE(latent_dim=64, hidden=256, mean_image=mean_image).to(device)
steps_of_wide, in_use = scaled(default=1500, smoke=5, full=8000), {}
fit(wide, digit_batches(), steps=steps_of_wide, lr=2e-3, on_step=count)
per_number = kl_per_number(wide)
in_use[steps_of_wide] = (per_number > 0.1).sum().item()
claim("numbers_in_use", in_use[steps_of_wide])
claim("most_in_use", max(in_use.values()))

# %%
figure, (left, right) = figures.panels(2)
figures.curves(torch.arange(1, 65), {"KL": per_number}, "latent number, sorted",
               "KL, nats", "What each of 64 numbers costs", ax=left)
figures.curves(torch.tensor(list(in_use)), {"in use": list(in_use.values())},
               "training step", "numbers that cost over 0.1 nats",
               "How many are in use", ax=right)
figures.log_scale(right, "x")

# %% [markdown]
# *Left: the KL of each of 64 latent numbers, after the training. About {{numbers_in_use}} cost more than a tenth of a nat; the
# others have nearly collapsed onto the prior, where a number costs nothing and says nothing. Right: how many are in use
# during the training, up to {{most_in_use}} soon after the start; later those that do not pay are given up.*
#
# **Warm-up** (Bowman et al. 2016) raises β from zero during the first part of training, so that the code is learned before it
# has to be paid for. It was made for decoders that can do without a code (section 1.18). Ours, whose pixels are independent
# given z, takes up numbers soon after the start. Measure before you add a remedy.
#
# **Effective β.** A loss often contains a β that nobody chose. If the cost of binary pixels is averaged over P of them and
# the KL summed, multiply by P: you are training with $\beta = P$. If the KL is averaged over D latent numbers as well,
# $\beta = P/D$: 49 for 784 pixels and 16 numbers. And if pixels really deviate by s, "squared error plus KL" has
# $\beta = 1/(2s^2)$, which is about {{effective_beta}} for the mean squared error of the sharp model in section 1.7.
#
# ## 1.14 Can likelihood tell what does not belong?
#
# A model that knows how probable an image is should notice one that does not belong. **Predict:** what does it say of a blank
# page, all pixels black?

# %%
blank = torch.zeros(1, 1, 28, 28, device=device)
with torch.no_grad():
    elbos = elbo_under(vae, x_test, vae.encode(x_test))
best = x_test[elbos.argsort(descending=True)[:50]]
page, likely = three_bounds(blank), three_bounds(best)
with torch.no_grad():  # no q at all: p(x) as the average of p(x | z) over the prior
    logits = vae.decode(torch.randn(40_000, 16, generator=seeded(3)).to(device))
log_p_x = m.bernoulli_log_likelihood(logits, blank.expand_as(logits)).cpu()
claim("blank_by_encoder", page[0])
claim("blank_weighted", page[2])
claim("blank_from_prior", log_p_x.logsumexp(0) - math.log(40_000))
claim("best_digit", likely[2].max())
claim("page_ahead", page[2] - likely[2].max())

# %%
ax = figures.panels(height=3.2)[1]
ax.hist(elbos.numpy(), 60, color="0.75", label="test digits, encoder's q")
ax.axvline(page[0].item(), color=figures.PALETTE[1], ls="--",
           label="blank page, encoder's q")
ax.hist(likely[1].numpy(), 20, color=figures.PALETTE[2], alpha=0.6,
        label="the 50 likeliest digits, q refitted")
ax.axvline(page[1].item(), color=figures.PALETTE[0], label="blank page, q refitted")
ax.set(xlabel="ELBO, nats", ylabel="images",
       title="A blank page among two thousand digits")
ax.legend();

# %% [markdown]
# *The ELBO (100 draws each) of all test digits and of a blank page. With the encoder's q the page looks improbable, about {{blank_by_encoder}}
# nats; with q refitted to it, it lies to the right of every digit, the fifty likeliest with q refitted too.*
#
# A bad q makes an ELBO low whatever p(x) is, and the encoder has never seen such a page. So measure page and digits alike:
# with q refitted and 500 weights the page gets about {{blank_weighted}} nats, and the best of the fifty likeliest test digits
# only {{best_digit}}. Plain draws from the prior, with no q at all, give about {{blank_from_prior}}: only a handful of the
# 40,000 count, so this one errs low. (For a digit such draws are hopeless: its codes have about $e^{-22}$ of the prior's
# mass.) As far as such estimates can tell, **the model finds a blank page more probable than any of these digits.**
#
# How far can this be trusted? Such an estimate of log p is too high by more than c nats with probability at most $e^{-c}$
# (Markov's inequality): by three nats in at most one case of twenty. So the page's is hardly too high. Each may be too
# low; but to overtake the page a digit's would have to be too low by about {{page_ahead}} nats, and in section 1.12 all 500
# weights together added {{family_at_least}}.
#
# Now refit q to other images that are no digits:

# %%
some = x_test[::100]  # twenty test images
mixed = torch.randperm(784, generator=seeded(4))
odd = {"digits": some, "mirrored\ntop-down": some.flip(2),
       "pixels\nshuffled": some.flatten(1)[:, mixed].unflatten(1, (1, 28, 28)),
       "inverted": 1 - some, "white": torch.ones_like(some),
       "coin\ntosses": torch.rand(some.shape, generator=seeded(5)).round().to(device),
       "one white\npixel": torch.eye(784)[::40].unflatten(1, (1, 28, 28)).to(device)}
x_odd = torch.cat(list(odd.values()))
refitted = elbo_under(vae, x_odd, refit_posterior(vae, x_odd, steps=refit_steps))
of_odd = {name: each.mean().item() for name, each in zip(
    odd, refitted.split([len(each) for each in odd.values()]), strict=True)}
figures.image_grid(torch.stack([each[5] for each in odd.values()]).cpu(), columns=7,
                   title="The mean ELBO of twenty images, q refitted, in nats",
                   headings=[f"{name}\n{of_odd[name]:.0f}" for name in odd])
claim("mirrored", of_odd["digits"] - of_odd["mirrored\ntop-down"])
claim("shuffled", of_odd["digits"] - of_odd["pixels\nshuffled"])
claim("one_white_pixel", of_odd["one white\npixel"])

# %% [markdown]
# *One image of each kind, and above it the mean ELBO of twenty. Inverted digits, white pages and coin tosses are many
# hundreds of nats below digits, shuffled ones about {{shuffled}}, and digits mirrored top to bottom, many
# of which could be digits, about {{mirrored}}, less than some digits differ from others. A page with a single white pixel gets about
# {{one_white_pixel}}, roughly what the likeliest digits get.*
#
# Of these kinds, those with hardly any white are found too probable. The model expects black nearly everywhere, so every
# pixel of a blank page is easy, and few of a white one are. A digit has edges, and each edge pixel costs. A likelihood far
# below that of every digit, with a q fitted to the image, speaks against
# it; **a high one does not speak for it**. What is probable need not be typical, and deep models often give simpler images a higher likelihood than those of
# their own kind (Nalisnick et al. 2019). An exercise lets you do it yourself.
#
# ## 1.15 Asking for a digit
#
# Give both networks the label y as well, as ten more inputs, and the model learns $p(x \mid y)$: a **conditional VAE**
# (Kingma et al. 2014; Sohn et al. 2015). Its code no longer has to say which digit it is, only how it is written.

# %%
manual_seed(0)
conditional = m.ConditionalVAE(num_classes=10, latent_dim=16,
                               mean_image=mean_image).to(device)
labelled = binarised(minibatches(digits.train_bytes, digits.train_labels,
                                 batch_size=128, seed=0), seed=1)
fit(conditional, labelled, steps=scaled(default=1200, smoke=10, full=30_000), lr=4e-3)
asked = torch.arange(10).repeat(4)
figures.image_grid(conditional.sample(asked, seed=5), columns=10,
                   title="Asked for 0, 1, 2, ... 9 (columns)");

# %% [markdown]
# *Four samples for each digit, not selected. Most show it, some do not.* The classifier of section 1.11 can tell how many.
# First judge the judge, on real test images:

# %%
asked = torch.arange(10).repeat(100)
seen = judge.classify(conditional.sample(asked, seed=6).cpu())
obeyed = (seen == asked).float().mean()
right = (judge.classify(digits.test) == digits.test_labels).float().mean()
claim("judge_is_right", 100 * right)
claim("reads_as_asked", 100 * obeyed)

# %% [markdown]
# The judge is right on {{judge_is_right}} % of real digits, and reads the digit that was asked for in {{reads_as_asked}} % of
# the samples.
#
# Now take real digits, and change their labels:

# %%
chosen = [0, 2, 5, 18]
x, y = x_test[chosen], digits.test_labels[chosen].to(device)
style = conditional.encode(x, conditional.one_hot(y)).mu.repeat_interleave(10, 0)
wanted = conditional.one_hot(torch.arange(10).repeat(4))
swapped = conditional.decode_mean(style, wanted)
columns = torch.cat([x.cpu()[:, None], swapped.cpu().unflatten(0, (4, 10))], 1)
figures.image_grid(columns.flatten(0, 1), columns=11,
                   title="A test image, and its code with the labels 0 to 9");

# %% [markdown]
# *Left: four test images. Right of each: its code, decoded with each of the ten labels. Stroke and slant stay, the digit
# changes, though not to every label.*
#
# How much does a label tell? For exact probabilities, $\log p(x \mid y) - \log p(x)$ is on average the information between image and
# label, at most $\log 10 \approx 2.3$ nats. **Predict** the difference of the two bounds:

# %%
labels = digits.test_labels[:: scaled(default=4, smoke=100, full=1)].to(device)
with_label = dataset_iwae_bound(conditional.log_weights, few, labels, K=500).mean()
claim("label_gain", with_label - means[-1])

# %% [markdown]
# On the five hundred images of section 1.12 the bound with the label is about {{label_gain}} nats higher (K = 500): more than a label can
# tell. These are bounds of two models: their gaps differ, and the second had the easier task for as many steps.
#
# ## 1.16 Is it only copying? *(optional)*
#
# A model that had stored its training images would make perfect samples. Look for the nearest training image of each sample:

# %%
fresh = made["VAE"][0]["40 normals"][:500]  # the better samples of section 1.11
near_fresh, which = nearest_neighbours(fresh, digits.train)
near_test, _ = nearest_neighbours(vae.reconstruct(x_test[::4]).cpu(), digits.train)
# what copies would look like
stored = vae.reconstruct(train[::20].to(device)).cpu()
near_stored, _ = nearest_neighbours(stored, digits.train)
figures.image_rows({"sample": fresh[:14],
                    "nearest in training": digits.train[which[:14, 0]]},
                   title="Samples and their nearest training images");

# %% [markdown]
# *Samples above, their nearest training images below: similar, not the same.*

# %%
ax = figures.panels(height=3.2)[1]
groups = {"samples": near_fresh, "test images, reconstructed": near_test,
          "training images, reconstructed": near_stored}
for i, (name, near) in enumerate(groups.items()):
    ax.hist(near[:, 0], torch.linspace(0, 10, 50), histtype="step", lw=2,
            ls=figures.DASHES[i], color=figures.PALETTE[i], label=name)
ax.set(xlabel="distance to the nearest training image", ylabel="images",
       title="Are samples too close to the training set?")
ax.legend()
claim("samples_to_test", near_fresh.median() / near_test.median())
claim("copies_to_test", near_stored.median() / near_test.median())

# %% [markdown]
# *Distances to the training set: of samples, of reconstructed test images, which cannot have been stored, and of
# reconstructed training images, which is how stored copies would look. In units of the median for test images, that for
# samples is about {{samples_to_test}}, and for copies {{copies_to_test}}. The small bump on the left is probably the digit 1:
# thin strokes are near to one another.*
#
# Samples lie about as near as fresh images. But a copy shifted by one pixel would be missed, and bad samples are far from everything:
# this test can convict, not acquit.
#
# ## 1.17 What a loss of 0.002 cannot tell you *(optional)*
#
# One often reads of a loss of 0.002. Here are our VAE and the average training image, in several measures:

# %%
average = mean_image[None].to(device).clamp(1e-4, 1 - 1e-4)
constant = m.bernoulli_log_likelihood(average.logit().expand_as(x_test), x_test).mean()
per_image = {"average image": constant, "VAE (ELBO)": parts["elbo"].to(device)}
squared = {"average image": (average - x_test).square().mean(),
           "VAE (ELBO)": (vae.reconstruct(x_test) - x_test).square().mean()}
for name, nats in per_image.items():
    print(
        f"{name:14} {nats:7.1f} nats per image, {-nats / 784:.3f} nats per pixel, "
        f"{bits_per_dim(-nats, 784):.3f} bits per pixel,"
          f" mean squared error {squared[name]:.3f}")
claim("nats_apart", per_image["VAE (ELBO)"] - constant)
claim("nats_per_pixel_apart", (per_image["VAE (ELBO)"] - constant) / 784)
claim("squared_error_apart", squared["average image"] - squared["VAE (ELBO)"])

# %% [markdown]
# Per image the two are about {{nats_apart}} nats apart, or more, since one is a bound: a factor of $e$ to that power in probability. Per pixel that is
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
# The tosses alone cost {{noise_floor}} nats per image, {{floor_per_pixel}} per pixel. So 0.002 was another quantity, a mean
# of squared errors, say, or a mistake.
#
# **Report** nats per image or bits per dimension, with all that section 1.12 asks you to state.
#
# ## 1.18 What came after
#
# - **Better networks.** Convolutions, and a hierarchy of codes, coarse to fine, draw faces (NVAE: Vahdat & Kautz 2020).
# - **Decoders that are too strong.** If p(x | z) can model an image alone, as the models of chapter 3 can, the cheapest code is an empty
#   one. One keeps z in use by hiding part of the image from the decoder, or by not charging for the first few nats (*free bits*: Kingma et al. 2016).
# - **Codes that are tokens.** VQ-VAE (van den Oord et al. 2017) replaces μ and σ by the nearest of a few hundred learned
#   vectors. An image becomes a small grid of whole numbers, and a model like those of chapter 3 can write it.
# - **Diffusion among codes.** Latent diffusion (Rombach et al. 2022) compresses pictures with an autoencoder whose KL has a weight of about
#   a millionth, and draws the codes with a diffusion model. That is section 1.11 on a large scale: the autoencoder takes care of pixels,
#   the model of codes makes the samples.
#
# ## 1.19 Questions
#
# Think first, then open the answer.
#
# <details><summary>1. The KL term falls to zero during training. What has happened?</summary>
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
# <details><summary>3. Reconstructions are good and samples are poor. Name the cause, and two cures.</summary>
#
# The codes of images do not follow the prior, so the prior draws codes that the decoder was not trained on. Fit a better distribution to
# the codes, or take more data and steps (section 1.11 measures both). A larger β draws each q to the prior, but blurs the decoder as well.
# </details>
#
# <details><summary>4. Two papers report −86.8 and −93.7 on MNIST. Which model is better?</summary>
#
# One cannot tell: which bound, K, test set and binarisation (once and for all, or anew at each pass)? The same model can
# give both numbers.
# </details>
#
# <details><summary>5. Why is the encoder thrown away for sampling, but needed for training?</summary>
#
# The model is the prior and the decoder. The encoder only makes the bound tight enough to train on, by proposing codes
# that could have produced x.
# </details>
#
# <details><summary>6. Model A has the higher test ELBO. Is its log p(x) higher, too?</summary>
#
# Not necessarily. B may have the higher log p(x) and a larger gap. Compare importance-weighted bounds with many draws, or refit q for
# both.
# </details>
#
# Now the exercises: [`exercises/01_vae.ipynb`](../exercises/01_vae.ipynb). The last ones are a hunt for the mistakes in a
# broken program.
#
# ## 1.20 Where this comes from
#
# **Books:** Bishop & Bishop, *Deep Learning*, 2024, chapters 16 and 19; Prince, *Understanding Deep Learning*, 2023, chapter 17;
# Murphy, *Probabilistic Machine Learning: Advanced Topics*, 2023, chapter 21; Kingma & Welling, *An Introduction to Variational
# Autoencoders*, 2019, [arXiv:1906.02691](https://arxiv.org/abs/1906.02691).
#
# **The model and its bound:**
#
# - Kingma & Welling 2014, *Auto-Encoding Variational Bayes*, [arXiv:1312.6114](https://arxiv.org/abs/1312.6114); Rezende,
#   Mohamed & Wierstra 2014, [arXiv:1401.4082](https://arxiv.org/abs/1401.4082).
# - Williams 1992, *Simple Statistical Gradient-Following Algorithms*, Machine Learning 8.
# - Hinton & Salakhutdinov 2006, *Reducing the Dimensionality of Data with Neural Networks*, Science 313: autoencoders.
# - Tipping & Bishop 1999, *Probabilistic Principal Component Analysis*, J. Royal Statistical Society B 61; Lucas et al. 2019, *Don't
#   Blame the ELBO!*, [arXiv:1911.02469](https://arxiv.org/abs/1911.02469).
# - Burda, Grosse & Salakhutdinov 2016, *Importance Weighted Autoencoders*, [arXiv:1509.00519](https://arxiv.org/abs/1509.00519).
#
# **Codes, prior, gap:**
#
# - Hoffman & Johnson 2016, *ELBO surgery*, NIPS workshop on approximate inference.
# - Tomczak & Welling 2018, *VAE with a VampPrior*, [arXiv:1705.07120](https://arxiv.org/abs/1705.07120): a learned prior; Dai & Wipf
#   2019, *Diagnosing and Enhancing VAE Models*, [arXiv:1903.05789](https://arxiv.org/abs/1903.05789); Ghosh et al. 2020, *From
#   Variational to Deterministic Autoencoders*, [arXiv:1903.12436](https://arxiv.org/abs/1903.12436).
# - Cremer, Li & Duvenaud 2018, *Inference Suboptimality in VAEs*, [arXiv:1801.03558](https://arxiv.org/abs/1801.03558).
# - Townsend, Bird & Barber 2019, *Practical Lossless Compression with Latent Variables using Bits Back Coding*,
#   [arXiv:1901.04866](https://arxiv.org/abs/1901.04866).
#
# **The weights of the two terms:**
#
# - Rybkin, Daniilidis & Levine 2021, *Calibrated Decoders*, [arXiv:2006.13202](https://arxiv.org/abs/2006.13202).
# - Higgins et al. 2017, *β-VAE*, ICLR; Alemi et al. 2018, *Fixing a Broken ELBO*, [arXiv:1711.00464](https://arxiv.org/abs/1711.00464).
# - Bowman et al. 2016, *Generating Sentences from a Continuous Space*, [arXiv:1511.06349](https://arxiv.org/abs/1511.06349).
# - Locatello et al. 2019, *Challenging Common Assumptions in … Disentangled Representations*,
#   [arXiv:1811.12359](https://arxiv.org/abs/1811.12359).
#
# **Evaluation, classes, data, what came after:**
#
# - Theis, van den Oord & Bethge 2016, *A note on the evaluation of generative models*,
#   [arXiv:1511.01844](https://arxiv.org/abs/1511.01844).
# - Nalisnick et al. 2019, *Do Deep Generative Models Know What They Don't Know?*, [arXiv:1810.09136](https://arxiv.org/abs/1810.09136).
# - Kingma et al. 2014, *Semi-supervised Learning with Deep Generative Models*, [arXiv:1406.5298](https://arxiv.org/abs/1406.5298); Sohn,
#   Lee & Yan 2015, NeurIPS.
# - Kingma et al. 2016, *Inverse Autoregressive Flow*, [arXiv:1606.04934](https://arxiv.org/abs/1606.04934); van den Oord et al. 2017,
#   *VQ-VAE*, [arXiv:1711.00937](https://arxiv.org/abs/1711.00937); Vahdat & Kautz 2020, *NVAE*,
#   [arXiv:2007.03898](https://arxiv.org/abs/2007.03898); Rombach et al. 2022, *Latent Diffusion*,
#   [arXiv:2112.10752](https://arxiv.org/abs/2112.10752).
# - LeCun et al. 1998, Proceedings of the IEEE 86 (MNIST); Salakhutdinov & Murray 2008 (its binarisation).
