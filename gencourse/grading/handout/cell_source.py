"""The source of a cell as Python: magics and shell lines as IPython would run them, and the names.

Everything that looks into cells, ours or learners', comes through here.
"""

import ast
import re
import warnings
from functools import lru_cache

from IPython.core.inputtransformer2 import TransformerManager

# magics whose body is Python in the notebook's own namespace; the body of others is something else
BODIES = {"time", "timeit", "capture", "prun", "memray_flamegraph", "mprun", "lprun"}
CELL_MAGIC = re.compile(r"\s*%%(\w+)[^\n]*(?:\n|\Z)")
LINE_MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.]+[ \t]*=[ \t]*[%!].*|[\w.]+\?+[ \t]*)$", re.M)
# IPython goes over all of a cell once for every magic in it: longer ones get the plain treatment
TRANSFORMED, MAGICS = 50_000, 40
FENCE = re.compile(r"\s*```(?:python|py)?[ \t]*\n(.*?)\n?```\s*", re.S)


def tidy(source: str) -> str:
    """A cell without white space at the ends of lines and around it."""
    return "\n".join(line.rstrip() for line in source.strip().split("\n"))


def same(a: str, b: str) -> bool:
    """Whether two cells say the same, but for white space at the ends of lines and around."""
    return tidy(a) == tidy(b)


def python_of(source: str) -> str:
    """A cell as Python, line for line as far as that can be; "" for a cell of something else."""
    if magic := CELL_MAGIC.match(source):
        if magic[1] not in BODIES:
            return ""
        source = "\n" * source[: magic.end()].count("\n") + source[magic.end() :]
    if _tree(source) is not None:
        return source
    if len(source) <= TRANSFORMED and len(LINE_MAGIC.findall(source)) <= MAGICS:
        try:
            made = TransformerManager().transform_cell(source)
        except (SyntaxError, RuntimeError, ValueError, RecursionError):
            made = ""
        if made and _tree(made) is not None:
            return made
    return LINE_MAGIC.sub(r"\1pass", source)


def _tree(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=2_000)
def parsed(source: str) -> ast.Module:
    """The syntax tree of a cell; empty where it is no Python. Nobody may change it."""
    return _tree(python_of(source)) or ast.Module([], [])


def is_python(source: str) -> bool:
    """Whether a cell can be read as Python by the Python that is running."""
    return _tree(python_of(source)) is not None


def unfenced(source: str) -> str:
    """The code of a text cell that is nothing but a block of code, else the text itself."""
    fenced = FENCE.fullmatch(source)
    return fenced[1] if fenced else source


@lru_cache(maxsize=10_000)
def defined(source: str) -> tuple[str, ...]:
    """The names that a cell binds at its top level, functions and classes first."""
    functions, others = [], []
    for node in parsed(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            functions.append(node.name)
        else:
            others += [
                n.id
                for n in ast.walk(node)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            ]
            if isinstance(node, ast.If | ast.Try | ast.With | ast.For):
                functions += [
                    n.name for n in ast.walk(node) if isinstance(n, ast.FunctionDef | ast.ClassDef)
                ]
            if isinstance(node, ast.Import | ast.ImportFrom):
                others += [(alias.asname or alias.name).split(".")[0] for alias in node.names]
    found = tuple(dict.fromkeys(functions + others))
    plain = not CELL_MAGIC.match(source) or python_of(source)
    return found or (tuple(re.findall(r"^(?:def|class)\s+(\w+)", source, re.M)) if plain else ())


def first_line(node: ast.stmt) -> int:
    """The line on which a statement begins, its decorators included."""
    return min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])


def functions(source: str) -> dict[str, ast.AST]:
    """The functions and classes that a cell defines at its top level, by name."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return {node.name: node for node in parsed(source).body if isinstance(node, kinds)}


def read_names(source: str) -> set[str]:
    """The names that a cell mentions; every word of it where it is no Python."""
    tree = parsed(source)
    if not tree.body:
        return set(re.findall(r"\w+", source))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def imported(source: str) -> set[str]:
    """The top-level names of the modules that a cell imports anywhere in it."""
    nodes = list(ast.walk(parsed(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in names}


def code_only(source: str) -> str:
    """A cell without comments and with the texts that are no code left out.

    What is searched for suspicious names: a comment about shapes or the path of a file is none.
    The cell itself where it is no Python.
    """
    tree = _tree(python_of(source))
    if tree is None:
        return source
    try:
        return ast.unparse(_Blank().visit(tree))
    except (RecursionError, ValueError):
        return source


class _Blank(ast.NodeTransformer):
    """Docstrings and other texts that stand alone are left out; the others stay, for they act."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)
