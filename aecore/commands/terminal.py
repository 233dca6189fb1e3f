"""What all commands share: the parser, a progress bar, and the answer in words or as JSON."""

import argparse
import json
from pkgutil import resolve_name
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """Its help lists what the registries hold; they are imported when that help is asked for, and never to parse."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.registries: list[tuple[argparse.Action, str]] = []

    def add_name(self, argument: str, registry: str, **options: Any) -> None:
        """An argument that is a name in a registry, such as "aecore.models:FLAVORS"."""
        self.registries.append((self.add_argument(argument, **options), registry))

    def format_help(self) -> str:
        """The help, with the names in the registries as they are now."""
        for action, registry in self.registries:
            action.help = "one of " + ", ".join(resolve_name(registry))
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        """End with exit code 2, and say where the help is."""
        self.exit(2, f"aecore: {message}; see `python -m aecore {self.prog.partition(' ')[2]} --help`\n")


class Bar:
    """A progress bar on the terminal for anything that reports how much is done, and the total."""

    def __init__(self, title: str, **style: Any) -> None:
        self.title, self.style, self.bar = title, style, None

    def __call__(self, done: int, total: int) -> None:
        from tqdm import tqdm

        self.bar = self.bar or tqdm(total=total or None, desc=self.title, **self.style)
        self.bar.update(done - self.bar.n)


def say(options: argparse.Namespace, data: Any, text: str) -> int:
    """Print the text, or the data where JSON was asked for."""
    print(json.dumps(data) if options.json else text)
    return 0
