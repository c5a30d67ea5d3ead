"""A student's submission to an assignment with all that is known of it: roster, result, marks."""

import math
from dataclasses import dataclass

from gencourse.grading.gradebook.records import Flag, Part, ShownCell, WrittenCell

NOT_YET = "not graded yet"
NO_GRADE = {NOT_YET, "infrastructure_error"}


@dataclass(frozen=True)
class TaskGrade:
    """One task of one submission. Points are None as long as nobody has given any."""

    name: str
    title: str
    kind: str
    status: str
    out_of: float
    points_auto: float | None
    points_manual: float | None
    message: str = ""
    mistake: str = ""
    comment: str = ""
    source: str = ""
    bonus: bool = False
    parts: tuple[Part, ...] = ()
    cells: tuple[WrittenCell, ...] = ()

    @property
    def points(self) -> float | None:
        """The points that count: those given by hand, else the judge's."""
        return self.points_auto if self.points_manual is None else self.points_manual


@dataclass(frozen=True)
class Row:
    """One student's submission to one assignment: roster, result and marks together.

    `points_whole` were given by hand for the whole, and may be negative. `late_percent` is what a
    late submission loses.
    """

    student: str
    student_id: str
    assignment: str
    version: str
    file: str
    key: str
    status: str = NOT_YET
    reason: str = ""
    sandbox: str = ""
    flags: tuple[Flag, ...] = ()
    tasks: tuple[TaskGrade, ...] = ()
    comment: str = ""
    points_whole: float | None = None
    late_percent: float = 0
    shown: tuple[ShownCell, ...] = ()

    @property
    def earned(self) -> float:
        """The sum of the points given so far, before what is taken off and what is given on top."""
        return math.fsum(task.points or 0 for task in self.tasks)

    @property
    def late(self) -> bool:
        """Whether the submission was marked as late."""
        return any(flag.flag == "late" for flag in self.flags)

    @property
    def off(self) -> float:
        """The points that the submission loses because it was late."""
        return round(self.earned * self.late_percent / 100, 4) if self.late else 0

    @property
    def points(self) -> float | None:
        """The points of the submission so far, None if there is no grade at all."""
        if self.status in NO_GRADE:
            return None
        return max(0, math.fsum([self.earned, -self.off, self.points_whole or 0]))

    @property
    def out_of(self) -> float:
        """The points that can be had without a bonus."""
        return math.fsum(task.out_of for task in self.tasks if not task.bonus)

    @property
    def waiting(self) -> int:
        """How many tasks wait for points by hand."""
        return sum(task.points is None for task in self.tasks)
