"""Probes of the exercises on variational autoencoders."""
