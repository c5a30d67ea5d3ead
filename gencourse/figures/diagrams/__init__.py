"""Schematics, drawn by code: a file for each chapter, and the kit that they are drawn with."""

from gencourse.figures.diagrams.vae import graphical_model, vae_diagram

__all__ = ["graphical_model", "vae_diagram"]
