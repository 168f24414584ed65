"""Certificates for brokers and clients of one test, made by openssl(1): an authority, and what it has signed."""
import subprocess


class Authority:
    def __init__(self, folder, name="authority"):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key, self.certificate = folder / f"{name}.key", folder / f"{name}.pem"
        _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                 "-keyout", self.key, "-out", self.certificate)

    def sign(self, name, alternatives):
        """(certificate, key), both PEM; alternatives: "DNS:localhost,IP:127.0.0.1"."""
        key, request, certificate = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                 "-days", "30", "-extfile", extensions, "-out", certificate)
        return certificate, key

    def store(self, name, alternatives):
        """A key store as Kafka reads it: PEM, the key first."""
        certificate, key = self.sign(name, alternatives)
        store = self.folder / f"{name}.store.pem"
        store.write_text(key.read_text() + certificate.read_text())
        return store


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)
