"""One training in several processes, on one machine or several, as torchrun starts them.

Every process has all the weights, computes the gradients of its share of each batch, and adds up all of them in the
same order; so all take the same step. Order and noise are drawn for the whole batch: that there are several processes
changes nothing but the order in which numbers are added. The first process alone saves, reports and decides when to
stop.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

PATIENCE = timedelta(hours=1)
"""How long processes wait for each other; the first may be paused."""
DRAWS: dict[Callable[..., Tensor], int] = {torch.rand: 0, torch.randn: 0, torch.randint: 2}
"""Functions that draw random numbers -> which argument is the shape."""


class Parted(ConnectionError):
    """Another process of the training has ended."""


class Stopped(Exception):
    """The first process has ended the training."""


@dataclass(frozen=True)
class Group:
    """The processes of a training, and which of them this is; one alone unless `joined` says otherwise."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that saves and reports."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """The part of `count` rows that is this process's; empty where there are too few."""
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def part(self, count: int) -> tuple[slice, float]:
        """The images of a batch of `count` with which this process computes, and their weight in it.

        Without a share it is the first image, with weight 0: noise has to be drawn in all processes.
        """
        share = self.share(count)
        mine = share.stop - share.start
        return (share, mine / count) if mine else (slice(0, 1), 0.0)

    def drawing(self, count: int, share: slice) -> AbstractContextManager[Any]:
        """In here, random numbers for the images of a share are those that they have in the whole batch of `count`."""
        return nullcontext() if self.size == 1 else _Sliced(count, share)

    def add(self, values: Tensor, going_on: bool = True) -> Tensor:
        """The sum of these values (n,) over all processes, added in the order of the processes.

        going_on: false where the first process ends the training; then the others raise Stopped.
        """
        from torch import distributed

        mine = torch.cat([values, values.new_tensor([float(going_on)])])
        every = [torch.empty_like(mine) for _ in range(self.size)]
        with _together():
            distributed.all_gather(every, mine)
        if not every[0][-1]:
            raise Stopped
        total = every[0].clone()
        for other in every[1:]:
            total += other
        return total[:-1]

    def tell(self, content: bytes | None = None) -> bytes:
        """What the first process tells: its content, in all of them."""
        from torch import distributed

        content = content or b""
        size = torch.tensor([len(content)])
        with _together():
            distributed.broadcast(size, 0)
            told = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0).byte()
            told = told if self.first else torch.empty(int(size), dtype=torch.uint8)
            if int(size):
                distributed.broadcast(told, 0)
        return told.numpy().tobytes()

    def collect(self, content: bytes) -> list[bytes]:
        """The content of every process, in their order, in all of them."""
        from torch import distributed

        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        with _together():
            distributed.all_gather(sizes, torch.tensor([len(content)]))
            most = max(map(int, sizes))
            every = [torch.empty(most, dtype=torch.uint8) for _ in range(self.size)]
            distributed.all_gather(every, torch.frombuffer(bytearray(content.ljust(most, b"\0")), dtype=torch.uint8))
        return [told.numpy().tobytes()[: int(size)] for told, size in zip(every, sizes, strict=True)]


@contextmanager
def joined() -> Iterator[Group]:
    """The group that torchrun's environment names; a group of one without it. Raises ValueError, Parted."""
    size, rank = (_whole(name, default) for name, default in (("WORLD_SIZE", 1), ("RANK", 0)))
    if size == 1:
        yield Group()
        return
    from torch import distributed

    with _together():
        distributed.init_process_group("gloo", timeout=PATIENCE)
    try:
        yield Group(rank, size)
    finally:
        distributed.destroy_process_group()


class _Sliced(TorchFunctionMode):
    """Draws random numbers for a whole batch, and hands out those of a share."""

    def __init__(self, count: int, share: slice) -> None:
        super().__init__()
        self.count, self.share = count, share

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if function not in DRAWS or "generator" not in kwargs:
            return function(*args, **kwargs)
        place = DRAWS[function]
        before, shape = args[:place], args[place:]
        shape = tuple(shape[0]) if isinstance(shape[0], Sequence) else tuple(shape)
        if shape[0] != self.share.stop - self.share.start:  # not one for each image
            return function(*args, **kwargs)
        return function(*before, (self.count, *shape[1:]), **kwargs)[self.share]


@contextmanager
def _together() -> Iterator[None]:
    """What other processes take part in. Raises Parted where one is gone."""
    try:
        yield
    except RuntimeError as error:
        raise Parted(
            "another process of this training has ended or cannot be reached; the last snapshot is kept: continue with "
            f"--resume ({str(error).splitlines()[0][:120]})"
        ) from error


def _whole(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal():
        raise ValueError(f"{name} is {text[:40]!r}; torchrun sets it to a whole number")
    return int(text)
