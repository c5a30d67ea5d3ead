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

from gencourse import evaluation, figures
from gencourse.checks import report
from gencourse.checks import vae as check
from gencourse.data import binarised, images, minibatches
from gencourse.models import vae as m
from gencourse.runtime import scaled, seeded
from gencourse.training import check_model, fit

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
# `logvar` lies between −60 and 60.

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
# ### {{exercise TinyVAE}}
#
# Now all of it as one module (section 1.9), with your own functions or those of the chapter (`m.reparameterize` and so on).
# `TinyVAE(image_shape, hidden, latent_dim)` makes a VAE of images (B, C, H, W) with codes (B, D); `image_shape` is (C, H, W),
# D is `latent_dim`.
#
# - `self.encoder` and `self.decoder` are each an `nn.Sequential` of a linear layer to `hidden` numbers, an `nn.SiLU()`, and a
#   linear layer (`m.mlp(n_in, hidden, n_out)` makes one). The encoder takes the C · H · W pixels of an image, in the order
#   of `x.flatten(1)`, and gives 2D numbers, of which the first D are `mu`; the decoder takes a code and gives a logit for
#   each pixel, in the same order. There are no other parameters.
# - `encode(x)` returns `mu` and `logvar`, each (B, D).
# - `decode(z)` returns logits (B, C, H, W).
# - `loss(x, eps=None)` returns `{"loss", "reconstruction", "kl"}`, each (B,) in nats; the first is the sum of the others, and
#   the second is −log p(x given z) for pixels that are on with probability sigmoid(logit) (grey ones count as in the chapter).
#   `eps` (B, D) is the noise of the draw; where it is None, the loss draws it.
# - `sample(n, generator)` returns n images in [0, 1], sigmoid of the logits at codes from the prior, without a graph.

# %%
class TinyVAE(nn.Module):
    """A VAE of images (B, C, H, W) with codes (B, D); image_shape is (C, H, W)."""
    def __init__(self, image_shape, hidden, latent_dim):
        super().__init__()
        ### BEGIN SOLUTION
        self.shape, self.D, pixels = image_shape, latent_dim, math.prod(image_shape)
        self.encoder = m.mlp(pixels, hidden, 2 * latent_dim)
        self.decoder = m.mlp(latent_dim, hidden, pixels)
    def encode(self, x):
        return self.encoder(x.flatten(1)).chunk(2, dim=1)
    def decode(self, z):
        return self.decoder(z).unflatten(1, self.shape)
    def loss(self, x, eps=None):
        mu, logvar = self.encode(x)
        z = m.reparameterize(mu, logvar, torch.randn_like(mu) if eps is None else eps)
        reconstruction = -m.bernoulli_log_likelihood(self.decode(z), x)
        kl = m.kl_to_standard_normal(mu, logvar)
        return {"loss": reconstruction + kl, "reconstruction": reconstruction, "kl": kl}
    @torch.no_grad()
    def sample(self, n, generator):
        return self.decode(torch.randn(n, self.D, generator=generator)).sigmoid()
        ### END SOLUTION

# %%
check.TinyVAE(TinyVAE)

# %% [markdown]
# If it is right, it goes through the same door as the models of the course: `check_model` looks at it, and `fit` trains it.

# %%
if check.TinyVAE.judge(TinyVAE).status == "right":
    torch.manual_seed(0)
    mine = TinyVAE((1, 28, 28), hidden=256, latent_dim=8)
    check_model(mine, digits.test[:4])
    batches = binarised(minibatches(digits.train_bytes, batch_size=128, seed=0), seed=1)
    fit(mine, batches, steps=scaled(default=600, smoke=5, full=6000), lr=2e-3)
    samples = mine.sample(12, seeded(1))
    figures.image_rows({"yours": samples}, title="Twelve samples of your own VAE")
else:
    print("Once TinyVAE is right, this cell trains it and shows what it draws.")

# %% [markdown]
# *What your own VAE draws, after some hundred steps: not all of it can be read yet.*
#
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
# ### {{exercise e_step}}
#
# The codes of a data set do not lie as the prior says (section 1.11); a mixture of normals,
# $p(z) = \sum_k \pi_k\, \mathcal N(z; m_k, \mathrm{diag}\, e^{l_k})$, can lie where they do. Half of fitting one is the question
# which component a code comes from. Return two tensors: log p(z) of each code, (N,), and the probability of each component given
# the code, (N, K); the rows of the latter sum to 1. Codes may lie hundreds of standard deviations away from every component, so
# that the densities themselves are out of reach.

# %%
def e_step(z, weights, means, logvar):
    """log p(z) (N,) in nats, and p(component k given z) (N, K), for codes z (N, D).

    weights (K,) are positive and sum to 1; means and logvar (K, D).
    """
    ### BEGIN SOLUTION
    apart = (z[:, None] - means) ** 2 / logvar.exp()  # (N, K, D)
    densities = -0.5 * (apart + logvar + math.log(2 * math.pi)).sum(2)
    joint = weights.log() + densities
    return joint.logsumexp(1), joint.softmax(1)
    ### END SOLUTION

# %%
check.e_step(e_step)

# %% [markdown]
# ### {{exercise refit_q}}
#
# An encoder proposes q for any image at once. For an image that is unlike its training data the proposal may be poor, and a low
# ELBO says nothing about the image then. So fit q itself (section 1.12). `log_joint(z)` returns log p(x, z) of B images at one
# code each, (B, D) → (B,); the images are in it, and so is the decoder. Beginning at `mu` and `logvar`, take one step of Adam (that of torch, with
# `lr` and otherwise its defaults) for each `noise[t]` (B, D), up the sum over the images of
#
# $$\mathrm{ELBO} = \mathbb E_q[\log p(x, z)] + \text{entropy of } q, \qquad z = \mu + \sigma \varepsilon,$$
#
# where the expectation is estimated by the one draw. Return the new `mu` and `logvar`, without a graph. What was passed in
# stays as it is, and the decoder is not trained: none of its parameters changes, nor does a gradient that it holds.
# (`backward(inputs=[...])` and `torch.autograd.grad` send gradients to chosen tensors alone.)

# %%
def refit_q(log_joint, mu, logvar, noise, lr):
    """mu and logvar, each (B, D), after len(noise) steps of Adam up the ELBO."""
    ### BEGIN SOLUTION
    mu = mu.detach().clone().requires_grad_()
    logvar = logvar.detach().clone().requires_grad_()
    optimizer = torch.optim.Adam([mu, logvar], lr=lr)
    for eps in noise:
        elbo = log_joint(mu + (0.5 * logvar).exp() * eps) + 0.5 * logvar.sum(1)
        optimizer.zero_grad()
        (-elbo.sum()).backward(inputs=[mu, logvar])
        optimizer.step()
    return mu.detach(), logvar.detach()
    ### END SOLUTION

# %%
check.refit_q(refit_q)

# %% [markdown]
# A page without ink shows what it is good for (section 1.14). The cell below trains a small VAE, and asks for the ELBO of a
# blank page and of 99 test digits, with the encoder's q and with yours.

# %%
def log_joint_of(vae, x):
    """z (B, D) -> log p(x, z) of these images, (B,), nats."""
    zero = torch.zeros(len(x), vae.latent_dim)
    return lambda z: (m.bernoulli_log_likelihood(vae.decode(z), x)
                      + m.gaussian_log_density(z, zero, zero))


@torch.no_grad()
def log_weights_of(log_joint, mu, logvar, K=200):
    """log p(x, z) - log q(z) at K draws from q for each image, (K, B), nats."""
    generator, log_w = seeded(3), []
    for _ in range(K):
        z = mu + (0.5 * logvar).exp() * torch.randn(mu.shape, generator=generator)
        log_w.append(log_joint(z) - m.gaussian_log_density(z, mu, logvar))
    return torch.stack(log_w)

# %%
if check.refit_q.judge(refit_q).status == "right":
    torch.manual_seed(0)
    vae = m.VAE(latent_dim=16, hidden=256)
    batches = binarised(minibatches(digits.train_bytes, batch_size=128, seed=0), seed=1)
    fit(vae, batches, steps=scaled(default=600, smoke=5, full=6000), lr=2e-3)
    test = torch.bernoulli(digits.test[:99], generator=seeded(7))
    x = torch.cat([torch.zeros(1, 1, 28, 28), test])
    log_joint, T = log_joint_of(vae, x), scaled(default=400, smoke=5, full=1000)
    noise = torch.randn(T, 100, 16, generator=seeded(5))
    with torch.no_grad():
        mu, logvar = vae.encode(x)
    refitted = refit_q(log_joint, mu, logvar, noise, lr=0.05)
    for name, q in {"the encoder's q": (mu, logvar), "q refitted": refitted}.items():
        blank, *digit = (log_w := log_weights_of(log_joint, *q)).mean(0).tolist()
        print(f"{name:16} ELBO of the blank page {blank:7.1f}, of the digits: "
              f"median {sorted(digit)[49]:7.1f}, highest {max(digit):7.1f}")
    at_least = evaluation.iwae_bound(log_w)[0] - 5
    print(f"log p(blank page) is at least {at_least:.1f}, but for a chance below 1 %")
else:
    print("Once refit_q is right, this cell tries it on a page without ink.")

# %% [markdown]
# The encoder has never seen an empty page, and its q makes the page look rarer than most digits: at the default scale its ELBO
# is below −130, in runs from different seeds. Refitted, it is above −25, and no digit of these comes near.
# The last line is safe because a mean of weights w is an estimate of p(x) that is right on average: by Markov's inequality it
# exceeds p(x) by a factor $e^5$ with a probability of $e^{-5}$ at most. So a low bound does not show that an image does
# not fit, nor does a high likelihood show that it does (Nalisnick et al. 2019, *Do Deep Generative Models Know What They Don't
# Know?*, [arXiv 1810.09136](https://arxiv.org/abs/1810.09136)).

# %% [markdown]
# ### {{exercise sweep}}
#
# An experiment is a function too. `train(beta, seed)` trains a β-VAE and returns two numbers, its rate (the mean KL) and its
# distortion (the mean reconstruction), in nats. Train once with each different β and each seed, and return a dict of lists,
# one entry for each different β, from small to large:
#
# - `"beta"`; `"rate"` and `"distortion"`, their means over the seeds;
# - `"error"`, the standard error of the mean rate: standard deviation (with N − 1) over √N for N seeds, of which there are two or more;
#
# and what follows from them, `"trend"`, a string. From one β to the next the rate makes a step; the step's error is
# $\sqrt{e_1^2 + e_2^2}$ for the errors of its two ends. The rate `"falls"` if *every* step goes down by more than twice its error, it `"rises"`
# if every step goes up by more than twice its error, and in all other cases, also where there is but one β, it is `"unclear"`.

# %%
def sweep(train, betas, seeds=(0, 1, 2)):
    """{"beta", "rate", "distortion", "error": lists of floats, "trend": a string}."""
    ### BEGIN SOLUTION
    table = {"beta": sorted(set(betas)), "rate": [], "distortion": [], "error": []}
    for beta in table["beta"]:
        runs = [train(beta, seed) for seed in seeds]
        rate, distortion = torch.tensor(runs, dtype=torch.float64).T
        table["rate"].append(rate.mean().item())
        table["distortion"].append(distortion.mean().item())
        table["error"].append(rate.std().item() / math.sqrt(len(seeds)))
    rate, error = torch.tensor(table["rate"]), torch.tensor(table["error"])
    step, limit = rate.diff(), 2 * torch.hypot(error[1:], error[:-1])
    falls, rises = bool((step < -limit).all()), bool((step > limit).all())
    clear = len(step) > 0 and (falls or rises)
    table["trend"] = ("falls" if falls else "rises") if clear else "unclear"
    return table
    ### END SOLUTION

# %%
check.sweep(sweep)

# %% [markdown]
# Section 1.13 says what to expect of a real one. Try `sweep` on VAEs that are trained for seconds; two seeds are few, and so the errors are rough.

# %%
def train_for_seconds(beta, seed):
    """Rate and distortion, on 500 test images, of a VAE after a few hundred steps."""
    torch.manual_seed(seed)
    vae = m.VAE(latent_dim=8, hidden=128, beta=beta)
    batches = minibatches(digits.train_bytes, batch_size=128, seed=seed)
    batches = binarised(batches, seed=1)
    fit(vae, batches, steps=scaled(default=300, smoke=3, full=3000), lr=2e-3)
    with torch.no_grad():
        terms = vae.loss(torch.bernoulli(digits.test[:500], generator=seeded(7)))
    return terms["kl"].mean().item(), terms["reconstruction"].mean().item()


if check.sweep.judge(sweep).status == "right":
    table = sweep(train_for_seconds, [4.0, 0.25, 1.0], seeds=(0, 1))
    for beta, rate, distortion, error in zip(*list(table.values())[:4], strict=True):
        print(f"β = {beta:4}   rate {rate:5.1f} ± {error:.1f}   "
              f"distortion {distortion:5.1f}")
    print("With β the rate:", table["trend"])
else:
    print("Once sweep is right, this cell tries it on small VAEs.")

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
# Seven small pieces, and a class that puts them together. The comment behind each piece says what it should do; not every
# piece does that, and one or the other may be right however strange it looks. Here q has a mean and a *standard deviation*,
# `std`, no logarithm. Run it, and enjoy the loss.

# %%
def posterior(h):  # h (B, 2D) of the encoder -> mean and std of q: std is a softplus
    mu, raw = h.chunk(2, dim=1)
    return mu, 1 + nn.functional.softplus(raw)


def draw(mu, std, eps):  # a code of each image; mu and std learn by way of it
    with torch.no_grad():
        noise = std * eps
    return mu + noise


def reconstruction(logits, x):  # -log p(x given z) of binary pixels, (B,), nats
    return ((logits.sigmoid() - x) ** 2).mean()

# %%
def kl(mu, std):  # KL of q from the prior, (B,), nats
    var = std**2
    return -0.5 * (1 + var.log() - mu**2 - var).sum(1)


def step_loss(output, x, reconstruction, kl):  # what a step minimises, (B,), nats
    logits, std, mu = output
    return reconstruction(logits, x) + kl(mu, std)


def generate(decoder, z, generator):  # images of 0 and 1, drawn from p(x given z)
    return (decoder(z).sigmoid() > 0.5).float()


def report_card(reconstruction, kl, pixels):  # nats per image, bits per pixel
    per_pixel = float(((reconstruction + kl) / pixels).mean())
    return {"elbo": per_pixel, "bits_per_dim": per_pixel}

# %%
class Program(nn.Module):
    """The program: `forward` returns (logits, mu, std). Two of its pieces are given."""
    def __init__(self, posterior, draw, latent_dim=8):
        super().__init__()
        self.posterior, self.draw, self.latent_dim = posterior, draw, latent_dim
        self.encoder = m.mlp(784, 256, 2 * latent_dim)
        self.decoder = m.mlp(latent_dim, 256, 784)

    def forward(self, x):
        mu, std = self.posterior(self.encoder(x))
        return self.decoder(self.draw(mu, std, torch.randn_like(mu))), mu, std

def train(program, step_loss, reconstruction, kl, steps):
    optimizer = torch.optim.Adam(program.parameters(), lr=1e-3)
    batches = binarised(minibatches(digits.train_bytes, batch_size=128, seed=0), seed=1)
    for step, x in zip(tqdm(range(steps), leave=False), batches):
        loss = step_loss(program(x.flatten(1)), x.flatten(1), reconstruction, kl).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (steps // 5) == 0:
            print(f"step {step:4}: loss {loss.item():.3f}")

# %%
torch.manual_seed(0)
broken = Program(posterior, draw)
train(broken, step_loss, reconstruction, kl,
      steps=scaled(default=200, smoke=10, full=1000))

# %% [markdown]
# It falls, and ends below ten nats for an image of 784 pixels. That sounds excellent, and should make you suspicious: the
# chapter's models pay about a hundred.
#
# ### The instruments
#
# Each instrument puts known numbers into one piece, given as its argument, and measures something that must hold. Where
# `measured` and `should be` differ, the piece is broken. The last one asks several pieces at once: does the slope
# that `backward` computes agree with what happens to the cost if the encoder's output moves a little?

# %%
def measure_posterior(posterior):
    mu, std = posterior(torch.tensor([[0.5, -1.0, 2.0, -6.0]]))
    print(f"posterior       smallest std        measured {std.min():.4f}   "
          "should be 0.0025")


def measure_draw(draw):
    eps = torch.randn(1000, 2, generator=seeded(0))
    z = draw(torch.zeros(1000, 2), torch.full((1000, 2), 2.0), eps)
    print(f"draw            std of the codes    measured {z.std():.2f}   "
          "should be about 2")


def measure_reconstruction(reconstruction):
    coin = reconstruction(torch.zeros(3, 784), torch.ones(3, 784))
    print(
        f"reconstruction  of fair coins       measured {coin.mean():.2f}, shape "
        f"{tuple(coin.shape)}   should be {784 * math.log(2):.2f}, shape (3,)")

# %%
def measure_kl(kl):
    one = kl(torch.ones(1, 1), torch.full((1, 1), 2.0)).item()
    print(f"kl              at mean 1, std 2    measured {one:.3f}   should be 1.307")
    if check.trust_kl.judge(trust_kl).status == "right":
        trusted = trust_kl(lambda mu, logvar: kl(mu, (0.5 * logvar).exp()))
        print(f"kl              your own trust_kl   measured {trusted}   "
              "should be True")


def measure_step_loss(step_loss):  # logits, mu, std
    parts = (torch.zeros(1, 4), torch.full((1, 2), 3.0), torch.ones(1, 2))
    seen = step_loss(parts, torch.zeros(1, 4), lambda logits, x: torch.zeros(1),
                     lambda mu, std: mu.sum(1)).item()
    print(f"step_loss       mu seen by the kl   measured {seen / 2}   should be 3.0")

# %%
def measure_generate(generate):  # a decoder that gives every pixel the probability 0.2
    def decoder(z):
        return torch.full((len(z), 9), -math.log(4))

    made = generate(decoder, torch.zeros(1000, 2), seeded(0))
    print(f"generate        share of ones       measured {made.mean():.2f}   "
          "should be about 0.20")


def measure_report_card(report_card):
    card = report_card(torch.full((5,), 80.0), torch.full((5,), 20.0), 784)
    print(
        f"report_card     elbo, bits          measured {card['elbo']:.3f}, "
        f"{card['bits_per_dim']:.3f}   should be -100.000, 0.184")

# %%
def measure_slope(posterior, draw, reconstruction):
    h, eps = torch.tensor([[0.5, -1.0, 0.3, -0.2]]), torch.tensor([[1.5, -0.7]])
    def cost(h):
        z = draw(*posterior(h), eps)
        return reconstruction(z.repeat(1, 4), torch.eye(8)[:1]).sum()

    leaf, small = h.clone().requires_grad_(), torch.tensor([[0.0, 0.0, 1e-2, 0.0]])
    cost(leaf).backward()
    change = ((cost(h + small) - cost(h - small)) / 2e-2).item()
    print(f"posterior, draw, reconstruction     measured {leaf.grad[0, 2]:.3f}   "
          f"should be {change:.3f}")


measure_posterior(posterior)
measure_draw(draw)
measure_reconstruction(reconstruction)
measure_kl(kl)
measure_step_loss(step_loss)
measure_generate(generate)
measure_report_card(report_card)
measure_slope(posterior, draw, reconstruction)

# %% [markdown]
# ### {{exercise suspects}}
#
# Name the broken pieces: a set out of `"posterior"`, `"draw"`, `"reconstruction"`, `"kl"`, `"step_loss"`, `"generate"`,
# `"report_card"`.

# %%
def suspects():
    """The set of names of the pieces that do not do what they should."""
    ### BEGIN SOLUTION
    return {"posterior", "draw", "reconstruction", "step_loss", "generate",
            "report_card"}
    ### END SOLUTION

# %%
check.suspects(suspects)

# %% [markdown]
# Now the pieces in the program's order, one by one. Where a piece is right as it is, give it as it is. An instrument takes
# your piece as well as the old one: `measure_posterior(repair_1)`.
#
# ### {{exercise repair_1}}
#
# `posterior(h)`: the first D numbers of `h` are the mean; std is softplus of the last D, log(1 + exp r), and nothing else.
# The logarithm of std is finite for any r between −60 and 250.

# %%
def repair_1(h):
    """mu and std, each (B, D), of h (B, 2D); differentiable."""
    ### BEGIN SOLUTION
    mu, raw = h.chunk(2, dim=1)
    return mu, nn.functional.softplus(raw)
    ### END SOLUTION

# %%
check.repair_1(repair_1)

# %% [markdown]
# ### {{exercise repair_2}}
#
# `draw(mu, std, eps)`: a code of each image, a draw from q made of the noise `eps`, which rises with it.

# %%
def repair_2(mu, std, eps):
    """A draw from N(mu, std²) by way of which mu and std learn. All (B, D)."""
    ### BEGIN SOLUTION
    return mu + std * eps
    ### END SOLUTION

# %%
check.repair_2(repair_2)

# %% [markdown]
# ### {{exercise repair_3}}
#
# `reconstruction(logits, x)`: what the code leaves to be paid, −log p(x given z), for binary pixels.

# %%
def repair_3(logits, x):
    """-log p(x given z): logits, x (B, 784) -> (B,), nats; differentiable, finite for
    any logits.
    """
    ### BEGIN SOLUTION
    return nn.functional.binary_cross_entropy_with_logits(logits, x,
                                                          reduction="none").sum(1)
    ### END SOLUTION

# %%
check.repair_3(repair_3)

# %% [markdown]
# ### {{exercise repair_4}}
#
# `kl(mu, std)`: the price of the code, for `std` from 1e-12 to 1e12.

# %%
def repair_4(mu, std):
    """KL(N(mu, std²) ‖ N(0, I)): (B, D) -> (B,), nats; differentiable."""
    ### BEGIN SOLUTION
    var = std**2
    return -0.5 * (1 + var.log() - mu**2 - var).sum(1)
    ### END SOLUTION

# %%
check.repair_4(repair_4)

# %% [markdown]
# ### {{exercise repair_5}}
#
# `step_loss(output, x, reconstruction, kl)`: `output` is what `Program.forward` returns. Leave what the two functions
# return as it is.

# %%
def repair_5(output, x, reconstruction, kl):
    """reconstruction(logits, x) + kl(mu, std), (B,)."""
    ### BEGIN SOLUTION
    logits, mu, std = output
    return reconstruction(logits, x) + kl(mu, std)
    ### END SOLUTION

# %%
check.repair_5(repair_5)

# %% [markdown]
# ### {{exercise repair_6}}
#
# `generate(decoder, z, generator)`: one image for each code, drawn with the `generator`: each pixel is on with the
# probability sigmoid(logit). `decoder(z)`, called once, returns the logits; it stays in the mode in which it comes.

# %%
def repair_6(decoder, z, generator):
    """Images (n, pixels) of 0.0 and 1.0 from p(x given z), z (n, D); no graph."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        return torch.bernoulli(decoder(z).sigmoid(), generator=generator)
    ### END SOLUTION

# %%
check.repair_6(repair_6)

# %% [markdown]
# ### {{exercise repair_7}}
#
# `report_card(reconstruction, kl, pixels)`: the two terms of a whole test set, each (N,), made into two honest numbers (floats).

# %%
def repair_7(reconstruction, kl, pixels):
    """{"elbo": mean bound in nats per image, "bits_per_dim": minus that bound in bits
    per pixel}.
    """
    ### BEGIN SOLUTION
    elbo = -(reconstruction + kl).mean()
    return {"elbo": elbo.item(), "bits_per_dim": -elbo.item() / (pixels * math.log(2))}
    ### END SOLUTION

# %%
check.repair_7(repair_7)

# %% [markdown]
# ### Broken and repaired, side by side
#
# If all pieces are right, the cells below run the instruments on them, and train the program again: once with all of your
# pieces, and once with all but the second, in whose place is the old one.

# %%
pieces = [repair_1, repair_2, repair_3, repair_4, repair_5, repair_6, repair_7]
repaired = all(getattr(check, f"repair_{i}").judge(piece).status == "right"
               for i, piece in enumerate(pieces, 1))
if repaired:
    for measure, piece in zip(
            (measure_posterior, measure_draw, measure_reconstruction, measure_kl,
             measure_step_loss, measure_generate, measure_report_card), pieces):
        measure(piece)
    measure_slope(repair_1, repair_2, repair_3)
else:
    print("Repair all seven pieces first; then these cells show what that changes.")

# %%
if repaired:
    test = torch.bernoulli(digits.test, generator=seeded(7)).flatten(1)
    z = torch.randn(12, 8, generator=seeded(1))
    drawn = {"broken": generate(broken.decoder, z, seeded(2))}
    for name, piece in {"all but 2": draw, "repaired": repair_2}.items():
        torch.manual_seed(0)
        program = Program(repair_1, piece)
        train(program, repair_5, repair_3, repair_4,
              steps=scaled(default=1000, smoke=10, full=5000))
        with torch.no_grad():
            logits, mu, std = program(test)
        active = int(evaluation.active_units(mu).sum())
        print(name, repair_7(repair_3(logits, test), repair_4(mu, std), 784),
              f"active units: {active}, median std: {std.median():.2f}")
        drawn[name] = repair_6(program.decoder, z, seeded(2))
    figures.image_rows(
        {name: x.detach().view(-1, 1, 28, 28) for name, x in drawn.items()},
        title="Draws of the broken, the nearly repaired and the repaired program")

# %% [markdown]
# *Above: what the broken program draws. Below: the repaired one, and between them the one in which a single piece is as
# before, that gave every value right. Reports are in nats per image and in bits per pixel, and can be compared with anybody's.*
#
# ## Score
#
# All answers are judged afresh, whatever was run before.

# %%
report(check, globals())
