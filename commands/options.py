"""Options that several commands have."""

from tautune.records.errors import InputError

DELAYS = "0,1,2,4,8,16,32"


def parse_delays(text: str) -> tuple[int, ...]:
    pieces = [piece.strip() for piece in text.split(",") if piece.strip()]
    if not pieces:
        raise InputError(f"--delays must be integers ≥ 0 with commas between, as in {DELAYS}, not {text!r}")
    for piece in pieces:
        if not piece.isdecimal():
            raise InputError(f"--delays must be integers ≥ 0 with commas between, as in {DELAYS}; {piece!r} is not one")
        if len(piece) > 6:
            raise InputError(f"--delays must be below a million; {piece[:20]} is not")
    return tuple(sorted({int(piece) for piece in pieces}))


def check_device_name(name: str) -> None:
    if name not in ("cpu", "cuda", "auto"):
        raise InputError(f"--device must be cpu, cuda or auto, not {name!r}")


def parse_device(name: str) -> str:
    check_device_name(name)
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch sees no CUDA device here; use cpu or auto")
    return name


def folder_name(study: str, momentum: float, shifted: bool, mini_batch: int | None) -> str:
    name = study
    if momentum:
        name += f"-{'shifted' if shifted else 'momentum'}-{momentum:g}"
    return name + (f"-batch-{mini_batch}" if mini_batch else "")


def check_shifted(shifted: bool, momentum: float) -> None:
    if shifted and not momentum:
        raise InputError("--shifted delays the velocity, which needs --momentum above 0")


def check_mini_batch(mini_batch: int | None, study: str, examples: int) -> None:
    if mini_batch is not None and not 1 <= mini_batch <= examples:
        raise InputError(f"--mini-batch must be between 1 and the {examples} examples of {study}, not {mini_batch}")
