"""Games that were played beforehand, since a reader does not wait for them: their numbers, seed by
seed.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

from gencourse.errors import InputError

FILE = resources.files("gencourse.models.gan") / "files" / "games.json"


def measured(name: str) -> list[dict[str, Any]]:
    """The rows of one series of games, "remedies", "two by two", "scarce" or "equal seconds": in
    each the name of the game, its seed, and what was measured.

    authoring/measure_gan_games.py plays them and says what the numbers are.
    """
    games = played()
    if name not in games:
        raise InputError(
            f"measured: name should be one of {', '.join(games)}, got {name!r}. Choose one of them."
        )
    return [dict(row) for row in games[name]["rows"]]


@cache
def played() -> dict[str, dict[str, Any]]:
    """All series, with where and by what they were made."""
    return json.loads(FILE.read_text("utf-8"))
