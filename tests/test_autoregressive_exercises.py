"""Chapter 3's exercises on blocks, merges, masks and a bug hunt: their references against something
independent, and the probes that watch them.
"""

import itertools

import pytest
import torch
from torch import nn

from gencourse.checks import autoregressive as check
from gencourse.models import autoregressive as m
from gencourse.probes import general
from gencourse.probes.autoregressive import attention, hunt, masks, merges
from gencourse.runner import run
from gencourse.runtime import global_seed, seeded


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def test_entropy_and_kl_are_the_sources_and_add_up_to_what_is_paid():
    source = m.MarkovSource(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]]))
    q = randn(3, 3).softmax(1)
    entropy, kl = check.entropy_and_kl.reference(source.P.double(), q, source.stationary.double())
    assert float(entropy) == pytest.approx(float(source.entropy), abs=1e-6)
    rows = [
        torch.distributions.kl_divergence(
            torch.distributions.Categorical(source.P[i].double()),
            torch.distributions.Categorical(q[i]),
        )
        for i in range(3)
    ]
    assert float(kl) == pytest.approx(float(torch.stack(rows) @ source.stationary.double()))
    text = source.sample(200_000, seed=3)
    assert float(entropy + kl) == pytest.approx(float(m.bigram_nll(q, text)), abs=0.01)


@pytest.mark.parametrize(("D", "hidden", "layers"), [(5, 7, 1), (6, 11, 2), (9, 4, 3)])
def test_made_masks_are_the_packages_and_nothing_looks_ahead(D, hidden, layers):
    numbers = torch.arange(hidden) * max(D - 1, 1) // hidden + 1
    made = check.made_masks.reference(D, [numbers] * layers)
    assert all(map(torch.equal, made, m.made_masks(D, hidden, layers)))
    drawn = [torch.randint(1, D, (hidden,), generator=seeded(i)) for i in range(layers)]
    seen = masks.seen_through(check.made_masks.reference, D, drawn)
    assert not seen.triu().any()
    assert torch.equal(
        masks.seen_through(check.made_masks.reference, D, []), torch.ones(D, D).tril(-1) > 0
    )


def test_rotary_is_the_packages_and_depends_on_the_distance():
    x = randn(2, 3, 5, 8)
    mine = check.rotary.reference(x, torch.arange(4, 9), 1000.0)
    assert torch.allclose(mine, m.apply_rotary(x.float(), 4).double(), atol=1e-5)
    q, k = randn(1, 1, 1, 8, seed=1), randn(1, 1, 1, 8, seed=2)
    found = attention.turned_products(check.rotary.reference, q, k, [3, 10, 40], [1, 8, 38])
    assert torch.allclose(found[0], torch.stack(found), atol=1e-9)
    for mistake in check.rotary.mistakes:
        if mistake.name in ("no_minus", "positions_ignored"):
            one = attention.turned_products(mistake.answer, q, k, [3, 10, 41], [1, 8, 38])
            assert mistake.name == "positions_ignored" or not torch.allclose(one[0], one[1])


def test_a_block_is_pytorchs_encoder_layer_with_norms_first():
    C = 8
    with global_seed(0):
        layer = nn.TransformerEncoderLayer(
            C,
            2,
            4 * C,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
            bias=False,
        ).double()
    q, k, v = layer.self_attn.in_proj_weight.detach().chunk(3)
    weights = {"q": q, "k": k, "v": v, "out": layer.self_attn.out_proj.weight.detach()}
    weights |= {"up": layer.linear1.weight.detach(), "down": layer.linear2.weight.detach()}
    x, hidden = randn(3, 6, C), ~m.causal_mask(6)
    theirs = layer(x, src_mask=hidden)
    mine = attention.block_output(check.transformer_block.reference, x, weights)
    assert torch.allclose(mine, theirs, atol=1e-10)


def test_merging_and_encoding_are_inverse_to_spelling():
    words = [(tuple(b"low"), 5), (tuple(b"lower"), 2), (tuple(b"newest"), 6), (tuple(b"widest"), 3)]
    found = merges.several_merges(check.bpe_merge_step.reference, words, 256, 4)
    # Sennrich et al. 2016 merge e s, es t, l o, lo w; ties are broken here by the smaller number
    assert found["the pairs"] == [[101, 115], [256, 116], [108, 111], [258, 119]]
    learned = [(a, b, 256 + i) for i, (a, b) in enumerate(found["the pairs"])]
    assert merges.encoded(check.bpe_encode.reference, "lowest", learned) == [259, 257]


def test_a_dialogue_of_one_answer_is_a_prompt_and_its_answer():
    prompt, answer = torch.tensor([4, 5, 6]), torch.tensor([7, 8, 9, 2])
    row = torch.cat([prompt, answer, torch.zeros(3, dtype=torch.long)])[None]
    spoken = torch.tensor([[False] * 3 + [True] * 7])
    x, y = check.chat_targets.reference(row, spoken, torch.tensor([7]))
    theirs = check.prefix_targets.reference(prompt, answer, 9)
    assert torch.equal(y[0], theirs[1]) and torch.equal(x[0, :6], theirs[0][:6])


def test_repaired_attention_is_the_packages():
    q, k, v = (randn(2, 3, 7, 4, seed=i) for i in range(3))
    for last in (7, 3, 1):
        mine = check.repair_3.reference(q[:, :, -last:], k, v)
        assert torch.allclose(mine, m.causal_attention(q[:, :, -last:], k, v))


# --- what the probes see


def test_who_reads_the_held_out_text_is_seen():
    text = "abbcab" * 5 + "zz"
    honest = hunt.prepared(check.repair_1.reference, text)
    assert honest["how many tokenizers were learned"] == 1
    assert honest["what the tokenizer was learned from"] == text[:28]
    nosy = hunt.prepared(check.repair_1.mistakes[0].answer, text)
    assert nosy["what the tokenizer was learned from"] == text
    assert int(honest["the held-out tokens"].max()) == 6  # z is unknown


def test_modes_and_graphs_of_a_model_that_writes_are_seen():
    idx, planted = torch.tensor([[1, 2]]), check.repair_5.mistakes[0].answer
    right = hunt.last_logits(check.repair_5.reference, idx, 0, True, False, 0)
    assert list(right.values())[1:] == [1, 2, False, False, False, True, True, [False, False]]
    wrong = hunt.last_logits(planted, idx, 0, True, True, 0)
    assert wrong["whether a part of it was"] and wrong["whether it was in training mode then"]


def test_the_nearest_temperature_is_found():
    p = torch.tensor([0.05, 0.5, 0.3, 0.15])
    tables = {"right": p, "flat": torch.full((4,), 0.25)}
    for answer, said in (
        (check.repair_6.reference, "right"),
        (check.repair_6.mistakes[0].answer, "flat"),
    ):
        found = hunt.shares(answer, p.log(), 1.0, 0, tables)
        assert found["the nearest of some tables of probabilities"] == said


def test_positions_that_are_no_whole_numbers_are_seen():
    assert hunt.looked_up(check.repair_4.reference, 3, 2).tolist() == [3, 4]
    found = run(hunt.looked_up, lambda past, n: torch.arange(past, past + n) / 1, (3, 2), {})
    assert found.value.kind == "Unusable"


def test_every_planted_piece_is_the_first_mistake_of_its_repair():
    names = [getattr(check, f"repair_{i}").mistakes[0].name for i in range(1, 7)]
    planted = ["prepare", "pairs", "attend", "positions", "next_logits", "draw_token"]
    assert names == [f"planted_{name}" for name in planted]
    assert general.accused(check.suspects.reference) == sorted(planted)
    assert len({*itertools.chain(planted, ["token_loss"])}) == 7
