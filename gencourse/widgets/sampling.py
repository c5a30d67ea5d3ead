"""The sampling explorer: the next token under temperature, top-k and top-p."""

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from gencourse.errors import InputError, InputTypeError, describe
from gencourse.figures import SMALL
from gencourse.models.autoregressive import filtered_probs, sample_token, temperature_probs
from gencourse.runtime import seeded
from gencourse.widgets import notebook
from gencourse.widgets.drawing import drawable, figure_png, visible, without_mathtext
from gencourse.widgets.next_token import (
    entropy,
    nats_and_bits,
    page_html,
    require_logits,
    sampling_strip,
    settings_words,
    token_bars,
)
from gencourse.widgets.notebook import EXPECTED_ERRORS, button, ipywidgets, status_html

WRITTEN = 200  # tokens of one press on "write"
MOST, LIMITS = 20, (0.1, 0.2, 0.35, 0.5, 0.75, 1.04)  # bars, ends of the axis
NARROW, WIDE = "316px", "620px"  # the controls, the picture


class SamplingExplorer:
    """Sliders for temperature, top-k and top-p over the live distribution of the next token.

    See `sampling_explorer` for the arguments. In a notebook the last line of a cell displays it;
    where widgets cannot run the static strip is drawn instead. `own` and `left` (V,) are the
    probabilities shown, `written` the last text written.
    """

    def __init__(
        self,
        next_logits: Callable[[str], Tensor],
        vocabulary: Sequence[str],
        prompt: str,
        generate: Callable[..., str] | None,
    ) -> None:
        functions = {"next_logits": next_logits, "generate": generate or self.write_token_by_token}
        for name, function in functions.items():
            if not callable(function):
                raise InputTypeError(
                    f"sampling_explorer: {name} should be a function, got {describe(function)}. "
                    "See help(sampling_explorer)."
                )
        if not len(vocabulary) or not all(isinstance(token, str) for token in vocabulary):
            raise InputTypeError(
                f"sampling_explorer: vocabulary should be V strings, got {describe(vocabulary)}. "
                "Pass text.vocabulary."
            )
        if not isinstance(prompt, str):
            raise InputTypeError(
                f"sampling_explorer: prompt should be a string, got {describe(prompt)}. Decode "
                "the tokens first."
            )
        self.next_logits, self.vocabulary = next_logits, tuple(vocabulary)
        self.generate = generate or self.write_token_by_token
        self.prompt, self.logits = prompt, self.ask(prompt)
        self.generator, self.presses, self.written, self.box = seeded(0), 0, "", None
        if notebook.widgets_can_run():
            self.build()

    def ask(self, prompt: str) -> Tensor:
        """The model's logits (V,) for the token after a prompt; a sentence says what is wrong with
        one that it cannot take.
        """
        strange = (
            sorted(set(prompt) - set(self.vocabulary))
            if all(len(token) == 1 for token in self.vocabulary)
            else []
        )
        if strange:
            shown = " ".join(map(repr, strange[:8]))
            raise InputError(
                f"sampling_explorer: the prompt should use the model's characters, got {shown}. "
                "Take them out to go on."
            )
        if not prompt:
            raise InputError(
                "sampling_explorer: the prompt should hold at least one character, got none. "
                "Type one for the model to go on from."
            )
        with torch.no_grad():
            logits = self.next_logits(prompt)
        require_logits("sampling_explorer", logits, self.vocabulary, "next_logits(prompt)")
        return logits.detach().float().cpu()

    def build(self) -> None:
        """Make the widgets, connect them, and draw the first picture."""
        V = len(self.vocabulary)
        ks = [(str(k), k) for k in range(1, V) if k <= 100 or k % 100 == 0] + [("all", V)]
        shape = {"layout": ipywidgets.Layout(width=NARROW), "style": {"description_width": "82px"}}
        self.temperature = ipywidgets.FloatSlider(
            value=1, min=0, max=2, step=0.05, description="temperature", **shape
        )
        self.top_k = ipywidgets.SelectionSlider(options=ks, value=V, description="top-k", **shape)
        self.top_p = ipywidgets.FloatSlider(
            value=1, min=0.05, max=1, step=0.01, description="top-p", **shape
        )
        self.text = ipywidgets.Textarea(
            value=self.prompt, rows=5, layout=ipywidgets.Layout(width=NARROW)
        )
        self.next = button("next", "draw one token and append it to the text", width="100px")
        self.write = button("write", f"let the model write {WRITTEN} tokens", width="100px")
        self.reset = button("reset", "set the sliders as they were at first", width="100px")
        self.status, self.page = (
            ipywidgets.HTML(layout=ipywidgets.Layout(width=NARROW)),
            ipywidgets.HTML(),
        )
        self.image = ipywidgets.Image(
            format="png",
            layout=ipywidgets.Layout(flex="1 1 420px", min_width="420px", max_width=WIDE),
        )
        for slider in (self.temperature, self.top_k, self.top_p):
            slider.observe(lambda change: self.attempt(self.show), names="value")
        self.text.observe(lambda change: self.attempt(self.read), names="value")
        for widget, action in (
            (self.next, self.draw_next),
            (self.write, self.draw_text),
            (self.reset, self.set_back),
        ):
            widget.on_click(lambda _, action=action: self.attempt(action))
        sliders, buttons = (
            [self.temperature, self.top_k, self.top_p],
            ipywidgets.HBox([self.next, self.write, self.reset]),
        )
        head = ipywidgets.HTML("the text so far, yours to change:")
        column = ipywidgets.VBox(
            [*sliders, head, self.text, buttons, self.status],
            layout=ipywidgets.Layout(width="330px"),
        )
        wrap = ipywidgets.Layout(
            display="flex", flex_flow="row wrap", align_items="flex-start", overflow="hidden"
        )
        self.box = ipywidgets.VBox([ipywidgets.Box([column, self.image], layout=wrap), self.page])
        self.show()

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it; an error becomes a sentence, and what is on the page stays."""
        self.status.value = ""
        try:
            action()
        except EXPECTED_ERRORS as error:
            said = str(error).removeprefix("sampling_explorer: ") or type(error).__name__
            self.status.value = status_html(said[:1].upper() + said[1:], wrong=True)

    def how(self) -> dict:
        """The sliders as arguments of `sample_token`."""
        T, top_k = round(self.temperature.value, 2), self.top_k.value
        top_p = round(self.top_p.value, 2)
        return {
            "T": T,
            "top_k": top_k if top_k < len(self.vocabulary) else None,
            "top_p": top_p if top_p < 1 else None,
        }

    @property
    def own(self) -> Tensor:
        """The model's own probabilities (V,)."""
        return temperature_probs(self.logits)

    @property
    def left(self) -> Tensor:
        """What the sliders leave of them (V,)."""
        return filtered_probs(self.logits, **self.how())

    def read(self) -> None:
        """Ask the model again if the text has changed, and draw; a text that it cannot take changes
        nothing else.
        """
        if self.text.value != self.prompt:
            self.logits, self.prompt = self.ask(self.text.value), self.text.value
            self.show()

    def draw_next(self) -> None:
        """Draw one token and append it."""
        self.read()
        drawn = sample_token(self.logits[None], **self.how(), generator=self.generator)
        token = int(drawn.item())
        said = (
            f"drew {visible(self.vocabulary[token])}, which had probability "
            f"{self.left[token]:.3f} (the model's own: {self.own[token]:.3f})"
        )
        self.text.value += self.vocabulary[token]  # which reads it
        if self.prompt == self.text.value:
            self.status.value = status_html(said)

    def draw_text(self) -> None:
        """Let the model write, and show what it wrote."""
        self.read()
        self.presses += 1
        self.status.value = status_html("writing …")
        whole = self.generate(self.prompt, n=WRITTEN, **self.how(), seed=self.presses)
        if not isinstance(whole, str):
            raise InputTypeError(
                f"sampling_explorer: generate should return a string, got {describe(whole)}. "
                "Decode the tokens."
            )
        self.written = whole.removeprefix(self.prompt)
        self.page.value = page_html(self.prompt, self.written, settings_words(**self.how()))
        self.status.value = ""

    def write_token_by_token(
        self, prompt: str, n: int, T: float, top_k: int | None, top_p: float | None, seed: int
    ) -> str:
        """What `generate` does, where none was given: ask, draw, append, n times."""
        generator = seeded(seed)
        for _ in range(n):
            drawn = sample_token(self.ask(prompt)[None], T, top_k, top_p, generator)
            prompt += self.vocabulary[int(drawn.item())]
        return prompt

    def set_back(self) -> None:
        """The sliders as they were at first."""
        self.temperature.value, self.top_k.value, self.top_p.value = 1, len(self.vocabulary), 1

    def show(self) -> None:
        """Draw the distribution under the present settings."""
        own, left, V = self.own, self.left, len(self.vocabulary)
        rows, order = min(MOST, V), own.sort(descending=True, stable=True).indices
        longest = max(len(drawable(self.vocabulary[i])) for i in order[:rows].tolist())
        height, margin = 1.75 + 0.2 * rows, min(0.5 + 0.1 * longest, 2)
        with plt.rc_context(SMALL):
            # positions in inches: a layout engine would take most of the time
            figure = Figure(figsize=(6.2, height), dpi=130)
            ax = figure.add_axes(
                (margin / 6.2, 0.6 / height, (5.9 - margin) / 6.2, 0.2 * rows / height)
            )
            token_bars(own, left, self.vocabulary, rows, ax)
            top = max(own.max().item(), left.max().item())
            ax.set_xlim(0, min(limit for limit in LIMITS if top <= 0.97 * limit or limit > 1))
            others = (
                f"\nthe other {V - rows} tokens: {own[order[rows:]].sum():.3f} in the model, "
                f"{left[order[rows:]].sum():.3f} left"
            )
            ax.set(
                xlabel="probability" + others * (rows < V),
                ylabel=f"next token, the {rows} likeliest of {V}",
            )
            handles, names = ax.get_legend_handles_labels()
            bars = dict(zip(names, handles, strict=True))
            words = {
                "own": f"the model's own: entropy {nats_and_bits(entropy(own))}",
                "left": f"{settings_words(**self.how())}: entropy {nats_and_bits(entropy(left))}",
                "cut": "cannot be drawn",
            }
            legend: dict[str, Any] = {
                "loc": "upper left",
                "bbox_to_anchor": (0.07, 1 - 0.27 / height),
                "frameon": False,
                "fontsize": 9,
            }
            figure.legend([bars[name] for name in words], words.values(), **legend)
            without_mathtext(
                [
                    figure.text(
                        0.08,
                        1 - 0.2 / height,
                        f"Next token after {drawable(self.prompt[-30:])}",
                        size=11,
                    )
                ]
            )
            self.image.value = figure_png(figure)

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(
            self.box, lambda: sampling_strip(self.logits, self.vocabulary)
        )


def sampling_explorer(
    next_logits: Callable[[str], Tensor],
    vocabulary: Sequence[str],
    prompt: str,
    generate: Callable[..., str] | None = None,
) -> SamplingExplorer:
    """Explore the distribution of the token after `prompt`, and what temperature, top-k and top-p
    leave of it.

    next_logits: prompt -> logits (V,) for the next token; vocabulary: the V tokens as strings.
    `generate(prompt, n=.., T=.., top_k=.., top_p=.., seed=..)` returns the prompt with n further
    tokens; without it `next_logits` is asked for each of them. top_k and top_p are None where they
    keep all:

        sampling_explorer(
            lambda s: gpt(text.encode(s)[None, -gpt.block_size:].to(device))[0, -1],
            text.vocabulary, "ROMEO:",
            lambda s, n, **how: text.decode(gpt.generate(text.encode(s)[None], n, **how)[0]))
    """
    return SamplingExplorer(next_logits, vocabulary, prompt, generate)
