"""Measuring the models on what they were never trained on, beside a baseline and the figures that their cards claim.

A card names its evaluation (``evaluation: preference``), and that is a module of this folder with one function::

    def list_parts(subject: Subject) -> list[Part]

Adding an evaluation is adding a file. A part is one measurement: what it needs of ``--data``, which figures it
shows beside which baselines, and a function that scores rows with the built model and returns the part's entry of
the card's ``quality``. ``targets`` of the card, in the same shape, say how well it must do (``">= 0.62"``).
"""

from reward_models.evaluate.part import Missing, Part
from reward_models.evaluate.report import Row, measure_model, write_figures
from reward_models.evaluate.subject import Subject

__all__ = ["Missing", "Part", "Row", "Subject", "measure_model", "write_figures"]
