"""Which answers of different students are more alike than chance makes them.

Compared are normalised syntax trees: names of variables, texts for people, layout and annotations
do not count. Short functions look alike anyway, and what many have written is the obvious way; both
are left out. The result is a list of pairs to look at, and proves nothing.
"""

import ast
import itertools
from collections import Counter
from dataclasses import dataclass

from gencourse.grading.gradebook.rows import Row
from gencourse.grading.handout.cell_source import functions

LENGTH = 60  # nodes of a tree, below which it means nothing
SHARE = 0.9  # of what two trees hold, from which on they are alike
COMMON = 3  # students, from which on a tree is the obvious way
PIECE = 4  # nodes that are compared as one


@dataclass(frozen=True)
class Pair:
    """Two answers to one task that are alike, `share` of 1; `length` in nodes of the shorter."""

    task: str
    first: str
    second: str
    share: float
    length: int


class Normalised(ast.NodeTransformer):
    """A function with variables called by their order, and without what is for people."""

    def __init__(self, own: set[str]) -> None:
        self.own = own
        self.names: dict[str, str] = {}

    def called(self, name: str) -> str:
        """The name by order, for a variable of the function's own."""
        if name not in self.own:
            return name
        return self.names.setdefault(name, f"v{len(self.names)}")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A variable."""
        return ast.Name(self.called(node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """An argument, without its annotation."""
        return ast.arg(self.called(node.arg), None)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """An assignment without its annotation."""
        value = node.value or ast.Constant(None)
        return self.visit(ast.Assign([node.target], value))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """A function without its name, decorators, annotations and docstring."""
        made = ast.FunctionDef(
            self.called(node.name), self.visit(node.args), node.body, [], None, None
        )
        made.body = [self.visit(one) for one in made.body if not is_text(one)]
        return made


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is only a text."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def pieces(tree: ast.AST) -> tuple[Counter, int]:
    """The runs of nodes of a function's normalised tree, and how many nodes it has."""
    own = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    own |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    own |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    made = Normalised(own).visit(ast.parse(ast.unparse(tree)))
    nodes = [
        f"{type(node).__name__} {getattr(node, 'id', getattr(node, 'attr', ''))}"
        f"{getattr(node, 'value', '') if isinstance(node, ast.Constant) else ''}"
        for node in ast.walk(made)
        if not isinstance(node, ast.expr_context | ast.Module)
    ]
    runs = Counter(tuple(nodes[i : i + PIECE]) for i in range(max(1, len(nodes) - PIECE + 1)))
    return runs, len(nodes)


def share(first: Counter, second: Counter) -> float:
    """The share of what two multisets hold that both hold."""
    either = sum((first | second).values())
    return sum((first & second).values()) / either if either else 0.0


def similar(rows: list[Row]) -> list[Pair]:
    """The pairs of answers in an assignment that are alike, the longest first."""
    found = []
    for name in dict.fromkeys(task.name for row in rows for task in row.tasks):
        answers: dict[str, tuple[Counter, int]] = {}
        for row in rows:
            source = next((task.source for task in row.tasks if task.name == name), "")
            trees = list(functions(source).values())
            made = [pieces(tree) for tree in trees]
            runs, length = sum((r for r, _ in made), Counter()), sum(n for _, n in made)
            if length >= LENGTH:
                answers[row.student] = (runs, length)
        often = Counter(frozenset(runs.items()) for runs, _ in answers.values())
        rare = {s: a for s, a in answers.items() if often[frozenset(a[0].items())] <= COMMON}
        for (one, a), (other, b) in itertools.combinations(sorted(rare.items()), 2):
            if min(a[1], b[1]) >= SHARE * max(a[1], b[1]) and share(a[0], b[0]) >= SHARE:
                found.append(Pair(name, one, other, share(a[0], b[0]), min(a[1], b[1])))
    return sorted(found, key=lambda pair: (-pair.length, -pair.share, pair.first, pair.second))
