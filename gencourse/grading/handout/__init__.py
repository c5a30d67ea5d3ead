"""What is handed out: an assignment, its release, what should be put right before."""
