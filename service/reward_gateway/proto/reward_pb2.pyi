from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreRequest(_message.Message):
    __slots__ = ("reward", "samples", "options")
    REWARD_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    reward: str
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    options: Options
    def __init__(self, reward: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ..., options: _Optional[_Union[Options, _Mapping]] = ...) -> None: ...

class ScoreResponse(_message.Message):
    __slots__ = ("reward", "recipe_version", "results", "usage", "timing_ms", "answer", "groups")
    class GroupsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GroupStats
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GroupStats, _Mapping]] = ...) -> None: ...
    REWARD_FIELD_NUMBER: _ClassVar[int]
    RECIPE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TIMING_MS_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    reward: str
    recipe_version: str
    results: _containers.RepeatedCompositeFieldContainer[Result]
    usage: Usage
    timing_ms: Timing
    answer: str
    groups: _containers.MessageMap[str, GroupStats]
    def __init__(self, reward: _Optional[str] = ..., recipe_version: _Optional[str] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., timing_ms: _Optional[_Union[Timing, _Mapping]] = ..., answer: _Optional[str] = ..., groups: _Optional[_Mapping[str, GroupStats]] = ...) -> None: ...

class GroupStats(_message.Message):
    __slots__ = ("n", "mean", "std", "all_equal", "accuracy", "keep")
    N_FIELD_NUMBER: _ClassVar[int]
    MEAN_FIELD_NUMBER: _ClassVar[int]
    STD_FIELD_NUMBER: _ClassVar[int]
    ALL_EQUAL_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    n: int
    mean: float
    std: float
    all_equal: bool
    accuracy: float
    keep: bool
    def __init__(self, n: _Optional[int] = ..., mean: _Optional[float] = ..., std: _Optional[float] = ..., all_equal: _Optional[bool] = ..., accuracy: _Optional[float] = ..., keep: _Optional[bool] = ...) -> None: ...

class ScoreStreamRequest(_message.Message):
    __slots__ = ("reward", "options", "sample")
    REWARD_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    reward: str
    options: Options
    sample: Sample
    def __init__(self, reward: _Optional[str] = ..., options: _Optional[_Union[Options, _Mapping]] = ..., sample: _Optional[_Union[Sample, _Mapping]] = ...) -> None: ...

class ScoreStreamResponse(_message.Message):
    __slots__ = ("reward", "recipe_version", "result")
    REWARD_FIELD_NUMBER: _ClassVar[int]
    RECIPE_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    reward: str
    recipe_version: str
    result: Result
    def __init__(self, reward: _Optional[str] = ..., recipe_version: _Optional[str] = ..., result: _Optional[_Union[Result, _Mapping]] = ...) -> None: ...

class SubmitJobRequest(_message.Message):
    __slots__ = ("reward", "samples", "options", "deliver", "expires_s", "queue", "callback")
    class Deliver(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        DELIVER_UNSPECIFIED: _ClassVar[SubmitJobRequest.Deliver]
        DELIVER_SAMPLE: _ClassVar[SubmitJobRequest.Deliver]
        DELIVER_GROUP: _ClassVar[SubmitJobRequest.Deliver]
        DELIVER_JOB: _ClassVar[SubmitJobRequest.Deliver]
    DELIVER_UNSPECIFIED: SubmitJobRequest.Deliver
    DELIVER_SAMPLE: SubmitJobRequest.Deliver
    DELIVER_GROUP: SubmitJobRequest.Deliver
    DELIVER_JOB: SubmitJobRequest.Deliver
    REWARD_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DELIVER_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_S_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    CALLBACK_FIELD_NUMBER: _ClassVar[int]
    reward: str
    samples: _containers.RepeatedCompositeFieldContainer[Sample]
    options: Options
    deliver: SubmitJobRequest.Deliver
    expires_s: int
    queue: bool
    callback: str
    def __init__(self, reward: _Optional[str] = ..., samples: _Optional[_Iterable[_Union[Sample, _Mapping]]] = ..., options: _Optional[_Union[Options, _Mapping]] = ..., deliver: _Optional[_Union[SubmitJobRequest.Deliver, str]] = ..., expires_s: _Optional[int] = ..., queue: _Optional[bool] = ..., callback: _Optional[str] = ...) -> None: ...

class SubmitJobResponse(_message.Message):
    __slots__ = ("job", "status", "samples", "durable", "expires_s")
    JOB_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    DURABLE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_S_FIELD_NUMBER: _ClassVar[int]
    job: str
    status: str
    samples: int
    durable: bool
    expires_s: int
    def __init__(self, job: _Optional[str] = ..., status: _Optional[str] = ..., samples: _Optional[int] = ..., durable: _Optional[bool] = ..., expires_s: _Optional[int] = ...) -> None: ...

class JobResultsRequest(_message.Message):
    __slots__ = ("job", "after", "wait_s")
    JOB_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    job: str
    after: str
    wait_s: float
    def __init__(self, job: _Optional[str] = ..., after: _Optional[str] = ..., wait_s: _Optional[float] = ...) -> None: ...

class JobResultsResponse(_message.Message):
    __slots__ = ("job", "status", "reward", "recipe_version", "samples", "completed", "results", "cursor", "answer", "usage", "error", "groups")
    class GroupsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: GroupStats
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[GroupStats, _Mapping]] = ...) -> None: ...
    JOB_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    RECIPE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    job: str
    status: str
    reward: str
    recipe_version: str
    samples: int
    completed: int
    results: _containers.RepeatedCompositeFieldContainer[JobResult]
    cursor: str
    answer: str
    usage: Usage
    error: Error
    groups: _containers.MessageMap[str, GroupStats]
    def __init__(self, job: _Optional[str] = ..., status: _Optional[str] = ..., reward: _Optional[str] = ..., recipe_version: _Optional[str] = ..., samples: _Optional[int] = ..., completed: _Optional[int] = ..., results: _Optional[_Iterable[_Union[JobResult, _Mapping]]] = ..., cursor: _Optional[str] = ..., answer: _Optional[str] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., groups: _Optional[_Mapping[str, GroupStats]] = ...) -> None: ...

class JobResult(_message.Message):
    __slots__ = ("index", "result")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    index: int
    result: Result
    def __init__(self, index: _Optional[int] = ..., result: _Optional[_Union[Result, _Mapping]] = ...) -> None: ...

class CancelJobRequest(_message.Message):
    __slots__ = ("job",)
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: str
    def __init__(self, job: _Optional[str] = ...) -> None: ...

class RunResultsRequest(_message.Message):
    __slots__ = ("run", "receipts", "empty", "max", "consumer", "visibility_s", "wait_s")
    RUN_FIELD_NUMBER: _ClassVar[int]
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    EMPTY_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    VISIBILITY_S_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    run: str
    receipts: _containers.RepeatedScalarFieldContainer[str]
    empty: bool
    max: int
    consumer: str
    visibility_s: float
    wait_s: float
    def __init__(self, run: _Optional[str] = ..., receipts: _Optional[_Iterable[str]] = ..., empty: _Optional[bool] = ..., max: _Optional[int] = ..., consumer: _Optional[str] = ..., visibility_s: _Optional[float] = ..., wait_s: _Optional[float] = ...) -> None: ...

class RunResultsResponse(_message.Message):
    __slots__ = ("results", "removed")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[QueuedResult]
    removed: int
    def __init__(self, results: _Optional[_Iterable[_Union[QueuedResult, _Mapping]]] = ..., removed: _Optional[int] = ...) -> None: ...

class QueuedResult(_message.Message):
    __slots__ = ("job", "index", "result", "group", "metadata", "receipt")
    JOB_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    job: str
    index: int
    result: Result
    group: str
    metadata: _struct_pb2.Struct
    receipt: str
    def __init__(self, job: _Optional[str] = ..., index: _Optional[int] = ..., result: _Optional[_Union[Result, _Mapping]] = ..., group: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., receipt: _Optional[str] = ...) -> None: ...

class Sample(_message.Message):
    __slots__ = ("id", "prompt", "prompt_messages", "response", "response_messages", "reference", "images", "frames", "steps", "group", "features", "metadata", "rubric", "references", "reference_value")
    class FeaturesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Feature
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Feature, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_VALUE_FIELD_NUMBER: _ClassVar[int]
    id: str
    prompt: str
    prompt_messages: Conversation
    response: str
    response_messages: Conversation
    reference: str
    images: _containers.RepeatedCompositeFieldContainer[Media]
    frames: _containers.RepeatedCompositeFieldContainer[Media]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    group: str
    features: _containers.MessageMap[str, Feature]
    metadata: _struct_pb2.Struct
    rubric: _containers.RepeatedCompositeFieldContainer[Criterion]
    references: _containers.RepeatedScalarFieldContainer[str]
    reference_value: _struct_pb2.Value
    def __init__(self, id: _Optional[str] = ..., prompt: _Optional[str] = ..., prompt_messages: _Optional[_Union[Conversation, _Mapping]] = ..., response: _Optional[str] = ..., response_messages: _Optional[_Union[Conversation, _Mapping]] = ..., reference: _Optional[str] = ..., images: _Optional[_Iterable[_Union[Media, _Mapping]]] = ..., frames: _Optional[_Iterable[_Union[Media, _Mapping]]] = ..., steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., group: _Optional[str] = ..., features: _Optional[_Mapping[str, Feature]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., rubric: _Optional[_Iterable[_Union[Criterion, _Mapping]]] = ..., references: _Optional[_Iterable[str]] = ..., reference_value: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class Conversation(_message.Message):
    __slots__ = ("messages",)
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    def __init__(self, messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("role", "content", "parts", "name", "tool_calls", "tool_call_id", "reasoning_content", "reasoning", "function_call", "refusal", "annotations", "audio", "tools", "task")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_ID_FIELD_NUMBER: _ClassVar[int]
    REASONING_CONTENT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_CALL_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    ANNOTATIONS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    role: str
    content: str
    parts: Parts
    name: str
    tool_calls: _struct_pb2.ListValue
    tool_call_id: str
    reasoning_content: str
    reasoning: str
    function_call: _struct_pb2.Struct
    refusal: _struct_pb2.Value
    annotations: _struct_pb2.Value
    audio: _struct_pb2.Value
    tools: _struct_pb2.Value
    task: _struct_pb2.Value
    def __init__(self, role: _Optional[str] = ..., content: _Optional[str] = ..., parts: _Optional[_Union[Parts, _Mapping]] = ..., name: _Optional[str] = ..., tool_calls: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., tool_call_id: _Optional[str] = ..., reasoning_content: _Optional[str] = ..., reasoning: _Optional[str] = ..., function_call: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., refusal: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., annotations: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., audio: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., tools: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., task: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class Parts(_message.Message):
    __slots__ = ("parts",)
    PARTS_FIELD_NUMBER: _ClassVar[int]
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("text", "image_url", "other")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_URL_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    text: str
    image_url: str
    other: _struct_pb2.Struct
    def __init__(self, text: _Optional[str] = ..., image_url: _Optional[str] = ..., other: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Media(_message.Message):
    __slots__ = ("data", "url")
    DATA_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    url: str
    def __init__(self, data: _Optional[bytes] = ..., url: _Optional[str] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("text", "score")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    text: str
    score: float
    def __init__(self, text: _Optional[str] = ..., score: _Optional[float] = ...) -> None: ...

class Criterion(_message.Message):
    __slots__ = ("text", "weight", "tags", "veto")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    VETO_FIELD_NUMBER: _ClassVar[int]
    text: str
    weight: float
    tags: _containers.RepeatedScalarFieldContainer[str]
    veto: bool
    def __init__(self, text: _Optional[str] = ..., weight: _Optional[float] = ..., tags: _Optional[_Iterable[str]] = ..., veto: _Optional[bool] = ...) -> None: ...

class Feature(_message.Message):
    __slots__ = ("number", "vector")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    number: float
    vector: Vector
    def __init__(self, number: _Optional[float] = ..., vector: _Optional[_Union[Vector, _Mapping]] = ...) -> None: ...

class Vector(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class Options(_message.Message):
    __slots__ = ("on_invalid", "default_reward", "cache", "explain", "deadline_ms", "chat_format")
    class OnInvalid(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ON_INVALID_UNSPECIFIED: _ClassVar[Options.OnInvalid]
        ON_INVALID_NULL: _ClassVar[Options.OnInvalid]
        ON_INVALID_FAIL: _ClassVar[Options.OnInvalid]
        ON_INVALID_DEFAULT: _ClassVar[Options.OnInvalid]
    ON_INVALID_UNSPECIFIED: Options.OnInvalid
    ON_INVALID_NULL: Options.OnInvalid
    ON_INVALID_FAIL: Options.OnInvalid
    ON_INVALID_DEFAULT: Options.OnInvalid
    class Cache(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CACHE_UNSPECIFIED: _ClassVar[Options.Cache]
        CACHE_USE: _ClassVar[Options.Cache]
        CACHE_REFRESH: _ClassVar[Options.Cache]
        CACHE_OFF: _ClassVar[Options.Cache]
    CACHE_UNSPECIFIED: Options.Cache
    CACHE_USE: Options.Cache
    CACHE_REFRESH: Options.Cache
    CACHE_OFF: Options.Cache
    ON_INVALID_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_REWARD_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    CHAT_FORMAT_FIELD_NUMBER: _ClassVar[int]
    on_invalid: Options.OnInvalid
    default_reward: float
    cache: Options.Cache
    explain: bool
    deadline_ms: float
    chat_format: str
    def __init__(self, on_invalid: _Optional[_Union[Options.OnInvalid, str]] = ..., default_reward: _Optional[float] = ..., cache: _Optional[_Union[Options.Cache, str]] = ..., explain: _Optional[bool] = ..., deadline_ms: _Optional[float] = ..., chat_format: _Optional[str] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("id", "reward", "rewards", "valid", "components", "flags", "error", "reward_raw", "recipe_version")
    class ComponentsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Component
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Component, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    REWARD_FIELD_NUMBER: _ClassVar[int]
    REWARDS_FIELD_NUMBER: _ClassVar[int]
    VALID_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REWARD_RAW_FIELD_NUMBER: _ClassVar[int]
    RECIPE_VERSION_FIELD_NUMBER: _ClassVar[int]
    id: str
    reward: float
    rewards: _struct_pb2.ListValue
    valid: bool
    components: _containers.MessageMap[str, Component]
    flags: _containers.RepeatedScalarFieldContainer[str]
    error: Error
    reward_raw: float
    recipe_version: str
    def __init__(self, id: _Optional[str] = ..., reward: _Optional[float] = ..., rewards: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., valid: _Optional[bool] = ..., components: _Optional[_Mapping[str, Component]] = ..., flags: _Optional[_Iterable[str]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., reward_raw: _Optional[float] = ..., recipe_version: _Optional[str] = ...) -> None: ...

class Component(_message.Message):
    __slots__ = ("raw", "value", "model", "model_version", "cached", "vector", "judge_answer", "skipped", "limit_s")
    RAW_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CACHED_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    JUDGE_ANSWER_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_S_FIELD_NUMBER: _ClassVar[int]
    raw: float
    value: float
    model: str
    model_version: str
    cached: bool
    vector: _struct_pb2.ListValue
    judge_answer: _struct_pb2.ListValue
    skipped: str
    limit_s: float
    def __init__(self, raw: _Optional[float] = ..., value: _Optional[float] = ..., model: _Optional[str] = ..., model_version: _Optional[str] = ..., cached: _Optional[bool] = ..., vector: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., judge_answer: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., skipped: _Optional[str] = ..., limit_s: _Optional[float] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "component", "param")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    PARAM_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    component: str
    param: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., component: _Optional[str] = ..., param: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("samples", "cache_hits", "cache_misses", "model_calls", "skipped")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    CACHE_HITS_FIELD_NUMBER: _ClassVar[int]
    CACHE_MISSES_FIELD_NUMBER: _ClassVar[int]
    MODEL_CALLS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    samples: int
    cache_hits: int
    cache_misses: int
    model_calls: int
    skipped: int
    def __init__(self, samples: _Optional[int] = ..., cache_hits: _Optional[int] = ..., cache_misses: _Optional[int] = ..., model_calls: _Optional[int] = ..., skipped: _Optional[int] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("total", "decode", "cache", "inference", "combine")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_FIELD_NUMBER: _ClassVar[int]
    COMBINE_FIELD_NUMBER: _ClassVar[int]
    total: float
    decode: float
    cache: float
    inference: float
    combine: float
    def __init__(self, total: _Optional[float] = ..., decode: _Optional[float] = ..., cache: _Optional[float] = ..., inference: _Optional[float] = ..., combine: _Optional[float] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ("kind", "name", "items", "params")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    PARAMS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    items: _struct_pb2.ListValue
    params: _struct_pb2.Struct
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., items: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., params: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ApplyTarget(_message.Message):
    __slots__ = ("kind", "name")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[ApplyResult]
    def __init__(self, results: _Optional[_Iterable[_Union[ApplyResult, _Mapping]]] = ...) -> None: ...

class ApplyResult(_message.Message):
    __slots__ = ("reward", "rewards", "details", "error")
    REWARD_FIELD_NUMBER: _ClassVar[int]
    REWARDS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    reward: float
    rewards: _struct_pb2.ListValue
    details: _struct_pb2.Struct
    error: Error
    def __init__(self, reward: _Optional[float] = ..., rewards: _Optional[_Union[_struct_pb2.ListValue, _Mapping]] = ..., details: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class ListRewardsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRewardsResponse(_message.Message):
    __slots__ = ("rewards", "default")
    REWARDS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    rewards: _containers.RepeatedCompositeFieldContainer[Reward]
    default: str
    def __init__(self, rewards: _Optional[_Iterable[_Union[Reward, _Mapping]]] = ..., default: _Optional[str] = ...) -> None: ...

class Reward(_message.Message):
    __slots__ = ("name", "description", "version", "inputs", "range", "components", "grouped", "stateful", "returns", "canary")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    COMPONENTS_FIELD_NUMBER: _ClassVar[int]
    GROUPED_FIELD_NUMBER: _ClassVar[int]
    STATEFUL_FIELD_NUMBER: _ClassVar[int]
    RETURNS_FIELD_NUMBER: _ClassVar[int]
    CANARY_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    version: str
    inputs: _containers.RepeatedScalarFieldContainer[str]
    range: Range
    components: _containers.RepeatedScalarFieldContainer[str]
    grouped: bool
    stateful: bool
    returns: str
    canary: Canary
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., version: _Optional[str] = ..., inputs: _Optional[_Iterable[str]] = ..., range: _Optional[_Union[Range, _Mapping]] = ..., components: _Optional[_Iterable[str]] = ..., grouped: _Optional[bool] = ..., stateful: _Optional[bool] = ..., returns: _Optional[str] = ..., canary: _Optional[_Union[Canary, _Mapping]] = ...) -> None: ...

class Canary(_message.Message):
    __slots__ = ("recipe", "version", "weight")
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    recipe: str
    version: str
    weight: float
    def __init__(self, recipe: _Optional[str] = ..., version: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class Range(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: float
    high: float
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class CatalogRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CatalogResponse(_message.Message):
    __slots__ = ("operations",)
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    operations: _containers.RepeatedCompositeFieldContainer[Operation]
    def __init__(self, operations: _Optional[_Iterable[_Union[Operation, _Mapping]]] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("kind", "name", "summary", "params_schema", "item_schema", "returns", "source", "fidelity", "stateful", "grouped")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    PARAMS_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    ITEM_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    RETURNS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FIDELITY_FIELD_NUMBER: _ClassVar[int]
    STATEFUL_FIELD_NUMBER: _ClassVar[int]
    GROUPED_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    summary: str
    params_schema: _struct_pb2.Struct
    item_schema: _struct_pb2.Struct
    returns: str
    source: Source
    fidelity: str
    stateful: bool
    grouped: bool
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., summary: _Optional[str] = ..., params_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., item_schema: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., returns: _Optional[str] = ..., source: _Optional[_Union[Source, _Mapping]] = ..., fidelity: _Optional[str] = ..., stateful: _Optional[bool] = ..., grouped: _Optional[bool] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("title", "url")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    title: str
    url: str
    def __init__(self, title: _Optional[str] = ..., url: _Optional[str] = ...) -> None: ...
