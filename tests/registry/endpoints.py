# SPDX-License-Identifier: Apache-2.0
"""The distribution API over content: each function takes the handler of a request and returns a Reply."""
import json
import re

from . import content, exchange
from .exchange import Early, Reply, error

NAME = r"(?P<name>[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*)"
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
ROUTES = [(re.compile(pattern), table) for pattern, table in (
    (r"/v2/?", {"GET": "ping", "HEAD": "ping"}),
    (rf"/v2/{NAME}/blobs/uploads/?", {"POST": "upload-post"}),
    (rf"/v2/{NAME}/blobs/uploads/(?P<reference>[^/]+)",
     {"PATCH": "upload-patch", "PUT": "upload-put", "GET": "upload-get", "DELETE": "upload-delete"}),
    (rf"/v2/{NAME}/blobs/(?P<reference>[^/]+)", {"HEAD": "blob-head", "GET": "blob-get", "DELETE": "blob-delete"}),
    (rf"/v2/{NAME}/manifests/(?P<reference>[^/]+)",
     {"HEAD": "manifest-head", "GET": "manifest-get", "PUT": "manifest-put", "DELETE": "manifest-delete"}),
    (rf"/v2/{NAME}/tags/list", {"GET": "tags"}),
    (rf"/v2/{NAME}/referrers/(?P<reference>[^/]+)", {"GET": "referrers"}),
)]
INDEX = "application/vnd.oci.image.index.v1+json"


def operation_of(method, path):
    """(operation, repository, digest or tag or upload); (None, None, None) where there is no such thing."""
    for pattern, table in ROUTES:
        match = pattern.fullmatch(path)
        if match and method in table:
            found = match.groupdict()
            return table[method], found.get("name"), found.get("reference")
    return None, None, None


def ping(handler, registry):
    return Reply(200, {"Content-Type": "application/json"}, b"{}")


# --- blobs ---------------------------------------------------------------------------------------

def blob_head(handler, registry):
    return blob_get(handler, registry)


def blob_get(handler, registry):
    entry, profile = handler.entry, registry.profile
    path = registry.content.blob(entry.repository, entry.reference)
    if path is None:
        return error(404, "BLOB_UNKNOWN")
    if profile.blobs_elsewhere and handler.server.role == "registry" and entry.method == "GET":
        where = f"{registry.url_of('elsewhere')}{entry.path}?signature=s3cr3t"
        return Reply(307, {"Location": where})
    size = path.stat().st_size
    headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": entry.reference}
    ranges = profile.elsewhere_ranges or handler.server.role == "registry"
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", entry.header("Range") or "") if ranges else None
    if not match:
        return Reply(200, {**headers, **({"Accept-Ranges": "bytes"} if ranges else {})}, (path, 0, size))
    first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if first > last:
        return Reply(416, {"Content-Range": f"bytes */{size}"})
    return Reply(206, {**headers, "Content-Range": f"bytes {first}-{last}/{size}"}, (path, first, last - first + 1))


def blob_delete(handler, registry):
    known = registry.content.drop_blob(handler.entry.repository, handler.entry.reference)
    return Reply(202) if known else error(404, "BLOB_UNKNOWN")


# --- uploads -------------------------------------------------------------------------------------

def location(handler, registry, upload):
    path = f"/v2/{upload.repository}/blobs/uploads/{upload.id}"
    if registry.profile.signed_state:
        path += f"?_state={upload.size}-{upload.id[:8]}%3D%3D"
    return path if registry.profile.location == "relative" else registry.url_of("registry") + path


def range_of(profile, upload):
    """The Range header of a reply about an upload, or None."""
    if profile.range_told == "none" or not upload.size and profile.fresh_range is None:
        return None
    if not upload.size:
        return profile.fresh_range
    end = {"stuck": upload.first_chunk or upload.size, "short": max(1, upload.size // 2)}.get(profile.range_told, upload.size)
    return f"0-{end - 1}"


def about(handler, registry, upload, code):
    headers = {"Location": location(handler, registry, upload), "Range": range_of(registry.profile, upload),
               "Docker-Upload-UUID": upload.id}
    return Reply(code, headers)


def upload_post(handler, registry):
    entry, profile = handler.entry, registry.profile
    mount, source = (entry.query.get(name, [None])[0] for name in ("mount", "from"))
    if mount:
        reply = mounted(handler, registry, mount, source)
        if reply:
            return reply
    upload = registry.content.open_upload(entry.repository)
    digest = entry.query.get("digest", [None])[0]
    if digest and profile.single_post == "done":
        return store_body(handler, registry, upload) or finish(handler, registry, upload, digest)
    if digest:
        for _ in handler.body():
            pass
    reply = about(handler, registry, upload, 202)
    if profile.chunk_minimum:
        reply.headers["OCI-Chunk-Min-Length"] = str(profile.chunk_minimum)
    return reply


def mounted(handler, registry, digest, source):
    """The reply to a mount; None where a plain upload is opened instead."""
    entry, profile = handler.entry, registry.profile
    if source is None:
        return error(400, "UNSUPPORTED", "from is missing") if profile.mount_without_from == 400 else None
    if profile.mount == "refused":
        return error(405, "UNSUPPORTED", "no mounts here")
    allowed = profile.mount == "granted" or (
        profile.mount == "referenced" and registry.content.is_referenced(source, digest))
    if not allowed or not registry.authority.may_mount(entry, source):
        return None
    if not registry.content.mount(entry.repository, digest, source):
        return None
    return created(registry, f"/v2/{entry.repository}/blobs/{digest}", digest)


def created(registry, path, digest, **headers):
    where = path if registry.profile.location == "relative" else registry.url_of("registry") + path
    return Reply(201, {"Location": where, "Docker-Content-Digest": digest, **headers})


def find_upload(handler, registry):
    """(upload, None) or (None, the reply that says that there is none)."""
    entry = handler.entry
    upload = registry.content.find_upload(entry.repository, entry.reference)
    if upload is None:
        return None, error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
    signed = entry.query.get("_state", ["none"])[0].partition("-")[0]
    if registry.profile.signed_state == "dead" and signed != str(upload.size):
        registry.content.end_upload(upload)
        return None, error(404, "BLOB_UPLOAD_INVALID", "upload resumed at wrong offset")
    if registry.profile.signed_state == "refuse" and signed != str(upload.size) and entry.method != "GET":
        return None, error(416, "RANGE_INVALID", "upload resumed at wrong offset")
    return upload, None


def range_wanted(handler, upload):
    """The first byte that the client says it sends; None where it does not say."""
    match = re.fullmatch(r"(?:bytes )?(\d+)-(\d+)(?:/.*)?", handler.entry.header("Content-Range") or "")
    return int(match[1]) if match else None


def refused_chunk(handler, registry, upload):
    """The reply to a chunk that may not be stored; None where it may."""
    profile, first = registry.profile, range_wanted(handler, upload)
    length = int(handler.entry.header("Content-Length") or 0)
    told = {"Location": location(handler, registry, upload), "Range": range_of(profile, upload)}
    if handler.entry.header("Content-Range") and first is None:
        return error(416, "BLOB_UPLOAD_INVALID", "bad Content-Range", **told)
    if first is not None and first != upload.size and profile.out_of_order == "refuse":
        return error(416, "BLOB_UPLOAD_INVALID", f"{first} is not the next byte, {upload.size} is", **told)
    if profile.chunk_limit and length > profile.chunk_limit and handler.command == "PATCH":
        return error(416, "SIZE_INVALID", "request body too large", **told)
    if profile.chunk_minimum and upload.short and length:
        return error(416, "BLOB_UPLOAD_INVALID", "a chunk before was below the minimum", **told)
    return None


def store_body(handler, registry, upload):
    """Appends the body to the upload; None, or the reply of an early end."""
    start, writer, kept = upload.size, upload.begin(), bytearray()
    fault = handler.fault
    handler.settle = lambda: interrupted(handler, registry, upload, start, kept)
    try:
        for data in handler.body():
            upload.write(writer, data)
            if fault and fault.kind == "late":
                kept += data
    except Early as early:
        if fault.get("after"):
            handler.settled()
        else:
            upload.cut(start)
        return early.reply
    except exchange.Broken:
        handler.settled()
        raise
    finally:
        handler.settle = None
    if fault and fault.kind == "partial":
        upload.cut(min(upload.size, start + fault.get("keep")))
    if fault and fault.kind == "damage":
        upload.damage(fault.get("at", start))
    return None


def interrupted(handler, registry, upload, start, kept):
    if registry.profile.interrupted == "drop":
        upload.cut(start)
    if handler.late:
        exchange.late_append(handler, upload, bytes(kept))


def upload_patch(handler, registry):
    upload, reply = find_upload(handler, registry)
    reply = reply or refused_chunk(handler, registry, upload)
    if reply:
        return reply
    before = upload.size
    reply = store_body(handler, registry, upload)
    if reply:
        return reply
    upload.first_chunk = upload.first_chunk or upload.size
    upload.short = bool(registry.profile.chunk_minimum) and upload.size - before < registry.profile.chunk_minimum
    return about(handler, registry, upload, registry.profile.patch_status)


def upload_put(handler, registry):
    upload, reply = find_upload(handler, registry)
    if reply:
        return reply
    digest = handler.entry.query.get("digest", [""])[0]
    if not content.DIGEST.fullmatch(digest):
        return error(400, "DIGEST_INVALID", "no digest, or not one")
    return refused_chunk(handler, registry, upload) or store_body(handler, registry, upload) or finish(
        handler, registry, upload, digest)


def finish(handler, registry, upload, digest):
    if not registry.content.finish_upload(upload, digest):
        return error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
    return created(registry, f"/v2/{upload.repository}/blobs/{digest}", digest)


def upload_get(handler, registry):
    if not registry.profile.status:
        return error(404, "BLOB_UPLOAD_UNKNOWN") if registry.profile.name != "crane" else error(405, "METHOD_UNKNOWN")
    upload, reply = find_upload(handler, registry)
    if reply:
        return reply
    reply = about(handler, registry, upload, 204)
    if reply.headers["Range"] is None and registry.profile.range_told != "none":
        reply.headers["Range"] = "0-0"
    return reply


def upload_delete(handler, registry):
    upload, reply = find_upload(handler, registry)
    if reply:
        return reply
    registry.content.end_upload(upload)
    return Reply(204)


# --- manifests -----------------------------------------------------------------------------------

def manifest_head(handler, registry):
    return manifest_get(handler, registry, counted=False)


def manifest_get(handler, registry, counted=True):
    entry, profile = handler.entry, registry.profile
    if counted and profile.get_limit is not None:
        with registry.journal.changed:
            registry.gets += 1
        if registry.gets > profile.get_limit:
            return error(429, "TOOMANYREQUESTS", "You have reached your pull rate limit",
                         **{"Retry-After": profile.retry_after, "RateLimit-Limit": f"{profile.get_limit};w=21600"})
    found = registry.content.manifest(entry.repository, entry.reference)
    if found is None:
        return error(404, "MANIFEST_UNKNOWN")
    digest, kind, data = found
    accepted = ",".join(entry.headers.get_all("Accept") or [])
    if profile.accept_needed and "oci" in kind and kind not in accepted:
        return error(404, "MANIFEST_UNKNOWN", "OCI manifest found, but accept header does not support OCI manifests")
    headers = {"Content-Type": kind, "Docker-Content-Digest": digest, "ETag": etag(digest) if profile.etag else None}
    return Reply(200, headers, data)


def etag(digest):
    return f'"{digest}"'


def manifest_put(handler, registry):
    entry, profile = handler.entry, registry.profile
    data = handler.whole_body(profile.manifest_limit)
    if data is None:
        return error(profile.manifest_too_big, "MANIFEST_INVALID" if profile.manifest_too_big == 400 else "SIZE_INVALID")
    is_digest = content.DIGEST.fullmatch(entry.reference)
    if not is_digest and not TAG.fullmatch(entry.reference):
        return error(400, "DIGEST_INVALID" if ":" in entry.reference else "TAG_INVALID")
    if is_digest and content.digest_of(data, entry.reference.split(":")[0]) != entry.reference:
        return error(400, "DIGEST_INVALID")
    kind = entry.header("Content-Type")
    reply = wrong_manifest(registry, entry, data, kind)
    if reply:
        return reply
    tags = entry.query.get("tag", []) if profile.several_tags else []
    with registry.content.lock:
        held = registry.content.manifest(entry.repository, entry.reference)
        wanted = entry.header("If-Match") if profile.etag else None
        if wanted and (held is None or wanted != etag(held[0])):
            return error(412, "PRECONDITION_FAILED", "it has changed")
        digest = registry.content.put_manifest(entry.repository, entry.reference, kind, data, tags)
    subject = (json.loads(data).get("subject") or {}).get("digest") if profile.referrers else None
    return created(registry, f"/v2/{entry.repository}/manifests/{entry.reference}", digest,
                   **{"OCI-Subject": subject, "OCI-Tag": tags or None})


def wrong_manifest(registry, entry, data, kind):
    try:
        document = json.loads(data)
        assert isinstance(document, dict)
    except (ValueError, AssertionError):
        return error(400, "MANIFEST_INVALID", "not a JSON object")
    if not kind or document.get("mediaType", kind) != kind:
        return error(400, "MANIFEST_INVALID", "mediaType and Content-Type differ")
    missing = registry.content.missing(entry.repository, document)
    if missing:
        return error(registry.profile.missing_blob_status, "MANIFEST_BLOB_UNKNOWN", f"blob unknown: {missing[0]}")
    return None


def manifest_delete(handler, registry):
    known = registry.content.drop_manifest(handler.entry.repository, handler.entry.reference)
    return Reply(202) if known else error(404, "MANIFEST_UNKNOWN")


# --- lists ---------------------------------------------------------------------------------------

def tags(handler, registry):
    entry = handler.entry
    names = sorted(registry.content.repository(entry.repository).tags)
    last, most = entry.query.get("last", [""])[0], int(entry.query.get("n", ["1000"])[0])
    names = [one for one in names if one > last]
    headers = {"Content-Type": "application/json"}
    if len(names) > most and most:
        headers["Link"] = f'</v2/{entry.repository}/tags/list?n={most}&last={names[most - 1]}>; rel="next"'
    body = json.dumps({"name": entry.repository, "tags": names[:most]})
    return Reply(200, headers, body.encode())


def referrers(handler, registry):
    entry = handler.entry
    if not registry.profile.referrers:
        return Reply(404, {"Content-Type": "text/plain"}, b"404 page not found\n")
    if not content.DIGEST.fullmatch(entry.reference):
        return error(400, "DIGEST_INVALID")
    kind = entry.query.get("artifactType", [None])[0] if registry.referrers_filter else None
    found = registry.content.referrers(entry.repository, entry.reference, kind)
    headers, page = {"Content-Type": INDEX}, registry.referrers_page
    if kind:
        headers["OCI-Filters-Applied"] = "artifactType"
    if page:
        at = int(entry.query.get("at", ["0"])[0])
        if at + page < len(found):
            more = f"&artifactType={kind}" if kind else ""
            headers["Link"] = f'<{entry.path}?at={at + page}{more}>; rel="next"'
        found = found[at:at + page]
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": found})
    return Reply(200, headers, body.encode())


TABLE = {name: globals()[name.replace("-", "_")] for name in (
    "ping blob-head blob-get blob-delete upload-post upload-patch upload-put upload-get upload-delete manifest-head "
    "manifest-get manifest-put manifest-delete tags referrers").split()}
