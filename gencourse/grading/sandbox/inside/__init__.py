"""What runs inside the box, beside the learner's code. Nothing that comes out is trusted."""
