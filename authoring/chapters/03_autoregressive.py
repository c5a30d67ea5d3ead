# %% [markdown]
# # 3 · Autoregressive models
#
# Whatever consists of parts can be made one part at a time: a text letter by letter, an image pixel by pixel. A model that says how
# probable each next part is, given those before it, knows the probability of the whole exactly. Here you go from counting
# pairs of letters to a small GPT that writes something like Shakespeare after about a minute of training on a laptop, and to a
# PixelCNN that draws digits.
#
# What it is good for: text of every kind, code, dialogue, sentences from records; compression; music and speech; and images, where
# an exact probability or a completion of what is there is wanted. The digits on the front page that were drawn pixel by pixel are from section 3.8.
#
# **You will be able to** factorise a distribution and train on all its factors at once; say in nats and bits how good a model is, and what
# the best possible one would reach; make sure that nothing looks ahead; build attention, a GPT and a PixelCNN; and sample fast,
# with temperature, top-k and top-p.
#
# **You need** Python, a little PyTorch, and probabilities. Section 3.9 compares with [chapter 1](01_vae.ipynb), but does not need it. The
# exercises are in [`exercises/03_autoregressive.ipynb`](../exercises/03_autoregressive.ipynb), the answers in
# [`solutions/03_autoregressive.ipynb`](../solutions/03_autoregressive.ipynb).

# %%
import copy
import math
import time

import matplotlib.pyplot as plt
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from gencourse import figures
from gencourse.claims import claim
from gencourse.data import binarised, images, minibatches, text, weather, windows
from gencourse.evaluation import bits_per_dim, dataset_elbo_terms, dataset_iwae_bound
from gencourse.models import autoregressive as m
from gencourse.models.vae import VAE
from gencourse.runtime import global_seed, pick_device, scaled, seeded
from gencourse.training import check_model, fit
from gencourse.widgets import (
    attention_grid, attention_viewer, pixel_replay, sampling_explorer, sampling_strip)

device = pick_device()
print("running on", device)

# %% [markdown]
# ## 3.1 The chain rule
#
# Any joint distribution is a product of conditional ones:
#
# $$p(x_1, \dots, x_T) = p(x_1)\, p(x_2 \mid x_1)\, p(x_3 \mid x_1, x_2) \cdots = \prod_{t=1}^{T} p(x_t \mid x_{<t}),$$
#
# where $x_{<t}$ is short for $x_1, \dots, x_{t-1}$, all that comes before.
#
# This is no assumption and no approximation, and it holds in every order. A table of three binary variables shows it: cut
# into conditionals and multiplied again, in two orders, it comes back.

# %%
joint = torch.rand(2, 2, 2, generator=seeded(0), dtype=torch.float64)
joint /= joint.sum()  # p(a, b, c)


def product_of_conditionals(p):
    p_a = p.sum((1, 2), keepdim=True)
    p_b = p.sum(2, keepdim=True) / p_a  # p(b given a)
    p_c = p / p.sum(2, keepdim=True)  # p(c given a, b)
    return p_a * p_b * p_c


forwards = product_of_conditionals(joint)
# c first, then b, then a
backwards = product_of_conditionals(joint.permute(2, 1, 0)).permute(2, 1, 0)
print("largest difference:", (forwards - joint).abs().max().item(),
      (backwards - joint).abs().max().item())

# %% [markdown]
# Three things follow.
#
# - **The probability is exact.** The logarithm of the product is a sum, $\log p(x) = \sum_t \log p(x_t \mid x_{<t})$, and each term comes
#   from a classifier, which gives a distribution over the values of one part.
# - **Training is supervised learning.** Every part of every example is a target, with the parts before it as the input; no label is needed.
# - **Sampling takes turns.** Draw the first part, then the second given the first, and so on. What was drawn is not revised.
#
# All that is left to choose is how to compute the conditionals. The chapter goes through that choice: a table of counts, a network
# on a few parts, masked networks on all, attention.

# %% [markdown]
# ## 3.2 Counting letters
#
# The data of the first half are eight plays of Shakespeare, which ship with the course. A **token** is a single character here; large models take pieces of words (Sennrich et al. 2016), which shortens
# the sequences and enlarges the vocabulary; the method stays the same. The last tenth of the text is kept for validation: *The Tempest*, and the last scene of *Romeo and Juliet*.

# %%
shakespeare = text("shakespeare")
V = len(shakespeare.vocabulary)
print(shakespeare)
print(shakespeare.decode(shakespeare.train[60_000:60_400]))

# %% [markdown]
# The simplest model that looks at anything looks at the character before: a **bigram** model, $p(x_t \mid x_{<t}) = p(x_t \mid x_{t-1})$. The estimate
# that makes the training text most probable is the share of each successor among all, which takes one pass of counting.

# %%
counts = m.bigram_counts(shakespeare.train, V)
bigram = m.bigram_probs(counts, alpha=0.1)  # what alpha is for is said below

shown = list("abcdefghijklmnopqrstuvwxyz .,'\n")
rows = shakespeare.encode("".join(shown))
figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
drawn = ax.imshow(bigram[rows][:, rows].numpy(), cmap="Blues", vmin=0, vmax=0.6)
names = ["␣" if c == " " else "↵" if c == "\n" else c for c in shown]
ax.set_xticks(range(len(shown)), names)
ax.set_yticks(range(len(shown)), names)
ax.set(xlabel="next character", ylabel="character",
       title="p(next character given this one)")
figure.colorbar(drawn, label="probability", shrink=0.8);

# %% [markdown]
# *Each row is a part of a distribution: capitals and rare signs are left out, and colours end at 0.6. After a "q" comes a "u"; after a comma a blank or the end of the line (↵); the dark columns are "e" and the
# blank (␣), which follow almost anything.*
#
# ### Nats and bits per character
#
# The measure is the mean **negative log-likelihood** of text that was not used for counting,
#
# $$-\frac{1}{N} \sum_{t} \log p(x_t \mid x_{<t}),$$
#
# in nats per character, or in bits if divided by $\log 2$; $N$ is the number of characters predicted. A code built from the model (arithmetic coding) spends that many bits per character, so a good model of text is a good
# compressor of it. With $V$ different characters, knowing nothing costs $\log V$.
#
# `alpha` is added to every count. A pair that never occurred would otherwise have probability 0, and a single such pair in the validation text makes
# the mean infinite.

# %%
frequency = torch.bincount(shakespeare.train, minlength=V) + 0.1
alone = -(frequency / frequency.sum()).log()[shakespeare.validation].mean().item()
pairs = m.bigram_nll(bigram, shakespeare.validation)
print(f"nothing known: {math.log(V):.2f} nats, {math.log2(V):.2f} bits per character")
claim("unigram_nats", alone)
claim("bigram_nats", pairs)
print(
    f"the pairs on the training text: {m.bigram_nll(bigram, shakespeare.train):.2f}; "
    "without alpha on the validation text:", end=" ")
print(m.bigram_nll(m.bigram_probs(counts), shakespeare.validation))

# %% [markdown]
# Frequencies of single characters bring the loss to {{unigram_nats}} nats, pairs to {{bigram_nats}}. Validation text costs a little more than training text. That is
# not overfitting, for a table of that size cannot learn a million characters by heart: the last tenth is another play.
#
# ## 3.3 A source that no model can beat
#
# How low can the loss go? For real text nobody knows. For text from a source that we make ourselves, it is known: a **Markov source** draws each
# token by a table $P$ from the one before. $P_{ij}$ is the probability that $j$ follows $i$, row $P_i$ is the whole distribution after $i$, and $\pi_i$ is how often $i$ occurs in a long run. Its **entropy rate**
#
# $$h = -\sum_i \pi_i \sum_j P_{ij} \log P_{ij}, \qquad \pi = \pi P,$$
#
# is the expected loss of the true model. A model with another table $q$ pays more, by exactly the mean of the divergence $\mathrm{KL}(p\,\|\,q) = \sum_j p_j \log(p_j/q_j)$ between the rows, which is never negative, and zero only for $p = q$ (and a model that looks at more than one token back gains nothing by it):
#
# $$-\mathbb E \log q(x_t \mid x_{t-1}) = h + \sum_i \pi_i\, \mathrm{KL}(P_i \,\|\, q_i).$$

# %%
source = m.MarkovSource(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1],
                                      [0.3, 0.3, 0.4]]))
fresh = source.sample(scaled(default=40_000, smoke=2_000, full=200_000), seed=100)
sizes = [30, 100, 300, 1_000, 3_000, 10_000]
losses = {"on its own training text": [], "on fresh text": []}
for n in sizes:
    texts = [source.sample(n, seed=seed) for seed in range(20)]
    learnt = [m.bigram_probs(m.bigram_counts(seen, 3), alpha=0.1) for seen in texts]
    own = sum(map(m.bigram_nll, learnt, texts)) / 20
    losses["on its own training text"].append(own)
    losses["on fresh text"].append(sum(m.bigram_nll(q, fresh) for q in learnt) / 20)
ax = figures.curves(torch.tensor(sizes), losses, "tokens counted", "nats per token",
                    "Counts against a source of known entropy")
ax.axhline(source.entropy, color="black", linewidth=1)
ax.annotate("entropy of the source", (40, source.entropy), xytext=(0, -12),
            textcoords="offset points")
ax.set_xscale("log")
claim("source_entropy", source.entropy)
claim("source_excess", abs(losses["on fresh text"][-1] - source.entropy))

# %% [markdown]
# *Means over twenty training texts of each length. The loss on fresh text comes down to the entropy, {{source_entropy}} nats, and stops there: with the most tokens it is less than {{source_excess}} nats away from it. On its own training text, if that is short, a model
# looks better than any model can be, all the more the less it has seen: it predicts accidents that happened.*
#
# Two lessons for the rest of the chapter: losses are compared on text that was not trained on, and a loss that stops falling may have reached the
# entropy rather than the limit of the model.

# %% [markdown]
# ## 3.4 Sampling: temperature, top-k, top-p
#
# A network gives **logits**, one number per token, whose softmax $p_i = e^{l_i} / \sum_j e^{l_j}$ are the probabilities; for a table of probabilities their logarithms will do. A token is drawn from $p$, or, on purpose, from something else:
#
# - **temperature** $T$ (the letter is that of the length, but custom has it so) divides the logits: $p_i^{1/T}$, normalised. $T < 1$ sharpens, $T > 1$ flattens, $T \to 0$ is **greedy**: always the most likely;
# - **top-k** keeps the $k$ most likely tokens and cuts the rest;
# - **top-p** keeps as many of the most likely as are needed to reach probability $p$: few where the model is sure, many where it is not.
#
# What is kept is normalised again, so that it adds up to 1.

# %%
after_t = bigram[shakespeare.encode("t")[0]].log()
temperatures = {"plain": {}, "T = 0.5": {"T": 0.5}, "greedy (T = 0)": {"T": 0.0},
                "T = 1.5": {"T": 1.5}}
filters = {"top-k = 5": {"top_k": 5}, "top-p = 0.8": {"top_p": 0.8}}
sampling_strip(after_t, shakespeare.vocabulary, temperatures | filters);

# %% [markdown]
# *What follows a "t", by the bigram model. Each panel shows what one setting does: outlines are the model's own probabilities, bars what is drawn from, crosses what can no longer be drawn. Above each stands the entropy $-\sum_i p_i \log p_i$, how unsure the distribution is: low temperature, top-k and top-p lower it, high temperature raises it.*
#
# Temperature divides logits. To divide probabilities instead is a common slip: normalised again, they are what they were, and put through a softmax,
# they come out far too equal.
#
# To write, the model needs something to go on from, a **prompt**, here the letter "T". Each token drawn is appended, and the next is drawn given it. Here is text from the bigram model under four settings.

# %%
def bigram_logits(idx):
    return bigram[idx].log()


start = shakespeare.encode("T")[None]
for T in (1.0, 0.5, 0.0, 2.0):
    written = m.generate(bigram_logits, start, 110, block=1, T=T, generator=seeded(1))
    print(f"T = {T:g}: {shakespeare.decode(written[0])!r}")

# %% [markdown]
# At $T = 1$ the pairs of letters have the right frequencies, and few of the words exist. $T = 0.5$ keeps to the commonest pairs, $T = 2$ brings in the rare ones. Greedy text runs in a circle as soon as a character returns: the last character is all
# that the model remembers, so the same one has the same successor. What is missing is not a better way to sample, it is context.

# %% [markdown]
# ## 3.5 More context: a neural n-gram
#
# A table for two characters of context has $V^3$ entries, for five $V^6$: nearly all of them are never seen. A network shares what it learns: characters
# become vectors, the vectors of the last $n$ go through an MLP, and similar contexts get similar predictions (Bengio et al. 2003).

# %%
def validation_nats(model, tokens=shakespeare.validation, block_size=64):
    """The mean loss over windows of held-out text, nats per character."""
    x, y = m.next_token_pairs(tokens, block_size)
    count = scaled(default=600, smoke=20, full=len(x))
    chosen = torch.linspace(0, len(x) - 1, count).long()  # from everywhere
    with torch.no_grad():
        parts = [model.loss(x[part].to(device), y[part].to(device))["loss"]
                 for part in chosen.split(200)]
    return torch.cat(parts).mean().item()


ngrams = {}
for n in (1, 3, 6):
    with global_seed(0):
        model = m.NeuralNgram(V, context=n, hidden=200).to(device)
    steps = scaled(default=300, smoke=5, full=5_000)
    fit(model, windows(shakespeare.train, 64, 16, seed=0), steps=steps, lr=1.2e-2)
    ngrams[n] = validation_nats(model)
    print(f"{n} character{'s' * (n > 1)} of context: {ngrams[n]:.2f} nats per "
          f"character, {V ** (n + 1):,} entries in a table")
claim("ngram_nats", ngrams[6])
claim("ngram_one", abs(ngrams[1] - pairs))

# %% [markdown]
# With one character of context the network finds what counting found, as it should: the losses differ by less than {{ngram_one}} nats. With six it reaches about {{ngram_nats}} nats, where a table would have some
# fifteen million entries for every character of the training text. Three characters do nearly as well: so small a network, trained for so short a time, makes little use of the other three.
#
# ## 3.6 Images: MADE
#
# Pixels have no natural order, but any will do; the usual one is row by row from the top left, **raster order**. The data are binary digits, as in
# chapter 1: each pixel is drawn as 0 or 1 with its grey value as the probability. One conditional per pixel would be 784 networks. **MADE** (Germain et al. 2015), after NADE (Larochelle and Murray 2011), is
# a single MLP that computes all of them in one pass: its weights are multiplied by 0/1 masks such that no path leads from a pixel to an output that may not
# see it.
#
# The masks follow from one rule. Each hidden unit is given a number $m$: it may see the first $m$ pixels and no others. So it is connected to the pixels $1 \dots m$; a unit of a further hidden layer listens to units whose $m$ is at most its own; and the output for pixel $d$ listens to
# hidden units with $m < d$.

# %%
masks = m.made_masks(D=6, hidden=8, layers=1)
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), layout="constrained")
names = ("pixel → hidden unit", "hidden unit → output", "pixel → output")
for ax, matrix, name in zip(axes, [*masks, masks[1] @ masks[0]], names, strict=True):
    drawn = ax.imshow(matrix.numpy(), cmap="Blues", vmin=0)
    before, after = name.split(" → ")
    ax.set(title=name, xlabel=f"from {before}", ylabel=f"to {after}")
figure.colorbar(drawn, ax=axes[2], shrink=0.7, label="paths");

# %% [markdown]
# *The masks of a small MADE with six pixels, counted from 0 (dark: kept), and their product, the number of paths. It is strictly lower triangular: output 0 depends on nothing, output 5 on all
# pixels but its own.*
#
# Now for real digits. An untrained network starts from the mean image, which is in the biases of its outputs; training images are made binary anew each time they are used, test images once and for all. The loss is the sum over
# 784 yes-or-no questions of what the answer costs.

# %%
digits = images("mnist")
mean_image = digits.train.mean(0)
test = torch.bernoulli(digits.test, generator=seeded(0)).to(device)


def digit_batches(batch_size):
    return binarised(minibatches(digits.train_bytes, batch_size=batch_size, seed=0),
                     seed=0)


with global_seed(0):
    made = m.MADE(hidden=512, mean_image=mean_image).to(device)
fit(made, digit_batches(128), steps=scaled(default=600, smoke=5, full=10_000), lr=8e-3)
with torch.no_grad():
    made_nats = -made.log_prob(test).mean()
claim("made_nats", made_nats)

# %%
figures.image_grid(made.sample(30, seed=1).cpu(), columns=15,
                   title="Digits from MADE, drawn pixel by pixel");

# %% [markdown]
# *Thirty samples, not selected. Strokes are there, whole digits less often.*
#
# A test image costs about {{made_nats}} nats on average. That is $-\log p(x)$ itself, exactly, and no bound of it. Training takes one pass for all pixels, drawing takes one pass for each.
#
# MADE treats pixel 300 and pixel 301 as strangers: what a stroke looks like must be learnt anew at every position. Convolutions know better.

# %% [markdown]
# ## 3.7 Causal convolution, masks, and a blind spot
#
# A **causal convolution** sees no position after its own. In one dimension, on sound or text, it is enough to pad with zeros on the left side only (WaveNet, van den Oord et al. 2016c). In two dimensions "before" is all rows above and the left part of one's own, which is no rectangle,
# so the kernel gets a mask as well. In the first layer the kernel's centre is the very pixel that is to be predicted: mask **A**
# hides it. In the layers after, the centre is a feature that was computed without that pixel: mask **B** keeps it.

# %%
for kind in "AB":
    print(kind, m.pixelcnn_mask(5, kind).int().tolist(), sep="\n")

# %% [markdown]
# What does a stack of such layers see? The gradient of one output with respect to every input pixel tells. The weights are random, so nothing is zero by
# chance. On the left is a stack of masked convolutions; on the right the network of the next section.

# %%
def seen_from(model, row=14, column=12):
    """|∂ logit at (row, column) / ∂ x|, a map of what the output depends on."""
    x = torch.rand(1, 1, 28, 28, generator=seeded(0),
                   dtype=torch.float64).requires_grad_()
    model.double()(x)[0, 0, row, column].backward()
    return x.grad[0, 0].abs()


with global_seed(0):
    plain, gated = m.PlainPixelCNN(16, 3, layers=7), m.PixelCNN(16, 3, layers=6)
    torch.nn.init.normal_(gated.head[-1].weight)
figure, axes = plt.subplots(1, 2, figsize=(8.6, 4), layout="constrained")
for ax, model, name in ((axes[0], plain, "masked convolutions"),
                        (axes[1], gated, "two stacks (gated)")):
    drawn = ax.imshow(seen_from(model).clamp(min=1e-12).log10().numpy(), cmap="viridis",
                      vmin=-12, vmax=0)
    ax.plot(12, 14, "s", color="white", markersize=5, markeredgecolor="black")
    ax.set(title=name, xlabel="column (pixel)", ylabel="row (pixel)")
figure.colorbar(drawn, ax=axes, label="log₁₀ of the gradient's size", shrink=0.8);

# %% [markdown]
# *Which pixels the marked one depends on. Nothing at or after it, in both (darkest: exactly zero). How far each sees depends on the number of layers. But the masked stack has a **blind spot** besides: a wedge on the upper right that no number of
# layers fills. To the right there is only one way, through the rows above, and with this 3 × 3 kernel each row up gains one column, no more.*
#
# ## 3.8 A gated PixelCNN
#
# The cure (van den Oord et al. 2016b): two stacks. The **vertical** one sees all rows above, by ordinary convolutions over rows that are past. The **horizontal** one
# sees what lies to the left in its own row, and gets the vertical one's features added. Where they meet, values pass a gate,
#
# $$\tanh(a) \odot \sigma(b),$$
#
# where $\sigma$ is the sigmoid, $\odot$ multiplies entry by entry, and $a$ and $b$ are the two halves of a convolution's channels, the numbers that each position holds: one is a value, the other says how much of it passes. The result is added to what came in.
# With rows above and columns to the left as all that the kernels span, no weight has to be masked; in the first layer they are moved one position further, so that the pixel itself stays out. Our network also learns
# a vector for each position, for a digit has a middle and an edge.

# %%
with global_seed(0):
    pixelcnn = m.PixelCNN(channels=16, kernel=7, layers=3,
                          mean_image=mean_image).to(device)
check_model(pixelcnn, test[:4])
steps = scaled(default=400, smoke=3, full=20_000)
history = fit(pixelcnn, digit_batches(scaled(default=8, smoke=4, full=64)), steps=steps,
              lr=8e-3)
with torch.no_grad():
    few = test[:: scaled(default=2, smoke=100, full=1)]
    pixelcnn_nats = -torch.cat([pixelcnn.log_prob(x)
                                for x in tqdm(few.split(100), delay=2)]).mean().item()
claim("pixelcnn_nats", pixelcnn_nats)
claim("pixelcnn_bits", bits_per_dim(pixelcnn_nats, 784))

# %% [markdown]
# A test image costs about {{pixelcnn_nats}} nats, {{pixelcnn_bits}} bits per pixel.
#
# ### Sampling, as fast as it goes
#
# Sampling takes 784 steps. Done plainly, each is a pass over the whole image, of which a single number is used. But the features of a position do not change once the pixels that they need are
# there. So `sample` computes each of them once (Ramachandran et al. 2017): the vertical stack row by row, the horizontal stack position by position.

# %%
n = scaled(default=2, smoke=1, full=16)
start_time = time.perf_counter()
fast = pixelcnn.sample(n, seed=5).cpu()
fast_seconds = time.perf_counter() - start_time
# one pass per pixel
slow = m.raster_sample(pixelcnn, n, (1, 28, 28), seeded(5), device).cpu()
slow_seconds = time.perf_counter() - start_time - fast_seconds
print(
    f"{fast_seconds:.2f} s against {slow_seconds:.1f} s; pixels that differ: "
    f"{(fast != slow).sum().item()} of {fast.numel()}")
claim("sampler_gain", slow_seconds / fast_seconds, device=device)

# %% tags=["cover"]
samples = pixelcnn.sample(60, seed=2)
figures.image_grid(samples.cpu(), columns=15, title="Digits from a gated PixelCNN");

# %% [markdown]
# *Sixty samples, not selected, drawn on a CPU about {{sampler_gain}} times as fast as with a pass per pixel (measured on two images; benchmarks/README.md states it for sixteen; a GPU gains less, since for so little work it mostly waits for the next kernel). Strokes are
# smoother and better joined than MADE's; some samples are digits, others are not. A pixel that was drawn by bad luck stays, and the rest has to make sense of it.*
#
# ### Pixel by pixel

# %%
def probabilities(x):
    with torch.no_grad():
        return pixelcnn(x.to(device)).sigmoid().cpu()


pixel_replay(samples[:4].cpu(), probabilities(samples[:4]))

# %% [markdown]
# *Digits while they are drawn: on top the pixels so far, below the probability that each was drawn from. In a running notebook move the slider, and look for the moment at which it is decided
# which digit it will be.*
#
# ### Completing half an image
#
# Keep the upper half of a test image and draw the rest. Because the model's order is from top to bottom, this is exactly a draw from its
# $p(\text{lower half} \mid \text{upper half})$, with no training for the purpose.

# %%
known = torch.zeros(1, 28, 28, dtype=torch.bool)
known[:, :14] = True
halves = test[5:20]
rows = {"test image": halves,
        "what is kept": torch.where(known.to(device), halves, 0.5)}
for k in range(3):
    rows[f"completion {k + 1}"] = pixelcnn.complete(halves, known, seed=k)
figures.image_rows({name: x.cpu() for name, x in rows.items()},
                   title="The lower half drawn anew");

# %% [markdown]
# *Above, the images and what the model sees of them (erased parts grey); below, three draws each. Where the upper half leaves a choice, the draws differ: look at the first columns.*
#
# Erase the upper half instead and the trick fails: the model draws from top to bottom, and at the first row it cannot know what is below.

# %% [markdown]
# ## 3.9 Exact likelihood beside a bound
#
# Chapter 1's VAE gives two numbers for a test image: the ELBO, and the tighter importance-weighted bound, here with 100 draws (IWAE-100; Burda et al. 2016). Both are lower bounds of $\log p(x)$, so their negatives lie above what an image costs. MADE and PixelCNN give $\log p(x)$ itself. All are in nats per image, on
# test digits made binary in the same way. To save time the tighter bound is taken on every fourth image and the PixelCNN on every second, which makes their means uncertain, that of the bound by about {{bound_standard_error}} nats. The VAE here is trained for a short time only, as the others are.

# %%
with global_seed(0):
    vae = VAE(latent_dim=16, mean_image=mean_image).to(device)
fit(vae, digit_batches(128), steps=scaled(default=500, smoke=5, full=30_000), lr=4e-3)
part = test[:: scaled(default=4, smoke=100, full=1)]
K = scaled(default=100, smoke=2, full=500)
bound = dataset_iwae_bound(vae.log_weights, part, K=K)
nats = {
    "VAE: ELBO (bound)": -dataset_elbo_terms(vae.loss, test)["elbo"].mean().item(),
    "VAE: IWAE-100 (bound)": -bound.mean().item(),
    "MADE (exact)": made_nats.item(),
    "PixelCNN (exact)": pixelcnn_nats}
figure, ax = plt.subplots(figsize=(6.6, 2.4), layout="constrained")
look = {"color": figures.PALETTE[0], "hatch": ["//", "//", "", ""]}
bars = ax.barh(list(nats), list(nats.values()), edgecolor="white", **look)
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.invert_yaxis()
ax.set(xlim=(0, 125), xlabel="nats per test image, lower is better",
       title="What a test digit costs")
claim("vae_elbo", nats["VAE: ELBO (bound)"])
claim("vae_iwae", nats["VAE: IWAE-100 (bound)"])
error = bound.std() / len(bound) ** 0.5
claim("bound_standard_error", error)

# %% [markdown]
# *Negative log-likelihoods, or upper bounds of them (hatched). The VAE's ELBO says about {{vae_elbo}} nats, its tighter bound about {{vae_iwae}}; the true value is at most that, and nobody knows how much lower. The other two bars are the values themselves.*
#
# Among these four numbers the PixelCNN's is the lowest. That the VAE is worse does not follow strictly, but its bound would have to be loose by some ten nats. The PixelCNN has no code $z$ that one could interpolate, and takes 784 turns for what a VAE does in one.
#
# ## 3.10 Attention
#
# Back to text. The n-gram looks at a fixed number of characters, side by side. **Attention** looks at all, and decides by content at which. Every position holds a vector, and three learned matrices make three vectors of it: a **query**, what the position looks for; a **key**, what it can be found by; a **value**, what it has to give. The better the query $q_t$ fits the key $k_s$, the larger the weight
# $w_{ts}$ with which $t$ looks at $s$, and what $t$ receives is a weighted mean of the values ($d$ numbers in each query and key):
#
# $$w_{ts} = \operatorname{softmax}_{s \le t}\left(\frac{q_t \cdot k_s}{\sqrt d}\right), \qquad \text{out}_t = \sum_{s \le t} w_{ts}\, v_s.$$
#
# **The causal mask** sets the scores of later positions to $-\infty$ before the softmax, so that the weights of the others add up to 1. Masking after the softmax would let the future into the
# normalisation.

# %%
q, k, v = (torch.randn(6, 16, generator=seeded(i)) for i in range(3))
scores = q @ k.T / math.sqrt(16)
weights = scores.masked_fill(~m.causal_mask(6), -torch.inf).softmax(-1)
print(weights.numpy().round(2))
print("rows sum to", weights.sum(1).tolist())
print("same as the reference:",
      torch.allclose(weights @ v, m.causal_attention(q, k, v), atol=1e-6))
print(
    "same as PyTorch's own:",
    torch.allclose(torch.nn.functional.scaled_dot_product_attention(
        q[None], k[None], v[None], is_causal=True)[0], weights @ v, atol=1e-6),
)

# %% [markdown]
# **Why divide by $\sqrt d$?** The product of two vectors of $d$ standard normal numbers has standard deviation $\sqrt d$. Without the division attention with long vectors starts with scores so large that the softmax
# puts everything on one position, where its gradient vanishes.

# %%
for d in (4, 64, 1024):
    q, k = (torch.randn(300, d, generator=seeded(seed)) for seed in (0, 1))
    scores = q @ k.T
    largest = [s[:, :16].softmax(-1).amax(-1).mean().item()
               for s in (scores, scores / math.sqrt(d))]
    print(
        f"d = {d:4d}: scores have std {scores.std():5.1f}; largest of 16 weights "
        f"{largest[0]:.2f}, with the division {largest[1]:.2f}")

# %% [markdown]
# **Heads.** One weighted mean has one set of weights, so it mixes whatever it looks at. To look at several things separately, the channels (the numbers of each vector) are divided among several attentions, the **heads**, each with its own queries, keys and values; their results are put side by side again
# and mixed by a matrix. Twelve channels and three heads: four numbers per query, three sets of weights, and as much work as one head of twelve.

# %%
layer = m.CausalSelfAttention(12, heads=3)
q, k, v = layer.qkv(torch.randn(1, 6, 12, generator=seeded(0)))
print("queries: (batch, heads, positions, numbers per head) =", tuple(q.shape))
print("weights: (batch, heads, positions, positions) =",
      tuple(m.attention_weights(q, k).shape))

# %% [markdown]
# **Positions.** A weighted mean does not know in which order its terms came. If the earlier characters are shuffled, the last position receives the same:

# %%
q, k, v = (torch.randn(6, 16, generator=seeded(i)) for i in range(3))
order = torch.tensor([3, 0, 4, 1, 2, 5])
moved = m.causal_attention(q, k[order], v[order])[-1] - m.causal_attention(q, k, v)[-1]
shuffled = m.causal_attention(m.apply_rotary(q), m.apply_rotary(k[order]), v[order])
turned = shuffled[-1] - m.causal_attention(m.apply_rotary(q), m.apply_rotary(k), v)[-1]
print(
    f"change at the last position: {moved.abs().max():.1e} without positions, "
    f"{turned.abs().max():.1e} with")

# %% [markdown]
# So positions have to be marked. **Rotary positions** (Su et al. 2021) turn pairs of numbers in queries and keys by an angle that grows with the position, $\theta_i t$, as hands of clocks of different speeds. The product of a
# query turned by $\theta t$ and a key turned by $\theta s$ depends on the difference $t - s$ alone: attention learns "three back", wherever that is. (The first GPTs learnt a vector for each position instead, and added it to the token's.)

# %%
q, k = torch.randn(32, generator=seeded(0)), torch.randn(32, generator=seeded(1))
products = m.apply_rotary(q.expand(40, 32)) @ m.apply_rotary(k.expand(40, 32)).T
print("three back, from five positions:",
      [round(products[t, t - 3].item(), 4) for t in (3, 10, 20, 30, 39)])

# %% [markdown]
# ## 3.11 A GPT, piece by piece
#
# A **GPT** is a stack of blocks on a *residual stream* of vectors, one per position. It starts as the tokens' learned vectors. A block adds two things to the stream: what attention gathers from earlier positions, and what an MLP makes of each position by itself. Norms before
# both keep their inputs at one size. At the end the stream is compared with the vector of every token, which gives the logits.

# %%
class TinyBlock(torch.nn.Module):
    """One block, as in gencourse.models.autoregressive.Block."""

    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.attention = m.CausalSelfAttention(width, heads)
        self.mlp = torch.nn.Sequential(torch.nn.Linear(width, 4 * width),
                                       torch.nn.GELU(),
                                       torch.nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))  # look back
        return x + self.mlp(self.norm2(x))  # think it over


stream = torch.randn(2, 10, 12, generator=seeded(0))  # two sequences of ten positions
print("a block keeps the shape:", tuple(TinyBlock(12, heads=3)(stream).shape))

# %% [markdown]
# The reference, `m.GPT`, here has three such blocks (without biases in the MLP), the vectors of the tokens before them and the comparison after. Before any training it should know nothing, and say so: a loss of $\log V$.

# %%
with global_seed(0):
    gpt = m.GPT(V, block_size=64, layers=3, heads=3, width=96).to(device)
x, y = next(windows(shakespeare.train, 64, 8, seed=0))
check_model(gpt, (x.to(device), y.to(device)))
print(
    f"{sum(p.numel() for p in gpt.parameters()):,} parameters; loss "
    f"{gpt.loss(x.to(device), y.to(device))['loss'].mean():.3f}, log V "
    f"{math.log(V):.3f}")

# %% [markdown]
# Training takes windows from anywhere in the text. Every position of a window is a target, so a batch of 20 windows holds $20 \cdot 64$ of them. Two things help in so short a time: the learning rate falls to zero, and the matrices of the blocks are
# trained by **Muon**, which replaces each step, a matrix, by about the nearest one that moves all directions equally (Jordan et al. 2024). Every so often we let the model write, always from the same prompt with the same random numbers.

# %%
prompt = shakespeare.encode("Romeo.\n")[None].to(device)
diary = {}


def write_now_and_then(step):
    if step in (0, 30, 100, 250):
        gpt.eval()
        written = gpt.generate(prompt, 150, T=0.8, seed=3)[0]
        diary[step] = shakespeare.decode(written.cpu())
        gpt.train()


steps = scaled(default=360, smoke=10, full=20_000)
text_batches = windows(shakespeare.train, 64, batch_size=20, seed=0)
history = fit(gpt, text_batches, steps=steps, lr=0.03, on_step=write_now_and_then)
gpt_nats = validation_nats(gpt)
diary[steps] = shakespeare.decode(gpt.generate(prompt, 150, T=0.8, seed=3)[0].cpu())
claim("gpt_nats", gpt_nats)
claim("gpt_bits", bits_per_dim(gpt_nats, 1))

# %%
ax = figures.training_curves(history, title="The GPT learns to write")
ax.set(ylabel="nats per character")
for name, level in {"bigram": pairs, "six characters of context": ngrams[6]}.items():
    ax.axhline(level, color="grey", linewidth=0.8)
    ax.annotate(name, (steps, level), ha="right", va="bottom", fontsize="small")

# %% [markdown]
# *The training loss, smoothed, beside the validation losses of the models before (grey). The GPT passes both after a fraction of its training.*
#
# On validation text it reaches about {{gpt_nats}} nats, {{gpt_bits}} bits per character. That is clearly more than the training loss at the end, though training has seen less than the whole text once, so that little can have been learnt
# by heart. Part of the gap has another likely reason: the validation text is mostly *The Tempest*, with persons and words that the other plays do not have.
#
# ### What training does to samples

# %%
for step, written in diary.items():
    print(f"--- after {step} steps ---\n{written}\n")

# %% [markdown]
# First noise; then letters with the right frequencies; then lines and capitals where they belong; at last words, names of persons with a full stop, and the form of a play. There is no plot, and hardly a sentence
# that means anything. Models that write sense are trained by the same loss and built of the same parts; most of what they have more of is parameters, text and time.

# %% [markdown]
# ### Is it only copying?
#
# A model could also write well by reciting. The longest string that a sample shares with the training text tells, beside the same for real text that was held out: phrases do recur.

# %%
plays = shakespeare.decode(shakespeare.train)


def longest_shared(piece):
    """The longest part of a text that occurs in the training text word for word."""
    best = ""
    for i in range(len(piece)):
        while i + len(best) < len(piece) and piece[i : i + len(best) + 1] in plays:
            best = piece[i : i + len(best) + 1]
    return best


n = scaled(default=500, smoke=50, full=2_000)
written = shakespeare.decode(
    gpt.generate(prompt, n, T=0.8, seed=4)[0, prompt.shape[1] :].cpu())
real = shakespeare.decode(shakespeare.validation[50_000 : 50_000 + n])
for name, piece in (("written by the GPT", written), ("held-out text", real)):
    print(f"{name}: {longest_shared(piece)!r}")

# %% [markdown]
# A few words in a row, in both: the GPT does not recite. Trained much longer on so little text, it would begin to.

# %% [markdown]
# ## 3.12 Sampling with a cache
#
# To draw token $t+1$ the plain loop runs the whole network over all tokens up to $t$, though keys and values of the earlier ones have been computed before. **A KV cache** keeps them: each step then computes one position only, whose query
# looks at the stored keys. Up to rounding the logits are the same, since no earlier position may depend on a later one.

# %%
idx = shakespeare.validation[:64][None].to(device)
caches = [m.KVCache(gpt.block_size) for _ in gpt.blocks]
with torch.no_grad():
    one_by_one = torch.cat([gpt(idx[:, t : t + 1], caches) for t in range(64)], 1)
    difference = (one_by_one - gpt(idx)).abs().max().item()
print(f"largest difference of the logits: {difference:.1e}")
seconds = {}
for cached in (True, False):
    start_time = time.perf_counter()
    gpt.generate(prompt.repeat(32, 1), scaled(default=100, smoke=5, full=500),
                 cached=cached)
    seconds[cached] = time.perf_counter() - start_time
print(f"{seconds[True]:.2f} s with the cache, {seconds[False]:.2f} s without")
claim("cache_share", seconds[True] / seconds[False], device=device)

# %% [markdown]
# For 32 texts at once sampling with the cache takes less than {{cache_share}} of the time on a CPU, and a smaller share, the longer the context; a GPU, which computes all positions at once, gains little at this length. The price is memory, two vectors per position, layer and text.
#
# This GPT sees at most 64 tokens. When the context is full, `generate` starts anew with its last half: what went before is forgotten, and the cache is filled again. (To drop just the oldest token would not do: what the deeper layers hold has been computed with it.)
#
# Now try the settings of section 3.4 on a model worth sampling from. Which temperature writes best? What does top-p do right after a capital letter?

# %%
def next_logits(prompt):
    with torch.no_grad():
        return gpt(shakespeare.encode(prompt[-64:])[None].to(device))[0, -1].cpu()


def write(prompt, n, **how):
    idx = shakespeare.encode(prompt)[None].to(device)
    return shakespeare.decode(gpt.generate(idx, n, **how)[0].cpu())


sampling_explorer(next_logits, shakespeare.vocabulary, "Ham.\nTo be, or ", write)

# %% [markdown]
# *The distribution of the next character after the prompt: outlines are the model's own, bars what is drawn from. In a running notebook it follows the prompt and the settings that you choose, and writes on.*
#
# ## 3.13 Looking inside: attention maps
#
# Each head's weights form a map: row $t$ says where position $t$ looks.

# %%
line = "Romeo.\nShe speaks: O, speak again, bright angel!"
maps = gpt.attention_maps(shakespeare.encode(line)[None].to(device))[:, 0].cpu()
attention_grid(maps, list(line));

# %% [markdown]
# *Layers from top to bottom, heads from left to right; dark is a large weight (the scale is stretched for small ones). Above the diagonal all is empty, which is causality. Many weights lie near the diagonal: the last few characters
# matter most. Dark marks away from it are earlier positions that a head picks out.*

# %%
attention_viewer(maps, list(line))

# %% [markdown]
# *Choose a layer, a head and a position, and see which characters it looks at. A map shows where information can come from; what is done with it, it does not show (Jain & Wallace 2019).*
#
# ## 3.14 Does anything look ahead?
#
# A frequent fault of autoregressive models is a leak: a mask off by one, and the model is told what it has to guess. The loss then looks splendid, and samples are rubbish. Reading the code seldom finds it, an experiment does: change one
# input, and see which outputs change. `depends_on` does that for each input. We take the chapter's networks in a small size, with random weights in double precision, so that no dependence hides behind a weight near zero or behind rounding.
#
# `depends_on` tests networks, not data. Targets that were not shifted, $y = x$, leak as well, and for those one looks at a batch.

# %%
def rough(model):
    """The same network with random weights, double precision, evaluation mode."""
    with global_seed(0):
        for p in model.parameters():
            torch.nn.init.normal_(p, std=0.3)
    return model.double().eval()


picture = torch.rand(1, 1, 6, 6, generator=seeded(0)).double()
phrase = torch.randint(9, (1, 20), generator=seeded(0))
tested = {
    "n-gram": (rough(m.NeuralNgram(9, context=6)), phrase, True),
    "GPT": (rough(m.GPT(9, block_size=20, layers=2, heads=2, width=16)), phrase, True),
    "MADE": (rough(m.MADE((1, 6, 6), hidden=128)), picture, False),
    "plain PixelCNN": (rough(m.PlainPixelCNN(8, 3, 3)), picture, False),
    "gated PixelCNN": (rough(m.PixelCNN(8, 3, 2, (1, 6, 6))), picture, False),
}
wrong = torch.nn.Sequential(m.MaskedConv2d(1, 4, 3, "B"), m.MaskedConv2d(4, 1, 3, "B"))
tested["mask B in the first layer"] = (rough(wrong), picture, False)

# %%
figure, axes = plt.subplots(2, 3, figsize=(9.5, 6.6), layout="constrained")
for ax, (name, (model, x, own)) in zip(axes.flat, tested.items(), strict=True):
    moved = m.depends_on(model, x)
    leak = m.find_leak(moved, own_input=own)
    found = leak and f"LEAK: output {leak[0]} depends on input {leak[1]}"
    print(f"{name}: {found or 'nothing looks ahead'}")
    ax.imshow(moved.numpy(), cmap="Blues", vmin=0, vmax=1.4)
    ax.plot([-0.5, len(moved) - 0.5], [-0.5, len(moved) - 0.5], color="black",
            linewidth=0.8)
    ax.set(title=name, xlabel="input (position)", ylabel="output (position)")
    ax.locator_params(integer=True)
figure.suptitle("Which output depends on which input (blue: it does)");

# %% [markdown]
# *For text, output $t$ predicts token $t + 1$ and may see input $t$, on the diagonal. For images output $d$ predicts pixel $d$ itself and may not. The last model has mask B in its first layer: its diagonal is blue, it is told every pixel
# that it should guess. White positions below the diagonal are out of a model's reach. The plain PixelCNN has more of them than the gated one: its blind spot.*

# %% [markdown]
# ## 3.15 From a record to a sentence
#
# Autoregressive models also turn one thing into another: a question into an answer, a table row into a report. The first neural systems that did so had two networks, one to read and one to write (Sutskever et al. 2014). One causal network does both, and nothing has to change: write the given part first, the **prefix**, and the wanted part after it; train on the wanted part only.
#
# The records are four years of weather in Seattle, 1,461 days. The sentences come from three templates of ours, so that it can be checked by machine whether a sentence says what the record says. A record holds month, sky, lowest and highest temperature in °C, water in mm and wind in m/s; "=" ends it. A token is a word, or a single digit.

# %%
# days with one and the same record count once
days, words = list(dict.fromkeys(weather.weather())), weather.Vocabulary()
print(weather.record(days[2]), *(weather.sentence(days[2], t) for t in range(3)),
      sep="\n")
order = torch.randperm(len(days), generator=seeded(0)).tolist()
held_out, known_days = [days[i] for i in order[:300]], [days[i] for i in order[300:]]


def pair(day, template):
    given = words.encode(weather.record(day))
    wanted = words.encode(weather.sentence(day, template) + "\n")
    whole = torch.cat([given, wanted])
    targets = whole[1:].clone()
    targets[: len(given) - 1] = m.IGNORED  # the record is given, not guessed
    return whole[:-1], targets


xs, ys = zip(*(pair(day, t) for day in known_days for t in range(3)), strict=True)
x = pad_sequence(xs, batch_first=True, padding_value=words.end_id)
y = pad_sequence(ys, batch_first=True, padding_value=m.IGNORED)
print(tuple(x.shape), "tokens;", len(words), "different ones;",
      f"{(y != m.IGNORED).float().mean():.0%} of the positions count")

# %%
with global_seed(0):
    reporter = m.GPT(len(words), block_size=x.shape[1], layers=3, heads=4,
                     width=64).to(device)
history = fit(reporter, minibatches(x, y, batch_size=32, seed=0),
              steps=scaled(default=400, smoke=5, full=4_000), lr=0.03)


def tell(days, T=1.0, seed=0):
    """One sentence per day; records of equal length go through the model together."""
    records = {day: words.encode(weather.record(day)) for day in days}
    said = {}
    for n in {len(given) for given in records.values()}:
        group = [day for day in days if len(records[day]) == n]
        prompts = torch.stack([records[day] for day in group]).to(device)
        written = reporter.generate(prompts, reporter.block_size - n, T=T, seed=seed)
        said |= {day: words.decode(row[n:].cpu())
                 for day, row in zip(group, written, strict=True)}
    return said


for day, said in tell(held_out[:3]).items():
    print(weather.record(day), "→", said)

# %% [markdown]
# **Faithful** is a sentence that states every field of its record and nothing else. We read the sentences back with the templates and compare, on 300 days that were not trained on.

# %%
def faithful(told):
    """The share of sentences that say what the record says, in percent."""
    wrong = {day: said for day, said in told.items()
             if weather.parse_sentence(said) != day}
    for day, said in list(wrong.items())[:5]:
        print("  ", weather.record(day), "→", said)
    return 100 * (1 - len(wrong) / len(told))


claim("faithful_sampled", faithful(tell(held_out, T=1.0)))
claim("faithful_greedy", faithful(tell(held_out, T=0.0)))

# %% [markdown]
# Sampled sentences are faithful in about {{faithful_sampled}} % of the cases, greedy ones in about {{faithful_greedy}} %. The first failures are shown, mostly fluent sentences with a wrong month or number. That is a **hallucination**: a sentence of the right form that the record does not support. The model gives a little probability to words that do not copy the record,
# and one draw in every so many hits them; the greedy choice rarely does. In most of them nothing gives the fault away but the record.
#
# It gets worse outside what the training data cover. Snow in July, 45 degrees, a storm at 30 m/s: no such day is in the data.

# %%
strange = [weather.Day("July", "snow", -3, 2, 14, 6),
           weather.Day("August", "sun", 28, 45, 0, 3),
           weather.Day("March", "rain", 4, 9, 8, 30)]
for seed in range(2):
    for day, said in tell(strange, seed=seed).items():
        right = weather.parse_sentence(said) == day
        print(weather.record(day), "→", said,
              "" if right else "  ← not what the record says")

# %% [markdown]
# Most of the marked sentences say something more usual than the record does: the storm becomes a wind of one digit, for one of two digits is next to unknown in the data. So a check against the source belongs to every such system, and an average over ordinary days says little about strange ones.
#
# ## 3.16 Transfer: a second author
#
# Suppose there is little text of the kind you want. Here it is the first 20,000 characters of *Moby-Dick*, from "Call me Ishmael". Train from scratch, or start from the GPT that has read Shakespeare? Both get the same number of steps; the learning rate for going on
# is smaller, so that what is known is not washed away. Characters that the Shakespeare does not have are dropped.

# %%
melville = text("melville", vocabulary=shakespeare.vocabulary, unknown="drop")
little = melville.train[:20_000]
before = validation_nats(gpt, melville.validation)
steps = scaled(default=60, smoke=3, full=500)
curves, transferred = {}, copy.deepcopy(gpt)
with global_seed(0):
    scratch = m.GPT(V, block_size=64, layers=3, heads=3, width=96).to(device)
for name, model, lr in (("from scratch", scratch, 0.03),
                        ("from Shakespeare", transferred, 0.006)):
    curves[name] = fit(model, windows(little, 64, 16, seed=0), steps=steps,
                       lr=lr)["loss"]
after = {"from scratch": validation_nats(scratch, melville.validation),
         "from Shakespeare": validation_nats(transferred, melville.validation)}
claim("transfer_before", before)
claim("transfer_scratch", after["from scratch"])
claim("transfer_after", after["from Shakespeare"])

# %%
ax = figures.curves(torch.arange(1, steps + 1),
                    {k: torch.tensor(v) for k, v in curves.items()}, "training step",
                    "nats per character", "Twenty thousand characters of Melville")
for i, (name, level) in enumerate(after.items()):
    ax.plot(steps, level, figures.MARKERS[i], color=figures.PALETTE[i], markersize=8,
            label=f"{name}: on held-out text")
ax.legend();

# %% [markdown]
# *Loss on the training batches, and, as single marks, on Melville that neither has read. Whoever has read Shakespeare knows words, and needs only the new manner.*
#
# With Shakespeare alone, Melville costs about {{transfer_before}} nats per character; with the little text alone, {{transfer_scratch}}; with both, {{transfer_after}}. Most of what counts is English, which both authors share. The training loss has fallen further than that of the held-out text: several passes over so little text begin to be
# learnt by heart. Three samples show what the numbers mean: look for words, for verse and speakers, for prose.

# %%
opening = shakespeare.encode("The whale ")[None].to(device)
for name, model in (("Shakespeare alone", gpt), ("from scratch", scratch),
                    ("both", transferred)):
    written = model.generate(opening, 160, T=0.7, seed=1)[0].cpu()
    print(f"--- {name} ---\n{shakespeare.decode(written)}\n")

# %% [markdown]
# ## 3.17 What scales
#
# Larger networks on more text are better, and remarkably regularly so: over many orders of magnitude the loss falls like a power of the number of parameters and of tokens (Kaplan et al. 2020, Hoffmann et al. 2022). The beginning of that line can be drawn here. Networks of
# four sizes are trained twice, once on few tokens and once on three times as many.

# %%
widths, budgets = (12, 24, 48, 96), (scaled(default=30, smoke=2, full=1_000),
                                     scaled(default=90, smoke=3, full=3_000))
results = {budget: [] for budget in budgets}
sizes = []
for width in widths:
    for budget in budgets:
        with global_seed(0):
            model = m.GPT(V, block_size=32, layers=2, heads=3, width=width).to(device)
        fit(model, windows(shakespeare.train, 32, 32, seed=0), steps=budget, lr=0.03)
        results[budget].append(validation_nats(model, block_size=32))
    sizes.append(sum(p.numel() for p in model.parameters()))
points = {f"{budget * 32 * 32:,} tokens": torch.tensor(losses)
          for budget, losses in results.items()}
ax = figures.curves(torch.tensor(sizes), points, "parameters",
                    "nats per character (validation)",
                    "Loss against size, for two amounts of text")
for i, y in enumerate(points.values()):
    ax.plot(sizes, y, figures.MARKERS[i], color=figures.PALETTE[i])
ax.set(xscale="log", yscale="log")
for axis in (ax.yaxis.set_major_formatter, ax.yaxis.set_minor_formatter):
    axis("{x:.1f}")

# %% [markdown]
# *Both axes are logarithmic, so that a power law is a straight line. A larger network is better after the same number of tokens, and each is better after more of them.*

# %%
fine = torch.tensor(results[budgets[1]]).log()
slope = torch.linalg.lstsq(torch.stack([torch.tensor(sizes).log(), torch.ones(4)], 1),
                           fine[:, None]).solution[0, 0]
claim("scaling_exponent", slope)
twice = 100 * (1 - 2**slope)
claim("twice_the_size", twice)

# %% [markdown]
# This is a line through four points, with the longer training. In this range the loss falls roughly like (number of parameters) to the power {{scaling_exponent}}: twice the parameters, about {{twice_the_size}} % less loss. Kaplan et al. (2020) found −0.076 over many orders of magnitude; that ours is
# near it means little, since our networks are far from trained to the end. Where such a line ends nobody can read off from its beginning: it cannot go below the entropy of the text (section 3.3).

# %% [markdown]
# ## 3.18 Likelihood is not sample quality
#
# A high likelihood and good samples are different things (Theis et al. 2016). Mix a good model with 99 % noise:
#
# $$p'(x) = 0.01\, p(x) + 0.99\, u(x), \qquad -\log p'(x) \le -\log p(x) + \log 100.$$
#
# Each image costs at most $\log 100 \approx 4.6$ nats more, little beside what an image costs at all. And 99 of 100 samples are noise. Here $u$ gives all images the same probability, $2^{-784}$.

# %%
# the mean test image; u gives every image 2^-784
log_p, log_u = -pixelcnn_nats, -784 * math.log(2)
mixture = torch.logaddexp(torch.tensor(log_p + math.log(0.01)),
                          torch.tensor(log_u + math.log(0.99))).item()
claim("mixture_cost", -mixture + log_p)
noise = (torch.rand(59, 1, 28, 28, generator=seeded(0)) > 0.5).float()
mixed = torch.cat([noise[:37], samples[:1].cpu(), noise[37:]])
figures.image_grid(mixed, columns=20,
                   title="Samples of a mixture under which test images cost "
                         f"{-mixture:.1f} nats");

# %% [markdown]
# *Sixty samples of which one is from the PixelCNN, rather more than the mixture would give. Yet a test image costs only {{mixture_cost}} nats more than under the PixelCNN alone: less than what lies between MADE and the PixelCNN in section 3.9.*
#
# The other way round: lowering the temperature makes samples look better, and more alike, and the likelihood worse, since what the sharpened model finds unlikely does occur.

# %%
with torch.no_grad():
    held, _ = m.next_token_pairs(shakespeare.validation, 64)
    logits = torch.cat([gpt(part.to(device)) for part in held[:200].split(50)])
targets = m.next_token_pairs(shakespeare.validation, 64)[1][:200].to(device)
temperatures = torch.linspace(0.4, 1.8, 15)
cost = torch.stack([m.sequence_nll(logits / T, targets).mean() for T in temperatures])
figures.curves(temperatures, {"validation": cost}, "temperature", "nats per character",
               "What another temperature costs in likelihood")
claim("best_temperature", temperatures[cost.argmin().cpu()])

# %% [markdown]
# *The loss of the GPT on validation text when its logits are divided by T. It is lowest near {{best_temperature}}, at or close to the 1 of training: on this held-out text the model is about as sure of itself as
# it may be. Samples that people like are usually drawn at a lower one.*
#
# ## 3.19 Limits, and which family when
#
# - **Turns.** Sampling is sequential. Caches and clever schedules make a turn cheap; they do not make turns parallel.
# - **Exposure.** In training the context is always real text, in sampling it is the model's own. A slip leads where no training text has been, and slips may add up (Ranzato et al. 2016).
# - **Order.** Asking for the first half given the second needs a model of that order.
# - **No code.** There is no $z$ to move along, though the activations of a large network hold much of what one wants from it.
#
# | | VAE ([chapter 1](01_vae.ipynb)) | GAN ([chapter 2](02_gan.ipynb)) | autoregressive |
# | --- | --- | --- | --- |
# | probability of an example | a lower bound | none | exact |
# | drawing a sample | one pass | one pass | one pass per part |
# | a code to move along | yes, and an encoder | yes, no encoder | none |
# | training | one loss, steady | a game, may fail | one loss, steady |
# | what goes wrong | smooth means, unused codes | missing modes | slips that are not revised |
#
# If the exact probability counts, or the data are sequences: this family. If a code counts: a VAE. If a sharp sample in one pass counts: a GAN.
#
# ## 3.20 Questions
#
# Think first, then open the answer.
#
# <details><summary>1. A model gives each of 65 characters the same probability. How many nats and bits does a character cost? How many a text of 1,000?</summary>
#
# log 65 = 4.17 (in nats), log₂ 65 = 6.02 (in bits). A text of 1,000 costs a thousand times that, for logarithms of a product add up.
# </details>
#
# <details><summary>2. Why may output t of a GPT depend on input t, and output d of a PixelCNN not on pixel d?</summary>
#
# Output t of the GPT predicts token t + 1, and token t comes before that. Output d of the PixelCNN predicts pixel d itself.
# </details>
#
# <details><summary>3. Your loss per character falls to 0.01 within a minute, and samples are rubbish. What do you test first?</summary>
#
# Whether the model is told what it has to guess: the mask, with `depends_on`; and a batch, whether the targets are shifted by one.
# </details>
#
# <details><summary>4. Why does top-p keep more tokens at some positions than at others, and why may that be better than top-k?</summary>
#
# Where the model is sure, one token holds probability p; where it is not, it takes many. A fixed k lets in junk at the first kind of position, and cuts good tokens at the second.
# </details>
#
# <details><summary>5. On short texts the training loss of section 3.3 was below the entropy of the source. Which theorem does that contradict?</summary>
#
# None. The entropy bounds the expected loss of a model that was chosen without seeing the text. Here the table was fitted to the very text on which it was measured.
# </details>
#
# <details><summary>6. A friend reports that his image model has a lower loss than yours, 0.11 against 86. What do you ask?</summary>
#
# Per pixel or per image? 86 divided by 784 pixels is 0.11. Then: nats or bits, which test images, how made binary, exact or a bound?
# </details>
#
# <details><summary>7. How would you erase the left half of a digit, rather than the lower half, and still draw from the exact conditional?</summary>
#
# What is known has to come first. Train on digits turned by a quarter, so that the right edge is on top; then the right half comes before the left, and the sampler stays as it is.
# </details>
#
# <details><summary>8. In section 3.15 the loss at the positions of the record is not counted. What would change if it were?</summary>
#
# The model would also learn which records there are, and could make up days of its own. Part of its capacity would go there, and the loss would no longer say how well it tells: numbers of a record cannot be foreseen.
# </details>
#
# Now the exercises: [`exercises/03_autoregressive.ipynb`](../exercises/03_autoregressive.ipynb).
#
# ## 3.21 Where this comes from
#
# Counting and neural n-grams:
#
# - C. E. Shannon, *A Mathematical Theory of Communication*, Bell System Technical Journal 27, 1948, and *Prediction and Entropy of Printed English*, 30, 1951: entropy, Markov sources, letters.
# - Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, *A Neural Probabilistic Language Model*, JMLR 3, 2003.
# - R. Sennrich, B. Haddow, A. Birch, *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016, [arXiv:1508.07909](https://arxiv.org/abs/1508.07909): pieces of words as tokens.
#
# Images and sound:
#
# - H. Larochelle, I. Murray, *The Neural Autoregressive Distribution Estimator*, AISTATS 2011.
# - M. Germain, K. Gregor, I. Murray, H. Larochelle, *MADE: Masked Autoencoder for Distribution Estimation*, ICML 2015, [arXiv:1502.03509](https://arxiv.org/abs/1502.03509).
# - A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, *Pixel Recurrent Neural Networks*, ICML 2016 (2016a), [arXiv:1601.06759](https://arxiv.org/abs/1601.06759): PixelCNN and its masks.
# - A. van den Oord et al., *Conditional Image Generation with PixelCNN Decoders*, NeurIPS 2016 (2016b), [arXiv:1606.05328](https://arxiv.org/abs/1606.05328): the blind spot and the two stacks.
# - A. van den Oord et al., *WaveNet: A Generative Model for Raw Audio*, 2016 (2016c), [arXiv:1609.03499](https://arxiv.org/abs/1609.03499).
# - P. Ramachandran et al., *Fast Generation for Convolutional Autoregressive Models*, 2017, [arXiv:1704.06001](https://arxiv.org/abs/1704.06001).
# - Y. Burda, R. Grosse, R. Salakhutdinov, *Importance Weighted Autoencoders*, ICLR 2016, [arXiv:1509.00519](https://arxiv.org/abs/1509.00519): the tighter bound of section 3.9.
#
# Attention and GPTs:
#
# - A. Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).
# - A. Radford et al., *Improving Language Understanding by Generative Pre-Training*, 2018, and *Language Models are Unsupervised Multitask Learners*, 2019: GPT and GPT-2.
# - O. Press, L. Wolf, *Using the Output Embedding to Improve Language Models*, EACL 2017, [arXiv:1608.05859](https://arxiv.org/abs/1608.05859): the tokens' vectors at both ends.
# - J. Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, 2021, [arXiv:2104.09864](https://arxiv.org/abs/2104.09864).
# - K. Jordan et al., *Muon: An optimizer for hidden layers in neural networks*, 2024, [kellerjordan.github.io/posts/muon](https://kellerjordan.github.io/posts/muon/).
# - S. Jain, B. C. Wallace, *Attention is not Explanation*, NAACL 2019, [arXiv:1902.10186](https://arxiv.org/abs/1902.10186).
# - J. Kaplan et al., *Scaling Laws for Neural Language Models*, 2020, [arXiv:2001.08361](https://arxiv.org/abs/2001.08361), and J. Hoffmann et al., *Training Compute-Optimal Large Language Models*, 2022, [arXiv:2203.15556](https://arxiv.org/abs/2203.15556).
#
# Writing, and what is written:
#
# - A. Fan, M. Lewis, Y. Dauphin, *Hierarchical Neural Story Generation*, ACL 2018, [arXiv:1805.04833](https://arxiv.org/abs/1805.04833): top-k. A. Holtzman et al., *The Curious Case of Neural Text Degeneration*, ICLR 2020, [arXiv:1904.09751](https://arxiv.org/abs/1904.09751): top-p.
# - I. Sutskever, O. Vinyals, Q. V. Le, *Sequence to Sequence Learning with Neural Networks*, NeurIPS 2014, [arXiv:1409.3215](https://arxiv.org/abs/1409.3215).
# - S. Wiseman, S. Shieber, A. Rush, *Challenges in Data-to-Document Generation*, EMNLP 2017, [arXiv:1707.08052](https://arxiv.org/abs/1707.08052), and J. Maynez et al., *On Faithfulness and Factuality in Abstractive Summarization*, ACL 2020, [arXiv:2005.00661](https://arxiv.org/abs/2005.00661): is what is told true?
# - M. Ranzato et al., *Sequence Level Training with Recurrent Neural Networks*, ICLR 2016, [arXiv:1511.06732](https://arxiv.org/abs/1511.06732): exposure.
# - L. Theis, A. van den Oord, M. Bethge, *A note on the evaluation of generative models*, ICLR 2016, [arXiv:1511.01844](https://arxiv.org/abs/1511.01844): likelihood and samples.
