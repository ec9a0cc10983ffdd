"""OpenRLHF's ``train_ppo_ray`` on a CPU, with its own arguments.

    OPENRLHF_RECORD=RECORD.jsonl python openrlhf_chatml.py TEMP --actor.model_name_or_path … --reward.remote_url …

TEMP is a folder for Ray. See ``on_cpu`` for what is replaced.
"""

import runpy
import sys

import on_cpu
import ray

if __name__ == "__main__":
    temp = sys.argv.pop(1)
    on_cpu.set_up()
    # As many GPUs as OpenRLHF asks Ray for; none exists.
    ray.init(
        num_cpus=4, num_gpus=2, include_dashboard=False, _temp_dir=temp, object_store_memory=200_000_000,
        runtime_env={"worker_process_setup_hook": "on_cpu.set_up"},
    )  # fmt: skip
    try:
        runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__", alter_sys=True)
    finally:
        ray.shutdown()
