"""Draw the README's pictures from the output of `make demo`: a repaired request, one solved chain, the effect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from examples.picture_chain import chain_picture
from examples.picture_effect import effect_picture
from examples.picture_facts import choose_story, read_demo, read_mined, solve
from examples.picture_story import story_picture
from jobs.command import Parser, run_main


def draw(demo_folder: Path) -> dict[str, str]:
    """The three pictures by file name, as SVG text.

    Raises
    ------
    RewriterError
        If the demo has not run to its end, or repaired no request with a mined pair.
    """
    demo = read_demo(demo_folder)
    mined = read_mined(demo)
    story = choose_story(demo, mined)
    return {
        "story.svg": story_picture(story),
        "chain.svg": chain_picture(solve(mined, story.pair)),
        "effect.svg": effect_picture(demo),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Write the pictures."""
    parser = Parser(description=__doc__, epilog="example: python -m examples.pictures --demo demo --out docs/pictures")
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="output of `make demo` (default demo)")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder for the SVG files")
    args = parser.parse_args(argv)
    pictures = draw(args.demo)
    args.out.mkdir(parents=True, exist_ok=True)
    for name, svg in pictures.items():
        (args.out / name).write_text(svg, "utf-8")
        print(args.out / name)


if __name__ == "__main__":
    run_main(main)
