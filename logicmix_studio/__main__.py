"""``python -m logicmix_studio``."""

from logicmix_studio.cli.main import main

if __name__ == "__main__":
    main()
