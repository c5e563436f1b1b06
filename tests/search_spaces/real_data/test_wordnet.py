"""WordNet's definitions become texts with classes, none of them on both sides of the test."""

from hashlib import sha256
from pathlib import Path

import pytest

from tautune.search_spaces.real_data import wordnet
from tautune.trainables.supervised.data_files import DataError

LINES = """  1 This software and database is being provided to you, the LICENSEE, by
00001740 03 n 01 entity 0 003 ~ 00001930 n 0000 | that which is perceived
00021265 05 n 02 cat 0 feline 0 001 @ 00021 n 0000 | A small, furry pet; "the cat sat on the mat"
00021266 18 n 01 cat 1 001 @ 00021 n 0000 | a spiteful woman; gossips
00021267 20 n 01 fern 0 001 @ 00021 n 0000 | a green plant; "ferns"; "more ferns"
00021268 06 n 01 toy 0 001 @ 00021 n 0000 | a small, furry pet
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / wordnet.FILE).write_text(LINES)
    monkeypatch.setattr(wordnet, "PUBLISHED", sha256(LINES.encode()).hexdigest())
    return tmp_path


def test_texts_are_the_definitions_without_quotations_each_once(folder: Path) -> None:
    training, test = wordnet.texts(folder)
    named = {text: list(wordnet.FIELDS.values())[number] for text, number in training + test}
    assert named == {
        "a small, furry pet": "animal",  # and not the toy, which is defined by the same words
        "a spiteful woman; gossips": "person",
        "a green plant": "plant",
    }


def test_definitions_become_token_ids_with_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(f"{n:08} {4 + n % 3:02} n 01 w{n} 0 000 | a thing of kind {n}\n" for n in range(60))
    (tmp_path / wordnet.FILE).write_text(lines)
    monkeypatch.setattr(wordnet, "PUBLISHED", sha256(lines.encode()).hexdigest())
    data = wordnet.definitions(tmp_path)
    assert len(data.training) + len(data.test) == 60
    assert data.vocabulary == 2 + len(["a", "thing", "of", "kind"])
    words = data.training.pixels[:, :5].tolist()
    assert all(sorted(row[:4]) == [2, 3, 4, 5] and row[4] == wordnet.UNKNOWN for row in words)
    assert int(data.training.pixels[:, 5:].max()) == 0
    texts, _ = wordnet.texts(tmp_path)
    assert data.training.targets.tolist() == [int(text.split()[-1]) % 3 for text, _ in texts]


def test_words_in_two_texts_have_tokens_and_others_share_one() -> None:
    vocabulary = wordnet.vocabulary_of(["a cat, a dog", "a Dog's bone", "the sea"])
    assert vocabulary == {"a": 2, "dog": 3}
    assert wordnet.tokens_of(["A dog sees the dog.", "a", ""], vocabulary, 4).tolist() == [
        [2, 3, 1, 1],
        [2, 0, 0, 0],
        [0, 0, 0, 0],
    ]


def test_absent_and_foreign_files_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TAUTUNE_DATA", "XDG_DATA_DIRS", "TAUTUNE_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    message = r"wordnet is not in .*none.*; get it with `apt-get install wordnet-base` \(Debian, Ubuntu\), or put"
    with pytest.raises(DataError, match=message) as raised:
        wordnet.definitions()
    assert len(str(raised.value).splitlines()) == 1
    (tmp_path / wordnet.FILE).write_text(LINES)
    with pytest.raises(DataError, match=r"data.noun is not WordNet 3.0 as Debian has it: its SHA-256 is"):
        wordnet.definitions(tmp_path)


HERE = any(place.is_file() for place in wordnet.places())


@pytest.mark.skipif(not HERE, reason="needs Debian's wordnet-base")
def test_the_corpus_has_its_published_size() -> None:
    training, test = wordnet.texts()
    assert (len(training), len(test)) == (73_282, 8_109)
    assert not {text for text, _ in training} & {text for text, _ in test}
    assert {number for _, number in test} == set(range(24))
