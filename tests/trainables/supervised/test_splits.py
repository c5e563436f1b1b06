import pytest
import torch

from tautune.trainables.supervised.splits import splits

TARGETS = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)


def test_a_split_is_stratified_disjoint_and_repeatable() -> None:
    ((training, validation),) = splits(TARGETS, share=0.2, seed=3)
    assert sorted([*training.tolist(), *validation.tolist()]) == list(range(100))
    assert torch.bincount(TARGETS[validation]).tolist() == [12, 6, 2]
    assert torch.equal(validation, splits(TARGETS, share=0.2, seed=3)[0][1])
    assert not torch.equal(validation, splits(TARGETS, share=0.2, seed=4)[0][1])


def test_folds_validate_every_image_once_a_repeat() -> None:
    found = splits(TARGETS, share=0.2, folds=5, repeats=2)
    assert len(found) == 10
    for part in (found[:5], found[5:]):
        assert sorted(torch.cat([validation for _, validation in part]).tolist()) == list(range(100))
    for training, validation in found:
        assert not set(training.tolist()) & set(validation.tolist())
        assert torch.bincount(TARGETS[validation]).tolist() == [12, 6, 2]
    assert not torch.equal(found[0][1], found[5][1])


def test_repeated_splits_differ() -> None:
    found = splits(TARGETS, share=0.3, repeats=3)
    assert len({tuple(validation.tolist()) for _, validation in found}) == 3
    assert all(len(validation) == 30 for _, validation in found)


def test_examples_limit_what_trains_and_not_what_validates() -> None:
    ((training, validation),) = splits(TARGETS, share=0.2, examples=20)
    assert torch.bincount(TARGETS[training]).tolist() == [12, 6, 2]
    assert len(validation) == 20
    ((everything, _),) = splits(TARGETS, share=0.2, examples=1000)
    assert len(everything) == 80
    ((nearly, _),) = splits(TARGETS, share=0.2, examples=79)
    assert len(nearly) == 79


def test_more_folds_than_images_of_a_class_are_refused() -> None:
    with pytest.raises(ValueError, match="folds must be at most 10, the images of the rarest class"):
        splits(TARGETS, share=0.2, folds=11)
