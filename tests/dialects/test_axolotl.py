"""axolotl's NeMo-Gym plugin: it finds recipes in the head server's configuration, and no failure is a number to it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from reward_gateway.recipes.book import load_book

from tests.clock import until

from .test_nemo_gym import row

pytestmark = pytest.mark.anyio

PLACES = ("host", "port")


async def find_servers(http: Any, path: str = "/global_config_dict_yaml", **headers: str) -> dict[str, dict[str, Any]]:
    """The resources servers as the plugin finds them: YAML in YAML, each under its own name twice."""
    answer = await http.client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    listed = yaml.safe_load(yaml.safe_load(answer.text))
    return {name: server["resources_servers"][name] for name, server in listed.items()}


async def verify(http: Any, path: str, prompt: str, response: str, **fields: Any) -> Any:
    """The plugin's ``reward``: of any 200, what stands there; else its own 0.0."""
    answer = await http.post(path, row(prompt, response, **fields))
    return answer.json()["reward"] if answer.status_code == 200 else 0.0


def is_refused_by_the_plugin(reward: Any) -> bool:
    """Whether its ``float(reward)`` stops the run."""
    try:
        float(reward)
    except ValueError:
        return True
    return False


async def test_every_recipe_is_a_server_whose_address_leads_to_it(http: Any) -> None:
    servers = await find_servers(http)
    assert {"ratio", "share"} <= servers.keys()
    for name in ("ratio", "share"):
        host, port = (servers[name][key] for key in PLACES)
        url = f"http://{host}:{port}/verify"
        assert url == f"http://localhost:8080/r/{name}/axolotl/verify"
        reward = await verify(http, url, "2 + 2", "4", reference="4")
        assert reward == pytest.approx(await http.native("2 + 2", "4", name, reference="4"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:11000", "127.0.0.1:11000"),
        ("localhost", "localhost:80"),
        ("[::1]:8080", "[::1]:8080"),
        ("[::1]", "[::1]:80"),
    ],
)
async def test_the_address_is_the_one_that_was_asked(http: Any, host: str, expected: str) -> None:
    server = (await find_servers(http, host=host))["ratio"]
    assert f"{server['host']}:{server['port']}" == f"{expected}/r/ratio/axolotl"


async def test_an_address_that_names_a_recipe_or_a_run_is_kept(http: Any) -> None:
    http.models.loaded.add("late/one")
    named = await find_servers(http, "/r/late%2Fone/nemo_gym/global_config_dict_yaml")
    assert {name: server["port"] for name, server in named.items()} == {"late/one": "8080/r/late%2Fone/axolotl"}
    of_run = await find_servers(http, "/run/first/global_config_dict_yaml")
    assert of_run["share"]["port"] == "8080/run/first/r/share/axolotl"
    assert (await http.client.get("/r/nobody/global_config_dict_yaml")).status_code == 404


async def test_a_recipe_of_vectors_is_no_server(http: Any) -> None:
    recipes = """
rewards:
  one: {components: {brevity: {score: length_penalty}}}
  many: {components: {brevity: {score: length_penalty}}, credit: {renorm: {process: {feature: judged}}}}
default: one
"""
    http.gateway.book = load_book(recipes)
    assert http.gateway.book.get("many").returns == "vector"
    assert (await find_servers(http)).keys() == {"one"}


async def test_every_failure_stops_the_run_instead_of_being_a_zero(speak: Any, tmp_path: Path) -> None:
    path = "/r/ratio/axolotl/verify"
    async with speak(max_in_flight=1, max_queued=0) as http:
        failures = {
            "unscorable": await verify(http, path, "p", "bad"),
            "unknown recipe": await verify(http, "/r/nobody/axolotl/verify", "p", "r"),
            "no context": await verify(http, "/r/share/axolotl/verify", "p", "r"),
            "malformed": (await http.post(path, {"response": {}})).json()["reward"],
        }
        http.models.gate.shut()
        calls = http.models.calls
        held = asyncio.create_task(http.post(path, row("p", "good")))
        await until(lambda: http.models.calls > calls)
        failures["busy"] = await verify(http, path, "p", "good")
        http.models.gate.open()
        assert (await held).json()["reward"] == pytest.approx(await http.native("p", "good"))
        http.models.away = True
        failures["models away"] = await verify(http, path, "p", "other")
    ring = tmp_path / "keys.yaml"
    ring.write_text("keys: [{name: trainer, key: abcdefgh}]")
    async with speak(api_keys_file=ring) as http:
        failures["no key"] = await verify(http, path, "p", "good")
    assert [name for name, reward in failures.items() if not is_refused_by_the_plugin(reward)] == []
    assert failures["unscorable"] == "no reward: samples[0] (ratio): the model cannot score this"
