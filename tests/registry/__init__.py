# SPDX-License-Identifier: Apache-2.0
"""A registry on loopback that behaves, or misbehaves, as told, and writes down each request; and helpers that
find, build, start and stop real registries and clients.

	from registry.server import FaultRegistry
	with FaultRegistry(profile="ghcr") as registry:
		registry.fault("upload-put", "reset", after=1 << 20, times=2)
		... push to registry.name("app", "1") ...
		assert registry.journal.uploaded() <= size + (1 << 20)

By hand: PYTHONPATH=tests python3 -m registry --profile strict --port 5000

	profiles	how known registries differ from each other, as data
	content		blobs, manifests, tags, uploads on disk; knows no HTTP
	journal		the log of requests: what tests assert from
	faults		which request fails, and how
	exchange	one request and its reply on the wire: bodies, broken connections
	endpoints	the distribution API over content
	authority	challenges, tokens, users
	server		the registry: listeners, start, stop, restart
	certificates	a certificate authority for a test
	programs	real registries and clients: where they are, how they are built
	real		real registries: start, stop
"""
