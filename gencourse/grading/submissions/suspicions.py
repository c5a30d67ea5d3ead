"""What in a learner's own code a teacher should look at. A flag takes no points.

Comments, texts that stand alone and lines that were handed out are not searched.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from gencourse.grading.handout.assignment import Assignment, imported_checks
from gencourse.grading.handout.cell_source import code_only, parsed, tidy
from gencourse.grading.submissions.reading import SubmittedCell

INSPECTS = r"\b(inspect|getsource|__import__|importlib|_getframe|settrace|ctypes|builtins)\b"
TRICKS = "|".join(
    (
        r"__closure__|cell_contents|sys\.modules|from sys import|__code__|__globals__"
        r"|__name__\s*=(?!=)|__builtins__|_transformers|gc\.get_",
        # a computation written down instead of thought of
        r"jit\.trace|make_fx|symbolic_trace|torch\.export",
        # other people's variables
        r"f_back|f_locals|f_globals|gi_frame|cr_frame|tb_frame|_current_frames|walk_stack"
        r"|setprofile",
        # files
        r"__spec__|__loader__|__file__|__path__|get_source|get_code|exec_module|runpy|pydoc"
        r"|linecache|marshal|(?<![\w.~/-])/(?:course|proc)\b",
    )
)
INSIDES = r"gencourse[./](checks[./]|grading|runner)|(?<![\w./-])(?:\.\./)*solutions/"
ANSWERS = ("reference", "right_forms", "mistakes")
PROCESSES = (
    r"\b(subprocess|multiprocessing|ProcessPoolExecutor)\b|os\.(fork|system|popen|spawn|exec)"
)
PRETENDS = (
    r"__(instancecheck|subclasscheck|getattribute|torch_function|torch_dispatch)__|__class__\s*="
)
LIBRARIES = {"torch", "numpy", "math", "builtins", "random", "gencourse"}
SETTINGS = re.compile(r"torch\.(backends|_dynamo|_inductor)\b|numpy\.random\b")


def own_code(assignment: Assignment, cells: Iterable[SubmittedCell]) -> list[str]:
    """The learner's code cells without the lines that were handed out."""
    given = {tidy(cell.source) for cell in assignment.cells}
    lines = {line.strip() for cell in assignment.cells for line in cell.source.split("\n")} - {""}
    found = []
    for cell in cells:
        if cell.kind == "code" and tidy(cell.source) not in given:
            kept = [line for line in cell.source.split("\n") if line.strip() not in lines]
            whole = [line for line in cell.source.split("\n") if line.strip()]
            mine = [line for line in kept if line.strip()]
            # a cell of the handout in which a line or two is another
            changed = len(mine) < len(whole) / 2
            found.append("\n".join(kept) if changed else cell.source)
    return found


def suspicions(assignment: Assignment, cells: Iterable[SubmittedCell]) -> Iterator[tuple[str, str]]:
    """(flag, sentence) for what is found in a submission."""
    code = own_code(assignment, cells)
    text = "\n".join(map(code_only, code))
    if re.search(INSPECTS, text) or re.search(TRICKS, text):
        yield "looks-around", "It inspects code or loads modules by name, which no answer needs."
    if re.search(PROCESSES, text):
        yield "starts-processes", "It starts processes of its own, which no answer needs."
    # one pattern for both would take quadratic time
    names = (line.partition("gencourse import ")[2] for line in text.split("\n"))
    mentioned = any(re.search(r"\b(grading|runner)\b", said) for said in names)
    checks = checks_of(assignment, code)
    if re.search(INSIDES, text) or mentioned or any(asks(one, checks) for one in code):
        yield (
            "asks-for-answers",
            "It mentions the insides of the checks, the grader or the solutions.",
        )
    if re.search(PRETENDS, text) or any(map(replaces, code)):
        yield (
            "pretends",
            "It changes what Python or torch say of objects, which what a check asks may rest on.",
        )


def checks_of(assignment: Assignment, code: list[str]) -> set[str]:
    """The names under which a submission may know the checks and the exercises."""
    modules = imported_checks([*(cell.source for cell in assignment.cells), *code])
    found = {"check"}
    for name, module in modules.items():
        if module.startswith("gencourse.checks") or module in assignment.checks:
            found.add(name)
    return found | {task.name for task in assignment.tasks if task.kind == "outside"}


def asks(source: str, checks: set[str]) -> bool:
    """Whether code asks a check for its answers; other things may have mistakes of their own."""
    tree = parsed(source)
    if not tree.body:
        names = "|".join(map(re.escape, checks))
        return bool(re.search(rf"\b({names})\.(\w+\.)?({'|'.join(ANSWERS)})\b", source))
    held = set(checks)
    for node in ast.walk(tree):  # a check that was given another name
        if isinstance(node, ast.Assign) and root(node.value) in checks:
            held |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.For) and root(node.iter) in checks:
            held |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ANSWERS and root(node) in held:
            return True
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "getattr",
            "vars",
            "dir",
        ):
            first = node.args[0] if node.args else None
            if first is not None and root(first) in held:
                return True
    return False


def root(node: ast.AST) -> str:
    """The name with which an expression of attributes, calls and places begins; "" if none."""
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def replaces(source: str) -> bool:
    """Whether code replaces parts of Python's or torch's own modules and classes."""
    tree = parsed(source)
    known = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                known[(alias.asname or alias.name).split(".")[0]] = alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for library in ("torch", "math"):  # the handout imports them
        known.setdefault(library, library)
    ours = {name: of for name, of in known.items() if of.split(".")[0] in LIBRARIES}
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AugAssign) else targets
        for target in targets:
            if isinstance(target, ast.Attribute) and root(target) in ours:
                path = ast.unparse(target)
                head = root(target)
                if not SETTINGS.match(path.replace(head, ours[head], 1)):
                    return True
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setattr":
            targets = node.args[:1]
            if targets and root(targets[0]) in ours:
                return True
    return False
