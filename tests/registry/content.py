# SPDX-License-Identifier: Apache-2.0
"""What the registry holds: blobs and uploads as files, manifests and tags in memory. Knows no HTTP."""
import hashlib
import json
import pathlib
import re
import threading
import time
import uuid

DIGEST = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")


def digest_of(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def digest_of_file(path, algorithm="sha256"):
    with open(path, "rb") as file:
        return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


class Upload:
    """An open upload. Each writer writes at the end of what is there; a new writer ends the one before."""

    def __init__(self, repository, path):
        self.id = str(uuid.uuid4())
        self.repository, self.path = repository, path / self.id
        self.path.touch()
        self.lock = threading.Lock()
        self.writer, self.size, self.first_chunk, self.short = 0, 0, None, False

    def begin(self):
        """A number that write() wants."""
        with self.lock:
            self.writer += 1
            return self.writer

    def write(self, writer, data):
        with self.lock:
            if writer == self.writer and self.path.exists():
                with open(self.path, "ab") as file:
                    file.write(data)
                self.size += len(data)

    def append(self, data):
        """As a broken connection's last write that comes late: at the end, whoever writes."""
        with self.lock:
            if self.path.exists():
                with open(self.path, "ab") as file:
                    file.write(data)
                self.size += len(data)

    def cut(self, size):
        with self.lock:
            if self.path.exists():
                with open(self.path, "r+b") as file:
                    file.truncate(size)
            self.size = size

    def damage(self, at):
        with self.lock, open(self.path, "r+b") as file:
            file.seek(at)
            byte = file.read(1)[0]
            file.seek(at)
            file.write(bytes([byte ^ 1]))


class Repository:
    def __init__(self):
        self.blobs, self.manifests, self.tags = set(), {}, {}  # digests; digest -> (type, bytes); tag -> digest


class Content:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.files, self.parts = self.directory / "blobs", self.directory / "uploads"
        self.files.mkdir(parents=True, exist_ok=True)
        self.parts.mkdir(exist_ok=True)
        self.lock = threading.RLock()
        self.repositories, self.uploads = {}, {}

    def repository(self, name):
        with self.lock:
            return self.repositories.setdefault(name, Repository())

    # --- blobs -----------------------------------------------------------------------------------
    def file(self, digest):
        return self.files / digest.replace(":", "-")

    def blob(self, name, digest):
        """The file of a blob that this repository has, or None."""
        with self.lock:
            return self.file(digest) if digest in self.repository(name).blobs else None

    def add_blob(self, name, data):
        """Puts bytes, or a file that exists, into a repository, for tests; returns the digest."""
        if isinstance(data, bytes):
            digest = digest_of(data)
            self.file(digest).write_bytes(data)
        else:
            digest = digest_of_file(data)
            if not self.file(digest).exists():
                self.file(digest).symlink_to(pathlib.Path(data).resolve())
        with self.lock:
            self.repository(name).blobs.add(digest)
        return digest

    def drop_blob(self, name, digest):
        with self.lock:
            known = digest in self.repository(name).blobs
            self.repository(name).blobs.discard(digest)
            return known

    def mount(self, name, digest, source):
        with self.lock:
            if source not in self.repositories or digest not in self.repository(source).blobs:
                return False
            self.repository(name).blobs.add(digest)
            return True

    def is_referenced(self, name, digest):
        """True when a manifest of the repository names the blob."""
        with self.lock:
            return any(digest.encode() in data for _, data in self.repository(name).manifests.values())

    # --- uploads ---------------------------------------------------------------------------------
    def open_upload(self, name):
        upload = Upload(name, self.parts)
        with self.lock:
            self.uploads[upload.id] = upload
        return upload

    def find_upload(self, name, upload_id):
        with self.lock:
            upload = self.uploads.get(upload_id)
            return upload if upload and upload.repository == name else None

    def end_upload(self, upload):
        with self.lock:
            self.uploads.pop(upload.id, None)
        with upload.lock:
            upload.path.unlink(missing_ok=True)

    def forget_uploads(self):
        for upload in list(self.uploads.values()):
            self.end_upload(upload)

    def finish_upload(self, upload, digest):
        """True when what came has this digest and is a blob now. The upload is over either way."""
        right = DIGEST.fullmatch(digest) and digest_of_file(upload.path, digest.split(":")[0]) == digest
        if right:
            with upload.lock:
                upload.path.replace(self.file(digest))
            with self.lock:
                self.repository(upload.repository).blobs.add(digest)
        self.end_upload(upload)
        return bool(right)

    # --- manifests -------------------------------------------------------------------------------
    def manifest(self, name, reference):
        """(digest, type, bytes) by tag or digest, or None."""
        with self.lock:
            repository = self.repository(name)
            digest = repository.tags.get(reference, reference)
            found = repository.manifests.get(digest)
            return (digest, *found) if found else None

    def missing(self, name, document):
        """Digests that a manifest names and the repository lacks; its subject need not be there."""
        repository = self.repository(name)
        blobs = [document.get("config"), *(document.get("layers") or [])]
        wanted = [one["digest"] for one in blobs if one and not one.get("urls")]
        children = [one["digest"] for one in document.get("manifests") or []]
        return [one for one in wanted if one not in repository.blobs] + [
            one for one in children if one not in repository.manifests]

    def put_manifest(self, name, reference, kind, data, tags=()):
        """Stores it and moves the tags; returns the digest."""
        algorithm = reference.split(":")[0] if DIGEST.fullmatch(reference) else "sha256"
        digest = digest_of(data, algorithm)
        with self.lock:
            repository = self.repository(name)
            repository.manifests[digest] = (kind, data)
            for tag in ([] if DIGEST.fullmatch(reference) else [reference]) + list(tags):
                repository.tags[tag] = digest
        return digest

    def drop_manifest(self, name, reference):
        """A tag alone, or a manifest with its tags; False where there is none."""
        with self.lock:
            repository = self.repository(name)
            if reference in repository.tags:
                del repository.tags[reference]
                return True
            if repository.manifests.pop(reference, None) is None:
                return False
            repository.tags = {tag: one for tag, one in repository.tags.items() if one != reference}
            return True

    def referrers(self, name, digest, kind=None):
        """Descriptors of manifests whose subject is this one, in a total order."""
        found = []
        with self.lock:
            for own, (media_type, data) in sorted(self.repository(name).manifests.items()):
                document = json.loads(data)
                if (document.get("subject") or {}).get("digest") != digest:
                    continue
                artifact = document.get("artifactType") or (document.get("config") or {}).get("mediaType")
                one = {"mediaType": media_type, "digest": own, "size": len(data), "artifactType": artifact,
                       "annotations": document.get("annotations")}
                found.append({key: value for key, value in one.items() if value})
        return [one for one in found if kind in (None, one.get("artifactType"))]


def append_later(upload, data, seconds):
    def run():
        time.sleep(seconds)
        upload.append(data)
    threading.Thread(target=run, daemon=True).start()
