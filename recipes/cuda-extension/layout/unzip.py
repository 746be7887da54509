"""unzip.py DIRECTORY PREFIX WHEEL...: the members of wheels whose names start so, with their modes."""
import pathlib
import sys
import zipfile

directory, prefix, *wheels = sys.argv[1:]
for wheel in wheels:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if not member.filename.startswith(prefix) or member.is_dir():
                continue
            path = pathlib.Path(archive.extract(member, directory))
            path.chmod(0o755 if member.external_attr >> 16 & 0o100 else 0o644)
