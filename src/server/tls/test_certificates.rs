//! Certificates for the tests of this folder.

use std::fs;
use std::path::Path;

use rcgen::{
    CertificateParams, DnType, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, SignatureAlgorithm,
};

use super::certificate::CertificateFiles;

/// A certificate with its key.
pub(in crate::server) type Identity = (rcgen::Certificate, KeyPair);

pub(in crate::server) fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let subject = names.join(" ");
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, subject);
    parameters
}

pub(in crate::server) fn self_signed(parameters: &CertificateParams) -> Identity {
    self_signed_with(parameters, &PKCS_ECDSA_P256_SHA256)
}

pub(super) fn self_signed_with(
    parameters: &CertificateParams,
    algorithm: &'static SignatureAlgorithm,
) -> Identity {
    let key = KeyPair::generate_for(algorithm).unwrap();
    (parameters.self_signed(&key).unwrap(), key)
}

/// A certificate signed by the key of another one.
pub(super) fn signed(
    parameters: &CertificateParams,
    signer: &CertificateParams,
    key_of_signer: &KeyPair,
) -> Identity {
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(signer, key_of_signer);
    (parameters.signed_by(&key, &issuer).unwrap(), key)
}

/// Writes a pair of files, `NAME.pem` and `NAME.key`.
pub(in crate::server) fn write(
    directory: &Path,
    name: &str,
    identity: &Identity,
) -> CertificateFiles {
    let files = CertificateFiles {
        certificate: directory.join(format!("{name}.pem")),
        key: directory.join(format!("{name}.key")),
    };
    fs::write(&files.certificate, identity.0.pem()).unwrap();
    fs::write(&files.key, identity.1.serialize_pem()).unwrap();
    files
}
