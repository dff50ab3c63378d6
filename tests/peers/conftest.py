"""The models that the tests share, each made once."""
from pathlib import Path
import os

import pytest

import peer


@pytest.fixture(scope="session")
def smollm():
    """The fetched SmolLM2-135M-Instruct."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    folder = data / "lathe/models/SmolLM2-135M-Instruct"
    files = sorted(folder.glob("*.gguf"))
    if not files:
        pytest.fail(f"no model in {folder}; scripts/fetch-model brings it")
    return files[0]


@pytest.fixture(scope="session")
def exports(smollm, tmp_path_factory):
    """What Lathe writes from it: {name: path}, made when first asked for."""
    folder = tmp_path_factory.mktemp("smollm")

    class Exports:
        made = {}

        def __getitem__(self, name):
            if name not in self.made:
                form, dtype = name.split("-")
                path = folder / (name if form == "hf" else name + ".gguf")
                # GGUF files come from the folder, so that the tokenizer goes both ways.
                source = smollm if form == "hf" else self["hf-f32"]
                peer.export(source, path, form, dtype)
                self.made[name] = path
            return self.made[name]

    return Exports()


@pytest.fixture(scope="session")
def transformers_smollm(exports):
    return peer.transformers_model(exports["hf-f32"])
