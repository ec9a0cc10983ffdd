"""score/bleu, rouge, edit_similarity, token_f1, keyword_coverage."""

from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reward_gateway.errors import InvalidRequest

NO_KOREAN = pytest.mark.skipif(find_spec("mecab_ko") is None, reason="the extra `korean` is not installed")
SCRIPTS = {
    "Arabic": ("الطقس جميل اليوم", "الطقس"),
    "Bengali": ("আমি ভাত খাই", "আমি ভাত"),
    "Chinese": ("今天天气很好", "今天天气"),
    "Cyrillic": ("Погода сегодня хорошая", "Погода сегодня"),
    "Devanagari": ("मौसम आज अच्छा है", "मौसम आज"),
    "Greek": ("Καλημέρα κόσμε", "Καλημέρα"),
    "Hangul": ("오늘은 날씨가 좋아요", "오늘은 날씨가"),
    "Hebrew": ("שלום עולם", "שלום"),
    "Japanese": ("東京へ行きました", "東京へ"),
    "Khmer": ("ខ្ញុំស្រលាញ់ភាសា", "ខ្ញុំស្រលាញ់"),
    "Latin": ("Über öde Straßen", "Über öde"),
    "Thai": ("สวัสดีครับผม", "สวัสดีครับ"),
}

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CAT = "the cat sat on the mat"
sentences = st.lists(st.sampled_from(CAT.split()), max_size=12).map(" ".join)


def of(call: Any, name: str, response: str, reference: str, **params: Any) -> float | None:
    (result,) = call(f"score/{name}", {"response": response, "reference": reference}, **params)
    value: float | None = result["reward"]
    return value


@pytest.mark.parametrize("name", ["bleu", "rouge", "edit_similarity", "token_f1"])
def test_the_reference_itself_scores_one_and_another_text_zero(call: Any, name: str) -> None:
    assert of(call, name, CAT, CAT) == pytest.approx(1.0)
    assert of(call, name, "", CAT) == 0.0


@pytest.mark.parametrize("name", ["bleu", "rouge", "edit_similarity", "token_f1"])
@given(response=sentences, reference=sentences.filter(bool))
@LAWS
def test_overlap_lies_in_the_unit_interval(call: Any, name: str, response: str, reference: str) -> None:
    value = of(call, name, response, reference)
    assert value is not None
    assert 0.0 <= value <= 1.0


def test_bleu_is_sacrebleus_sentence_score(call: Any) -> None:
    # 1-grams 5/6, 2-grams 3/5, 3-grams 1/4, 4-grams smoothed (1/2)/3; both six words long.
    expected = (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25
    assert of(call, "bleu", "the cat is on the mat", CAT) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "measure", "expected"),
    [("rouge1", "f", 0.8), ("rouge1", "recall", 2 / 3), ("rouge1", "precision", 1.0), ("rougeL", "recall", 2 / 3)],
)
def test_rouge_by_hand(call: Any, kind: str, measure: str, expected: float) -> None:
    assert of(call, "rouge", "the cat sat on", CAT, kind=kind, measure=measure) == pytest.approx(expected)


@given(response=sentences, reference=sentences)
@LAWS
def test_rouge_l_is_that_of_the_library(call: Any, response: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer

    expected = RougeScorer(["rougeL"]).score(reference, response)["rougeL"]
    assert of(call, "rouge", response, reference) == pytest.approx(expected.fmeasure)
    assert of(call, "rouge", response, reference, measure="precision") == pytest.approx(expected.precision)


@given(response=st.text(st.characters(max_codepoint=127)), reference=st.text(st.characters(max_codepoint=127)))
@LAWS
def test_plain_english_keeps_the_published_numbers(call: Any, response: str, reference: str) -> None:
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU

    words = f"{response} cat's", f"{reference} U.S.A."
    for kind in ("rouge1", "rouge2"):
        for stem in (False, True):
            expected = RougeScorer([kind], use_stemmer=stem).score(words[1], words[0])[kind].fmeasure
            assert of(call, "rouge", *words, kind=kind, stem=stem) == pytest.approx(expected)
    published = BLEU(effective_order=True).sentence_score(words[0], [words[1]]).score / 100
    assert of(call, "bleu", *words) == pytest.approx(min(published, 1.0))


@pytest.mark.parametrize("tokens", ["auto", "words", "characters", "zh"])
@pytest.mark.parametrize(("text", "half"), SCRIPTS.values(), ids=SCRIPTS)
def test_equal_texts_score_one_and_half_of_them_less_in_any_script(
    call: Any, text: str, half: str, tokens: str
) -> None:
    for name in ("bleu", "rouge", "token_f1"):
        assert of(call, name, text, text, tokens=tokens) == pytest.approx(1.0)
        if tokens == "auto":
            value = of(call, name, half, text, tokens=tokens)
            assert value is not None
            assert 0.0 < value < 1.0


def test_signs_alone_are_compared_by_their_characters(call: Any) -> None:
    assert of(call, "rouge", "😀!", "😀!") == 1.0
    assert of(call, "rouge", "😀", "😢") == 0.0


def test_words_with_signs_are_found_only_where_they_stand(call: Any) -> None:
    def missing(response: str, *keywords: str) -> list[str]:
        (result,) = call("score/keyword_coverage", {"response": response, "keywords": list(keywords)})
        absent: list[str] = result["details"]["missing"]
        return absent

    assert missing("I write C++, C#, and .NET.", "C++", "C#", ".NET", "C", "NET", "C+") == ["C", "NET", "C+"]
    assert missing("Plain C, on the net.", "C", "net", "C++", ".NET") == ["C++", ".NET"]
    assert missing("C/C++17 got an A+; x+y is 50+ here", "C", "C++", "A+", "A", "x", "50") == ["A"]
    assert missing("我用Python写程序。", "Python", "程序", "序程") == ["序程"]
    assert missing("प्रधानमन्त्री", "प्रधान") == ["प्रधान"]


ALPHABETS = {
    "Chinese": "今天气很好，我爱北京。",
    "Japanese": "東京へ行きマシタ。ー",
    "Thai": "สวัสดีครับผม่้",
    "Khmer": "ខ្ញុំស្រលាញ់ភាសា។",
    "Lao": "ສະບາຍດີຂອບໃຈ",
    "Burmese": "မင်္ဂလာပါကျေးဇူး",
    "Korean": "오늘은 날씨가 좋아요",
    "Arabic": "الطقس جميل اليوم؟",
    "Hindi": "मौसम आज अच्छा है।",
    "Tibetan": "བཀྲ་ཤིས་བདེ་ལེགས།",
    "emoji": "😀👨‍👩‍👧🇩🇪❤️👍🏽",
    "Latin": "Über C++ 3.5, ok!",
}
KINDS = ["auto", "words", "characters", "zh", "ja", pytest.param("ko", marks=NO_KOREAN)]


def texts_of(letters: str) -> st.SearchStrategy[str]:
    """Texts of some letters with spaces and lines; the last stands for what no operation may call empty."""
    return st.text(st.sampled_from([*letters, " ", "\n"]), max_size=30).map(lambda text: text + letters[0])


@pytest.mark.parametrize("tokens", KINDS)
@pytest.mark.parametrize("script", ALPHABETS)
@given(data=st.data())
@settings(LAWS, max_examples=10)
def test_equal_texts_score_one_in_any_script(call: Any, script: str, tokens: str, data: st.DataObject) -> None:
    text = data.draw(texts_of(ALPHABETS[script]))
    for name in ("bleu", "rouge", "token_f1"):
        assert of(call, name, text, text, tokens=tokens) == pytest.approx(1.0), name
    assert of(call, "edit_similarity", text, text) == 1.0


@pytest.mark.parametrize("tokens", KINDS)
@pytest.mark.parametrize("script", [script for script in ALPHABETS if script != "emoji"])
def test_all_that_counts_words_counts_some_in_any_script(call: Any, script: str, tokens: str) -> None:
    text = "\n".join([ALPHABETS[script]] * 8)
    for name in ("repetition_penalty", "distinct_ngrams", "length_penalty", "linear_length"):
        params = {"target": 10} if name == "linear_length" else {}
        (result,) = call(f"score/{name}", {"response": text}, tokens=tokens, **params)
        assert result["error"] is None, (name, result)
    (repeated,) = call("score/distinct_ngrams", {"response": text}, tokens=tokens, n=1)
    assert 0.0 < repeated["reward"] < 0.5


@pytest.mark.parametrize("tokens", ["auto", "words", "zh", "ja", pytest.param("ko", marks=NO_KOREAN)])
@pytest.mark.parametrize(
    ("response", "there", "not_there"),
    [
        ("I write C++, C#, and .NET.", ["C++", "C#", ".NET"], ["C", "NET", "C+"]),
        ("Plain C on the net", ["C", "net"], ["C++", "C#", ".NET"]),
        ("Since C++11 and C#9.", ["C++", "C#"], ["C"]),
        ("Use node.js here", ["node.js", "Node.js"], ["js node"]),
        ("A node, js and more", ["node", "js"], ["node.js"]),
        ("我用C++写程序", ["C++"], ["C", "C#"]),
        ("C++とC#を使う", ["C++", "C#"], ["C"]),
    ],
)
def test_words_with_signs_are_found_where_they_stand_by_any_tokens(
    call: Any, response: str, there: list[str], not_there: list[str], tokens: str
) -> None:
    item = {"response": response, "keywords": [*there, *not_there]}
    (result,) = call("score/keyword_coverage", item, tokens=tokens)
    assert result["details"]["missing"] == not_there


def test_japanese_is_parted_into_its_words(call: Any) -> None:
    def missing(*keywords: str) -> list[str]:
        item = {"response": "東京都に住んでいます。", "keywords": list(keywords)}
        (result,) = call("score/keyword_coverage", item, tokens="ja")
        absent: list[str] = result["details"]["missing"]
        return absent

    assert missing("東京", "都", "住ん") == []
    assert missing("京都") == ["京都"]  # which stands in it by its letters


@pytest.mark.parametrize("tokens", ["ja", pytest.param("ko", marks=NO_KOREAN)])
def test_nothing_is_hidden_from_mecab(call: Any, tokens: str) -> None:
    (result,) = call("score/length_penalty", {"response": "a b\0c \ud800 d"}, tokens=tokens, free_words=0, per_word=1.0)
    assert result["reward"] <= -4.0


@pytest.mark.skipif(find_spec("mecab_ko") is not None, reason="MeCab for Korean is installed here")
def test_korean_says_what_to_install(call: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"reward-gateway\[korean\]"):
        of(call, "rouge", "서울", "서울", tokens="ko")


def test_edit_similarity_counts_edits_over_the_longer_text(call: Any) -> None:
    assert of(call, "edit_similarity", "kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert of(call, "edit_similarity", "KITTEN", " kitten", fold=True) == 1.0
    assert of(call, "edit_similarity", "", "") == 1.0
    assert of(call, "edit_similarity", "a" * 20_001, "a") is None


def test_token_f1_by_hand(call: Any) -> None:
    (result,) = call("score/token_f1", {"response": "A black cat, a mat!", "reference": "the cat sat"})
    assert result["reward"] == pytest.approx(0.4)
    assert result["details"] == {"precision": pytest.approx(1 / 3), "recall": 0.5}
    assert of(call, "token_f1", "the", "a") == 0.0
    assert of(call, "token_f1", "the", "The!") == 1.0
    assert of(call, "token_f1", "", CAT) == 0.0
    assert of(call, "token_f1", "", "") is None


def test_token_f1_reads_the_answer_and_keeps_yes_and_no_alone(call: Any) -> None:
    assert of(call, "token_f1", "I think it is <answer>the cat</answer>", "a cat", answer_only=True) == 1.0
    assert of(call, "token_f1", "yes, a cat", "yes") == pytest.approx(2 / 3)
    assert of(call, "token_f1", "yes, a cat", "yes", yes_no_alone=True) == 0.0
    assert of(call, "token_f1", "Yes.", "yes", yes_no_alone=True) == 1.0


def test_keywords_count_as_whole_words(call: Any) -> None:
    own, common, none = call(
        "score/keyword_coverage",
        {"response": "Reward models, scored fast.", "keywords": ["reward model", "FAST", "scored"]},
        {"response": "A reward model."},
        {"response": "x", "keywords": []},
        keywords=["reward model"],
    )
    assert own["reward"] == pytest.approx(2 / 3)
    assert own["details"]["missing"] == ["reward model"]
    assert common["reward"] == 1.0
    assert none["error"]["code"] == "invalid_field"
