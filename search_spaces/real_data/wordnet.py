"""WordNet's definitions of nouns, to be sorted into its 24 fields of meaning: 81,000 short texts written by people.

WordNet 3.0, Copyright 2006 by Princeton University, may be used, copied and distributed without fee (the WordNet 3.0
license). Debian's package wordnet-base has it. The class of a synset is the file of the lexicographers that it comes
from (lexnames(5WN)), which is how the authors divided their work; its text is the definition without the quotations.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import torch
from torch import Tensor

from tautune.search_spaces.data import Data
from tautune.trainables.supervised.data_files import DataError, search_folders

FILE = "data.noun"
PUBLISHED = "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2"
"""SHA-256 of the file in Debian's wordnet-base 1:3.0-37."""
FIELDS = {
    **{4: "act", 5: "animal", 6: "artifact", 7: "attribute", 8: "body", 9: "cognition", 10: "communication"},
    **{11: "event", 12: "feeling", 13: "food", 14: "group", 15: "location", 17: "object", 18: "person"},
    **{19: "phenomenon", 20: "plant", 21: "possession", 22: "process", 23: "quantity", 24: "relation"},
    **{25: "shape", 26: "state", 27: "substance", 28: "time"},
}
"""WordNet's number of a field → its name; Tops and motive, which have about fifty synsets each, are left out."""
TEST_SHARE = 10
"""One text in so many is for the test."""
LENGTH = 32
"""Tokens of a text at most: 98 in 100 definitions are not longer."""
RAREST = 2
"""Training texts in which a word must be to have a token of its own."""
UNKNOWN = 1
"""The token of all other words; 0 fills short texts up."""
Texts = list[tuple[str, int]]
"""Definitions in lower case, each with the number of its class, 0 … 23."""


def definitions(folder: Path | None = None) -> Data:
    """Returns the definitions as token ids [N, 32], with their classes.

    Raises:
        DataError: WordNet is not on this machine, or is another release.
    """
    training, test = texts(folder)
    vocabulary = vocabulary_of(text for text, _ in training)
    parts = [
        (tokens_of((t for t, _ in part), vocabulary), torch.tensor([c for _, c in part])) for part in (training, test)
    ]
    return Data(
        training=parts[0], test=parts[1], class_names=tuple(FIELDS.values()), vocabulary=len(vocabulary) + UNKNOWN + 1
    )


def texts(folder: Path | None = None) -> tuple[Texts, Texts]:
    """Returns the texts for training and those of the test, which no text of the training equals.

    A text that several synsets have is taken once, with the class of the first. Its digest alone decides its part.
    """
    numbers = {field: number for number, field in enumerate(FIELDS)}
    found = {text: numbers[field] for text, field in reversed(list(_synsets(folder))) if field in numbers}
    parts: tuple[Texts, Texts] = ([], [])
    for text in sorted(found):
        is_test = int.from_bytes(sha256(text.encode()).digest()) % TEST_SHARE == 0
        parts[is_test].append((text, found[text]))
    return parts


def words(text: str) -> list[str]:
    """Returns the words of a text, and its punctuation marks as words of their own."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


def vocabulary_of(training: Iterable[str]) -> dict[str, int]:
    """Returns the token of each word that is in `RAREST` texts or more, the most frequent first."""
    counts = Counter(word for text in training for word in sorted(set(words(text))))
    known = [word for word, count in counts.most_common() if count >= RAREST]
    return {word: token for token, word in enumerate(known, UNKNOWN + 1)}


def tokens_of(some: Iterable[str], vocabulary: dict[str, int], length: int = LENGTH) -> Tensor:
    """Returns token ids [n, length], 0 after the end of each text; what is beyond the length is cut off."""
    rows = [[vocabulary.get(word, UNKNOWN) for word in words(text)[:length]] for text in some]
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def _synsets(folder: Path | None) -> Iterator[tuple[str, int]]:
    """Yields each noun's definition and the number of its field; see wndb(5WN) for the file."""
    for line in _file(folder).read_text().splitlines():
        if not line.startswith("  "):  # the licence
            left, gloss = line.split("|", 1)
            yield re.split(r';\s*"', gloss.strip())[0].strip().lower(), int(left.split()[1])


def places(folder: Path | None = None) -> list[Path]:
    """Returns where the file may lie, the first choice first."""
    bases = [place for base in search_folders(folder) for place in (base, base / "wordnet", base.parent / "wordnet")]
    return [base / FILE for base in dict.fromkeys(bases)]


def _file(folder: Path | None) -> Path:
    found = next((file for file in places(folder) if file.is_file()), None)
    if found is None:
        looked = ", ".join(str(file.parent) for file in places(folder))
        raise DataError(
            f"wordnet is not in {looked}; get it with `apt-get install wordnet-base` (Debian, Ubuntu), or put its "
            f"{FILE} into one of these folders"
        )
    actual = sha256(found.read_bytes()).hexdigest()
    if actual != PUBLISHED:
        raise DataError(f"{found} is not WordNet 3.0 as Debian has it: its SHA-256 is {actual}, not {PUBLISHED}")
    return found
