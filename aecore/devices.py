"""Where networks are trained, on the processor or on a GPU, and with which precision."""

import os
from contextlib import AbstractContextManager, nullcontext

import torch

os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # else, to ask for a GPU would keep a forked child from it

PRECISIONS = ("float32", "bfloat16")
"""Of products of matrices and of convolutions; weights, losses, penalties and measurements are float32 always."""


def device() -> torch.device:
    """The GPU where there is one, else the processor; AECORE_DEVICE says otherwise.

    Of several GPUs, each process that torchrun starts on a machine takes one of its own. Raises ValueError for a device
    that is not here.
    """
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    there = [name for name in here if here[name]]
    name = os.environ.get("AECORE_DEVICE", "").strip() or there[0]
    if name not in there:
        problem = "which is not on this machine" if name in here else "which is unknown"
        raise ValueError(f"AECORE_DEVICE is {name[:40]!r}, {problem}; set it to {' or '.join(there)}, or unset it")
    if name != "cuda":
        return torch.device(name)
    torch.backends.cudnn.deterministic = True  # else, equal steps would differ in their last bits
    return torch.device(name, int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())


SMALL_BATCH = 64
"""Images per batch up to which one thread trains: in so small steps, several would mostly wait for one another."""


def spare_threads(batch_size: int, background: bool) -> None:
    """Take one thread for small batches; in the background, of more than two leave one to the pages.

    Where waking a thread is slow, as on some virtual machines, 32 images a batch take two threads (dense, width 256)
    twice as long as one. By the batch and not by a clock, so that equal settings give equal results.
    """
    threads = torch.get_num_threads()
    wanted = 1 if batch_size <= SMALL_BATCH else threads - 1 if background and threads > 2 else threads
    if wanted != threads:
        torch.set_num_threads(wanted)


def has_bfloat16(place: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there: AMX on a processor, Ampere or later on a GPU of NVIDIA.

    A processor that has bfloat16 without AMX takes longer with it: 1.7 times on one with AVX-512 BF16.
    """
    if place.type == "cuda":
        return torch.cuda.get_device_capability(place) >= (8, 0)
    if place.type == "mps":
        return torch.backends.mps.is_macos_or_newer(14, 0)
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def about_bfloat16() -> str:
    """Whether this machine has fast bfloat16, in a sentence."""
    place = device()
    where = "processor" if place.type == "cpu" else "GPU"
    return f"This machine's {where} has {'fast' if has_bfloat16(place) else 'no fast'} bfloat16."


def check_precision(precision: str) -> None:
    """Raise ValueError where this machine would only lose time with a precision."""
    if precision == "bfloat16" and not has_bfloat16(device()):
        raise ValueError(
            "precision is 'bfloat16', which this machine does not have (it takes a GPU, or a processor with AMX); "
            "choose float32"
        )


def computing(precision: str, place: torch.device) -> AbstractContextManager[object]:
    """In here, layers compute with a precision there."""
    return torch.autocast(place.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()
