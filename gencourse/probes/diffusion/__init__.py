"""Probes of the exercises on diffusion and flow matching."""
