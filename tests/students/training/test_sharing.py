"""The exchange between processes, in three of them."""

import math
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from torch.multiprocessing.spawn import start_processes

from distillgame.models import Example
from distillgame.students.lessons import Lesson
from distillgame.students.training.sharing import Whole, everywhere_the_first, is_first, own_part, place, processes

COUNT = 3


def lessons(count: int) -> list[Lesson]:
    return [Lesson(Example((1,), (2,)), log_weight=float(number)) for number in range(count)]


def alone(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    values = torch.tensor([10.0 + lesson.log_weight for lesson in lessons(count)])
    return values, torch.tensor([lesson.log_weight for lesson in lessons(count)])


def work(number: int, port: int, out: Path) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=number, world_size=COUNT)
    found: dict[str, Any] = {"place": place(), "first": is_first(), "same": everywhere_the_first(f"from {number}")}
    for count in (1, 4, 7):
        part = own_part(lessons(count))
        weights = torch.tensor([lesson.log_weight for lesson in part])
        whole = Whole.of(torch.where(weights.isnan(), 99.0, 10.0 + weights), weights)
        found[str(count)] = (whole.values, whole.log_weights, weights, whole.own(whole.log_weights + 100))
    torch.save(found, out / str(number))
    torch.distributed.destroy_process_group()


def test_every_process_sees_the_whole_and_takes_its_part(tmp_path: Path) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start_processes(work, (port, tmp_path), nprocs=COUNT, start_method="spawn")  # type: ignore[no-untyped-call]
    found = [torch.load(tmp_path / str(number)) for number in range(COUNT)]
    assert [each["place"] for each in found] == [0, 1, 2]
    assert [each["first"] for each in found] == [True, False, False]
    assert {each["same"] for each in found} == {"from 0"}
    for count in (1, 4, 7):
        values, log_weights = alone(count)
        parts, shares = [], []
        for own in (each[str(count)] for each in found):
            assert torch.equal(own[0], values)
            assert torch.equal(own[1], log_weights)
            counts = ~own[2].isnan()
            parts += own[2][counts].tolist()
            shares += own[3][counts].tolist()
            assert own[3][~counts].tolist() == [0.0] * int((~counts).sum())
        assert parts == log_weights.tolist()
        assert shares == (log_weights + 100).tolist()


def test_one_process_has_everything() -> None:
    assert (processes(), place(), is_first()) == (1, 0, True)
    assert own_part(lessons(3)) == lessons(3)
    whole = Whole.of(*alone(3))
    assert torch.equal(whole.own(whole.values), whole.values)
    assert everywhere_the_first(math.pi) == math.pi
