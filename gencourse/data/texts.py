"""Texts as tokens, one per character: Shakespeare and Melville ship, a file or a string of one's
own works too.
"""

import contextlib
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gencourse.errors import DataUnavailable, InputError, InputTypeError, describe
from gencourse.runtime import seeded, typed_path
from gencourse.validation import require_count, require_tensor

SHIPPED = ("shakespeare", "melville")
LONGEST_PATH = 1024
DRAWN_AT_ONCE = 100  # batches of windows
# from the root, a home, a drive or a network, an address; or something with a folder and an ending
PATH = re.compile(
    r"([A-Za-z]:)?[\\/]|~[\w.-]*[\\/]|\.{1,2}[\\/]|[A-Za-z]{2,6}://|.*[\\/][^\\/]*\.[A-Za-z]\w{0,4}$"
)


@dataclass(frozen=True)
class Text:
    """A text in memory: `train` (N,) and `validation` (M,), whole numbers below len(vocabulary).

    Token i is the character vocabulary[i].
    """

    name: str
    vocabulary: tuple[str, ...]
    train: Tensor
    validation: Tensor

    def encode(self, characters: str) -> Tensor:
        """The tokens (N,) of a string whose characters are all in the vocabulary."""
        return encode("Text.encode", characters, self.vocabulary)

    def decode(self, tokens: Tensor) -> str:
        """The string of tokens (N,)."""
        require_tensor("Text.decode", "tokens", tokens)
        if tokens.numel() and not (
            int(tokens.min()) >= 0 and int(tokens.max()) < len(self.vocabulary)
        ):
            got = f"{tokens.min()}..{tokens.max()}"
            raise InputError(
                f"Text.decode: tokens should lie in 0..{len(self.vocabulary) - 1}, got {got}. "
                "Use one vocabulary."
            )
        return "".join(self.vocabulary[i] for i in tokens.flatten().tolist())

    def __repr__(self) -> str:
        return (
            f"Text({self.name!r}: {len(self.train):,} train, {len(self.validation):,} "
            f"validation, {len(self.vocabulary)} characters)"
        )


def text(
    source: str | Path = "shakespeare",
    held_out: float = 0.1,
    vocabulary: tuple[str, ...] | None = None,
    unknown: str = "raise",
) -> Text:
    """Load a text: "shakespeare" (eight plays) or "melville" (the beginning of Moby-Dick), a file,
    or a string.

    A Path is read, any other string but the two names is itself the text. The last part,
    `held_out`, is for validation. With the `vocabulary` of another text both can go through one
    model; characters outside it are an error, or left out with unknown="drop".
    """
    name, characters = _read(source)
    if not 0 < held_out < 1:
        raise InputError(
            f"text: held_out should lie between 0 and 1, got {held_out}. It is the part kept for "
            "validation."
        )
    if unknown not in ("raise", "drop"):
        raise InputError(
            f"text: unknown should be 'raise' or 'drop', got {unknown!r}. Choose one of them."
        )
    if vocabulary is None:
        vocabulary = tuple(sorted(set(characters)))
    elif unknown == "drop":
        known = set(vocabulary)
        characters = "".join(c for c in characters if c in known)
    tokens = encode("text", characters, vocabulary)
    cut = int(len(tokens) * (1 - held_out))
    if min(cut, len(tokens) - cut) < 2:
        raise InputError(
            "text: source should be long enough for two parts of two characters, got "
            f"{len(tokens)}. Pass a longer text."
        )
    return Text(name, tuple(vocabulary), tokens[:cut], tokens[cut:])


def _read(source: str | Path) -> tuple[str, str]:
    """The name and the characters of a source."""
    if isinstance(source, Path):
        path = typed_path(source)
        try:
            return path.stem, path.read_text("utf-8-sig")
        except OSError as error:
            raise DataUnavailable(
                f"text: {path} should be a file that can be read, got: {error.strerror or error}. "
                "Check the path."
            ) from None
        except UnicodeDecodeError:
            raise DataUnavailable(
                f"text: {path} should be text in UTF-8, got another encoding. Open it in an editor "
                "and save it as UTF-8, or pass the text itself: "
                "text(Path(...).read_text(encoding='cp1252')), say."
            ) from None
    if not isinstance(source, str):
        raise InputTypeError(
            f"text: source should be a name, a Path or a string, got {describe(source)}. Pass "
            "one of them."
        )
    if source in SHIPPED:
        packed = resources.files("gencourse.data") / "files" / f"{source}.txt.xz"
        return source, lzma.decompress(packed.read_bytes()).decode("utf-8")
    if is_path(source):
        raise InputError(
            f"text: source should be a Path where it is a file, got the string {source!r}, which "
            f"looks like a path. Pass Path({source!r})."
        )
    if len(source) < 100:  # a name with a slip, or a path as a string, rather than a text
        raise InputError(
            f"text: source should be one of {', '.join(SHIPPED)}, a Path, or a text of at least "
            f"100 characters, got {source!r}. For a file pass Path(...)."
        )
    return "a string", source


def is_path(source: str) -> bool:
    """Whether a string is a path, or an address, rather than a text: of one line and of the form of
    one, or the name of something that is there.
    """
    if "\n" in source or "\r" in source or not source.strip() or len(source) > LONGEST_PATH:
        return False
    with contextlib.suppress(OSError, ValueError):
        if typed_path(source).exists():
            return True
    return bool(PATH.match(source))


def encode(where: str, characters: str, vocabulary: tuple[str, ...]) -> Tensor:
    """Tokens (N,) of a string: the indices of its characters in the vocabulary."""
    index = {character: i for i, character in enumerate(vocabulary)}
    strange = sorted(set(characters) - index.keys())
    if strange:
        shown = " ".join(map(repr, strange[:8]))
        raise InputError(
            f"{where}: every character should be in the vocabulary, got {shown}. Replace them, "
            "or load with unknown='drop'."
        )
    return torch.tensor(
        [index[character] for character in characters], dtype=torch.long, device="cpu"
    )


def windows(
    tokens: Tensor, block_size: int, batch_size: int, seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches of random windows of a text: x (B, block_size) and the tokens one position
    later, y (B, block_size).
    """
    require_tensor("windows", "tokens", tokens)
    require_count("windows", "block_size", block_size)
    require_count("windows", "batch_size", batch_size)
    if len(tokens) <= block_size:
        raise InputError(
            f"windows: tokens should be more than block_size = {block_size}, got {len(tokens)}. "
            "Choose a smaller one."
        )
    return Windows(tokens, block_size, batch_size, seed)


class Windows(Iterator[tuple[Tensor, Tensor]]):
    """What `windows` gives: endless, and it knows where it is (`state_dict`)."""

    def __init__(self, tokens: Tensor, block_size: int, batch_size: int, seed: int) -> None:
        self.tokens, self.batch_size, self.generator = tokens, batch_size, seeded(seed)
        self.last = len(tokens) - block_size
        self.offsets = torch.arange(block_size + 1, device=tokens.device)
        self.draw()

    def draw(self) -> None:
        """Draw where the windows of the next batches begin, the same whatever the device."""
        self.drawn_at, shape = self.generator.get_state(), (DRAWN_AT_ONCE, self.batch_size, 1)
        starts = torch.randint(self.last, shape, generator=self.generator, device="cpu")
        self.starts, self.used = starts.to(self.tokens.device), 0

    def to(self, device: torch.device) -> "Windows":
        """Move the text, so that no batch has to be; `fit` does it."""
        self.tokens, self.offsets = self.tokens.to(device), self.offsets.to(device)
        self.starts = self.starts.to(device)
        return self

    def __next__(self) -> tuple[Tensor, Tensor]:
        if self.used == len(self.starts):
            self.draw()
        chunk = self.tokens[self.starts[self.used] + self.offsets]
        self.used += 1
        return chunk[:, :-1], chunk[:, 1:]

    def state_dict(self) -> dict[str, Tensor | int]:
        """The generator before it drew the present windows, and how many of them are used."""
        return {"drawn_at": self.drawn_at, "used": self.used}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.generator.set_state(state["drawn_at"])
        self.draw()
        self.used = state["used"]
