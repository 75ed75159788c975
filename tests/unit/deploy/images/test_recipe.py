"""A Dockerfile is read as a container engine reads it, or refused with its line."""

import pytest

from deploy.images.recipe import DOCKERFILE, UnreadableRecipe, read_recipe

SMALL = """\
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS first
ENV NAME=here PLACE="two words"
WORKDIR /srv/$NAME
# a comment
RUN --mount=type=cache,target=/var/cache/pip \\
    echo one \\
    && echo two
FROM first AS last
COPY --from=first /srv/${NAME} /opt/
ENTRYPOINT ["python", "-m"]
"""


def test_a_stage_is_what_stands_between_two_froms() -> None:
    first, last = read_recipe(SMALL).stages

    assert (first.name, first.base, [step.instruction for step in first.steps]) == (
        "first", "debian:bookworm-slim", ["ENV", "WORKDIR", "RUN"],
    )  # fmt: skip
    assert (last.name, last.base) == ("last", "first")


def test_arguments_of_the_build_take_the_place_of_defaults() -> None:
    assert read_recipe(SMALL, {"BASE": "debian:13-slim"}).stages[0].base == "debian:13-slim"


def test_options_stand_apart_and_lines_are_joined() -> None:
    run = read_recipe(SMALL).stages[0].all("RUN")[0]

    assert run.option("mount") == "type=cache,target=/var/cache/pip"
    assert run.value.split() == ["echo", "one", "&&", "echo", "two"]
    assert run.line == 6


def test_variables_are_put_in_and_inherited() -> None:
    recipe = read_recipe(SMALL)

    assert recipe.stages[0].all("WORKDIR")[0].value == "/srv/here"
    assert recipe.stages[0].all("ENV")[0].pairs == {"NAME": "here", "PLACE": "two words"}
    assert recipe.image.all("COPY")[0].words == ["/srv/here", "/opt/"]


def test_a_list_goes_past_the_shell() -> None:
    entry = read_recipe(SMALL).image.last("ENTRYPOINT")

    assert entry is not None
    assert entry.is_list
    assert entry.words == ["python", "-m"]


def test_an_image_stands_on_its_ancestry() -> None:
    recipe = read_recipe(SMALL)

    assert [stage.name for stage in recipe.ancestry(recipe.image)] == ["first", "last"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FROM debian:12\nADD there /here\n", "line 2: ADD is not understood"),
        ("FROM debian:12\nUSER $WHO\n", r"line 2: nothing is known of \$WHO here"),
        ("FROM debian:12 AS a\nARG X=1\nFROM debian:12 AS b\nUSER $X\n", r"line 4: nothing is known of \$X here"),
        ("USER 1:1\nFROM debian:12\n", "line 1: USER stands before FROM"),
        ("FROM debian:12 WITH more of it\n", "line 1: FROM debian:12 WITH more of it is not understood"),
        ("# nothing\n", "there is no FROM"),
        ("FROM debian:12\nENV A='\n", "line 2: ENV A=': No closing quotation"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(UnreadableRecipe, match=told):
        read_recipe(text)


def test_the_projects_own_is_read_whole() -> None:
    assert [stage.name for stage in read_recipe(DOCKERFILE.read_text()).stages] == ["python", "build", "image"]
