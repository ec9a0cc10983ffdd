"""TRL's asynchronous trainer without a GPU: stand-ins for the three things that it has only on one.

Its trainer, rollout worker (a process of its own, which calls the rewards), queue, packing and loss are its own, and
vLLM generates. What is replaced:

- NCCL, by which new weights go to vLLM: here files, through the argument that TRL has for another way;
- FlashAttention 3, to which samples that share a prompt are packed: here torch;
- the name of the GPU, by which it says how busy that is.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import torch
from safetensors.torch import save_file
from trl.experimental.async_grpo import async_grpo_trainer, packing
from trl.experimental.async_grpo.vllm_client import VLLMClient


def set_up() -> None:
    """Run once, before a trainer is made."""
    packing._flash_attn = lambda: TorchAttention
    async_grpo_trainer.get_peak_flops_per_device = lambda *_: None


class WeightsByFile:
    """Writes each version of the policy to a folder, from which vLLM reads it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.vllm = VLLMClient(url)
        self.folder = folder

    def init_weight_transfer(self) -> None:
        self.folder.mkdir()

    def pause(self) -> None:
        self.vllm.pause()

    def send_weights(self, iterator: Iterator[tuple[str, torch.Tensor]]) -> None:
        save_file({name: weight.contiguous() for name, weight in iterator}, self.folder / "model.safetensors")
        body = {"method": "reload_weights", "kwargs": {"weights_path": str(self.folder)}}
        httpx.post(f"{self.vllm.server_url}/collective_rpc", json=body, timeout=60).raise_for_status()

    def resume(self) -> None:
        self.vllm.resume()

    def destroy(self) -> None: ...


class TorchAttention:
    """The one function that TRL takes of FlashAttention 3."""

    @staticmethod
    def flash_attn_varlen_func(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        starts_q: torch.Tensor,
        starts_k: torch.Tensor,
        longest_q: int,
        longest_k: int,
        *,
        softmax_scale: float,
        causal: bool,
        window_size: tuple[int, int],
    ) -> Any:
        """Attention of segments to their paths: [tokens, heads, size], each mask ending at its lower right corner."""
        assert causal
        assert window_size == (-1, -1)
        found = []
        for i in range(len(starts_q) - 1):
            q = query[starts_q[i] : starts_q[i + 1]].transpose(0, 1)
            k, v = (rows[starts_k[i] : starts_k[i + 1]].transpose(0, 1) for rows in (key, value))
            seen = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).tril(k.shape[1] - q.shape[1])
            one = torch.nn.functional.scaled_dot_product_attention(q, k, v, seen, scale=softmax_scale, enable_gqa=True)
            found.append(one.transpose(0, 1))
        return torch.cat(found)
