"""Words of texts in a form for comparison, and the places at which a search finds them.

A search finds a text if each of its terms stands where a word of the text can begin. In scripts
with spaces that is the start of a word. Chinese, Japanese, Thai and others set none between words,
and only a dictionary knows them, so there it is any character: the term is found inside. A term of
one or two letters would be the beginning of half of all words, so it only finds itself, unless it
is a Chinese character or a Korean syllable, which can be a word.

`beginnings` returns these places of a text, and `is_at` compares one with a term. A database that
finds strings by their first characters needs no more. For others, `index_keys` and `search_keys`
return strings to compare for equality: a text that a term finds has all keys of the term. It may
have them without being found, so `finds` must decide.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

MAX_LENGTH = 64
"""Number of characters by which words are compared; one character of a text can become 18."""

MAX_KEYS = 96
"""Number of keys of a text after which it is not searched further.

Its entries can be written in one transaction of DynamoDB, which has 100 actions. This is enough
for 120 characters in most scripts, and for 48 Chinese ones, of which each has two keys.
"""

_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_HAN += "\U00020000-\U0003ffff"
_HANGUL = "\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff"
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\U0001aff0-\U0001b16f"
_BOPOMOFO = "\u3100-\u312f\u31a0-\u31bf"
_THAI_LAO = "\u0e00-\u0eff"
_MYANMAR = "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"
_KHMER = "\u1780-\u17ff"

_UNSPACED = re.compile(f"[{_HAN}{_HANGUL}{_KANA}{_BOPOMOFO}{_THAI_LAO}{_MYANMAR}{_KHMER}]")
_IS_WORD = re.compile(f"[{_HAN}{_HANGUL}]")
_PREFIXES = (3, 6)

# Characters that only change how others look, and the line that stretches Arabic words.
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u0640\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
# Latin letters that Unicode does not decompose into a letter and a mark.
_LETTERS = {
    "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "ı": "i", "ł": "l",
    "ŧ": "t",
}  # fmt: skip
_BREVE = "\u0306"


def terms(query: str) -> list[str]:
    """Return the distinct terms of a search, in their order."""
    return list(dict.fromkeys(word[:MAX_LENGTH] for word in _split(query)))


def beginnings(text: str) -> list[str]:
    """Return the text from each place at which a word can begin, in order and without duplicates.

    Each ends with its word, after `MAX_LENGTH` characters, or where the text has `MAX_KEYS` keys: a
    term that goes on behind the keys has more of them than the text.
    """
    found = dict[str, None]()
    room = MAX_KEYS
    for word in _split(text):
        kept, end = list[int](), len(word)
        for at in _places(word):
            room -= len(index_keys(word[at:]))
            if room < 0:
                end = at + 1
                break
            kept.append(at)
        found |= dict.fromkeys(word[at:end][:MAX_LENGTH] for at in kept)
    return list(found)


def is_whole(term: str) -> bool:
    """Return whether a term must be equal to a beginning; otherwise the beginning goes on."""
    if _UNSPACED.match(term):
        return len(term) == 1 and not _IS_WORD.match(term)
    return len(term) < _PREFIXES[0]


def is_at(beginning: str, term: str) -> bool:
    """Return whether a term stands at this beginning."""
    return beginning == term if is_whole(term) else beginning.startswith(term)


def finds(wanted: Iterable[str], text: str) -> bool:
    """Return whether all these terms find a text."""
    places = beginnings(text)
    return all(any(is_at(place, term) for place in places) for term in wanted)


def index_keys(beginning: str) -> Sequence[str]:
    """Return the keys of a beginning: one or two."""
    if not _UNSPACED.match(beginning):
        return [beginning[:size] for size in _PREFIXES if len(beginning) >= size] or [beginning]
    sizes = (1, 2) if _IS_WORD.match(beginning) else (2,)
    return list(dict.fromkeys(beginning[:size] for size in sizes))


def search_keys(term: str) -> Sequence[str]:
    """Return the keys that each text has that a term finds; at least one."""
    if not _UNSPACED.match(term):
        return index_keys(term)[-1:]
    pairs = (term[at : at + 2] for at in _places(term) if at + 1 < len(term))
    return list(dict.fromkeys(pairs)) or [term]


def fold(text: str) -> str:
    """Return a text in a form that ignores case, width, accents and vowel marks that are optional.

    Accents of Latin, Greek and Cyrillic letters are ignored, except the one that distinguishes й
    and ў from other vowels, and so are the vowel marks of Arabic and Hebrew. Marks of other
    scripts stay: in Thai, Hindi or Japanese they are part of the word.
    """
    if text.isascii():
        return text.lower()
    plain = _IGNORED.sub("", unicodedata.normalize("NFKC", text)).casefold()
    kept, base = list[str](), " "
    for character in unicodedata.normalize("NFKD", plain):
        kind = unicodedata.category(character)
        if kind == "Me" or (kind == "Mn" and _is_optional(character, base)):
            continue
        if kind != "Mn":
            base = character
        kept.append(_LETTERS.get(character, character))
    return unicodedata.normalize("NFC", "".join(kept))


def _is_optional(mark: str, base: str) -> bool:
    if "\u0300" <= mark <= "\u036f":
        script = unicodedata.name(base, "").partition(" ")[0]
        return script in {"LATIN", "GREEK"} or (script == "CYRILLIC" and mark != _BREVE)
    return unicodedata.name(mark, "").startswith(("ARABIC ", "HEBREW "))


def _split(text: str) -> list[str]:
    """Return the words of a text; in a script without spaces, all between two other characters."""
    words = [""]
    for character in fold(text):
        last = words[-1]
        if _is_mark(character):
            words[-1] = last and last + character
        elif not (character.isalnum() or character == "_"):
            words.append("")
        elif last and bool(_UNSPACED.match(last)) != bool(_UNSPACED.match(character)):
            words.append(character)
        else:
            words[-1] = last + character
    return [word for word in words if word]


def _places(word: str) -> list[int]:
    """Return the places of a word at which a search may find it."""
    if not _UNSPACED.match(word):
        return [0]
    last = len(word) - 1
    return [
        at
        for at, one in enumerate(word)
        if at == 0 or (not _is_mark(one) and (at < last or _IS_WORD.match(one)))
    ]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character).startswith("M")
