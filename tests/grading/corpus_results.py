"""Answers that return something that is hard to take in. The task is lost, the others keep their points."""

from tests.grading.corpus_kind import Sheet, kind

RIGHT = "mu + (0.5 * logvar).exp() * eps"

EXPRESSIONS = {
    "returns_generator": ("A generator is no value.", f"(row for row in {RIGHT})"),
    "returns_complex": ("Complex numbers were not asked for.", f"({RIGHT}).to(torch.complex64)"),
    "returns_sparse": (
        "A sparse tensor is not what was asked for.",
        f"({RIGHT}).detach().to_sparse()",
    ),
    "returns_meta": ("A tensor without values.", f"({RIGHT}).to('meta')"),
    "returns_quantized": (
        "A quantised tensor is not what was asked for.",
        f"torch.quantize_per_tensor(({RIGHT}).detach(), 0.1, 0, torch.qint8)",
    ),
    "returns_expanded_5_gb": (
        "Five gigabytes that take four bytes until they are copied.",
        "torch.zeros(1).expand(1_250_000_000)",
    ),
    "returns_1_gb": ("A real gigabyte.", "torch.zeros(250_000_000)"),
    "returns_text_of_100_mb": ("A text of 100 MB.", "'x' * 100_000_000"),
    "returns_nan": ("NaN equals nothing.", f"({RIGHT}) * float('nan')"),
    "returns_infinity": ("Infinity is not the value.", f"({RIGHT}) + float('inf')"),
    "returns_million_keys": ("A dict with a million keys.", "{i: i for i in range(1_000_000)}"),
    "returns_million_lists": ("A million small objects.", "[[] for _ in range(1_000_000)]"),
    "returns_none": ("Nothing comes back.", "None"),
    "returns_bytes": ("Bytes are no numbers.", "b'\\x80\\x04\\x95' * 10"),
    "returns_function": ("A function is no value.", "reparameterize"),
    "returns_huge_integer": ("A number with a million digits.", "1 << 3_000_000"),
    "returns_empty": ("An empty tensor has the wrong shape.", "torch.empty(0)"),
    "returns_64_axes": ("A tensor with 64 axes.", "torch.zeros([1] * 64)"),
    "returns_surrogate": ("Half a character cannot be encoded.", "'\\ud800'"),
    "returns_object_array": ("An array of objects.", "__import__('numpy').array([object()] * 3)"),
    "returns_structured_array": (
        "An array of records.",
        "__import__('numpy').zeros(3, dtype=[('a', 'f4'), ('b', 'U9')])",
    ),
}


@kind("broken", lost="reparameterize", each=EXPRESSIONS)
def expression(s: Sheet, source):
    s.answer("reparameterize", f"def reparameterize(mu, logvar, eps):\n    return {source}")


OBJECTS = {
    "returns_deep_list": (
        "Lists within lists, a hundred thousand deep.",
        "def reparameterize(mu, logvar, eps):\n    deep = []\n    for _ in range(100_000):\n        deep = [deep]\n    return deep",
    ),
    "returns_list_in_itself": (
        "A list that contains itself.",
        "def reparameterize(mu, logvar, eps):\n    ring = []\n    ring.append(ring)\n    return ring",
    ),
    "returns_dict_in_itself": (
        "A dict that contains itself twice at every level.",
        "def reparameterize(mu, logvar, eps):\n    ring = {}\n    ring['a'] = ring['b'] = ring\n    return ring",
    ),
    "returns_shared_lists": (
        "Thirty lists in memory, a billion when they are written out.",
        "def reparameterize(mu, logvar, eps):\n    many = [0.0]\n    for _ in range(30):\n        many = [many, many]\n    return many",
    ),
    "returns_object_without_repr": (
        "An object that cannot be shown.",
        "class Mute:\n    def __repr__(self):\n        raise RuntimeError('no')\n\n    __str__ = __format__ = __hash__ = __repr__\n\n\n"
        "def reparameterize(mu, logvar, eps):\n    return Mute()",
    ),
    "returns_object_that_lies": (
        "An object that claims to be a tensor.",
        "class Liar:\n    @property\n    def __class__(self):\n        return torch.Tensor\n\n    def __getattr__(self, name):\n        return self\n\n"
        "    def __call__(self, *args, **kwargs):\n        return self\n\n\ndef reparameterize(mu, logvar, eps):\n    return Liar()",
    ),
    "returns_list_without_end": (
        "A kind of list that never ends.",
        "class Endless(list):\n    def __iter__(self):\n        while True:\n            yield 1.0\n\n    def __len__(self):\n        return 3\n\n\n"
        "def reparameterize(mu, logvar, eps):\n    return Endless()",
    ),
    "returns_number_that_loops": (
        "A kind of number whose conversion hangs.",
        "class Slow(float):\n    def __float__(self):\n        import time\n\n        time.sleep(600)\n\n    __int__ = __index__ = __abs__ = __float__\n\n\n"
        "def reparameterize(mu, logvar, eps):\n    return Slow(1.0)",
    ),
    "returns_kind_of_text": (
        "A kind of text that changes when it is read.",
        "class Sly(str):\n    def __str__(self):\n        return 'right'\n\n    encode = lambda self, *a: b'right'\n\n\n"
        "def reparameterize(mu, logvar, eps):\n    return Sly('wrong')",
    ),
    "returns_pickle_bomb": (
        "An object that runs code when it is unpickled; nothing is ever unpickled.",
        "class Bomb:\n    def __reduce__(self):\n        import os\n\n        return os.system, ('echo unpickled',)\n\n\n"
        "def reparameterize(mu, logvar, eps):\n    return Bomb()",
    ),
}


@kind("broken", lost="reparameterize", each=OBJECTS)
def returned_object(s: Sheet, source):
    s.answer("reparameterize", source)
