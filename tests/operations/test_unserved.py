"""Systems of which nothing is served."""

from reward_gateway.operations.registry import catalog
from reward_gateway.operations.unserved import UNSERVED


def test_what_is_offered_in_their_place_exists_and_is_called_our_own_design() -> None:
    offered = [system.offered for system in UNSERVED if system.offered]
    assert offered
    for path in offered:
        operation = catalog().get(*path.split("/"))
        assert operation is not None, path
        assert operation.fidelity == "design"


def test_every_one_has_its_address_and_its_reason() -> None:
    for system in UNSERVED:
        assert system.url.startswith("https://")
        assert len(system.why) > 80
