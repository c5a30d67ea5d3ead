# %% [markdown]
# # Exercises 1 · Variational autoencoders
#
# Each exercise is one function. Replace `raise NotImplementedError()` by your answer, run the cell, then run the check
# below it. A check knows the mistakes that people make here and says which one it recognises; `check.NAME.hint()` says
# more, one step at a time. Nothing is sent anywhere, and you may try as often as you like.
#
# The chapter is [`notebooks/01_vae.ipynb`](../notebooks/01_vae.ipynb), the worked answers are in
# [`solutions/01_vae.ipynb`](../solutions/01_vae.ipynb). Symbols: `x` data, `z` codes, `mu` and `logvar` mean and
# log σ² of q(z given x), `eps` standard normal noise. Rows are examples. Everything is in nats.

# %%
import math

import torch
from torch import nn
from tqdm.auto import tqdm

from gencourse import figures
from gencourse.checks import report
from gencourse.checks import vae as check
from gencourse.data import binarised, images, minibatches
from gencourse.models import vae as m
from gencourse.runtime import scaled, seeded

digits = images("mnist")

# %% [markdown]
# ## Formulas
#
# ### {{exercise gaussian_log_density}}
#
# The log-density of each row of `x` under a normal distribution with independent coordinates. All three arguments have
# shape (B, D); the result has shape (B,).

# %%
def gaussian_log_density(x, mu, logvar):
    """log N(x; mu, diag(exp logvar)): x, mu, logvar (B, D) -> (B,), nats."""
    ### BEGIN SOLUTION
    per_coordinate = -0.5 * (math.log(2 * math.pi) + logvar + (x - mu) ** 2
                             / logvar.exp())
    return per_coordinate.sum(1)
    ### END SOLUTION

# %%
check.gaussian_log_density(gaussian_log_density)

# %% [markdown]
# ### {{exercise reparameterize}}
#
# Turn standard normal noise into a draw from $\mathcal N(\mu, \sigma^2)$, such that gradients reach `mu` and `logvar` and z rises with `eps`.

# %%
def reparameterize(mu, logvar, eps):
    """A draw z from N(mu, exp logvar), made of the noise eps. All (B, D)."""
    ### BEGIN SOLUTION
    std = (0.5 * logvar).exp()
    return mu + std * eps
    ### END SOLUTION

# %%
check.reparameterize(reparameterize)

# %% [markdown]
# ### {{exercise kl_to_standard_normal}}
#
# The divergence $\mathrm{KL}(\mathcal N(\mu, \sigma^2)\,\|\,\mathcal N(0, I))$ of each row, in closed form.

# %%
def kl_to_standard_normal(mu, logvar):
    """KL(N(mu, diag exp logvar) ‖ N(0, I)): mu, logvar (B, D) -> (B,), nats."""
    ### BEGIN SOLUTION
    per_dimension = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return per_dimension.sum(1)
    ### END SOLUTION

# %%
check.kl_to_standard_normal(kl_to_standard_normal)

# %% [markdown]
# ### {{exercise bernoulli_log_likelihood}}
#
# The log-probability of binary images given a logit for each pixel. It has to stay finite for large logits.

# %%
def bernoulli_log_likelihood(logits, x):
    """log p(x) with p(pixel is on) = sigmoid(logit): logits, x (B, C, H, W) -> (B,),
    nats.
    """
    ### BEGIN SOLUTION
    cross_entropy = nn.functional.binary_cross_entropy_with_logits(logits, x,
                                                                   reduction="none")
    return -cross_entropy.flatten(1).sum(1)
    ### END SOLUTION

# %%
check.bernoulli_log_likelihood(bernoulli_log_likelihood)

# %% [markdown]
# ## The objective and the loop
#
# ### {{exercise elbo_terms}}
#
# From a log-likelihood (a reward: high is good) and a KL (a price: low is good), each (B,), make what is minimised and what
# is reported. β weighs the KL in the loss. The bound has no β. Training differentiates the loss.

# %%
def elbo_terms(log_likelihood, kl, beta):
    """{"loss": to be minimised, with beta; "elbo": the lower bound of log p(x)}: all
    (B,), nats.

    log_likelihood is log p(x given z), kl is KL(q(z given x) ‖ p(z)).
    """
    ### BEGIN SOLUTION
    return {"loss": -log_likelihood + beta * kl, "elbo": log_likelihood - kl}
    ### END SOLUTION

# %%
check.elbo_terms(elbo_terms)

# %% [markdown]
# ### {{exercise split_heads}}
#
# The encoder's last layer gives 2D numbers per image: the first D are `mu`, the last D are `logvar`. Gradients
# reach `h` through both.

# %%
def split_heads(h):
    """mu and logvar, each (B, D), from h (B, 2D)."""
    ### BEGIN SOLUTION
    mu, logvar = h.chunk(2, dim=1)
    return mu, logvar
    ### END SOLUTION

# %%
check.split_heads(split_heads)

# %% [markdown]
# ### {{exercise sample_prior}}
#
# New images: codes from the prior, through a decoder that returns logits. Draw the codes with the `generator`
# (`torch.randn(..., generator=generator)`), put the decoder into evaluation mode (`decoder.eval()` switches dropout off), and
# return images in [0, 1], a tensor that has no graph and asks for no gradients (`torch.no_grad()`).

# %%
def sample_prior(decoder, n, latent_dim, generator):
    """n images, sigmoid(decoder(z)) for z (n, latent_dim) from N(0, I)."""
    ### BEGIN SOLUTION
    decoder.eval()
    with torch.no_grad():
        z = torch.randn(n, latent_dim, generator=generator)
        return decoder(z).sigmoid()
    ### END SOLUTION

# %%
check.sample_prior(sample_prior)

# %% [markdown]
# ### {{exercise vae_train_step}}
#
# One step of training. `model(x, eps)` returns a dict with `"reconstruction"` (−log p(x given z)) and `"kl"`, each (B,).
# Move the parameters by one step of `optimizer` on the batch mean of reconstruction + beta · kl, and return that mean
# as a plain Python number. Gradients that the parameters held before have no part in the step, and parameters that are
# frozen (`requires_grad` is False) stay as they are, whether or not they hold a gradient; the optimizer keeps them. Take
# the step in the mode, training or evaluation, in which each layer comes. Call the model once: dropout would differ in a
# second call, and batch norm would count the batch twice.

# %%
def vae_train_step(model, optimizer, x, eps, beta):
    """One step of optimizer; returns the loss before the step as a float, in nats."""
    ### BEGIN SOLUTION
    terms = model(x, eps)
    loss = (terms["reconstruction"] + beta * terms["kl"]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION

# %%
check.vae_train_step(vae_train_step)

# %% [markdown]
# ### {{exercise kl_weight}}
#
# A warm-up: β rises linearly from 0 at step 0 to `beta_max` at step `warmup`, and stays there. With `warmup` = 0 it is
# `beta_max` from the start.

# %%
def kl_weight(step, warmup, beta_max=1.0):
    """β at a training step."""
    ### BEGIN SOLUTION
    if warmup <= 0:
        return beta_max
    return beta_max * min(1.0, step / warmup)
    ### END SOLUTION

# %%
check.kl_weight(kl_weight)

# %% [markdown]
# ## What a trained model is worth
#
# ### {{exercise importance_weighted_bound}}
#
# The IWAE bound $\log \frac1K \sum_k w_k$ of each example, from the logarithms of K weights. Values near −1000 are
# ordinary for images, so the exponentials themselves are out of reach.

# %%
def importance_weighted_bound(log_w):
    """log of the mean weight over the K draws of each example: log_w (K, B) -> (B,),
    nats.
    """
    ### BEGIN SOLUTION
    K = len(log_w)
    return torch.logsumexp(log_w, dim=0) - math.log(K)
    ### END SOLUTION

# %%
check.importance_weighted_bound(importance_weighted_bound)

# %% [markdown]
# ### {{exercise active_units}}
#
# Which latent numbers carry information? Those whose posterior mean *varies* over the data: its variance (with N or N − 1,
# either will do) exceeds a threshold. In a single image nothing varies, so no unit is active.

# %%
def active_units(mu, threshold=0.01):
    """Whether the variance of each column over the data exceeds the threshold: mu (N,
    D) -> (D,) bool.
    """
    ### BEGIN SOLUTION
    return mu.var(dim=0) > threshold
    ### END SOLUTION

# %%
check.active_units(active_units)

# %% [markdown]
# ### {{exercise latent_grid}}
#
# An n × n grid for a map of a two-dimensional latent space, such that every cell holds the same share of the prior. Cut
# the probabilities from 0 to 1 into n equal parts, take the middle of each, and map it to a position by the inverse of
# the normal's distribution function (`torch.special.ndtri`). The first row has the largest z₂, the first column the
# smallest z₁; the last axis holds (z₁, z₂). Each call makes a new tensor.

# %%
def latent_grid(n):
    """Codes (n, n, 2) at equal steps of prior probability."""
    ### BEGIN SOLUTION
    positions = torch.special.ndtri((torch.arange(n) + 0.5) / n)
    z2, z1 = torch.meshgrid(positions.flip(0), positions, indexing="ij")
    return torch.stack([z1, z2], dim=-1)
    ### END SOLUTION

# %%
check.latent_grid(latent_grid)

# %% [markdown]
# ## The bug hunt
#
# The program below runs, trains, and prints a loss that falls. It is still wrong in several places, each a mistake that
# can be found in published tutorials. Reading is a poor way to find such mistakes. You will find them by tests.
#
# ### {{exercise trust_kl}}
#
# First the tool: a test for a KL function. `trust_kl(kl)` gets somebody's function `kl(mu, logvar)` and answers True if
# it computes $\mathrm{KL}(q\,\|\,\mathcal N(0, I))$, one value per row, and False if not. Three right versions must pass
# (they round differently). Twenty-two wrong ones must not: some return another shape, some are wrong by a tenth, or for some
# inputs only. A twenty-third raises an error, which your test may let through; it must not answer True.

# %%
def trust_kl(kl):
    """Whether kl(mu, logvar), (B, D) -> (B,), is the divergence from the standard
    normal.
    """
    ### BEGIN SOLUTION
    mu = torch.tensor([[1.0, -2.0, 0.3], [0.5, 0.0, 3.0]])
    logvar = torch.tensor([[1.4, -1.0, 0.3], [0.2, 2.0, -2.0]])
    q = torch.distributions.Normal(mu, (0.5 * logvar).exp())
    prior = torch.distributions.Normal(0.0, 1.0)
    want = torch.distributions.kl_divergence(q, prior).sum(1)
    got = kl(mu, logvar)
    return got.shape == want.shape and torch.allclose(got, want, atol=1e-4)
    ### END SOLUTION

# %%
check.trust_kl(trust_kl)

# %% [markdown]
# ### The program
#
# Nine small pieces, and a class that puts them together. Run it, and enjoy the loss.

# %%
def heads(h):  # the encoder's output -> mu, logvar
    return torch.relu(h).chunk(2, dim=1)


def draw(mu, logvar, eps):  # the code of an image
    return mu


def decode(decoder, z):  # logits of the pixels
    return decoder(z)


def reconstruction(logits, x):  # how well the image came back
    return ((logits.sigmoid() - x) ** 2).mean()


# %%
def kl(mu, logvar):  # distance of q from the prior
    return -0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)


def step_loss(output, x, reconstruction, kl):  # what a step minimises
    logits, logvar, mu = output
    return reconstruction(logits, x) + kl(mu, logvar)

# %%
def update(optimizer, loss):  # one step of the optimiser
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def generate(decoder, n, latent_dim, generator):  # new images
    return decoder(torch.rand(n, latent_dim, generator=generator))


def report_card(reconstruction, kl, pixels):  # what is told to the world
    per_pixel = float(((reconstruction + kl) / pixels).mean())
    return {"elbo": per_pixel, "bits_per_dim": per_pixel}

# %%
class Program(nn.Module):
    """The program: `forward` returns (logits, mu, logvar). Its pieces are given."""
    def __init__(self, heads, draw, decode, latent_dim=8):
        super().__init__()
        self.heads, self.draw, self.decode = heads, draw, decode
        self.latent_dim = latent_dim
        self.encoder = m.mlp(784, 256, 2 * latent_dim)
        self.decoder = m.mlp(latent_dim, 256, 784)

    def forward(self, x):
        mu, logvar = self.heads(self.encoder(x))
        z = self.draw(mu, logvar, torch.randn_like(mu))
        return self.decode(self.decoder, z), mu, logvar

def train(program, step_loss, reconstruction, kl, steps):
    optimizer = torch.optim.Adam(program.parameters(), lr=1e-3)
    batches = binarised(minibatches(digits.train_bytes, batch_size=128, seed=0), seed=1)
    for step, x in zip(tqdm(range(steps), leave=False), batches):
        loss = step_loss(program(x.flatten(1)), x.flatten(1), reconstruction, kl).mean()
        update(optimizer, loss)
        if step % (steps // 5) == 0:
            print(f"step {step:4}: loss {loss.item():.3f}")

# %%
torch.manual_seed(0)
broken = Program(heads, draw, decode)
train(broken, step_loss, reconstruction, kl, steps=20)

# %% [markdown]
# It falls and falls, faster than any right program's. A loss below zero is a first hint: the sum of a cost of pixels
# and a cost of codes cannot be negative.
#
# ### The instruments
#
# Each instrument puts known numbers into one piece and measures something that must hold. Where `measured` and
# `should be` differ, the piece is broken. Run them all.

# %%
h = torch.tensor([[0.5, -1.0, 2.0, -3.0]])
print("heads           smallest output     measured",
      min(t.min().item() for t in heads(h)), "  should be -3.0")

mu, logvar = torch.zeros(1000, 2), torch.full((1000, 2), math.log(4.0))
eps = torch.randn(1000, 2, generator=seeded(0))
print(
    f"draw            std of the codes    measured {draw(mu, logvar, eps).std():.2f}   "
    "should be about 2 (σ² = 4)")

z, linear = torch.ones(3, 2), nn.Linear(2, 5)
print("decode          equals the network  measured",
      torch.equal(decode(linear, z), linear(z)), "  should be True")

# %%
coin = reconstruction(torch.zeros(3, 784), torch.ones(3, 784))
print(
    f"reconstruction  of fair coins       measured {coin.mean():.2f}, shape "
    f"{tuple(coin.shape)}   should be {784 * math.log(2):.2f}, shape (3,)")

one = kl(torch.ones(1, 1), torch.zeros(1, 1)).item()
print(f"kl              at mean 1, var 1    measured {one}   should be 0.5")

# logits, mu, logvar
parts = (torch.zeros(1, 4), torch.full((1, 2), 3.0), torch.zeros(1, 2))
seen = step_loss(parts, torch.zeros(1, 4), lambda logits, x: torch.zeros(1),
                 lambda mu, logvar: mu.sum(1)).item()
print(f"step_loss       mu seen by the kl   measured {seen / 2}   should be 3.0")

# %%
weight = nn.Parameter(torch.tensor(1.0))
optimizer = torch.optim.SGD([weight], lr=0.1)
for _ in range(2):
    update(optimizer, 2 * weight)
print(
    f"update          after two steps     measured {weight.item():.1f}   should be 0.6")

# below 0.2 where z < -1.39: 8 % of N(0, 1)
made = generate(nn.Identity(), 10_000, 1, seeded(0))
print(
    f"generate        share below 0.2     measured {(made < 0.2).float().mean():.2f}   "
    "should be 0.08")

card = report_card(torch.full((5,), 80.0), torch.full((5,), 20.0), 784)
print(
    f"report_card     elbo, bits          measured {card['elbo']:.3f}, "
    f"{card['bits_per_dim']:.3f}   should be -100.000, 0.184")

# %% [markdown]
# ### {{exercise suspects}}
#
# Name the broken pieces: a set out of `"heads"`, `"draw"`, `"decode"`, `"reconstruction"`, `"kl"`, `"step_loss"`,
# `"update"`, `"generate"`, `"report_card"`.

# %%
def suspects():
    """The set of names of the pieces that do not do what they should."""
    ### BEGIN SOLUTION
    return {"heads", "draw", "reconstruction", "kl", "step_loss", "generate",
            "report_card"}
    ### END SOLUTION

# %%
check.suspects(suspects)

# %% [markdown]
# Now mend them, one by one.
#
# ### {{exercise mended_heads}}
#
# `heads(h)`: h (B, 2D) → mu, logvar.

# %%
def mended_heads(h):
    """mu and logvar, each (B, D), of any sign."""
    ### BEGIN SOLUTION
    return h.chunk(2, dim=1)
    ### END SOLUTION

# %%
check.mended_heads(mended_heads)

# %% [markdown]
# ### {{exercise mended_draw}}
#
# `draw(mu, logvar, eps)`: a code.

# %%
def mended_draw(mu, logvar, eps):
    """A draw from q(z given x), made of eps; differentiable. All (B, D)."""
    ### BEGIN SOLUTION
    return mu + (0.5 * logvar).exp() * eps
    ### END SOLUTION

# %%
check.mended_draw(mended_draw)

# %% [markdown]
# ### {{exercise mended_reconstruction}}
#
# `reconstruction(logits, x)`: what the code leaves to be paid, −log p(x given z), for binary pixels.

# %%
def mended_reconstruction(logits, x):
    """-log p(x given z): logits, x (B, 784) -> (B,), nats; differentiable, finite for
    any logits.
    """
    ### BEGIN SOLUTION
    return nn.functional.binary_cross_entropy_with_logits(logits, x,
                                                          reduction="none").sum(1)
    ### END SOLUTION

# %%
check.mended_reconstruction(mended_reconstruction)

# %% [markdown]
# ### {{exercise mended_kl}}
#
# `kl(mu, logvar)`: the price of the code.

# %%
def mended_kl(mu, logvar):
    """KL(q ‖ N(0, I)): (B, D) -> (B,), nats; differentiable."""
    ### BEGIN SOLUTION
    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)
    ### END SOLUTION

# %%
check.mended_kl(mended_kl)

# %% [markdown]
# ### {{exercise mended_step_loss}}
#
# `step_loss(output, x, reconstruction, kl)`: `output` is what `Program.forward` returns. Leave what the two functions
# return as it is.

# %%
def mended_step_loss(output, x, reconstruction, kl):
    """reconstruction(logits, x) + kl(mu, logvar), (B,)."""
    ### BEGIN SOLUTION
    logits, mu, logvar = output
    return reconstruction(logits, x) + kl(mu, logvar)
    ### END SOLUTION

# %%
check.mended_step_loss(mended_step_loss)

# %% [markdown]
# ### {{exercise mended_generate}}
#
# `generate(decoder, n, latent_dim, generator)`: new images in [0, 1], as in `sample_prior`.

# %%
def mended_generate(decoder, n, latent_dim, generator):
    """n images from the prior."""
    ### BEGIN SOLUTION
    decoder.eval()
    with torch.no_grad():
        return decoder(torch.randn(n, latent_dim, generator=generator)).sigmoid()
    ### END SOLUTION

# %%
check.mended_generate(mended_generate)

# %% [markdown]
# ### {{exercise mended_report}}
#
# `report_card(reconstruction, kl, pixels)`: the two terms of a whole test set, each (N,), made into two honest numbers (floats).

# %%
def mended_report(reconstruction, kl, pixels):
    """{"elbo": mean bound in nats per image, "bits_per_dim": minus that bound in bits
    per pixel}.
    """
    ### BEGIN SOLUTION
    elbo = -(reconstruction + kl).mean()
    return {"elbo": elbo.item(), "bits_per_dim": -elbo.item() / (pixels * math.log(2))}
    ### END SOLUTION

# %%
check.mended_report(mended_report)

# %% [markdown]
# ### Broken and mended, side by side
#
# If all pieces are mended, the cell below trains the program again with them, and shows samples of both.

# %%
pieces = [
    (check.mended_heads, mended_heads), (check.mended_draw, mended_draw),
    (check.mended_kl, mended_kl), (check.mended_reconstruction, mended_reconstruction),
    (check.mended_step_loss, mended_step_loss), (check.mended_report, mended_report),
    (check.mended_generate, mended_generate)]
if all(exercise.judge(piece).status == "right" for exercise, piece in pieces):
    torch.manual_seed(0)
    mended = Program(mended_heads, mended_draw, decode)
    train(mended, mended_step_loss, mended_reconstruction, mended_kl,
          steps=scaled(default=1200, smoke=10, full=5000))
    test = torch.bernoulli(digits.test, generator=seeded(7)).flatten(1)
    with torch.no_grad():
        logits, mu, logvar = mended(test)
    costs = mended_reconstruction(logits, test), mended_kl(mu, logvar)
    print(mended_report(*costs, 784))
    before = generate(broken.decoder, 12, 8, seeded(1)).detach().clamp(0, 1)
    after = mended_generate(mended.decoder, 12, 8, seeded(1)).view(-1, 1, 28, 28)
    figures.image_rows({"broken": before.view(-1, 1, 28, 28), "mended": after},
                       title="Twelve samples of the broken and of the mended program")
else:
    print("Mend all seven pieces first; then this cell shows what that changes.")

# %% [markdown]
# *Above: what the broken program draws. Below: the mended one. Its report is in nats per image and in bits per pixel,
# and can be compared with anybody's.*
#
# ## Score
#
# All answers are judged afresh, whatever was run before.

# %%
report(check, globals())
