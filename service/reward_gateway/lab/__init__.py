"""The reward lab: preference sets read as they are published, and how far rewards agree with them. Pure: no I/O.

``layouts/`` turns rows into :class:`~.comparison.Comparison`; the commands have their responses scored by a running
service; ``measures`` and the modules it calls turn the scores into the figures of a ``report``, and ``page`` draws it.
"""
