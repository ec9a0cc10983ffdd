"""Units of measurement as people write them (km/h, kg·m/s², miles per hour, °C, dollars), and conversion between them.

pint knows the units and their sizes. It is asked about single names only: products, quotients and powers are read here,
within limits, so that nothing of a response is ever evaluated.
"""

import re
from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache
from itertools import islice, product
from typing import Any

from reward_gateway.extras import needed

Unit = Mapping[str, int]
"""Names of pint's -> their powers: ``{"meter": 1, "second": -2}``."""

LONGEST = 120
"""Characters of a unit that are read."""
_MOST_FACTORS = 8
_GREATEST_POWER = 9
_LONGEST_NAME = 30
_MOST_READINGS = 16
_MOST_NESTED = 3
_REMEMBERED = 4_096
"""Names of units whose meaning is remembered."""

_CURRENCIES = {
    "dollar": ("dollars", "usd", "buck", "bucks"),
    "euro": ("euros", "eur"),
    "sterling": ("gbp", "quid"),
    "rupee": ("rupees", "inr", "rs"),
    "yen": ("jpy", "円"),
    "yuan": ("cny", "rmb", "元", "人民币"),
    "won": ("krw", "원"),
    "rouble": ("roubles", "ruble", "rubles", "rub"),
    "franc": ("francs", "chf"),
    **dict.fromkeys(("aud", "cad", "nzd", "sgd", "hkd", "mxn", "brl", "sek", "nok", "dkk", "pln", "zar", "try"), ()),
}
"""Each is a dimension of its own: there are no rates of exchange."""
_HUNDREDTHS = {"dollar": "dollar_cent", "euro": "euro_cent", "sterling": "penny", "rupee": "paisa"}

_NAMES: dict[str, tuple[str, ...]] = {
    **{name: (currency,) for currency, names in _CURRENCIES.items() for name in (currency, *names)},
    **dict.fromkeys(("acre", "acres"), ("international_acre",)),
    "yensign": ("yen", "yuan"),
    **dict.fromkeys(("cent", "cents", "¢"), ("dollar_cent", "euro_cent")),
    **dict.fromkeys(("pence", "penny", "pennies"), ("penny", "dollar_cent")),
    **dict.fromkeys(("pound", "pounds"), ("pound", "sterling")),
    **dict.fromkeys(("paise", "paisa"), ("paisa",)),
    **dict.fromkeys(("°", "deg", "degs", "degree", "degrees"), ("degree",)),
    **dict.fromkeys(("celsius", "centigrade", "摄氏度"), ("degree_Celsius",)),
    **dict.fromkeys(("ton", "tons"), ("ton", "metric_ton")),
    **dict.fromkeys(("km", "kms", "公里", "千米", "킬로미터"), ("kilometer",)),
    **dict.fromkeys(("米", "미터"), ("meter",)),
    **dict.fromkeys(("cm", "cms", "厘米", "公分"), ("centimeter",)),
    **dict.fromkeys(("毫米", "mms"), ("millimeter",)),
    **dict.fromkeys(("kg", "kgs", "kilo", "kilos", "公斤", "千克"), ("kilogram",)),
    **dict.fromkeys(("克", "gm", "gms", "gs", "gr"), ("gram",)),
    **dict.fromkeys(("吨", "トン"), ("metric_ton",)),
    **dict.fromkeys(("升", "ltr", "ltrs"), ("liter",)),
    **dict.fromkeys(("毫升", "mls"), ("milliliter",)),
    **dict.fromkeys(("小时", "小時", "時間", "시간"), ("hour",)),
    **dict.fromkeys(("分钟", "分鐘", "分", "분"), ("minute",)),
    **dict.fromkeys(("秒", "초"), ("second",)),
    **dict.fromkeys(("天", "日", "일"), ("day",)),
    **dict.fromkeys(("lbs",), ("pound",)),
    **dict.fromkeys(("kph", "kmh", "kmph"), ("kilometer_per_hour",)),
    **dict.fromkeys(("%", "percent"), ("percent",)),
}
"""Names in lower case that pint does not know, or knows as something else -> what they may mean."""
_CASED_NAMES: dict[str, tuple[str, ...]] = {
    "C": ("degree_Celsius", "coulomb"),
    "F": ("degree_Fahrenheit", "farad"),
    "a": (),  # the article, and no year
}
_PHRASES = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r"(?:°|\bdeg(?:ree)?s?\b\.?)\s*(?:C\b|celsius\b|centigrade\b)|℃", " degC "),
        (r"(?:°|\bdeg(?:ree)?s?\b\.?)\s*(?:F\b|fahrenheit\b)|℉", " degF "),
        (r"(?:°|\bdeg(?:ree)?s?\b\.?)\s*(?:K\b|kelvins?\b)", " kelvin "),
        (r"\bfahrenheit\b", "degF"),
        (r"\b(?:US|U\.S\.|American)\s+(?=dollars?\b|cents?\b)", ""),
        (r"\b(?:pounds?\s+sterling|british\s+pounds?)\b", "sterling"),
        (r"\bper\s+cent\b", "percent"),
        (r"\bnautical\s+miles?\b", "nautical_mile"),
        (r"\blight[\s-]+years?\b", "light_year"),
        (r"\bfluid\s+ounces?\b|\bfl\.?\s+oz\b", "fluid_ounce"),
        (r"\bmetric\s+tons?\b", "metric_ton"),
        (r"\belectron[\s-]+volts?\b", "electron_volt"),
        (r"\bastronomical\s+units?\b", "astronomical_unit"),
    )
)

_NAME = re.compile(r"[^\W\d_]+(?:_[^\W\d_]+)*|[°%‰¢]")
_POWER_WORD = re.compile(r"(square|sq\.?|cubic|cu\.?)\s+(?=[^\W\d_])", re.IGNORECASE)
_POWER = re.compile(
    r"\s?\^\s?(?:\(\s?([-+]?\d{1,3})\s?\)|([-+]?\d{1,3})(?!\d))|([23])(?![\d.])|\s(squared|cubed)\b", re.IGNORECASE
)
_PER = re.compile(r"\s*/\s*|\s+per\s+|\s+an?\s+(?=(?:second|minute|hour|day|week|month|year)s?\b)", re.IGNORECASE)
_TIMES = re.compile(r"\s*\*\s*(?=[(^\W\d_]|[^\W\d_])|[.-](?=[^\W\d_])|\s+(?=[^\W\d_])")
_NO_FACTOR = frozenset(
    ("a", "an", "and", "are", "as", "at", "by", "do", "if", "in", "is", "it", "or", "so", "to", "of", "on")
)
"""Words that follow a unit and are none, though some are symbols of one (``in``, ``at``)."""


class _Unknown(Exception):
    pass


def join_phrases(text: str) -> str:
    """A text with the names of units that are several words in one: ``degrees Celsius`` is ``degC``."""
    for pattern, name in _PHRASES:
        text = pattern.sub(name, text)
    return text


def read_unit(text: str, place: int = 0) -> tuple[list[Unit], int] | None:
    """The unit that stands at a place of a text in plain notation, as :func:`join_phrases` leaves it.

    Returns:
        What it may mean (``pounds`` are mass or money), and where it ends; None without a unit that is known.
    """
    parser = _UnitParser(text[: place + LONGEST], place)
    try:
        factors = parser.read_product()
    except _Unknown:
        return None
    readings = []
    for chosen in islice(product(*(names for names, _ in factors)), _MOST_READINGS):
        unit = _multiply(chosen, [power for _, power in factors])
        if unit is not None:
            readings.append(unit)
    return (readings, parser.place) if readings else None


def _multiply(names: tuple[str, ...], powers: list[int]) -> Unit | None:
    unit: dict[str, int] = {}
    for name, power in zip(names, powers, strict=True):
        unit[name] = unit.get(name, 0) + power
    unit = {name: power for name, power in unit.items() if power}
    if max(map(abs, unit.values()), default=0) > _GREATEST_POWER:
        return None
    if len(unit) > 1 or any(power != 1 for power in unit.values()):  # a degree within a product is a difference
        unit = {f"delta_{name}" if name in _SCALES_WITH_ZERO else name: power for name, power in unit.items()}
    return unit


_SCALES_WITH_ZERO = ("degree_Celsius", "degree_Fahrenheit")


class _UnitParser:
    """Reads a product of units from a place of a text on; ``place`` is where it ended."""

    def __init__(self, text: str, place: int) -> None:
        self.text, self.place = text, place
        self._factors = self._depth = 0

    def read_product(self) -> list[tuple[tuple[str, ...], int]]:
        """Its factors: what each may be, and its power. What follows a stroke stands below it, up to the next one."""
        self._skip(_LEAD)
        factors = self._read_factor()
        sign = 1
        while True:
            start = self.place
            if self._skip(_PER):
                following = -1
            elif self._skip(_TIMES):
                following = sign
                if (name := _NAME.match(self.text, self.place)) and name.group().lower() in _NO_FACTOR:
                    self.place = start
                    return factors
            else:
                return factors
            joined = _JOINED.search(self.text, start, self.place) is not None
            try:
                factors = [*factors, *((names, following * power) for names, power in self._read_factor())]
            except _Unknown:
                if joined:  # km/xyz is no km
                    raise
                self.place = start
                return factors
            sign = following

    def _skip(self, pattern: "re.Pattern[str]") -> bool:
        found = pattern.match(self.text, self.place)
        if found:
            self.place = found.end()
        return found is not None

    def _read_factor(self) -> list[tuple[tuple[str, ...], int]]:
        self._factors += 1
        if self._factors > _MOST_FACTORS:
            raise _Unknown
        power_word = _POWER_WORD.match(self.text, self.place)
        if power_word:
            self.place = power_word.end()
        if self._skip(_OPEN):
            self._depth += 1
            if self._depth > _MOST_NESTED:
                raise _Unknown
            factors = self.read_product()
            self._depth -= 1
            if not self._skip(_CLOSE):
                raise _Unknown
        else:
            factors = [(self._read_name(), 1)]
        power = self._read_power()
        if power_word:
            power *= 2 if power_word.group(1).lower().startswith("sq") else 3
        return [(names, own * power) for names, own in factors]

    def _read_name(self) -> tuple[str, ...]:
        found = _NAME.match(self.text, self.place)
        names = find_names(found.group()) if found else ()
        if not found or not names:
            raise _Unknown
        if found.group().lower() in _NO_FACTOR and _FURTHER_WORD.match(self.text, found.end()):
            raise _Unknown
        self.place = found.end()
        return names

    def _read_power(self) -> int:
        found = _POWER.match(self.text, self.place)
        if _ODD_POWER.match(self.text, found.end() if found else self.place):
            raise _Unknown
        if not found:
            return 1
        self.place = found.end()
        word = found[4]
        power = int(found[1] or found[2] or found[3]) if word is None else 2 if word.lower() == "squared" else 3
        if abs(power) > _GREATEST_POWER:
            raise _Unknown
        return power


_ODD_POWER = re.compile(r"\s?\^|\d")
_JOINED = re.compile(r"/|\bper\s+$|\*$", re.IGNORECASE)
_FURTHER_WORD = re.compile(r"\s+[^\W\d_]")
_LEAD = re.compile(r"\s*-?\s*")
_OPEN = re.compile(r"\s*\(\s*")
_CLOSE = re.compile(r"\s*\)")


@cache
def _load_registry() -> Any:
    """pint's units with exact conversions, and the currencies."""
    with needed():
        from pint import UnitRegistry  # imported when first asked for: it takes a second

    registry: Any = UnitRegistry(non_int_type=Fraction)
    for currency in _CURRENCIES:
        registry.define(f"{currency} = [{currency}]")
    for currency, hundredth in _HUNDREDTHS.items():
        registry.define(f"{hundredth} = 0.01 * {currency}")
    registry.define("international_acre = 43560 * foot ** 2")  # pint's own are of survey feet
    return registry


def find_names(written: str) -> tuple[str, ...]:
    """What one written name may mean, as pint's names of units; none if it is no unit."""
    return _find_names(written) if len(written) <= _LONGEST_NAME else ()


@lru_cache(_REMEMBERED)
def _find_names(written: str) -> tuple[str, ...]:
    if written in _CASED_NAMES:
        return _CASED_NAMES[written]
    if (known := _NAMES.get(written.lower())) is not None:
        return known
    names = _ask_pint(written)
    if not names and len(written) > 2:
        names = _ask_pint(written.lower())
    if not names:  # KM, Kg: where no other case makes another unit of it
        loose = _ask_pint(written, case_sensitive=False)
        names = loose if len(loose) == 1 else ()
    return names


def _ask_pint(written: str, *, case_sensitive: bool = True) -> tuple[str, ...]:
    """The units that pint reads a name as: those without a prefix, else the first with one.

    A prefix's symbol before another symbol in the plural is no name: cats are no centi-technical-atmospheres.
    """
    found = _load_registry().parse_unit_name(written, case_sensitive)
    if alone := [name for prefix, name, _ in found if not prefix]:
        return tuple(dict.fromkeys(alone))
    for prefix, name, _ in found[:1]:
        if not written.lower().startswith(prefix) and written.endswith("s") and _ask_pint(written[:-1]):
            return ()
        return (f"{prefix}{name}",)
    return ()


def convert(value: Fraction | float, unit: Unit, other: Unit) -> Fraction | float | None:
    """A value in another unit, exact where the relation of the two is; None if they measure different things.

    An angle and an amount of data are no mere numbers: radians are not percent, revolutions a minute are not hertz.
    """
    if unit == other:
        return value
    registry = _load_registry()
    source, target = registry.UnitsContainer(unit), registry.UnitsContainer(other)
    try:
        if registry.get_root_units(source, False)[1] != registry.get_root_units(target, False)[1]:
            return None
        return _drop_false_digits(registry.convert(value, source, target))
    except (ArithmeticError, TypeError, ValueError):  # decibels and their like
        return None


_MOST_EXACT = 10**40


def _drop_false_digits(value: Fraction | float) -> Fraction | float:
    """A double for what is exact in its form only: pint has 50 digits of π."""
    return float(value) if isinstance(value, Fraction) and value.denominator > _MOST_EXACT else value


def name_unit(unit: Unit) -> str:
    """A unit for people: ``kilometer / hour``, ``kilogram * meter / second ** 2``."""
    above = [_name_power(name, power) for name, power in unit.items() if power > 0]
    below = [_name_power(name, -power) for name, power in unit.items() if power < 0]
    return " / ".join([" * ".join(above) or "1", *below])


def _name_power(name: str, power: int) -> str:
    return name if power == 1 else f"{name} ** {power}"
