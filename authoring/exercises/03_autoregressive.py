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
# Logarithms are natural. Answers are torch tensors unless the text says otherwise, and nothing that is passed in is changed. A tensor that you are given may be a slice of another one, or transposed, so that `view` may refuse it.

# %%
import itertools
import math

import torch
from torch import nn
from tqdm.auto import tqdm

from gencourse import figures
from gencourse.checks import autoregressive as check
from gencourse.checks import report
from gencourse.data import text, windows
from gencourse.models import autoregressive as m
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
# ([section 3.1](../notebooks/03_autoregressive.ipynb)). Here is what has to be prepared for it.
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
# ([section 3.2](../notebooks/03_autoregressive.ipynb)).
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
# The *perplexity* of the chapter ([section 3.2](../notebooks/03_autoregressive.ipynb)), among how many equally likely tokens a model would be as
# unsure. One number for all sequences together: exp of the mean cost in nats per token, *over all tokens*. You are given the cost
# per token of each sequence, as `sequence_nll` returns it, and the number of its tokens. A sequence of 700 tokens weighs seven
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
# ([section 3.2](../notebooks/03_autoregressive.ipynb)).
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
        for name, lines in zip(found, (seen, unseen), strict=True):
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

# %% [markdown]
# ### {{exercise entropy_and_kl}}
#
# How much of a loss could a better model save? Of a source whose next token depends on the last one alone, $p(j \mid i)$, this can be
# computed. Its texts hold token i with frequency $\pi_i$. A model that says $q(j \mid i)$ pays, on average,
#
# $$-\sum_i \pi_i \sum_j p(j \mid i) \log q(j \mid i) = H + \mathrm{KL},$$
#
# where H, the entropy rate, is what the perfect model pays, and KL is the rest: the mean over contexts of the divergence between the
# rows of p and q ([section 3.3](../notebooks/03_autoregressive.ipynb)).
#
# Return both, in nats per token. A context that never occurs ($\pi_i = 0$) costs nothing, nor does a token that never follows
# ($p = 0$), whatever q says of it. If a token comes that q excludes, KL is infinite. The tables have R rows, one for each context, and V
# columns, one for each token.

# %%
def entropy_and_kl(p, q, pi):
    """H and KL, two numbers: p, q (R, V) with rows that sum to 1, pi (R,); KL is
    differentiable for q where no q is 0.
    """
    ### BEGIN SOLUTION
    joint = pi[:, None] * p  # how often i and then j occur
    entropy = -torch.xlogy(joint, p).sum()  # xlogy knows that 0 log 0 is 0
    loss = -torch.xlogy(joint, q).sum()
    return entropy, loss - entropy
    ### END SOLUTION

# %%
check.entropy_and_kl(entropy_and_kl)

# %% [markdown]
# A source of three tokens, and the tables that counting makes of its texts. The loss on fresh text should be the sum of your two
# numbers; only one of them shrinks.

# %%
if solved("counts_with_start", "bigram_probs", "entropy_and_kl"):
    P = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    source = m.MarkovSource(P)
    fresh = source.sample(scaled(default=100_000, smoke=1_000, full=400_000), seed=9)
    for N in (30, 300, 3_000):
        counts = counts_with_start([source.sample(N, seed=1)], 3)[:3]
        q = bigram_probs(counts, 0.1).double()
        H, KL = entropy_and_kl(P.double(), q, source.stationary.double())
        print(f"{N:5} tokens counted: H {H:.3f} + KL {KL:.3f} = {H + KL:.3f} nats, "
              f"paid for fresh text {m.bigram_nll(q, fresh):.3f}")
else:
    print(
        "Solve counts_with_start, bigram_probs and entropy_and_kl first; then this "
        "cell counts and pays.")

# %% [markdown]
# ## Sampling
#
# A model is asked for a distribution, and a token is drawn. How boldly is up to the one who asks
# ([section 3.4](../notebooks/03_autoregressive.ipynb)).
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
    figure, ax = figures.panels(height=3)
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
# *The eight most likely characters after h, at three temperatures. The order stays. A low temperature gives more to the likeliest
# and takes it from the others.*
#
# ### {{exercise top_k_filter}}
#
# Each unlikely token hardly ever comes, but there are many, so one of them soon does, and can derail a text. So keep the `k` largest logits of each row, and set
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
# ([section 3.4](../notebooks/03_autoregressive.ipynb)).
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
# *Sixty characters in five ways. None is English: one token of context is too little. At T = 2 rare characters come often, the
# text at T = 0 runs in a circle, and the filters keep to what is common without repeating themselves.*

# %% [markdown]
# ## Attention
#
# A transformer lets every position of a text look at all positions before it. Training computes all positions at once, so the
# future lies in the same tensor as the past and has to be hidden. [Section 3.6](../notebooks/03_autoregressive.ipynb) builds it up from
# here.
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
def maps(named, across, down, height=2.9):
    """Tables of 0 to 1 side by side, each with its title; dark is much."""
    _, axes = figures.panels(len(named), height=height)
    for ax, (title, table) in zip(axes, named.items(), strict=True):
        ax.imshow(table.float().numpy(), cmap="Blues", vmin=0, vmax=1)
        ax.spines[:].set_visible(True)
        ax.set(title=title, xlabel=across, ylabel=down)
        ax.locator_params(integer=True)


if solved("causal_mask", "causal_attention"):
    q, k = torch.randn(2, 1, 3, 12, 12, generator=seeded(0))
    weights = causal_attention(q, k, torch.eye(12).expand(1, 3, 12, 12))[0]
    shown = {f"weights of head {h + 1}": weights[h] for h in range(3)}
    maps({"the mask": causal_mask(12)} | shown, "position looked at", "position")
else:
    print(
        "Solve causal_mask and causal_attention first; then this cell draws where each "
        "position looks.")

# %% [markdown]
# *Rows are positions that look, columns the positions they look at; the darkest is 1, white is 0. First the mask, then the weights of
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
# `causal_attention` promises four; the section on the whole model makes one out of it that takes any number. Gradients pass
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
# ### {{exercise rotary}}
#
# Attention does not know where a key stands. *Rotary positions* tell it: every query and every key is turned by an angle
# that grows with its position ([section 3.7](../notebooks/03_autoregressive.ipynb)). The d numbers of a vector make d/2 pairs: $x_i$
# belongs to $x_{i + d/2}$, for i from 0 to d/2 − 1. At position t pair i is turned by $\varphi = t \cdot \text{base}^{-2i/d}$:
#
# $$(a, b) \mapsto (a \cos\varphi - b \sin\varphi, \; a \sin\varphi + b \cos\varphi)$$
#
# With d = 2 and t = 1 the vector (1, 0) becomes (cos 1, sin 1). `positions` holds the position of each of the T vectors, whatever it
# is: with a cache the first one is not 0. d is even.

# %%
def rotary(x, positions, base):
    """x (B, heads, T, d) turned, same shape: positions (T,) whole numbers, base > 1;
    differentiable.
    """
    ### BEGIN SOLUTION
    half = x.shape[-1] // 2
    rates = base ** (-torch.arange(half, dtype=x.dtype) / half)
    angles = torch.outer(positions.to(x.dtype), rates)  # (T, half)
    a, b = x[..., :half], x[..., half:]
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
    ### END SOLUTION

# %%
check.rotary(rotary)

# %% [markdown]
# What it is for: one query and one key, put at every pair of positions. The product should depend on their distance alone.

# %%
if solved("rotary"):
    q, k = torch.randn(2, 1, 1, 1, 16, generator=seeded(4))
    places = torch.arange(0, 40)
    turned_q = rotary(q.expand(1, 1, 40, 16), places, 1000.0)[0, 0]
    turned_k = rotary(k.expand(1, 1, 40, 16), places, 1000.0)[0, 0]
    products = turned_q @ turned_k.T
    figure, ax = figures.panels(height=4.2)
    drawn = ax.imshow(products.numpy(), cmap="PuOr")
    figure.colorbar(drawn, label="q · k")
    ax.set(title="One query and one key at all positions", xlabel="position of the key",
           ylabel="position of the query")
else:
    print("Solve rotary first; then this cell puts a query and a key everywhere.")

# %% [markdown]
# *Along each diagonal, where query and key are equally far apart, the product is the same: stripes.*
#
# ### {{exercise transformer_block}}
#
# A GPT is a stack of blocks, and this is one of them ([section 3.8](../notebooks/03_autoregressive.ipynb)). What comes in, x, runs straight
# through, and two things are added to it, one after the other:
#
# 1. attention: of the norm of x make q, k and v with the weights of these names, call `attend(q, k, v)`, and multiply by `out`;
# 2. an MLP: of the norm of what x is now, multiply by `up`, apply GELU, multiply by `down`.
#
# The norm is a layer norm over the C channels, without learned numbers: `nn.functional.layer_norm(x, (C,))`. GELU is
# `nn.functional.gelu`. Weights have the shape (out, in), as those of `nn.Linear`; so to multiply by W means `x @ W.T`. `attend` maps q, k, v
# (B, T, C) to (B, T, C) and takes care of heads and mask.

# %%
def transformer_block(x, weights, attend):
    """x (B, T, C) -> (B, T, C): weights is a dict with "q", "k", "v", "out" (C, C),
    "up" (4C, C) and "down" (C, 4C); differentiable.
    """
    ### BEGIN SOLUTION
    C = x.shape[-1]
    normed = nn.functional.layer_norm(x, (C,))
    q, k, v = (normed @ weights[name].T for name in ("q", "k", "v"))
    x = x + attend(q, k, v) @ weights["out"].T
    normed = nn.functional.layer_norm(x, (C,))
    return x + nn.functional.gelu(normed @ weights["up"].T) @ weights["down"].T
    ### END SOLUTION

# %%
check.transformer_block(transformer_block)

# %% [markdown]
# ## The whole model
#
# Your attention, your heads, your positions and your block make a GPT, your loss trains it, and your loop writes with it.

# %%
def rotary_attention(q, k, v):
    """Your attention with your positions, for any leading dimensions."""
    leading, (T, d) = q.shape[:-2], q.shape[-2:]
    q, k, v = (part.reshape(-1, 1, T, d) for part in (q, k, v))
    q, k = (rotary(part, torch.arange(T), 1000.0) for part in (q, k))
    return causal_attention(q, k, v).reshape(*leading, T, d)

# %%
class SmallGPT(nn.Module):
    def __init__(self, V, width=64, heads=4, layers=2):
        super().__init__()
        self.heads, self.embedding = heads, nn.Parameter(0.1 * torch.randn(V, width))
        shapes = {name: (width, width) for name in ("q", "k", "v", "out")}
        shapes |= {"up": (4 * width, width), "down": (width, 4 * width)}
        self.blocks = nn.ModuleList(
            nn.ParameterDict({name: 0.1 * torch.randn(shape)
                              for name, shape in shapes.items()})
            for _ in range(layers))

    def forward(self, idx):
        x = self.embedding[idx]
        for weights in self.blocks:
            x = transformer_block(
                x, weights,
                lambda q, k, v: multi_head(rotary_attention, q, k, v, self.heads))
        return nn.functional.layer_norm(x, x.shape[-1:]) @ self.embedding.T

    def loss(self, x, y):
        return {"loss": sequence_nll(self(x), y, -100)}

# %%
if solved("causal_attention", "multi_head", "rotary", "transformer_block",
          "sequence_nll", "generate"):
    torch.manual_seed(0)
    writer, steps = SmallGPT(len(play.vocabulary)), scaled(default=400, smoke=3,
                                                           full=5000)
    print(fit(writer, windows(play.train, 32, 32, seed=0), steps=steps, lr=4e-3,
              precision="float32"))
    written = generate(writer, play.encode("Romeo.\n")[None], 200, 32, 0.8, seeded(1))
    print(play.decode(written[0]))
else:
    print(
        "Solve causal_attention, multi_head, rotary, transformer_block, sequence_nll "
        "and generate first; then this cell trains a GPT made of them.")

# %% [markdown]
# Two layers and a run of seconds: words that look English, no sentences. The chapter's model has three layers and learns for longer.

# %% [markdown]
# ## One step at a time
#
# ### {{exercise cached_attention_step}}
#
# While a text grows by one token, the keys and values of the earlier positions stay as they were. So they are kept in a
# *cache*, and each step computes one position alone. Here is a small layer of attention with one head. The new token
# arrives as x, (B, C), and the caches hold the keys and values of the t positions before, (B, t, C). At the start t = 0.
#
# 1. Add the position: h = x + positions[t]. (Not rotary: this layer has a table, as the first GPTs had.)
# 2. With `Wq, Wk, Wv = weights`: q = h Wq, k = h Wk, v = h Wv.
# 3. Put k and v at the end of the caches, which now hold t + 1 positions.
# 4. The output is attention of q to all of them: $\sum_s \operatorname{softmax}_s(q \cdot k_s / \sqrt C)\, v_s$.
#
# Return the output and the two longer caches, k first. The function remembers nothing but what it returns: the same caches may be
# continued twice, or by two texts in turns. Scores may be hundreds apart. [Section 3.10](../notebooks/03_autoregressive.ipynb) measures what it saves.

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

# %% [markdown]
# ## Pieces of words
#
# A tokenizer of byte pairs is trained by counting ([section 3.12](../notebooks/03_autoregressive.ipynb)). At first every byte is a token. Then
# the pair of neighbours that is most frequent becomes a new token, and again, and again.
#
# ### {{exercise bpe_merge_step}}
#
# One such step. `words` says how often each word of the text occurs: a dict from tuples of tokens to numbers. Return the most frequent
# pair, and a new dict, in which the token `new` stands wherever the pair stood. With `new` = 256,
#
# | words | times | become |
# | --- | --- | --- |
# | (104, 101, 104, 101) | 2 | (256, 256) |
# | (116, 104, 101) | 5 | (116, 256) |
# | (97,) | 9 | (97,) |
#
# because the pair (104, 101) occurs 2 · 2 + 5 = 9 times.
#
# - A pair is counted wherever two tokens stand side by side *in* a word, also where such places overlap: (7, 7, 7, 7, 7) has the pair
#   (7, 7) four times.
# - Of pairs that are equally frequent take the smallest: the smaller first token, and then the smaller second.
# - Merge from left to right and without overlap: (7, 7, 7, 7, 7) becomes (256, 256, 7).
#
# At least one word has two tokens. `words` stays as it is.

# %%
def bpe_merge_step(words, new):
    """The pair, a tuple of two tokens, and the words after the merge: words is a dict
    {tuple of tokens: how often}.
    """
    ### BEGIN SOLUTION
    counts = {}
    for word, times in words.items():
        for pair in itertools.pairwise(word):
            counts[pair] = counts.get(pair, 0) + times
    best = min(counts, key=lambda pair: (-counts[pair], pair))
    merged = {}
    for word, times in words.items():
        tokens, i = [], 0
        while i < len(word):
            found = word[i : i + 2] == best
            tokens.append(new if found else word[i])
            i += 2 if found else 1
        merged[tuple(tokens)] = times
    return best, merged
    ### END SOLUTION

# %%
check.bpe_merge_step(bpe_merge_step)

# %% [markdown]
# ### {{exercise bpe_encode}}
#
# Now any word is encoded with what has been learned. `merges` is a dict from pairs to the tokens that they become, whose numbers are in
# the order of learning: the smaller, the earlier, in whatever order the dict holds them. Begin with the bytes of the word (`tuple(word)` has their numbers). Of all pairs in
# it that were ever learned, merge the one that was learned *first*, and look again, until there is none.
#
# With the merges {(98, 99): 256, (97, 98): 257} the word b"abc", the bytes 97, 98, 99, becomes (97, 256): bc was learned before ab. The longest
# token that fits, or the first from the left, would be something else than the model has seen in training. Where a pair overlaps with itself,
# merge from left to right, as above. The word may be empty.

# %%
def bpe_encode(word, merges):
    """The tokens of a word, a tuple or list: word bytes, merges {(a, b): new}."""
    ### BEGIN SOLUTION
    tokens = list(word)
    while True:
        known = [(merges[pair], i)
                 for i, pair in enumerate(itertools.pairwise(tokens)) if pair in merges]
        if not known:
            return tuple(tokens)
        new, i = min(known)  # learned first; of several such places the leftmost
        tokens[i : i + 2] = [new]
    ### END SOLUTION

# %%
check.bpe_encode(bpe_encode)

# %% [markdown]
# Your step, repeated, is a tokenizer. `m.split_words` cuts a text into words, each with the space before it.

# %%
if solved("bpe_merge_step", "bpe_encode"):
    words, merges = {}, {}
    for word in m.split_words(play.decode(play.train[:50_000])):
        words[tuple(word)] = words.get(tuple(word), 0) + 1
    spelled = [bytes([i]) for i in range(256)]
    for new in tqdm(range(256, 256 + scaled(default=100, smoke=5, full=500)),
                    leave=False):
        (a, b), words = bpe_merge_step(words, new)
        merges[a, b] = new
        spelled.append(spelled[a] + spelled[b])
    print("learned first:", spelled[256:268])
    said = "But soft, what light through yonder window breaks?"
    cut = [t for word in m.split_words(said) for t in bpe_encode(word, merges)]
    print(len(said), "bytes,", len(cut), "tokens:", *(spelled[t].decode() for t in cut),
          sep=" | ")
else:
    print(
        "Solve bpe_merge_step and bpe_encode first; then this cell makes a tokenizer.")

# %% [markdown]
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
# answer come as bytes (`torch.uint8`). [Section
# 3.14](../notebooks/03_autoregressive.ipynb) trains on such rows.

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
# ### {{exercise chat_targets}}
#
# In a dialogue the assistant speaks several times, and a model learns from all that it says and from nothing else. The rows of a batch
# hold T + 1 tokens each. `spoken` is True at tokens that are the assistant's, among them the one that ends its turn. Row b has
# `lengths[b]` tokens; what stands behind them is padding, where `spoken` means nothing. Here the user says 5, 6, the
# assistant 7, 8, token 0 ends each turn, and padding is 0 as well, as is common:
#
# | position | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
# | --- | --- | --- | --- | --- | --- | --- | --- | --- |
# | row | 5 | 6 | 0 | 7 | 8 | 0 | 0 | 0 |
# | spoken | | | | True | True | True | | |
# | x | 5 | 6 | 0 | 7 | 8 | 0 | 0 | |
# | y | −100 | −100 | 7 | 8 | 0 | −100 | −100 | |
#
# x is the row without its last token, y[t] the token after x[t], or −100 where that is not the assistant's. Mind the end token: if it is taken
# for padding, as has happened in published programs, the model never learns to stop.

# %%
def chat_targets(rows, spoken, lengths):
    """x and y, both (B, T) whole numbers: rows (B, T + 1) tokens, spoken (B, T + 1)
    booleans, lengths (B,).
    """
    ### BEGIN SOLUTION
    place = torch.arange(rows.shape[1])
    counted = spoken & (place < lengths[:, None])  # of tokens, so shifted with them
    y = rows.masked_fill(~counted, -100)
    return rows[:, :-1], y[:, 1:]
    ### END SOLUTION

# %%
check.chat_targets(chat_targets)

# %% [markdown]
# ## Pixels in any order
#
# Images have no natural order, but any order will do. MADE is an MLP whose output d predicts pixel d from those before it, because connections that
# could look ahead are multiplied by 0 ([section 3.15](../notebooks/03_autoregressive.ipynb)).
#
# ### {{exercise made_masks}}
#
# Pixels and outputs are numbered from 1 to D, and each hidden unit has a number m from 1 to D − 1: it may depend on the pixels
# 1 to m. So a connection is kept,
#
# - from a pixel or unit below to a hidden unit, where the number above is at least the number below;
# - from the last hidden layer to an output, where the output's number is *larger* than the unit's.
#
# `degrees` is a list with the numbers of each hidden layer, in the order of its units. Return the masks of all layers, the output's last,
# each of shape (units above, units below), with 1 for kept and 0 for cut. For D = 3 and one hidden layer with the numbers 2, 1 these are
#
# | to unit | pixel 1 | pixel 2 | pixel 3 | | to output | unit 2 | unit 1 |
# | --- | --- | --- | --- | --- | --- | --- | --- |
# | 2 | 1 | 1 | 0 | | 1 | 0 | 0 |
# | 1 | 1 | 0 | 0 | | 2 | 0 | 1 |
# | | | | | | 3 | 1 | 1 |
#
# Without any hidden layer, pixels and outputs are connected directly, by the second rule.

# %%
def made_masks(D, degrees):
    """A list of masks, one more than there are hidden layers: degrees is a list of
    tensors (H,) of whole numbers.
    """
    ### BEGIN SOLUTION
    inputs = torch.arange(1, D + 1)
    masks, below = [], inputs
    for above in degrees:
        masks.append((above[:, None] >= below[None, :]).float())
        below = above
    masks.append((inputs[:, None] > below[None, :]).float())
    return masks
    ### END SOLUTION

# %%
check.made_masks(made_masks)

# %% [markdown]
# What an output sees, it sees by way of all layers: the product of the masks counts the paths.

# %%
if solved("made_masks"):
    numbers = torch.randint(1, 12, (40,), generator=seeded(0))
    seen = {}
    for units in (40, 10, 5):
        first, last = made_masks(12, [numbers[:units]])
        seen[f"paths by {units} units"] = last.float() @ first.float() > 0
    maps(seen, "pixel", "output", height=3.3)
else:
    print("Solve made_masks first; then this cell counts paths.")

# %% [markdown]
# *Which output sees which pixel, both numbered from 0: dark where a path leads. Nothing lies on the diagonal or above. With few units many
# pixels that an output may see do not reach it.*

# %% [markdown]
# ## Pixels in reading order
#
# For images the order is that of reading, row after row and from left to right: the *raster order*. A convolution becomes
# causal when the part of its kernel that lies after the centre, and in the first layer the centre itself, is multiplied by 0. [Section 3.16](../notebooks/03_autoregressive.ipynb)
# shows what such layers see.
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
# change an input and see which outputs move. [Section 3.18](../notebooks/03_autoregressive.ipynb) does so with every
# model of the chapter.
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
    seen = {}
    for name, mask in masks.items():
        def stack(x, mask=mask):
            return masked_stack(x.reshape(-1, 1, 5, 5), layers, mask).flatten(1)

        seen[name] = depends_on(stack, x)
    maps(seen, "pixel, in raster order", "logit, in raster order", height=3.3)
else:
    print(
        "Solve pixelcnn_mask, masked_stack and depends_on first; then this cell looks "
        "for leaks in your stack.")

# %% [markdown]
# *Rows are the 25 logits of a 5 × 5 image, columns its 25 pixels, both in raster order; dark marks a dependence. Left, as it
# should be: nothing on the diagonal or above. Middle: the diagonal is dark, each pixel sees itself. Right: no leak, but
# fewer pixels are seen than could be.*

# %% [markdown]
# ## Pixel by pixel
#
# ### {{exercise raster_sample}}
#
# An image is drawn pixel by pixel in raster order. Start with zeros. At each pixel ask the model for its logits, given
# the image so far, take the one at that pixel, and draw: the pixel is 1 if its number in `u` lies *below* the probability of
# a 1, otherwise 0. Write it into the image before you go on; what is not drawn yet stays 0. The image is a float tensor,
# since the model's layers compute with such.
#
# `u` holds one uniform number in [0, 1) for each pixel of each of the n images, so the same u gives the same images. [Section
# 3.16](../notebooks/03_autoregressive.ipynb) shows why the loop over pixels cannot be avoided, and how each of its steps is made cheap.

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

    u = torch.rand(1, 1, 24, 24, generator=seeded(3))
    drawn = {s: raster_sample(lambda x, s=s: neighbourly(x, s), u) for s in (0, 2, 4)}
    maps({f"strength {s}": x[0, 0] for s, x in drawn.items()}, "column (pixel)",
         "row (pixel)", height=3.3)
else:
    print("Solve raster_sample first; then this cell draws patterns with it.")

# %% [markdown]
# *One image from each of three models, drawn with the same numbers u; dark pixels are 1. With strength 0 pixels are independent
# coins. The stronger the wish to be alike, the larger the patches of one colour; only the logits changed, not the numbers u.*

# %% [markdown]
# ## The bug hunt
#
# The program below trains a GPT on byte pairs. It runs, its loss falls, and it reports a wonderful number. Then it writes nonsense. It has
# several mistakes, of kinds that real programs have had, and none raises an error. You will find them by measuring.
#
# ### The program
#
# Seven small pieces, and a model that puts them together. The comment behind each piece says what it should do; not every piece does
# that, and one or the other may be right however strange it looks.

# %%
def prepare(characters, learn):  # a tokenizer, tokens of nine tenths, and of the rest
    tokenizer = learn(characters)
    tokens = tokenizer.encode(characters)
    cut = len(tokens) * 9 // 10
    return tokenizer, tokens[:cut], tokens[cut:]


def pairs(tokens, start, T):  # windows x (B, T) of a text, and what comes next, y
    at = start[:, None] + torch.arange(T)
    return tokens[at], tokens[at]


def attend(q, k, v):  # causal; the T queries are the last of the S positions
    T, S = q.shape[-2], k.shape[-2]
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return (weights * torch.ones(T, S).tril(S - T)) @ v

# %%
def positions(past, n):  # where n new tokens stand after `past` others, (n,)
    return torch.arange(n)


def next_logits(model, idx, caches):  # logits (B, V) of the next token, for writing
    with torch.no_grad():
        return model(idx, caches)[:, -1]


def draw_token(logits, T, generator):  # tokens (B,), drawn at temperature T
    p = logits.softmax(-1)
    return torch.multinomial((p / T).softmax(-1), 1, generator=generator)[:, 0]


def token_loss(logits, y):  # nats per token of each window, (B,)
    chosen = logits.gather(-1, y[..., None])[..., 0]
    return (logits.logsumexp(-1) - chosen).mean(1)

# %% [markdown]
# The model itself is in order: two blocks as above, with dropout in the MLP and a table of learned positions. For writing it has a cache for the
# keys and values of each layer.

# %%
class Layer(nn.Module):
    def __init__(self, attend, width=64, heads=4):
        super().__init__()
        self.attend, self.heads = attend, heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 256), nn.GELU(),
                                 nn.Linear(256, width), nn.Dropout(0.1))

    def forward(self, x, cache):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
                   for part in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        if cache is not None:  # keys and values of what came before, and the new ones
            k, v = cache.append(k, v)
        x = x + self.out(self.attend(q, k, v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.norm2(x))

# %%
class Program(nn.Module):
    """A GPT of two layers, for 32 tokens; two of its pieces are given."""
    def __init__(self, V, attend, positions, width=64):
        super().__init__()
        self.positions = positions
        self.token, self.place = nn.Embedding(V, width), nn.Embedding(32, width)
        self.layers = nn.ModuleList(Layer(attend, width) for _ in range(2))
        self.norm, self.read_out = nn.LayerNorm(width), nn.Linear(width, V)
        for table in (self.token, self.place):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, idx, caches=(None, None)):  # (B, T) -> logits (B, T, V)
        past = 0 if caches[0] is None else len(caches[0])
        x = self.token(idx) + self.place(self.positions(past, idx.shape[1]))
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer(x, cache)
        return self.read_out(self.norm(x))

# %%
def train(program, tokens, pairs, token_loss, steps):
    optimizer = torch.optim.Adam(program.parameters(), lr=4e-3)
    generator = seeded(0)
    for step in tqdm(range(steps), leave=False):
        start = torch.randint(len(tokens) - 32, (32,), generator=generator)
        x, y = pairs(tokens, start, 32)
        loss = token_loss(program(x), y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % (steps // 3) == 0 or step == steps - 1:
            print(f"step {step:4}: {loss.item():.3f} nats per token")

# %%
@torch.no_grad()
def held_out_bits(program, tokenizer, tokens, pairs, token_loss, in_steps=False):
    """Bits per byte of the held-out part; in steps: token by token with a cache."""
    x, y = pairs(tokens, torch.arange(0, len(tokens) - 32, 32), 32)
    program.eval()
    if in_steps:
        caches = [m.KVCache(32) for _ in program.layers]
        logits = torch.cat([program(x[:, t : t + 1], caches) for t in range(32)], 1)
    else:
        logits = program(x)
    program.train()
    nats = 32 * token_loss(logits, y).sum().item()
    return m.bits_per_byte(nats, len(tokenizer.decode_bytes(y.flatten())))

# %%
def write(program, tokenizer, next_logits, draw_token, T=0.7):
    """What the program writes after "Romeo.", token by token, with a cache."""
    generator, caches = seeded(1), [m.KVCache(32) for _ in program.layers]
    new = tokenizer.encode("Romeo.\n")[None]
    written = [new]
    while sum(part.shape[1] for part in written) < 32:
        logits = next_logits(program, new, caches)
        new = draw_token(logits, T, generator)[:, None]
        written.append(new)
    return tokenizer.decode(torch.cat(written, 1)[0])


def learn(characters):
    return m.BPE(m.bpe_train(characters, merges=scaled(default=64, smoke=8, full=512)))

# %%
size = scaled(default=200_000, smoke=8_000, full=900_000)
characters = play.decode(play.train[:size])
torch.manual_seed(0)
tokenizer, train_tokens, held_out = prepare(characters, learn)
broken = Program(len(tokenizer), attend, positions)
train(broken, train_tokens, pairs, token_loss,
      steps=scaled(default=150, smoke=6, full=1000))
bits = held_out_bits(broken, tokenizer, held_out, pairs, token_loss)
print(f"held-out text: {bits:.3f} bits per byte")
print(repr(write(broken, tokenizer, next_logits, draw_token)))

# %% [markdown]
# A loss near zero, and held-out Shakespeare for next to nothing. The chapter's GPTs pay more than two bits per byte, and the largest
# language models there are somewhat less than one. A number that is too good is a finding, and so is what it writes.
#
# ### The instruments
#
# Each instrument puts known numbers into one piece, given as its argument, and measures something that must hold. Where `measured` and
# `should be` differ, the piece is broken.

# %%
def measure_prepare(prepare):
    read = []
    prepare("ab cd " * 20, lambda characters: read.append(characters) or m.BPE({}))
    print(f"prepare      characters read by the tokenizer, of 120   "
          f"measured {len(read[0])}   should be 108")


def measure_pairs(pairs):
    _, y = pairs(torch.arange(100), torch.tensor([50]), 4)
    print(f"pairs        what comes after 50, in a counting text    "
          f"measured {y[0, 0]}   should be 51")


def measure_attend(attend):
    zeros, ones = torch.zeros(1, 1, 4, 2), torch.ones(1, 1, 4, 2)
    print(f"attend       sum of the weights of position 0           "
          f"measured {attend(zeros, zeros, ones)[0, 0, 0, 0]:.2f}   should be 1.00")

# %%
def measure_next_logits(next_logits):
    torch.manual_seed(0)
    program, idx = Program(9, m.causal_attention, positions), torch.arange(6)[None]
    first, second = (next_logits(program, idx, (None, None)) for _ in range(2))
    print(f"next_logits  difference between two calls               "
          f"measured {(first - second).abs().max():.2f}   should be 0.00")


def measure_draw_token(draw_token):
    logits = torch.tensor([0.8, 0.2]).log().expand(4000, 2)
    share = (draw_token(logits, 0.5, seeded(0)) == 0).float().mean()
    print(f"draw_token   how often 0 comes, p = 0.8, T = 0.5        "
          f"measured {share:.2f}   should be about 0.94")


def measure_token_loss(token_loss):
    logits = torch.tensor([0.25, 0.75]).log().expand(1, 2, 2)
    cost = token_loss(logits, torch.tensor([[0, 1]])).item()
    print(f"token_loss   of p = 1/4 and p = 3/4                     "
          f"measured {cost:.3f}   should be 0.837")

# %% [markdown]
# The last one asks two pieces at once: are the logits the same whether a text is read at once, or token by token with the cache? In its second
# line the attention is PyTorch's own, by way of the package.

# %%
@torch.no_grad()
def measure_cache(attend, positions, name):
    torch.manual_seed(0)
    program, idx = Program(9, attend, positions).eval(), torch.arange(8)[None]
    caches = [m.KVCache(32) for _ in program.layers]
    steps = [program(idx[:, t : t + 1], caches) for t in range(8)]
    gap = (torch.cat(steps, 1) - program(idx)).abs().max()
    print(f"{name:29} at once or in steps      measured {gap:.3f}   should be 0.000")


measure_prepare(prepare)
measure_pairs(pairs)
measure_attend(attend)
measure_next_logits(next_logits)
measure_draw_token(draw_token)
measure_token_loss(token_loss)
measure_cache(attend, positions, "attend, positions")
measure_cache(m.causal_attention, positions, "the package's, positions")

# %% [markdown]
# ### {{exercise suspects}}
#
# Name the broken pieces: a set out of `"prepare"`, `"pairs"`, `"attend"`, `"positions"`, `"next_logits"`, `"draw_token"`, `"token_loss"`.

# %%
def suspects():
    """The set of names of the pieces that do not do what they should."""
    ### BEGIN SOLUTION
    return {"prepare", "pairs", "attend", "positions", "next_logits", "draw_token"}
    ### END SOLUTION

# %%
check.suspects(suspects)

# %% [markdown]
# ### {{exercise repair_1}}
#
#
# Now the pieces in the program's order, one by one. Where a piece is right as it is, give it as it is. An instrument takes your piece as well
# as the old one: `measure_prepare(repair_1)`.
#
# `prepare(characters, learn)`: the first nine tenths of the characters (rounded down) are for training, the rest is held out.
# `learn(characters)` returns a tokenizer with a method `encode`.

# %%
def repair_1(characters, learn):
    """The tokenizer, the training tokens, and the held-out tokens."""
    ### BEGIN SOLUTION
    cut = len(characters) * 9 // 10
    train_part, held_out_part = characters[:cut], characters[cut:]
    tokenizer = learn(train_part)
    return tokenizer, tokenizer.encode(train_part), tokenizer.encode(held_out_part)
    ### END SOLUTION

# %%
check.repair_1(repair_1)

# %% [markdown]
# ### {{exercise repair_2}}
#
#
# `pairs(tokens, start, T)`: window b begins at `start[b]`; x holds its tokens, and y what comes after each of them.

# %%
def repair_2(tokens, start, T):
    """x and y, both (B, T): tokens (N,), start (B,) at most N - T - 1."""
    ### BEGIN SOLUTION
    at = start[:, None] + torch.arange(T)
    return tokens[at], tokens[at + 1]
    ### END SOLUTION

# %%
check.repair_2(repair_2)

# %% [markdown]
# ### {{exercise repair_3}}
#
#
# `attend(q, k, v)`: causal attention, where the T queries belong to the last T of the S positions. T = S for a whole text, T = 1 for a new
# token and a cache. The weights of every query sum to 1, whatever lies ahead.

# %%
def repair_3(q, k, v):
    """(B, heads, T, d): q (B, heads, T, d), k and v (B, heads, S, d), S ≥ T;
    differentiable.
    """
    ### BEGIN SOLUTION
    T, S = q.shape[-2], k.shape[-2]
    visible = torch.ones(T, S, dtype=torch.bool).tril(S - T)
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~visible, -torch.inf).softmax(-1) @ v
    ### END SOLUTION

# %%
check.repair_3(repair_3)

# %% [markdown]
# ### {{exercise repair_4}}
#
#
# `positions(past, n)`: where n new tokens stand, when `past` of them are already there. The first token of a text stands at 0.

# %%
def repair_4(past, n):
    """(n,) whole numbers, as a table of positions is asked with."""
    ### BEGIN SOLUTION
    return torch.arange(past, past + n)
    ### END SOLUTION

# %%
check.repair_4(repair_4)

# %% [markdown]
# ### {{exercise repair_5}}
#
#
# `next_logits(model, idx, caches)`: what `model(idx, caches)` says after the last position, without dropout and without a graph. Afterwards
# every part of the model is in the mode, training or evaluation, in which it came: parts may differ.

# %%
def repair_5(model, idx, caches):
    """Logits (B, V) from those of model(idx, caches), (B, t, V)."""
    ### BEGIN SOLUTION
    were_training = [part for part in model.modules() if part.training]
    model.eval()
    with torch.no_grad():
        logits = model(idx, caches)[:, -1]
    for part in were_training:
        part.training = True
    return logits
    ### END SOLUTION

# %%
check.repair_5(repair_5)

# %% [markdown]
# ### {{exercise repair_6}}
#
#
# `draw_token(logits, T, generator)`: one token for each row, drawn with the `generator` at temperature T > 0.

# %%
def repair_6(logits, T, generator):
    """Tokens (B,) from softmax(logits / T): logits (B, V)."""
    ### BEGIN SOLUTION
    p = (logits / T).softmax(-1)
    return torch.multinomial(p, 1, generator=generator)[:, 0]
    ### END SOLUTION

# %%
check.repair_6(repair_6)

# %% [markdown]
# ### {{exercise repair_7}}
#
#
# `token_loss(logits, y)`: what the predictions of each window cost, −log p(y), on average over its tokens. Logits may lie hundreds apart.

# %%
def repair_7(logits, y):
    """Nats per token (B,): logits (B, T, V), y (B, T); differentiable."""
    ### BEGIN SOLUTION
    chosen = logits.gather(-1, y[..., None])[..., 0]
    return (logits.logsumexp(-1) - chosen).mean(1)
    ### END SOLUTION

# %%
check.repair_7(repair_7)

# %% [markdown]
# ### Broken and repaired, side by side
#
# If all pieces are right, the cells below run the instruments on them, and train the program again, once with all of your pieces and once with
# the old `attend`. Then the repaired program writes with the old `positions`, and with the old `draw_token`.

# %%
pieces = [repair_1, repair_2, repair_3, repair_4, repair_5, repair_6, repair_7]
repaired = all(getattr(check, f"repair_{i}").judge(piece).status == "right"
               for i, piece in enumerate(pieces, 1))
if repaired:
    measure_prepare(repair_1)
    measure_pairs(repair_2)
    measure_attend(repair_3)
    measure_next_logits(repair_5)
    measure_draw_token(repair_6)
    measure_token_loss(repair_7)
    measure_cache(repair_3, repair_4, "attend, positions")
else:
    print("Repair all seven pieces first; then these cells show what that changes.")

# %%
def trained(attend):
    """A program of your pieces, but for its attention; trained anew."""
    torch.manual_seed(0)
    program = Program(len(tokenizer), attend, repair_4)
    train(program, train_tokens, repair_2, repair_7,
          steps=scaled(default=500, smoke=6, full=5000))
    return program


def tell(name, program, positions=None, draw=None):
    program.positions = positions or repair_4
    given = tokenizer, held_out, repair_2, repair_7
    bits = [held_out_bits(program, *given, in_steps) for in_steps in (False, True)]
    print(f"{name}: held-out text {bits[0]:.3f} bits per byte, "
          f"read in steps {bits[1]:.3f}")
    print(repr(write(program, tokenizer, repair_5, draw or repair_6)), end="\n\n")

# %%
if repaired:
    tokenizer, train_tokens, held_out = repair_1(characters, learn)
    program, cheat = trained(repair_3), trained(attend)
    tell("repaired", program)
    tell("old attend", cheat)
    tell("old positions", program, positions=positions)
    tell("old draw_token", program, draw=draw_token)

# %% [markdown]
# The number has become worse, and honest. With the old `attend` it is far too good: the denominator of the softmax knows the keys that are hidden
# afterwards, and training has found out how to read the future from it. Read in steps, where there is no future, such a model is lost, and
# so is its text. With the old `positions` the usual number does not change at all, since whole texts begin at 0; in steps it does. And
# `draw_token` has no part in any number: the same good model writes nonsense.
#
# So measure three things: what a model pays for text of which nothing in it has seen anything, whether it pays the same in the way in which it will
# be used, and what it writes.

# %% [markdown]
# ## Score
#
# All answers are judged afresh, whatever was run before.

# %%
report(check, globals())
