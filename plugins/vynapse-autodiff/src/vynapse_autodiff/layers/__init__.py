# SPDX-License-Identifier: MIT OR Apache-2.0
"""Layers: the parts of a network, each a table of a recipe and a frozen model in Python.

model = assemble([Conv2d(filters=8, size=3, activation="relu"), Flatten(), Dense(units=10)], (1, 28, 28))
"""

from vynapse_autodiff.layers.assembly import Assembly, assemble
from vynapse_autodiff.layers.blocks import AnyLayer, Residual, Sequential
from vynapse_autodiff.layers.convolution import Conv2d, convolution
from vynapse_autodiff.layers.dense import Dense
from vynapse_autodiff.layers.dropout import Dropout
from vynapse_autodiff.layers.embedding import Embedding
from vynapse_autodiff.layers.layer import Layer, Parameter, Scope
from vynapse_autodiff.layers.normalisation import BatchNorm, LayerNorm
from vynapse_autodiff.layers.plain import Activate, Flatten
from vynapse_autodiff.layers.pooling import AveragePool, GlobalPool, MaxPool

__all__ = [
    "Activate",
    "AnyLayer",
    "Assembly",
    "AveragePool",
    "BatchNorm",
    "Conv2d",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalPool",
    "Layer",
    "LayerNorm",
    "MaxPool",
    "Parameter",
    "Residual",
    "Scope",
    "Sequential",
    "assemble",
    "convolution",
]
