"""The committed code of the published .proto."""

import subprocess
import sys


def test_the_committed_code_is_what_the_published_proto_gives() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "reward_gateway.proto.generate", "--check"], capture_output=True, text=True, check=False
    )

    assert answer.returncode == 0, answer.stderr


def test_our_package_leaves_the_library_of_the_same_name_alone() -> None:
    import grpc
    import reward_gateway.grpc

    assert grpc is not reward_gateway.grpc
    assert hasattr(grpc, "aio")
