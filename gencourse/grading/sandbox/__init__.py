"""The wall: a submission's process, what it may use, and a self-test that tries to get out."""
