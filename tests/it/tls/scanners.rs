//! testssl.sh, which looks for weaknesses of a server's TLS.

use std::fs;

use serde_json::Value;

use super::site::server;
use crate::support::with_patience;

/// Not a weakness: all suites that are offered are strong, and clients without instructions for AES choose
/// `ChaCha20` (Mozilla's guidelines leave the choice to them as well).
const EXPECTED: &str = "cipher_order";

#[test]
#[ignore = "needs testssl.sh"]
fn testssl_finds_no_weakness() {
    let server = server(|config| {
        let field = "Strict-Transport-Security: max-age=63072000";
        config.extra_fields.further = vec![field.parse().unwrap()];
    });
    let directory = tempfile::tempdir().unwrap();
    let found = directory.path().join("found.json");
    let output = with_patience()
        .args(["testssl", "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none"])
        // All but the lists of ciphers and of simulated clients, which take most of the time.
        .args(["-p", "-s", "-f", "-S", "-P", "-h", "-U"])
        .args(["--ip", "127.0.0.1", "--severity", "LOW", "--add-ca"])
        .arg(server.certificate().authority())
        .arg("--jsonfile")
        .arg(&found)
        .arg(format!("https://localhost:{}/a.txt", server.address().port()))
        .output()
        .expect("timeout(1) is there");
    let printed = String::from_utf8_lossy(&output.stdout);
    let found: Vec<Value> = serde_json::from_str(&fs::read_to_string(found).unwrap()).unwrap();
    let weaknesses: Vec<String> = found
        .iter()
        .map(|row| [&row["severity"], &row["id"], &row["finding"]].map(|it| it.as_str().unwrap()))
        // Others are notes of the scanner on itself.
        .filter(|row| ["LOW", "MEDIUM", "HIGH", "CRITICAL"].contains(&row[0]))
        .filter(|row| row[1] != EXPECTED)
        .map(|row| row.join(" "))
        .collect();
    assert_eq!(weaknesses, [""; 0], "{printed}");
    assert!(printed.contains("Testing vulnerabilities"), "{printed}");
}
