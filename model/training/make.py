"""From a Keras model to one that can be served, in one command: `python -m model.training.make MODEL.h5 --photos P`.

It quantizes the model, draws its masks of a photo before and after, describes the result, and prints the commands that
serve and deploy it. Its options are those of quantize.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from model.training import cli, describe, quantize
from model.training.cli import CommandError
from model.training.data import samples


def main(argv: Sequence[str] | None = None) -> None:
    """Quantize, check and describe the model, and print the next commands."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = quantize.arguments()
    parser.prog, parser.description = "python -m model.training.make", __doc__.split(":")[0]
    args = parser.parse_args(words)
    if not args.photos:
        raise CommandError("make needs --photos, a folder of photos like those to be segmented")
    if args.recipe == "all":
        raise CommandError("make converts by one recipe; run quantize for --recipe all")
    if not args.check:
        words += ["--check", str(samples.photo_files(args.photos)[0])]
    quantize.main(words)
    target = quantize.target_of(args.model, args.out, args.recipe)
    print()
    describe.main([str(target)])
    file = shlex.quote(str(target.resolve()))
    print(f"\nserve it:   MODEL_URI={file} make serve")
    print(f"deploy it:  {quantize.deploy_command(target.resolve(), args.recipe)}")


if __name__ == "__main__":
    cli.run(main)
