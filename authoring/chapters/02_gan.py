# %% [markdown]
# # 2 · Generative adversarial networks
#
# Two networks play a game. One makes samples, the other tells samples from data, and each learns from the other. Nobody
# ever writes down a density, and yet, if the game ends well, the samples are distributed like the data. Here you see
# why that works, watch it happen in the plane, see it fail in the three usual ways, and train generators of digits and of
# clothes. The clothes you can ask for by class.
#
# What it is good for: sharp images, where a VAE's are smooth means, drawn in a single pass and on request. Examples are clothes that nobody owns,
# sharper versions of a blurred picture, and training data where real ones are scarce. The clothes on the front page are drawn by the model of
# section 2.12.
#
# **You will be able to** say what the discriminator estimates and what the generator minimises; write both losses so that they
# are stable and give gradients; read a run and name what ails it; train a convolutional GAN; and measure samples without
# a likelihood.
#
# **You need** [chapter 1](01_vae.ipynb) up to its section 1.5 (densities, divergences), and a little PyTorch. The
# exercises are in [`exercises/02_gan.ipynb`](../exercises/02_gan.ipynb), the answers in
# [`solutions/02_gan.ipynb`](../solutions/02_gan.ipynb).

# %%
import math
import time

import matplotlib.pyplot as plt
import torch
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
# A VAE fits a density, or a bound of one, and sampling comes as a by-product. If samples are all you want, there is a
# shorter way: take noise and push it through a function. Whatever the function, that is a sampler.

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
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
figures.curves(line[:, 0], {"G(z)": curve}, "noise z", "x = G(z)", "A function",
               ax=left)
right.hist(pushed, bins=80, density=True, color=figures.PALETTE[1])
right.set(xlabel="x", ylabel="density", title="What it makes of standard normal noise");

# %% [markdown]
# *Left: a function with random weights. Right: a histogram of what it makes of normal noise. Where the curve is flat and noise is frequent,
# many draws land on nearly the same x, and the density is high.*
#
# To change the distribution of x, change the function. But in which direction? Maximum likelihood needs $p(x)$, and
# for a network there is no simple formula for it: one would have to find every z that leads to x. And if z is two numbers and x an image of
# 784 pixels, nearly every x has no such z at all. What we can do is **compare samples**: train a classifier to tell them from the
# data. If even the best classifier is no better than a coin, the two are alike. If it is better, it knows *where* they
# differ, and its gradient says how to mend that.
#
# ## 2.2 The game and its value
#
# The **generator** G maps noise $z \sim p(z)$ to $x = G(z)$; call the distribution of its samples $p_g$. The
# **discriminator** $D(x) \in (0, 1)$ estimates the probability that x came from the data, if data and samples are equally frequent. D wants to be right, and G wants D to be
# wrong. They play for
#
# $$\min_G \max_D V(D, G), \qquad
#   V = \mathbb E_{x \sim p_{\text{data}}}[\log D(x)] + \mathbb E_{x \sim p_g}[\log(1 - D(x))] .$$
#
# Hold G still and ask for the best D. At each x it maximises $p_{\text{data}} \log D + p_g \log (1 - D)$, whose derivative
# $p_{\text{data}}/D - p_g/(1 - D)$ is zero at
#
# $$D^*(x) = \frac{p_{\text{data}}(x)}{p_{\text{data}}(x) + p_g(x)} .$$
#
# Put it back into V. With the mixture $m = \tfrac12(p_{\text{data}} + p_g)$ each fraction is $p / 2m$, so
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
    return torch.distributions.Normal(torch.tensor(mean, dtype=torch.float64),
                                      std).log_prob(x_grid).exp()


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
figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained", sharey=True)
for ax, shift in zip(axes, (0.0, 2.0, 6.0), strict=True):
    p, q = normal(0.0), normal(shift)
    shown = {"data": p, "samples": q, "D*": m.optimal_discriminator(p, q)}
    figures.curves(x_grid, shown, "x", "density, or D", f"Samples shifted by {shift:g}",
                   ax=ax)
    ax.set_xlim(-4, 10)

# %% [markdown]
# *The best discriminator for three generators. Where they agree with the data it says ½ everywhere; the further the samples lie
# from the data, the surer it is, and the steeper its step.*
#
# A draw is worth $-\log 4 \approx$ {{value_of_a_draw}} nats; at a shift of 2 the value is {{value_at_two}}, at 6 it is
# {{value_at_six}}. Both sides of the identity were computed separately and agree to {{identity_error}} nats.
#
# ### Does a trained discriminator find it?
#
# In practice nobody knows $p_{\text{data}}$, and D is a network trained on samples. Take two distributions in the plane that
# we do know, and compare:

# %%
real = points("two")
# plays the generator, and stands still
blob = GaussianMixture(torch.zeros(1, 2), torch.tensor([1.2]), torch.ones(1))
grid, cell = figures.plane_grid(limit=5.0, n=101)
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
figure, axes = plt.subplots(1, 3, figsize=(11, 3.3), layout="constrained")
figures.heatmap(best, "D* from the densities", limit=5.0, label="probability of data",
                ax=axes[0])
figures.heatmap(trained, "A trained D", limit=5.0, label="probability of data",
                ax=axes[1])
figures.heatmap(trained - best, "Difference", limit=5.0, vmin=-0.3, vmax=0.3,
                label="trained − D*", ax=axes[2])
weight = (p + q) / 2 * cell
claim("d_error", (weight * (trained - best).abs()).sum())
claim("value_trained", m.game_value(p, q, trained, cell))
claim("value_best", -math.log(4) + 2 * m.jensen_shannon(p, q, cell))

# %% [markdown]
# *Two broad modes (peaks of the density) as data, one blob as samples. Left: $D^*$ computed from the densities. Middle: a small network trained only
# on draws from both. Right: their difference. It is largest at the outer edges of the modes, where draws are few. (Where neither has
# mass, the training says nothing about D.)*
#
# Averaged over data and samples the network is off by less than {{d_error}}. The value that it reaches,
# {{value_trained}} nats, comes close to the best possible, $-\log 4 + 2\,\mathrm{JSD} =$ {{value_best}}, and cannot pass it. Whatever D
# you have, V is a **lower bound** of $-\log 4 + 2\,\mathrm{JSD}$, so $\tfrac12(V + \log 4)$ is one of the divergence.
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
# This is D's loss on a sample, so D is most wrong at a logit of 100. There the loss from probabilities is infinite. The usual repair, clamping
# the probability, keeps the loss finite but makes the gradient exactly zero; it should be 1 there. Use logits, and no clamp.
#
# A D that cannot tell has $l = 0$ everywhere, and its loss is $2 \log 2 \approx 1.386$. That number is the sea level of every
# plot of this loss: above it D does worse than by saying ½ of everything, far below it D is winning.
#
# ## 2.4 Saturating and non-saturating
#
# G's side of the game is to minimise $\log(1 - D(G(z)))$. Early on, D rejects samples with ease: $l \ll 0$. What gradient
# does G get there? With $\sigma$ for the sigmoid, the derivative of $\log(1 - \sigma(l))$ is $-\sigma(l)$, which is almost zero when D is
# sure. The remedy comes from the paper that introduced GANs (section 2.17): let G *maximise* $\log D(G(z))$ instead. The derivative of
# $-\log\sigma(l)$ is $-(1 - \sigma(l))$, whose size is largest just there. Both losses are at rest where D says ½ everywhere; the way there differs.

# %%
logit = torch.linspace(-10, 10, 201, requires_grad=True)
losses = {"saturating, log(1 − D)": m.saturating_loss(logit),
          "non-saturating, −log D": m.generator_loss(logit)}
slopes = {name: torch.autograd.grad(loss.sum(), logit)[0]
          for name, loss in losses.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
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
# *Left: both losses fall as D is fooled. Right: their derivatives. At the left of each panel, in the shaded region, D is sure, as it soon is of
# a young generator's samples. There the saturating loss has almost no slope. At a logit of −5 the derivatives have the sizes
# {{saturating_slope}} (saturating) and {{nonsaturating_slope}} (non-saturating).*
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
# Line 2 is waste and a trap: G's gradients fill up in D's step, and if nobody clears them, they are in G's next one. In line 3 D's
# gradients fill up and must be cleared before D's own step. Line 4 is a bug: G learns nothing, and no error says so.
#
# ## 2.6 The loop, on a ring of eight
#
# Data: eight small Gaussians on a circle. Eight modes that one can count make it a good test, because the typical failure of a GAN
# is to serve only some of them. Once, by hand:

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
# That is all of it: two turns, each with a loss, a clear, a backward and a step. In `fit` the same game is a model with
# `players`: each names a loss and an optimizer, and the loop lets them move in turns. Read it with `??fit` and `??m.GAN`.
#
# As above, D learns twice as fast as G. The reference settings add two things: a penalty on the slope of D's logit (R1), and an average of
# G's weights to sample from. Section 2.11 explains all three. They also start from a larger learning rate, with a shorter memory in Adam,
# and `fit` lets the rates fall to zero.

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
figure, axes = plt.subplots(1, len(stages), figsize=(2.2 * len(stages), 2.6),
                            layout="constrained", sharey=True)
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
# *Data and samples at six moments of one run. The same thousand codes are shown each time. The cloud spreads, reaches for the ring, and
# gathers at its eight modes.*
#
# A mode counts as *covered* if it gets at least a fifth of its fair share of the samples. In the end all {{ring_modes}} modes are covered, and
# about {{ring_share}} % of the samples lie within three standard deviations of one; of the data 99 % do. Most of the rest lie on the way from mode to
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
# *Both losses of the run, as running means; dotted, their values in a draw, $2\log 2$ and $\log 2$. D's loss does not fall at all in the end, and
# G's falls to $\log 2$ only: each is measured against an opponent that gets better as well.*
#
# At the end D's loss is {{d_loss_end}} nats and G's {{g_loss_end}}, close to a draw. That is what success looks like. So, unfortunately,
# does a game between two players who have learned nothing: before the first step D's loss was {{d_loss_start}}.
#
# Changing one number can spoil this. Let D learn ten times as slowly as G, instead of twice as fast:

# %%
slow, batches = train_on_ring(r1=0.1, d_lr_ratio=0.1)
slow_history = fit(slow, batches, steps=scaled(default=800, smoke=20, full=1500),
                   lr=2e-3, precision="float32")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained",
                                     width_ratios=(1, 1.6))
figures.point_clouds({"data": ring_data[:500], "samples": slow.sample(1000).cpu()},
                     "A D that learns too slowly", ax=left)
figures.training_curves(slow_history, ["D/loss", "G/loss"], title="Its losses",
                        ax=right)
failed = ev.mode_coverage(slow.sample(4000, seed=1).cpu(), ring.centres, ring.stds)
claim("slow_modes", failed.modes)
claim("slow_d_loss", slow_history.last("D/loss"))

# %% [markdown]
# *The same networks with a slow discriminator, at the end of their run. The samples crowd where D is fooled at the moment. During the run D
# catches up and the crowd moves on; section 2.8 shows such a run moment by moment. Samples beyond the frame are not shown.*
#
# Fewer than {{slow_modes}} modes are covered, and yet D's loss, {{slow_d_loss}} nats, is that of a draw. The page benchmarks/README.md says how often each
# setting succeeds: one run is no proof.
#
# ## 2.7 The GAN lab
#
# Watch the game, and take part. The strip shows the recorded run that the lab opens with:

# %%
film_strip(recorded("ring"));

# %% [markdown]
# *A recorded run, from left to right: circles are data, triangles samples. The shade is D's belief: blue where it takes a place for data, orange where
# for a sample, and pale near the dashed line, where it cannot tell. Arrows show where a sample is asked to move, always towards what D takes for
# data; long ones are drawn shortened. Below: the losses, the Jensen-Shannon divergence between samples and data, and the modes covered.*

# %% tags=["widget"]
gan_lab()

# %% [markdown]
# Things to try, in this order:
#
# 1. Play the recorded run. When do the arrows get long, when do they vanish?
# 2. Choose *play live* and press *Step D only* many times. The surface gets steeper, the samples do not move. Then *Step G only*: without D's answer the
#    samples run into one place. Why?
# 3. Set the loss to *saturating* and press *Reset*. What do the arrows of far samples do?
# 4. Set the penalty to *none* and raise the learning rate until samples chase around the ring.
# 5. Choose noise of one dimension. How can a line cover a ring of blobs? And the spiral?
# 6. Try the Wasserstein loss without a penalty, then with the gradient penalty.
#
# ## 2.8 Reading a run
#
# Real recordings on the ring, made by a script of this repository. The strip of section 2.7 is the healthy one: the samples find all modes and stay, D's surface
# flattens towards ½, the divergence falls, and the losses come near a draw. Here are three that fail. Look at each before you read on.

# %%
film_strip(recorded("collapse"));

# %% [markdown]
# *Mode collapse. Most samples sit at two or three of the modes. The arrows do not lead to the others: they show D's slope where samples are, and
# at the modes that nobody serves there is no sample.*

# %%
film_strip(recorded("discriminator wins"));

# %% [markdown]
# *The discriminator wins. It tells everything apart, its belief at the samples is 0, and with a saturating loss the arrows have vanished. The
# samples stay where they are, and G's loss looks calm.*

# %%
film_strip(recorded("oscillation"));

# %% [markdown]
# *Oscillation. The samples jump to where D believes the data to be, D follows, they jump on. At each moment at most a few modes are served. The
# losses hardly show it: both stay near a draw.*
#
# The same four, in numbers that the recordings contain:

# %%
runs = {"healthy": "ring", "mode collapse": "collapse", "D wins": "discriminator wins",
        "oscillation": "oscillation"}
signs = {name: symptoms(recorded(run)) for name, run in runs.items()}
for name, s in signs.items():
    print(f"{name:14} modes {8 * s['covered']:3.1f} of 8, "
          f"D right {100 * s['accuracy']:3.0f} %, arrows {s['push']:.3f}, "
          f"JSD {s['divergence']:.2f} nats, "
          f"samples that leap {100 * s['leaping']:3.0f} %")
claim("collapsed_modes", 8 * signs["mode collapse"]["covered"])
claim("winner_accuracy", 100 * signs["D wins"]["accuracy"])
claim("leapers", 100 * signs["oscillation"]["leaping"])

# %% [markdown]
# These are means over the last quarter of each run, for leaps over its second half. A sample *leaps* if it moves by more than 1 between a frame
# and the next. (Neighbouring modes are 1.5 apart.)
#
# The collapsed run serves about {{collapsed_modes}} modes; the winning D is right about {{winner_accuracy}} % of the time; and in the oscillating
# run about {{leapers}} % of the samples leap from a frame to the next. Note what is *not* in the list: G's loss. Where D wins and where the
# samples oscillate it is at least as calm as in the healthy run.
#
# ## 2.9 Images: a naive GAN, and why its discriminator wins
#
# Now the ten thousand digits. The first idea is to put pixels in the place of coordinates: two plain networks, and the loss as
# the game states it, saturating, with a D that learns fast, since the theory wants it near its best.

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


def train_on_digits(generator, discriminator, steps, **settings):
    manual_seed(0)
    game = m.GAN(generator(), discriminator(), d_lr_ratio=10.0, **settings).to(device)
    return game, fit(game, minibatches(digits.train_bytes, batch_size=32, seed=0),
                     steps=steps, lr=8e-4)

# %%
steps = scaled(default=600, smoke=5, full=4000)
naive, naive_history = train_on_digits(PixelGenerator, pixel_discriminator, steps,
                                       loss="saturating")
cured, cured_history = train_on_digits(PixelGenerator, pixel_discriminator, steps,
                                       loss="non-saturating", r1=1.0)

# %%
figures.image_rows({"naive": naive.sample(14), "cured": cured.sample(14)},
                   title="Two plain networks, without and with the cure")
loss = {"naive": naive_history.last("D/loss"), "cured": cured_history.last("D/loss")}
claim("naive_d_loss", loss["naive"])
claim("cured_d_loss", loss["cured"])

# %% [markdown]
# *Samples after equally many steps, from the same codes. Above: the naive game, whose generator makes a grey blot, much the same for every code.
# Below: the same two networks at the same learning rates, with the non-saturating loss and a penalty on D's slope. Rough, but on their way.*
#
# The naive D's loss is below {{naive_d_loss}} nats. The usual explanation: images and samples lie on thin sheets in a space of 784 dimensions, and
# a network separates them without effort (Arjovsky and Bottou, section 2.17). So D is right everywhere, and G's loss is flat where G needs a slope. The cure has two parts: a loss that
# does not saturate, and a D that is not allowed to become a cliff. D's loss, penalty included, then ends near {{cured_d_loss}}: a game.
#
# ## 2.10 DCGAN: what helps on images
#
# Plain networks ignore that pixels have neighbours. *DCGAN* made convolutional GANs work, with a short list of rules that
# still holds:
#
# - no pooling: **strided convolutions** in D, which shrink the image, and transposed ones in G, which enlarge it, so that the networks learn their own scaling;
# - **batch norm** in G (it keeps early samples from being all alike) and leaky ReLU in D, which keeps a small slope below zero;
# - an output that saturates smoothly at the ends of the grey range (tanh; for pixels in [0, 1] a sigmoid);
# - weights that start at N(0, 0.02²), and Adam with a small $\beta_1$ (DCGAN's is 0.5, ours 0): an average over old gradients answers
#   opponents that are gone.
#
# Ours has one addition, **spectral normalisation** in D (next section), and no batch norm there: D should judge each image
# by itself.

# %%
G, D = m.Generator(latent_dim=64, width=24), m.Discriminator(width=24)
print(G)
print(
    f"{sum(p.numel() for p in G.parameters()):,} numbers in G, "
    f"{sum(p.numel() for p in D.parameters()):,} in D")

# %% [markdown]
# During the training we keep three things for later: samples of the same codes, and how far five hundred samples of G and of its average are from
# the test images. The measure is the Fréchet distance, lower is better; section 2.14 explains it.

# %%
classifier = ev.feature_network("mnist").to(device)
test_features = classifier.features(digits.test)
snapshots, distances = {}, {"latest weights": {}, "averaged weights": {}}
z_kept = torch.randn(500, 64, generator=seeded(3)).to(device)


def distance_of(samples):
    return ev.frechet_distance(classifier.features(samples), test_features)


def watch(step):
    if step % scaled(default=100, smoke=2, full=1000) == 0:
        with torch.no_grad():
            latest, averaged = dcgan.generator.eval()(z_kept), dcgan.generate(z_kept)
        dcgan.generator.train()
        snapshots[step] = averaged[:14].cpu()
        distances["latest weights"][step] = distance_of(latest)
        distances["averaged weights"][step] = distance_of(averaged)

# %%
manual_seed(0)
dcgan = m.GAN(m.Generator(width=24), m.Discriminator(width=24),
              d_lr_ratio=2.0).to(device)
steps = scaled(default=700, smoke=10, full=20_000)
dcgan_history = fit(dcgan, minibatches(digits.train_bytes, batch_size=32, seed=0),
                    steps=steps, lr=8e-3, on_step=watch)

# %%
figures.image_grid(dcgan.sample(60, seed=1), columns=15,
                   title="Digits from a convolutional GAN");

# %% [markdown]
# *Sixty samples, not selected. The strokes are sharp, unlike the VAE's: D would notice a blur at once. Many are digits, some are
# signs that no alphabet has.*

# %%
image_replay(snapshots)

# %% [markdown]
# *The same codes during training; in a running notebook move through them with the slider. Blots become strokes, strokes become digits, and
# a code keeps changing its mind about which.*
#
# ## 2.11 Keeping the discriminator smooth
#
# The Jensen-Shannon divergence has a flaw: it is $\log 2$ for any two distributions that do not overlap, near or far.
# Its slope is zero where the generator starts. The **Wasserstein distance**, the least mean distance by which one has to carry the mass of one
# distribution to make the other, knows near from far. It has a second form that looks like a game,
#
# $$W(p, q) = \max_{f:\ |f(a) - f(b)| \le \lVert a - b \rVert}\ \mathbb E_{p}[f(x)] - \mathbb E_{q}[f(x)] ,$$
#
# over functions of slope at most 1. The network for $f$ is called a *critic*, and has no sigmoid; the generator minimises $-\mathbb E[f(G(z))]$. A **gradient penalty** keeps its slope near 1, at points
# between data and samples: $\lambda(\lVert\nabla f(\hat x)\rVert - 1)^2$. Test it where the truth is known: for two normal distributions
# of one shape, W is the distance of their means.

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


shifts = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0)
critics = [critic_distance(shift, scaled(default=300, smoke=3, full=1000))
           for shift in tqdm(shifts)]

# %%
jsd = [m.jensen_shannon(normal(0.0), normal(shift),
                        (x_grid[1] - x_grid[0]).item()).item() for shift in shifts]
figure, ax = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
far = torch.tensor(shifts)
shown = {"Wasserstein, true": far, "critic's estimate": torch.tensor(critics),
         "its prediction": far * (1 + far / 20),
         "JSD in nats": torch.tensor(jsd)}
figures.curves(far, shown, "distance of the two means", "distance, or nats",
               "Which distance knows how far?", ax=ax)
claim("critic_at_three", critics[3])
claim("jsd_at_six", jsd[-1])

# %% [markdown]
# *Two normal distributions of standard deviation 1, moved apart. The critic's estimate grows with the true Wasserstein distance; at 3 it says
# {{critic_at_three}}. The Jensen-Shannon divergence bends and stops, at {{jsd_at_six}} nats for a shift of 6, of at most $\log 2 \approx 0.693$.*
#
# Why is the estimate too large? The penalty is a price and not a wall. A critic of slope $s$ gains $s\,d$ at a distance $d$ and pays
# $\lambda (s - 1)^2$. The best slope is $1 + d/(2\lambda)$. With $\lambda = 10$ the estimate $s\,d$ is $d\,(1 + d/20)$: the curve called its prediction.
# At large distances the estimate lies slightly above it.
#
# **Spectral normalisation** bounds slopes by construction. A linear layer stretches some direction most, by its largest singular value; divide the
# weights by it, and the layer makes no distance longer. PyTorch finds that value by power iteration, one step per forward pass in training. For a
# convolution it takes the kernel as one matrix: the slope is bounded as well, but not exactly by 1.

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
# **R1** is the simplest penalty: half the squared slope of D's logit *at the data*. What it is good for shows in the smallest game there is: data
# at 0, a generator that puts all its mass at θ, a discriminator whose logit is $\psi x$, and the minimax loss. The equilibrium is θ = ψ = 0. Follow the
# two numbers:

# %%
def tiny_game(r1, steps=400, lr=0.1):
    theta, psi, path = 1.0, 0.0, []
    for _ in range(steps):
        path.append((theta, psi))
        slope = 1 / (1 + math.exp(-psi * theta))  # of softplus(ψθ): D minimises it
        theta, psi = theta + lr * slope * psi, psi - lr * (slope * theta + r1 * psi)
    return torch.tensor(path)

shape = {"figsize": (8, 3.9), "layout": "constrained"}
figure, axes = plt.subplots(1, 2, **shape, sharex=True, sharey=True)
for ax, r1, path in zip(axes, (0.0, 0.3), map(tiny_game, (0.0, 0.3)), strict=True):
    average = path.cumsum(0) / torch.arange(1, len(path) + 1)[:, None]
    ax.plot(*path.T, color=figures.PALETTE[0], lw=1, label="the two players")
    ax.plot(*average.T, "--", color=figures.PALETTE[1], label="their average so far")
    ax.plot(*path[0], "o", color=figures.PALETTE[0])
    ax.plot(0, 0, "k*", ms=10)
    ax.set(xlabel="θ, the generator", ylabel="ψ, the discriminator",
           title=f"R1 weight {r1:g}", aspect="equal")
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
claim("orbit_radius", tiny_game(0.0)[-1].norm())
claim("orbit_with_r1", tiny_game(0.3)[-1].norm())
claim("average_radius", tiny_game(0.0).mean(0).norm())

# %% [markdown]
# *Two numbers that play against each other, from the dot. The star is the equilibrium. Both move at once here, and without a penalty they
# go round it for ever and drift outwards, however small the steps; with R1 they spiral in. Dashed: the average of the path so far.*
#
# After four hundred steps the distance from the equilibrium is {{orbit_radius}} without and below {{orbit_with_r1}} with it. The
# oscillating run of section 2.8 resembles this, in more dimensions.
#
# ### Two time scales, and an average
#
# D should be near its best answer for the present G. Instead of many D steps per G step, give D a larger learning rate: **two
# time scales**. (In section 2.9 a fast D won; one that is kept smooth may be fast.) And where players circle, the *average* of G's weights over
# the last steps can be closer to the centre than any single G. In the left picture above, the average of the whole path is less than
# {{average_radius}} from the star. Averaging costs next to nothing: after step $n$,
# $\bar\theta \leftarrow d\,\bar\theta + (1 - d)\,\theta$ with $d = \min\big(0.999,\ n/(n + 10)\big)$, so that the first steps are forgotten. Did it help our digits?

# %%
step_axis = torch.tensor(list(snapshots))
quality = {name: torch.tensor(list(values.values()))
           for name, values in distances.items()}
ax = figures.curves(step_axis, quality, "training step",
                    "Fréchet distance of 500 samples", "Latest and averaged weights")
figures.log_scale(ax)

# %% [markdown]
# *The Fréchet distance of 500 samples to test images (section 2.14 explains it; lower is better) during the training of section 2.10, for the
# same codes through G as the last step left it, and through the average.*
#
# In the second half the two lie close together: in this run the average gains little. Likely reasons: in so
# short a run it reaches back over about a tenth of the steps only, D is smooth, and the learning rate falls to zero, which settles G as averaging would. Where the rate stays high, averaging often makes samples much steadier.
#
# ## 2.12 Asking for a class: clothes
#
# Fashion-MNIST: ten kinds of clothes, shoes and bags in the same 28 × 28 pixels. Give both networks the label. G gets it
# beside the noise, as a one-hot vector; D asks whether the image is real *and* fits its label. For that D learns a vector for each class, and adds
# its inner product with the image's features to the logit (*projection*). What it costs is a label for each training image.

# %%
fashion = images("fashion-mnist")
labelled = minibatches(fashion.train_bytes, fashion.train_labels, batch_size=32, seed=0)
manual_seed(0)
wardrobe = m.ConditionalGAN(m.Generator(width=24, num_classes=10),
                            m.Discriminator(width=24, num_classes=10),
                            d_lr_ratio=2.0).to(device)
fit(wardrobe, labelled, steps=scaled(default=600, smoke=10, full=20_000), lr=6e-3);

# %% tags=["cover"]
clothes = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt",
           "sneaker", "bag", "boot")
asked = torch.arange(10).repeat(6)
figures.image_grid(wardrobe.sample(asked, seed=2), columns=10,
                   title="Clothes, by class", headings=clothes);

# %% [markdown]
# *Six samples, not selected, for each class that was asked for, one class per column.*
#
# Does the answer fit the question? The classifier that ships with the course is right on most test images; let it judge, and first judge the
# judge:

# %%
judge = ev.feature_network("fashion-mnist").to(device)
real_right = (judge.classify(fashion.test) == fashion.test_labels).double().mean()
asked = torch.arange(10).repeat(200)
obeyed = (judge.classify(wardrobe.sample(asked, seed=3)) == asked).double().mean()
claim("judge_right", 100 * real_right)
claim("obeyed", 100 * obeyed)

# %% [markdown]
# The judge is right on {{judge_right}} % of the real test images and reads the class that was asked for in {{obeyed}} % of the samples. How
# fast is asking?

# %%
n = scaled(default=2000, smoke=100, full=20_000)
asked = torch.arange(10).repeat(n // 10)
wardrobe.sample(asked).cpu()  # warm up
start = time.perf_counter()
wardrobe.sample(asked).cpu()
claim("ms_per_sample", 1000 * (time.perf_counter() - start) / n)

# %% [markdown]
# One pass, and in a large batch less than {{ms_per_sample}} ms per image.
#
# ## 2.13 When data are scarce: augment what D sees
#
# With 500 images D does what any classifier would do: it learns them by heart. Then it rejects everything else, new real images
# too, and its gradient says "be one of these 500". Augmenting the training images alone does not help: G would learn to make augmented
# images. The remedy is to augment **whatever D sees**, samples as well, by operations that gradients can pass:
# brightness, shifts, a square cut out.

# %%
few_digits = digits.train[::20]
print(len(few_digits), "training images")
shown = few_digits[:12]
figures.image_rows({"image": shown,
                    "augmented": m.augment(shown, seeded(0)).clamp(0, 1)},
                   title="Differentiable augmentation");

# %% [markdown]
# *Above: training images. Below: the same after all three changes, drawn at random, and anew each time D looks.*

# %% [markdown]
# Which changes help depends on the data: a digit that is moved is still that digit, but one with a square cut out may become another sign. So below, D sees images that are only moved.
# D has no spectral normalisation this time: that would slow its learning by heart as well, and hide what we want to see.

# %%
def move(x):
    return m.translate(x, torch.rand(len(x), 2, device=x.device))


def train_on_few(augment=None):
    manual_seed(0)
    game = m.GAN(m.Generator(width=24), m.Discriminator(width=24, spectral=False),
                 d_lr_ratio=2.0, augment=augment).to(device)
    steps = scaled(default=550, smoke=5, full=6000)
    fit(game, minibatches(few_digits, batch_size=32, seed=0), steps=steps, lr=4e-3)
    return game


scarce = {"without": train_on_few()}

# %%
scarce["with"] = train_on_few(move)
figures.image_rows({name: game.sample(14, seed=1) for name, game in scarce.items()},
                   title="Trained on 500 digits, without and with augmentation");

# %% [markdown]
# *Samples of two games on the same 500 digits, from the same codes.*
#
# To the eye they are alike. Ask the two discriminators what they believe of images that they have trained on, and of test images:

# %%
belief, scarce_fd = {}, {}
for name, game in scarce.items():
    with torch.no_grad():
        belief[name] = [100 * game.discriminator(x.to(device)).sigmoid().mean()
                        for x in (few_digits, digits.test)]
    scarce_fd[name] = distance_of(game.sample(2000, seed=5))
claim("belief_gap_without", belief["without"][0] - belief["without"][1])
claim("belief_gap_with", belief["with"][0] - belief["with"][1])
claim("fd_scarce_without", scarce_fd["without"])
claim("fd_scarce_with", scarce_fd["with"])

# %% [markdown]
# Without augmentation D believes in training images more than in test images, by about {{belief_gap_without}} percentage points: it has begun to learn
# them by heart. With it the gap is about {{belief_gap_with}}. The Fréchet distances after this short training are about {{fd_scarce_without}} without and
# {{fd_scarce_with}} with it, one run each: a difference that small may be chance. The gap is the early sign. A D that knows all its images
# by heart has nothing left to teach G.
#
# ## 2.14 How good are samples?
#
# There is no likelihood to report. What can be measured is how samples and data differ, in **features** that matter: here the last hidden layer, 64
# numbers, of a small classifier that ships with the course. (The literature uses a large network trained on photographs, which knows little
# of digits.)
#
# - **Fréchet distance**: treat both sets of features as normal distributions with means $\mu$ and covariances $\Sigma$, and compute
#   $\lVert\mu_1 - \mu_2\rVert^2 + \mathrm{Tr}\big(\Sigma_1 + \Sigma_2 - 2(\Sigma_1\Sigma_2)^{1/2}\big)$. Zero means that means and covariances
#   agree; few samples push it up. Our features are scaled so that their variances over real images add up to 100. So a distance of 5 is five
#   hundredths of what real images vary by.
# - **Kernel distance**: compare features pair by pair, with a cubic function of their inner product. It also sees third moments, and is on average
#   zero for equal distributions, whatever the number of samples.
# - **Precision** and **recall**: the share of samples that lie among the data, and of data that lie among the samples. A point lies *among* a set
#   if it is nearer to one of its members than that member's third neighbour. Precision is about quality, recall about variety.
#
# What do they notice? Spoil real images in known ways and look:

# %%
fifth = digits.train[::5]
noisy = (fifth + 0.3 * torch.randn(fifth.shape, generator=seeded(0))).clamp(0, 1)
blurred = nn.functional.avg_pool2d(fifth, 3, stride=1, padding=1)
five_to_nine = fifth[digits.train_labels[::5] > 4]
spoiled = {"other real images": fifth, "with noise": noisy, "blurred": blurred,
           "digits 5 to 9 only": five_to_nine,
           "one image, many times": fifth[:1].expand_as(fifth)}

def scores(samples):
    f = classifier.features(samples)
    n = min(1000, len(f))
    pr = ev.precision_recall(test_features[:n], f[:n])
    fd, kd = (of(f, test_features) for of in (ev.frechet_distance, ev.kernel_distance))
    return fd, kd, pr.precision, pr.recall

print(f"{'':24}Fréchet   kernel  precision  recall")
found = {name: scores(samples) for name, samples in spoiled.items()}
for name, row in found.items():
    print(f"{name:22}{'{:9.1f} {:8.2f} {:10.2f} {:7.2f}'.format(*row)}")
claim("fd_floor", found["other real images"][0])
claim("blur_recall", found["blurred"][3])
claim("half_recall", found["digits 5 to 9 only"][3])

# %% [markdown]
# Other real images are the best one can hope for, a Fréchet distance of {{fd_floor}} with this many. (Their kernel distance is not
# quite 0: they are training images, which the classifier has seen too.) Noise costs precision and nearly all recall. Blurred digits
# pass for digits, so precision does not notice, but they fill only a small part of the region of real digits: their recall is {{blur_recall}}. Missing classes leave precision as it is and cost half of the
# recall, down to {{half_recall}}; one image many times has none at all. All of it raises the Fréchet distance, which tells that something is wrong, but not what.
#
# ### The loss is no measure of quality
#
# During the training of section 2.10 we kept both: the losses, and the Fréchet distance of samples.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
figures.training_curves(dcgan_history, ["D/loss", "G/loss"], title="The losses",
                        ax=left)
fall = quality["averaged weights"]
figures.curves(step_axis, {"Fréchet": fall}, "training step",
               "Fréchet distance of 500 samples", "The samples", ax=right)
figures.log_scale(right)
early = list(snapshots)[2]
g_losses = torch.tensor(dcgan_history["G/loss"])
claim("fd_gain", fall[2] / fall[-1])
claim("g_loss_change",
      (g_losses[-100:].mean() - g_losses[early - 50 : early + 50].mean()).abs())

# %% [markdown]
# *Left: the losses of the convolutional GAN. Right: the Fréchet distance of its samples to test images. From the third point on
# the distance fell by a factor of about {{fd_gain}}, while G's loss changed by less than {{g_loss_change}} nats.*
#
# The loss compares G with the D of that moment. It can rise while samples get better, fall while they collapse, and stand still while either happens.
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

# %% [markdown]
# *Samples above, the nearest training image of each below: similar pixel by pixel, sometimes another digit, never the same image.*
#
# In the median a sample lies about {{copy_ratio}} times as far from the training set, pixel by pixel, as a test image does; copies would lie much nearer.
#
# ## 2.15 Beside the VAE
#
# The same digits, a similar training time (the GAN's includes watching it), the same four measures; the VAE of chapter 1 samples its decoder's mean.

# %%
manual_seed(0)
vae = VAE(latent_dim=16, mean_image=digits.train.mean(0)).to(device)
vae_history = fit(vae, minibatches(digits.train_bytes, batch_size=128, seed=0),
                  steps=scaled(default=700, smoke=5, full=20_000), lr=4e-3)
families = {"VAE": (vae.sample(2000, seed=5).cpu(), vae_history.seconds),
            "GAN": (dcgan.sample(2000, seed=5).cpu(), dcgan_history.seconds)}
table = {name: scores(samples) for name, (samples, _) in families.items()}
families["real images"], table["real images"] = (fifth, 0.0), found["other real images"]
print(f"{'':12}Fréchet   kernel  precision  recall   log p(x)        trained")
for name, row in table.items():
    density = {"VAE": "a bound", "GAN": "none", "real images": "—"}[name]
    print(
        f"{name:10}{'{:9.1f} {:8.2f} {:10.2f} {:7.2f}'.format(*row)}   {density:10} "
        f"{families[name][1]:8.0f} seconds")
claim("vae_fd", table["VAE"][0])
claim("gan_fd", table["GAN"][0])
claim("vae_recall", table["VAE"][3])
claim("gan_recall", table["GAN"][3])
claim("vae_precision", table["VAE"][2])
claim("gan_precision", table["GAN"][2])

# %%
figures.image_rows({name: samples[:14] for name, (samples, _) in families.items()},
                   title="Fourteen of each, not selected");

# %% [markdown]
# *Samples of the VAE, samples of the GAN, real digits.* Fréchet distances: about {{vae_fd}} for the VAE, about {{gan_fd}} for the GAN.
#
# Read the whole row before naming a winner. In this run the GAN's samples have the smaller Fréchet distance and reach more of the data: recall about {{gan_recall}} against {{vae_recall}}. A larger share of the VAE's
# lie where digits lie, precision about {{vae_precision}} against {{gan_precision}}, perhaps because a mean of many strokes is a safe stroke. The VAE trains without drama, reports a bound, and finds a code for every image. The GAN's
# strokes look sharp, but it gives no probability, and no code, for a given image.
#
# ## 2.16 Questions
#
# Think first, then open the answer.
#
# <details><summary>1. D is right half of the time. Good news?</summary>
#
# It is what equality of the two distributions looks like. It is also what a D that has not learned anything looks like. Look at
# samples, or train a fresh D against the frozen G: if that one stays at one half too, the news is good.
# </details>
#
# <details><summary>2. G's loss has fallen for an hour. Are the samples getting better?</summary>
#
# Not necessarily. G's loss says how well it fools the present D. A D that is getting worse has the same effect.
# </details>
#
# <details><summary>3. Why does mode collapse not show in precision?</summary>
#
# Each sample lies among the data. What is missing shows only if one asks the data: which of them lie among the samples? That is recall.
# </details>
#
# <details><summary>4. You forget <code>detach</code> in D's step but clear all gradients before each backward pass. What breaks?</summary>
#
# Nothing but time: gradients of G are computed and thrown away. Without the clearing they would be added to G's next step, with the
# wrong sign.
# </details>
#
# <details><summary>5. Why not train D to its best before every step of G, as the theory assumes?</summary>
#
# With the minimax loss the best D is certain wherever data and samples do not overlap, and G's loss is flat there: no gradient. The non-saturating
# loss keeps a slope in the logit, but the logit of a perfect D is no reliable guide. With a critic of bounded slope it would be right, and only expensive.
# </details>
#
# <details><summary>6. Training images are flipped at random, samples are not. What will G learn?</summary>
#
# To make flipped images as often as the training stream does. Augmentation of the data alone becomes part of the distribution that G imitates.
# </details>
#
# <details><summary>7. Two papers report Fréchet distances, from 5,000 and from 50,000 samples. Who is better?</summary>
#
# One cannot say. Fewer samples raise the distance, and other features or another reference set change it either way. All three have to be equal.
# </details>
#
# <details><summary>8. Can a GAN tell you how probable an image is?</summary>
#
# No. At its best D gives a ratio of two densities, and at the end of a good game that ratio is 1 everywhere. For a probability use a
# model of chapter 1 or 3.
# </details>
#
# ## 2.17 Where this comes from
#
# - I. Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661): the
#   game, its value, both losses of the generator.
# - A. Radford, L. Metz, S. Chintala, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks*,
#   ICLR 2016, [arXiv:1511.06434](https://arxiv.org/abs/1511.06434): the rules of section 2.10.
# - M. Arjovsky, L. Bottou, *Towards Principled Methods for Training Generative Adversarial Networks*, ICLR 2017,
#   [arXiv:1701.04862](https://arxiv.org/abs/1701.04862): why D wins on images.
# - M. Arjovsky, S. Chintala, L. Bottou, *Wasserstein GAN* (at ICML 2017: *Wasserstein Generative Adversarial Networks*), [arXiv:1701.07875](https://arxiv.org/abs/1701.07875), and
#   I. Gulrajani et al., *Improved Training of Wasserstein GANs*, NeurIPS 2017, [arXiv:1704.00028](https://arxiv.org/abs/1704.00028).
# - T. Miyato et al., *Spectral Normalization for Generative Adversarial Networks*, ICLR 2018,
#   [arXiv:1802.05957](https://arxiv.org/abs/1802.05957).
# - L. Mescheder, A. Geiger, S. Nowozin, *Which Training Methods for GANs do actually Converge?*, ICML 2018,
#   [arXiv:1801.04406](https://arxiv.org/abs/1801.04406): R1, and the game of two numbers.
# - M. Heusel et al., *GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium*, NeurIPS 2017,
#   [arXiv:1706.08500](https://arxiv.org/abs/1706.08500): two rates, the Fréchet distance.
# - Y. Yazıcı et al., *The Unusual Effectiveness of Averaging in GAN Training*, ICLR 2019,
#   [arXiv:1806.04498](https://arxiv.org/abs/1806.04498).
# - M. Mirza, S. Osindero, *Conditional Generative Adversarial Nets*, 2014, [arXiv:1411.1784](https://arxiv.org/abs/1411.1784), and
#   T. Miyato, M. Koyama, *cGANs with Projection Discriminator*, ICLR 2018, [arXiv:1802.05637](https://arxiv.org/abs/1802.05637).
# - S. Zhao et al., *Differentiable Augmentation for Data-Efficient GAN Training*, NeurIPS 2020,
#   [arXiv:2006.10738](https://arxiv.org/abs/2006.10738).
# - M. Bińkowski et al., *Demystifying MMD GANs*, ICLR 2018, [arXiv:1801.01401](https://arxiv.org/abs/1801.01401): the kernel distance.
#   T. Kynkäänniemi et al., *Improved Precision and Recall Metric for Assessing Generative Models*, NeurIPS 2019,
#   [arXiv:1904.06991](https://arxiv.org/abs/1904.06991).
# - M. Kahng et al., *GAN Lab: Understanding Complex Deep Generative Models using Interactive Visual Experimentation*, IEEE TVCG
#   2019, [arXiv:1809.01587](https://arxiv.org/abs/1809.01587): the interactive page that our lab follows.
# - H. Xiao, K. Rasul, R. Vollgraf, *Fashion-MNIST*, 2017, [arXiv:1708.07747](https://arxiv.org/abs/1708.07747).
