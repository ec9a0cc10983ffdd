"""Reads the models of a repository on disk from their ``config.pbtxt``, before they are served."""

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from reward_gateway.backends.port import ModelInfo
from reward_gateway.backends.triton.model_config import read_config


def models_of_repository(folder: Path) -> list[ModelInfo]:
    """Every model of the folder whose configuration can be read, with the versions in its folder."""
    infos = []
    for path in sorted(folder.glob("*/config.pbtxt")):
        try:
            config = text_format.Parse(path.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
        except (OSError, UnicodeDecodeError, text_format.ParseError):
            continue
        config.name = path.parent.name
        versions = sorted(int(place.name) for place in path.parent.iterdir() if place.name.isdecimal())
        model = read_config(config, str(versions[-1]) if versions else "1", ready=False)
        infos.append(model.with_versions(map(str, versions)).info)
    return infos
