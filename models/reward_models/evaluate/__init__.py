"""Measures models on held-out data and compares with a baseline and the figures in their cards.

A card names its evaluation (``evaluation: preference``), which is a module of this folder with one function::

    def list_parts(subject: Subject) -> list[Part]

To add an evaluation, add a file. A part is one measurement: the files of ``--data`` it needs, its figures and their
baselines, and a function that scores rows with the built model and returns the part's entry in the card's
``quality``. The card's ``targets``, of the same shape, are required values (``">= 0.62"``).
"""

from reward_models.evaluate.part import Missing, Part
from reward_models.evaluate.report import Row, count_parts, measure_model, write_figures
from reward_models.evaluate.subject import Subject

__all__ = ["Missing", "Part", "Row", "Subject", "count_parts", "measure_model", "write_figures"]
