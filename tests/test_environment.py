import subprocess
import sys

from logicmix_studio.environment import assets_folder, plugins_folder, prepare_environment


def test_switches_are_set_whatever_stood_there():
    environ = {"FIFTYONE_DO_NOT_TRACK": "0"}
    prepare_environment(environ, database_uri="mongodb://127.0.0.1:1")
    assert environ["FIFTYONE_DO_NOT_TRACK"] == "1"
    assert environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert environ["FIFTYONE_DATABASE_URI"] == "mongodb://127.0.0.1:1"
    assert "FIFTYONE_PLUGINS_DIR" not in environ  # FiftyOne finds the user's own plugins as ever


def test_a_users_own_offline_choice_stands():
    environ = {"HF_HUB_OFFLINE": "0"}
    prepare_environment(environ)
    assert environ["HF_HUB_OFFLINE"] == "0"
    untouched: dict[str, str] = {}
    prepare_environment(untouched)
    assert untouched["HF_HUB_OFFLINE"] == "1"


def test_shipped_folders_are_there():
    assert (assets_folder() / "components" / "page" / "script.js").is_file()
    assert (plugins_folder() / "logicmix").is_dir()


def test_importing_the_package_and_the_server_loads_nothing_heavy():
    program = (
        "import sys\n"
        "import logicmix_studio, logicmix_studio.cli.main, logicmix_studio.studio, logicmix_studio.app.server\n"
        "print([name for name in ('torch', 'fiftyone', 'gradio', 'timm', 'sklearn') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_the_command_line_loads_only_what_help_needs():
    program = (
        "import sys, logicmix_studio.cli.main; print([n for n in ('numpy', 'fastapi', 'pymongo') if n in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
