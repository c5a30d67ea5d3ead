# %% [markdown]
# # Exercises 3 · Autoregressive models
#
# Each exercise is one function. Replace `raise NotImplementedError()` by your answer, run the cell, then run the check
# below it. A check knows the mistakes that people make here and says which one it recognises; `check.NAME.hint()` says
# more, one step at a time. Nothing is sent anywhere, and you may try as often as you like. Cells in between use what
# you wrote: they wait until it is right.
#
# The chapter is [`notebooks/03_autoregressive.ipynb`](../notebooks/03_autoregressive.ipynb), the worked answers are in
# [`solutions/03_autoregressive.ipynb`](../solutions/03_autoregressive.ipynb). Symbols: B sequences in a batch, T positions in each,
# V tokens in the vocabulary (T is also the usual letter for a temperature, in the section on sampling); tokens are whole numbers from 0 to V − 1, and logits are what a model returns before the softmax.
# Logarithms are natural. A tensor that you are given may be a slice of another one, or transposed, so that `view` may refuse it.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from gencourse import figures
from gencourse.checks import autoregressive as check
from gencourse.checks import report
from gencourse.data import text, windows
from gencourse.runtime import scaled, seeded
from gencourse.training import fit

play = text("shakespeare")


def solved(*names):  # whether your functions of these names pass their checks
    return all(getattr(check, name).judge(globals()[name]).status == "right"
               for name in names)

# %% [markdown]
# ## A text and what comes next
#
# A model of text answers one question again and again: what is the next token? The chapter begins with the chain rule,
# which makes a probability of the whole text out of these answers
# ([notebook](../notebooks/03_autoregressive.ipynb), on the chain rule). Here is what has to be prepared for it.
#
# ### {{exercise next_token_pairs}}
#
# A text of N tokens is cut into windows of `block` tokens, one after the other. For every position of a window the target is
# the token after it. For the text 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and `block` = 4 that makes two windows:
#
# | x | y |
# | --- | --- |
# | 0 1 2 3 | 1 2 3 4 |
# | 4 5 6 7 | 5 6 7 8 |
#
# As many windows as the text allows, each full and with all its targets; what remains at the end is left out. There are
# more than `block` tokens.

# %%
def next_token_pairs(tokens, block):
    """x and y, both (M, block): tokens (N,) whole numbers, y[m, t] is the token that
    comes after x[m, t] in the text.
    """
    ### BEGIN SOLUTION
    M = (len(tokens) - 1) // block  # all tokens but the last have a successor
    x = tokens[: M * block].view(M, block)
    y = tokens[1 : M * block + 1].view(M, block)
    return x, y
    ### END SOLUTION

# %%
check.next_token_pairs(next_token_pairs)

# %%
if solved("next_token_pairs"):
    x, y = next_token_pairs(play.train[:1000], block=8)
    for t in range(8):
        print(
            f"after {play.decode(x[0, : t + 1])!r:<12} comes "
            f"{play.decode(y[0, t : t + 1])!r}")
else:
    print("Solve next_token_pairs first; then this cell shows what a window asks.")

# %% [markdown]
# One window of eight characters asks eight questions, each with a longer context.
#
# ## What a prediction costs
#
# A model that gave probability p to the token that came pays −log p. The chapter measures every model of text in this way
# ([notebook](../notebooks/03_autoregressive.ipynb), on nats and bits per character).
#
# ### {{exercise sequence_nll}}
#
# The mean cost of a token, for each sequence of a batch: `logits[b, t]` are the V numbers, before the softmax, from which
# the model predicts `targets[b, t]`. Nothing has to be shifted, that was done above.
#
# Sequences of unequal length are filled up to one length T. The positions that were filled have the target `ignored` (often
# −100, but take what is given), and they count neither in the sum nor in the number that it is divided by: costs of 1, 3
# and 5 nats, the last one ignored, make 2. If all targets of a sequence are ignored, its loss is 0, and so is its gradient.
# Logits and targets should stay as they are. They may be slices of longer tensors, as `rows[:, 1:]` below.

# %%
def sequence_nll(logits, targets, ignored):
    """Nats per token of each sequence: logits (B, T, V), targets (B, T) -> (B,);
    differentiable.
    """
    ### BEGIN SOLUTION
    # (B, T)
    per_token = nn.functional.cross_entropy(logits.transpose(1, 2), targets,
                                            ignore_index=ignored, reduction="none")
    counted = (targets != ignored).sum(1)
    return per_token.sum(1) / counted.clamp(min=1)
    ### END SOLUTION

# %%
check.sequence_nll(sequence_nll)

# %% [markdown]
# ### {{exercise perplexity}}
#
# One number for all sequences together: exp of the mean cost in nats per token, *over all tokens*. Given are the cost per
# token of each sequence, as `sequence_nll` returns it, and how many tokens each has. A sequence of 700 tokens weighs seven
# times as much as one of 100.

# %%
def perplexity(nll, counts):
    """One number: nll (B,) nats per token, counts (B,) whole numbers."""
    ### BEGIN SOLUTION
    total = (nll * counts).sum()  # nats of all tokens
    return (total / counts.sum()).exp()
    ### END SOLUTION

# %%
check.perplexity(perplexity)

# %% [markdown]
# ### {{exercise bits_per_dim}}
#
# An autoregressive model of images pays for a pixel as one of text for a token. Its `nll` is that of the whole image, in
# nats. To compare images of different size it is given in *bits per dimension*, where an image has `dims` of them, pixels
# times channels. Example: whoever thinks that all 256 values of a pixel are equally likely pays log 256 nats for each, which is 8
# bits. `nll` may be a tensor or a Python number.

# %%
def bits_per_dim(nll, dims):
    """Bits per dimension: nll (B,) or a number, nats per image; dims a whole number."""
    ### BEGIN SOLUTION
    return nll / dims / math.log(2)
    ### END SOLUTION

# %%
check.bits_per_dim(bits_per_dim)

# %% [markdown]
# ## A model by counting
#
# The simplest model looks back one token, and it is trained by counting
# ([notebook](../notebooks/03_autoregressive.ipynb), on counting letters).
#
# ### {{exercise counts_with_start}}
#
# `counts[i, j]` says how often token j follows token i. The `documents` are separate: between the end of one and the beginning of
# the next there is no pair. Something has to say how a document begins, though, so in front of each one imagine a start
# token with the number V: row V counts the first tokens. The documents [2, 0, 0] and [0], with V = 3, give
#
# | after | 0 | 1 | 2 |
# | --- | --- | --- | --- |
# | 0 | 1 | 0 | 0 |
# | 1 | 0 | 0 | 0 |
# | 2 | 1 | 0 | 0 |
# | start | 1 | 0 | 1 |
#
# An empty document adds nothing; there is at least one document. Tokens may also come as bytes (`torch.uint8`).

# %%
def counts_with_start(documents, V):
    """How often j follows i, (V + 1, V) whole numbers: documents is a list of tensors
    (N_i,) with tokens below V.
    """
    ### BEGIN SOLUTION
    counts = torch.zeros(V + 1, V, dtype=torch.long)
    for tokens in documents:
        previous = V
        for token in tokens.tolist():
            counts[previous, token] += 1
            previous = token
    return counts
    ### END SOLUTION

# %%
check.counts_with_start(counts_with_start)

# %% [markdown]
# ### {{exercise bigram_probs}}
#
# From counts to $p(j \mid i)$, with α added to every count, so that a pair that was never seen is not impossible:
#
# $$p(j \mid i) = \frac{c_{ij} + \alpha}{\sum_{j'} (c_{ij'} + \alpha)}$$
#
# A row with the counts 3, 1, 0 and α = 1 becomes 4/7, 2/7, 1/7. A row that says nothing at all, empty and with α = 0, should
# be uniform. The table may have more rows than columns, as above, and the counts should stay as they are.

# %%
def bigram_probs(counts, alpha):
    """p(j given i): counts (R, V) whole numbers, alpha ≥ 0 -> (R, V), rows that sum to
    1.
    """
    ### BEGIN SOLUTION
    smoothed = counts.double() + alpha
    # (R, 1), so that row i is divided by the sum of row i
    total = smoothed.sum(1, keepdim=True)
    return torch.where(total > 0, smoothed / total, 1 / counts.shape[1])
    ### END SOLUTION

# %%
check.bigram_probs(bigram_probs)

# %% [markdown]
# Now train on lines of Shakespeare, by counting them, and pay for lines that were held out. How much smoothing is best?

# %%
def lines_of(tokens):
    """The lines of a text that are not blank, a list of tensors; each ends with its
    line break.
    """
    lines = tokens.tensor_split((tokens == play.encode("\n")).nonzero()[:, 0] + 1)
    return [line for line in lines if len(line) > 1]


def paid(probs, lines):
    """The perplexity of lines under a table of probabilities, by your own two
    functions.
    """
    start = torch.tensor([probs.shape[1]])
    rows = nn.utils.rnn.pad_sequence([torch.cat([start, line]) for line in lines],
                                     batch_first=True, padding_value=-100)
    before, targets = rows[:, :-1].clamp(min=0), rows[:, 1:]
    nll = sequence_nll(probs.log().float()[before], targets, -100)
    return float(perplexity(nll, (targets != -100).sum(1)))

# %%
if solved("sequence_nll", "perplexity", "counts_with_start", "bigram_probs"):
    V, alphas = len(play.vocabulary), torch.logspace(-3, 3, 25)
    seen = lines_of(play.train[:20_000])[:500]
    unseen = lines_of(play.validation[:20_000])[:500]
    counts = counts_with_start(seen, V)
    found = {"lines that were counted": [], "lines that were held out": []}
    for alpha in alphas.tolist():
        for name, lines in zip(found, (seen, unseen)):
            found[name].append(paid(bigram_probs(counts, alpha), lines))
    named = {name: torch.tensor(values) for name, values in found.items()}
    ax = figures.curves(alphas, named, "α", "perplexity",
                        f"Counting pairs of {V} characters")
    ax.set_xscale("log")
else:
    print(
        "Solve sequence_nll, perplexity, counts_with_start and bigram_probs first; "
        "then this cell pays for Shakespeare.")

# %% [markdown]
# *On the lines that were counted, less smoothing is always better. On new lines a little of it helps, because a pair that was
# never seen would cost a fortune. With a huge α both approach the number of characters: the model guesses.*
#
# ## Sampling
#
# A model is asked for a distribution, and a token is drawn. How boldly is up to the one who asks
# ([notebook](../notebooks/03_autoregressive.ipynb), on temperature, top-k and top-p).
#
# ### {{exercise temperature_probs}}
#
# The probabilities at temperature T are softmax(logits / T), that is, proportional to $p^{1/T}$. Temperature 2
# turns ½, 3/10, 1/5 into 0.415, 0.322, 0.263. T = 0 means the limit: all the mass on the largest logit. (If two are equally
# large there, they may share it or one may have it.) The result is a tensor of floating numbers, at T = 0 too. Logits can be
# large, some are −∞, and they should stay as they are.

# %%
def temperature_probs(logits, T):
    """Probabilities (..., V) at temperature T ≥ 0 from logits (..., V)."""
    ### BEGIN SOLUTION
    if T == 0:
        best = logits.argmax(-1)
        return nn.functional.one_hot(best, logits.shape[-1]).to(logits.dtype)
    return (logits / T).softmax(-1)
    ### END SOLUTION

# %%
check.temperature_probs(temperature_probs)

# %%
if solved("temperature_probs", "counts_with_start"):
    after_h = counts_with_start(lines_of(play.train[:20_000]),
                                len(play.vocabulary))[play.encode("h")[0]]
    top = after_h.topk(8)
    figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    for i, T in enumerate((0.5, 1.0, 2.0)):
        p = temperature_probs((after_h + 0.1).log(), T)[top.indices]
        ax.bar([k + 0.27 * (i - 1) for k in range(8)], p.numpy(), width=0.25,
               color=figures.PALETTE[i], hatch=("", "//", "..")[i], label=f"T = {T:g}")
    names = [repr(play.decode(token[None])) for token in top.indices]
    ax.set(xticks=range(8), xticklabels=names, xlabel="next character",
           ylabel="probability", title="What comes after h")
    ax.legend()
else:
    print(
        "Solve counts_with_start and temperature_probs first; then this cell shows "
        "three temperatures.")

# %% [markdown]
# *The eight most likely characters after h, at three temperatures. The order stays; what the likeliest gains when it is cold,
# the others lose.*
#
# ### {{exercise top_k_filter}}
#
# Many unlikely tokens are together not so unlikely, and each can derail a text. So keep the `k` largest logits of each row, and set
# the others to −∞. With k = 2 the logits 3, 1, 2, 0 become 3, −∞, 2, −∞. If others equal the k-th largest, they stay, too. Where `k`
# exceeds V all stay.

# %%
def top_k_filter(logits, k):
    """The k largest logits of each row, the others -∞: logits (..., V) -> (..., V), a
    new tensor.
    """
    ### BEGIN SOLUTION
    k = min(k, logits.shape[-1])
    # (..., 1): the k-th largest of each row
    threshold = logits.topk(k, dim=-1).values[..., -1:]
    return logits.masked_fill(logits < threshold, -math.inf)
    ### END SOLUTION

# %%
check.top_k_filter(top_k_filter)

# %% [markdown]
# ### {{exercise top_p_filter}}
#
# How many tokens are plausible differs from position to position. So keep the *fewest most likely tokens whose probabilities add up to at
# least p*, and set the others to −∞. With probabilities 0.5, 0.3, 0.15, 0.05 and p = 0.7 two remain, with p = 0.9 three: the
# token that crosses p stays. p = 1 keeps all. (Equal logits at the border do not occur, nor sums that are p but for
# rounding.)

# %%
def top_p_filter(logits, p):
    """The nucleus of each row, the others -∞: logits (..., V), 0 < p ≤ 1 -> (..., V), a
    new tensor.
    """
    ### BEGIN SOLUTION
    if p == 1:
        return logits.clone()
    ranked, order = logits.softmax(-1).sort(dim=-1, descending=True)
    before = ranked.cumsum(-1) - ranked  # the mass of all tokens that are more likely
    # back from rank to token
    drop = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(drop, -math.inf)
    ### END SOLUTION

# %%
check.top_p_filter(top_p_filter)

# %% [markdown]
# ### {{exercise generate}}
#
# The loop that writes: ask the model, draw one token per row, append it, ask again
# ([notebook](../notebooks/03_autoregressive.ipynb), on sampling: temperature, top-k, top-p).
#
# - `model` is an `nn.Module` that maps tokens (B, t) to logits (B, t, V), those at position t for the token after it. It can
#   take `block` tokens at most: show it the last ones.
# - Draw at temperature T, and at T = 0 take the most likely token. Chance comes from the `generator` and from nowhere else
#   (`torch.multinomial(probs, 1, generator=generator)`).
# - Nothing is trained here: the model is in evaluation mode, no graph is recorded. Afterwards the model is in the mode
#   (`model.training`) in which it came.
#
# The prompt [[5, 6]] and n = 3 make a text like [[5, 6, 0, 4, 2]]; n is at least 1.

# %%
def generate(model, idx, n, block, T, generator):
    """The prompt and n further tokens: idx (B, t) whole numbers, t ≥ 1 -> (B, t + n).
    """
    ### BEGIN SOLUTION
    was_training = model.training
    model.eval()
    with torch.no_grad():
        for _ in range(n):
            # (B, V): only the last position knows what comes next
            logits = model(idx[:, -block:])[:, -1]
            if T == 0:
                token = logits.argmax(-1, keepdim=True)
            else:
                token = torch.multinomial((logits / T).softmax(-1), 1,
                                          generator=generator)
            idx = torch.cat([idx, token], dim=1)
    model.train(was_training)
    return idx
    ### END SOLUTION

# %%
check.generate(generate)

# %% [markdown]
# Your counts, your filters and your loop write lines. Each starts with the start token alone.

# %%
class Bigrams(nn.Module):
    """A table of logits as a model: what comes next depends on the last token alone."""

    def __init__(self, probs, keep=lambda logits: logits):
        super().__init__()
        self.logits = keep(probs.log().float())

    def forward(self, idx):
        return self.logits[idx]

# %%
if solved("counts_with_start", "bigram_probs", "top_k_filter", "top_p_filter",
          "generate"):
    V = len(play.vocabulary)
    probs = bigram_probs(counts_with_start(lines_of(play.train[:20_000]), V), 0.1)
    ways = {
        "T = 1": (Bigrams(probs), 1.0),
        "T = 2": (Bigrams(probs), 2.0),
        "T = 0": (Bigrams(probs), 0.0),
        "the 5 most likely": (Bigrams(probs, lambda logits: top_k_filter(logits, 5)),
                              1.0),
        "a mass of 0.8": (Bigrams(probs, lambda logits: top_p_filter(logits, 0.8)),
                          1.0),
    }
    for name, (model, T) in ways.items():
        written = generate(model, torch.full((1, 1), V), n=60, block=1, T=T,
                           generator=seeded(1))
        print(f"{name:>17}: {play.decode(written[0, 1:])!r}")
else:
    print(
        "Solve counts_with_start, bigram_probs, both filters and generate first; then "
        "this cell writes.")

# %% [markdown]
# *Sixty characters in five ways. None is English: one token back is not far. Hot texts stumble over rare signs, the
# text at T = 0 runs in a circle, and the filters keep to what is common without repeating themselves.*

# %% [markdown]
# ## Attention
#
# A transformer lets every position of a text look at all positions before it. Training computes all positions at once, so the
# future lies in the same tensor as the past and has to be hidden. The chapter's section on attention builds it up from
# here ([notebook](../notebooks/03_autoregressive.ipynb)).
#
# ### {{exercise causal_mask}}
#
# The table of who may look where: row t is the position that looks, column s the position that is looked at, and the entry is
# True where s is not later than t. For T = 3:
#
# | | s = 0 | s = 1 | s = 2 |
# | --- | --- | --- | --- |
# | t = 0 | True | False | False |
# | t = 1 | True | True | False |
# | t = 2 | True | True | True |
#
# The table is made on `device`. Other code uses True for the opposite, *hide*; here it means *may look*.

# %%
def causal_mask(T, device="cpu"):
    """(T, T) booleans on `device`: True at [t, s] where position t may look at position
    s.
    """
    ### BEGIN SOLUTION
    return torch.ones(T, T, dtype=torch.bool, device=device).tril()
    ### END SOLUTION

# %%
check.causal_mask(causal_mask)

# %% [markdown]
# ### {{exercise causal_attention}}
#
# Each position has a query q, a key k and a value v, of d numbers each. Position t compares its query with the keys of the
# positions s ≤ t, makes weights of the results, and takes the weighted mean of the values:
#
# $$w_{ts} = \operatorname{softmax}_s\left(\frac{q_t \cdot k_s}{\sqrt d}\right), \qquad \text{output}_t = \sum_{s \le t} w_{ts} v_s$$
#
# For each t the weights of s ≤ t sum to 1, those of later positions are 0. Position 0 sees itself alone, so its output is its own
# value. The answer should hold for scores of any size, pass gradients on, and work in half precision (`q.half()`, as far as q · k
# itself can be written in it), too.
#
# q, k and v have just these four dimensions, of any length from 1 on, and the same shape. They may lie in memory in any order:
# heads are often cut out of a tensor by exchanging two dimensions, and `view` refuses what is not contiguous.

# %%
def causal_attention(q, k, v):
    """q, k, v (B, heads, T, d) -> (B, heads, T, d), in the same precision."""
    ### BEGIN SOLUTION
    T, d = q.shape[-2:]
    # (B, heads, T, T), row t is query t
    scores = q @ k.transpose(-2, -1) / math.sqrt(d)
    visible = torch.ones(T, T, dtype=torch.bool, device=q.device).tril()
    weights = scores.masked_fill(~visible, -torch.inf).softmax(-1)  # exp(-inf) = 0
    return weights @ v
    ### END SOLUTION

# %%
check.causal_attention(causal_attention)

# %% [markdown]
# Your function can show its own weights: where the values are the rows of a unit matrix, the output *is* the weights.

# %%
if solved("causal_mask", "causal_attention"):
    q, k = torch.randn(2, 1, 3, 12, 12, generator=seeded(0))
    weights = causal_attention(q, k, torch.eye(12).expand(1, 3, 12, 12))
    shown = torch.cat([causal_mask(12)[None, None].float(), weights.transpose(0, 1)])
    figures.image_grid(shown, columns=4, scale=2.0,
                       title="The mask, and the weights of three heads")
else:
    print(
        "Solve causal_mask and causal_attention first; then this cell draws where each "
        "position looks.")

# %% [markdown]
# *Rows are positions that look, columns the positions they look at; white is 1, black is 0. First the mask, then the weights of
# three heads with random queries and keys. Nothing lies above the diagonal, and the first row holds a single 1.*
#
# ### {{exercise multi_head}}
#
# One attention has one set of weights per position. To look at several things at once, the C channels are cut into `heads`
# parts of d = C / heads, and each part gets an attention of its own. Head h takes the channels h · d to (h + 1) · d − 1 of q,
# k and v, and its output goes back to the same channels. With 6 channels and 2 heads, head 0 takes channels 0, 1, 2.
#
# `attend` is an attention that maps q, k, v of shape (…, T, d) to (…, T, d) and leaves all dimensions but the last two to
# themselves: you may hand it two, three, four or more, in whatever order the leading ones are convenient. Your own
# `causal_attention` promises four; the last section shows how to make one out of it that takes any number. Gradients pass
# through the heads to q, k and v.

# %%
def multi_head(attend, q, k, v, heads):
    """q, k, v (B, T, C) -> (B, T, C): `attend` in each of `heads` parts of the
    channels.
    """
    ### BEGIN SOLUTION
    B, T, C = q.shape
    # (B, heads, T, d)
    q, k, v = (part.view(B, T, heads, C // heads).transpose(1, 2) for part in (q, k, v))
    return attend(q, k, v).transpose(1, 2).reshape(B, T, C)
    ### END SOLUTION

# %%
check.multi_head(multi_head)

# %% [markdown]
# ## Pixels in reading order
#
# For images the order is that of reading, row after row and from left to right: the *raster order*. A convolution becomes
# causal when the part of its kernel that lies after the centre, and in the first layer the centre itself, is multiplied by 0. The chapter's section on causal
# convolution shows what such layers see ([notebook](../notebooks/03_autoregressive.ipynb)).
#
# ### {{exercise pixelcnn_mask}}
#
# 1 for each tap of a square kernel that comes before the centre in raster order, 0 for each that comes after. The centre
# itself is 0 in kind `"A"` and 1 in kind `"B"`. Kind A for a kernel of 3:
#
# | | | |
# | --- | --- | --- |
# | 1 | 1 | 1 |
# | 1 | 0 | 0 |
# | 0 | 0 | 0 |
#
# A kernel of even size has no centre: raise a `ValueError`.

# %%
def pixelcnn_mask(kernel, kind):
    """(kernel, kernel) of 0 and 1, kind "A" or "B"; ValueError if kernel is even."""
    ### BEGIN SOLUTION
    if kernel % 2 == 0:
        raise ValueError(f"kernel should be odd, got {kernel}")
    centre, mask = kernel // 2, torch.zeros(kernel, kernel)
    mask[:centre] = 1  # the rows above
    mask[centre, :centre] = 1  # to the left in the own row
    mask[centre, centre] = float(kind == "B")
    return mask
    ### END SOLUTION

# %%
check.pixelcnn_mask(pixelcnn_mask)

# %% [markdown]
# ### {{exercise masked_stack}}
#
# Which kind goes where? The first layer reads the image, where the centre is the very pixel that is to be predicted. Later
# layers read features, and those at the centre know only what came before: they may be used. So kind A comes first,
# and B in all layers after it, those with a kernel of 1 × 1 included.
#
# Build the network from given weights: one convolution per weight, without bias, each weight times its mask, a ReLU
# *between* layers and none after the last. The image keeps its size. `mask` is a function like your `pixelcnn_mask`, and
# returns its zeros and ones as floating numbers. The same weight may occur twice in the list; weights and x stay as they are.

# %%
def masked_stack(x, weights, mask):
    """Logits (B, out, H, W) of x (B, 1, H, W); weights: a list of (out, in, k, k), k
    odd; mask(kernel, kind) -> (k, k).
    """
    ### BEGIN SOLUTION
    for i, weight in enumerate(weights):
        if i > 0:
            x = x.relu()
        kernel = weight.shape[-1]
        masked = weight * mask(kernel, "A" if i == 0 else "B")
        x = nn.functional.conv2d(x, masked, padding=kernel // 2)
    return x
    ### END SOLUTION

# %%
check.masked_stack(masked_stack)

# %% [markdown]
# ## Does it look ahead?
#
# A model that sees what it should predict trains splendidly and samples badly. Its loss will not tell, an experiment will:
# change an input and see which outputs move. The chapter's section on looking ahead does so with every model it
# has ([notebook](../notebooks/03_autoregressive.ipynb)).
#
# ### {{exercise depends_on}}
#
# `f` maps examples x, (N, D), to outputs, (N, K), which are numbers. Take one input j at a time and give it, in each example, values that it
# has in *other* examples, several, or all, of them: such values do occur, be they pixels or tokens. Compare with the outputs
# before. The entry [i, j] of the answer is True if output i of any example changed at all, even by a billionth.
#
# For f(x) = [x₀, x₀ + x₁] the answer is [[True, False], [True, True]].
#
# - Not every leak shows in every example: a ReLU may be silent in most of them. Nor has every model derivatives.
# - `f` is a function, or an `nn.Module` that may be in training mode, with dropout. Try a module in evaluation mode, and leave
#   it in the mode (`f.training`) in which you found it.

# %%
def depends_on(f, x):
    """(K, D) booleans, True at [i, j] where output i depends on input j: f (N, D) ->
    (N, K), x (N, D).
    """
    ### BEGIN SOLUTION
    was_training = isinstance(f, nn.Module) and f.training
    if was_training:
        f.eval()
    before = f(x)
    moved = torch.zeros(before.shape[1], x.shape[1], dtype=torch.bool)
    for j in range(x.shape[1]):
        for shift in range(1, len(x)):
            varied = x.clone()
            varied[:, j] = x[:, j].roll(shift)  # the value of another example
            moved[:, j] |= (f(varied) != before).any(0)
    if was_training:
        f.train()
    return moved
    ### END SOLUTION

# %%
check.depends_on(depends_on)

# %% [markdown]
# Now look at your own stack of masks: once as it should be, once with kind B in its first layer, and once with kind A in all.

# %%
if solved("pixelcnn_mask", "masked_stack", "depends_on"):
    layers = [torch.randn(8, 1, 3, 3, generator=seeded(0)).double(),
              torch.randn(1, 8, 3, 3, generator=seeded(1)).double()]
    masks = {
        "A, then B": lambda kernel, kind: pixelcnn_mask(kernel, kind).double(),
        "B everywhere": lambda kernel, kind: pixelcnn_mask(kernel, "B").double(),
        "A everywhere": lambda kernel, kind: pixelcnn_mask(kernel, "A").double(),
    }
    x = torch.rand(8, 25, generator=seeded(2)).double()
    maps = []
    for mask in masks.values():
        def stack(x, mask=mask):
            return masked_stack(x.reshape(-1, 1, 5, 5), layers, mask).flatten(1)

        maps.append(depends_on(stack, x))
    figures.image_grid(torch.stack(maps)[:, None].float(), columns=3, scale=2.5,
                       title=" · ".join(masks))
else:
    print(
        "Solve pixelcnn_mask, masked_stack and depends_on first; then this cell looks "
        "for leaks in your stack.")

# %% [markdown]
# *Rows are the 25 logits of a 5 × 5 image, columns its 25 pixels, both in raster order; white marks a dependence. Left, as it
# should be: nothing on the diagonal or above. Middle: the diagonal is white, each pixel sees itself. Right: no leak, but
# fewer pixels are seen than could be.*
#
# ## One step at a time
#
# ### {{exercise cached_attention_step}}
#
# While a text grows by one token, the keys and values of the earlier positions stay as they were. So they are kept in a
# *cache*, and each step computes one position alone. Here is a small layer of attention with one head. The new token
# arrives as x, (B, C), and the caches hold the keys and values of the t positions before, (B, t, C). At the start t = 0.
#
# 1. Add the position: h = x + positions[t].
# 2. With `Wq, Wk, Wv = weights`: q = h Wq, k = h Wk, v = h Wv.
# 3. Put k and v at the end of the caches, which now hold t + 1 positions.
# 4. The output is attention of q to all of them: $\sum_s \operatorname{softmax}_s(q \cdot k_s / \sqrt C)\, v_s$.
#
# Return the output and the two longer caches, k first. The function remembers nothing but what it returns: the same caches may be
# continued twice, or by two texts in turns. Scores may be hundreds apart. The chapter's section on the cache measures what it saves
# ([notebook](../notebooks/03_autoregressive.ipynb)).

# %%
def cached_attention_step(x, positions, weights, cache_k, cache_v):
    """Output (B, C) and caches (B, t + 1, C): x (B, C), positions (block, C), weights
    (3, C, C), caches (B, t, C).
    """
    ### BEGIN SOLUTION
    Wq, Wk, Wv = weights
    # as many positions came before as the cache holds
    h = x + positions[cache_k.shape[1]]
    q, k, v = h @ Wq, h @ Wk, h @ Wv
    cache_k = torch.cat([cache_k, k[:, None]], dim=1)
    cache_v = torch.cat([cache_v, v[:, None]], dim=1)
    # (B, 1, t + 1); nothing lies ahead
    scores = q[:, None] @ cache_k.transpose(1, 2) / math.sqrt(x.shape[1])
    output = (scores.softmax(-1) @ cache_v)[:, 0]
    return output, cache_k, cache_v
    ### END SOLUTION

# %%
check.cached_attention_step(cached_attention_step)

# %% [markdown]
# Does it give what attention over the whole text gives? Your own `causal_attention` is the judge.

# %%
if solved("causal_attention", "cached_attention_step"):
    x, positions, weights = (torch.randn(*size, generator=seeded(i))
                             for i, size in enumerate([(2, 30, 8), (30, 8), (3, 8, 8)]))
    q, k, v = ((x + positions) @ W for W in weights)
    whole, cache_k, cache_v = causal_attention(q[:, None], k[:, None], v[:, None])[
        :, 0], torch.zeros(2, 0, 8), torch.zeros(2, 0, 8)
    differences = []
    for t in range(30):
        output, cache_k, cache_v = cached_attention_step(x[:, t], positions, weights,
                                                         cache_k, cache_v)
        differences.append((output - whole[:, t]).abs().max().item())
    print(f"largest difference over 30 steps: {max(differences):.1e}")
    print(
        f"scores computed for a text: {sum(range(1, 31))}, with a whole pass per token "
        f"{sum(t * t for t in range(1, 31))}")
else:
    print(
        "Solve causal_attention and cached_attention_step first; then this cell "
        "compares the two.")

# %% [markdown]
# The difference is that of rounding. With the cache the work of step t grows like t, without it like t².
#
# ### {{exercise raster_sample}}
#
# An image is drawn pixel by pixel in raster order. Start with zeros. At each pixel ask the model for its logits, given
# the image so far, take the one at that pixel, and draw: the pixel is 1 if its number in `u` lies *below* the probability of
# a 1, otherwise 0. Write it into the image before you go on; what is not drawn yet stays 0. The image is a float tensor,
# since the model's layers compute with such.
#
# `u` holds one uniform number in [0, 1) for each pixel of each of the n images, so the same u gives the same images. The
# chapter's section on sampling pixels shows why the loop over pixels cannot be avoided, and how each of its turns is made cheap ([notebook](../notebooks/03_autoregressive.ipynb)).

# %%
def raster_sample(model, u):
    """Images (n, 1, H, W) of 0 and 1: u (n, 1, H, W) in [0, 1), model: images (n, 1, H,
    W) -> logits of the same shape.
    """
    ### BEGIN SOLUTION
    x = torch.zeros_like(u)
    for i in range(u.shape[2]):
        for j in range(u.shape[3]):
            p = model(x)[:, :, i, j].sigmoid()
            x[:, :, i, j] = (u[:, :, i, j] < p).float()
    return x
    ### END SOLUTION

# %%
check.raster_sample(raster_sample)

# %% [markdown]
# A model that nobody trained: each pixel likes to be what its left and its upper neighbour are. Your sampler makes
# patterns of that rule.

# %%
if solved("raster_sample"):
    def neighbourly(x, strength):
        x = x.float()
        left = nn.functional.pad(x, (1, 0))[..., :-1]
        above = nn.functional.pad(x, (0, 0, 1, 0))[:, :, :-1]
        return strength * (left + above - 1)

    u = torch.rand(8, 1, 16, 16, generator=seeded(3))
    rows = {f"strength {s}": raster_sample(lambda x, s=s: neighbourly(x, s), u)
            for s in (0, 2, 4)}
    figures.image_rows(rows,
                       title="Samples of three models, drawn with the same numbers u")
else:
    print("Solve raster_sample first; then this cell draws patterns with it.")

# %% [markdown]
# *Eight images from each of three models. With strength 0 pixels are independent coins. The stronger the wish to be alike, the
# larger the patches of one colour; only the logits changed, not the numbers u.*
#
# ## A prompt and its answer
#
# ### {{exercise prefix_targets}}
#
# To make a GPT answer prompts, prompt and answer are joined to one row, and only the answer counts in the loss: the model
# should learn p(answer given prompt), not to predict prompts. Targets that do not count are −100, which `cross_entropy`
# leaves out. For the prompt 5, 6, 7, the answer 8, 9 and a length of 6:
#
# | | | | | | | |
# | --- | --- | --- | --- | --- | --- | --- |
# | x | 5 | 6 | 7 | 8 | 0 | 0 |
# | y | −100 | −100 | 8 | 9 | −100 | −100 |
#
# x is the row without its last token, filled up with zeros at the end. y[t] is the token that follows x[t], where that
# belongs to the answer. Token 0 may also be an ordinary token. `length` is at least P + A − 1, for a prompt of P tokens and an answer of A.
# Both x and y are tensors of whole numbers (`torch.long`), which `cross_entropy` asks of targets, even where prompt and
# answer come as bytes (`torch.uint8`). The chapter uses such
# rows in its section on records and sentences ([notebook](../notebooks/03_autoregressive.ipynb)).

# %%
def prefix_targets(prompt, answer, length):
    """x and y, both (length,) whole numbers: prompt (P,), answer (A,), each at least
    one token.
    """
    ### BEGIN SOLUTION
    P, A = len(prompt), len(answer)
    x, y = torch.zeros(length, dtype=torch.long), torch.full((length,), -100)
    x[: P + A - 1] = torch.cat([prompt, answer])[:-1]
    # the prompt's last position predicts the answer's first token
    y[P - 1 : P + A - 1] = answer
    return x, y
    ### END SOLUTION

# %%
check.prefix_targets(prefix_targets)

# %% [markdown]
# ## All of it together
#
# Your attention, your heads and your loss make a small transformer, and your loop writes with it.

# %%
def attend(q, k, v):
    """Your attention for any leading dimensions: made the first of four, and back."""
    leading, (T, d) = q.shape[:-2], q.shape[-2:]
    parts = (part.reshape(-1, 1, T, d) for part in (q, k, v))
    return causal_attention(*parts).reshape(*leading, T, d)

# %%
class SmallTransformer(nn.Module):
    def __init__(self, V, block_size=32, width=64, heads=4):
        super().__init__()
        self.heads = heads
        self.token_embedding = nn.Embedding(V, width)
        self.position_embedding = nn.Embedding(block_size, width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 256), nn.GELU(),
                                 nn.Linear(256, V))

    def forward(self, idx):
        x = self.token_embedding(idx) + self.position_embedding.weight[: idx.shape[1]]
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        return self.mlp(x + self.out(multi_head(attend, q, k, v, self.heads)))

    def loss(self, x, y):
        return {"loss": sequence_nll(self(x), y, -100)}

# %%
if solved("causal_attention", "multi_head", "sequence_nll", "generate"):
    torch.manual_seed(0)
    writer, steps = SmallTransformer(len(play.vocabulary)), scaled(default=500, smoke=3,
                                                                   full=5000)
    print(fit(writer, windows(play.train, 32, 32, seed=0), steps=steps, lr=4e-3,
              precision="float32"))
    written = generate(writer, play.encode("ROMEO.\n")[None], 200, 32, 0.8, seeded(1))
    print(play.decode(written[0]))
else:
    print(
        "Solve causal_attention, multi_head, sequence_nll and generate first; then "
        "this cell trains a transformer made of them.")

# %% [markdown]
# A single layer and a run of seconds: words that look English, no sentences. The chapter stacks three layers.
#
# ## Score
#
# All answers are judged afresh, whatever was run before.

# %%
report(check, globals())
