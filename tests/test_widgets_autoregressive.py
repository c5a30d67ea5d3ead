"""Sampling explorer, pixel replay, attention viewer: what is moved changes what is shown, as the
functions say.
"""

import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from gencourse import widgets
from gencourse.errors import InputError, InputTypeError
from gencourse.models.autoregressive import (
    GPT,
    PixelCNN,
    filtered_probs,
    sample_token,
    temperature_probs,
    top_k_filter,
    top_p_filter,
)
from gencourse.runtime import global_seed, seeded
from gencourse.widgets.attention import attention_map
from gencourse.widgets.drawing import drawable, visible
from gencourse.widgets.next_token import entropy, page_html, token_bars
from gencourse.widgets.pixels import moment
from gencourse.widgets.sampling import WRITTEN

VOCABULARY = ("a", "b", "\n", " ", "<", "$")
LOGITS = torch.tensor([1.0, 3.0, 0.5, 2.0, -1.0, 0.0])
N, H, W = 2, 3, 5
LAYERS, HEADS, TOKENS = 2, 3, ["<b>", "\n", " ", "'&\"", "$"]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setattr("gencourse.widgets.notebook.widgets_can_run", lambda: True)


def next_logits(prompt):
    """A model whose logits turn by one token with each character of the prompt."""
    return LOGITS.roll(len(prompt))


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(bytes(image.value))).convert("RGB")).astype(int)


def bars(ax):
    """Widths of the filled bars and of the outlines, from top to bottom."""
    left, own = ax.containers
    return [bar.get_width() for bar in left], [bar.get_width() for bar in own]


# --- the sampling explorer


@pytest.mark.parametrize("T", [0.0, 0.05, 0.7, 1.0, 2.0])
@pytest.mark.parametrize("top_k", [None, 1, 3])
@pytest.mark.parametrize("top_p", [None, 0.05, 0.6])
def test_left_is_the_distribution_that_draw_draws_from(T, top_k, top_p):
    left, n = filtered_probs(LOGITS, T, top_k, top_p), 4000
    counts = (
        sample_token(LOGITS.repeat(n, 1), T, top_k, top_p, seeded(0)).bincount(
            minlength=len(VOCABULARY)
        )
        / n
    )
    assert left.sum().item() == pytest.approx(1, abs=1e-6)
    assert (counts - left).abs().max() < 0.04, "five standard deviations of a share of 4000 draws"
    assert not counts[left == 0].any()


def test_order_is_temperature_then_top_k_then_top_p():
    expected = temperature_probs(top_p_filter(top_k_filter(LOGITS / 2, 4), 0.7))
    assert torch.equal(filtered_probs(LOGITS, 2.0, 4, 0.7), expected)
    other = temperature_probs(top_p_filter(LOGITS, 0.7) / 2)
    assert not torch.allclose(filtered_probs(LOGITS, 2.0, None, 0.7), other), (
        "the order matters, so the test has power"
    )


def test_entropy_of_certainty_and_of_the_uniform():
    assert entropy(torch.tensor([0.0, 1.0])) == 0
    assert entropy(torch.full((8,), 1 / 8)) == pytest.approx(np.log(8))


def test_every_slider_changes_what_is_left_and_the_picture(live):
    explorer = widgets.sampling_explorer(next_logits, VOCABULARY, "ab")
    logits, before = next_logits("ab"), explorer.image.value
    assert torch.equal(explorer.left, explorer.own)
    for slider, value, how in (
        (explorer.temperature, 0.5, {"T": 0.5}),
        (explorer.top_k, 4, {"T": 0.5, "top_k": 4}),
        (explorer.top_p, 0.9, {"T": 0.5, "top_k": 4, "top_p": 0.9}),
        (explorer.temperature, 0.0, {"T": 0.0, "top_k": 4, "top_p": 0.9}),
        (explorer.temperature, 2.0, {"T": 2.0, "top_k": 4, "top_p": 0.9}),
    ):
        slider.value = value
        torch.testing.assert_close(explorer.left, filtered_probs(logits, **how))
        torch.testing.assert_close(explorer.own, logits.softmax(0))
        assert explorer.image.value != before
        before = explorer.image.value
    explorer.reset.click()
    assert torch.equal(explorer.left, explorer.own)


def test_all_is_the_last_stop_of_top_k_and_every_number_is_there(live):
    explorer = widgets.sampling_explorer(next_logits, VOCABULARY, "ab")
    assert [label for label, _ in explorer.top_k.options] == ["1", "2", "3", "4", "5", "all"]
    assert explorer.how() == {"T": 1.0, "top_k": None, "top_p": None}


def test_bars_are_the_probabilities_the_likeliest_on_top():
    own = temperature_probs(LOGITS)
    left = filtered_probs(LOGITS, T=0.5, top_k=2)
    ax = token_bars(own, left, VOCABULARY, most=4)
    filled, outlines = bars(ax)
    order = [1, 3, 0, 2]
    assert outlines == pytest.approx(own[order].tolist()) and filled == pytest.approx(
        left[order].tolist()
    )
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "␣", "a", "↵"]
    crosses = ax.lines[0]
    assert crosses.get_ydata().tolist() == [2, 3] and crosses.get_xdata() == pytest.approx(
        own[[0, 2]].tolist()
    )


def test_key_names_the_right_bars(live, monkeypatch):
    figures = []
    monkeypatch.setattr(
        "gencourse.widgets.sampling.figure_png", lambda figure: figures.append(figure) or b""
    )
    explorer = widgets.sampling_explorer(next_logits, VOCABULARY, "ab")
    explorer.top_k.value = 3
    (legend,), words = (
        figures[-1].legends,
        [text.get_text() for text in figures[-1].legends[0].get_texts()],
    )
    own, left = (
        f"{entropy(p):.2f} nats = {entropy(p) / np.log(2):.2f} bits"
        for p in (explorer.own, explorer.left)
    )
    assert words == [
        f"the model's own: entropy {own}",
        f"T = 1, top-k = 3: entropy {left}",
        "cannot be drawn",
    ]
    outline, filled = legend.get_patches()
    assert outline.get_facecolor()[3] == 0 and filled.get_facecolor()[3] == 1
    assert [line.get_marker() for line in legend.get_lines()] == ["x"]


def test_next_appends_what_draw_draws(live):
    explorer, generator, expected = (
        widgets.sampling_explorer(next_logits, VOCABULARY, "ab"),
        seeded(0),
        "ab",
    )
    explorer.top_k.value = 3
    for _ in range(8):
        explorer.next.click()
        expected += VOCABULARY[
            sample_token(next_logits(expected)[None], 1.0, 3, None, generator).item()
        ]
        assert explorer.text.value == explorer.prompt == expected
        torch.testing.assert_close(explorer.own, next_logits(expected).softmax(0))
        assert "drew" in explorer.status.value


def test_write_hands_the_settings_to_generate_and_shows_the_text(live):
    calls = []

    def generate(prompt, n, **how):
        calls.append((prompt, n, how))
        return prompt + "<i>a&b"

    explorer = widgets.sampling_explorer(next_logits, VOCABULARY, "ab", generate)
    explorer.temperature.value, explorer.top_p.value = 0.7, 0.8
    explorer.write.click()
    explorer.write.click()
    how = {"T": 0.7, "top_k": None, "top_p": 0.8}
    assert calls == [("ab", WRITTEN, {**how, "seed": 1}), ("ab", WRITTEN, {**how, "seed": 2})], (
        "each press writes another text"
    )
    assert (
        explorer.written == "<i>a&b"
        and "&lt;i&gt;a&amp;b" in explorer.page.value
        and "<i>" not in explorer.page.value
    )
    assert "T = 0.7, top-p = 0.8" in explorer.page.value and explorer.text.value == "ab"


def test_write_without_generate_asks_for_token_after_token(live):
    explorer = widgets.sampling_explorer(next_logits, VOCABULARY, "ab")
    explorer.temperature.value = 0
    explorer.write.click()
    assert len(explorer.written) == WRITTEN
    assert explorer.written.startswith(
        VOCABULARY[next_logits("ab").argmax()] + VOCABULARY[next_logits("abc").argmax()]
    )


@pytest.mark.slow
def test_a_small_gpt_can_be_explored_as_the_docstring_says(live):
    with global_seed(0):
        gpt = GPT(len(VOCABULARY), block_size=8, layers=1, heads=1, width=8)

    def encode(prompt):
        return torch.tensor([VOCABULARY.index(character) for character in prompt])

    def generate(prompt, n, **how):
        return "".join(
            VOCABULARY[i] for i in gpt.generate(encode(prompt)[None], n, **how)[0].tolist()
        )

    explorer = widgets.sampling_explorer(
        lambda s: gpt(encode(s)[None, -gpt.block_size :])[0, -1], VOCABULARY, "ab", generate
    )
    explorer.top_k.value, explorer.top_p.value = 3, 0.9
    explorer.write.click()
    assert explorer.written == generate("ab", WRITTEN, T=1.0, top_k=3, top_p=0.9, seed=1)[2:]
    assert len(explorer.written) == WRITTEN


def test_characters_the_model_does_not_know_give_a_sentence_and_lose_nothing(live):
    explorer = widgets.sampling_explorer(next_logits, VOCABULARY, "ab")
    explorer.write.click()
    kept = explorer.image.value, explorer.page.value, explorer.written
    explorer.text.value = "ab€<script>"
    assert (
        "got &#x27;&gt;&#x27;" in explorer.status.value
        and "€" in explorer.status.value
        and "<script>" not in explorer.status.value
    )
    for press in (explorer.next, explorer.write):
        press.click()
        assert "should use the model" in explorer.status.value
    assert explorer.text.value == "ab€<script>", "what was typed stays"
    assert (explorer.image.value, explorer.page.value, explorer.written) == kept
    explorer.text.value = ""
    assert "at least one character" in explorer.status.value
    explorer.text.value = "aba"
    assert explorer.status.value == "" and explorer.prompt == "aba"


def test_a_fault_of_the_model_becomes_a_sentence_and_at_the_start_an_error(live):
    def broken(prompt):
        if len(prompt) > 2:
            raise KeyError("no such <token>")
        return next_logits(prompt)

    explorer = widgets.sampling_explorer(broken, VOCABULARY, "ab")
    explorer.text.value = "abb"
    assert "no such &lt;token&gt;" in explorer.status.value
    with pytest.raises(KeyError):
        widgets.sampling_explorer(broken, VOCABULARY, "abb")


@pytest.mark.filterwarnings("error::UserWarning")  # matplotlib's about missing glyphs is one
def test_tokens_are_visible_and_never_taken_for_formulas(live):
    assert visible("a b\n\x07") == "a␣b↵\\x07" and drawable("中") == "U+4E2D"
    assert "&lt;b&gt;" in page_html("<b>", "", "T = 1")
    vocabulary = ("$\\frac$", "$", "long token", "\u200b", "中", "x_{")
    # would not parse as a formula
    explorer = widgets.sampling_explorer(lambda prompt: LOGITS, vocabulary, "$\\frac$ $x_{$ 中")
    assert explorer.image.value


def test_generate_that_returns_tokens_is_told_to_decode_them(live):
    explorer = widgets.sampling_explorer(
        next_logits, VOCABULARY, "ab", lambda prompt, n, **how: torch.zeros(3)
    )
    explorer.write.click()
    assert (
        "Generate should return a string, got shape (3,)" in explorer.status.value
        and explorer.written == ""
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((None, VOCABULARY, "a"), InputTypeError, "next_logits should be a function"),
        ((next_logits, VOCABULARY, "a", "text"), InputTypeError, "generate should be a function"),
        ((next_logits, [0, 1], "a"), InputTypeError, "vocabulary should be V strings"),
        ((next_logits, (), "a"), InputTypeError, "vocabulary should be V strings"),
        ((next_logits, VOCABULARY, torch.tensor([1])), InputTypeError, "prompt should be a string"),
        ((next_logits, VOCABULARY, "aé"), InputError, "should use the model's characters, got 'é'"),
        ((next_logits, VOCABULARY, ""), InputError, "at least one character"),
        (
            (lambda prompt: LOGITS[None], VOCABULARY, "a"),
            InputError,
            r"shape \(V,\) = \(6,\), .* got \(1, 6\)",
        ),
        ((lambda prompt: LOGITS * torch.nan, VOCABULARY, "a"), InputError, "got NaN"),
        ((lambda prompt: 3, VOCABULARY, "a"), InputTypeError, "should be a torch.Tensor"),
    ],
)
def test_explorer_refuses_in_a_sentence(arguments, kind, words):
    with pytest.raises(kind, match=words):
        widgets.sampling_explorer(*arguments)


@pytest.mark.slow
def test_sampling_strip_has_a_panel_for_each_setting(capsys):
    figure = widgets.sampling_strip(LOGITS, VOCABULARY)
    assert [ax.get_title().split("\n")[0] for ax in figure.axes] == [
        "plain",
        "T = 0.5",
        "T = 1.5",
        "top-k = 5",
        "top-p = 0.8",
    ]
    order = LOGITS.argsort(descending=True)
    assert bars(figure.axes[1])[0] == pytest.approx(filtered_probs(LOGITS, T=0.5)[order].tolist())
    assert bars(figure.axes[4])[0] == pytest.approx(
        filtered_probs(LOGITS, top_p=0.8)[order].tolist()
    )
    assert all(ax.get_xlabel() == "probability" for ax in figure.axes)
    longest = max(width for ax in figure.axes for part in bars(ax) for width in part)
    assert all(longest < ax.get_xlim()[1] < 1.1 * longest for ax in figure.axes), (
        "no bar is cut off, and the scale is shared"
    )
    figure.savefig(io.BytesIO())
    with pytest.raises(InputError, match="settings should hold at least one"):
        widgets.sampling_strip(LOGITS, VOCABULARY, settings={})
    explorer = widgets.sampling_explorer(next_logits, VOCABULARY, "ab")
    assert explorer.box is None
    explorer._ipython_display_()
    assert "Figure" in capsys.readouterr().out


# --- the pixel replay


@pytest.fixture
def drawn():
    """Images (2, 1, 3, 5) of a small random PixelCNN and its probabilities."""
    with global_seed(1):
        model = PixelCNN(channels=4, kernel=3, layers=1, image_shape=(1, H, W))
        torch.nn.init.normal_(model.head[-1].weight)
    x = model.sample(N, seed=0)
    return x, model(x).sigmoid().detach()


def test_moment_shows_what_is_drawn_and_nothing_else(drawn):
    x, p = drawn
    none = torch.zeros(1, H, W, dtype=torch.bool)
    for done in range(H * W + 1):
        now, shown = moment(x, p, none, done)
        torch.testing.assert_close(now.flatten(1)[:, :done], x.flatten(1)[:, :done])
        torch.testing.assert_close(shown.flatten(1)[:, :done], p.flatten(1)[:, :done])
        assert (now.flatten(1)[:, done:] == 0.5).all() and shown.flatten(1)[:, done:].isnan().all()


def test_known_pixels_are_there_from_the_start_without_a_probability(drawn):
    x, p = drawn
    known = torch.zeros(1, H, W, dtype=torch.bool)
    known[..., 2] = True  # a column, so that known and drawn pixels alternate
    now, shown = moment(x, p, known, 3)
    assert (now[..., 2] == x[..., 2]).all() and shown[..., 2].isnan().all()
    assert torch.equal(now[..., 0, [0, 1, 3]], x[..., 0, [0, 1, 3]]), (
        "the three first that are not known"
    )
    assert (now != 0.5).sum() == N * (H + 3)
    assert (~shown.isnan()).sum() == N * 3


def test_slider_moves_one_pixel_at_a_time_and_names_the_next(live, drawn):
    x, p = drawn
    known = torch.zeros(1, H, W, dtype=torch.bool)
    known[:, 0] = True
    replay = widgets.pixel_replay(x, p, known)
    assert (
        replay.position.min,
        replay.position.max,
        replay.position.step,
        replay.position.value,
    ) == (0, 10, 1, 0)
    before = None
    for done in range(10):
        replay.position.value = done
        i, j = 1 + done // W, done % W
        numbers = ", ".join(f"{value:.2f}" for value in p[:, 0, i, j].tolist())
        assert (
            f"row {i + 1}, column {j + 1}; probability of 1 in each image: {numbers}"
            in replay.label.value
        )
        assert replay.image.value != before
        before = replay.image.value
    replay.position.value = 10
    assert replay.label.value == "All 10 pixels are drawn." and not any(
        frame.get_visible() for frame, _ in replay.film.next
    )


def test_picture_holds_the_numbers(drawn):
    x, p = drawn
    replay = widgets.pixel_replay(x, p)
    replay.show(7)
    now, shown = moment(x, p, torch.zeros(1, H, W, dtype=torch.bool), 7)
    for artist, expected in ((replay.film.image, now), (replay.film.map, shown)):
        canvas = np.ma.filled(artist.get_array().astype(float), np.nan)
        for i in range(N):
            np.testing.assert_allclose(
                canvas[:, i * (W + 2) : i * (W + 2) + W], expected[i, 0].numpy(), atol=1e-6
            )
        assert np.isnan(canvas[:, W : W + 2]).all(), "the gap between the images"
    frame, start = replay.film.next[1]
    assert start == W + 2 and frame.get_xy() == pytest.approx((start + 2 - 0.9, 1 - 0.9)), (
        "pixel 7 is at row 1, column 2"
    )


@pytest.mark.slow
def test_film_takes_strides_ends_at_the_last_pixel_and_lasts_half_a_minute(live):
    x = torch.ones(1, 1, 28, 28)
    replay = widgets.pixel_replay(x, x / 2)
    assert replay.stride == 7 and replay.player.max == 112
    assert 25_000 < replay.player.max * replay.player.interval <= 30_000
    replay.position.value = 10  # by hand, between two moments of the film
    assert (replay.position.value, replay.player.value) == (10, 2)
    for moment_of_film, expected in ((3, 21), (111, 777), (112, 784), (0, 0)):
        replay.player.value = moment_of_film
        assert replay.position.value == expected
    known = torch.zeros(1, 28, 28, dtype=torch.bool)
    known[:, 0, 0] = True
    odd = widgets.pixel_replay(x, x / 2, known)  # 783 pixels: the last stride is shorter
    odd.player.value = odd.player.max
    assert odd.position.value == 783


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_up_to_six_images_side_by_side(live, n):
    x = (torch.rand(n, 1, 4, 3, generator=seeded(0)) > 0.5).float()
    replay = widgets.pixel_replay(x, torch.full_like(x, 0.3))
    assert len(replay.film.next) == 2 * n and replay.film.width < 900, "not wider than a page"


@pytest.mark.slow
def test_pixel_strip_shows_eight_moments(drawn, capsys):
    x, p = drawn
    figure = widgets.pixel_strip(x, p)
    panels = figure.axes[: 2 * N * 8]
    assert [ax.get_title() for ax in panels[:8]] == [
        "0 of 15 pixels",
        *(f"{done} of 15" for done in (2, 4, 6, 9, 11, 13, 15)),
    ]
    now, shown = moment(x, p, torch.zeros(1, H, W, dtype=torch.bool), 4)
    np.testing.assert_allclose(panels[2 * 8 + 2].images[0].get_array(), now[1, 0].numpy())
    np.testing.assert_allclose(
        np.ma.filled(panels[3 * 8 + 2].images[0].get_array().astype(float), np.nan),
        shown[1, 0].numpy(),
    )
    figure.savefig(io.BytesIO())
    replay = widgets.pixel_replay(x, p)
    assert replay.box is None
    replay._ipython_display_()
    assert "Figure" in capsys.readouterr().out


X = torch.zeros(2, 1, 3, 5)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((X.numpy(), X), InputTypeError, "x should be a torch.Tensor"),
        ((X, X[:1]), InputError, "probabilities should have the shape of x"),
        ((X[0], X[0]), InputError, r"x should have shape \(n, 1, H, W\), got \(1, 3, 5\)"),
        ((X[:0], X[:0]), InputError, r"x should have shape"),
        ((X.repeat(4, 1, 1, 1), X.repeat(4, 1, 1, 1)), InputError, "at most 6 images, got 8"),
        ((X + 0.3, X), InputError, "x should hold 0 and 1 only"),
        (
            (X, X - 2),
            InputError,
            r"probabilities should lie in \[0, 1\], got \[-2, -2\]. Pass logits.sigmoid",
        ),
        ((X, X * torch.nan), InputError, r"probabilities should lie in \[0, 1\]"),
        ((X, X, X[0]), InputTypeError, "known should be a mask"),
        ((X, X, X[0, 0] > 0), InputError, r"known should have shape \(1, H, W\) = \(1, 3, 5\)"),
        ((X, X, X[0] == 0), InputError, "a mask without any False"),
    ],
)
def test_pixel_replay_refuses_in_a_sentence(arguments, kind, words):
    with pytest.raises(kind, match=words):
        widgets.pixel_replay(*arguments)


# --- the attention viewer


@pytest.fixture
def weights():
    """Causal attention weights (2, 3, 5, 5)."""
    T = len(TOKENS)
    scores = torch.randn(LAYERS, HEADS, T, T, generator=seeded(0)).masked_fill(
        ~torch.ones(T, T).tril().bool(), -torch.inf
    )
    return scores.softmax(-1)


def test_lists_choose_the_map_and_the_mean_of_heads(live, weights):
    viewer = widgets.attention_viewer(weights, TOKENS)
    assert [label for label, _ in viewer.head.options] == [
        "mean of heads",
        "1 of 3",
        "2 of 3",
        "3 of 3",
    ]
    torch.testing.assert_close(viewer.chosen(), weights[0].mean(0))
    for layer in range(LAYERS):
        for head in range(HEADS):
            before = viewer.image.value
            viewer.layer.value, viewer.head.value = layer, head
            assert torch.equal(viewer.chosen(), weights[layer, head])
            np.testing.assert_allclose(
                viewer.film.ax.images[0].get_array(), weights[layer, head].numpy()
            )
            assert (
                viewer.film.ax.get_title()
                == f"Layer {layer + 1}, head {head + 1}: where each position looks"
            )
            assert viewer.image.value != before


def test_query_shades_the_text_by_its_weights_and_frames_its_row(live, weights):
    viewer = widgets.attention_viewer(weights, TOKENS)
    viewer.head.value = 1
    for query in range(len(TOKENS)):
        viewer.query.value = query + 1
        row = weights[0, 1, query]
        for t, w in enumerate(row.tolist()):
            assert (
                f"title='position {t + 1}: {w:.3f}' "
                f"style='background:rgba(86,180,233,{w / row.max():.3f})"
            ) in viewer.text.value
        assert viewer.text.value.count("outline:2px") == 1
        assert viewer.film.ax.patches[0].get_y() == query - 0.5
        best = row.argmax().item()
        assert (
            viewer.words.value.split("looks most at ")[1]
            .split(" at ")[1]
            .startswith(f"{best + 1} ({row[best]:.2f})")
        )


@pytest.mark.slow
def test_hostile_tokens_are_escaped(live, weights):
    viewer = widgets.attention_viewer(weights, TOKENS)
    for query in range(1, 6):
        viewer.query.value = query
        for html in (viewer.text.value, viewer.words.value):
            assert "<b>" not in html and "'&\"" not in html
        assert "&lt;b&gt;" in viewer.text.value and "&#x27;&amp;&quot;" in viewer.text.value
    assert ">↵\n<" in viewer.text.value, "a newline is seen and breaks the line"


def test_attention_of_a_gpt_goes_in_as_the_docstring_says(live):
    with global_seed(0):
        gpt = GPT(7, block_size=8, layers=2, heads=2, width=8)
    viewer = widgets.attention_viewer(
        gpt.attention_maps(torch.tensor([[1, 2, 3, 4]]))[:, 0], "abcd"
    )
    assert "Position 4" in viewer.words.value


@pytest.mark.slow
def test_attention_grid_has_a_map_for_every_layer_and_head(weights, capsys):
    figure = widgets.attention_grid(weights, TOKENS)
    for i in range(LAYERS * HEADS):
        np.testing.assert_allclose(
            figure.axes[i].images[0].get_array(), weights.flatten(0, 1)[i].numpy()
        )
    assert [ax.get_title() for ax in figure.axes[:HEADS]] == ["head 1", "head 2", "head 3"]
    assert (
        figure.axes[HEADS].get_ylabel() == "layer 2\nquery (position)"
        and figure.axes[-2].get_xlabel() == "key (position)"
    )
    figure.savefig(io.BytesIO())
    viewer = widgets.attention_viewer(weights, TOKENS)
    assert viewer.box is None
    viewer._ipython_display_()
    assert "Figure" in capsys.readouterr().out


def test_long_texts_get_numbers_on_the_axes():
    ax = attention_map(torch.eye(64), "x" * 64)
    assert [label.get_text() for label in ax.get_xticklabels()][:2] == ["1", "9"]


MAPS = torch.full((2, 3, 5, 5), 0.2)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((MAPS.numpy(), TOKENS), InputTypeError, "weights should be a torch.Tensor"),
        ((MAPS[0], TOKENS), InputError, r"\(layers, heads, T, T\), got \(3, 5, 5\)"),
        ((MAPS[:, None], TOKENS), InputError, r"Select one sequence: weights\[:, 0\]"),
        ((MAPS, TOKENS[:4]), InputError, "tokens should be T = 5 strings, got 4"),
        ((MAPS, range(5)), InputTypeError, "tokens should be strings"),
        ((MAPS * 2, TOKENS), InputError, "rows that sum to 1"),
        ((MAPS * torch.nan, TOKENS), InputError, "rows that sum to 1"),
    ],
)
def test_attention_viewer_refuses_in_a_sentence(arguments, kind, words):
    with pytest.raises(kind, match=words):
        widgets.attention_viewer(*arguments)
