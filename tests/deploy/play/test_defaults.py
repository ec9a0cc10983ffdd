"""The chart with no values but that nobody needs a key: all pods run, and the recipes that ship score."""

from collections.abc import Iterator

import pytest

from tests.deploy.play.namespace import Namespace
from tests.deploy.play.release import NAME, OPEN, PLAIN_GRPC, PLAIN_HTTP, Release

pytestmark = [pytest.mark.slow, pytest.mark.packages, pytest.mark.timeout(3600)]

SAMPLE = {"prompt": "How do I boil an egg?", "response": "Put it in boiling water for 8 minutes."}


@pytest.fixture(scope="module")
def release(namespace: Namespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    made = Release(namespace, tmp_path_factory.mktemp("defaults"), values=OPEN)
    for name in (f"{NAME}-valkey", f"{NAME}-state"):
        made.play("StatefulSet", name)
    made.play("Deployment", NAME)
    yield made
    made.close()


@pytest.mark.parametrize("url", [PLAIN_HTTP, PLAIN_GRPC])
def test_the_service_scores_with_the_recipes_of_the_image(release: Release, url: str) -> None:
    answer = release.score([SAMPLE], reward="helpful_harmless", url=url)
    assert answer["valid"] == [True]
    assert answer["rewards"] == pytest.approx([-0.86], abs=0.01)  # as the README says


def test_the_score_is_in_the_valkey_for_scores(release: Release) -> None:
    cache = release.pods[f"{NAME}-valkey", 0]
    assert int(cache.run("valkey", "valkey-cli", "dbsize")) > 0


def test_the_charts_own_test_passes(release: Release) -> None:
    pod = release.play("Pod", f"{NAME}-test")
    (container,) = pod.plan.containers
    status = pod.wait_until_ended(container["name"])
    assert status == 0, pod.read_log(container["name"])
