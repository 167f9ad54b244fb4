//! Chains of certificates that prove nothing.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    NameConstraints, date_time_ymd,
};

use super::fetch;
use crate::support::certificates::{Identity, authority, leaf, self_signed, signed};
use crate::support::scripted::ok;
use crate::support::tls::TlsServer;

/// A certificate signed by an intermediate of an authority.
struct Chain {
    leaf: Identity,
    intermediate: Identity,
    root: Identity,
}

fn chain(
    leaf: &CertificateParams,
    intermediate: &CertificateParams,
    root: &CertificateParams,
) -> Chain {
    let of_root = self_signed(root);
    let of_intermediate = signed(intermediate, root, &of_root.1);
    let of_leaf = signed(leaf, intermediate, &of_intermediate.1);
    Chain { leaf: of_leaf, intermediate: of_intermediate, root: of_root }
}

fn in_years(mut parameters: CertificateParams, (from, to): (i32, i32)) -> CertificateParams {
    parameters.not_before = date_time_ymd(from, 1, 1);
    parameters.not_after = date_time_ymd(to, 1, 1);
    parameters
}

fn constrained(
    mut parameters: CertificateParams,
    constraints: BasicConstraints,
) -> CertificateParams {
    parameters.is_ca = IsCa::Ca(constraints);
    parameters
}

fn for_purpose(
    mut parameters: CertificateParams,
    purpose: ExtendedKeyUsagePurpose,
) -> CertificateParams {
    parameters.extended_key_usages = vec![purpose];
    parameters
}

fn permitting(mut parameters: CertificateParams, domain: &str) -> CertificateParams {
    parameters.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(domain.into())],
        excluded_subtrees: vec![],
    });
    parameters
}

#[test]
fn a_chain_that_proves_nothing_is_refused() {
    let (host, root) = (|| leaf(&["localhost"]), || authority(&["root.example"]));
    let between = || authority(&["intermediate.example"]);
    let (past, future) = ((1990, 2000), (4000, 4001));
    for (what, chain, reason) in [
        ("a good one", chain(&host(), &between(), &root()), None),
        (
            "its names are permitted",
            chain(&host(), &permitting(between(), "localhost"), &root()),
            None,
        ),
        (
            "expired",
            chain(&in_years(host(), past), &between(), &root()),
            Some("certificate expired"),
        ),
        ("too early", chain(&in_years(host(), future), &between(), &root()), Some("not valid yet")),
        (
            "the intermediate expired",
            chain(&host(), &in_years(between(), past), &root()),
            Some("certificate expired"),
        ),
        (
            "the intermediate is too early",
            chain(&host(), &in_years(between(), future), &root()),
            Some("not valid yet"),
        ),
        (
            "the intermediate may not sign",
            chain(&host(), &leaf(&["intermediate.example"]), &root()),
            Some("EndEntityUsedAsCa"),
        ),
        (
            "the intermediate is for other names",
            chain(&host(), &permitting(between(), "example.org"), &root()),
            Some("NameConstraintViolation"),
        ),
        (
            "the root is for other names",
            chain(&host(), &between(), &permitting(root(), "example.org")),
            Some("NameConstraintViolation"),
        ),
        (
            "an authority's own",
            chain(&authority(&["localhost"]), &between(), &root()),
            Some("UnknownIssuer"),
        ),
        (
            "for clients alone",
            chain(&for_purpose(host(), ExtendedKeyUsagePurpose::ClientAuth), &between(), &root()),
            Some("does not allow extended key usage"),
        ),
        (
            "for mail alone",
            chain(
                &for_purpose(host(), ExtendedKeyUsagePurpose::EmailProtection),
                &between(),
                &root(),
            ),
            Some("does not allow extended key usage"),
        ),
    ] {
        let Chain { leaf, intermediate, root } = chain;
        let server =
            TlsServer::presenting_chain(&[&leaf.0, &intermediate.0], &leaf.1, |_| ok("Hello"));
        let fetched = fetch(&server.url("localhost", "/file"), &[&root], &[]);
        match reason {
            None => fetched.assert_whole(b"Hello", what),
            Some(reason) => {
                fetched.assert_refused(reason, what);
                assert!(server.heads().is_empty(), "{what}: it was asked for something");
            }
        }
    }
}

#[test]
fn an_intermediate_limited_to_servers_signs_no_intermediate() {
    let (root, between) = (authority(&["root.example"]), authority(&["between.example"]));
    let last = authority(&["last.example"]);
    for (most, is_good) in [(1, true), (0, false)] {
        let between = constrained(between.clone(), BasicConstraints::Constrained(most));
        let of_root = self_signed(&root);
        let of_between = signed(&between, &root, &of_root.1);
        let of_last = signed(&last, &between, &of_between.1);
        let of_host = signed(&leaf(&["localhost"]), &last, &of_last.1);
        let presented = [&of_host.0, &of_last.0, &of_between.0];
        let server = TlsServer::presenting_chain(&presented, &of_host.1, |_| ok("Hello"));
        let fetched = fetch(&server.url("localhost", "/file"), &[&of_root], &[]);
        if is_good {
            fetched.assert_whole(b"Hello", "one more is allowed");
        } else {
            fetched.assert_refused("PathLenConstraintViolated", "none is allowed");
        }
    }
}

#[test]
fn a_chain_that_does_not_lead_to_what_is_trusted_is_refused() {
    let make = || {
        chain(
            &leaf(&["localhost"]),
            &authority(&["between.example"]),
            &authority(&["root.example"]),
        )
    };
    let (good, other) = (make(), make());
    let lone = self_signed(&leaf(&["localhost"]));
    for (what, presented, key, trusted, reason) in [
        (
            "the intermediate is missing",
            vec![&good.leaf],
            &good.leaf.1,
            &good.root,
            "invalid peer certificate: UnknownIssuer",
        ),
        (
            "another root",
            vec![&good.leaf, &good.intermediate],
            &good.leaf.1,
            &other.root,
            "invalid peer certificate: BadSignature",
        ),
        // With the same names, so that only the signatures differ.
        (
            "another intermediate",
            vec![&good.leaf, &other.intermediate],
            &good.leaf.1,
            &good.root,
            "invalid peer certificate",
        ),
        (
            "it is the authority's key that is missing",
            vec![&good.leaf, &good.intermediate],
            &other.leaf.1,
            &good.root,
            "",
        ),
        (
            "self-signed",
            vec![&lone],
            &lone.1,
            &good.root,
            "invalid peer certificate: UnknownIssuer",
        ),
        (
            "self-signed, and the root beside it",
            vec![&lone, &good.root],
            &lone.1,
            &good.root,
            "invalid peer certificate: UnknownIssuer",
        ),
    ] {
        let certificates: Vec<_> = presented.iter().map(|(certificate, _)| certificate).collect();
        let server = TlsServer::presenting_chain(&certificates, key, |_| ok("Hello"));
        let fetched = fetch(&server.url("localhost", "/file"), &[trusted], &[]);
        fetched.assert_refused(&format!("cannot speak TLS with localhost: {reason}"), what);
        assert!(server.heads().is_empty(), "{what}: it was asked for something");
    }
}
