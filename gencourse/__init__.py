"""gencourse: the tested reference behind a course on generative models."""

__version__ = "0.1.0"
