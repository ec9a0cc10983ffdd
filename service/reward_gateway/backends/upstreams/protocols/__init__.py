"""How upstreams are asked: one file per kind of server. To add one, add a file with its classes and name them here."""

from .base import CallContent, RowAnswers, UpstreamProtocol
from .infinity import InfinityClassify, InfinityRerank
from .mapped import MappedHttp
from .oip import OpenInference
from .openrlhf import OpenRlhf
from .sglang import SglangClassify, SglangRerank
from .tei import TeiPredict, TeiRerank
from .vllm import VllmClassify, VllmPooling, VllmRerank, VllmScore
from .words import WordLogprob

PROTOCOLS: dict[str, type[UpstreamProtocol]] = {
    "vllm_classify": VllmClassify,
    "vllm_pooling": VllmPooling,
    "vllm_score": VllmScore,
    "vllm_rerank": VllmRerank,
    "sglang_classify": SglangClassify,
    "sglang_rerank": SglangRerank,
    "tei_predict": TeiPredict,
    "tei_rerank": TeiRerank,
    "infinity_classify": InfinityClassify,
    "infinity_rerank": InfinityRerank,
    "word_logprob": WordLogprob,
    "oip": OpenInference,
    "openrlhf": OpenRlhf,
    "http": MappedHttp,
}
"""The protocols by the name that an upstream's entry gives."""

__all__ = ["PROTOCOLS", "CallContent", "RowAnswers", "UpstreamProtocol"]
