"""The robot tasks of robot_progress, their instructions in three phrases each, and which episodes stay unseen.

The first instruction of a task is trained on and so is the second; the third is kept to measure how paraphrases are
taken. Tasks of :data:`HELD_OUT` are trained on in no way: they show what becomes of an unknown instruction. The names
are those of Meta-World (Yu et al., 2019, arXiv:1910.10897).
"""

import io
import zlib
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from PIL import Image, ImageEnhance

INSTRUCTIONS: dict[str, tuple[str, str, str]] = {
    "assembly-v3": (
        "pick up the ring and put it on the peg",
        "place the round nut over the peg",
        "grab the ring and slide it onto the peg",
    ),
    "basketball-v3": (
        "put the ball into the basket",
        "dunk the basketball in the hoop",
        "drop the basketball into the net",
    ),
    "bin-picking-v3": (
        "move the object from one bin to the other bin",
        "pick the object out of the bin and place it in the other bin",
        "transfer the object into the second bin",
    ),
    "box-close-v3": (
        "put the lid on the box",
        "close the box with its cover",
        "cover the box with the lid",
    ),
    "button-press-topdown-v3": (
        "press the button from above",
        "push the button down from the top",
        "press down on top of the button",
    ),
    "button-press-topdown-wall-v3": (
        "press the button from above, behind the wall",
        "reach over the wall and push the button down",
        "avoid the wall and press down on top of the button",
    ),
    "button-press-v3": (
        "press the button from the front",
        "push the button in",
        "press the button on the side of the box",
    ),
    "button-press-wall-v3": (
        "go around the wall and press the button",
        "push in the button behind the wall",
        "avoid the wall and press the button in",
    ),
    "coffee-button-v3": (
        "press the button of the coffee machine",
        "push the coffee machine's button",
        "switch on the coffee maker by its button",
    ),
    "coffee-pull-v3": (
        "pull the mug away from the coffee machine",
        "take the cup from under the coffee machine",
        "drag the mug out of the coffee maker",
    ),
    "coffee-push-v3": (
        "push the mug under the coffee machine",
        "move the cup to the coffee machine",
        "slide the mug into the coffee maker",
    ),
    "dial-turn-v3": (
        "turn the dial",
        "rotate the knob",
        "twist the dial around",
    ),
    "disassemble-v3": (
        "take the ring off the peg",
        "remove the round nut from the peg",
        "lift the ring up and off the peg",
    ),
    "door-close-v3": (
        "close the door",
        "push the door shut",
        "shut the door",
    ),
    "door-lock-v3": (
        "lock the door",
        "turn the lock of the door to lock it",
        "rotate the latch so that the door is locked",
    ),
    "door-open-v3": (
        "open the door",
        "pull the door open by its handle",
        "swing the door open",
    ),
    "door-unlock-v3": (
        "unlock the door",
        "turn the lock of the door to unlock it",
        "rotate the latch so that the door is unlocked",
    ),
    "hand-insert-v3": (
        "put the gripper into the hole",
        "insert the hand with the object into the hole",
        "lower the gripper into the hole in the table",
    ),
    "drawer-close-v3": (
        "close the drawer",
        "push the drawer shut",
        "shut the drawer",
    ),
    "drawer-open-v3": (
        "open the drawer",
        "pull the drawer open by its handle",
        "slide the drawer out",
    ),
    "faucet-open-v3": (
        "open the faucet",
        "turn the tap on",
        "rotate the faucet to open it",
    ),
    "faucet-close-v3": (
        "close the faucet",
        "turn the tap off",
        "rotate the faucet to close it",
    ),
    "hammer-v3": (
        "hammer the nail into the wall",
        "hit the nail with the hammer",
        "drive the nail in with the hammer",
    ),
    "handle-press-side-v3": (
        "press the handle down from the side",
        "push down the handle sideways",
        "press down the sideways handle",
    ),
    "handle-press-v3": (
        "press the handle down",
        "push down the handle",
        "lower the handle by pressing it",
    ),
    "handle-pull-side-v3": (
        "pull the handle up from the side",
        "lift the handle sideways",
        "pull up the sideways handle",
    ),
    "handle-pull-v3": (
        "pull the handle up",
        "lift the handle",
        "raise the handle by pulling it",
    ),
    "lever-pull-v3": (
        "pull the lever up",
        "lift the lever by ninety degrees",
        "raise the lever",
    ),
    "pick-place-wall-v3": (
        "pick up the puck, go over the wall and place it at the goal",
        "lift the puck past the wall to the target",
        "carry the puck across the wall to the goal",
    ),
    "pick-out-of-hole-v3": (
        "pick the puck out of the hole",
        "take the puck from the hole to the goal",
        "lift the puck up out of the hole",
    ),
    "pick-place-v3": (
        "pick up the puck and place it at the goal",
        "lift the puck to the target",
        "grasp the puck and carry it to the goal",
    ),
    "plate-slide-v3": (
        "slide the plate into the cabinet",
        "push the plate into the goal",
        "shove the plate forward into the cabinet",
    ),
    "plate-slide-side-v3": (
        "slide the plate sideways into the cabinet",
        "push the plate to the side into the goal",
        "shove the plate sideways to the cabinet",
    ),
    "plate-slide-back-v3": (
        "slide the plate back out of the cabinet",
        "pull the plate backward from the goal",
        "drag the plate back from the cabinet",
    ),
    "plate-slide-back-side-v3": (
        "slide the plate out of the cabinet sideways",
        "pull the plate to the side, out of the goal",
        "drag the plate sideways out of the cabinet",
    ),
    "peg-insert-side-v3": (
        "insert the peg into the hole from the side",
        "put the peg in the hole of the box sideways",
        "push the peg into the side hole",
    ),
    "peg-unplug-side-v3": (
        "unplug the peg from the side",
        "pull the peg out of the hole of the box",
        "take the peg out sideways",
    ),
    "soccer-v3": (
        "kick the ball into the goal",
        "push the soccer ball into the net",
        "score a goal with the football",
    ),
    "stick-push-v3": (
        "push the thermos with the stick",
        "grasp the stick and push the box with it",
        "use the stick to push the container",
    ),
    "stick-pull-v3": (
        "pull the thermos with the stick",
        "grasp the stick and pull the box with it",
        "use the stick to pull the container",
    ),
    "push-v3": (
        "push the puck to the goal",
        "slide the puck to the target",
        "move the puck along the table to the goal",
    ),
    "push-wall-v3": (
        "push the puck around the wall to the goal",
        "slide the puck past the wall to the target",
        "move the puck around the wall to the goal",
    ),
    "push-back-v3": (
        "push the puck back to the goal",
        "pull the puck backward to the target",
        "move the puck back along the table to the goal",
    ),
    "reach-v3": (
        "reach the goal position",
        "move the gripper to the target",
        "bring the hand to the goal",
    ),
    "reach-wall-v3": (
        "reach the goal position behind the wall",
        "move the gripper past the wall to the target",
        "bring the hand around the wall to the goal",
    ),
    "shelf-place-v3": (
        "put the block on the shelf",
        "pick up the cube and place it on the shelf",
        "set the block onto the shelf",
    ),
    "sweep-into-v3": (
        "sweep the puck into the hole",
        "push the object into the hole in the table",
        "slide the puck so that it falls into the hole",
    ),
    "sweep-v3": (
        "sweep the puck off the table",
        "push the object off the edge of the table",
        "slide the puck over the table's edge",
    ),
    "window-open-v3": (
        "open the window",
        "slide the window open by its handle",
        "push the window open",
    ),
    "window-close-v3": (
        "close the window",
        "slide the window shut by its handle",
        "push the window closed",
    ),
}

HELD_OUT = ("hammer-v3", "lever-pull-v3", "shelf-place-v3", "coffee-pull-v3", "soccer-v3")

KNOWN = tuple(task for task in INSTRUCTIONS if task not in HELD_OUT)

UNSEEN = (6, 7, 13, 18, 19)
"""Episodes of every task that are never trained on: two of the expert, one noisy, two broken off."""


def load_episodes(folder: Path, tasks: tuple[str, ...], unseen: bool) -> list[dict[str, Any]]:
    """Episodes of some tasks, the unseen ones or the others. Raises FileNotFoundError where there are none."""
    paths = [path for task in tasks for path in sorted((folder / task).glob("*.msgpack"))]
    if not paths:
        raise FileNotFoundError(f"{folder} holds no episodes: make them with reward_models.train.robot_episodes.")
    found = [msgpack.unpackb(path.read_bytes()) for path in paths if (int(path.stem) in UNSEEN) == unseen]
    for episode in found:
        episode["progress"] = np.clip(np.array(episode["rewards"]) / 10.0, 0.0, 1.0)
    return found


def disturb_frames(episode: dict[str, Any]) -> list[bytes]:
    """The frames of an episode as another camera chain would hand them over: at another size, in another light, and
    encoded again at another quality; the same for all frames, and the same every time."""
    dice = np.random.default_rng([zlib.crc32(episode["task"].encode()), episode["index"], 1])
    side, quality, light, contrast = dice.integers(144, 480), dice.integers(50, 96), *dice.uniform(0.85, 1.15, 2)
    made = []
    for frame in episode["frames"]:
        image = Image.open(io.BytesIO(frame)).resize((int(side), int(side)), Image.Resampling.BICUBIC)
        image = ImageEnhance.Contrast(ImageEnhance.Brightness(image).enhance(float(light))).enhance(float(contrast))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(quality))
        made.append(buffer.getvalue())
    return made
