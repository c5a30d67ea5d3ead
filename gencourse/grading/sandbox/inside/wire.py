"""Messages between the judge and the box: JSON and raw tensor bytes, no pickle.

A frame is MAGIC, the lengths of its two parts (8 bytes each, big-endian), JSON, raw bytes. In the
JSON a tensor is {"tensor": [dtype, shape, offset, length]} into the raw bytes, a dict is {"dict":
[[key, value], ...]}, a tuple {"tuple": [value, ...]}, a random generator that was not used yet
{"generator": seed}, and the two kinds of non-data are {"raised": [kind, message, line]} and
{"opaque": kind}. Whoever reads a frame trusts none of it: what is not exactly of this form raises
Malformed.
"""

import json
import math
import struct
from typing import Any

import torch
from torch import Tensor

from gencourse.runner import Opaque, Raised

MAGIC = b"gencour1"
HEADER = struct.Struct(">8sQQ")
DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    )
}
# bytes of JSON, levels of lists, characters of one text, values of a frame that are no tensors
JSON_LIMIT, DEPTH_LIMIT, TEXT_LIMIT, VALUES_LIMIT = 4 << 20, 32, 400_000, 200_000


class Malformed(Exception):
    """A message that is not of the agreed form."""


class Blobs(list):
    """The bytes of a frame's tensors. One that occurs twice is sent once, and is one tensor again
    on the other side.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[int, dict] = {}
        self.values = 0  # that were encoded so far


class Received:
    """The bytes of a frame's tensors, and the tensors made of them."""

    def __init__(self, raw: bytes) -> None:
        self.view = memoryview(raw)
        self.made: dict[tuple, Tensor] = {}


def pack(value: Any) -> bytes:
    """A frame for plain data (gencourse.runner.plain)."""
    blobs = Blobs()
    body = json.dumps(_encoded(value, blobs, 0), ensure_ascii=True).encode("ascii")
    raw = b"".join(blobs)
    if len(body) > JSON_LIMIT:
        raise Malformed(f"{len(body):,} bytes of data that are no tensor, more than {JSON_LIMIT:,}")
    return HEADER.pack(MAGIC, len(body), len(raw)) + body + raw


def lengths(header: bytes, limit: int) -> tuple[int, int]:
    """The lengths of the two parts that follow a header."""
    magic, body, raw = HEADER.unpack(header)
    if magic != MAGIC:
        raise Malformed("no message, but something else on its channel")
    if body > JSON_LIMIT or raw > limit:
        raise Malformed(f"a message of {body + raw:,} bytes, more than {limit:,}")
    return body, raw


def unpack(body: bytes, raw: bytes) -> Any:
    """The plain data of a frame's two parts."""
    try:
        return _decoded(json.loads(body.decode("ascii")), Received(raw), 0)
    except (ValueError, RecursionError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        raise Malformed(f"a message that cannot be read ({type(error).__name__})") from None


def _encoded(value: Any, blobs: Blobs, depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        raise Malformed(f"lists in lists, more than {DEPTH_LIMIT} deep")
    blobs.values += 1
    if blobs.values > VALUES_LIMIT:
        raise Malformed(f"more than {VALUES_LIMIT:,} values that are no tensors")
    if isinstance(value, Tensor):
        if id(value) not in blobs.sent:
            blobs.sent[id(value)] = _encoded_tensor(value, blobs)
        return blobs.sent[id(value)]
    if isinstance(value, str):
        return str(value[:TEXT_LIMIT])
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Raised):
        return {"raised": [value.kind, value.message, value.line]}
    if isinstance(value, Opaque):
        return {"opaque": value.kind}
    if isinstance(value, dict):
        return {"dict": [[key, _encoded(item, blobs, depth + 1)] for key, item in value.items()]}
    if isinstance(value, list):
        return [_encoded(item, blobs, depth + 1) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_encoded(item, blobs, depth + 1) for item in value]}
    if isinstance(value, torch.Generator):
        return {"generator": value.initial_seed()}
    raise Malformed(f"an object of type {type(value).__name__}, which is no plain data")


def _encoded_tensor(value: Tensor, blobs: Blobs) -> dict:
    name = str(value.dtype).removeprefix("torch.")
    if name not in DTYPES:
        raise Malformed(f"a tensor of {name}")
    flat = torch.empty(value.numel(), dtype=value.dtype, device="cpu").copy_(
        value.detach().reshape(-1)
    )  # one after the other, whatever the strides
    data = flat.view(torch.uint8).numpy().tobytes()
    offset = sum(map(len, blobs))
    blobs.append(data)
    return {"tensor": [name, list(value.shape), offset, len(data)]}


def _decoded(value: Any, raw: Received, depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        raise Malformed(f"lists in lists, more than {DEPTH_LIMIT} deep")
    if isinstance(value, str):
        return _text(value)
    if (
        value is None
        or isinstance(value, bool | float)
        or (isinstance(value, int) and abs(value) < 2**63)
    ):
        return value
    if isinstance(value, list):
        return [_decoded(item, raw, depth + 1) for item in value]
    if isinstance(value, dict) and len(value) == 1:
        ((tag, content),) = value.items()
        if tag == "tensor":
            return _decoded_tensor(content, raw)
        if tag == "dict":
            return {_text(key): _decoded(item, raw, depth + 1) for key, item in content}
        if tag == "tuple":
            return tuple(_decoded(item, raw, depth + 1) for item in content)
        if tag == "generator" and type(content) is int:
            return torch.Generator().manual_seed(content)
        if tag == "raised":
            kind, message, line = map(_text, content)
            return Raised(kind[:100], message[:400], line[:400])
        if tag == "opaque":
            return Opaque(_text(content)[:100])
    raise Malformed("a value of no known kind")


def _decoded_tensor(content: Any, raw: Received) -> Tensor:
    name, shape, offset, length = content
    dtype = DTYPES[name]
    sizes = [*shape, offset, length]
    if (
        len(shape) > 12
        or any(type(n) is not int or n < 0 for n in sizes)
        or offset + length > len(raw.view)
    ):
        raise Malformed("a tensor whose bytes are not there")
    if math.prod(shape) * dtype.itemsize != length:
        raise Malformed("a tensor whose shape does not fit its bytes")
    if length == 0:
        return torch.empty(shape, dtype=dtype)
    data = bytearray(raw.view[offset : offset + length])
    key = (name, *sizes)
    if key not in raw.made:
        flat = torch.frombuffer(data, dtype=torch.uint8 if dtype == torch.bool else dtype)
        raw.made[key] = (flat.ne(0) if dtype == torch.bool else flat).reshape(shape)
    return raw.made[key]


def _text(value: object) -> str:
    """Text that can be written as UTF-8 and shown: without lone surrogates and control characters,
    not too long.
    """
    if not isinstance(value, str):
        raise Malformed("a text that is none")
    value = value[:TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c in "\n\t" or c >= " " else "\ufffd" for c in value)
