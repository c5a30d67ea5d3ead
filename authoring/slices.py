"""Which cells of a chapter a claim needs, found by the names that cells make, change and use.

A cell makes a name where it assigns it. It changes one where it stores into it, or hands it to a
call whose result nobody keeps (`losses.append(...)`), to `fit`, or to an optimizer; functions that
are imported change nothing else, unless their name ends in an underscore. A cell that uses a
function of the chapter makes the changes that are written in the function. From the cell of the
claim one goes back: what is needed is what the cells so far use and do not make themselves. Where
the names do not tell, a cell too many is taken.
"""

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jupytext

ROOT = Path(__file__).parents[1]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Cell:
    """A cell of code, and the names that the chapter imports."""

    source: str
    imports: frozenset[str] = frozenset()

    @cached_property
    def body(self) -> list[ast.stmt]:
        return parsed(self.source)

    @cached_property
    def claims(self) -> tuple[str, ...]:
        """The names that it claims."""
        called = (call for statement in self.body for call in calls(statement))
        return tuple(ast.literal_eval(c.args[0]) for c in called if name_of(c) == "claim")

    @cached_property
    def called(self) -> dict[str, set[str]]:
        """What each of its functions calls, and, under "", what is called outside of them."""
        found: dict[str, set[str]] = {"": set()}
        for node in self.body:
            kind = node.name if isinstance(node, ast.FunctionDef | ast.ClassDef) else ""
            names = {name_of(call) for call in calls(node)} | (set() if kind else loaded(node))
            found[kind] = found.get(kind, set()) | names
        return found

    @cached_property
    def makes(self) -> set[str]:
        return {name for statement in self.body for name in made(statement)}

    @cached_property
    def uses(self) -> set[str]:
        """Names that have to be there before it runs."""
        return used_in_turn(self.body)

    @cached_property
    def changes(self) -> set[str]:
        """What it changes at once; what functions of its own would change is not among it."""
        return changed(self.body, self.imports)

    @cached_property
    def effects(self) -> dict[str, set[str]]:
        """The functions that it defines, each with the names from outside that it changes."""
        return {
            node.name: changed(node.body, self.imports) - inside(node)
            for node in self.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        }

    @cached_property
    def reads(self) -> dict[str, set[str]]:
        """The functions that it defines, each with the names from outside that it reads."""
        defined = (node for node in self.body if isinstance(node, ast.FunctionDef | ast.ClassDef))
        return {node.name: loaded(node) - inside(node) for node in defined}

    @cached_property
    def mentions(self) -> set[str]:
        """The names that occur in it outside of its own functions."""
        outside = (node for node in self.body if not isinstance(node, FUNCTIONS))
        return {name for node in outside for name in loaded(node)}


def parsed(source: str) -> list[ast.stmt]:
    return ast.parse(re.sub(r"^( *)[%!].*$", r"\1pass", source, flags=re.M)).body


def cells_of(chapter: str) -> list[Cell]:
    """The cells of code of a chapter, "01_vae"."""
    notebook = jupytext.read(ROOT / f"authoring/chapters/{chapter}.py", fmt="py:percent")
    return as_cells([cell.source for cell in notebook.cells if cell.cell_type == "code"])


def as_cells(sources: Sequence[str]) -> list[Cell]:
    statements = [s for source in sources for s in parsed(source)]
    imports = [made(s) for s in statements if isinstance(s, ast.Import | ast.ImportFrom)]
    return [Cell(source, frozenset().union(*imports)) for source in sources]


def needed(cells: Sequence[Cell], claims: Iterable[str]) -> list[int]:
    """The numbers of the cells that have to run, in order, for these claims to be made."""
    place = {name: i for i, cell in enumerate(cells) for name in cell.claims}
    return sorted(set().union(*(back_from(cells, place[name]) for name in claims)))


def back_from(cells: Sequence[Cell], end: int) -> set[int]:
    """The cells that cell `end` needs, itself included."""
    before = cells[: end + 1]
    effects = {name: names for cell in before for name, names in cell.effects.items()}
    fixed = effects.keys() | cells[end].imports | set(dir(builtins))
    taken, later = {end}, set[str]()
    while True:
        missing = cells[end].uses | later
        for i in range(end - 1, -1, -1):
            cell = before[i]
            hands = (effects.get(name, set()) for name in cell.mentions)
            if i in taken or missing & (cell.makes | cell.changes.union(*hands) - fixed):
                taken.add(i)
                missing = (missing - cell.makes) | cell.uses
        # a function that is called may use what is made only after it
        made_later = {name for i in range(end) for name in before[i].makes} & missing
        made_later &= read_by_calls([cells[i] for i in taken])
        if made_later <= later:
            return taken
        later |= made_later


def training(cells: Sequence[Cell], order: Sequence[int]) -> list[int]:
    """Which of these cells train something: call `fit` or the steps of an optimizer, themselves or
    by a function of the chapter.
    """
    trainers = {"fit", "step"}
    bodies = {n: names for i in order for n, names in cells[i].called.items()}
    for _ in bodies:
        trainers |= {name for name, names in bodies.items() if names & trainers}
    return [i for i in order if cells[i].called[""] & trainers]


def read_by_calls(cells: Iterable[Cell]) -> set[str]:
    """What is read by the functions that these cells, or one another, call."""
    cells = list(cells)
    reads = {name: names for cell in cells for name, names in cell.reads.items()}
    called, grown = set[str]().union(*(cell.mentions for cell in cells)), set[str]()
    while called != grown:
        grown = set(called)
        called |= {n for name in grown for n in reads.get(name, ())}
    return {n for name in called for n in reads.get(name, ())}


# names in a syntax tree


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    """The last word of what is called: "step" of optimizer.step()."""
    return ast.unparse(call.func).rsplit(".", 1)[-1]


def loaded(tree: ast.AST) -> set[str]:
    """The names that are read anywhere in it; `x += 1` reads x."""
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    added = (node.target for node in ast.walk(tree) if isinstance(node, ast.AugAssign))
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} | {
        node.id for node in added if isinstance(node, ast.Name)
    }


def inside(function: ast.AST) -> set[str]:
    """Names of a function's own: its arguments, and what it assigns."""
    nodes = list(ast.walk(function))
    stored = (n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return {n.arg for n in nodes if isinstance(n, ast.arg)} | {n.id for n in stored}


def made(node: ast.AST) -> set[str]:
    """The names that a statement assigns in its own scope."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, (ast.Lambda, *COMPREHENSIONS)):
        return set()
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    return {name for child in ast.iter_child_nodes(node) for name in made(child)}


def used(node: ast.AST) -> set[str]:
    """The names that a statement needs from before it, those of functions in it included."""
    if isinstance(node, ast.For):  # its targets are there before its body is
        return used(node.iter) | (used_in_turn([*node.body, *node.orelse]) - made(node.target))
    if isinstance(node, ast.With):
        return used_in_turn([*node.items, *node.body])
    if isinstance(node, FUNCTIONS):
        return loaded(node) - inside(node)
    if isinstance(node, COMPREHENSIONS):
        return loaded(node) - {name for part in node.generators for name in made(part.target)}
    if isinstance(node, ast.AugAssign):
        return loaded(node)
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load) else set()
    return {name for child in ast.iter_child_nodes(node) for name in used(child)}


def used_in_turn(nodes: Iterable[ast.AST]) -> set[str]:
    """The names that statements one after another need from before the first."""
    wanted, there = set[str](), set[str]()
    for node in nodes:
        wanted |= used(node) - there
        there |= made(node)
    return wanted


def changed(body: Iterable[ast.stmt], imports: frozenset[str]) -> set[str]:
    """The names whose objects these statements may change."""
    found = set[str]()
    for node in (n for statement in body for n in outside_functions(statement)):
        if isinstance(node, ast.Call) and ".optim." in ast.unparse(node.func):
            found |= {name for arg in node.args for name in loaded(arg)}
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            found |= changed_by(node.value, imports)
        elif isinstance(node, ast.Call) and name_of(node) == "fit":
            found |= changed_by(node, imports)
    return found - {""}


def changed_by(call: ast.Call, imports: frozenset[str]) -> set[str]:
    known = root(call.func) in imports and not name_of(call).endswith("_")
    if (known and name_of(call) != "fit") or name_of(call) in dir(builtins):
        return set()
    return {root(call.func), *map(root, call.args)}


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, FUNCTIONS):
        for child in ast.iter_child_nodes(node):
            yield from outside_functions(child)


def root(node: ast.AST) -> str:
    """The name that an expression hangs on: "model" of model.net[0].weight; "" if there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
