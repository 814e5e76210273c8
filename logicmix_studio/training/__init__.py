"""The trainer: recipes, loop, moving average, pseudo-labels, checkpoints, metrics.

It is a process of its own, ``python -m logicmix_studio.training RUN_FOLDER``. The modules `config`, `settings`,
`fields`, `run_folder`, `outcome`, `metrics`, `calibrate`, `heldout`, `feature_cache` and `device_lock` import no torch,
so that the studio can read recipes and run folders.
"""
