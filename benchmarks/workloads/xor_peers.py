# SPDX-License-Identifier: MIT OR Apache-2.0
"""The peers of the workload `xor`: each library's genetic algorithm, in the form its documentation recommends."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([[0], [1], [1], [0]], np.float32)
FIRST, LAST = 0.5, 0.05
"""Standard deviation of the noise in the first generation and in the last."""


@dataclass(frozen=True)
class Training:
    """A way of training, and proof that it is the same problem."""

    train: Callable[[int], float]
    """Trains for some generations, from the first population on, and returns the least loss."""
    losses: Callable[[Any], Any]
    """Returns the losses [P] of genes [P, 17]."""
    note: str = ""
    clock: Callable[[], float] | None = None
    """Returns the seconds of the last training that count, where not all of it does."""


def losses_numpy(genes: Any) -> Any:
    """Return the losses [P] of genes [P, 17], the whole population at once."""
    genes = np.asarray(genes, np.float32)
    hidden = np.tanh(genes[:, :8].reshape(-1, 4, 2) @ X.T + genes[:, 8:12, None])
    output = np.einsum("ph,phb->pb", genes[:, 12:16], hidden) + genes[:, 16:]
    return np.mean((output - Y[:, 0]) ** 2, axis=1)


def deap_documented(problem: Any) -> Training:
    """(mu + lambda) with lists of floats, each individual evaluated by itself."""
    return _deap(problem, copy.deepcopy, together=False)


def deap_tuned(problem: Any) -> Training:
    """The same with a copy that copies no more than it must, and all offspring evaluated in one NumPy call."""
    return _deap(problem, lambda one: type(one)(one, one.fitness.wvalues), together=True)


def _deap(problem: Any, clone: Callable[[Any], Any], together: bool) -> Training:
    from deap import algorithms, base, tools

    class Loss(base.Fitness):  # type: ignore[misc]
        weights = (-1.0,)

    class Individual(list[float]):
        def __init__(self, genes: Any = (), wvalues: tuple[float, ...] = ()) -> None:
            super().__init__(genes)
            self.fitness = Loss()
            self.fitness.wvalues = wvalues

    def loss(one: Any) -> tuple[float]:
        genes = np.asarray(one, np.float32)
        hidden = np.tanh(X @ genes[:8].reshape(4, 2).T + genes[8:12])
        return (float(np.mean((hidden @ genes[12:16] + genes[16] - Y[:, 0]) ** 2)),)

    def all_losses(individuals: Any) -> Any:
        return [(float(value),) for value in losses_numpy(np.array(individuals))]

    tools_of = base.Toolbox()
    tools_of.register("clone", clone)
    tools_of.register("mate", tools.cxUniform, indpb=0.5)
    tools_of.register("select", tools.selTournament, tournsize=3)

    def evaluate(individuals: Any) -> None:
        new = [one for one in individuals if not one.fitness.valid]
        found = all_losses(new) if together and new else map(loss, new)
        for one, value in zip(new, found, strict=True):
            one.fitness.values = value

    def train(generations: int) -> float:
        population = [Individual(genes) for genes in problem.genes.tolist()]
        evaluate(population)
        for generation in range(generations):
            sigma = FIRST * (LAST / FIRST) ** (generation / max(1, generations - 1))
            tools_of.register("mutate", tools.mutGaussian, mu=0, sigma=sigma, indpb=1.0)
            parents = tools_of.select(population, len(population))
            offspring = algorithms.varAnd(parents, tools_of, 0.8, 0.8)
            evaluate(offspring)
            population = tools.selBest(population + offspring, len(population))
        return float(population[0].fitness.values[0])

    measured = all_losses if together else lambda genes: [loss(one) for one in genes]
    return Training(train, lambda genes: np.array(measured(genes))[:, 0])


def evotorch(problem: Any) -> Training:
    """The searcher `GeneticAlgorithm`, elitist, with a vectorised problem."""
    import torch
    from evotorch import Problem
    from evotorch.algorithms import GeneticAlgorithm
    from evotorch.operators import GaussianMutation, OnePointCrossOver
    from evotorch.tools import set_default_logger_config

    set_default_logger_config(logger_level=logging.ERROR, override=True)
    losses = _torch_losses()

    def train(generations: int) -> float:
        xor = Problem("min", losses, solution_length=17, initial_bounds=(-1, 1), dtype=torch.float32, vectorized=True)
        operators = [OnePointCrossOver(xor, tournament_size=3), GaussianMutation(xor, stdev=0.2)]
        searcher = GeneticAlgorithm(xor, popsize=problem.population, operators=operators, re_evaluate=False)
        searcher.run(generations)
        return float(searcher.status["best_eval"])

    note = "one-point crossover, noise of 0.2 throughout, first population uniform in [-1, 1]"
    return Training(train, lambda genes: losses(torch.from_numpy(np.array(genes))), note)


def _torch_losses() -> Callable[[Any], Any]:
    import torch

    x, y = torch.from_numpy(X.T.copy()), torch.from_numpy(Y[:, 0].copy())

    @torch.no_grad()
    def losses(genes: Any) -> Any:
        hidden = torch.tanh(genes[:, :8].reshape(-1, 4, 2) @ x + genes[:, 8:12, None])
        output = (genes[:, 12:16, None] * hidden).sum(1) + genes[:, 16:]
        return ((output - y) ** 2).mean(1)

    return losses


def pygad(problem: Any) -> Training:
    """`GA` with batches as large as the population, so that NumPy evaluates all of it at once."""
    import pygad

    def fitness(_: Any, genes: Any, __: Any) -> Any:
        return -losses_numpy(genes).astype(np.float64)

    def train(generations: int) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = pygad.GA(
                num_generations=generations,
                num_parents_mating=problem.population // 2,
                initial_population=problem.genes.astype(np.float64),
                fitness_func=fitness,
                fitness_batch_size=problem.population,
                parent_selection_type="tournament",
                K_tournament=3,
                keep_elitism=1,
                crossover_type="uniform",
                crossover_probability=0.8,
                mutation_type="random",
                mutation_num_genes=17,
                random_mutation_min_val=-0.35,
                random_mutation_max_val=0.35,
                suppress_warnings=True,
            )
            search.run()
        return -float(np.max(search.last_generation_fitness))

    return Training(train, losses_numpy, "an elite of one; noise uniform in ±0.35, it has no normal one")


def pymoo(problem: Any) -> Training:
    """`GA` with a vectorised problem: the best of parents and offspring survive."""
    from pymoo.algorithms.soo.nonconvex.ga import GA
    from pymoo.core.problem import Problem
    from pymoo.operators.crossover.ux import UniformCrossover
    from pymoo.operators.mutation.gauss import GaussianMutation
    from pymoo.optimize import minimize

    class Xor(Problem):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(n_var=17, n_obj=1, xl=-5.0, xu=5.0)

        def _evaluate(self, x: Any, out: Any, *_: Any, **__: Any) -> None:
            out["F"] = losses_numpy(x)[:, None]

    def train(generations: int) -> float:
        search = GA(
            pop_size=problem.population,
            sampling=problem.genes.astype(np.float64),
            crossover=UniformCrossover(prob=0.8),
            mutation=GaussianMutation(sigma=0.02, prob=0.8, prob_var=1.0),
            eliminate_duplicates=False,
        )
        return float(minimize(Xor(), search, ("n_gen", generations)).F[0])

    return Training(train, losses_numpy, "noise of 0.2 throughout")


def evosax_scan(problem: Any) -> Training:
    """`SimpleGA`, all generations in one compiled scan."""
    return _evosax(problem, scan=True)


def evosax_stepwise(problem: Any) -> Training:
    """`SimpleGA`, a compiled generation at a time, its best loss read each time as a log would need it."""
    return _evosax(problem, scan=False)


def _evosax(problem: Any, scan: bool) -> Training:
    import jax
    from evosax.algorithms import SimpleGA
    from jax import numpy as jnp

    losses = _jax_losses()
    first = jnp.asarray(problem.genes)

    def sigma(generation: Any) -> Any:
        return FIRST * (LAST / FIRST) ** (generation / problem.generations)

    search = SimpleGA(problem.population, first[0], std_schedule=sigma)
    params = search.default_params.replace(crossover_rate=0.5)

    def start(key: Any) -> Any:
        return search.init(key, first, losses(first), params)

    def step(state: Any, key: Any) -> Any:
        ask, tell = jax.random.split(key)
        genes, state = search.ask(ask, state, params)
        state, _ = search.tell(tell, genes, losses(genes), state, params)
        return state, state.best_fitness

    @jax.jit
    def scanned(keys: Any) -> Any:
        return jax.lax.scan(step, start(keys[0]), keys)[1][-1]

    stepped, started = jax.jit(step), jax.jit(start)
    count = iter(range(10**9))

    def train(generations: int) -> float:
        keys = jax.random.split(jax.random.key(next(count)), generations)
        if scan:
            return float(scanned(keys))
        state, best = started(keys[0]), 0.0
        for key in keys:
            state, loss = stepped(state, key)
            best = float(loss)
        return best

    return Training(train, losses, "parents drawn from the better half, whose offspring replace everybody")


def _jax_losses() -> Callable[[Any], Any]:
    from jax import numpy as jnp

    x, y = jnp.asarray(X.T), jnp.asarray(Y[:, 0])

    def losses(genes: Any) -> Any:
        hidden = jnp.tanh(genes[:, :8].reshape(-1, 4, 2) @ x + genes[:, 8:12, None])
        output = (genes[:, 12:16, None] * hidden).sum(1) + genes[:, 16:]
        return ((output - y) ** 2).mean(1)

    return losses


PEERS: dict[str, Callable[[Any], Training]] = {
    "DEAP, as documented": deap_documented,
    "DEAP, tuned": deap_tuned,
    "EvoTorch": evotorch,
    "PyGAD": pygad,
    "pymoo": pymoo,
    "evosax, compiled scan": evosax_scan,
    "evosax, step by step": evosax_stepwise,
}
