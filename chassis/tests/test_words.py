"""Words of texts in a form for comparison, and the places at which a search finds them."""

import random
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import words

SCRIPTS = "abcé ß_9 ЙйёЁ άς ي\u064eأ שׁ 日本語データ의한국 ภาษาที่นี้ हिन्दी\u0301\u200d👍！ﷺ"


def _found(query: str, text: str) -> bool:
    return words.finds(words.terms(query), text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Splitting A MONOLITH", "splitting a monolith"),
        ("Café, naïve, Ñandú, Ångström, Škoda", "cafe, naive, nandu, angstrom, skoda"),
        ("e\u0301te\u0301 a\u036f a\u0370", "ete a aͱ"),
        ("Straße STRASSE ẞ", "strasse strasse ss"),
        ("İstanbul ısı I", "istanbul isi i"),
        ("Ærø Łódź Þór Đà œuvre", "aero lodz thor da oeuvre"),
        ("Việt Nam", "viet nam"),
        ("Ｗｉｄｅ ﬁne ½ ㎏ ﾃﾞｰﾀ", "wide fine 1⁄2 kg データ"),
        ("Ελλάδα Ϊάσων ΣΟΦΟΣ", "ελλαδα ιασων σοφοσ"),
        ("Ёлка и мой йод, ўзбек, до\u0301ма", "елка и мой йод, ўзбек, дома"),
        ("مُحَمَّد أحمد آمال شكـــرا", "محمد احمد امال شكرا"),
        ("שָׁלוֹם", "שלום"),
        ("がぎ は\u3099", "がぎ ば"),
        ("ที่นี่", "ที่นี่"),
        ("हिन्दी क़", "हिन्दी क\u093c"),
        ("분산", "분산"),
        ("می\u200cخواهم soft\u00adhyphen a\u200bb", "میخواهم softhyphen ab"),
        ("❤\ufe0f 1\ufe0f\u20e3", "❤ 1"),
        ("", ""),
    ],
)
def test_text_is_folded_as_its_script_requires(text, expected):
    assert words.fold(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Splitting a monolith", ["splitting", "a", "monolith"]),
        ("again, AGAIN; (Again)", ["again"]),
        ("snake_case kebab-case", ["snake_case", "kebab", "case"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("日本語 のスレッド", ["日本語", "のスレッド"]),
        ("iPhone17の写真2026年", ["iphone17", "の写真", "2026", "年"]),
        ("\u0301 \u0301x", ["x"]),
        ("!!! … 🎉👩🏽\u200d💻 ❤\ufe0f 🇩🇪", []),
        ("", []),
        (f"{'x' * 70} {'x' * 80}", ["x" * 64]),
    ],
)
def test_terms_are_the_distinct_words_of_a_query(text, expected):
    assert words.terms(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Splitting a monolith, splitting", ["splitting", "a", "monolith"]),
        ("东京塔", ["东京塔", "京塔", "塔"]),
        ("猫カフェ", ["猫カフェ", "カフェ", "フェ"]),
        ("は", ["は"]),
        ("ที่นี้", ["ที่นี้", "นี้"]),
        ("한국어", ["한국어", "국어", "어"]),
        ("AI技術 A", ["ai", "技術", "術", "a"]),
        ("x" * 70, ["x" * 64]),
    ],
)
def test_beginnings_are_all_places_for_a_word(text, expected):
    assert words.beginnings(text) == expected


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("spl", "Splitting a monolith", True),
        ("MONO split", "Splitting a monolith", True),
        ("litting", "Splitting a monolith", False),
        ("go", "Google and gophers", False),
        ("go", "Why Go?", True),
        ("goo", "Google and gophers", True),
        ("C", "Cats", False),
        ("C", "From C to Rust", True),
        ("京都", "東京都の天気", True),
        ("天気", "東京都の天気", True),
        ("猫", "黒い猫と犬", True),
        ("犬", "黒い猫と犬", True),
        ("北京", "東京都の天気", False),
        ("スレッド", "新しいスレッドを立てる", True),
        ("ｽﾚｯﾄﾞ", "新しいスレッドを立てる", True),
        ("は", "これは本", False),
        ("分布式", "如何设计分布式系统", True),
        ("系统 设计", "如何设计分布式系统", True),
        ("系设", "如何设计分布式系统", False),
        ("ภาษา", "เรียนภาษาไทย", True),
        ("ไทย", "เรียนภาษาไทย", True),
        ("จีน", "เรียนภาษาไทย", False),
        ("국어", "한국어를 배우다", True),
        ("ລາວ", "ພາສາລາວ", True),
        ("ខ្មែរ", "ភាសាខ្មែរ", True),
        ("မြန်မာ", "ကမြန်မာစာ", True),
        ("हिन्", "हिन्दी में", True),
        ("दी", "हिन्दी में", False),
        ("resume", "Résumé tips", True),
        ("résumé", "Resume tips", True),
        ("strasse", "Die Straße", True),
        ("istanbul", "İstanbul", True),
        ("angstrom", "Ångström", True),
        ("елка", "Ёлка", True),
        ("мои", "Мой", False),
        ("محمد", "مُحَمَّد", True),
        ("x" * 64 + "y", "x" * 64 + "z", True),
        ("x" * 63 + "y", "x" * 64, False),
    ],
)
def test_text_is_found_where_a_word_can_begin(query, text, expected):
    assert _found(query, text) is expected
    keys = set(chain.from_iterable(map(words.index_keys, words.beginnings(text))))
    wanted = set(chain.from_iterable(map(words.search_keys, words.terms(query))))
    assert wanted
    assert wanted <= keys or not expected


@pytest.mark.parametrize(
    ("beginning", "keys"),
    [
        ("a", ["a"]),
        ("go", ["go"]),
        ("fig", ["fig"]),
        ("split", ["spl"]),
        ("splits", ["spl", "splits"]),
        ("splitting", ["spl", "splitt"]),
        ("京都", ["京", "京都"]),
        ("塔", ["塔"]),
        ("カフェ", ["カフ"]),
        ("は", ["は"]),
        ("ที่", ["ที"]),
    ],
)
def test_beginning_has_at_most_two_keys(beginning, keys):
    assert words.index_keys(beginning) == keys


@pytest.mark.parametrize(
    ("term", "keys"),
    [
        ("go", ["go"]),
        ("fig", ["fig"]),
        ("split", ["spl"]),
        ("splitting", ["splitt"]),
        ("猫", ["猫"]),
        ("は", ["は"]),
        ("分布式", ["分布", "布式"]),
        ("カフェ", ["カフ", "フェ"]),
        ("ที่นี่", ["ที", "นี"]),
    ],
)
def test_term_is_looked_up_by_its_most_selective_keys(term, keys):
    assert words.search_keys(term) == keys


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("".join(chr(0x4E00 + number) for number in range(120)), 48),
        ("".join(chr(0xAC00 + number) for number in range(120)), 48),
        (" ".join(f"splitting{number}" for number in range(120)), 48),
        ("".join(chr(0x0E01 + number**2 % 46) for number in range(120)), 96),
        ("".join(chr(0x0E01 + number) + "\u0e35\u0e48" for number in range(40)), 41),
        (" ".join(f"w{number}" for number in range(120)), 96),
    ],
    ids=["Chinese", "Korean", "long words", "Thai", "Thai with vowels", "short words"],
)
def test_text_of_many_keys_is_searched_up_to_a_limit(text, places):
    found = words.beginnings(text + " end")
    assert len(found) == places
    assert _found(text[:20], text)
    assert _found("end", text + " end") is (places == 41)


def test_term_that_goes_on_behind_the_limit_is_not_found():
    text = "".join(chr(0x4E00 + number) for number in range(120))
    limit = words.MAX_KEYS // 2
    assert _found(text[limit - 2 : limit + 1], text)
    assert not _found(text[limit - 2 : limit + 2], text)
    assert not _found(text[limit], text)


@given(st.text(SCRIPTS, max_size=120), st.randoms(use_true_random=False))
def test_what_is_found_has_all_keys_of_the_query(text: str, rng: random.Random) -> None:
    start = rng.randrange(len(text) + 1)
    query = text[start : start + rng.randrange(1, 90)]
    keys = set(chain.from_iterable(map(words.index_keys, words.beginnings(text))))
    assert len(keys) <= words.MAX_KEYS
    for term in words.terms(query):
        assert words.search_keys(term)
        if words.finds([term], text):
            assert set(words.search_keys(term)) <= keys


@given(st.text(max_size=40))
def test_folded_text_is_its_own_folded_form(text: str) -> None:
    assert words.fold(words.fold(text)) == words.fold(text)


@given(st.text(max_size=40))
def test_text_is_found_by_each_of_its_terms(text: str) -> None:
    assert all(words.finds([term], text) for term in words.terms(text))
