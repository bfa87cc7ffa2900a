"""Where the `steadypost` command starts; also `python -m mailer.cli`."""

from mailer.starting import importing

with importing():
    from mailer.cli.main import main

if __name__ == "__main__":
    main()
