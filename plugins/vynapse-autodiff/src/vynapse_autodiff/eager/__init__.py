# SPDX-License-Identifier: MIT OR Apache-2.0
"""Eager mode: tensors that compute at once and remember how, for programs written line by line."""

from vynapse_autodiff.eager.backward import grad as grad
from vynapse_autodiff.eager.custom import (
    checkpoint as checkpoint,
    custom_gradient as custom_gradient,
    stop_gradient as stop_gradient,
)
from vynapse_autodiff.eager.joining import concatenate as concatenate, stack as stack
from vynapse_autodiff.eager.minimiser import Minimiser as Minimiser
from vynapse_autodiff.eager.modes import detect_anomaly as detect_anomaly, no_grad as no_grad
from vynapse_autodiff.eager.tensor import Tensor as Tensor, tensor as tensor
from vynapse_autodiff.eager.tracing import Replay as Replay, graph_of as graph_of, run as run, trace as trace
