"""The reward science: pure functions on numpy arrays, one family a file, each registered once.

``score`` makes a number from a sample, ``transform`` reshapes a number, ``combine`` makes one of
several, ``credit`` spreads a number over steps, turns or tokens, ``audit`` judges the judges.
To add one, add one file to the folder of its kind: see :mod:`.registry`.
"""
