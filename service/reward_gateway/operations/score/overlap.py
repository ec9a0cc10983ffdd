"""How much of the reference's wording a response shares: BLEU, ROUGE, edit similarity, tokens, keywords."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from pydantic import Field
from rapidfuzz.distance import LCSseq, Levenshtein

from ..answers.final import final_answer
from ..answers.normalise import squad
from ..columns import Columns
from ..costs import Cost
from ..outcome import ItemError, Outcome, Row, by_row
from ..reading.alternatives import Reference
from ..reading.params import FinalTextParams
from ..reading.rule_fields import FieldsOnly
from ..registry import OperationItem, Source, operation
from ..texts import folded
from ..tokens import Tokens, isolate_letters, split_letters, split_terms, split_words

_LONGEST_EDITED = 20_000
"""Characters of a text whose edit distance is computed: its time grows with the product of both lengths."""


class Item(OperationItem):
    response: str = Field(description="Response to compare.")
    reference: Reference = Field(description="Text to compare it with.")


class BleuParams(FinalTextParams):
    lowercase: bool = Field(False, description="Compare in lower case.")
    tokens: Tokens = "auto"
    tokenize: Literal["13a", "intl", "char", "none"] | None = Field(
        None, description="One of sacreBLEU's tokenisers in place of `tokens`."
    )


@cache
def _build_bleu(lowercase: bool, tokenize: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU  # imported when first asked for: it takes its time

    return BLEU(lowercase=lowercase, tokenize=tokenize, effective_order=True)


@operation(
    "score",
    "bleu",
    item=Item,
    params=BleuParams,
    source=Source("A Call for Clarity in Reporting BLEU Scores (sacreBLEU)", "https://arxiv.org/abs/1804.08771"),
    fidelity="verified",
    cost=Cost(row=300.0, unit=1.0),
)
def bleu(columns: Columns, params: BleuParams) -> Outcome:
    """Sentence BLEU of the response against the reference, in [0, 1].

    sacreBLEU's sentence score (exponential smoothing, effective order) divided by 100. With `tokens: auto`, its words
    are those of the tokeniser 13a, after each letter of a script without spaces is set apart.
    """
    metric = _build_bleu(params.lowercase, params.tokenize or ("13a" if params.tokens == "auto" else "none"))

    def part(text: str) -> str:
        if params.tokenize is not None:
            return text
        return isolate_letters(text) if params.tokens == "auto" else " ".join(split_words(text, params.tokens))

    def compute_row(i: int) -> float:
        response, reference = part(columns.objects("response")[i]), part(columns.objects("reference")[i])
        return float(metric.sentence_score(response, [reference]).score) / 100.0

    return Outcome(reward=np.clip(np.array(columns.map_rows(compute_row), dtype=np.float64), 0.0, 1.0))


class RougeParams(FinalTextParams):
    kind: Literal["rouge1", "rouge2", "rougeL"] = Field("rougeL", description="Which ROUGE.")
    measure: Literal["f", "precision", "recall"] = Field("f", description="Which of its three numbers.")
    stem: bool = Field(False, description="Compare word stems (English).")
    tokens: Tokens = "auto"


@dataclass(frozen=True)
class _RougeWords:
    """A tokeniser as rouge-score asks for one."""

    tokens: str
    stem: bool

    def tokenize(self, text: str) -> list[str]:
        words = split_letters(text, self.tokens)
        return [_stem(word) if len(word) > 3 else word for word in words] if self.stem else words


def _stem(word: str) -> str:
    stemmed: str = _build_stemmer().stem(word)
    return stemmed


@cache
def _build_stemmer() -> Any:
    from nltk.stem.porter import PorterStemmer  # imported when first asked for: it takes its time

    return PorterStemmer()


@cache
def _build_rouge(words: _RougeWords) -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # imported when first asked for: it takes its time

    return RougeScorer(["rouge1", "rouge2"], tokenizer=words)


@operation(
    "score",
    "rouge",
    item=Item,
    params=RougeParams,
    source=Source("ROUGE: A Package for Automatic Evaluation of Summaries", "https://aclanthology.org/W04-1013"),
    fidelity="verified",
    cost=Cost(row=100.0, unit=2.0, square=2e-5),
)
def rouge(columns: Columns, params: RougeParams) -> Outcome:
    """ROUGE of the response against the reference, in [0, 1]: shared words, word pairs, or the longest common sequence.

    The numbers of the library rouge-score. With `tokens: auto`, words are runs of letters and digits in lower case,
    which for texts of a-z are the library's words, and each letter of a script without spaces.
    """
    words = _RougeWords(params.tokens, params.stem)
    scorer = _build_rouge(words)
    measure = {"f": "fmeasure"}.get(params.measure, params.measure)

    def compute_row(i: int) -> float:
        response, reference = columns.objects("response")[i], columns.objects("reference")[i]
        if params.kind == "rougeL":
            return _longest_common(words.tokenize(response), words.tokenize(reference), params.measure)
        return float(getattr(scorer.score(reference, response)[params.kind], measure))

    return Outcome(reward=np.array(columns.map_rows(compute_row), dtype=np.float64))


def _longest_common(response: list[str], reference: list[str], measure: str) -> float:
    """ROUGE-L of words: precision, recall or F1 of the longest common subsequence."""
    if not response or not reference:
        return 0.0
    common = LCSseq.similarity(response, reference)
    precision, recall = common / len(response), common / len(reference)
    if measure != "f":
        return precision if measure == "precision" else recall
    return 2.0 * precision * recall / (precision + recall) if common else 0.0


class EditParams(FinalTextParams):
    fold: bool = Field(False, description="Ignore case, width and runs of spaces.")


@operation(
    "score",
    "edit_similarity",
    item=Item,
    params=EditParams,
    source=Source("RapidFuzz: normalized Levenshtein similarity", "https://rapidfuzz.github.io/RapidFuzz/"),
    fidelity="verified",
    cost=Cost(row=20.0, unit=0.1, square=2e-5),
)
def edit_similarity(columns: Columns, params: EditParams) -> Outcome:
    """1 minus the edit distance over the length of the longer text, in [0, 1]; two empty texts are equal.

    1 - Levenshtein(response, reference) / max(|response|, |reference|). A text of over 20,000 characters is
    an item error.
    """
    alike = folded if params.fold else str

    def compute_row(i: int) -> Row:
        response, reference = columns.objects("response")[i], columns.objects("reference")[i]
        if max(len(response), len(reference)) > _LONGEST_EDITED:
            raise ItemError(f"response: texts of at most {_LONGEST_EDITED:,} characters are compared")
        return Row(float(Levenshtein.normalized_similarity(alike(response), alike(reference))))

    return by_row(columns.size, compute_row)


class TokenF1Params(FinalTextParams):
    tokens: Tokens = "auto"
    answer_only: bool = Field(
        False, description="Compare what stands in <answer>, in \\boxed{} or after </think>, where there is one."
    )
    yes_no_alone: bool = Field(
        False, description="HotpotQA's rule: an answer of yes or no has nothing in common with any other answer."
    )


_ALONE = (["yes"], ["no"], ["noanswer"])


@operation(
    "score",
    "token_f1",
    item=Item,
    params=TokenF1Params,
    source=Source("SQuAD: 100,000+ Questions for Machine Comprehension of Text", "https://arxiv.org/abs/1606.05250"),
    fidelity="verified",
    cost=Cost(row=20.0, unit=0.5),
)
def token_f1(columns: Columns, params: TokenF1Params) -> Outcome:
    """F1 of the words that response and reference share, in [0, 1].

    P = shared / words of the response, R = shared / words of the reference, F1 = 2PR / (P + R), over bags of
    words in lower case without punctuation and articles. An empty response shares nothing; an empty reference is an
    item error. Details: `precision`, `recall`.
    """

    def compute_row(i: int) -> Row:
        response = columns.objects("response")[i]
        given = split_words(squad(final_answer(response) if params.answer_only else response), params.tokens)
        wanted = split_words(squad(columns.objects("reference")[i]), params.tokens)
        if not wanted:
            raise ItemError("reference: is empty", param="reference")
        alone = params.yes_no_alone and (given in _ALONE or wanted in _ALONE) and given != wanted
        shared = 0 if alone else sum((Counter(given) & Counter(wanted)).values())
        if not shared:
            return Row(0.0, details={"precision": 0.0, "recall": 0.0})
        precision, recall = shared / len(given), shared / len(wanted)
        f1 = 2.0 * precision * recall / (precision + recall)
        return Row(f1, details={"precision": precision, "recall": recall})

    return by_row(columns.size, compute_row)


_DOTTED = re.compile(r"\w\.\w")


class KeywordItem(OperationItem):
    response: str = Field(description="Response that should mention the keywords.")
    keywords: list[str] | None = Field(None, description="What this response should mention, where items differ.")
    reference: FieldsOnly = Field(None, description="An object with `keywords`, as samples carry it.")


class KeywordParams(FinalTextParams):
    keywords: list[str] = Field(default_factory=list, description="What every response should mention.")
    tokens: Tokens = "auto"


@operation(
    "score",
    "keyword_coverage",
    item=KeywordItem,
    params=KeywordParams,
    rule_fields=("keywords",),
    cost=Cost(row=60.0, unit=0.3, square=5e-4, times=lambda params: 1.0 + len(params.keywords)),
)
def keyword_coverage(columns: Columns, params: KeywordParams) -> Outcome:
    """The share of keywords that the response mentions, in [0, 1].

    A keyword counts as whole words, whatever its case; C++, C#, A+ and .NET are words of their own, so that C is not in
    C++, and C++ is in C++17. One with a dot inside (node.js) stands as it is written. The item's own come before the
    request's. None at all is an item error. Details: `missing`.
    """

    def compute_row(i: int) -> Row:
        keywords = columns.objects("keywords")[i]
        wanted = list(dict.fromkeys(params.keywords if keywords is None else keywords))
        terms = {keyword: " ".join(split_terms(keyword, params.tokens)) for keyword in wanted}
        if not wanted or not all(terms.values()):
            raise ItemError("keywords: name at least one, each with a letter or digit", param="keywords")
        response = columns.objects("response")[i]
        text, written = " ".join(("", *split_terms(response, params.tokens), "")), response.lower()
        missing = [
            keyword
            for keyword in wanted
            if f" {terms[keyword]} " not in text or (_DOTTED.search(keyword) and keyword.strip().lower() not in written)
        ]
        return Row(1.0 - len(missing) / len(wanted), details={"missing": missing})

    return by_row(columns.size, compute_row)
