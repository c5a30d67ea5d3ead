"""Editions of the course: told apart by the first cell of each notebook, and answers carried from
one to the next.

The first cell imports `greeting` from here, so this module takes no time.
"""

from gencourse.editions.first_cell import greeting

__all__ = ["greeting"]
