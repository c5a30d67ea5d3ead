"""The models of the course, one module per chapter: equations as functions first, then small modules that call them."""
