"""Measurements of the course beside other code; each module is a command, `python -m
benchmarks.vae` say.
"""
