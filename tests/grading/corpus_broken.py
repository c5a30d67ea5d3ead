"""Submissions that break things without meaning to: crashes, endless loops, bombs, a damaged interpreter."""

from tests.grading.corpus_kind import ANY, TOTAL, Sheet, kind

FOREVER = 600  # seconds after which an "endless" one ends by itself

# Answers to `reparameterize`: that task is lost, the others keep their points.
IN_THE_ANSWER = {
    "syntax_error": (
        "A cell that does not parse defines nothing.",
        "def reparameterize(mu, logvar, eps)\n    return mu",
    ),
    "null_byte": (
        "A null byte in a source is a syntax error.",
        "def reparameterize(mu, logvar, eps):\n    return mu\x00",
    ),
    "lone_surrogate": (
        "Half a character cannot be compiled.",
        "def reparameterize(mu, logvar, eps):\n    return '\ud800'",
    ),
    "nested_too_deeply": (
        "Python's parser gives up on such a source.",
        "reparameterize = " + "(" * 5000 + "1" + ")" * 5000,
    ),
    "loop_in_function": (
        "The call that hangs is cut off; the rest is graded.",
        f"import time\n\n\ndef reparameterize(mu, logvar, eps):\n    end = time.monotonic() + {FOREVER}\n"
        "    while time.monotonic() < end:\n        pass",
    ),
    "swallows_interrupts": (
        "A loop that cannot be interrupted has to be killed.",
        f"import signal\nimport time\n\n\ndef reparameterize(mu, logvar, eps):\n    end = time.monotonic() + {FOREVER}\n"
        "    for name in (signal.SIGALRM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):\n        signal.signal(name, signal.SIG_IGN)\n"
        "    while time.monotonic() < end:\n        try:\n            time.sleep(0.1)\n        except BaseException:\n            pass",
    ),
    "loop_in_c": (
        "One call into C that never comes back to the interpreter.",
        "def reparameterize(mu, logvar, eps):\n    import ctypes\n\n    return ctypes.PyDLL(None).sleep(600)",
    ),
    "exit_in_function": (
        "The process is gone in the middle of a call.",
        "import os\n\n\ndef reparameterize(mu, logvar, eps):\n    os._exit(0)",
    ),
    "sys_exit_in_function": (
        "An exit is an exception like others.",
        "import sys\n\n\ndef reparameterize(mu, logvar, eps):\n    sys.exit(0)",
    ),
    "keyboard_interrupt_in_function": (
        "An interrupt raised by the answer is an exception like others.",
        "def reparameterize(mu, logvar, eps):\n    raise KeyboardInterrupt",
    ),
    "segfault_in_function": (
        "A crash of the interpreter in a call.",
        "import ctypes\n\n\ndef reparameterize(mu, logvar, eps):\n    ctypes.string_at(0)",
    ),
    "abort_in_function": (
        "The process aborts in a call.",
        "import os\n\n\ndef reparameterize(mu, logvar, eps):\n    os.abort()",
    ),
    "recursion": (
        "A recursion error is an exception like others.",
        "def reparameterize(mu, logvar, eps):\n    return reparameterize(mu, logvar, eps)",
    ),
    "recursion_in_c": (
        "Recursion without a limit overflows the stack.",
        "import sys\n\n\ndef reparameterize(mu, logvar, eps):\n    sys.setrecursionlimit(10**8)\n    return reparameterize(mu, logvar, eps) + 1",
    ),
    "memory_bomb": (
        "Four gibibytes in a call.",
        "def reparameterize(mu, logvar, eps):\n    hoard = []\n    for _ in range(64):\n        hoard.append(bytearray(b'x') * (64 << 20))\n"
        "    return mu",
    ),
    "prints_40_mib_in_function": (
        "What an answer prints is cut; what it returns is wrong.",
        "def reparameterize(mu, logvar, eps):\n    print('x' * (40 << 20))\n    return mu",
    ),
    "message_of_50_mib": (
        "A message of any length is cut.",
        "def reparameterize(mu, logvar, eps):\n    raise ValueError('x' * (50 << 20))",
    ),
    "error_without_text": (
        "An exception whose text cannot be made.",
        "class Mute(Exception):\n    def __str__(self):\n        raise self\n\n    __repr__ = __str__\n\n\n"
        "def reparameterize(mu, logvar, eps):\n    raise Mute",
    ),
    "raises_no_base_exception": (
        "An exception above `Exception` is caught all the same.",
        "class Above(BaseException):\n    pass\n\n\ndef reparameterize(mu, logvar, eps):\n    raise Above('above')",
    ),
    "chain_of_causes": (
        "A traceback with a thousand causes.",
        "def reparameterize(mu, logvar, eps):\n    error = ValueError('first')\n    for i in range(1000):\n"
        "        new = ValueError(str(i))\n        new.__cause__, error = error, new\n    raise error",
    ),
    "waits_for_input": (
        "Nobody answers a prompt.",
        "def reparameterize(mu, logvar, eps):\n    return mu * float(input('scale? '))",
    ),
    "another_signature": (
        "The arguments are positional; one is missing.",
        "def reparameterize(mu, logvar):\n    return mu",
    ),
    "async_function": (
        "A coroutine is no value.",
        "async def reparameterize(mu, logvar, eps):\n    return mu + (0.5 * logvar).exp() * eps",
    ),
    "number_in_place_of_function": ("A number cannot be called.", "reparameterize = 3"),
    "class_whose_call_lies": (
        "An object that says that it can be called and cannot.",
        "class Odd:\n    __call__ = None\n\n\nreparameterize = Odd()",
    ),
}


@kind("broken", lost="reparameterize", each=IN_THE_ANSWER)
def in_the_answer(s: Sheet, source):
    s.answer("reparameterize", source)


@kind("honest", flag=True)
def asks_for_gpu(s: Sheet):
    """There is no GPU where notebooks are graded: all is done on the CPU, and said."""
    s.answer(
        "reparameterize",
        "def reparameterize(mu, logvar, eps):\n    return (mu + (0.5 * logvar).exp() * eps).cuda()",
    )


# Cells of the learner's own, above the answers: all answers are right, and the cell is skipped or survived.
IN_A_CELL = {
    "loop_in_cell": (
        "The cell is cut off, the answers below are graded.",
        f"import time\n\nend = time.monotonic() + {FOREVER}\nwhile time.monotonic() < end:\n    pass",
    ),
    "swallows_interrupts_in_cell": (
        "A cell that cannot be interrupted is killed and skipped.",
        f"import time\n\nend = time.monotonic() + {FOREVER}\nwhile time.monotonic() < end:\n    try:\n        time.sleep(1)\n"
        "    except BaseException:\n        pass",
    ),
    "sys_exit_in_cell": ("The notebook's shell survives an exit.", "import sys\n\nsys.exit(1)"),
    "exit_call": ("`exit()` asks the kernel to end after the cell; the cell is skipped.", "exit()"),
    "exits_at_top": ("The process ends in a cell, which is skipped.", "import os\n\nos._exit(0)"),
    "kills_itself": (
        "The process kills itself in a cell, which is skipped.",
        "import os\nimport signal\n\nos.kill(os.getpid(), signal.SIGKILL)",
    ),
    "stops_itself": (
        "A stopped process answers nothing; the cell is skipped.",
        "import os\nimport signal\n\nos.kill(os.getpid(), signal.SIGSTOP)",
    ),
    "segfault_in_cell": (
        "The interpreter crashes in a cell, which is skipped.",
        "import ctypes\n\nctypes.string_at(0)",
    ),
    "abort_in_cell": ("The process aborts in a cell, which is skipped.", "import os\n\nos.abort()"),
    "memory_bomb_in_cell": (
        "Four gibibytes in a cell, which is skipped or fails.",
        "hoard = []\nfor _ in range(64):\n    hoard.append(bytearray(b'x') * (64 << 20))\ndel hoard",
    ),
    "prints_40_mib": ("What is printed is cut.", "for _ in range(40):\n    print('x' * (1 << 20))"),
    "prints_without_end": (
        "Output is cut, the cell is cut off.",
        f"import time\n\nend = time.monotonic() + {FOREVER}\nwhile time.monotonic() < end:\n    print('x' * 1000)",
    ),
    "display_of_200_mib": (
        "One message of 200 MiB is refused; it holds no answer.",
        "from IPython.display import display\n\ndisplay({'text/plain': 'x' * (200 << 20)}, raw=True)",
    ),
    "hundred_thousand_displays": (
        "Many small messages.",
        "from IPython.display import display\n\nfor i in range(100_000):\n    display({'text/plain': str(i)}, raw=True)",
    ),
    "fills_disk": (
        "600 MiB of files; the cell fails where the space ends.",
        "from pathlib import Path\n\ntry:\n    for i in range(60):\n        Path(f'fill-{i}.bin').write_bytes(b'x' * (10 << 20))\n"
        "finally:\n    for file in Path().glob('fill-*.bin'):\n        file.unlink()",
    ),
    "forks_300": (
        "Three hundred processes for a minute; refused at some point.",
        "import os\nimport time\n\nfor _ in range(300):\n    if os.fork() == 0:\n        time.sleep(60)\n        os._exit(0)",
    ),
    "thousand_threads": (
        "A thousand sleeping threads; refused at some point.",
        "import threading\nimport time\n\nfor _ in range(1000):\n    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    ),
    "thread_that_never_ends": (
        "A thread that keeps the process alive after the last cell.",
        f"import threading\nimport time\n\nthreading.Thread(target=time.sleep, args=({FOREVER},)).start()",
    ),
    "busy_threads": (
        "Threads that take processor time beside the answers.",
        f"import threading\nimport time\n\n\ndef busy(end=time.monotonic() + {FOREVER}):\n    while time.monotonic() < end:\n        pass\n\n\n"
        "for _ in range(3):\n    threading.Thread(target=busy, daemon=True).start()",
    ),
    "stdout_is_none": ("No answer prints.", "import sys\n\nsys.stdout = None\nsys.stderr = None"),
    "open_files_without_end": (
        "A process may hold so many files and no more.",
        "held = []\nfor _ in range(100_000):\n    held.append(open('/dev/null'))",
    ),
    "removes_its_folder": (
        "The current folder is gone afterwards; answers do not depend on it. It spares a folder that looks like more than a hand-in.",
        "import os\nimport shutil\nfrom pathlib import Path\n\nhere = Path.cwd()\n"
        "spared = here == Path.home() or len(list(here.iterdir())) > 20 or any((here / n).exists() for n in ('.git', 'pyproject.toml'))\n"
        "if not spared:\n    shutil.rmtree(here, ignore_errors=True)\nos.chdir('/')",
    ),
    "exit_handler_that_hangs": (
        "A handler that delays the end of the process.",
        "import atexit\nimport time\n\natexit.register(time.sleep, 300)",
    ),
}


@kind("broken", each=IN_A_CELL)
def in_a_cell(s: Sheet, source):
    s.scratch(source)


# Damage that the learner's own notebook would not survive either: any total is acceptable, the batch must go on.
LASTING = {
    "deletes_builtins": (
        "Nothing works after this, for the learner neither.",
        "import builtins\n\nfor name in list(vars(builtins)):\n    delattr(builtins, name)",
    ),
    "closes_descriptors": (
        "The process cannot talk any more; whether its cell can be skipped is open.",
        "import os\n\nfor fd in range(256):\n    try:\n        os.close(fd)\n    except OSError:\n        pass",
    ),
    "breaks_torch": (
        "The learner's own notebook has no torch any more.",
        "for name in list(vars(torch)):\n    if not name.startswith('_'):\n        delattr(torch, name)",
    ),
    "default_device_meta": (
        "Tensors without values by default.",
        "torch.set_default_device('meta')",
    ),
    "tiny_recursion_limit": (
        "Hardly any call fits the stack.",
        "import sys\n\nsys.setrecursionlimit(60)",
    ),
    "time_stands_still": (
        "Clocks that do not move.",
        "import time\n\ntime.time = time.monotonic = time.perf_counter = lambda: 0.0",
    ),
}


@kind("broken", accept=ANY, each=LASTING)
def lasting(s: Sheet, source):
    s.scratch(source)


@kind("broken", lost="reparameterize", accept=(TOTAL,), flag=True)
def loop_in_cell_before_the_answer(sheet):
    """The cell hangs before it defines the answer. Taking the definition from it all the same is kinder."""
    loop = f"import time\n\nend = time.monotonic() + {FOREVER}\nwhile time.monotonic() < end:\n    pass\n\n\n"
    sheet.answer(
        "reparameterize",
        loop + "def reparameterize(mu, logvar, eps):\n    return mu + (0.5 * logvar).exp() * eps",
    )
