"""Train the head of robot_progress on simulated episodes, and write down what it was trained on.

    python -m reward_models.train.robot --data DIR     # torch; then: reward-gateway models evaluate robot_progress

DIR holds what :mod:`reward_models.train.robot_episodes` made. Episodes :data:`UNSEEN` of every task, and the tasks of
``HELD_OUT``, are trained on in no way. The network above the frozen features is small and trained with AdamW, from
one seed on one thread: the same head every time on one machine.

Negatives are RoboReward's (arXiv:2601.00675): a frame beside another task's instruction counts as no progress
(counterfactual relabelling), and every frame of an episode is an end that was clipped short, with its own reward.
"""

import argparse
import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reward_models.evaluate.report import pin_head
from reward_models.repository import REPOSITORY
from reward_models.repository import card as cards
from reward_models.repository.files import hash_file as file_hash
from reward_models.runtime.encoder import Limit, TextEncoder
from reward_models.runtime.progress import Eye, normalize_rows
from reward_models.runtime.session import Device
from reward_models.train.robot_tasks import HELD_OUT, INSTRUCTIONS, KNOWN, UNSEEN, disturb_frames, load_episodes

Array = NDArray[np.float32]
NAME = "robot_progress"
TRAINED_PHRASES = 2
"""How many of a task's three instructions are trained on."""

WIDTH, TEXT_WIDTH, HIDDEN, DROPOUT = 96, 64, 256, 0.2
EPOCHS, BATCH, RATE, DECAY = 30, 128, 2e-3, 0.05
RELABELLED = 0.2
"""Share of the frames of a batch that are shown beside another instruction."""


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames in order: maps [n, F], task [n], the frame's first of the episode [n], progress and success [n]."""

    maps: Array
    tasks: NDArray[np.int64]
    firsts: NDArray[np.int64]
    progress: Array
    success: Array


def read_frames(eye: Eye, shown: list[dict[str, Any]]) -> Frames:
    """The frames of episodes through the network, first as they are, then disturbed."""
    names = list(INSTRUCTIONS)
    maps: list[NDArray[np.float16]] = []
    firsts: list[int] = []
    shown = shown + [{**episode, "frames": disturb_frames(episode)} for episode in shown]
    for done, episode in enumerate(shown, 1):
        firsts += [len(maps)] * len(episode["frames"])
        maps += [
            m.astype(np.float16) for m in eye.compute_maps([eye.prepare_pixels(frame) for frame in episode["frames"]])
        ]
        if done % 100 == 0:
            print(f"{done} of {len(shown)} episodes read", flush=True)
    return Frames(
        np.stack(maps).astype(np.float32),
        np.array([names.index(episode["task"]) for episode in shown for _ in episode["frames"]]),
        np.array(firsts),
        np.concatenate([episode["progress"] for episode in shown]).astype(np.float32),
        np.concatenate([episode["solved"] for episode in shown]).astype(np.float32),
    )


class Network(nn.Module):  # type: ignore[misc, unused-ignore]
    """What :class:`reward_models.runtime.progress.ProgressHead` computes, to be trained."""

    def __init__(self, features: int, words: int) -> None:
        super().__init__()
        self.frame, self.text = nn.Linear(features, WIDTH), nn.Linear(words, TEXT_WIDTH)
        self.inner, self.outer = nn.Linear(2 * WIDTH + TEXT_WIDTH, HIDDEN), nn.Linear(HIDDEN, 2)
        self.drop = nn.Dropout(DROPOUT)

    def forward(self, first: Tensor, current: Tensor, said: Tensor) -> Tensor:
        start, now = self.frame(self.drop(first)), self.frame(self.drop(current))
        parts = [gelu(now), gelu(now - start), self.text(said)]
        logits: Tensor = self.outer(self.drop(gelu(self.inner(torch.cat(parts, 1)))))
        return logits


def gelu(x: Tensor) -> Tensor:
    """The form that the head computes."""
    return functional.gelu(x, approximate="tanh")


def fit_head(frames: Frames, instructions: Array) -> dict[str, Array]:
    """The head's arrays. ``instructions`` [tasks, phrases, 384], of length 1."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    mean, spread = frames.maps.mean(0), float(frames.maps.std(0).mean())
    maps, said = torch.from_numpy((frames.maps - mean) / spread), torch.from_numpy(instructions)
    network = Network(maps.shape[1], said.shape[-1])
    size = len(maps)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * -(-size // BATCH))
    known = np.array([list(INSTRUCTIONS).index(task) for task in KNOWN])
    for epoch in range(EPOCHS):
        rng = np.random.default_rng(epoch)
        order = rng.permutation(size)
        for start in range(0, size, BATCH):
            rows = order[start : start + BATCH]
            relabelled = rng.random(len(rows)) < RELABELLED
            tasks = np.where(relabelled, rng.choice(known, len(rows)), frames.tasks[rows])
            own = torch.from_numpy((tasks == frames.tasks[rows]).astype(np.float32))
            phrases = rng.integers(0, TRAINED_PHRASES, len(rows))
            logits = network(maps[frames.firsts[rows]], maps[rows], said[tasks, phrases])
            progress, success = (torch.from_numpy(values[rows]) * own for values in (frames.progress, frames.success))
            loss = 4.0 * functional.smooth_l1_loss(torch.sigmoid(logits[:, 0]), progress, beta=0.1)
            loss = loss + 0.3 * functional.binary_cross_entropy_with_logits(logits[:, 1], success)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.4f}", flush=True)
    layers = {name: layer for name, layer in network.named_children() if isinstance(layer, nn.Linear)}
    weights = {name: layer.weight.detach().numpy().T for name, layer in layers.items()}
    biases = {name: layer.bias.detach().numpy() for name, layer in layers.items()}
    frame = (weights["frame"] / spread).astype(np.float16)  # the bias makes up for what rounding does to the mean
    return {
        "frame": frame,
        "frame_bias": biases["frame"] - mean @ frame.astype(np.float32),
        "text": weights["text"].astype(np.float16),
        "text_bias": biases["text"],
        "w0": weights["inner"].astype(np.float16),
        "b0": biases["inner"],
        "w1": weights["outer"],
        "b1": biases["outer"],
    }


def fit_familiarity(instructions: Array) -> tuple[Array, float]:
    """The trained instructions [m, 384], and the cosine that an instruction must have with one of them to count as
    known: what 19 of 20 untrained phrases of every other task have. Those of the rest are left to measure it."""
    known = instructions[:, :TRAINED_PHRASES].reshape(-1, instructions.shape[-1])
    nearest = (instructions[::2, TRAINED_PHRASES] @ known.T).max(1)
    return known, round(float(np.quantile(nearest, 0.05)), 3)


def train_head(data: Path, repository: Path) -> dict[str, Any]:
    """Train and write the head; returns what it was trained on."""
    model = repository / NAME
    folder, settings = model / cards.VERSION_FOLDER, cards.read_card(model).content["settings"]
    phrases = [phrase for told in INSTRUCTIONS.values() for phrase in told]
    encoded = TextEncoder(folder, Device()).encode_texts(phrases, Limit(**settings["prompt"])).embeddings
    instructions = normalize_rows(encoded).astype(np.float32).reshape(len(INSTRUCTIONS), -1, encoded.shape[1])
    shown = load_episodes(data, KNOWN, unseen=False)
    arrays: dict[str, Any] = fit_head(
        read_frames(Eye(folder, Device(), settings["frames"]["side"]), shown), instructions
    )
    trained = [list(INSTRUCTIONS).index(task) for task in KNOWN]
    known, familiar = fit_familiarity(instructions[trained])
    arrays |= {"known": known.astype(np.float16), "familiar": np.float32(familiar)}
    np.savez_compressed(folder / "head.npz", **arrays)
    pin_head(model, file_hash(folder / "head.npz"))
    contents = sha256(b"".join(sorted(sha256(b"".join(episode["frames"])).digest() for episode in shown)))
    return {
        "trained_on": {"episodes": len(shown), "frames": sum(len(e["frames"]) for e in shown), "tasks": len(KNOWN)},
        "never_trained_on": {"episodes_of_each_task": list(UNSEEN), "tasks": list(HELD_OUT)},
        "familiar": familiar,
        "frames_sha256": contents.hexdigest(),
        "head_sha256": file_hash(folder / "head.npz"),
    }


def main() -> None:
    """Train; the figures are measured by ``models evaluate``."""
    parser = argparse.ArgumentParser(description="Train the head of robot_progress.")
    parser.add_argument("--data", type=Path, required=True, help="the folder with the episodes")
    parser.add_argument("--repository", type=Path, default=REPOSITORY)
    arguments = parser.parse_args()
    report = train_head(arguments.data, arguments.repository)
    path = arguments.repository / NAME / "evaluation.json"
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else {"quality": {}}
    path.write_text(json.dumps(kept | report, indent=1) + "\n", "utf-8")
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
