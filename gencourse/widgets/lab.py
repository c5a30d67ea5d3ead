"""The GAN lab itself: recorded runs to look through, and matches that are played live."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from matplotlib.figure import Figure

from gencourse.errors import InputTypeError, describe
from gencourse.gan_lab.observe import Frame
from gencourse.gan_lab.picture import SHOWN_WIDTH, Picture
from gencourse.gan_lab.recording import SHIPPED, Recording, record, recorded
from gencourse.gan_lab.settings import Settings
from gencourse.gan_lab.story import CHANGES, EXPLAINED, STORIES, flow, rules, warning
from gencourse.gan_lab.strip import film_strip
from gencourse.widgets import notebook
from gencourse.widgets.lab_controls import COLUMN, layer_boxes, two_columns
from gencourse.widgets.lab_live import Live
from gencourse.widgets.notebook import button, ipywidgets, status_html

MODES = (("recorded run", "recorded"), ("play live", "live"))  # words on the button, value
HINTS = {
    "recorded": "Press ▶, or move the slider (with the arrow keys, once it has the focus).",
    "live": (
        "Press Play, or Step for one round at a time. A new loss, penalty or rate counts at once."
    ),
}
THIS = "this run"  # the name of a recording that was handed in
AS_IT_WAS = "no change"


class GanLab:
    """Watch a generator and a discriminator play in the plane.

    With a Recording, or nothing, the lab opens at once on a recorded run; with Settings it opens on
    a live match. In a notebook the last line of a cell displays it; where widgets cannot run a film
    strip is drawn instead.
    """

    def __init__(self, start: Recording | Settings | None = None) -> None:
        if not isinstance(start, Recording | Settings | None):
            raise InputTypeError(
                f"gan_lab: start should be a Recording or Settings, got {describe(start)}. Leave "
                "it out for a shipped run."
            )
        self.given = start if isinstance(start, Recording) else None
        self.settings = start if isinstance(start, Settings) else Settings()
        self.starts_live = isinstance(start, Settings)
        self.run = self.given or recorded()
        self.box = None
        if notebook.widgets_can_run():
            self.build()

    def build(self) -> None:
        """Make the widgets, connect them, and draw the first picture.

        A match that plays elsewhere pauses.
        """
        if Live.playing is not None:
            Live.playing.pause()
        self.pen = Picture()
        # below the controls if need be
        shrinking = ipywidgets.Layout(flex="1 1 420px", min_width="420px", max_width=SHOWN_WIDTH)
        self.image = ipywidgets.Image(format="png", layout=shrinking)
        self.flow, self.status, self.about = ipywidgets.HTML(), ipywidgets.HTML(), ipywidgets.HTML()
        self.warning, self.explained = ipywidgets.HTML(), ipywidgets.HTML()
        self.layers = layer_boxes()
        for layer in self.layers.values():
            layer.observe(lambda change: self.attempt(self.show), names="value")
        self.live = Live(self.settings, show=self.show, tell=self.tell)
        self.build_player()
        self.mode = ipywidgets.ToggleButtons(
            options=MODES, value="live" if self.starts_live else "recorded"
        )
        self.mode.style.button_width = "138px"
        self.mode.observe(lambda change: self.attempt(self.enter), names="value")
        self.panel = ipywidgets.VBox(layout=ipywidgets.Layout(width=COLUMN))
        layers = two_columns(self.layers)
        column = ipywidgets.VBox(
            [self.mode, self.panel, layers, self.explained],
            layout=ipywidgets.Layout(width="300px"),
        )
        wrap = ipywidgets.Layout(
            display="flex", flex_flow="row wrap", align_items="flex-start", overflow="hidden"
        )
        self.box = ipywidgets.VBox(
            [
                self.flow,
                self.status,
                self.warning,
                ipywidgets.Box([column, self.image], layout=wrap),
            ]
        )
        self.enter()

    def build_player(self) -> None:
        """The controls for recorded runs: which, and which moment of it."""
        titles = [(THIS, THIS)] * (self.given is not None) + [
            (title, name) for name, title in SHIPPED.items()
        ]
        # each has a layout of its own, since one of them is hidden at times
        whole, as_wide = (ipywidgets.Layout(width="286px") for _ in range(2))
        self.choice = ipywidgets.Dropdown(
            options=titles,
            value=THIS if self.given else "ring",
            description="run",
            layout=whole,
            style={"description_width": "60px"},
        )
        last = len(self.run.frames) - 1
        self.player = ipywidgets.Play(value=0, min=0, max=last, interval=200)
        self.position = ipywidgets.IntSlider(
            value=0,
            min=0,
            max=last,
            description="moment",
            readout=False,
            layout=ipywidgets.Layout(width="190px"),
            style={"description_width": "60px"},
        )
        self.link = ipywidgets.jslink((self.player, "value"), (self.position, "value"))
        self.change = ipywidgets.Dropdown(
            description="but with", layout=as_wide, style={"description_width": "60px"}
        )
        self.offer_changes()
        self.take = button("Play this live", "start a live match under these rules", width="140px")
        self.choice.observe(lambda change: self.attempt(self.choose), names="value")
        self.position.observe(lambda change: self.attempt(self.show), names="value")
        self.take.on_click(lambda _: self.attempt(self.take_over))
        self.watching = ipywidgets.VBox(
            [
                self.choice,
                ipywidgets.HBox([self.player, self.position]),
                self.about,
                self.change,
                self.take,
            ]
        )

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it; an error becomes a sentence."""
        self.live.attempt(action)

    def enter(self) -> None:
        """Show the controls of the mode that was chosen."""
        live = self.mode.value == "live"
        self.live.pause()
        self.panel.children = (self.live.box if live else self.watching,)
        if live and self.live.match is None:
            self.live.start()
        self.tell(HINTS[self.mode.value])
        self.show()

    def choose(self) -> None:
        """Open the recorded run that the list names, at its first moment."""
        given = self.given if self.choice.value == THIS else None
        self.run = given or recorded(self.choice.value)
        last = len(self.run.frames) - 1
        for widget in (self.player, self.position):
            widget.max = last
            widget.value = 0
        self.offer_changes()
        self.show()

    def offer_changes(self) -> None:
        """List what can be changed, one thing at a time, where a run has failed."""
        found = CHANGES.get(self.choice.value, {})
        self.change.options = (AS_IT_WAS, *found)
        # a page that gets new options shows none of them until the choice itself has moved
        self.change.index = None
        self.change.index = 0
        self.change.layout.display = "" if found else "none"

    def take_over(self) -> None:
        """Leave the recorded run and play a match under its rules, but for the change chosen."""
        changed = CHANGES.get(self.choice.value, {}).get(self.change.value, {})
        self.live.take_over(replace(self.run.settings, **changed))
        self.mode.value = "live"

    def show(self) -> None:
        """Draw the present moment of what is being watched."""
        layers = {name: box.value for name, box in self.layers.items()}
        self.explained.value = "".join(
            status_html(words) for name, words in EXPLAINED.items() if layers[name]
        )
        if self.mode.value == "live":
            frame, settings = cast(Frame, self.live.frame), self.live.current.settings
            self.image.value = self.pen.draw(frame, self.live.trail, settings, layers)
            self.flow.value = flow(frame.scores, settings, self.live.moved)
            self.warning.value = status_html(warning(frame.fake), wrong=True)
            return
        self.warning.value = ""
        frames, settings = self.run.frames, self.run.settings
        now = min(self.position.value, len(frames) - 1)
        scores = [frame.scores for frame in frames]
        self.image.value = self.pen.draw(
            frames[now], scores[: now + 1], settings, layers, until=scores[-1].step
        )
        self.flow.value = flow(scores[now], settings)
        self.about.value = status_html(STORIES.get(self.choice.value, "")) + status_html(
            "Rules: " + rules(settings)
        )

    def tell(self, text: str, wrong: bool = False) -> None:
        """Put a sentence into the status line."""
        self.status.value = status_html(text, wrong)

    def close(self) -> None:
        """Stop playing and take the lab off the page."""
        if self.box is not None:
            self.live.pause()
            self.box.close()

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(self.box, self.static_figure)

    def static_figure(self) -> Figure:
        """A film strip of the recorded run, or of a short match under the given Settings."""
        return film_strip(
            record(self.settings, steps=600, every=120, title=rules(self.settings))
            if self.starts_live
            else self.run,
            title=rules(self.settings) if self.starts_live else self.run.title,
        )


def gan_lab(start: Recording | Settings | None = None) -> GanLab:
    """The GAN lab: on a recorded run (`recorded("collapse")`, or one of your own), or live under
    the given Settings.
    """
    return GanLab(start)
