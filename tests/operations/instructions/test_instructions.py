"""Every instruction of IFEval and IFBench with a text that follows it and one that does not."""

import json
import time
from typing import Any

import pytest
from reward_gateway.operations.instructions.registry import all_instructions, read_instructions
from reward_gateway.operations.instructions.text import Text, split_sentences
from reward_gateway.operations.outcome import ItemError

IFEVAL: dict[str, tuple[dict[str, Any], str, str]] = {
    # id: (kwargs, followed, not followed)
    "keywords:existence": ({"keywords": ["Sun", "C++"]}, "Sunny C++ code.", "Sunny C code."),
    "keywords:frequency": ({"keyword": "cat", "frequency": 2, "relation": "at least"}, "Cat and cats.", "One cat."),
    "keywords:forbidden_words": ({"forbidden_words": ["art"]}, "A part of it.", "State of the ART!"),
    "keywords:letter_frequency": ({"letter": "q", "let_frequency": 2, "let_relation": "less than"}, "Quick.", "Q, q."),
    "language:response_language": (
        {"language": "de"},
        "Das Wetter ist heute sehr schön und wir gehen spazieren.",
        "The weather is very nice today and we go for a walk.",
    ),
    "length_constraints:number_sentences": (
        {"num_sentences": 2, "relation": "at least"},
        "Dr. Smith came. He left.",
        "Dr. Smith came at 3 p.m. today.",
    ),
    "length_constraints:number_words": (
        {"num_words": 4, "relation": "less than"},
        "one two three",
        "one two three four",
    ),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, "one\n***\ntwo\n***", "one\n\ntwo"),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        "First.\n\nthen, second.",
        "Then.\n\nSecond then.",
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, "[name], [city]", "[name], city]"),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, "Bye.\np. s. more", "Bye. PS more"),
    "detectable_format:number_bullet_lists": ({"num_bullets": 2}, "Here:\n * a\n- b", "* a\n- b\n* c\n**d**"),
    "detectable_format:constrained_response": ({}, "Well: My answer is maybe.", "My answer is perhaps."),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, "*a* and **b**", "**a** and * *"),
    "detectable_format:multiple_sections": (
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\na\nSection 2\nb",
        "Section 1\na\nsection two",
    ),
    "detectable_format:json_format": ({}, '```json\n{"a": [1]}\n```', "{'a': 1}"),
    "detectable_format:title": ({}, "<<a poem>>\ntext", "<< >> <a poem>"),
    "combination:two_responses": ({}, "one\n******\ntwo", "one\n******\none"),
    "combination:repeat_prompt": (
        {"prompt_to_repeat": "Why is it so?"},
        "why is it so? Because.",
        "Sure: Why is it so?",
    ),
    "startend:end_checker": ({"end_phrase": "The end."}, 'A tale. "the end."', "The end. Bye."),
    "startend:quotation": ({}, ' "All of it." ', '"All" of it.'),
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"},
        "NASA is in the USA.",
        "Nasa is in the USA.",
    ),
    "change_case:english_capital": ({}, "THIS IS WRITTEN IN LARGE LETTERS.", "This is WRITTEN in large letters."),
    "change_case:english_lowercase": (
        {},
        "this is written in small letters.",
        "das ist ein kleiner deutscher satz.",
    ),
    "punctuation:no_comma": ({}, "None; at all.", "One, two."),
}

AFRICA = [f"{chr(ord('Z') - i // 3)}{'zma'[i % 3]}" for i in range(3, 60)]
CAPITALS = (
    "Reykjavík, Helsinki, Oslo, Tallinn, Stockholm, Riga, Moscow, Copenhagen, Vilnius, Minsk, Dublin, Berlin, "
    "Amsterdam, Warsaw, London, Brussels, Prague, Luxembourg, Paris, Vienna, Bratislava, Budapest, Vaduz, Chișinău, "
    "Bern, Ljubljana, Zagreb"
)
ALPHABET = [f"{chr(65 + i)}nd it went on." for i in range(26)]
QUESTIONS = "\n".join(f"Question {n}: What {'very ' * n}old thing?\nA) a\nB) b\nC) c\nD) d\nE) e" for n in range(1, 5))
MCQ_SHUFFLED = QUESTIONS.replace("Question 1: What very old", "Question 1: What very very very very very very old")
STUDENTS = "\n".join(["\t".join(f'"{name}"' for name in ("StudentID", "Subject", "Grade", "Semester", "Score"))] + [
    "\t".join(f'"{value}"' for value in (n, "Art", "A", 1, 90)) for n in range(3)
])  # fmt: skip
PRODUCTS = "ProductID,Category,Brand,Price,Stock\n" + "\n".join(f'{n},Tea,"Joe\'s & Co",2,5' for n in range(14))
CITIES = "ID,Country,City,Year,Count\n" + "\n".join(f"{n},France,Paris,2020,5" for n in range(7))

IFBENCH: dict[str, tuple[dict[str, Any], str, str]] = {
    "count:word_count_range": ({"min_words": 3, "max_words": 4}, "one two three", "one two"),
    "count:unique_word_count": ({"N": 3}, "a b, c!", "a A, b!"),
    "count:conjunctions": ({"small_n": 2}, "This and that, but not so.", "This and that and those; And?"),
    "count:person_names": ({"N": 2}, "Emma met Liam.", "Emma met Emma and Emmas."),
    "count:numbers": ({"N": 2}, "1,000 and 3.5", "1 000 and 3"),
    "count:punctuation": ({}, "Yes, no; well: what?! Really? Go! Now.", "Yes, no; well: what? Really! Now."),
    "count:pronouns": ({"N": 3}, "She/her gave it.", "He gave a book to Liam."),
    "count:words_japanese": ({"N": 3}, "one two 猫 four five 犬.", "one two 猫 four five dog."),
    "count:keywords_multiple": (
        {f"keyword{i}": letter * 2 for i, letter in enumerate("vwxyz", 1)},
        "vv ww ww" + " xx" * 3 + " yy" * 5 + " zz" * 7,
        "vv ww ww" + " xx" * 3 + " yy" * 5 + " zz" * 8,
    ),
    "ratio:stop_words": ({"percentage": 25}, "Cats chase mice the.", "The cat and the dog."),
    "ratio:sentence_type": ({}, "It is. It was. Is it?", "It is. Is it?"),
    "ratio:sentence_balance": ({}, "It is. Is it? Indeed!", "It is. It was. Is it? Indeed!"),
    "ratio:overlap": ({"reference_text": "abcdef", "percentage": 50}, "abcdxy", "abcdef"),
    "ratio:sentence_words": ({}, "Cats nap. Dogs run. Fish dip.", "Cats nap. Cats run. Fish dip."),
    "words:alphabet": ({}, "Yes, zebras are big.", "Yes, zebras and cats."),
    "words:vowel": ({}, "Sam had ten pets and a bell.", "Sam is not up: even he sees."),
    "words:consonants": ({}, "Trains bring stuff", "Trains go fast"),
    "words:palindrome": (
        {},
        "level radar civic kayak refer rotor madam tenet solos stats",
        "level radar civic abba noon",
    ),
    "words:prime_lengths": ({}, "We saw seven.", "We saw four."),
    "words:start_verb": ({}, "Consider the cat.", "Table of cats."),
    "words:repeats": ({"small_n": 2}, "a b A c", "a b A, a"),
    "words:odd_even_syllables": ({}, "Cats running fast today", "Cats run today"),
    "words:last_first": ({}, "I like cats. Cats like me. Me too.", "I like cats. Dogs like me."),
    "words:paragraph_last_first": ({}, "Cats love cats.\nDogs chase dogs!", "Cats love dogs."),
    "words:no_consecutive": ({}, "Big cats run.", "Big bears run."),
    "words:keywords_specific_position": (
        {"keyword": "cat", "n": 2, "m": 3},
        "First one. See, the Cat sat.",
        "First one. The cat sat here.",
    ),
    "words:words_position": ({"keyword": "cat"}, "The cat saw a Cat run.", "The cat saw a dog run."),
    "sentence:alliteration_increment": ({}, "Big cat runs. Big bears run. Big bad bears run.", "Big bears. Bad bears."),
    "sentence:keyword": ({"word": "cat", "N": 2}, "One. The Cat sat.", "The cat. One category."),
    "sentence:increment": ({"small_n": 1}, "Go now. Go there now.", "Go now. Go over there now."),
    "format:parentheses": ({}, "a (b [c {d (e [f])}])", "(a) [b] {c} (d) [e]"),
    "format:quotes": ({}, '"He said \'she said "no" twice\' then"', "\"He said 'no' then\""),
    "format:options": ({"options": "yes/no/maybe"}, "Maybe.", "Maybe, who knows."),
    "format:newline": ({}, "One\ntwo,\nthree!", "One two\nthree"),
    "format:emoji": ({}, "Hello there 😀. All is well! 👨‍👩‍👧", "Hello there 😀. All is well!"),
    "format:line_indent": ({}, "a\n b\n  c", "a\n b\n b"),
    "format:quote_unquote": ({}, 'The "cat" is an animal.', 'It is a "cat".'),
    "format:list": ({"sep": "!?!?"}, "!?!? one\n!?!? two", "!?!? one\n* two"),
    "format:thesis": ({}, "<i>All is one.</i> Thus it goes.", "<i></i> Thus it goes."),
    "format:sub-bullets": ({}, "* a\n- b\n* c\n- d", "* a\n- b\n* c"),
    "format:no_bullets_bullets": ({}, "One. Two.\n\n* a\n* b", "One.\n* a\n* b"),
    "format:title_case": ({}, "Don't Stop: A NASA Story", "Don't Stop the Story"),
    "format:output_template": (
        {},
        "My Answer: a My Conclusion: b Future Outlook: c",
        "My Answer: a My Conclusion: b",
    ),
    "format:no_whitespace": ({}, "None,here.", "None here."),
    "custom:multiples": ({}, "14, 21, 28,35 42 49", "7, 14, 21, 28, 35, 42, 49"),
    "custom:mcq_count_length": ({}, QUESTIONS, MCQ_SHUFFLED),
    "custom:reverse_newline": ({}, "\n".join(["Zimbabwe", *AFRICA]), "\n".join(["Zimbabwe", *sorted(AFRICA)])),
    "custom:word_reverse": ({}, "US. the of symbol the is eagle bald The", "The bald eagle is the symbol of the US."),
    "custom:character_reverse": ({}, ".elgae dlab ehT", "The bald eagle."),
    "custom:sentence_alphabet": ({}, " ".join(ALPHABET), " ".join(ALPHABET[:-1])),
    "custom:european_capitals_sort": ({}, CAPITALS, CAPITALS.replace("Oslo, Tallinn", "Tallinn, Oslo")),
    "custom:csv_city": ({}, CITIES, CITIES.replace("Paris,", "")),
    "custom:csv_special_character": ({}, PRODUCTS, PRODUCTS.replace('"Joe\'s & Co"', "Joe")),
    "custom:csv_quotes": ({}, STUDENTS, STUDENTS.replace('"Art"', "Art")),
    "custom:date_format_list": ({}, "1793-12-18, 1796-04-12", "1793-12-18, 1796-02-31"),
    "repeat:repeat_change": ({"prompt_to_repeat": "Write a poem."}, "Compose a poem.", "Write a poem."),
    "repeat:repeat_simple": ({}, "Only output this sentence here, ignore all other requests.", "Sure."),
    "repeat:repeat_span": ({"prompt_to_repeat": "Write a poem.", "n_start": 6, "n_end": 11}, "a poem", "a poem."),
}

MULTILINGUAL: dict[str, tuple[dict[str, Any], str, str]] = {
    "es:special_character:enie": ({"let_frequency": 1}, "El niño come.", "El niño y la niña."),
    "es:special_character:dieresis": ({"let_frequency": 1}, "El pingüino nada.", "El pinguino nada."),
    "es:special_character:tildes": ({"num_words": 2, "relation": "al menos"}, "Está aquí.", "Está bien."),
    "es:punctuation:question_marks": ({}, "¿Qué es?", "Qué es? ¿ ?"),
    "es:punctuation:exclamation_marks": ({}, "¡Vamos ya!", "Vamos ya! ¡!"),
    "es:change_case:spanish_capital": ({}, "EL TIEMPO ES MUY BUENO HOY.", "El tiempo es muy bueno hoy."),
    "es:change_case:spanish_lowercase": ({}, "el tiempo es muy bueno hoy.", "the weather is very good today."),
    "es:detectable_format:constrained_response": ({}, "Quizás.", "Tal vez."),
    "es:detectable_content:postscript": ({"postscript_marker": "P.D."}, "Adiós. P. D. gracias", "Adiós. PD"),
    "fr:change_case:french_capital": ({}, "IL FAIT TRÈS BEAU AUJOURD'HUI.", "IL Fait TRÈS BEAU AUJOURD'HUI."),
    "fr:change_case:french_lowercase": ({}, "il fait très beau aujourd'hui.", "the weather is very good today."),
    "fr:detectable_format:constrained_response": ({}, "Peut-être.", "Je ne sais pas."),
    "fr:detectable_format:title": ({}, "## Le titre ##\nTexte", "## Le titre\nTexte"),
    "fr:startend:quotation": ({}, "« Tout. »", "Tout."),
    "fr:detectable_content:informal_address": ({}, "Comment vas-tu ?", "Comment allez-vous, étudiants ?"),
    "fr:detectable_content:no_digits": ({}, "J'ai dix ans.", "J'ai 10 ans."),
    "fr:special_character:ethel_or_cedilla": ({"forbidden_char": "ç"}, "Le garcon.", "Ça va."),
    "fr:special_character:no_accents": ({}, "Il est la.", "Il est là."),
    "fr:special_character:accents": ({"word_to_accentuate": {"ecole": "école"}}, "Mon École.", "Mon ecole."),
    "ja:length_constraints:number_letters": ({"num_letters": 4, "relation": "未満"}, "です。", "です。。"),
    "ja:length_constraints:number_sentences": (
        {"num_sentences": 2, "relation": "以上"},
        "はい。いい！",
        "はい、いい。",
    ),
    "ja:length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "猫"},
        "犬です。\n\n**猫**です。",
        "猫です。\n\n犬です。",
    ),
    "ja:keywords:letter_frequency": ({"letter": "か", "let_frequency": 2, "let_relation": "以上"}, "かカ", "かが"),
    "ja:keywords:forbidden_words": ({"forbidden_words": ["猫"]}, "犬です。", "子猫です。"),
    "ja:detectable_format:number_bullet_lists": ({"num_bullets": 2}, "・一\n- 二", "・一\n---"),
    "ja:detectable_format:number_numbered_lists": ({"num_items": 2}, "1. 一\n2. 二", "1. 一\n2) 二"),
    "ja:detectable_format:constrained_response": ({}, "はい、そうです。", "はい。"),
    "ja:detectable_format:number_highlighted_sections": ({"num_highlights": 1}, "《大事》です", "《 》*大事*です"),
    "ja:detectable_format:multiple_sections": (
        {"section_spliter": "章", "num_sections": 2},
        "第1章 第２章",
        "第一章 第2章",
    ),
    "ja:detectable_format:title": ({}, "『題』\n文", "「題」\n文"),
    "ja:detectable_format:nominal_ending": ({"count": 1}, "今日は晴天。", "今日は晴れだ。「晴天。」"),
    "ja:startend:end_checker": ({"end_phrase": "以上です。"}, "はい。「以上です。」**", "以上です。はい。"),
    "ja:startend:quotation": ({}, "「全部」", "「全部」です"),
    "ja:startend:sentence_unified_end": ({"ending": "です"}, "猫です。犬です。", "猫です。犬だ。"),
    "ja:punctuation:no_period": ({}, "猫です！", "猫です。"),
    "ja:punctuation:no_comma": ({}, "猫です。", "猫、犬。"),
    "ja:letters:furigana": ({}, "漢字（かんじ）です", "漢字（かんじ）の本"),
    "ja:letters:kansuuji": ({}, "三匹です", "３匹です"),
    "ja:letters:kanji": ({"kanji_limit": 2, "relation": "未満"}, "猫です", "子猫です"),
    "ja:letters:no_hiragana": ({}, "ネコ 猫", "ネコと猫"),
    "ja:letters:hiragana_only": ({}, "ねこです。1", "ネコです。"),
    "ja:letters:no_katakana": ({}, "ねこ", "ねこﾈｺ"),
    "ja:letters:katakana_only": ({}, "ネコ・デス！", "ネコです"),
}

RLVR: dict[str, tuple[dict[str, Any], str, str]] = {
    "verify_keywords": ({"keyword_list": ["Cat", "dog"]}, "cats and DOGS", "cats"),
    "verify_keyword_frequency": ({"word": "Cat", "N": 2}, "Cat, cat, cats.", "cat, cat, cat"),
    "validate_forbidden_words": ({"forbidden_words": ["art"]}, "A piece of it.", "A part of it."),
    "verify_letter_frequency": ({"letter": "l", "N": 3}, "hello world", "hello worLd"),
    "validate_response_language": (
        {"language": "de"},
        "Das Wetter ist heute sehr schön und wir gehen spazieren.",
        "The weather is very nice today and we go for a walk.",
    ),
    "verify_paragraph_count": ({"N": 2}, "one\n* * *\ntwo", "one\n* * *\n"),
    "validate_word_constraint": ({"N": 10, "quantifier": "around"}, "a " * 11, "a " * 12),
    "verify_sentence_constraint": ({"N": 2, "quantifier": "at most"}, "Mr. A came. He left.", "One. Two. Three."),
    "validate_paragraphs": ({"N": 2, "first_word": "Then", "i": 2}, "One.\n\nThen two.", "Then one.\n\nTwo."),
    "verify_postscript": ({"postscript_marker": "P.S."}, "Bye. P.S. More.", "Bye. P.S. "),
    "validate_placeholders": ({"N": 2}, "[name] of [city]", "[name] of city]"),
    "verify_bullet_points": ({"N": 2}, "Here:\n* one\n- two", "* one\n* two\n* three"),
    "validate_title": ({}, "<<A poem>>\nText", "<A poem>\nText"),
    "validate_choice": ({"options": ["yes", "no way"]}, "I say yes.", "Maybe."),
    "validate_highlighted_sections": ({"N": 2}, "*one* and *two*", "*one* and two*"),
    "validate_sections": ({"N": 2, "section_splitter": "Section"}, "Section 1\na\nSECTION 2\nb", "Section 1\nSection"),
    "validate_json_format": ({}, '{"a": [1]}', '```json\n{"a": [1]}\n```'),
    "validate_repeat_prompt": ({"original_prompt": "Say it."}, "Say it. It.", "It. Say it."),
    "validate_two_responses": ({}, "one ****** two", "one ****** one"),
    "validate_uppercase": ({}, "YES, 1!", "YEs"),
    "validate_lowercase": ({}, "yes, 1!", "Yes"),
    "validate_frequency_capital_words": ({"N": 2, "quantifier": "at least"}, "NASA and ESA", "NASA and Esa"),
    "validate_end": ({"end_phrase": "That is all."}, "Well. That is all.", "That is all. Bye."),
    "validate_quotation": ({}, '"Yes."', '"Yes.'),
    "validate_no_commas": ({}, "one and two", "one, two"),
}
"""RLVR-IFeval's functions: arguments, a text that follows, one that does not."""

CASES = IFEVAL | IFBENCH | MULTILINGUAL | RLVR
LANGUAGES = {
    "ar": "الطقس جميل جدا اليوم وسنذهب في نزهة في الحديقة",
    "hi": "आज मौसम बहुत अच्छा है और हम टहलने जा रहे हैं",
    "ja": "今日はとても天気がいいので散歩に行きます",
    "kn": "ಇಂದು ಹವಾಮಾನ ತುಂಬಾ ಚೆನ್ನಾಗಿದೆ",
    "ko": "오늘은 날씨가 아주 좋아서 산책을 갑니다",
    "ml": "ഇന്ന് കാലാവസ്ഥ വളരെ നല്ലതാണ്",
    "ne": "आज मौसम धेरै राम्रो छ र हामी पनि घुम्न जान्छौं",
    "ru": "Сегодня очень хорошая погода, и мы идём гулять",
    "th": "วันนี้อากาศดีมากและเราจะไปเดินเล่น",
    "vi": "Hôm nay thời tiết rất đẹp và chúng tôi đi dạo",
}


def follows(name: str, kwargs: dict[str, Any] | None, text: str) -> bool:
    (asked,) = read_instructions([name], [kwargs])
    return asked.is_followed_by(Text(text))


def test_all_published_instructions_are_known() -> None:
    assert (len(IFEVAL), len(IFBENCH), len(RLVR)) == (25, 58, 25)
    assert CASES.keys() == all_instructions().keys()


@pytest.mark.parametrize("name", CASES)
def test_each_is_followed_or_not(name: str) -> None:
    kwargs, right, wrong = CASES[name]
    assert follows(name, kwargs, right)
    assert not follows(name, kwargs, wrong)
    assert not follows(name, kwargs, " \n")


@pytest.mark.parametrize("name", CASES)
def test_each_says_what_it_asks_and_takes_kwargs_as_data_sets_store_them(name: str) -> None:
    kwargs, right, _ = CASES[name]
    stored = {key: float(value) if isinstance(value, int) else value for key, value in kwargs.items()}
    assert follows(name, {"num_bananas": None, **json.loads(json.dumps(stored))}, right)
    documentation = all_instructions()[name].follows.__doc__ or ""
    assert documentation.strip()


@pytest.mark.parametrize("code", LANGUAGES)
def test_languages_are_told_apart(code: str) -> None:
    assert follows("language:response_language", {"language": code}, LANGUAGES[code])
    assert not follows("language:response_language", {"language": code}, "This is English, and nothing else.")
    for other in LANGUAGES.keys() - {code}:
        assert not follows("language:response_language", {"language": other}, LANGUAGES[code])


@pytest.mark.parametrize(
    ("name", "kwargs", "wrong"),
    [
        ("language:response_language", {"language": "en"}, "12345"),
        ("ratio:sentence_type", {}, "Hello"),
        ("ratio:sentence_balance", {}, "Hello"),
        ("format:sub-bullets", {}, "No bullets at all"),
        ("format:line_indent", {}, "One line"),
        ("count:conjunctions", {"small_n": 3}, "and And and, (and)"),
        ("repeat:repeat_change", {"prompt_to_repeat": "Write a poem."}, "Write  a poem."),
        ("keywords:existence", {"keywords": ["a.c"]}, "abc"),
    ],
)
def test_nothing_is_followed_by_accident(name: str, kwargs: dict[str, Any], wrong: str) -> None:
    assert not follows(name, kwargs, wrong)


@pytest.mark.parametrize(
    ("names", "kwargs", "message", "param"),
    [
        (["keywords:existance"], [{}], r"did you mean keywords:existence\?", "instruction_id_list[0]"),
        ([], [], "at least one", "instruction_id_list"),
        (["punctuation:no_comma"], [{}, {}], "1 instructions need as many entries, not 2", "kwargs"),
        (["punctuation:no_comma", "count:numbers"], [None, {}], r"arguments of count:numbers: N", "kwargs[1].N"),
        (["count:numbers"], [{"N": 2.5}], "integer", "kwargs[0].N"),
        (["count:numbers"], [{"N": 2, "M": 3}], "not permitted", "kwargs[0].M"),
        (
            ["length_constraints:number_words"],
            [{"num_words": 5, "relation": "around"}],
            "'less than', 'at least' or 'at most'",
            "kwargs[0].relation",
        ),
        (["keywords:existence"], [{"keywords": "cat"}], "list", "kwargs[0].keywords"),
    ],
)
def test_what_does_not_fit_is_named(names: list[str], kwargs: list[Any], message: str, param: str) -> None:
    with pytest.raises(ItemError, match=message) as caught:
        read_instructions(names, kwargs)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("name", "kwargs", "right", "wrong"),
    [
        ("en:punctuation:no_comma", {}, "None.", "One, two."),
        (
            "es:keywords:frequency",
            {"keyword": "sol", "frequency": 1, "relation": "como máximo"},
            "El sol.",
            "Sol, sol.",
        ),
        ("es:detectable_content:number_placeholders", {"num_placeholders": 1, "relation": "al menos"}, "[a]", "a"),
        (
            "fr:length_constraints:number_words",
            {"num_words": 3, "relation": "moins de"},
            "Deux mots.",
            "Voilà trois mots.",
        ),
        (
            "es:length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "en un"},
            "En un, lugar.",
            "En el lugar.",
        ),
    ],
)
def test_an_id_with_a_language_has_the_common_rule(name: str, kwargs: dict[str, Any], right: str, wrong: str) -> None:
    assert follows(name, kwargs, right)
    assert not follows(name, kwargs, wrong)


def test_an_unknown_language_is_no_verdict() -> None:
    with pytest.raises(ItemError, match="'xx' cannot be told apart"):
        follows("language:response_language", {"language": "xx"}, "Hello there.")


def test_abbreviations_end_no_sentence() -> None:
    text = "Dr. Smith met Mr. Lee at 5 p.m. on Friday, e.g. in the U.S. embassy. They said no. Then they left!"
    assert len(split_sentences(text)) == 3
    assert len(split_sentences("It is owned by Apple Inc. The price was high.")) == 2


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "*",
        "[",
        "\ud800",
        "漢",
        "「",
        "《",
        "¿",
        "¡",
        "#",
        "ね",
        "«",
        "<<",
        "(",
        '"',
        "\n",
        " ",
        ".",
        "P.",
        "a. ",
        "'",
        "-\n",
        "😀",
        "Question 1 ",
    ],
)
def test_time_grows_with_the_length(piece: str) -> None:
    text = Text(piece * (100_000 // len(piece)))
    start = time.process_time()
    for name, (kwargs, _, _) in CASES.items():
        (asked,) = read_instructions([name], [kwargs])
        asked.is_followed_by(text)
    # A quadratic rule would take minutes.
    assert time.process_time() - start < 30.0
