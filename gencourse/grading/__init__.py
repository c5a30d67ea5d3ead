"""Handing out exercises and grading what comes back. docs/teaching.md is the manual."""
