import torch

from tautune.trainables.supervised.augmentation import flip, shift

IMAGES = torch.randint(1, 256, (200, 3, 5, 7), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_each_image_is_mirrored_whole_or_not_at_all() -> None:
    out = flip(IMAGES, torch.Generator().manual_seed(0))
    mirrored = [torch.equal(b, a.flip(2)) for a, b in zip(IMAGES, out, strict=True)]
    same = [torch.equal(b, a) for a, b in zip(IMAGES, out, strict=True)]
    assert all(m or s for m, s in zip(mirrored, same, strict=True))
    assert 70 < sum(mirrored) < 130


def test_each_image_is_moved_by_its_own_amount_and_filled_with_zeros() -> None:
    most, seen = 2, set()
    out = shift(IMAGES, most, torch.Generator().manual_seed(0))
    assert out.dtype == torch.uint8
    for before, after in zip(IMAGES, out, strict=True):
        moves = [(d, r) for d in range(-most, most + 1) for r in range(-most, most + 1)]
        (move,) = [m for m in moves if torch.equal(moved(before, *m), after)]
        seen.add(move)
    assert len(seen) == 25


def moved(image: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Written out, pixel by pixel."""
    _, height, width = image.shape
    out = torch.zeros_like(image)
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                out[:, row, column] = image[:, row - down, column - right]
    return out
