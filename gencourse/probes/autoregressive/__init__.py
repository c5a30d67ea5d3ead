"""Probes of the exercises on autoregressive models."""
