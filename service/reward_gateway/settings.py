"""Every setting, documented at its field: environment variables ``REWARD_GATEWAY_<NAME>`` and flags of ``serve``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """What an operator may set. Times in seconds unless the name ends in ``_ms``; sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="REWARD_GATEWAY_", extra="ignore")

    # Addresses
    http_host: str = Field("127.0.0.1", description="Address that HTTP and gRPC listen on. A public one needs keys.")
    http_port: int = Field(8080, ge=0, le=65535, description="HTTP port.")
    grpc_port: int = Field(8081, ge=0, le=65535, description="gRPC port; 0 turns gRPC off.")
    workers: int = Field(1, ge=1, le=64, description="Gateway processes that share the ports.")
    triton_url: str = Field(
        "", description="gRPC address of a Triton server (host:port). Empty: start the embedded one."
    )
    redis_url: str = Field(
        "", description="redis:// address of the Redis or Valkey that caches scores. Empty: start the embedded one."
    )
    state_redis_url: str = Field(
        "",
        description="redis:// address of the Redis or Valkey that keeps state: running statistics, cohorts, "
        "references, rates, monitoring windows and idempotency keys. It must not evict. Empty: the server of "
        "redis_url; where that is empty too, an embedded one of its own.",
    )

    # Files
    rewards_file: Path = Field(Path(__file__).with_name("rewards.yaml"), description="The recipes.")
    model_repository: Path = Field(PROJECT_ROOT / "models" / "repository", description="Triton's model repository.")
    state_dir: Path = Field(PROJECT_ROOT / ".local", description="Where the embedded servers keep logs and links.")
    triton_env: Path = Field(
        PROJECT_ROOT / ".venv" / "triton",
        description="Python environment of the embedded Triton: the server, and what its models import.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Models that the embedded Triton loads, comma separated. Empty: the default tier and all built.",
    )

    # CPU or GPU, for the models of the embedded Triton
    device: Literal["cpu", "gpu", "auto"] = Field(
        "cpu", description="Where models run: cpu, gpu (refused where none can be driven) or auto (a GPU if one can)."
    )
    gpus: Annotated[tuple[NonNegativeInt, ...], NoDecode] = Field(
        (), description="Numbers of the GPUs that every model has instances on, comma separated. Empty: all."
    )
    gpu_instances: int = Field(1, ge=1, description="Instances of a model on each GPU; each holds the weights.")
    gpu_memory: int = Field(0, ge=0, description="Bytes that one graph of an instance may take of a GPU; 0: no limit.")

    # Who may call
    api_keys_file: Path | None = Field(None, description="YAML file of API keys. Unset: no keys are asked for.")
    allow_unauthenticated: bool = Field(
        False, description="Serve a public address without keys. Only for a network that is closed by other means."
    )
    rate_limit: str | None = Field(
        None, description="Requests a key may make, for example 600/minute. Unset: no limit."
    )

    # Limits on the input (the exact value passes, one more does not)
    max_samples: int = Field(4096, ge=1, description="Samples a request.")
    max_text_chars: int = Field(200_000, ge=1, description="Characters a text field.")
    max_body_bytes: int = Field(64 << 20, ge=1, description="Bytes a body, as sent and as decompressed.")
    max_images: int = Field(16, ge=0, description="Images a sample.")
    max_frames: int = Field(256, ge=0, description="Frames a sample.")
    max_image_bytes: int = Field(20 << 20, ge=1, description="Bytes an image, encoded.")
    max_image_pixels: int = Field(40_000_000, ge=1, description="Pixels an image, known before it is decoded.")
    max_nesting: int = Field(64, ge=1, description="Levels of JSON nesting; the body's own braces are level 1.")
    max_name_chars: int = Field(256, ge=1, description="Characters of an id or of an X- header of ours.")

    # Images that samples name by an address
    media_urls: bool = Field(
        False,
        description="Fetch https images that samples name; from public addresses alone, at each redirect too.",
    )
    media_url_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts that images are fetched from, comma separated; *.example.org is every name under it. "
        "Empty: every public host.",
    )
    media_url_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        (443, 80), description="Ports that images are fetched from, comma separated."
    )
    media_url_http: bool = Field(
        False, description="Fetch from http:// addresses too, which anybody on the way can change."
    )
    max_media_urls: int = Field(
        1024, ge=1, description="Different addresses a request; all they give counts as its body."
    )
    media_url_timeout_s: float = Field(10.0, gt=0, description="Time for one image, with its redirects.")
    media_url_connect_s: float = Field(3.0, gt=0, description="Time for a connection to one address of a host.")
    media_url_concurrency: int = Field(16, ge=1, description="Images that a worker fetches at once.")

    # Time and load
    default_deadline_s: float = Field(120.0, gt=0, description="Deadline of a request that names none.")
    max_deadline_s: float = Field(600.0, gt=0, description="Longest deadline that a request may ask for.")
    max_in_flight: int = Field(512, ge=1, description="Requests that are worked on at once.")
    max_queued: int = Field(4096, ge=0, description="Requests that may wait for a place; one more is answered 503.")
    queue_timeout_s: float = Field(30.0, gt=0, description="Longest wait for a place.")
    drain_s: float = Field(20.0, ge=0, description="Time that requests under way have to finish at shutdown.")
    max_infer_calls: int = Field(4, ge=1, description="Infer calls in flight a model; what waits is coalesced.")
    triton_ready_s: float = Field(120.0, gt=0, description="How long the embedded Triton may take to load its models.")

    # Models while they are served
    max_head_bytes: int = Field(32 << 20, ge=1, description="Bytes of an uploaded head.")
    keep_versions: int = Field(
        3, ge=1, description="Uploaded versions of a model that stay served; recipes keep those that they name."
    )

    # State
    state_redis_max_memory: str = Field(
        "256mb", description="Memory of the embedded Valkey that keeps state; when it is full, changes are refused."
    )
    idempotency_ttl_s: float = Field(
        900.0, gt=0, description="How long a request's idempotency key and its recorded answers are remembered."
    )

    # Cache of raw scores
    cache_ttl_s: float = Field(86_400.0, gt=0, description="How long a raw score is remembered.")
    cache_memory_entries: int = Field(0, ge=0, description="Entries of the in-process level before Redis; 0: none.")
    cache_timeout_ms: float = Field(100.0, gt=0, description="Longest wait for Redis before a lookup counts as a miss.")
    cache_breaker_failures: int = Field(5, ge=1, description="Failures in a row after which Redis is left alone.")
    cache_breaker_pause_s: float = Field(
        0.5,
        gt=0,
        description="Time after which one call tries Redis again; doubled after each that fails, up to ten times.",
    )
    redis_max_memory: str = Field(
        "256mb", description="Memory of the embedded Valkey that caches scores; the least used scores go first."
    )

    # Judges and code
    judges_file: Path | None = Field(None, description="YAML file of OpenAI-compatible judges.")
    allow_untrusted_code: bool = Field(False, description="Run callers' programs and SQL in the sandbox.")

    # Dialects
    dialect_failures: dict[str, float | Literal["error"]] = Field(
        {},
        description="What a sample without a score becomes in a dialect, where its own policy is not wanted: JSON, "
        'for example {"nemo_gym": "error", "openrlhf": -1}. A number is trained on as if it were a score.',
    )

    pickle: bool = Field(
        False, description="Read Flow-GRPO's and verl-omni's pickles (restricted), from this machine or with a key."
    )

    # Open Inference Protocol
    oip_tokenizer: Path | None = Field(
        None, description="tokenizer.json of the policy, for clients that send token ids (NeMo-Aligner, trlX)."
    )

    # Telemetry
    log_level: str = Field("info", description="debug, info, warning or error.")
    log_json: bool = Field(False, description="One JSON object a log line.")
    otlp_endpoint: SecretStr | None = Field(None, description="OTLP address for traces (extra: tracing).")

    @property
    def state_store_url(self) -> str:
        """Address of the store of state: its own, else that of the cache; empty where there is neither."""
        return self.state_redis_url or self.redis_url

    @property
    def run_directory(self) -> Path:
        """The folder of a running stack's logs; no two stacks share a port."""
        return self.state_dir.resolve() / "run" / str(self.http_port)

    @field_validator("redis_url", "state_redis_url")
    @classmethod
    def _has_scheme(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "unix://")):
            address = url.rpartition("://")[2].rpartition("@")[2]  # no password in a message
            raise ValueError(f"an address of Redis begins with redis://, rediss:// or unix://; write redis://{address}")
        return url

    @field_validator("triton_url")
    @classmethod
    def _is_host_and_port(cls, url: str) -> str:
        host, _, port = url.rpartition(":")
        if url and not url.startswith(("dns:", "unix:")) and ("://" in url or not host or not port.isdecimal()):
            raise ValueError("the gRPC address of Triton is host:port without http://, for example triton:8001")
        return url

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("an OTLP address begins with http:// or https://, for example http://localhost:4317")
        return url

    @field_validator("models", "gpus", "media_url_hosts", "media_url_ports", mode="before")
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
