"""What runs beside a learner's answer, because a plain call would not show enough: in a notebook in
the same process, in the grader inside the box. So a probe holds no reference answers.

A probe is an ordinary function whose first argument is the answer; what else it gets is plain data.
It tries one situation and returns plain data, a value or a dict of values whose keys are labels:
what was measured, never whether it is right. The answer gets copies of its tensors at each call, so
a probe may use its own again.
"""
