"""A match that is played while one watches: the settings' controls, the buttons, and the loop
behind Play.
"""

import asyncio
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from gencourse.errors import InputError
from gencourse.gan_lab.match import Match
from gencourse.gan_lab.observe import Frame, Scores
from gencourse.gan_lab.settings import Settings
from gencourse.gan_lab.story import moved, rules
from gencourse.widgets.lab_canvas import Canvas
from gencourse.widgets.lab_controls import (
    SPEEDS,
    read_settings,
    setting_controls,
    shape,
    show_settings,
)
from gencourse.widgets.notebook import EXPECTED_ERRORS, button, ipywidgets

PAUSE = 0.16  # seconds from one picture to the next at least, so that the page keeps up
# seconds after each round, in which the kernel hears of a pressed button and may take the lock
BREATH = 0.001
KEPT = 2000  # moments that the curves are drawn from; when there are more, every other is dropped


def running_loop() -> asyncio.AbstractEventLoop:
    """The notebook kernel's event loop."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError as error:
        raise InputError(
            "Play: the lab should be in a notebook whose kernel runs an event loop, got none. "
            "Press Step instead."
        ) from error


class Live:
    """A match and the controls that govern it.

    `show()` is called after everything that changes the match, `tell(text, wrong)` with a sentence
    about it. One match plays at a time: Play here pauses the one that is playing elsewhere. A
    kernel may hand a page's messages to several threads, so whatever touches a match or a picture
    holds `lock`.
    """

    playing: ClassVar["Live | None"] = None
    lock: ClassVar = threading.RLock()

    def __init__(
        self, settings: Settings, show: Callable[[], None], tell: Callable[..., None]
    ) -> None:
        self.show, self.tell, self.base, self.first = show, tell, settings, settings
        self.match: Match | None = None
        self.frame: Frame | None = None
        self.trail: list[Scores] = []
        self.moved, self.quiet = "", False
        self.task: asyncio.Task[None] | None = None
        self.controls = setting_controls(settings)
        self.canvas = Canvas(settings.cells, lambda: self.attempt(self.change))
        self.canvas.show(settings.cells, settings.data == "drawn")
        self.speed = ipywidgets.SelectionSlider(
            options=SPEEDS, value=10, description="rounds a picture", **shape()
        )
        self.play_button = button("Play", "play round after round until Pause is pressed", "play")
        self.step_button = button(
            "Step",
            "play one round: the discriminator's moves, then the generator's",
            "step-forward",
        )
        self.reset_button = button(
            "Reset", "start anew with the same networks as before and the rules shown", "refresh"
        )
        self.seed_button = button(
            "Another seed", "start anew with other networks, data and noise", width="140px"
        )
        self.defaults_button = button(
            "Defaults", "start anew with the rules and the seed that the lab began with", "undo"
        )
        self.times = ipywidgets.ToggleButtons(
            options=(("× 1", 1), ("× 50", 50)),
            description="a press",
            style={"button_width": "64px", "description_width": "60px"},
            layout=ipywidgets.Layout(width="280px"),
        )
        self.d_button = button(
            "Step D only", "the discriminator makes one move; the generator waits", width="140px"
        )
        self.g_button = button(
            "Step G only", "the generator makes one move; the discriminator waits", width="140px"
        )
        for control in self.controls.values():
            control.observe(
                lambda change: None if self.quiet else self.attempt(self.change), names="value"
            )
        for pressed, action in (
            (self.play_button, self.toggle),
            (self.step_button, lambda: self.single("DG")),
            (self.d_button, lambda: self.single("D")),
            (self.g_button, lambda: self.single("G")),
            (self.reset_button, self.restart),
            (self.seed_button, self.another_seed),
            (self.defaults_button, self.as_at_first),
        ):
            pressed.on_click(lambda _, action=action: self.attempt(action))
        rows = (
            (self.play_button, self.step_button, self.reset_button),
            (self.d_button, self.g_button),
            (self.seed_button, self.defaults_button),
            (self.times,),
        )
        data, *others = self.controls.values()
        self.box = ipywidgets.VBox(
            [*map(ipywidgets.HBox, rows), data, self.canvas.box, *others, self.speed]
        )

    @property
    def current(self) -> Match:
        """The match under way."""
        if self.match is None:
            raise InputError("Live: a match should be under way, got none. Press Reset.")
        return self.match

    def attempt(self, action: Callable[[], None]) -> None:
        """Do it; an error stops the play and becomes a sentence."""
        with self.lock:
            try:
                action()
            except EXPECTED_ERRORS as error:
                self.pause()
                self.tell(str(error) or type(error).__name__, wrong=True)

    def start(self) -> None:
        """A fresh match under the settings shown, not yet playing."""
        self.pause()
        self.match, self.trail, self.moved = Match(self.shown()), [], ""
        self.look()

    def shown(self) -> Settings:
        """The settings that the controls show, and what has no control."""
        return replace(read_settings(self.controls, self.base), cells=self.canvas.cells)

    def restart(self) -> None:
        """A fresh match, which plays on if the old one was playing."""
        going = self.task is not None
        self.start()
        self.tell("A new match, with fresh networks. " + rules(self.current.settings))
        if going:
            self.toggle()

    def another_seed(self) -> None:
        """A fresh match with the next seed, which plays on if the old one was playing."""
        self.base = replace(self.base, seed=self.base.seed + 1)
        self.restart()
        self.tell(f"A new match with seed {self.base.seed}. " + rules(self.current.settings))

    def as_at_first(self) -> None:
        """A fresh match as the lab's first, whatever has been set since."""
        self.take_over(self.first)
        self.tell("A new match as at first. " + rules(self.first))

    def take_over(self, settings: Settings) -> None:
        """A fresh match under these settings, which the controls show from now on."""
        self.quiet, self.base = True, settings
        try:
            show_settings(self.controls, settings)
            self.canvas.show(settings.cells, settings.data == "drawn")
        finally:
            self.quiet = False
        self.start()
        self.tell(rules(settings))

    def change(self) -> None:
        """Go by what the controls show: in the match under way if possible, else in a new one."""
        wanted = self.shown()
        self.canvas.show(wanted.cells, wanted.data == "drawn")
        if self.match is None or self.match.settings.needs_new_match(wanted):
            self.restart()
            return
        if wanted.loss != self.match.settings.loss:  # the curves of another loss do not compare
            self.trail = [
                scores._replace(d_loss=math.nan, g_loss=math.nan) for scores in self.trail
            ]
        self.match.adopt(wanted)
        self.tell("From now on: " + rules(wanted))
        self.look()

    def single(self, who: str) -> None:
        """One round ("DG"), or one move of D or of G alone; or as many as a press is to count."""
        self.pause()
        match = self.current
        moves = {"DG": match.step, "D": match.step_discriminator, "G": match.step_generator}
        for _ in range(self.times.value):
            moves[who]()
        self.moved = who
        self.look()
        self.tell(moved(who, self.times.value))

    def look(self) -> None:
        """Observe the match and show it."""
        self.frame = self.current.observe()
        if self.trail and self.trail[-1].step == self.frame.scores.step:
            self.trail.pop()  # nothing was played since; the rules may have changed
        self.trail.append(self.frame.scores)
        if len(self.trail) > KEPT:
            del self.trail[-2:0:-2]
        self.show()

    def toggle(self) -> None:
        """Play, or pause."""
        if self.task is not None:
            self.pause()
            self.tell("Paused.")
            return
        if Live.playing is not None:
            Live.playing.pause()
        self.task = running_loop().create_task(self.run())
        Live.playing, self.moved = self, "DG"
        self.play_button.description, self.play_button.icon = "Pause", "pause"
        self.tell("Playing. " + rules(self.current.settings))

    def pause(self) -> None:
        """Stop playing: the loop ends when it sees that it is not the task any more."""
        self.task = None
        if Live.playing is self:
            Live.playing = None
        self.play_button.description, self.play_button.icon = "Play", "play"

    async def run(self) -> None:
        """Round after round with a picture now and then, until paused or closed; between rounds the
        kernel can listen.
        """
        while True:
            start = time.monotonic()
            for _ in range(self.speed.value):
                if not self.play_on(self.current.step):
                    return
                await asyncio.sleep(BREATH)
            if not self.play_on(self.look):
                return
            await asyncio.sleep(max(BREATH, PAUSE - (time.monotonic() - start)))

    def play_on(self, action: Callable[[], None]) -> bool:
        """Do the next thing in the loop, unless the loop has been paused or the lab closed; False
        ends the loop.
        """
        with self.lock:
            if self.task is not asyncio.current_task() or self.box.comm is None:
                return False
            self.attempt(action)
            return self.task is not None
