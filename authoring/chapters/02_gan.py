# %% [markdown]
# # 2 · Generative adversarial networks
#
# Two networks play a game. The *generator* makes samples, the *discriminator* tells samples from data, and each learns from the other.
# Nobody ever writes down a density, and yet, if the game ends well, the samples are distributed like the data. You will see why
# that works, watch it happen in the plane and fail in the three usual ways, and train generators of digits and of clothes, which you
# can ask for by class. A *generative adversarial network* (GAN) makes sharp images in one pass, where our VAE's are blurred averages.
#
# **You will be able to** say what the discriminator estimates and what the generator minimises; write both losses so that they
# are stable and give gradients; diagnose a run and repair it; train a convolutional GAN; and measure samples without
# a likelihood.
#
# **You need** [chapter 1](01_vae.ipynb) up to its section 1.7 (densities, divergences, logits), and a little PyTorch. The
# exercises are in [`exercises/02_gan.ipynb`](../exercises/02_gan.ipynb), the answers in
# [`solutions/02_gan.ipynb`](../solutions/02_gan.ipynb).

# %%
import math
import time

import torch
from matplotlib.patches import Circle
from torch import nn
from tqdm.auto import tqdm

from gencourse import evaluation as ev
from gencourse import figures
from gencourse.claims import claim
from gencourse.data import GaussianMixture, images, minibatches, points
from gencourse.gan_lab import recorded, symptoms
from gencourse.models import gan as m
from gencourse.models.vae import VAE
from gencourse.runtime import global_seed, manual_seed, pick_device, scaled, seeded
from gencourse.training import check_model, fit
from gencourse.widgets import film_strip, gan_lab, image_replay

device = pick_device()
print("running on", device)

# %% [markdown]
# ## 2.1 Sampling without a density
#
# First the goal: what a wider model than that of section 2.13 draws after a longer training. It ships with the course.

# %%
longer = m.trained_generator().to(device)
asked = torch.arange(10, device=device).repeat(4)
z = torch.randn(40, longer.latent_dim, generator=seeded(1)).to(device)
clothes = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
           "sneaker", "bag", "boot")
figures.image_grid(longer(z, asked), columns=10, headings=clothes,
                   title="What a GAN draws after sixteen thousand steps");

# %% [markdown]
# *Four of each class, not selected. Each was made from 64 random numbers and a label by one pass through a network.*
#
# A VAE fits a density, by way of a bound, and sampling comes as a by-product. If samples are all you want, keep only
# the decoder: take noise and push it through a function. Whatever the function, that is a sampler.

# %%
with global_seed(2):
    function = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(),
                             nn.Linear(32, 1))
    for layer in (function[0], function[2], function[4]):
        nn.init.normal_(layer.weight, 0, 1.2 / layer.in_features**0.5)
z = torch.randn(20_000, 1, generator=seeded(0))
line = torch.linspace(-3, 3, 400)[:, None]
with torch.no_grad():
    pushed, curve = function(z)[:, 0], function(line)[:, 0]
figure, (left, right) = figures.panels(2, height=3)
figures.curves(line[:, 0], {"G(z)": curve}, "noise z", "x = G(z)", "A function",
               ax=left)
right.hist(pushed, bins=80, density=True, color=figures.PALETTE[1])
right.set(xlabel="x", ylabel="density", title="What it makes of standard normal noise");

# %% [markdown]
# *Left: a function with random weights. Right: a histogram of what it makes of normal noise. Where the curve is flat and noise is frequent,
# much of it lands on nearly the same x, and the density is high.*
#
# To change the distribution of x, change the function. But in which direction? Maximum likelihood needs $p(x)$, hence
# every z that leads to x; and if z is two numbers and x an image of 784 pixels, nearly every x has no such z at all.
# What we can do is **compare samples**: train a classifier to tell them from the
# data. If even the best classifier does no better than a coin, the two distributions are the same. If it does better, it knows *where* they
# differ, and its gradient can show how to reduce it.
#
# ## 2.2 The game and its value

# %%
figures.gan_diagram();

# %% [markdown]
# *Solid arrows are computed. The generator G maps noise z to a sample x̃; the discriminator D judges data x and samples. Dashed: the gradient
# of each loss. In D's turn it stops before G; in G's turn it passes through D, whose weights stay as they are.*
#
# G maps noise $z \sim p(z)$ to $x = G(z)$; call the distribution of its samples $p_g$. The
# discriminator $D(x) \in (0, 1)$ estimates the probability that x came from the data, if data and samples are equally frequent. D wants to
# be right, and G wants D to be wrong. They play for
#
# $$\min_G \max_D V(D, G), \qquad
#   V = \mathbb E_{x \sim p_{\text{data}}}[\log D(x)] + \mathbb E_{x \sim p_g}[\log(1 - D(x))] .$$
#
# Hold G still and ask for the best D. At each x it maximises $p_{\text{data}} \log D + p_g \log (1 - D)$, which is concave in D;
# its derivative $p_{\text{data}}/D - p_g/(1 - D)$ is zero at
#
# $$D^*(x) = \frac{p_{\text{data}}(x)}{p_{\text{data}}(x) + p_g(x)} = \mathrm{sigmoid}\big(\log p_{\text{data}}(x) - \log p_g(x)\big) .$$
#
# **The logit of the best D, the input of its sigmoid, is the log density ratio of data and
# samples.** Any other D's is an estimate of it: good at best where D has seen many points, arbitrary elsewhere.
#
# Put $D^*$ back into V. With the mixture $m = \tfrac12(p_{\text{data}} + p_g)$ each fraction is $p / 2m$, so
# $\log D^* = \log(p_{\text{data}}/m) - \log 2$, and likewise for the other term. The two $-\log 2$ make $-\log 4$:
#
# $$V(D^*, G) = -\log 4 + \mathrm{KL}(p_{\text{data}} \| m) + \mathrm{KL}(p_g \| m) = -\log 4 + 2\,\mathrm{JSD}(p_{\text{data}}, p_g) .$$
#
# JSD is the *Jensen-Shannon divergence*, the mean of the two KLs: zero only for equal distributions, and never more than $\log 2$. So a
# generator that plays against the best D minimises a divergence. In one dimension all of it can be computed on a grid:

# %%
x_grid = torch.linspace(-10, 16, 5201, dtype=torch.float64)
cell = (x_grid[1] - x_grid[0]).item()


def normal(mean, std=1.0):
    scaled_x = (x_grid - mean) / std
    return (-0.5 * scaled_x**2).exp() / (std * math.sqrt(2 * math.pi))


values, divergences = {}, {}
for shift in (0.0, 2.0, 6.0):
    p, q = normal(0.0), normal(shift)
    values[shift] = m.game_value(p, q, m.optimal_discriminator(p, q), cell)
    divergences[shift] = m.jensen_shannon(p, q, cell)
    print(
        f"shift {shift:g}: V(D*) = {values[shift]:.4f}, -log 4 + 2 JSD = "
        f"{-math.log(4) + 2 * divergences[shift]:.4f} nats")
claim("value_of_a_draw", values[0.0])
claim("value_at_two", values[2.0])
claim("value_at_six", values[6.0])
claim("identity_error",
      max(abs(values[s] + math.log(4) - 2 * divergences[s]) for s in values))

# %%
figure, axes = figures.panels(3, height=2.9, sharey=True)
for ax, shift in zip(axes, (0.0, 2.0, 6.0), strict=True):
    p, q = normal(0.0), normal(shift)
    shown = {"data": p, "samples": q, "D*": m.optimal_discriminator(p, q)}
    figures.curves(x_grid, shown, "x", "density, or D", f"Samples shifted by {shift:g}",
                   ax=ax)
    ax.set_xlim(-4, 10)

# %% [markdown]
# *The best discriminator for three generators. If the samples agree with the data it says ½ everywhere; the further they lie
# from the data, the surer it is on both sides, and the steeper the step between.*
#
# If samples and data agree, neither player can win: a *draw*, worth $-\log 4 \approx$ {{value_of_a_draw}} nats. At a shift of 2 the value is
# {{value_at_two}}, at 6 it is {{value_at_six}}. Both sides of the identity were computed separately and agree to {{identity_error}} nats.
#
# ### Does a trained discriminator find it?
#
# In practice D is a network trained on samples. Compare it with $D^*$ where we know both densities:

# %%
real = points("two")
# plays the generator, and stands still
blob = GaussianMixture(torch.zeros(1, 2), torch.tensor([1.2]), torch.ones(1))
grid, cell_2d = figures.plane_grid(limit=5.0, n=101)
p, q = (law.log_prob(grid).double().exp() for law in (real, blob))
best = m.optimal_discriminator(p, q)

manual_seed(0)
D = m.PointDiscriminator().to(device)
optimizer = torch.optim.Adam(D.parameters(), lr=3e-3)
n = scaled(default=900, smoke=20, full=1500)
x_real, x_fake = (law.sample(n * 256, seed=1).split(256) for law in (real, blob))
for step, pair in enumerate(zip(tqdm(x_real), x_fake, strict=True)):
    real_logits, fake_logits = (D(x.to(device)) for x in pair)
    optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / n)
    optimizer.zero_grad()
    m.discriminator_loss(real_logits, fake_logits).mean().backward()
    optimizer.step()

# %%
with torch.no_grad():
    trained = D(grid.to(device)).cpu().double().sigmoid()
figure, axes = figures.panels(3, height=2.9)
figures.heatmap(best, "D* from the densities", limit=5.0, label="probability of data",
                ax=axes[0])
for law, marker in ((real, "o"), (blob, "^")):
    x = law.sample(200, seed=2)
    axes[0].plot(*x.T, marker, ms=2.5, color="black", alpha=0.35, mew=0)
figures.heatmap(trained, "A trained D", limit=5.0, label="probability of data",
                ax=axes[1])
figures.heatmap(trained - best, "Difference", limit=5.0, vmin=-0.3, vmax=0.3,
                label="trained − D*", ax=axes[2])
weight = (p + q) / 2 * cell_2d
claim("d_error", (weight * (trained - best).abs()).sum())
claim("value_trained", m.game_value(p, q, trained, cell_2d))
claim("value_best", -math.log(4) + 2 * m.jensen_shannon(p, q, cell_2d))

# %% [markdown]
# *Two modes (peaks of the density), at x₁ = ±1.5, as data, one blob in the middle as samples. Left: $D^*$ from the densities, with points of both
# (dots and triangles); on the black lines D is ½. It believes most in data a little outside the modes, where the blob is thinner. Middle: a small network
# trained only on points. Right: their difference, largest at the outer edges, where points are few.*
#
# Averaged over data and samples the network is off by less than {{d_error}}. The value that it reaches,
# {{value_trained}} nats, comes close to the best possible, {{value_best}}, and cannot exceed it: whatever D you have, V is a **lower bound** of
# $-\log 4 + 2\,\mathrm{JSD}$. **And G minimises it.** Chapter 1's VAE *maximised* a lower bound, and a higher bound guaranteed more.
# Pushing a lower bound down guarantees nothing: G can lower V by coming closer to the data, or by
# moving to where D is wrong. So D has to keep up, and the losses alone say little about the samples.
#
# ## 2.3 Logits, and losses that stay finite
#
# D's network returns a **logit** $l$, and $D = \mathrm{sigmoid}(l)$. Both losses of the game can be written with one function
# that PyTorch computes without overflow, $\mathrm{softplus}(l) = \log(1 + e^l)$:
#
# $$-\log D = \mathrm{softplus}(-l), \qquad -\log(1 - D) = \mathrm{softplus}(l) .$$
#
# What goes wrong if one computes the probability first?

# %%
logits = torch.tensor([-100.0, -10.0, 0.0, 10.0, 100.0])
D_of_x = logits.sigmoid()
print("-log(1 - D) from logits        ", nn.functional.softplus(logits).tolist())
print("-log(1 - D) from probabilities ",
      [round(v, 4) for v in (-(1 - D_of_x).log()).tolist()])
clamped = logits.clone().requires_grad_()
(-(1 - clamped.sigmoid().clamp(1e-5, 1 - 1e-5)).log()).sum().backward()
print("gradient after a clamp         ", [round(v, 4) for v in clamped.grad.tolist()])

# %% [markdown]
# This is D's loss on a sample, so D is most wrong at a logit of 100. There the loss from probabilities is infinite. Clamping
# the probability, a common repair, makes the gradient exactly zero where it should be 1. Use logits, and no clamp.
#
# A D that cannot tell has $l = 0$ everywhere, and its loss is $2 \log 2 \approx 1.386$. Read every plot of this loss against that number:
# above it D does worse than by always answering ½, far below it D is winning.
#
# ## 2.4 What each loss minimises
#
# G's side of the game is to minimise $\log(1 - D(G(z)))$. Early on, D rejects samples with ease: $l \ll 0$. What gradient
# does G get there? The derivative of $\log(1 - \mathrm{sigmoid}(l))$ is $-\mathrm{sigmoid}(l)$, almost zero where D is
# sure: this loss is **saturating**. The remedy comes from the paper that introduced GANs: let G
# *maximise* $\log D(G(z))$. The derivative of this **non-saturating** loss, $-\log\mathrm{sigmoid}(l)$, is $-(1 - \mathrm{sigmoid}(l))$, largest in size
# just there.

# %%
logit = torch.linspace(-10, 10, 201, requires_grad=True)
losses = {"saturating, log(1 − D)": m.saturating_loss(logit),
          "non-saturating, −log D": m.generator_loss(logit)}
slopes = {name.split(",")[0]: torch.autograd.grad(loss.sum(), logit)[0]
          for name, loss in losses.items()}
figure, (left, right) = figures.panels(2)
figures.curves(logit, losses, "logit of D for a sample", "G's loss in nats",
               "The two losses", ax=left)
figures.curves(logit, slopes, "logit of D for a sample",
               "derivative in nats per unit of logit", "What G gets from them",
               ax=right)
for ax, height in ((left, -6), (right, -0.5)):
    ax.axvspan(-10, -4, color="0.92", zorder=0)
    ax.text(-7, height, "D is sure\nit is fake", fontsize=8, ha="center", va="center")
right.legend(loc="center right", fontsize="small")
at = (logit + 5).abs().argmin()  # where D is sure
saturating, non_saturating = (slope[at].abs() for slope in slopes.values())
claim("saturating_slope", saturating)
claim("nonsaturating_slope", non_saturating)

# %% [markdown]
# *Left: both losses fall as D is fooled. Right: their derivatives. In the shaded region D is sure, as it soon is of
# a young generator's samples. There the saturating loss has almost no slope: at a logit of −5 the derivatives have the sizes
# {{saturating_slope}} (saturating) and {{nonsaturating_slope}} (non-saturating).*
#
# In a draw, $l = 0$ everywhere, both slopes are −½ and yet G does not move: a sample learns from the loss only through
# $\partial l / \partial x$, and a flat D has none.
#
# What does each loss minimise? Let D be the best one for the present G, hold it fixed, and differentiate in G, as training
# does. Where the two distributions overlap, the result is the gradient of a divergence (Arjovsky & Bottou 2017; the last step is
# algebra, with the mixture $m$ of section 2.2):
#
# $$\nabla\, \mathbb E_{p_g}[\log(1 - D^*)] = \nabla\, 2\,\mathrm{JSD}, \qquad
#   \nabla\, \mathbb E_{p_g}[-\log D^*] = \nabla\,\big[\mathrm{KL}(p_g \| p_{\text{data}}) - 2\,\mathrm{JSD}\big]
#   = \nabla\, 2\,\mathrm{KL}(m \| p_{\text{data}}) .$$
#
# Compute all sides for the shifted normals. And since $e^{l^*} = p_{\text{data}}/p_g$, the best D gives more than the JSD: averaging other
# functions of the ratio over samples gives a whole family of divergences (f-GAN: Nowozin et al. 2016). Four of them, a line each:

# %%
shifts = torch.linspace(0.05, 6, 120, dtype=torch.float64)
p, rows = normal(0.0), []
for shift in [*shifts.tolist(), 4.0]:
    theta = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    q = normal(theta)  # what G makes; θ is its only parameter
    logit = (p.log() - q.log()).detach()  # of the best D, held fixed
    losses = [cell * (q * loss(logit)).sum()
              for loss in (m.saturating_loss, m.generator_loss)]
    jsd, mix = m.jensen_shannon(p, q, cell), (p + q) / 2
    divergence = 2 * cell * (mix * (mix.log() - p.log())).sum()  # 2 KL(mix, data)
    slopes = [torch.autograd.grad(of, theta, retain_graph=True)[0]
              for of in (*losses, 2 * jsd, divergence)]
    r = logit.exp()
    each = (*slopes, (cell * q * r * logit).sum(),  # KL(data, G)
            (cell * q * -logit).sum(),  # KL(G, data)
            (cell * q * (r - 1) ** 2).sum(),  # chi-squared
            (cell * q * (r.sqrt() - 1) ** 2).sum())  # squared Hellinger
    rows.append(torch.stack(each).detach())
slope_s, slope_n, of_2jsd, of_2kl, *gallery = torch.stack(rows).T

# %%
figure, (left, right) = figures.panels(2)
figures.curves(shifts, {"saturating": slope_s[:120], "non-saturating": slope_n[:120]},
               "distance d of the means", "nats per unit of d",
               "Gradient of G's loss at the best D", ax=left)
names = ("KL, either way", "chi-squared", "squared Hellinger")
figures.curves(shifts, dict(zip(names, (gallery[i][:120] for i in (0, 2, 3)),
                                strict=True)),
               "distance d of the means", "divergence", "From the same D", ax=right)
right.set_ylim(0, 6)
d = shifts[:60]  # closed forms: d²/2, exp(d²) - 1, 2 - 2 exp(-d²/8)
exact = (d**2 / 2, d**2 / 2, (d**2).exp() - 1, 2 - 2 * (-(d**2) / 8).exp())
claim("gallery_error", max((got[:60] / true - 1).abs().max()
                           for got, true in zip(gallery, exact, strict=True)))
claim("two_sides", max((slope_s - of_2jsd).abs().max(), (slope_n - of_2kl).abs().max()))
claim("saturating_gradient", slope_s[-1])
claim("nonsaturating_gradient", slope_n[-1])

# %% [markdown]
# *Left: the gradient that each loss gives at the best D. Far away one dies and the other grows. Right: other divergences from the same
# density ratio; up to a distance of 3 they agree with their closed forms to {{gallery_error}}, relatively.*
#
# Losses and divergences, differentiated separately, agree to {{two_sides}}. At a distance of 4 the saturating loss
# has a gradient of {{saturating_gradient}}, the non-saturating one of {{nonsaturating_gradient}}. So this loss minimises a divergence too, zero only for equal
# distributions (Shannon et al. 2020), but a lopsided one. A sample where there are no data costs without bound. A missing mode? Take eight
# equal modes, of which G serves four:

# %%
even, half = torch.full((8,), 1 / 8), torch.tensor([2.0] * 4 + [0.0] * 4) / 8
mix = (even + half) / 2
claim("missing_half", 2 * (mix * (mix / even).log()).sum())
claim("missing_half_jsd", 2 * m.jensen_shannon(even, half, cell=1.0))

# %% [markdown]
# Missing half of the modes costs {{missing_half}} nats, where 2 JSD charges {{missing_half_jsd}}, and $\mathrm{KL}(p_{\text{data}} \| p_g)$,
# which maximum likelihood minimises, is infinite. Neither loss charges much for that half, and the one in use charges less.
#
# All this holds for the best D and overlapping distributions; a network's logit is only an estimate.
#
# ## 2.5 Who gets gradients?
#
# Two networks, two losses, and each loss passes through both. G's loss $-\log D(G(z))$ needs D to tell G where to go, but
# must not teach D. D's loss needs samples of G, but must not teach G. Two rules do it:
#
# - in D's step, samples are **data**: no graph into G (`with torch.no_grad()` or `.detach()`);
# - in G's step the gradient passes *through* D, and only G's optimizer moves.

# %%
manual_seed(0)
G, D = m.PointGenerator(), m.PointDiscriminator()
z, x = torch.randn(8, 2), points("ring").sample(8, seed=0)


def who_got_gradients(loss):
    for network in (G, D):
        network.zero_grad()
    loss.mean().backward()
    return {name: any(p.grad is not None for p in network.parameters())
            for name, network in (("G", G), ("D", D))}


print("D's loss, samples detached:",
      who_got_gradients(m.discriminator_loss(D(x), D(G(z).detach()))))
print("D's loss, no detach:       ",
      who_got_gradients(m.discriminator_loss(D(x), D(G(z)))))
print("G's loss:                  ", who_got_gradients(m.generator_loss(D(G(z)))))
print("G's loss, samples detached:",
      who_got_gradients(m.generator_loss(D(G(z).detach()))))

# %% [markdown]
# Line 2 wastes work and sets a trap: unless cleared, the gradients that G gets in D's step are added to its own.
# In line 3 the same holds for D. Line 4 is a bug: G learns nothing, and no error says so.
#
# ## 2.6 The loop, on a ring of eight
#
# Data: eight small Gaussians on a circle, since the typical failure of a GAN is to serve only some modes, and these can be counted. Once, by hand:

# %%
ring = points("ring")
ring_data = ring.sample(20_000, seed=0)
manual_seed(0)
G, D = m.PointGenerator().to(device), m.PointDiscriminator().to(device)
g_optimizer = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.99))
d_optimizer = torch.optim.Adam(D.parameters(), lr=2e-3, betas=(0.5, 0.99))
steps = scaled(default=400, smoke=5, full=400)
for _, x in zip(tqdm(range(steps)), minibatches(ring_data, batch_size=256, seed=0),
                strict=False):
    x, z = x.to(device), torch.randn(256, 2, device=device)
    d_loss = m.discriminator_loss(D(x), D(G(z).detach())).mean()  # D's turn
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()
    g_loss = m.generator_loss(D(G(z))).mean()  # G's turn, against the new D
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
print(
    f"D's loss {d_loss.item():.2f} (a draw: {math.log(4):.2f}), G's loss "
    f"{g_loss.item():.2f} (a draw: {math.log(2):.2f})")

# %% [markdown]
# Two turns, each with a loss, a clear, a backward and a step. `fit` plays the same game between the `players` of a model. The
# reference settings add a penalty on the slope of D's logit (R1) and an average of G's weights to sample
# from (section 2.12), a larger rate that falls to zero, and a shorter memory in Adam.

# %%
def train_on_ring(seed=0, **settings):
    manual_seed(seed)
    game = m.GAN(m.PointGenerator(), m.PointDiscriminator(), **settings).to(device)
    batches = minibatches(ring_data, batch_size=256, seed=seed)
    return game, batches


game, batches = train_on_ring(r1=0.1, d_lr_ratio=2.0)
check_model(game, ring_data[:4].to(device))
stages, spots = {}, torch.randn(1000, 2, generator=seeded(1))


def look(step):
    if step in (0, 50, 150, 400, 1000):
        stages[step] = game.generate(spots).cpu()


steps = scaled(default=2000, smoke=20, full=2000)
history = fit(game, batches, steps=steps, lr=2e-3, on_step=look, precision="float32")
stages[steps] = game.generate(spots).cpu()

# %%
figure, axes = figures.panels(len(stages), height=2.3, sharey=True)
for ax, (step, made) in zip(axes, stages.items(), strict=True):
    figures.point_clouds({"data": ring_data[:500], "samples": made}, f"step {step:,}",
                         ax=ax)
    ax.get_legend().remove()
    ax.set_ylabel("" if step else "x₂")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2,
              markerscale=2)
covered = ev.mode_coverage(game.sample(4000, seed=1).cpu(), ring.centres, ring.stds)
print(covered)
claim("ring_modes", covered.modes)
claim("ring_share", 100 * covered.share)

# %% [markdown]
# *Data and samples (of the averaged G, always from the same codes) at six moments of one run. The cloud spreads, reaches for the ring, and gathers at its modes.*
#
# A mode counts as *covered* if it gets at least a fifth of its fair share of the samples. In the end all {{ring_modes}} modes are covered, and
# about {{ring_share}} % of the samples lie within three standard deviations of one; of the data 99 % do. Most others lie on the way from mode to
# mode: G is continuous and the noise has no gaps, so the samples cannot jump.

# %%
ax = figures.training_curves(history, ["D/loss", "G/loss"],
                             title="The losses of a good run")
ax.axhline(2 * math.log(2), color="black", lw=0.8, ls=":")
ax.axhline(math.log(2), color="black", lw=0.8, ls=":")
claim("d_loss_start", history["D/loss"][0])
claim("d_loss_end", history.last("D/loss"))
claim("g_loss_end", history.last("G/loss"))

# %% [markdown]
# *Both losses (D's with its penalty), as running means; dotted, their values in a draw, $2\log 2$ and $\log 2$.*
#
# Each loss is measured against an opponent that improves too. At the end D's is {{d_loss_end}} nats and G's {{g_loss_end}}, close to a draw. That is what success looks like,
# and so, alas, does a game between two who have learned nothing: before the first step D's loss was {{d_loss_start}}.
#
# Changing one number can spoil this. **Predict:** what happens if D learns ten times as slowly as G, instead of twice as fast?

# %%
slow, batches = train_on_ring(r1=0.1, d_lr_ratio=0.1)
slow_history = fit(slow, batches, steps=steps, lr=2e-3, precision="float32")
figure, (left, right) = figures.panels(2, height=3.4, ratios=(1, 1.6))
figures.point_clouds({"data": ring_data[:500], "samples": slow.sample(1000).cpu()},
                     "A D that learns too slowly", ax=left)
figures.training_curves(slow_history, ["D/loss", "G/loss"], title="Its losses",
                        ax=right)
failed = ev.mode_coverage(slow.sample(4000, seed=1).cpu(), ring.centres, ring.stds)
claim("slow_modes", failed.modes)
claim("slow_d_loss", slow_history.last("D/loss"))
claim("slow_radius", slow.sample(4000).norm(dim=1).mean())

# %% [markdown]
# *The same networks with a slow discriminator, after as many steps. Samples of the averaged G: G runs to where D is fooled at the moment, and
# on when it catches up, so the losses swing. Samples beyond the frame are not shown.*
#
# The samples have left the middle, by about {{slow_radius}} on average, but cover fewer than {{slow_modes}} modes, and yet D's loss, about {{slow_d_loss}}
# nats, is near that of a draw. One run is no proof: of ten seeds, the good settings found all eight modes on ten, these on one (`benchmarks/README.md`).
#
# ## 2.7 The GAN lab
#
# The lab opens with this recorded run:

# %%
film_strip(recorded("ring"));

# %% [markdown]
# *A recorded run, from left to right: circles are data, triangles samples. The shade is D's belief: blue where it takes a place for data, orange where
# for a sample, and pale near the dashed line, where it cannot tell. Arrows show where a sample is asked to move; long ones are drawn
# shortened. Below: the losses (D's without the penalty, unlike that of section 2.6), the Jensen-Shannon divergence of smoothed densities of
# samples and data, and the modes covered.*

# %% tags=["widget"]
gan_lab()

# %% [markdown]
# **Six experiments.** A press counts one move or, with *× 50*, fifty. *Reset* plays the same match again, *Another seed* another,
# *Defaults* the first.
#
# 1. **Watch.** Play the recorded run. The arrows get long when D has found the samples out, and shrink towards a draw.
# 2. **Nobody answers.** Choose *play live* and *× 50*. Press *Step D only* six times: the samples wait, and D becomes a cliff. **Predict**, then press
#    *Step G only* eight times: all samples travel together and stop in one place. (Why: section 2.8.)
# 3. **A sure D.** Open *ring: the discriminator wins*, press *Play this live*, then *Step* four times at × 50: no sample moves. Change the loss alone, to
#    *non-saturating*, press *Reset* and step as often: some samples reach the first modes.
# 4. **Too fast.** Open the healthy *ring*, press *Play this live*; set the penalty to *none* and G's learning rate to about 0.03. Eight presses of *Step*:
#    from one picture to the next many samples leap.
# 5. **A thread.** Choose the penalty *R1*, the rate 0.002, *normal 1-D* noise, *Reset*, twelve presses: a line runs through most of the
#    modes, and crosses each gap, since it cannot tear. Then try the spiral.
# 6. **A critic.** *Ring*, normal 2-D noise, *Wasserstein* loss; *Reset* before each try. No penalty, four presses: the
# slope shoots up, and the samples leap. Gradient penalty of weight 10, the usual one, six: the game
# swings. Weight 0.1, fourteen: the leaping stops and the modes come, if not all of them at every moment.
#
# The failed runs of section 2.8 are in the list too, each with three changes; one helps (*but with*). Choose the data *drawn* to draw your
# own. On the right is the **grid of codes**: equal shares of the noise, and where G takes them; the sheet bends and never tears. **Best possible
# D** shows $D^*$, both densities smoothed: compare it with D's belief.
#
# ## 2.8 Reading a run
#
# The run of section 2.7 is healthy: samples find all modes and stay, the divergence falls, and the losses come near a draw. Three
# others fail. What is wrong with each?

# %%
film_strip(recorded("collapse"), title="Run 1");

# %% [markdown]
# *Run 1. Where do the samples sit, and do the arrows lead to the other modes?*

# %%
film_strip(recorded("discriminator wins"), title="Run 2");

# %% [markdown]
# *Run 2. What does D believe at the samples, and where are the arrows?*

# %%
film_strip(recorded("oscillation"), title="Run 3");

# %% [markdown]
# *Run 3. Follow the samples from frame to frame.*

# %%
runs = {"healthy": "ring", "run 1": "collapse", "run 2": "discriminator wins",
        "run 3": "oscillation"}
signs = {name: symptoms(recorded(run)) for name, run in runs.items()}
for name, s in signs.items():
    print(f"{name:8} modes {8 * s['covered']:3.1f} of 8, "
          f"D right {100 * s['accuracy']:3.0f} %, arrows {s['push']:.3f}, "
          f"JSD {s['divergence']:.2f} nats, "
          f"samples that leap {100 * s['leaping']:3.0f} %")
claim("collapsed_modes", 8 * signs["run 1"]["covered"])
claim("winner_accuracy", 100 * signs["run 2"]["accuracy"])
claim("winner_push", signs["run 2"]["push"])
claim("leapers", 100 * signs["run 3"]["leaping"])
claim("follower_accuracy", 100 * signs["run 3"]["accuracy"])
late = {name: [frame.scores for frame in recorded(run).frames[-13:]]
        for name, run in runs.items()}
claim("collapsed_push", signs["run 1"]["push"])
claim("healthy_push", signs["healthy"]["push"])
claim("collapsed_g_loss", sum(s.g_loss for s in late["run 1"]) / 13)
claim("winner_d_loss", max(s.d_loss for s in late["run 2"]))
claim("follower_d_loss", sum(s.d_loss for s in late["run 3"]) / 13)

# %% [markdown]
# Means over the last quarter of each run, for leaps over its second half. A sample *leaps* if it moves by more than 1 from one frame
# to the next; neighbouring modes are 1.5 apart.
#
# | | you see | numbers | settings (healthy: R1 0.1, Adam, D twice as fast) | cause | remedy |
# | --- | --- | --- | --- | --- | --- |
# | **Run 1: mode collapse** | samples stay at few modes | {{collapsed_modes}} of 8 modes, arrows {{collapsed_push}} (healthy: {{healthy_push}}) | no penalty, a tenth of the healthy rate for G, 50 times as much for D | cliffs in D: samples feel only the nearest one | R1 |
# | **Run 2: D wins** | samples stand still | D right {{winner_accuracy}} %, arrows below {{winner_push}} | saturating, no penalty, SGD, D 40 times as fast and with five moves a round | flat loss where D is sure | non-saturating loss: first modes; with R1 too (not shown): all |
# | **Run 3: oscillation** | samples jump together | {{leapers}} % leap | no penalty, five moves of G a round, D five times as slow, a high rate | G outruns D | one move of G *and* a D twice as fast; neither alone (not shown) |
#
# In run 3 D does *worse* than a coin, {{follower_accuracy}} %: a frame is taken at the end of a round, after G's
# moves. G has just pushed the samples to where D believes the data are, and D has not answered yet: it takes them for data.
#
# The losses betray a player who has lost: D's is below {{winner_d_loss}} nats in run 2, G's {{collapsed_g_loss}} in run 1, far from a draw. They hardly betray run 3, where most
# samples leap: D's loss is calm, at {{follower_d_loss}}.
#
# ### Why modes collapse
#
# For a fixed D, G's best answer is **one point**, the one where D is largest: D judges each sample alone, so nothing in G's loss asks for
# variety. In theory D answers at once and lowers itself there: $\min_G \max_D$. In practice G moves against a D that stands still, and
# $\max_D \min_G$ is another game. See it: freeze the D of the loop in section 2.6, and let two generators move alone: the one it was trained
# with, which serves all modes, and a fresh one, which starts as a small blob. **Predict** whose loss ends lower.

# %%
manual_seed(0)
alone = {"the trained G": G, "a fresh G": m.PointGenerator().to(device)}
alone_loss, alone_modes, ended = {}, {}, {}
for name, generator in alone.items():
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    for _ in tqdm(range(scaled(default=400, smoke=3, full=400))):
        loss = m.generator_loss(D(generator(torch.randn(256, 2, device=device)))).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        ended[name] = generator(spots.to(device)).cpu()
        alone_loss[name] = m.generator_loss(D(ended[name].to(device))).mean().item()
    covered = ev.mode_coverage(ended[name], ring.centres, ring.stds)
    alone_modes[name] = covered.modes
    print(f"{name}: {covered}, loss {alone_loss[name]:.2f} nats")
claim("alone_trained", alone_modes["the trained G"])
claim("alone_fresh", alone_modes["a fresh G"])
claim("collapse_pays", alone_loss["the trained G"] - alone_loss["a fresh G"])

# %%
with torch.no_grad():
    belief = D(figures.plane_grid()[0].to(device)).sigmoid().cpu()
figure, axes = figures.panels(2, height=3.4)
for ax, (name, x) in zip(axes, ended.items(), strict=True):
    figures.heatmap(belief, f"{name}, alone", label="D, frozen", ax=ax)
    ax.plot(*x.T, "^", ms=5, color="black", alpha=0.3, mew=0)
    ax.set(xlim=(-3, 3), ylim=(-3, 3))

# %% [markdown]
# *A thousand samples of each (triangles) after 400 moves of G against the same frozen D (shade; line: ½).*
#
# The trained G still covers seven modes or all {{alone_trained}}, the fresh one fewer than {{alone_fresh}}. And G *gains nothing by variety*: here the
# collapsed G's loss is lower, by about {{collapse_pays}} nats. The loss does not keep samples apart. What does is where they start, and a D that answers in time. In run 1
# D is sure of everything while the samples are still a blob.
#
# Remedies: we played run 1 again under other rules, three seeds, 1,000 rounds or 4,000 (*share*: of samples near a mode):

# %%
def show(rows, columns):  # one line for each game, one number for each seed
    games = dict.fromkeys(row["game"] for row in rows)
    for name in games:
        own = [row for row in rows if row["game"] == name]
        print(f"{name:27}", *(f"{column} {' '.join(f'{row[column]:g}' for row in own)}"
                              for column in columns), sep="   ")


remedies = m.measured("remedies")
show(remedies, ["modes", "share"])


# %%
def modes_with(name):
    return [row["modes"] for row in remedies if row["game"] == name]


claim("modes_as_it_is",
      max(modes_with("as it is") + modes_with("as it is, 4 × as long")))
claim("modes_relativistic", max(modes_with("relativistic")))
claim("modes_slow", min(modes_with("D as fast as G, 4 × as long")))
claim("modes_with_r1", min(modes_with("R1")))
claim("modes_with_r3", min(modes_with("relativistic, R1 and R2")))
claim("modes_with_statistics", min(modes_with("batch statistics")))
claim("share_with_r1", max(row["share"] for row in remedies if row["game"] == "R1"))

# %% [markdown]
# As it is, at most {{modes_as_it_is}} modes are served, early and late. *Relativistic pairing* (Jolicoeur-Martineau 2019), where D compares a sample with a data point
# instead of judging it alone, does not help by itself (at most {{modes_relativistic}}); a D as slow as this slow G is merely late: all {{modes_slow}} after four thousand. With a D that is told how much its features vary over the batch
# (*minibatch statistics*: Salimans et al. 2016, in this form Karras et al. 2018) G reaches at least {{modes_with_statistics}}, thinly. R1, which flattens the cliffs so that modes
# are felt from afar, brings back all {{modes_with_r1}}, as does pairing with R1 and *R2*, the same penalty at the samples ({{modes_with_r3}}). Modes are not quality: a share of {{share_with_r1}} of R1's samples is near a mode,
# hardly more than of points spread evenly on the circle.
#
# ## 2.9 Images: a naive GAN, and why its discriminator wins
#
# Now the ten thousand digits of chapter 1. The first idea is to put pixels in the place of coordinates: two plain networks, the
# saturating loss of the game, and a D that learns fast, since the theory wants it near its best.

# %%
digits = images("mnist")


class PixelGenerator(nn.Sequential):
    latent_dim = 64

    def __init__(self):
        super().__init__(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 784),
                         nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))


def pixel_discriminator():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.LeakyReLU(0.2),
                         nn.Linear(256, 1), nn.Flatten(0))


def train_on_digits(**settings):
    manual_seed(0)
    game = m.GAN(PixelGenerator(), pixel_discriminator(), d_lr_ratio=10.0, **settings)
    batches = minibatches(digits.train_bytes, batch_size=32, seed=0)
    return game, fit(game.to(device), batches,
                     steps=scaled(default=600, smoke=5, full=4000), lr=8e-4)

# %% [markdown]
# Two things might help: the other loss, and R1. **Predict** which does more. All four games:

# %%
four = {(loss, r1): train_on_digits(loss=loss, r1=r1)
        for loss in ("saturating", "non-saturating") for r1 in (0.0, 1.0)}
made = {f"{loss}{', R1' if r1 else ''}": game.sample(14)
        for (loss, r1), (game, _) in four.items()}
figures.image_rows(made, title="Two plain networks: two losses, without and with R1")
claim("naive_d_loss", four["saturating", 0.0][1].last("D/loss"))
claim("cured_d_loss", four["non-saturating", 1.0][1].last("D/loss"))

# %% [markdown]
# *Samples after equally many steps, from the same codes in every row. Without R1 all codes give much the same picture; with it they begin to differ.*
#
# The naive D's loss is below {{naive_d_loss}} nats. Images and samples lie on thin sheets in a space of 784 dimensions, and
# a network separates them without effort (Arjovsky & Bottou 2017): D is sure of nearly all, and the saturating loss tells G almost nothing. With both
# changes D's loss, penalty included, ends near {{cured_d_loss}}: a game. Which change does it? The same games, recorded with three seeds each:

# %%
played = m.measured("two by two")
figure, (left, right) = figures.panels(2)
for ax, what in ((left, "frechet"), (right, "spread")):
    for i, loss in enumerate(("saturating", "non-saturating")):
        own = [row for row in played if row["game"] == loss]
        ax.plot([bool(row["r1"]) + 0.2 * i - 0.1 for row in own],
                [row[what] for row in own], figures.MARKERS[i], label=loss)
    ax.set(xticks=(0, 1), xticklabels=("without R1", "with R1"), xlim=(-0.5, 1.5))
    ax.grid(axis="y")
left.set(title="Distance to the data", ylabel="Fréchet distance")
right.set(title="How much samples differ", ylabel="mean deviation of a pixel")
real_spread = digits.test.std(0).mean().item()
right.axhline(real_spread, color="black", ls=":", label="real digits")
right.legend(loc="center")
without, penalised = ([row for row in played if bool(row["r1"]) == r1]
                      for r1 in (False, True))
claim("r1_gain", min(a["frechet"] for a in without)
      - max(b["frechet"] for b in penalised))
claim("spread_without", max(a["spread"] for a in without if "non" in a["game"]))
claim("spread_with", min(b["spread"] for b in penalised if "non" in b["game"]))
claim("plain_recall", max(row["recall"] for row in played))

# %% [markdown]
# *One point for each game and seed. Left: the Fréchet distance of samples to real digits (section 2.15; lower is better). Right: the standard
# deviation of a pixel from sample to sample (the saturating loss's without R1: mostly brightness).*
#
# R1 does it: with it every game has a lower Fréchet distance than every game without, by at least {{r1_gain}}. The non-saturating loss alone is mode collapse on images,
# with a spread of at most {{spread_without}}; R1 makes that at least {{spread_with}}. Which loss is ahead without R1 changes with
# the seed; with R1 it is the non-saturating one each time. But even that is far from good: recall (section 2.15) is below {{plain_recall}} in all twelve games, with D ten times as fast as G.
#
# ## 2.10 DCGAN: what helps on images
#
# Plain networks ignore that pixels have neighbours. *DCGAN* (Radford et al. 2016) made convolutional GANs work, with
# rules of which we need these:
#
# - no pooling: **strided convolutions** in D, which shrink the image, and transposed ones in G, which enlarge it;
# - **batch norm** in G (it keeps early samples from being all alike) and leaky ReLU in D, which keeps a small slope below zero;
# - tanh at the end of G (for pixels in [0, 1] a sigmoid);
# - weights that start at N(0, 0.02²), batch-norm scales at N(1, 0.02²);
# - Adam with a small $\beta_1$ (DCGAN's is 0.5, ours 0): an average over old gradients answers opponents that are gone.
#
# Ours adds **spectral normalisation** in D (section 2.12), and has no batch norm there: D should judge each image by itself.

# %%
G, D = m.Generator(latent_dim=64, width=24), m.Discriminator(width=24)
print(G)
print(
    f"{sum(p.numel() for p in G.parameters()):,} numbers in G, "
    f"{sum(p.numel() for p in D.parameters()):,} in D")

# %% [markdown]
# Our learning rates, 8e-3 for G and twice that for D, are forty to eighty times DCGAN's. They suit a run of a minute on small
# images with a D of bounded slope; otherwise begin with the published rates (section 2.12).
#
# During training we keep samples of the same codes, and the Fréchet distance (section 2.15) to the test images of five hundred samples of G and of its average.

# %%
classifier = ev.feature_network("mnist").to(device)
test_features = classifier.features(digits.test)
snapshots, distances = {}, {"latest weights": {}, "averaged weights": {}}
watching = []  # seconds
z_kept = torch.randn(500, 64, generator=seeded(3)).to(device)


def distance_of(samples):
    return ev.frechet_distance(classifier.features(samples), test_features)


def watch(step):
    if step % scaled(default=100, smoke=5, full=1000) == 0:
        start = time.perf_counter()
        with torch.no_grad():
            latest, averaged = dcgan.generator.eval()(z_kept), dcgan.generate(z_kept)
        dcgan.generator.train()
        snapshots[step] = averaged[:14].cpu()
        distances["latest weights"][step] = distance_of(latest)
        distances["averaged weights"][step] = distance_of(averaged)
        watching.append(time.perf_counter() - start)

# %%
manual_seed(0)
dcgan = m.GAN(m.Generator(width=24), m.Discriminator(width=24),
              d_lr_ratio=2.0).to(device)
steps = scaled(default=1600, smoke=10, full=20_000)
dcgan_history = fit(dcgan, minibatches(digits.train_bytes, batch_size=32, seed=0),
                    steps=steps, lr=8e-3, on_step=watch)
dcgan_seconds = dcgan_history.seconds - sum(watching)
watch(steps)

# %%
figures.image_grid(dcgan.sample(60, seed=1), columns=15,
                   title="Digits from a convolutional GAN")
digit_features = classifier.features(dcgan.sample(2000, seed=5))
reached = ev.precision_recall(test_features[:1000], digit_features[:1000])
claim("gan_fd", ev.frechet_distance(digit_features, test_features))
claim("gan_precision", reached.precision)
claim("gan_recall", reached.recall)

# %% [markdown]
# *Sixty samples, not selected. The strokes are sharp, unlike the VAE's: D would notice a blur at once. Not all are digits.*
#
# Two thousand samples have a Fréchet distance of about {{gan_fd}} to the test images. The share of samples that lie among real
# digits is about {{gan_precision}} (*precision*), and the share of real digits that the samples reach about {{gan_recall}} (*recall*, both as in section 2.15).

# %%
image_replay(snapshots)

# %% [markdown]
# *The same codes during training; in a running notebook move through them with the slider. Ragged strokes become digits, and
# early on a code may change its mind about which.*
#
# ### Walking from digit to digit
#
# A straight line between two codes passes too near the origin, where codes from N(0, I) in 64 dimensions hardly ever lie. On the arc
# $z(t) = \cos(t)\, z_0 + \sin(t)\, z_1$ every point is distributed like the ends (*latent interpolation*):

# %%
z_from, z_to = torch.randn(2, 3, 1, 64, generator=seeded(11))
t = torch.linspace(0, math.pi / 2, 14)[:, None]
arcs = (t.cos() * z_from + t.sin() * z_to).flatten(0, 1)  # (3 · 14, 64)
figures.image_grid(dcgan.generate(arcs), columns=14, title="From one code to another")
pairs = torch.randn(2, 1000, 64, generator=seeded(12))  # a thousand arcs and chords
claim("arc_length", (pairs.sum(0) / 2**0.5).norm(dim=1).mean())  # halfway
claim("chord_length", pairs.mean(0).norm(dim=1).mean())

# %% [markdown]
# *Each row goes from one random code to another, in equal steps on an arc. Strokes change little by little; a G that stored images would rather change in bursts.*
#
# Halfway along an arc a code has a length of {{arc_length}} on average, as any code has; halfway along the chord it would be {{chord_length}}.
#
# ## 2.11 The Wasserstein distance
#
# The Jensen-Shannon divergence is $\log 2$ for any two distributions that do not overlap, at any distance: no slope where the generator starts. The **Wasserstein
# distance**, the least average distance over which mass must be moved to turn one distribution into the other, grows with it. Moving mass by r changes a function of slope 1 by at most r, and the best such function gains all of it:
#
# $$W(p, q) = \max_{f:\ |f(a) - f(b)| \le \lVert a - b \rVert}\ \mathbb E_{p}[f(x)] - \mathbb E_{q}[f(x)] ,$$
#
# over functions of slope at most 1 (*1-Lipschitz*). The network for $f$ is called a *critic*, and has no sigmoid; the generator minimises
# $-\mathbb E[f(G(z))]$ (*WGAN*: Arjovsky et al. 2017). A **gradient penalty** keeps the critic's slope near 1, at points
# between data and samples: $\lambda(\lVert\nabla f(\hat x)\rVert - 1)^2$ (*WGAN-GP*: Gulrajani et al. 2017). Test it where the truth is known: for two
# normal distributions of the same shape, W is the distance between their means.

# %%
def critic_distance(shift, steps):
    manual_seed(0)
    critic = m.PointDiscriminator(64).to(device)
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.9))
    for _ in range(steps):
        real, fake = (torch.randn(256, 2, device=device) for _ in "xy")
        fake[:, 0] += shift
        penalty = m.gradient_penalty(critic, real, fake, torch.rand(256, device=device))
        loss = m.wasserstein_critic_loss(critic(real), critic(fake)) + 10 * penalty
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
    with torch.no_grad():
        real, fake = (torch.randn(20_000, 2, device=device) for _ in "xy")
        fake[:, 0] += shift
        return -m.wasserstein_critic_loss(critic(real), critic(fake)).mean().item()


apart = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
critics = [critic_distance(shift, scaled(default=300, smoke=3, full=1000))
           for shift in tqdm(apart)]

# %%
figure, (left, right) = figures.panels(2)
far, fine = torch.tensor(apart), torch.linspace(0, 6, 61)
jsd = [m.jensen_shannon(normal(0.0), normal(s), cell).item() for s in fine.tolist()]
shown = {"Wasserstein, true: d": far, "critic's estimate": torch.tensor(critics),
         "d (1 + d/20)": far * (1 + far / 20)}
figures.curves(far, shown, "distance d of the two means", "distance",
               "Wasserstein", ax=left)
figures.curves(fine, {"JSD": torch.tensor(jsd)}, "distance d of the two means", "nats",
               "Jensen-Shannon", ax=right)
right.axhline(math.log(2), color="black", ls=":", label="log 2")
right.legend()
claim("critic_at_three", critics[3])
claim("jsd_at_six", jsd[-1])

# %% [markdown]
# *Two standard normal distributions, moved apart. Left: the critic's estimate grows with the true Wasserstein distance, a little too
# fast; at 3 it says {{critic_at_three}}. Right: the Jensen-Shannon divergence levels off: {{jsd_at_six}} nats at a shift of 6; $\log 2 \approx 0.693$ is the most it can be.*
#
# Why is the estimate too large? The penalty is a price and not a wall. A critic of slope $s$ gains $s\,d$ at a distance $d$ and pays
# $\lambda (s - 1)^2$. The best slope of a straight critic is $1 + d/(2\lambda)$; a bent one gains a little more. With $\lambda = 10$ the estimate $s\,d$ is $d\,(1 + d/20)$, the third curve.
#
# On the ring, with a weight of 1:

# %%
wgan, batches = train_on_ring(loss="Wasserstein", gp=1.0, d_lr_ratio=2.0)
wgan_history = fit(wgan, batches, steps=scaled(default=1200, smoke=10, full=3000),
                   lr=2e-3, precision="float32")
figure, (left, right) = figures.panels(2, height=3.2, ratios=(1, 1.8))
figures.point_clouds({"data": ring_data[:500], "samples": wgan.sample(1000).cpu()},
                     "WGAN with a gradient penalty", ax=left)
figures.training_curves(wgan_history, ["D/loss"], title="The critic's loss", ax=right)
right.set_ylabel("critic's loss")
earth = ev.mode_coverage(wgan.sample(4000, seed=1).cpu(), ring.centres, ring.stds)
claim("wgan_modes", earth.modes)
claim("wgan_share", 100 * earth.share)

# %% [markdown]
# *Samples of a Wasserstein GAN on the ring, and its critic's loss: the penalty minus the estimated distance, near 0 in a draw.*
#
# It covers {{wgan_modes}} modes, with about {{wgan_share}} % of the samples near one. So why do our games in the plane use R1? With finitely many critic
# steps for each of G's, WGAN-GP need not converge even near the equilibrium (Mescheder et al. 2018; in the lab it swings with the usual weight, 10); the game of section 2.2 with R1 can (section 2.12).
#
# ## 2.12 R1, bounded layers and averages
#
# **R1** (Mescheder et al. 2018) is the simplest penalty: half the squared slope of D's logit *at the data*,
# $\tfrac12 \lVert\nabla_x l(x)\rVert^2$. If data and samples agree the best logit is flat, so at the equilibrium the penalty costs nothing
# and moves nothing. The slope is itself a result of differentiation, and D must learn from it: the gradient needs a graph of its own
# (`create_graph=True`).

# %%
manual_seed(0)
D, x = m.PointDiscriminator(), ring_data[:64].requires_grad_()
slope, = torch.autograd.grad(D(x).sum(), x, create_graph=True)
penalty = 0.5 * slope.square().sum(1)
penalty.mean().backward()
taught = sum(p.grad is not None and bool(p.grad.any()) for p in D.parameters())
print(f"{taught} of {len(list(D.parameters()))} tensors of D learn from the penalty")
slope, = torch.autograd.grad(D(x).sum(), x)
print("without create_graph the slope has", "a" if slope.requires_grad else "no",
      "graph")
claim("penalty_error", (penalty - m.r1_penalty(D, ring_data[:64])).abs().max())

# %% [markdown]
# (Those are the weights: biases only move the kinks and the level of this piecewise linear D.) Our penalty and the package's agree to {{penalty_error}}.
#
# What R1 does shows in the smallest game (*Dirac-GAN*): data at 0, a generator that puts all its mass at θ, a discriminator whose logit is $\psi x$.
# The equilibrium is θ = ψ = 0. Two rules can be chosen: do the players move **at once** or **in turns**, as `fit` plays; and
# does G minimise $\log(1 - D)$ (minimax) or $-\log D$ (non-saturating)? **Predict** which of the four games come home.

# %%
def sigmoid(a):
    return 1 / (1 + math.exp(-a))


def tiny_game(in_turns, minimax, r1=0.0, steps=400, lr=0.1):
    theta, psi, path = 1.0, 0.0, [(1.0, 0.0)]
    for _ in range(steps):
        new = psi - lr * (sigmoid(psi * theta) * theta + r1 * psi)  # D minimises
        seen = new if in_turns else psi  # what G sees of D
        theta += lr * seen * sigmoid(seen * theta if minimax else -seen * theta)
        psi = new
        path.append((theta, psi))
    return torch.tensor(path)


games = {"at once, minimax": (False, True), "in turns, minimax": (True, True),
         "at once,\nnon-saturating": (False, False),
         "in turns,\nnon-saturating": (True, False)}
ends = {name: [tiny_game(*rules, steps=steps)[-1].norm().item()
               for steps in (400, 4000, 20_000)] for name, rules in games.items()}

# %%
figure, axes = figures.panels(4, height=3.3, sharex=True, sharey=True)
for ax, (name, rules) in zip(axes, games.items(), strict=True):
    for r1, line in ((0.0, "-"), (0.3, "--")):
        path = tiny_game(*rules, r1=r1)
        ax.plot(*path.T, line, lw=1, label=f"R1 weight {r1:g}")
    ax.plot(0, 0, "k*", ms=9)
    ax.set(xlabel="θ, the generator", title=name, aspect="equal")
axes[0].set_ylabel("ψ, the discriminator")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
for name, end in ends.items():
    print(f"{name:26}".replace("\n", " "), *(f"{radius:.2f}" for radius in end))
claim("at_once_minimax", ends["at once, minimax"][0])
claim("in_turns_minimax", ends["in turns, minimax"][2])
claim("at_once_kinder", ends["at once,\nnon-saturating"][2])
claim("in_turns_early", ends["in turns,\nnon-saturating"][0])
claim("in_turns_late", ends["in turns,\nnon-saturating"][2])
claim("with_r1", max(tiny_game(*rules, r1=0.3)[-1].norm() for rules in games.values()))
claim("average_radius", tiny_game(True, True).mean(0).norm())

# %% [markdown]
# *Two numbers that play against each other from (1, 0), 400 steps; the star is the equilibrium. Solid: without a penalty. Dashed: with R1
# all four spiral in. Printed: the distance from the star after 400, 4,000 and 20,000 steps, without a penalty.*
#
# If both move at once, the minimax game drifts outwards, however small the steps: {{at_once_minimax}} after 400. In turns it circles for
# ever ({{in_turns_minimax}} after 20,000). At once and non-saturating it stays near {{at_once_kinder}}; with smaller steps that shrinks. In turns and non-saturating, as `fit` plays, it spirals in, but
# slowly: {{in_turns_early}} after 400, {{in_turns_late}} after 20,000. With R1 each is below {{with_r1}} after 400.
#
# **Why?** Near the star both sigmoids are ½, so θ moves by $\psi/2$ and ψ by $-\theta/2$: always at right angles to the way home. The game only
# rotates, and a step along the tangent of a circle ends outside it. R1 with weight γ adds $-\gamma\psi$ to D's move: **friction**. The eigenvalues of the motion become
# $-\tfrac{\gamma}{2} \pm \tfrac12\sqrt{\gamma^2 - 1}$; without R1 their real part is zero, with it negative, and small steps lead home. Mescheder et al. show the
# same for networks that can match the data, close to an equilibrium. For γ = 0.3 it predicts a decay at the rate 0.15 (per learning rate × steps):

# %%
logs = [tiny_game(True, False, r1=0.3, steps=steps)[-1].norm().log().item()
        for steps in (400, 1600)]
claim("shrink_rate", (logs[0] - logs[1]) / (0.1 * 1200))

# %% [markdown]
# Measured: {{shrink_rate}}.
#
# **Spectral normalisation** (Miyato et al. 2018) bounds slopes by construction. A linear layer stretches some direction most, by its largest singular
# value; divide the weights by it, and the layer makes no distance longer. PyTorch finds it by power iteration, one step per forward pass in
# training. A convolution's kernel is taken as one matrix: its slope is bounded too, but not exactly by 1.

# %%
linear = nn.Linear(50, 40)
nn.init.normal_(linear.weight, generator=seeded(0))
print(f"before: {torch.linalg.svdvals(linear.weight)[0]:.1f}")
layer = nn.utils.parametrizations.spectral_norm(linear)
for _ in range(50):
    # in training mode each pass makes one step of the iteration
    layer(torch.randn(1, 50))
largest = torch.linalg.svdvals(layer.weight)[0].item()
claim("spectral_norm", largest)

# %% [markdown]
# The largest singular value of the normalised layer is {{spectral_norm}}.
#
# **Two time scales** (*TTUR*: Heusel et al. 2017). D should be near its best for the present G. Instead of many D steps per G step, give D a
# larger learning rate. (Section 2.9's fast D won; a smooth one may be fast.)
#
# **An average.** Where players circle, the *average* of G's weights can be closer to the centre than any single G: in
# the second panel that of the whole path is less than {{average_radius}} from the star. The exponential moving average (*EMA*) costs next
# to nothing: after step $n$, $\bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta$ with $d = \min\big(0.999,\ n/(n + 10)\big)$, an average over about the last tenth of the steps, until step 10,000. Average batch norm's buffers as well: they belong to the weights. Does it help our digits?

# %%
step_axis = torch.tensor(list(snapshots))
quality = {name: torch.tensor(list(values.values()))
           for name, values in distances.items()}
half = len(step_axis) // 2
gain = quality["latest weights"][half:] / quality["averaged weights"][half:]
claim("average_gain", gain.mean())

# %% [markdown]
# Hardly: over the second half of section 2.10's training the latest weights have about {{average_gain}} times the Fréchet distance of the average. D is smooth
# here and the rate falls to zero, which may settle G much as averaging does. Where it stays high, a longer average often gains more.
#
# ### A recipe, beside published ones
#
# | | loss | what holds D | learning rates of G, D | Adam's β | D moves | EMA |
# | --- | --- | --- | --- | --- | --- | --- |
# | ours, in the plane | non-saturating | R1, 0.1 | 2e-3, 4e-3 | 0, 0.9 | 1 | ≤ 0.999 |
# | ours, 28 × 28 | non-saturating | spectral norm | 8e-3, 1.6e-2 | 0, 0.9 | 1 | ≤ 0.999 |
# | DCGAN | non-saturating | nothing (batch norm) | 2e-4, 2e-4 | 0.5, 0.999 | 1 | no |
# | WGAN-GP | Wasserstein | gradient penalty, 10 | 1e-4, 1e-4 | 0, 0.9 | 5 | no |
# | SN-GAN | hinge | spectral norm | 2e-4, 2e-4 | 0, 0.9 | 5 | no |
# | StyleGAN2 | non-saturating | R1, 10 | 2e-3, 2e-3 | 0, 0.99 | 1 | yes |
#
# (*Hinge*: D's loss is $\max(0, 1 - l)$ on data and $\max(0, 1 + l)$ on samples, so that it gains nothing by being surer than ±1; G minimises $-l$.)
# We use one bound on D's slope: R1, *or* spectral normalisation. R1's weight depends on the units of x: 0.1 in the plane, 1 on our pixels. If a run goes wrong,
# look first at samples, then at how often D is right, then change one thing: R1's weight, then D's rate. Are other rules better?

# %%
show(m.measured("equal seconds"), ["frechet", "precision", "recall", "steps"])
equal = {row["game"]: row for row in m.measured("equal seconds")}
claim("fd_base", equal["as above"]["frechet"])
claim("fd_twice", equal["twice as long"]["frechet"])
claim("fd_r3", equal["relativistic, R1 and R2"]["frechet"])
claim("precision_base", equal["as above"]["precision"])
claim("precision_twice", equal["twice as long"]["precision"])

# %% [markdown]
# All but the second took about as long as 700 steps of section 2.10; one seed each, so small differences mean little. Twice the time takes the distance from
# {{fd_base}} to {{fd_twice}}; no other change lowers it. R3GAN's losses (section 2.17), untuned and for
# fewer steps, get {{fd_r3}}: no verdict on them.
#
# ## 2.13 Asking for a class: clothes
#
# Fashion-MNIST: ten kinds of clothes, shoes and bags. Give both networks the label (*conditional GAN*: Mirza &
# Osindero 2014). G gets it beside the noise, one-hot. D asks whether the image is real *and* fits its label: with features
# $\phi(x)$, the last layer $\psi$ and a learned vector $v_y$ for each class its logit is
#
# $$l(x, y) = \psi(\phi(x)) + \langle v_y, \phi(x) \rangle$$
#
# (*projection*: Miyato & Koyama 2018). Why a sum? The log density ratio of pairs (x, y) has two terms: one for the image, which ψ
# learns, and one for the label given the image, $\log p_{\text{data}}(y \mid x) - \log p_g(y \mid x)$: a difference of two classifiers, usually linear in
# their features but for normalisers, which ψ can take in. Both players see the batch's labels.

# %%
fashion = images("fashion-mnist")
labelled = minibatches(fashion.train_bytes, fashion.train_labels, batch_size=32, seed=0)
manual_seed(0)
wardrobe = m.ConditionalGAN(m.Generator(width=24, num_classes=10),
                            m.Discriminator(width=24, num_classes=10),
                            d_lr_ratio=2.0).to(device)
fit(wardrobe, labelled, steps=scaled(default=1400, smoke=10, full=20_000), lr=6e-3);

# %% tags=["cover"]
asked = torch.arange(10).repeat(6)
figures.image_grid(wardrobe.sample(asked, seed=2), columns=10,
                   title="Clothes, by class", headings=clothes);

# %% [markdown]
# *Six samples a class, not selected.*
#
# Does G obey? A classifier judges; but first judge the judge:

# %%
judge = ev.feature_network("fashion-mnist").to(device)
real_right = (judge.classify(fashion.test) == fashion.test_labels).double().mean()
asked = torch.arange(10).repeat(200)
worn = wardrobe.sample(asked, seed=3)
obeyed = (judge.classify(worn) == asked).double().mean()
claim("judge_right", 100 * real_right)
claim("obeyed", 100 * obeyed)
real_clothes, made_clothes = judge.features(fashion.test), judge.features(worn)
claim("clothes_fd", ev.frechet_distance(made_clothes, real_clothes))
claim("clothes_recall",
      ev.precision_recall(real_clothes[:1000], made_clothes[:1000]).recall)
z = torch.randn(2000, longer.latent_dim, generator=seeded(3)).to(device)
of_longer = longer(z, asked.to(device))
claim("longer_obeyed", 100 * (judge.classify(of_longer) == asked).double().mean())
claim("longer_fd", ev.frechet_distance(judge.features(of_longer), real_clothes))

# %% [markdown]
# It is right about {{judge_right}} % of the real test images and sees the class that was asked for in about {{obeyed}} % of the samples, whose Fréchet
# distance is about {{clothes_fd}} and recall {{clothes_recall}}. The generator of section 2.1 (32 channels, 16,156 batches of 64 from 55,000 images) reaches {{longer_obeyed}} % and {{longer_fd}}. How fast does G draw?

# %%
n = scaled(default=2000, smoke=100, full=20_000)
asked = torch.arange(10).repeat(n // 10)
wardrobe.sample(asked).cpu()  # warm up
start = time.perf_counter()
wardrobe.sample(asked).cpu()
claim("ms_per_sample", 1000 * (time.perf_counter() - start) / n)

# %% [markdown]
# In a large batch less than {{ms_per_sample}} ms per image.
#
# **Image to image.** The condition can be an image: a sketch, for a photograph. *pix2pix* (Isola et al. 2017) adds the distance to the
# known answer to the loss, and its D judges small patches (*PatchGAN*), enough to rule out blur. Without
# pairs, *CycleGAN* (Zhu et al. 2017) trains two generators, there and back, and asks that a round trip end where it began.
#
# ## 2.14 When data are scarce: augment what D sees
#
# With 500 images D learns them by heart. Then it rejects everything else, new real images too, and its gradient says
# "be one of these 500". Augmenting data alone does not
# help: G would learn augmented images. Augment **whatever D sees** by operations that gradients can pass and that cannot hide a difference:
# brightness, shifts, a square cut out (Zhao et al. 2020).

# %%
few_digits = digits.train[::20]
print(len(few_digits), "training images")
shown = few_digits[:12]
figures.image_rows({"image": shown,
                    "augmented": m.augment(shown, seeded(0)).clamp(0, 1)},
                   title="Differentiable augmentation");

# %% [markdown]
# *Above: training images. Below: the same after all three changes, drawn at random, and anew each time D looks.*
#
# A digit that is moved is still that digit, but one with a square cut out may become another sign. So in the
# games below images are only moved. D has no spectral normalisation, which would slow its
# learning by heart as well. The *gap* is D's mean belief in its training images minus that in test images.

# %%
scarce = m.measured("scarce")
figure, (left, right) = figures.panels(2)
for name, line in (("without", "-"), ("with", "--")):
    for seed in range(3):
        own = [r for r in scarce if r["game"] == name and r["seed"] == seed]
        look = {"ls": line, "color": figures.PALETTE[line == "--"]}
        label = f"{name} augmentation" if not seed else None
        steps_of = [row["step"] for row in own]
        left.plot(steps_of, [row["gap"] for row in own], label=label, **look)
        right.plot(steps_of, [row["frechet"] for row in own], **look)
left.set(title="What D knows by heart", xlabel="training step",
         ylabel="gap, percentage points")
right.set(title="The samples", xlabel="training step", ylabel="Fréchet distance")
figures.log_scale(right)
left.legend();

# %%
def seeds(what, name, step=2000):  # one number for each seed
    return torch.tensor([row[what] for row in scarce
                         if row["game"] == name and row["step"] == step])


claim("gap_without", seeds("gap", "without").mean())
claim("gap_with", seeds("gap", "with").abs().max())
claim("fd_scarce_without", seeds("frechet", "without").mean())
claim("fd_scarce_with", seeds("frechet", "with").mean())
claim("recall_scarce_without", seeds("recall", "without").mean())
claim("recall_scarce_with", seeds("recall", "with").mean())
claim("precision_scarce_without", seeds("precision", "without").mean())
claim("precision_scarce_with", seeds("precision", "with").mean())
claim("copying_early", seeds("distance", "without", step=250).mean())
claim("copying_late", seeds("distance", "without").mean())
claim("copying_with", seeds("distance", "with").mean())

# %% [markdown]
# *Three seeds each. Left: without augmentation (solid) a wide gap opens, with it (dashed) hardly any. Right: the Fréchet distance of samples; both fall.*
#
# After 2,000 steps the gap is about {{gap_without}} points without augmentation and less than {{gap_with}} with it. The samples gain less: the Fréchet distance is
# {{fd_scarce_with}} in place of {{fd_scarce_without}} (means of three seeds), recall hardly changes ({{recall_scarce_with}}, {{recall_scarce_without}}),
# and precision is only {{precision_scarce_with}} in place of {{precision_scarce_without}}. Is anything copied? Without augmentation the median sample lies {{copying_early}} times as far from the nearest of the 500 images as the median test
# image does after 250 steps, and {{copying_late}} times at the end: most are no copies yet. With it the ratio falls too, to
# {{copying_with}}. Most of that need be no copying: samples that become digits come nearer
# to any digits. To tell, measure the distance to 500 unseen images too.
#
# ## 2.15 How good are samples?
#
# There is no likelihood to report. Measure instead how samples and data differ, in **features** that matter: here the last hidden layer,
# 64 numbers, of a small classifier. The literature uses a large network trained on photographs, Inception: its
# *FID* and *KID* are the first two measures below, but not comparable with ours.
#
# **Fréchet distance** (Heusel et al. 2017): treat both sets of features as normal distributions with means $\mu$ and covariances $\Sigma$:
#
# $$\lVert\mu_1 - \mu_2\rVert^2 + \mathrm{Tr}\big(\Sigma_1 + \Sigma_2 - 2(\Sigma_1^{1/2}\,\Sigma_2\,\Sigma_1^{1/2})^{1/2}\big).$$
#
# Zero means that means and covariances agree. Our features are scaled so that their variances over real images add up to 100. Few samples push the distance
# up. Real images against the test images:

# %%
pool = classifier.features(digits.train)
pool = pool[torch.randperm(len(pool), generator=seeded(0))]
of_real = {}
for n in (250, 500, 1000, 2000):
    five = [ev.frechet_distance(some, test_features) for some in pool.split(n)[:5]]
    of_real[n] = sum(five) / 5
claim("fd_of_250", of_real[250])
claim("fd_of_500", of_real[500])
claim("fd_of_1000", of_real[1000])
claim("fd_of_2000", of_real[2000])

# %% [markdown]
# From 250 images it is {{fd_of_250}} (mean of five sets), from 500 {{fd_of_500}}, from 1,000 {{fd_of_1000}}, from 2,000 {{fd_of_2000}}: **compare only at equal numbers.**
#
# **Kernel distance** (Bińkowski et al. 2018): compare features pair by pair, with a cubic function of their inner product. It also sees third
# moments, and is zero on average for equal distributions, however few the samples.
#
# **Precision** and **recall** (Kynkäänniemi et al. 2019): the share of samples that lie among the data, and of data that lie among the samples. A point
# lies *among* a set if it is nearer to a member than that member's third neighbour. In the plane:

# %%
truth = ring.sample(160, seed=0)
half_ring = ring.sample(400, seed=6)
half_ring = half_ring[half_ring[:, 0] > 0.5][:130]  # serves three of the eight modes
stray = 0.4 * torch.randn(30, 2, generator=seeded(7))  # and misses into the middle
drawn = torch.cat([half_ring, stray])


def discs(ax, members, others, title):
    radii = torch.cdist(members, members).kthvalue(4, dim=1).values  # itself is first
    among = (torch.cdist(others, members) <= radii).any(1)
    for at, radius in zip(members.tolist(), radii.tolist(), strict=True):
        ax.add_artist(Circle(at, radius, color="0.85", alpha=0.5))
    ax.plot(*others[among].T, "o", ms=4, label="among them")
    ax.plot(*others[~among].T, "X", ms=5, label="not")
    share = among.double().mean().item()
    ax.set(title=f"{title} {share:.2f}", xlabel="x₁", ylabel="x₂", aspect="equal",
           xlim=(-3.2, 3.2), ylim=(-3.2, 3.2))
    ax.legend(loc="upper right")

# %%
figure, (left, right) = figures.panels(2, height=3.9)
discs(left, truth, drawn, "Samples in the data's discs: precision")
discs(right, drawn, truth, "Data in the samples' discs: recall")
in_plane = ev.precision_recall(truth, drawn)
claim("plane_precision", in_plane.precision)
claim("plane_recall", in_plane.recall)

# %% [markdown]
# *Data on the ring, and as many samples of a bad generator, which serves three of the eight modes and sometimes misses into the middle. Left: the disc around each data point
# reaches to its third neighbour; precision is the share of samples within a disc, {{plane_precision}}. Right: the same with the roles exchanged; recall is {{plane_recall}}.*
#
# Spoil real images in known ways and look. The last row holds no images but draws from a normal distribution with
# the mean and covariance of real features:

# %%
fifth = digits.train[::5]
noisy = (fifth + 0.3 * torch.randn(fifth.shape, generator=seeded(0))).clamp(0, 1)
blurred = nn.functional.avg_pool2d(fifth, 3, stride=1, padding=1)
five_to_nine = digits.train[digits.train_labels > 4][: len(fifth)]
spoiled = {"other real images": fifth, "with noise": noisy, "blurred": blurred,
           "digits 5 to 9 only": five_to_nine,
           "one image, many times": fifth[:1].expand_as(fifth)}
spoiled = {name: classifier.features(x) for name, x in spoiled.items()}
of_real = spoiled["other real images"].double()
variances, directions = torch.linalg.eigh(of_real.T.cov())
noise = torch.randn(of_real.shape, generator=seeded(0), dtype=of_real.dtype)
noise = noise * variances.clamp_min(0).sqrt()
spoiled["a normal in their place"] = (of_real.mean(0) + noise @ directions.T).float()

# %%
def scores(features):
    pr = ev.precision_recall(test_features[:1000], features[:1000])
    return (ev.frechet_distance(features, test_features),
            ev.kernel_distance(features, test_features), pr.precision, pr.recall)

print(f"{'':24}Fréchet   kernel  precision  recall")
found = {name: scores(features) for name, features in spoiled.items()}
for name, row in found.items():
    print(f"{name:23}{'{:8.1f} {:8.2f} {:10.2f} {:7.2f}'.format(*row)}")
claim("blur_recall", found["blurred"][3])
claim("half_recall", found["digits 5 to 9 only"][3])
claim("floor_fd", found["other real images"][0])
claim("normal_fd", found["a normal in their place"][0])
claim("normal_precision", found["a normal in their place"][2])

# %% [markdown]
# Other real images are the best one can hope for. (Their kernel distance is not quite 0: the two sets differ, in pixels too, not shown.) Noise costs precision and
# nearly all recall. Blurred digits pass for digits, so precision does not notice, but they fill only a small part of
# the region of real digits: their recall is {{blur_recall}}. Missing classes cost half of the recall ({{half_recall}}); one typical image many times has perfect precision and no recall. Each time the Fréchet distance tells that something is wrong, but not what.
#
# The last row is a warning: a Fréchet distance of {{normal_fd}}, nearly that of real images ({{floor_fd}}), though hardly anything in it lies among them (precision
# {{normal_precision}}). **A Fréchet distance can improve while single samples get worse**: it sees means and covariances only, and lets variety pay for quality. In section 2.12
# twice the time took it from {{fd_base}} to {{fd_twice}}, while precision fell from {{precision_base}} to {{precision_twice}}. Never report it alone.
#
# ### The loss is no measure of quality
#
# The training of section 2.10 once more:

# %%
figure, (left, right) = figures.panels(2)
figures.training_curves(dcgan_history, ["D/loss", "G/loss"], title="The losses",
                        ax=left)
fall = quality["averaged weights"]
figures.curves(step_axis, {"Fréchet": fall}, "training step",
               "Fréchet distance of 500 samples", "The samples", ax=right)
figures.log_scale(right)
g_losses = torch.tensor(dcgan_history["G/loss"])


def g_loss_after(step):  # mean of the fifty steps that follow
    return g_losses[step : step + 50].mean()


early, later = list(snapshots)[1:3]
claim("fd_early", fall[1])
claim("fd_later", fall[2])
claim("g_loss_rise", g_loss_after(later) - g_loss_after(early))

# %% [markdown]
# *Left: the losses of the convolutional GAN. Right: the Fréchet distance of its samples to test images.*
#
# Between the second and the third point of the right panel the distance falls from about {{fd_early}} to {{fd_later}}, while G's loss *rises* by about {{g_loss_rise}} nats.
# The loss compares G with the D of that moment. It can rise while samples get better, and fall while they collapse (section 2.8).
#
# ### Is it only copying?

# %%
made = dcgan.sample(400, seed=9).cpu()
near_made, which = ev.nearest_neighbours(made, digits.train)
near_test, _ = ev.nearest_neighbours(digits.test[::5], digits.train)
figures.image_rows({"sample": made[:14],
                    "nearest in training": digits.train[which[:14, 0]]},
                   title="Samples and their nearest training images")
claim("copy_ratio", near_made.median() / near_test.median())
claim("copy_ratio_nearest", near_made.quantile(0.05) / near_test.quantile(0.05))

# %% [markdown]
# *Samples above, the nearest training image of each below: similar, sometimes another digit, never the same image.*
#
# The median sample lies about {{copy_ratio}} times as far from the training set as the median test image does. A few copies would not move a median;
# were a twentieth of the samples copies, it would show at the nearest twentieth, where the ratio is about {{copy_ratio_nearest}} (the nearest test images are
# all thin 1s). Pixel distances miss a shifted copy.
#
# ## 2.16 Beside the VAE
#
# The same digits and the same measures; the last column states the time of training. The VAE of chapter 1 samples its decoder's mean.

# %%
manual_seed(0)
vae = VAE(latent_dim=16, mean_image=digits.train.mean(0)).to(device)
vae_history = fit(vae, minibatches(digits.train_bytes, batch_size=128, seed=0),
                  steps=scaled(default=2800, smoke=5, full=20_000), lr=4e-3)
families = {"VAE": (vae.sample(2000, seed=5).cpu(), vae_history.seconds),
            "GAN": (dcgan.sample(2000, seed=5).cpu(), dcgan_seconds)}
table = {name: scores(classifier.features(x)) for name, (x, _) in families.items()}
families["real images"], table["real images"] = (fifth, 0.0), found["other real images"]
print(f"{'':13}Fréchet   kernel  precision  recall   log p(x)        trained")
for name, row in table.items():
    density = {"VAE": "a bound", "GAN": "none", "real images": "—"}[name]
    print(
        f"{name:11}{'{:9.1f} {:8.2f} {:10.2f} {:7.2f}'.format(*row)}   {density:10} "
        f"{families[name][1]:8.0f} seconds")
claim("vae_fd", table["VAE"][0])
claim("vae_recall", table["VAE"][3])
claim("vae_precision", table["VAE"][2])

# %%
figures.image_rows({name: samples[:14] for name, (samples, _) in families.items()},
                   title="Fourteen of each, not selected");

# %% [markdown]
# *VAE, GAN, real digits.*
#
# The GAN has the better Fréchet distance, {{gan_fd}} against {{vae_fd}}, and recall, {{gan_recall}}
# against {{vae_recall}}, the VAE the better precision (blind to blur), about {{vae_precision}} against {{gan_precision}}. The
# VAE trains without drama, comes with a bound on the likelihood, and finds a code for every image. The GAN's strokes are sharp, but it gives no bound and no codes.
#
# ## 2.17 GANs today
#
# **Style.** In *StyleGAN* (Karras et al. 2019, 2020) a small network turns z into a style w, which sets the scale of every layer's
# features. Pulling w towards its mean (*truncation*) trades recall for precision; *BigGAN*
# (Brock et al. 2019) cuts off large z.
#
# **Simple again.** *R3GAN* (Huang et al. 2024) throws the tricks away: relativistic pairing, R1 and R2, a modern network, and it surpasses StyleGAN2.
#
# **An adversary as a part.** Diffusion models ([chapter 4](04_diffusion.ipynb)) have taken over pictures: they train on a plain
# regression. But a D makes things sharp in a single pass, and lives on in other models: a patch discriminator
# sharpens the decoders of latent diffusion's autoencoders (VQGAN: Esser et al. 2021); *vocoders* make sound waves from spectrograms (HiFi-GAN:
# Kong et al. 2020); *adversarial distillation* turns a diffusion model of fifty steps into one of a few (Sauer et al. 2023).
#
# ## 2.18 Questions
#
# <details><summary>1. D is right half of the time. Good news?</summary>
#
# Equal distributions look like that, and so does a D that has learned nothing. Train a fresh D against the frozen G: if it too stays at one
# half, the news is good.
# </details>
#
# <details><summary>2. Why not train D to its best before every step of G, as the theory assumes?</summary>
#
# With the minimax loss the best D is certain wherever data and samples do not overlap, and G's loss is flat there. The non-saturating
# loss keeps a slope in the logit, but the logit of a perfect D is no reliable guide. For a critic of bounded slope it would be right, if expensive.
# </details>
#
# <details><summary>3. Can a GAN tell you how probable an image is?</summary>
#
# No. At its best D's logit is the logarithm of a *ratio* of two densities, and at the end of a good game it is 0 everywhere. A real D is not at its best: R1 or bounded
# layers flatten its logit. With the hinge or the Wasserstein loss even the best D's output is no log ratio.
# </details>
#
# ## 2.19 Where this comes from
#
# **Books:** Prince, *Understanding Deep Learning*, 2023, chapter 15; Bishop & Bishop, *Deep Learning*, 2024, chapter 17.
#
# **The game:**
#
# - Goodfellow et al. 2014, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661): its value, both losses of G.
# - Nowozin, Cseke & Tomioka 2016, *f-GAN*, [arXiv:1606.00709](https://arxiv.org/abs/1606.00709).
# - Arjovsky & Bottou 2017, [arXiv:1701.04862](https://arxiv.org/abs/1701.04862); Shannon et al. 2020,
#   [arXiv:2010.08029](https://arxiv.org/abs/2010.08029): what the non-saturating loss minimises.
# - Kahng et al. 2019, *GAN Lab*, [arXiv:1809.01587](https://arxiv.org/abs/1809.01587): the interactive page that our lab follows.
#
# **Making it work:**
#
# - Radford, Metz & Chintala 2016, *DCGAN*, [arXiv:1511.06434](https://arxiv.org/abs/1511.06434).
# - Salimans et al. 2016, [arXiv:1606.03498](https://arxiv.org/abs/1606.03498), and Karras et al. 2018,
#   [arXiv:1710.10196](https://arxiv.org/abs/1710.10196): minibatch statistics.
# - Arjovsky, Chintala & Bottou 2017, *Wasserstein GAN*, [arXiv:1701.07875](https://arxiv.org/abs/1701.07875); Gulrajani et al. 2017,
#   *WGAN-GP*, [arXiv:1704.00028](https://arxiv.org/abs/1704.00028).
# - Mescheder, Geiger & Nowozin 2018, [arXiv:1801.04406](https://arxiv.org/abs/1801.04406): R1, and the game of two numbers.
# - Miyato et al. 2018, [arXiv:1802.05957](https://arxiv.org/abs/1802.05957); Lim & Ye 2017, *Geometric GAN*,
#   [arXiv:1705.02894](https://arxiv.org/abs/1705.02894): hinge.
# - Heusel et al. 2017, [arXiv:1706.08500](https://arxiv.org/abs/1706.08500): two rates, the Fréchet
#   distance; Yazıcı et al. 2019, [arXiv:1806.04498](https://arxiv.org/abs/1806.04498).
# - Jolicoeur-Martineau 2019, [arXiv:1807.00734](https://arxiv.org/abs/1807.00734); Huang et al. 2024,
#   [arXiv:2501.05441](https://arxiv.org/abs/2501.05441): R3GAN.
# - Zhao et al. 2020, [arXiv:2006.10738](https://arxiv.org/abs/2006.10738).
#
# **Conditions, measures, data, today:**
#
# - Mirza & Osindero 2014, [arXiv:1411.1784](https://arxiv.org/abs/1411.1784); Miyato & Koyama 2018,
#   [arXiv:1802.05637](https://arxiv.org/abs/1802.05637); Isola et al. 2017, *pix2pix*, [arXiv:1611.07004](https://arxiv.org/abs/1611.07004); Zhu et al. 2017,
#   *CycleGAN*, [arXiv:1703.10593](https://arxiv.org/abs/1703.10593).
# - Bińkowski et al. 2018, [arXiv:1801.01401](https://arxiv.org/abs/1801.01401): the kernel distance. Kynkäänniemi et al. 2019,
#   [arXiv:1904.06991](https://arxiv.org/abs/1904.06991).
# - Karras et al. 2019, *StyleGAN*, [arXiv:1812.04948](https://arxiv.org/abs/1812.04948), and 2020, *StyleGAN2*,
#   [arXiv:1912.04958](https://arxiv.org/abs/1912.04958); Brock et al. 2019, *BigGAN*, [arXiv:1809.11096](https://arxiv.org/abs/1809.11096).
# - Esser et al. 2021, *VQGAN*, [arXiv:2012.09841](https://arxiv.org/abs/2012.09841); Kong et al. 2020, *HiFi-GAN*,
#   [arXiv:2010.05646](https://arxiv.org/abs/2010.05646); Sauer et al. 2023,
#   [arXiv:2311.17042](https://arxiv.org/abs/2311.17042).
# - Xiao, Rasul & Vollgraf 2017, *Fashion-MNIST*, [arXiv:1708.07747](https://arxiv.org/abs/1708.07747).
