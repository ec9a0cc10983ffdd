"""What an address names before its path: the run and the recipe, in either order, each once."""

import pytest
from reward_gateway.address import add_scheme, split_address


@pytest.mark.parametrize(
    ("path", "run", "recipe", "rest"),
    [
        ("/v1/score", None, None, "/v1/score"),
        ("/r/helpful/v1/score", None, "helpful", "/v1/score"),
        ("/r/helpful/tei/rerank", None, "helpful", "/tei/rerank"),
        ("/run/A/r/helpful/rm", "A", "helpful", "/rm"),
        ("/r/helpful/run/A/rm", "A", "helpful", "/rm"),
        ("/r/helpful", None, "helpful", "/"),
        ("/r/helpful/", None, "helpful", "/"),
        ("/r/", None, "", "/"),
        ("/r/org%2Fmodel%40x%3Alabel/classify", None, "org/model@x:label", "/classify"),
        ("/r/a%20b/v2/models/x%2Fy/infer", None, "a b", "/v2/models/x%2Fy/infer"),
        ("/run/a%2Fb/rm", "a/b", None, "/rm"),
    ],
)
def test_names_are_one_segment_each_and_decoded(path: str, run: str | None, recipe: str | None, rest: str) -> None:
    assert split_address(path) == (run, recipe, rest)


@pytest.mark.parametrize("path", ["/rm", "/rerank", "/reward", "/readyz", "/rx/a/rm", "/run", "/r", "/v1/r/a/score"])
def test_other_paths_name_nothing(path: str) -> None:
    assert split_address(path) == (None, None, path)


def test_a_second_name_is_a_path_of_its_own() -> None:
    assert split_address("/r/a/r/b/rm") == (None, "a", "/r/b/rm")
    assert split_address("/run/A/r/b/run/A/rm") == ("A", "b", "/run/A/rm")


@pytest.mark.parametrize("address", ["localhost:8080", "127.0.0.1", "[::1]:8080", "host/run/A/", "x:KEY@host:8080"])
def test_an_address_that_begins_with_its_host_is_http(address: str) -> None:
    assert add_scheme(address) == f"http://{address}"


@pytest.mark.parametrize("address", ["http://host", "grpc://host:1", "ftp://host", "http:/host", "unix:/path", "a b"])
def test_any_other_address_stays_as_it_is(address: str) -> None:
    assert add_scheme(address) == address
