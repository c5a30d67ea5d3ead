"""What the widgets have in common that are looked through like a film."""

from abc import ABC, abstractmethod

from matplotlib.figure import Figure

from gencourse.widgets import notebook
from gencourse.widgets.notebook import film_controls, ipywidgets, picture


class Film(ABC):
    """A Play button and a slider over the moments 0 to `last`, words and a picture of the moment
    chosen. In a notebook the last line of a cell displays it; where widgets cannot run the static
    strip is drawn instead.

    A film says what its moment i looks like, `moment(i)`, and draws its `strip()`. It calls
    `open` once it knows its moments.
    """

    box = None

    def open(self, last: int, first: int, interval: int) -> None:
        """Make the widgets where they can run: at moment `first`, with `interval` milliseconds from
        one moment to the next.
        """
        if not notebook.widgets_can_run():
            return
        self.player, self.position, self.link = film_controls(last, first, interval)
        beside = ipywidgets.Layout(margin="2px 2px 2px 14px")  # clear of the slider's handle
        self.label = ipywidgets.Label(layout=beside)
        self.image = picture()
        self.position.observe(lambda change: self.redraw(), names="value")
        row = ipywidgets.HBox([self.player, self.position, self.label])
        self.box = ipywidgets.VBox([row, self.image])
        self.redraw()

    def redraw(self) -> None:
        """Show the moment chosen."""
        self.label.value, self.image.value = self.moment(self.position.value)

    @abstractmethod
    def moment(self, i: int) -> tuple[str, bytes]:
        """Moment i in words, and its picture as PNG bytes."""

    @abstractmethod
    def strip(self) -> Figure:
        """The static film."""

    def _ipython_display_(self) -> None:
        notebook.display_widget_or_figure(self.box, self.strip)
