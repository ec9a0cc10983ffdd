"""A folder, an archive or a file that is mounted already: a volume, or a disk of this machine."""

import shutil
from pathlib import Path

from reward_gateway.model_sources.failures import ContentRefused, SourceFailed
from reward_gateway.model_sources.files import RemoteFile, check_path


class FolderReader:
    """A path of this machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.address = str(path)
        self.name = path.name

    def find_identity(self) -> str:
        return f"file://{self._path.absolute()}"

    def find_unpinned(self) -> str:
        return ""

    def list_files(self) -> tuple[list[RemoteFile], bool]:
        if self._path.is_file():
            return [self._describe(self._path, self._path.name)], True
        if not self._path.is_dir():
            raise SourceFailed(f"there is no {self._path}: is the volume mounted?")
        files = []
        for path in sorted(self._path.rglob("*")):
            relative = check_path(path.relative_to(self._path).as_posix(), self.address)
            if path.is_symlink():
                raise ContentRefused(
                    f"{path} is a symbolic link, which are not followed: copy the file itself (`cp -L`) into the source"
                )
            if path.is_file():
                files.append(self._describe(path, relative))
            elif not path.is_dir():
                raise ContentRefused(f"{path} is neither a file nor a folder: take it out of the source")
            elif not any(path.iterdir()):
                files.append(RemoteFile(relative, 0, folder=True))
        return files, False

    def download(self, file: RemoteFile, target: Path) -> None:
        source = self._path if self._path.is_file() else self._path / file.path
        try:
            with source.open("rb") as opened, target.open("wb") as copy:
                shutil.copyfileobj(opened, copy, 1 << 20)
        except FileNotFoundError:
            raise SourceFailed(f"{source} went away while it was copied") from None
        except PermissionError:
            raise SourceFailed(f"{source} may not be read by this user: change its owner or mode") from None

    def _describe(self, path: Path, relative: str) -> RemoteFile:
        status = path.stat()
        return RemoteFile(relative, status.st_size, etag=f"{status.st_mtime_ns}")
