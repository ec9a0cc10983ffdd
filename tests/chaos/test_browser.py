"""Web pages of other sites in a real Chromium, beside a gateway without keys; tests/browser has the details."""

import pytest

from tests.browser.attacks import ATTACKS
from tests.browser.chromium import Tab
from tests.browser.conftest import Victim
from tests.chaos.conftest import GiveVerdict
from tests.chaos.verdicts import at_least, exactly

pytestmark = pytest.mark.anyio


async def test_browser(verdict: GiveVerdict, victim: Victim, elsewhere: int, tab: Tab) -> None:
    sites = {
        f"http://evil.test:{elsewhere}/": victim.url,
        f"http://localhost:{elsewhere}/": victim.url,
        f"http://rebound.test:{victim.port}/v1/rewards": "",  # a name that was pointed at the gateway
    }
    read = []
    for page, gateway in sites.items():
        await tab.open(page)
        answers = await tab.run(f"{ATTACKS}({gateway!r})")
        read += [answer for answer in answers.values() if answer and not answer.startswith("403 ")]
    foreign = [row for row in victim.received if row.foreign]
    verdict("requests of other pages", len(foreign), at_least(40), "")
    verdict("requests of other pages that were not refused", sum(row.status != 403 for row in foreign), exactly(0), "")
    verdict("answers that other pages could read", len(read), exactly(0), "")
    verdict("changes by other pages", len(await victim.changes()), exactly(0), "")
