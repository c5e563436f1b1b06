import pytest
import torch

from tautune.trainables.supervised.normalization import Normalization


def test_normalization_is_of_the_training_images_alone() -> None:
    pixels = torch.randint(256, (50, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    pixels[:, 2] = 7
    normalize = Normalization.of(pixels)
    reference = pixels.double()
    torch.testing.assert_close(normalize.mean, reference.mean(dim=(0, 2, 3)).float())
    torch.testing.assert_close(normalize.deviation[:2], reference.std(dim=(0, 2, 3), correction=0).float()[:2])
    assert normalize.deviation[2] == 1
    out = normalize(pixels)
    assert float(out[:, :2].mean()) == pytest.approx(0, abs=1e-5)
    assert float(out[:, 2].abs().max()) == 0
    torch.testing.assert_close(normalize(pixels[3:4])[0], out[3])  # a single image the same


def test_numbers_of_any_shape_are_normalized_by_channel() -> None:
    features = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) * 3 + 7
    normal = Normalization.of(features)(features)
    torch.testing.assert_close(normal.mean(dim=0), torch.zeros(5), atol=1e-6, rtol=0)
    torch.testing.assert_close(normal.std(dim=0, correction=0), torch.ones(5))


def test_tokens_are_left_alone_and_so_is_all_where_nothing_is_wanted() -> None:
    tokens = torch.randint(1000, (6, 9), dtype=torch.int32)
    assert torch.equal(Normalization.of(tokens)(tokens), tokens)
    pixels = torch.randint(256, (6, 1, 2, 2), dtype=torch.uint8)
    assert torch.equal(Normalization.of(pixels, wanted=False)(pixels), pixels.float())
    features = torch.randn(6, 3, dtype=torch.float64)
    assert torch.equal(Normalization.of(features, wanted=False)(features), features.float())


def test_a_batch_like_tokens_is_normalized_where_training_had_numbers() -> None:
    normalize = Normalization.of(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert normalize(torch.tensor([[3, 2]])).tolist() == [[1.0, -1.0]]
