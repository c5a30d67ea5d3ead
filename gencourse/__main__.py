"""`gencourse` on the command line, and `python -m gencourse`."""

import sys

from gencourse.errors import CourseError, install_line


def main() -> None:
    """Run the command; an error of ours is a sentence, not a traceback."""
    try:
        from gencourse.cli import app

        app()
    except CourseError as error:
        sys.exit(str(error))
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "gencourse":
            raise
        sys.exit(
            f"gencourse: this command needs {error.name}, which is not installed. "
            + install_line("grading")
        )


if __name__ == "__main__":
    main()
