"""What schemathesis asks of every answer beside its own checks; loaded by schemathesis alone."""

from typing import Any

import schemathesis
from schemathesis import Case, Response
from schemathesis.checks import CheckContext

ONLY_THE_SYSTEM_KNOWS = (
    "is not a token of this list",
    "must not be before from",
    "differs between",
    "must say which",
    "must have at most",
    "is too large",
    "must be more than 0",
    "is needed with",
    "must be a whole number",
)
"""What a request that fits the document may still be told: it is about two fields, the installation's currency, what
was given out before, or 2.0, which JSON Schema takes for a whole number."""
IN_HEADER_OR_BODY = {"idempotency_key": ["is required"]}


@schemathesis.check
def what_fits_is_refused_by_rules_alone(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """A request that the document allows is not told that it has the wrong shape."""
    is_positive = case.meta is not None and case.meta.generation.mode.is_positive
    if not is_positive or response.status_code != 422:
        return
    problem = response.json()
    if problem["error_code"] == "validation_error":
        unexpected = {
            field: sentence
            for field, sentences in problem["errors"].items()
            for sentence in sentences
            if not (sentence.startswith(ONLY_THE_SYSTEM_KNOWS) or sentence in IN_HEADER_OR_BODY.get(field, ()))
        }
        assert problem["errors"], problem["message"]
        assert not unexpected, f"the document allows this: {unexpected}"


@schemathesis.check
def every_answer_can_be_traced(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """Whatever is answered says under which trace to look for it, and a refusal names itself."""
    assert len(response.headers["x-trace-id"][0]) == 32
    if response.status_code >= 400:
        problem: dict[str, Any] = response.json()
        if "error_code" in problem:
            assert problem["status"] == response.status_code
            assert problem["message"]
