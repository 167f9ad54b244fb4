//! Certificates for tests, and their signers.

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// A certificate with its key.
pub(crate) type Identity = (Certificate, KeyPair);

/// May sign others, as `openssl req -x509` makes them.
pub(crate) fn authority(names: &[&str]) -> CertificateParams {
    let mut parameters = leaf(names);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters
}

pub(crate) fn leaf(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let subject = names.join(" ");
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, subject);
    parameters
}

pub(crate) fn self_signed(parameters: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    (parameters.self_signed(&key).unwrap(), key)
}

/// A certificate signed by the key of another one, even if that one may not sign.
pub(crate) fn signed(
    parameters: &CertificateParams,
    signer: &CertificateParams,
    key_of_signer: &KeyPair,
) -> Identity {
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(signer, key_of_signer);
    (parameters.signed_by(&key, &issuer).unwrap(), key)
}
