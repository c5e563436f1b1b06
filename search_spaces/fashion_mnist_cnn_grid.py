"""The grid of `mnist_cnn_grid` on Fashion-MNIST, for machines that cannot download MNIST."""

from dataclasses import replace

from tautune.search_spaces import mnist_cnn_grid

STUDY = replace(
    mnist_cnn_grid.STUDY,
    name="fashion_mnist_cnn_grid",
    description="the 243 CNNs of mnist_cnn_grid on Fashion-MNIST",
    data="fashion_mnist",
)
