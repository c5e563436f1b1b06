"""Hugging Face's Trainer, as it is: `tautune tune examples/huggingface_loop.py` (needs transformers, accelerate)."""

from typing import Any

import torch
from ray import tune
from sklearn.datasets import load_digits
from transformers import Trainer, TrainerCallback, TrainingArguments, ViTConfig, ViTForImageClassification, set_seed

from tautune import GradientQueue, LoopStudy


class Report(TrainerCallback):
    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        checkpoint = tune.Checkpoint.from_directory(f"{args.output_dir}/checkpoint-{state.global_step}")
        tune.report({"loss": state.log_history[-1]["eval_loss"]}, checkpoint=checkpoint)


def trainer(config: dict[str, Any], epochs: int = 10) -> Trainer:
    set_seed(0)
    images, digits = load_digits(return_X_y=True)
    pairs = zip(torch.tensor(images).float().view(-1, 1, 8, 8) / 16, digits.tolist(), strict=True)
    examples = [{"pixel_values": image, "labels": digit} for image, digit in pairs]
    width = config["width"]
    sizes = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 2}
    shape = {"image_size": 8, "patch_size": 2, "num_channels": 1, "num_labels": 10, "initializer_range": 0.2}
    model = ViTForImageClassification(ViTConfig(**shape, **sizes))
    optimizer = GradientQueue(torch.optim.AdamW(model.parameters(), lr=config["learning_rate"]), delay=config["delay"])
    arguments = TrainingArguments(
        output_dir="checkpoints",  # in the trial's own folder, which Ray makes its working directory
        num_train_epochs=epochs,
        per_device_train_batch_size=32,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
    )
    data = None, examples[:1437], examples[1437:]  # no collator of our own, training, validation
    return Trainer(model, arguments, *data, callbacks=[Report()], optimizers=(optimizer, None))


def train(config: dict[str, Any]) -> None:
    last = tune.get_checkpoint()
    trainer(config).train(resume_from_checkpoint=last.path if last else None)


STUDY = LoopStudy(
    name="huggingface_loop",
    description="Hugging Face's Trainer with a small vision transformer on scikit-learn's digits, two steps late",
    train=train,
    metric="loss",
    mode="min",
    space={"delay": 2, "learning_rate": tune.loguniform(1e-4, 1e-2), "width": tune.choice([16, 32])},
    trials=6,
    max_reports=10,
)
