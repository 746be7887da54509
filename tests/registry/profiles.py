# SPDX-License-Identifier: Apache-2.0
"""How registries differ from each other. A profile is data; nothing else in the package knows a registry's name."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Profile:
    name: str
    # --- uploads
    location: str = "absolute"  # or "relative": a path; "bare": without the query that a reply may carry
    # Location carries the offset, signed. Where it is not what the upload has: "refuse": 416, but GET is answered, as by
    # distribution v3; "dead": 404, and the upload is over, as by docker-registry 2.8
    signed_state: str = None
    patch_status: int = 202
    range_told: str = "end"  # Range of replies: "end"; "stuck": that of the first chunk; "short": too small; "none"
    fresh_range: str = None  # Range of the reply that opens an upload
    out_of_order: str = "refuse"  # 416; or "append": what comes is stored at the end
    interrupted: str = "keep"  # a body that broke off: "keep" what came, or "drop" it
    status: bool = True  # GET of an upload is answered
    chunk_limit: int = None  # bytes of a PATCH; 416 above
    chunk_minimum: int = None  # told as OCI-Chunk-Min-Length, and smaller ones but the last are refused
    body_limit: int = None  # bytes of any body; 413 above, as a proxy in front says it
    single_post: str = "done"  # POST ?digest= with the blob as body: "done", or "dropped": 202, the body is lost
    # --- mounts
    mount: str = "granted"  # "ignored": a plain upload is opened; "refused": 405; "referenced": by a manifest only
    mount_without_from: int = 202
    # --- manifests and blobs
    missing_blob_status: int = 404
    manifest_limit: int = 4 << 20
    manifest_too_big: int = 413
    accept_needed: bool = False  # an OCI manifest is only given to who asks for its type
    referrers: bool = True
    etag: bool = False  # of manifests; then If-Match is obeyed
    several_tags: bool = False  # PUT ?tag=a&tag=b, answered by OCI-Tag
    blobs_elsewhere: bool = False  # 307 to a host of its own
    elsewhere_ranges: bool = True  # that host knows Range
    get_limit: int = None  # GETs of manifests until 429
    retry_after: str = "1"
    # --- who may
    challenge: str = "full"  # scope of the challenge; "pull": only that, whatever was asked
    foreign_scope: str = "granted"  # token for a repository to mount from; "refused": the token server says no
    basic_only: bool = False
    warning: str = None


PROFILES = {one.name: one for one in (
    Profile("strict", chunk_minimum=None, several_tags=True),
    Profile("guarded", referrers=False, etag=True),
    Profile("chunky", chunk_minimum=1 << 20),
    Profile("distribution", signed_state="refuse", fresh_range="0-0", referrers=False, missing_blob_status=400, manifest_too_big=400),
    Profile("docker28", signed_state="dead", fresh_range="0-0", out_of_order="append", referrers=False, missing_blob_status=400, manifest_too_big=400, accept_needed=True,
            single_post="dropped"),
    Profile("crane", location="relative", interrupted="drop", status=False, warning='299 - "a test registry"'),
    Profile("ghcr", location="relative", chunk_limit=4 << 20, referrers=False, challenge="pull"),
    Profile("ecr", patch_status=201, range_told="stuck", mount="referenced", basic_only=True),
    Profile("zot-old", range_told="short"),
    Profile("quay-old", mount_without_from=400, mount="refused", referrers=False),
    Profile("gitlab", signed_state="refuse", foreign_scope="refused", referrers=False, missing_blob_status=400),
    Profile("cdn", blobs_elsewhere=True, elsewhere_ranges=False),
    Profile("signed-cdn", blobs_elsewhere=True),
    Profile("hub", blobs_elsewhere=True, get_limit=3, signed_state="refuse", referrers=False),
    Profile("proxied", body_limit=1 << 20),
    Profile("silent-range", range_told="none"),
    Profile("no-status", status=False),
)}


def find(profile):
    """A profile by name, or the profile itself."""
    return profile if isinstance(profile, Profile) else PROFILES[profile]
