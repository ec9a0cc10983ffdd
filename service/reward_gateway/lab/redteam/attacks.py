"""The attacks of ``attacks.yaml``, and what each makes of a rejected response."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from reward_gateway.operations.master_keys import MASTER_KEYS, OPENERS
from reward_gateway.sample.texts import POLICY_ROLES, Text, plain_text
from reward_gateway.yaml_file import YamlFault, read_yaml

ATTACKS = Path(__file__).with_name("attacks.yaml")

AttackClass = Literal[
    "master_keys",
    "length_padding",
    "repetition",
    "sycophancy",
    "format_stuffing",
    "reference_echo",
    "judge_injection",
]
CLASSES: tuple[AttackClass, ...] = get_args(AttackClass)
Trait = Literal["judge", "model", "reference", "format"]
Kind = Literal["echo", "answer", "abstention"]
Role = Literal["attack", "control"]
KEYS = {"master_keys": (*MASTER_KEYS, *OPENERS)}
"""Lists that `each` names."""

_OF_PAIR = ("response", "quoted", "prompt", "reference")
_OF_ATTACK = ("key", "repeated")

NonEmpty = Annotated[str, StringConstraints(min_length=1)]


class AttackError(ValueError):
    """A file of attacks cannot be used; the message says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Repeat(_Part):
    """A text that a template holds many times as ``$repeated``."""

    text: NonEmpty
    times: int = Field(ge=1, le=10_000)


class Attack(_Part):
    """One way to rewrite a rejected response.

    Attributes:
        template: the rewritten response, with names of ``attacks.yaml`` to be filled in.
        applies: what a recipe must have to read it, one of these; empty: it reads the response.
        kind: of a reference echo: the reference quoted, given as the answer, or no answer at all.
        key: the text of ``each`` that this attack is made of.
        left_out: parts of names of subsets whose pairs are left out.
    """

    id: str = Field(pattern=r"^[a-z_]+(\.[a-z0-9_]+)?$")
    attack_class: AttackClass = Field(alias="class")
    title: NonEmpty
    template: str
    applies: tuple[Trait, ...] = ()
    role: Role = "attack"
    kind: Kind | None = None
    repeat: Repeat | None = None
    each: Literal["master_keys"] | None = None
    left_out: tuple[NonEmpty, ...] = ()
    key: str | None = None

    @model_validator(mode="after")
    def _check_template(self) -> Self:
        template = Template(self.template)
        if not template.is_valid():
            raise ValueError("template holds a $ that no name follows; write $$ for a dollar sign")
        names = set(template.get_identifiers())
        if unknown := names - {*_OF_PAIR, *_OF_ATTACK}:
            raise ValueError(f"template names ${min(unknown)}; known are ${', $'.join((*_OF_PAIR, *_OF_ATTACK))}")
        if ("repeated" in names) != (self.repeat is not None):
            raise ValueError("template has $repeated if and only if there is `repeat`")
        if ("key" in names) != (self.each is not None or self.key is not None):
            raise ValueError("template has $key if and only if there is `each`")
        if (self.kind is not None) != (self.attack_class == "reference_echo"):
            raise ValueError("kind is for the class reference_echo, where every attack has one")
        return self

    @cached_property
    def names(self) -> frozenset[str]:
        """What the template takes of a pair."""
        return frozenset(Template(self.template).get_identifiers()) & {*_OF_PAIR}

    def expand(self) -> Iterator["Attack"]:
        """The attack itself, or one per key of ``each``, numbered from 1."""
        if self.each is None:
            yield self
            return
        for number, key in enumerate(KEYS[self.each], 1):
            title = self.title.replace("$key", json.dumps(key, ensure_ascii=False))
            changes = {"id": f"{self.id}.{number:02d}", "title": title, "key": key, "each": None}
            yield self.model_copy(update=changes)

    def reads_pair(self, reference: object, subset: str | None) -> bool:
        """Whether it can be tried on a pair: it has a reference where one is quoted, and its subset is not left out."""
        named = (subset or "").lower()
        return not any(part in named for part in self.left_out) and (
            "reference" not in self.names or write_reference(reference) is not None
        )

    def rewrite(self, response: Text, prompt: Text = "", reference: object = None) -> Text:
        """The attacked response, in the form of the clean one: of messages the last one of the assistant is rewritten.

        Args:
            reference: the ground truth; of several the first is quoted.

        Raises:
            ValueError: the template quotes a reference, and there is none that is a text or a number.
        """
        quoted = write_reference(reference)
        if "reference" in self.names and quoted is None:
            raise ValueError(f"{self.id} quotes the reference, and the pair has none")
        if isinstance(response, str):
            return self._fill(response, _find_question(prompt), quoted)
        place = _find_last(response, POLICY_ROLES)
        if place is None:
            return [*response, {"role": "assistant", "content": self._fill("", _find_question(prompt), quoted)}]
        words = self._fill(plain_text(response[place : place + 1]), _find_question(prompt), quoted)
        return [*response[:place], {**response[place], "content": words}, *response[place + 1 :]]

    def _fill(self, words: str, prompt: str, reference: str | None) -> str:
        values = {
            "response": words,
            "quoted": json.dumps(words, ensure_ascii=False),
            "prompt": prompt,
            "reference": reference,
            "key": self.key,
            "repeated": self.repeat.text * self.repeat.times if self.repeat else None,
        }
        return Template(self.template).substitute(values)


class Attacks(_Part):
    """The content of a file of attacks."""

    version: int = Field(ge=1)
    format: tuple[NonEmpty, ...] = Field(description="Score operations that read the form of a response.")
    attacks: tuple[Attack, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_ids(self) -> Self:
        ids = [attack.id for attack in self.expanded]
        if twice := next((name for name in ids if ids.count(name) > 1), None):
            raise ValueError(f"two attacks have the id {twice}")
        return self

    @cached_property
    def expanded(self) -> tuple[Attack, ...]:
        """Every attack, those of each key one by one, in the order of the classes."""
        found = [one for attack in self.attacks for one in attack.expand()]
        return tuple(sorted(found, key=lambda attack: CLASSES.index(attack.attack_class)))


def read_attacks(path: Path = ATTACKS) -> Attacks:
    """The attacks of a file. Raises AttackError."""
    try:
        return Attacks.model_validate(read_yaml(path))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise AttackError(f"{path.name}: {'; '.join(faults)}") from None
    except YamlFault as error:
        raise AttackError(f"{path.name}: {error}") from None


def write_reference(reference: object) -> str | None:
    """A reference as a response can quote it, the first of several; None if it is no text and no number."""
    if isinstance(reference, Sequence) and not isinstance(reference, str):
        reference = reference[0] if reference else None
    if isinstance(reference, bool) or not isinstance(reference, str | int | float):
        return None
    return str(reference) or None


def _find_question(prompt: Text) -> str:
    """The prompt's text, or the last message of the user."""
    if isinstance(prompt, str):
        return prompt
    place = _find_last(prompt, ("user",))
    return plain_text(prompt if place is None else prompt[place : place + 1])


def _find_last(messages: Sequence[Mapping[str, Any]], roles: Sequence[str]) -> int | None:
    return next((i for i in reversed(range(len(messages))) if messages[i].get("role") in roles), None)
