"""The models of chapter 3 against counting, closed forms, torch's own functions, sums over
everything and finite differences.
"""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from gencourse.data import minibatches
from gencourse.errors import InputError, InputTypeError
from gencourse.models import autoregressive as m
from gencourse.models.autoregressive.attention import KVCache
from gencourse.runtime import global_seed, seeded
from gencourse.training import JointOptimizer, check_model, fit


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def random_model(make, seed=0):
    """A model in double precision and evaluation mode, all of whose weights are random: none is
    zero by its start.
    """
    with global_seed(seed):
        model = make()
        for p in model.parameters():
            torch.nn.init.normal_(p, std=0.5)
    return model.double().eval()


# every model of the chapter, an input, and whether output t may depend on input t (it predicts t +
# 1)
MODELS = {
    "n-gram": (
        lambda: m.NeuralNgram(7, context=3, width=4, hidden=8),
        torch.tensor([[0, 3, 6, 2, 2, 5, 1, 4]]),
        True,
    ),
    "GPT": (
        lambda: m.GPT(7, block_size=8, layers=2, heads=2, width=8),
        torch.tensor([[0, 3, 6, 2, 2, 5, 1, 4]]),
        True,
    ),
    "MADE": (
        lambda: m.MADE((1, 4, 5), hidden=48, layers=2),
        torch.rand(1, 1, 4, 5, generator=seeded(1)).double(),
        False,
    ),
    "plain PixelCNN": (
        lambda: m.PlainPixelCNN(6, 3, 3),
        torch.rand(1, 1, 5, 6, generator=seeded(1)).double(),
        False,
    ),
    "PixelCNN": (
        lambda: m.PixelCNN(6, 3, 2, (1, 5, 6)),
        torch.rand(1, 1, 5, 6, generator=seeded(1)).double(),
        False,
    ),
    "PixelCNN 5": (
        lambda: m.PixelCNN(4, 5, 2, (1, 5, 6)),
        torch.rand(1, 1, 5, 6, generator=seeded(1)).double(),
        False,
    ),
}
PIXEL_MODELS = {  # on images of nine pixels, so that all 512 can be listed
    "MADE": lambda: m.MADE((1, 3, 3), hidden=32, layers=2),
    "PixelCNN": lambda: m.PixelCNN(6, 3, 2, (1, 3, 3)),
    "PixelCNN 5": lambda: m.PixelCNN(4, 5, 1, (1, 3, 3)),
    "PixelCNN 1": lambda: m.PixelCNN(4, 1, 2, (1, 3, 3)),
}


# --- causality


@pytest.mark.parametrize("name", MODELS)
def test_no_model_looks_ahead(name):
    make, x, own = MODELS[name]
    moved = m.depends_on(random_model(make), x)
    assert m.find_leak(moved, own_input=own) is None
    assert moved.any()


@pytest.mark.parametrize("name", ["MADE", "plain PixelCNN", "PixelCNN", "PixelCNN 5"])
def test_the_jacobian_is_strictly_causal_and_agrees_with_the_experiment(name):
    make, x, _ = MODELS[name]
    model, D = random_model(make), x.numel()
    J = torch.autograd.functional.jacobian(model, x).view(D, D)
    assert J.triu().abs().max() == 0
    # a ReLU may hide a gradient, not a change
    assert torch.equal(J != 0, m.depends_on(model, x)) or name == "plain PixelCNN"


@pytest.mark.parametrize("name", ["GPT", "MADE", "PixelCNN", "PixelCNN 5"])
def test_models_without_a_blind_spot_see_all_that_came_before(name):
    make, x, own = MODELS[name]
    moved = m.depends_on(random_model(make), x)
    reach = torch.ones_like(moved).tril(0 if own else -1)
    if name.startswith(
        "PixelCNN"
    ):  # two layers span all of 5 × 6 pixels but for what lies too far in the same row
        assert (reach & ~moved).float().mean() < 0.12
    else:
        assert torch.equal(moved, reach)


def test_depends_on_refuses_outputs_without_places():
    with pytest.raises(InputError, match="one number per pixel"):
        m.depends_on(lambda x: x.repeat(1, 2, 1, 1), torch.rand(1, 1, 2, 3))


def test_the_plain_pixelcnn_is_blind_on_the_upper_right_and_the_gated_one_is_not():
    centre, x = (4, 4), torch.rand(1, 1, 9, 9, generator=seeded(0)).double()
    seen = {}
    for name, make in {
        "plain": lambda: m.PlainPixelCNN(8, 3, 5),
        "gated": lambda: m.PixelCNN(8, 3, 4, (1, 9, 9)),
    }.items():
        moved = m.depends_on(random_model(make), x)
        seen[name] = moved[centre[0] * 9 + centre[1]].view(9, 9)
    # one row up a 3 × 3 kernel reaches one column to the right
    assert not seen["plain"][3, 6] and not seen["plain"][2, 7]
    assert seen["gated"][3, 6] and seen["gated"][2, 7]


@pytest.mark.parametrize("place", [0, 5, 11])
def test_a_planted_leak_is_found(place):
    make, x, _ = MODELS["MADE"]
    honest = random_model(make)

    def leaky(images):
        logits = honest(images).clone()
        logits.flatten(1)[:, place] += 1e-9 * images.flatten(1)[:, place]
        return logits

    assert m.find_leak(m.depends_on(honest, x)) is None
    assert m.find_leak(m.depends_on(leaky, x)) == (place, place)


def test_a_leak_in_a_mask_is_found_in_tokens():
    gpt, idx = random_model(MODELS["GPT"][0]), MODELS["GPT"][1]
    leaky = lambda tokens: gpt(tokens) + 1e-9 * gpt.token_embedding(tokens.roll(-1, 1))[..., :7]  # noqa: E731
    assert m.find_leak(m.depends_on(leaky, idx), own_input=True) == (0, 1)


def test_depends_on_refuses_a_model_in_training_mode():
    with pytest.raises(InputError, match="evaluation mode"):
        m.depends_on(torch.nn.Dropout(), torch.rand(1, 1, 2, 2))
    with pytest.raises(InputError, match="one example"):
        m.depends_on(torch.nn.Identity(), torch.rand(2, 1, 2, 2))


# --- likelihood


@pytest.mark.parametrize("name", PIXEL_MODELS)
def test_probabilities_of_all_images_add_up_to_one(name):
    every = torch.tensor(list(itertools.product([0.0, 1.0], repeat=9)), dtype=torch.float64).view(
        -1, 1, 3, 3
    )
    model = random_model(PIXEL_MODELS[name])
    assert model.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", PIXEL_MODELS)
def test_the_chain_rule_step_by_step(name):
    """log p(x) again, one conditional at a time, from images with other later pixels."""
    model, x = (
        random_model(PIXEL_MODELS[name]),
        (torch.rand(4, 1, 3, 3, generator=seeded(2)) > 0.5).double(),
    )
    total = torch.zeros(4, dtype=torch.float64)
    for d in range(9):
        other = x.clone()
        other.flatten(1)[:, d:] = 0.3
        p = model(other).flatten(1)[:, d].sigmoid()
        total += torch.distributions.Bernoulli(p).log_prob(x.flatten(1)[:, d])
    torch.testing.assert_close(model.log_prob(x), total, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PIXEL_MODELS)
def test_samples_have_the_frequencies_that_the_model_states(name):
    model = random_model(PIXEL_MODELS[name]).float()
    x = model.sample(4000, seed=3)
    assert set(x.unique().tolist()) <= {0.0, 1.0}
    codes = (x.flatten(1).long() * 2 ** torch.arange(9)).sum(1)
    every = ((torch.arange(512)[:, None] >> torch.arange(9)) & 1).float().view(-1, 1, 3, 3)
    p = model.log_prob(every).exp()
    counts = torch.bincount(codes, minlength=512)
    expected = 4000 * p
    frequent = expected >= 5
    chi2 = ((counts - expected)[frequent] ** 2 / expected[frequent]).sum().item()
    rest, rest_expected = counts[~frequent].sum().item(), expected[~frequent].sum().item()
    chi2 += (rest - rest_expected) ** 2 / max(rest_expected, 1)
    degrees = int(frequent.sum())
    assert chi2 < degrees + 4.5 * math.sqrt(2 * degrees)


# --- PixelCNN


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_the_fast_sampler_draws_what_a_pass_per_pixel_draws(kernel):
    model = random_model(lambda: m.PixelCNN(5, kernel, 3, (1, 7, 6)), seed=kernel)
    slow = m.raster_sample(lambda x: model(x.double()), 6, (1, 7, 6), seeded(4))
    assert torch.equal(model.float().sample(6, seed=4), slow)
    assert 0.02 < slow.mean() < 0.98


def test_completion_keeps_what_is_known_and_conditions_on_what_came_before():
    model = random_model(PIXEL_MODELS["PixelCNN"]).float()
    x = (torch.rand(3, 1, 3, 3, generator=seeded(5)) > 0.5).float()
    known = torch.zeros(1, 3, 3, dtype=torch.bool)
    known[0, 0], known[0, 2, 2] = True, True
    full = model.complete(x.repeat(2000, 1, 1, 1), known, seed=6)
    assert torch.equal(full[:, known], x.repeat(2000, 1, 1, 1)[:, known])
    first = full.view(2000, 3, 1, 3, 3)[:, :, 0, 1, 0].mean(0)
    torch.testing.assert_close(first, model(x).sigmoid()[:, 0, 1, 0].detach(), rtol=0, atol=0.05)
    assert torch.equal(model.complete(x, torch.ones(1, 3, 3, dtype=torch.bool)), x)


def test_masks_are_those_of_the_paper():
    A = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]]).float()
    assert torch.equal(m.pixelcnn_mask(3, "A"), A)
    assert torch.equal(m.pixelcnn_mask(3, "B"), A + torch.eye(9)[4].view(3, 3))
    assert m.pixelcnn_mask(5, "B").sum() == 13 and m.pixelcnn_mask(1, "A").sum() == 0
    with pytest.raises(InputError, match="odd"):
        m.pixelcnn_mask(4, "A")
    with pytest.raises(InputError, match="'A' or 'B'"):
        m.pixelcnn_mask(3, "C")


def test_masks_are_no_parameters_and_survive_training():
    layer = m.MaskedConv2d(1, 2, 3, "A")
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert "mask" in layer.state_dict()


@pytest.mark.parametrize(("D", "hidden", "layers"), [(2, 3, 1), (6, 10, 2), (9, 40, 3)])
def test_made_masks_multiply_to_a_strict_lower_triangle(D, hidden, layers):
    paths = torch.eye(D)
    for mask in m.made_masks(D, hidden, layers):
        paths = mask @ paths
    assert torch.equal(paths > 0, torch.ones(D, D).tril(-1) > 0)


# --- counting


def test_bigram_counts_by_hand():
    counts = m.bigram_counts(torch.tensor([0, 1, 1, 2, 0, 1]), 4)
    assert counts.tolist() == [[0, 2, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    probs = m.bigram_probs(counts)
    assert probs[1].tolist() == [0, 0.5, 0.5, 0] and probs[3].tolist() == [0.25] * 4
    torch.testing.assert_close(m.bigram_probs(counts, alpha=1)[0], torch.tensor([1, 3, 1, 1]) / 6)
    torch.testing.assert_close(
        m.bigram_probs(counts, alpha=1e9), torch.full((4, 4), 0.25), atol=1e-6, rtol=0
    )


def test_maximum_likelihood_is_what_gradients_find():
    """The counts' frequencies minimise the cross-entropy: at their logarithms the gradient
    vanishes.
    """
    tokens = torch.randint(3, (200,), generator=seeded(0))
    logits = m.bigram_probs(m.bigram_counts(tokens, 3)).double().log().requires_grad_()
    F.cross_entropy(logits[tokens[:-1]], tokens[1:]).backward()
    assert logits.grad.abs().max() < 1e-7


def test_markov_source_against_the_power_method_and_its_own_samples():
    P = torch.tensor([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.5, 0.0, 0.5]])
    source = m.MarkovSource(P)
    limit = torch.linalg.matrix_power(source.P, 200)
    torch.testing.assert_close(source.stationary, limit[0])
    by_hand = -sum(
        limit[0, i] * P[i, j].double() * math.log(P[i, j])
        for i in range(3)
        for j in range(3)
        if P[i, j] > 0
    )
    assert source.entropy == pytest.approx(by_hand.item(), abs=1e-6)
    tokens = source.sample(100_000, seed=1)
    torch.testing.assert_close(m.bigram_probs(m.bigram_counts(tokens, 3)), P, atol=0.01, rtol=0)
    assert m.bigram_nll(P, tokens) == pytest.approx(source.entropy, abs=0.01)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 20.0])
def test_no_bigram_model_beats_the_source_on_fresh_text(alpha):
    source = m.MarkovSource(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]))
    learnt = m.bigram_probs(m.bigram_counts(source.sample(2000, seed=2), 3), alpha)
    expected = -(source.stationary[:, None] * source.P * learnt.double().log()).sum().item()
    assert expected > source.entropy


def test_a_trained_model_approaches_the_entropy_from_above():
    source = m.MarkovSource(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]))
    x, y = m.next_token_pairs(source.sample(20_001, seed=3), 20)
    with global_seed(0):
        model = m.NeuralNgram(3, context=1, width=4, hidden=16)
        fit(
            model,
            minibatches(x, y, batch_size=50, seed=0),
            steps=300,
            lr=2e-2,
            precision="float32",
            progress=False,
        )
    learnt = model(torch.arange(3)[None])[0].softmax(-1).detach().double()
    excess = (source.stationary[:, None] * source.P * (source.P / learnt).log()).sum().item()
    assert 0 <= excess < 0.005


def test_sources_that_are_no_sources_are_refused():
    with pytest.raises(InputError, match="sum to 1"):
        m.MarkovSource(torch.ones(2, 2))


# --- tokens


def test_next_token_pairs_of_a_counting_text():
    x, y = m.next_token_pairs(torch.arange(11), 3)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]] and torch.equal(y, x + 1)
    x, y = m.next_token_pairs(torch.arange(10), 3)  # the last token is a target
    assert y[-1, -1] == 9
    with pytest.raises(InputError, match="longer than block"):
        m.next_token_pairs(torch.arange(3), 3)
    with pytest.raises(InputTypeError, match="whole numbers"):
        m.next_token_pairs(torch.rand(9), 3)


def test_sequence_nll_is_the_mean_of_logs_over_what_counts():
    logits, targets = randn(2, 3, 5), torch.tensor([[0, 4, m.IGNORED], [1, m.IGNORED, m.IGNORED]])
    log_p = torch.distributions.Categorical(logits=logits)
    want0 = -(log_p.log_prob(targets.clamp(min=0))[0, :2].mean())
    want1 = -(log_p.log_prob(targets.clamp(min=0))[1, 0])
    torch.testing.assert_close(m.sequence_nll(logits, targets), torch.stack([want0, want1]))
    assert m.sequence_nll(torch.zeros(1, 3, 7), torch.tensor([[1, 2, 3]])).item() == pytest.approx(
        math.log(7)
    )
    with pytest.raises(InputError, match="last dimension"):
        m.sequence_nll(torch.zeros(2, 5, 3), torch.zeros(2, 3).long())


# --- sampling


def test_temperature_is_a_power_of_the_probabilities():
    p = torch.tensor([0.5, 0.3, 0.2])
    for T in (0.3, 1.0, 2.0):
        want = p ** (1 / T) / (p ** (1 / T)).sum()
        torch.testing.assert_close(m.temperature_probs(p.log(), T), want)
    assert m.temperature_probs(p.log(), 0).tolist() == [1, 0, 0]
    torch.testing.assert_close(
        m.temperature_probs(torch.tensor([300.0, 0.0]), 1e-3), torch.tensor([1.0, 0.0])
    )
    with pytest.raises(InputError, match="at least 0"):
        m.temperature_probs(p, -1.0)


@pytest.mark.parametrize("V", [5, 6])
def test_top_k_keeps_the_k_largest_of_every_row(V):
    logits = randn(5, V) * torch.tensor([1, 10, 100, 0.1, 1000]).double()[:, None]
    for k in (1, 3, V, V + 4):
        kept = m.top_k_filter(logits, k).isfinite()
        assert (kept.sum(1) == min(k, V)).all()
        for row, keep in zip(logits, kept, strict=True):
            assert set(row[keep].tolist()) == set(sorted(row.tolist())[-k:])


@pytest.mark.parametrize("p", [0.05, 0.5, 0.8, 0.9, 0.999, 1.0])
def test_top_p_keeps_the_smallest_set_that_reaches_p(p):
    logits = randn(6, 6, seed=1) * torch.tensor([0.1, 1, 2, 3, 5, 0.01]).double()[:, None]
    kept = m.top_p_filter(logits, p).isfinite()
    probs = logits.softmax(-1)
    for row, keep in zip(probs, kept, strict=True):
        smallest = min(
            (
                s
                for n in range(1, 7)
                for s in itertools.combinations(range(6), n)
                if row[list(s)].sum() >= p - 1e-12
            ),
            key=len,
        )
        assert int(keep.sum()) == len(smallest)
        assert row[keep].min() >= row[~keep].max() if (~keep).any() else True


def test_draws_have_the_filtered_probabilities():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0]).repeat(20_000, 1)
    drawn = m.sample_token(logits, T=0.7, top_k=3, top_p=0.9, generator=seeded(0))
    want = m.top_p_filter(m.top_k_filter(logits[:1] / 0.7, 3), 0.9).softmax(-1)[0]
    torch.testing.assert_close(
        torch.bincount(drawn, minlength=4) / 20_000, want, atol=0.015, rtol=0
    )
    assert torch.equal(m.sample_token(logits, T=0), torch.zeros(20_000).long())


def test_generate_of_a_counting_model_crops_the_context_and_restores_the_mode():
    class Counter(torch.nn.Module):
        seen = 0

        def forward(self, idx):
            self.seen = max(self.seen, idx.shape[1])
            return F.one_hot((idx + 1) % 7, 7).float() * 100

    model = Counter().train()
    out = m.generate(model, torch.tensor([[3], [5]]), 8, block=4, generator=seeded(0))
    assert out.tolist() == [[3, 4, 5, 6, 0, 1, 2, 3, 4], [5, 6, 0, 1, 2, 3, 4, 5, 6]]
    assert model.seen == 4 and model.training
    with pytest.raises(InputError, match="prompt"):
        m.generate(model, torch.zeros(1, 0).long(), 2, block=4)


# --- attention and GPT


def test_causal_attention_equals_torch():
    q, k, v = randn(2, 3, 5, 4), randn(2, 3, 5, 4, seed=1), randn(2, 3, 5, 6, seed=2)
    torch.testing.assert_close(
        m.causal_attention(q, k, v), F.scaled_dot_product_attention(q, k, v, is_causal=True)
    )
    torch.testing.assert_close(m.attention_weights(q, k).sum(-1), torch.ones(2, 3, 5).double())
    torch.testing.assert_close(
        m.causal_attention(q[..., -1:, :], k, v), m.causal_attention(q, k, v)[..., -1:, :]
    )


def turned(x):
    """The rotation again, with complex numbers."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None].double() * 1000.0 ** (
        -torch.arange(half).double() / half
    )
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([z.real, z.imag], -1)


def test_rotation_equals_complex_multiplication():
    x = randn(2, 3, 7, 6)
    torch.testing.assert_close(m.apply_rotary(x), turned(x), rtol=0, atol=1e-6)
    torch.testing.assert_close(
        m.apply_rotary(x[..., 4:, :], offset=4), m.apply_rotary(x)[..., 4:, :]
    )


def test_rotated_products_depend_on_the_distance_alone():
    q, k = randn(8), randn(8, seed=1)
    turned_q, turned_k = m.apply_rotary(q.expand(9, 8)), m.apply_rotary(k.expand(9, 8))
    products = turned_q @ turned_k.T
    for distance in range(9):
        along = products.diagonal(-distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=0, atol=1e-5)
    assert (products.diagonal(-3)[0] - products.diagonal(-4)[0]).abs() > 1e-3


def test_attention_layer_equals_torchs_with_the_same_weights():
    with global_seed(0):
        ours = m.CausalSelfAttention(8, heads=2).double()
    x = randn(3, 5, 8)
    q, k, v = (layer(x).view(3, 5, 2, 4).transpose(1, 2) for layer in (ours.q, ours.k, ours.v))
    want = (
        F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
        .transpose(1, 2)
        .reshape(3, 5, 8)
        @ ours.out.weight.T
    )
    torch.testing.assert_close(ours(x), want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("T", [1, 2, 5])
def test_causal_mask(T):
    assert m.causal_mask(T).tolist() == [[s <= t for s in range(T)] for t in range(T)]


def small_gpt(**kwargs):
    with global_seed(1):
        model = m.GPT(
            11, **({"block_size": 12, "layers": 2, "heads": 2, "width": 16} | kwargs)
        ).eval()
        for p in model.parameters():
            torch.nn.init.normal_(p, std=0.4)
    return model


def test_cached_logits_equal_the_whole_pass():
    gpt, idx = small_gpt(), torch.randint(11, (3, 12), generator=seeded(0))
    whole = gpt(idx)
    caches = [KVCache(gpt.block_size) for _ in gpt.blocks]
    pieces = [gpt(idx[:, a:b], caches) for a, b in ((0, 4), (4, 5), (5, 6), (6, 9), (9, 12))]
    assert (torch.cat(pieces, 1) - whole).abs().max() < 1e-5


@pytest.mark.parametrize(("prompt", "n"), [(1, 11), (1, 40), (12, 30), (20, 5)])
def test_generating_with_and_without_cache_gives_the_same_tokens(prompt, n):
    gpt, idx = small_gpt().double(), torch.randint(11, (4, prompt), generator=seeded(2))
    a, b = (gpt.generate(idx, n, seed=3, cached=cached) for cached in (True, False))
    assert torch.equal(a, b) and a.shape == (4, prompt + n) and torch.equal(a[:, :prompt], idx)
    assert not torch.equal(a, gpt.generate(idx, n, seed=4))


def test_a_context_of_one_token_is_enough():
    gpt = small_gpt(block_size=1)
    assert gpt.generate(torch.zeros(2, 1).long(), 5).shape == (2, 6)


def test_gpt_generates_what_the_plain_loop_generates_within_a_block():
    gpt, idx = small_gpt(), torch.randint(11, (4, 2), generator=seeded(2))
    assert torch.equal(
        gpt.generate(idx, 10, seed=3), m.generate(gpt, idx, 10, block=12, generator=seeded(3))
    )


def test_gpt_by_hand():
    """One block, one head, written out once more."""
    gpt, idx = small_gpt(layers=1, heads=1).double(), torch.tensor([[4, 0, 7]])
    b, x = gpt.blocks[0], gpt.token_embedding.weight[idx[0]]

    def norm(h, layer):
        scale = (h.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
        return (h - h.mean(1, keepdim=True)) / scale * layer.weight + layer.bias

    q, k, v = (
        norm(x, b.norm1) @ layer.weight.T for layer in (b.attention.q, b.attention.k, b.attention.v)
    )
    scores = (turned(q) @ turned(k).T / 4).exp().tril()
    x = x + scores / scores.sum(1, keepdim=True) @ v @ b.attention.out.weight.T
    h = norm(x, b.norm2) @ b.mlp[0].weight.T
    x = x + (h * (1 + torch.erf(h / 2**0.5)) / 2) @ b.mlp[2].weight.T
    torch.testing.assert_close(
        gpt(idx)[0], norm(x, gpt.norm) @ gpt.token_embedding.weight.T, rtol=0, atol=1e-5
    )


def test_attention_maps_are_causal_and_sum_to_one():
    maps = small_gpt().attention_maps(torch.randint(11, (2, 7), generator=seeded(0)))
    assert maps.shape == (2, 2, 2, 7, 7) and maps.triu(1).abs().max() == 0
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, 2, 2, 7))


def test_gpt_loss_has_the_right_slope():
    gpt, idx = small_gpt().double(), torch.randint(11, (2, 6), generator=seeded(4))
    loss = lambda: gpt.loss(idx[:, :-1], idx[:, 1:])["loss"].sum()  # noqa: E731
    loss().backward()
    weight = gpt.blocks[1].attention.v.weight
    for place in ((0, 0), (7, 3), (15, 15)):
        with torch.no_grad():
            values = []
            for step in (1e-5, -2e-5):
                weight[place] += step
                values.append(loss().item())
            weight[place] += 1e-5
        assert weight.grad[place].item() == pytest.approx(
            (values[0] - values[1]) / 2e-5, rel=1e-3, abs=1e-6
        )


@pytest.mark.slow
def test_gpt_learns_to_copy():
    """The second half of a sequence repeats the first: half of its tokens can be known."""
    half = torch.randint(9, (4000, 6), generator=seeded(0))
    idx = torch.cat([half, half], 1)
    with global_seed(0):
        gpt = m.GPT(9, block_size=12, layers=2, heads=2, width=32)
        fit(
            gpt,
            minibatches(idx[:, :-1], idx[:, 1:], batch_size=64, seed=0),
            steps=400,
            lr=0.02,
            precision="float32",
            progress=False,
        )
    nll = -gpt(idx[:50, :-1]).log_softmax(-1).gather(2, idx[:50, 1:, None])[..., 0]
    assert nll[:, :5].mean() > 0.95 * math.log(9) and nll[:, 6:].mean() < 0.2


def test_too_long_a_text_is_refused_with_a_sentence():
    with pytest.raises(InputError, match="at most block_size = 12"):
        small_gpt()(torch.zeros(1, 13).long())
    with pytest.raises(InputError, match="multiple of 2 · heads"):
        m.GPT(5, width=12, heads=4)


@pytest.mark.parametrize(
    ("model", "batch"),
    [
        (lambda: m.MADE((1, 4, 4), 16), torch.ones(3, 1, 4, 4)),
        (lambda: m.PixelCNN(4, 3, 1, (1, 4, 4)), torch.ones(3, 1, 4, 4)),
        (lambda: m.NeuralNgram(5), (torch.zeros(3, 4).long(), torch.ones(3, 4).long())),
        (
            lambda: m.GPT(5, block_size=4, layers=1, heads=2, width=8),
            (torch.zeros(3, 4).long(), torch.ones(3, 4).long()),
        ),
    ],
)
def test_models_keep_the_contract_of_the_loop(model, batch, capsys):
    with global_seed(0):
        check_model(model(), batch)
    assert "every parameter gets a gradient" in capsys.readouterr().out


def test_all_parameters_of_a_gpt_are_trained():
    with global_seed(0):
        gpt = m.GPT(5, block_size=4, layers=1, heads=2, width=8)
    (player,) = gpt.players(0.1)
    trained = [p for group in player.optimizer.param_groups for p in group["params"]]
    assert {id(p) for p in trained} == {id(p) for p in gpt.parameters()} and len(trained) == len(
        list(gpt.parameters())
    )


# --- what a wrong version would pass without


def test_draw_filters_by_k_and_then_by_p_of_what_is_left():
    # top-p alone, or first, would leave three
    logits = torch.tensor([2.0, 1.0, 0.5, 0.2]).repeat(20_000, 1)
    drawn = m.sample_token(logits, T=0.7, top_k=3, top_p=0.88, generator=seeded(0))
    want = F.pad((logits[0, :2] / 0.7).softmax(-1), (0, 2))
    torch.testing.assert_close(
        torch.bincount(drawn, minlength=4) / 20_000, want, atol=0.015, rtol=0
    )
    assert m.sample_token(torch.tensor([[300.0, 0.0]]), T=1e-37).tolist() == [0]
    with pytest.raises(InputError, match="no NaN"):
        m.sample_token(torch.full((1, 3), torch.nan))


def test_a_model_is_in_evaluation_mode_while_it_generates_and_its_parts_get_their_own_modes_back():
    class Noisy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.frozen, self.dropout, self.modes = torch.nn.Dropout(), torch.nn.Dropout(), []

        def forward(self, idx):
            self.modes.append(self.training or self.dropout.training)
            return F.one_hot(idx, 7).float()

    model = Noisy().train()
    model.frozen.eval()
    m.generate(model, torch.zeros(1, 1).long(), 3, block=4, generator=seeded(0))
    assert (
        model.modes == [False] * 3
        and model.training
        and model.dropout.training
        and not model.frozen.training
    )


def test_a_sequence_without_targets_costs_nothing():
    assert m.sequence_nll(torch.zeros(1, 2, 5), torch.full((1, 2), m.IGNORED)).item() == 0


def test_attention_maps_are_those_of_the_forward_pass(monkeypatch):
    from gencourse.models.autoregressive import attention

    gpt, idx, used, own = (
        small_gpt(),
        torch.randint(11, (2, 7), generator=seeded(0)),
        [],
        attention.attention_weights,
    )
    monkeypatch.setattr(
        attention, "attention_weights", lambda q, k: used.append(own(q, k)) or used[-1]
    )
    gpt(idx)
    seen = torch.stack(used)
    torch.testing.assert_close(gpt.attention_maps(idx), seen)


def test_the_ngram_sees_its_context_and_no_more():
    make, x, _ = MODELS["n-gram"]
    ones = torch.ones(8, 8)
    assert torch.equal(m.depends_on(random_model(make), x), (ones.tril() - ones.tril(-3)) > 0)


def test_the_ngrams_start_is_none_of_the_tokens():
    model = random_model(MODELS["n-gram"][0])
    first = model(torch.tensor([[2]]))[0, 0]
    for token in range(7):
        assert not torch.allclose(first, model(torch.tensor([[token, token, 2]]))[0, 2])


@pytest.mark.parametrize("make", [m.MADE, m.PixelCNN])
def test_an_untrained_model_starts_near_the_mean_image(make):
    mean = torch.rand(1, 4, 5, generator=seeded(0)) * 0.8 + 0.1
    with global_seed(0):
        model = make(image_shape=(1, 4, 5), mean_image=mean)
    if make is m.MADE:
        torch.nn.init.zeros_(model.net[-1].weight)
    torch.testing.assert_close(
        model(torch.ones(2, 1, 4, 5)).sigmoid(), mean.expand(2, 1, 4, 5), atol=0.1, rtol=0
    )


def test_joint_clears_and_steps_all():
    a, b = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    both = JointOptimizer(torch.optim.SGD([a], 0.1), torch.optim.SGD([b], 0.5))
    for _ in range(2):
        both.zero_grad()
        (a + b).sum().backward()
        both.step()
    torch.testing.assert_close(torch.cat([a, b]).detach(), torch.tensor([0.8, 0.0]))


def test_a_full_context_starts_anew_with_its_last_half():
    gpt, lengths = small_gpt(), []
    gpt.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    gpt.generate(torch.zeros(1, 12).long(), 15, cached=False)
    assert lengths == [12, *range(6, 13), *range(6, 13)]


@pytest.mark.parametrize(
    "model", [lambda: m.MADE((1, 4, 4), 16), lambda: m.PixelCNN(4, 3, 1, (1, 4, 4))]
)
def test_double_precision_samples_too_and_grey_images_have_no_probability(model):
    with global_seed(0):
        model = model().double()
    assert model.sample(2).shape == (2, 1, 4, 4)
    with pytest.raises(InputError, match="0 and 1 only"):
        model.log_prob(torch.full((2, 1, 4, 4), 0.5).double())


def test_faults_are_told_and_not_passed_over():
    with pytest.raises(InputTypeError, match="int64"):
        m.bigram_counts(torch.tensor([200, 201], dtype=torch.uint8), 256)
    with pytest.raises(InputError, match="finite"):
        m.depends_on(lambda x: x * torch.nan, torch.rand(1, 1, 2, 2))
    with pytest.raises(InputError, match="S ≥ T"):
        m.causal_attention(randn(1, 3, 4), randn(1, 2, 4), randn(1, 2, 4))
    with pytest.raises(InputError, match="2 positions"):
        KVCache(2).append(randn(1, 1, 3, 4), randn(1, 1, 3, 4))
    with pytest.raises(InputError, match="even"):
        m.apply_rotary(randn(2, 3))
    with pytest.raises(InputError, match="1, H, W"):
        m.PixelCNN(image_shape=(3, 4, 4))
    with pytest.raises(InputError, match="mean_image"):
        m.PixelCNN(image_shape=(1, 4, 4), mean_image=torch.rand(1, 5, 5))
    with pytest.raises(InputError, match="known"):
        m.PixelCNN(4, 3, 1, (1, 4, 4)).complete(
            torch.zeros(1, 1, 4, 4), torch.zeros(4, 4, dtype=torch.bool)
        )
    with pytest.raises(InputError, match=r"0\.\.10"):
        small_gpt().generate(torch.tensor([[11]]), 2)
    with pytest.raises(InputError, match="prompt"):
        small_gpt()(torch.tensor([1, 2]))
