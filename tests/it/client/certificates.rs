//! `--cacert` with certificates of authorities and of servers.

use std::fs;

use http_concurrent::client::{FetchError, Settings, Trust};
use rcgen::{Certificate, CertificateParams, ExtendedKeyUsagePurpose, date_time_ymd};

use crate::support::certificates::{Identity, authority, leaf, self_signed, signed};
use crate::support::client::run;
use crate::support::fetching::{Fetched, fetch_with, settings};
use crate::support::openssl::OpensslServer;
use crate::support::scripted::ok;
use crate::support::tls::TlsServer;

/// A certificate signed by an authority, and the authority's own.
fn issued(parameters: &CertificateParams) -> (Identity, Certificate) {
    issued_by(&authority(&["authority.example"]), parameters)
}

/// A certificate signed by the key of another one, even if that may not sign, and the other one.
fn issued_by(
    signer: &CertificateParams,
    parameters: &CertificateParams,
) -> (Identity, Certificate) {
    let (of_signer, key_of_signer) = self_signed(signer);
    (signed(parameters, signer, &key_of_signer), of_signer)
}

/// Fetches from a server with this certificate and key, trusting only `trusted`.
fn fetched((certificate, key): &Identity, trusted: &[&Certificate]) -> Fetched {
    let server = TlsServer::presenting(certificate, key, |_| ok("Hello"));
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), trusted.iter().map(|trusted| trusted.pem()).collect::<String>())
        .unwrap();
    let settings = Settings { trust: Trust::from_file(file.path()).unwrap(), ..settings(1) };
    fetch_with(&settings, &[server.url("localhost", "/file")])
}

/// Asserts that it was refused, with this reason.
#[track_caller]
fn assert_refused(fetched: Fetched, reason: &str) {
    match fetched.into_failure() {
        FetchError::Tls { error, .. } => assert!(error.to_string().contains(reason), "{error}"),
        error => panic!("{error}"),
    }
}

#[test]
fn a_trusted_certificate_is_accepted_for_its_own_names() {
    for parameters in [authority(&["localhost"]), leaf(&["example.org", "localhost"])] {
        let presented = self_signed(&parameters);
        fetched(&presented, &[&presented.0]).assert_success();
    }
    // An unknown issuer is equally a refusal.
    let (presented, _) = issued(&leaf(&["localhost"]));
    fetched(&presented, &[&presented.0]).assert_success();
}

#[test]
fn a_trusted_certificate_is_refused_for_other_names() {
    for names in [&["example.org"][..], &["127.0.0.1"], &[]] {
        let presented = self_signed(&authority(names));
        assert_refused(fetched(&presented, &[&presented.0]), "not valid for name \"localhost\"");
    }
}

#[test]
fn a_trusted_certificate_is_refused_outside_its_period() {
    for (from, to, reason) in [(1990, 2000, "expired"), (4000, 4001, "not valid yet")] {
        for mut parameters in [authority(&["localhost"]), leaf(&["localhost"])] {
            parameters.not_before = date_time_ymd(from, 1, 1);
            parameters.not_after = date_time_ymd(to, 1, 1);
            let presented = self_signed(&parameters);
            assert_refused(fetched(&presented, &[&presented.0]), reason);
            let (presented, _) = issued(&parameters);
            assert_refused(fetched(&presented, &[&presented.0]), reason);
        }
    }
}

#[test]
fn a_trusted_certificate_for_another_purpose_is_refused() {
    let mut parameters = leaf(&["localhost"]);
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let presented = self_signed(&parameters);
    assert_refused(fetched(&presented, &[&presented.0]), "certificate does not allow");
}

#[test]
fn a_certificate_like_a_trusted_one_is_refused() {
    for parameters in [authority(&["localhost"]), leaf(&["localhost"])] {
        let (trusted, presented) = (self_signed(&parameters), self_signed(&parameters));
        assert_refused(fetched(&presented, &[&trusted.0]), "");
        // The trusted certificate without its key proves nothing.
        assert_refused(fetched(&(trusted.0.clone(), presented.1), &[&trusted.0]), "");
    }
}

#[test]
fn an_authority_makes_only_its_own_certificates_trusted() {
    let (presented, of_authority) = issued(&leaf(&["localhost"]));
    fetched(&presented, &[&of_authority]).assert_success();
    let (other, _) = self_signed(&authority(&["localhost"]));
    fetched(&presented, &[&other, &of_authority]).assert_success();
    assert_refused(fetched(&presented, &[&other]), "");
}

#[test]
fn a_certificate_that_may_not_sign_others_makes_none_trusted() {
    let mut outdated = authority(&["authority.example"]);
    (outdated.not_before, outdated.not_after) =
        (date_time_ymd(1990, 1, 1), date_time_ymd(2000, 1, 1));
    for signer in [leaf(&["localhost"]), outdated] {
        let (presented, of_signer) = issued_by(&signer, &leaf(&["localhost"]));
        let (other, _) = self_signed(&authority(&["other.example"]));
        for trusted in [&[&of_signer][..], &[&other, &of_signer]] {
            assert_refused(fetched(&presented, trusted), "UnknownIssuer");
        }
    }
}

#[test]
fn a_self_signed_certificate_that_is_not_trusted_has_an_unknown_issuer() {
    let (other, _) = self_signed(&authority(&["example.org"]));
    for parameters in [authority(&["localhost"]), leaf(&["localhost"])] {
        assert_refused(fetched(&self_signed(&parameters), &[&other]), "UnknownIssuer");
    }
}

#[test]
#[ignore = "needs openssl"]
fn a_certificate_that_openssl_made_is_accepted_from_its_server() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("file.txt"), "Hello").unwrap();
    let server = OpensslServer::start(directory.path(), &[]);
    let url = |host| server.url(host, "/file.txt");
    let output = run(&["-urls", &url("localhost"), "--cacert", "cert.pem"], directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(fs::read(directory.path().join("downloads/file.txt")).unwrap(), b"Hello");
    let output = run(&["-urls", &url("127.0.0.1"), "--cacert", "cert.pem"], directory.path());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("not valid for name"), "{output:?}");
}
