# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one test, made by the openssl program: a server's pair and a client's pair."""
import pathlib
import shutil
import subprocess

SERVER = "subjectAltName=IP:127.0.0.1,IP:127.0.0.2,DNS:localhost\nextendedKeyUsage=serverAuth\n"
CLIENT = "extendedKeyUsage=clientAuth\n"


class Missing(Exception):
    """openssl is not there."""


class Certificates:
    """Paths: ca; certificate and key of the server; client_certificate and client_key."""

    def __init__(self, directory):
        if not shutil.which("openssl"):
            raise Missing("openssl is missing")
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca, self.ca_key = self.directory / "ca.crt", self.directory / "ca.key"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                     "-subj", "/CN=test authority", "-keyout", self.ca_key, "-out", self.ca)
        self.certificate, self.key = self.pair("server", SERVER)
        self.client_certificate, self.client_key = self.pair("client", CLIENT)

    def pair(self, name, extensions):
        certificate, key = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        request, more = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        more.write_text(extensions)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                     "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                     "-days", "30", "-extfile", more, "-out", certificate)
        return certificate, key

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)

    def directory_for(self, where, client=False):
        """A directory as --cert-dir and certs.d want it: ca.crt, and client.cert with client.key."""
        where = pathlib.Path(where)
        where.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.ca, where / "ca.crt")
        if client:
            shutil.copy(self.client_certificate, where / "client.cert")
            shutil.copy(self.client_key, where / "client.key")
            (where / "client.key").chmod(0o644)  # the account that runs the program may be another
        return where
