"""The sequences that run together, and the round that advances them all: draft, read, verify."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from distillgame.decoding.batching.scheduler import prefill_groups
from distillgame.decoding.batching.sequence import Draft, Pointer, Sequence, gather
from distillgame.decoding.drawing.chooser import Chooser, Decision, Proposal
from distillgame.decoding.networks.context import Context
from distillgame.decoding.networks.proxy import Proxies
from distillgame.models import LanguageModel
from distillgame.policies import Experts
from distillgame.policies.seeds import Seeds


@dataclass
class Counters:
    """Counts of an engine's work.

    Attributes:
        teacher_passes: Passes of the teacher over the batch.
        proxy_passes: Passes of the proxies over the batch.
        prompt_passes: Passes over prompts.
        tokens: Decided tokens.
    """

    teacher_passes: int = 0
    proxy_passes: int = 0
    prompt_passes: int = 0
    tokens: int = 0


class Batch:
    """Sequences by row, and the networks that have read them.

    At the start of a round the teacher has either read all certain tokens of a row, so that the next one can be decided
    as soon as the proxy has read them too, or all but the last one, which was drawn after a rejection.

    Args:
        teacher: The reference teacher.
        chooser: Draws tokens under the policy.
        proxies: The proxies, or None.
    """

    def __init__(self, teacher: LanguageModel, chooser: Chooser, proxies: Proxies | None):
        self.teacher = Context(teacher.model)
        self.proxies = None if proxies is None else proxies.start()
        self.chooser = chooser
        self.device = teacher.device
        self.rows: list[Sequence] = []
        self.counters = Counters()

    def admit(self, sequences: list[Sequence]) -> None:
        """Read the prompts of new sequences, or all certain tokens of sequences that come back."""
        for group in prefill_groups(sequences):
            logits = self.teacher.admit([s.teacher_ids for s in group])
            for row, s in enumerate(group):
                s.teacher_logits = Pointer(logits, row)
            if self.proxies is not None:
                outputs = self.proxies.admit(list(zip(*(s.proxy_ids for s in group), strict=True)))
                for row, s in enumerate(group):
                    s.proxy_logits = tuple(Pointer(output, row) for output in outputs)
            self.rows += group
            self.counters.prompt_passes += 1

    def remove(self, sequences: Iterable[Sequence]) -> None:
        """Remove sequences; the last rows take their places."""
        for s in sequences:
            row = self.rows.index(s)
            self.teacher.remove(row)
            if self.proxies is not None:
                self.proxies.remove(row)
            s.teacher_logits, s.proxy_logits = None, ()
            s.drafts.clear()
            last = self.rows.pop()
            if last is not s:
                self.rows[row] = last

    def advance(self, drafts: int, leave: Callable[[list[Sequence]], None]) -> None:
        """Advance every sequence by at least one decided or one newly read token.

        Args:
            drafts: Number of tokens that the proxies draft for the teacher to judge at once; 0 decides one at a time.
            leave: Called with finished sequences; it must remove them from the batch.
        """
        if self.proxies is None:
            self._decide([s for s in self.rows if s.teacher_logits is not None])
        else:
            self._draft(drafts)
        self._dismiss(leave)
        if self.rows:
            self._read_and_verify()
            self._dismiss(leave)

    def _dismiss(self, leave: Callable[[list[Sequence]], None]) -> None:
        if finished := [s for s in self.rows if s.finished]:
            leave(finished)

    def _draft(self, drafts: int) -> None:
        """Let the proxies read and propose; rows that the teacher has read in full decide one token on the way."""
        ready = {id(s) for s in self.rows if s.teacher_logits is not None}
        passes = 1 if ready else 0
        if drafts:
            passes = drafts if len(ready) < len(self.rows) else drafts + 1
        for place in range(passes):
            deciding = [s for s in self.rows if place == 0 and id(s) in ready]
            proposing = [s for s in self.rows if drafts and s.may_draft and not (place == 0 and id(s) in ready)]
            if not deciding and not proposing:
                break
            self._read_proxies({id(s) for s in (*deciding, *proposing)})
            self._decide(deciding)
            self._propose(proposing)

    def _read_proxies(self, taking_part: set[int]) -> None:
        assert self.proxies is not None
        blocks = []
        for k, reader in enumerate(self.proxies.readers):
            mine = []
            for s, read in zip(self.rows, reader.lengths, strict=True):
                certain = s.proxy_ids[k]
                # A draft is a shared token, which is one token for the proxy too.
                drafts = [token for draft in s.drafts for token in s.proxies[k].to_proxy(draft.token)]
                unread = certain[read:] + drafts[max(0, read - len(certain)) :]
                mine.append(unread if id(s) in taking_part else [])
            blocks.append(mine)
        outputs = self.proxies.read(blocks)
        self.counters.proxy_passes += any(output is not None for output in outputs)
        for row, s in enumerate(self.rows):
            if id(s) not in taking_part:
                continue
            s.proxy_logits = tuple(
                Pointer(output, row) if mine[row] else known
                for output, mine, known in zip(outputs, blocks, s.proxy_logits, strict=True)
            )

    def _decide(self, sequences: list[Sequence]) -> None:
        """Draw the next token of sequences whose experts have all read everything."""
        for group in _alike(sequences):
            teacher = gather([s.teacher_logits for s in group if s.teacher_logits is not None])
            positions = [s.decided for s in group]
            experts = self._experts(group, positions, teacher, [s.proxy_logits for s in group])
            first = group[0]
            decisions = self.chooser.choose(experts, first.params, self._uniforms(group, positions), first.greedy)
            for s, decision in zip(group, decisions, strict=True):
                s.teacher_logits = None
                self._commit(s, decision)

    def _propose(self, sequences: list[Sequence]) -> None:
        for group in _alike(sequences):
            positions = [s.decided + len(s.drafts) for s in group]
            proxies = [s.proxy_logits for s in group]
            experts = self._experts(group, positions, None, proxies)
            first = group[0]
            proposal = self.chooser.draft(experts, first.params, self._uniforms(group, positions), first.greedy)
            tokens, facts = proposal.tokens.tolist(), proposal.facts.T.tolist()
            for s, token, (probability, normaliser), mine in zip(group, tokens, facts, proxies, strict=True):
                s.drafts.append(Draft(token, (probability, normaliser), mine))

    def _read_and_verify(self) -> None:
        """Let the teacher read all unread tokens, drafts included, and judge the drafts."""
        blocks = []
        for s, read in zip(self.rows, self.teacher.lengths, strict=True):
            blocks.append([*s.teacher_ids[read:], *(draft.token for draft in s.drafts)])
        logits = self.teacher.read(blocks)
        self.counters.teacher_passes += 1
        width = logits.shape[1]
        flat = logits.flatten(0, 1)
        before = [(len(s.teacher_ids), [len(ids) for ids in s.proxy_ids]) for s in self.rows]
        places = {
            id(s): [Pointer(flat, row * width + len(blocks[row]) - 1 - back) for back in range(len(s.drafts), -1, -1)]
            for row, s in enumerate(self.rows)
        }
        kept = self._verify(places)
        for row, s in enumerate(self.rows):
            confirmed = kept.get(id(s), 0)
            self.teacher.truncate(row, before[row][0] + confirmed)
            if self.proxies is not None:
                self.proxies.truncate(row, [length + confirmed for length in before[row][1]])
            if not s.finished and self.teacher.lengths[row] == len(s.teacher_ids):
                s.teacher_logits = places[id(s)][-1]

    def _verify(self, places: dict[int, list[Pointer]]) -> dict[int, int]:
        """Decide drafted positions up to each sequence's first rejection; return how many drafts were kept."""
        kept: dict[int, int] = {}
        for group in _alike([s for s in self.rows if s.drafts]):
            owners = [s for s in group for _ in s.drafts]
            drafts = [draft for s in group for draft in s.drafts]
            positions = [s.decided + i for s in group for i in range(len(s.drafts))]
            teacher = gather([place for s in group for place in places[id(s)][:-1]])
            experts = self._experts(owners, positions, teacher, [draft.proxies for draft in drafts])
            proposal = Proposal(
                torch.tensor([draft.token for draft in drafts], device=self.device),
                torch.tensor([draft.facts for draft in drafts], device=self.device).T,
            )
            uniforms = self._uniforms(owners, positions)
            decisions = self.chooser.choose(experts, group[0].params, uniforms, group[0].greedy, proposal)
            judged = iter(decisions)
            for s in group:
                mine = [(draft, next(judged)) for draft in s.drafts]
                s.drafts.clear()
                kept[id(s)] = 0
                for draft, decision in mine:
                    # If a proxy does not have the token, these remain its latest logits.
                    s.proxy_logits = draft.proxies
                    self._commit(s, decision)
                    kept[id(s)] += decision.accepted
                    if s.finished or not decision.accepted:
                        break
        return kept

    def _commit(self, s: Sequence, decision: Decision) -> None:
        if decision.broken:
            reason = "the models' logits are not finite numbers (NaN or infinity): the weights are broken"
            s.finish("error", f"request '{s.request.id}': {reason}")
        else:
            s.commit(decision)
            self.counters.tokens += 1

    def _experts(
        self,
        owners: list[Sequence],
        positions: list[int],
        teacher: torch.Tensor | None,
        outputs: list[tuple[Pointer, ...]],
    ) -> Experts:
        """Gather the experts' logits; ``outputs`` points at the proxies', for each owner."""
        proxies, deltas = [], []
        for pointers in zip(*outputs, strict=True):
            proxies.append(gather([Pointer(p.source.logits, p.row) for p in pointers]))
            if pointers[0].source.delta is not None:
                deltas.append(gather([Pointer(p.source.delta, p.row) for p in pointers]))
        keys = tuple(int(s.keys[position]) for s, position in zip(owners, positions, strict=True))
        first = proxies[0] if teacher is None else teacher
        seeds = self._seeds(owners, positions)
        return Experts(first, owners[0].params.temperature, tuple(proxies), tuple(deltas), keys, seeds)

    def _seeds(self, owners: list[Sequence], positions: list[int]) -> Seeds | None:
        if owners[0].marks is None:
            return None
        found = [s.mark(position) for s, position in zip(owners, positions, strict=True)]
        values, marked = (torch.tensor(column, device=self.device) for column in zip(*found, strict=True))
        return Seeds(values, marked)

    def _uniforms(self, owners: list[Sequence], positions: list[int]) -> torch.Tensor:
        draws = np.stack([s.uniforms(position) for s, position in zip(owners, positions, strict=True)])
        return torch.from_numpy(draws).to(self.device)


def _alike(sequences: list[Sequence]) -> list[list[Sequence]]:
    """Group sequences whose tokens are drawn in the same way."""
    groups: dict[tuple[float, float, int, int, bool], list[Sequence]] = {}
    for s in sequences:
        params = s.params
        key = (params.temperature, params.top_p, params.top_k, params.top_logprobs, s.greedy)
        groups.setdefault(key, []).append(s)
    return list(groups.values())
