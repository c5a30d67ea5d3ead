"""Judging: a session with one submission, its verdicts, and a batch of them."""
