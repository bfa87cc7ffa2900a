"""Which section of a changed guide is the new version of which earlier step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from mailer.content.guide.memory import RememberedStep, text_below_heading
from mailer.content.guide.names import slug_of
from mailer.content.guide.report import Tie, TieOption
from mailer.content.guide.steps import Draft
from mailer.errors import Refused

Choose = Callable[[Tie], str | None]
ALIKE = 0.2
"""Share of common words, 0..1; below it two texts have nothing to do with each other."""
MARGIN = 0.05
"""By so much one candidate has to be more alike than the next, or it is a tie."""
EXCERPT = 120


@dataclass
class Matching:
    """`found[n]` is the earlier step of draft n. `replaced` are pairs that only their place connects."""

    found: dict[int, RememberedStep] = field(default_factory=dict)
    replaced: list[int] = field(default_factory=list)


def match_steps(
    earlier: Sequence[RememberedStep], drafts: Sequence[Draft], choose: Choose | None
) -> Matching:
    """The earlier step of each draft: by its body, then its heading, then its place in the order.

    A week's step is the same step as long as it is for the same week. When two earlier steps match one
    section equally well, `choose` is asked; without it that raises Refused.
    """
    matcher = _Matcher(earlier, drafts, choose)
    matcher.by_week()
    matcher.by(lambda step: step.text, lambda draft: text_below_heading(draft.body))
    matcher.by(
        lambda step: slug_of(step.heading) or step.heading,
        lambda draft: slug_of(draft.heading) or draft.heading,
    )
    matcher.by_order()
    return matcher.matching


class _Matcher:
    def __init__(
        self, earlier: Sequence[RememberedStep], drafts: Sequence[Draft], choose: Choose | None
    ) -> None:
        self.earlier, self.drafts, self.choose = earlier, drafts, choose
        self.matching = Matching()
        self.refused: set[int] = set()

    def by_week(self) -> None:
        for number, draft in enumerate(self.drafts):
            for step in self.earlier:
                if draft.week is not None and step.week == draft.week and step.kind is draft.kind:
                    self.matching.found[number] = step

    def by(self, of_step: Callable[[RememberedStep], str], of_draft: Callable[[Draft], str]) -> None:
        """Pairs the steps and drafts whose body (or heading) is the same."""
        for number in self._open_drafts():
            wanted = of_draft(self.drafts[number])
            options = [step for step in self._open_steps() if wanted and of_step(step) == wanted]
            same = [other for other in self._open_drafts() if of_draft(self.drafts[other]) == wanted]
            if len(options) > 1:
                options = self._narrowed(number, options)
            if len(options) > 1 and len(options) == len(same):
                # As many as there were: nothing was added or lost, so they follow their order.
                self.matching.found.update(zip(same, options, strict=True))
            elif options:
                self._take(number, options)

    def _narrowed(self, number: int, options: list[RememberedStep]) -> list[RememberedStep]:
        """Of equal bodies those with the heading, of equal headings those with the likest body."""
        heading = slug_of(self.drafts[number].heading)
        by_heading = [step for step in options if slug_of(step.heading) == heading]
        return self._likest(number, by_heading or options)

    def _likest(self, number: int, options: list[RememberedStep]) -> list[RememberedStep]:
        likeness = [(self._likeness(step, number), step) for step in options]
        best = max(share for share, _ in likeness)
        return [step for share, step in likeness if share >= best - MARGIN]

    def _likeness(self, step: RememberedStep, number: int) -> float:
        """Share of words in common, 0..1, the heading counted among them."""
        words = f"{self.drafts[number].heading} {text_below_heading(self.drafts[number].body)}"
        return SequenceMatcher(
            None, f"{step.heading} {step.text}".split(), words.split(), autojunk=False
        ).ratio()

    def by_order(self) -> None:
        """Pairs what is left between two pairs that were found already."""
        for drafts, steps in self._gaps():
            if len(drafts) == len(steps):
                for number, step in zip(drafts, steps, strict=True):
                    self.matching.found[number] = step
                    if self._likeness(step, number) < ALIKE:
                        self.matching.replaced.append(number)
                continue
            for number in drafts:
                options = [step for step in steps if step not in self.matching.found.values()]
                if not options:
                    break
                likest = self._likest(number, options)
                is_alike = max(self._likeness(step, number) for step in likest) >= ALIKE
                # More sections than before: one that is like nothing is new. Fewer: one of them it must be.
                if is_alike or len(drafts) < len(steps):
                    self._take(number, likest)

    def _gaps(self) -> list[tuple[list[int], list[RememberedStep]]]:
        """The unmatched drafts and steps, grouped by the matched neighbours they stand between."""
        position = {step.key: at for at, step in enumerate(self.earlier)}
        groups: dict[int, tuple[list[int], list[RememberedStep]]] = {}
        anchors = sorted(
            (number, position[step.key]) for number, step in self.matching.found.items() if step.week is None
        )
        for number in self._open_drafts():
            key = max((at for other, at in anchors if other < number), default=-1)
            groups.setdefault(key, ([], []))[0].append(number)
        matched = {at for _, at in anchors}
        for step in self._open_steps():
            if not step.is_gone:
                key = max((at for at in matched if at < position[step.key]), default=-1)
                groups.setdefault(key, ([], []))[1].append(step)
        return [(drafts, steps) for drafts, steps in groups.values() if drafts and steps]

    def _open_drafts(self) -> list[int]:
        return [
            number
            for number, draft in enumerate(self.drafts)
            if number not in self.matching.found and draft.week is None and number not in self.refused
        ]

    def _open_steps(self) -> list[RememberedStep]:
        taken = {step.key for step in self.matching.found.values()}
        return [step for step in self.earlier if step.key not in taken and step.week is None]

    def _take(self, number: int, options: Sequence[RememberedStep]) -> None:
        if len(options) == 1:
            self.matching.found[number] = options[0]
            return
        tie = self._tie(number, options)
        if self.choose is None:
            keys = " and ".join(f"`{option.key}`" for option in tie.options)
            raise Refused(
                f"The section “{tie.heading}” (line {tie.line}) matches the steps {keys} equally well; "
                "import in a terminal to be asked which it is, or make their texts differ."
            )
        answer = self.choose(tie)
        chosen = [step for step in options if step.key == answer]
        if answer is not None and not chosen:
            raise Refused(f"“{answer}” is not one of the steps that were offered; nothing was imported.")
        if chosen:
            self.matching.found[number] = chosen[0]
        else:
            self.refused.add(number)

    def _tie(self, number: int, options: Sequence[RememberedStep]) -> Tie:
        draft = self.drafts[number]
        return Tie(
            heading=draft.heading,
            excerpt=text_below_heading(draft.body)[:EXCERPT],
            line=draft.line,
            options=tuple(TieOption(step.key, step.heading, step.text[:EXCERPT]) for step in options),
        )
