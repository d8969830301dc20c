# SPDX-License-Identifier: MIT OR Apache-2.0
"""The workloads: each module builds contests, `contests(name, options)`."""

WORKLOADS = {
    "xor": "xor",
    "xor_large": "xor",
    "evaluate_200": "evaluate",
    "evaluate_2000": "evaluate",
    "breed": "breed",
    "tiny": "tiny",
    "cartpole": "cartpole",
    "double_pole": "double_pole",
    "neat_150": "neat",
    "neat_1000": "neat",
    "neat_10000": "neat",
    "neat_cartpole_150": "neat_cartpole",
    "neat_cartpole_1000": "neat_cartpole",
    "eager_tiny": "eager",
    "eager_mlp": "eager",
    "mnist_mlp_epoch": "training",
    "tiny_step": "training",
    "population_step": "training",
    "elementwise": "elementwise",
    "cnn": "cnn",
    "static_tiny": "static",
    "static_mlp": "static",
    "static_cnn": "static",
    "startup": "startup",
}
"""The module of each workload, in the order in which they are measured."""
