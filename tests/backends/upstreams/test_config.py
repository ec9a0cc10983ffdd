"""The file of upstreams: what it may say, and every fault of it at once, with its place and without its secrets."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from reward_gateway.backends.upstreams.config import INPUTS
from reward_gateway.backends.upstreams.file import UpstreamsFileError, json_schema, load_upstreams
from reward_gateway.backends.upstreams.protocols import PROTOCOLS
from reward_gateway.backends.upstreams.protocols.mapped import MappedHttp
from reward_gateway.backends.upstreams.rows import Question
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tests.documents import read_blocks

ROOT = Path(__file__).parents[3]

EXAMPLE = """
upstreams:
  skywork:
    protocol: vllm_classify
    urls: [http://rm-0:8000, http://rm-1:8000]
    model: Skywork/Skywork-Reward-V2-Llama-3.1-8B
    input: messages
    dimensions: [score]
    activation: none
    images: false
    version: ""
    limits: {in_flight: 32, batch: 64, timeout_s: 60}
    api_key_env: SKYWORK_KEY
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "upstreams.yaml"
    path.write_text(text)
    return path


def write_entry(folder: Path, **entry: Any) -> Path:
    given = {"protocol": "vllm_classify", "urls": ["http://rm:8000"], **entry}
    return write(folder, yaml.safe_dump({"upstreams": {"rm": {k: v for k, v in given.items() if v is not None}}}))


def faults_of(path: Path) -> list[str]:
    with pytest.raises(UpstreamsFileError) as refused:
        load_upstreams(path)
    return refused.value.faults


def test_the_published_example_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYWORK_KEY", "sk-1")
    config = load_upstreams(write(tmp_path, EXAMPLE))["skywork"]
    assert config.addresses == ("http://rm-0:8000", "http://rm-1:8000")
    assert config.api_key() is not None
    assert "sk-1" not in repr(config)
    assert load_upstreams(None) == {}


def test_the_guide_has_an_entry_of_every_protocol(tmp_path: Path) -> None:
    page = (ROOT / "service/reward_gateway/guide/pages/models/upstreams.md").read_text("utf-8")
    _, block = [block for block in read_blocks(page) if block.mark == "upstreams"]
    Tokenizer(WordLevel({"a": 0}, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
    configs = load_upstreams(write(tmp_path, block.text))
    assert {config.protocol for config in configs.values()} == PROTOCOLS.keys()


def test_every_protocol_has_a_class_and_its_inputs() -> None:
    assert PROTOCOLS.keys() == INPUTS.keys()


def test_the_schema_accepts_what_the_service_does(tmp_path: Path) -> None:
    schema = jsonschema_rs.validator_for(json_schema())
    schema.validate(yaml.safe_load(EXAMPLE))
    assert not schema.is_valid({"upstreams": {"a": {"protocol": "telepathy"}}})
    assert not schema.is_valid({"upstreams": {"a": {"protocol": "openrlhf", "colour": "red"}}})
    described = json_schema()["$defs"]["UpstreamConfig"]["properties"]
    assert all(field.get("description") or "$ref" in field for field in described.values())


@pytest.mark.parametrize(("protocol", "chosen"), [("vllm_classify", "messages"), ("tei_rerank", "pair")])
def test_the_input_is_the_protocols_first_unless_the_entry_says_another(
    tmp_path: Path, protocol: str, chosen: str
) -> None:
    assert load_upstreams(write_entry(tmp_path, protocol=protocol))["rm"].input == chosen


def test_a_request_may_hold_the_whole_conversation(tmp_path: Path) -> None:
    form = {"body": {"chat": "{messages}"}, "answer": "score"}
    config = load_upstreams(write_entry(tmp_path, protocol="http", input="messages", http=form))["rm"]
    question = Question([{"role": "user", "content": "Why?"}], "Why?", "So.")
    assert MappedHttp(config).build_call([question]).body == {"chat": question.messages}


FAULTY: list[Any] = [
    ({"protocol": "telepathy"}, "upstreams.rm.protocol: "),
    ({"colour": "red"}, "upstreams.rm.colour: "),
    ({"urls": None}, "name the server by urls or by dns"),
    ({"dns": "http://rm"}, "name the server by urls or by dns"),
    ({"urls": ["rm:8000"]}, "upstreams.rm.urls.0: must be http://host"),
    ({"urls": ["http://user:hunter2@rm"]}, "must have no user"),
    ({"urls": ["http://rm?key=hunter2"]}, "must have no user, query or fragment"),
    ({"urls": ["http://rm", "http://rm/"]}, "one address twice"),
    ({"urls": ["grpc://rm:1"]}, "grpc:// is an address for the protocol oip"),
    ({"urls": ["grpc://rm"], "protocol": "oip", "model": "m", "tensors": {"inputs": {"prompt": "P"}}}, "its port"),
    ({"input": "pair"}, "vllm_classify takes as `input`: messages, text, response"),
    ({"input": "text"}, "`input: text` and `template` go together"),
    ({"template": "t"}, "`input: text` and `template` go together"),
    ({"dimensions": ["a", "a"]}, "one number twice"),
    ({"dimensions": []}, "upstreams.rm.dimensions: "),
    ({"protocol": "oip"}, "oip needs `tensors`"),
    ({"words": {"positive": "yes"}}, "vllm_classify has no use for `words`"),
    ({"protocol": "word_logprob", "words": {"positive": "yes"}}, "word_logprob needs `model`"),
    ({"protocol": "openrlhf", "activation": "sigmoid"}, "cannot be asked for an activation"),
    ({"activation": "softmax"}, "softmax of one number is always 1"),
    ({"vector": True}, "vector needs vllm_pooling, or word_logprob with `step_mark`"),
    ({"images": True, "input": "response"}, "images needs `input: messages`"),
    ({"truncate": True}, "need `max_tokens`"),
    ({"truncate": True, "max_tokens": 9, "protocol": "tei_predict"}, "truncate needs `tokenizer`"),
    ({"tokenizer": "t.json", "max_tokens": 9}, "tokenizer needs an `input` that is text here"),
    ({"step_mark": "+"}, "step_mark needs"),
    ({"api_key_env": "A", "api_key_file": "b"}, "by api_key_env or by api_key_file"),
    ({"api_key_env": "NO_SUCH_KEY_HERE"}, "NO_SUCH_KEY_HERE is empty"),
    ({"api_key_file": "absent"}, "api_key_file cannot be read"),
    ({"template": "absent", "input": "text"}, "there is no file absent"),
    ({"limits": {"batch": 0}}, "upstreams.rm.limits.batch: "),
    ({"protocol": "http", "http": {"body": {}, "answer": "a["}}, "upstreams.rm.http.answer: is no JMESPath"),
    ({"protocol": "http", "http": {"body": {"x": 1}, "answer": "a", "rows": "x"}}, "`rows` names a key"),
    ({"protocol": "http", "http": {"body": "{colour}", "answer": "a"}}, "only fields of a sample can be named"),
    ({"protocol": "http", "http": {"body": "{text}", "answer": "a"}}, "{text} needs `input: text`"),
]


@pytest.mark.parametrize(("more", "says"), FAULTY)
def test_a_fault_is_told_with_its_place_and_without_a_secret(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    (fault,) = faults_of(write_entry(tmp_path, **more))
    assert fault.startswith("upstreams.rm")
    assert says in fault
    assert "hunter2" not in fault


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = "upstreams:\n  a: {protocol: x}\n  'b c': {}\n  d: {protocol: openrlhf, urls: [ftp://x], nonsense: 1}\n"
    faults = faults_of(write(tmp_path, text))
    assert {fault.partition(":")[0] for fault in faults} == {
        "upstreams.a.protocol",
        "upstreams",
        "upstreams.d.urls.0",
        "upstreams.d.nonsense",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("upstreams: [", "line 1 is not YAML"),
        ("upstreams:\n  a: {}\n  a: {}\n", "line 3 holds a key that its mapping has already"),
        ("judges: []", "one mapping named upstreams"),
        ("upstreams: []", "one mapping named upstreams"),
        ("", "one mapping named upstreams"),
    ],
)
def test_a_file_that_is_none_says_where(tmp_path: Path, text: str, says: str) -> None:
    (fault,) = faults_of(write(tmp_path, text))
    assert says in fault


def test_a_key_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-9\n")
    first = load_upstreams(write_entry(tmp_path, api_key_file="key"))["rm"]
    key = first.api_key()
    assert key is not None
    assert key.get_secret_value() == "sk-9"
    (tmp_path / "key").write_text("sk-10")
    assert load_upstreams(write_entry(tmp_path, api_key_file="key"))["rm"] != first


def test_an_entry_whose_template_changed_is_another(tmp_path: Path) -> None:
    path = write_entry(tmp_path, input="text", template="t")
    (tmp_path / "t").write_text("{{ messages[0].content }}")
    first = load_upstreams(path)["rm"]
    assert load_upstreams(path)["rm"] == first
    (tmp_path / "t").write_text("{{ messages[-1].content }}")
    assert load_upstreams(path)["rm"] != first


def test_a_tokenizer_that_is_none_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "t").write_text('{"version": "1.0"}')
    (fault,) = faults_of(write_entry(tmp_path, input="response", tokenizer="t", max_tokens=9))
    assert fault == "upstreams.rm: tokenizer: is no tokenizer.json, as the tokenizers library writes it"


def test_a_template_that_is_no_jinja_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("{% if %}")
    (fault,) = faults_of(write_entry(tmp_path, input="text", template="t"))
    assert fault.startswith("upstreams.rm: template: The chat template is not valid Jinja")


@pytest.mark.parametrize(
    ("fallbacks", "fault"),
    [
        ({"a": "a"}, "upstreams.a.fallback: is the entry itself"),
        ({"a": "b", "b": "a"}, "upstreams.a.fallback: leads back to where it began (a → b → a)"),
    ],
)
def test_a_fallback_is_another_model(tmp_path: Path, fallbacks: dict[str, str], fault: str) -> None:
    entries = {
        name: {"protocol": "vllm_classify", "urls": ["http://h"], "fallback": fallback}
        for name, fallback in fallbacks.items()
    }
    with pytest.raises(UpstreamsFileError) as raised:
        load_upstreams(write(tmp_path, yaml.safe_dump({"upstreams": entries})))
    assert fault in raised.value.faults


def test_a_fallback_may_be_a_model_that_is_served_elsewhere(tmp_path: Path) -> None:
    entry = {"protocol": "vllm_classify", "urls": ["http://h"], "fallback": "small_rm"}
    read = load_upstreams(write(tmp_path, yaml.safe_dump({"upstreams": {"a": entry}})))
    assert read["a"].fallback == "small_rm"
