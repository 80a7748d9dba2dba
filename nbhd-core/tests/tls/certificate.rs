//! Certificates by `openssl`, and a process that trusts one of them.

use std::path::PathBuf;
use std::process::Command;

/// Names the folder of the certificates in the process that trusts one.
const FOLDER: &str = "NBHD_TEST_CERTIFICATES";

/// Two certificates for 127.0.0.1, each its own authority: `known` is trusted by this process, `foreign` by nobody.
pub(crate) struct Certificates(PathBuf);

impl Certificates {
    /// The file of a certificate.
    pub(crate) fn certificate(&self, name: &str) -> String {
        self.file(name, "crt")
    }

    /// The file of its key.
    pub(crate) fn key(&self, name: &str) -> String {
        self.file(name, "key")
    }

    fn file(&self, name: &str, kind: &str) -> String {
        let file = self.0.join(format!("{name}.{kind}"));
        file.to_str().unwrap().to_owned()
    }

    fn make(&self, name: &str) {
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
            .args(["-subj", &format!("/CN=nbhd {name}")])
            .args(["-addext", "subjectAltName=IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-keyout", &self.key(name), "-out", &self.certificate(name)])
            .output()
            .expect("openssl is installed: `apt-get install openssl`");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl: {said}");
    }
}

/// The certificates, in a process that trusts the known one; `None` in the process that started it, when the test called
/// `test` has passed there.
pub(crate) fn trusting(test: &str) -> Option<Certificates> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return Some(Certificates(folder.into()));
    }
    let name = format!("nbhd-tls-{}-{}", std::process::id(), test.replace("::", "-"));
    let certificates = Certificates(std::env::temp_dir().join(name));
    std::fs::create_dir_all(&certificates.0).unwrap();
    certificates.make("known");
    certificates.make("foreign");
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FOLDER, &certificates.0)
        .env("SSL_CERT_FILE", certificates.certificate("known"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let _ = std::fs::remove_dir_all(&certificates.0);
    let (said, failed) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{failed}"
    );
    None
}
