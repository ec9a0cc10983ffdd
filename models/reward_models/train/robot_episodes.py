"""Make the episodes that robot_progress is trained and measured on: Meta-World tasks, simulated and filmed.

    python -m venv ENV && ENV/bin/pip install metaworld==3.1.1 mujoco==3.3.0 msgpack packaging pillow
    apt-get install libosmesa6
    PYTHONPATH=models ENV/bin/python -m reward_models.train.robot_episodes --out DIR

Twenty episodes of each of fifty tasks, by three kinds of policies around the scripted expert of the task: the expert
(8), one with noise on its actions (6), and one that breaks off and then rests or wanders (6). An episode is a file
``DIR/TASK/NN.msgpack``: the policy, the moments of its frames, the frames as JPEG, and for each frame the task's
dense reward (0 to 10) and whether the task is solved. Every episode has a seed of its own; one that is there already
is left alone, so that the script can be stopped and started again. Ten minutes or so on one core.
"""

import argparse
import os
import warnings
import zlib
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

from reward_models.train.robot_tasks import INSTRUCTIONS

POLICIES = ("expert",) * 8 + ("noisy",) * 6 + ("broken",) * 6
SIDE, FRAMES, QUALITY = 224, 12, 90
STEPS = 250
"""Control steps of an episode at most; the slowest expert needs some 200."""
AFTER = 25
"""Steps that an episode goes on for once it is solved, or once its policy has broken off (twice as many)."""
CAMERA, FIELD_OF_VIEW = "corner2", 38.0


class Film:
    """The camera of an environment, set for speed: no shadows, no reflections, no antialiasing."""

    def __init__(self, model: Any) -> None:
        import mujoco

        model.vis.quality.shadowsize = 0
        model.vis.quality.offsamples = 0
        model.camera(CAMERA).fovy[:] = FIELD_OF_VIEW
        self._renderer = mujoco.Renderer(model, SIDE, SIDE)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = 0

    def shot(self, data: Any) -> bytes:
        """What the camera sees now, as a JPEG. The camera hangs upside down."""
        from PIL import Image

        self._renderer.update_scene(data, camera=CAMERA)
        buffer = BytesIO()
        upright = np.ascontiguousarray(self._renderer.render()[::-1, ::-1])
        Image.fromarray(upright).save(buffer, "JPEG", quality=QUALITY)
        return buffer.getvalue()

    def close(self) -> None:
        self._renderer.close()


class Hand:
    """A policy around the expert: as it is, with noise, or broken off at some step."""

    def __init__(self, expert: Any, kind: str, rng: np.random.Generator) -> None:
        self._expert, self._kind, self._rng = expert, kind, rng
        self._noise = {"expert": 0.05, "noisy": rng.uniform(0.3, 1.2), "broken": 0.1}[kind]
        self.breaks_at = int(rng.integers(5, 90)) if kind == "broken" else STEPS
        self._wanders = rng.random() < 0.5
        self._drift = rng.uniform(-1, 1, 4)

    def act(self, step: int, seen: Any) -> Any:
        """Velocities of the hand and the gripper's effort, each -1 to 1."""
        if step >= self.breaks_at:
            rest = np.array([0.0, 0.0, 0.0, self._drift[3]])
            wander = 0.6 * self._drift + self._rng.normal(0.0, 0.6, 4)
            return np.clip(wander if self._wanders else rest, -1, 1)
        action = self._expert.get_action(seen) + self._rng.normal(0.0, self._noise, 4) * (1, 1, 1, 0.3)
        return np.clip(action, -1, 1)


def film_episode(env: Any, film: Film, task: str, index: int, hand: Hand) -> dict[str, Any]:
    """Simulate one episode and film it; the frames are chosen afterwards, when its length is known."""
    import mujoco

    seen, _ = env.reset()
    states, rewards, solved = [read_state(env)], [0.0], [False]
    solved_at = None
    for step in range(STEPS):
        seen, reward, _, _, info = env.step(hand.act(step, seen))
        states.append(read_state(env))
        rewards.append(float(reward))
        solved.append(bool(info["success"]))
        solved_at = step if solved_at is None and solved[-1] else solved_at
        if (solved_at is not None and step >= solved_at + AFTER) or step >= hand.breaks_at + 2 * AFTER:
            break
    rewards[0] = rewards[1]  # a reward follows an action: the start is worth what the first step is
    moments = choose_moments(len(states), np.random.default_rng([zlib.crc32(task.encode()), index]))
    frames = []
    for moment in moments:
        restore_state(env, states[moment])
        mujoco.mj_forward(env.model, env.data)
        frames.append(film.shot(env.data))
    return {
        "task": task,
        "index": index,
        "policy": POLICIES[index],
        "moments": moments,
        "frames": frames,
        "rewards": [rewards[moment] for moment in moments],
        "solved": [solved[moment] for moment in moments],
    }


def read_state(env: Any) -> Any:
    """What fixes the picture: joints, the mocap body that pulls the hand, and the sites (goals are sites)."""
    return env.data.qpos.copy(), env.data.mocap_pos.copy(), env.data.mocap_quat.copy(), env.model.site_pos.copy()


def restore_state(env: Any, kept: Any) -> None:
    """Put an environment back into a state."""
    env.data.qpos[:], env.data.mocap_pos[:], env.data.mocap_quat[:], env.model.site_pos[:] = kept


def choose_moments(length: int, rng: np.random.Generator) -> list[int]:
    """Moments of the frames: the first, the last, and one out of each stretch of equal length between."""
    edges = np.linspace(1, length - 1, FRAMES - 1)
    stretches = ((int(low), int(high)) for low, high in pairwise(edges))
    between = [int(rng.integers(low, max(high, low + 1))) for low, high in stretches]
    return sorted({0, *between, length - 1})


def make_episodes(task: str, out: Path) -> Iterator[Path]:
    """Make what is missing of a task."""
    import metaworld
    from metaworld.policies import ENV_POLICY_MAP

    paths = [out / task / f"{index:02d}.msgpack" for index in range(len(POLICIES))]
    if all(path.is_file() for path in paths):
        return
    env = metaworld.ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{task}-goal-observable"](seed=0)
    env._freeze_rand_vec, env.seeded_rand_vec = False, True  # a new layout for every episode, by its seed
    film = Film(env.model)
    (out / task).mkdir(parents=True, exist_ok=True)
    for index, path in enumerate(paths):
        if path.is_file():
            continue
        seed = zlib.crc32(f"{task}/{index}".encode())
        env.seed(seed)
        hand = Hand(ENV_POLICY_MAP[task](), POLICIES[index], np.random.default_rng(seed))
        made = film_episode(env, film, task, index, hand)
        partial = path.with_suffix(".part")
        partial.write_bytes(msgpack.packb(made))
        partial.replace(path)
        yield path
    film.close()
    env.close()


def main() -> None:
    """Make the episodes and say how far it is."""
    parser = argparse.ArgumentParser(description="Make the episodes of robot_progress.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", nargs="*", choices=sorted(INSTRUCTIONS), default=list(INSTRUCTIONS))
    arguments = parser.parse_args()
    os.environ.setdefault("MUJOCO_GL", "osmesa")
    warnings.simplefilter("ignore")  # the experts warn of every action that is clipped
    for number, task in enumerate(arguments.tasks, 1):
        made = sum(1 for _ in make_episodes(task, arguments.out))
        print(f"{number} of {len(arguments.tasks)} tasks: {task}, {made} episodes made", flush=True)


if __name__ == "__main__":
    main()
