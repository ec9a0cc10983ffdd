"""Clients that ask without a pause while a test does something else."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Load(ABC):
    """Asks all the time while its block runs, in threads; what one of them raises, the block raises at its end.

    Args:
        clients: threads.
        pause_s: between two questions of a thread.
    """

    def __init__(self, clients: int = 1, pause_s: float = 0.0) -> None:
        self._pause_s = pause_s
        self._over = threading.Event()
        self._raised: list[Exception] = []
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]

    @abstractmethod
    def ask(self, turn: int) -> None:
        """Ask once, and note what was answered. ``turn`` counts a thread's questions, from the thread's number on."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(120)
        if self._raised and kind is None:
            raise self._raised[0]

    def _run(self, turn: int) -> None:
        try:
            while not self._over.wait(self._pause_s):
                turn += 1
                self.ask(turn)
        except Exception as error:
            self._raised.append(error)
