"""What programs may import: the standard library, unless it reaches outside, and what the operator's Python has.

A program's process can open no file, so that modules are loaded before it is locked down: those below, and those that
the texts name. What the kernel refuses anyway (network, processes, files) is left out so that it says so at once.
"""

import contextlib
import importlib
import re
import sys
from collections.abc import Iterable

ALWAYS = """abc array ast base64 binascii bisect calendar cmath collections.abc concurrent.futures contextlib copy
copyreg csv dataclasses datetime decimal difflib enum fractions functools hashlib heapq html inspect io itertools
json.decoder keyword linecache math numbers operator os pprint queue random re resource secrets signal statistics string
struct sys textwrap threading time traceback types typing unicodedata uuid weakref zlib _strptime encodings.ascii
encodings.latin_1 encodings.utf_16"""

REACHES_OUTSIDE = frozenset(
    """_ctypes _posixsubprocess _socket _ssl antigravity asynchat asyncore code codeop ctypes curses dbm ensurepip fcntl
    ftplib idlelib imaplib lib2to3 mailbox mmap msilib multiprocessing nntplib pdb pip poplib pty pydoc readline site
    smtpd smtplib socket socketserver sqlite3 ssl subprocess syslog telnetlib termios this tkinter tty turtle turtledemo
    venv webbrowser wsgiref xmlrpc""".split()  # noqa: SIM905 - a list of words
)
"""Modules of the standard library that are for the network, processes, terminals or windows."""

PRELUDE = """
import array, bisect, cmath, collections, copy, dataclasses, datetime, decimal, enum, fractions, functools, heapq
import itertools, json, math, operator, os, random, re, statistics, string, sys, time
from typing import *
from collections import *
from bisect import *
from heapq import *
from itertools import *
from functools import *
from math import *
from operator import itemgetter, attrgetter
from dataclasses import dataclass, field
from copy import deepcopy
from fractions import Fraction
from decimal import Decimal
from builtins import pow
"""
"""What LeetCode and the published harnesses import before a program. ``pow`` stays the one of integers."""

_IMPORTS = re.compile(r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+))", re.MULTILINE)
_INLINE = re.compile(
    r"[;:][ \t]*(?:from[ \t]+([\w.]+)[ \t]+import\b|import[ \t]+([\w., \t]+))|__import__\([\"']([\w.]+)"
)
_MOST = 200


def find_imports(text: str) -> list[str]:
    """The modules that a text may import, in its order: found as text, because it may be anything."""
    names: dict[str, None] = {}
    for pattern in (_IMPORTS, _INLINE):
        for match in pattern.finditer(text):
            for group in match.groups():
                for part in (group or "").split(","):
                    if name := part.split(" as ")[0].strip().strip("."):
                        names[name] = None
    return list(names)[:_MOST]


def load_modules(texts: Iterable[str] = ()) -> None:
    """Load what is always there and what the texts name. A module that cannot be loaded is left to the program."""
    for name in ALWAYS.split():
        importlib.import_module(name)
    for text in texts:
        for name in find_imports(text):
            if may_import(name):
                _try_import(name)


def may_import(name: str) -> bool:
    """Whether a program may import a module."""
    top = name.partition(".")[0]
    return top not in REACHES_OUTSIDE and top not in ("reward_gateway", "__main__", "test")


def hide_modules() -> None:
    """Take the modules that reach outside, which this process has loaded for itself, from those that can be imported.

    ``ctypes`` stays, without which nothing is closed that is open with it.
    """
    for name in list(sys.modules):
        if name.partition(".")[0] in REACHES_OUTSIDE - {"ctypes", "_ctypes"}:
            del sys.modules[name]


def _try_import(name: str) -> None:
    with contextlib.suppress(Exception):  # it is not there, or does not load here
        importlib.import_module(name)
