"""Bodies: both sides of the limit, bombs refused early, broken compression told from a large one."""

import gzip
import tracemalloc
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from reward_gateway.errors import MalformedBody, TooLarge, UnsupportedMediaType
from reward_gateway.traffic.body import MAX_FRAMES, declared_size, decompress, encoding_of

PACK = {"gzip": gzip.compress, "zstd": lambda data: zstandard.ZstdCompressor().compress(data)}
ENCODINGS = pytest.mark.parametrize("encoding", sorted(PACK))


@ENCODINGS
@given(data=st.binary(max_size=4000))
def test_what_was_compressed_comes_back(encoding: str, data: bytes) -> None:
    assert decompress(PACK[encoding](data), encoding, 4000) == data


@ENCODINGS
def test_the_limit_itself_passes_and_one_byte_more_does_not(encoding: str) -> None:
    assert len(decompress(PACK[encoding](b"x" * 5000), encoding, 5000)) == 5000
    with pytest.raises(TooLarge):
        decompress(PACK[encoding](b"x" * 5001), encoding, 5000)


@ENCODINGS
def test_a_bomb_is_refused_before_it_unfolds(encoding: str) -> None:
    bomb = PACK[encoding](bytes(200 << 20))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        decompress(bomb, encoding, 1 << 20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20


@ENCODINGS
@pytest.mark.parametrize("cut", [1, 5, 12])
def test_truncated_compression_is_malformed(encoding: str, cut: int) -> None:
    whole = PACK[encoding](b"some text that is compressed" * 50)
    with pytest.raises(MalformedBody):
        decompress(whole[:-cut], encoding, 1 << 20)


@ENCODINGS
@pytest.mark.parametrize("data", [b"", b"{}", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x00" * 40])
def test_what_is_no_compression_is_malformed(encoding: str, data: bytes) -> None:
    with pytest.raises(MalformedBody):
        decompress(data, encoding, 1 << 20)


@ENCODINGS
def test_rubbish_after_a_frame_is_malformed(encoding: str) -> None:
    with pytest.raises(MalformedBody):
        decompress(PACK[encoding](b"text") + b"rubbish", encoding, 1 << 20)


def test_a_wrong_checksum_is_malformed() -> None:
    data = bytearray(gzip.compress(b"text"))
    data[-6] ^= 1
    with pytest.raises(MalformedBody):
        decompress(bytes(data), "gzip", 1 << 20)


def test_a_raw_deflate_stream_is_no_gzip() -> None:
    with pytest.raises(MalformedBody):
        decompress(zlib.compress(b"text"), "gzip", 1 << 20)


@ENCODINGS
def test_a_few_concatenated_frames_are_one_body_and_thousands_are_not(encoding: str) -> None:
    assert decompress(PACK[encoding](b"a") * MAX_FRAMES, encoding, MAX_FRAMES) == b"a" * MAX_FRAMES
    with pytest.raises(MalformedBody):
        decompress(PACK[encoding](b"") * (MAX_FRAMES + 1), encoding, 1 << 20)


@ENCODINGS
def test_the_limit_counts_all_frames_together(encoding: str) -> None:
    with pytest.raises(TooLarge):
        decompress(PACK[encoding](b"x" * 600) * 2, encoding, 1000)


def test_a_zstd_window_over_what_http_allows_is_refused() -> None:
    params = zstandard.ZstdCompressionParameters.from_level(3, window_log=27, enable_ldm=True)
    big = zstandard.ZstdCompressor(compression_params=params).compressobj()
    data = big.compress(b"x" * 1000) + big.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) + big.flush()
    assert zstandard.get_frame_parameters(data).window_size == 128 << 20
    with pytest.raises(MalformedBody):
        decompress(data, "zstd", 1 << 20)


@pytest.mark.parametrize(
    ("header", "encoding"),
    [(None, None), ("", None), ("identity", None), ("gzip", "gzip"), (" GZIP ", "gzip"), ("zstd", "zstd")],
)
def test_known_encodings(header: str | None, encoding: str | None) -> None:
    assert encoding_of(header) == encoding


@pytest.mark.parametrize("header", ["br", "deflate", "gzip, gzip", "gzip;q=1", "*"])
def test_unknown_encodings_are_unsupported(header: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        encoding_of(header)


def test_the_declared_length_is_checked_before_anything_is_read() -> None:
    assert declared_size(None, 10) == 0
    assert declared_size("10", 10) == 10
    with pytest.raises(TooLarge):
        declared_size("11", 10)
    for wrong in ("-1", "ten", "1e3", "²", "1_0", "+1", "\u0661", "9" * 5000):
        with pytest.raises(MalformedBody):
            declared_size(wrong, 10)
