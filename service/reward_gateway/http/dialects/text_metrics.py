"""Metrics of two texts that no operation computes. Imports little: it is loaded by processes that compute."""

from typing import Any

from rapidfuzz import fuzz


def compute_metric(metric: str, text: str, reference: str) -> float:
    """The metric in [0, 1]."""
    if metric == "fuzzy_match":
        return fuzz.ratio(text, reference) / 100.0
    if metric == "gleu":
        from nltk.translate.gleu_score import sentence_gleu

        return float(sentence_gleu([reference.split()], text.split())) if text.split() else 0.0
    if metric == "meteor":
        from nltk.translate.meteor_score import single_meteor_score

        return float(single_meteor_score(reference.split(), text.split(), wordnet=_NoSynonyms()))
    from rouge_score.rouge_scorer import RougeScorer

    kind = metric.replace("_", "")
    return float(RougeScorer([kind]).score(reference, text)[kind].fmeasure)


class _NoSynonyms:
    """Replaces WordNet in METEOR: no word has synonyms."""

    def synsets(self, word: str) -> list[Any]:
        return []
