"""What was handed in: whose it is, what is in it, and the program that is run of it."""
