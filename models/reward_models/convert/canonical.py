"""SigLIP's first tokeniser (SentencePiece's model, text in small letters without punctuation) as a fast one.

``transformers`` has it in Python only. The comparison of scores holds what is built here to it.
"""

import string
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers.convert_slow_tokenizer import import_protobuf

from reward_models.convert.errors import Refused

SPACE = "▁"
"""What SentencePiece writes for a space."""


def build_tokenizer(tokenizer: Any) -> Tokenizer:
    """The fast form of a ``SiglipTokenizer``. Raises Refused if its model is not one of unigrams."""
    model: sentencepiece.SentencePieceProcessor = tokenizer.sp_model
    said = import_protobuf().ModelProto()
    said.ParseFromString(model.serialized_model_proto())
    if said.trainer_spec.model_type != said.trainer_spec.UNIGRAM:
        raise Refused("Its SentencePiece model is not one of unigrams: save the tokeniser as tokenizer.json.")
    pieces = [(piece.piece, piece.score) for piece in said.pieces]
    built = Tokenizer(models.Unigram(pieces, said.trainer_spec.unk_id, said.trainer_spec.byte_fallback))
    charsmap = said.normalizer_spec.precompiled_charsmap
    built.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(SPACE, " "),
            *[normalizers.Lowercase()] * tokenizer.do_lower_case,
            *(normalizers.Replace(mark, "") for mark in string.punctuation),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            *([normalizers.Precompiled(charsmap)] if charsmap else []),
        ]
    )
    built.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
    end = tokenizer.eos_token
    built.post_processor = processors.TemplateProcessing(
        single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)]
    )
    specials = {str(token) for token in (tokenizer.unk_token, end, tokenizer.pad_token) if token}
    built.add_special_tokens([AddedToken(token, lstrip=True, rstrip=True, normalized=False) for token in specials])
    return built
