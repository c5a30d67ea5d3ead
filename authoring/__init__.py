"""For those who write the course: sources of the notebooks, the build, and the scripts that make
the files that ship.
"""
