"""A small CNN on Fashion-MNIST, trained as in torchvision's and Ray's tutorials; both peers of `tune` call it.

The images are torchvision's data set with its transforms, in a DataLoader without worker processes: with a trial on
every core, workers would only take time from the trials.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, random_split
from torchvision import datasets, transforms

VALIDATION = 10_000


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(32 * 7 * 7, 128)
        self.dropout = nn.Dropout(0.3)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = torch.relu(self.fc1(torch.flatten(x, 1)))
        logits: torch.Tensor = self.fc2(self.dropout(x))
        return logits


def load_data(folder: Path) -> tuple[Any, Any]:
    """Returns training and validation images from `folder`, where they lie as torchvision unpacks them."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.286,), (0.353,))])
    everything = datasets.FashionMNIST(folder, train=True, transform=transform)
    parts = [len(everything) - VALIDATION, VALIDATION]
    training, validation = random_split(everything, parts, generator=torch.Generator().manual_seed(0))
    return training, validation


def train_epoch(folder: Path, *, learning_rate: float, batch_size: int) -> float:
    """Returns the validation accuracy after one epoch with Adam."""
    torch.manual_seed(0)
    training, validation = load_data(folder)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
    criterion = nn.CrossEntropyLoss()
    for inputs, labels in DataLoader(training, batch_size=batch_size, shuffle=True):
        optimizer.zero_grad()
        criterion(net(inputs), labels).backward()
        optimizer.step()
    net.eval()
    correct = 0
    with torch.no_grad():
        for inputs, labels in DataLoader(validation, batch_size=1000):
            correct += int((net(inputs).argmax(1) == labels).sum())
    return correct / VALIDATION
