# %% [markdown]
# # 3 · Autoregressive models
#
# Whatever consists of parts can be made one part at a time: a text letter by letter, an image pixel by pixel. A model that says how
# probable each next part is, given those before it, knows the probability of the whole exactly. You start by counting pairs of letters,
# then write a small GPT, every line of it, and train it on Shakespeare; cut text into tokens; make a model that answers; and draw digits.
#
# **You will be able to** train on all factors of a distribution at once; say in nats, bits and perplexity how good a model is, and what
# the best possible one would reach; build attention, a GPT, a tokenizer and a PixelCNN; sample fast; fine-tune; and find leaks.
#
# **You need** Python, a little PyTorch, and probabilities. Section 3.17 compares with [chapter 1](01_vae.ipynb), but does not need it. The
# exercises are in [`exercises/03_autoregressive.ipynb`](../exercises/03_autoregressive.ipynb), the answers in
# [`solutions/03_autoregressive.ipynb`](../solutions/03_autoregressive.ipynb).

# %%
import bz2
import collections
import copy
import itertools
import lzma
import math
import re
import time

import torch
import torch.nn.functional as F
from matplotlib.colors import ListedColormap
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

# %%
from gencourse import figures
from gencourse.claims import claim
from gencourse.data import binarised, images, minibatches, text, weather, windows
from gencourse.evaluation import bits_per_dim
from gencourse.models import autoregressive as m
from gencourse.runtime import global_seed, pick_device, scaled, seeded
from gencourse.training import check_model, fit
from gencourse.widgets import (
    attention_viewer, pixel_replay, sampling_explorer, sampling_strip)

device = pick_device()
print("running on", device)

# %% [markdown]
# ## 3.1 The chain rule
#
# First the goal: what this chapter's GPT writes when it is larger, sees more and is trained longer than yours will be. It ships with the course.

# %%
shakespeare = text("shakespeare")
longer = m.trained_gpt().to(device)
prompt = shakespeare.encode("Romeo.\n")[None].to(device)
print(shakespeare.decode(longer.generate(prompt, 300, T=0.8, seed=0)[0].cpu()))

# %% [markdown]
# It draws one character after another, each given those before. Nothing is lost by this: every joint distribution is a product of
# conditional ones,
#
# $$p(x_1, \dots, x_T) = p(x_1)\, p(x_2 \mid x_1)\, p(x_3 \mid x_1, x_2) \cdots = \prod_{t=1}^{T} p(x_t \mid x_{<t}),$$
#
# where $x_{<t}$ is short for $x_1, \dots, x_{t-1}$. This is no approximation, and it holds in every order. As a check, a table of three
# binary variables is split into conditionals and multiplied again, in two orders:

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
# - **The probability is exact.** $\log p(x) = \sum_t \log p(x_t \mid x_{<t})$, and each term comes from a classifier, whose softmax is
#   normalised over the few values of one part. (A VAE would have to integrate over every code $z$ that may have produced $x$, and settles
#   for a bound.)
# - **Training is supervised learning.** Every part of every example is a target, and the true parts before it are the input (*teacher
#   forcing*); no label is needed. One maximises the probability of the data: *maximum likelihood*, which is the same as minimising the
#   classifier's *cross-entropy*.
# - **Sampling is sequential.** Draw the first part, then the second given the first, and so on. What was drawn is not revised.
#
# ## 3.2 Counting letters
#
# The text is eight plays of Shakespeare. A **token** is a single character until section 3.12. The last tenth is kept for validation:
# the end of *Romeo and Juliet*, of which the training text has the rest, and all of *The Tempest*.

# %%
V = len(shakespeare.vocabulary)
print(shakespeare)
print(shakespeare.decode(shakespeare.train[60_000:60_400]))
tempest = shakespeare.decode(shakespeare.validation).index("THE TEMPEST")
plays = {"training text": shakespeare.train,
         "end of Romeo": shakespeare.validation[:tempest],
         "The Tempest": shakespeare.validation[tempest:]}

# %% [markdown]
# The simplest model that looks at anything looks at the character before: a **bigram** model, $p(x_t \mid x_{<t}) = p(x_t \mid x_{t-1})$.
# The table that makes the training text most probable is found by counting: of all characters that followed an "h", what share is "e"?

# %%
counts = m.bigram_counts(shakespeare.train, V)
bigram = m.bigram_probs(counts, alpha=0.1)  # what alpha is for is said below

shown = list("abcdefghijklmnopqrstuvwxyz .,'\n")
rows = shakespeare.encode("".join(shown))
figure, ax = figures.panels(height=6)
# the shades follow the square root, so that small probabilities can be seen
drawn = ax.imshow(bigram[rows][:, rows].sqrt().numpy(), cmap="Blues", vmin=0, vmax=1)
names = ["␣" if c == " " else "↵" if c == "\n" else c for c in shown]
ax.set_xticks(range(len(shown)), names)
ax.set_yticks(range(len(shown)), names)
ax.set(xlabel="next character", ylabel="character",
       title="p(next character given this one)")
bar = figure.colorbar(drawn, label="probability", shrink=0.8)
bar.set_ticks([0, 0.1**0.5, 0.3**0.5, 0.6**0.5, 1], labels=[0, 0.1, 0.3, 0.6, 1]);

# %% [markdown]
# *Each row is part of a distribution; capitals and rare characters are left out. A "q" is followed by a "u", a comma by a space (␣) or
# the end of the line (↵). The dark columns are "e" and the space, which follow many letters.*
#
# ### Nats, bits and perplexity
#
# The measure is the mean **negative log-likelihood** of text that was not used for counting,
#
# $$-\frac{1}{N} \sum_{t} \log p(x_t \mid x_{<t}),$$
#
# over the $N$ characters predicted: in nats per character, or in bits if divided by $\log 2$. Its exponential is the **perplexity**: a
# model of perplexity 8 is as unsure as one that chooses among 8 equally likely characters. With $V$ different characters, knowing nothing
# costs $\log V$.
#
# `alpha` is added to every count: a single pair with probability 0 in the validation text would make the mean infinite.

# %%
frequency = torch.bincount(shakespeare.train, minlength=V) + 0.1
alone = -(frequency / frequency.sum()).log()[shakespeare.validation].mean().item()
pairs = m.bigram_nll(bigram, shakespeare.validation)
print(f"nothing known: {math.log(V):.2f} nats, {math.log2(V):.2f} bits per character")
claim("unigram_nats", alone)
claim("bigram_nats", pairs)
claim("bigram_perplexity", math.exp(pairs))
print("without alpha:", m.bigram_nll(m.bigram_probs(counts), shakespeare.validation))
of_plays = {name: m.bigram_nll(bigram, part) for name, part in plays.items()}
print({name: round(value, 2) for name, value in of_plays.items()})
claim("bigram_romeo", of_plays["end of Romeo"])
claim("bigram_tempest", of_plays["The Tempest"])
small, cost = ~torch.tensor([c.isupper() for c in shakespeare.vocabulary]), {}
for name, part in plays.items():
    nats = -bigram.log()[part[:-1], part[1:]]
    cost[name] = nats[small[part[:-1]] & small[part[1:]]].mean()  # no capitals
claim("bigram_small_tempest", cost["The Tempest"])
claim("bigram_small_train", cost["training text"])

# %% [markdown]
# Frequencies of single characters bring the loss to {{unigram_nats}} nats, pairs to {{bigram_nats}}, a perplexity of
# {{bigram_perplexity}}. Validation text costs more than training text. That is not overfitting: the end of *Romeo and Juliet*, not counted
# either, costs {{bigram_romeo}}, no more than training text. It is *The Tempest*, {{bigram_tempest}} nats, mostly for pairs with a capital. Pairs without a capital cost
# {{bigram_small_tempest}} nats there and {{bigram_small_train}} in training text.
# "Held out" can mean more of the same or something new; say which.
#
# **How good is that?** Any such model is a compressor: *arithmetic coding* spends $-\log_2 p$ bits on each character. So ordinary
# compressors can be put on the same scale: how much longer does the file get when the validation text is appended to the training text?

# %%
seen_bytes = shakespeare.decode(shakespeare.train).encode()
new_bytes = shakespeare.decode(shakespeare.validation).encode()


def compressed_bits(compress, seen):
    longer_file = len(compress(seen + new_bytes)) - len(compress(seen))
    return 8 * longer_file / len(new_bytes)


# bzip2 works in blocks of 900,000 bytes: as much training text as leaves room
claim("bzip_bits", compressed_bits(bz2.compress, seen_bytes[-790_000:]))
claim("xz_bits", compressed_bits(lambda x: lzma.compress(x, preset=9), seen_bytes))
claim("bigram_bits", pairs / math.log(2))

# %% [markdown]
# bzip2 needs {{bzip_bits}} bits per character, xz {{xz_bits}}, the table of pairs {{bigram_bits}}. (Shannon, in 1951, had people guess the next of 27
# symbols, and put English between 0.6 and 1.3. Today's large models need less than one.)
#
# ## 3.3 A source that no model can beat
#
# How low can the loss go? For real text nobody knows. For a source that we make ourselves it is known. A **Markov source** draws
# each token by a table $P$ from the one before. $P_{ij}$ is the probability that $j$ follows $i$, and $\pi_i$ is how often $i$ occurs in a long run.
# Its **entropy rate**
#
# $$h = -\sum_i \pi_i \sum_j P_{ij} \log P_{ij}, \qquad \pi = \pi P,$$
#
# is the expected loss of the true model. Another table $q$ pays more, by exactly the mean of the divergence
# $\mathrm{KL}(p\,\|\,q) = \sum_j p_j \log(p_j/q_j)$ between the rows, which is never negative, and zero only for $p = q$:
#
# $$-\mathbb E \log q(x_t \mid x_{t-1}) = h + \sum_i \pi_i\, \mathrm{KL}(P_i \,\|\, q_i).$$
#
# For a table of counts theory says how large the excess is: each free number costs about $1/(2N)$ nats when $N$ tokens, many, were counted. Ours has
# three rows of two free numbers, so $3/N$. **Predict:** is the loss on the text that was counted too high or too low, and by how much?

# %%
source = m.MarkovSource(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1],
                                      [0.3, 0.3, 0.4]]))
fresh = source.sample(scaled(default=40_000, smoke=2_000, full=200_000), seed=100)
truth, sizes = source.P.float(), [30, 100, 300, 1_000, 3_000, 10_000]
excess = {"paid more on fresh text": [], "paid less on its own text": []}
for n in sizes:
    texts = [source.sample(n, seed=seed) for seed in range(20)]
    learned = [m.bigram_probs(m.bigram_counts(seen, 3), alpha=0.1) for seen in texts]
    # compared with the true table on the very same tokens
    above = [m.bigram_nll(q, fresh) - m.bigram_nll(truth, fresh) for q in learned]
    below = [m.bigram_nll(truth, seen) - m.bigram_nll(q, seen)
             for q, seen in zip(learned, texts, strict=True)]
    for name, values in zip(excess, (above, below), strict=True):
        excess[name].append(sum(values) / 20)
ax = figures.curves(torch.tensor(sizes), excess | {"3/N": 3 / torch.tensor(sizes)},
                    "tokens counted, N", "nats per token",
                    "How far counts are from the table that made the text")
figures.log_scale(ax, "both")
claim("source_entropy", source.entropy)
above_truth = excess["paid more on fresh text"]
law = [value * n / 3 for value, n in zip(above_truth, sizes, strict=True)]
claim("source_law", sum(law[2:]) / 4)

# %% [markdown]
# *Means over twenty texts of each length, compared with the true table on the same tokens. On fresh text the counts cost more, by about
# 3/N ({{source_law}} times that, from 300 tokens on). On the text that was counted they cost less than the truth, by about as much: they
# predict accidents that happened.*
#
# On average no model of this source gets below its entropy, {{source_entropy}} nats, on fresh text. Two lessons: compare losses on text that was not
# trained on; and a loss that stops falling may have reached the entropy rather than the limit of the model.
#
# ## 3.4 Sampling: temperature, top-k, top-p
#
# A network gives **logits**, one number per token; their softmax $p_i = e^{l_i} / \sum_j e^{l_j}$ are the probabilities. (For a table, take
# logarithms.) A token is drawn from $p$, or, on purpose, from something else:
#
# - **temperature** $T$ (not the length $T$ of section 3.1) divides the logits: $p_i^{1/T}$, normalised. $T < 1$ sharpens, $T > 1$
#   flattens, and $T \to 0$ is **greedy**: always the most likely;
# - **top-k** keeps the $k$ most likely tokens and cuts the rest;
# - **top-p** keeps as many of the most likely as are needed to reach probability $p$: few where the model is sure, many where it is not.
#
# What is kept is normalised again.

# %%
after_t = bigram[shakespeare.encode("t")[0]].log()
temperatures = {"plain": {}, "T = 0.5": {"T": 0.5}, "T = 1.5": {"T": 1.5}}
filters = {"top-k = 5": {"top_k": 5}, "top-p = 0.8": {"top_p": 0.8}}
sampling_strip(after_t, shakespeare.vocabulary, temperatures | filters);

# %% [markdown]
# *What follows a "t", by the bigram model. Outlines are the model's own probabilities, bars what is drawn from, crosses what can no longer be
# drawn. Above each panel stands the entropy $-\sum_i p_i \log p_i$: low temperature, top-k and top-p lower it, high temperature raises it.*
#
# Divide logits, not probabilities: probabilities that are divided and normalised again are what they were.
#
# To write, the model needs something to start from, a **prompt**, here the letter "T". Each token drawn is appended.

# %%
def bigram_logits(idx):
    return bigram[idx].log()


start = shakespeare.encode("T")[None]
for T in (1.0, 0.5, 0.0, 2.0):
    written = m.generate(bigram_logits, start, 110, block=1, T=T, generator=seeded(1))
    print(f"T = {T:g}: {shakespeare.decode(written[0])!r}")

# %% [markdown]
# At $T = 1$ pairs of letters have the right frequencies, and few of the words exist. $T = 0.5$ keeps to common pairs, $T = 2$ brings
# in rare ones. Greedy text runs in a circle as soon as a character returns, since the last one is all that the model remembers. What is
# missing is not a better way to sample, but context.
#
# (Another rule, *min-p*, keeps what has at least a given share of the largest probability.)
#
# ## 3.5 More context: a neural n-gram
#
# A table for five characters of context has $V^6$ entries, nearly all of them never seen. A network shares what it learns:
# each character becomes a learned vector, its **embedding**; the vectors of the last $n$ go through a small network, and similar contexts get
# similar predictions (Bengio et al. 2003). The gradient of the cross-entropy with respect to the logits could not be simpler,
#
# $$\frac{\partial}{\partial l_i} \big(-\log p_y\big) = \frac{\partial}{\partial l_i} \Big(-l_y + \log \textstyle\sum_j e^{l_j}\Big) = p_i - [i = y],$$
#
# the probabilities, minus 1 for the token that came. Autograd agrees:

# %%
logits = torch.tensor([[2.0, 0.0, -1.0]], requires_grad=True)
F.cross_entropy(logits, torch.tensor([1])).backward()
print("autograd:", logits.grad)
print("p - y:   ", logits.detach().softmax(-1) - torch.tensor([[0.0, 1.0, 0.0]]))


# %%
def validation_nats(model, tokens=shakespeare.validation, block_size=64, most=600):
    """The mean loss over windows of held-out text, nats per character."""
    x, y = m.next_token_pairs(tokens, block_size)
    count = min(len(x), scaled(default=most, smoke=20, full=len(x)))
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
    print(f"context {n}: {ngrams[n]:.2f} nats; a table has {V ** (n + 1):,} entries")
claim("ngram_nats", ngrams[6])
claim("ngram_one", abs(ngrams[1] - pairs))

# %% [markdown]
# With one character of context the network finds what counting found: the losses differ by less than {{ngram_one}} nats. With
# six it reaches about {{ngram_nats}} nats, where a table would have nearly sixteen million entries for every character of the training text.
# (Three do almost as well after so few steps.)
#
# ## 3.6 Attention
#
# The n-gram looks at a fixed number of characters, side by side. **Attention** (Bahdanau et al. 2015; Vaswani et al. 2017) can look at
# any of them, and decides by content at which. Every position $t$ holds a vector $x_t$, from which three learned matrices make three others:
#
# - a **query** $q_t = W_q x_t$: what this position looks for;
# - a **key** $k_t = W_k x_t$: what it can be found by;
# - a **value** $v_t = W_v x_t$: what it has to give.
#
# The better the query at $t$ fits the key at $s$, the larger the weight $w_{ts}$. What $t$ receives is the weighted mean of the values.
# With $d$ numbers in each query and key:
#
# $$w_{ts} = \operatorname{softmax}_{s \le t}\left(\frac{q_t \cdot k_s}{\sqrt d}\right), \qquad \text{out}_t = \sum_{s \le t} w_{ts}\, v_s.$$

# %%
figures.query_key_value();

# %% [markdown]
# *Attention at one position t. Its query is compared with the key of every position up to t; a softmax turns the scores into weights, and
# the values are averaged with them. Later positions do not take part: this is the causal mask.*
#
# **By hand.** Three tokens, "t", "h", "e", with $d = 4$, so $\sqrt d = 2$. Stand at the last one, whose query is $q_3 = (2, 1, 0, 0)$:
#
# | token | key | value | $q_3 \cdot k_s$ | divided by 2 | $e^{\dots}$ | weight |
# | --- | --- | --- | --- | --- | --- | --- |
# | t | (2, 0, 0, 0) | (1, 0) | 4 | 2 | 7.39 | 0.665 |
# | h | (0, 2, 0, 0) | (0, 1) | 2 | 1 | 2.72 | 0.245 |
# | e | (0, 0, 2, 0) | (1, 1) | 0 | 0 | 1 | 0.090 |
#
# The weights are the sixth column divided by its sum, 11.11. The output is 0.665 · (1, 0) + 0.245 · (0, 1) + 0.090 · (1, 1) = (0.755, 0.335).
# **Do one yourself:** what does the second position, "h", receive if its query is (0, 0, 9, 0)? In code:

# %%
def attention(q, k, v):  # (..., T, d) each
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    T = scores.shape[-1]
    later = torch.ones(T, T, dtype=torch.bool, device=q.device).triu(1)
    weights = scores.masked_fill(later, -torch.inf).softmax(-1)
    return weights @ v


q = torch.tensor([[1.0, 0, 0, 0], [0, 0, 9, 0], [2, 1, 0, 0]])
k = 2 * torch.eye(3, 4)
v = torch.tensor([[1.0, 0], [0, 1], [1, 1]])
print(attention(q, k, v))
q, k, v = (torch.randn(1, 6, 16, generator=seeded(i)) for i in range(3))
theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True)
claim("attention_difference", (attention(q, k, v) - theirs).abs().max())

# %% [markdown]
# The three rows are the three positions, and PyTorch's own function agrees to {{attention_difference}}. ("h" gets the mean of two values: what it looks for stands at "e", in the future, and its scores for "t" and "h" are 0.) The mask sets scores to $-\infty$
# *before* the softmax. If weights were set to zero after it, later positions would still have counted in the denominator.
#
# **Why divide by $\sqrt d$?** The product of two vectors of $d$ independent standard normal numbers has standard deviation $\sqrt d$. With
# scores so large, the softmax puts nearly all weight on one position, and its gradient vanishes.

# %%
for d in (4, 64, 1024):
    q, k = (torch.randn(300, d, generator=seeded(seed)) for seed in (0, 1))
    scores = q @ k.T
    largest = [s[:, :16].softmax(-1).amax(-1).mean().item()
               for s in (scores, scores / math.sqrt(d))]
    print(f"d = {d:4d}: scores have std {scores.std():5.1f}; largest of 16 weights "
          f"{largest[0]:.2f}, with the division {largest[1]:.2f}")

# %% [markdown]
# **Heads.** One weighted mean mixes whatever it looks at. To look at several things separately, each query, key and value, $C$ numbers, is cut into $H$ pieces of $d
# = C/H$, one for each of $H$ attentions, the **heads**; a last matrix mixes what they bring.
#
# ## 3.7 Positions
#
# A weighted mean does not know in which order its terms came. If the earlier characters are shuffled, the last position of one layer
# receives the same. So positions are marked, by **rotary positions** (Su et al. 2021): take the numbers of queries and keys in pairs, and
# turn each pair by an angle proportional to the position $t$, like hands of clocks that run at different speeds,
#
# $$R(\alpha) = \begin{pmatrix} \cos\alpha & -\sin\alpha \\ \sin\alpha & \cos\alpha \end{pmatrix}, \qquad
# \text{pair } i \text{ by } \alpha = \theta_i t, \quad \theta_i = b^{-2i/d}.$$
#
# Rotations add up, $R(\alpha) R(\beta) = R(\alpha + \beta)$, and the transpose turns back, $R(\alpha)^\top = R(-\alpha)$. So a query at $t$
# meets a key at $s$ as
#
# $$\big(R(\theta t)\, q\big) \cdot \big(R(\theta s)\, k\big) = q^\top R(\theta t)^\top R(\theta s)\, k = q^\top R\big(\theta (s - t)\big)\, k :$$
#
# only the distance is left. Attention can learn "three back", wherever that is. The base $b$ sets the slowest clock; the paper has
# 10,000, and 1,000 does for our short windows.

# %%
def rotate(x, base=1000.0):  # (..., T, d): pair i is (x[i], x[i + d/2])
    T, half = x.shape[-2], x.shape[-1] // 2
    rates = base ** (-torch.arange(half, device=x.device) / half)
    angles = torch.arange(T, device=x.device)[:, None] * rates
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * angles.cos() - b * angles.sin(),
                      a * angles.sin() + b * angles.cos()], -1)


q, k = (torch.randn(32, generator=seeded(seed)) for seed in (0, 1))
products = rotate(q.expand(40, 32)) @ rotate(k.expand(40, 32)).T
three_back = products.diagonal(-3)  # query at t, key at t - 3
claim("three_back_spread", three_back.max() - three_back.min())
claim("rotation_difference", (rotate(q.expand(40, 32))
                              - m.apply_rotary(q.expand(40, 32))).abs().max())

# %%
figure, (left, right) = figures.panels(2, height=3)
distance = torch.arange(41)
figures.curves(distance, {f"pair {i}": (distance * 1000 ** (-i / 16)).cos()
                          for i in (0, 4, 8, 12)},
               "distance t − s (positions)", "product of one pair",
               "q = k = (1, 0), for four clocks", ax=left)
left.set_ylim(-1.1, 1.8)
left.legend(ncols=2, loc="upper right")
figures.curves(distance[:40], {"all 16 pairs": products[39].flip(0)},
               "distance t − s (positions)", "q · k", "A random query and key",
               ax=right);

# %% [markdown]
# *Left: the product of one pair over the distance; fast clocks tell neighbours apart, slow ones near from far. Right: the whole product
# for one query and one key, the same wherever they stand: three back, it varies by less than {{three_back_spread}}.* The package's function agrees
# to {{rotation_difference}}.
#
# (The first GPTs added a learned vector for each position to the embedding. A *stack* of causal layers knows a little of positions even
# without: later layers see how much the earlier ones saw; Haviv et al. 2022.)
#
# ## 3.8 A GPT, built
#
# A **GPT** (Radford et al. 2018, 2019) is a stack of blocks on a **residual stream**: one vector per position, which starts as the embedding of the
# token. Each block reads the stream and *adds* to it, twice: what attention gathers from earlier positions, and what a small network (MLP)
# makes of each position alone.

# %%
figures.gpt_block();

# %% [markdown]
# *A block. Along the bottom runs the residual stream; attention and MLP each read it through a norm, and add their result.*
#
# The **norm** subtracts the mean of a vector's $C$ numbers, divides by their standard deviation, and applies a learned factor and offset
# (*LayerNorm*), so that what the parts read is always of one size. The MLP widens four times, applies GELU (a smooth ReLU, $x\,\Phi(x)$ with the
# normal distribution function), and narrows again. First attention with heads:

# %%
class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (
            nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x):  # (B, T, C)
        q, k, v = (part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for part in (self.q, self.k, self.v))  # (B, heads, T, C / heads)
        gathered = attention(rotate(q), rotate(k), v)
        return self.out(gathered.transpose(1, 2).flatten(2))  # heads side by side


# %% [markdown]
# The block is the diagram, line by line:

# %%
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width, bias=False), nn.GELU(),
                                 nn.Linear(4 * width, width, bias=False))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))  # look back
        return x + self.mlp(self.norm2(x))  # each position by itself


# %% [markdown]
# The whole model: embeddings, blocks, a last norm, and a **read-out** that compares the stream with the embedding of every token; these
# products are the logits. One matrix serves at both ends (*tied*; Press & Wolf 2017). Position $t$ predicts token $t + 1$, at all
# positions of a window at once, and the loss is the cross-entropy, one value per window. The first weights are small, and smaller still
# where many terms add up on the stream.

# %%
def start_small(model, layers):
    for name, p in model.named_parameters():
        if p.ndim == 2:
            adds = name.endswith(("out.weight", "mlp.2.weight"))
            nn.init.normal_(p, std=0.02 / (2 * layers) ** (0.5 if adds else 0))


# %%
class MyGPT(nn.Module):
    def __init__(self, vocab_size, layers, heads, width):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        start_small(self, layers)

    def forward(self, idx):  # tokens (B, T) -> logits (B, T, V)
        x = self.token_embedding(idx)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.token_embedding.weight.T

    def loss(self, x, y):  # y is x, one position later
        nll = F.cross_entropy(self(x).flatten(0, 1), y.flatten(), reduction="none")
        return {"loss": nll.view(y.shape).mean(1)}

    def players(self, lr):  # how `fit` shall train it: section 3.9
        return m.GPT.players(self, lr)


# %% [markdown]
# That is all of it. The package's `m.GPT` has, in addition, a cache and errors that explain themselves. With the same weights the logits
# must be the same. The number of parameters: four matrices of $C \times C$ and two of $C \times 4C$ in each of $L$ blocks, $12 L C^2$;
# then $VC$ for the embeddings, and $2C$ for each norm.

# %%
sizes = {"layers": 3, "heads": 3, "width": 96}
with global_seed(0):
    mine, theirs = MyGPT(V, **sizes), m.GPT(V, block_size=64, **sizes)
mine.load_state_dict(theirs.state_dict())
x, y = next(windows(shakespeare.train, 64, 8, seed=0))
with torch.no_grad():
    claim("gpt_difference", (mine(x) - theirs(x)).abs().max())
L, C = 3, 96
count = sum(p.numel() for p in mine.parameters())
by_hand = 12 * L * C**2 + V * C + (2 * L + 1) * 2 * C
print(f"{count:,} parameters, {by_hand:,} by counting")
own = mine(x).detach().gather(2, x[..., None]).mean()
print(f"untrained loss {mine.loss(x, y)['loss'].mean():.3f}, log V {math.log(V):.3f}; "
      f"mean logit of the present token {own:.2f}, of all {mine(x).mean():.2f}")

# %% [markdown]
# The logits differ by less than {{gpt_difference}}. A model that expects all tokens equally has a loss of $\log V$. Ours is a little above:
# random logits are not all equal. As one matrix serves at both ends, an untrained model expects each token to come again. What that costs elsewhere, double letters partly win back.
#
# (Most models today take *RMSNorm*, which subtracts no mean, for LayerNorm, and *SwiGLU*, an MLP with a gate, for GELU. In a *mixture of
# experts* each token passes through a few of many MLPs.)
#
# Last, the sampling loop: show the model the last 64 tokens, draw the next one from its last logits, append it.

# %%
@torch.no_grad()
def write(model, idx, n, T=1.0, seed=0):
    generator = seeded(seed)
    for _ in range(n):
        logits = model(idx[:, -64:])[:, -1]  # of the last position
        p = (logits.cpu() / T).softmax(-1)
        drawn = torch.multinomial(p, 1, generator=generator)
        idx = torch.cat([idx, drawn.to(idx.device)], 1)
    return idx


mine, theirs = mine.to(device), theirs.to(device)
same = write(mine, prompt, 50, seed=1) == theirs.generate(prompt, 50, seed=1)
print("the same fifty characters as the package draws:", same.all().item())
check_model(mine, (x.to(device), y.to(device)))

# %% [markdown]
# ## 3.9 A GPT, trained
#
# A batch is twenty windows of 64 characters from anywhere in the text, and every position is a target. The matrices of the blocks are
# trained by **Muon** (Jordan et al. 2024): it averages the gradient over steps (momentum), and sets all singular values of this mean, $G
# = U S V^\top$, to about 1: $U V^\top$, a step of equal size in all directions. Embeddings and norms are trained by Adam, at a fifth of the
# learning rate, and both rates fall to zero.
#
# Large trainings add **warm-up** (the rate first rises), **clipping** (a gradient that is too long is shortened), **weight decay** (weights
# shrink a little in each step; with Adam: AdamW) and, where text is scarce, **dropout** (some numbers in the network, chosen at random, are set
# to zero). In half a pass over the text we need none of them.

# %%
steps = scaled(default=360, smoke=10, full=20_000)
diary, curve = {}, {}


def look(step):
    if step % (steps // 9) == 0 or step == steps:
        mine.eval()
        curve[step] = validation_nats(mine, most=100)
        if step // (steps // 9) in (0, 1, 3):
            written = write(mine, prompt, 150, T=0.8, seed=3)[0]
            diary[step] = shakespeare.decode(written.cpu())
        mine.train()


text_batches = windows(shakespeare.train, 64, batch_size=20, seed=0)
history = fit(mine, text_batches, steps=steps, lr=0.03, on_step=look)
look(steps)
diary[steps] = shakespeare.decode(write(mine, prompt, 150, T=0.8, seed=3)[0].cpu())

# %%
ax = figures.panels(height=3.6)[1]
trained, held_out = torch.tensor(history["loss"]), torch.tensor(list(curve.values()))
ax.plot(range(1, len(trained) + 1), trained, color="0.75", linewidth=0.8,
        label="training batches")
ax.plot(list(curve), held_out, "o-", color=figures.PALETTE[1], label="validation text")
for name, level in {"bigram": pairs, "six characters": ngrams[6]}.items():
    ax.axhline(level, color="black", linewidth=0.8, linestyle=":")
    ax.annotate(name, (steps, level), ha="right", va="bottom", fontsize="small")
ax.set(xlabel="training step", ylabel="nats per character",
       title="The GPT learns to write")
ax.legend();

# %% [markdown]
# *The loss on each training batch and, ten times, on validation text. Dotted: validation losses of the table of pairs and of the n-gram,
# which had less training. It starts near log V, passes both, and falls ever more slowly.*

# %%
for step, written in diary.items():
    print(f"--- after {step} steps ---\n{written}\n")

# %% [markdown]
# The same prompt, the same random numbers: first noise, at last words, many of them real, and the form of a play. Hardly a sentence means
# anything. Models that make sense minimise the same loss with much the same parts, but far more parameters, text and time.
#
# Your weights now go into the package's model, which can keep a cache. What does each kind of text cost?

# %%
gpt = m.GPT(V, block_size=64, **sizes).to(device)
gpt.load_state_dict(mine.state_dict())
gpt.eval()
gpt_nats = validation_nats(gpt)
claim("gpt_nats", gpt_nats)
claim("gpt_bits", bits_per_dim(gpt_nats, 1))
claim("gpt_perplexity", math.exp(gpt_nats))
of_plays = {name: validation_nats(gpt, part) for name, part in plays.items()}
claim("gpt_train", of_plays["training text"])
claim("gpt_romeo", of_plays["end of Romeo"])
claim("gpt_tempest", of_plays["The Tempest"])
longer_nats = validation_nats(longer, block_size=longer.block_size)
claim("longer_bits", bits_per_dim(longer_nats, 1))

# %% [markdown]
# {{gpt_nats}} nats: {{gpt_bits}} bits per character, perplexity {{gpt_perplexity}}. The GPT that ships, larger and trained longer, needs {{longer_bits}}
# bits. bzip2 needs fewer than either (section 3.2). It sorts the new play with 790,000 characters of training text, and so may learn
# from the play itself; a GPT's weights stand still, its window is short, and yours had a minute. On training text yours pays
# {{gpt_train}} nats and on the end of *Romeo and Juliet*, which it has not seen, {{gpt_romeo}}, about the same: little is memorised yet. *The Tempest*
# costs {{gpt_tempest}} (on other windows than all of it above): the gap is the other play.
#
# ### Is it only copying?
#
# What is the longest string that a sample shares with the training text? And one that real, held-out text shares, since phrases recur?

# %%
read = shakespeare.decode(shakespeare.train)


def longest_shared(piece):
    """The longest part of a text that occurs in the training text word for word."""
    best = ""
    for i in range(len(piece)):
        while i + len(best) < len(piece) and piece[i : i + len(best) + 1] in read:
            best = piece[i : i + len(best) + 1]
    return best


n = scaled(default=500, smoke=50, full=2_000)
written = shakespeare.decode(
    gpt.generate(prompt, n, T=0.8, seed=4)[0, prompt.shape[1] :].cpu())
real = shakespeare.decode(shakespeare.validation[50_000 : 50_000 + n])
for name, piece in (("written by the GPT", written), ("held-out text", real)):
    print(f"{name}: {longest_shared(piece)!r}")

# %% [markdown]
# A few words in a row, in both: this sample does not recite.
#
# ### What does context buy, and what temperature?
#
# **Predict:** what is the loss at the first position of a window, which has one character to go by? And what share of the words that
# it writes are real, that is, occur in the training text?

# %%
lexicon = set(re.findall("[a-z]+", read.lower()))


def real_words(pieces):
    """The share of words that occur in the training text, in percent."""
    found = [w for p in pieces for w in re.findall("[a-z]+", p.lower())[1:-1]]
    return 100 * sum(w in lexicon for w in found) / max(1, len(found))


def pieces_at(T):
    n = scaled(default=150, smoke=20, full=500)
    rows = gpt.generate(prompt.repeat(16, 1), n, T=T, seed=5)
    return [shakespeare.decode(row[prompt.shape[1] :].cpu()) for row in rows]


x, y = m.next_token_pairs(shakespeare.validation, 64)
with torch.no_grad():
    logits = torch.cat([gpt(part.to(device)).cpu() for part in x[::3].split(100)])
at_position = F.cross_entropy(logits.transpose(1, 2), y[::3], reduction="none").mean(0)
heats = (0.2, 0.5, 0.8, 1.0, 1.3)
shares = [real_words(pieces_at(T)) for T in heats]

# %%
figure, (left, right) = figures.panels(2, height=3.2)
figures.curves(torch.arange(1, 65), {"GPT": at_position},
               "characters of context", "nats per character",
               "Loss at each position of the window", ax=left)
left.axhline(pairs, color="black", linewidth=0.8, linestyle=":")
left.annotate("bigram", (64, pairs), ha="right", va="bottom", fontsize="small")
figures.curves(torch.tensor(heats), {"GPT": torch.tensor(shares)},
               "temperature", "real words, %", "Words that are words", ax=right)
level = real_words([shakespeare.decode(plays["The Tempest"][:20_000])])
right.axhline(level, color="black", linewidth=0.8, linestyle=":")
right.annotate("The Tempest", (1.3, level), ha="right", va="bottom", fontsize="small")
claim("first_position", at_position[0])
claim("sixth_position", at_position[4:7].mean())  # one position alone is noisy
claim("late_positions", at_position[32:].mean())
claim("words_cold", shares[1])
claim("words_plain", shares[3])

# %% [markdown]
# *Left: with one character of context the loss is {{first_position}} nats, a little above the table of pairs; with five to seven
# {{sixth_position}}, and {{late_positions}} over the second half of the window: this model gains little from more than the last few characters.
# Right: at temperature 1 about {{words_plain}} % of its words are real, at 0.5 about {{words_cold}} %. Dotted: The Tempest itself, where new
# words count as unreal; repetition (section 3.4) counts as real.*
#
# ### What the parts are worth
#
# A smaller GPT, two layers of width 64, trained in five ways for 120 steps, three seeds each. Each way has its own learning rate, chosen on a
# part of the training text with one other seed: each rate about 1.6 times the last, until the best had a worse one on both sides. With
# *two rates* the matrices have one tuned for Adam, and embeddings and norms keep the one that they have beside Muon; *warm-up* is over 20 steps. (Recorded, like others below.)

# %%
recorded = m.recorded("optimizers")
for name, row in recorded["rows"].items():
    shown = ", ".join(f"{value:.3f}" for value in row["nats"])
    print(f"{name:24} lr {row['lr']:<6} {shown}")
means = {name: sum(row["nats"]) / 3 for name, row in recorded["rows"].items()}
claim("muon_nats", means["Muon"])
claim("adam_nats", means["Adam"])
claim("two_rates_nats", means["Adam, two rates"])
claim("no_positions_nats", means["Muon, no positions"])
cost = {name: recorded["rows"][name]["milliseconds"] for name in ("Muon", "Adam")}
claim("muon_step", 100 * (cost["Muon"] / cost["Adam"] - 1))

# %% [markdown]
# Muon reaches {{muon_nats}} nats on validation text, Adam alone {{adam_nats}}, with two rates {{two_rates_nats}}: giving embeddings the rate of
# Muon's run closes less than half of the gap. Warm-up gains nothing here. A step of Muon took at most {{muon_step}} % longer in four runs. Without positions it is
# {{no_positions_nats}}: after so few steps, to know which characters came, but hardly in which order, is worth little more than to know the last.
#
# ## 3.10 Sampling with a cache, and what attention costs
#
# For each token our loop runs the network over all tokens so far, though keys and values of the earlier ones have been computed before. A
# **KV cache** keeps them: each step computes one position, whose query looks at the stored keys. No earlier position depends on a later
# one, so the logits are the same, to {{cache_difference}}.

# %%
idx = shakespeare.validation[:64][None].to(device)
caches = [m.KVCache(gpt.block_size) for _ in gpt.blocks]
with torch.no_grad():
    one_by_one = torch.cat([gpt(idx[:, t : t + 1], caches) for t in range(64)], 1)
    claim("cache_difference", (one_by_one - gpt(idx)).abs().max())


def gain(batch):  # the best of five with each, in turns
    times, n = {False: [], True: []}, scaled(default=57, smoke=5, full=57)
    for cached in [False, True] * 5:
        start_time = time.perf_counter()
        gpt.generate(prompt.repeat(batch, 1), n, cached=cached)
        times[cached].append(time.perf_counter() - start_time)
    return min(times[False]) / min(times[True])


gains = {batch: gain(batch) for batch in (1, 32)}
claim("cache_gain", gains[32], device=device)
claim("cache_gain_one", gains[1], device=device)
print(f"bytes of cache per position: {2 * L * C * 4:,}")

# %% [markdown]
# For 32 texts at once the cache makes sampling about {{cache_gain}} times as fast on a CPU, for a single text only about
# {{cache_gain_one}} times. The arithmetic shrinks by nearly the mean length of the context, some 30 times in both cases. What a cache does not save:
# the first pass over the prompt; reading every weight, and every stored key and value, for each token; and starting hundreds of small
# operations per token, which for a single text takes nearly all of the time. So the gain grows with the number of texts and with
# the length of the context (`benchmarks/README.md`), and differs between machines.
#
# **In time and memory.** A network of $N$ parameters computes about $2N$ operations per token in its matrices. Attention adds $4TC$ per layer for a token that looks at $T$ others, as
# much as the matrices at $T \approx 6C$; over a text that grows as $T^2$. The weights $w_{ts}$, too, are
# $T^2$ numbers per head; *FlashAttention* computes them block by block and never stores them. The cache holds two vectors per layer and
# position, $2LC$ numbers: ours two kilobytes, but with 80 layers of 8,192 channels in two bytes each 2.6 megabytes *per token*. Hence heads that
# share their keys and values (*grouped-query attention*).
#
# **When the window is full**, `generate` starts anew with its last half. A *sliding window* drops the oldest position instead;
# the deeper layers still hold what was computed with it, so models for such use are trained that way.
# **Recurrent networks** carry a state of fixed size from token to token: constant memory and time per token, but what is not in the state is gone,
# and training is sequential. *State space models* such as Mamba have a recurrence that is trained in parallel. And in *speculative decoding* a
# small model proposes several tokens, which the large one checks in one pass; the distribution stays exactly its own.
#
# Now try the settings of section 3.4 on a better model, the one of section 3.1. Which temperature writes best?

# %%
def next_logits(prompt):
    with torch.no_grad():
        idx = shakespeare.encode(prompt[-longer.block_size :])[None].to(device)
        return longer(idx)[0, -1].cpu()


def write_on(prompt, n, **how):
    idx = shakespeare.encode(prompt)[None].to(device)
    return shakespeare.decode(longer.generate(idx, n, **how)[0].cpu())


# %% tags=["widget"]
sampling_explorer(next_logits, shakespeare.vocabulary, "Ham.\nTo be, or ", write_on)

# %% [markdown]
# *The distribution of the next character: outlines are the model's own, bars what is drawn from. In a running notebook it follows the
# prompt and the settings that you choose, and writes on.*
#
# ## 3.11 Looking inside
#
# Each head's weights form a map: row $t$ says where position $t$ looks.

# %% tags=["widget"]
line = "Romeo.\nO, speak again, bright angel!"
maps = gpt.attention_maps(shakespeare.encode(line)[None].to(device))[:, 0].cpu()
attention_viewer(maps, list(line))

# %% [markdown]
# *Layers from top to bottom, heads from left to right; dark is a large weight (small ones are stretched). Above the diagonal all is empty:
# causality. In a running notebook choose a layer, a head and a position. A map shows where information can come from, not what is done
# with it (Jain & Wallace 2019).*
#
# Two kinds of head are known from larger models. A **previous-token head** looks one position back. An **induction head** (Olsson et al. 2022) looks
# for the last time that the present token occurred, and at what came *after* it: "… bright angel … bright" → "angel". So transformers repeat a
# name that they have met once. To look for it, give the model random letters, none twice, and then the same again: in the second copy it
# looks back by one less than the period. **Do our heads do that?**

# %%
P = 24
once = torch.rand(64, 26, generator=seeded(0)).argsort(1)[:, :P]  # no letter twice
twice = shakespeare.encode("abcdefghijklmnopqrstuvwxyz")[once].repeat(1, 2).to(device)
found, gained = {}, {}
for name, model in (("yours", gpt), ("the one that ships", longer)):
    seen = model.attention_maps(twice).mean(1)[:, :, P:].flatten(0, 1).cpu()
    later = torch.arange(P, 2 * P)
    found[name] = {"previous token": seen[:, later - P, later - 1].mean(1),
                   "induction": seen[:, later - P, later - P + 1].mean(1)}
    with torch.no_grad():
        nll = F.cross_entropy(model(twice)[:, :-1].transpose(1, 2), twice[:, 1:],
                              reduction="none").mean(0)
    gained[name] = (nll[: P - 1].mean() - nll[P:].mean()).item()
print({name: round(value, 2) for name, value in gained.items()})

# %%
figure, axes = figures.panels(2, height=3.4, sharey=True)
for ax, (name, scores) in zip(axes, found.items(), strict=True):
    figures.curves(torch.arange(1, len(scores["induction"]) + 1), scores,
                   "head, counted from the first layer", "mean weight",
                   f"Heads: {name}", ax=ax)
    for drawn, mark in zip(ax.lines, figures.MARKERS, strict=False):
        drawn.set(linestyle="none", marker=mark)
    ax.legend() if ax is axes[0] else ax.get_legend().remove()
    ax.axhline(1 / (1.5 * P), color="black", linewidth=0.8, linestyle=":")
claim("previous_weight", found["yours"]["previous token"].max())
claim("induction_weight", found["yours"]["induction"].max())
claim("second_copy", gained["yours"])
claim("longer_second_copy", -gained["the one that ships"])

# %% [markdown]
# *How much weight each head puts on the previous token, and on the token after the last occurrence of the present one. Dotted: a head that
# looks everywhere alike. Left your GPT, right the one that ships.*
#
# In yours the strongest previous-token head has a weight of {{previous_weight}}; every induction weight ({{induction_weight}} at most) is below chance, and the second copy is not even {{second_copy}}
# nats cheaper, if at all: no induction head, nor in the one that ships, whose second copy costs {{longer_second_copy}} nats *more*. It takes two
# layers that work together, and in larger trainings it appears rather suddenly.
#
# ## 3.12 Pieces of words
#
# Large models see **tokens** of a few characters, found by **byte-pair encoding** (BPE; Sennrich et al. 2016): write the text as bytes,
# find the two tokens that stand side by side most often, make them one new token, and repeat. Starting from the 256 bytes, as GPT-2
# does, any text can be encoded. (The characters of the training text would not do: our validation text has a `{`.)
#
# Nothing is merged across words, each of which includes the space before it. So it is enough to count each different word once, with its
# frequency, instead of going over the whole text for each merge.

# %%
print(m.split_words("What's a naïve whale?"))
words = collections.Counter(tuple(word) for word in m.split_words(read))  # bytes
print(f"{len(words):,} different words of {sum(words.values()):,}")


def count_pairs(words):
    pairs = collections.Counter()
    for word, times in words.items():
        for pair in itertools.pairwise(word):
            pairs[pair] += times
    return pairs


def merge(word, pair, new):
    out, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out.append(new)
        else:
            out.append(word[i])
        i += 2 if word[i : i + 2] == pair else 1
    return tuple(out)


# %%
pieces, learned = [bytes([i]) for i in range(256)], {}
for number in range(256, 256 + scaled(default=12, smoke=3, full=40)):
    counted = count_pairs(words)
    # the commonest; of several, the one with the smallest numbers
    pair = min(counted, key=lambda p: (-counted[p], p))
    learned[pair] = number
    pieces.append(pieces[pair[0]] + pieces[pair[1]])
    words = {merge(word, pair, number): times for word, times in words.items()}
print(*(repr(piece.decode()) for piece in pieces[256:]))
package_merges = m.bpe_train(read, merges=scaled(default=512, smoke=20, full=512))
print("the package merges the same:", list(package_merges.items())[: len(learned)]
      == list(learned.items()))

# %% [markdown]
# With 512 merges there are $256 + 512 = 768$ tokens. To **encode** a text, apply the merges in the order in which they were learned.

# %%
tokenizer = m.BPE(package_merges, specials=("<|end|>",))
for sample in ("Romeo, Romeo! wherefore art thou Romeo?",
               "How many r's are in strawberry?", "<|end|>"):
    tokens = tokenizer.encode(sample)
    print(len(tokens), [tokenizer.decode(t[None]) for t in tokens])
held = tokenizer.encode(new_bytes)
print("decoded, it is the same text:", tokenizer.decode_bytes(held) == new_bytes)
claim("bytes_per_token", len(new_bytes) / len(held))

# %% [markdown]
# On held-out Shakespeare a token is about {{bytes_per_token}} bytes: the same window sees twice as much text. The price: the
# model no longer sees letters, such as the three r's of a "strawberry".
#
# A **special token** marks the end of a text, or who speaks in a dialogue. Only programs use its number: as the third line shows, a text that
# says `<|end|>` becomes ordinary tokens. Otherwise any user could forge the end of a text.
#
# **Losses per token cannot be compared** between tokenizers: a longer token is harder to guess. What survives is
#
# $$\text{bits per byte} = \frac{-\log p(\text{its tokens})}{\log 2 \cdot \text{number of bytes}}.$$
#
# Does BPE help our small GPT? Equal numbers of operations, three seeds; every held-out byte is predicted once. A window of 64 merged tokens
# covers twice the text, so there is one of 32 as well (recorded).

# %%
recorded = m.recorded("tokens")["rows"]
for name, row in recorded.items():
    bits = ", ".join(f"{value:.3f}" for value in row["bits_per_byte"])
    print(f"{name:15} {row['parameters']:,} parameters, {row['steps']} steps: "
          f"{bits} bits per byte, {row['nats_per_token'][0]:.2f} nats per token")
mean_bits = {name: sum(row["bits_per_byte"]) / 3 for name, row in recorded.items()}
claim("characters_bits", mean_bits["characters, 64"])
claim("merges_bits", mean_bits["merges, 64"])
claim("short_merges_bits", mean_bits["merges, 32"])
read_bytes = {name: row["bytes_read"] for name, row in recorded.items()}
claim("more_text", read_bytes["merges, 32"] / read_bytes["characters, 64"])

# %% [markdown]
# Characters need {{characters_bits}} bits per byte; merges {{merges_bits}} with windows of 64 tokens, {{short_merges_bits}} with 32. So the
# gain is not the longer window. What else differs: with as many operations merges read {{more_text}} times as much text, need not learn to
# spell common words, and have more parameters, all in the embeddings.
#
# ## 3.13 Little text, more text
#
# Suppose there is little text of the kind you want: the first 20,000 characters of *Moby-Dick*. Train from scratch, or go on from the GPT
# that has read Shakespeare? To go on, with a smaller learning rate so that little is lost, is called **fine-tuning**. Both get the same
# steps. (Higher rates bring the one from scratch a few hundredths of a nat, no more.)

# %%
melville = text("melville", vocabulary=shakespeare.vocabulary, unknown="drop")
little, later_pages = melville.train[:20_000], melville.validation
steps = scaled(default=120, smoke=4, full=500)
heard, tuned = {}, copy.deepcopy(gpt)
with global_seed(0):
    scratch = m.GPT(V, block_size=64, **sizes).to(device)
for name, model, lr in (("from scratch", scratch, 0.03),
                        ("from Shakespeare", tuned, 0.006)):
    heard[name] = []

    def listen(step, model=model, curve=heard[name]):
        if step % (steps // 4) == 0:
            curve.append(validation_nats(model.eval(), later_pages, most=150))
            model.train()

    fit(model, windows(little, 64, 16, seed=0), steps=steps, lr=lr, on_step=listen)
    listen(steps)
    model.eval()

# %%
figures.curves(torch.arange(5) * (steps // 4),
               {name: torch.tensor(values[:5]) for name, values in heard.items()},
               "training step", "nats per character (held out)",
               "Twenty thousand characters of Melville")
claim("transfer_before", heard["from Shakespeare"][0])
claim("transfer_scratch", min(heard["from scratch"]))
claim("transfer_after", min(heard["from Shakespeare"]))
gap = {name: validation_nats(model, later_pages) - validation_nats(model, little)
       for name, model in (("before", gpt), ("after", tuned))}
claim("easier_pages", gap["before"])
claim("gap_after", gap["after"])

# %% [markdown]
# *Loss on other pages of Moby-Dick while both train on the same few. The fine-tuned model starts from what Shakespeare taught it,
# {{transfer_before}} nats; its best is {{transfer_after}}. From scratch the best is {{transfer_scratch}}. Much of their English is the same.*
#
# Is anything memorised? After fine-tuning the pages that it trained on cost {{gap_after}} nats less than the others. But {{easier_pages}} of that were there
# *before*, when it had read neither: these pages are simply easier. The rest it learned about these pages, or pages like them: this test cannot tell which.

# %%
opening = shakespeare.encode("The whale ")[None].to(device)
for name, model in (("Shakespeare alone", gpt), ("from scratch", scratch),
                    ("fine-tuned", tuned)):
    written = model.generate(opening, 160, T=0.7, seed=1)[0].cpu()
    print(f"--- {name} ---\n{shakespeare.decode(written)}\n")

# %% [markdown]
# Train longer on little text and the gap grows. `gencourse train gpt` on ten thousand characters, three seeds (recorded). It trains on
# 8,250 of them; 750 are the held-out text, one passage, and the rest is for a last test.

# %%
recorded = m.recorded("overfitting")
losses = {name: torch.tensor(recorded[name]) for name in ("training", "held out")}
figures.curves(torch.tensor(recorded["step"]),
               {name: values.mean(0) for name, values in losses.items()},
               "training step", "nats per character", "Overfitting, in one picture",
               errors={name: values.std(0) for name, values in losses.items()})
best = losses["held out"].mean(0).argmin()
claim("overfit_best_step", recorded["step"][best])
claim("overfit_best", losses["held out"].mean(0)[best])
claim("overfit_end", losses["held out"].mean(0)[-1])

# %% [markdown]
# *Means over three seeds; bars are standard deviations. The training loss keeps falling; being a mean over the last hundred steps, it lags
# behind, and starts above the other. The held-out loss is lowest after about {{overfit_best_step}} steps, at {{overfit_best}} nats, and then
# rises to {{overfit_end}}: what the model learns from there on holds for these pages only. Stop at the minimum (early stopping), or get
# more text.*
#
# ### How large, for how long?
#
# With $N$ parameters and $D$ tokens a training takes about $C = 6ND$ operations ($C$ for computing): two per parameter and token
# forwards, four backwards. For a given $C$ one may train a large network briefly or a small one for long. Hoffmann et al. (2022) fitted
# the loss $E + A/N^\alpha + B/D^\beta$, with $E$ the entropy: too small a network stops at its own limit, too large a one has not seen
# enough. In between lies a best size, which grows with $C$. In miniature (recorded; one seed, one learning rate):

# %%
recorded = m.recorded("isoflop")["rows"]
ax = figures.panels(height=3.6)[1]
best_size = {}
for i, budget in enumerate(sorted({row["C"] for row in recorded})):
    points = [row for row in recorded if row["C"] == budget]
    ax.plot([row["N"] for row in points], [row["nats"] for row in points],
            figures.MARKERS[i] + figures.DASHES[i], color=figures.PALETTE[i],
            label=f"{budget / 1e9:.0f} billion operations")
    best_size[budget] = min(points, key=lambda row: row["nats"])["N"]
figures.log_scale(ax, "x")
ax.set(xlabel="parameters N", ylabel="nats per character (validation)",
       title="Equal computing, different sizes")
ax.legend()
print("best:", {f"{C / 1e9:.0f} billion": f"{N:,}" for C, N in best_size.items()})
claim("best_size_growth", max(best_size.values()) / min(best_size.values()))

# %% [markdown]
# *Each line is one 6ND (attention's scores left out): small networks for many steps, or large ones for few; the best lies between (on the first line by a hair). With
# sixteen times the operations the best size is about {{best_size_growth}} times as large, one step of this coarse grid.* Over many orders of
# magnitude the best losses fall nearly as a power law (Kaplan et al. 2020).
#
# ## 3.14 From language model to assistant
#
# A language model continues. To make one that *answers*, put the question first and the wanted answer after it. Only the loss changes: it counts
# the answer alone. That is the loss of **supervised fine-tuning**. (A real assistant starts from a trained model, as in section 3.13; ours starts
# from nothing.)
#
# The questions are records of the weather in Seattle, 1,461 days; the answers are sentences from three templates of ours, so that a machine can
# check what they say. A record holds month, sky, lowest and highest temperature in °C, water in mm and wind in m/s; "=" ends it. A token is
# a word, a punctuation mark, a digit, or the space before a number.

# %%
# days with one and the same record count once
days, vocabulary = list(dict.fromkeys(weather.weather())), weather.Vocabulary()
print(weather.record(days[2]), *(weather.sentence(days[2], t) for t in range(3)),
      sep="\n")
order = torch.randperm(len(days), generator=seeded(0)).tolist()
held_out, known_days = [days[i] for i in order[:300]], [days[i] for i in order[300:]]


def pair_of(day, template, masked=True):
    given = vocabulary.encode(weather.record(day))
    wanted = vocabulary.encode(weather.sentence(day, template) + "\n")
    whole = torch.cat([given, wanted])
    targets = whole[1:].clone()
    if masked:
        targets[: len(given) - 1] = m.IGNORED  # the record is given, not guessed
    return whole[:-1], targets


# %%
def train_reporter(masked):
    rows = [pair_of(day, t, masked) for day in known_days for t in range(3)]
    xs, ys = zip(*rows, strict=True)
    x = pad_sequence(xs, batch_first=True, padding_value=vocabulary.end_id)
    y = pad_sequence(ys, batch_first=True, padding_value=m.IGNORED)
    with global_seed(0):
        model = m.GPT(len(vocabulary), x.shape[1], layers=3, heads=4, width=64)
    model = model.to(device)
    fit(model, minibatches(x, y, batch_size=32, seed=0),
        steps=scaled(default=150, smoke=5, full=4_000), lr=0.03)
    return model


reporters = {name: train_reporter(masked) for name, masked in
             (("prompt masked", True), ("prompt counted", False))}

# %% [markdown]
# Two models, the same days and steps: one with the record masked in the loss, one that has to predict the record too. **Predict** the
# difference. A sentence is **faithful** if it states every field of its record and nothing else; sentences for 300 unseen days are read
# back with the templates.

# %%
def tell(model, days, T=1.0, seed=0):
    """One sentence per day; records of equal length go through the model together."""
    records = {day: vocabulary.encode(weather.record(day)) for day in days}
    said = {}
    for n in {len(given) for given in records.values()}:
        group = [day for day in days if len(records[day]) == n]
        prompts = torch.stack([records[day] for day in group]).to(device)
        written = model.generate(prompts, model.block_size - n, T=T, seed=seed)
        said |= {day: vocabulary.decode(row[n:].cpu())
                 for day, row in zip(group, written, strict=True)}
    return said


def faithful(told):
    """The share of sentences that say what the record says, in percent."""
    right = [weather.parse_sentence(said) == day for day, said in told.items()]
    return 100 * sum(right) / len(right)


# %%
told = {(name, T): tell(model, held_out, T) for name, model in reporters.items()
        for T in (0.0, 1.0)}
shares = {name: [faithful(told[name, T]) for T in (0.0, 1.0)] for name in reporters}
figures.bars(["greedy", "sampled, T = 1"], shares, "faithful sentences, %",
             "The same training, with and without the prompt in the loss")
wrong = [(day, said) for day, said in told["prompt masked", 1.0].items()
         if weather.parse_sentence(said) != day]
for day, said in wrong[:4]:
    print(weather.record(day), "→", said)
fluent = [weather.parse_sentence(said) is not None for _, said in wrong]
claim("fluent_failures", 100 * sum(fluent) / max(1, len(fluent)))
claim("masked_greedy", shares["prompt masked"][0])
claim("masked_sampled", shares["prompt masked"][1])
claim("greedy_lost", shares["prompt masked"][0] - shares["prompt counted"][0])
claim("sampled_lost", shares["prompt masked"][1] - shares["prompt counted"][1])

# %% [markdown]
# *Of sentences drawn at T = 1 about {{masked_sampled}} % are faithful with the prompt masked, of greedy ones about {{masked_greedy}} %. Over three seeds, counting the
# prompt costs about {{sampled_lost}} points at T = 1 and some {{greedy_lost}} of greedy ones (12 to 56).* A record cannot be foreseen, so part of each of the second model's few steps goes to what it cannot learn. (Train both
# for 400 steps: what is left of the difference?)
#
# Of the failures at T = 1 about {{fluent_failures}} % are well-formed sentences with a wrong word or number. That is a **hallucination**:
# only the record gives it away. It gets worse outside of what the training data cover: snow in July, a storm at 30 m/s.

# %%
strange = [weather.Day("July", "snow", -3, 2, 14, 6),
           weather.Day("August", "sun", 28, 45, 0, 3),
           weather.Day("March", "rain", 4, 9, 8, 30)]
for day, said in tell(reporters["prompt masked"], strange, T=0.0).items():
    right = weather.parse_sentence(said) == day
    print(weather.record(day), "→", said,
          "" if right else "  ← not what the record says")

# %% [markdown]
# Every such system needs a check against the source; an average over ordinary days says little about strange ones.
#
# **The making of an assistant:**
#
# - **Pretraining** on trillions of tokens: the loss of section 3.9. The result can already be *prompted*: given examples of a task it
#   does the next one (*in-context learning*).
# - **Instruction tuning**: supervised fine-tuning on many tasks, written as dialogues with special tokens for the speakers (a
#   *chat template*), prompts mostly masked. Often only small additions to the matrices are trained (*LoRA*).
# - **Preferences**: people say which of two answers to $x$ is better, $y_+$ or $y_-$. A reward model learns to agree, and the language model
#   is trained to earn its reward without moving too far from the model $p_0$ that it was (*RLHF*; Ouyang et al. 2022).
#   Or both at once, by a loss that needs only likelihoods, $-\log \sigma\big(\beta \log \frac{p(y_+ \mid x)}{p_0(y_+ \mid x)} - \beta \log \frac{p(y_- \mid x)}{p_0(y_- \mid x)}\big)$
#   (*DPO*; Rafailov et al. 2023; $p$ is the model in training, $\sigma$ the sigmoid; the larger $\beta$, the firmer $p_0$ holds it). Where an answer can be checked, as here, the check itself is the
#   reward; *reasoning models* are trained in this way, and write at length before they answer.
# - **In use**, instructions, documents and tools stand in the prompt. The model still computes $p(x_t \mid x_{<t})$.
#
# ## 3.15 Images: MADE
#
# Pixels have no natural order, but any will do; the usual one is **raster order**, row by row from the top left. The data are binary digits, as in
# chapter 1: each pixel is drawn as 0 or 1 with its grey value as the probability. One conditional per pixel would be 784 networks. **MADE**
# (Germain et al. 2015), after NADE (Larochelle & Murray 2011), computes all of them in one pass of one network, whose weights are
# multiplied by 0/1 masks such that no path leads from a pixel to an output that may not see it.
#
# The masks follow from one rule: each hidden unit has a number $m$ and may see the first $m$ pixels. So it is connected to these; a unit
# of a further hidden layer listens to units whose $m$ is at most its own, and an output to those whose $m$ is at most the number of pixels
# before its own.

# %%
masks = m.made_masks(D=6, hidden=8, layers=1)
figures.made_network(masks, output=4)
paths = masks[1] @ masks[0]
print("paths from pixel (column) to output (row):", paths.int(), sep="\n")

# %% [markdown]
# *A MADE with six pixels, counted from 0, and eight hidden units, in which $m$ stands. Dark: the connections that lead to output 4; they come from the shaded
# pixels 0 to 3 and no others.* The table of paths is zero on and above the diagonal: nothing looks ahead.
#
# With 784 pixels and 512 hidden units not every $m$ occurs, and many outputs cannot reach the pixel just before them. So MADE has, as in
# the paper, **direct connections** besides: a matrix from pixels to outputs, of which what lies below the diagonal is kept.
# (SiLU, $x\,\sigma(x)$, is another smooth ReLU.)

# %%
class MyMADE(nn.Module):
    def __init__(self, D=784, hidden=512):
        super().__init__()
        first, second = m.made_masks(D, hidden, layers=1)
        self.net = nn.Sequential(m.MaskedLinear(first), nn.SiLU(),
                                 m.MaskedLinear(second))
        self.direct = m.MaskedLinear(torch.ones(D, D).tril(-1))

    def forward(self, x):  # pixels (B, 784) -> logits; MaskedLinear is (W * mask) x + b
        return self.net(x) + self.direct(x)


# %%
digits = images("mnist")
mean_image = digits.train.mean(0)
test = torch.bernoulli(digits.test, generator=seeded(0)).to(device)
with global_seed(0):
    made, my_made = m.MADE(hidden=512, mean_image=mean_image), MyMADE()
    theirs = copy.deepcopy(made)  # whose direct weights are 0: that hides a wrong mask
    nn.init.normal_(theirs.direct.weight, std=0.1)
my_made.load_state_dict(theirs.state_dict())
with torch.no_grad():
    x = test[:50].cpu()
    claim("made_difference", (my_made(x.flatten(1)) - theirs(x).flatten(1)).abs().max())

# %% [markdown]
# Yours and the package's agree to {{made_difference}}. Training images are made binary anew each time they are used, test images once
# and for all. The loss is the sum over 784 yes-or-no questions of what the answer costs.

# %%
def digit_batches(batch_size):
    return binarised(minibatches(digits.train_bytes, batch_size=batch_size, seed=0),
                     seed=0)


made = made.to(device)
fit(made, digit_batches(128), steps=scaled(default=600, smoke=5, full=10_000), lr=8e-3)
with torch.no_grad():
    claim("made_nats", -made.log_prob(test).mean())
figures.image_grid(made.sample(30, seed=1).cpu(), columns=15,
                   title="Digits from MADE, drawn pixel by pixel");

# %% [markdown]
# *Thirty samples, not selected. Strokes are there, whole digits less often.*
#
# A test image costs about {{made_nats}} nats. That is $-\log p(x)$ itself and no bound of it. Training takes one pass for all pixels,
# drawing one for each.
#
# ## 3.16 A gated PixelCNN
#
# MADE must learn at every position anew what a stroke looks like; convolutions share it. A **causal convolution** sees no position after its
# own. On sound or text it is enough to pad with zeros on the left only (WaveNet; van den Oord et al. 2016c). In an image, what lies before is no
# rectangle, so PixelCNN (van den Oord et al. 2016a) multiplies the kernel by a mask. In the first layer the kernel's centre is the pixel that
# is to be predicted, and mask **A** hides it. In later layers the centre is a feature computed without that pixel, and mask **B** keeps it.
#
# What does a stack of such layers see? The gradient of one output with respect to every input tells, with random weights.

# %%
def seen_from(model, row=14, column=12):
    """|∂ logit at (row, column) / ∂ x|, a map of what the output depends on."""
    x = torch.rand(1, 1, 28, 28, generator=seeded(0),
                   dtype=torch.float64).requires_grad_()
    model.double()(x)[0, 0, row, column].backward()
    return x.grad[0, 0].abs()


with global_seed(0):
    plain, gated = m.PlainPixelCNN(16, 3, layers=7), m.PixelCNN(16, 3, layers=6)
    nn.init.normal_(gated.head[-1].weight)
seen = {"masked convolutions": seen_from(plain), "two stacks (gated)": seen_from(gated)}
before = torch.zeros(28, 28, dtype=torch.bool)
before[:14] = before[14, :12] = True
blind = before & (seen["masked convolutions"] == 0) & (seen["two stacks (gated)"] > 0)
claim("blind_pixels", blind.sum())

# %%
figure, axes = figures.panels(4, height=2.9, ratios=(1, 1, 2.2, 2.2))
for ax, kind in zip(axes[:2], "AB", strict=True):
    ax.imshow(m.pixelcnn_mask(3, kind).numpy(), cmap="Blues", vmin=0, vmax=1.4)
    ax.set(title=f"mask {kind}", xlabel="column", ylabel="row")
for ax, (name, gradient) in zip(axes[2:], seen.items(), strict=True):
    shown = gradient.masked_fill(gradient == 0, torch.nan).log10()
    drawn = ax.imshow(shown.numpy(), cmap="viridis", vmin=-12, vmax=0)
    if name == "masked convolutions":
        ax.contourf(blind.float().numpy(), [0.5, 1], hatches=["////"], colors="none")
    ax.plot([-0.5, 11.5, 11.5, 27.5], [14.5, 14.5, 13.5, 13.5], color="black", lw=0.8)
    ax.plot(12, 14, "s", color="white", markersize=5, markeredgecolor="black")
    ax.set(title=name, xlabel="column (pixel)", ylabel="row (pixel)")
figure.colorbar(drawn, ax=axes[3], label="log₁₀ of the gradient's size", shrink=0.8);

# %% [markdown]
# *Left: the two masks, dark where the kernel looks. Right: coloured pixels are those on which the marked one depends. Above the line lies the
# past. The masked stack has a **blind spot**, hatched: {{blind_pixels}} pixels that the other network sees. To the upper right there is
# only the way through the rows above, and with this kernel each row up gains one column, no more.*
#
# The cure (van den Oord et al. 2016b) is two stacks. The **vertical** one, $v$, looks at whole rows above; the **horizontal** one, $h$, at its own
# row to the left, and is given what the vertical one found. Kernels that reach only into the past need no masks.

# %%
figures.pixelcnn_stacks();

# %% [markdown]
# *One layer. Information goes from v to h, never back: the kernels of v reach to the right as well, where h has seen the very pixel that is to be
# predicted here.*
#
# Each convolution gives twice as many channels as needed, $a$ and $b$, and passes on $\tanh(a) \odot \sigma(b)$: a value, and a **gate** that
# says how much of it passes. As in the GPT, the result is added to what came in.

# %%
class MyGatedLayer(nn.Module):
    def __init__(self, channels, kernel):
        super().__init__()
        r = self.radius = kernel // 2
        self.vertical = nn.Conv2d(channels, 2 * channels, (r + 1, kernel))
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, r + 1))
        self.v_to_h = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, v, h):  # (B, channels, height, width) each
        def gate(x):
            a, b = x.chunk(2, dim=1)
            return a.tanh() * b.sigmoid()

        r = self.radius  # zeros above and at the sides; to the left only
        above = self.vertical(F.pad(v, (r, r, r, 0)))
        beside = self.horizontal(F.pad(h, (r, 0, 0, 0))) + self.v_to_h(above)
        return v + gate(above), h + self.out(gate(beside))


# %% [markdown]
# These layers include their own position, as mask B does; the first, which reads the image, is moved, $v$ by one row, $h$ by one column, so that the
# pixel itself stays out. The network also learns a vector for each position.

# %%
with global_seed(0):
    theirs, my_layer = m.GatedLayer(16, 7), MyGatedLayer(16, 7)
my_layer.load_state_dict(theirs.state_dict())
v, h = torch.randn(2, 4, 16, 28, 28, generator=seeded(0))
with torch.no_grad():
    differences = [(a - b).abs().max() for a, b in
                   zip(my_layer(v, h), theirs(v, h), strict=True)]
claim("gated_difference", max(differences))

# %%
with global_seed(0):
    pixelcnn = m.PixelCNN(channels=16, kernel=7, layers=3,
                          mean_image=mean_image).to(device)
check_model(pixelcnn, test[:4])
steps = scaled(default=400, smoke=3, full=20_000)
history = fit(pixelcnn, digit_batches(scaled(default=8, smoke=4, full=64)), steps=steps,
              lr=8e-3)

# %%
with torch.no_grad():
    few = test[:: scaled(default=4, smoke=100, full=1)]
    pixelcnn_nats = -torch.cat([pixelcnn.log_prob(x)
                                for x in tqdm(few.split(100), delay=2)]).mean().item()
claim("pixelcnn_nats", pixelcnn_nats)
claim("pixelcnn_bits", bits_per_dim(pixelcnn_nats, 784))

# %% [markdown]
# Your layer and the package's agree to {{gated_difference}}. A test image costs about {{pixelcnn_nats}} nats, {{pixelcnn_bits}} bits per pixel, after 3,200 training images; MADE has looked at
# 76,800. What the convolution gains here is sample efficiency. (On all of MNIST, in equal time, a wider MADE ends ahead: `benchmarks/README.md`.)
#
# **Sampling** takes 784 steps. Done plainly, each is a pass over the whole image, of which a single number is used. As with the KV cache,
# features do not change once the pixels that they need are there; `sample` computes each of them once (Ramachandran et al. 2017).

# %%
n = scaled(default=2, smoke=1, full=16)
start_time = time.perf_counter()
fast = pixelcnn.sample(n, seed=5).cpu()
fast_seconds = time.perf_counter() - start_time
# one pass per pixel
slow = m.raster_sample(pixelcnn, n, (1, 28, 28), seeded(5), device).cpu()
slow_seconds = time.perf_counter() - start_time - fast_seconds
print(f"{fast_seconds:.2f} s against {slow_seconds:.1f} s; pixels that differ: "
      f"{(fast != slow).sum().item()} of {fast.numel()}")
claim("sampler_gain", slow_seconds / fast_seconds, device=device)

# %% tags=["cover"]
samples = pixelcnn.sample(60, seed=2)
figures.image_grid(samples.cpu(), columns=15, title="Digits from a gated PixelCNN");

# %% [markdown]
# *Sixty samples, not selected; for two images the sampler is about {{sampler_gain}} times as fast on a CPU as a pass per pixel. Some are digits,
# others are not. An unlucky pixel stays, and the rest has to make sense of it.*

# %%
def probabilities(x):
    with torch.no_grad():
        return pixelcnn(x.to(device)).sigmoid().cpu()


# %% tags=["widget"]
pixel_replay(samples[:4].cpu(), probabilities(samples[:4]))

# %% [markdown]
# *Digits while they are drawn: on top the pixels so far, below the probability that each was drawn from. In a running notebook move the
# slider, and look for the moment at which it is decided which digit it will be.*
#
# **Completing half an image.** Keep the upper half of a test image and draw the rest: a draw from the model's own
# $p(\text{lower half} \mid \text{upper half})$, without further training.

# %%
kept = torch.zeros(1, 28, 28, dtype=torch.bool)
kept[:, :14] = True
halves = test[5:20]
rows = {"test image": halves,
        "what is kept": torch.where(kept.to(device), halves, 0.5)}
for k in range(3):
    rows[f"completion {k + 1}"] = pixelcnn.complete(halves, kept, seed=k)
figures.image_rows({name: x.cpu() for name, x in rows.items()},
                   title="The lower half drawn anew");

# %% [markdown]
# *Above, the images and what the model sees of them; below, three draws each. Where the upper half leaves a choice, the draws differ.*
#
# ## 3.17 What a likelihood says, and what it does not
#
# **Exact beside a bound.** Chapter 1's VAE gives lower bounds of $\log p(x)$, the ELBO and a tighter one with 500 draws (IWAE; Burda et al. 2016);
# MADE and PixelCNN give $\log p(x)$. All had the training of `gencourse train`, the VAE's as long as in chapter 1, three seeds each, and were
# measured on the same five hundred test images, made binary once (recorded).

# %%
recorded = m.recorded("digits")
names = list(recorded["nats"])
values = torch.tensor([recorded["nats"][name] for name in names])
ax = figures.bars([name.replace(": ", ":\n").replace(" (", "\n(") for name in names],
             {f"seed {seed}": values[:, seed] for seed in range(3)},
             "nats per test image", "What a test digit costs (lower is better)")
ax.set_ylim(0, 140)
ax.legend(ncols=3)
cost = dict(zip(names, values.mean(1).tolist(), strict=True))
claim("vae_elbo", cost["VAE: ELBO (bound)"])
claim("vae_iwae", cost["VAE: IWAE-500 (bound)"])
claim("made_three", cost["MADE (exact)"])
claim("pixelcnn_three", cost["PixelCNN (exact)"])
pair_name = "MADE (exact) - PixelCNN (exact)"
claim("made_minus_pixelcnn", sum(recorded["difference"][pair_name]) / 3)
claim("paired_error", max(recorded["difference_error"][pair_name]))
claim("unpaired_error", max(recorded["error"]["PixelCNN (exact)"]))
claim("without_direct", recorded["made_without_direct_connections"])

# %% [markdown]
# *Means on the same images. The VAE's are upper bounds of the cost: {{vae_elbo}} nats by the ELBO, {{vae_iwae}} by the tighter bound; the
# truth may be lower by an unknown amount. MADE costs {{made_three}}, the PixelCNN {{pixelcnn_three}}, exactly.*
#
# Each mean has a standard error of about {{unpaired_error}} nats or more, because images differ. But on the *same* images MADE and PixelCNN differ by
# {{made_minus_pixelcnn}} nats, uncertain by only {{paired_error}}. Between the VAE and MADE nothing is decided: the numbers are close, and one is a
# bound. (Without its direct connections MADE costs {{without_direct}}; one seed.)
#
# ### Pixels that are not bits
#
# With more than two values per pixel only the last layer and the loss change. Take digits of 14 × 14 pixels with **four grey levels**: four
# logits per pixel, and the cross-entropy, as for letters.

# %%
def four_levels(x):  # grey values in [0, 1], 28 × 28 -> levels 0 ... 3, 14 × 14
    return (F.avg_pool2d(x, 2) * 3.999).floor().long()[:, 0]


class GreyPixelCNN(m.PixelCNN):
    def __init__(self):
        super().__init__(channels=16, kernel=5, layers=3, image_shape=(1, 14, 14))
        self.head[-1] = nn.Conv2d(16, 4, 1)  # the last layer: four logits
        self.logit_bias = nn.Parameter(torch.zeros(4, 14, 14))

    def loss(self, levels):  # (B, 14, 14)
        logits = self(levels[:, None] / 3)  # (B, 4, 14, 14)
        nll = F.cross_entropy(logits, levels, reduction="none")
        return {"loss": nll.flatten(1).sum(1)}


levels, test_levels = four_levels(digits.train), four_levels(digits.test)
with global_seed(0):
    grey = GreyPixelCNN().to(device)
fit(grey, minibatches(levels, batch_size=16, seed=0),
    steps=scaled(default=250, smoke=3, full=5_000), lr=8e-3)

# %%
@torch.no_grad()
def draw_levels(n):
    x, generator = torch.zeros(n, 1, 14, 14, device=device), seeded(3)
    for i in range(14):
        for j in range(14):
            p = grey(x)[:, :, i, j].softmax(-1).cpu()
            level = torch.multinomial(p, 1, generator=generator)[:, 0]
            x[:, 0, i, j] = level.to(device) / 3
    return x


with torch.no_grad():
    parts = [grey.loss(part.to(device))["loss"] for part in test_levels[::4].split(100)]
grey_bits = bits_per_dim(torch.cat(parts).mean().item(), 196)
frequency = torch.stack([(levels == k).float().mean(0) + 1e-4 for k in range(4)])
alone = -frequency.log().gather(0, test_levels[::4]).flatten(1).sum(1).mean()
claim("grey_bits", grey_bits)
claim("grey_alone_bits", bits_per_dim(alone.item(), 196))
pictures = torch.cat([test_levels[:14, None] / 3, draw_levels(14).cpu()])
figures.image_grid(pictures, columns=14,
                   title="Four grey levels: test images, samples");

# %% [markdown]
# *Above test images in four grey levels, below samples, not selected. The model needs {{grey_bits}} bits per pixel; pixels drawn independently,
# each with the right frequencies, need {{grey_alone_bits}}.*
#
# The same works with three colours and a softmax over 256 levels (PixelRNN), red before green before blue. But a softmax does not know that
# 127 and 128 are neighbours. *PixelCNN++* (Salimans et al. 2017) gives each level the probability between its two edges, under a mixture of
# logistic distributions. Or one does not model pixels at all: an autoencoder with a finite code book turns a
# picture into some hundreds or thousands of **image tokens** (VQ-VAE; van den Oord et al. 2017), and a GPT models those, often together with words.
#
# ### Likelihood is not sample quality
#
# A high likelihood and good samples are different things (Theis et al. 2016). Mix a good model with 99 % noise:
#
# $$p'(x) = 0.01\, p(x) + 0.99\, u(x), \qquad -\log p'(x) \le -\log p(x) + \log 100.$$
#
# Each image costs at most $\log 100$ nats more, and 99 of 100 samples are noise. Here $u$ gives all images the same probability, $2^{-784}$.

# %%
# the mean test image; u gives every image 2^-784
log_p, log_u = -pixelcnn_nats, -784 * math.log(2)
mixture = torch.logaddexp(torch.tensor(log_p + math.log(0.01)),
                          torch.tensor(log_u + math.log(0.99))).item()
claim("mixture_cost", -mixture + log_p)
noise = (torch.rand(59, 1, 28, 28, generator=seeded(0)) > 0.5).float()
mixed = torch.cat([noise[:37], samples[:1].cpu(), noise[37:]])
figures.image_grid(mixed, columns=20,
                   title="What a mixture draws under which test images cost "
                         f"{-mixture:.1f} nats");

# %% [markdown]
# *Fifty-nine images of noise and one sample of the PixelCNN: sixty draws from the mixture hold 0.6 such samples on average. Yet a
# test image costs only {{mixture_cost}} nats more than under the PixelCNN.*
#
# The other way round, a lower temperature makes samples look better, and the likelihood worse:

# %%
temperatures, costs = torch.linspace(0.4, 1.8, 29), {}
for name, every in (("The Tempest", 3), ("training text", 30)):
    x, y = (part[::every] for part in m.next_token_pairs(plays[name], 64))
    with torch.no_grad():
        logits = torch.cat([gpt(part.to(device)).cpu() for part in x.split(100)])
    costs[name] = torch.stack([m.sequence_nll(logits / T, y).mean()
                               for T in temperatures])
ax = figures.curves(temperatures, costs, "temperature", "nats per character",
                    "What another temperature costs in likelihood")
ax.axvline(1, color="black", linewidth=0.8, linestyle=":")
ax.annotate("T = 1, as trained", (1, costs["The Tempest"].max()), xytext=(4, -10),
            textcoords="offset points", fontsize="small")
unread, seen = costs.values()
for values, colour in zip((unread, seen), figures.PALETTE, strict=False):
    ax.plot(temperatures[values.argmin()], values.min(), "o", color=colour)
claim("best_temperature", temperatures[unread.argmin()])
claim("best_temperature_seen", temperatures[seen.argmin()])
claim("cost_of_cold", unread[temperatures.sub(0.5).abs().argmin()] - unread.min())

# %% [markdown]
# *The loss of the GPT when its logits are divided by T; dots are minima, near {{best_temperature_seen}} on training text and near
# {{best_temperature}} on The Tempest: on another play the model is slightly too sure of itself.* Samples that people like are
# usually drawn at a lower temperature: at 0.5, where more of the words were real (section 3.9), The Tempest costs {{cost_of_cold}} nats more.
#
# ## 3.18 Does anything look ahead? Which family, when?
#
# A frequent bug is a leak: a mask off by one, and the model is told what it has to guess. The loss then looks splendid, and samples are rubbish.
# Reading the code seldom finds it, an experiment does: change one input, and see which outputs change. `depends_on` does that for each
# input; weights are random and in double precision, so that weak dependences show, too. It tests networks, not data: targets that were not
# shifted, $y = x$, leak as well, and for those one looks at a batch.

# %%
def rough(model):
    """The same network with random weights, double precision, evaluation mode."""
    with global_seed(0):
        for p in model.parameters():
            nn.init.normal_(p, std=0.3)
    return model.double().eval()


picture = torch.rand(1, 1, 6, 6, generator=seeded(0)).double()
phrase = torch.randint(9, (1, 20), generator=seeded(0))
tested = {
    "your GPT": (rough(MyGPT(9, layers=2, heads=2, width=16)), phrase, True),
    "MADE": (rough(m.MADE((1, 6, 6), hidden=128)), picture, False),
    "gated PixelCNN": (rough(m.PixelCNN(8, 3, 2, (1, 6, 6))), picture, False),
}
wrong = nn.Sequential(m.MaskedConv2d(1, 4, 3, "B"), m.MaskedConv2d(4, 1, 3, "B"))
tested["mask B first (wrong)"] = (rough(wrong), picture, False)

# %%
colours = ListedColormap(["white", figures.PALETTE[5], figures.PALETTE[1]])
figure, axes = figures.panels(4, height=2.9)
for ax, (name, (model, x, own)) in zip(axes, tested.items(), strict=True):
    moved = m.depends_on(model, x)
    leak = m.find_leak(moved, own_input=own)
    found = leak and f"LEAK: output {leak[0]} depends on input {leak[1]}"
    print(f"{name}: {found or 'nothing looks ahead'}")
    allowed = torch.ones_like(moved).tril(0 if own else -1)
    shown = torch.where(moved & ~allowed, 2, moved.int())
    ax.imshow(shown.numpy(), cmap=colours, vmin=0, vmax=2)
    ax.set(title=name, xlabel="input (position)", ylabel="output (position)")
    ax.locator_params(integer=True)
figure.suptitle("Which output depends on which input");

# %% [markdown]
# *Blue: it does, and may; orange: it does and must not. For text, output t predicts token t + 1 and may see input t, on the diagonal. For images
# output d predicts pixel d itself and may not: the last model is told what it should guess. Gaps are pixels beyond the kernels' reach.*
#
# **Limits of the family**, besides being sequential:
#
# - **Exposure.** In training the context is real text, in sampling the model's own. A slip leads where no training text has been, and slips
#   may add up (Ranzato et al. 2016).
# - **Order.** Only later parts given earlier ones can be drawn directly.
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
# ## 3.19 Questions
#
# <details><summary>1. A model gives each of 65 characters the same probability. How many nats and bits does a character cost? What is the perplexity?</summary>
#
# log 65 = 4.17 (in nats), log₂ 65 = 6.02 (in bits); the perplexity is 65.
# </details>
#
# <details><summary>2. Your loss falls to 0.01 within a minute, and samples are rubbish. What do you test first?</summary>
#
# Whether the model is told what it has to guess: the mask, with `depends_on`; and a batch, whether the targets are shifted by one.
# </details>
#
# <details><summary>3. On short texts the training loss of section 3.3 was on average below the entropy of the source. Which theorem does that contradict?</summary>
#
# None. The entropy bounds the expected loss of a model chosen without seeing the text. Here the table was fitted to that very text.
# </details>
#
# <details><summary>4. A friend reports that his image model has a lower loss than yours, 0.11 against 86. What do you ask?</summary>
#
# Per pixel or per image? 86 divided by 784 pixels is 0.11. Then: nats or bits, which test images, how made binary, exact or a bound?
# </details>
#
# <details><summary>5. Another friend's language model costs 2.9 per token, in nats, and yours 1.9 per character. Which is better?</summary>
#
# That cannot be told from these numbers. Divide the cost of the same text by its bytes: if a token has two bytes on average, the friend pays 1.45 per byte.
# </details>
#
# <details><summary>6. With a context of 1,000 tokens, how much more does attention compute per text than with 100? How much larger is the cache?</summary>
#
# The products of queries and keys, T² of them, a hundred times. The cache, two vectors per position, ten times.
# </details>
#
# <details><summary>7. In section 3.14, why did the model that had to predict the record, too, answer worse after as many steps?</summary>
#
# Most of the record's loss cannot be avoided: nobody can foresee a temperature. Its gradient still competes with that of the answer in every
# step, and the steps were few.
# </details>
#
# Now the exercises: [`exercises/03_autoregressive.ipynb`](../exercises/03_autoregressive.ipynb).
#
# ## 3.20 Where this comes from
#
# Counting and neural n-grams:
#
# - C. E. Shannon, *A Mathematical Theory of Communication*, 1948, and *Prediction and Entropy of Printed English*, 1951, Bell System Technical Journal.
# - Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, *A Neural Probabilistic Language Model*, JMLR 3, 2003.
# - R. Sennrich, B. Haddow, A. Birch, *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016, [arXiv:1508.07909](https://arxiv.org/abs/1508.07909).
#
# Attention and GPTs:
#
# - D. Bahdanau, K. Cho, Y. Bengio, *Neural Machine Translation by Jointly Learning to Align and Translate*, ICLR 2015, [arXiv:1409.0473](https://arxiv.org/abs/1409.0473).
# - A. Vaswani et al., *Attention Is All You Need*, NeurIPS 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).
# - A. Radford et al., *Improving Language Understanding by Generative Pre-Training*, 2018, and *Language Models are Unsupervised Multitask Learners*, 2019.
# - O. Press, L. Wolf, *Using the Output Embedding to Improve Language Models*, EACL 2017, [arXiv:1608.05859](https://arxiv.org/abs/1608.05859).
# - J. Su et al., *RoFormer: Enhanced Transformer with Rotary Position Embedding*, 2021, [arXiv:2104.09864](https://arxiv.org/abs/2104.09864).
# - A. Haviv et al., *Transformer Language Models without Positional Encodings Still Learn Positional Information*, Findings of EMNLP 2022, [arXiv:2203.16634](https://arxiv.org/abs/2203.16634).
# - K. Jordan et al., *Muon: An optimizer for hidden layers in neural networks*, 2024, [kellerjordan.github.io/posts/muon](https://kellerjordan.github.io/posts/muon/).
# - S. Jain, B. C. Wallace, *Attention is not Explanation*, NAACL 2019, [arXiv:1902.10186](https://arxiv.org/abs/1902.10186).
# - C. Olsson et al., *In-context Learning and Induction Heads*, 2022, [arXiv:2209.11895](https://arxiv.org/abs/2209.11895).
# - J. Kaplan et al., *Scaling Laws for Neural Language Models*, 2020, [arXiv:2001.08361](https://arxiv.org/abs/2001.08361), and J. Hoffmann et al., *Training Compute-Optimal Large Language Models*, 2022, [arXiv:2203.15556](https://arxiv.org/abs/2203.15556).
# - T. Dao et al., *FlashAttention*, NeurIPS 2022, [arXiv:2205.14135](https://arxiv.org/abs/2205.14135). J. Ainslie et al., *GQA*, EMNLP 2023, [arXiv:2305.13245](https://arxiv.org/abs/2305.13245). Y. Leviathan, M. Kalman, Y. Matias, *Fast Inference from Transformers via Speculative Decoding*, ICML 2023, [arXiv:2211.17192](https://arxiv.org/abs/2211.17192). A. Gu, T. Dao, *Mamba*, 2023, [arXiv:2312.00752](https://arxiv.org/abs/2312.00752).
# - B. Zhang, R. Sennrich, *Root Mean Square Layer Normalization*, NeurIPS 2019, [arXiv:1910.07467](https://arxiv.org/abs/1910.07467). N. Shazeer, *GLU Variants Improve Transformer*, 2020, [arXiv:2002.05202](https://arxiv.org/abs/2002.05202). N. Shazeer et al., *Outrageously Large Neural Networks*, ICLR 2017, [arXiv:1701.06538](https://arxiv.org/abs/1701.06538): mixtures of experts.
#
# Writing, and what is written:
#
# - A. Fan, M. Lewis, Y. Dauphin, *Hierarchical Neural Story Generation*, ACL 2018, [arXiv:1805.04833](https://arxiv.org/abs/1805.04833): top-k. A. Holtzman et al., *The Curious Case of Neural Text Degeneration*, ICLR 2020, [arXiv:1904.09751](https://arxiv.org/abs/1904.09751): top-p.
# - J. Maynez et al., *On Faithfulness and Factuality in Abstractive Summarization*, ACL 2020, [arXiv:2005.00661](https://arxiv.org/abs/2005.00661).
# - L. Ouyang et al., *Training Language Models to Follow Instructions with Human Feedback*, NeurIPS 2022, [arXiv:2203.02155](https://arxiv.org/abs/2203.02155), and R. Rafailov et al., *Direct Preference Optimization*, NeurIPS 2023, [arXiv:2305.18290](https://arxiv.org/abs/2305.18290). E. J. Hu et al., *LoRA*, ICLR 2022, [arXiv:2106.09685](https://arxiv.org/abs/2106.09685).
# - M. Ranzato et al., *Sequence Level Training with Recurrent Neural Networks*, ICLR 2016, [arXiv:1511.06732](https://arxiv.org/abs/1511.06732).
#
# Images and sound:
#
# - H. Larochelle, I. Murray, *The Neural Autoregressive Distribution Estimator*, AISTATS 2011.
# - M. Germain, K. Gregor, I. Murray, H. Larochelle, *MADE: Masked Autoencoder for Distribution Estimation*, ICML 2015, [arXiv:1502.03509](https://arxiv.org/abs/1502.03509).
# - A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, *Pixel Recurrent Neural Networks*, ICML 2016 (2016a), [arXiv:1601.06759](https://arxiv.org/abs/1601.06759).
# - A. van den Oord et al., *Conditional Image Generation with PixelCNN Decoders*, NeurIPS 2016 (2016b), [arXiv:1606.05328](https://arxiv.org/abs/1606.05328).
# - A. van den Oord et al., *WaveNet: A Generative Model for Raw Audio*, 2016 (2016c), [arXiv:1609.03499](https://arxiv.org/abs/1609.03499).
# - P. Ramachandran et al., *Fast Generation for Convolutional Autoregressive Models*, 2017, [arXiv:1704.06001](https://arxiv.org/abs/1704.06001).
# - T. Salimans et al., *PixelCNN++*, ICLR 2017, [arXiv:1701.05517](https://arxiv.org/abs/1701.05517).
# - A. van den Oord, O. Vinyals, K. Kavukcuoglu, *Neural Discrete Representation Learning*, NeurIPS 2017, [arXiv:1711.00937](https://arxiv.org/abs/1711.00937).
# - Y. Burda, R. Grosse, R. Salakhutdinov, *Importance Weighted Autoencoders*, ICLR 2016, [arXiv:1509.00519](https://arxiv.org/abs/1509.00519).
# - L. Theis, A. van den Oord, M. Bethge, *A note on the evaluation of generative models*, ICLR 2016, [arXiv:1511.01844](https://arxiv.org/abs/1511.01844).
