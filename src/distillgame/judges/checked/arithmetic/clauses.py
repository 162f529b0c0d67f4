"""Clauses: the tokens of a text, nested by its brackets and parted where no formula goes on."""

from distillgame.judges.checked.arithmetic.tokens import REMARK, Kind, Token, Tokens

_PARTNERS = {")": ("(", REMARK), "]": ("[",), "}": ("{",)}


def clauses(found: Tokens) -> list[Tokens]:
    """Return the clauses that may hold an equality, in the order of the text.

    A pair of brackets around no relation becomes one group. Brackets around a whole equality, or around a remark in
    words, are no part of the formula around them; their content is a clause of its own.
    """
    apart: list[Tokens] = []
    stack: list[tuple[Token | None, Tokens]] = [(None, [])]
    for token in found:
        here = stack[-1][1]
        if token.kind is Kind.OPEN:
            stack.append((token, []))
        elif token.kind is Kind.CLOSE:
            opening = stack[-1][0]
            if opening is None or opening.text not in _PARTNERS[token.text]:
                here.append(Token(Kind.BREAK, token.text, token.start, token.end, []))
            else:
                stack.pop()
                stack[-1][1].append(_group(opening, here, token, apart))
        else:
            here.append(token)
    # Brackets that nothing closes part what is before them from what is behind.
    apart += [inside for _, inside in stack]
    parts = [part for whole in apart for part in _split(whole)]
    return sorted(parts, key=lambda part: part[0].start)


def sides(clause: Tokens) -> tuple[list[Tokens], Tokens]:
    """Return what stands between the relations of a clause, and the relations."""
    between: list[Tokens] = [[]]
    relations = []
    for token in clause:
        if token.kind is Kind.RELATION:
            relations.append(token)
            between.append([])
        else:
            between[-1].append(token)
    return between, relations


def _group(opening: Token, inside: Tokens, closing: Token, apart: list[Tokens]) -> Token:
    span = opening.start, closing.end
    remark = opening.text in ("(", REMARK) and inside and inside[0].kind is Kind.WORD
    if remark and inside[0].text == "mod":
        return Token(Kind.UNKNOWN, "mod", *span, [])
    if remark or any(token.kind is Kind.RELATION for token in inside):
        apart.append(inside)
        return Token(Kind.BREAK, opening.text, *span, [])
    return Token(Kind.GROUP, opening.text, *span, inside)


def _split(whole: Tokens) -> list[Tokens]:
    """Part tokens at breaks, and keep the parts with a relation."""
    parts: list[Tokens] = [[]]
    for token in whole:
        if token.kind is Kind.BREAK:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if any(token.kind is Kind.RELATION for token in part)]
