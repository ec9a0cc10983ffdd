"""Every setting, documented at its field: environment variables ``REWARD_GATEWAY_<NAME>`` and flags of ``serve``."""

import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, SecretStr, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from reward_gateway.redis_servers.address import SCHEMES, Access, RedisAddress, parse_address

PROJECT_ROOT = Path(__file__).resolve().parents[2]


KEEP_SAMPLES = 10_000
"""Samples that are kept where the operator switches it on without a number."""

COMPUTE_PROCESSES = max(2, min(4, (os.cpu_count() or 1) // 2))

GROUPS = {
    "http_host": "Addresses",
    "redis_username": "How Redis is opened",
    "rewards_file": "Files and models",
    "device": "CPU or GPU",
    "api_keys_file": "Who may call",
    "max_samples": "Limits on the input",
    "media_urls": "Images that samples name by an address",
    "default_deadline_s": "Time and load",
    "max_head_bytes": "Models while they are served",
    "state_redis_max_memory": "State",
    "run_history_bytes": "Training runs",
    "keep_samples": "Samples that are kept",
    "jobs": "Jobs",
    "cache_ttl_s": "Cache of raw scores",
    "upstreams_file": "Upstreams, judges and code",
    "dialect_failures": "Trainers' dialects",
    "oip_tokenizer": "Open Inference Protocol",
    "log_level": "Logs and traces",
}
"""The first setting of each group -> the group's title; a group ends where the next begins."""

DEFAULT_IN_WORDS = "x-default"
"""Key of a field's schema: its default for people, where it differs from machine to machine."""


def variable_of(setting: str) -> str:
    """The environment variable of a setting."""
    return f"REWARD_GATEWAY_{setting.upper()}"


def flag_of(setting: str) -> str:
    """The flag of ``serve`` for a setting."""
    return "--" + setting.replace("_", "-")


class RunLimits(BaseModel):
    """What the rewards of a training run should keep to.

    Attributes:
        mean: lowest and highest mean of a row.
        zero_variance_share: highest share of groups whose rewards are all equal.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: tuple[float, float] | None = None
    zero_variance_share: float | None = Field(None, ge=0, le=1)


class Settings(BaseSettings):
    """Settings of a gateway. Times are in seconds unless the name ends in ``_ms``; sizes are in bytes."""

    model_config = SettingsConfigDict(env_prefix="REWARD_GATEWAY_", extra="ignore", allow_inf_nan=False)

    # Addresses
    http_host: str = Field(
        "127.0.0.1", description="Address that HTTP and gRPC listen on. A public one requires API keys."
    )
    http_port: int = Field(8080, ge=0, le=65535, description="HTTP port.")
    grpc_port: int = Field(8081, ge=0, le=65535, description="gRPC port; 0 turns gRPC off.")
    workers: int = Field(1, ge=1, le=64, description="Number of gateway processes, which share the ports.")
    triton_url: str = Field(
        "",
        description="gRPC address of a Triton server (host:port or unix:PATH), or several, comma separated: a model is "
        "asked where it is, and replicas of one share its calls. dns:///host:port stands for a server at every address "
        "of the name, looked up every few seconds. Empty: start the embedded one.",
    )
    redis_url: str = Field(
        "",
        description="Address of the Redis or Valkey that caches scores: redis://, rediss:// (TLS), unix://, "
        "redis+sentinel://HOST:PORT,HOST:PORT/MASTER or redis+cluster://HOST:PORT,HOST:PORT (rediss+… with TLS). "
        "Empty: start the embedded one.",
    )
    state_redis_url: str = Field(
        "",
        description="Address, of the same forms, of the Redis or Valkey that keeps state: running statistics, cohorts, "
        "references, rates, monitoring windows and idempotency keys. It must not evict. Empty: the server of "
        "redis_url, or a second embedded server if redis_url is empty too.",
    )

    # How Redis is opened
    redis_username: str = Field("", description="User of the access list (ACL) of redis_url. Empty: the default user.")
    redis_password: SecretStr | None = Field(None, description="Its password; that of the address if unset.")
    redis_ca: Path | None = Field(
        None, description="Authorities that redis_url's certificate is checked against (PEM). Unset: this machine's."
    )
    redis_certificate: Path | None = Field(None, description="Client certificate for redis_url (PEM), with redis_key.")
    redis_key: Path | None = Field(None, description="Private key of redis_certificate (PEM).")
    redis_sentinel_username: str = Field("", description="User of the Sentinels of redis_url.")
    redis_sentinel_password: SecretStr | None = Field(None, description="Password of the Sentinels of redis_url.")
    state_redis_username: str = Field("", description="As redis_username, of state_redis_url.")
    state_redis_password: SecretStr | None = Field(None, description="As redis_password, of state_redis_url.")
    state_redis_ca: Path | None = Field(None, description="As redis_ca, of state_redis_url.")
    state_redis_certificate: Path | None = Field(None, description="As redis_certificate, of state_redis_url.")
    state_redis_key: Path | None = Field(None, description="As redis_key, of state_redis_url.")
    state_redis_sentinel_username: str = Field("", description="As redis_sentinel_username, of state_redis_url.")
    state_redis_sentinel_password: SecretStr | None = Field(
        None, description="As redis_sentinel_password, of state_redis_url."
    )
    state_replicas: int = Field(
        0,
        ge=0,
        le=16,
        description="Replicas that must confirm every change of state (WAIT) before it is answered; fewer: the request "
        "gets state_unavailable. Set 1, and min-replicas-to-write 1 on the servers, where replicas may take over.",
    )

    # Files
    rewards_file: Path = Field(Path(__file__).with_name("rewards.yaml"), description="YAML file of the recipes.")
    canary_weights: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {},
        description="Share of the groups that the canary of a recipe scores, in place of its weight in the file: "
        'JSON, for example {"helpful": 0.1}; 0 rolls the canary back, 1 promotes it. Read at the start.',
    )
    tasks_file: Path | None = Field(
        None,
        description="JSONL file of tasks that OpenReward and OpenEnv clients are given: a prompt per line, with its "
        "reference and further fields of a sample, and its split and reward. Read at the start. Unset: clients name "
        "their own tasks.",
    )
    model_repository: Path = Field(PROJECT_ROOT / "models" / "repository", description="Triton's model repository.")
    state_dir: Path = Field(PROJECT_ROOT / ".local", description="Folder for logs and files of the embedded servers.")
    triton_env: Path = Field(
        PROJECT_ROOT / ".venv" / "triton",
        description="Python environment of the embedded Triton: the server and the packages that its models import.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Models that the embedded Triton loads, comma separated. Empty: the default tier and all built.",
    )

    # CPU or GPU, for the models of the embedded Triton
    device: Literal["cpu", "gpu", "auto"] = Field(
        "cpu",
        description="Where models run: cpu, gpu (an error if no GPU is usable) or auto (a GPU if one is usable).",
    )
    gpus: Annotated[tuple[NonNegativeInt, ...], NoDecode] = Field(
        (), description="Indices of the GPUs that every model has instances on, comma separated. Empty: all."
    )
    gpu_instances: int = Field(1, ge=1, description="Instances per model on each GPU; each holds the weights.")
    gpu_memory: int = Field(0, ge=0, description="Maximum GPU memory per graph of an instance, in bytes; 0: no limit.")

    remember_inputs: bool | None = Field(
        None,
        description="Whether models of the embedded Triton keep what they computed of recent texts and frames, which "
        "makes equal ones faster, whoever sent them. Unset: unless API keys are required.",
    )

    # Who may call
    api_keys_file: Path | None = Field(None, description="YAML file of API keys. Unset: no keys are required.")
    allow_unauthenticated: bool = Field(
        False,
        description="Allow a public address without API keys. Only for a network that is protected by other means.",
    )
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Names under which the gateway is reached, comma separated; *.example.org matches every subdomain. "
        "On a loopback address, only localhost, 127.0.0.1, ::1 and these are answered, so that no web page can reach "
        "it by a name of its own; * turns that off. On a public address, naming some refuses all others.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Addresses or networks of proxies, comma separated, for example 10.0.0.0/8: what they add to "
        "X-Forwarded-For is taken for the address of a console's visitor, by whom wrong keys are counted. Unset: the "
        "header is not read.",
    )
    tls_certificate: Path | None = Field(
        None,
        description="PEM file of the certificate (and those between it and the root) with which HTTP and gRPC speak "
        "TLS (1.2 or later), and nothing else. Read again when it changes. Unset: no TLS.",
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key, not encrypted.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file of the authorities whose certificates clients must have (mutual TLS); over HTTP, health "
        "checks and metrics need none. Unset: clients need no certificate.",
    )
    console: bool = Field(True, description="Serve the console: pages for people, at / and under /console.")
    root_path: str = Field(
        "",
        description="Path under which a proxy serves the gateway, for example /rewards, with which pages then begin "
        "their links. Requests may arrive with or without it.",
    )
    rate_limit: str | None = Field(
        None, description="Maximum request rate per API key, for example 600/minute. Unset: no limit."
    )

    # Limits on the input (inclusive)
    max_samples: int = Field(4096, ge=1, description="Maximum samples per request.")
    max_text_chars: int = Field(200_000, ge=1, description="Maximum characters per text field.")
    max_body_bytes: int = Field(64 << 20, ge=1, description="Maximum bytes per request body, as sent and decompressed.")
    max_body_bytes_in_flight: int = Field(
        1 << 30,
        ge=1,
        description="Maximum bytes of all request bodies and WebSocket messages that a worker holds, at least "
        "max_body_bytes; a caller (API key or address) may hold as many as are still free. Over gRPC this many bytes "
        "by max_body_bytes messages, at least 4, are received at once.",
    )
    max_header_bytes: int = Field(32 << 10, ge=1024, description="Maximum bytes of a request's line and headers.")
    max_headers: int = Field(128, ge=1, description="Maximum headers per request.")
    max_images: int = Field(16, ge=0, description="Maximum images per sample.")
    max_frames: int = Field(256, ge=0, description="Maximum frames per sample.")
    max_image_bytes: int = Field(20 << 20, ge=1, description="Maximum bytes per encoded image.")
    max_image_pixels: int = Field(40_000_000, ge=1, description="Maximum pixels per image, checked before decoding.")
    max_nesting: int = Field(64, ge=1, description="Maximum depth of JSON nesting; the top-level object is level 1.")
    max_sessions: int = Field(
        4096, ge=1, description="Maximum open sessions per caller, of OpenReward and OpenEnv clients."
    )
    max_message_bytes: int = Field(
        4 << 20, ge=1024, description="Maximum bytes of a message of a WebSocket (of OpenEnv clients)."
    )
    max_name_chars: int = Field(256, ge=1, description="Maximum characters of an id or a custom X- header.")

    plain_text: Literal["accept", "refuse"] = Field(
        "accept",
        description="What to do with a text without chat marks from a client that sends prompt and response in one "
        "text: accept it as the response to an empty prompt, flagged plain_text, or refuse it. Recipes may differ.",
    )

    # Images that samples refer to by URL
    media_urls: bool = Field(
        False,
        description="Fetch images from https URLs in samples; only from public addresses, also after redirects.",
    )
    media_url_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts that images may be fetched from, comma separated; *.example.org matches every subdomain. "
        "Empty: every public host.",
    )
    media_url_ports: Annotated[tuple[int, ...], NoDecode] = Field(
        (443, 80), description="Ports that images may be fetched from, comma separated."
    )
    media_url_http: bool = Field(
        False, description="Also fetch from http:// URLs, whose content can be changed in transit."
    )
    max_media_urls: int = Field(
        1024, ge=1, description="Maximum distinct image URLs per request; fetched bytes count towards max_body_bytes."
    )
    media_url_timeout_s: float = Field(10.0, gt=0, description="Timeout for fetching one image, including redirects.")
    media_url_connect_s: float = Field(3.0, gt=0, description="Timeout for connecting to one address of a host.")
    media_url_concurrency: int = Field(16, ge=1, description="Maximum images that a worker fetches concurrently.")

    # Time and load
    default_deadline_s: float = Field(120.0, gt=0, description="Deadline of a request that does not set one.")
    max_deadline_s: float = Field(600.0, gt=0, description="Maximum deadline that a request may set.")
    max_in_flight: int = Field(512, ge=1, description="Maximum requests processed concurrently.")
    max_queued: int = Field(4096, ge=0, description="Maximum requests in the queue; further ones are answered 503.")
    max_queue_wait_s: float = Field(
        20.0,
        gt=0,
        description="Maximum predicted wait in the queue; a request that would wait longer, or past its deadline, is "
        "answered 503 at once, with the predicted wait as Retry-After.",
    )
    queue_timeout_s: float = Field(
        30.0, gt=0, description="Maximum time that a request waits in the queue, where the prediction was too short."
    )
    compute_processes: int = Field(
        COMPUTE_PROCESSES,
        ge=1,
        le=64,
        json_schema_extra={DEFAULT_IN_WORDS: "half of the cores, at least 2 and at most 4"},
        description="Processes of each worker for operations that may take over 20 ms; up to twice as many while "
        "several callers want one each.",
    )
    math_processes: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Processes of each worker that compare mathematical answers which need computer algebra, and half "
        "as many for those that take long. Default: one per core, at least 2.",
    )
    compute_memory: int = Field(
        2 << 30,
        ge=256 << 20,
        description="Maximum bytes that an operation may allocate in such a process; over it the request fails.",
    )
    drain_delay_s: float = Field(
        0.0,
        ge=0,
        description="Time after SIGTERM in which requests are still accepted while readiness already fails, so that a "
        "load balancer stops sending them before they are refused: longer than its health checks take. Where a Pod's "
        "preStop hook waits, 0.",
    )
    drain_s: float = Field(
        20.0, ge=0, description="Time that requests in flight have to finish at shutdown, after drain_delay_s."
    )
    max_connections: int = Field(
        8192,
        ge=1,
        description="Maximum HTTP connections per worker, and as many for gRPC, within the limit of open files. For "
        "another one the connection that has waited longest for a request is closed; if none waits, only health "
        "checks are answered.",
    )
    max_websockets: int = Field(
        4096,
        ge=2,
        description="Maximum WebSockets per worker, and at most half of its connections; a caller (API key or address) "
        "may hold as many as are still free. Further ones are answered 503.",
    )
    header_timeout_s: float = Field(10.0, gt=0, description="Time that a request's headers have to arrive.")
    idle_timeout_s: float = Field(75.0, gt=0, description="Time after which a connection without a request is closed.")
    websocket_idle_s: float = Field(
        900.0, gt=0, description="Time after which a WebSocket without a message is closed, and its episode is over."
    )
    body_grace_s: float = Field(
        10.0,
        gt=0,
        description="Time that a body or a WebSocket's message has to arrive, beyond what min_body_rate gives it.",
    )
    min_body_rate: float = Field(
        1024.0,
        gt=0,
        description="Minimum bytes per second of a body or a WebSocket's message; after body_grace_s a slower body is "
        "answered 408, and the WebSocket of a slower message is closed.",
    )
    max_infer_calls: int = Field(4, ge=1, description="Maximum concurrent infer calls per model.")
    max_in_flight_ms: float = Field(
        50.0,
        gt=0,
        description="Maximum predicted time of a model's infer calls in flight: what a request that just came waits "
        "for. Large requests are sent in pieces accordingly; a call of one row is always allowed.",
    )
    triton_ready_s: float = Field(120.0, gt=0, description="Maximum time for the embedded Triton to load its models.")

    # Model updates
    max_head_bytes: int = Field(32 << 20, ge=1, description="Maximum bytes of an uploaded head.")
    keep_versions: int = Field(
        3, ge=1, description="Number of uploaded versions of a model that stay served, besides those that recipes name."
    )

    # State
    state_redis_max_memory: str = Field(
        "256mb",
        description="Maximum memory of the embedded Valkey for state; when full, changes are refused.",
    )
    idempotency_ttl_s: float = Field(
        900.0, gt=0, description="How long an idempotency key and its recorded answers are kept."
    )

    run_history_bytes: int = Field(
        64 << 20,
        ge=0,
        description="Bytes that the history of training runs may take (GET /v1/runs), in the state store or, without "
        "one, in each worker; beyond it the runs seen least recently are forgotten. 0: no history is kept.",
    )

    usage_days: int = Field(
        400,
        ge=0,
        le=3660,
        description="Days for which the usage of each API key is kept (GET /v1/usage). 0: it is not counted.",
    )
    run_alerts: dict[str, RunLimits] = Field(
        {},
        description="Limits of training runs, which are reported to run_alert_url when a run leaves them: JSON, by "
        "recipe or * for every other one, for example "
        '{"math": {"mean": [0.05, 0.98], "zero_variance_share": 0.9}}: the mean of a step (or, without steps, of a '
        "minute) outside the band, or a larger share of groups whose rewards are all equal; of 32 samples or more.",
    )
    run_alert_url: str = Field("", description="Address that run_alerts are reported to, by a signed POST: http(s)://…")
    run_alert_secret: SecretStr | None = Field(
        None, description="Secret that signs what is sent to run_alert_url, as callbacks of jobs are signed."
    )

    # Samples, which are kept only where this is set
    keep_samples: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Samples to keep after their answer (GET /v1/samples, the console's Samples page): chosen by "
        "chance, and the extremes of each recipe, with prompt, response, reference and rubric, in the state store or, "
        "without one, in each worker. `on` keeps 10000. 0: nothing is kept. A key may be exempt (keep_samples: false).",
    )
    keep_samples_ttl_s: float = Field(86_400.0, ge=1, description="How long a sample is kept.")
    keep_samples_bytes: int = Field(64 << 20, ge=1 << 20, description="Bytes that kept samples may take.")

    # Jobs, whose answers are not waited for
    jobs: bool = Field(True, description="Accept jobs (POST /v1/jobs); off refuses them.")
    max_job_samples: int = Field(131_072, ge=1, description="Maximum samples per job.")
    max_job_body: int = Field(256 << 20, ge=1, description="Maximum bytes per body of a job.")
    max_waiting_samples: int = Field(
        1 << 20,
        ge=1,
        description="Maximum samples of jobs that wait, of all callers; one may hold as many as are still free.",
    )
    max_jobs: int = Field(4096, ge=1, description="Maximum jobs that are not finished.")
    job_concurrency: int = Field(4, ge=1, le=256, description="Pieces of jobs that a worker scores at once.")
    job_expires_s: int = Field(
        3600, ge=60, le=86_400, description="Seconds without progress after which a job is forgotten."
    )

    callback_targets: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Hosts that may be notified when a job ends, comma separated, each http(s)://HOST[:PORT].",
    )

    # Cache of raw scores
    cache_ttl_s: float = Field(86_400.0, gt=0, description="How long a raw score is cached.")
    cache_memory_entries: int = Field(
        20_000,
        ge=0,
        description="Scores that each worker also keeps in its own memory, for a minute at a time: a third of a "
        "kilobyte each (7 MB), and never more kilobytes than entries (20 MB). Answers kept for requests that come "
        "again take at most as much again. 0: every lookup goes to Redis, every request is scored.",
    )
    cache_timeout_ms: float = Field(100.0, gt=0, description="Timeout for Redis; then a lookup counts as a miss.")
    cache_breaker_failures: int = Field(
        5, ge=1, description="Consecutive failures that open the circuit breaker for Redis."
    )
    cache_breaker_pause_s: float = Field(
        0.5,
        gt=0,
        description="Time until the open breaker lets one call try Redis again; doubled per failure, up to ten times.",
    )
    redis_max_memory: str = Field(
        "256mb",
        description="Maximum memory of the embedded Valkey for scores; the least recently used are evicted.",
    )

    # Upstreams, judges and code
    upstreams_file: Path | None = Field(
        None,
        description="YAML file of upstreams: reward models on other servers, such as vLLM, SGLang, TEI or infinity. "
        "Reloaded when it changes; reward-gateway upstreams check FILE checks it.",
    )
    judges_file: Path | None = Field(None, description="YAML file of OpenAI-compatible judges.")
    allow_untrusted_code: bool = Field(False, description="Run programs and SQL from requests in the sandbox.")
    sandboxes_file: Path | None = Field(
        None, description="YAML file of remote sandboxes (SandboxFusion, Piston) that code_stdio may use by name."
    )
    sql_databases: Path | None = Field(
        None,
        description="Folder of SQLite databases that queries may read by name: NAME/NAME.sqlite, as Spider and BIRD "
        "have them, or NAME.sqlite.",
    )
    sandbox_processes: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Programs that each worker runs at the same time. Default: one per core, at most 16.",
    )
    sandbox_python: Path | None = Field(
        None,
        description="Interpreter for programs, 3.11 or later: its environment's packages (numpy) can be imported. "
        "Default: the gateway's interpreter, with the standard library alone.",
    )
    sandbox_memory: int = Field(
        512 << 20, ge=128 << 20, description="Bytes of address space of a program; numpy and pandas want 2 GB."
    )

    # Dialects
    dialect_failures: dict[str, float | Literal["error"]] = Field(
        {},
        description="Overrides a dialect's policy for samples without a score: JSON, "
        'for example {"unirl": "error", "openrlhf": -1}. The trainer uses a number as if it were a score.',
    )
    nemo_gym_failures: Literal["error", "body"] = Field(
        "error",
        description="What NeMo-Gym's clients get for a sample without a score. error: 422 or 503. body: 200 with "
        "reward 0.0 and _ng_failure_class, which only NeMo-Gym's own collector reads; others train on the 0.",
    )

    pickle: bool = Field(
        False,
        description="Accept pickles of Flow-GRPO and verl-omni (restricted), from this machine or with an API key.",
    )

    # Open Inference Protocol
    oip_tokenizer: Path | None = Field(
        None, description="tokenizer.json of the policy, for clients that send token ids (NeMo-Aligner, trlX)."
    )

    # Telemetry
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Log level: debug, info, warning or error."
    )
    log_json: bool = Field(False, description="Write each log line as a JSON object.")
    access_log: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of requests that are logged, one line each, at level info: 1 is every request, 0.01 one in a"
        " hundred, 0 none. Probes and scrapes are left out; failures of the gateway are always logged.",
    )
    otlp_endpoint: SecretStr | None = Field(None, description="OTLP endpoint for traces (needs the extra tracing).")
    otlp_runs: bool = Field(
        False,
        description="Also send the rewards of training runs to otlp_endpoint, as metrics with the run as an attribute.",
    )

    @property
    def triton_urls(self) -> tuple[str, ...]:
        """The addresses of ``triton_url``."""
        return tuple(filter(None, map(str.strip, self.triton_url.split(","))))

    @property
    def state_store_url(self) -> str:
        """Address of the state store: ``state_redis_url``, or ``redis_url`` if that is empty; empty if both are."""
        return self.state_redis_url or self.redis_url

    @property
    def redis_address(self) -> RedisAddress | None:
        """Where raw scores are cached, with what opens it; None: nowhere that is set."""
        access = Access(
            self.redis_username,
            _read_secret(self.redis_password),
            self.redis_ca,
            self.redis_certificate,
            self.redis_key,
            self.redis_sentinel_username,
            _read_secret(self.redis_sentinel_password),
        )
        return parse_address(self.redis_url).opened_by(access) if self.redis_url else None

    @property
    def state_address(self) -> RedisAddress | None:
        """Where state is kept, with what opens it; None: nowhere that is set."""
        access = Access(
            self.state_redis_username,
            _read_secret(self.state_redis_password),
            self.state_redis_ca,
            self.state_redis_certificate,
            self.state_redis_key,
            self.state_redis_sentinel_username,
            _read_secret(self.state_redis_sentinel_password),
        )
        return parse_address(self.state_redis_url).opened_by(access) if self.state_redis_url else self.redis_address

    @property
    def remembers_inputs(self) -> bool:
        """Whether models keep results between calls: ``remember_inputs``, or whether all callers are one."""
        return self.api_keys_file is None if self.remember_inputs is None else self.remember_inputs

    def for_jobs(self) -> "Settings":
        """The settings with the limits that hold for jobs."""
        return self.model_copy(update={"max_samples": max(self.max_samples, self.max_job_samples)})

    @property
    def run_directory(self) -> Path:
        """The folder for the logs of the stack on this port; two stacks never share a port."""
        return self.state_dir.resolve().joinpath(*self.run_names)

    @property
    def run_names(self) -> tuple[str, str]:
        """The path of :attr:`run_directory` within the state directory."""
        return "run", str(self.http_port)

    @field_validator("keep_samples", mode="before")
    @classmethod
    def _is_switch(cls, value: object) -> object:
        word = value.lower() if isinstance(value, str) else value
        return {"on": KEEP_SAMPLES, "true": KEEP_SAMPLES, "off": 0, "false": 0}.get(word, word)  # type: ignore[call-overload]

    @field_validator("root_path")
    @classmethod
    def _is_path(cls, path: str) -> str:
        path = path.rstrip("/")
        if path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", path):
            raise ValueError("write a path such as /rewards, of letters, digits and ._~-")
        return path

    @model_validator(mode="after")
    def _can_tell_alerts(self) -> Self:
        if self.run_alerts and not (self.run_alert_url and self.run_alert_secret):
            raise ValueError("run_alerts needs run_alert_url and run_alert_secret")
        if self.run_alert_url and not self.run_alert_url.startswith(("http://", "https://")):
            raise ValueError("run_alert_url begins with http:// or https://")
        return self

    @field_validator("redis_url", "state_redis_url")
    @classmethod
    def _has_scheme(cls, url: str) -> str:
        if re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):\d+", url):
            return f"redis://{url}"
        if url and not url.startswith(SCHEMES):
            address = url.rpartition("://")[2].rpartition("@")[2]  # no password in a message
            raise ValueError(f"an address of Redis begins with {', '.join(SCHEMES)}; write redis://{address}")
        return url

    @model_validator(mode="after")
    def _opens_named_servers(self) -> Self:
        files, sentinels = ("ca", "certificate", "key"), ("sentinel_username", "sentinel_password")
        for store in ("redis", "state_redis"):
            url = getattr(self, f"{store}_url")
            for name in ("username", "password", *files, *sentinels):
                if not getattr(self, f"{store}_{name}"):
                    continue
                if not url:
                    raise ValueError(f"{store}_{name} opens the server of {store}_url: set that, too")
                if name in files and not url.startswith("rediss"):
                    raise ValueError(f"{store}_{name} is for TLS: write {store}_url as rediss://… or rediss+…://…")
                if name in sentinels and "+sentinel://" not in url:
                    raise ValueError(f"{store}_{name} is for Sentinels: {store}_url names none")
            if getattr(self, f"{store}_key") and not getattr(self, f"{store}_certificate"):
                raise ValueError(f"{store}_key needs {store}_certificate")
        return self

    @field_validator("triton_url")
    @classmethod
    def _is_host_and_port(cls, urls: str) -> str:
        for url in filter(None, map(str.strip, urls.split(","))):
            address = url.removeprefix("dns:///")
            host, _, port = address.rpartition(":")
            if url.startswith("unix:"):
                continue
            if "/" in address or not host or not (port.isdecimal() and int(port) <= 65535):
                raise ValueError(
                    "the gRPC address of Triton is host:port without http://, for example triton:8001, or "
                    "dns:///triton:8001 for every address of the name"
                )
        return urls

    @field_validator("redis_max_memory", "state_redis_max_memory")
    @classmethod
    def _is_memory(cls, size: str) -> str:
        if not re.fullmatch(r"\d+([kmg]b?|b)?", size.lower(), re.ASCII):
            raise ValueError("write bytes, or a number with kb, mb or gb, for example 512mb; 0: no limit")
        return size

    @field_validator("allowed_hosts", "media_url_hosts")
    @classmethod
    def _are_host_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if re.search(r"[/\s@?#]", name) or ("*" in name and not re.fullmatch(r"\*|\*\.[^*]+", name)):
                raise ValueError(f"write the name alone, for example gateway.example.org or *.example.org, not {name}")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"write an address or a network, for example 10.0.0.0/8, not {network}") from None
        return networks

    @field_validator("log_level", mode="before")
    @classmethod
    def _to_lower_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("otlp_endpoint")
    @classmethod
    def _is_http(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("an OTLP address begins with http:// or https://, for example http://localhost:4317")
        return url

    @field_validator(
        *("models", "gpus", "allowed_hosts", "trusted_proxies", "media_url_hosts", "media_url_ports"),
        "callback_targets",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _read_secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def group_settings() -> dict[str, dict[str, FieldInfo]]:
    """The settings by the title of their group, in their order."""
    groups: dict[str, dict[str, FieldInfo]] = {}
    title = ""
    for name, field in Settings.model_fields.items():
        title = GROUPS.get(name, title)
        groups.setdefault(title, {})[name] = field
    return groups


def describe_default(field: FieldInfo) -> str:
    """The default of a setting for people, without this machine's paths; empty if there is none."""
    words = field.json_schema_extra
    if isinstance(words, dict) and DEFAULT_IN_WORDS in words:
        return str(words[DEFAULT_IN_WORDS])
    if isinstance(field.default, Path) and field.default.is_relative_to(PROJECT_ROOT):
        return str(field.default.relative_to(PROJECT_ROOT))
    if isinstance(field.default, tuple):
        return ",".join(map(str, field.default))
    return "" if field.default in (None, "", {}) else str(field.default)
