"""Probes of the exercises on generative adversarial networks."""
