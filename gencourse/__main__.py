"""`gencourse` on the command line, and `python -m gencourse`."""

import sys

from gencourse.errors import CourseError


def main() -> None:
    """Run the command; an error of ours is a sentence, not a traceback."""
    try:
        from gencourse.cli import app
    except ModuleNotFoundError as error:
        sys.exit(f"gencourse: the command line needs {error.name}, which is not installed. Run: pip install 'gencourse[grading]'")
    try:
        app()
    except CourseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
